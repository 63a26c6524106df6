public import MartletBase
public import MartletModel

/// How the equity in one instrument's two assets went, in quote units.
///
/// Equity is everything the account has of base and quote, the base valued at the mark. A transfer
/// moves start and peak with it, so that it is neither profit nor drawdown.
@frozen public struct EquityTrack: Equatable, Sendable, BitwiseCopyable {
  public let account: AccountID
  public let instrument: InstrumentID
  public internal(set) var start: Amount
  public internal(set) var current: Amount
  public internal(set) var peak: Amount
  /// The deepest fall from a peak so far.
  public internal(set) var deepest = Amount.zero
  public internal(set) var mark: Price
  public internal(set) var markedAt: Timestamp

  init(
    account: AccountID, instrument: InstrumentID, equity: Amount, mark: Price, at now: Timestamp
  ) {
    self.account = account
    self.instrument = instrument
    start = equity
    current = equity
    peak = equity
    self.mark = mark
    markedAt = now
  }

  public var profit: Amount { current - start }
  /// The fall from the peak now.
  public var drawdown: Amount { peak - current }

  mutating func observe(_ equity: Amount, mark: Price, at now: Timestamp) {
    current = equity
    self.mark = mark
    markedAt = now
    peak = max(peak, equity)
    deepest = max(deepest, peak - equity)
  }

  mutating func transfer(_ value: Amount) {
    start = start + value
    peak = peak + value
    current = current + value
  }
}
