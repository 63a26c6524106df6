public import MartletBase
public import MartletModel

/// A recorded market replayed on the exchange's clock, over and over.
///
/// Deterministic: which frame comes when follows from the rows, the start and the speed alone.
public struct OutsideMarket: Sendable {
  public enum Fault: Error, Equatable, Sendable {
    /// Nothing to begin from, or to begin again from.
    case noSnapshot
    /// The recording has decimals that the instrument's grid has not.
    case tooFine(recorded: Int, instrument: Int)
    case speed(thousandths: Int64)
  }

  let rows: [MarketRow]
  /// Index of the first row of the first snapshot, where each round begins.
  private let opening: Int
  private let speed: Int64
  private let pause: TimeSpan
  /// When the current round's opening row is due, on the exchange's clock.
  private var roundStart: Timestamp
  /// The next row.
  private(set) var position: Int
  /// Rounds begun before this one.
  public private(set) var round = 0

  /// - Parameters:
  ///   - rows: in the order of arrival, counting on grids of `pricePlaces` and `quantityPlaces`.
  ///   - scale: the grids of the instrument that these rows become the outside market of.
  ///   - start: when the first snapshot is due.
  ///   - speedThousandths: 1,000 replays at the pace of the recording, 10,000 ten times as fast.
  ///   - pause: between the last frame and the snapshot of the next round, at the same pace.
  public init(
    rows: [MarketRow], pricePlaces: DecimalPlaces, quantityPlaces: DecimalPlaces,
    scale: InstrumentScale, start: Timestamp, speedThousandths: Int64 = 1_000,
    pause: TimeSpan = .seconds(1)
  ) throws(Fault) {
    guard speedThousandths > 0 else { throw .speed(thousandths: speedThousandths) }
    guard let opening = rows.firstIndex(where: { $0.kind == .snapshot }) else { throw .noSnapshot }
    let priceStep = try Self.step(pricePlaces, scale.price)
    let quantityStep = try Self.step(quantityPlaces, scale.quantity)
    if priceStep == 1 && quantityStep == 1 {
      self.rows = rows
    } else {
      self.rows = rows.map { row in
        var row = row
        row.price = Price(quanta: row.price.quanta * priceStep)
        row.quantity = Quantity(quanta: row.quantity.quanta * quantityStep)
        return row
      }
    }
    self.opening = opening
    speed = speedThousandths
    self.pause = pause
    roundStart = start
    position = opening
  }

  private static func step(
    _ recorded: DecimalPlaces, _ wanted: DecimalPlaces
  ) throws(Fault) -> Int64 {
    guard recorded <= wanted else {
      throw .tooFine(recorded: Int(recorded.count), instrument: Int(wanted.count))
    }
    return Int64(powerOfTen(Int(wanted.count) - Int(recorded.count)))
  }

  /// When the next frame is due.
  public var nextTime: Timestamp { time(of: position) }

  /// Gives the trades of a round as if it had been before the first one, in order; without
  /// trade ids, and as of instrument 0.
  public func forEachTrade(roundsBefore: Int, _ body: (MarketTrade) -> Void) {
    let last = rows[rows.count - 1].receivedAt - rows[opening].receivedAt
    let length = scaled(last) + scaled(pause)
    let back = TimeSpan(nanoseconds: length.nanoseconds * Int64(roundsBefore))
    for index in opening..<rows.count where rows[index].kind == .trade {
      body(
        MarketTrade(
          instrument: InstrumentID(0), tradeID: TradeID(low: 0), price: rows[index].price,
          quantity: rows[index].quantity, aggressor: rows[index].side,
          exchangeTime: time(of: index) - back))
    }
  }

  private func time(of index: Int) -> Timestamp {
    roundStart + scaled(rows[index].receivedAt - rows[opening].receivedAt)
  }

  private func scaled(_ span: TimeSpan) -> TimeSpan {
    TimeSpan(nanoseconds: Int64(Int128(span.nanoseconds) * 1_000 / Int128(speed)))
  }

  /// Passes the frame that ends with the row before `end`, and begins a new round after the last.
  mutating func passed(to end: Int) {
    if end < rows.count {
      position = end
      return
    }
    roundStart = time(of: rows.count - 1) + scaled(pause)
    position = opening
    round += 1
  }
}
