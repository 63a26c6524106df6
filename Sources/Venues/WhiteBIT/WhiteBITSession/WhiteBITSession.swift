public import MartletBase
public import MartletModel
public import MartletVenueKit
internal import WhiteBITWire

/// Our half of WhiteBIT's wire, for spot.
///
/// Start: the venue's clock, its rules, last prices and balances are read; then it waits until the
/// dead-man is armed; then a token is fetched, the stream opened and authorized, the private channels
/// subscribed with their pushes held; open orders, fills and balances are read; what was held is
/// told; the public channels are subscribed; `ready`. A reconnect goes the same way from the token on.
///
/// What it never does: place before the dead-man is armed, send an order twice, touch an order that
/// is not ours, ask anything private after the venue refused the key.
///
/// - Bounds: `maxSymbols` markets, 256 requests in flight, 4,096 own orders, as many waiting, 4,096
///   events held while reconciling.
public struct WhiteBITSession: VenueSession, ~Copyable {
  /// Where the session stands as a whole.
  public enum Phase: UInt8, Sendable {
    case idle = 0
    /// Reading what must be known before anything private opens.
    case preparing = 1
    /// Ready to connect, and the dead-man is not armed.
    case waiting = 2
    case running = 3
    case stopping = 4
    case stopped = 5
    /// The venue refused our key: silent for good.
    case halted = 6
  }

  public let configuration: WhiteBITConfiguration
  public internal(set) var phase = Phase.idle
  /// The venue's clock less ours, measured at the start and every minute.
  public internal(set) var clockTrack = ClockTrack()
  public var clockOffset: TimeSpan { clockTrack.offset }
  /// Our clock, or this machine's calendar, and the venue's are too far apart: no order is placed.
  public internal(set) var isClockSkewed = false
  /// Whether `clockOffset` was measured: nothing signed is sent before.
  public var isClockKnown: Bool { done.contains(.time) }

  var link = Link()
  var markets: [MarketState]
  var done: Preparation = []
  var step = ReconcileStep.none
  /// Open orders are being listed although the stream is live, or for the end of a stop.
  var isRelisting = false
  /// Fills are being read although the stream is live.
  var isRefilling = false
  var isCleared = false
  /// The state is an earlier process's, and nothing was reconciled since.
  var isResuming = false
  var fatesBy = Timestamp.distantFuture
  var isBalanceFresh = false
  /// Fills told so far, and how many that were when balances were last asked for, and for which time
  /// in this reconciliation.
  var fillsTold: UInt64 = 0
  var fillsBeforeBalances: UInt64 = 0
  var balanceRounds: Int32 = 0
  var isReadyTold = false
  /// Until when the venue would not yet have canceled our orders; zero when it is not armed.
  public internal(set) var armedUntil = Timestamp.zero
  /// When this life began, by the venue's clock: fills before it are in the balances it began with.
  public internal(set) var epoch = Timestamp.zero
  var lastFillAt = Timestamp.zero
  /// The time of the last input.
  var clock = Timestamp.zero
  /// Counts the listings of open orders.
  var generation: UInt32 = 0
  var listedAt = Timestamp.zero
  /// How often one of our orders had ended when a market's list was begun, and how often it was begun.
  var removalsBeforeList: UInt32 = 0
  var listRounds: Int32 = 0

  var own = OwnOrders()
  var queue = PlacementQueue()
  var cancels: [QueuedCancel] = []
  var sent: [SentOrder] = []
  var inquiries: [Inquiry] = []
  var requests: [Request] = []
  var jobs: [JobState] = Array(repeating: JobState(), count: Job.allCases.count)
  /// Private news held while reconciling.
  var held: [VenueEvent] = []
  /// News found at a door without events, told with the next input.
  var deferred: [VenueEvent] = []
  var seenFills = BoundedSet<UInt128>(capacity: 16_384)
  /// Orders that ended, so that late news does not bring them back.
  var ended = BoundedSet<UInt64>(capacity: 4096)
  var foreign = BoundedSet<UInt64>(capacity: maxForeign)
  static var maxForeign: Int { 1_024 }
  var quota: Quota
  /// Last prices by market, as one answer tells them all.
  var tickers: Cached<[Price?]>
  /// Executions to be compared with the venue's rows.
  var proof = ProofLedger()
  /// What the proof that runs found lacking.
  var proofGaps: Int32 = 0
  /// The venue did not let us compare: an end does not wait for it.
  var isProofGivenUp = false
  var random: SeededRandom
  var lastRequest: UInt64 = 0
  var lastFrame: UInt64 = 0

  // Room that is used within one step and kept.
  var prints: [WireTrade] = []
  var batch: [QueuedOrder] = []

  /// Cancels waiting for a flush; and orders, at most.
  static var maxQueued: Int { OwnOrders.capacity }

  public init(_ configuration: WhiteBITConfiguration) {
    precondition(
      WhiteBITConfiguration.depthLimits.contains(configuration.depthLimit),
      "a depth of \(configuration.depthLimit) levels is not offered")
    precondition(
      configuration.maxQueued >= 1 && configuration.maxQueued <= WhiteBITSession.maxQueued,
      "a queue of \(configuration.maxQueued) placements")
    self.configuration = configuration
    tickers = Cached(lifetime: configuration.tickerLifetime)
    quota = Quota(configuration.rates, configuration.breaker)
    markets = configuration.symbols.map { MarketState(symbol: $0) }
    random = SeededRandom(seed: configuration.seed)
    cancels.reserveCapacity(256)
    sent.reserveCapacity(256)
    inquiries.reserveCapacity(64)
    requests.reserveCapacity(WhiteBITSession.maxInFlight)
    held.reserveCapacity(256)
    deferred.reserveCapacity(256)
    prints.reserveCapacity(128)
    batch.reserveCapacity(WhiteBITSession.maxBatch)
    link.token.reserveCapacity(WhiteBITSession.maxToken)
    link.awaited.reserveCapacity(4)
  }

  // MARK: The door

  /// Between two inputs of a process that runs less time passes, or none of its timers was due.
  static var nap: TimeSpan { .milliseconds(100) }
  /// How often a session with a book that may be traded on looks at the time when nothing else happens: a
  /// longer silence between two inputs was a sleep.
  static var pulse: TimeSpan { .seconds(1) }

  public mutating func receive(
    _ input: VenueInput, bytes: Span<UInt8>, at now: Timestamp, events: inout VenueEvents,
    effects: inout VenueEffects
  ) {
    let slept = now - clock
    clock = now
    for event in deferred { events.append(event) }
    deferred.removeAll(keepingCapacity: true)
    // What time alone has made of a book is known before the news: whatever follows from them in this step
    // must not be placed on it.
    if slept >= WhiteBITSession.nap, phase == .running {
      checkStaleness(at: now, events: &events)
      if slept > WhiteBITSession.pulse + configuration.bookLag {
        giveBooksUp(at: now, events: &events)
      }
    }
    switch input {
    case .start: start(at: now, events: &events)
    case .streamOpened(let stream):
      if stream == WhiteBITSession.stream { streamOpened(at: now, effects: &effects) }
    case .streamClosed(let stream):
      if stream == WhiteBITSession.stream { streamClosed(at: now, events: &events) }
    case .frame(let stream):
      if stream == WhiteBITSession.stream {
        receiveFrame(bytes, at: now, events: &events, effects: &effects)
      }
    case .response(let id, let status):
      receiveReply(id, status: status, body: bytes, at: now, events: &events, effects: &effects)
    case .requestFailed(let id, let failure):
      receiveFailure(id, failure, at: now, events: &events)
    case .timer: break
    case .deadManArmed(let until):
      armedUntil = until
      advance(at: now, events: &events, effects: &effects)
    case .deadManLost: armedUntil = .zero
    case .stop: stop(at: now, events: &events, effects: &effects)
    case .calendar(let lead, let step):
      followCalendar(lead: lead, step: step, at: now, events: &events)
    }
    if case .frame = input, phase == .running, link.stage == .live { return }
    work(at: now, events: &events, effects: &effects)
  }

  /// Does whatever is due.
  private mutating func work(
    at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    keepAlive(at: now, events: &events, effects: &effects)
    checkStaleness(at: now, events: &events)
    if nextListing <= now { relist(at: now) }
    beginProofIfDue(at: now)
    if step == .fates { advance(at: now, events: &events, effects: &effects) }
    updateReadiness(at: now, events: &events)
    connectIfDue(at: now)
    advanceStop(at: now, events: &events, effects: &effects)
    if isActive {
      sendJobs(at: now, effects: &effects)
      if isClockKnown { sendInquiries(at: now, effects: &effects) }
    }
  }

  // MARK: Orders

  public mutating func place(
    _ order: Approved<OrderIntent>, as clientOrderID: ClientOrderID, trace: TraceID
  ) {
    let intent = order.value
    guard isReadyTold, let index = markets.index(of: intent.instrument),
      markets[index].instrument != nil
    else {
      defer_(.orderRefused(clientOrderID, .other, code: 0))
      return
    }
    guard queue.count < configuration.maxQueued, !own.isFull else {
      defer_(.orderRefused(clientOrderID, .queueFull, code: 0))
      return
    }
    // What waits for long is placed into another market than it was meant for.
    guard !quota.isBroken(.place, at: clock) else {
      defer_(.orderRefused(clientOrderID, .rateLimited, code: 0))
      return
    }
    // The venue has good-till-canceled and immediate-or-cancel, and not the latter as a maker.
    guard intent.timeInForce == .gtc || intent.timeInForce == .ioc && !intent.isPostOnly,
      isOwn(ClientText(clientOrderID))
    else {
      defer_(.orderRefused(clientOrderID, .invalidField, code: 0))
      return
    }
    _ = own.insert(
      OwnOrder(
        id: clientOrderID, instrument: intent.instrument, stage: .queued, sentAt: .zero))
    if queue.dropped >= configuration.maxQueued {
      let known = own
      queue.compact { known[$0.id]?.stage == .queued }
    }
    queue.append(QueuedOrder(intent: intent, id: clientOrderID))
  }

  public mutating func cancel(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID
  ) {
    guard isActive, markets.index(of: instrument) != nil else { return }
    if let order = own[clientOrderID], order.cancel != .none { return }
    guard cancels.count < WhiteBITSession.maxQueued else {
      defer_(.cancelInDoubt(clientOrderID))
      return
    }
    own.change(clientOrderID) { $0.cancel = .queued }
    cancels.append(QueuedCancel(id: clientOrderID, instrument: instrument))
  }

  public mutating func query(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID,
    sentAt: Timestamp
  ) {
    inquire(clientOrderID, of: instrument, sentAt: sentAt, at: clock)
  }

  public mutating func refreshBook(_ instrument: InstrumentID) {
    guard let index = markets.index(of: instrument), markets[index].isSubscribed else { return }
    markets[index].isAwaitingSnapshot = true
    markets[index].isTrusted = false
    markets[index].resubscribeAt = min(
      markets[index].resubscribeAt,
      markets[index].subscribedAt + configuration.resubscribeInterval)
  }

  public mutating func flush(at now: Timestamp, effects: inout VenueEffects) {
    clock = max(clock, now)
    resubscribeDue(at: now, effects: &effects)
    // A session that remembers an earlier process may have something to ask before it knows the clock.
    guard isActive, isClockKnown else { return }
    if !cancels.isEmpty { flushCancels(at: now, effects: &effects) }
    if !queue.isEmpty { flushQueue(at: now, effects: &effects) }
    if !inquiries.isEmpty { sendInquiries(at: now, effects: &effects) }
  }

  private mutating func flushCancels(at now: Timestamp, effects: inout VenueEffects) {
    var kept = 0
    for index in 0..<cancels.count {
      let entry = cancels[index]
      let order = own[entry.id]
      if order?.stage == .queued {
        // Never sent, and now never to be.
        queue.drop()
        own.remove(entry.id)
        defer_(.orderRefused(entry.id, .other, code: 0))
        continue
      }
      // A cancel that overtakes its order finds nothing: it waits for the reply to the placement.
      guard order?.stage != .sent, requests.count < WhiteBITSession.maxInFlight,
        let position = markets.index(of: entry.instrument), quota.take(.cancel, at: now)
      else {
        cancels[kept] = entry
        kept += 1
        continue
      }
      let market = markets[position].symbol.market
      own.change(entry.id) { $0.cancel = .sent }
      _ = post(
        .cancelOrder, .cancel(entry.id, entry.instrument), .cancel,
        timeout: configuration.cancelTimeout, effects: &effects
      ) {
        Orders.writeChoice(
          market: market, clientOrderID: entry.id, with: &$0, into: &$1)
      }
    }
    cancels.removeSubrange(kept...)
  }

  /// Sends the queue in the order of the intents: orders of one market that stand together go
  /// together, at most twenty in one request.
  private mutating func flushQueue(at now: Timestamp, effects: inout VenueEffects) {
    guard isReadyTold, isArmed(at: now) else {
      // What was approved for a world that is gone is not sent into the next one.
      refuseQueue(.other)
      return
    }
    while let first = nextQueued(), let index = markets.index(of: first.intent.instrument),
      let scale = markets[index].scale, requests.count < WhiteBITSession.maxInFlight,
      quota.take(.place, at: now)
    {
      // Out of `self` and back: the writer below reads it while `self` is changed.
      var taken: [QueuedOrder] = []
      swap(&taken, &batch)
      while taken.count < WhiteBITSession.maxBatch, let order = nextQueued(),
        order.intent.instrument == first.intent.instrument
      {
        queue.removeFirst()
        taken.append(order)
      }
      let request = send(
        taken, market: markets[index].symbol.market, scale: scale, effects: &effects)
      for order in taken {
        sent.append(
          SentOrder(
            request: request, id: order.id, instrument: order.intent.instrument, sentAt: now))
        own.change(order.id) {
          $0.stage = .sent
          $0.sentAt = now
        }
      }
      taken.removeAll(keepingCapacity: true)
      swap(&taken, &batch)
    }
  }

  /// The oldest order that waits and was not canceled while it did.
  private mutating func nextQueued() -> QueuedOrder? {
    while let first = queue.first {
      if queue.dropped == 0 || own[first.id]?.stage == .queued { return first }
      queue.removeDropped()
    }
    return nil
  }

  private mutating func send(
    _ orders: [QueuedOrder], market: InlineText, scale: InstrumentScale,
    effects: inout VenueEffects
  ) -> RequestID {
    let timeout = configuration.placeTimeout
    if orders.count == 1 {
      return post(.newOrder, .place, .place, timeout: timeout, effects: &effects) {
        Orders.writePlace(
          orders[0].intent, as: orders[0].id, market: market, scale: scale, with: &$0, into: &$1)
      }
    }
    return post(.bulkOrder, .place, .place, timeout: timeout, effects: &effects) {
      Orders.writeBatch(orders.count, market: market, scale: scale, with: &$0, into: &$1) {
        (orders[$0].intent, orders[$0].id)
      }
    }
  }

  /// Refuses what was never sent.
  mutating func refuseQueue(_ reason: RefusalReason) {
    while let order = nextQueued() {
      queue.removeFirst()
      own.remove(order.id)
      defer_(.orderRefused(order.id, reason, code: 0))
    }
  }

  /// Keeps news for the next input, which is asked for at once.
  private mutating func defer_(_ event: VenueEvent) { deferred.append(event) }

  /// Requests that were sent and whose end is not known, oldest first.
  public var requestsInFlight: [RequestID] { requests.map(\.id) }

  // MARK: Time

  public var nextDeadline: Timestamp {
    if !deferred.isEmpty { return .zero }
    var next = min(link.deadline, link.nextPing, link.pongBy)
    if phase == .running && link.stage == .down { next = min(next, link.retryAt) }
    if isReadyTold { next = min(next, armedUntil) }
    if step == .fates { next = min(next, fatesBy) }
    for index in 0..<markets.count {
      next = min(next, staleAt(index))
      if markets[index].isTrusted { next = min(next, clock + WhiteBITSession.pulse) }
      if link.stage == .live { next = min(next, markets[index].resubscribeAt) }
    }
    guard isActive else { return next }
    if phase == .stopping {
      for slot in 0..<own.slots.count {
        guard let order = own.slots[slot], order.cancel == .none, order.stage != .sent else {
          continue
        }
        next = min(next, order.cancelAt)
      }
    }
    // Beyond that only a reply, or the word that none will come, makes room.
    guard requests.count < WhiteBITSession.maxInFlight else { return next }
    next = min(next, min(nextListing, nextProof))
    // What is due later than something else is not looked at further.
    for job in Job.allCases where jobs[Int(job.rawValue)].dueAt < next {
      next = min(next, max(jobs[Int(job.rawValue)].dueAt, quota.nextAt(job.group)))
    }
    guard isClockKnown else { return next }
    next = min(next, nextInquiry)
    if !queue.isEmpty { next = min(next, quota.nextAt(.place)) }
    for cancel in cancels where own[cancel.id]?.stage != .sent {
      next = min(next, quota.nextAt(.cancel))
    }
    return next
  }

  /// When the next question about an order can be sent.
  private var nextInquiry: Timestamp {
    var open = Timestamp.distantFuture
    var account = Timestamp.distantFuture
    var inFlight = 0
    for inquiry in inquiries {
      if inquiry.isInFlight { inFlight += 1 }
      if inquiry.stage == .open {
        open = min(open, inquiry.dueAt)
      } else {
        account = min(account, inquiry.dueAt)
      }
    }
    guard inFlight < WhiteBITSession.maxInquiriesInFlight else { return .distantFuture }
    if open != .distantFuture { open = max(open, quota.nextAt(.orders)) }
    if account != .distantFuture { account = max(account, quota.nextAt(.account)) }
    return min(open, account)
  }
}
