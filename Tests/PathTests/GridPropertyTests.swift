import MartletBase
import MartletGrid
import MartletModel
import MartletStrategy
import Testing

@Suite struct GridPropertyTests {
  /// Method: the market swings `swings` times between center − reach and center + reach and comes
  /// back to the center. Each gap inside the reach is crossed up and down once a swing, so it makes
  /// one round trip a swing; what is earned follows on paper.
  @Test("M106: an oscillating market earns round trips × spacing × amount, less fees, exactly")
  func oscillation() throws {
    for (levels, reach, swings, rate) in [
      (10, 4, 25, Int64(0)), (10, 10, 8, 10_000_000), (5, 9, 12, 7_500_000), (1, 1, 40, 10_000_000),
    ] {
      var harness = try GridHarness(
        GridSettings(levelsPerSide: levels), instrument: GridHarness.instrument())
      harness.feeRate = Rate(units: rate)
      let start = (base: harness.base, quote: harness.quote)
      let center: Int64 = 1_000_00 * 50
      harness.market(at: Price(quanta: center))
      harness.ready()
      let heldBack = harness.base
      // A quarter of a spacing beyond the last level reached: levels inside are crossed whole.
      let turn = Int64(reach) * 50_00 + 12_50
      for _ in 0..<swings {
        harness.trade(to: Price(quanta: center + turn))
        harness.trade(to: Price(quanta: center - turn))
        harness.trade(to: Price(quanta: center))
      }
      let gaps = 2 * min(levels, reach)
      let trips = Int64(gaps * swings)
      let amount = Quantity(quanta: 1_000)
      let scale = harness.instrument.scale
      let gross = scale.notional(of: amount, at: Price(quanta: 50_00)).units * Int128(trips)
      var fees = Amount.zero
      for gap in -(gaps / 2)..<(gaps / 2) {
        for level in [Int64(gap), Int64(gap) + 1] {
          let value = scale.notional(of: amount, at: Price(quanta: center + level * 50_00))
          let fee = Rate(units: rate).of(value, rounded: .up)
          fees = fees + Amount(units: fee.units * Int128(swings))
        }
      }
      let expected = Amount(units: gross) - fees
      let summary = harness.strategy.summary
      #expect(summary.roundTrips == trips)
      #expect(summary.profit == expected)
      #expect(harness.quote - start.quote == expected, "the ledger's own difference")
      #expect(harness.quoteFees == fees)
      #expect(harness.base == heldBack && summary.inventory == .zero)
      #expect(harness.fills == 2 * gaps * swings)
      #expect(harness.working.count == 2 * levels)
    }
  }

  /// Method: random markets, fills of random parts, cancels, refusals, rejections, late fills, time,
  /// broken books, reconnects and restarts from a snapshot, all from a seed. After each step: no slot
  /// has two orders, none is lost, no order crosses another, and no slot has offered for sale more
  /// than it was lent and has really bought, net of fees.
  @Test("T1 T13 T14: whatever fills, cancels and refuses, no slot is lost, doubled or oversold")
  func noSlotIsLostOrOversold() throws {
    for seed in UInt64(1)...150 {
      var random = SeededRandom(seed: seed)
      let lot = [1, 10, 100][Int(random.below(3))] as Int64
      let minimum = [1, 100, 400][Int(random.below(3))] as Int64
      let levels = Int(random.integer(in: 1...6))
      var harness = try GridHarness(
        GridSettings(levelsPerSide: levels),
        instrument: GridHarness.instrument(lot: lot, minQuantity: max(lot, minimum)))
      harness.feeRate = Rate(units: [0, 10_000_000, 20_000_000][Int(random.below(3))])
      harness.takesFeeInBase = random.below(2) == 0
      harness.market(at: Price(quanta: random.integer(in: 900_00...1_100_00)))
      harness.ready()
      for step in 0..<120 {
        let working = harness.orders.indices.filter { !harness.orders[$0].view.state.isTerminal }
        let some = working.isEmpty ? nil : working[Int(random.below(UInt64(working.count)))]
        switch random.below(12) {
        case 0...3:
          if let some {
            let part = random.integer(in: 1...harness.orders[some].view.leaves.quanta)
            harness.fill(some, Quantity(quanta: part))
          }
        case 4: if let some { harness.fillWhole(some) }
        case 5: if let some { harness.end(some) }
        case 6:
          if let some, harness.orders[some].view.cumulative == .zero {
            harness.end(some, as: .rejected)
          }
        case 7:
          // A fill of an order that was believed canceled.
          let over = harness.orders.indices.filter {
            harness.orders[$0].view.state == .canceled && harness.orders[$0].view.side == .buy
              && harness.orders[$0].view.leaves > .zero
          }
          if let late = over.last {
            harness.orders[late].view.state = .canceled
            harness.fill(late, Quantity(quanta: 1))
          }
        case 8:
          let allowed = random.below(4)
          harness.refuses = { intent in
            intent.tag % 4 < Int64(allowed) ? nil : .insufficientBalance
          }
        case 9: harness.pass(.seconds(random.integer(in: 1...1_000)))
        case 10:
          if random.below(2) == 0 {
            harness.top = nil
          } else {
            harness.market(at: Price(quanta: random.integer(in: 900_00...1_100_00)))
          }
          harness.book()
        default:
          let written = GridRestartTests.bytes(of: harness.strategy)
          var reader = SnapshotReader(written)
          harness.strategy = try GridStrategy(
            settings: harness.strategy.settings, instrument: harness.instrument)
          try harness.strategy.read(from: &reader)
          harness.ready()
        }
        guard check(harness, levels: levels, "seed \(seed), step \(step)") else { return }
      }
      // A good day: everything asked for is granted, and each slot has its order again.
      harness.refuses = { _ in nil }
      harness.market(at: Price(quanta: 1_000_00))
      harness.pass(.seconds(1_000))
      harness.ready()
      let summary = harness.strategy.summary
      #expect(summary.slots == 2 * levels, "seed \(seed)")
      for _ in 0..<(4 * levels) where harness.strategy.summary.waiting > 0 {
        // Slots that would meet an order of the grid get their turn as those orders fill.
        guard let index = harness.orders.firstIndex(where: { !$0.view.state.isTerminal }) else {
          break
        }
        harness.fillWhole(index)
      }
      guard check(harness, levels: levels, "seed \(seed), healed") else { return }
    }
  }

  private func check(_ harness: GridHarness, levels: Int, _ label: String) -> Bool {
    let summary = harness.strategy.summary
    let working = harness.working
    let slots = working.map { GridHarness.gap(of: $0.tag) }
    let isSingle = Set(slots).count == slots.count
    #expect(isSingle, "two orders in one slot, \(label)")
    #expect(summary.slots == 2 * levels, "a slot is gone, \(label)")
    #expect(summary.working >= working.count, "an order is in no slot, \(label)")
    let highestBuy = working.filter { $0.side == .buy }.map(\.price).max()
    let lowestSell = working.filter { $0.side == .sell }.map(\.price).min()
    if let highestBuy, let lowestSell {
      #expect(highestBuy < lowestSell, "the grid meets itself, \(label)")
    }
    var isCovered = true
    for gap in -levels..<levels {
      let own = harness.orders.filter { GridHarness.gap(of: $0.view.tag) == gap }
      var had = gap >= 0 ? GridHarness.amount("0.001") : .zero
      var offered = Amount.zero
      for order in own {
        switch order.view.side {
        case .buy: had = had + order.netBase
        case .sell:
          let isOver = order.view.state.isTerminal
          let count = isOver ? order.view.cumulative : order.view.quantity
          offered = offered + harness.instrument.scale.amount(of: count)
        }
      }
      if offered > had { isCovered = false }
      #expect(offered <= had, "gap \(gap) offers more than it has, \(label)")
    }
    return isSingle && isCovered && summary.slots == 2 * levels
  }
}
