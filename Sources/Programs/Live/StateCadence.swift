internal import MartletBase
public import MartletJournalFile

/// When a bot's state is journaled again, so that the state at any record is found by folding few of
/// them: after so many records, and soon after each new segment, because a segment's market frames may
/// be removed and what follows must be foldable without them.
public struct StateCadence: Sendable {
  /// Records between two states at most, but for those of one look: some 50 ms of proving and folding.
  public static let records: UInt64 = 50_000
  /// For a new segment's sake alone a state is written when it is at most this part of what was
  /// appended since the last one: one eighth.
  static let share: UInt64 = 8

  private var nextSequence: UInt64
  private var segment: UInt32
  private var position: UInt64
  private var size: UInt64 = 0

  /// A state was journaled just now, or nothing happened yet.
  public init(_ writer: borrowing JournalWriter) {
    nextSequence = writer.nextSequence
    segment = writer.segmentNumber
    position = writer.position
  }

  /// Whether a state should be written now.
  public func isDue(_ writer: borrowing JournalWriter) -> Bool {
    if writer.nextSequence - nextSequence >= StateCadence.records { return true }
    return writer.segmentNumber != segment
      && writer.position - position >= size * StateCadence.share
  }

  /// A state of so many bytes was written, or could not be.
  public mutating func wrote(_ bytes: Int, _ writer: borrowing JournalWriter) {
    self = StateCadence(writer)
    size = UInt64(bytes)
  }
}
