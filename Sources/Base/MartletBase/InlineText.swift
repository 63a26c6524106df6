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
    for index in 0..<text.count {
      guard text[index] != 0 else { return nil }
      put(text[index], at: index)
    }
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
    var length = 0
    while length < InlineText.capacity && self[length] != 0 { length += 1 }
    return length
  }

  @inlinable public static func < (lhs: InlineText, rhs: InlineText) -> Bool {
    if lhs.word0 != rhs.word0 { return lhs.word0 < rhs.word0 }
    if lhs.word1 != rhs.word1 { return lhs.word1 < rhs.word1 }
    if lhs.word2 != rhs.word2 { return lhs.word2 < rhs.word2 }
    return lhs.word3 < rhs.word3
  }

  /// Whether the text begins with `prefix`.
  @inlinable public func hasPrefix(_ prefix: InlineText) -> Bool {
    for index in 0..<InlineText.capacity {
      if prefix[index] == 0 { return true }
      if prefix[index] != self[index] { return false }
    }
    return true
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
