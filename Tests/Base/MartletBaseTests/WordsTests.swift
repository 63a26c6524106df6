import MartletBase
import Testing

@Suite struct PriceTests {
  @Test func aGridIsAStride() {
    let low = Price(quanta: 100)
    let prices = Array(stride(from: low, through: Price(quanta: 250), by: 50)).map(\.quanta)
    #expect(prices == [100, 150, 200, 250])
  }

  @Test func farPricesCompareWithoutADistance() {
    #expect(Price(quanta: .min) < Price(quanta: .max))
    #expect(Price(quanta: .min) != Price(quanta: .max))
    #expect(Price(quanta: 3).distance(to: Price(quanta: -4)) == -7)
  }

  @Test func quantitiesAddWithTheirSigns() {
    let quantity = Quantity(quanta: 5) + Quantity(quanta: -7)
    #expect(quantity == -Quantity(quanta: 2) && quantity < .zero)
    #expect(Quantity(quanta: 5) - Quantity(quanta: 7) == quantity)
  }
}

@Suite struct TimestampTests {
  @Test(arguments: [(-1, -1, -1), (0, 0, 0), (999_999, 0, 0), (-1_000_000, -1, -1)])
  func millisecondsAndSecondsRoundDown(nanoseconds: Int64, milliseconds: Int64, seconds: Int64) {
    let time = Timestamp(nanoseconds: nanoseconds)
    #expect(time.milliseconds == milliseconds && time.seconds == seconds)
  }

  @Test func timeAddsUp() {
    let start = Timestamp(milliseconds: 1_790_113_268_221)
    let later = start + .milliseconds(1_500)
    #expect(later - start == .seconds(1) + .microseconds(500_000))
    #expect((later - start).milliseconds == 1_500 && start - .zero == start && start < later)
    #expect(later < .distantFuture && Timestamp.zero < start)
  }

  @Test func aStampFromAWireIsCheckedAndNotTrusted() {
    #expect(Timestamp(exactlyMilliseconds: 1_790_113_268_221)?.seconds == 1_790_113_268)
    #expect(Timestamp(exactlyMilliseconds: .max) == nil)
    #expect(Timestamp(exactlyMilliseconds: .min) == nil)
  }

  @Test func timeBeyondTheCenturiesTraps() async {
    await #expect(processExitsWith: .failure) { keep(Timestamp(milliseconds: .max)) }
    await #expect(processExitsWith: .failure) {
      keep(Timestamp.distantFuture + TimeSpan(nanoseconds: 1))
    }
  }
}

@Suite struct InlineTextTests {
  private func short(_ text: String) -> InlineText {
    let bytes = Array(text.utf8)
    return InlineText(bytes.span) ?? "refused"
  }

  private func words(_ seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    return (0..<30).map { _ in
      let bytes = (0..<random.below(33)).map { _ in UInt8(random.below(4) * 40 + 1) }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  @Test func textIsOrderedByItsBytes() throws {
    for seed in UInt64(1)...20 {
      let words = words(seed)
      for left in words {
        for right in words {
          let (first, second) = (short(left), short(right))
          let isBefore = Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8))
          try #require((first < second) == isBefore, "seed \(seed)")
          try #require((first == second) == (left == right), "seed \(seed)")
          try #require(
            first.hasPrefix(second) == left.utf8.starts(with: right.utf8), "seed \(seed)")
          try #require((first.stableHash == second.stableHash) == (left == right), "seed \(seed)")
        }
      }
    }
  }

  @Test func textComesBackAsItWas() {
    for seed in UInt64(1)...20 {
      for word in words(seed) {
        let bytes = Array(word.utf8)
        let text = short(word)
        #expect(text.description == word && text.count == bytes.count)
        #expect(text.isEmpty == bytes.isEmpty && text == InlineText(word))
        for index in 0..<32 { #expect(text[index] == (index < bytes.count ? bytes[index] : 0)) }
      }
    }
  }

  @Test func whatDoesNotFitIsRefused() {
    let long = String(repeating: "x", count: 33)
    let zero = "a\0b"
    #expect(InlineText(long) == nil && short(long) == "refused")
    #expect(InlineText(zero) == nil && short(zero) == "refused")
    #expect(InlineText(String(repeating: "ї", count: 16))?.count == 32)
  }

  @Test func aZeroIsRefusedWhereverItStands() {
    for length in 1...32 {
      for place in 0..<length {
        var bytes = [UInt8](repeating: place % 2 == 0 ? 0xff : 1, count: length)
        bytes[place] = 0
        #expect(InlineText(bytes.span) == nil, "a zero at \(place) of \(length)")
      }
    }
  }

  @Test func everyBeginningIsAPrefixAndNothingElse() {
    let bytes = Array("mtB7x20Q4K8ZC1N5T9V3M6R8W0Y2D4F6".utf8)
    let whole = InlineText(bytes.span)
    for length in 0...32 {
      let start = InlineText(bytes.span.extracting(..<length)) ?? "refused"
      #expect(whole?.hasPrefix(start) == true && start.count == length)
      #expect(start.hasPrefix(whole ?? "refused") == (length == 32))
      guard length > 0 else { continue }
      var other = Array(bytes[..<length])
      other[length - 1] += 1
      #expect(whole?.hasPrefix(InlineText(other.span) ?? "refused") == false)
    }
  }

  @Test func itsWordsAreItsBytesEightByEight() {
    let text: InlineText = "abcdefgh-ABCDEFGHI"
    #expect(text.word(0) == 0x6162_6364_6566_6768 && text.word(1) == 0x2d41_4243_4445_4647)
    #expect(text.word(2) == 0x4849_0000_0000_0000 && text.word(3) == 0)
  }

  @Test func aLiteralTooLongTraps() async {
    await #expect(processExitsWith: .failure) {
      keep("an identifier of more than 32 bytes" as InlineText)
    }
  }

  @Test func theStableHashStaysAsItIs() {
    #expect(("BTC_USDT" as InlineText).stableHash == 0x901e_9aee_6bad_7942)
  }
}

@Suite struct ByteBufferTests {
  @Test func everyIntegerIsWrittenAsItsDescription() throws {
    for seed in UInt64(1)...20 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<50 {
        let word = Int64(bitPattern: random.next()) >> random.integer(in: 0...63)
        var buffer = ByteBuffer(capacity: 16)
        buffer.append(decimal: word)
        buffer.append(0x20)
        buffer.append(decimal: UInt8(truncatingIfNeeded: word))
        buffer.append(0x20)
        buffer.append(decimal: Int128(word) * 1_000_000_007)
        let expected =
          "\(word) \(UInt8(truncatingIfNeeded: word)) \(Int128(word) * 1_000_000_007)"
        try #require(String(buffer.span) == expected, "seed \(seed)")
      }
    }
    var buffer = ByteBuffer()
    buffer.append(decimal: Int64.min)
    buffer.append(decimal: Int128.min)
    buffer.append(decimal: UInt64.max)
    #expect(String(buffer.span) == "\(Int64.min)\(Int128.min)\(UInt64.max)")
  }

  @Test func itGrowsAndKeepsWhatWasWritten() {
    var buffer = ByteBuffer(capacity: 0)
    var expected: [UInt8] = []
    var random = SeededRandom(seed: 1)
    for _ in 0..<500 {
      let chunk = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
      buffer.append(chunk.span)
      buffer.append(7)
      expected += chunk + [7]
    }
    #expect(buffer.copy() == expected && buffer.count == expected.count)
    #expect(buffer.capacity >= buffer.count)
    buffer.truncate(to: 3)
    buffer[1] = 200
    #expect(buffer.copy() == [expected[0], 200, expected[2]] && buffer[1] == 200)
    let room = buffer.capacity
    buffer.removeAll()
    buffer.reserve(room)
    #expect(buffer.count == 0 && buffer.capacity == room)
  }

  @Test func textOfEveryKindIsAppended() {
    var buffer = ByteBuffer(capacity: 16)
    buffer.append("static ")
    buffer.append("inline " as InlineText)
    buffer.append(text: "ще ")
    buffer.append(decimal: 42, width: 5)
    #expect(String(buffer.span) == "static inline ще 00042")
  }

  @Test func whatWouldReachBeyondTheBytesTraps() async {
    await #expect(processExitsWith: .failure) {
      let buffer = ByteBuffer()
      keep(buffer[0])
    }
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      buffer.truncate(to: 1)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      buffer.append(decimal: 1_000, width: 3)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      buffer.append(decimal: 0, width: -1)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      buffer.append(1)
      buffer.reserve(.max)
    }
  }
}
