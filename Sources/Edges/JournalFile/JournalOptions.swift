public import MartletBase

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

  /// Bytes of a segment; the largest record must fit in one. Two segments are in memory at a time.
  public var segmentBytes = 16 << 20
  public var sync = SyncPolicy.behind(every: .milliseconds(100))
  /// Which build writes; it stands at the head of every segment.
  public var build: String

  public init(build: String) { self.build = build }
}
