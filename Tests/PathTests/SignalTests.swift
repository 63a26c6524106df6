import MartletBase
import MartletSignal
import Testing

@testable import MartletBook

@Suite struct SignalTests {
  @Test("the middle of a book is exact, half quanta included, and absent while a side is empty")
  func midPrice() throws {
    func top(_ bid: Int64?, _ ask: Int64?) -> TrustedTop {
      TrustedTop(
        bid: bid.map { Price(quanta: $0) }, bidQuantity: .zero, ask: ask.map { Price(quanta: $0) },
        askQuantity: .zero)
    }
    let odd = try #require(MidPrice(top(100, 103)))
    #expect(odd.halfQuanta == 203)
    #expect(odd.price(rounded: .down) == Price(quanta: 101))
    #expect(odd.price(rounded: .up) == Price(quanta: 102))
    #expect(MidPrice(top(101, 102))?.price(rounded: .nearestEven) == Price(quanta: 102))
    #expect(MidPrice(top(100, 101))?.price(rounded: .nearestEven) == Price(quanta: 100))
    #expect(MidPrice(top(nil, 1)) == nil && MidPrice(top(1, nil)) == nil)
    let far = try #require(MidPrice(top(.max - 1, .max)))
    #expect(far.price(rounded: .down) == Price(quanta: .max - 1))
  }

  @Test("an exponential average equals its definition, and is ready after its period")
  func exponentialAverage() throws {
    var average = ExponentialAverage(period: 3)
    var seen: [Double?] = []
    for value in [2.0, 4.0, 8.0, 16.0] {
      average.update(value)
      seen.append(average.value)
    }
    // Weight 2 ÷ 4: 2, 3, 5.5, 10.75.
    #expect(seen == [nil, nil, 5.5, 10.75])
  }

  @Test("an exponential average goes on from a snapshot as if it had not stopped")
  func exponentialAverageSnapshot() throws {
    var random = SeededRandom(seed: 5)
    var whole = ExponentialAverage(period: 14)
    var cut = whole
    for _ in 0..<100 {
      let value = Double(random.below(10_000)) / 7
      whole.update(value)
      cut.update(value)
      var writer = SnapshotWriter()
      cut.write(to: &writer)
      var reader = SnapshotReader(writer.bytes.copy())
      cut = ExponentialAverage(period: 14)
      try cut.read(from: &reader)
      #expect(cut == whole && reader.isAtEnd)
    }
    var writer = SnapshotWriter()
    whole.write(to: &writer)
    let bytes = writer.bytes.copy()
    #expect(throws: SnapshotReader.Fault.self) {
      var other = ExponentialAverage(period: 15)
      var reader = SnapshotReader(bytes)
      try other.read(from: &reader)
    }
  }
}
