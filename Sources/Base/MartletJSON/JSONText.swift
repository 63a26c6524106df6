public import MartletBase

/// Where a string's content or a number stands in the text that was read.
///
/// A range and not a span, so that it can be kept while the cursor moves on; it means something
/// only together with the same text.
@frozen public struct JSONText: Hashable, Sendable, BitwiseCopyable {
  /// Offset of the first byte, behind a string's quote.
  public let start: Int
  /// Bytes, a string's quotes left out.
  public let count: Int
  /// Whether the bytes hold escapes, so that they are not yet the text they mean.
  public let hasEscapes: Bool

  @inlinable public init(start: Int, count: Int, hasEscapes: Bool) {
    self.start = start
    self.count = count
    self.hasEscapes = hasEscapes
  }

  /// The bytes as they stand, escapes included.
  @_lifetime(copy text)
  @inlinable @inline(__always)
  public func bytes(in text: Span<UInt8>) -> Span<UInt8> {
    text.extracting(start..<start &+ count)
  }

  /// Whether this means `literal`, escapes resolved.
  @inlinable @inline(__always)
  public func equals(_ literal: StaticString, in text: Span<UInt8>) -> Bool {
    if hasEscapes { return equalsDecoded(literal, in: text) }
    guard count == literal.utf8CodeUnitCount else { return false }
    let own = bytes(in: text)
    var index = 0
    while index < own.count {
      // A static string lives for the whole process and has `count` bytes, as just compared.
      if unsafe own[index] != literal.utf8Start[index] { return false }
      index &+= 1
    }
    return true
  }

  @usableFromInline func equalsDecoded(_ literal: StaticString, in text: Span<UInt8>) -> Bool {
    var matched = 0
    var isEqual = true
    do {
      try forEachByte(in: text) { byte in
        // Not read past the literal's `utf8CodeUnitCount` bytes, which live for the whole process.
        if matched >= literal.utf8CodeUnitCount {
          isEqual = false
        } else if unsafe literal.utf8Start[matched] != byte {
          isEqual = false
        }
        matched += 1
      }
    } catch {
      return false
    }
    return isEqual && matched == literal.utf8CodeUnitCount
  }

  /// The text this means, escapes resolved. It allocates: for start-up, messages and reports.
  ///
  /// - Throws: `JSONFault` for half a surrogate pair or bytes that are not UTF-8.
  public func decoded(in text: Span<UInt8>) throws(JSONFault) -> String {
    guard hasEscapes else { return try String(json: bytes(in: text), at: start) }
    var meant: [UInt8] = []
    meant.reserveCapacity(count)
    try forEachByte(in: text) { meant.append($0) }
    return try String(json: meant.span, at: start)
  }

  /// Appends the bytes this means, escapes resolved.
  ///
  /// - Throws: `JSONFault` for half a surrogate pair; `buffer` then holds what came before it.
  public func append(in text: Span<UInt8>, to buffer: inout ByteBuffer) throws(JSONFault) {
    guard hasEscapes else {
      buffer.append(bytes(in: text))
      return
    }
    try forEachByte(in: text) { buffer.append($0) }
  }

  /// The text this means as inline text: a symbol, an asset, a client order id.
  ///
  /// - Throws: `JSONFault` when it is longer than 32 bytes or holds a zero.
  @inlinable public func inlineText(in text: Span<UInt8>) throws(JSONFault) -> InlineText {
    if !hasEscapes, let short = InlineText(bytes(in: text)) { return short }
    return try decodedInlineText(in: text)
  }

  @usableFromInline func decodedInlineText(
    in text: Span<UInt8>
  ) throws(JSONFault) -> InlineText {
    var meant = InlineArray<32, UInt8>(repeating: 0)
    var length = 0
    try forEachByte(in: text) { byte in
      if length < 32 { meant[length] = byte }
      length += 1
    }
    guard length <= 32, let short = InlineText(meant.span.extracting(0..<length)) else {
      throw JSONFault(.shortText, at: start, in: text)
    }
    return short
  }

  /// Calls `body` with each byte this means, escapes resolved to UTF-8.
  ///
  /// The cursor has checked the escapes' grammar; what it cannot reject is half a surrogate pair,
  /// which the grammar allows and UTF-8 cannot say.
  func forEachByte(in text: Span<UInt8>, _ body: (UInt8) -> Void) throws(JSONFault) {
    var index = start
    let end = start + count
    while index < end {
      let byte = text[index]
      index += 1
      if byte != 0x5c {
        body(byte)
        continue
      }
      guard index < end else { throw JSONFault(.escape, at: index, in: text) }
      let escape = text[index]
      index += 1
      switch escape {
      case 0x22, 0x5c, 0x2f: body(escape)
      case 0x62: body(0x08)
      case 0x66: body(0x0c)
      case 0x6e: body(0x0a)
      case 0x72: body(0x0d)
      case 0x74: body(0x09)
      case 0x75:
        let opening = index - 2
        var scalar = try hexadecimal(at: index, before: end, in: text)
        index += 4
        if scalar >= 0xd800 && scalar < 0xe000 {
          guard scalar < 0xdc00, index + 6 <= end, text[index] == 0x5c, text[index + 1] == 0x75
          else { throw JSONFault(.surrogate, at: opening, in: text) }
          let low = try hexadecimal(at: index + 2, before: end, in: text)
          guard low >= 0xdc00 && low < 0xe000 else {
            throw JSONFault(.surrogate, at: opening, in: text)
          }
          index += 6
          scalar = 0x1_0000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
        }
        encode(scalar, body)
      default: throw JSONFault(.escape, at: index - 1, in: text)
      }
    }
  }

  private func hexadecimal(
    at offset: Int, before end: Int, in text: Span<UInt8>
  ) throws(JSONFault) -> UInt32 {
    var value: UInt32 = 0
    for index in offset..<offset + 4 {
      guard index < end, let digit = hexadecimalDigit(text[index]) else {
        throw JSONFault(.hexDigit, at: index, in: text)
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  /// UTF-8 by RFC 3629, section 3; `scalar` is no surrogate.
  private func encode(_ scalar: UInt32, _ body: (UInt8) -> Void) {
    func continuation(_ shift: UInt32) -> UInt8 {
      0x80 | UInt8(truncatingIfNeeded: scalar >> shift) & 0x3f
    }
    if scalar < 0x80 {
      body(UInt8(truncatingIfNeeded: scalar))
    } else if scalar < 0x800 {
      body(0xc0 | UInt8(truncatingIfNeeded: scalar >> 6))
      body(continuation(0))
    } else if scalar < 0x1_0000 {
      body(0xe0 | UInt8(truncatingIfNeeded: scalar >> 12))
      body(continuation(6))
      body(continuation(0))
    } else {
      body(0xf0 | UInt8(truncatingIfNeeded: scalar >> 18))
      body(continuation(12))
      body(continuation(6))
      body(continuation(0))
    }
  }
}

/// The value of one hexadecimal digit of either case.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x41 + 10
  case 0x61...0x66: byte - 0x61 + 10
  default: nil
  }
}

extension String {
  /// UTF-8 `bytes`, which stand at `offset` of the text read.
  fileprivate init(json bytes: Span<UInt8>, at offset: Int) throws(JSONFault) {
    do {
      self = String(copying: try UTF8Span(validating: bytes))
    } catch {
      let place = error.byteOffsets.lowerBound
      throw JSONFault(
        offset: offset + place, expected: .utf8, found: place < bytes.count ? bytes[place] : nil)
    }
  }
}
