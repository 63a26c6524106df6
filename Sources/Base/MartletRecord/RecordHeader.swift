public import MartletBase

/// What a record is about; its number is its meaning for ever. The writers of a journal name theirs.
///
/// - Bounds: 0 is a segment's own first record; 1 ... 65,535 belong to the writers.
@frozen public struct RecordKind: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }
  @inlinable public init(_ rawValue: UInt16) { self.rawValue = rawValue }
  /// The first record of every segment; it carries a `SegmentHeader` and takes no sequence.
  @inlinable public static var segment: RecordKind { RecordKind(0) }
}

/// Which retention a record is under: decisions stay, old market frames may go.
@frozen public struct RecordLane: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
  @inlinable public init(_ rawValue: UInt8) { self.rawValue = rawValue }
  @inlinable public static var decisions: RecordLane { RecordLane(0) }
  @inlinable public static var market: RecordLane { RecordLane(1) }
  @inlinable public static var deadMan: RecordLane { RecordLane(2) }
}

/// How records lie in a segment: header, payload, zeros up to a multiple of eight, link.
///
/// Header, 32 bytes, little-endian: magic `MJR` and version 1 (4), kind (2), lane (1), flags (1),
/// sequence (8), time (8), payload length (4), CRC-32C of the 28 bytes before it and the payload
/// (4). Eight-byte steps let a writer publish a record with one aligned store of its first word.
@frozen public enum RecordFraming {
  @inlinable public static var headerBytes: Int { 32 }
  @inlinable public static var linkBytes: Int { 32 }
  @inlinable public static var alignment: Int { 8 }
  /// The longest payload of any record.
  @inlinable public static var maximumPayloadBytes: Int { 16 << 20 }
  @inlinable public static var version: UInt8 { 1 }
  /// The sequence of a journal's first record; 0 is never used and can mean “none”.
  @inlinable public static var firstSequence: UInt64 { 1 }
  /// `M`, `J`, `R`.
  @inlinable static var magic: UInt32 { 0x0052_4a4d }
  @inlinable static var magicAndVersion: UInt32 { magic | UInt32(version) << 24 }

  /// Where the link of a record with this payload begins, from the record's start.
  @inlinable public static func linkOffset(payloadBytes: Int) -> Int {
    headerBytes + (payloadBytes + alignment - 1) & ~(alignment - 1)
  }

  /// What a record with this payload takes in a segment.
  @inlinable public static func recordBytes(payloadBytes: Int) -> Int {
    linkOffset(payloadBytes: payloadBytes) + linkBytes
  }
}

/// What stands before a payload.
@frozen public struct RecordHeader: Hashable, Sendable, BitwiseCopyable {
  public var kind: RecordKind
  public var lane: RecordLane
  /// None is defined in version 1, so it is 0.
  public var flags: UInt8
  /// One more than the record before. A segment's first record repeats the next one's.
  public var sequence: UInt64
  /// The caller's stamp.
  public var time: Timestamp
  /// - Bounds: 0 ... `RecordFraming.maximumPayloadBytes`.
  public var payloadBytes: UInt32
  public var checksum: UInt32

  @inlinable public init(
    kind: RecordKind, lane: RecordLane, sequence: UInt64, time: Timestamp, payloadBytes: UInt32,
    checksum: UInt32 = 0
  ) {
    self.kind = kind
    self.lane = lane
    self.flags = 0
    self.sequence = sequence
    self.time = time
    self.payloadBytes = payloadBytes
    self.checksum = checksum
  }

  /// The header as four little-endian words, in the order they lie in the file.
  @inlinable public var words: InlineArray<4, UInt64> {
    let first =
      UInt64(RecordFraming.magicAndVersion) | UInt64(kind.rawValue) << 32
      | UInt64(lane.rawValue) << 48 | UInt64(flags) << 56
    return [
      first.littleEndian, sequence.littleEndian,
      UInt64(bitPattern: time.nanoseconds).littleEndian,
      (UInt64(payloadBytes) | UInt64(checksum) << 32).littleEndian,
    ]
  }

  /// Writes the header's 32 bytes at the start of `bytes`, which must hold as many.
  @inlinable public func encode(into bytes: inout MutableSpan<UInt8>) {
    let words = words
    for index in 0..<RecordFraming.headerBytes {
      bytes[index] = UInt8(
        truncatingIfNeeded: UInt64(littleEndian: words[index / 8]) >> (index % 8 * 8))
    }
  }

  /// The fields of a header whose magic and version were checked.
  @inlinable init(words: InlineArray<4, UInt64>) {
    let first = UInt64(littleEndian: words[0])
    let last = UInt64(littleEndian: words[3])
    kind = RecordKind(UInt16(truncatingIfNeeded: first >> 32))
    lane = RecordLane(UInt8(truncatingIfNeeded: first >> 48))
    flags = UInt8(truncatingIfNeeded: first >> 56)
    sequence = UInt64(littleEndian: words[1])
    time = Timestamp(nanoseconds: Int64(bitPattern: UInt64(littleEndian: words[2])))
    payloadBytes = UInt32(truncatingIfNeeded: last)
    checksum = UInt32(truncatingIfNeeded: last >> 32)
  }
}
