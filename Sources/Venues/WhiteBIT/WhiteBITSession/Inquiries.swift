public import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// What the venue is asked about one order whose fate is unknown.
///
/// Open orders, then the history of finished ones, then the fills, each by our own id. Absence proves
/// nothing at once: lists lag behind, and a delayed request may still arrive. An order is said never
/// to have arrived when at least two rounds denied it, the last one begun after nothing sent could
/// arrive any more.
struct Inquiry: Equatable, Sendable {
  enum Stage: UInt8, Sendable {
    case open = 0
    case history = 1
    case fills = 2

    var endpoint: Endpoint {
      switch self {
      case .open: .openOrders
      case .history: .orderHistory
      case .fills: .executedHistory
      }
    }
  }

  var id: ClientOrderID
  var instrument: InstrumentID
  /// From when on a denial counts as final: a settling time after it was sent, or asked about.
  var decideAt: Timestamp
  var stage = Stage.open
  /// Rounds that denied the order.
  var denials: Int32 = 0
  var roundBegunAt = Timestamp.zero
  /// When the next request is to be sent; `distantFuture` while one is on its way.
  var dueAt: Timestamp
  /// Requests that failed in a row.
  var attempt: Int32 = 0
  /// Rows of fills read so far.
  var offset: Int32 = 0
  /// What open orders or history said, told after the fills that led to it.
  var found: OrderReport?
  var isInFlight = false
}

extension WhiteBITSession {
  /// Questions under way at once, and kept waiting.
  static var maxInquiries: Int { OwnOrders.capacity }
  static var maxInquiriesInFlight: Int { 32 }

  /// Begins to ask about an order, unless that is being done already.
  mutating func inquire(
    _ id: ClientOrderID, of instrument: InstrumentID, sentAt: Timestamp, at now: Timestamp
  ) {
    guard isActive, markets.index(of: instrument) != nil else { return }
    for index in 0..<inquiries.count where inquiries[index].id == id { return }
    guard inquiries.count < WhiteBITSession.maxInquiries else { return }
    inquiries.append(
      Inquiry(
        id: id, instrument: instrument, decideAt: max(sentAt, now) + configuration.settleDelay,
        dueAt: now))
  }

  mutating func sendInquiries(at now: Timestamp, effects: inout VenueEffects) {
    var inFlight = 0
    for index in 0..<inquiries.count where inquiries[index].isInFlight { inFlight += 1 }
    for index in 0..<inquiries.count where inquiries[index].dueAt <= now {
      guard inFlight < WhiteBITSession.maxInquiriesInFlight,
        requests.count < WhiteBITSession.maxInFlight
      else { return }
      let inquiry = inquiries[index]
      // Another stage's lists may be had where this one's are not.
      guard quota.take(inquiry.stage.endpoint.group, at: now) else { continue }
      inFlight += 1
      inquiries[index].isInFlight = true
      inquiries[index].dueAt = .distantFuture
      if inquiry.stage == .open { inquiries[index].roundBegunAt = now }
      guard let position = markets.index(of: inquiry.instrument) else { continue }
      let market = markets[position].symbol.market
      _ = post(
        inquiry.stage.endpoint, .inquiry(inquiry.id), .read, timeout: configuration.readTimeout,
        effects: &effects
      ) {
        Orders.writePage(
          market: market, clientOrderID: inquiry.id, limit: WhiteBITSession.pageSize,
          offset: Int(inquiry.offset), with: &$0, into: &$1)
      }
    }
  }

  public mutating func askAgain(at now: Timestamp) {
    inquireAgain(at: now)
    if phase == .preparing {
      if !done.contains(.time) { askAgain(.time, at: now) }
      if done == .time { askAgain(.markets, at: now) }
      if done.contains(.markets) && !done.contains(.ticker) { askAgain(.ticker, at: now) }
      if done.contains(.markets) && !done.contains(.balances) { askAgain(.balances, at: now) }
    }
    if step == .balances { askAgain(.balances, at: now) }
    if isWanted(.token) { askAgain(.token, at: now) }
    // From the page on that was refused.
    for job in [Job.orders, .fills, .clear] where isWanted(job) && !isComplete(job) {
      askAgain(job, at: now)
    }
  }

  private mutating func askAgain(_ job: Job, at now: Timestamp) {
    let state = jobs[Int(job.rawValue)]
    if !state.isInFlight && state.dueAt == .distantFuture { want(job, at: now) }
  }

  /// Asks again for orders whose question was refused, and given up.
  mutating func inquireAgain(at now: Timestamp) {
    for index in 0..<inquiries.count
    where !inquiries[index].isInFlight && inquiries[index].dueAt == .distantFuture {
      inquiries[index].dueAt = now
    }
  }

  private func inquiryIndex(of id: ClientOrderID) -> Int? {
    for index in 0..<inquiries.count where inquiries[index].id == id { return index }
    return nil
  }

  /// A question got no answer: it is put again, later. That says nothing about the order.
  mutating func delayInquiry(
    _ id: ClientOrderID, at now: Timestamp, events: inout VenueEvents
  ) {
    guard let index = inquiryIndex(of: id) else { return }
    inquiries[index].isInFlight = false
    inquiries[index].dueAt =
      now
      + configuration.backoff.delay(attempt: Int(inquiries[index].attempt), random: &random)
    inquiries[index].attempt = min(inquiries[index].attempt + 1, 16)
    if inquiries[index].attempt == configuration.tries {
      events.append(
        .notice(.retriesExhausted(.inquiry, tries: configuration.tries, order: id)))
    }
  }

  private mutating func endTries(ofInquiry index: Int, events: inout VenueEvents) {
    if inquiries[index].attempt >= configuration.tries {
      events.append(.notice(.retriesSucceeded(.inquiry, order: inquiries[index].id)))
    }
    inquiries[index].attempt = 0
  }

  mutating func receiveInquiry(
    _ id: ClientOrderID, _ verdict: Faults.Verdict, status: UInt16, _ body: Span<UInt8>,
    at now: Timestamp, events: inout VenueEvents
  ) {
    guard let index = inquiryIndex(of: id) else { return }
    switch verdict.outcome {
    case .accepted: break
    case .refused(.notFound, _):
      // The venue's way of saying that it has none.
      inquiries[index].isInFlight = false
      endTries(ofInquiry: index, events: &events)
      goOn(index, at: now, events: &events)
      return
    case .refused, .inDoubt, .backOff:
      if verdict.isWorthAsking(status: status) || phase == .stopping {
        // A stop goes on as long as it may: behind it nobody would ask.
        delayInquiry(id, at: now, events: &events)
      } else {
        // It stays in the list, not due: the order's fate is unknown, and is not asked for again before
        // somebody has looked.
        inquiries[index].isInFlight = false
        events.append(.questionRefused(status: status, code: verdict.error?.code ?? 0))
      }
      return
    case .stop: return
    }
    let isRead: Bool
    switch inquiries[index].stage {
    case .open: isRead = readOpen(body, index, events: &events)
    case .history: isRead = readHistory(body, index, events: &events)
    case .fills: isRead = readInquiredFills(body, index, events: &events)
    }
    guard isRead else {
      events.append(.anomaly(.malformed))
      delayInquiry(id, at: now, events: &events)
      return
    }
    inquiries[index].isInFlight = false
    if inquiries[index].found?.status != .unknown {
      endTries(ofInquiry: index, events: &events)
    }
    goOn(index, at: now, events: &events)
  }

  private mutating func readOpen(
    _ body: Span<UInt8>, _ index: Int, events: inout VenueEvents
  ) -> Bool {
    do {
      var rows = try Rows<WireOrder>(body)
      while let order = try rows.next(in: body) {
        keep(order, index, isFinished: false, source: .query, events: &events)
      }
      return true
    } catch {
      return false
    }
  }

  private mutating func readHistory(
    _ body: Span<UInt8>, _ index: Int, events: inout VenueEvents
  ) -> Bool {
    do {
      var rows = try MarketRows<WireOrder>(body)
      while let order = try rows.next(in: body) {
        // A row without status words of an end is an end all the same: it is in the history.
        keep(order, index, isFinished: true, source: .history, events: &events)
      }
      return true
    } catch {
      return false
    }
  }

  private mutating func keep(
    _ order: WireOrder, _ index: Int, isFinished: Bool, source: NewsSource,
    events: inout VenueEvents
  ) {
    let inquiry = inquiries[index]
    guard order.clientID == ClientText(inquiry.id),
      let market = markets.index(of: inquiry.instrument)
    else { return }
    guard let scale = markets[market].scale,
      let report = order.report(
        account: configuration.account, instrument: inquiry.instrument, scale: scale,
        isFinished: isFinished, source: source)
    else {
      events.append(.anomaly(.malformed))
      return
    }
    inquiries[index].found = report
  }

  private mutating func readInquiredFills(
    _ body: Span<UInt8>, _ index: Int, events: inout VenueEvents
  ) -> Bool {
    guard let market = markets.index(of: inquiries[index].instrument),
      let count = tellFills(body, market: market, events: &events)
    else { return false }
    if count >= WhiteBITSession.pageSize {
      inquiries[index].offset += Int32(count)
    } else {
      inquiries[index].offset = 0
    }
    return true
  }

  /// From one list to the next, and to a verdict behind the last.
  private mutating func goOn(_ index: Int, at now: Timestamp, events: inout VenueEvents) {
    let inquiry = inquiries[index]
    if inquiry.found?.status == .unknown {
      // The list words it as this build does not know. It may be worded otherwise later.
      events.append(.anomaly(.unknownStatus))
      inquiries[index].found = nil
      inquiries[index].stage = .open
      delayInquiry(inquiry.id, at: now, events: &events)
      return
    }
    switch inquiry.stage {
    case .open:
      if let found = inquiry.found, found.cumulative == .zero {
        conclude(index, found, at: now, events: &events)
        return
      }
      inquiries[index].stage = inquiry.found == nil ? .history : .fills
    case .history: inquiries[index].stage = .fills
    case .fills:
      if inquiry.offset > 0 { break }  // Another page of them.
      if let found = inquiry.found {
        conclude(index, found, at: now, events: &events)
        return
      }
      deny(index, at: now, events: &events)
      return
    }
    inquiries[index].dueAt = now
  }

  private mutating func conclude(
    _ index: Int, _ found: OrderReport, at now: Timestamp, events: inout VenueEvents
  ) {
    inquiries.remove(at: index)
    tell(found, at: now, events: &events)
  }

  private mutating func deny(_ index: Int, at now: Timestamp, events: inout VenueEvents) {
    let inquiry = inquiries[index]
    inquiries[index].denials += 1
    if inquiry.denials + 1 >= 2 && inquiry.roundBegunAt >= inquiry.decideAt {
      inquiries.remove(at: index)
      own.remove(inquiry.id)
      events.append(.orderNeverArrived(inquiry.id))
      return
    }
    inquiries[index].stage = .open
    inquiries[index].dueAt =
      inquiry.denials + 1 >= 2
      ? max(now + configuration.inquiryInterval, inquiry.decideAt)
      : now + configuration.inquiryInterval
  }
}
