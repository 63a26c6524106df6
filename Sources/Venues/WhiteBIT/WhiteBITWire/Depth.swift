public import MartletBase
public import MartletJSON
public import MartletModel

/// The book channel and the book endpoint, both ways. Reading `depth_update` is the hot path.
///
/// - Source: WhiteBIT docs, "Depth" stream: `params` are `[isFull, book, market]`; a delta names the
///   update it follows in `past_update_id`, leaves out a side that did not change, and removes a
///   price with the amount "0". Asks come ascending, bids descending.
public enum Depth {
  /// What a depth message says beside its levels.
  @frozen public struct Update: Equatable, Sendable, BitwiseCopyable {
    public var market: InlineText
    public var isSnapshot: Bool
    public var updateID: UInt64
    /// On deltas: the id of the frame before, as sent to this subscription.
    public var pastUpdateID: UInt64?
    /// The matching engine's time.
    public var engineTime: Timestamp
    /// When it left the socket server; nil when that is left out.
    public var eventTime: Timestamp?

    @inlinable public init(
      market: InlineText, isSnapshot: Bool, updateID: UInt64, pastUpdateID: UInt64?,
      engineTime: Timestamp, eventTime: Timestamp?
    ) {
      self.market = market
      self.isSnapshot = isSnapshot
      self.updateID = updateID
      self.pastUpdateID = pastUpdateID
      self.engineTime = engineTime
      self.eventTime = eventTime
    }
  }

  /// The market a depth frame most likely speaks of, found from its end without reading it.
  ///
  /// The name stands behind the levels, and without the market's scale the levels mean nothing. The
  /// caller checks it against `Update.market` after reading.
  public static func market(of frame: Span<UInt8>) -> InlineText? {
    // `…,"NAME"]` and then `,"id":null}` or `}`: the list's bracket is the last in the frame.
    var index = frame.count - 1
    while index >= 0 && frame[index] != 0x5d { index -= 1 }
    index -= 1
    while index >= 0 && frame[index] == 0x20 { index -= 1 }
    guard index >= 0, frame[index] == 0x22 else { return nil }
    let end = index
    index -= 1
    while index >= 0 && frame[index] != 0x22 { index -= 1 }
    guard index >= 0, end - index > 1 else { return nil }
    return InlineText(frame.extracting(index + 1..<end))
  }

  /// The market of a depth push, read from its place in the params.
  public static func market(
    of message: VenueMessage, in frame: Span<UInt8>
  ) throws(JSONFault) -> InlineText {
    var cursor = message.cursor
    try cursor.beginArray(in: frame)
    for _ in 0..<2 {
      guard try cursor.nextElement(in: frame) else { throw cursor.fault(.value, in: frame) }
      try cursor.skipValue(in: frame)
    }
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    return try cursor.shortText(in: frame)
  }

  /// Reads a push's params, at which `cursor` stands, in one pass; key order is free.
  ///
  /// - Parameters:
  ///   - limit: rows of a snapshot kept a side; the rest is checked and dropped.
  ///   - levels: receives the rows in order. After a throw it holds a part: cut it back.
  /// - Throws: `JSONFault` for a message of another shape, and for a price or an amount finer than
  ///   `scale`.
  public static func read(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>, scale: InstrumentScale, limit: Int = .max,
    into levels: inout [BookLevel]
  ) throws(JSONFault) -> Update {
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.bool, in: frame) }
    let isSnapshot = try cursor.bool(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.object, in: frame) }
    let book = try readBook(
      &cursor, in: frame, scale: scale, limit: isSnapshot ? limit : .max, into: &levels)
    guard let updateID = book.updateID, let engineTime = book.engineTime else {
      throw cursor.missingKey(in: frame)
    }
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    let market = try cursor.shortText(in: frame)
    while try cursor.nextElement(in: frame) { try cursor.skipValue(in: frame) }
    return Update(
      market: market, isSnapshot: isSnapshot, updateID: updateID, pastUpdateID: book.pastUpdateID,
      engineTime: engineTime, eventTime: book.eventTime)
  }

  /// Reads the reply of `GET /api/v4/public/orderbook/{market}`.
  ///
  /// - Returns: the venue's time, in whole seconds.
  public static func readReply(
    _ body: Span<UInt8>, scale: InstrumentScale, limit: Int = .max, into levels: inout [BookLevel]
  ) throws(JSONFault) -> Timestamp {
    var cursor = JSONCursor()
    let book = try readBook(&cursor, in: body, scale: scale, limit: limit, into: &levels)
    try cursor.end(in: body)
    guard let time = book.engineTime else { throw cursor.missingKey(in: body) }
    return time
  }

  private struct Book {
    var updateID: UInt64?
    var pastUpdateID: UInt64?
    var engineTime: Timestamp?
    var eventTime: Timestamp?
  }

  private static func readBook(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>, scale: InstrumentScale, limit: Int,
    into levels: inout [BookLevel]
  ) throws(JSONFault) -> Book {
    var book = Book()
    try cursor.beginObject(in: frame)
    while let key = try cursor.nextKey(in: frame) {
      switch key.count {
      case 4 where key.equals("asks", in: frame):
        try readSide(.sell, &cursor, in: frame, scale: scale, limit: limit, into: &levels)
      case 4 where key.equals("bids", in: frame):
        try readSide(.buy, &cursor, in: frame, scale: scale, limit: limit, into: &levels)
      case 9 where key.equals("timestamp", in: frame):
        book.engineTime = try cursor.seconds(in: frame)
      case 9 where key.equals("update_id", in: frame):
        book.updateID = try cursor.unsigned(in: frame)
      case 14 where key.equals("past_update_id", in: frame):
        book.pastUpdateID = try cursor.unsigned(in: frame)
      case 10 where key.equals("event_time", in: frame):
        book.eventTime = try cursor.seconds(in: frame)
      default: try cursor.skipValue(in: frame)
      }
    }
    return book
  }

  private static func readSide(
    _ side: Side, _ cursor: inout JSONCursor, in frame: Span<UInt8>, scale: InstrumentScale,
    limit: Int, into levels: inout [BookLevel]
  ) throws(JSONFault) {
    // The endpoint says null for a side when it was asked for a level it does not know.
    if cursor.isNull(in: frame) { return }
    let start = levels.count
    if let end = QuickRows(price: scale.price, quantity: scale.quantity).read(
      side, in: frame, from: cursor.position, limit: limit, into: &levels)
    {
      cursor.position = end
      return
    }
    levels.removeSubrange(start...)
    var kept = 0
    try cursor.beginArray(in: frame)
    while try cursor.nextElement(in: frame) {
      try cursor.beginArray(in: frame)
      guard try cursor.nextElement(in: frame) else { throw cursor.fault(.number, in: frame) }
      let price = try cursor.count(in: frame, places: scale.price)
      guard try cursor.nextElement(in: frame) else { throw cursor.fault(.number, in: frame) }
      let quantity = try cursor.count(in: frame, places: scale.quantity)
      if try cursor.nextElement(in: frame) { throw cursor.fault(.commaOrBracket, in: frame) }
      if kept < limit {
        levels.append(
          BookLevel(
            side: side, price: Price(quanta: price), quantity: Quantity(quanta: quantity)))
      }
      kept += 1
    }
  }

  // MARK: Subscribing

  /// - Parameters:
  ///   - limit: 1, 5, 10, 20, 30, 50 or 100 levels a side.
  ///   - isAdded: whether other depth subscriptions of the connection stay.
  public static func writeSubscribe(
    id: UInt64, market: InlineText, limit: Int, isAdded: Bool = true,
    into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    Envelope.begin(id, "depth_subscribe", with: &writer, into: &buffer)
    writer.beginArray(into: &buffer)
    writer.string(market, into: &buffer)
    writer.integer(limit, into: &buffer)
    writer.string("0", into: &buffer)
    writer.bool(isAdded, into: &buffer)
    writer.endArray(into: &buffer)
    writer.endObject(into: &buffer)
  }

  public static func writeUnsubscribe(
    id: UInt64, market: InlineText, into buffer: inout ByteBuffer
  ) {
    Envelope.writeRequest(id, "depth_unsubscribe", flat: [market], into: &buffer)
  }

  /// What a client's `depth_subscribe` asks for.
  public struct Subscription: Equatable, Sendable {
    public var market: InlineText
    public var limit: Int
    /// Price grouping, such as "0" or "0.1".
    public var interval: Amount
    public var isAdded: Bool
    public init(market: InlineText, limit: Int, interval: Amount, isAdded: Bool) {
      self.market = market
      self.limit = limit
      self.interval = interval
      self.isAdded = isAdded
    }
  }

  /// - Throws: `JSONFault` for params the venue answers with `invalid argument`; whether `limit` and
  ///   `interval` are ones it offers is for the desk to say.
  public static func readSubscription(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) throws(JSONFault) -> Subscription {
    guard var cursor = message.params else { throw JSONCursor().fault(.array, in: frame) }
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    let market = try cursor.shortText(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.integer, in: frame) }
    let limit = try cursor.integer(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    let interval = try cursor.amount(in: frame)
    // A missing fourth element was accepted live, and taken as an addition.
    var isAdded = true
    if try cursor.nextElement(in: frame) {
      isAdded = try cursor.bool(in: frame)
      if try cursor.nextElement(in: frame) { throw cursor.fault(.commaOrBracket, in: frame) }
    }
    return Subscription(
      market: market, limit: Int(limit), interval: interval, isAdded: isAdded)
  }

  // MARK: Writing, for the desk

  /// Writes a `depth_update`. A delta's side without a level in `levels` is left out.
  ///
  /// - Parameter levels: asks ascending and bids descending, each side in its order.
  public static func writePush(
    _ update: Update, levels: Span<BookLevel>, scale: InstrumentScale,
    into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter(style: .spaced)
    writer.beginObject(into: &buffer)
    writer.key("method", into: &buffer)
    writer.string("depth_update", into: &buffer)
    writer.key("params", into: &buffer)
    writer.beginArray(into: &buffer)
    writer.bool(update.isSnapshot, into: &buffer)
    writer.beginObject(into: &buffer)
    writer.key("timestamp", into: &buffer)
    writer.seconds(update.engineTime, into: &buffer)
    writer.key("update_id", into: &buffer)
    writer.integer(update.updateID, into: &buffer)
    if let past = update.pastUpdateID {
      writer.key("past_update_id", into: &buffer)
      writer.integer(past, into: &buffer)
    }
    writeSides(
      levels, scale: scale, keepsEmpty: update.isSnapshot, with: &writer, into: &buffer)
    if let left = update.eventTime {
      writer.key("event_time", into: &buffer)
      writer.seconds(left, into: &buffer)
    }
    writer.endObject(into: &buffer)
    writer.string(update.market, into: &buffer)
    writer.endArray(into: &buffer)
    writer.key("id", into: &buffer)
    writer.null(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes the reply of the book endpoint, compact as the venue's HTTP side is.
  public static func writeReply(
    market: InlineText, time: Timestamp, levels: Span<BookLevel>, scale: InstrumentScale,
    into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("ticker_id", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("timestamp", into: &buffer)
    writer.integer(time.seconds, into: &buffer)
    writeSides(levels, scale: scale, keepsEmpty: true, with: &writer, into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes the `asks` and `bids` of a book, as the two keys of the object begun last.
  public static func writeSides(
    _ levels: Span<BookLevel>, scale: InstrumentScale, keepsEmpty: Bool,
    with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writeSide(
      .sell, "asks", levels, scale: scale, keepsEmpty: keepsEmpty, with: &writer, into: &buffer)
    writeSide(
      .buy, "bids", levels, scale: scale, keepsEmpty: keepsEmpty, with: &writer, into: &buffer)
  }

  private static func writeSide(
    _ side: Side, _ key: StaticString, _ levels: Span<BookLevel>, scale: InstrumentScale,
    keepsEmpty: Bool, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    var isBegun = keepsEmpty
    if isBegun {
      writer.key(key, into: &buffer)
      writer.beginArray(into: &buffer)
    }
    for index in 0..<levels.count where levels[index].side == side {
      if !isBegun {
        isBegun = true
        writer.key(key, into: &buffer)
        writer.beginArray(into: &buffer)
      }
      writer.beginArray(into: &buffer)
      writer.decimal(levels[index].price, scale, into: &buffer)
      writer.decimal(levels[index].quantity, scale, into: &buffer)
      writer.endArray(into: &buffer)
    }
    if isBegun { writer.endArray(into: &buffer) }
  }
}

extension JSONCursor {
  /// A quoted or bare number as a count of 10^−`places`.
  fileprivate mutating func count(
    in text: Span<UInt8>, places: DecimalPlaces
  ) throws(JSONFault) -> Int64 {
    let digits = try decimalText(in: text)
    do {
      return try DecimalText.parse(digits.bytes(in: text), places: places)
    } catch {
      throw fault(.number, at: digits.start, in: text)
    }
  }
}
