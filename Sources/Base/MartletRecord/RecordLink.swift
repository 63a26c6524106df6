/// What ties a record to all before it: SHA-256 of the previous link, the header and the payload.
@frozen public struct RecordLink: Hashable, Sendable, BitwiseCopyable {
  // The digest's bytes as they lie in memory, so that storing one is four stores.
  public var words: (UInt64, UInt64, UInt64, UInt64)

  @inlinable public init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// What stands before the first record of a journal.
  @inlinable public static var origin: RecordLink { RecordLink(words: (0, 0, 0, 0)) }

  @inlinable public static func == (lhs: RecordLink, rhs: RecordLink) -> Bool {
    lhs.words == rhs.words
  }

  @inlinable public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}

extension RecordLink: CustomStringConvertible {
  /// 64 lowercase hexadecimal digits.
  public var description: String {
    var text = ""
    text.reserveCapacity(64)
    for word in [words.0, words.1, words.2, words.3] {
      for index in 0..<8 {
        let byte = UInt8(truncatingIfNeeded: word.littleEndian >> (index * 8))
        if byte < 16 { text += "0" }
        text += String(byte, radix: 16)
      }
    }
    return text
  }
}
