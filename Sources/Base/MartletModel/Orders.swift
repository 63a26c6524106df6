public import MartletBase

/// Whether an order buys or sells the base asset.
@frozen public enum Side: UInt8, Sendable, BitwiseCopyable {
  case buy = 0
  case sell = 1
  @inlinable public var opposite: Side { self == .buy ? .sell : .buy }
}

/// How long an order may work.
@frozen public enum TimeInForce: UInt8, Sendable, BitwiseCopyable {
  /// Good till canceled.
  case gtc = 0
  /// Immediate or cancel.
  case ioc = 1
  /// Fill or kill.
  case fok = 2
}

/// An order a strategy would like to have. It means nothing to a venue before Risk approves it.
@frozen public struct OrderIntent: Hashable, Sendable, BitwiseCopyable {
  public var strategy: StrategyID
  public var account: AccountID
  public var instrument: InstrumentID
  public var side: Side
  public var price: Price
  public var quantity: Quantity
  public var timeInForce: TimeInForce
  public var isPostOnly: Bool
  public var isReduceOnly: Bool
  /// Which of a hedge account's two positions it is for; `net` for all others.
  public var positionSide: PositionSide
  /// The strategy's own mark, given back with every event of the order.
  public var tag: Int64

  @inlinable public init(
    strategy: StrategyID, account: AccountID, instrument: InstrumentID, side: Side, price: Price,
    quantity: Quantity, timeInForce: TimeInForce = .gtc, isPostOnly: Bool = false,
    isReduceOnly: Bool = false, positionSide: PositionSide = .net, tag: Int64 = 0
  ) {
    self.strategy = strategy
    self.account = account
    self.instrument = instrument
    self.side = side
    self.price = price
    self.quantity = quantity
    self.timeInForce = timeInForce
    self.isPostOnly = isPostOnly
    self.isReduceOnly = isReduceOnly
    self.positionSide = positionSide
    self.tag = tag
  }

  /// Whether it can only take from a position: asked for as such, or of a hedge account's other side.
  @inlinable public var onlyReduces: Bool { isReduceOnly || positionSide.isClosed(by: side) }
}

/// What Risk let through. Only Risk can make one; a layout test allows the `Risk` import there alone.
@frozen public struct Approved<Value: Sendable & BitwiseCopyable>: Sendable, BitwiseCopyable {
  public let value: Value
  /// Names the verdict in the journal.
  public let verdict: UInt64
  @_spi(Risk) public init(_ value: Value, verdict: UInt64) {
    self.value = value
    self.verdict = verdict
  }
}

extension Approved: Equatable where Value: Equatable {}

/// Whether we made the book or took from it, as the venue tells.
@frozen public enum LiquidityRole: UInt8, Sendable, BitwiseCopyable {
  case unknown = 0
  case maker = 1
  case taker = 2
}

/// Which message told a piece of news. The same news may come from several, in any order.
@frozen public enum NewsSource: UInt8, Sendable, BitwiseCopyable {
  /// The reply to the request that asked for it.
  case reply = 0
  /// The private stream.
  case stream = 1
  /// A query of open orders or of one order.
  case query = 2
  /// A history of finished orders or of fills.
  case history = 3
}

/// One execution of one of our orders.
@frozen public struct Fill: Equatable, Sendable, BitwiseCopyable {
  public var account: AccountID
  public var instrument: InstrumentID
  public var clientOrderID: ClientOrderID
  public var venueOrderID: VenueOrderID
  public var tradeID: TradeID
  public var side: Side
  public var price: Price
  public var quantity: Quantity
  /// In `feeAsset`; negative is a rebate.
  public var fee: Amount
  public var feeAsset: InlineText
  public var role: LiquidityRole
  public var exchangeTime: Timestamp
  public var source: NewsSource
  /// Which of a hedge account's two positions it moved; `net` for all others.
  public var positionSide: PositionSide

  @inlinable public init(
    account: AccountID, instrument: InstrumentID, clientOrderID: ClientOrderID,
    venueOrderID: VenueOrderID, tradeID: TradeID, side: Side, price: Price, quantity: Quantity,
    fee: Amount, feeAsset: InlineText, role: LiquidityRole, exchangeTime: Timestamp,
    source: NewsSource, positionSide: PositionSide = .net
  ) {
    self.account = account
    self.instrument = instrument
    self.clientOrderID = clientOrderID
    self.venueOrderID = venueOrderID
    self.tradeID = tradeID
    self.side = side
    self.price = price
    self.quantity = quantity
    self.fee = fee
    self.feeAsset = feeAsset
    self.role = role
    self.exchangeTime = exchangeTime
    self.source = source
    self.positionSide = positionSide
  }
}

/// What a venue says of one order at one moment.
@frozen public struct OrderReport: Equatable, Sendable, BitwiseCopyable {
  @frozen public enum Status: UInt8, Sendable, BitwiseCopyable {
    /// Resting or working, partly filled or not.
    case open = 0
    /// Done, wholly filled.
    case filled = 1
    /// Done with something unfilled, whoever ended it.
    case canceled = 2
    /// A status this build does not know: ask again, assume nothing.
    case unknown = 3
  }

  public var account: AccountID
  public var instrument: InstrumentID
  /// Empty when the order was placed without one.
  public var clientOrderID: ClientOrderID
  public var venueOrderID: VenueOrderID
  public var side: Side
  public var price: Price
  public var quantity: Quantity
  /// Filled so far, as this message tells.
  public var cumulative: Quantity
  public var status: Status
  public var exchangeTime: Timestamp
  public var source: NewsSource

  @inlinable public init(
    account: AccountID, instrument: InstrumentID, clientOrderID: ClientOrderID,
    venueOrderID: VenueOrderID, side: Side, price: Price, quantity: Quantity, cumulative: Quantity,
    status: Status, exchangeTime: Timestamp, source: NewsSource
  ) {
    self.account = account
    self.instrument = instrument
    self.clientOrderID = clientOrderID
    self.venueOrderID = venueOrderID
    self.side = side
    self.price = price
    self.quantity = quantity
    self.cumulative = cumulative
    self.status = status
    self.exchangeTime = exchangeTime
    self.source = source
  }
}

/// Why a venue, or Risk on its behalf, would not have an order.
@frozen public enum RefusalReason: UInt8, Sendable, BitwiseCopyable {
  case other = 0
  case insufficientBalance = 1
  case belowMinimum = 2
  case offGrid = 3
  case aboveMaximum = 4
  case priceBand = 5
  case postOnlyWouldTake = 6
  case instrumentUnavailable = 7
  case duplicateClientOrderID = 8
  case unauthorized = 9
  case rateLimited = 10
  case notFound = 11
  case invalidField = 12
  // What only our own Risk says.
  /// Trading is halted; a named operator action ends it.
  case halted = 13
  /// The position would grow beyond its limit.
  case positionLimit = 14
  /// Too many orders work already.
  case orderLimit = 15
  /// No trusted book and no last price to measure the order's price against.
  case noReferencePrice = 16
  // What only our own session says.
  /// As many placements wait for the venue's quota as may wait.
  case queueFull = 17
  // Of contracts.
  /// The initial margin that it needs is not free.
  case insufficientMargin = 18
  /// The position would be larger than its leverage allows.
  case leverageLimit = 19
}
