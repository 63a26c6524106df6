public import MartletBase
public import MartletModel

/// Every order of ours: the working ones, and the latest finished ones for news that comes late.
///
/// News goes in by one door each, what must be done comes out as `OrderEffect`s. It allocates when
/// it is made and never again, but for the few kinds of keys (instruments, strategies) it first sees.
///
/// - Bounds: `Bounds` says how many orders, fills and trades it remembers; nothing grows beyond.
public struct OrderStore: ~Copyable, Sendable {
  /// How much it remembers, and for how long it waits.
  public struct Bounds: Equatable, Sendable {
    /// Working orders; one more is refused, and Risk should refuse long before.
    public var working = 4096
    /// Finished orders kept for late news; the oldest goes first.
    public var finished = 4096
    /// Executions remembered so that each is booked once, whoever tells it; the oldest goes first.
    /// History is read again with an overlap of minutes, and this many cover an hour at 18 fills a
    /// second. Beyond it the order itself tells: one fill too many is an overfill and an alarm.
    public var trades = 65_536
    /// Fills of unknown orders of ours, kept for when the order is adopted; the oldest goes first.
    public var orphans = 256
    /// How long fills may lag behind the total that a report told before they are asked for.
    public var missingFillsGrace = TimeSpan.milliseconds(1_000)
    /// How long until they are asked for again.
    public var missingFillsRetry = TimeSpan.seconds(30)
    /// Questions for them before `fillsMissing` is raised; they are asked for still.
    public var missingFillsAttempts: UInt8 = 5
    public init() {}
  }

  /// No further order can be opened.
  public struct Full: Error, Equatable, Sendable {
    /// Working orders there are, which is all there may be.
    public let working: Int
  }

  public let bounds: Bounds
  public internal(set) var ids: ClientOrderIDs
  /// Working orders.
  public internal(set) var workingCount = 0
  /// Changes whenever any order does: who keeps a list of views need not read it again before.
  public internal(set) var revision: UInt64 = 0
  /// When `advance` next has something to do; `distantFuture` when it has not.
  public internal(set) var nextDeadline = Timestamp.distantFuture

  var slots: [OrderRecord]
  var oldestWorking: Int32 = -1
  var newestWorking: Int32 = -1
  var firstFree: Int32 = -1
  /// Slots of finished orders in the order they finished, from `oldestFinished` round.
  var finished: [Int32] = []
  var oldestFinished = 0
  var byClientID: SlabIndex
  var byVenueID: SlabIndex
  var seen: BoundedSet<TradeKey>
  var orphans: Ring<Fill>
  var totals: [Total] = []
  var strategyCounts: [Int] = []

  struct Total: Sendable {
    var account: AccountID
    var instrument: InstrumentID
    var working: WorkingOrders
  }

  /// - Parameter tag: the bot's, four of `[0-9A-Za-z]`.
  public init(tag: InlineText, bounds: Bounds = Bounds()) {
    precondition(
      bounds.working >= 1 && bounds.working <= 1 << 20 && bounds.finished >= 1
        && bounds.finished <= 1 << 20 && bounds.orphans >= 1, "order store bounds \(bounds)")
    self.bounds = bounds
    ids = ClientOrderIDs(tag: tag)
    slots = []
    // One slot more, so that an order finishes before the oldest finished one is forgotten.
    slots.reserveCapacity(bounds.working + bounds.finished + 1)
    finished.reserveCapacity(bounds.finished)
    byClientID = SlabIndex(capacity: bounds.working + bounds.finished + 1)
    byVenueID = SlabIndex(capacity: (bounds.working + bounds.finished + 1) * OrderRecord.names)
    seen = BoundedSet(capacity: bounds.trades)
    orphans = Ring(capacity: bounds.orphans)
  }

  // MARK: Our own wishes

  /// Gives an approved order its name and its life.
  ///
  /// - Parameters:
  ///   - symbol: the instrument's, for the name.
  ///   - trace: the input that caused it.
  /// - Throws: `Full` when as many orders work as may.
  public mutating func open(
    _ approved: Approved<OrderIntent>, symbol: InlineText, at now: Timestamp, trace: TraceID,
    effects: inout OrderEffects
  ) throws(Full) -> ClientOrderID {
    guard workingCount < bounds.working else { throw Full(working: workingCount) }
    let id = ids.next(at: now, symbol: symbol)
    let slot = insert(
      OrderRecord(
        clientOrderID: id, venueOrderID: .none, intent: approved.value, verdict: approved.verdict,
        trace: trace, openedAt: now))
    changed(slot, from: nil, refusal: nil, effects: &effects)
    return id
  }

  /// Wants an order canceled. It stays `pendingCancel` until the venue proves its end.
  ///
  /// - Returns: false when there is nothing to cancel: unknown, finished, or asked for already.
  @discardableResult public mutating func requestCancel(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) -> Bool {
    guard let slot = slot(of: id) else { return false }
    let before = slots[slot].lifecycle.state
    apply(.cancelRequested, to: slot, at: now, effects: &effects)
    return slots[slot].lifecycle.state != before
  }

  /// Wants another price or quantity, of the whole order; what Risk approved as if it were new.
  ///
  /// - Returns: false when it cannot be amended now: unknown, not surely resting, one amendment is
  ///   under way, or `approved` is of another account, instrument or side.
  public mutating func requestAmend(
    _ id: ClientOrderID, to approved: Approved<OrderIntent>, at now: Timestamp,
    effects: inout OrderEffects
  ) -> Bool {
    guard let slot = slot(of: id) else { return false }
    let intent = slots[slot].intent
    let wanted = approved.value
    guard
      wanted.account == intent.account && wanted.instrument == intent.instrument
        && wanted.side == intent.side && wanted.strategy == intent.strategy
    else { return false }
    let before = slots[slot].lifecycle.state
    apply(.amendRequested(wanted.price, wanted.quantity), to: slot, at: now, effects: &effects)
    return slots[slot].lifecycle.state != before
  }

  // MARK: News

  /// The venue says how an order stands.
  public mutating func apply(
    _ report: OrderReport, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard
      let slot = slot(of: report.clientOrderID)
        ?? slot(named: report.venueOrderID, report.account, report.instrument)
    else {
      // Whatever has ended and is not known here needs nothing.
      if report.status == .open && ids.isOwn(report.clientOrderID) {
        effects.append(.adoptable(report))
      }
      return
    }
    let isCurrent = learn(report.venueOrderID, for: slot)
    let lifecycle = slots[slot].lifecycle
    let isAnswer = report.source == .query || report.source == .history
    if !isCurrent && report.status != .open {
      // The order that an amendment replaced has ended; ours lives on under its new name. Its
      // fills still count.
      apply(
        .reported(.open, cumulative: report.cumulative, isAnswer: false), to: slot, at: now,
        effects: &effects)
      return
    }
    if report.status == .open {
      let isAmended =
        lifecycle.isAmendPending && report.price == lifecycle.amendedPrice
        && report.quantity == lifecycle.amendedQuantity
      let isAsKnown = report.price == lifecycle.price && report.quantity == lifecycle.quantity
      if isAmended {
        apply(.amended(report.price, report.quantity), to: slot, at: now, effects: &effects)
      } else if !isAsKnown && isAnswer && report.price.quanta > 0 && report.quantity.quanta > 0 {
        // Only an answer is surely not older than what we know.
        apply(.moved(report.price, report.quantity), to: slot, at: now, effects: &effects)
      }
    }
    apply(
      .reported(report.status, cumulative: report.cumulative, isAnswer: isAnswer), to: slot,
      at: now, effects: &effects)
  }

  /// The venue tells of an execution. It is booked if no other message told of it before.
  public mutating func apply(_ fill: Fill, at now: Timestamp, effects: inout OrderEffects) {
    let key = TradeKey(
      trade: fill.tradeID, account: fill.account, instrument: fill.instrument, side: fill.side)
    if seen.contains(key) { return }
    book(fill, at: now, effects: &effects)
    // Last: the set is cold memory, and what is stored there holds up what is read just after.
    _ = seen.insert(key)
  }

  /// Books an execution that is told for the first time.
  private mutating func book(_ fill: Fill, at now: Timestamp, effects: inout OrderEffects) {
    guard
      let slot = slot(of: fill.clientOrderID)
        ?? slot(named: fill.venueOrderID, fill.account, fill.instrument)
    else {
      let isOwn = ids.isOwn(fill.clientOrderID)
      if isOwn { keep(orphan: fill) }
      effects.append(.orphanFill(fill, isOwn: isOwn))
      return
    }
    learn(fill.venueOrderID, for: slot)
    var booked = fill
    booked.clientOrderID = slots[slot].clientOrderID
    apply(
      .fill(fill.quantity, at: fill.price), to: slot, at: now, booking: booked, effects: &effects)
  }

  /// The venue tells of an execution that it made of our position itself, without an order of ours.
  ///
  /// - Returns: whether it is told for the first time; then it is to be booked.
  public mutating func takes(_ fill: Fill) -> Bool {
    seen.insert(
      TradeKey(
        trade: fill.tradeID, account: fill.account, instrument: fill.instrument, side: fill.side))
  }

  /// The venue tells of an execution from before this life: it counts towards its order, now or when
  /// that is adopted, and is not booked.
  public mutating func applyEarlier(
    _ fill: Fill, at now: Timestamp, effects: inout OrderEffects
  ) {
    let key = TradeKey(
      trade: fill.tradeID, account: fill.account, instrument: fill.instrument, side: fill.side)
    guard seen.insert(key) else { return }
    guard
      let slot = slot(of: fill.clientOrderID)
        ?? slot(named: fill.venueOrderID, fill.account, fill.instrument)
    else {
      if ids.isOwn(fill.clientOrderID) { keep(orphan: fill) }
      return
    }
    learn(fill.venueOrderID, for: slot)
    apply(.fill(fill.quantity, at: fill.price), to: slot, at: now, effects: &effects)
  }

  /// The venue would not take an order.
  public mutating func refused(
    _ id: ClientOrderID, _ reason: RefusalReason, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.refused, to: slot, at: now, refusal: reason, effects: &effects)
  }

  /// An order was sent and its outcome is unknown.
  public mutating func inDoubt(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.replyLost, to: slot, at: now, effects: &effects)
  }

  /// Open orders, history and fills all denied an order, for long enough that it cannot arrive.
  public mutating func neverArrived(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.neverArrived, to: slot, at: now, refusal: .notFound, effects: &effects)
  }

  /// A cancel was refused: the order is not open, or the venue would not.
  public mutating func cancelRefused(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.cancelRefused, to: slot, at: now, effects: &effects)
  }

  /// A cancel was sent and its outcome is unknown.
  public mutating func cancelInDoubt(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.cancelReplyLost, to: slot, at: now, effects: &effects)
  }

  /// The venue amended an order, perhaps under a new name.
  public mutating func amended(
    _ id: ClientOrderID, to price: Price, _ quantity: Quantity, now named: VenueOrderID,
    at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    learn(named, for: slot)
    apply(.amended(price, quantity), to: slot, at: now, effects: &effects)
  }

  /// The venue would not amend an order.
  public mutating func amendRefused(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.amendRefused, to: slot, at: now, effects: &effects)
  }

  /// An amendment was sent and its outcome is unknown.
  public mutating func amendInDoubt(
    _ id: ClientOrderID, at now: Timestamp, effects: inout OrderEffects
  ) {
    guard let slot = slot(of: id) else { return }
    apply(.amendReplyLost, to: slot, at: now, effects: &effects)
  }

  /// Takes in a working order of ours found at the venue, as after a restart without its journal.
  ///
  /// Fills of it that were told before it was known count towards it and are not booked again; the
  /// rest of what the report says was filled is asked for, never invented.
  ///
  /// - Parameters:
  ///   - strategy: whose order it is from now on.
  ///   - tag: the strategy's mark for it.
  /// - Returns: false when it is not ours, known already, or there is no room.
  @discardableResult public mutating func adopt(
    _ report: OrderReport, for strategy: StrategyID, tag: Int64, at now: Timestamp, trace: TraceID,
    effects: inout OrderEffects
  ) -> Bool {
    guard ids.isOwn(report.clientOrderID), slot(of: report.clientOrderID) == nil,
      workingCount < bounds.working
    else { return false }
    let intent = OrderIntent(
      strategy: strategy, account: report.account, instrument: report.instrument,
      side: report.side, price: report.price, quantity: report.quantity, tag: tag)
    let slot = insert(
      OrderRecord(
        clientOrderID: report.clientOrderID, venueOrderID: .none, intent: intent, verdict: 0,
        trace: trace, openedAt: now))
    changed(slot, from: nil, refusal: nil, effects: &effects)
    learn(report.venueOrderID, for: slot)
    for index in 0..<orphans.count {
      let fill = orphans[index]
      if fill.clientOrderID == report.clientOrderID {
        apply(.fill(fill.quantity, at: fill.price), to: slot, at: now, effects: &effects)
      }
    }
    apply(report, at: now, effects: &effects)
    return true
  }

  /// Asks for fills that were told of in a total and have not come.
  ///
  /// - Complexity: constant before `nextDeadline`, linear in the working orders at it.
  public mutating func advance(to now: Timestamp, effects: inout OrderEffects) {
    guard now >= nextDeadline else { return }
    var next = Timestamp.distantFuture
    var slot = Int(oldestWorking)
    while slot >= 0 {
      let following = Int(slots[slot].next)
      if slots[slot].checkAt <= now { ask(slot, at: now, effects: &effects) }
      next = min(next, slots[slot].checkAt)
      slot = following
    }
    nextDeadline = next
  }

  // MARK: Reading

  /// What is known of an order, working or lately finished.
  public func record(of id: ClientOrderID) -> OrderRecord? {
    slot(of: id).map { slots[$0] }
  }

  /// The input that caused an order; nil when the order is not known.
  public func trace(of id: ClientOrderID) -> TraceID? {
    slot(of: id).map { slots[$0].trace }
  }

  /// What is known of the order that the venue calls, or lately called, `id`.
  public func record(
    named id: VenueOrderID, _ account: AccountID, _ instrument: InstrumentID
  ) -> OrderRecord? {
    slot(named: id, account, instrument).map { slots[$0] }
  }

  /// Replaces `views` by the working orders of `strategy`, oldest first. Allocates only when
  /// `views` is too small.
  public func fill(_ views: inout [OrderView], of strategy: StrategyID) {
    views.removeAll(keepingCapacity: true)
    var slot = Int(oldestWorking)
    while slot >= 0 {
      if slots[slot].intent.strategy == strategy { views.append(slots[slot].view) }
      slot = Int(slots[slot].next)
    }
  }

  /// Replaces `records` by all working orders, oldest first.
  public func fill(_ records: inout [OrderRecord]) {
    records.removeAll(keepingCapacity: true)
    var slot = Int(oldestWorking)
    while slot >= 0 {
      records.append(slots[slot])
      slot = Int(slots[slot].next)
    }
  }

  /// What works on an instrument of an account.
  public func working(_ account: AccountID, _ instrument: InstrumentID) -> WorkingOrders {
    for total in totals where total.account == account && total.instrument == instrument {
      return total.working
    }
    return WorkingOrders()
  }

  /// How many orders of a strategy work.
  public func workingCount(of strategy: StrategyID) -> Int {
    let index = Int(strategy.index)
    return index < strategyCounts.count ? strategyCounts[index] : 0
  }

  /// Whether every working order's fate is known and every fill told of is booked: what comparing
  /// ledgers waits for.
  public var isQuiescent: Bool {
    var slot = Int(oldestWorking)
    while slot >= 0 {
      let lifecycle = slots[slot].lifecycle
      if lifecycle.state != .open || lifecycle.isMissingFills { return false }
      slot = Int(slots[slot].next)
    }
    return true
  }
}
