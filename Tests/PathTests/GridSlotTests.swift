import MartletBase
import MartletGrid
import MartletModel
import MartletStrategy
import Testing

@Suite struct GridSlotTests {
  static func laidOut(
    levels: Int = 3, amount: String = "0.001", instrument: Instrument = GridHarness.instrument(),
    base: String = "10"
  ) throws -> GridHarness {
    var harness = try GridHarness(
      GridSettings(levelsPerSide: levels, amount: GridHarness.amount(amount)),
      instrument: instrument, base: base)
    harness.market(at: Price(quanta: 1_000_00))
    harness.ready()
    return harness
  }

  @Test("M105: a bought level is sold one level up, and a sold one bought one level down")
  func replacesOneLevelAway() throws {
    var harness = try Self.laidOut()
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    var last = try #require(harness.placed.last)
    #expect(last.side == .sell && last.price == Price(quanta: 1_000_00))
    #expect(last.quantity == Quantity(quanta: 1_000))
    #expect(harness.strategy.summary.roundTrips == 0 && harness.strategy.summary.profit == .zero)
    harness.fillWhole(try #require(harness.workingIndex(.sell, at: 1_000_00)))
    harness.fillWhole(try #require(harness.workingIndex(.sell, at: 1_050_00)))
    last = try #require(harness.placed.last)
    #expect(last.side == .buy && last.price == Price(quanta: 1_000_00))
    #expect(harness.strategy.summary.roundTrips == 1)
    #expect(harness.strategy.summary.profit == GridHarness.amount("0.05"))
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 1_000_00)))
    #expect(harness.strategy.summary.roundTrips == 2)
    #expect(harness.strategy.summary.profit == GridHarness.amount("0.1"))
    #expect(harness.prices.buys == [950_00, 900_00, 850_00])
    #expect(harness.prices.sells == [1_050_00, 1_100_00, 1_150_00])
  }

  @Test("T1 C6: partial fills bring nothing; the last one brings one opposite order of their sum")
  func actsWhenTheOrderIsFinished() throws {
    var harness = try Self.laidOut()
    let index = try #require(harness.workingIndex(.buy, at: 950_00))
    for part in [1, 399, 250] as [Int64] {
      harness.fill(index, Quantity(quanta: part))
      #expect(harness.placed.count == 6)
    }
    harness.fill(index, Quantity(quanta: 350))
    #expect(harness.placed.count == 7)
    #expect(harness.placed.last?.quantity == Quantity(quanta: 1_000))
    #expect(harness.placed.last?.side == .sell)
  }

  @Test("T14 M105: the sell is what was bought less the fee in base; dust goes with the next sell")
  func netOfBaseFee() throws {
    // Lots of 0.00001; a fee of 0.1 % of 0.001 leaves 0.000999: 0.00099 to sell and dust.
    var harness = try Self.laidOut(instrument: GridHarness.instrument(lot: 10))
    harness.feeRate = Rate(units: 10_000_000)
    harness.takesFeeInBase = true
    var sold: [Int64] = []
    for _ in 0..<12 {
      harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
      let sell = try #require(harness.placed.last)
      #expect(sell.side == .sell && sell.price == Price(quanta: 1_000_00))
      sold.append(sell.quantity.quanta)
      harness.fillWhole(try #require(harness.workingIndex(.sell, at: 1_000_00)))
      let buy = try #require(harness.placed.last)
      #expect(
        buy.side == .buy && buy.quantity == Quantity(quanta: 1_000), "re-buy is as configured")
    }
    // 999 a trip: nine quanta of dust each time until a lot is full.
    #expect(
      sold == [990, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 990, 1_000])
    #expect(sold.reduce(0, +) <= 12 * 999)
    #expect(harness.strategy.summary.inventory == GridHarness.amount("0.000008"))
  }

  @Test("T13 M80: a level canceled with nothing filled is placed again, and not in a tight loop")
  func canceledLevelReturns() throws {
    var harness = try Self.laidOut()
    var waits: [Int64] = []
    for _ in 0..<9 {
      let before = harness.placed.count
      harness.end(try #require(harness.workingIndex(.buy, at: 950_00)))
      #expect(harness.placed.count == before)
      #expect(harness.strategy.summary.waiting == 1 && harness.strategy.summary.slots == 6)
      let began = harness.now
      while harness.placed.count == before {
        #expect(harness.wakeAt != .distantFuture)
        harness.pass(harness.wakeAt - harness.now)
      }
      waits.append((harness.now - began).milliseconds / 1_000)
      #expect(harness.placed.last?.price == Price(quanta: 950_00))
      #expect(harness.placed.last?.side == .buy)
    }
    #expect(waits == [15, 30, 60, 120, 240, 480, 960, 960, 960])
  }

  @Test(
    "T13: a buy canceled half-way sells what it got, and later buys the configured amount again")
  func partlyBought() throws {
    var harness = try Self.laidOut()
    let index = try #require(harness.workingIndex(.buy, at: 950_00))
    harness.fill(index, Quantity(quanta: 400))
    harness.end(index)
    let sell = try #require(harness.placed.last)
    #expect(sell.side == .sell && sell.price == Price(quanta: 1_000_00))
    #expect(sell.quantity == Quantity(quanta: 400))
    harness.fillWhole(try #require(harness.workingIndex(.sell, at: 1_000_00)))
    let buy = try #require(harness.placed.last)
    #expect(buy.side == .buy && buy.price == Price(quanta: 950_00))
    #expect(buy.quantity == Quantity(quanta: 1_000))
  }

  @Test("T13: a sell canceled half-way sells the rest before its slot buys again")
  func partlySold() throws {
    var harness = try Self.laidOut()
    let index = try #require(harness.workingIndex(.sell, at: 1_050_00))
    harness.fill(index, Quantity(quanta: 400))
    harness.end(index)
    let rest = try #require(harness.placed.last)
    #expect(rest.side == .sell && rest.price == Price(quanta: 1_050_00))
    #expect(rest.quantity == Quantity(quanta: 600))
    harness.fillWhole(try #require(harness.workingIndex(.sell, at: 1_050_00)))
    #expect(harness.placed.last?.side == .buy)
    #expect(harness.placed.last?.quantity == Quantity(quanta: 1_000))
  }

  @Test("T13: what a canceled buy got, when too small to sell, goes with the next sell")
  func dustIsCarried() throws {
    var harness = try Self.laidOut(instrument: GridHarness.instrument(minQuantity: 500))
    let index = try #require(harness.workingIndex(.buy, at: 950_00))
    harness.fill(index, Quantity(quanta: 300))
    harness.end(index)
    let again = try #require(harness.placed.last)
    #expect(again.side == .buy && again.quantity == Quantity(quanta: 1_000))
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    #expect(harness.placed.last?.side == .sell)
    #expect(harness.placed.last?.quantity == Quantity(quanta: 1_300))
  }

  @Test("C6: an order told as filled before its fills waits for them: they carry the fees")
  func waitsForMissingFills() throws {
    var harness = try Self.laidOut()
    harness.feeRate = Rate(units: 10_000_000)
    harness.takesFeeInBase = true
    let index = try #require(harness.workingIndex(.buy, at: 950_00))
    var early = harness.orders[index].view
    early.state = .filled
    harness.news(early)
    #expect(harness.placed.count == 6)
    harness.fill(index, Quantity(quanta: 600))
    #expect(harness.placed.count == 6)
    harness.fill(index, Quantity(quanta: 400))
    #expect(harness.placed.count == 7)
    #expect(harness.placed.last?.quantity == Quantity(quanta: 999))
  }

  @Test("a fill of an order believed over is not lost: it goes with the next sell")
  func lateFill() throws {
    var harness = try Self.laidOut()
    let index = try #require(harness.workingIndex(.buy, at: 950_00))
    harness.end(index)
    #expect(harness.strategy.summary.waiting == 1)
    harness.fill(index, Quantity(quanta: 250))
    #expect(harness.placed.last?.side == .sell, "there is something to sell, so nothing waits")
    #expect(harness.placed.last?.quantity == Quantity(quanta: 250))
    let sell = try #require(harness.workingIndex(.sell, at: 1_000_00))
    harness.fill(index, Quantity(quanta: 100))
    #expect(harness.placed.count == 7)
    harness.fillWhole(sell)
    #expect(harness.placed.last?.quantity == Quantity(quanta: 100))
    #expect(harness.placed.last?.side == .sell)
  }

  @Test("repeated, stale and foreign news changes nothing")
  func repeatedNews() throws {
    var harness = try Self.laidOut()
    let index = try #require(harness.workingIndex(.buy, at: 950_00))
    harness.fillWhole(index)
    let count = harness.placed.count
    harness.news(harness.orders[index].view)
    var stale = harness.orders[index].view
    stale.state = .canceled
    harness.news(stale)
    for tag in [0, -1, 7, 0xffff, 1 << 40] as [Int64] {
      var foreign = stale
      foreign.tag = tag
      harness.news(foreign)
    }
    #expect(harness.placed.count == count)
    #expect(harness.strategy.summary.working == 6)
  }

  @Test("a refused sell asks again ever more slowly, and never takes what another slot bought")
  func refusedSells() throws {
    var harness = try GridHarness(GridSettings(levelsPerSide: 3), base: "0")
    harness.market(at: Price(quanta: 1_000_00))
    harness.refuses = { $0.side == .sell ? .insufficientBalance : nil }
    harness.ready()
    #expect(harness.refused.count == 3 && harness.placed.count == 3)
    #expect(harness.strategy.summary.waiting == 3)
    // An hour without base: whoever has none to lend does not even ask.
    harness.pass(.seconds(3_600))
    #expect(harness.refused.count == 3)
    #expect(harness.strategy.summary.waiting == 3)

    // A buy fills: its base is its own slot's to sell, though the others have waited longer.
    harness.refuses = { _ in nil }
    harness.top = nil
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    harness.pass(.seconds(3_600))
    harness.market(at: Price(quanta: 960_00))
    harness.book()
    #expect(harness.prices.sells == [1_000_00])
    #expect(harness.base == .zero)

    // With base in the account the others are placed within their slowest cadence.
    harness.base = GridHarness.amount("1")
    harness.pass(.seconds(961))
    #expect(harness.prices.sells == [1_000_00, 1_050_00, 1_100_00, 1_150_00])
  }

  @Test("a grid that is always refused asks a bounded number of times in a day")
  func refusalsAreBounded() throws {
    var harness = try GridHarness(GridSettings(levelsPerSide: 10))
    harness.market(at: Price(quanta: 1_000_00))
    harness.refuses = { _ in .instrumentUnavailable }
    harness.ready()
    for _ in 0..<24 * 60 {
      harness.pass(.seconds(60))
      harness.book()
    }
    // Seven times in the first half hour, then each 16 minutes.
    #expect(harness.refused.count <= 20 * (7 + 90))
    #expect(harness.strategy.summary.waiting + harness.strategy.summary.working == 20 - 0)
    harness.refuses = { _ in nil }
    harness.pass(.seconds(961))
    #expect(harness.strategy.summary.working == harness.strategy.summary.slots)
  }

  @Test("a rejection by the venue is a refusal too")
  func venueRejects() throws {
    var harness = try Self.laidOut()
    let before = harness.placed.count
    harness.end(try #require(harness.workingIndex(.sell, at: 1_050_00)), as: .rejected)
    #expect(harness.placed.count == before && harness.strategy.summary.waiting == 1)
    harness.pass(.seconds(15))
    #expect(harness.placed.last?.price == Price(quanta: 1_050_00))
  }

  @Test("an order that would meet one of the same grid waits until that one is over")
  func neverMeetsItself() throws {
    var harness = try Self.laidOut()
    // The sell at 1050 fills while the one at 1000, of the slot below, still rests: a buy at 1000
    // would meet it.
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    let low = try #require(harness.workingIndex(.sell, at: 1_000_00))
    harness.fillWhole(try #require(harness.workingIndex(.sell, at: 1_050_00)))
    #expect(harness.prices.buys == [900_00, 850_00])
    #expect(harness.strategy.summary.waiting == 1)
    harness.fillWhole(low)
    #expect(harness.prices.buys == [1_000_00, 950_00, 900_00, 850_00])
  }

  @Test("a market that pauses, and a minimum that grows, make slots wait and not vanish")
  func rulesThatForbid() throws {
    var harness = try Self.laidOut()
    harness.instrument.rules.isTrading = false
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    #expect(harness.strategy.summary.waiting == 1 && harness.refused.isEmpty)
    harness.instrument.rules.isTrading = true
    harness.instrument.rules.minNotional = GridHarness.amount("5")
    harness.pass(.seconds(60))
    #expect(harness.strategy.summary.waiting == 1)
    harness.instrument.rules.minNotional = .zero
    harness.pass(.seconds(960))
    #expect(harness.strategy.summary.waiting == 0)
    #expect(harness.placed.last?.side == .sell)
    #expect(harness.placed.last?.price == Price(quanta: 1_000_00))
  }
}
