public import MartletBase
internal import MartletJSON

/// Bodies of the service calls and of what a spot market has little of, written for the desk.
///
/// - Source: WhiteBIT docs, public endpoints; live replies for `ping` and the platform's status.
public enum PublicReplies {
  public static func writePing(into buffer: inout ByteBuffer) { buffer.append("[\"pong\"]") }

  public static func writeStatus(into buffer: inout ByteBuffer) {
    buffer.append("{\"status\":\"system operational\"}")
  }

  /// No market can be traded on margin, and there are no futures.
  public static func writeNone(into buffer: inout ByteBuffer) {
    VersionOne.write(into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  /// What the venue says of an asset that exists here and can neither be brought nor taken away.
  public struct Asset: Equatable, Sendable {
    public var ticker: InlineText
    public var precision: Int
    public var makerFee: Rate
    public var takerFee: Rate
    public init(ticker: InlineText, precision: Int, makerFee: Rate, takerFee: Rate) {
      self.ticker = ticker
      self.precision = precision
      self.makerFee = makerFee
      self.takerFee = takerFee
    }
  }

  /// Writes the body of `assets`, an object by ticker.
  public static func writeAssets(_ assets: [Asset], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    for asset in assets {
      writer.key(asset.ticker, into: &buffer)
      writer.beginObject(into: &buffer)
      writer.key("name", into: &buffer)
      writer.string(asset.ticker, into: &buffer)
      writer.key("unified_cryptoasset_id", into: &buffer)
      writer.integer(0, into: &buffer)
      writer.key("can_withdraw", into: &buffer)
      writer.bool(false, into: &buffer)
      writer.key("can_deposit", into: &buffer)
      writer.bool(false, into: &buffer)
      for name: StaticString in ["min_withdraw", "max_withdraw", "min_deposit", "max_deposit"] {
        writer.key(name, into: &buffer)
        writer.decimal(Amount.zero, into: &buffer)
      }
      writer.key("maker_fee", into: &buffer)
      writer.percent(asset.makerFee, into: &buffer)
      writer.key("taker_fee", into: &buffer)
      writer.percent(asset.takerFee, into: &buffer)
      writer.key("currency_precision", into: &buffer)
      writer.integer(asset.precision, into: &buffer)
      writer.key("is_memo", into: &buffer)
      writer.bool(false, into: &buffer)
      writer.endObject(into: &buffer)
    }
    writer.endObject(into: &buffer)
  }

  /// Writes the body of `public/fee`, the fees of deposits and withdrawals, which there are none of.
  public static func writeTransferFees(_ tickers: [InlineText], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    for ticker in tickers {
      writer.key(ticker, into: &buffer)
      writer.beginObject(into: &buffer)
      writer.key("ticker", into: &buffer)
      writer.string(ticker, into: &buffer)
      writer.key("name", into: &buffer)
      writer.string(ticker, into: &buffer)
      writer.key("providers", into: &buffer)
      writer.beginArray(into: &buffer)
      writer.endArray(into: &buffer)
      for name: StaticString in ["deposit", "withdraw"] {
        writer.key(name, into: &buffer)
        writer.beginObject(into: &buffer)
        writer.key("fixed", into: &buffer)
        writer.null(into: &buffer)
        writer.key("flex", into: &buffer)
        writer.null(into: &buffer)
        writer.endObject(into: &buffer)
      }
      for name: StaticString in ["is_api_withdrawal", "is_api_depositable"] {
        writer.key(name, into: &buffer)
        writer.bool(false, into: &buffer)
      }
      writer.endObject(into: &buffer)
    }
    writer.endObject(into: &buffer)
  }

  /// Writes the body of `market/fee`: an account's trading fees in percent.
  public static func writeMarketFee(
    maker: Rate, taker: Rate, into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("error", into: &buffer)
    writer.null(into: &buffer)
    writer.key("taker", into: &buffer)
    writer.percent(taker, into: &buffer)
    writer.key("maker", into: &buffer)
    writer.percent(maker, into: &buffer)
    writer.key("futures_taker", into: &buffer)
    writer.percent(taker, into: &buffer)
    writer.key("futures_maker", into: &buffer)
    writer.percent(maker, into: &buffer)
    writer.key("custom_fee", into: &buffer)
    writer.beginObject(into: &buffer)
    writer.endObject(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes a public endpoint's refusal: texts by field, and nothing around them.
  public static func writeFailure(_ error: VenueError, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    error.writeEntries(with: &writer, into: &buffer)
  }
}
