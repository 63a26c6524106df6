/// A segment as a reader has it: its file, or what its two parts make together.
struct LoadedSegment {
  let mapped: MappedSegment
  /// Nil of a segment that was not parted.
  let parts: SegmentParts?

  /// - Returns: nil when there is no such segment, or nothing in it.
  static func load(
    _ number: UInt32, in store: any SegmentStore
  ) throws(JournalFault) -> LoadedSegment? {
    // The original goes last: while it is there it counts, and once it is gone the parts are whole.
    if let mapped = try store.map(number) { return LoadedSegment(mapped: mapped, parts: nil) }
    guard let merged = try store.merged(number) else { return nil }
    return LoadedSegment(mapped: merged.segment, parts: merged.parts)
  }

  /// The file that a fault is named by.
  func file(in store: any SegmentStore) -> String { parts?.file ?? store.file(mapped.number) }

  func close() { mapped.close() }
}
