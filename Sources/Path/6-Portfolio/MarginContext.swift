public import MartletBase

/// What an order on a contract would need and make of the account, before it is approved: values of one
/// moment, in the settlement asset.
@frozen public struct MarginContext: Equatable, Sendable, BitwiseCopyable {
  /// As declared.
  public var leverage: Int
  public var isHedged: Bool
  /// What may be begun with; nil while the wallet or a mark is not known.
  public var free: Amount?
  /// What the order needs of it: more initial margin, what it would lose at once against the mark, and a
  /// taker's fee. Zero when it adds nothing.
  public var needed = Amount.zero
  /// Whether it makes the account need more than it does.
  public var isGrowing = true
  /// What the position could come to with it and with all orders of its side: in value, in quantity and
  /// in contracts.
  public var exposure = Amount.zero
  public var quantity = Quantity.zero
  public var contracts = Amount.zero
  /// The largest position that the leverage allows; nil when no position may have so much of it.
  public var mostExposure: Amount?

  public init(leverage: Int, isHedged: Bool) {
    self.leverage = leverage
    self.isHedged = isHedged
  }
}
