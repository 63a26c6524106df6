public import MartletBase
public import MartletModel

/// What we hold of one instrument, keyed by account, instrument and side of the account's mode.
///
/// - Invariant: `net` is the signed sum of all fills, less fees taken in the base asset.
@frozen public struct Position: Equatable, Sendable, BitwiseCopyable {
  public typealias PositionSide = MartletModel.PositionSide

  public let account: AccountID
  public let instrument: InstrumentID
  public let side: PositionSide
  /// Signed, in quantity quanta: fills only.
  public internal(set) var net: Quantity
  /// What fees in the base asset took from it, in base units.
  public internal(set) var baseFees: Amount
  /// What the open part of `net` cost, in units of the settlement asset, which is the quote asset but of
  /// an inverse contract; signed like `net`. Exact sums of the fills' values.
  public internal(set) var cost: Amount
  /// Profit of what was closed, before fees, in units of the settlement asset. Exact up to the named
  /// rounding of the average cost (down, against us).
  public internal(set) var realized: Amount
  /// Fees in the quote asset so far.
  public internal(set) var quoteFees: Amount

  public init(account: AccountID, instrument: InstrumentID, side: PositionSide = .net) {
    self.account = account
    self.instrument = instrument
    self.side = side
    net = .zero
    baseFees = .zero
    cost = .zero
    realized = .zero
    quoteFees = .zero
  }
}
