public import MartletBase
public import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// What is being read of the venue's lists while private pushes are held.
///
/// - Source: WhiteBIT docs, reconnect recipe; subscribing first and reading then closes the window in
///   which an event would be lost between the two.
enum ReconcileStep: UInt8, Sendable {
  case none = 0
  case orders = 1
  /// Clean slate: everything of spot in our markets is canceled, then listed again.
  case clear = 2
  case fills = 3
  case balances = 4
  /// Fills once more: if there are new ones, nobody knows whether the balances have them.
  case check = 5
  /// In a new process, behind the orders: every order whose fate is not known is asked about, before
  /// balances are compared with books that lack it.
  case fates = 6
}

/// What has been read at least once before anything private is opened.
struct Preparation: OptionSet, Equatable, Sendable {
  let rawValue: UInt8
  static let time = Preparation(rawValue: 1)
  static let markets = Preparation(rawValue: 2)
  static let ticker = Preparation(rawValue: 4)
  static let balances = Preparation(rawValue: 8)
  static let all: Preparation = [.time, .markets, .ticker, .balances]
}

// Start, reconnect and stop: what is asked when, and what of it is told in which order.
extension WhiteBITSession {
  /// Whether anything private may still be asked.
  var isActive: Bool {
    switch phase {
    case .preparing, .waiting, .running, .stopping: true
    case .idle, .stopped, .halted: false
    }
  }

  func isWanted(_ job: Job) -> Bool {
    switch job {
    case .time:
      return phase == .preparing || phase == .waiting || phase == .running
        || phase == .stopping && !isClockKnown
    case .markets, .ticker, .balances:
      return phase == .preparing || phase == .waiting || phase == .running
    case .token: return link.stage == .token
    case .orders: return step == .orders || isRelisting
    case .fills: return step == .fills || step == .check || isRefilling
    case .clear: return step == .clear
    case .proof: return proof.isRunning
    case .book, .tape: return phase == .running && link.stage == .live
    }
  }

  // MARK: The order of things

  /// Begins; with the state of an earlier process, behind the end of all that died with it.
  mutating func start(at now: Timestamp, events: inout VenueEvents) {
    if phase != .idle { outlive(at: now, events: &events) }
    phase = .preparing
    want(.time, at: now)
  }

  /// The process that had this state is gone, and with it its connections: what it had sent may have
  /// arrived or not, and everything it knew of the venue is to be asked again.
  private mutating func outlive(at now: Timestamp, events: inout VenueEvents) {
    phase = .preparing
    done = []
    armedUntil = .zero
    clockTrack = ClockTrack()
    isClockSkewed = false
    // Before any news: what strategies make of it must not be placed.
    updateReadiness(at: now, events: &events)
    breakProof(at: now)
    streamLost(at: now, events: &events)
    release(events: &events)
    refuseQueue(.other)
    // What the kernel still wants to know or to have canceled it asks for again.
    inquiries.removeAll(keepingCapacity: true)
    cancels.removeAll(keepingCapacity: true)
    for request in requests { receiveFailure(request.id, .broken, at: now, events: &events) }
    for slot in 0..<own.slots.count {
      guard let order = own.slots[slot] else { continue }
      own.change(order.id) {
        $0.cancel = .none
        $0.cancelAt = .zero
      }
    }
    isResuming = true
    step = .none
    isRelisting = false
    isRefilling = false
    isCleared = false
    // What is not ours is shown by each process, and before a clean slate above all.
    foreign = BoundedSet(capacity: WhiteBITSession.maxForeign)
    isProofGivenUp = false
    jobs = Array(repeating: JobState(), count: Job.allCases.count)
    link = Link()
    listedAt = now
  }

  /// Goes on as far as what has been read allows.
  mutating func advance(
    at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    switch phase {
    case .preparing:
      guard done == .all else { return }
      phase = .waiting
      goOnIfArmed(at: now)
    case .waiting: goOnIfArmed(at: now)
    case .running:
      advanceReconciliation(at: now, events: &events, effects: &effects)
      advanceProof(at: now, events: &events)
    case .stopping: advanceStop(at: now, events: &events, effects: &effects)
    case .idle, .stopped, .halted: break
    }
  }

  /// Asks what comes next, once: rules before prices, as without a grid a price means nothing.
  mutating func prepare(after job: Job, at now: Timestamp) {
    guard phase == .preparing else { return }
    if job == .time && done == .time { want(.markets, at: now) }
    if job == .markets && done == [.time, .markets] {
      want(.ticker, at: now)
      want(.balances, at: now)
    }
  }

  /// Nothing that could rest is placed, and nothing private opened, before the dead-man is armed.
  private mutating func goOnIfArmed(at now: Timestamp) {
    guard isArmed(at: now) else { return }
    phase = .running
    link.retryAt = now
  }

  func isArmed(at now: Timestamp) -> Bool { now < armedUntil }

  mutating func updateReadiness(at now: Timestamp, events: inout VenueEvents) {
    let isReady =
      phase == .running && link.stage == .live && isArmed(at: now) && !isClockSkewed
    guard isReady != isReadyTold else { return }
    isReadyTold = isReady
    events.append(isReady ? .ready : .notReady)
  }

  // MARK: Reconciling

  mutating func beginReconciliation(at now: Timestamp) {
    link.stage = .reconciling
    link.deadline = .distantFuture
    step = .orders
    list(at: now)
  }

  /// Reads the open orders of all markets.
  private mutating func list(at now: Timestamp) {
    generation &+= 1
    listedAt = now
    beginMarketList()
    wantAll(.orders, at: now)
  }

  /// When they are to be read again although nothing seems wrong; `distantFuture` while none rest
  /// but those that are asked about one by one.
  var nextListing: Timestamp {
    guard phase == .running, link.stage == .live, !isRelisting, own.count > inquiries.count else {
      return .distantFuture
    }
    return listedAt + configuration.listInterval
  }

  /// Reads them although the stream is live: news of one was lost.
  mutating func relist(at now: Timestamp) {
    guard step == .none, !isRelisting else { return }
    isRelisting = true
    list(at: now)
  }

  func isComplete(_ job: Job) -> Bool {
    let state = jobs[Int(job.rawValue)]
    return Int(state.market) == markets.count && !state.isInFlight
      && state.dueAt == .distantFuture
  }

  /// How often a market's open orders are listed before that is taken as it is: of an account that
  /// trades without a pause two pages are never of one moment.
  static var maxListRounds: Int32 { 8 }

  private mutating func beginMarketList() {
    listRounds = 1
    removalsBeforeList = own.removals
  }

  /// Whether a list of several pages may lack orders: what ends between two pages moves those behind
  /// it forward, past where the next page begins. One of an earlier life would stay unknown.
  private func mayHaveSkipped(_ job: JobState) -> Bool {
    guard job.offset > 0, listRounds < WhiteBITSession.maxListRounds else { return false }
    return own.removals != removalsBeforeList
      || own.hasCancelOnItsWay(in: markets[Int(job.market)].symbol.instrument)
  }

  /// A page was read: on to the next page or market.
  mutating func finishPage(of job: Job, rows: Int, at now: Timestamp) {
    let index = Int(job.rawValue)
    if rows >= WhiteBITSession.pageSize {
      jobs[index].offset += Int32(rows)
    } else if job == .orders && mayHaveSkipped(jobs[index]) {
      jobs[index].offset = 0
      listRounds += 1
      removalsBeforeList = own.removals
    } else {
      jobs[index].market += 1
      jobs[index].offset = 0
      if job == .orders { beginMarketList() }
    }
    if Int(jobs[index].market) < markets.count {
      if isWanted(job) { want(job, at: now) }
      return
    }
    guard case .polling(let interval) = configuration.feed, isWanted(job) else { return }
    if job == .book || job == .tape { wantAll(job, at: now + interval) }
  }

  private mutating func advanceReconciliation(
    at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    if isRefilling && isComplete(.fills) { isRefilling = false }
    if isRelisting && isComplete(.orders) {
      isRelisting = false
      inquireVanished(at: now)
    }
    guard link.stage == .reconciling else { return }
    if step == .clear && isComplete(.clear) {
      isCleared = true
      events.append(.notice(.cleanSlate))
      step = .orders
      list(at: now)
    }
    if step == .orders && isComplete(.orders) {
      if configuration.isCleanSlate && !isCleared {
        step = .clear
        wantAll(.clear, at: now + WhiteBITSession.namingPause)
      } else if isResuming {
        step = .fates
        fatesBy = now + WhiteBITSession.fatesPatience
        inquireVanished(at: now)
      } else {
        step = .fills
        wantAll(.fills, at: now)
      }
    }
    if step == .fates && (inquiries.isEmpty || fatesBy <= now) {
      step = .fills
      wantAll(.fills, at: now)
    }
    if step == .fills && isComplete(.fills) {
      balanceRounds = 0
      readBalancesAnew(at: now)
    }
    if step == .balances && isBalanceFresh {
      step = .check
      wantAll(.fills, at: now)
    }
    guard step == .check && isComplete(.fills) else { return }
    if fillsTold != fillsBeforeBalances && balanceRounds < WhiteBITSession.maxBalanceRounds {
      readBalancesAnew(at: now)
      return
    }
    isResuming = false
    step = .none
    link.stage = .live
    if link.attempt >= configuration.tries {
      events.append(.notice(.retriesSucceeded(.stream, order: ClientOrderID(""))))
    }
    link.attempt = 0
    link.liveSince = now
    if proof.dueAt == .distantFuture { proof.dueAt = now + configuration.proofInterval }
    inquireVanished(at: now)
    dropHeldBalances()
    release(events: &events)
    events.append(.reconciled)
    subscribePublic(at: now, effects: &effects)
    updateReadiness(at: now, events: &events)
  }

  /// A question that gets no answer for so long does not keep a new process from going on.
  static var fatesPatience: TimeSpan { .seconds(30) }

  /// How often balances are read before they are taken as they are: an account that trades without a
  /// pause has no quiet moment.
  static var maxBalanceRounds: Int32 { 8 }

  private mutating func readBalancesAnew(at now: Timestamp) {
    step = .balances
    isBalanceFresh = false
    balanceRounds += 1
    fillsBeforeBalances = fillsTold
    wantAll(.balances, at: now)
  }

  /// What the list said is newer than what was pushed meanwhile, or told again with the next change.
  private mutating func dropHeldBalances() {
    held.removeAll { if case .balance = $0 { true } else { false } }
  }

  /// Orders that we believe open and that the list did not have: each is asked about. Which of filled
  /// and canceled it was, evidence says.
  private mutating func inquireVanished(at now: Timestamp) {
    for slot in 0..<own.slots.count {
      guard let order = own.slots[slot], order.stage == .open, order.seenIn != generation,
        order.sentAt < listedAt, !isInFlight(order.id)
      else { continue }
      inquire(order.id, of: order.instrument, sentAt: order.sentAt, at: now)
    }
  }

  mutating func readOrders(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    var count = 0
    do {
      var rows = try Rows<WireOrder>(body)
      while let order = try rows.next(in: body) {
        count += 1
        tell(order, isFinished: false, source: .query, at: now, events: &events)
      }
    } catch {
      return false
    }
    finishPage(of: .orders, rows: count, at: now)
    return true
  }

  /// From when on fills are asked for.
  public var fillsStart: Timestamp {
    max(epoch, lastFillAt == .zero ? epoch : lastFillAt - configuration.historyOverlap)
  }

  mutating func readFills(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    let market = Int(jobs[Int(Job.fills.rawValue)].market)
    guard let count = tellFills(body, market: market, events: &events) else { return false }
    finishPage(of: .fills, rows: count, at: now)
    return true
  }

  /// Tells the fills in a page of a history.
  ///
  /// - Returns: rows in the page; nil when it cannot be read.
  mutating func tellFills(
    _ body: Span<UInt8>, market index: Int, events: inout VenueEvents
  ) -> Int? {
    var count = 0
    do {
      var rows = try MarketRows<WireFill>(body)
      while let row = try rows.next(in: body) {
        count += 1
        guard isOwn(row.clientID) else { continue }
        guard let scale = markets[index].scale,
          let fill = row.fill(
            account: configuration.account, instrument: markets[index].symbol.instrument,
            scale: scale, source: .history)
        else {
          events.append(.anomaly(.unreadableFill))
          continue
        }
        if row.time >= epoch {
          tell(fill, events: &events)
        } else if seenFills.insert(key(of: fill)) {
          // Of an earlier life: in the balances already.
          events.append(.earlierFill(fill))
        }
      }
    } catch {
      return nil
    }
    return count
  }

  mutating func readClear(at now: Timestamp) -> Bool {
    finishPage(of: .clear, rows: 0, at: now)
    return true
  }

  mutating func readBalances(_ body: Span<UInt8>, events: inout VenueEvents) -> Bool {
    var assets: [InlineText] = []
    for market in markets {
      guard let instrument = market.instrument else { continue }
      for asset in [instrument.base, instrument.quote] where !assets.contains(asset) {
        assets.append(asset)
      }
    }
    var found = assets.map { WireBalance(asset: $0, available: .zero, freeze: .zero) }
    do {
      var rows = try Balances(body)
      while let row = try rows.next(in: body) {
        // What is not told is zero.
        if let index = assets.firstIndex(of: row.asset) { found[index] = row }
      }
    } catch {
      return false
    }
    for row in found { events.append(.balance(row.balance(of: configuration.account))) }
    isBalanceFresh = true
    done.insert(.balances)
    return true
  }

  func isOurAsset(_ asset: InlineText) -> Bool {
    for market in markets {
      if let instrument = market.instrument, instrument.base == asset || instrument.quote == asset {
        return true
      }
    }
    return false
  }

  // MARK: Telling

  func isOwn(_ id: ClientText) -> Bool {
    id.tail.isEmpty && id.head.hasPrefix(configuration.ownPrefix)
  }

  /// An order that is not ours: told once, never touched.
  mutating func tellForeign(_ orderID: UInt64, events: inout VenueEvents) {
    if foreign.insert(orderID) { events.append(.anomaly(.foreignOrder)) }
  }

  /// What was named is in the journal and on its way to a person before anything of it is canceled.
  static var namingPause: TimeSpan { .milliseconds(100) }

  /// An order that is not ours, and that a clean slate will cancel: told in full, once.
  private mutating func name(_ order: WireOrder, events: inout VenueEvents) {
    guard foreign.insert(order.orderID) else { return }
    events.append(
      .notice(
        .notOurs(
          VenueOrderID(high: 0, low: order.orderID), client: order.clientID.head,
          market: order.market, order.side, left: order.left, price: order.price ?? .zero)))
  }

  mutating func tell(
    _ order: WireOrder, isFinished: Bool, source: NewsSource, at now: Timestamp,
    events: inout VenueEvents
  ) {
    guard isOwn(order.clientID) else {
      if configuration.isCleanSlate && !isCleared {
        name(order, events: &events)
      } else {
        tellForeign(order.orderID, events: &events)
      }
      return
    }
    guard let index = markets.index(named: order.market) else { return }
    guard let scale = markets[index].scale,
      let report = order.report(
        account: configuration.account, instrument: markets[index].symbol.instrument,
        scale: scale, isFinished: isFinished, source: source)
    else {
      events.append(.anomaly(.malformed))
      return
    }
    tell(report, at: now, events: &events)
  }

  mutating func tell(_ report: OrderReport, at now: Timestamp, events: inout VenueEvents) {
    let id = report.clientOrderID
    proof.acknowledge(report.venueOrderID.low, id)
    switch report.status {
    case .open, .unknown:
      if own[id] != nil {
        own.change(id) { order in
          order.stage = .open
          if report.source == .query { order.seenIn = generation }
        }
      } else if !ended.contains(report.venueOrderID.low) {
        // Ours, from an earlier life: it is watched from here on.
        _ = own.insert(
          OwnOrder(
            id: id, instrument: report.instrument, stage: .open, sentAt: report.exchangeTime,
            seenIn: report.source == .query ? generation : 0))
      }
      if report.status == .unknown {
        events.append(.anomaly(.unknownStatus))
        inquire(id, of: report.instrument, sentAt: now, at: now)
      }
    case .filled, .canceled:
      own.remove(id)
      _ = ended.insert(report.venueOrderID.low)
    }
    if report.source == .stream && link.isHolding {
      hold(.order(report), events: &events)
    } else {
      events.append(.order(report))
    }
  }

  /// Whether an execution was told before.
  func isSeen(_ fill: Fill) -> Bool { seenFills.contains(key(of: fill)) }

  func key(of fill: Fill) -> UInt128 {
    WhiteBITSession.key(of: fill.tradeID, on: fill.instrument)
  }

  /// An execution's name among those that were told: the venue numbers them by market.
  public static func key(of trade: TradeID, on instrument: InstrumentID) -> UInt128 {
    UInt128(instrument.index) << 64 | UInt128(trade.low)
  }

  /// The latest executions that were told or are held, at most 16,384; among them all since
  /// `fillsStart`.
  public var knownFills: BoundedSet<UInt128> { seenFills }

  /// Of those, the ones that are held: the kernel does not know them yet.
  public var heldFills: [UInt128] {
    held.compactMap { if case .fill(let fill) = $0 { key(of: fill) } else { nil } }
  }

  mutating func tell(_ fill: Fill, events: inout VenueEvents) {
    let key = key(of: fill)
    if seenFills.contains(key) { return }
    fillsTold &+= 1
    // While lists are read, what is told is not yet all: history is read from where all was known.
    if step == .none && link.stage == .live { lastFillAt = max(lastFillAt, fill.exchangeTime) }
    // Made where it goes: an event is as large as all that it might be.
    if fill.source == .stream && link.isHolding {
      hold(.fill(fill), events: &events)
    } else {
      events.append(.fill(fill))
    }
    // Last: the set is cold memory, and what is stored there holds up what is read just after.
    _ = seenFills.insert(key)
    noteForProof(fill, events: &events)
  }

  /// Keeps what the stream pushed until reconciling is done.
  mutating func hold(_ event: VenueEvent, events: inout VenueEvents) {
    if held.count == WhiteBITSession.maxHeld {
      // More happened than we keep: what is held is told, and the stream begun anew.
      release(events: &events)
      link.deadline = .zero
    }
    held.append(event)
  }

  /// Tells what was held, in the order it came.
  mutating func release(events: inout VenueEvents) {
    for event in held { events.append(event) }
    held.removeAll(keepingCapacity: true)
  }

  // MARK: Stopping

  mutating func stop(at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects) {
    switch phase {
    case .idle:
      phase = .stopped
      events.append(.stopped)
      return
    case .halted, .stopping, .stopped: return
    case .preparing, .waiting, .running: break
    }
    phase = .stopping
    refuseQueue(.other)
    updateReadiness(at: now, events: &events)
    release(events: &events)
    step = .none
    isRelisting = false
    isRefilling = false
    // Without the venue's clock nothing of ours can be taken off.
    for job in Job.allCases where job != .time || isClockKnown { dismiss(job) }
    inquireAgain(at: now)
    if !isClockKnown { want(.time, at: now) }
    breakProof(at: now)
    if link.stage == .token || link.stage == .down {
      link.stage = .down
      link.retryAt = .distantFuture
    }
    advanceStop(at: now, events: &events, effects: &effects)
  }

  /// Takes our orders off one by one until the venue's own list has none of them.
  mutating func advanceStop(
    at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    guard phase == .stopping else { return }
    advanceProof(at: now, events: &events)
    if isRelisting && isComplete(.orders) {
      isRelisting = false
      if own.count == 0 && !proof.isEmpty && !isProofGivenUp {
        // What was traded is final: it is compared, and the list looked at once more behind it.
        beginLastProof(at: now)
      } else if own.count == 0 {
        if link.isOpen || link.stage == .opening {
          closeStream(at: now, events: &events, effects: &effects)
        }
        phase = .stopped
        events.append(.stopped)
        return
      }
    }
    for slot in 0..<own.slots.count {
      guard let order = own.slots[slot], order.cancel == .none, order.stage != .sent,
        order.cancelAt <= now, cancels.count < WhiteBITSession.maxQueued
      else { continue }
      own.change(order.id) { $0.cancel = .queued }
      cancels.append(QueuedCancel(id: order.id, instrument: order.instrument))
    }
    if own.count == 0 && sent.isEmpty && inquiries.isEmpty && !isRelisting && !proof.isRunning {
      isRelisting = true
      list(at: now)
    }
  }

  /// Nothing of ours will be executed: every private request ends here, and orders are left to the
  /// dead-man.
  mutating func halt(status: UInt16, code: Int32, events: inout VenueEvents) {
    guard phase != .halted else { return }
    phase = .halted
    step = .none
    proof.isRunning = false
    isRelisting = false
    isRefilling = false
    refuseQueue(.unauthorized)
    cancels.removeAll(keepingCapacity: true)
    inquiries.removeAll(keepingCapacity: true)
    for job in Job.allCases { dismiss(job) }
    link.retryAt = .distantFuture
    if link.stage == .token { link.stage = .down }
    events.append(.unauthorized(status: status, code: code))
    updateReadiness(at: .zero, events: &events)
  }
}
