public import MartletBase

/// One step of a contract's margin table: how a position of a certain value may be levered, and what it
/// must be covered by.
///
/// - Source: Binance `leverageBracket` (`notionalCap`, `initialLeverage`, `maintMarginRatio`, `cum`), Bybit
///   `risk-limit` (`riskLimitValue`, `maxLeverage`, `maintenanceMargin`, `mmDeduction`), OKX `position-tiers`
///   (`maxSz`, `maxLever`, `mmr`), WhiteBIT `futures` (`brackets`).
@frozen public struct MarginBracket: Equatable, Sendable, BitwiseCopyable {
  /// The largest value of a position in it, itself included, in the settlement asset.
  public let upTo: Amount
  /// The most leverage a position of such a value may have; at least 1.
  public let maxLeverage: Int
  /// The share of what the position is worth beyond the brackets before it that must be covered.
  public let maintenance: Rate

  @inlinable public init(upTo: Amount, maxLeverage: Int, maintenance: Rate) {
    self.upTo = upTo
    self.maxLeverage = maxLeverage
    self.maintenance = maintenance
  }
}

/// Whether positions of a settlement asset share what covers them.
@frozen public enum MarginMode: UInt8, Sendable, BitwiseCopyable {
  /// The whole wallet covers all of them.
  case cross = 0
  /// Each has what was set aside for it, and can lose no more.
  case isolated = 1
}

/// How an account trades one contract, as declared; the venue's settings must be the same.
@frozen public struct MarginPlan: Equatable, Sendable, BitwiseCopyable {
  /// Value that one unit of margin carries; at least 1.
  public var leverage: Int
  public var mode: MarginMode
  /// Long and short are two positions; otherwise there is one.
  public var isHedged: Bool

  @inlinable public init(leverage: Int, mode: MarginMode = .cross, isHedged: Bool = false) {
    self.leverage = leverage
    self.mode = mode
    self.isHedged = isHedged
  }
}
