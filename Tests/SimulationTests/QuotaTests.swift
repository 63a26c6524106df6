import Foundation
import MartletBase
import MartletExchange
import MartletKernel
import MartletModel
import MartletOrders
import MartletRisk
import MartletSecrets
import MartletSimulation
import MartletStrategy
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession

/// Places `count` buys at once, below the market, and in a moment named takes some of them back.
struct BurstStrategy: TradingStrategy {
  let count: Int
  /// How long after the burst, and which of the orders, by the number they were wished with.
  var cancelAfter: TimeSpan?
  var canceled: Range<Int> = 0..<0
  private(set) var isPlaced = false
  private(set) var refused = 0

  init(count: Int) { self.count = count }

  mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents) {}

  mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents) {
    guard !isPlaced else { return }
    isPlaced = true
    for index in 0..<count {
      intents.place(
        OrderIntent(
          strategy: context.strategy, account: context.account,
          instrument: context.instrument.id, side: .buy,
          price: context.instrument.scale.price("57000") - Int64(index)
            * context.instrument.rules.tickSize,
          quantity: context.instrument.scale.quantity("0.001"), tag: Int64(index)))
    }
    if let cancelAfter { intents.wake(at: context.now + cancelAfter) }
  }

  mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {}

  mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    if order.state == .rejected { refused += 1 }
  }

  mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext,
    intents: inout Intents
  ) { refused += 1 }

  mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents) {
    for order in context.working where canceled.contains(Int(order.tag)) {
      intents.cancel(order.clientOrderID)
    }
  }

  func write(to snapshot: inout SnapshotWriter) { snapshot.write(isPlaced) }
  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    isPlaced = try snapshot.bool()
  }
}

extension InstrumentScale {
  fileprivate func price(_ text: String) -> Price {
    Price(
      quanta: Int64(
        SimulationTests.amount(text).units / powerOfTen(Amount.places - Int(price.count))))
  }
  fileprivate func quantity(_ text: String) -> Quantity {
    Quantity(
      quanta: Int64(
        SimulationTests.amount(text).units / powerOfTen(Amount.places - Int(quantity.count))))
  }
}

extension Price {
  fileprivate static func - (lhs: Price, rhs: Int64) -> Price { Price(quanta: lhs.quanta - rhs) }
}

/// Quotas that the desk holds us to, on the whole wire.
@Suite struct QuotaTests {
  typealias BurstWorld = World<
    WhiteBITSession, BurstStrategy, WhiteBITDesk, WhiteBITDeadManMachine
  >

  /// Twenty placements in any ten seconds, as the desk and the session are both told.
  private func scarce() -> WhiteBITScenario {
    var scenario = WhiteBITScenario.grid()
    scenario.session = {
      $0.rates.places = RateLimit(20, in: .seconds(10))
      $0.rates.cancels = RateLimit(1_000, in: .seconds(10))
    }
    scenario.desk = {
      $0.quotas = [
        WhiteBITDeskQuota("/api/v4/order/new", "/api/v4/order/bulk", limit: 20, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/order/cancel", limit: 1_000, in: .seconds(10)),
      ]
    }
    return scenario
  }

  private func world(
    _ scenario: WhiteBITScenario, _ strategy: BurstStrategy
  ) throws -> BurstWorld {
    let session = scenario.makeSession()
    let kernel = Kernel<WhiteBITSession, BurstStrategy>(
      account: AccountID(0), symbols: [scenario.market],
      bookDepth: session.configuration.depthLimit, session: session,
      strategies: [
        Kernel<WhiteBITSession, BurstStrategy>.StrategySlot(
          id: StrategyID(0), instrument: InstrumentID(0), strategy: strategy)
      ], orders: OrderStore(tag: scenario.tag),
      risk: RiskGate(
        limits: RiskLimits(
          maxWorkingPerInstrument: 2_000, maxWorkingPerStrategy: 2_000, maxOrdersPerWindow: 2_000)))
    return BurstWorld(
      kernel: kernel, deadMan: try scenario.makeDeadMan(), desk: try scenario.makeDesk(),
      credentials: Credentials(
        key: Secret(copying: Array(scenario.key.utf8).span),
        secret: Secret(copying: Array(scenario.secret.utf8).span)),
      start: WhiteBITScenario.start, seed: scenario.seed, latency: scenario.latency,
      secretField: "websocket_token", clockOffset: WhiteBITScenario.clockOffset)
  }

  /// When each placement and cancel left, and the client ids in it.
  private func departures(
    _ world: borrowing BurstWorld
  ) -> [(time: Timestamp, target: String, ids: [String])] {
    world.trace.requests(by: .kernel).filter { $0.target.hasPrefix("/api/v4/order/") }.map {
      (
        $0.time, $0.target,
        $0.body.split(separator: "\"clientOrderId\":\"").dropFirst()
          .map { String($0.prefix { $0 != "\"" }) }
      )
    }
  }

  private func resting(_ world: borrowing BurstWorld, _ scenario: WhiteBITScenario) -> [String] {
    var found: [String] = []
    if let account = world.desk.account(of: scenario.key) {
      world.desk.exchange.forEachWorkingOrder(of: account) { found.append($0.label.description) }
    }
    return found
  }

  private func approved(_ world: borrowing BurstWorld) -> [String] {
    world.journal.notes.compactMap {
      if case .approved(let id, _) = $0.note { id.description } else { nil }
    }
  }

  @Test(
    "M65: a burst of 1,000 orders passes the queue, none refused by quota, in the order of the intents"
  )
  func aBurst() throws {
    let scenario = scarce()
    var world = try world(scenario, BurstStrategy(count: 1_000))
    world.start()
    world.run(for: .seconds(2))
    let intents = approved(world)
    #expect(intents.count == 1_000 && world.kernel.orders.workingCount == 1_000)
    #expect(
      (180...220).contains(resting(world, scenario).count), "nine requests at once, then by time")
    let isThrough = world.run(for: .seconds(60)) {
      $0.kernel.orders.isQuiescent && $0.isQuiet && $0.trace.count(of: Path.bulk) == 50
    }
    #expect(isThrough && world.desk.refusedByQuota == 0)
    #expect(resting(world, scenario) == intents)
    #expect(world.kernel.counts.refusedByVenue == 0 && world.kernel.counts.doubts == 0)
    let isStopped = world.stop()
    #expect(isStopped && world.desk.refusedByQuota == 0)
    let violations = world.violations(
      prefix: "\(scenario.prefix)", key: scenario.key, secret: scenario.secret)
    let isSound = violations.isEmpty
    #expect(isSound, "\(violations.prefix(5).joined(separator: ", "))")
  }

  @Test("M65: cancels overtake what waits, and what is canceled while it waits never leaves")
  func cancelsOvertake() throws {
    let scenario = scarce()
    var strategy = BurstStrategy(count: 1_000)
    strategy.cancelAfter = .seconds(5)
    strategy.canceled = 150..<400
    var world = try world(scenario, strategy)
    world.start()
    let isThrough = world.run(for: .seconds(120)) {
      $0.kernel.orders.isQuiescent && $0.kernel.orders.workingCount == 750 && $0.isQuiet
    }
    #expect(isThrough && world.desk.refusedByQuota == 0)
    let intents = approved(world)
    #expect(
      resting(world, scenario) == Array(intents[..<150] + intents[400...]),
      "the others, in their order")
    let all = departures(world)
    let cancels = all.filter { $0.target == Path.cancel }
    let sent = all.filter { $0.target != Path.cancel }.flatMap(\.ids)
    // Those that had been placed by then left as cancels at once, ahead of hundreds that waited.
    let canceled = cancels.flatMap(\.ids)
    #expect(canceled.count >= 30 && canceled == sent.filter { canceled.contains($0) })
    let first = try #require(cancels.first)
    let last = try #require(cancels.last)
    #expect(last.time - first.time < .seconds(7))
    #expect(
      all.filter { $0.target != Path.cancel && $0.time > last.time }.flatMap(\.ids).count > 300)
    #expect(Set(sent).isDisjoint(with: intents[150..<400].filter { !canceled.contains($0) }))
    #expect(world.kernel.strategies[0].strategy.refused == 250 - canceled.count)
  }

  @Test("M65: what finds the queue full is refused, and the strategy told which")
  func aFullQueue() throws {
    var scenario = scarce()
    let scarcely = scenario.session
    scenario.session = {
      scarcely(&$0)
      $0.maxQueued = 300
    }
    var world = try world(scenario, BurstStrategy(count: 1_000))
    world.start()
    world.run(for: .seconds(60))
    let intents = approved(world)
    #expect(resting(world, scenario) == Array(intents.prefix(300)))
    var full: [String] = []
    for (_, note, _) in world.journal.notes {
      if case .venueRefused(let id, .queueFull, _) = note { full.append("\(id)") }
    }
    #expect(full == Array(intents.dropFirst(300)) && world.desk.refusedByQuota == 0)
    #expect(world.kernel.strategies[0].strategy.refused == 700)
  }

  @Test(
    "a session that is not told of a limit backs off when it meets it, and never comes near a ban")
  func anUnknownLimit() throws {
    var scenario = scarce()
    scenario.session = { _ in }
    scenario.desk = {
      $0.quotas = [WhiteBITDeskQuota("/api/v4/order/bulk", limit: 3, in: .seconds(10))]
    }
    var world = try world(scenario, BurstStrategy(count: 1_000))
    world.start()
    world.run(for: .seconds(300))
    // Fifty were on their way at once; after that nobody asked again.
    #expect(world.desk.refusedByQuota == 47)
    let notices = world.journal.notes.compactMap {
      if case .notice(let notice) = $0.note { notice } else { nil }
    }
    #expect(notices.contains(.breakerOpened(.place, refusals: 5, wait: .seconds(60))))
    // A gateway's page proves nothing: each was asked about, and none placed twice.
    #expect(world.kernel.counts.doubts == 940 && world.kernel.orders.isQuiescent)
    #expect(resting(world, scenario) == Array(approved(world).prefix(60)))
  }

  @Test(
    "M89 M81: what fails five times in a row is a note of its own in the journal, and so is its end"
  )
  func triesRunOut() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    for _ in 0..<7 {
      world.desk.habits.plan(.page(status: 503, isCarriedOut: false), path: Path.markets)
    }
    world.start()
    world.run(for: .seconds(12))
    func notices(_ world: borrowing WhiteBITWorld) -> [VenueNotice] {
      world.journal.notes.compactMap {
        if case .notice(let notice) = $0.note { notice } else { nil }
      }
    }
    #expect(notices(world).isEmpty)
    let exhausted = VenueNotice.retriesExhausted(.rules, tries: 5, order: ClientOrderID(""))
    world.run(for: .seconds(20))
    #expect(notices(world) == [exhausted] && exhausted.isUrgent)
    #expect("\(exhausted)".contains("failed 5 times"))
    let isThere = world.untilGrid(of: 6, within: .seconds(120))
    #expect(isThere)
    #expect(
      notices(world) == [exhausted, .retriesSucceeded(.rules, order: ClientOrderID(""))])
    // 1, 2, 4, 8, 16, 30, 30 s apart, each with less than a second on top.
    let times = world.trace.requests().filter { $0.target == Path.markets }.map(\.time)
    let waits = zip(times, times.dropFirst()).map { ($1 - $0).milliseconds / 1_000 }
    for (wait, least) in zip(waits, [1, 2, 4, 8, 16, 30, 30]) {
      #expect(wait == least || wait == least + 1, "\(waits)")
    }
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M88: trading under every limit, a hundredth of the venue's, ends without one 429; a day when long"
  )
  func aDay() throws {
    let hours = ProcessInfo.processInfo.environment["MARTLET_LONG"] == nil ? 3 : 24
    var market = HandmadeMarket()
    for _ in 0..<(hours * 6) {
      market.wait(.seconds(300))
      market.sweep(to: 59_890, ask: 59_900)
      market.wait(.seconds(300))
      market.sweep(to: 60_110, ask: 60_120)
    }
    var scenario = WhiteBITScenario.grid(levels: 5, market)
    scenario.session = {
      $0.rates.places = RateLimit(100, in: .seconds(10))
      $0.rates.cancels = RateLimit(100, in: .seconds(10))
      $0.rates.orders = RateLimit(10, in: .seconds(10))
      $0.rates.account = RateLimit(120, in: .seconds(10))
      $0.rates.market = RateLimit(20, in: .seconds(10))
      $0.rates.books = RateLimit(6, in: .seconds(10))
      $0.rates.address = RateLimit(100, in: .seconds(10))
    }
    scenario.desk = {
      $0.quotas = [
        WhiteBITDeskQuota("/api/v4/order/new", "/api/v4/order/bulk", limit: 100, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/order/cancel", limit: 100, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/orders", limit: 10, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/trade-account/", limit: 120, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/public/orderbook/", limit: 6, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/public/", limit: 20, in: .seconds(10)),
        WhiteBITDeskQuota("/api/v4/profile/", limit: 10, in: .seconds(60)),
      ]
    }
    var limits = WhiteBITWorld.Limits()
    limits.trace = 2_000_000
    var world = WhiteBITWorld(
      kernel: scenario.makeKernel(), deadMan: try scenario.makeDeadMan(),
      desk: try scenario.makeDesk(),
      credentials: Credentials(
        key: Secret(copying: Array(scenario.key.utf8).span),
        secret: Secret(copying: Array(scenario.secret.utf8).span)),
      start: WhiteBITScenario.start, seed: scenario.seed, latency: scenario.latency,
      secretField: "websocket_token", limits: limits, clockOffset: WhiteBITScenario.clockOffset)
    world.start()
    // Now and then the stream is lost, so that everything is read and asked for again.
    for _ in 0..<(2 * hours) {
      world.run(for: .seconds(1_800))
      world.cut()
    }
    scenario.expectSoundEnd(&world)
    var limited = 0
    for entry in world.trace.entries {
      if case .answered(_, 429, _) = entry.event { limited += 1 }
    }
    #expect(limited == 0 && world.desk.refusedByQuota == 0 && world.trace.dropped == 0)
    #expect(world.kernel.counts.fills > 40 * UInt64(hours))
  }
}
