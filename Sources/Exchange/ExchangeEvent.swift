public import MartletBase
public import MartletModel

/// What happened, in the order in which it did. An order stands in its event as it was just then.
@frozen public enum ExchangeEvent: Equatable, Sendable, BitwiseCopyable {
  /// Taken in; what it met follows.
  case accepted(OrderRecord)
  /// In the book, with what is left of it.
  case rested(OrderRecord)
  /// A stop order waits for its trigger.
  case waiting(OrderRecord)
  case triggered(OrderRecord)
  /// The order's record tells whether it ended by this.
  case fill(Execution, OrderRecord)
  /// An order sized in quote has spent what buys whole lots; otherwise its last fill ends an order.
  case completed(OrderRecord)
  case canceled(OrderRecord)
  /// The account's balance of one asset is another than before.
  case balance(Balance, AssetID)
  // Of contracts.
  /// A position that is not covered any more is closed, with its order as it was just then.
  case liquidation(Execution, OrderRecord)
  /// The position after a fill.
  case position(AccountID, InstrumentID, PositionSide, ExchangePosition)
  /// A margin wallet is another than before.
  case wallet(AccountID, AssetID, Amount)
  case mark(InstrumentID, Price, at: Timestamp)
  /// Booked already.
  case funding(FundingPayment)
  /// Funding was due and nobody had told its rate: nothing was paid.
  case fundingMissing(InstrumentID, at: Timestamp)
  /// The insurance fund paid what a liquidated account still owed.
  case insured(AccountID, AssetID, Amount, at: Timestamp)
  /// A print on the tape.
  case trade(MarketTrade)
  /// The published book is another than before; once a frame of the outside market, once a command.
  case book(InstrumentID, at: Timestamp)
}
