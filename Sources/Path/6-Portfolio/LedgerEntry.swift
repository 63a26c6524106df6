public import MartletBase
public import MartletModel

/// One asset of one account: what it must be by our own orders and fills, beside what the venue says.
@frozen public struct LedgerEntry: Equatable, Sendable, BitwiseCopyable {
  public let account: AccountID
  public let asset: InlineText
  /// What there must be in all: what was adopted, moved by every fill and fee since.
  public internal(set) var expected = Amount.zero
  /// What our working orders hold of it.
  public internal(set) var reserved = Amount.zero
  /// What other orders of the account, not ours, held of it when it was adopted.
  public internal(set) var foreignFrozen = Amount.zero
  /// Whether `expected` rests on a balance the venue told. Before that nothing is free.
  public internal(set) var isAdopted = false
  /// The venue's latest word.
  public internal(set) var told: Balance?
  public internal(set) var toldAt = Timestamp.zero
  /// When a fill or fee last moved `expected`.
  public internal(set) var movedAt = Timestamp.zero
  /// Fees paid in it so far; rebates count against them.
  public internal(set) var fees = Amount.zero
  /// What adoptions after the first added: deposits, withdrawals, trades by hand.
  public internal(set) var transfers = Amount.zero

  init(account: AccountID, asset: InlineText) {
    self.account = account
    self.asset = asset
  }

  /// What a new order may use. Never negative.
  public var free: Amount {
    isAdopted ? max(expected - reserved - foreignFrozen, .zero) : .zero
  }

  /// The own ledger in the venue's shape.
  public var balance: Balance {
    Balance(account: account, asset: asset, available: free, frozen: reserved + foreignFrozen)
  }

  /// What the venue has more than it should; nil before it told or before it was adopted. Means
  /// something only when all news has arrived.
  public var difference: Amount? {
    guard isAdopted, let told else { return nil }
    return told.total - expected
  }
}
