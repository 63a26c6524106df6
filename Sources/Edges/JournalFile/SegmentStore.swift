public import MartletRecord

/// Where the segments of a journal lie: the files of a folder, or the disk of a simulation.
///
/// - Note: its calls are those of a writer that opens, and of the threads behind it: never of an append.
public protocol SegmentStore: Sendable {
  /// For messages: of a folder its path.
  var path: String { get }

  /// Makes the place itself, if it is not there.
  func makeFolder() throws(JournalFault)

  /// The numbers of the segments, which must run from 1 without a hole.
  ///
  /// - Throws: `segmentMissing`, and `notAJournal` when something else is there.
  func segments() throws(JournalFault) -> [UInt32]

  /// Creates, or extends, a segment with room for all its records, so that no store into it can find
  /// the disk full.
  ///
  /// - Parameter isNew: it must not be there, and is not when this fails. Its name is not on disk yet.
  func prepare(_ number: UInt32, bytes: Int, isNew: Bool) throws(JournalFault) -> MappedSegment

  /// Opens a segment for reading, as long as it is now.
  ///
  /// - Returns: nil when there is none, or when it is empty.
  func map(_ number: UInt32) throws(JournalFault) -> MappedSegment?

  /// The header of a segment's own first record, taken at its word: where a search looks first.
  ///
  /// - Returns: nil when there is no such segment, or it was never begun.
  func head(_ number: UInt32) throws(JournalFault) -> RecordHeader?

  /// Puts together a segment that was parted.
  ///
  /// - Returns: nil when it was not.
  func merged(_ number: UInt32) throws(JournalFault) -> MergedSegment?

  /// The same up to the first record behind a moment, or further.
  func merged(
    _ number: UInt32, through limit: JournalMoment
  ) throws(JournalFault) -> MergedSegment?

  /// Finds the last record of these kinds at or before a moment in a segment that was parted, and puts
  /// together what follows, up to the first record behind `limit`.
  ///
  /// - Returns: nil when it was not parted, and where all of it is to be put together to say what is there.
  func sought(
    _ kinds: [RecordKind], at moment: JournalMoment, in number: UInt32,
    through limit: JournalMoment?
  ) -> SoughtSegment?

  func remove(_ number: UInt32) throws(JournalFault)

  /// Removes what a dead writer was writing beside the segments.
  func removeLeftovers() throws(JournalFault)

  /// Brings what was stored into a segment to disk.
  func sync(_ segment: MappedSegment) throws(JournalFault)

  /// Brings to disk which segments there are, as far as the place does that at all.
  func syncNames()

  /// Whether the machine has run on since `noteBoot` was called: all that was stored is there then, on disk or
  /// not.
  ///
  /// - Returns: false too when it is not known.
  func isSameBoot() -> Bool

  /// Remembers in which of the machine's boots this is. To be called once nothing is left of what an
  /// earlier one lost.
  func noteBoot()

  /// Keeps bytes that are cut off a segment beside the segments, behind a line that says what they are.
  ///
  /// - Returns: the name that they have there.
  func keep(
    _ bytes: Span<UInt8>, of number: UInt32, under line: String
  ) throws(JournalFault) -> String

  /// Takes the one writer's lock.
  ///
  /// - Throws: `inUse`.
  func lock() throws(JournalFault) -> Int32

  /// Lets go what `lock` gave.
  func unlock(_ lock: Int32)
}

extension SegmentStore {
  public func head(_ number: UInt32) throws(JournalFault) -> RecordHeader? {
    guard let segment = try map(number) else { return nil }
    defer { segment.close() }
    var walk = RecordWalk()
    guard let (header, _) = walk.next(in: segment.span), header.kind == .segment else { return nil }
    return header
  }

  /// Creates a segment, and has its name brought to disk before anything stands in it: a power cut must not
  /// take the file from under records that were synced.
  func begin(_ number: UInt32, bytes: Int) throws(JournalFault) -> MappedSegment {
    let segment = try prepare(number, bytes: bytes, isNew: true)
    syncNames()
    return segment
  }

  /// Where segments are not parted.
  public func merged(_ number: UInt32) throws(JournalFault) -> MergedSegment? { nil }
  public func merged(
    _ number: UInt32, through limit: JournalMoment
  ) throws(JournalFault) -> MergedSegment? { try merged(number) }
  public func sought(
    _ kinds: [RecordKind], at moment: JournalMoment, in number: UInt32,
    through limit: JournalMoment?
  ) -> SoughtSegment? { nil }
  public func removeLeftovers() throws(JournalFault) {}

  /// Who puts full segments away; nil where they stay.
  func parter(_ options: JournalParting) -> SegmentParter? {
    (self as? JournalFolder).map { SegmentParter($0, options) }
  }

  /// What is cut off a segment, such as `00000001.cut`.
  func cutFile(_ number: UInt32) -> String { file(number).dropLast(4) + ".cut" }

  /// A segment's name, such as `00000001.mjl`.
  func file(_ number: UInt32) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(8 - text.count, 0)) + text + ".mjl"
  }

  func path(_ number: UInt32) -> String { path + "/" + file(number) }
}
