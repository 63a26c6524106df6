public import MartletBase
internal import MartletJSON
public import MartletModel

/// The params of a client's socket requests that are no plain list of names, read for the desk.
///
/// - Source: WhiteBIT docs, market and account streams. What cannot be read is nil, and answered
///   with `invalid argument`.
public enum SocketRequests {
  /// `candles_subscribe`: market and seconds.
  public static func candles(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) -> (market: String, seconds: Int64)? {
    guard let params = try? message.params(in: frame), params.count == 2,
      case .string(let market) = params[0], let seconds = number(params[1])
    else { return nil }
    return (market, seconds)
  }

  /// `candles_request`: market, start, end and interval, all in seconds.
  public static func candleRange(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) -> (market: String, start: Int64, end: Int64, seconds: Int64)? {
    guard let params = try? message.params(in: frame), params.count == 4,
      case .string(let market) = params[0], let start = number(params[1]),
      let end = number(params[2]), let seconds = number(params[3])
    else { return nil }
    return (market, start, end, seconds)
  }

  /// `market_request`: market and period in seconds; a day where it is left out.
  public static func period(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) -> (market: String, seconds: Int64)? {
    guard let params = try? message.params(in: frame), let first = params.first,
      case .string(let market) = first
    else { return nil }
    return (market, params.count > 1 ? number(params[1]) ?? 0 : 86_400)
  }

  /// `trades_request`: market, limit, largest id (0 for the latest).
  public static func trades(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) -> (market: String, limit: Int64, from: Int64)? {
    guard let params = try? message.params(in: frame), params.count == 3,
      case .string(let market) = params[0], let limit = number(params[1]),
      let from = number(params[2])
    else { return nil }
    return (market, limit, from)
  }

  /// `ordersPending_request` and `deals_request`: market, offset, limit. `ordersExecuted_request`
  /// has the market in an object.
  public static func page(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) -> (market: String, offset: Int64, limit: Int64)? {
    guard let params = try? message.params(in: frame), params.count == 3,
      let market = params[0].text ?? params[0]["market"]?.text,
      let offset = number(params[1]), let limit = number(params[2]), offset >= 0
    else { return nil }
    return (market, offset, limit)
  }

  /// `ordersExecuted_subscribe`: markets in a list of their own, then 0 for all orders, 1 for limit
  /// orders, 2 for market orders.
  public static func executed(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) -> (markets: [String], filter: Int64)? {
    guard let params = try? message.params(in: frame), params.count == 2,
      case .array(let list) = params[0], let filter = number(params[1]),
      (0...2).contains(filter)
    else { return nil }
    var markets: [String] = []
    for item in list {
      guard case .string(let market) = item else { return nil }
      markets.append(market)
    }
    return (markets, filter)
  }

  private static func number(_ value: JSONValue) -> Int64? {
    guard case .number(let text) = value else { return nil }
    return Int64(text)
  }
}

/// The socket's one-time answers, written for the desk.
public enum SocketReplies {
  /// A bare string, as `lastprice_request` is answered.
  public static func writePrice(
    _ price: Amount, id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      writer.decimal(price, into: &buffer)
    }
  }

  public static func writeStatistics(
    _ statistics: Trades.Statistics, id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      Trades.writeFields(of: statistics, with: &writer, into: &buffer)
    }
  }

  /// - Parameter trades: newest first.
  public static func writeTrades(
    _ trades: [WireTrade], id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      for trade in trades { trade.writeSocket(with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
    }
  }

  /// A book without an update id.
  public static func writeBook(
    time: Timestamp, levels: [BookLevel], scale: InstrumentScale, id: Span<UInt8>,
    into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      writer.beginObject(into: &buffer)
      writer.key("timestamp", into: &buffer)
      writer.seconds(time, into: &buffer)
      Depth.writeSides(
        levels.span, scale: scale, keepsEmpty: true, with: &writer, into: &buffer)
      writer.endObject(into: &buffer)
    }
  }

  public static func writeBalances(
    _ rows: [WireBalance], id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      writer.beginObject(into: &buffer)
      for row in rows { row.write(with: &writer, into: &buffer) }
      writer.endObject(into: &buffer)
    }
  }

  /// - Parameter total: of open orders; finished ones are told without.
  public static func writeOrders(
    _ orders: [WireOrder], offset: Int, limit: Int, total: Int?, id: Span<UInt8>,
    into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      beginPage(offset: offset, limit: limit, with: &writer, into: &buffer)
      if let total {
        writer.key("total", into: &buffer)
        writer.integer(total, into: &buffer)
      }
      writer.key("records", into: &buffer)
      writer.beginArray(into: &buffer)
      for order in orders { order.writeSocket(with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
      writer.endObject(into: &buffer)
    }
  }

  public static func writeDeals(
    _ fills: [(fill: WireFill, counterOrderID: UInt64)], offset: Int, limit: Int,
    id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      beginPage(offset: offset, limit: limit, with: &writer, into: &buffer)
      writer.key("records", into: &buffer)
      writer.beginArray(into: &buffer)
      for (fill, counter) in fills {
        fill.writeSocket(counterOrderID: counter, with: &writer, into: &buffer)
      }
      writer.endArray(into: &buffer)
      writer.endObject(into: &buffer)
    }
  }

  private static func beginPage(
    offset: Int, limit: Int, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.beginObject(into: &buffer)
    writer.key("limit", into: &buffer)
    writer.integer(limit, into: &buffer)
    writer.key("offset", into: &buffer)
    writer.integer(offset, into: &buffer)
  }
}
