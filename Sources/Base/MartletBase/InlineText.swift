/// Up to 32 bytes of text without an allocation: a client order id, a symbol, an asset.
///
/// Ordered bytewise. Padding is zero, and no stored byte is zero, so equality is equality of text.
@frozen public struct InlineText: Hashable, Comparable, Sendable, BitwiseCopyable {
  @inlinable public static var capacity: Int { 32 }
  // Big-endian words, so that comparing words compares bytes in order.
  @usableFromInline var word0: UInt64 = 0
  @usableFromInline var word1: UInt64 = 0
  @usableFromInline var word2: UInt64 = 0
  @usableFromInline var word3: UInt64 = 0

  @inlinable public init() {}

  /// - Returns: nil when `text` is longer than 32 bytes or holds a zero byte.
  @inlinable public init?(_ text: Span<UInt8>) {
    guard text.count <= InlineText.capacity else { return nil }
    var isWhole = true
    word0 = InlineText.word(of: text, from: 0, &isWhole)
    if text.count > 8 { word1 = InlineText.word(of: text, from: 8, &isWhole) }
    if text.count > 16 { word2 = InlineText.word(of: text, from: 16, &isWhole) }
    if text.count > 24 { word3 = InlineText.word(of: text, from: 24, &isWhole) }
    if !isWhole { return nil }
  }

  /// Up to eight bytes from `start` on, the first one highest, zeros behind the last.
  ///
  /// - Parameter isWhole: set to false when one of them is zero.
  @inlinable @inline(__always)
  static func word(of text: Span<UInt8>, from start: Int, _ isWhole: inout Bool) -> UInt64 {
    let left = text.count &- start
    var word: UInt64 = 0
    if left >= 8 {
      for index in 0..<8 { word = word << 8 | UInt64(text[start &+ index]) }
    } else {
      for index in 0..<left { word |= UInt64(text[start &+ index]) << UInt64(56 &- index &* 8) }
    }
    // A byte borrows from its top bit only when it is zero; what lies behind the last one is none.
    let padding: UInt64 = left >= 8 ? 0 : .max >> UInt64(left &* 8)
    let bytes = word | padding
    if (bytes &- 0x0101_0101_0101_0101) & ~bytes & 0x8080_8080_8080_8080 != 0 { isWhole = false }
    return word
  }

  /// - Returns: nil when `text` is longer than 32 bytes of UTF-8 or holds a zero byte.
  @inlinable public init?(_ text: some StringProtocol) {
    var index = 0
    for byte in text.utf8 {
      guard index < InlineText.capacity, byte != 0 else { return nil }
      put(byte, at: index)
      index += 1
    }
  }

  @inlinable mutating func put(_ byte: UInt8, at index: Int) {
    let shifted = UInt64(byte) << UInt64(56 - (index & 7) * 8)
    switch index >> 3 {
    case 0: word0 |= shifted
    case 1: word1 |= shifted
    case 2: word2 |= shifted
    default: word3 |= shifted
    }
  }

  /// The byte at `index`, 0 beyond the end.
  @inlinable public subscript(index: Int) -> UInt8 {
    let word =
      switch index >> 3 {
      case 0: word0
      case 1: word1
      case 2: word2
      default: word3
      }
    return UInt8(truncatingIfNeeded: word >> UInt64(56 - (index & 7) * 8))
  }

  @inlinable public var isEmpty: Bool { word0 == 0 }

  /// Length in bytes, 0 ... 32.
  @inlinable public var count: Int {
    if word3 != 0 { return 24 &+ InlineText.count(of: word3) }
    if word2 != 0 { return 16 &+ InlineText.count(of: word2) }
    if word1 != 0 { return 8 &+ InlineText.count(of: word1) }
    return InlineText.count(of: word0)
  }

  /// Bytes of a word before its padding.
  @inlinable static func count(of word: UInt64) -> Int { 8 &- word.trailingZeroBitCount / 8 }

  /// Eight bytes from 8 × `index` on, the first one highest, zeros behind the last.
  @inlinable public func word(_ index: Int) -> UInt64 {
    switch index {
    case 0: word0
    case 1: word1
    case 2: word2
    default: word3
    }
  }

  @inlinable public static func < (lhs: InlineText, rhs: InlineText) -> Bool {
    if lhs.word0 != rhs.word0 { return lhs.word0 < rhs.word0 }
    if lhs.word1 != rhs.word1 { return lhs.word1 < rhs.word1 }
    if lhs.word2 != rhs.word2 { return lhs.word2 < rhs.word2 }
    return lhs.word3 < rhs.word3
  }

  /// Whether the text begins with `prefix`.
  @inlinable public func hasPrefix(_ prefix: InlineText) -> Bool {
    (word0 ^ prefix.word0) & InlineText.mask(of: prefix.word0)
      | (word1 ^ prefix.word1) & InlineText.mask(of: prefix.word1)
      | (word2 ^ prefix.word2) & InlineText.mask(of: prefix.word2)
      | (word3 ^ prefix.word3) & InlineText.mask(of: prefix.word3) == 0
  }

  /// Ones where a word has bytes, zeros where it has padding.
  @inlinable static func mask(of word: UInt64) -> UInt64 {
    .max << UInt64(word.trailingZeroBitCount & ~7)
  }

  /// In the manner of FNV-1a, word by word; stable between processes, unlike `hashValue`.
  @inlinable public var stableHash: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    hash = InlineText.mix(hash, word0)
    hash = InlineText.mix(hash, word1)
    hash = InlineText.mix(hash, word2)
    return InlineText.mix(hash, word3)
  }

  @inlinable static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let mixed = (hash ^ word) &* 0x0000_0100_0000_01b3
    return mixed ^ (mixed >> 32)
  }
}

extension InlineText: CustomStringConvertible, ExpressibleByStringLiteral {
  public var description: String {
    String(decoding: (0..<count).map { self[$0] }, as: UTF8.self)
  }
  /// A literal longer than 32 bytes traps.
  public init(stringLiteral value: String) {
    guard let text = InlineText(value) else {
      preconditionFailure("“\(value)” is longer than 32 bytes")
    }
    self = text
  }
}
