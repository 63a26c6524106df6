import MartletBase
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRisk
import MartletStrategy
import MartletVenueKit
import Testing

/// Wants one order whenever it is called at all, whatever it is told; what keeps it from trading is
/// not itself.
private struct EagerStrategy: TradingStrategy {
  var calls: UInt64 = 0
  var stop: StopRule?

  func stops(on instrument: Instrument) -> [StopRule] { stop.map { [$0] } ?? [] }

  private mutating func ask(_ context: borrowing StrategyContext, _ intents: inout Intents) {
    calls += 1
    intents.place(
      OrderIntent(
        strategy: context.strategy, account: context.account, instrument: context.instrument.id,
        side: .buy, price: Price(quanta: 5_990_000), quantity: Quantity(quanta: 1_000)))
  }

  mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents) {
    ask(context, &intents)
  }
  mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents) {
    ask(context, &intents)
  }
  mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    ask(context, &intents)
  }
  mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    // Asking on each change of an order of its own would never end.
    calls += 1
  }
  mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext, intents: inout Intents
  ) {}
  mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents) {
    ask(context, &intents)
  }
  func write(to snapshot: inout SnapshotWriter) { snapshot.write(calls) }
  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    calls = try snapshot.read()
  }
}

/// What stands between a strategy that asks at the wrong time and the wire.
@Suite struct KernelGateTests {
  private typealias Driver = KernelDriver<ScriptedSession, EagerStrategy, ListSink>

  private static let snapshot = VenueEvent.book(
    InstrumentID(0), first: 0, count: 2, isSnapshot: true, exchangeTime: .zero)

  /// Each element is a frame; those with a book bring the opening one.
  private func driver(_ script: [[VenueEvent]]) -> Driver {
    let levels = script.map { events in
      events.contains { if case .book = $0 { true } else { false } }
        ? KernelHarness.openingLevels[1] : []
    }
    return Driver(
      kernel: Kernel(
        account: AccountID(0), symbols: ["DBTC_DUSDT"], bookDepth: 20,
        session: ScriptedSession(script: script, levels: levels),
        strategies: [
          .init(id: StrategyID(0), instrument: InstrumentID(0), strategy: EagerStrategy())
        ], orders: OrderStore(tag: "test"), risk: RiskGate(limits: RiskLimits())),
      sink: ListSink())
  }

  private func feed(_ driver: inout Driver, _ frames: ClosedRange<UInt8>) {
    for frame in frames {
      driver.feed(
        .venue(.frame(StreamID(0))), bytes: [frame].span,
        at: Timestamp(milliseconds: 1 + Int64(frame)))
    }
  }

  private func effects(_ driver: borrowing Driver) -> Int {
    driver.sink.entries.filter { $0.kind == JournalKind.effect }.count
  }

  private func refusals(_ driver: borrowing Driver) -> [RefusalReason] {
    driver.sink.entries.compactMap {
      guard $0.kind == JournalKind.note,
        case .refused(_, let reason, _)? = NoteCoding.read($0.payload.span)?.note
      else { return nil }
      return reason
    }
  }

  @Test("M64: nothing new leaves a market whose stop nobody can look with, whatever is asked for")
  func nothingLeavesBesideAnInertStop() throws {
    // The book has an ask and no bid, which is what a stop under the market looks at.
    let asks = KernelHarness.openingLevels[1].filter { $0.side == .sell }
    let script: [[VenueEvent]] = [
      KernelHarness.opening[0] + [.lastPrice(InstrumentID(0), Price(quanta: 6_000_000))],
      [.book(InstrumentID(0), first: 0, count: 1, isSnapshot: true, exchangeTime: .zero)],
      [Self.snapshot], [.bookUntrusted(InstrumentID(0))], [.notReady], [.ready],
    ]
    var driver = Driver(
      kernel: Kernel(
        account: AccountID(0), symbols: ["DBTC_DUSDT"], bookDepth: 20,
        session: ScriptedSession(
          script: script, levels: [[], asks, KernelHarness.openingLevels[1], [], [], []]),
        strategies: [
          .init(
            id: StrategyID(0), instrument: InstrumentID(0),
            strategy: EagerStrategy(
              stop: StopRule(side: .sell, price: Price(quanta: 5_000_000))))
        ], orders: OrderStore(tag: "test"), risk: RiskGate(limits: RiskLimits())),
      sink: ListSink())
    feed(&driver, 0...1)
    #expect(effects(driver) == 0 && driver.kernel.strategies[0].strategy.calls >= 2)
    #expect(refusals(driver).allSatisfy { $0 == .instrumentUnavailable })
    feed(&driver, 2...2)
    #expect(effects(driver) == 1 && driver.kernel.stops[0].state == .armed)
    feed(&driver, 3...5)
    #expect(effects(driver) == 1 && driver.kernel.stops[0].state == .inert)
  }

  @Test("M22: a strategy that quotes whatever it is told sends nothing on an untrusted book")
  func nothingLeavesOnAnUntrustedBook() throws {
    let last = VenueEvent.lastPrice(InstrumentID(0), Price(quanta: 6_000_000))
    var first = driver([KernelHarness.opening[0] + [last], [Self.snapshot]])
    feed(&first, 0...0)
    #expect(refusals(first) == [.noReferencePrice] && effects(first) == 0, "before any book")
    feed(&first, 1...1)
    #expect(first.kernel.counts.placed == 1 && effects(first) == 1)
    var records: [OrderRecord] = []
    first.kernel.orders.fill(&records)
    let id = try #require(records.first).clientOrderID

    var driver = driver([
      KernelHarness.opening[0] + [last], [Self.snapshot], [.bookUntrusted(InstrumentID(0)), last],
      [KernelHarness.fill(id, trade: 1, side: .buy, price: 5_990_000, quantity: 400)],
      [.notReady], [.ready], [Self.snapshot],
    ])
    feed(&driver, 0...2)
    let calls = driver.kernel.strategies[0].strategy.calls
    feed(&driver, 3...5)
    #expect(driver.kernel.strategies[0].strategy.calls >= calls + 2, "it was asked, and asked back")
    #expect(driver.kernel.counts.placed == 1 && effects(driver) == 1)
    #expect(refusals(driver) == [.noReferencePrice, .noReferencePrice, .noReferencePrice])
    feed(&driver, 6...6)
    #expect(driver.kernel.counts.placed == 2 && effects(driver) == 2)
  }

  @Test("M78: each of the venue's three words on an order moves its machine, without any reply")
  func orderNewsMovesTheMachine() throws {
    var first = driver([KernelHarness.opening[0], [Self.snapshot]])
    feed(&first, 0...1)
    var records: [OrderRecord] = []
    first.kernel.orders.fill(&records)
    let id = try #require(records.first).clientOrderID
    func report(_ cumulative: Int64, _ status: OrderReport.Status) -> VenueEvent {
      KernelHarness.report(
        id, side: .buy, price: 5_990_000, quantity: 1_000, cumulative: cumulative, status: status)
    }
    func part(_ trade: UInt64, _ quantity: Int64) -> VenueEvent {
      KernelHarness.fill(id, trade: trade, side: .buy, price: 5_990_000, quantity: quantity)
    }
    for end in [OrderReport.Status.filled, .canceled] {
      let rest: [VenueEvent] = end == .filled ? [part(2, 600)] : []
      var driver = driver([
        KernelHarness.opening[0], [Self.snapshot], [report(0, .open)],
        [part(1, 400), report(400, .open)], rest + [report(end == .filled ? 1_000 : 400, end)],
      ])
      func view() throws -> OrderView {
        let told = driver.kernel.orders.record(of: id)?.view
        return try #require(told)
      }
      feed(&driver, 0...1)
      #expect(try view().state == .pendingNew)
      feed(&driver, 2...2)
      #expect(try view().state == .open && view().cumulative == .zero)
      feed(&driver, 3...3)
      #expect(try view().state == .open && view().leaves == Quantity(quanta: 600))
      feed(&driver, 4...4)
      let last = try view()
      #expect(last.state == (end == .filled ? .filled : .canceled), "\(last)")
    }
  }

  @Test("M13: an order is checked against the rules as they were last told, before it leaves")
  func rulesThatChangeBindAtOnce() {
    var coarser = KernelHarness.instrument
    coarser.rules.minQuantity = Quantity(quanta: 1_001)
    var closed = KernelHarness.instrument
    closed.rules.isTrading = false
    var driver = driver([
      KernelHarness.opening[0], [Self.snapshot], [.instrument(coarser)], [Self.snapshot],
      [.instrument(closed)], [Self.snapshot], [.instrument(KernelHarness.instrument)],
      [.instrumentUnavailable(InstrumentID(0))], [Self.snapshot],
      [.instrument(KernelHarness.instrument)], [Self.snapshot],
    ])
    feed(&driver, 0...1)
    #expect(driver.kernel.counts.placed == 1)
    feed(&driver, 2...8)
    #expect(driver.kernel.counts.placed == 1 && effects(driver) == 1)
    #expect(
      refusals(driver)
        == [.noReferencePrice, .belowMinimum, .instrumentUnavailable, .instrumentUnavailable])
    feed(&driver, 9...10)
    #expect(driver.kernel.counts.placed == 2 && effects(driver) == 2)
  }

  @Test("C11: a last price and a print call no strategy: nothing is timed on them")
  func lastPricesWakeNobody() {
    var driver = driver([
      KernelHarness.opening[0], [Self.snapshot],
      [.lastPrice(InstrumentID(0), Price(quanta: 6_000_050))],
      [
        .marketTrade(
          MarketTrade(
            instrument: InstrumentID(0), tradeID: TradeID(low: 1),
            price: Price(quanta: 6_000_060), quantity: Quantity(quanta: 1), aggressor: .buy,
            exchangeTime: .zero))
      ],
    ])
    feed(&driver, 0...1)
    let calls = driver.kernel.strategies[0].strategy.calls
    feed(&driver, 2...3)
    #expect(calls > 0 && driver.kernel.strategies[0].strategy.calls == calls)
    #expect(driver.kernel.markets[0].lastPrice == Price(quanta: 6_000_060))
    #expect(driver.kernel.counts.placed == 1)
  }
}
