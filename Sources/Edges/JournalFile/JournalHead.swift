public import MartletRecord
internal import Synchronization

/// Where a journal's chain stood when it was last known to be on disk: what a journal must still reach.
public struct JournalHead: Equatable, Sendable {
  public var journalID: JournalID
  /// The segment that holds the record.
  public var segment: UInt32
  /// The record's sequence; 0 of a journal without records.
  public var sequence: UInt64
  /// The record's link; `origin` of a journal without records.
  public var link: RecordLink

  public init(journalID: JournalID, segment: UInt32, sequence: UInt64, link: RecordLink) {
    self.journalID = journalID
    self.segment = segment
    self.sequence = sequence
    self.link = link
  }
}

/// Keeps a writer's head where whoever can change the journal does not reach it.
///
/// A writer calls it when all up to the head is on disk, and never from `append`: at its start, at the
/// end of each segment, behind each sync and at its end.
public protocol HeadKeeping: Sendable {
  /// - Throws: why the head could not be kept; the one kept before then still holds.
  func keep(_ head: JournalHead) throws(JournalFault)
}

/// Follows a writer's records from behind, to know the link of the last that is on disk: the writer
/// itself says nothing of links, which would cost it something a record.
struct HeadCursor {
  private let journalID: JournalID
  private var segment: UInt32 = 0
  private var offset = 0
  private var sequence: UInt64 = 0
  private var link = RecordLink.origin

  init(journalID: JournalID) { self.journalID = journalID }

  var head: JournalHead {
    JournalHead(journalID: journalID, segment: segment, sequence: sequence, link: link)
  }

  /// Moves on to the last record of `mapped` whose sequence is not past `last`. The caller has seen,
  /// by an acquiring load, that those records are laid down.
  mutating func advance(in mapped: MappedSegment, through last: UInt64) {
    if mapped.number != segment {
      segment = mapped.number
      offset = 0
    }
    while offset + RecordFraming.headerBytes + RecordFraming.linkBytes <= mapped.bytes {
      let header = mapped.raw(offset, RecordFraming.headerBytes)
      // Within the header's 32 bytes.
      let first = unsafe header.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
      if first == 0 { return }
      // What was laid down before a record's first word is read after it.
      atomicMemoryFence(ordering: .acquiring)
      let found = unsafe header.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
      let length = unsafe header.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt32.self)
      let isSegment = UInt16(truncatingIfNeeded: UInt64(littleEndian: first) >> 32) == 0
      guard isSegment || UInt64(littleEndian: found) <= last else { return }
      let whole = RecordFraming.recordBytes(payloadBytes: Int(UInt32(littleEndian: length)))
      guard whole <= mapped.bytes - offset else { return }
      if isSegment {
        if sequence == 0, let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span) {
          // Where the cursor begins: behind the last record of the segment before.
          sequence = claim.nextSequence - 1
          link = claim.link
        }
      } else {
        let place = mapped.raw(offset + whole - RecordFraming.linkBytes, RecordFraming.linkBytes)
        // Within the link's 32 bytes.
        unsafe link = RecordLink(
          words: (
            place.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self),
            place.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self),
            place.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self),
            place.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt64.self)
          ))
        sequence = UInt64(littleEndian: found)
      }
      offset += whole
    }
  }
}
