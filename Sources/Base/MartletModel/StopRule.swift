public import MartletBase

/// A stop that is held here and not at the venue: where the price must come to for what our own fills
/// bought, or sold, to be traded back at the market.
///
/// With a trailing distance it follows the best price seen, in our favor alone. With both, whichever is
/// reached first.
@frozen public struct StopRule: Equatable, Sendable, BitwiseCopyable {
  /// Of the order that it fires: a sell stands under the market and protects what was bought, a buy
  /// stands above it and protects what was sold.
  public let side: Side
  /// A fixed price; at it is past it.
  public let price: Price?
  /// Distance from the best price seen, in price quanta; positive.
  public let trailing: Int64?

  /// - Returns: nil for a stop that stands nowhere: with neither, or with a distance that is not positive.
  @inlinable public init?(side: Side, price: Price?, trailing: Int64? = nil) {
    guard price != nil || trailing != nil, trailing ?? 1 > 0 else { return nil }
    self.side = side
    self.price = price
    self.trailing = trailing
  }

  /// Where it stands once the best price seen is `peak`.
  ///
  /// - Returns: the nearer one of both; a distance longer than prices reach stands nowhere.
  @inlinable public func level(peak: Price?) -> Price? {
    guard let trailing, let peak else { return price }
    let (quanta, overflow) =
      side == .sell
      ? peak.quanta.subtractingReportingOverflow(trailing)
      : peak.quanta.addingReportingOverflow(trailing)
    guard !overflow else { return price }
    let followed = Price(quanta: quanta)
    guard let price else { return followed }
    return side == .sell ? max(price, followed) : min(price, followed)
  }

  /// Whether `price` is at `level` or beyond it.
  @inlinable public func isPassed(_ level: Price, by price: Price) -> Bool {
    side == .sell ? price <= level : price >= level
  }

  /// Whether `price` is better for what the stop protects than `peak`.
  @inlinable public func isBetter(_ price: Price, than peak: Price) -> Bool {
    side == .sell ? price > peak : price < peak
  }
}
