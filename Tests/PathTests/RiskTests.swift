import MartletBase
import MartletModel
import MartletPortfolio
import MartletRisk
import Testing

@Suite struct RiskTests {
  static func amount(_ text: String) -> Amount { PortfolioTests.amount(text) }

  /// A quiet moment at 60,000.00 with plenty of everything.
  struct Moment {
    var now = Desk.time(0)
    var instrument: Instrument? = Desk.instrument(
      tick: 10, lot: 100, minQuantity: 200, minNotional: RiskTests.amount("5.05"),
      maxNotional: RiskTests.amount("1000000"))
    var reference = ReferencePrice(last: Price(quanta: 6_000_000))
    var freeBase: Amount? = RiskTests.amount("10")
    var freeQuote: Amount? = RiskTests.amount("1000000")
    var net: Int64 = 0
    var onInstrument = 0
    var buyLeaves: Int64 = 0
    var ofStrategy = 0
    var isOpen = true
    var mayReduce = false

    func review(_ gate: inout RiskGate, _ intent: OrderIntent) -> RiskVerdict {
      var portfolio = Portfolio()
      if net != 0, let instrument {
        portfolio.book(
          Desk.fill(
            ClientOrderID("a"), abs(net), trade: 1, side: net > 0 ? .buy : .sell), of: instrument,
          at: now)
      }
      var context = RiskContext(
        now: now, instrument: instrument, reference: reference, freeBase: freeBase,
        freeQuote: freeQuote, position: portfolio.position(Desk.account, InstrumentID(0)),
        workingOnInstrument: onInstrument, workingBuyLeaves: Quantity(quanta: buyLeaves),
        workingOfStrategy: ofStrategy)
      context.isOpen = isOpen
      context.mayReduce = mayReduce
      return gate.review(intent, context: context)
    }
  }

  /// The rule that refused, or nil.
  static func rule(
    in moment: Moment = Moment(), _ intent: OrderIntent, limits: RiskLimits = RiskLimits()
  ) -> RiskRule? {
    var gate = RiskGate(limits: limits)
    switch moment.review(&gate, intent) {
    case .approved(let approved):
      #expect(approved.value == intent && approved.verdict == 1)
      return nil
    case .refused(_, let numbers): return numbers.rule
    }
  }

  static func numbers(
    in moment: Moment = Moment(), _ intent: OrderIntent, limits: RiskLimits = RiskLimits()
  ) -> (RefusalReason, RiskNumbers)? {
    var gate = RiskGate(limits: limits)
    guard case .refused(let reason, let numbers) = moment.review(&gate, intent) else { return nil }
    return (reason, numbers)
  }

  // MARK: Instrument rules

  @Test("M51: price and quantity are whole ticks and lots, above zero")
  func pricesAndQuantitiesStandOnTheGrid() {
    #expect(RiskTests.rule(Desk.intent(.buy, 6_000_000, 1_000)) == nil)
    for price in [Int64(6_000_001), 5_999_999, 0, -10] {
      #expect(RiskTests.rule(Desk.intent(.buy, price, 1_000)) == .priceGrid)
    }
    for quantity in [Int64(1_050), 999, 0, -1_000] {
      #expect(RiskTests.rule(Desk.intent(.buy, 6_000_000, quantity)) == .quantityGrid)
    }
  }

  @Test("M51: the least quantity and value and the largest value pass, one step beyond does not")
  func theMinimumsAndMaximumsAreExact() {
    #expect(RiskTests.rule(Desk.intent(.buy, 6_000_000, 200)) == nil)
    #expect(RiskTests.rule(Desk.intent(.buy, 6_000_000, 100)) == .minQuantity)
    // 5.05 at 0.000200 is 25,250.00.
    var moment = Moment()
    moment.reference = ReferencePrice(last: Price(quanta: 2_525_000))
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 2_525_000, 200)) == nil)
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 2_524_990, 200)) == .minNotional)
    let most = RiskLimits(maxOrderNotional: RiskTests.amount("60"))
    #expect(RiskTests.rule(Desk.intent(.buy, 6_000_000, 1_000), limits: most) == nil)
    #expect(RiskTests.rule(Desk.intent(.buy, 6_000_010, 1_000), limits: most) == .maxOrderNotional)
    moment = Moment()
    moment.instrument?.rules.maxNotional = RiskTests.amount("60")
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_000)) == nil)
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_010, 1_000)) == .maxNotional)
    moment.instrument?.rules.maxNotional = .zero
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_010, 1_000)) == nil)
  }

  @Test func onlyAKnownTradingSpotInstrumentIsTraded() {
    var moment = Moment()
    moment.instrument = nil
    #expect(RiskTests.rule(in: moment, Desk.intent()) == .instrument)
    moment.instrument = Desk.instrument(isTrading: false)
    #expect(RiskTests.rule(in: moment, Desk.intent()) == .instrument)
    moment.instrument = Desk.instrument(3)
    #expect(RiskTests.rule(in: moment, Desk.intent()) == .instrument)
    moment.instrument = Desk.instrument(kind: .linear)
    #expect(RiskTests.rule(in: moment, Desk.intent()) == .product)
  }

  // MARK: Our own limits

  @Test func threePercentPassesAndAHundredthMoreDoesNot() {
    let limits = RiskLimits(priceBand: Rate(units: 300_000_000))
    for (price, isIn) in [
      (Int64(6_180_000), true), (6_180_600, false), (6_180_010, false), (5_820_000, true),
      (5_819_990, false),
    ] {
      let rule = RiskTests.rule(Desk.intent(.buy, price, 1_000), limits: limits)
      #expect(rule == (isIn ? nil : .priceBand), "\(price)")
    }
    let found = RiskTests.numbers(Desk.intent(.buy, 6_180_600, 1_000), limits: limits)
    #expect(found?.0 == .priceBand)
    #expect(
      found?.1.text(Moment().instrument) == "priceBand: found 0.0301, allowed 0.03")
    // The middle of 60,000.00 and 60,000.01 lies between two quanta.
    var moment = Moment()
    moment.instrument?.rules.tickSize = 1
    moment.reference = ReferencePrice(bid: Price(quanta: 99), ask: Price(quanta: 102))
    moment.instrument?.rules.minNotional = .zero
    let wide = RiskLimits(priceBand: Rate(units: 1_000_000_000))
    // 100.5 ± 10.05
    for (price, isIn) in [(Int64(110), true), (111, false), (91, true), (90, false)] {
      let rule = RiskTests.rule(in: moment, Desk.intent(.buy, price, 1_000), limits: wide)
      #expect(rule == (isIn ? nil : .priceBand), "\(price)")
    }
  }

  @Test func withoutAReferenceThereIsNoOrder() {
    var moment = Moment()
    moment.reference = nil
    let found = RiskTests.numbers(in: moment, Desk.intent())
    #expect(found?.0 == .noReferencePrice && found?.1.rule == .reference)
    #expect(ReferencePrice(bid: nil, ask: Price(quanta: 5)) == nil)
    #expect(ReferencePrice(bid: Price(quanta: 0), ask: Price(quanta: 5)) == nil)
    #expect(ReferencePrice(last: Price(quanta: 0)) == nil)
  }

  @Test func theLastOfABalanceCanBeSpentAndNoMore() {
    var moment = Moment()
    moment.freeQuote = RiskTests.amount("60")
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_000)) == nil)
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_010, 1_000)) == .balance)
    // The fee comes on top where the venue takes it in quote.
    let onTop = RiskLimits(isBuyFeeInQuote: true)
    #expect(
      RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_000), limits: onTop) == .balance)
    moment.freeQuote = RiskTests.amount("60.06")
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_000), limits: onTop) == nil)
    moment.freeQuote = nil
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_000)) == .balance)
    moment.freeBase = RiskTests.amount("0.001")
    #expect(RiskTests.rule(in: moment, Desk.intent(.sell, 6_000_000, 1_000)) == nil)
    let found = RiskTests.numbers(in: moment, Desk.intent(.sell, 6_000_000, 1_100))
    #expect(found?.0 == .insufficientBalance)
    #expect(
      found?.1.text(moment.instrument) == "balance: found 0.0011 DBTC, allowed 0.001 DBTC")
    moment.freeBase = nil
    #expect(RiskTests.rule(in: moment, Desk.intent(.sell, 6_000_000, 1_000)) == .balance)
  }

  @Test("C20: inventory is what fills added to the start, as if every working buy filled")
  func inventoryCountsWorkingBuys() {
    let limits = RiskLimits(maxInventory: RiskTests.amount("0.01"))
    var moment = Moment()
    moment.net = 4_000
    moment.buyLeaves = 5_000
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_000), limits: limits) == nil)
    #expect(
      RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 1_100), limits: limits) == .inventory)
    #expect(RiskTests.rule(in: moment, Desk.intent(.sell, 6_000_000, 1_100), limits: limits) == nil)
    moment.net = -4_000
    #expect(RiskTests.rule(in: moment, Desk.intent(.buy, 6_000_000, 9_000), limits: limits) == nil)
  }

  @Test func workingOrdersAreCountedPerInstrumentAndStrategy() {
    let limits = RiskLimits(maxWorkingPerInstrument: 20, maxWorkingPerStrategy: 30)
    var moment = Moment()
    moment.onInstrument = 19
    moment.ofStrategy = 29
    #expect(RiskTests.rule(in: moment, Desk.intent(), limits: limits) == nil)
    moment.onInstrument = 20
    let found = RiskTests.numbers(in: moment, Desk.intent(), limits: limits)
    #expect(found?.0 == .orderLimit && found?.1.limit == 20 && found?.1.found == 21)
    moment.onInstrument = 0
    moment.ofStrategy = 30
    #expect(RiskTests.rule(in: moment, Desk.intent(), limits: limits) == .workingPerStrategy)
  }

  @Test func theRateIsCountedInASlidingWindow() {
    var gate = RiskGate(limits: RiskLimits(maxOrdersPerWindow: 3, orderWindow: .seconds(1)))
    var moment = Moment()
    func isApproved(_ milliseconds: Int64) -> Bool {
      moment.now = Desk.time(milliseconds)
      if case .approved = moment.review(&gate, Desk.intent()) { return true }
      return false
    }
    #expect(isApproved(0) && isApproved(400) && isApproved(800))
    #expect(!isApproved(800) && !isApproved(999))
    // What is a whole window old has left it; refusals were never in it.
    #expect(isApproved(1_000) && !isApproved(1_399) && isApproved(1_400))
    #expect(!isApproved(1_799) && isApproved(1_800) && !isApproved(1_800))
    #expect(gate.refused(by: .orderRate) == 5 && gate.approvals == 6 && gate.verdicts == 11)
  }

  // MARK: Halt

  @Test func aHaltRefusesEverythingUntilSomeoneNamedEndsIt() {
    var gate = RiskGate(limits: RiskLimits())
    let moment = Moment()
    gate.halt(.ledgerMismatch, at: Desk.time(1))
    gate.halt(.operatorRequest, at: Desk.time(2))
    #expect(gate.halt?.reason == .ledgerMismatch && gate.halt?.at == Desk.time(1))
    for side in [Side.buy, .sell] {
      guard case .refused(let reason, let numbers) = moment.review(&gate, Desk.intent(side)) else {
        Issue.record("approved while halted")
        continue
      }
      #expect(reason == .halted && numbers.rule == .halt)
    }
    #expect(gate.refused(by: .halt) == 2)
    #expect(gate.rearm(by: InlineText(), at: Desk.time(3)) == false && gate.halt != nil)
    #expect(gate.rearm(by: "alice", at: Desk.time(3)) == true && gate.halt == nil)
    #expect(gate.rearmedBy == "alice" && gate.rearmedAt == Desk.time(3))
    #expect(gate.rearm(by: "alice", at: Desk.time(4)) == false)
    guard case .approved(let approved) = moment.review(&gate, Desk.intent()) else {
      Issue.record("refused after the halt")
      return
    }
    #expect(approved.verdict == 3)
  }

  // MARK: Properties

  @Test("M51: whatever is asked for, no approved order violates step, minimum, maximum or value")
  func noApprovedOrderBreaksARule() {
    var approved = 0
    for seed in UInt64(1)...60 {
      var random = SeededRandom(seed: seed)
      let places = (price: random.integer(in: -2...8), quantity: random.integer(in: -3...8))
      var moment = Moment()
      moment.instrument = Desk.instrument(
        price: Int(places.price), quantity: Int(places.quantity),
        tick: random.integer(in: 1...50), lot: random.integer(in: 1...50),
        minQuantity: random.integer(in: 1...500),
        minNotional: Amount(units: Int128(random.integer(in: 0...Int64.max))),
        maxNotional: Amount(units: Int128(random.integer(in: 0...Int64.max)) * 1_000_000_000))
      guard let instrument = moment.instrument else { continue }
      let rules = instrument.rules
      moment.freeBase = Amount(units: Int128(random.integer(in: 0...Int64.max)) * 1_000_000_000)
      moment.freeQuote = Amount(units: Int128(random.integer(in: 0...Int64.max)) * 1_000_000_000)
      let middle = random.integer(in: 1...100_000)
      moment.reference = ReferencePrice(last: Price(quanta: middle))
      let limits = RiskLimits(
        maxOrderNotional: random.chance(1, in: 2)
          ? Amount(units: Int128(random.integer(in: 0...Int64.max)) * 1_000_000_000) : nil,
        maxOrdersPerWindow: 100_000)
      var gate = RiskGate(limits: limits)
      for _ in 0..<400 {
        let isNear = random.chance(3, in: 4)
        var price = random.integer(in: (middle * 8 / 10)...(middle * 12 / 10))
        var quantity = random.integer(in: 0...2_000)
        if random.chance(3, in: 4) {
          price -= price % rules.tickSize
          quantity -= quantity % rules.lotStep
        }
        if !isNear {
          price = random.integer(in: .min ... .max)
          quantity = random.integer(in: .min ... .max)
        }
        let intent = Desk.intent(random.chance(1, in: 2) ? .buy : .sell, price, quantity)
        guard case .approved(let order) = moment.review(&gate, intent) else { continue }
        approved += 1
        #expect(order.value == intent, "seed \(seed)")
        #expect(price > 0 && price % rules.tickSize == 0, "seed \(seed)")
        #expect(quantity > 0 && quantity % rules.lotStep == 0, "seed \(seed)")
        #expect(quantity >= rules.minQuantity.quanta, "seed \(seed)")
        let value = instrument.scale.notional(of: intent.quantity, at: intent.price)
        #expect(value >= rules.minNotional, "seed \(seed)")
        #expect(rules.maxNotional == .zero || value <= rules.maxNotional, "seed \(seed)")
        #expect(value <= limits.maxOrderNotional ?? value, "seed \(seed)")
        #expect(abs(price - middle) * 10 <= middle, "seed \(seed)")
        switch intent.side {
        case .buy: #expect(value <= moment.freeQuote ?? .zero, "seed \(seed)")
        case .sell:
          #expect(
            instrument.scale.amount(of: intent.quantity) <= moment.freeBase ?? .zero,
            "seed \(seed)")
        }
      }
      let refusals = RiskRule.allCases.reduce(0) { $0 + gate.refused(by: $1) }
      #expect(gate.verdicts == 400 && gate.approvals + refusals == 400, "seed \(seed)")
    }
    #expect(approved > 500)
  }

  @Test func aGateThatWasReadBackJudgesTheSame() throws {
    let limits = RiskLimits(maxOrdersPerWindow: 5, orderWindow: .seconds(1))
    for seed in UInt64(1)...20 {
      var random = SeededRandom(seed: seed)
      var gate = RiskGate(limits: limits)
      var moment = Moment()
      func disturb(_ gate: inout RiskGate, _ random: inout SeededRandom, _ moment: inout Moment)
        -> RiskVerdict
      {
        moment.now = moment.now + .milliseconds(random.integer(in: 0...300))
        if random.chance(1, in: 20) { gate.halt(.operatorRequest, at: moment.now) }
        if random.chance(1, in: 5) { gate.rearm(by: "bob", at: moment.now) }
        return moment.review(
          &gate, Desk.intent(.buy, 6_000_000 + random.integer(in: -1...1) * 5, 1_000))
      }
      for _ in 0..<50 { _ = disturb(&gate, &random, &moment) }
      var writer = SnapshotWriter()
      gate.write(to: &writer)
      var copy = RiskGate(limits: limits)
      var reader = SnapshotReader(writer.bytes.copy())
      try copy.read(from: &reader)
      #expect(reader.isAtEnd, "seed \(seed)")
      var same = random
      var there = moment
      for _ in 0..<50 {
        let verdict = disturb(&gate, &random, &moment)
        #expect(verdict == disturb(&copy, &same, &there), "seed \(seed)")
      }
      #expect(copy.approvals == gate.approvals && copy.halt == gate.halt, "seed \(seed)")
    }
  }

  @Test func whatOnlyReducesPassesInAPauseAndAHaltAndNothingElseDoes() {
    func reducing(_ side: Side, _ quantity: Int64) -> OrderIntent {
      var intent = Desk.intent(side, 6_000_000, quantity)
      intent.isReduceOnly = true
      intent.timeInForce = .ioc
      return intent
    }
    for (net, side) in [(Int64(1_000), Side.sell), (-1_000, .buy)] {
      for isHalted in [false, true] {
        var gate = RiskGate(limits: RiskLimits())
        if isHalted { gate.halt(.operatorRequest, at: Desk.time(0)) }
        var moment = Moment()
        moment.net = net
        moment.isOpen = false
        moment.mayReduce = true
        func rule(_ intent: OrderIntent) -> RiskRule? {
          guard case .refused(_, let numbers) = moment.review(&gate, intent) else { return nil }
          return numbers.rule
        }
        #expect(rule(reducing(side, 1_000)) == nil)
        #expect(rule(reducing(side, 500)) == nil)
        // More than there is would open the other way; the other side would grow it.
        #expect(rule(reducing(side, 1_100)) == .inventory)
        #expect(rule(reducing(side.opposite, 500)) == .inventory)
        // The same without the mark, and the mark without the right to.
        #expect(rule(Desk.intent(side, 6_000_000, 500)) == (isHalted ? .halt : .instrument))
        moment.mayReduce = false
        #expect(rule(reducing(side, 500)) == (isHalted ? .halt : .instrument))
        // Every other rule holds for it, too.
        moment.mayReduce = true
        #expect(rule(reducing(side, 50)) == .quantityGrid)
        moment.reference = nil
        #expect(rule(reducing(side, 500)) == .reference)
      }
    }
  }
}
