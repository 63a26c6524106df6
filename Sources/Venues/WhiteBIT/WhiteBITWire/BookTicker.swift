public import MartletBase
internal import MartletJSON
public import MartletModel

/// The best bid and offer as the venue pushes them, written for the desk.
///
/// - Source: WhiteBIT docs, `bookTicker_update`: a list holding one tuple
///   `[transaction time, message time, market, update id, bid, amount, ask, amount]`.
public struct BookTicker: Equatable, Sendable, BitwiseCopyable {
  public var market: InlineText
  /// When the best changed.
  public var engineTime: Timestamp
  public var eventTime: Timestamp
  public var updateID: UInt64
  /// nil where a side is empty, told as 0.
  public var bid: BookLevel?
  public var ask: BookLevel?

  public init(
    market: InlineText, engineTime: Timestamp, eventTime: Timestamp, updateID: UInt64,
    bid: BookLevel?, ask: BookLevel?
  ) {
    self.market = market
    self.engineTime = engineTime
    self.eventTime = eventTime
    self.updateID = updateID
    self.bid = bid
    self.ask = ask
  }

  public func writePush(_ scale: InstrumentScale, into buffer: inout ByteBuffer) {
    Envelope.writePush("bookTicker_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.beginArray(into: &buffer)
      writer.seconds(engineTime, into: &buffer)
      writer.seconds(eventTime, into: &buffer)
      writer.string(market, into: &buffer)
      writer.integer(updateID, into: &buffer)
      for level in [bid, ask] {
        writer.decimal(level?.price ?? Price(quanta: 0), scale, into: &buffer)
        writer.decimal(level?.quantity ?? .zero, scale, into: &buffer)
      }
      writer.endArray(into: &buffer)
      writer.endArray(into: &buffer)
    }
  }
}
