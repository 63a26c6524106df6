public import MartletBase
public import MartletModel

/// An order's number at this exchange; unique over all instruments and accounts.
@frozen public struct ExchangeOrderID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let number: UInt64
  @inlinable public init(_ number: UInt64) { self.number = number }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.number < rhs.number }
}

/// An asset of this exchange: its index in the asset table.
@frozen public struct AssetID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.index < rhs.index }
}

/// A client's own name for an order, kept and given back, never interpreted.
///
/// - Bounds: up to 64 bytes, the most a venue takes.
@frozen public struct ClientLabel: Hashable, Sendable, BitwiseCopyable {
  public static let capacity = 64
  private var head = InlineText()
  private var tail = InlineText()

  /// No label.
  public init() {}

  /// - Returns: nil when `text` is longer than 64 bytes of UTF-8 or holds a zero byte.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard let label = ClientLabel(bytes.span) else { return nil }
    self = label
  }

  /// - Returns: nil when `text` is longer than 64 bytes or holds a zero byte.
  public init?(_ text: Span<UInt8>) {
    let half = InlineText.capacity
    guard text.count <= ClientLabel.capacity,
      let head = InlineText(text.extracting(0..<min(text.count, half)))
    else { return nil }
    self.head = head
    guard text.count > half else { return }
    guard let tail = InlineText(text.extracting(half..<text.count)) else { return nil }
    self.tail = tail
  }

  public var isEmpty: Bool { head.isEmpty }

  public func append(to buffer: inout ByteBuffer) {
    buffer.append(head)
    buffer.append(tail)
  }
}

extension ClientLabel: CustomStringConvertible {
  public var description: String { head.description + tail.description }
}

@frozen public enum OrderKind: UInt8, Sendable, BitwiseCopyable {
  case limit = 0
  /// Takes what is there; its size is a quantity of base, or an amount of quote to spend.
  case market = 1
  /// Waits for a trade at its trigger, then is a limit order.
  case stopLimit = 2
  /// Waits for a trade at its trigger, then is a market order.
  case stopMarket = 3

  @inlinable public var isStop: Bool { rawValue >= OrderKind.stopLimit.rawValue }
  @inlinable public var hasPrice: Bool { self == .limit || self == .stopLimit }
}

/// Whose price sets a stop order off.
@frozen public enum TriggerSource: UInt8, Sendable, BitwiseCopyable {
  /// Trades.
  case last = 0
  /// The mark price, of a contract.
  case mark = 1
}

/// What happens when an incoming order would meet an order of its own account.
@frozen public enum SelfTradeMode: UInt8, Sendable, BitwiseCopyable {
  /// They trade.
  case allow = 0
  /// Both are canceled.
  case cancelBoth = 1
  /// The incoming order is canceled; the resting one keeps its place.
  case cancelNew = 2
  /// The resting order is canceled; the incoming one goes on.
  case cancelOld = 3
}

/// On which side of the market a waiting order's trigger lies.
@frozen public enum TriggerCondition: UInt8, Sendable, BitwiseCopyable {
  /// A trade at or above the trigger.
  case atOrAbove = 0
  /// A trade at or below the trigger.
  case atOrBelow = 1
}

@frozen public enum ExchangeOrderStatus: UInt8, Sendable, BitwiseCopyable {
  /// A stop order before its trigger.
  case waiting = 0
  /// Resting, or being matched.
  case open = 1
  case filled = 2
  case canceled = 3
  @inlinable public var isFinished: Bool { rawValue >= ExchangeOrderStatus.filled.rawValue }
}

/// Why an order ended with something unfilled.
@frozen public enum CancelReason: UInt8, Sendable, BitwiseCopyable {
  /// Not canceled.
  case none = 0
  /// Its owner asked.
  case requested = 1
  /// The rest of an immediate-or-cancel order.
  case immediateRest = 2
  /// A market order found no more of the other side, or no more money.
  case noLiquidity = 3
  case selfTrade = 4
  /// Its owner's dead-man switch ran out.
  case deadMan = 5
  /// A modify took its place.
  case replaced = 6
  /// It could only reduce a position, and there is none left that it could.
  case reduceOnly = 7
  /// Its account was liquidated.
  case liquidation = 8
  /// A stop whose trigger was met, and that was not covered then.
  case margin = 9
}

/// One order and what became of it so far.
@frozen public struct OrderRecord: Equatable, Sendable, BitwiseCopyable {
  public var id: ExchangeOrderID
  public var account: AccountID
  public var instrument: InstrumentID
  public var side: Side
  public var kind: OrderKind
  public var isPostOnly: Bool
  public var isImmediate: Bool
  // Of contracts.
  public var isReduceOnly: Bool
  public var positionSide: PositionSide
  public var triggerSource: TriggerSource
  /// Made by the exchange, to close what is not covered.
  public internal(set) var isLiquidation = false
  public var selfTrade: SelfTradeMode
  public var condition: TriggerCondition
  public var status: ExchangeOrderStatus
  public var reason: CancelReason
  /// A stop order whose trigger was met.
  public var isTriggered: Bool
  /// Sized by an amount of quote to spend; `quantity` and `leaves` are then zero.
  public var isSizedInQuote: Bool
  public var label: ClientLabel
  /// The caller's own mark.
  public var mark: UInt8
  /// Zero for market kinds.
  public var price: Price
  /// Zero unless a stop order.
  public var trigger: Price
  public var quantity: Quantity
  public var leaves: Quantity
  /// What an order sized in quote may spend, and what of it is unspent.
  public var budget: Amount
  public var budgetLeft: Amount
  /// Filled so far, in base.
  public var cumulative: Quantity
  /// Filled so far, in quote; of an inverse contract in base.
  public var cumulativeValue: Amount
  /// Paid so far, in `feeAsset`.
  public var fee: Amount
  public var feeAsset: AssetID
  /// What the order still holds frozen: of quote for a buy, of base for a sell.
  public var reserved: Amount
  public var createdAt: Timestamp
  public var modifiedAt: Timestamp

}

/// One execution, told to the one account it belongs to.
@frozen public struct Execution: Equatable, Sendable, BitwiseCopyable {
  public var tradeID: TradeID
  public var order: ExchangeOrderID
  /// The order on the other side; zero when the outside market was.
  public var counterOrder: ExchangeOrderID
  public var account: AccountID
  public var instrument: InstrumentID
  public var side: Side
  public var role: LiquidityRole
  public var price: Price
  public var quantity: Quantity
  /// Price × quantity, in quote; of an inverse contract quantity ÷ price, in base.
  public var value: Amount
  public var fee: Amount
  public var feeAsset: AssetID
  public var label: ClientLabel
  public var time: Timestamp
  /// Of a contract, the position that it moved.
  public var positionSide: PositionSide
}
