import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

/// What waits for the venue's quota, in which order it goes, and what a refusal by quota changes.
@Suite struct SessionQuotaTests {
  private static let gateway = "<html>429</html>"
  private static let throttled = #"{"message":"Too Many Attempts.","code":0}"#
  private static let ambiguous = #"{"code":0,"errors":{},"message":"Too many requests."}"#
  private static let new = "/api/v4/order/new"
  private static let bulk = "/api/v4/order/bulk"
  private static let cancel = "/api/v4/order/cancel"
  private static let balance = "/api/v4/trade-account/balance"

  /// A session that trades, with a backoff without chance.
  private func live(_ change: (inout WhiteBITConfiguration) -> Void = { _ in }) -> SessionHarness {
    let venue = SessionHarness {
      $0.backoff = Backoff(jitter: .zero)
      change(&$0)
    }
    venue.bringUp()
    venue.forget()
    return venue
  }

  /// One that may place two requests at once, and one in every ten seconds.
  private func scarce() -> SessionHarness {
    live {
      $0.rates.sharePercent = 100
      $0.rates.places = RateLimit(4, in: .seconds(20))
    }
  }

  private func intents(_ count: Int, market: UInt16 = 0) -> [OrderIntent] {
    (0..<count).map {
      market == 0
        ? SessionHarness.intent(.buy, 600_000_000 - Int64($0) * 100)
        : SessionHarness.intent(.buy, 3_000_000 - Int64($0), 10_000, market: market)
    }
  }

  private func notices(_ venue: SessionHarness) -> [VenueNotice] {
    venue.events.compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
  }

  /// The client ids of every placement that left, in order.
  private func placed(_ venue: SessionHarness) -> [String] {
    venue.trace.filter { $0.hasPrefix(Self.new + " ") || $0.hasPrefix(Self.bulk + " ") }
      .flatMap { $0.split(separator: "\"clientOrderId\":\"").dropFirst() }
      .map { String($0.prefix { $0 != "\"" }) }
  }

  // MARK: The queue

  @Test(
    "M65 M45: what waits goes in the order of the intents, twenty at once where one market stands")
  func inOrder() throws {
    let venue = scarce()
    let ids = venue.place(intents(70) + intents(5, market: 1) + intents(20))
    #expect(venue.targets == [Self.bulk, Self.bulk])
    venue.advance(by: .seconds(60))
    #expect(placed(venue) == ids.map(\.description))
    #expect(
      venue.waiting.filter { $0.path.contains("/order/") }.map {
        $0.body.split(separator: "\"clientOrderId\"").count - 1
      }
        == [20, 20, 20, 10, 5, 20])
    #expect(venue.refusals.isEmpty)
  }

  @Test(
    "M65: what is canceled while it waits never goes out, and a cancel overtakes all that waits")
  func cancelsFirst() throws {
    let venue = scarce()
    let ids = venue.place(intents(41))
    let extra = venue.place(intents(30))
    #expect(venue.targets == [Self.bulk, Self.bulk])
    let resting = venue.order(ids[0].description)
    venue.open.append(resting)
    venue.push(resting, .new)
    venue.cancel(ids[40])
    venue.cancel(extra[7])
    venue.cancel(ids[0])
    #expect(venue.targets.last == Self.cancel, "before the thirty that wait")
    venue.advance(by: .seconds(60))
    let expected = ids.prefix(40) + extra.prefix(7) + extra.dropFirst(8)
    #expect(placed(venue) == expected.map(\.description))
    #expect(Set(venue.refusals.map(\.0)) == [ids[40], extra[7]])
  }

  @Test("M65: a full queue refuses the intent by name and reason; canceling makes room")
  func full() throws {
    let venue = live {
      $0.rates.sharePercent = 100
      $0.rates.places = RateLimit(2, in: .seconds(600))
      $0.maxQueued = 30
    }
    venue.place(intents(20))
    let waiting = venue.place(intents(30))
    let refused = venue.place(intents(3))
    venue.advance(by: .milliseconds(1))
    #expect(venue.refusals.map(\.0) == refused)
    #expect(venue.refusals.allSatisfy { $0.1 == .queueFull })
    // A strategy that changes its mind all the time neither fills the queue nor the memory.
    for _ in 0..<5 {
      for id in waiting.prefix(1) { venue.cancel(id) }
      let next = venue.place(intents(1))
      venue.cancel(next[0])
    }
    let last = venue.place(intents(1))
    venue.forget()
    venue.advance(by: .seconds(1_200))
    #expect(!venue.refusals.contains { $0.0 == last[0] })
    #expect(placed(venue).last == last[0].description)
  }

  @Test("M65: cancels have a reserve of the address's quota that placements and reads leave alone")
  func reserve() throws {
    let venue = live {
      $0.rates.sharePercent = 100
      $0.rates.address = RateLimit(60, in: .seconds(600))
      $0.rates.reservePercent = 50
    }
    let ids = (0..<40).map { _ in venue.place(intents(1))[0] }
    let sent = venue.targets.count
    #expect(sent > 0 && sent < 16)
    for id in ids.prefix(sent) {
      venue.push(venue.order(id.description), .new)
      venue.cancel(id)
    }
    #expect(venue.targets.filter { $0 == Self.cancel }.count == sent)
  }

  @Test func aSessionCutWhileOrdersWaitGoesOnAlike() throws {
    let venue = scarce()
    let ids = venue.place(intents(70))
    venue.cancel(ids[50])
    try venue.answer(Self.bulk, Self.gateway, status: 429)
    let other = SessionHarness {
      $0.backoff = Backoff(jitter: .zero)
      $0.rates.sharePercent = 100
      $0.rates.places = RateLimit(4, in: .seconds(20))
    }
    var reader = SnapshotReader(venue.snapshotBytes())
    try other.session.read(from: &reader)
    #expect(reader.isAtEnd)
    other.now = venue.now
    venue.trace.removeAll()
    venue.answersPings = false
    other.answersPings = false
    for harness in [venue, other] {
      for _ in 0..<9 {
        harness.advance(by: .seconds(1))
        harness.feed(.timer)
      }
    }
    #expect(venue.trace == other.trace && venue.snapshotBytes() == other.snapshotBytes())
  }

  // MARK: Refused by quota

  /// Lets time pass until a placement leaves, everything else being answered.
  private func untilPlaced(_ venue: SessionHarness) {
    var turns = 0
    while !venue.isWaiting(Self.new), turns < 1_000 {
      venue.settle(except: [Self.new])
      venue.advance(by: max(venue.session.nextDeadline - venue.now, .milliseconds(1)))
      turns += 1
    }
    #expect(turns < 1_000, "no placement leaves")
  }

  @Test("M81: a limit slows the group that met it, 1, 2, 4, 8 s; the others go on")
  func onlyThatGroupWaits() throws {
    let venue = live()
    var waits: [Int64] = []
    venue.place(intents(1))
    for _ in 0..<4 {
      untilPlaced(venue)
      let refusedAt = venue.now
      try venue.answer(Self.new, Self.throttled, status: 429)
      venue.place(intents(1))
      #expect(!venue.isWaiting(Self.new))
      // A cancel, and a question about an order, do not wait for placements.
      let id = venue.newID()
      venue.push(venue.order(id.description), .new)
      venue.cancel(id)
      try venue.answer(Self.cancel, SessionRefusalTests.error(2), status: 422)
      #expect(venue.isWaiting("/api/v4/orders"))
      untilPlaced(venue)
      waits.append((venue.now - refusedAt).milliseconds)
    }
    #expect(waits == [1_000, 2_000, 4_000, 8_000])
    #expect(
      notices(venue)
        == waits.map { .slowed(.place, wait: .milliseconds($0)) })
    #expect(venue.count(.anomaly(.rateLimited)) == 4)
  }

  @Test("C8: the longest wait is the configuration's")
  func longestWait() throws {
    let venue = live {
      $0.backoff = Backoff(cap: .seconds(3), jitter: .zero)
      $0.breaker.window = .milliseconds(1)
    }
    venue.place(intents(1))
    for _ in 0..<6 {
      untilPlaced(venue)
      try venue.answer(Self.new, Self.throttled, status: 429)
      venue.place(intents(1))
    }
    #expect(
      notices(venue)
        == [1, 2, 3, 3, 3, 3].map { .slowed(.place, wait: .seconds($0)) })
  }

  @Test(
    "M44 M81: refused in the venue's words an order is refused, once; a gateway's page is a doubt")
  func placementsUnder429() throws {
    let venue = live()
    let told = venue.place(intents(1))
    try venue.answer(Self.new, Self.throttled, status: 429)
    #expect(venue.refusals.map(\.0) == told && venue.refusals[0].1 == .rateLimited)
    venue.advance(by: .seconds(2))
    let doubted = venue.place(intents(1))
    try venue.answer(Self.new, Self.gateway, status: 429)
    #expect(venue.count(.orderInDoubt(doubted[0])) == 1)
    for _ in 0..<40 {
      venue.settle()
      venue.advance(by: .seconds(1))
    }
    #expect(placed(venue) == (told + doubted).map(\.description), "neither is sent again")
    #expect(venue.count(.orderNeverArrived(doubted[0])) == 1)
  }

  /// Five refusals by quota in a row.
  private func broken() throws -> SessionHarness {
    let venue = live()
    venue.place(intents(1))
    for index in 0..<5 {
      untilPlaced(venue)
      try venue.answer(Self.new, Self.throttled, status: 429)
      if index < 4 { venue.place(intents(1)) }
    }
    return venue
  }

  @Test("five refusals stop placements for a minute, each told to its strategy; then one tries")
  func breaker() throws {
    let venue = try broken()
    let brokenAt = venue.now
    #expect(notices(venue).last == .breakerOpened(.place, refusals: 5, wait: .seconds(60)))
    venue.forget()
    // Nothing is queued for a market of in a minute's time; cancels go as ever.
    let early = venue.place(intents(2))
    let id = venue.newID()
    venue.push(venue.order(id.description), .new)
    venue.cancel(id)
    #expect(venue.targets == [Self.cancel])
    venue.advance(by: .seconds(59))
    #expect(venue.refusals.map(\.0) == early && venue.refusals.allSatisfy { $0.1 == .rateLimited })
    venue.settle()
    venue.advance(by: brokenAt + .seconds(60) - venue.now)
    venue.forget()
    venue.feed(.timer)
    let first = venue.place(intents(1))
    let second = venue.place(intents(1))
    #expect(venue.targets == [Self.new], "one tries, and the other waits for its answer")
    try venue.accept(first[0])
    #expect(notices(venue) == [.breakerClosed(.place)] && venue.targets.count == 2)
    try venue.accept(second[0])
    #expect(venue.refusals.isEmpty)
  }

  @Test("refused again, the one that tried leaves the breaker open for another minute")
  func breakerStaysOpen() throws {
    let venue = try broken()
    venue.advance(by: .seconds(61))
    venue.settle()
    venue.feed(.timer)
    venue.forget()
    venue.place(intents(1))
    try venue.answer(Self.new, Self.throttled, status: 429)
    #expect(notices(venue) == [.breakerOpened(.place, refusals: 6, wait: .seconds(60))])
    venue.place(intents(1))
    venue.advance(by: .seconds(50))
    #expect(venue.targets.filter { $0 == Self.new }.count == 1)
  }

  @Test("cancels refused by quota go on, one in five seconds, and are asked about")
  func cancelsAtASlowPace() throws {
    let venue = live()
    var times: [Timestamp] = []
    let ids = (0..<30).map { _ in venue.newID() }
    for id in ids {
      let order = venue.order(id.description)
      venue.open.append(order)
      venue.push(order, .new)
    }
    for id in ids { venue.cancel(id) }
    for _ in 0..<600 {
      while venue.isWaiting(Self.cancel) {
        times.append(venue.now)
        try venue.answer(Self.cancel, Self.throttled, status: 429)
      }
      venue.settle()
      // What is found open still is to be canceled: Orders asks for it again.
      for report in venue.reports where report.source == .query {
        venue.cancel(report.clientOrderID)
      }
      venue.events.removeAll { if case .order = $0 { true } else { false } }
      venue.advance(by: .milliseconds(100))
    }
    #expect(notices(venue).contains(.breakerOpened(.cancel, refusals: 5, wait: .seconds(60))))
    let slow = times.filter { $0 > venue.now - .seconds(55) }
    #expect(slow.count >= 8 && slow.count <= 12, "\(slow.count) in 55 s")
    #expect(venue.count(.cancelInDoubt(ids[0])) >= 1)
  }

  @Test(
    "M82 C21: words that mean nonce and limit both are the nonce once, and the limit when it was not"
  )
  func ambiguousWords() throws {
    let venue = live()
    let first = venue.place(intents(1))
    try venue.answer(Self.new, Self.ambiguous, status: 429)
    #expect(venue.refusals.map(\.0) == first && notices(venue).isEmpty)
    #expect(venue.isWaiting("/api/v4/public/time"))
    venue.settle()
    venue.place(intents(1))
    #expect(venue.isWaiting(Self.new), "at once: nonces are counted anew")
    try venue.answer(Self.new, Self.ambiguous, status: 429)
    #expect(notices(venue) == [.slowed(.place, wait: .seconds(1))])
  }

  // MARK: Tries that run out

  @Test(
    "M89: after five failures a person is told what failed, once; and once when it is well again",
    arguments: [
      ("/api/v4/public/time", RetriedTask.clock), ("/api/v4/public/markets", .rules),
      ("/api/v4/public/ticker", .lastPrices), ("/api/v4/trade-account/balance", .balances),
      ("/api/v4/profile/websocket_token", .token), ("/api/v4/orders", .openOrders),
      ("/api/v4/trade-account/executed-history", .fills),
    ])
  func triesRunOut(path: String, task: RetriedTask) throws {
    let venue = SessionHarness { $0.backoff = Backoff(jitter: .zero) }
    venue.feed(.start)
    venue.settle(except: [path])
    venue.feed(.deadManArmed(until: .distantFuture))
    venue.settle(except: [path])
    if task != .token && venue.streams == ["open 0"] {
      venue.feed(.streamOpened(StreamID(0)))
      venue.acknowledge(venue.ids("authorize").last ?? 0)
      for method in ["ordersPending_subscribe", "deals_subscribe", "balanceSpot_subscribe"] {
        venue.acknowledge(venue.ids(method).last ?? 0)
      }
      venue.settle(except: [path])
    }
    let exhausted = VenueNotice.retriesExhausted(task, tries: 5, order: ClientOrderID(""))
    for attempt in 1...8 {
      try venue.answer(path, "<html>503</html>", status: 503)
      #expect(notices(venue) == (attempt < 5 ? [] : [exhausted]), "\(attempt)")
      var turns = 0
      while !venue.isWaiting(path), turns < 2_000 {
        venue.settle(except: [path])
        venue.advance(by: .milliseconds(50))
        turns += 1
      }
    }
    venue.settle()
    #expect(
      notices(venue) == [exhausted, .retriesSucceeded(task, order: ClientOrderID(""))])
  }

  @Test("M89: an order whose fate nobody tells, and a stream that does not come up, are told of")
  func inquiriesAndStreamsRunOut() throws {
    let venue = live()
    let ids = venue.place(intents(1))
    try venue.fail(Self.new, .timedOut)
    for _ in 0..<6 {
      venue.settle(except: ["/api/v4/orders"])
      if venue.isWaiting("/api/v4/orders") {
        try venue.fail("/api/v4/orders", .timedOut)
      }
      venue.advance(by: .seconds(40))
    }
    #expect(
      notices(venue) == [.retriesExhausted(.inquiry, tries: 5, order: ids[0])])
    venue.settle()
    #expect(notices(venue).last == .retriesSucceeded(.inquiry, order: ids[0]))
    venue.forget()
    for _ in 0..<7 {
      venue.feed(.streamClosed(StreamID(0)))
      venue.advance(by: .seconds(40))
      venue.settle()
    }
    #expect(
      notices(venue) == [.retriesExhausted(.stream, tries: 5, order: ClientOrderID(""))])
    venue.connect()
    #expect(notices(venue).last == .retriesSucceeded(.stream, order: ClientOrderID("")))
  }
}
