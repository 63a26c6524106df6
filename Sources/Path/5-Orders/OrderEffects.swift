public import MartletBase
public import MartletModel

/// What must be done because of news of our orders, as plain data.
@frozen public enum OrderEffect: Equatable, Sendable, BitwiseCopyable {
  /// One execution of a known order, told for the first time. `order` is the order after it.
  case bookFill(Fill, order: OrderView, strategy: StrategyID)
  /// One execution, told for the first time, of an order that is not known here. `isOwn` when it
  /// carries our prefix: an order of an earlier life, or one finished too long ago to be remembered.
  case orphanFill(Fill, isOwn: Bool)
  /// An order appeared or moved. Comes after the fill that moved it.
  case orderChanged(OrderChange)
  /// Send a cancel. Cancels pass no gate.
  case sendCancel(ClientOrderID, VenueOrderID, InstrumentID)
  /// Ask the venue what became of the order; never resend it.
  case queryVenue(ClientOrderID, VenueOrderID, InstrumentID, sentAt: Timestamp)
  /// A working order with our prefix that nobody here knows: `OrderStore.adopt` takes it in.
  case adoptable(OrderReport)
  /// Someone must look.
  case alarm(OrderLifecycle.Alarms, ClientOrderID, OrderState)
}

/// An order before and after a step.
@frozen public struct OrderChange: Equatable, Sendable, BitwiseCopyable {
  public let account: AccountID
  public let strategy: StrategyID
  public let venueOrderID: VenueOrderID
  /// nil when the order has just appeared.
  public let before: OrderView?
  public let after: OrderView
  /// Why the venue would not take it, when it would not.
  public let refusal: RefusalReason?
  public let positionSide: PositionSide
  /// Whether it can only take from a position.
  public let onlyReduces: Bool

  @inlinable public init(
    account: AccountID, strategy: StrategyID, venueOrderID: VenueOrderID, before: OrderView?,
    after: OrderView, refusal: RefusalReason? = nil, positionSide: PositionSide = .net,
    onlyReduces: Bool = false
  ) {
    self.account = account
    self.strategy = strategy
    self.venueOrderID = venueOrderID
    self.before = before
    self.after = after
    self.refusal = refusal
    self.positionSide = positionSide
    self.onlyReduces = onlyReduces
  }

  /// Whether the state differs, and not only what is filled.
  @inlinable public var isStateChange: Bool { before?.state != after.state }
}

/// Where the order store puts what must be done; one buffer, kept from step to step.
///
/// Fold a whole list into Portfolio before the first strategy is woken: a fill and the reservation
/// it frees are two effects.
public struct OrderEffects: Sendable {
  public private(set) var list: [OrderEffect] = []

  /// - Parameter capacity: effects a step may have without an allocation.
  public init(capacity: Int = 256) { list.reserveCapacity(capacity) }

  mutating func append(_ effect: OrderEffect) { list.append(effect) }
  public mutating func removeAll() { list.removeAll(keepingCapacity: true) }
}
