internal import MartletConfiguration
internal import MartletJournalFile

/// Whether a journal's disk has room for what its configuration keeps, for a person.
enum RetentionWords {
  /// - Returns: nil when it has.
  static func words(
    _ configuration: BotConfiguration, in space: DiskSpace, segmentBytes: Int
  ) -> (found: String, todo: String)? {
    guard
      let shortage = space.shortage(
        segmentBytes: segmentBytes, keepMarketBytes: configuration.keepMarketBytes,
        taken: JournalFolder(configuration.journalFolder).takenBytes())
    else { return nil }
    let files = "\(DiskSpace.wholeFiles) files of \(segmentBytes) bytes"
    // As much again for decisions, which are kept for good.
    let left = (shortage.found - DiskSpace.wholeFiles * segmentBytes) / 2
    return (
      "there are \(shortage.found) bytes for a journal that may take \(shortage.needed) and its decisions:"
        + " \(files), and keep_market_bytes = \(configuration.keepMarketBytes)",
      "before retention lets anything go the disk may be full, and the bot holds (journal-room); make room"
        + (left > 0 ? ", or set [journal] keep_market_bytes to \(left) or less" : "")
    )
  }
}
