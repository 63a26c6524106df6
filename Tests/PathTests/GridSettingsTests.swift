import MartletBase
import MartletGrid
import MartletModel
import MartletStrategy
import Testing

@Suite struct GridSettingsTests {
  static func settings(
    levels: Int = 3, spacing: String = "50", amount: String = "0.001"
  ) -> GridSettings {
    GridSettings(
      levelsPerSide: levels, spacing: GridHarness.amount(spacing),
      amount: GridHarness.amount(amount))
  }

  @Test("more levels are placed outside of the others, which stay as they are")
  func widens() throws {
    var harness = try GridSlotTests.laidOut()
    harness.change(to: Self.settings(levels: 5))
    #expect(harness.isTaken)
    #expect(harness.canceledByStrategy.isEmpty)
    #expect(harness.placed.count == 10)
    #expect(harness.prices.buys == [950_00, 900_00, 850_00, 800_00, 750_00])
    #expect(harness.prices.sells == [1_050_00, 1_100_00, 1_150_00, 1_200_00, 1_250_00])
    harness.change(to: Self.settings(levels: 5))
    #expect(harness.isTaken, "the same again is no change")
    #expect(harness.placed.count == 10 && harness.canceledByStrategy.isEmpty)
  }

  @Test("levels added on the side that the market has left are placed without meeting it")
  func widensAwayFromTheMarket() throws {
    var harness = try GridSlotTests.laidOut()
    harness.trade(to: Price(quanta: 700_00))
    #expect(harness.prices.buys.isEmpty, "the market is under the grid")
    harness.change(to: Self.settings(levels: 8))
    #expect(harness.isTaken)
    for order in harness.working {
      #expect(order.side == .buy ? order.price.quanta < 700_00 : order.price.quanta > 700_00)
    }
    #expect(harness.prices.buys == [650_00, 600_00])
    #expect(harness.working.count == 16)
    #expect(harness.strategy.summary.slots == 16)
  }

  @Test("fewer levels: the outer orders go, the others stay, and what was earned there stays too")
  func narrows() throws {
    var harness = try GridSlotTests.laidOut()
    // Down through all levels and back: three round trips, of 0.05 each.
    harness.trade(to: Price(quanta: 820_00))
    harness.trade(to: Price(quanta: 1_020_00))
    let earned = harness.strategy.summary.profit
    #expect(earned == GridHarness.amount("0.15"))
    harness.change(to: Self.settings(levels: 1))
    #expect(harness.isTaken)
    #expect(harness.canceledByStrategy.count == 4)
    harness.endCanceled()
    harness.book()
    #expect(harness.prices.buys == [950_00] && harness.prices.sells == [1_050_00])
    #expect(harness.strategy.summary.profit == earned)
    #expect(harness.strategy.summary.roundTrips == 3)
    #expect(harness.strategy.summary.slots == 2)
  }

  @Test("what a slot holds when it is taken away counts at the price of that moment")
  func holdingsGoBack() throws {
    var harness = try GridSlotTests.laidOut()
    harness.trade(to: Price(quanta: 840_00))
    #expect(harness.strategy.summary.inventory == GridHarness.amount("0.003"))
    harness.change(to: Self.settings(levels: 1))
    #expect(harness.isTaken)
    harness.endCanceled()
    harness.book()
    // Bought at 900 and 850, worth 840 each.
    #expect(harness.strategy.summary.profit == GridHarness.amount("-0.07"))
    #expect(harness.strategy.summary.inventory == GridHarness.amount("0.001"))
    #expect(harness.prices.sells == [1_000_00, 1_050_00])
  }

  @Test("another amount moves untouched orders alone, one for one, once each is gone")
  func resizes() throws {
    var harness = try GridSlotTests.laidOut()
    harness.fill(try #require(harness.workingIndex(.buy, at: 950_00)), Quantity(quanta: 400))
    harness.change(to: Self.settings(amount: "0.002"))
    #expect(harness.isTaken)
    // The half-filled one stays; the other two buys and three sells go.
    #expect(harness.canceledByStrategy.count == 5)
    let before = harness.placed.count
    harness.endCanceled()
    #expect(harness.placed.count == before + 5, "at once, not after a while")
    for intent in harness.placed[before...] {
      #expect(intent.quantity == Quantity(quanta: 2_000))
    }
    #expect(harness.prices.buys == [950_00, 900_00, 850_00])
    #expect(harness.prices.sells == [1_050_00, 1_100_00, 1_150_00])
    // The old order ends with what it began.
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    #expect(harness.placed.last?.quantity == Quantity(quanta: 1_000))
  }

  @Test("another spacing lays the grid around the price of the moment; what fits stays")
  func respaces() throws {
    var harness = try GridSlotTests.laidOut()
    harness.change(to: Self.settings(spacing: "100"))
    #expect(harness.isTaken)
    // 900 and 1,100 are levels of both.
    #expect(harness.canceledByStrategy.count == 4)
    #expect(harness.placed.count == 6, "nothing new before the others are gone")
    harness.endCanceled()
    #expect(harness.placed.count == 10)
    #expect(harness.prices.buys == [900_00, 800_00, 700_00])
    #expect(harness.prices.sells == [1_100_00, 1_200_00, 1_300_00])
    // An order that was taken over is followed like any other.
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 900_00)))
    #expect(harness.placed.last?.side == .sell)
    #expect(harness.placed.last?.price == Price(quanta: 1_000_00))
    harness.ready()
    #expect(harness.canceledByStrategy.count == 4 && harness.working.count == 6)
  }

  @Test("fills of an order on its way out are in the ledger, and in no slot")
  func lateFillOfALeavingOrder() throws {
    var harness = try GridSlotTests.laidOut()
    harness.feeRate = Rate(units: 10_000_000)
    let leaving = try #require(harness.workingIndex(.buy, at: 950_00))
    harness.change(to: Self.settings(spacing: "100"))
    #expect(harness.isTaken)
    harness.fill(leaving, Quantity(quanta: 300))
    #expect(harness.strategy.summary.inventory == .zero)
    // 0.0003 at 950: the fee of 0.1 % is lost, the base is the account's at its price.
    #expect(harness.strategy.summary.profit == GridHarness.amount("-0.000285"))
    harness.endCanceled()
    #expect(harness.working.count == 6)
  }

  @Test("slots that wait after refusals ask at once under other settings")
  func waitingSlotsAskAtOnce() throws {
    var harness = try GridSlotTests.laidOut()
    harness.refuses = { $0.quantity > Quantity(quanta: 1_000) ? .insufficientBalance : nil }
    harness.change(to: Self.settings(amount: "0.005"))
    harness.endCanceled()
    #expect(harness.working.isEmpty && harness.strategy.summary.waiting == 6)
    harness.pass(.seconds(100))
    harness.change(to: Self.settings(amount: "0.001"))
    #expect(harness.working.count == 6)
  }

  @Test("settings that do not fit are refused, and nothing is touched")
  func refuses() throws {
    var harness = try GridSlotTests.laidOut(instrument: GridHarness.instrument(tick: 10))
    let before = GridRestartTests.bytes(of: harness.strategy)
    harness.change(to: Self.settings(spacing: "0.05"))
    #expect(!harness.isTaken)
    harness.change(to: Self.settings(levels: 101))
    #expect(!harness.isTaken)
    harness.change(to: Self.settings(amount: "0"))
    #expect(!harness.isTaken)
    #expect(GridRestartTests.bytes(of: harness.strategy) == before)
    #expect(harness.canceledByStrategy.isEmpty)
  }

  /// Method: random markets, fills of random parts, cancels, settings and restarts from a snapshot,
  /// from a seed. After each step: no order meets another, and each is in a slot or on its way out.
  /// What the account has more than at the start is what the grid says it holds, with what it gave
  /// back. At the end every slot has an order of its own, or waits for one that stands in its way.
  @Test("whatever settings come when, no order is lost or doubled, and the account agrees")
  func anySettingsAnyTime() throws {
    for seed in UInt64(1)...150 {
      var random = SeededRandom(seed: seed)
      var harness = try GridHarness(Self.settings(levels: Int(random.integer(in: 1...6))))
      harness.market(at: Price(quanta: random.integer(in: 900_00...1_100_00)))
      harness.ready()
      let start = harness.base + Self.offered(harness)
      var givenBack = Amount.zero
      for step in 0..<120 {
        let label = "seed \(seed), step \(step)"
        let working = harness.orders.indices.filter { !harness.orders[$0].view.state.isTerminal }
        let some = working.isEmpty ? nil : working[Int(random.below(UInt64(working.count)))]
        let held = harness.strategy.summary.inventory
        let account = harness.base + Self.offered(harness)
        switch random.below(9) {
        case 0...2:
          if let some {
            harness.fill(
              some,
              Quantity(quanta: random.integer(in: 1...harness.orders[some].view.leaves.quanta)))
          }
        case 3: if let some { harness.fillWhole(some) }
        case 4: harness.endCanceled()
        case 5:
          harness.market(at: Price(quanta: random.integer(in: 900_00...1_100_00)))
          harness.book()
        case 6: harness.pass(.seconds(random.integer(in: 1...1_000)))
        case 7:
          let wanted = Self.settings(
            levels: Int(random.integer(in: 1...6)),
            spacing: ["25", "50", "100"][Int(random.below(3))],
            amount: ["0.0005", "0.001", "0.002"][Int(random.below(3))])
          harness.change(to: wanted)
          #expect(harness.isTaken)
        default:
          let written = GridRestartTests.bytes(of: harness.strategy)
          var reader = SnapshotReader(written)
          harness.strategy = try GridStrategy(
            settings: Self.settings(), instrument: harness.instrument)
          try harness.strategy.read(from: &reader)
          harness.ready()
        }
        // What changed in the account and not in the grid was given back, or came from a former one.
        let moved = harness.base + Self.offered(harness) - account
        givenBack = givenBack + moved - (harness.strategy.summary.inventory - held)
        guard check(harness, label) else { return }
      }
      #expect(
        harness.base + Self.offered(harness) - start
          == harness.strategy.summary.inventory + givenBack)
      for _ in 0..<20 {
        harness.endCanceled()
        harness.pass(.seconds(1_000))
        harness.ready()
      }
      let summary = harness.strategy.summary
      #expect(summary.working + summary.waiting == summary.slots, "seed \(seed)")
      #expect(summary.working == harness.working.count, "seed \(seed)")
      #expect(summary.slots == 2 * harness.strategy.settings.levelsPerSide, "seed \(seed)")
    }
  }

  /// Base that rests in sells: the harness takes it out of the account when they are placed.
  private static func offered(_ harness: GridHarness) -> Amount {
    var sum = Amount.zero
    for order in harness.working where order.side == .sell {
      sum = sum + harness.instrument.scale.amount(of: order.leaves)
    }
    return sum
  }

  private func check(_ harness: GridHarness, _ label: String) -> Bool {
    let working = harness.working
    let ids = Set(working.map(\.tag))
    let staying = working.filter { $0.state != .pendingCancel }
    let highestBuy = working.filter { $0.side == .buy }.map(\.price).max()
    let lowestSell = working.filter { $0.side == .sell }.map(\.price).min()
    var isApart = true
    if let highestBuy, let lowestSell { isApart = highestBuy < lowestSell }
    #expect(isApart, "the grid meets itself, \(label)")
    #expect(ids.count == working.count, "two orders with one mark, \(label)")
    let isFollowed = staying.count <= harness.strategy.summary.working
    #expect(isFollowed, "an order is in no slot, \(label)")
    return isApart && isFollowed && ids.count == working.count
  }
}
