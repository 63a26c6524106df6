public import MartletBase
public import MartletRecord

/// How a journal is written.
public struct JournalOptions: Sendable {
  /// When records, which are safe from `kill -9` as soon as they are appended, are also brought to
  /// disk and so made safe from a power cut.
  public enum SyncPolicy: Equatable, Sendable {
    /// By a thread of its own, this long behind at most, plus the disk's own time.
    case behind(every: TimeSpan)
    /// Before `append` returns; some 150 µs each on a good disk.
    case eachRecord
    /// When the journal is closed, and when a segment is full.
    case atClose
  }

  /// Bytes of a segment; a record that is longer gets one as long as it needs. Two segments are in memory
  /// at a time.
  public var segmentBytes = 16 << 20
  public var sync = SyncPolicy.behind(every: .milliseconds(100))
  /// Which build writes; it stands at the head of every segment.
  public var build: String

  /// Whether threads make segments ready ahead and bring them to disk behind. Without them the next
  /// segment is made ready when one is taken, and `sync` alone syncs: a simulation has no threads.
  public var hasThreads = true
  /// How full segments are put away; nil leaves them as they are, as no threads do.
  public var parting: JournalParting?
  /// Up to this record the journal is known to have been brought to disk. In another boot of the machine damage
  /// behind it is what a machine leaves that lost its power, in whatever order its disk wrote, and is cut off.
  /// In the same boot, and when this is nil because nothing is known, only what a dying process leaves is.
  public var syncedSequence: UInt64?
  /// Whether a thread proves what stands before the segment that is gone on in, and tells what is wrong
  /// with it by `JournalWriter.damage`.
  public var provesBehind = false
  /// A new journal's own name; nil draws one.
  public var journalID: JournalID?

  /// Where the journal's head is kept apart; nil keeps none.
  public var heads: (any HeadKeeping)?

  public init(build: String) { self.build = build }
}
