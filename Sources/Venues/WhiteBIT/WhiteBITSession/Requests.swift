internal import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// What the session asks of its own accord, each at most once at a time.
enum Job: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  /// The venue's clock.
  case time = 0
  /// The markets' rules.
  case markets = 1
  /// Last prices.
  case ticker = 2
  case balances = 3
  /// The token that opens the private channels.
  case token = 4
  /// Open orders, market by market and page by page.
  case orders = 5
  /// Fills since the last one known, market by market and page by page.
  case fills = 6
  /// Cancel-all of a clean slate, market by market.
  case clear = 7
  /// Polled books, market by market.
  case book = 8
  /// Polled prints, market by market.
  case tape = 9
  /// Fills since the last proof, to be compared with those that were told.
  case proof = 10

  /// Whose quota it spends.
  var group: RequestGroup {
    switch self {
    case .time, .markets, .ticker, .tape: .market
    case .balances, .fills, .proof: .account
    case .token: .token
    case .orders: .orders
    case .clear: .cancel
    case .book: .books
    }
  }

  /// What a person is told of when its tries run out.
  var task: RetriedTask {
    switch self {
    case .time: .clock
    case .markets: .rules
    case .ticker: .lastPrices
    case .balances: .balances
    case .token: .token
    case .orders: .openOrders
    case .fills: .fills
    case .clear: .cancelAll
    case .book: .book
    case .tape: .trades
    case .proof: .proof
    }
  }

  /// Whether it names one market at a time, and can go on without one that is not available.
  var goesByMarket: Bool {
    switch self {
    case .orders, .fills, .clear, .book, .tape, .proof: true
    case .time, .markets, .ticker, .balances, .token: false
    }
  }
}

/// Where a job stands.
struct JobState: Equatable, Sendable, BitwiseCopyable {
  /// When it is to be sent; `distantFuture` when it is not wanted or on its way.
  var dueAt = Timestamp.distantFuture
  var isInFlight = false
  /// Failures in a row.
  var attempt: Int32 = 0
  /// Of the market by index, for jobs that go market by market.
  var market: Int32 = 0
  /// Rows read so far of that market.
  var offset: Int32 = 0
  /// It was wanted from the first market on while a request of it was on its way, whose reply is
  /// therefore not read.
  var isToRestart = false
}

/// What a request in flight is about.
enum Purpose: Equatable, Sendable, BitwiseCopyable {
  case job(Job)
  /// One order, or a batch: the orders stand in `sent` under the request's id, in order.
  case place
  case cancel(ClientOrderID, InstrumentID)
  case inquiry(ClientOrderID)
}

struct Request: Equatable, Sendable, BitwiseCopyable {
  var id: RequestID
  var purpose: Purpose
  var group: RequestGroup
  var sentAt: Timestamp
}

/// An order on its way in a request.
struct SentOrder: Equatable, Sendable, BitwiseCopyable {
  var request: RequestID
  var id: ClientOrderID
  var instrument: InstrumentID
  var sentAt: Timestamp
}

/// An order that waits for a flush.
struct QueuedOrder: Equatable, Sendable, BitwiseCopyable {
  var intent: OrderIntent
  var id: ClientOrderID
}

/// A cancel that waits for a flush.
struct QueuedCancel: Equatable, Sendable, BitwiseCopyable {
  var id: ClientOrderID
  var instrument: InstrumentID
}

// How requests leave, and where replies go.
extension WhiteBITSession {
  /// Requests in flight at once.
  static var maxInFlight: Int { 256 }
  /// Orders in one `order/bulk`.
  static var maxBatch: Int { 20 }
  /// Rows in one page of a list.
  static var pageSize: Int { 100 }

  mutating func nextRequestID() -> RequestID {
    lastRequest += 1
    return RequestID(lastRequest)
  }

  /// Sends a signed POST.
  mutating func post(
    _ endpoint: Endpoint, _ purpose: Purpose, _ kind: RequestClass, timeout: TimeSpan,
    isReplySecret: Bool = false, effects: inout VenueEffects, fields: FieldWriter = { _, _ in }
  ) -> RequestID {
    let id = nextRequestID()
    let target = effects.bytes.count
    effects.bytes.append(endpoint.path)
    let length = effects.bytes.count - target
    var body = SignedBody(endpoint, into: &effects.bytes)
    body.fields(into: &effects.bytes, fields)
    let (range, signing) = body.end(into: &effects.bytes)
    requests.append(
      Request(id: id, purpose: purpose, group: endpoint.group, sentAt: clock))
    effects.append(
      .request(
        RequestEffect(
          id: id, requestClass: kind, target: ByteRange(start: target, count: length), body: range,
          signing: signing, timeout: timeout, isReplySecret: isReplySecret)))
    return id
  }

  /// Sends a public GET.
  mutating func get(
    _ endpoint: Endpoint, _ purpose: Purpose, market: InlineText? = nil, query: Int? = nil,
    effects: inout VenueEffects
  ) {
    let id = nextRequestID()
    let start = effects.bytes.count
    effects.bytes.append(endpoint.path)
    if let market {
      effects.bytes.append(0x2f)
      effects.bytes.append(market)
    }
    if let query {
      effects.bytes.append("?limit=")
      effects.bytes.append(decimal: query)
    }
    requests.append(
      Request(id: id, purpose: purpose, group: endpoint.group, sentAt: clock))
    effects.append(
      .request(
        RequestEffect(
          id: id, requestClass: .read,
          target: ByteRange(start: start, count: effects.bytes.count - start),
          body: ByteRange(start: effects.bytes.count, count: 0), signing: .none,
          timeout: configuration.readTimeout)))
  }

  // MARK: Jobs

  mutating func want(_ job: Job, at time: Timestamp) {
    let index = Int(job.rawValue)
    if jobs[index].isInFlight { return }
    jobs[index].dueAt = min(jobs[index].dueAt, time)
  }

  /// Wants a job that goes market by market, from the first one on.
  mutating func wantAll(_ job: Job, at time: Timestamp) {
    let index = Int(job.rawValue)
    if jobs[index].isInFlight {
      jobs[index].isToRestart = true
      return
    }
    jobs[index].market = 0
    jobs[index].offset = 0
    want(job, at: time)
  }

  mutating func dismiss(_ job: Job) {
    jobs[Int(job.rawValue)].dueAt = .distantFuture
    jobs[Int(job.rawValue)].isToRestart = false
  }

  /// Sends every job that is due and that the quota allows.
  mutating func sendJobs(at now: Timestamp, effects: inout VenueEffects) {
    for job in Job.allCases where jobs[Int(job.rawValue)].dueAt <= now {
      guard requests.count < WhiteBITSession.maxInFlight, quota.take(job.group, at: now)
      else { continue }
      jobs[Int(job.rawValue)].dueAt = .distantFuture
      jobs[Int(job.rawValue)].isInFlight = true
      send(job, at: now, effects: &effects)
    }
  }

  private mutating func send(_ job: Job, at now: Timestamp, effects: inout VenueEffects) {
    let state = jobs[Int(job.rawValue)]
    let market = markets[Int(state.market)].symbol.market
    let timeout = configuration.readTimeout
    switch job {
    case .time: get(.time, .job(.time), effects: &effects)
    case .markets: get(.markets, .job(.markets), effects: &effects)
    case .ticker: get(.ticker, .job(.ticker), effects: &effects)
    case .balances:
      _ = post(.tradeBalance, .job(job), .read, timeout: timeout, effects: &effects)
    case .token:
      _ = post(
        .websocketToken, .job(job), .token, timeout: timeout, isReplySecret: true,
        effects: &effects)
    case .orders:
      _ = post(.openOrders, .job(job), .read, timeout: timeout, effects: &effects) {
        Orders.writePage(
          market: market, limit: WhiteBITSession.pageSize, offset: Int(state.offset), with: &$0,
          into: &$1)
      }
    case .fills, .proof:
      let start = job == .proof ? proofStart : fillsStart
      _ = post(.executedHistory, .job(job), .read, timeout: timeout, effects: &effects) {
        Orders.writePage(
          market: market, startDate: start, limit: WhiteBITSession.pageSize,
          offset: Int(state.offset), with: &$0, into: &$1)
      }
    case .clear:
      _ = post(
        .cancelAll, .job(job), .cancel, timeout: configuration.cancelTimeout, effects: &effects
      ) { Orders.writeCancelAll(market: market, with: &$0, into: &$1) }
    case .book:
      get(
        .orderBook, .job(job), market: market, query: configuration.depthLimit, effects: &effects)
    case .tape: get(.trades, .job(job), market: market, effects: &effects)
    }
  }

  /// A job's request failed, or its reply could not be read: it is tried again later, if it is
  /// wanted still.
  mutating func retry(_ job: Job, at now: Timestamp, events: inout VenueEvents) {
    guard isWanted(job) else { return }
    let index = Int(job.rawValue)
    let wait = configuration.backoff.delay(attempt: Int(jobs[index].attempt), random: &random)
    jobs[index].attempt = min(jobs[index].attempt + 1, 16)
    if jobs[index].attempt == configuration.tries {
      events.append(
        .notice(
          .retriesExhausted(job.task, tries: configuration.tries, order: ClientOrderID(""))))
    }
    if job == .proof && phase == .stopping && jobs[index].attempt >= configuration.tries {
      // An end does not wait for what only tells.
      proof.isRunning = false
      isProofGivenUp = true
      return
    }
    want(job, at: now + wait)
  }

  /// A job went well.
  mutating func endTries(of job: Job, events: inout VenueEvents) {
    let index = Int(job.rawValue)
    if jobs[index].attempt >= configuration.tries {
      events.append(.notice(.retriesSucceeded(job.task, order: ClientOrderID(""))))
    }
    jobs[index].attempt = 0
  }

  // MARK: Replies

  mutating func takeRequest(_ id: RequestID) -> Request? {
    for index in 0..<requests.count where requests[index].id == id {
      return requests.remove(at: index)
    }
    return nil
  }

  mutating func receiveReply(
    _ id: RequestID, status: UInt16, body: Span<UInt8>, at now: Timestamp,
    events: inout VenueEvents, effects: inout VenueEffects
  ) {
    guard let request = takeRequest(id) else { return }  // We had given up waiting for it.
    let verdict = Faults.verdict(status: status, body: body)
    if let anomaly = verdict.anomaly { events.append(.anomaly(anomaly)) }
    if let notice = quota.answered(
      request.group, verdict, sentAt: request.sentAt, at: now, backoff: configuration.backoff,
      random: &random)
    {
      events.append(.notice(notice))
      if case .breakerOpened(.place, _, _) = notice { refuseQueue(.rateLimited) }
    }
    // Our idea of the venue's clock may be wrong: every nonce hangs on it.
    if verdict.anomaly == .staleNonce && isWanted(.time) { want(.time, at: now) }
    switch request.purpose {
    case .job(let job):
      jobs[Int(job.rawValue)].isInFlight = false
      if jobs[Int(job.rawValue)].isToRestart {
        restart(job, at: now)
      } else {
        receive(
          job, verdict, status: status, body, sentAt: request.sentAt, at: now, events: &events,
          effects: &effects)
      }
    case .place: receivePlacement(id, verdict, body, at: now, events: &events)
    case .cancel(let order, let instrument):
      receiveCancel(order, instrument, verdict, body, at: now, events: &events)
    case .inquiry(let order):
      receiveInquiry(order, verdict, status: status, body, at: now, events: &events)
    }
    if case .stop(let code) = verdict.outcome {
      halt(status: status, code: code, events: &events)
    }
  }

  mutating func receiveFailure(
    _ id: RequestID, _ failure: RequestFailure, at now: Timestamp, events: inout VenueEvents
  ) {
    guard let request = takeRequest(id) else { return }
    quota.unanswered(request.group, sentAt: request.sentAt, at: now)
    switch request.purpose {
    case .job(let job):
      jobs[Int(job.rawValue)].isInFlight = false
      if jobs[Int(job.rawValue)].isToRestart {
        restart(job, at: now)
      } else {
        retry(job, at: now, events: &events)
      }
    case .place:
      for order in takeSent(id) {
        if failure == .notSent {
          // No byte left us: it cannot have acted, and it is not sent again behind the strategy's
          // back either.
          refuse(order.id, .other, code: 0, events: &events)
        } else {
          doubt(order.id, of: order.instrument, sentAt: order.sentAt, at: now, events: &events)
        }
      }
    case .cancel(let order, let instrument):
      loseCancel(order, of: instrument, at: now, events: &events)
    case .inquiry(let order): delayInquiry(order, at: now, events: &events)
    }
  }

  private mutating func restart(_ job: Job, at now: Timestamp) {
    jobs[Int(job.rawValue)].isToRestart = false
    if isWanted(job) { wantAll(job, at: now) }
  }

  private mutating func receive(
    _ job: Job, _ verdict: Faults.Verdict, status: UInt16, _ body: Span<UInt8>,
    sentAt: Timestamp, at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    switch verdict.outcome {
    case .accepted:
      let isRepeated = job == .time && isClockKnown
      let isRead =
        switch job {
        case .time: readTime(body, sentAt: sentAt, at: now, events: &events)
        case .markets: readMarkets(body, at: now, events: &events)
        case .ticker: readTicker(body, at: now, events: &events)
        case .balances: readBalances(body, events: &events)
        case .token: readToken(body, effects: &effects, at: now)
        case .orders: readOrders(body, at: now, events: &events)
        case .fills: readFills(body, at: now, events: &events)
        case .clear: readClear(at: now)
        case .book: readBook(body, at: now, events: &events)
        case .tape: readTape(body, at: now, events: &events)
        case .proof: readProof(body, at: now, events: &events)
        }
      if isRead {
        endTries(of: job, events: &events)
        // The clock again: nothing waited for it, and no other question is to be put for it.
        if !isRepeated {
          prepare(after: job, at: now)
          advance(at: now, events: &events, effects: &effects)
        }
      } else {
        events.append(.anomaly(.malformed))
        retry(job, at: now, events: &events)
      }
    case .refused(.notFound, _) where job == .fills || job == .proof:
      // The venue's way of saying that there are none.
      finishPage(of: job, rows: 0, at: now)
      advance(at: now, events: &events, effects: &effects)
    case .refused(.instrumentUnavailable, _) where job.goesByMarket:
      withdraw(Int(jobs[Int(job.rawValue)].market), at: now, events: &events)
      finishPage(of: job, rows: 0, at: now)
      advance(at: now, events: &events, effects: &effects)
    case .refused, .inDoubt, .backOff:
      if verdict.isWorthAsking(status: status) {
        retry(job, at: now, events: &events)
      } else {
        giveUp(job, verdict, status: status, at: now, events: &events)
      }
    case .stop: break
    }
  }

  /// The venue refused a question, and would refuse it again. What is asked at intervals is asked at
  /// the next one; for the rest somebody must look.
  private mutating func giveUp(
    _ job: Job, _ verdict: Faults.Verdict, status: UInt16, at now: Timestamp,
    events: inout VenueEvents
  ) {
    switch job {
    case .book, .tape: finishPage(of: job, rows: 0, at: now)
    case .proof: giveUpProof(at: now, events: &events)
    case .time where done.contains(.time):
      events.append(.notice(.retriesExhausted(.clock, tries: 1, order: ClientOrderID(""))))
      want(.time, at: now + configuration.clockInterval)
    case .markets where done.contains(.markets):
      want(.markets, at: now + configuration.rulesInterval)
    case .ticker where done.contains(.ticker): tickers.fail()
    // The stream tells of every change; only a reconciliation cannot do without the list.
    case .balances where done.contains(.balances) && step != .balances: break
    // A stop goes on as long as it may: behind it nobody would ask.
    case .time where phase == .stopping, .orders where phase == .stopping:
      retry(job, at: now, events: &events)
    case .time, .markets, .ticker, .balances, .token, .orders, .fills, .clear:
      events.append(.questionRefused(status: status, code: verdict.error?.code ?? 0))
    }
  }

  // MARK: Placing

  mutating func takeSent(_ id: RequestID) -> [SentOrder] {
    var taken: [SentOrder] = []
    sent.removeAll { order in
      guard order.request == id else { return false }
      taken.append(order)
      return true
    }
    return taken
  }

  func isInFlight(_ id: ClientOrderID) -> Bool {
    for order in sent where order.id == id { return true }
    return false
  }

  private mutating func receivePlacement(
    _ request: RequestID, _ verdict: Faults.Verdict, _ body: Span<UInt8>, at now: Timestamp,
    events: inout VenueEvents
  ) {
    guard case .accepted = verdict.outcome else {
      for order in takeSent(request) { settle(order, verdict, at: now, events: &events) }
      return
    }
    var batch = 0
    var first = 0
    for index in 0..<sent.count where sent[index].request == request {
      if batch == 0 { first = index }
      batch += 1
    }
    // The orders of one request stand together in `sent`, in the order they were written.
    if batch == 1 {
      let order = sent[first]
      sent.remove(at: first)
      if let reply = try? Orders.readReply(body) {
        accept(reply, for: order, at: now, events: &events)
      } else {
        lose(order, at: now, events: &events)
      }
      return
    }
    var answered = 0
    if var items = try? Orders.BulkItems(body) {
      while answered < batch, let item = try? items.next(in: body) {
        let order = sent[first + answered]
        answered += 1
        switch item {
        case .order(let reply): accept(reply, for: order, at: now, events: &events)
        case .refused(let error):
          let verdict = Faults.verdict(item: error)
          settle(order, verdict, at: now, events: &events)
          if case .stop(let code) = verdict.outcome {
            halt(status: 200, code: code, events: &events)
          }
        case .empty: lose(order, at: now, events: &events)
        }
      }
    }
    // What the reply says nothing of may have been placed.
    while answered < batch {
      lose(sent[first + answered], at: now, events: &events)
      answered += 1
    }
    sent.removeSubrange(first..<first + batch)
  }

  /// The reply names an order: it must be the one that was sent.
  private mutating func accept(
    _ reply: WireOrder, for order: SentOrder, at now: Timestamp, events: inout VenueEvents
  ) {
    guard reply.clientID == ClientText(order.id), let index = markets.index(of: order.instrument),
      let scale = markets[index].scale,
      let report = reply.report(
        account: configuration.account, instrument: order.instrument, scale: scale, source: .reply)
    else {
      lose(order, at: now, events: &events)
      return
    }
    tell(report, at: now, events: &events)
  }

  /// A reply that cannot be read: something is placed, or nothing.
  private mutating func lose(_ order: SentOrder, at now: Timestamp, events: inout VenueEvents) {
    events.append(.anomaly(.malformed))
    doubt(order.id, of: order.instrument, sentAt: order.sentAt, at: now, events: &events)
  }

  private mutating func settle(
    _ order: SentOrder, _ verdict: Faults.Verdict, at now: Timestamp, events: inout VenueEvents
  ) {
    switch verdict.outcome {
    case .refused(.duplicateClientOrderID, _), .inDoubt, .accepted:
      // A name that is taken may mean that an earlier sending of the same order succeeded.
      doubt(order.id, of: order.instrument, sentAt: order.sentAt, at: now, events: &events)
    case .refused where !verdict.isInVenuesWords:
      // An order is refused by a code or a message of the venue's; of whoever else, it proves nothing.
      lose(order, at: now, events: &events)
    case .refused(let reason, let code):
      refuse(order.id, reason, code: code, events: &events)
      tellFields(of: verdict, order.id, code: code, events: &events)
      if reason == .insufficientBalance { want(.balances, at: now) }
      // Risk knew the rules when it approved: the venue's may be others by now.
      if reason.isAboutRules { want(.markets, at: now + configuration.rulesRecheck) }
      if reason == .instrumentUnavailable, let index = markets.index(of: order.instrument) {
        withdraw(index, at: now, events: &events)
      }
    case .backOff:
      // The venue's own words prove that it was not taken; a gateway's page is asked about once.
      if verdict.isInVenuesWords {
        refuse(order.id, .rateLimited, code: verdict.error?.code ?? 429, events: &events)
      } else {
        doubt(order.id, of: order.instrument, sentAt: order.sentAt, at: now, events: &events)
      }
    case .stop(let code):
      // Whoever on the way says no without the venue's words proves nothing of what stands behind it.
      if verdict.isInVenuesWords {
        refuse(order.id, .unauthorized, code: code, events: &events)
      } else {
        lose(order, at: now, events: &events)
      }
    }
  }

  /// The fields that the venue names, each once, for a person: what to fix stands there.
  private func tellFields(
    of verdict: Faults.Verdict, _ id: ClientOrderID, code: Int32, events: inout VenueEvents
  ) {
    guard let entries = verdict.error?.entries else { return }
    var last = ""
    for entry in entries.prefix(8) where entry.field != last {
      last = entry.field
      // A name too long for any field of an order is none.
      if let field = InlineText(entry.field) {
        events.append(.notice(.fieldRefused(field, order: id, code: code)))
      }
    }
  }

  mutating func refuse(
    _ id: ClientOrderID, _ reason: RefusalReason, code: Int32, events: inout VenueEvents
  ) {
    own.remove(id)
    events.append(.orderRefused(id, reason, code: code))
  }

  mutating func doubt(
    _ id: ClientOrderID, of instrument: InstrumentID, sentAt: Timestamp, at now: Timestamp,
    events: inout VenueEvents
  ) {
    // The stream may have told of it, and of its end, before the reply was lost.
    guard let order = own[id], order.stage != .open else { return }
    own.change(id) { $0.stage = .inDoubt }
    events.append(.orderInDoubt(id))
    inquire(id, of: instrument, sentAt: sentAt, at: now)
  }

  // MARK: Canceling

  private mutating func receiveCancel(
    _ id: ClientOrderID, _ instrument: InstrumentID, _ verdict: Faults.Verdict,
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) {
    own.change(id) {
      $0.cancel = .none
      $0.cancelAt = now + configuration.inquiryInterval
    }
    switch verdict.outcome {
    case .accepted:
      // Whatever its status says, the reply to a cancel is the order as it ended.
      if let order = try? Orders.readReply(body), order.clientID == ClientText(id),
        let index = markets.index(of: instrument), let scale = markets[index].scale,
        let report = order.report(
          account: configuration.account, instrument: instrument, scale: scale, isFinished: true,
          source: .reply)
      {
        tell(report, at: now, events: &events)
      } else {
        loseCancel(id, of: instrument, at: now, events: &events)
      }
    case .refused(let reason, let code):
      events.append(.cancelRefused(id, reason, code: code))
      if reason == .notFound {
        // “Not open” is filled, canceled, or not there yet: only the venue's lists know.
        inquire(id, of: instrument, sentAt: own[id]?.sentAt ?? now, at: now)
      } else {
        // A stopping session does not repeat what would be refused again.
        own.change(id) { $0.cancelAt = .distantFuture }
      }
    case .inDoubt, .backOff: loseCancel(id, of: instrument, at: now, events: &events)
    case .stop: events.append(.cancelInDoubt(id))
    }
  }

  private mutating func loseCancel(
    _ id: ClientOrderID, of instrument: InstrumentID, at now: Timestamp, events: inout VenueEvents
  ) {
    own.change(id) {
      $0.cancel = .none
      $0.cancelAt = now + configuration.inquiryInterval
    }
    events.append(.cancelInDoubt(id))
    if isActive { inquire(id, of: instrument, sentAt: own[id]?.sentAt ?? now, at: now) }
  }
}

extension RefusalReason {
  /// Whether it says that an order breaks a rule of its market.
  fileprivate var isAboutRules: Bool {
    switch self {
    case .belowMinimum, .offGrid, .aboveMaximum, .invalidField: true
    default: false
    }
  }
}
