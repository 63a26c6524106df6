public import MartletBase
public import MartletBook

/// The middle of a trusted book, exact: half a quantum is kept, not rounded away.
@frozen public struct MidPrice: Equatable, Sendable, BitwiseCopyable {
  /// Best bid + best ask: twice the middle.
  ///
  /// - Unit: half price quanta, so that the middle of an odd spread is a whole count.
  public let halfQuanta: Int128

  /// - Returns: nil while a side of the book is empty.
  @inlinable public init?(_ top: TrustedTop) {
    guard let bid = top.bid, let ask = top.ask else { return nil }
    halfQuanta = Int128(bid.quanta) + Int128(ask.quanta)
  }

  /// The middle as a whole price, rounded as named.
  @inlinable public func price(rounded rule: Rounding) -> Price {
    Price(quanta: Int64(divide(halfQuanta, by: 2, rounded: rule)))
  }
}
