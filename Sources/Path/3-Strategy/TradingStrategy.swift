public import MartletBase
public import MartletBook
public import MartletModel
public import MartletPortfolio

/// Decides what to trade on one instrument. It sees values, says intents, and reaches nothing else.
///
/// The kernel wakes it once a frame, when the book is whole; on each fill, already unique and booked
/// in the portfolio; when an order changes state; and at the time it asked for. Whatever it says in
/// one call is approved or refused by Risk, order by order, before the next input.
public protocol TradingStrategy: Snapshotting {
  /// Trading may begin, or begin again after a halt or a disconnect. Working orders from before are
  /// in `context`; none may be forgotten or placed twice.
  mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents)
  /// The book changed and is trusted.
  mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents)
  /// One execution, booked. `order` is its order after the fill.
  mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents)
  /// An order of this strategy moved to another state, for whatever reason.
  mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents)
  /// Risk would not let an intent through; `tag` is the intent's.
  mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext,
    intents: inout Intents)
  /// The time asked for with `Intents.wake(at:)` has come.
  mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents)
  /// A person wants other settings while orders rest: cancel what has no place in them. New orders
  /// follow with the next `onBook`, which comes at once when trading may go on.
  ///
  /// - Parameter settings: as the strategy itself writes them.
  /// - Returns: whether they were taken; when not, nothing has changed.
  mutating func onSettings(
    _ settings: Span<UInt8>, _ context: borrowing StrategyContext, intents: inout Intents
  ) -> Bool
  /// What its fills had added to the inventory, or taken from it, was traded back by others: a flatten
  /// or a stop. It holds nothing any more, and begins anew when trading goes on.
  mutating func onFlat(_ context: borrowing StrategyContext, intents: inout Intents)
  /// The stops that the kernel is to hold for it, by its settings; asked for when the instrument or the
  /// settings have changed. Nothing is placed for it before they are armed.
  ///
  /// - Bounds: one for each side; the first of each counts.
  func stops(on instrument: Instrument) -> [StopRule]
}

extension TradingStrategy {
  /// One that cannot change while it trades takes no other settings.
  public mutating func onSettings(
    _ settings: Span<UInt8>, _ context: borrowing StrategyContext, intents: inout Intents
  ) -> Bool { false }
  /// One that remembers nothing of what it holds has nothing to forget.
  public mutating func onFlat(_ context: borrowing StrategyContext, intents: inout Intents) {}
  public func stops(on instrument: Instrument) -> [StopRule] { [] }
}

/// What a strategy may look at while it decides. Values of one moment.
public struct StrategyContext: ~Copyable {
  public let now: Timestamp
  public let strategy: StrategyID
  public let account: AccountID
  public let instrument: Instrument
  /// Present only while the book is trusted: there is no way to quote on a broken one.
  public let top: TrustedTop?
  /// Last traded price the venue told, if any.
  public let lastPrice: Price?
  public let position: Position
  /// Balance of the base and the quote asset as the own ledger has them.
  public let base: Balance
  public let quote: Balance
  /// This strategy's orders that are not terminal, oldest first.
  public let working: [OrderView]
  public init(
    now: Timestamp, strategy: StrategyID, account: AccountID, instrument: Instrument,
    top: TrustedTop?, lastPrice: Price?, position: Position, base: Balance, quote: Balance,
    working: [OrderView]
  ) {
    self.now = now
    self.strategy = strategy
    self.account = account
    self.instrument = instrument
    self.top = top
    self.lastPrice = lastPrice
    self.position = position
    self.base = base
    self.quote = quote
    self.working = working
  }
}

/// What a strategy would like done; one buffer, kept from step to step.
public struct Intents: Sendable {
  public private(set) var places: [OrderIntent] = []
  public private(set) var cancels: [ClientOrderID] = []
  /// The earliest time asked for in this step.
  public private(set) var wakeAt: Timestamp = .distantFuture

  /// - Parameter capacity: orders a step may ask for without an allocation.
  public init(capacity: Int = 256) {
    places.reserveCapacity(capacity)
    cancels.reserveCapacity(capacity)
  }
  public mutating func place(_ intent: OrderIntent) { places.append(intent) }
  public mutating func cancel(_ order: ClientOrderID) { cancels.append(order) }
  public mutating func wake(at time: Timestamp) { wakeAt = min(wakeAt, time) }
  public mutating func removeAll() {
    places.removeAll(keepingCapacity: true)
    cancels.removeAll(keepingCapacity: true)
    wakeAt = .distantFuture
  }
}
