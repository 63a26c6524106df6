import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRecord
import MartletRisk
import MartletStrategies
import MartletVenueKit
import Testing

@Suite struct ContractKernelTests {
  typealias Driver = KernelDriver<ScriptedSession, BuiltInStrategy, ListSink>
  static let instrument = ContractDesk.instrument(.linear)

  static let opening: [[VenueEvent]] = [
    [
      .instrument(instrument), .contract(0), .mark(InstrumentID(0), Price(quanta: 600_000)),
      .balance(
        Balance(
          account: AccountID(0), asset: "USD", available: PortfolioTests.amount("1000"),
          frozen: .zero)), .reconciled, .ready,
    ],
    [.book(InstrumentID(0), first: 0, count: 2, isSnapshot: true, exchangeTime: .zero)],
  ]

  private func kernel(
    _ script: [[VenueEvent]], plan: MarginPlan? = MarginPlan(leverage: 10), leverage: Int? = 10
  ) throws -> Kernel<ScriptedSession, BuiltInStrategy> {
    var levels: [[BookLevel]] = Array(repeating: [], count: script.count)
    levels[1] = [
      BookLevel(side: .buy, price: Price(quanta: 599_990), quantity: Quantity(quanta: 10_000)),
      BookLevel(side: .sell, price: Price(quanta: 600_010), quantity: Quantity(quanta: 10_000)),
    ]
    var session = ScriptedSession(script: script, levels: levels)
    session.contracts = [try ContractDesk.terms(Self.instrument)]
    return Kernel(
      account: AccountID(0), symbols: ["BTC_PERP"], bookDepth: 20, session: session,
      strategies: [
        .init(
          id: StrategyID(0), instrument: InstrumentID(0),
          strategy: BuiltInStrategy(
            .grid(
              GridSettings(
                levelsPerSide: 2, amount: PortfolioTests.amount("0.05"), leverage: leverage))))
      ],
      orders: OrderStore(tag: "test"), risk: RiskGate(limits: RiskLimits()), marginPlans: [plan])
  }

  private func driver(
    _ more: [[VenueEvent]] = [], plan: MarginPlan? = MarginPlan(leverage: 10), leverage: Int? = 10
  ) throws -> Driver {
    let script = Self.opening + more
    var driver = Driver(
      kernel: try kernel(script, plan: plan, leverage: leverage), sink: ListSink())
    for index in script.indices {
      driver.feed(
        .venue(.frame(StreamID(0))), bytes: [UInt8(index)].span,
        at: Timestamp(milliseconds: Int64(index) + 1))
    }
    return driver
  }

  private func notes(_ driver: borrowing Driver) -> [KernelNote] {
    driver.sink.entries.filter { $0.kind == JournalKind.note }
      .compactMap { NoteCoding.read($0.payload.span)?.note }
  }

  private func placed(_ driver: borrowing Driver) -> [OrderView] {
    notes(driver).compactMap {
      if case .order(let view) = $0, view.state == .pendingNew { view } else { nil }
    }
  }

  private func liquidation(trade: UInt64, _ quantity: Int64) -> VenueEvent {
    .liquidation(
      Fill(
        account: AccountID(0), instrument: InstrumentID(0), clientOrderID: ClientOrderID(""),
        venueOrderID: VenueOrderID(low: 99), tradeID: TradeID(low: trade), side: .sell,
        price: Price(quanta: 590_000), quantity: Quantity(quanta: quantity),
        fee: PortfolioTests.amount("5"), feeAsset: "USD", role: .taker, exchangeTime: .zero,
        source: .stream))
  }

  @Test("M116: the grid's orders on a contract are approved by margin, and not by what is held")
  func theGridTradesOnMargin() throws {
    let driver = try driver()
    // Two a side at 0.05 BTC: 3,000 each at 10, so 600 of 1,000 for the dearer side.
    #expect(placed(driver).map(\.side) == [.buy, .sell, .buy, .sell])
    let found = driver.kernel.portfolio.margin(AccountID(0), in: "USD")
    let figures = try #require(found)
    // Sells at 60,050 and 60,100.
    #expect(figures.initial == PortfolioTests.amount("600.75"))
    let told = notes(driver)
    #expect(
      told.contains {
        if case .contract(let terms) = $0 { terms.leverage == 10 } else { false }
      })
    #expect(told.filter { if case .marginBracket = $0 { true } else { false } }.count == 2)
  }

  @Test func withoutADeclaredLeverageNothingIsPlaced() throws {
    let undeclared = try driver(plan: nil)
    #expect(placed(undeclared).isEmpty)
    #expect(undeclared.kernel.risk.refused(by: .product) == 4)
    // A grid that names none does not even ask.
    let plain = try driver(leverage: nil)
    #expect(placed(plain).isEmpty && plain.kernel.counts.refusedByRisk == 0)
    #expect(plain.kernel.strategies[0].strategy.complaint?.contains("leverage") == true)
  }

  @Test("M7: a liquidation is booked once, halts, and the grid begins anew")
  func aLiquidationHalts() throws {
    let first = try driver()
    let orders = placed(first)
    let buy = try #require(orders.first)
    let fill = Fill(
      account: AccountID(0), instrument: InstrumentID(0), clientOrderID: buy.clientOrderID,
      venueOrderID: VenueOrderID(low: 7), tradeID: TradeID(low: 1), side: .buy, price: buy.price,
      quantity: buy.quantity, fee: .zero, feeAsset: "USD", role: .maker, exchangeTime: .zero,
      source: .stream)
    let payment = FundingPayment(
      account: AccountID(0), instrument: InstrumentID(0), amount: PortfolioTests.amount("-0.3"),
      rate: Rate(units: 1_000_000), mark: Price(quanta: 600_000), dueAt: Timestamp(milliseconds: 3))
    let driver = try driver([
      [.fill(fill)], [.funding(payment), .funding(payment)], [liquidation(trade: 2, 50)],
      [liquidation(trade: 2, 50)],
    ])
    let position = driver.kernel.portfolio.position(AccountID(0), InstrumentID(0))
    // Bought 0.05 at 59,950, sold at 59,000: 47.5 lost; 5 of fee and 0.3 of funding.
    #expect(position.net == .zero && position.realized == PortfolioTests.amount("-47.5"))
    #expect(
      driver.kernel.portfolio.ledger(AccountID(0), "USD")?.expected
        == PortfolioTests.amount("947.2"))
    #expect(driver.kernel.risk.halt?.reason == .liquidated)
    #expect(driver.kernel.strategies[0].strategy.grid?.center == nil)
    let told = notes(driver)
    #expect(told.filter { if case .liquidated = $0 { true } else { false } }.count == 1)
    #expect(
      told.filter { $0 == .funding(payment, own: PortfolioTests.amount("-0.3")) }.count == 1)
  }

  @Test("a flatten trades a contract's position back in one reducing order")
  func flatten() throws {
    let first = try driver()
    let orders = placed(first)
    let buy = try #require(orders.first)
    let fill = Fill(
      account: AccountID(0), instrument: InstrumentID(0), clientOrderID: buy.clientOrderID,
      venueOrderID: VenueOrderID(low: 7), tradeID: TradeID(low: 1), side: .buy, price: buy.price,
      quantity: buy.quantity, fee: .zero, feeAsset: "USD", role: .maker, exchangeTime: .zero,
      source: .stream)
    // A halt on an operator's word keeps the grid from answering the fill.
    let ends: [VenueEvent] = orders.dropFirst().map { .orderNeverArrived($0.clientOrderID) }
    var driver = Driver(kernel: try kernel(Self.opening + [[.fill(fill)] + ends]), sink: ListSink())
    for (frame, time) in [(UInt8(0), Int64(1)), (1, 2)] {
      driver.feed(
        .venue(.frame(StreamID(0))), bytes: [frame].span, at: Timestamp(milliseconds: time))
    }
    driver.feed(.command(.flatten), bytes: Span(), at: Timestamp(milliseconds: 3))
    driver.feed(.venue(.frame(StreamID(0))), bytes: [UInt8(2)].span, at: Timestamp(milliseconds: 4))
    driver.feed(.timer, bytes: Span(), at: Timestamp(milliseconds: 300))
    let all = placed(driver)
    let last = try #require(all.last)
    // 1 % through the bid of 59,999.0, up to the tick.
    #expect(last.side == .sell && last.quantity.quanta == 50 && last.price.quanta == 593_991)
    let intents = notes(driver).compactMap { note -> OrderIntent? in
      if case .intent(let intent) = note, intent.isReduceOnly { intent } else { nil }
    }
    #expect(intents.count == 1 && intents[0].timeInForce == .ioc)
  }

  @Test func whatIsNotedOfContractsReadsBack() {
    let fill = Fill(
      account: AccountID(1), instrument: InstrumentID(2), clientOrderID: ClientOrderID("x"),
      venueOrderID: VenueOrderID(low: 3), tradeID: TradeID(low: 4), side: .sell,
      price: Price(quanta: 5), quantity: Quantity(quanta: 6), fee: Amount(units: -7),
      feeAsset: "USD", role: .taker, exchangeTime: Timestamp(milliseconds: 8), source: .history,
      positionSide: .short)
    var intent = Desk.intent()
    intent.isReduceOnly = true
    intent.positionSide = .long
    let notes: [KernelNote] = [
      .contract(
        ContractNote(
          instrument: InstrumentID(3), contractSize: Amount(units: 5), fundingInterval: .seconds(1),
          liquidationFee: Rate(units: 9), leverage: 20, mode: .isolated, isHedged: true)),
      .marginBracket(
        InstrumentID(3), index: 2,
        MarginBracket(upTo: Amount(units: 9), maxLeverage: 50, maintenance: Rate(units: 4))),
      .funding(
        FundingPayment(
          account: AccountID(0), instrument: InstrumentID(1), positionSide: .long,
          amount: Amount(units: -5), rate: Rate(units: -6), mark: Price(quanta: 7),
          dueAt: Timestamp(milliseconds: 8)), own: Amount(units: -4)),
      .liquidated(fill), .fill(fill), .intent(intent),
    ]
    for note in notes {
      var payload = ByteBuffer()
      NoteCoding.write(note, trace: TraceID(9), into: &payload)
      #expect(NoteCoding.read(payload.span)?.note == note)
      for cut in 0..<payload.count {
        #expect(NoteCoding.read(payload.span.extracting(0..<cut)) == nil, "\(note) at \(cut)")
      }
    }
  }
}
