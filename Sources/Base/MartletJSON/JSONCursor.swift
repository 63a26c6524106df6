/// What a value is, by its first byte.
@frozen public enum JSONKind: UInt8, Sendable, BitwiseCopyable {
  case object
  case array
  case string
  case number
  case `true`
  case `false`
  case null
}

/// Reads JSON where it lies, strictly by RFC 8259, one value at a time, without an allocation.
///
/// The text is handed to each call, so that the cursor is a plain value: it can be copied to look
/// ahead, kept, and restored. Numbers stay text until a grid is known. Every door skips white space
/// first. A container is read as
///
///     try cursor.beginObject(in: text)
///     while let key = try cursor.nextKey(in: text) {
///       if key.equals("price", in: text) { ... } else { try cursor.skipValue(in: text) }
///     }
///
/// and each value must be read or skipped before the next key or element is asked for.
///
/// - Bounds: nesting of 64. Duplicate keys are handed out as they come.
/// - Throws: every door throws `JSONFault` and is then not to be used further; a copy made before is
///   as good as it was.
/// - Complexity: each byte is looked at once or twice. Doors are inlined because a frame of 20
///   levels passes some 200 of them.
@frozen public struct JSONCursor: Equatable, Sendable, BitwiseCopyable {
  /// Deepest nesting that is read.
  @inlinable public static var maxDepth: Int { 64 }

  /// Offset of the next byte to be read.
  public var position: Int
  /// Containers begun and not ended.
  @usableFromInline var depth: Int = 0
  /// Bit `depth` − 1: the container begun last has given a key or an element.
  @usableFromInline var given: UInt64 = 0

  @inlinable public init(at position: Int = 0) { self.position = position }

  // MARK: Doors

  /// What stands next; nothing is consumed but white space.
  @inlinable @inline(__always)
  public mutating func kind(in text: Span<UInt8>) throws(JSONFault) -> JSONKind {
    switch next(in: text) {
    case 0x7b: return .object
    case 0x5b: return .array
    case 0x22: return .string
    case 0x2d, 0x30...0x39: return .number
    case 0x74: return .true
    case 0x66: return .false
    case 0x6e: return .null
    default: throw fault(.value, in: text)
    }
  }

  @inlinable @inline(__always)
  public mutating func beginObject(in text: Span<UInt8>) throws(JSONFault) {
    guard next(in: text) == 0x7b else { throw fault(.object, in: text) }
    try descend(in: text)
  }

  /// The next key of the object begun last, its colon consumed; nil once `}` is consumed.
  @inlinable @inline(__always)
  public mutating func nextKey(in text: Span<UInt8>) throws(JSONFault) -> JSONText? {
    let bit = innermost()
    var byte = next(in: text)
    if byte == 0x7d {
      position &+= 1
      ascend(bit)
      return nil
    }
    if given & bit != 0 {
      guard byte == 0x2c else { throw fault(.commaOrBrace, in: text) }
      position &+= 1
      byte = next(in: text)
    }
    guard byte == 0x22 else { throw fault(.key, in: text) }
    let key = try quoted(in: text)
    guard next(in: text) == 0x3a else { throw fault(.colon, in: text) }
    position &+= 1
    given |= bit
    return key
  }

  @inlinable @inline(__always)
  public mutating func beginArray(in text: Span<UInt8>) throws(JSONFault) {
    guard next(in: text) == 0x5b else { throw fault(.array, in: text) }
    try descend(in: text)
  }

  /// Whether the array begun last has another element, which then stands next; false once `]` is
  /// consumed.
  @inlinable @inline(__always)
  public mutating func nextElement(in text: Span<UInt8>) throws(JSONFault) -> Bool {
    let bit = innermost()
    let byte = next(in: text)
    if byte == 0x5d {
      position &+= 1
      ascend(bit)
      return false
    }
    if given & bit != 0 {
      guard byte == 0x2c else { throw fault(.commaOrBracket, in: text) }
      position &+= 1
      // Or the next call would take the bracket behind a trailing comma for an end.
      if next(in: text) == 0x5d { throw fault(.value, in: text) }
    }
    given |= bit
    return true
  }

  @inlinable @inline(__always)
  public mutating func string(in text: Span<UInt8>) throws(JSONFault) -> JSONText {
    guard next(in: text) == 0x22 else { throw fault(.string, in: text) }
    return try quoted(in: text)
  }

  /// A number as it stands; its exponent, if any, too.
  @inlinable @inline(__always)
  public mutating func numberText(in text: Span<UInt8>) throws(JSONFault) -> JSONText {
    var byte = next(in: text)
    let start = position
    if byte == 0x2d {
      position &+= 1
      byte = peek(in: text)
    }
    if byte == 0x30 {
      position &+= 1
      // "01" is two values in a row.
      if peek(in: text) &- 0x30 <= 9 { throw fault(.number, in: text) }
    } else {
      guard byte &- 0x30 <= 9 else {
        throw fault(position == start ? .number : .digit, in: text)
      }
      skipDigits(in: text)
    }
    if peek(in: text) == 0x2e {
      position &+= 1
      guard peek(in: text) &- 0x30 <= 9 else { throw fault(.digit, in: text) }
      skipDigits(in: text)
    }
    if peek(in: text) | 0x20 == 0x65 { try skipExponent(in: text) }
    return JSONText(start: start, count: position &- start, hasEscapes: false)
  }

  /// A string's content or a number, for the fields that venues send either way.
  @inlinable @inline(__always)
  public mutating func decimalText(in text: Span<UInt8>) throws(JSONFault) -> JSONText {
    if next(in: text) == 0x22 { return try quoted(in: text) }
    return try numberText(in: text)
  }

  /// - Throws: `JSONFault` also for a fraction, an exponent, and what does not fit.
  @inlinable @inline(__always)
  public mutating func integer(in text: Span<UInt8>) throws(JSONFault) -> Int64 {
    let isNegative = next(in: text) == 0x2d
    let start = position
    if isNegative { position &+= 1 }
    let magnitude = try wholeNumber(in: text, from: start)
    // −2⁶³ is the one magnitude whose negation fits while it does not.
    if magnitude > UInt64(Int64.max) {
      if isNegative && magnitude == Int64.min.magnitude { return .min }
      throw fault(.integer, at: start, in: text)
    }
    let value = Int64(truncatingIfNeeded: magnitude)
    return isNegative ? 0 &- value : value
  }

  /// - Throws: `JSONFault` also for a sign, a fraction, an exponent, and what does not fit.
  @inlinable @inline(__always)
  public mutating func unsigned(in text: Span<UInt8>) throws(JSONFault) -> UInt64 {
    _ = next(in: text)
    return try wholeNumber(in: text, from: position)
  }

  @inlinable @inline(__always)
  public mutating func bool(in text: Span<UInt8>) throws(JSONFault) -> Bool {
    _ = next(in: text)
    if take("true", in: text) { return true }
    if take("false", in: text) { return false }
    throw fault(.bool, in: text)
  }

  @inlinable @inline(__always)
  public mutating func null(in text: Span<UInt8>) throws(JSONFault) {
    _ = next(in: text)
    guard take("null", in: text) else { throw fault(.null, in: text) }
  }

  /// Whether `null` stands next; if so it is consumed.
  @inlinable @inline(__always)
  public mutating func isNull(in text: Span<UInt8>) -> Bool {
    _ = next(in: text)
    return take("null", in: text)
  }

  /// Reads and checks one value of any kind and gives it away.
  @inlinable public mutating func skipValue(in text: Span<UInt8>) throws(JSONFault) {
    let base = depth
    // Bit d: the container at depth d + 1 is an object.
    var objects: UInt64 = 0
    while true {
      switch try kind(in: text) {
      case .object:
        try beginObject(in: text)
        objects |= 1 &<< UInt64(truncatingIfNeeded: depth &- 1)
      case .array:
        try beginArray(in: text)
        objects &= ~(1 &<< UInt64(truncatingIfNeeded: depth &- 1))
      case .string: _ = try string(in: text)
      case .number: _ = try numberText(in: text)
      case .true, .false: _ = try bool(in: text)
      case .null: try null(in: text)
      }
      // To the next value inside, or out of what ends here.
      var hasNext = false
      while depth > base && !hasNext {
        if objects & (1 &<< UInt64(truncatingIfNeeded: depth &- 1)) != 0 {
          hasNext = try nextKey(in: text) != nil
        } else {
          hasNext = try nextElement(in: text)
        }
      }
      if !hasNext { return }
    }
  }

  /// Checks that nothing but white space follows, and that every container was read to its end.
  @inlinable @inline(__always)
  public mutating func end(in text: Span<UInt8>) throws(JSONFault) {
    _ = next(in: text)
    guard position >= text.count else { throw fault(.end, in: text) }
    guard depth == 0 else { throw fault(.containerEnd, in: text) }
  }

  // MARK: Helpers

  /// The byte at `position`; 0, which JSON never has outside a string, behind the end.
  @inlinable @inline(__always)
  func peek(in text: Span<UInt8>) -> UInt8 {
    // Seen as unsigned below the count: neither negative nor behind the end.
    let isInside = UInt(bitPattern: position) < UInt(bitPattern: text.count)
    return isInside ? unsafe text[unchecked: position] : 0
  }

  /// Steps over white space to the byte that stands next; 0 behind the end.
  @inlinable @inline(__always)
  mutating func next(in text: Span<UInt8>) -> UInt8 {
    while true {
      let byte = peek(in: text)
      if byte > 0x20 { return byte }
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
      position &+= 1
    }
  }

  @inlinable @inline(__always)
  mutating func skipDigits(in text: Span<UInt8>) {
    while peek(in: text) &- 0x30 <= 9 { position &+= 1 }
  }

  @usableFromInline mutating func skipExponent(in text: Span<UInt8>) throws(JSONFault) {
    position += 1
    let byte = peek(in: text)
    if byte == 0x2b || byte == 0x2d { position += 1 }
    guard peek(in: text) &- 0x30 <= 9 else { throw fault(.digit, in: text) }
    skipDigits(in: text)
  }

  @inlinable @inline(__always)
  mutating func descend(in text: Span<UInt8>) throws(JSONFault) {
    guard depth < JSONCursor.maxDepth else { throw fault(.shallowerNesting, in: text) }
    given &= ~(1 &<< UInt64(truncatingIfNeeded: depth))
    depth &+= 1
    position &+= 1
  }

  @inlinable @inline(__always)
  mutating func ascend(_ bit: UInt64) {
    given &= ~bit
    depth &-= 1
  }

  /// The bit of the container begun last.
  @inlinable @inline(__always)
  func innermost() -> UInt64 {
    precondition(depth > 0, "no object or array was begun")
    return 1 &<< UInt64(truncatingIfNeeded: depth &- 1)
  }

  @inlinable @inline(__always)
  mutating func wholeNumber(
    in text: Span<UInt8>, from start: Int
  ) throws(JSONFault) -> UInt64 {
    let first = position
    var value: UInt64 = 0
    while position < text.count {
      let digit = text[position] &- 0x30
      if digit > 9 { break }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
      if overflow || carry { throw fault(.integer, at: start, in: text) }
      value = sum
      position &+= 1
    }
    if position == first { throw fault(.integer, in: text) }
    if text[first] == 0x30 && position &- first > 1 {
      throw fault(.integer, at: start, in: text)
    }
    let byte = peek(in: text)
    if byte == 0x2e || byte | 0x20 == 0x65 { throw fault(.integer, in: text) }
    return value
  }

  @inlinable @inline(__always)
  mutating func take(_ word: StaticString, in text: Span<UInt8>) -> Bool {
    let length = word.utf8CodeUnitCount
    guard position <= text.count &- length else { return false }
    var index = 0
    while index < length {
      // A static string lives for the whole process, and `index` is below its length.
      if unsafe text[position &+ index] != word.utf8Start[index] { return false }
      index &+= 1
    }
    position &+= length
    return true
  }

  /// A string whose opening quote stands at `position`.
  @inlinable @inline(__always)
  mutating func quoted(in text: Span<UInt8>) throws(JSONFault) -> JSONText {
    let start = position &+ 1
    var index = start
    // Eight bytes at a time: strings on the wire have some eight bytes, of no foreseeable length.
    while index &+ 8 <= text.count {
      // Any eight bytes are an integer.
      let word = UInt64(
        littleEndian: unsafe text.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      let stops = JSONCursor.stops(in: word)
      if stops != 0 {
        index &+= stops.trailingZeroBitCount &>> 3
        break
      }
      index &+= 8
    }
    while index < text.count {
      let byte = text[index]
      if byte == 0x22 {
        position = index &+ 1
        return JSONText(start: start, count: index &- start, hasEscapes: false)
      }
      // Seen as signed, control characters and everything beyond ASCII are below the space.
      if byte == 0x5c || Int8(bitPattern: byte) < 0x20 { break }
      index &+= 1
    }
    return try quotedSlowly(from: start, at: index, in: text)
  }

  /// The high bit of each of eight bytes that is a quote, a backslash, a control character or beyond
  /// ASCII. Bytes behind the first such byte may be marked wrongly; the first is right.
  @inlinable @inline(__always)
  static func stops(in word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ 0x2222_2222_2222_2222
    let slashes = word ^ 0x5c5c_5c5c_5c5c_5c5c
    let found =
      (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes | (word &- ones &* 0x20) & ~word
      | word
    return found & 0x8080_8080_8080_8080
  }

  /// The rest of a string that is not plain ASCII, from `index` on.
  @inline(never)
  @usableFromInline mutating func quotedSlowly(
    from start: Int, at index: Int, in text: Span<UInt8>
  ) throws(JSONFault) -> JSONText {
    var index = index
    var hasEscapes = false
    var isASCII = true
    while index < text.count {
      let byte = text[index]
      if byte == 0x22 {
        if !isASCII { try checkUTF8(from: start, to: index, in: text) }
        position = index + 1
        return JSONText(start: start, count: index - start, hasEscapes: hasEscapes)
      }
      if byte < 0x20 { break }
      if byte >= 0x80 { isASCII = false }
      index += 1
      if byte != 0x5c { continue }
      hasEscapes = true
      guard index < text.count else { break }
      switch text[index] {
      case 0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74: index += 1
      case 0x75:
        index += 1
        for _ in 0..<4 {
          guard index < text.count, hexadecimalDigit(text[index]) != nil else {
            throw fault(.hexDigit, at: index, in: text)
          }
          index += 1
        }
      default: throw fault(.escape, at: index, in: text)
      }
    }
    throw fault(.closingQuote, at: index, in: text)
  }

  private func checkUTF8(
    from start: Int, to end: Int, in text: Span<UInt8>
  ) throws(JSONFault) {
    do {
      _ = try UTF8Span(validating: text.extracting(start..<end))
    } catch {
      throw fault(.utf8, at: start + error.byteOffsets.lowerBound, in: text)
    }
  }

  @usableFromInline func fault(
    _ expected: JSONFault.Expected, in text: Span<UInt8>
  ) -> JSONFault {
    JSONFault(expected, at: position, in: text)
  }

  @usableFromInline func fault(
    _ expected: JSONFault.Expected, at offset: Int, in text: Span<UInt8>
  ) -> JSONFault {
    JSONFault(expected, at: offset, in: text)
  }
}
