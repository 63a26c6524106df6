import MartletBase
import MartletGrid
import MartletModel
import MartletStrategy
import Testing

@Suite struct GridRestartTests {
  static func bytes(of strategy: GridStrategy) -> [UInt8] {
    var writer = SnapshotWriter()
    strategy.write(to: &writer)
    return writer.bytes.copy()
  }

  @Test("a second readiness places no level twice, and places those that ended meanwhile")
  func reconnect() throws {
    var harness = try GridSlotTests.laidOut()
    #expect(harness.placed.count == 6)
    for _ in 0..<50 { harness.ready() }
    #expect(harness.placed.count == 6 && harness.canceledByStrategy.isEmpty)
    // One order ended unheard.
    let index = try #require(harness.workingIndex(.sell, at: 1_100_00))
    harness.orders[index].view.state = .canceled
    harness.ready()
    #expect(harness.placed.count == 7)
    #expect(harness.placed.last?.price == Price(quanta: 1_100_00))
    #expect(harness.working.count == 6)
  }

  @Test(
    "T5 M98: a grid without memory adopts its marked orders, and places only the missing levels")
  func adopts() throws {
    var harness = try GridSlotTests.laidOut()
    let kept = harness.working.count
    harness.end(try #require(harness.workingIndex(.buy, at: 850_00)))
    harness.fill(try #require(harness.workingIndex(.buy, at: 950_00)), Quantity(quanta: 400))
    harness.strategy = try GridStrategy(
      settings: harness.strategy.settings, instrument: harness.instrument)
    harness.market(at: Price(quanta: 1_234_00))
    harness.ready()
    #expect(harness.canceledByStrategy.isEmpty)
    #expect(harness.strategy.summary.center == Price(quanta: 1_000_00), "theirs, not a new one")
    #expect(harness.working.count == kept)
    #expect(harness.prices.buys == [950_00, 900_00, 850_00])
    // The half-filled one is finished by the new life, and its whole is sold.
    harness.fillWhole(try #require(harness.workingIndex(.buy, at: 950_00)))
    #expect(harness.placed.last?.side == .sell)
    #expect(harness.placed.last?.quantity == Quantity(quanta: 1_000))
  }

  @Test("an order that fits no slot is canceled: another center's, a double, an unmarked one")
  func straysAreCanceled() throws {
    var harness = try GridSlotTests.laidOut()
    let first = harness.orders[0]
    var double = first
    double.view.clientOrderID = ClientOrderID("double")
    var moved = first
    moved.view.clientOrderID = ClientOrderID("moved")
    moved.view.price = Price(quanta: 800_00)
    var unmarked = first
    unmarked.view.clientOrderID = ClientOrderID("unmarked")
    unmarked.view.tag = 0
    harness.orders += [double, moved, unmarked]
    harness.ready()
    #expect(harness.canceledByStrategy.map(\.description) == ["double", "moved", "unmarked"])
    harness.ready()
    #expect(harness.canceledByStrategy.count == 3, "a cancel on its way is not asked for again")
    #expect(harness.placed.count == 6)
  }

  @Test("a snapshot restores a grid that goes on alike, with the settings that it had")
  func snapshot() throws {
    var random = SeededRandom(seed: 7)
    var harness = try GridSlotTests.laidOut(levels: 4)
    harness.feeRate = Rate(units: 10_000_000)
    harness.takesFeeInBase = true
    for _ in 0..<200 {
      let price = Price(quanta: random.integer(in: 700_00...1_300_00))
      harness.trade(to: price)
      let written = Self.bytes(of: harness.strategy)
      var restored = try GridStrategy(
        settings: harness.strategy.settings, instrument: harness.instrument)
      var reader = SnapshotReader(written)
      try restored.read(from: &reader)
      #expect(reader.isAtEnd)
      #expect(Self.bytes(of: restored) == written)
      #expect(restored.summary == harness.strategy.summary)
      harness.strategy = restored
    }
    #expect(harness.strategy.summary.roundTrips > 50)

    let written = Self.bytes(of: harness.strategy)
    var other = try GridStrategy(
      settings: GridSettings(levelsPerSide: 5), instrument: harness.instrument)
    var reader = SnapshotReader(written)
    try other.read(from: &reader)
    #expect(other.settings == harness.strategy.settings)
    #expect(Self.bytes(of: other) == written)
    for length in stride(from: 0, to: written.count, by: 97) {
      #expect(throws: SnapshotReader.Fault.self, "cut at \(length)") {
        var copy = harness.strategy
        var reader = SnapshotReader(Array(written[..<length]))
        try copy.read(from: &reader)
      }
    }
  }
}
