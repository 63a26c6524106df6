import MartletBase
import Testing

@Suite struct ByteCursorTests {
  @Test func wordsAndTextComeBackAndEveryPrefixIsNil() throws {
    for seed in UInt64(1)...50 {
      var random = SeededRandom(seed: seed)
      let (a, b) = (
        Int8(truncatingIfNeeded: random.next()), UInt32(truncatingIfNeeded: random.next())
      )
      let (c, d) = (Int64(bitPattern: random.next()), Int128(random.next()) << 63)
      let text = try #require(InlineText(String(random.next(), radix: 36)))
      var buffer = ByteBuffer(capacity: 16)
      buffer.append(word: a)
      buffer.append(word: b)
      buffer.append(counted: text)
      buffer.append(word: c)
      buffer.append(word: d)
      let bytes = buffer.copy()
      for length in 0...bytes.count {
        let part = Array(bytes[..<length])
        var cursor = ByteCursor()
        let first = cursor.word(Int8.self, in: part.span)
        let second = first.flatMap { _ in cursor.word(UInt32.self, in: part.span) }
        let third = second.flatMap { _ in cursor.text(in: part.span) }
        let fourth = third.flatMap { _ in cursor.word(Int64.self, in: part.span) }
        let fifth = fourth.flatMap { _ in cursor.word(Int128.self, in: part.span) }
        try #require((fifth != nil) == (length == bytes.count), "seed \(seed), \(length) bytes")
        if length == bytes.count {
          let isWhole = first == a && second == b && third == text && fourth == c && fifth == d
          try #require(isWhole && cursor.position == length, "seed \(seed)")
        }
      }
    }
  }

  @Test func textThatCannotHaveBeenWrittenIsNil() {
    let long = [33] + [UInt8](repeating: 0x61, count: 33)
    let zero: [UInt8] = [2, 0x61, 0]
    var (first, second) = (ByteCursor(), ByteCursor())
    var outside = ByteCursor(at: -1)
    let found = [first.text(in: long.span), second.text(in: zero.span)]
    let word = outside.word(UInt8.self, in: zero.span)
    #expect(found == [nil, nil] && word == nil)
  }
}
