public import MartletBase

/// One payment between longs and shorts, as the venue booked it for one position.
@frozen public struct FundingPayment: Equatable, Sendable, BitwiseCopyable {
  public var account: AccountID
  public var instrument: InstrumentID
  public var positionSide: PositionSide
  /// In the settlement asset; negative when we paid.
  public var amount: Amount
  public var rate: Rate
  /// The price that the position was valued at.
  public var mark: Price
  /// When it was due: a second word of the same time is of the same payment.
  public var dueAt: Timestamp

  @inlinable public init(
    account: AccountID, instrument: InstrumentID, positionSide: PositionSide = .net,
    amount: Amount, rate: Rate, mark: Price, dueAt: Timestamp
  ) {
    self.account = account
    self.instrument = instrument
    self.positionSide = positionSide
    self.amount = amount
    self.rate = rate
    self.mark = mark
    self.dueAt = dueAt
  }
}
