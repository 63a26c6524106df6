public import MartletBase
public import MartletModel

/// A recording made by hand, for a simulation that needs the market to do one exact thing.
///
/// Prices are in whole units of the quote asset and quantities in millionths of the base, on grids of
/// two and six places. After its last frame the market stands still for a year.
public struct HandmadeMarket: Sendable {
  public static let pricePlaces = DecimalPlaces(2)
  public static let quantityPlaces = DecimalPlaces(6)

  public private(set) var rows: [MarketRow] = []
  private var time = Timestamp.zero
  private var frame: UInt32 = 0
  private var top: (bid: Int64, ask: Int64)

  /// Opens with a whole book around `bid` and `ask`.
  public init(bid: Int64 = 60_000, ask: Int64 = 60_010) {
    top = (bid, ask)
    book(bid: bid, ask: ask)
  }

  /// Lets time pass.
  public mutating func wait(_ span: TimeSpan) { time = time + span }

  /// A whole book: a level each unit from the best outwards, `levels` a side, each with more than any
  /// test trades.
  public mutating func book(bid: Int64, ask: Int64, levels: Int64 = 20, each: Int64 = 5_000_000) {
    top = (bid, ask)
    for level in 0..<levels { add(.snapshot, .buy, bid - level, each + level) }
    for level in 0..<levels { add(.snapshot, .sell, ask + level, each + level) }
    endFrame()
  }

  /// One level as it is from now on.
  public mutating func level(_ side: Side, _ price: Int64, _ quantity: Int64) {
    add(.level, side, price, quantity)
    endFrame()
  }

  /// A print on the tape; `side` took.
  public mutating func trade(_ side: Side, _ price: Int64, _ quantity: Int64) {
    add(.trade, side, price, quantity)
    endFrame()
  }

  /// Moves the whole market to `bid` and its ask, printing through everything in between: orders that
  /// stand in the way are filled.
  public mutating func sweep(to bid: Int64, ask: Int64) {
    if bid < top.bid {
      trade(.sell, ask, 1)
    } else {
      trade(.buy, bid, 1)
    }
    book(bid: bid, ask: ask)
  }

  /// The rows, with a last frame so far away that no second round begins.
  public var recording: [MarketRow] {
    var copy = self
    copy.wait(.seconds(365 * 86_400))
    copy.book(bid: top.bid, ask: top.ask)
    return copy.rows
  }

  private mutating func add(
    _ kind: MarketRow.Kind, _ side: Side, _ price: Int64, _ quantity: Int64
  ) {
    rows.append(
      MarketRow(
        receivedAt: time, price: Price(quanta: price * 100), quantity: Quantity(quanta: quantity),
        frame: frame, kind: kind, side: side, endsFrame: false))
  }

  private mutating func endFrame() {
    rows[rows.count - 1].endsFrame = true
    frame += 1
  }
}
