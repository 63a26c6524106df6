public import MartletBase
public import MartletModel

/// An order as a client asks for it.
@frozen public struct NewOrder: Equatable, Sendable, BitwiseCopyable {
  /// How much: a quantity of base, or an amount of quote to spend.
  @frozen public enum Size: Equatable, Sendable, BitwiseCopyable {
    case base(Quantity)
    /// Of market buys alone.
    case quote(Amount)
  }

  public var account: AccountID
  public var instrument: InstrumentID
  public var side: Side
  public var kind: OrderKind
  public var size: Size
  /// Of limit kinds.
  public var price: Price
  /// Of stop kinds.
  public var trigger: Price
  public var condition: TriggerCondition
  public var isPostOnly: Bool
  public var isImmediate: Bool
  public var selfTrade: SelfTradeMode
  public var label: ClientLabel
  /// The caller's own mark, given back with the order.
  public var mark: UInt8
  // Of contracts.
  /// It may only take from a position: its size is cut to what is there.
  public var isReduceOnly: Bool
  /// Of a hedge account, which of its positions.
  public var positionSide: PositionSide
  /// Whose price sets a stop off.
  public var triggerSource: TriggerSource

  public init(
    account: AccountID, instrument: InstrumentID, side: Side, kind: OrderKind = .limit, size: Size,
    price: Price = Price(quanta: 0), trigger: Price = Price(quanta: 0),
    condition: TriggerCondition = .atOrAbove, isPostOnly: Bool = false, isImmediate: Bool = false,
    selfTrade: SelfTradeMode = .allow, label: ClientLabel = ClientLabel(), mark: UInt8 = 0,
    isReduceOnly: Bool = false, positionSide: PositionSide = .net,
    triggerSource: TriggerSource = .last
  ) {
    self.account = account
    self.instrument = instrument
    self.side = side
    self.kind = kind
    self.size = size
    self.price = price
    self.trigger = trigger
    self.condition = condition
    self.isPostOnly = isPostOnly
    self.isImmediate = isImmediate
    self.selfTrade = selfTrade
    self.label = label
    self.mark = mark
    self.isReduceOnly = isReduceOnly
    self.positionSide = positionSide
    self.triggerSource = triggerSource
  }
}

/// What a modify changes; nil leaves as it is.
///
/// The order that takes the old one's place is a new one for the whole of `size`, with nothing
/// filled; without a size it is for what was left.
@frozen public struct OrderChange: Equatable, Sendable, BitwiseCopyable {
  public var size: NewOrder.Size?
  public var price: Price?
  public var trigger: Price?
  public var selfTrade: SelfTradeMode?
  public init(
    size: NewOrder.Size? = nil, price: Price? = nil, trigger: Price? = nil,
    selfTrade: SelfTradeMode? = nil
  ) {
    self.size = size
    self.price = price
    self.trigger = trigger
    self.selfTrade = selfTrade
  }
}

/// Why the exchange would not do what was asked. Nothing changed.
@frozen public enum OrderRefusal: Error, Equatable, Sendable, BitwiseCopyable {
  /// Not listed, or not trading now.
  case instrumentUnavailable
  /// No such combination: a size in quote for anything but a market buy, immediate and post-only.
  case invalidCombination
  case priceNotPositive
  case priceOffTick(tick: Price)
  case triggerOffTick(tick: Price)
  case quantityNotPositive
  case quantityOffLot(lot: Quantity)
  case belowMinQuantity(Quantity)
  case belowMinNotional(Amount)
  case aboveMaxNotional(Amount)
  case insufficientBalance(asset: AssetID, needed: Amount, available: Amount)
  // Of contracts.
  case insufficientMargin(asset: AssetID, needed: Amount, free: Amount)
  /// A position that large, or any, may not have the leverage.
  case leverage(most: Int)
  /// A reducing order without a position that it could take from.
  case nothingToReduce
  /// A hedge account's order names its position, and no other does.
  case positionSideMismatch
  /// The contract has no mark price yet.
  case noMarkPrice
  /// A setting is not changed while a position or an order depends on it.
  case positionOrOrderOpen
  /// A post-only order would have traded.
  case postOnlyWouldTake
  /// A market order met an empty book.
  case noLiquidity
  /// A stop order before the first trade, or at its price.
  case triggerAtLast
  case noLastPrice
  /// The account has as many working orders as it may.
  case tooManyOrders(limit: Int)
  /// No such working order of this account.
  case notFound
  /// A modify that changes nothing.
  case nothingToChange
}
