/// Where the chain of a segment ends against its rule, and how.
public struct RecordFault: Error, Equatable, Sendable {
  /// From the segment's start, in bytes.
  public let offset: Int
  /// The sequence that was due there.
  public let sequence: UInt64
  public let damage: RecordDamage
  public init(offset: Int, sequence: UInt64, damage: RecordDamage) {
    self.offset = offset
    self.sequence = sequence
    self.damage = damage
  }
}

/// What is wrong with the bytes where a record was due.
public enum RecordDamage: Error, Equatable, Sendable {
  /// Bytes follow the last record that were never published as one.
  case unpublished
  /// The segment ends inside a header.
  case headerCut(found: Int)
  /// No record begins with these four bytes.
  case notARecord(found: UInt32)
  case version(found: UInt8)
  /// A flag that version 1 does not define.
  case flags(found: UInt8)
  case payloadBytes(limit: Int, found: Int)
  /// The segment ends inside a record.
  case recordCut(expected: Int, found: Int)
  case checksum(expected: UInt32, found: UInt32)
  /// The zeros between payload and link are not zeros.
  case padding
  case sequence(expected: UInt64, found: UInt64)
  case link(expected: RecordLink, found: RecordLink)
  /// A segment's own record that is not the first, or a first record that is no segment's.
  case misplaced(RecordKind)
  /// A segment's own record whose field differs from what the journal says of itself.
  case segment(field: String, expected: String, found: String)
}

extension RecordFault: CustomStringConvertible {
  public var description: String { "at byte \(offset), record \(sequence): \(damage)" }
}

extension RecordDamage: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unpublished: "bytes after the last record that were never published as one"
    case .headerCut(let found):
      "expected a header of \(RecordFraming.headerBytes) bytes, found \(found) before the end"
    case .notARecord(let found):
      "expected a record's magic \(hexadecimal(RecordFraming.magicAndVersion)), found \(hexadecimal(found))"
    case .version(let found):
      "expected record version \(RecordFraming.version), found \(found)"
    case .flags(let found): "expected no flags, found \(found)"
    case .payloadBytes(let limit, let found):
      "expected a payload of at most \(limit) bytes, found \(found)"
    case .recordCut(let expected, let found):
      "expected a record of \(expected) bytes, found \(found) before the end"
    case .checksum(let expected, let found):
      "expected checksum \(hexadecimal(expected)), found \(hexadecimal(found))"
    case .padding: "expected zeros between payload and link, found other bytes"
    case .sequence(let expected, let found): "expected sequence \(expected), found \(found)"
    case .link(let expected, let found): "expected link \(expected), found \(found)"
    case .misplaced(let kind):
      kind == .segment
        ? "expected a record, found the head of a segment"
        : "expected the head of a segment, found a record of kind \(kind.rawValue)"
    case .segment(let field, let expected, let found):
      "expected the segment's \(field) to be \(expected), found \(found)"
    }
  }
}

/// Eight hexadecimal digits.
func hexadecimal(_ value: UInt32) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 8 - digits.count) + digits
}
