public import MartletBase
public import MartletJSON
public import MartletModel

/// One print of the tape as the venue tells it, on the socket or over REST.
///
/// - Source: WhiteBIT docs, public trades. The socket names `id`, `time` (float seconds), `amount`;
///   REST names `tradeID`, `trade_timestamp` (whole seconds), and swaps the volumes: `quote_volume`
///   is the amount in stock, `base_volume` the amount in money.
public struct WireTrade: WireRow, Equatable, BitwiseCopyable {
  public var tradeID: UInt64
  public var time: Timestamp
  public var price: Amount
  /// In stock.
  public var amount: Amount
  /// The side that took.
  public var aggressor: Side
  /// It came from a retail-price-improvement order, which no book shows.
  public var isRPI: Bool

  public init(
    tradeID: UInt64, time: Timestamp, price: Amount, amount: Amount, aggressor: Side,
    isRPI: Bool = false
  ) {
    self.tradeID = tradeID
    self.time = time
    self.price = price
    self.amount = amount
    self.aggressor = aggressor
    self.isRPI = isRPI
  }

  /// Reads either form.
  public static func read(
    _ cursor: inout JSONCursor, in text: Span<UInt8>
  ) throws(JSONFault) -> WireTrade {
    var id: UInt64?
    var time: Timestamp?
    var price: Amount?
    var amount: Amount?
    var side: Side?
    var isRPI = false
    try cursor.beginObject(in: text)
    while let key = try cursor.nextKey(in: text) {
      if key.equals("id", in: text) || key.equals("tradeID", in: text) {
        id = try cursor.identifier(in: text)
      } else if key.equals("time", in: text) || key.equals("trade_timestamp", in: text) {
        time = try cursor.seconds(in: text)
      } else if key.equals("price", in: text) {
        price = try cursor.amount(in: text)
      } else if key.equals("amount", in: text) || key.equals("quote_volume", in: text) {
        amount = try cursor.amount(in: text)
      } else if key.equals("type", in: text) {
        side = try cursor.side(in: text)
      } else if key.equals("rpi", in: text), !cursor.isNull(in: text) {
        isRPI = try cursor.bool(in: text)
      } else {
        try cursor.skipValue(in: text)
      }
    }
    guard let id, let time, let price, let amount, let side else {
      throw cursor.missingKey(in: text)
    }
    return WireTrade(
      tradeID: id, time: time, price: price, amount: amount, aggressor: side, isRPI: isRPI)
  }

  /// Writes the socket's form.
  public func writeSocket(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(tradeID, into: &buffer)
    writer.key("time", into: &buffer)
    writer.seconds(time, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("type", into: &buffer)
    writer.string(aggressor.wireWord, into: &buffer)
    writer.key("rpi", into: &buffer)
    writer.bool(isRPI, into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes the form of `GET /api/v4/public/trades/{market}`.
  public func writeREST(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("tradeID", into: &buffer)
    writer.integer(tradeID, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price, into: &buffer)
    writer.key("quote_volume", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("base_volume", into: &buffer)
    writer.decimal(price.multiplied(by: amount), into: &buffer)
    writer.key("trade_timestamp", into: &buffer)
    writer.integer(time.seconds, into: &buffer)
    writer.key("type", into: &buffer)
    writer.string(aggressor.wireWord, into: &buffer)
    writer.key("rpi", into: &buffer)
    writer.bool(isRPI, into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// This print on an instrument's grids; nil when it lies off them.
  public func marketTrade(of instrument: InstrumentID, scale: InstrumentScale) -> MarketTrade? {
    guard let price = scale.exactPrice(of: price), let quantity = scale.exactQuantity(of: amount)
    else { return nil }
    return MarketTrade(
      instrument: instrument, tradeID: TradeID(low: tradeID), price: price, quantity: quantity,
      aggressor: aggressor, exchangeTime: time)
  }
}

/// The public channels beside the book, both ways.
public enum Trades {
  public static func writeSubscribe(
    id: UInt64, markets: [InlineText], into buffer: inout ByteBuffer
  ) {
    Envelope.writeRequest(id, "trades_subscribe", flat: markets, into: &buffer)
  }

  public static func writeLastPriceSubscribe(
    id: UInt64, markets: [InlineText], into buffer: inout ByteBuffer
  ) {
    Envelope.writeRequest(id, "lastprice_subscribe", flat: markets, into: &buffer)
  }

  /// Reads a `trades_update`'s params: market, then prints, newest first.
  public static func readPush(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>, into trades: inout [WireTrade]
  ) throws(JSONFault) -> InlineText {
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    let market = try cursor.shortText(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.array, in: frame) }
    try cursor.beginArray(in: frame)
    while try cursor.nextElement(in: frame) {
      trades.append(try WireTrade.read(&cursor, in: frame))
    }
    while try cursor.nextElement(in: frame) { try cursor.skipValue(in: frame) }
    return market
  }

  /// - Parameter trades: newest first.
  public static func writePush(
    market: InlineText, trades: [WireTrade], into buffer: inout ByteBuffer
  ) {
    Envelope.writePush("trades_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.string(market, into: &buffer)
      writer.beginArray(into: &buffer)
      for trade in trades { trade.writeSocket(with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  /// Writes the body of the trades endpoint.
  ///
  /// - Parameter trades: newest first, at most 100.
  public static func writeReply(_ trades: [WireTrade], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for trade in trades { trade.writeREST(with: &writer, into: &buffer) }
    writer.endArray(into: &buffer)
  }

  /// Reads a `lastprice_update`'s params: market and price.
  public static func readLastPrice(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>
  ) throws(JSONFault) -> (market: InlineText, price: Amount) {
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    let market = try cursor.shortText(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.number, in: frame) }
    let price = try cursor.amount(in: frame)
    while try cursor.nextElement(in: frame) { try cursor.skipValue(in: frame) }
    return (market, price)
  }

  public static func writeLastPrice(
    market: InlineText, price: Amount, into buffer: inout ByteBuffer
  ) {
    Envelope.writePush("lastprice_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.string(market, into: &buffer)
      writer.decimal(price, into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  /// A market's statistics over a period, as `market_update` pushes them.
  public struct Statistics: Equatable, Sendable, BitwiseCopyable {
    /// Seconds; the channel's is a day.
    public var period: Int64
    public var last: Amount
    public var open: Amount
    public var high: Amount
    public var low: Amount
    /// In stock.
    public var volume: Amount
    /// In money.
    public var deal: Amount
    public init(
      period: Int64 = 86_400, last: Amount, open: Amount, high: Amount, low: Amount,
      volume: Amount, deal: Amount
    ) {
      self.period = period
      self.last = last
      self.open = open
      self.high = high
      self.low = low
      self.volume = volume
      self.deal = deal
    }
  }

  static func writeFields(
    of statistics: Statistics, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.beginObject(into: &buffer)
    let values: [(StaticString, Amount)] = [
      ("open", statistics.open), ("close", statistics.last), ("high", statistics.high),
      ("low", statistics.low), ("volume", statistics.volume), ("deal", statistics.deal),
      ("last", statistics.last),
    ]
    for (name, value) in values {
      writer.key(name, into: &buffer)
      writer.decimal(value, into: &buffer)
    }
    writer.key("period", into: &buffer)
    writer.integer(statistics.period, into: &buffer)
    writer.endObject(into: &buffer)
  }

  public static func readStatistics(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>
  ) throws(JSONFault) -> (market: InlineText, statistics: Statistics) {
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.string, in: frame) }
    let market = try cursor.shortText(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.object, in: frame) }
    var statistics = Statistics(
      period: 0, last: .zero, open: .zero, high: .zero, low: .zero, volume: .zero, deal: .zero)
    var hasLast = false
    try cursor.beginObject(in: frame)
    while let key = try cursor.nextKey(in: frame) {
      if key.equals("period", in: frame) {
        statistics.period = try cursor.integer(in: frame)
      } else if key.equals("last", in: frame) {
        statistics.last = try cursor.amount(in: frame)
        hasLast = true
      } else if key.equals("open", in: frame) {
        statistics.open = try cursor.amount(in: frame)
      } else if key.equals("high", in: frame) {
        statistics.high = try cursor.amount(in: frame)
      } else if key.equals("low", in: frame) {
        statistics.low = try cursor.amount(in: frame)
      } else if key.equals("volume", in: frame) {
        statistics.volume = try cursor.amount(in: frame)
      } else if key.equals("deal", in: frame) {
        statistics.deal = try cursor.amount(in: frame)
      } else {
        try cursor.skipValue(in: frame)
      }
    }
    guard hasLast else { throw cursor.missingKey(in: frame) }
    while try cursor.nextElement(in: frame) { try cursor.skipValue(in: frame) }
    return (market, statistics)
  }

  public static func writeStatistics(
    market: InlineText, _ statistics: Statistics, into buffer: inout ByteBuffer
  ) {
    Envelope.writePush("market_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.string(market, into: &buffer)
      writeFields(of: statistics, with: &writer, into: &buffer)
      writer.endArray(into: &buffer)
    }
  }
}

extension Side {
  /// The REST word.
  var wireWord: InlineText { self == .buy ? "buy" : "sell" }
  /// The socket's number.
  ///
  /// - Source: WhiteBIT docs: 1 is sell, 2 is buy.
  var wireNumber: Int { self == .buy ? 2 : 1 }
}

extension JSONCursor {
  /// A side as a word, as the socket's number, or as that number in quotes.
  mutating func side(in text: Span<UInt8>) throws(JSONFault) -> Side {
    let word = try decimalText(in: text)
    if word.equals("buy", in: text) || word.equals("2", in: text) { return .buy }
    if word.equals("sell", in: text) || word.equals("1", in: text) { return .sell }
    throw fault(.value, at: word.start, in: text)
  }
}
