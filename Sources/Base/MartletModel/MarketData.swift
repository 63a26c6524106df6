public import MartletBase

/// One level of a book as told: its whole size now; zero removes it.
@frozen public struct BookLevel: Equatable, Sendable, BitwiseCopyable {
  public var side: Side
  public var price: Price
  public var quantity: Quantity
  /// - Parameter side: `buy` for bids, `sell` for asks.
  @inlinable public init(side: Side, price: Price, quantity: Quantity) {
    self.side = side
    self.price = price
    self.quantity = quantity
  }
}

/// Anyone's print on the tape.
@frozen public struct MarketTrade: Equatable, Sendable, BitwiseCopyable {
  public var instrument: InstrumentID
  public var tradeID: TradeID
  public var price: Price
  public var quantity: Quantity
  /// The side that took.
  public var aggressor: Side
  public var exchangeTime: Timestamp
  @inlinable public init(
    instrument: InstrumentID, tradeID: TradeID, price: Price, quantity: Quantity, aggressor: Side,
    exchangeTime: Timestamp
  ) {
    self.instrument = instrument
    self.tradeID = tradeID
    self.price = price
    self.quantity = quantity
    self.aggressor = aggressor
    self.exchangeTime = exchangeTime
  }
}

/// What an account holds of one asset, as its venue tells.
@frozen public struct Balance: Equatable, Sendable, BitwiseCopyable {
  public var account: AccountID
  public var asset: InlineText
  public var available: Amount
  /// Held by open orders.
  public var frozen: Amount
  @inlinable public init(
    account: AccountID, asset: InlineText, available: Amount, frozen: Amount
  ) {
    self.account = account
    self.asset = asset
    self.available = available
    self.frozen = frozen
  }
  @inlinable public var total: Amount { available + frozen }
}
