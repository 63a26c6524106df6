internal import MartletBase
internal import MartletBook
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategy
internal import MartletVenueKit

// How a strategy is asked, and how what it says becomes orders: approved one by one, each with the
// money of the ones before it already set aside.
extension Kernel where Session: ~Copyable {
  typealias Call = (inout Strategy, borrowing StrategyContext, inout Intents) -> Void

  mutating func call(_ id: StrategyID, _ body: Call) {
    for slot in strategies.indices where strategies[slot].id == id { call(slot, body) }
  }

  mutating func call(_ slot: Int, _ body: Call) {
    intents.removeAll()
    ask(slot, body)
    settle(slot)
  }

  private mutating func ask(_ slot: Int, _ body: Call) {
    let market = Int(strategies[slot].instrument.index)
    if markets[market].listing.isEmpty { return }
    if strategies[slot].shown != orders.revision {
      orders.fill(&strategies[slot].working, of: strategies[slot].id)
      strategies[slot].shown = orders.revision
    }
    let context = StrategyContext(
      now: now, strategy: strategies[slot].id, account: account,
      instrument: markets[market].listing[0], top: markets[market].book.top,
      lastPrice: markets[market].lastPrice,
      position: portfolio.position(account, strategies[slot].instrument),
      base: portfolio.balance(account, markets[market].listing[0].base),
      quote: portfolio.balance(account, markets[market].listing[0].quote),
      working: strategies[slot].working)
    body(&strategies[slot].strategy, context, &intents)
  }

  /// Puts what was said before Risk, and what Risk refuses before the strategy again, which may say
  /// something else. One that answers every refusal with another refused order is out of order: all
  /// trading halts before it can spin.
  private mutating func settle(_ slot: Int) {
    var rounds = 0
    while true {
      strategies[slot].wakeAt = min(strategies[slot].wakeAt, intents.wakeAt)
      for index in 0..<intents.cancels.count {
        orders.requestCancel(intents.cancels[index], at: now, effects: &orderEffects)
      }
      let market = Int(strategies[slot].instrument.index)
      if intents.places.isEmpty || markets[market].listing.isEmpty { return }
      refusals.removeAll(keepingCapacity: true)
      for index in 0..<intents.places.count { consider(intents.places[index], market) }
      rounds += 1
      guard !refusals.isEmpty else { return }
      guard rounds < 32 else { return halt(.capacity) }
      intents.removeAll()
      for index in 0..<refusals.count {
        let refusal = refusals[index]
        ask(slot) {
          $0.onRefusal(tag: refusal.tag, reason: refusal.reason, $1, intents: &$2)
        }
      }
    }
  }

  /// One intent: noted, judged, and either opened and handed to the session or refused.
  ///
  /// - Returns: the order's name; nil when there is none.
  @discardableResult mutating func consider(
    _ intent: OrderIntent, _ market: Int
  ) -> ClientOrderID? {
    note(.intent(intent))
    fold()
    let context = riskContext(for: intent, market)
    switch risk.review(intent, context: context) {
    case .refused(let reason, let numbers):
      counts.refusedByRisk += 1
      note(.refused(intent, reason, numbers))
      refusals.append(Refusal(tag: intent.tag, reason: reason))
    case .approved(let approved):
      do throws(OrderStore.Full) {
        let id = try orders.open(
          approved, symbol: markets[market].symbol, at: now, trace: trace, effects: &orderEffects)
        counts.placed += 1
        note(.approved(id, verdict: approved.verdict))
        session.place(approved, as: id, trace: trace)
        return id
      } catch {
        halt(.capacity)
      }
    }
    return nil
  }

  // Changes nothing; a method that only reads would be given a copy of the whole kernel.
  private mutating func riskContext(
    for intent: OrderIntent, _ market: Int
  ) -> RiskContext {
    let top = markets[market].book.top
    let id = markets[market].listing[0].id
    let working = orders.working(account, id)
    let isContract = markets[market].listing[0].isContract
    var context = RiskContext(
      now: now, instrument: markets[market].listing[0],
      // On a book that is not trusted no price is a reference, the last one told included.
      reference: top.flatMap { ReferencePrice(bid: $0.bid, ask: $0.ask) }
        ?? (top == nil ? nil : markets[market].lastPrice.flatMap { ReferencePrice(last: $0) }),
      freeBase: portfolio.free(account, markets[market].listing[0].base),
      freeQuote: portfolio.free(account, markets[market].listing[0].quote),
      position: portfolio.position(account, id, side: intent.positionSide),
      workingOnInstrument: working.count,
      workingBuyLeaves: working.buyLeaves,
      workingOfStrategy: orders.workingCount(of: intent.strategy))
    if isContract { context.margin = portfolio.marginContext(for: intent) }
    // Nothing new where nobody looks at what is to protect it.
    context.isOpen =
      isReady && !isPaused && !isHeld && !isStopping && (stops.isEmpty || isGuarded(market))
    context.mayReduce = isReady && !isStopping
    return context
  }

  mutating func wakeStrategies() {
    for slot in strategies.indices where strategies[slot].wakeAt <= now {
      strategies[slot].wakeAt = .distantFuture
      if mayTrade { call(slot) { $0.onTimer($1, intents: &$2) } }
    }
    drain()
  }

  /// Once a frame, when the books are whole.
  mutating func wakeOnBooks() {
    for market in markets.indices where markets[market].isChanged {
      markets[market].isChanged = false
      if !stops.isEmpty { lookAtStops(in: market) }
      guard mayTrade, markets[market].book.isTrusted else { continue }
      for slot in strategies.indices where Int(strategies[slot].instrument.index) == market {
        call(slot) { $0.onBook($1, intents: &$2) }
      }
    }
    drain()
  }

  /// Gives a strategy other settings; what it wants placed for them follows at once if it may.
  mutating func change(_ id: StrategyID, to settings: Span<UInt8>) {
    for slot in strategies.indices where strategies[slot].id == id {
      let coded = settings.indices.map { settings[$0] }
      var isTaken = false
      call(slot) { isTaken = $0.onSettings(coded.span, $1, intents: &$2) }
      note(.settings(id, isTaken: isTaken))
      drain()
      if isTaken {
        takeStops(of: slot)
        lookAtStops(in: Int(strategies[slot].instrument.index))
      }
      if isTaken && mayTrade && markets[Int(strategies[slot].instrument.index)].book.isTrusted {
        call(slot) { $0.onBook($1, intents: &$2) }
      }
    }
    drain()
  }

  var mayTrade: Bool { isReady && !isPaused && !isHeld && !isStopping && risk.halt == nil }

  // MARK: Stopping, in its three strengths

  /// - Parameter who: asked for it, as text; empty for a program's own end.
  mutating func obey(_ command: OperatorCommand, by who: Span<UInt8>) {
    switch command {
    case .pause:
      isPaused = true
      note(.paused(true))
    case .resume:
      isPaused = false
      if flattening != nil { endFlatten(isWhole: false) }
      note(.paused(false))
      if mayTrade { for slot in strategies.indices { call(slot) { $0.onReady($1, intents: &$2) } } }
    case .halt: halt(.operatorRequest)
    case .rearm:
      let name = InlineText(who.extracting(0..<min(who.count, InlineText.capacity)))
      if risk.rearm(by: name.flatMap { $0.isEmpty ? nil : $0 } ?? "operator", at: now) {
        note(.rearmed)
        session.askAgain(at: now)
        rearmStops()
      }
      if mayTrade { for slot in strategies.indices { call(slot) { $0.onReady($1, intents: &$2) } } }
    case .flatten: beginFlatten()
    case .stop:
      if flattening != nil { endFlatten(isWhole: false) }
      isStopping = true
      loseStops(since: now)
      retreat()
      session.receive(.stop, bytes: Span(), at: now, events: &events, effects: &effects)
    }
    drain()
  }

  /// Without room for the journal nothing is begun, and what rests is taken off while there is room to
  /// write that down. It ends by itself, for its reason does so without a doubt: nothing was lost, and
  /// every record before and after stands in the journal. A sync that failed leaves such a doubt, and
  /// halts.
  mutating func hear(_ state: JournalState) {
    note(.journal(state))
    switch state {
    case .short:
      isHeld = true
      retreat()
    case .sound:
      guard isHeld else { return }
      isHeld = false
      if mayTrade { for slot in strategies.indices { call(slot) { $0.onReady($1, intents: &$2) } } }
      drain()
    case .failed: halt(.journalFailed)
    }
  }

  /// Nothing new is placed until an operator rearms, and what rests is taken off.
  mutating func halt(_ reason: HaltReason) {
    guard risk.halt == nil else { return }
    risk.halt(reason, at: now)
    note(.halted(reason))
    if reason.endsWithProcess { loseStops(since: now) }
    retreat()
  }

  /// Asks for the end of every order of ours.
  mutating func retreat() {
    orders.fill(&working)
    for index in 0..<working.count {
      orders.requestCancel(working[index].clientOrderID, at: now, effects: &orderEffects)
    }
    drain()
  }
}
