public import MartletBase

/// Writes JSON into a buffer, one value at a time, without an allocation.
///
/// It keeps commas, colons and nesting; the caller keeps keys and values in turn. Like the cursor it
/// is a plain value, and the buffer is handed to each call.
///
/// - Bounds: nesting of 64; deeper traps, as does an end without its begin.
@frozen public struct JSONWriter: Equatable, Sendable, BitwiseCopyable {
  /// What stands between the parts.
  @frozen public enum Style: UInt8, Sendable, BitwiseCopyable {
    /// `{"a":1,"b":2}`
    case compact
    /// `{"a": 1, "b": 2}`
    case spaced
  }

  public let style: Style
  @usableFromInline var depth: Int = 0
  /// Bit `depth` − 1: something stands before, so that a comma is due.
  @usableFromInline var given: UInt64 = 0
  /// A key was written and its value was not.
  @usableFromInline var owesValue = false

  @inlinable public init(style: Style = .compact) { self.style = style }

  // MARK: Containers

  @inlinable public mutating func beginObject(into buffer: inout ByteBuffer) {
    begin(0x7b, into: &buffer)
  }

  @inlinable public mutating func endObject(into buffer: inout ByteBuffer) {
    end(0x7d, into: &buffer)
  }

  @inlinable public mutating func beginArray(into buffer: inout ByteBuffer) {
    begin(0x5b, into: &buffer)
  }

  @inlinable public mutating func endArray(into buffer: inout ByteBuffer) {
    end(0x5d, into: &buffer)
  }

  /// Writes a key that needs no escapes.
  @inlinable public mutating func key(_ name: StaticString, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    buffer.append(name)
    endKey(into: &buffer)
  }

  // Disfavored, so that a literal is a static string and not inline text; `string` too.
  @_disfavoredOverload
  @inlinable public mutating func key(_ name: InlineText, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    JSONWriter.escape(name, into: &buffer)
    endKey(into: &buffer)
  }

  /// - Parameter name: UTF-8.
  @inlinable public mutating func key(_ name: Span<UInt8>, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    JSONWriter.escape(name, into: &buffer)
    endKey(into: &buffer)
  }

  /// For start-up and reports.
  public mutating func key(text name: String, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    for byte in name.utf8 { JSONWriter.escape(byte, into: &buffer) }
    endKey(into: &buffer)
  }

  // MARK: Strings

  /// Writes a string that needs no escapes.
  @inlinable public mutating func string(_ value: StaticString, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    buffer.append(value)
    buffer.append(0x22)
  }

  @_disfavoredOverload
  @inlinable public mutating func string(_ value: InlineText, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    JSONWriter.escape(value, into: &buffer)
    buffer.append(0x22)
  }

  /// - Parameter value: UTF-8.
  @inlinable public mutating func string(_ value: Span<UInt8>, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    JSONWriter.escape(value, into: &buffer)
    buffer.append(0x22)
  }

  /// For start-up and reports.
  public mutating func string(text value: String, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(0x22)
    for byte in value.utf8 { JSONWriter.escape(byte, into: &buffer) }
    buffer.append(0x22)
  }

  // MARK: Numbers

  @inlinable public mutating func integer<Value: FixedWidthInteger>(
    _ value: Value, into buffer: inout ByteBuffer
  ) {
    separate(into: &buffer)
    buffer.append(decimal: value)
  }

  /// Writes `value` counts of 10^−`places`, as a number.
  @inlinable public mutating func number(
    _ value: Int128, places: Int, into buffer: inout ByteBuffer
  ) {
    separate(into: &buffer)
    DecimalText.write(value, places: places, into: &buffer)
  }

  /// Writes `value` counts of 10^−`places`, as a string.
  @inlinable public mutating func decimal(
    _ value: Int128, places: Int, into buffer: inout ByteBuffer
  ) {
    separate(into: &buffer)
    buffer.append(0x22)
    DecimalText.write(value, places: places, into: &buffer)
    buffer.append(0x22)
  }

  /// Writes a price as a string, as venues take and give it.
  @inlinable public mutating func decimal(
    _ price: Price, _ scale: InstrumentScale, into buffer: inout ByteBuffer
  ) {
    decimal(Int128(price.quanta), places: Int(scale.price.count), into: &buffer)
  }

  /// Writes a quantity as a string, as venues take and give it.
  @inlinable public mutating func decimal(
    _ quantity: Quantity, _ scale: InstrumentScale, into buffer: inout ByteBuffer
  ) {
    decimal(Int128(quantity.quanta), places: Int(scale.quantity.count), into: &buffer)
  }

  /// Writes an amount as a string.
  @inlinable public mutating func decimal(_ amount: Amount, into buffer: inout ByteBuffer) {
    decimal(amount.units, places: Amount.places, into: &buffer)
  }

  /// Writes a rate as a string.
  @inlinable public mutating func decimal(_ rate: Rate, into buffer: inout ByteBuffer) {
    decimal(Int128(rate.units), places: Rate.places, into: &buffer)
  }

  // MARK: The rest

  @inlinable public mutating func bool(_ value: Bool, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(value ? "true" : "false")
  }

  @inlinable public mutating func null(into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append("null")
  }

  /// Writes a value that is JSON already, as it stands.
  @inlinable public mutating func json(_ value: Span<UInt8>, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(value)
  }

  // MARK: Helpers

  /// Writes the comma that is due before a key or an element.
  @inlinable @inline(__always)
  mutating func separate(into buffer: inout ByteBuffer) {
    if owesValue {
      owesValue = false
      return
    }
    // Values at the top are documents of their own: no comma, one writer for many.
    if depth == 0 { return }
    let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: depth &- 1)
    if given & bit != 0 {
      buffer.append(0x2c)
      if style == .spaced { buffer.append(0x20) }
    }
    given |= bit
  }

  @inlinable mutating func endKey(into buffer: inout ByteBuffer) {
    buffer.append(0x22)
    buffer.append(0x3a)
    if style == .spaced { buffer.append(0x20) }
    owesValue = true
  }

  @inlinable mutating func begin(_ opening: UInt8, into buffer: inout ByteBuffer) {
    separate(into: &buffer)
    buffer.append(opening)
    precondition(depth < 64, "JSON nested deeper than 64")
    depth &+= 1
    given &= ~(1 &<< UInt64(truncatingIfNeeded: depth &- 1))
  }

  @inlinable mutating func end(_ closing: UInt8, into buffer: inout ByteBuffer) {
    precondition(depth > 0 && !owesValue, "a JSON container ends without a begin or a value")
    buffer.append(closing)
    depth -= 1
  }

  @inlinable static func escape(_ text: InlineText, into buffer: inout ByteBuffer) {
    if isPlain(text) {
      buffer.append(text)
      return
    }
    var index = 0
    while index < InlineText.capacity {
      let byte = text[index]
      if byte == 0 { return }
      escape(byte, into: &buffer)
      index &+= 1
    }
  }

  /// Whether no byte of `text` needs an escape: eight at a time, as nearly all text is.
  @inlinable static func isPlain(_ text: InlineText) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var found: UInt64 = 0
    for index in 0..<4 {
      let word = text.word(index)
      // Padding stands for a letter. A byte less than its bound, or equal to a sign, borrows; one
      // that only follows such a byte may be taken for one, and costs the slow way.
      let bytes = word | (ones &* 0x61 & ~(.max << UInt64(word.trailingZeroBitCount & ~7)))
      let quote = bytes ^ ones &* 0x22
      let backslash = bytes ^ ones &* 0x5c
      found |= (bytes &- ones &* 0x20) & ~bytes | (quote &- ones) & ~quote
      found |= (backslash &- ones) & ~backslash
    }
    return found & 0x8080_8080_8080_8080 == 0
  }

  @inlinable static func escape(_ text: Span<UInt8>, into buffer: inout ByteBuffer) {
    for index in 0..<text.count { escape(text[index], into: &buffer) }
  }

  @inlinable @inline(__always)
  static func escape(_ byte: UInt8, into buffer: inout ByteBuffer) {
    if byte >= 0x20 && byte != 0x22 && byte != 0x5c {
      buffer.append(byte)
    } else {
      escapeSpecial(byte, into: &buffer)
    }
  }

  @usableFromInline static func escapeSpecial(_ byte: UInt8, into buffer: inout ByteBuffer) {
    buffer.append(0x5c)
    switch byte {
    case 0x22, 0x5c: buffer.append(byte)
    case 0x08: buffer.append(0x62)
    case 0x09: buffer.append(0x74)
    case 0x0a: buffer.append(0x6e)
    case 0x0c: buffer.append(0x66)
    case 0x0d: buffer.append(0x72)
    default:
      buffer.append("u00")
      buffer.append(0x30 + (byte >> 4))  // Below the space: 0 or 1.
      buffer.append((byte & 15) < 10 ? 0x30 + (byte & 15) : 0x61 + (byte & 15) - 10)
    }
  }
}
