/// A part of the kernel's state that can be written down and read back, byte for byte.
///
/// Reading what was written gives an equal part; a reader that meets other bytes throws.
public protocol Snapshotting: ~Copyable {
  borrowing func write(to snapshot: inout SnapshotWriter)
  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault)
}

/// Writes state as little-endian words behind section tags.
public struct SnapshotWriter: ~Copyable {
  public var bytes = ByteBuffer(capacity: 4096)
  public init() {}

  /// Marks the start of a part, so that a reader out of step stops there and not in nonsense.
  ///
  /// - Bounds: a tag of at most 255 bytes; longer traps.
  public mutating func section(_ tag: StaticString) {
    bytes.append(UInt8(tag.utf8CodeUnitCount))
    bytes.append(tag)
  }

  public mutating func write<Value: FixedWidthInteger>(_ value: Value) {
    bytes.append(word: value)
  }

  public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }
  public mutating func write(_ value: Price) { write(value.quanta) }
  public mutating func write(_ value: Quantity) { write(value.quanta) }
  public mutating func write(_ value: Amount) { write(value.units) }
  public mutating func write(_ value: Rate) { write(value.units) }
  public mutating func write(_ value: Timestamp) { write(value.nanoseconds) }
  public mutating func write(_ value: TimeSpan) { write(value.nanoseconds) }

  public mutating func write(_ value: InlineText) {
    write(value.word0)
    write(value.word1)
    write(value.word2)
    write(value.word3)
  }

  public mutating func write(_ text: String) {
    let utf8 = Array(text.utf8)
    write(UInt32(utf8.count))
    bytes.append(utf8.span)
  }

  public mutating func write(_ content: Span<UInt8>) {
    write(UInt32(content.count))
    bytes.append(content)
  }
}

extension SnapshotWriter {
  /// Writes what `body` writes as content, its length before it.
  public mutating func writeContent(_ body: (inout SnapshotWriter) -> Void) {
    let start = bytes.count
    write(UInt32(0))
    body(&self)
    let length = UInt32(bytes.count - start - 4)
    for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> (index * 8)) }
  }
}

/// Reads what `SnapshotWriter` wrote. Bounded: a count that cannot be true is a fault, not a crash.
public struct SnapshotReader {
  public enum Fault: Error, Equatable, Sendable {
    case ended(offset: Int)
    case wrongSection(expected: String, found: String, offset: Int)
    case impossible(String, offset: Int)
  }

  let bytes: [UInt8]
  public private(set) var offset = 0
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public var isAtEnd: Bool { offset == bytes.count }

  public mutating func byte() throws(Fault) -> UInt8 {
    guard offset < bytes.count else { throw .ended(offset: offset) }
    defer { offset += 1 }
    return bytes[offset]
  }

  public mutating func section(_ tag: StaticString) throws(Fault) {
    let start = offset
    let length = Int(try byte())
    let expected = tag.description
    var found: [UInt8] = []
    for _ in 0..<length { found.append(try byte()) }
    guard found == Array(expected.utf8) else {
      // Bytes that are no tag are shown as dots.
      let shown = found.map { $0 >= 32 && $0 < 127 ? $0 : 46 }
      throw .wrongSection(
        expected: expected, found: String(decoding: shown, as: UTF8.self), offset: start)
    }
  }

  /// Takes a section's tag if it is the next thing: for a part that earlier builds wrote otherwise.
  public mutating func takeSection(_ tag: StaticString) -> Bool {
    var ahead = self
    guard (try? ahead.section(tag)) != nil else { return false }
    self = ahead
    return true
  }

  public mutating func read<Value: FixedWidthInteger>(
    _ type: Value.Type = Value.self
  ) throws(Fault) -> Value {
    let size = Value.bitWidth / 8
    guard bytes.count - offset >= size else {
      offset = bytes.count
      throw .ended(offset: offset)
    }
    var value: Value = 0
    for index in 0..<size {
      value |= Value(truncatingIfNeeded: bytes[offset + index]) << (index * 8)
    }
    offset += size
    return value
  }

  public mutating func bool() throws(Fault) -> Bool {
    let value = try byte()
    guard value <= 1 else { throw .impossible("boolean \(value)", offset: offset - 1) }
    return value == 1
  }

  public mutating func price() throws(Fault) -> Price { Price(quanta: try read()) }
  public mutating func quantity() throws(Fault) -> Quantity { Quantity(quanta: try read()) }
  public mutating func amount() throws(Fault) -> Amount { Amount(units: try read()) }
  public mutating func rate() throws(Fault) -> Rate { Rate(units: try read()) }
  public mutating func timestamp() throws(Fault) -> Timestamp {
    Timestamp(nanoseconds: try read())
  }
  public mutating func timeSpan() throws(Fault) -> TimeSpan { TimeSpan(nanoseconds: try read()) }

  public mutating func inlineText() throws(Fault) -> InlineText {
    let start = offset
    var text = InlineText()
    text.word0 = try read()
    text.word1 = try read()
    text.word2 = try read()
    text.word3 = try read()
    // Before the last byte no zero, or equality would not be equality of text.
    for index in 0..<text.count where text[index] == 0 {
      throw .impossible("inline text with a zero inside", offset: start)
    }
    return text
  }

  /// A count written as `UInt32`, of things that take at least `size` bytes each: never more than
  /// the bytes left hold.
  public mutating func count(ofSize size: Int = 1) throws(Fault) -> Int {
    let found = Int(try read(UInt32.self))
    guard found * size <= bytes.count - offset else {
      throw .impossible("count \(found)", offset: offset - 4)
    }
    return found
  }

  /// What `write` of a string wrote.
  public mutating func text() throws(Fault) -> String {
    let length = try count()
    let start = offset
    offset += length
    guard let text = String(validating: bytes[start..<offset], as: UTF8.self) else {
      throw .impossible("text that is not UTF-8", offset: start)
    }
    return text
  }

  /// What `write` of a span wrote.
  public mutating func content() throws(Fault) -> [UInt8] {
    let length = try count()
    defer { offset += length }
    return Array(bytes[offset..<offset + length])
  }
}

extension SnapshotReader.Fault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .ended(let offset): "expected more behind byte \(offset), found the end"
    case .wrongSection(let expected, let found, let offset):
      "expected “\(expected)” at byte \(offset), found “\(found)”"
    case .impossible(let what, let offset):
      "expected what may stand at byte \(offset), found \(what)"
    }
  }
}
