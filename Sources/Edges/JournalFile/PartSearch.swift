public import MartletRecord

/// Where in a parted segment a fold may begin, as its decisions alone tell it: no market file is unpacked
/// for it and no record proven.
struct PartSearch {
  /// A place from which links can be proven: the start of the segment, or one behind a gap.
  struct Anchor {
    /// Of the next plain byte of the decisions.
    var offset = 0
    var chain: RecordChain
    /// What the decisions before it take in the segment.
    var decisionsBytes = 0
    /// The market records before it.
    var market: UInt64 = 0
  }

  /// The record that was looked for, and the last anchor before it.
  let sequence: UInt64
  let anchor: Anchor

  /// Finds the last record of these kinds at or before a moment.
  ///
  /// - Parameter decisions: held, and at their beginning.
  /// - Returns: nil when there is none.
  static func run(
    in decisions: inout PartReader, for kinds: [RecordKind], at moment: JournalMoment
  ) throws(PartDamage) -> PartSearch? {
    var anchor = Anchor(chain: decisions.head.begin)
    var (found, bytes): (PartSearch?, Int) = (nil, 0)
    while !decisions.isAtEnd {
      let words = try decisions.words()
      if PartGap.begins(UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0]))) {
        let gap = try decisions.gap(words)
        anchor = Anchor(
          offset: decisions.offset,
          chain: RecordChain(nextSequence: gap.last + 1, link: gap.after), decisionsBytes: bytes,
          market: anchor.market + gap.count)
        continue
      }
      let header = try PartSearch.header(words)
      guard moment.reaches(header) else { break }
      if kinds.contains(header.kind) {
        found = PartSearch(sequence: header.sequence, anchor: anchor)
      }
      try decisions.skip(Int(header.payloadBytes))
      bytes += RecordFraming.recordBytes(payloadBytes: Int(header.payloadBytes))
    }
    return found
  }

  fileprivate static func header(_ words: InlineArray<4, UInt64>) throws(PartDamage) -> RecordHeader
  {
    do throws(RecordDamage) { return try RecordHeader(checking: words) } catch { throw .packed }
  }
}

extension PartReader {
  /// Passes over records of a market file.
  ///
  /// - Returns: what they take in the segment.
  mutating func skip(records count: UInt64) throws(PartDamage) -> Int {
    var bytes = 0
    for _ in 0..<count {
      let header = try PartSearch.header(try words())
      try skip(Int(header.payloadBytes))
      bytes += RecordFraming.recordBytes(payloadBytes: Int(header.payloadBytes))
    }
    return bytes
  }
}

/// Which piece of a parted segment is put together.
struct SegmentPiece {
  /// From the anchor of this one on, behind the segment's own first record; nil takes it from there.
  var start: PartSearch?
  /// Up to the first record behind it; nil takes all.
  var limit: JournalMoment?
}

/// What a parted segment has for a search.
public enum SoughtSegment: Sendable {
  /// No such record is in it.
  case absent
  /// Put together as far as was asked for, with the place of the record and the chain before it.
  case found(MergedSegment, offset: Int, chain: RecordChain)
}
