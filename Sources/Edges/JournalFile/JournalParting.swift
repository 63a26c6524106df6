public import MartletBase
public import MartletRecord

/// How full segments are put away: each in two packed files, of which the market's may go one day.
public struct JournalParting: Sendable {
  /// A step of putting a segment away, or of letting a market file go; a death between two of them
  /// leaves a journal that reads the same.
  public enum Step: Int, Sendable, CaseIterable {
    case marketWritten, decisionsWritten, marketNamed, decisionsNamed, originalRemoved
    case receiptWritten, receiptNamed
  }

  /// Full segments that stay as they are, the newest ones, so that a restart reads them at once.
  public var fullSegments: UInt32 = 2
  /// zstd's.
  public var level: Int32 = 3
  /// The kind of record that a fold begins with. Market records behind the last one are kept whatever
  /// their age: the next process folds them.
  public var snapshot: RecordKind?
  /// Market files older than this, counted from the journal's newest record that is put away, are let go;
  /// nil keeps them.
  public var keepMarket: TimeSpan?
  /// Bytes of market files that are kept, the newest ones, in whole files; nil keeps them all.
  public var keepMarketBytes: Int?
  /// Called after each step, on the thread that takes it.
  var onStep: (@Sendable (Step) -> Void)?

  public init() {}
}

/// What is known of a segment that was parted.
public struct SegmentParts: Sendable {
  /// The name of its decisions, such as `00000001.mjd`.
  public let file: String
  /// Of its decisions.
  public let head: PartHead
  /// Of the file of its decisions.
  public let digest: RecordLink
  /// What its files take.
  public let decisionsBytes: Int
  public let marketBytes: Int
  /// Why and when, by the journal's time, its market records went; nil while they are there.
  public let receipt: PartHead?
  /// What is wrong with the file of its market records; nil when nothing is.
  public let damage: DamagedMarket?
  /// What of both files was unpacked, and the records that were put together from it: not all of them where
  /// nobody reads the rest.
  let unpackedBytes: UInt64
  let laid: UInt64
  /// Where market records are missing.
  let gaps: [PlacedGap]
}

/// A gap, and where in the segment that was put together again the record behind it lies.
struct PlacedGap: Equatable, Sendable {
  let offset: Int
  let gap: PartGap
}

/// A segment that was parted, put together again in memory: its records as they lay, without those that
/// retention removed.
public struct MergedSegment: Sendable {
  let segment: MappedSegment
  let parts: SegmentParts
  /// Where the record lies that a search was for, and the chain before it.
  var start: (offset: Int, chain: RecordChain)?
}
