public import MartletBase
public import MartletJournalFile
public import MartletRecord

/// A simulated process's journal on a simulated disk, by the writer that a live process has.
public final class DiskJournal {
  private(set) var writer: JournalWriter
  private let disk: SimulatedDisk
  private var syncedAt: Timestamp
  /// Up to here records were brought to disk, or so the disk says.
  public private(set) var syncedSequence: UInt64
  /// As long as a live journal is behind.
  private static let syncInterval = TimeSpan.milliseconds(100)

  /// Opens the journal on a disk, cutting off what a dying process or machine left, or begins one.
  ///
  /// - Parameters:
  ///   - segmentBytes: a record must fit in one; whole pages of 4,096 are taken.
  ///   - id: a new journal's name, so that one seed writes the same bytes.
  ///   - synced: the record up to which it is known to have reached the disk; nil when none is.
  /// - Throws: what the disk refuses, and damage that no death or power cut leaves.
  public init(
    _ disk: SimulatedDisk, _ store: some SegmentStore, segmentBytes: Int, named id: JournalID,
    synced: UInt64?, at now: Timestamp
  ) throws(JournalFault) {
    var options = JournalOptions(build: "simulated")
    options.segmentBytes = segmentBytes
    options.sync = .atClose
    options.hasThreads = false
    options.journalID = id
    options.syncedSequence = synced
    writer = try JournalWriter.open(store, options: options, at: now)
    self.disk = disk
    syncedAt = now
    syncedSequence = synced ?? 0
  }

  /// What was found there.
  public var recovery: JournalRecovery { writer.recovery }
  /// Where the next record is due.
  public var place: (segment: UInt32, offset: Int) { writer.place }

  func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) throws(JournalFault) {
    // A live one is synced by a thread; here whoever comes by does it when it is time.
    if time - syncedAt >= DiskJournal.syncInterval {
      syncedAt = time
      try writer.sync()
      // What is kept of it apart lies on the same disk, and is lost with it.
      if !disk.losesSyncs { syncedSequence = writer.nextSequence - 1 }
    }
    _ = try writer.append(
      kind: RecordKind(kind), lane: lane, time: time, prefix: head.span, body: body)
  }
}
