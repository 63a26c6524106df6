internal import MartletBase
internal import MartletModel

/// One cell of the grid: the gap between two neighboring levels, traded to and fro.
///
/// It buys at its lower level and sells at its upper one, and has at most one order at a time. Which
/// of the two it wants follows from one number, what it holds: what can be sold is sold before more
/// is bought. Partial fills, cancels and fees taken in the base asset only change that number, so
/// none of them can be forgotten or counted twice.
struct GridSlot: Equatable, Sendable, BitwiseCopyable {
  enum Phase: UInt8, Sendable, BitwiseCopyable {
    /// Wants an order as soon as the book is trusted.
    case idle = 0
    /// Has an order that is not terminal, as far as told.
    case working = 1
    /// Its order is over, and not all of its fills have been told yet.
    case settling = 2
    /// Was refused, or may not ask now; asks again at `retryAt`.
    case waiting = 3
    /// Would trade with an order of its own grid; asks again when one of those ends.
    case blocked = 4
    /// Its lower level is no price: not part of this grid.
    case absent = 5
  }

  var phase = Phase.absent
  /// Numbers the slot's orders, so that late news of an old one is known as such.
  var generation: Int64 = 0
  /// The number before its first order's: what has a lower one was placed before it was laid out.
  var firstGeneration: Int64 = 0
  /// The mark of its present order, or of its last one; 0 before the first. Mostly made of the slot's
  /// own numbers, but an order may be taken over from a grid with other settings.
  var tag: Int64 = 0
  /// Base units it may sell: lent at the start, plus bought, less sold, less fees in the base asset. Of a
  /// contract in the units that its quantity counts, and a loan is what it may be short.
  var inventory = Amount.zero
  /// What it was lent from the account when the grid was laid out: a first sell needs something.
  var lent = Amount.zero
  /// Sold less bought less fees, in quote units; of an inverse contract bought less sold, in base units.
  var cash = Amount.zero
  /// Back where it began, so often.
  var roundTrips: Int64 = 0

  // The order it has, or had last.
  var side = Side.buy
  var price = Price(quanta: 0)
  /// Fills of that order told so far.
  var booked = Quantity.zero
  /// That order is being taken off for other settings: the next one follows at once.
  var isMoving = false

  /// Refusals and fruitless ends in a row.
  var setbacks: Int64 = 0
  var retryAt = Timestamp.distantFuture

  /// Whether its present order may still bring news.
  var hasOrder: Bool { phase == .working || phase == .settling }

  /// Side of its first order.
  var home: Side { lent > .zero ? .sell : .buy }

  /// What it owns of the base asset beyond what it was lent; negative while that is sold.
  var gained: Amount { inventory - lent }
}

extension GridSlot {
  /// Added to a gap, so that it is never under 1.
  private static var tagOffset: Int64 { Int64(GridSettings.mostLevels) + 1 }

  /// The mark of the slot's next order: its number and the slot's gap, which stays the same whatever
  /// becomes of the grid's width.
  ///
  /// - Bounds: `gap` −100 ... 99; `generation` under 2⁴⁷.
  func newTag(gap: Int) -> Int64 { generation << 16 | (Int64(gap) + Self.tagOffset) }

  /// The gap and the order's number in `tag`; nil when no grid made it.
  static func decode(_ tag: Int64) -> (gap: Int, generation: Int64)? {
    let place = tag & 0xffff
    guard tag > 0, place >= 1, place < 2 * tagOffset - 1 else { return nil }
    return (Int(place - tagOffset), tag >> 16)
  }

  /// Books one execution of an order of this slot, old or present.
  mutating func book(_ fill: Fill, of instrument: Instrument) {
    let amount = instrument.scale.amount(of: fill.quantity)
    let value = GridSlot.proceeds(
      of: fill.quantity, at: fill.price, fill.side, instrument.scale, instrument.kind)
    inventory = fill.side == .buy ? inventory + amount : inventory - amount
    cash = cash + value
    // A fee in a third asset moves neither half of this market.
    if instrument.isContract {
      if fill.feeAsset == instrument.settlement { cash = cash - fill.fee }
    } else if fill.feeAsset == instrument.base {
      inventory = inventory - fill.fee
    } else if fill.feeAsset == instrument.quote {
      cash = cash - fill.fee
    }
    setbacks = 0
  }

  /// What a trade brings in the settlement asset, negative when it costs: a sale its value, and of an
  /// inverse contract a purchase, whose worth shrinks as the price rises.
  static func proceeds(
    of quantity: Quantity, at price: Price, _ side: Side, _ scale: InstrumentScale,
    _ kind: Instrument.Kind
  ) -> Amount {
    let value = kind.value(of: quantity, at: price, scale)
    return (side == .sell) == (kind != .inverse) ? value : -value
  }

  /// Profit of what is closed; what is open counts at the level where it was bought or lent.
  ///
  /// - Parameter price: of the lower level when something was gained, of the upper one when not.
  func profit(
    at price: Price, _ scale: InstrumentScale, _ kind: Instrument.Kind
  ) -> Amount {
    if kind == .inverse {
      // Whole quanta: no fee is ever taken from them.
      let quantity = scale.quantity(of: gained.magnitude, rounded: .down)
      return cash
        + GridSlot.proceeds(of: quantity, at: price, gained > .zero ? .sell : .buy, scale, kind)
    }
    // A fee may leave more decimals than the quantity grid has. Split, so that a fine price grid
    // does not overflow; rounded down, against us.
    let one = powerOfTen(Swift.max(Int(scale.price.count), 0))
    let coarse = powerOfTen(Swift.max(-Int(scale.price.count), 0))
    let (whole, rest) = gained.units.quotientAndRemainder(dividingBy: one)
    let quanta = Int128(price.quanta) * coarse
    return cash + Amount(units: whole * quanta + divide(rest * quanta, by: one, rounded: .down))
  }

  /// A slower and slower cadence: 15 s, 30 s, 60 s, ... 16 min.
  mutating func stepBack(at now: Timestamp) {
    phase = .waiting
    retryAt = now + TimeSpan.seconds(15 << min(setbacks, 6))
    setbacks += 1
  }
}

extension GridSlot {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(phase.rawValue)
    snapshot.write(generation)
    snapshot.write(firstGeneration)
    snapshot.write(tag)
    snapshot.write(inventory)
    snapshot.write(lent)
    snapshot.write(cash)
    snapshot.write(roundTrips)
    snapshot.write(side.rawValue)
    snapshot.write(price.quanta)
    snapshot.write(booked)
    snapshot.write(isMoving)
    snapshot.write(setbacks)
    snapshot.write(retryAt)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    guard let phase = Phase(rawValue: try snapshot.byte()) else {
      throw .impossible("grid slot phase", offset: snapshot.offset - 1)
    }
    self.phase = phase
    generation = try snapshot.read()
    firstGeneration = try snapshot.read()
    tag = try snapshot.read()
    inventory = try snapshot.amount()
    lent = try snapshot.amount()
    cash = try snapshot.amount()
    roundTrips = try snapshot.read()
    guard let side = Side(rawValue: try snapshot.byte()) else {
      throw .impossible("side", offset: snapshot.offset - 1)
    }
    self.side = side
    price = try snapshot.price()
    booked = try snapshot.quantity()
    isMoving = try snapshot.bool()
    setbacks = try snapshot.read()
    retryAt = try snapshot.timestamp()
    guard generation >= 0, setbacks >= 0 else {
      throw .impossible("grid slot counts", offset: snapshot.offset)
    }
  }
}
