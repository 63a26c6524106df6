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
  /// A print on the tape.
  case trade(MarketTrade)
  /// The published book is another than before; once a frame of the outside market, once a command.
  case book(InstrumentID, at: Timestamp)
}
