/// A segment as a reader has it: its file, or what its two parts make together.
struct LoadedSegment {
  let mapped: MappedSegment
  /// Nil of a segment that was not parted.
  let parts: SegmentParts?

  /// - Parameter limit: nobody reads further than to the first record behind it.
  /// - Returns: nil when there is no such segment, or nothing in it.
  static func load(
    _ number: UInt32, in store: any SegmentStore, through limit: JournalMoment? = nil
  ) throws(JournalFault) -> LoadedSegment? {
    // The original goes last: while it is there it counts, and once it is gone the parts are whole.
    if let mapped = try store.map(number) { return LoadedSegment(mapped: mapped, parts: nil) }
    let merged =
      if let limit { try store.merged(number, through: limit) } else { try store.merged(number) }
    guard let merged else { return nil }
    return LoadedSegment(mapped: merged.segment, parts: merged.parts)
  }

  /// The file that a fault is named by.
  func file(in store: any SegmentStore) -> String { parts?.file ?? store.file(mapped.number) }

  func close() { mapped.close() }
}
