public import MartletBase

/// The best bid and ask of a book whose chain of updates is whole. Only `OrderBook` makes one, and
/// only while it is trusted, so holding it is the proof.
@frozen public struct TrustedTop: Equatable, Sendable, BitwiseCopyable {
  /// nil when that side is empty.
  public let bid: Price?
  public let bidQuantity: Quantity
  public let ask: Price?
  public let askQuantity: Quantity
  @usableFromInline init(
    bid: Price?, bidQuantity: Quantity, ask: Price?, askQuantity: Quantity
  ) {
    self.bid = bid
    self.bidQuantity = bidQuantity
    self.ask = ask
    self.askQuantity = askQuantity
  }
}
