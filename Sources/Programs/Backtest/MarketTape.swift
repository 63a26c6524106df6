public import MartletBase
public import MartletModel

/// One instrument's recorded market, read a piece at a time.
public protocol MarketTape {
  /// Reads on.
  ///
  /// - Parameter rows: emptied, then given the next whole frames, on the instrument's own grids, times
  ///   never stepping back; left empty at the end.
  /// - Throws: `BacktestFault` for what cannot be read.
  mutating func read(into rows: inout [MarketRow]) throws
}

/// A recording that is in memory whole.
public struct MemoryTape: MarketTape, Sendable {
  private var rows: [MarketRow]

  /// - Parameters:
  ///   - rows: in the order of arrival, counting on grids of `pricePlaces` and `quantityPlaces`.
  ///   - scale: the grids of the instrument that they become the market of.
  public init(
    _ rows: [MarketRow], pricePlaces: DecimalPlaces, quantityPlaces: DecimalPlaces,
    scale: InstrumentScale
  ) throws(BacktestFault) {
    guard pricePlaces <= scale.price, quantityPlaces <= scale.quantity else {
      throw BacktestFault(
        "the recording has \(pricePlaces.count) decimals of a price and \(quantityPlaces.count) of a quantity;"
          + " the instrument has \(scale.price.count) and \(scale.quantity.count), and nothing may be cut off"
      )
    }
    let price = Int64(powerOfTen(Int(scale.price.count) - Int(pricePlaces.count)))
    let quantity = Int64(powerOfTen(Int(scale.quantity.count) - Int(quantityPlaces.count)))
    self.rows = rows
    guard price != 1 || quantity != 1 else { return }
    for index in self.rows.indices {
      self.rows[index].price = Price(quanta: rows[index].price.quanta * price)
      self.rows[index].quantity = Quantity(quanta: rows[index].quantity.quanta * quantity)
    }
  }

  public mutating func read(into rows: inout [MarketRow]) throws {
    rows.removeAll(keepingCapacity: true)
    swap(&rows, &self.rows)
  }
}

/// What of a tape was replayed.
struct TapeCoverage {
  var rows: UInt64
  var frames: UInt64
  var trades: UInt64
  var first: Timestamp
  var last: Timestamp
}

/// Where a backtest stands in one instrument's tape.
struct TapeCursor {
  private var tape: any MarketTape
  private var rows: [MarketRow] = []
  private var position = 0
  /// When the next frame is due; `distantFuture` at the end.
  private(set) var nextTime = Timestamp.distantFuture
  private(set) var rowsRead: UInt64 = 0
  private(set) var framesRead: UInt64 = 0
  private(set) var tradesRead: UInt64 = 0
  private(set) var first: Timestamp?
  private(set) var last = Timestamp.zero

  init(_ tape: any MarketTape) throws {
    self.tape = tape
    try refill()
  }

  private mutating func refill() throws {
    try tape.read(into: &rows)
    position = 0
    guard let row = rows.first else {
      nextTime = .distantFuture
      return
    }
    if first == nil { first = row.receivedAt }
    nextTime = row.receivedAt
  }

  var coverage: TapeCoverage {
    TapeCoverage(
      rows: rowsRead, frames: framesRead, trades: tradesRead, first: first ?? .zero, last: last)
  }

  /// Whether the next frame is a whole book.
  var isAtSnapshot: Bool { position < rows.count && rows[position].kind == .snapshot }

  /// Takes the next frame.
  mutating func next<Result>(_ body: (Span<MarketRow>) throws -> Result) throws -> Result {
    let start = position
    var end = start + 1
    while end < rows.count && !rows[end - 1].endsFrame { end += 1 }
    last = rows[start].receivedAt
    framesRead += 1
    rowsRead += UInt64(end - start)
    if rows[start].kind == .trade { tradesRead += UInt64(end - start) }
    let result = try body(rows.span.extracting(start..<end))
    position = end
    if end < rows.count {
      guard rows[end].receivedAt >= last else {
        throw BacktestFault(
          "the tape steps back in time behind row \(rowsRead): `martlet data check` says where")
      }
      nextTime = rows[end].receivedAt
    } else {
      try refill()
    }
    return result
  }
}
