public import MartletBase
public import MartletJSON

/// One candle as the venue tells it: open, **close**, high, low, in that order.
///
/// - Source: WhiteBIT docs, `kline` and `candles_update`.
public struct WireCandle: Equatable, Sendable, BitwiseCopyable {
  public var openTime: Timestamp
  public var open: Amount
  public var close: Amount
  public var high: Amount
  public var low: Amount
  /// In stock.
  public var volume: Amount
  /// In money.
  public var deal: Amount

  public init(
    openTime: Timestamp, open: Amount, close: Amount, high: Amount, low: Amount, volume: Amount,
    deal: Amount
  ) {
    self.openTime = openTime
    self.open = open
    self.close = close
    self.high = high
    self.low = low
    self.volume = volume
    self.deal = deal
  }

  /// - Parameter market: behind the numbers in a push, absent in a reply.
  func write(
    market: InlineText?, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.beginArray(into: &buffer)
    writer.integer(openTime.seconds, into: &buffer)
    for value in [open, close, high, low, volume, deal] { writer.decimal(value, into: &buffer) }
    if let market { writer.string(market, into: &buffer) }
    writer.endArray(into: &buffer)
  }
}

/// The candle endpoint and channel, written for the desk.
public enum Candles {
  /// Seconds of an interval as the endpoint names it; a month counts as 30 days.
  public static func seconds(of interval: String) -> Int64? {
    switch interval {
    case "1s": 1
    case "10s": 10
    case "30s": 30
    case "1m": 60
    case "3m": 180
    case "5m": 300
    case "15m": 900
    case "30m": 1_800
    case "1h": 3_600
    case "2h": 7_200
    case "4h": 14_400
    case "6h": 21_600
    case "8h": 28_800
    case "12h": 43_200
    case "1d": 86_400
    case "3d": 259_200
    case "1w": 604_800
    case "1M": 2_592_000
    default: nil
    }
  }

  /// Whether the channel takes an interval of this many seconds.
  ///
  /// - Source: WhiteBIT docs: divisors of a minute, of an hour in minutes, of a day in hours, days
  ///   below a week, a week, a month.
  public static func isInterval(_ seconds: Int64) -> Bool {
    switch seconds {
    case 1..<60: 60 % seconds == 0
    case 60..<3_600: seconds % 60 == 0 && 3_600 % seconds == 0
    case 3_600..<86_400: seconds % 3_600 == 0 && 86_400 % seconds == 0
    case 86_400..<604_800: seconds % 86_400 == 0
    default: seconds == 604_800 || seconds == 2_592_000
    }
  }

  /// Writes the body of `GET /api/v1/public/kline`.
  public static func writeReply(_ candles: [WireCandle], into buffer: inout ByteBuffer) {
    VersionOne.write(into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      for candle in candles { candle.write(market: nil, with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
    }
  }

  /// Writes the reply to `candles_request`.
  public static func writeReply(
    _ candles: [WireCandle], id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    Envelope.writeReply(id: id, into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      for candle in candles { candle.write(market: nil, with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
    }
  }

  /// Writes a `candles_update`; the interval is not in it.
  public static func writePush(
    market: InlineText, _ candle: WireCandle, into buffer: inout ByteBuffer
  ) {
    Envelope.writePush("candles_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      candle.write(market: market, with: &writer, into: &buffer)
      writer.endArray(into: &buffer)
    }
  }
}

/// The envelope of the older public calls, and of some newer: `{success, message, result}`.
public enum VersionOne {
  public static func write(
    into buffer: inout ByteBuffer, result: (inout JSONWriter, inout ByteBuffer) -> Void
  ) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("success", into: &buffer)
    writer.bool(true, into: &buffer)
    writer.key("message", into: &buffer)
    writer.null(into: &buffer)
    writer.key("result", into: &buffer)
    result(&writer, &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes a refusal, which this family sends with status 200.
  public static func writeFailure(_ error: VenueError, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("success", into: &buffer)
    writer.bool(false, into: &buffer)
    writer.key("message", into: &buffer)
    error.writeEntries(with: &writer, into: &buffer)
    writer.key("result", into: &buffer)
    writer.null(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes the body of `GET /api/v1/public/ticker`: the one REST ticker with best bid and ask.
  ///
  /// - Parameters:
  ///   - change: percent against the open.
  ///   - bid, ask: nil where a side is empty, told as 0.
  public static func writeTicker(
    _ statistics: Trades.Statistics, change: Amount, bid: Amount?, ask: Amount?,
    into buffer: inout ByteBuffer
  ) {
    write(into: &buffer) { writer, buffer in
      writer.beginObject(into: &buffer)
      let values: [(StaticString, Amount)] = [
        ("open", statistics.open), ("bid", bid ?? .zero), ("ask", ask ?? .zero),
        ("low", statistics.low), ("high", statistics.high), ("last", statistics.last),
        ("volume", statistics.volume), ("deal", statistics.deal), ("change", change),
      ]
      for (name, value) in values {
        writer.key(name, into: &buffer)
        writer.decimal(value, into: &buffer)
      }
      writer.endObject(into: &buffer)
    }
  }
}
