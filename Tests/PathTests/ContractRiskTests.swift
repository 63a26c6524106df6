import MartletBase
import MartletModel
import MartletPortfolio
import MartletRisk
import Testing

@Suite struct ContractRiskTests {
  private func amount(_ text: String) -> Amount { PortfolioTests.amount(text) }

  @Test("M59: an order whose margin is not free is refused with numbers, one that just fits is not")
  func marginMustFit() throws {
    // 10,000 at 10; a taker's 0.05 %. 1.6583 BTC would be 99,498 at 60,000: 9,949.8 + 49.749 =
    // 9,999.549; the next lot is 60 more, 6.03 more of margin.
    let desk = try ContractDesk(.linear)
    #expect(desk.review(desk.intent(.buy, 1_658, at: 600_000)) == nil)
    let verdict = desk.review(desk.intent(.buy, 1_659, at: 600_000))
    let refused = try #require(verdict)
    #expect(refused.reason == .insufficientMargin && refused.numbers.rule == .margin)
    // 1.659 × 60,000 = 99,540: 9,954 + 49.77.
    #expect(Amount(units: refused.numbers.found) == amount("10003.77"))
    #expect(Amount(units: refused.numbers.limit) == amount("10000"))
    #expect(
      refused.numbers.text(desk.instrument) == "margin: found 10003.77 USD, allowed 10000 USD")
  }

  @Test("M59: what an order loses at once against the mark counts too")
  func openingLoss() throws {
    // A buy at 63,000 while the mark is 60,000 loses 3,000 a BTC: 1 BTC needs 6,300 + 3,000 + 31.5.
    let desk = try ContractDesk(.linear, wallet: "9331.5")
    #expect(desk.review(desk.intent(.buy, 1_000, at: 630_000)) == nil)
    let poor = try ContractDesk(.linear, wallet: "9331.49")
    #expect(
      poor.review(poor.intent(.buy, 1_000, at: 630_000))?.numbers.found == amount("9331.5").units)
    // A sell there gains it, which frees nothing.
    let short = try ContractDesk(.linear, wallet: "6331.5")
    #expect(short.review(short.intent(.sell, 1_000, at: 630_000)) == nil)
    // Inverse: 60,000 USD bought at 62,500 are 0.96 BTC, worth 1 at 60,000: 0.096 + 0.04 + 0.00048.
    let inverse = try ContractDesk(.inverse, wallet: "0.13648")
    #expect(inverse.review(inverse.intent(.buy, 60_000, at: 625_000)) == nil)
    let less = try ContractDesk(.inverse, wallet: "0.13647")
    #expect(
      less.review(less.intent(.buy, 60_000, at: 625_000))?.numbers.found == amount("0.13648").units)
  }

  @Test func whatClosesNeedsNoMarginAndWhatWorksTakesSome() throws {
    var desk = try ContractDesk(.linear, wallet: "1000")
    desk.trade(.buy, 160, at: 600_000)
    // 960 of 1,000 are taken: 0.007 more would not fit with its fee, and 0.16 sold does.
    #expect(desk.review(desk.intent(.buy, 7, at: 600_000))?.numbers.rule == .margin)
    #expect(desk.review(desk.intent(.sell, 160, at: 600_000)) == nil)
    // Twice that opens as much short as it closes long: nothing more is needed.
    #expect(desk.review(desk.intent(.sell, 320, at: 600_000)) == nil)
    #expect(desk.review(desk.intent(.sell, 330, at: 600_000))?.numbers.rule == .margin)
    // The market falls by a twentieth: nothing is free, and still it may get out.
    desk.portfolio.mark(desk.instrument.id, at: Price(quanta: 570_000))
    #expect(desk.figures?.free == amount("-392"))
    #expect(desk.review(desk.intent(.sell, 160, at: 570_000)) == nil)
    #expect(desk.review(desk.intent(.buy, 1, at: 570_000))?.numbers.rule == .margin)
  }

  @Test("M58: a reducing order never takes more than is held, nor from the wrong side")
  func reduceOnly() throws {
    var desk = try ContractDesk(.linear)
    func numbers(_ side: Side, _ quantity: Int64) -> RiskNumbers? {
      desk.review(desk.intent(side, quantity, at: 600_000, reduce: true))?.numbers
    }
    #expect(numbers(.sell, 1)?.rule == .inventory)
    desk.trade(.buy, 100, at: 600_000)
    #expect(numbers(.sell, 100) == nil)
    #expect(numbers(.sell, 101)?.limit == 100 && numbers(.sell, 101)?.found == 101)
    #expect(numbers(.buy, 1)?.limit == 0)
    // In a pause it passes when an operator flattens, and nothing else does.
    let closing = desk.intent(.sell, 100, at: 600_000, reduce: true)
    #expect(desk.review(closing, isOpen: false)?.numbers.rule == .instrument)
    #expect(desk.review(closing, mayReduce: true, isOpen: false) == nil)
    let opening = desk.intent(.sell, 100, at: 600_000)
    #expect(desk.review(opening, mayReduce: true, isOpen: false)?.numbers.rule == .instrument)
  }

  @Test("M58: a hedge account's closing side reduces, whether it says so or not")
  func hedgedSides() throws {
    var desk = try ContractDesk(.linear, MarginPlan(leverage: 10, isHedged: true))
    #expect(desk.review(desk.intent(.buy, 10, at: 600_000))?.reason == .invalidField)
    #expect(desk.review(desk.intent(.buy, 10, at: 600_000, .long)) == nil)
    #expect(desk.review(desk.intent(.sell, 10, at: 600_000, .long))?.numbers.rule == .inventory)
    desk.trade(.buy, 10, at: 600_000, .long)
    #expect(desk.review(desk.intent(.sell, 10, at: 600_000, .long)) == nil)
    #expect(desk.review(desk.intent(.sell, 11, at: 600_000, .long))?.numbers.rule == .inventory)
    #expect(desk.review(desk.intent(.buy, 10, at: 600_000, .short))?.numbers.rule == .inventory)
    let oneWay = try ContractDesk(.linear)
    #expect(oneWay.review(oneWay.intent(.buy, 10, at: 600_000, .long))?.reason == .invalidField)
  }

  @Test("M116: positions are limited by the margin table, in value and in contracts")
  func positionLimits() throws {
    // At 100 a position may be worth 100,000: 1.666 BTC at 60,000.
    let steep = try ContractDesk(.linear, MarginPlan(leverage: 100))
    #expect(steep.review(steep.intent(.buy, 1_666, at: 600_000)) == nil)
    let verdict = steep.review(steep.intent(.buy, 1_667, at: 600_000))
    let found = try #require(verdict)
    #expect(found.reason == .leverageLimit && found.numbers.rule == .leverage)
    #expect(
      found.numbers.found == amount("100020").units
        && found.numbers.limit == amount("100000").units)
    // At 101 none may be.
    let none = try ContractDesk(.linear, MarginPlan(leverage: 101))
    #expect(none.review(none.intent(.buy, 1, at: 600_000))?.numbers.rule == .leverage)

    var desk = try ContractDesk(.linear)
    desk.trade(.buy, 100, at: 600_000)
    desk.work(.buy, 50, at: 600_000)
    func rule(_ side: Side, _ quantity: Int64, _ limits: RiskLimits) -> RiskRule? {
      desk.review(desk.intent(side, quantity, at: 600_000), limits: limits)?.numbers.rule
    }
    // 0.1 held, 0.05 works: 0.05 more are 12,000, or 20 contracts of 0.01.
    #expect(rule(.buy, 50, RiskLimits(maxPositionNotional: amount("12000"))) == nil)
    #expect(rule(.buy, 51, RiskLimits(maxPositionNotional: amount("12000"))) == .positionNotional)
    #expect(rule(.buy, 50, RiskLimits(maxPositionContracts: amount("20"))) == nil)
    #expect(rule(.buy, 51, RiskLimits(maxPositionContracts: amount("20"))) == .positionContracts)
    // Short as much as long.
    #expect(rule(.sell, 300, RiskLimits(maxPositionContracts: amount("20"))) == nil)
    #expect(rule(.sell, 301, RiskLimits(maxPositionContracts: amount("20"))) == .positionContracts)
    #expect(rule(.buy, 51, RiskLimits(maxInventory: amount("0.2"))) == .inventory)
    #expect(rule(.buy, 50, RiskLimits(maxLeverage: 9)) == .leverage)
    #expect(rule(.buy, 50, RiskLimits(maxLeverage: 10)) == nil)
  }

  @Test func withoutTermsAMarkOrAWalletNothingIsApproved() throws {
    let unmarked = try ContractDesk(.linear, mark: nil)
    #expect(unmarked.review(unmarked.intent(.buy, 1, at: 600_000))?.numbers.rule == .margin)
    let unfunded = try ContractDesk(.linear, accounts: 0)
    #expect(unfunded.review(unfunded.intent(.buy, 1, at: 600_000))?.numbers.rule == .margin)
    var unknown = try ContractDesk(.linear)
    unknown.portfolio = Portfolio()
    #expect(unknown.review(unknown.intent(.buy, 1, at: 600_000))?.numbers.rule == .product)
    // However absurd.
    let desk = try ContractDesk(.linear)
    for (quantity, price) in [(Int64.max, Int64.max), (1, .max), (.max, 1), (0, 1), (1, 0)] {
      #expect(desk.review(desk.intent(.buy, quantity, at: price)) != nil)
    }
  }

  @Test func refusalsOfContractsAreReadBackAndAGateWithoutIsWrittenAsEver() throws {
    func written(_ gate: borrowing RiskGate) -> [UInt8] {
      var writer = SnapshotWriter()
      gate.write(to: &writer)
      return writer.bytes.copy()
    }
    var gate = RiskGate(limits: RiskLimits())
    #expect(Array(written(gate).prefix(5)) == [4] + Array("risk".utf8))
    let desk = try ContractDesk(.linear, wallet: "1")
    var context = RiskContext(
      now: Desk.time(2), instrument: desk.instrument,
      reference: ReferencePrice(last: Price(quanta: 600_000)), freeBase: nil, freeQuote: nil,
      position: desk.position(), workingOnInstrument: 0, workingBuyLeaves: .zero,
      workingOfStrategy: 0)
    let intent = desk.intent(.buy, 1_000, at: 600_000)
    context.margin = desk.portfolio.marginContext(for: intent)
    _ = gate.review(intent, context: context)
    #expect(gate.refused(by: .margin) == 1)
    let bytes = written(gate)
    var read = RiskGate(limits: RiskLimits())
    var reader = SnapshotReader(bytes)
    try read.read(from: &reader)
    #expect(reader.isAtEnd && read.refused(by: .margin) == 1 && written(read) == bytes)
  }
}
