import MartletBase
import MartletModel
import Testing

/// A page of contract sums, each worked by hand beside it.
@Suite struct ContractFixtureTests {
  let linear: ContractTerms
  let inverse: ContractTerms

  init() throws {
    linear = try ContractFixtures.linear()
    inverse = try ContractFixtures.inverse()
  }

  private func amount(_ text: String) -> Amount { ContractFixtures.amount(text) }
  /// In tenths.
  private func price(_ tenths: Int64) -> Price { Price(quanta: tenths) }
  /// In 0.001 BTC of the linear contract, in 1 USD of the inverse one.
  private func size(_ quanta: Int64) -> Quantity { Quantity(quanta: quanta) }

  private func linearGain(_ net: Int64, cost: String, at tenths: Int64) -> Amount {
    linear.instrument.unrealized(size(net), cost: amount(cost), at: price(tenths))
  }

  private func inverseGain(_ net: Int64, cost: String, at tenths: Int64) -> Amount {
    inverse.instrument.unrealized(size(net), cost: amount(cost), at: price(tenths))
  }

  @Test("M16: a linear contract gains quantity × (mark − entry), as the venues' own samples say")
  func linearProfit() {
    // OKX `positions`: 0.4 contracts of 0.01 BTC at 60,000, mark 60,118.4: upl 0.4736.
    // 0.004 × 118.4 = 0.4736.
    #expect(linear.contracts(in: size(4), rounded: .down) == amount("0.4"))
    #expect(linear.value(of: size(4), at: price(600_000)) == amount("240"))
    #expect(linearGain(4, cost: "240", at: 601_184) == amount("0.4736"))
    // Bybit `position`: 0.004 at 60,000, mark 60,001.2: unrealisedPnl 0.0048.
    #expect(linearGain(4, cost: "240", at: 600_012) == amount("0.0048"))
    // The same sold short loses it.
    #expect(linearGain(-4, cost: "-240", at: 601_184) == amount("-0.4736"))
    // 1 BTC sold at 60,000, 0.5 more at 63,000: cost 91,500. At 58,000: 91,500 − 87,000.
    #expect(linearGain(-1_500, cost: "-91500", at: 580_000) == amount("4500"))
  }

  @Test("M16: an inverse contract gains quantity × (1 ÷ entry − 1 ÷ mark), in base")
  func inverseProfit() {
    // 10,000 USD at 50,000 cost 0.2 BTC. At 62,500 they are worth 0.16: 0.04 gained.
    #expect(inverse.value(of: size(10_000), at: price(500_000)) == amount("0.2"))
    #expect(inverseGain(10_000, cost: "0.2", at: 625_000) == amount("0.04"))
    // At 40,000 they are worth 0.25: 0.05 lost, more than as far up brings.
    #expect(inverseGain(10_000, cost: "0.2", at: 400_000) == amount("-0.05"))
    #expect(inverseGain(-10_000, cost: "-0.2", at: 400_000) == amount("0.05"))
    // 100 contracts of 100 USD.
    #expect(inverse.contracts(in: size(10_000), rounded: .down) == amount("100"))
    // 100 USD at 30,000: a third of 0.01, to the nearest of 20 decimals; both sides alike.
    #expect(inverse.value(of: size(100), at: price(300_000)) == amount("0.00333333333333333333"))
    #expect(inverse.value(of: size(-100), at: price(300_000)) == amount("-0.00333333333333333333"))
    // 200 USD: two thirds, to the nearest.
    #expect(inverse.value(of: size(200), at: price(300_000)) == amount("0.00666666666666666667"))
  }

  @Test("M16: initial margin is value ÷ leverage, rounded up")
  func initialMargin() {
    // OKX: 0.004 × 60,118.4 = 240.4736 at 10: imr 24.04736.
    let okx = linear.value(of: size(4), at: price(601_184))
    #expect(linear.initialMargin(of: okx, leverage: 10) == amount("24.04736"))
    // Binance: 0.040 at mark 63,118.4 at 10: positionInitialMargin 252.4736.
    let binance = linear.value(of: size(40), at: price(631_184))
    #expect(linear.initialMargin(of: binance, leverage: 10) == amount("252.4736"))
    // WhiteBIT: −0.1 at 63,118.4 at 10: margin 631.18(4).
    let short = linear.value(of: size(-100), at: price(631_184))
    #expect(linear.initialMargin(of: short, leverage: 10) == amount("631.184"))
    // 1 ÷ 3 does not come out even.
    #expect(linear.initialMargin(of: amount("1"), leverage: 3) == amount("0.33333333333333333334"))
    // 10,000 USD at 50,000 at 20: 0.2 ÷ 20.
    let coins = inverse.value(of: size(10_000), at: price(500_000))
    #expect(inverse.initialMargin(of: coins, leverage: 20) == amount("0.01"))
  }

  @Test("M16: maintenance margin follows the brackets without a jump")
  func maintenanceMargin() {
    // OKX: 240.4736 at 0.4 %: mmr 0.9619, with all its digits 0.9618944.
    #expect(linear.maintenanceMargin(of: amount("240.4736")) == amount("0.9618944"))
    // 50,000 × 0.4 % = 200, by either bracket: 50,000 × 0.5 % − 50.
    #expect(linear.maintenanceMargin(of: amount("50000")) == amount("200"))
    #expect(linear.maintenanceMargin(of: amount("50000.01")) == amount("200.00005"))
    // 50,000 × 0.4 % + 550,000 × 0.5 % + 100,000 × 0.65 % = 200 + 2,750 + 650, or
    // 700,000 × 0.65 % − 950.
    #expect(linear.maintenanceMargin(of: amount("700000")) == amount("3600"))
    #expect(linear.maintenanceMargin(of: amount("-700000")) == amount("3600"))
    // Beyond the table the last bracket goes on: 4,000,000 × 0.65 % − 950.
    #expect(linear.maintenanceMargin(of: amount("4000000")) == amount("25050"))
    // 5 × 0.5 % + 1 × 1 %.
    #expect(inverse.maintenanceMargin(of: amount("6")) == amount("0.035"))
    #expect(linear.mostValue(at: 100) == amount("600000"))
    #expect(linear.mostValue(at: 126) == nil)
    #expect(linear.mostValue(at: 1) == amount("3000000"))
  }

  @Test("M16: a long pays what a short gets at a positive funding rate")
  func funding() {
    let rate = Rate(units: 1_000_000)  // 0.01 %.
    // 2 BTC at 50,000: 100,000 × 0.01 % = 10.
    #expect(linear.funding(on: size(2_000), at: price(500_000), rate: rate) == amount("-10"))
    #expect(linear.funding(on: size(-2_000), at: price(500_000), rate: rate) == amount("10"))
    let negative = Rate(units: -1_000_000)
    #expect(linear.funding(on: size(2_000), at: price(500_000), rate: negative) == amount("10"))
    // 10,000 USD at 50,000: 0.2 BTC × 0.01 %.
    #expect(inverse.funding(on: size(10_000), at: price(500_000), rate: rate) == amount("-0.00002"))
    // 100 USD at 30,000: 0.00333333333333333333 × 0.0001, beyond the twentieth decimal: down, so
    // that a payment grows and a receipt shrinks.
    #expect(
      inverse.funding(on: size(100), at: price(300_000), rate: rate)
        == amount("-0.00000033333333333334"))
    #expect(
      inverse.funding(on: size(-100), at: price(300_000), rate: rate)
        == amount("0.00000033333333333333"))
  }

  private func end(
    _ terms: ContractTerms, _ net: Int64, cost: String, cover: String, isBankrupt: Bool = false
  ) -> Int64? {
    let mark = price(600_000)
    return isBankrupt
      ? terms.bankruptcyPrice(of: size(net), cost: amount(cost), cover: amount(cover), mark: mark)?
        .quanta
      : terms.liquidationPrice(of: size(net), cost: amount(cost), cover: amount(cover), mark: mark)?
        .quanta
  }

  @Test("M16: a linear position is liquidated where what is left is its maintenance margin")
  func linearLiquidation() {
    // 1 BTC long at 60,000 at 10: 6,000 of cover. 6,000 + p − 60,000 = 0.5 % × p − 50 at
    // p = 53,950 ÷ 0.995 = 54,221.105…; the first tenth at or under it.
    #expect(end(linear, 1_000, cost: "60000", cover: "6000") == 542_211)
    // Nothing is left at 60,000 − 6,000.
    #expect(end(linear, 1_000, cost: "60000", cover: "6000", isBankrupt: true) == 540_000)
    // Short: 6,000 + 60,000 − p = 0.5 % × p − 50 at p = 66,050 ÷ 1.005 = 65,721.393…; the first
    // tenth at or over it.
    #expect(end(linear, -1_000, cost: "-60000", cover: "6000") == 657_214)
    #expect(end(linear, -1_000, cost: "-60000", cover: "6000", isBankrupt: true) == 660_000)
    // With 60,000 of cover a long cannot be: at 0.1 it still has 0.1 + 60,000 − 60,000 and more
    // than 0.4 % of it.
    #expect(end(linear, 1_000, cost: "60000", cover: "60000") == nil)
    // With nothing to lose, at once.
    #expect(end(linear, 1_000, cost: "60000", cover: "200") == 600_000)
    #expect(end(linear, 0, cost: "0", cover: "0") == nil)
  }

  @Test("M16: an inverse long is liquidated sooner than a linear one, a covered short never")
  func inverseLiquidation() {
    // 60,000 USD long at 60,000: cost 1 BTC, cover 0.1. 1.1 − q ÷ p = 0.5 % × q ÷ p at
    // p = 60,000 × 1.005 ÷ 1.1 = 54,818.18…
    #expect(end(inverse, 60_000, cost: "1", cover: "0.1") == 548_181)
    // 60,000 ÷ 1.1 = 54,545.45…
    #expect(end(inverse, 60_000, cost: "1", cover: "0.1", isBankrupt: true) == 545_454)
    // Short: q ÷ p × 0.995 = 0.9 at p = 59,700 ÷ 0.9 = 66,333.33…
    #expect(end(inverse, -60_000, cost: "-1", cover: "0.1") == 663_334)
    // Short of no more than the coins that are there: its coins rise as what it owes falls.
    #expect(end(inverse, -60_000, cost: "-1", cover: "1") == nil)
  }

  @Test func termsThatCannotBeAreRefusedWithTheirPlace() {
    func fault(_ brackets: [MarginBracket], size: String = "1") -> ContractTerms.Fault? {
      do throws(ContractTerms.Fault) {
        _ = try ContractTerms(
          of: ContractFixtures.instrument(.linear, quantity: 3), contractSize: amount(size),
          brackets: brackets)
        return nil
      } catch { return error }
    }
    func bracket(_ upTo: String, _ leverage: Int, _ thousandths: Int64) -> MarginBracket {
      MarginBracket(
        upTo: amount(upTo), maxLeverage: leverage, maintenance: ContractFixtures.rate(thousandths))
    }
    #expect(fault([]) == .brackets(count: 0))
    #expect(fault([bracket("1", 10, 5)], size: "0") == .contractSize(.zero))
    #expect(fault([bracket("0", 10, 5)]) == .bracket(0))
    // 5 % of maintenance at 25: 4 % of margin would be too little from the first moment.
    #expect(fault([bracket("1", 25, 50)]) == .bracket(0))
    #expect(fault([bracket("2", 10, 5), bracket("2", 10, 6)]) == .bracket(1))
    #expect(fault([bracket("1", 10, 5), bracket("2", 20, 6)]) == .bracket(1))
    #expect(fault([bracket("1", 10, 5), bracket("2", 10, 4)]) == .bracket(1))
    #expect(
      fault([bracket("0.00000000000000000001", 10, 5), bracket("2", 10, 6)]) == .inexact(1))
    #expect(throws: ContractTerms.Fault.notAContract(symbol: "BTC_PERP")) {
      _ = try ContractTerms(
        of: ContractFixtures.instrument(.spot, quantity: 3), brackets: [bracket("1", 10, 5)])
    }
  }

  @Test func termsAndPlansAreReadBackAsTheyWereWritten() throws {
    for terms in [linear, inverse] {
      var writer = SnapshotWriter()
      writer.write(terms)
      let plan = MarginPlan(leverage: 20, mode: .isolated, isHedged: true)
      writer.write(plan)
      let bytes = writer.bytes.copy()
      var reader = SnapshotReader(bytes)
      #expect(try reader.contractTerms() == terms)
      #expect(try reader.marginPlan() == plan)
      #expect(reader.isAtEnd)
      for length in 0..<bytes.count {
        var reader = SnapshotReader(Array(bytes.prefix(length)))
        #expect(throws: SnapshotReader.Fault.self) {
          _ = try reader.contractTerms()
          _ = try reader.marginPlan()
        }
      }
    }
  }
}
