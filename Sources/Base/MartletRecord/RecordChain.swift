public import MartletBase

/// The two digests a journal needs. The edge brings a library's, a test its own.
public protocol RecordHashing: Sendable {
  /// CRC-32C (Castagnoli) continued over `bytes`; `crc` is 0 to begin.
  func crc32c(_ crc: UInt32, _ bytes: RawSpan) -> UInt32
  /// SHA-256 of the previous link, the header and the payload, one after the other.
  func link(after previous: RecordLink, header: RawSpan, payload: RawSpan) -> RecordLink
  /// The links of two records at once.
  ///
  /// - Parameters:
  ///   - firstHead: the 64 bytes before its payload: the link before it, and its header.
  ///   - secondHead: the same of the second.
  func links(
    firstHead: RawSpan, firstPayload: RawSpan, secondHead: RawSpan, secondPayload: RawSpan
  ) -> (RecordLink, RecordLink)
}

extension RecordHashing {
  /// One after the other.
  public func links(
    firstHead: RawSpan, firstPayload: RawSpan, secondHead: RawSpan, secondPayload: RawSpan
  ) -> (RecordLink, RecordLink) {
    func link(_ head: RawSpan, _ payload: RawSpan) -> RecordLink {
      // In bounds: a head is 64 bytes, a link the first half of them.
      let words = unsafe head.unsafeLoadUnaligned(
        fromByteOffset: 0, as: (UInt64, UInt64, UInt64, UInt64).self)
      return self.link(
        after: RecordLink(words: words), header: head.extracting(last: RecordFraming.headerBytes),
        payload: payload)
    }
    return (link(firstHead, firstPayload), link(secondHead, secondPayload))
  }
}

/// A record ready to be laid down: its header's words and its link.
@frozen public struct SealedRecord: Sendable, BitwiseCopyable {
  public let header: InlineArray<4, UInt64>
  public let link: RecordLink
  public let sequence: UInt64
  @inlinable init(header: InlineArray<4, UInt64>, link: RecordLink, sequence: UInt64) {
    self.header = header
    self.link = link
    self.sequence = sequence
  }
}

/// The rule of the chain: which sequence comes next, and what the next link is made of.
///
/// Writer and reader hold the same value, so there is one rule. A record is chained to all before
/// it, over the seams of segments; a segment's own first record is chained as well, and takes no
/// sequence, so that the records of a journal count on without a hole.
@frozen public struct RecordChain: Hashable, Sendable, BitwiseCopyable {
  @usableFromInline var upcoming: UInt64
  @usableFromInline var last: RecordLink

  /// Continues after a record; without arguments, begins a journal.
  @inlinable public init(
    nextSequence: UInt64 = RecordFraming.firstSequence, link: RecordLink = .origin
  ) {
    upcoming = nextSequence
    last = link
  }

  @inlinable public var nextSequence: UInt64 { upcoming }
  /// The link of the last record.
  @inlinable public var link: RecordLink { last }

  /// Seals the next record and moves on to it.
  ///
  /// - Parameter payload: at most `RecordFraming.maximumPayloadBytes`, or it traps.
  @inlinable public mutating func seal(
    kind: RecordKind, lane: RecordLane, time: Timestamp, payload: RawSpan,
    using hashing: borrowing some RecordHashing
  ) -> SealedRecord {
    let length = payload.byteCount
    precondition(length <= RecordFraming.maximumPayloadBytes, "a payload of \(length) bytes")
    var header = RecordHeader(
      kind: kind, lane: lane, sequence: upcoming, time: time,
      payloadBytes: UInt32(truncatingIfNeeded: length))
    header.checksum = RecordChain.checksum(of: header.words, payload: payload, using: hashing)
    let words = header.words
    // Words are whole bytes without padding between them.
    let next = unsafe hashing.link(after: last, header: words.span.bytes, payload: payload)
    accept(kind, next)
    return SealedRecord(header: words, link: next, sequence: header.sequence)
  }

  /// The CRC-32C that belongs into a header with these words.
  @inlinable static func checksum(
    of header: InlineArray<4, UInt64>, payload: RawSpan, using hashing: borrowing some RecordHashing
  ) -> UInt32 {
    // The last four bytes of the header are the checksum itself; words have no padding.
    let covered = unsafe header.span.bytes.extracting(first: RecordFraming.headerBytes - 4)
    return hashing.crc32c(hashing.crc32c(0, covered), payload)
  }

  /// Moves on to a record that was sealed or proven.
  @inlinable mutating func accept(_ kind: RecordKind, _ next: RecordLink) {
    if kind != .segment { upcoming += 1 }
    last = next
  }
}
