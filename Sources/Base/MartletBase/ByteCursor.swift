/// Reads little-endian words from bytes that are passed to each call, so that the cursor itself can
/// be stored. What is not there is nil, never a trap: the bytes may come from a damaged file.
@frozen public struct ByteCursor: Sendable, BitwiseCopyable {
  public var position: Int
  @inlinable public init(at position: Int = 0) { self.position = position }

  @inlinable public mutating func word<Value: FixedWidthInteger>(
    _ type: Value.Type = Value.self, in bytes: Span<UInt8>
  ) -> Value? {
    let size = Value.bitWidth / 8
    guard position >= 0, bytes.count - position >= size else { return nil }
    var value: Value = 0
    for index in 0..<size {
      value |=
        Value(truncatingIfNeeded: bytes[position + index]) << Value(truncatingIfNeeded: index * 8)
    }
    position += size
    return value
  }

  @inlinable public mutating func text(in bytes: Span<UInt8>) -> InlineText? {
    guard let length = word(UInt8.self, in: bytes), Int(length) <= InlineText.capacity,
      bytes.count - position >= Int(length)
    else { return nil }
    let text = InlineText(bytes.extracting(position..<position + Int(length)))
    position += Int(length)
    return text
  }
}

extension ByteBuffer {
  /// Appends `value` in little-endian order.
  @inlinable public mutating func append<Value: FixedWidthInteger>(word value: Value) {
    let word = value.littleEndian
    unsafe append(count: Value.bitWidth / 8) { target in
      // An integer is its bytes, and the room is as long.
      unsafe withUnsafeBytes(of: word) { unsafe target.copyMemory(from: $0) }
    }
  }

  /// Appends a length byte and the text.
  @inlinable public mutating func append(counted text: InlineText) {
    append(UInt8(truncatingIfNeeded: text.count))
    append(text)
  }
}
