import Foundation
import MartletBase
import MartletGrid
import MartletModel
import MartletStrategy
import Testing

@testable import MartletBook

@Suite struct GridLevelTests {
  @Test("M102 M105: by default twenty orders stand ten a side, fifty apart, a thousandth each")
  func defaults() throws {
    var harness = try GridHarness()
    harness.market(at: Price(quanta: 97_524_13))
    harness.ready()
    #expect(harness.placed.count == 20)
    #expect(harness.prices.buys == (1...10).map { 97_500_00 - $0 * 50_00 })
    #expect(harness.prices.sells == (1...10).map { 97_500_00 + $0 * 50_00 })
    #expect(harness.placed.allSatisfy { $0.quantity == Quantity(quanta: 1_000) })
    #expect(Set(harness.placed.map(\.tag)).count == 20)
    let summary = harness.strategy.summary
    #expect(summary.center == Price(quanta: 97_500_00))
    #expect(summary.slots == 20 && summary.working == 20 && summary.waiting == 0)
    harness.book()
    harness.ready()
    #expect(harness.placed.count == 20, "a second look places nothing twice")
  }

  /// Method: the guide's `round(last / spacing) * spacing` in Foundation's decimals, banker's
  /// rounding as Python's `round` does, against the orders that the grid really places.
  @Test("M103 C12 T6 T7: levels are exact for ten thousand random prices of the traded market")
  func levelsAreExact() throws {
    var random = SeededRandom(seed: 103)
    let spacings = ["50", "0.05", "0.1", "1", "7.5", "12.25", "33.3", "100", "250", "0.75"]
    for round in 0..<10_000 {
      let spacing = spacings[Int(random.below(UInt64(spacings.count)))]
      let step = try #require(Decimal(string: spacing))
      // Half of the prices lie on or next to the half-way point between two centers.
      var last = Price(quanta: random.integer(in: 3_000_00...99_999_99))
      let stepQuanta = (GridHarness.amount(spacing).units / powerOfTen(18))
      if round.isMultiple(of: 2) {
        let steps = Int64(last.quanta) / Int64(stepQuanta)
        let nudge = random.integer(in: -1...1)
        last = Price(quanta: steps * Int64(stepQuanta) + Int64(stepQuanta) / 2 + nudge)
      }
      var harness = try GridHarness(
        GridSettings(levelsPerSide: 3, spacing: GridHarness.amount(spacing)))
      harness.market(at: last)
      harness.ready()

      let price = Decimal(last.quanta) / 100
      var quotient = price / step
      var rounded = Decimal()
      NSDecimalRound(&rounded, &quotient, 0, .bankers)
      let center = rounded * step
      var expected: [String] = []
      for level in 1...3 {
        expected.append("buy \(center - Decimal(level) * step)")
        expected.append("sell \(center + Decimal(level) * step)")
      }
      let found = harness.placed.map { "\($0.side) \(Decimal($0.price.quanta) / 100)" }
      #expect(found == expected, "price \(price), spacing \(spacing), round \(round)")
      if found != expected { return }
    }
  }

  @Test("M103: a price half-way between two centers goes to the even one, as Python's round does")
  func halvesGoToEven() throws {
    for (last, center) in [(25_00, 0), (75_00, 100_00), (125_00, 100_00), (175_00, 200_00)] {
      var harness = try GridHarness(GridSettings(levelsPerSide: 1))
      harness.market(at: Price(quanta: Int64(97_000_00 + last)))
      harness.ready()
      #expect(harness.strategy.summary.center == Price(quanta: Int64(97_000_00 + center)))
    }
  }

  @Test("T6 C12: the center is the traded market's last price, or its middle when none was told")
  func centerOfTheTradedMarket() throws {
    var harness = try GridHarness()
    harness.market(at: Price(quanta: 500_00))
    harness.lastPrice = nil
    // Bid 524.99, ask 525.02: the middle, 525.005, is just over the half-way point of 500 and 550.
    harness.top = TrustedTop(
      bid: Price(quanta: 524_99), bidQuantity: Quantity(quanta: 1), ask: Price(quanta: 525_02),
      askQuantity: Quantity(quanta: 1))
    harness.ready()
    #expect(harness.strategy.summary.center == Price(quanta: 550_00))
    // One quantum less is exactly the half-way point, and goes to the even multiple.
    var even = try GridHarness()
    even.top = TrustedTop(
      bid: Price(quanta: 524_99), bidQuantity: Quantity(quanta: 1), ask: Price(quanta: 525_01),
      askQuantity: Quantity(quanta: 1))
    even.ready()
    #expect(even.strategy.summary.center == Price(quanta: 500_00))
  }

  @Test("M22: nothing is laid out, and nothing is replaced, on a book that is not trusted")
  func nothingOnABrokenBook() throws {
    var harness = try GridHarness()
    harness.lastPrice = Price(quanta: 97_524_13)
    harness.ready()
    #expect(harness.placed.isEmpty)
    harness.market(at: Price(quanta: 97_524_13))
    harness.book()
    #expect(harness.placed.count == 20)
    harness.top = nil
    let index = try #require(harness.workingIndex(.buy, at: 97_450_00))
    harness.fillWhole(index)
    #expect(harness.placed.count == 20, "the fill is booked; its answer waits for a whole book")
    harness.market(at: Price(quanta: 97_450_00))
    harness.book()
    #expect(harness.placed.count == 21)
    #expect(harness.placed.last?.side == .sell)
  }

  @Test("a book with one side, and no trade told, gives no center yet")
  func waitsForAPrice() throws {
    var harness = try GridHarness()
    harness.top = TrustedTop(
      bid: Price(quanta: 500_00), bidQuantity: Quantity(quanta: 1), ask: nil, askQuantity: .zero)
    harness.ready()
    harness.book()
    #expect(harness.placed.isEmpty && harness.strategy.summary.center == nil)
  }

  @Test("T7: after hundreds of round trips a level is where it was, to the last digit")
  func pricesDoNotDrift() throws {
    var harness = try GridHarness(
      GridSettings(levelsPerSide: 2, spacing: GridHarness.amount("0.1")),
      instrument: GridHarness.instrument(pricePlaces: 1))
    harness.market(at: Price(quanta: 1_003))
    harness.ready()
    #expect(harness.prices.buys == [1_002, 1_001] && harness.prices.sells == [1_004, 1_005])
    for _ in 0..<100 {
      harness.trade(to: Price(quanta: 1_001))
      harness.trade(to: Price(quanta: 1_005))
    }
    harness.trade(to: Price(quanta: 1_003))
    #expect(harness.prices.buys == [1_002, 1_001] && harness.prices.sells == [1_004, 1_005])
  }

  @Test("a grid wider than its price leaves out the levels at or under zero")
  func noLevelUnderZero() throws {
    var harness = try GridHarness()
    harness.market(at: Price(quanta: 210_00))
    harness.ready()
    #expect(harness.prices.buys == [150_00, 100_00, 50_00])
    #expect(harness.prices.sells.count == 10)
    #expect(harness.strategy.summary.slots == 13)
  }

  @Test("M13: a changed tick binds the next placements, away from the other side")
  func newTickBindsNextPlacements() throws {
    var harness = try GridHarness(
      GridSettings(levelsPerSide: 3, spacing: GridHarness.amount("0.5")),
      instrument: GridHarness.instrument(pricePlaces: 2, tick: 50))
    harness.market(at: Price(quanta: 100_00))
    harness.ready()
    harness.instrument.rules.tickSize = 40
    func fill(_ side: Side, at price: Int64) throws -> OrderIntent {
      harness.fillWhole(try #require(harness.workingIndex(side, at: price)))
      return try #require(harness.placed.last)
    }
    #expect(try fill(.buy, at: 99_50).price == Price(quanta: 100_00))
    #expect(try fill(.sell, at: 100_00).price == Price(quanta: 99_20), "99.50, down by the tick")
    #expect(try fill(.sell, at: 100_50).price == Price(quanta: 100_00))
    #expect(try fill(.sell, at: 101_00).price == Price(quanta: 100_40), "100.50, down by the tick")
    #expect(try fill(.buy, at: 100_40).price == Price(quanta: 101_20), "101, up by the tick")
  }

  @Test("settings that make no grid are refused, each with what was expected")
  func faultsAreTyped() throws {
    let instrument = GridHarness.instrument(tick: 10, lot: 100, minQuantity: 500)
    func fault(_ settings: GridSettings, _ instrument: Instrument) -> GridSettings.Fault? {
      do throws(GridSettings.Fault) {
        _ = try GridStrategy(settings: settings, instrument: instrument)
        return nil
      } catch { return error }
    }
    let good = GridSettings()
    #expect(fault(good, instrument) == nil)
    for levels in [0, 101] {
      var settings = good
      settings.levelsPerSide = levels
      #expect(fault(settings, instrument) == .levels(found: levels))
    }
    for spacing in ["0", "-50", "0.15", "0.001"] {
      var settings = good
      settings.spacing = GridHarness.amount(spacing)
      let expected = GridSettings.Fault.spacing(
        found: settings.spacing, tick: GridHarness.amount("0.1"))
      #expect(fault(settings, instrument) == expected, "\(spacing)")
    }
    for amount in ["0", "-1", "0.00015", "0.0004"] {
      var settings = good
      settings.amount = GridHarness.amount(amount)
      let expected = GridSettings.Fault.amount(
        found: settings.amount, lot: GridHarness.amount("0.0001"),
        minimum: GridHarness.amount("0.0005"))
      #expect(fault(settings, instrument) == expected, "\(amount)")
    }
    var wide = good
    wide.spacing = GridHarness.amount("1000000000000000000")
    #expect(fault(wide, instrument) == .tooWide(spacing: wide.spacing))
    let contract = Instrument(
      id: instrument.id, venue: .whitebit, kind: .linear, symbol: "BTC_PERP", base: "BTC",
      quote: "USDT", scale: instrument.scale, rules: instrument.rules)
    #expect(fault(good, contract) == .notSpot(symbol: "BTC_PERP"))
    #expect(
      GridSettings.Fault.spacing(found: GridHarness.amount("0.15"), tick: GridHarness.amount("0.1"))
        .description == "grid: spacing is 0.15; expected a positive multiple of the tick, 0.1")
  }
}
