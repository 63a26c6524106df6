public import MartletBase
public import MartletModel

/// What a grid is asked to be: the guide's three numbers.
///
/// - Source: WhiteBIT trading bot guide, "Worked example: Grid bot" (10 levels a side, 50 quote
///   units apart, 0.001 base units each).
@frozen public struct GridSettings: Equatable, Sendable, BitwiseCopyable {
  /// Levels on each side of the center, 1 ... 100.
  public var levelsPerSide: Int
  /// Distance between neighbors, in quote units for one base unit.
  public var spacing: Amount
  /// What each level buys, in base units; of an inverse contract in quote units, as its quantity counts.
  public var amount: Amount
  /// At a bid of this or less all is over: the grid is taken off, what it bought is sold. In quote units.
  public var stopPrice: Amount?
  /// The same this far under the highest bid since the grid began. In quote units.
  public var trailingStop: Amount?
  /// At an ask of this or more all is over: what it sold is bought back. In quote units.
  public var stopPriceAbove: Amount?
  /// Declared for a contract, where levels above the center sell what nobody has: at least 1. nil on spot.
  public var leverage: Int?

  public init(
    levelsPerSide: Int = 10, spacing: Amount = Amount(units: 50 * powerOfTen(20)),
    amount: Amount = Amount(units: powerOfTen(17)), stopPrice: Amount? = nil,
    trailingStop: Amount? = nil, stopPriceAbove: Amount? = nil, leverage: Int? = nil
  ) {
    self.levelsPerSide = levelsPerSide
    self.spacing = spacing
    self.amount = amount
    self.stopPrice = stopPrice
    self.trailingStop = trailingStop
    self.stopPriceAbove = stopPriceAbove
    self.leverage = leverage
  }

  /// Why these settings make no grid on this instrument.
  public enum Fault: Error, Equatable, Sendable {
    case levels(found: Int)
    /// A contract, and no leverage was declared.
    case notSpot(symbol: InlineText)
    /// A leverage on a spot market, or one that is none.
    case leverage(found: Int, symbol: InlineText)
    /// The spacing is no positive whole number of ticks.
    case spacing(found: Amount, tick: Amount)
    /// The amount is no positive whole number of lots, or under the least quantity.
    case amount(found: Amount, lot: Amount, minimum: Amount)
    /// The whole grid is wider than a price can count.
    case tooWide(spacing: Amount)
    /// A stop is no price or no distance, or the one above is not above the other.
    case stop(found: Amount)
  }

  /// Levels a side that one grid may have: its orders fit in one step's buffer.
  static var mostLevels: Int { 100 }

  /// The spacing as price quanta and the amount as quantity quanta, both exact.
  func onGrid(
    of instrument: Instrument
  ) throws(Fault) -> (spacing: Int64, quantity: Quantity) {
    guard levelsPerSide >= 1, levelsPerSide <= GridSettings.mostLevels else {
      throw .levels(found: levelsPerSide)
    }
    if let leverage {
      guard instrument.isContract, leverage >= 1 else {
        throw .leverage(found: leverage, symbol: instrument.symbol)
      }
    } else if instrument.isContract {
      throw .notSpot(symbol: instrument.symbol)
    }
    let scale = instrument.scale
    let rules = instrument.rules
    let tick = scale.amount(of: Price(quanta: rules.tickSize))
    guard spacing > .zero, spacing.units % tick.units == 0 else {
      throw .spacing(found: spacing, tick: tick)
    }
    let wide = spacing.units / scale.priceFactor
    guard let quanta = Int64(exactly: wide),
      !quanta.multipliedReportingOverflow(by: Int64(2 * GridSettings.mostLevels)).overflow
    else { throw .tooWide(spacing: spacing) }
    let lot = scale.amount(of: Quantity(quanta: rules.lotStep))
    let minimum = scale.amount(of: rules.minQuantity)
    guard amount > .zero, amount.units % lot.units == 0, amount >= minimum,
      let count = Int64(exactly: amount.units / scale.quantityFactor)
    else { throw .amount(found: amount, lot: lot, minimum: minimum) }
    for stop in [stopPrice, trailingStop, stopPriceAbove] {
      if let stop, stop <= .zero { throw .stop(found: stop) }
    }
    if let stopPrice, let stopPriceAbove, stopPriceAbove <= stopPrice {
      throw .stop(found: stopPriceAbove)
    }
    return (quanta, Quantity(quanta: count))
  }
}

extension GridSettings {
  /// The stops on an instrument's grid. What lies between two quanta goes to the side that is reached
  /// first.
  public func stops(on instrument: Instrument) -> [StopRule] {
    func quanta(_ amount: Amount?, _ rule: Rounding) -> Int64? {
      amount.map {
        Int64(clamping: divide($0.units, by: instrument.scale.priceFactor, rounded: rule))
      }
    }
    let under = StopRule(
      side: .sell, price: quanta(stopPrice, .up).map { Price(quanta: $0) },
      trailing: quanta(trailingStop, .down).map { max($0, 1) })
    let above = StopRule(
      side: .buy, price: quanta(stopPriceAbove, .down).map { Price(quanta: $0) })
    return [under, above].compactMap { $0 }
  }

  /// Whether it names a stop: settings that do not are written as before there were any.
  public var hasStops: Bool { stopPrice != nil || trailingStop != nil || stopPriceAbove != nil }

  /// How settings are written: what they do not name leaves no trace, so that they are written as before
  /// there was such a thing.
  @frozen public enum Form: UInt8, Sendable {
    case plain = 1
    case withStops = 2
    case onContract = 3

    /// The form of settings of this many bytes; nil when none has so many.
    init?(size: Int) {
      switch size {
      case 36: self = .plain
      case 87: self = .withStops
      case 91: self = .onContract
      default: return nil
      }
    }
  }

  public var form: Form { leverage != nil ? .onContract : hasStops ? .withStops : .plain }

  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(UInt32(levelsPerSide))
    snapshot.write(spacing)
    snapshot.write(amount)
    guard hasStops || leverage != nil else { return }
    for stop in [stopPrice, trailingStop, stopPriceAbove] {
      snapshot.write(stop != nil)
      snapshot.write(stop ?? .zero)
    }
    if let leverage { snapshot.write(UInt32(leverage)) }
  }

  /// - Parameter form: in which they were written.
  public init(
    from snapshot: inout SnapshotReader, form: Form
  ) throws(SnapshotReader.Fault) {
    let levels = Int(try snapshot.read(UInt32.self))
    guard (1...GridSettings.mostLevels).contains(levels) else {
      throw .impossible("grid of \(levels) levels a side", offset: snapshot.offset)
    }
    self.init(
      levelsPerSide: levels, spacing: try snapshot.amount(), amount: try snapshot.amount())
    guard form != .plain else { return }
    stopPrice = try GridSettings.stop(from: &snapshot)
    trailingStop = try GridSettings.stop(from: &snapshot)
    stopPriceAbove = try GridSettings.stop(from: &snapshot)
    guard form == .onContract else { return }
    let leverage = try snapshot.read(UInt32.self)
    guard leverage >= 1 else { throw .impossible("leverage of 0", offset: snapshot.offset - 4) }
    self.leverage = Int(leverage)
  }

  private static func stop(
    from snapshot: inout SnapshotReader
  ) throws(SnapshotReader.Fault) -> Amount? {
    let isThere = try snapshot.bool()
    let amount = try snapshot.amount()
    return isThere ? amount : nil
  }
}

extension GridSettings.Fault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .levels(let found):
      "grid: levels is \(found); expected 1 to \(GridSettings.mostLevels) a side"
    case .notSpot(let symbol):
      "grid: \(symbol) is a contract, and no leverage is declared for it; expected a spot market"
    case .leverage(let found, let symbol):
      "grid: leverage is \(found) on \(symbol); expected one of at least 1, and on a contract alone"
    case .spacing(let found, let tick):
      "grid: spacing is \(text(found)); expected a positive multiple of the tick, \(text(tick))"
    case .amount(let found, let lot, let minimum):
      "grid: amount is \(text(found)); expected a multiple of the lot, \(text(lot)),"
        + " and at least \(text(minimum))"
    case .stop(let found):
      "grid: a stop is \(text(found)); expected more than zero, and stop_price_above over stop_price"
    case .tooWide(let spacing):
      "grid: spacing is \(text(spacing)); no price of this market can be that far away: lower it"
    }
  }

  private func text(_ amount: Amount) -> String {
    var buffer = ByteBuffer(capacity: 48)
    DecimalText.write(amount.units, places: Amount.places, into: &buffer)
    return String(buffer.span)
  }
}
