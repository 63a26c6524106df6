import MartletRecord
import Synchronization

@testable import MartletJournalFile

/// A journal's folder that counts what is put together of its parted segments.
final class WatchedJournal: SegmentStore {
  struct Work {
    /// Segments put together as a whole, and those of which a piece was.
    var whole = 0
    var pieces = 0
    /// Segments whose decisions were looked through for a state.
    var looks = 0
    /// Records put together, and the bytes unpacked for them.
    var laid: UInt64 = 0
    var unpackedBytes: UInt64 = 0
  }

  let folder: JournalFolder
  private let counted = Mutex(Work())
  init(_ folder: JournalFolder) { self.folder = folder }

  var work: Work { counted.withLock { $0 } }
  func reset() { counted.withLock { $0 = Work() } }

  func isParted(_ number: UInt32) throws(JournalFault) -> Bool {
    guard let raw = try folder.map(number) else { return true }
    raw.close()
    return false
  }

  private func count(_ parts: SegmentParts, isWhole: Bool) {
    counted.withLock {
      if isWhole { $0.whole += 1 } else { $0.pieces += 1 }
      $0.laid += parts.laid
      $0.unpackedBytes += parts.unpackedBytes
    }
  }

  func merged(_ number: UInt32) throws(JournalFault) -> MergedSegment? {
    let merged = try folder.merged(number)
    if let merged { count(merged.parts, isWhole: true) }
    return merged
  }

  func merged(
    _ number: UInt32, through limit: JournalMoment
  ) throws(JournalFault) -> MergedSegment? {
    let merged = try folder.merged(number, through: limit)
    if let merged { count(merged.parts, isWhole: false) }
    return merged
  }

  func sought(
    _ kinds: [RecordKind], at moment: JournalMoment, in number: UInt32,
    through limit: JournalMoment?
  ) -> SoughtSegment? {
    let sought = folder.sought(kinds, at: moment, in: number, through: limit)
    if sought != nil { counted.withLock { $0.looks += 1 } }
    if case .found(let merged, _, _) = sought { count(merged.parts, isWhole: false) }
    return sought
  }

  var path: String { folder.path }
  func makeFolder() throws(JournalFault) { try folder.makeFolder() }
  func segments() throws(JournalFault) -> [UInt32] { try folder.segments() }
  func head(_ number: UInt32) throws(JournalFault) -> RecordHeader? { try folder.head(number) }
  func prepare(_ number: UInt32, bytes: Int, isNew: Bool) throws(JournalFault) -> MappedSegment {
    try folder.prepare(number, bytes: bytes, isNew: isNew)
  }
  func map(_ number: UInt32) throws(JournalFault) -> MappedSegment? { try folder.map(number) }
  func remove(_ number: UInt32) throws(JournalFault) { try folder.remove(number) }
  func sync(_ segment: MappedSegment) throws(JournalFault) { try folder.sync(segment) }
  func syncNames() { folder.syncNames() }
  func isSameBoot() -> Bool { folder.isSameBoot() }
  func noteBoot() { folder.noteBoot() }
  func keep(
    _ bytes: Span<UInt8>, of number: UInt32, under line: String
  ) throws(JournalFault) -> String {
    try folder.keep(bytes, of: number, under: line)
  }
  func lock() throws(JournalFault) -> Int32 { try folder.lock() }
  func unlock(_ lock: Int32) { folder.unlock(lock) }
}
