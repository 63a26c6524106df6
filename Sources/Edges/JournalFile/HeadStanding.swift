public import MartletBase
internal import MartletRecord

/// How a journal stands to the head that is kept of it apart.
public enum HeadStanding: Equatable, Sendable {
  /// No head of it is known here: a cut at the end of a record cannot be told.
  case unknown
  /// It holds the head's record, and perhaps more behind it.
  case reached(KeptHead)
  /// It ends, whole, before the head's record. 0 when no record is left.
  case cut(KeptHead, last: UInt64)
  /// Another journal stands in its place, or another chain under its name.
  case replaced(KeptHead)
  /// No journal is left where one was.
  case gone(KeptHead)
  /// What keeps the head was not written by this user's Martlet.
  case forged(path: String)

  /// Whether the journal may be what its bot last knew.
  public var isSound: Bool {
    switch self {
    case .unknown, .reached: true
    case .cut, .replaced, .gone, .forged: false
    }
  }

  /// One word, stable.
  public var word: String {
    switch self {
    case .unknown: "unknown"
    case .reached: "reached"
    case .cut: "cut"
    case .replaced: "replaced"
    case .gone: "gone"
    case .forged: "forged"
    }
  }

  /// Records that are missing at the least; 0 when none are known to be.
  public var missing: UInt64 {
    switch self {
    case .cut(let kept, let last): kept.head.sequence - min(last, kept.head.sequence)
    case .gone(let kept): kept.head.sequence
    case .unknown, .reached, .replaced, .forged: 0
    }
  }
}

/// A head with the proof that this user's Martlet kept it.
public struct KeptHead: Equatable, Sendable {
  public let head: JournalHead
  /// Where it is kept.
  public let path: String
  /// Of the journal, when it was kept.
  public let folder: String
  /// By this machine's calendar.
  public let keptAt: Timestamp
}

extension HeadStanding: CustomStringConvertible {
  /// For a person, without the journal's name and without a word on what to do.
  public var description: String {
    switch self {
    case .unknown:
      "no head of this journal is kept here, so that one cut off at the end of a record could not be told from it"
    case .reached(let kept):
      "it reaches the head that is kept apart, record \(kept.head.sequence)"
    case .cut(let kept, let last):
      "cut: it ends with record \(last), and record \(kept.head.sequence) was on disk at \(kept.time): at least"
        + " \(missing) record(s) are missing (\(kept.path))"
    case .replaced(let kept):
      "replaced: record \(kept.head.sequence) of journal \(kept.head.journalID) was on disk at \(kept.time), and"
        + " what is there now is another chain (\(kept.path))"
    case .gone(let kept):
      "gone: \(kept.head.sequence) record(s) were on disk at \(kept.time), and no journal is there now (\(kept.path))"
    case .forged(let path):
      "\(path): the head kept there is not sealed with this user's key: somebody changed it, or the key beside it"
    }
  }
}

extension KeptHead {
  /// Seconds since 1970 for whoever compares them with `journal print`.
  var time: String { "\(keptAt.seconds)" }
}

extension JournalReader {
  /// Looks whether the journal in `folder` holds the record that a kept head tells of. Only the segments
  /// from that record's on are read.
  ///
  /// - Throws: what is wrong with the journal itself.
  public static func standing(
    of folder: String, to kept: KeptHead
  ) throws(JournalFault) -> HeadStanding {
    try standing(of: JournalFolder(folder), to: kept)
  }

  static func standing(
    of store: any SegmentStore, to kept: KeptHead
  ) throws(JournalFault) -> HeadStanding {
    let head = kept.head
    var numbers: [UInt32] = []
    do throws(JournalFault) { numbers = try store.segments() } catch {
      guard case .folderMissing = error else { throw error }
    }
    while let number = numbers.popLast() {
      // The segment of the head's record, or else the last before it that was begun.
      if number > head.segment { continue }
      guard var reader = try begin(number, in: store) else { continue }
      guard reader.segment.journalID == head.journalID else { return .replaced(kept) }
      let before = reader.segment.firstSequence - 1
      if before >= head.sequence {
        // A head that was kept before its segment had a record is the end of the segment before.
        let isSame = before == head.sequence && reader.segment.previousLink == head.link
        return isSame ? .reached(kept) : .replaced(kept)
      }
      while let header = try reader.next() {
        if header.sequence == head.sequence {
          return reader.chain.link == head.link ? .reached(kept) : .replaced(kept)
        }
        // It stood among market records that were let go, whose last link the chain goes on with.
        if header.sequence > head.sequence { return .reached(kept) }
      }
      // No record follows yet behind those that were let go.
      if reader.chain.nextSequence > head.sequence { return .reached(kept) }
      return .cut(kept, last: reader.chain.nextSequence - 1)
    }
    // Of a journal that never had a record nothing is missing.
    return head.sequence == 0 ? .unknown : .gone(kept)
  }
}
