internal import MartletBase
internal import MartletModel

/// Turns a market's columns back into frames and rows, and proves that they are one.
struct MarketColumns {
  private let frameCount: Int
  private let bookRowCount: Int
  private let tradeCount: Int
  private var sequence, kind, received, exchange, firstUpdate, updateSpan: ColumnReader
  private var bids, asks, price, quantity: ColumnReader
  private var tradeID, tradeSide, tradePrice, tradeQuantity: ColumnReader

  private var frames: [Recording.Frame] = []
  private var rows: [MarketRow] = []
  // What each column's next difference starts from.
  private var update: Int64 = 0
  private var lag: Int64 = 0
  private var lastTradeID: Int64 = 0
  private var lastTradePrice: Int64 = 0
  private var firstBid: Int64 = 0
  private var firstAsk: Int64 = 0

  init(_ container: RecordingContainer) throws(RecordingFault) {
    let columns = try container.columns([
      "sequence", "kind", "received", "exchange", "first_update", "update_span", "bids", "asks",
      "price", "quantity", "trade_id", "trade_side", "trade_price", "trade_quantity",
    ])
    (sequence, kind, received, exchange) = (columns[0], columns[1], columns[2], columns[3])
    (firstUpdate, updateSpan, bids, asks) = (columns[4], columns[5], columns[6], columns[7])
    (price, quantity, tradeID, tradeSide) = (columns[8], columns[9], columns[10], columns[11])
    (tradePrice, tradeQuantity) = (columns[12], columns[13])
    frameCount = try container.number("frames")
    bookRowCount = try container.number("book_rows")
    tradeCount = try container.number("trades")
    // A row takes at least a byte a column, so a count beyond the content is a lie.
    guard bookRowCount <= container.content.count, tradeCount <= container.content.count,
      frameCount <= container.content.count
    else { throw .header(key: "frames, book_rows, trades", found: "more than the content holds") }
  }

  mutating func read() throws(RecordingFault) -> ([Recording.Frame], [MarketRow]) {
    frames.reserveCapacity(frameCount)
    rows.reserveCapacity(bookRowCount + tradeCount)
    var line: Int64 = 0
    var receivedAt: Int64 = 0
    var trades = 0
    for index in 0..<frameCount {
      line = try sequence.next(after: line)
      let before = receivedAt
      receivedAt = try received.next(after: before)
      guard receivedAt >= before, let frameKind = MarketRow.Kind(rawValue: try kind.byte()) else {
        throw .corrupt(column: "kind or received", row: index)
      }
      var moment: Int64 = 0
      if frameKind != .snapshot {
        lag = try exchange.next(after: lag)
        let (sum, overflow) = receivedAt.addingReportingOverflow(lag)
        guard !overflow else { throw .corrupt(column: "exchange", row: index) }
        moment = sum
      }
      let firstRow = rows.count
      let time = Timestamp(nanoseconds: receivedAt)
      let first: Int64
      if frameKind == .trade {
        trades += 1
        first = try trade(frame: UInt32(index), at: time)
        lastTradeID = first
      } else {
        first = try firstUpdate.next(after: update)
        update = try updateSpan.plain(after: first)
        try levels(frame: UInt32(index), kind: frameKind, at: time)
      }
      rows[rows.count - 1].endsFrame = true
      frames.append(
        Recording.Frame(
          sequence: line, kind: frameKind, exchangeTime: Timestamp(nanoseconds: moment),
          first: first, last: frameKind == .trade ? first : update, firstRow: firstRow))
    }
    guard trades == tradeCount, rows.count == bookRowCount + tradeCount else {
      throw .corrupt(column: "rows", row: rows.count)
    }
    for column in [
      sequence, kind, received, exchange, firstUpdate, updateSpan, bids, asks, price, quantity,
      tradeID, tradeSide, tradePrice, tradeQuantity,
    ] { try column.end() }
    return (frames, rows)
  }

  private mutating func trade(
    frame: UInt32, at time: Timestamp
  ) throws(RecordingFault) -> Int64 {
    let id = try tradeID.next(after: lastTradeID)
    guard let side = Side(rawValue: try tradeSide.byte()) else {
      throw .corrupt(column: "trade_side", row: Int(frame))
    }
    lastTradePrice = try tradePrice.next(after: lastTradePrice)
    rows.append(
      MarketRow(
        receivedAt: time, price: Price(quanta: lastTradePrice),
        quantity: Quantity(quanta: try tradeQuantity.plain()), frame: frame, kind: .trade,
        side: side, endsFrame: false))
    return id
  }

  private mutating func levels(
    frame: UInt32, kind: MarketRow.Kind, at time: Timestamp
  ) throws(RecordingFault) {
    let bidCount = try bids.plain(upTo: bookRowCount)
    let askCount = try asks.plain(upTo: bookRowCount)
    guard bidCount + askCount > 0 else { throw .corrupt(column: "bids", row: Int(frame)) }
    for (side, count) in [(Side.buy, bidCount), (.sell, askCount)] {
      var last = side == .buy ? firstBid : firstAsk
      for index in 0..<count {
        last = try price.next(after: last)
        if index == 0 {
          if side == .buy { firstBid = last } else { firstAsk = last }
        }
        rows.append(
          MarketRow(
            receivedAt: time, price: Price(quanta: last),
            quantity: Quantity(quanta: try quantity.plain()), frame: frame, kind: kind,
            side: side, endsFrame: false))
      }
    }
  }
}
