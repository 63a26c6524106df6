import MartletBase
import MartletModel
import Testing

@Suite struct IdentifierTests {
  private func roundTrip<Value: SnapshotValue & Equatable>(_ value: Value) throws -> Bool {
    var writer = SnapshotWriter()
    value.write(to: &writer)
    var reader = SnapshotReader(writer.bytes.copy())
    let copy = try Value(from: &reader)
    return copy == value && reader.isAtEnd
  }

  @Test func everyIdentifierSurvivesASnapshot() throws {
    var random = SeededRandom(seed: 1)
    for _ in 0..<100 {
      let (high, low) = (random.next(), random.next())
      let index = UInt16(truncatingIfNeeded: low)
      #expect(try roundTrip(VenueOrderID(high: high, low: low)))
      #expect(try roundTrip(TradeID(high: high, low: low)))
      #expect(try roundTrip(TraceID(high)))
      #expect(try roundTrip(AccountID(index)))
      #expect(try roundTrip(StrategyID(index)))
      #expect(try roundTrip(InstrumentID(index)))
      let text = try #require(InlineText(String(high, radix: 36) + String(low, radix: 36)))
      #expect(try roundTrip(ClientOrderID(text)))
    }
  }

  @Test func namesOfOneHundredTwentyEightBitsAreOrderedAsNumbers() throws {
    for seed in UInt64(1)...50 {
      var random = SeededRandom(seed: seed)
      // Few values, so that equal halves meet.
      let (a, b) = (random.below(3), random.below(3))
      let (c, d) = (random.below(3), random.below(3))
      let isBefore = UInt128(a) << 64 | UInt128(b) < UInt128(c) << 64 | UInt128(d)
      #expect((TradeID(high: a, low: b) < TradeID(high: c, low: d)) == isBefore, "seed \(seed)")
      #expect(
        (VenueOrderID(high: a, low: b) < VenueOrderID(high: c, low: d)) == isBefore,
        "seed \(seed)")
    }
    #expect(TradeID(low: 7) == TradeID(high: 0, low: 7) && VenueOrderID.none == .filler)
  }

  /// Trade ids count up: an index must not crowd them.
  @Test func neighborsHashApart() {
    var index = HashIndex<TradeID>(capacity: 4_096)
    for low in UInt64(0)..<4_096 {
      #expect(index.insert(Int(low), for: TradeID(high: 9, low: 1 << 40 + low)) == .inserted)
    }
    #expect(index.insert(0, for: TradeID(low: 1)) == .full)
    for low in UInt64(0)..<4_096 {
      #expect(index.value(for: TradeID(high: 9, low: 1 << 40 + low)) == Int(low))
      #expect(index.value(for: TradeID(high: 8, low: 1 << 40 + low)) == nil)
    }
  }

  @Test func aClientOrderIDReadsAsItsText() {
    let id = ClientOrderID("ab12")
    #expect(id.description == "ab12" && !id.isEmpty && ClientOrderID(InlineText()).isEmpty)
    #expect(id < ClientOrderID("ab2") && id.stableHash == ("ab12" as InlineText).stableHash)
  }

  @Test func venuesKeepTheNumbersThatJournalsHold() {
    let venues: [(VenueID, UInt8)] = [(.whitebit, 1), (.binance, 2), (.bybit, 3), (.okx, 4)]
    #expect(venues.allSatisfy { $0.rawValue == $1 } && VenueID.allCases.count == venues.count)
  }
}
