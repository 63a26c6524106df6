public import MartletRecord

/// What a walk over a whole journal proved, up to its end or to the first fault.
public struct JournalVerification: Equatable, Sendable {
  public var journalID: JournalID
  /// The build that began the journal.
  public var build: String
  /// Records proven, the heads of segments not counted.
  public var records: UInt64 = 0
  public var segments: UInt32 = 1
  /// Of the records, those of the public market, which retention may remove.
  public var marketRecords: UInt64 = 0
  /// Of the segments, those that were put away as two packed files.
  public var parted: UInt32 = 0
  /// Bytes of the parted segments as they were, and of the files in their place.
  public var partedBytes = 0
  public var packedBytes = 0
  /// Market records that retention removed, as the receipts in their place say; what stands around them was
  /// proven.
  public var goneRecords: UInt64 = 0
  /// The first and the last of them; nil when none are missing.
  public var gone: ClosedRange<UInt64>?
  /// Market files that are damaged or lost. Every decision was proven without them, and every record of theirs
  /// that can be read.
  public var damaged: [DamagedMarket] = []
  /// 0 when there is no record.
  public var firstSequence: UInt64 = 0
  /// 0 when there is no record.
  public var lastSequence: UInt64 = 0
  /// The link of the last record proven; compare it with one kept elsewhere.
  public var head: RecordLink
  /// A record that was being written when its writer died; what stands before it is sound.
  public var tornTail: SegmentFault?
  /// What starts cut off, as it is kept beside the segments.
  public var cuts: [CutFile] = []
  /// The first fault: what stands behind it proves nothing.
  public var fault: JournalFault?

  /// How it stands to the head that is kept apart; not judged, and so `unknown`, behind a fault.
  public var standing = HeadStanding.unknown

  /// Market records that cannot be read, because their files are damaged or lost.
  public var unreadable: UInt64 { damaged.reduce(0) { $0 + $1.unreadable } }

  /// What is there is whole, and nothing that is known to have been there is missing.
  public var isSound: Bool { fault == nil && damaged.isEmpty && standing.isSound }
}

extension JournalReader {
  /// Walks the journal in `folder` from end to end.
  ///
  /// - Parameter heads: where heads are kept apart; nil looks at no head.
  /// - Throws: why it cannot be read at all. A fault in the chain is told in the result.
  public static func verify(
    folder: String, heads: HeadBook? = nil
  ) throws(JournalFault) -> JournalVerification {
    // Before the journal, which may grow meanwhile.
    let found = heads?.find(folder) ?? .none
    var result = try walk(folder)
    // Behind a fault nothing is proven, and nothing more needs to be said.
    if result.fault == nil { result.standing = try found.standing(of: folder) }
    return result
  }

  private static func walk(_ folder: String) throws(JournalFault) -> JournalVerification {
    var reader = try open(folder: folder)
    var result = JournalVerification(
      journalID: reader.segment.journalID, build: reader.segment.build, head: reader.chain.link)
    do throws(JournalFault) {
      while let header = try reader.next() {
        if result.records == 0 { result.firstSequence = header.sequence }
        result.records += 1
        if header.lane == .market { result.marketRecords += 1 }
        result.lastSequence = header.sequence
        result.head = reader.chain.link
        result.take(reader.missing)
      }
      // A gap that no record follows yet.
      result.take(reader.missing)
      result.tornTail = reader.tornTail
    } catch {
      result.fault = error
    }
    result.segments = reader.segment.number
    result.parted = reader.putAway.segments
    result.partedBytes = reader.putAway.bytes
    result.packedBytes = reader.putAway.packedBytes
    result.goneRecords = reader.putAway.goneRecords
    result.damaged = reader.damaged
    result.cuts = JournalFolder(folder).cuts()
    return result
  }
}

extension JournalVerification {
  fileprivate mutating func take(_ missing: [MissingRecords]) {
    for piece in missing where piece.damagedFile == nil {
      gone = (gone?.lowerBound ?? piece.sequences.lowerBound)...piece.sequences.upperBound
    }
  }
}
