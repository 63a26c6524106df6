internal import CMartletLinux
internal import Glibc
public import MartletBase
public import MartletRecord
internal import Synchronization

/// What a writer found when it opened its journal.
public struct JournalRecovery: Equatable, Sendable {
  public let journalID: JournalID
  /// Whether the journal began just now.
  public let isNew: Bool
  /// The sequence of the last whole record; 0 when there is none.
  public let lastSequence: UInt64
  /// What was cut off now behind that record; nil when nothing was.
  public let cutOff: CutOff?
}

/// Appends records to a journal: one owner, one thread.
///
/// A record is safe from `kill -9` when `append` returns, and from a power cut when the sync policy
/// has brought it to disk. Appending allocates nothing and makes no system call until a segment is
/// full; then it takes the next one, which was made ready ahead.
public struct JournalWriter: ~Copyable {
  public let recovery: JournalRecovery
  private let supply: SegmentSupply
  private var hashing: LibraryHashing { LibraryHashing() }
  private let build: String
  private let syncsEach: Bool
  private var segment: MappedSegment
  private var used: Int
  /// Bytes of the segments that this writer has filled.
  private var filled: UInt64 = 0
  private var chain: RecordChain

  /// Opens the journal in `folder` and continues after its last whole record, or begins one when
  /// the folder is empty or missing (its parent must exist). A torn tail, and in another boot of the
  /// machine what its end left behind `JournalOptions.syncedSequence`, is cut off and told in `recovery`;
  /// anything else that is wrong with the last segment is a fault.
  ///
  /// - Parameter now: stamps the head of a new segment.
  public static func open(
    folder path: String, options: JournalOptions, at now: Timestamp
  ) throws(JournalFault) -> JournalWriter {
    try open(JournalFolder(path), options: options, at: now)
  }

  /// The same of a journal that lies anywhere.
  public static func open(
    _ store: any SegmentStore, options: JournalOptions, at now: Timestamp
  ) throws(JournalFault) -> JournalWriter {
    var options = options
    options.segmentBytes = wholePages(options.segmentBytes)
    try store.makeFolder()
    // Before anything is written: a folder of something else is left as it is.
    _ = try store.segments()
    let lock = try store.lock()
    do throws(JournalFault) {
      try store.removeLeftovers()
      var cutOff: CutOff?
      var tail = try recover(store, options, cutting: &cutOff)
      let isNew = tail == nil
      if isNew { tail = try begin(store, options) }
      guard let tail else { throw .notAJournal(folder: store.path, found: "nothing") }
      store.noteBoot()
      var writer = JournalWriter(store, options, tail, cutOff, lock, isNew: isNew)
      // New, or behind one that was put away.
      if tail.used == 0 { writer.begin(at: now) }
      return writer
    } catch {
      store.unlock(lock)
      throw error
    }
  }

  private init(
    _ store: any SegmentStore, _ options: JournalOptions, _ tail: Tail, _ cutOff: CutOff?,
    _ lock: Int32, isNew: Bool
  ) {
    let room = min(options.segmentBytes, tail.segment.bytes) - JournalWriter.headReserve
    // Not on a property: Swift 6.3 destroys the others, not yet set, when one is read here and
    // optimized.
    precondition(room > 0, "a segment of \(options.segmentBytes) bytes holds no record")
    build = options.build
    syncsEach = options.sync == .eachRecord
    segment = tail.segment
    used = tail.used
    chain = tail.chain
    recovery = JournalRecovery(
      journalID: tail.journalID, isNew: isNew, lastSequence: tail.chain.nextSequence - 1,
      cutOff: cutOff)
    supply = SegmentSupply(
      store, options: options, current: tail.segment, lock: lock, journalID: tail.journalID,
      lastSequence: tail.chain.nextSequence - 1)
  }

  deinit {
    // Whoever wants to know about a failed last sync calls `close`.
    try? supply.stop()
  }

  /// Brings everything to disk and lets the journal go.
  public consuming func close() throws(JournalFault) { try supply.stop() }

  /// The sequence that the next record will have.
  public var nextSequence: UInt64 { chain.nextSequence }
  /// The segment that is written now.
  public var segmentNumber: UInt32 { segment.number }
  /// The longest payload that a segment like this one holds; a longer one gets a longer segment.
  public var largestPayload: Int { segment.bytes - JournalWriter.headReserve }
  /// What the segment being written is long.
  public var segmentBytes: Int { segment.bytes }
  /// Where the next record is due, in bytes, counted from this writer's first segment.
  public var position: UInt64 { filled + UInt64(used) }
  /// The link of the last record: keep it elsewhere, and a cut-off journal can be told.
  public var head: RecordLink { chain.link }
  /// The sequence up to which records are on disk by the work of the sync thread.
  public var syncedSequence: UInt64 { supply.synced.load(ordering: .acquiring) }
  /// Why the next segment could not be made ready, long before it is needed: once the one being written is
  /// full, nothing more is taken.
  public var roomWarning: JournalFault? { supply.roomWarning }
  /// Why full segments are not put away, or old market files not let go, as `JournalOptions.parting` asks: they
  /// stay whole and are tried again, but for those that do not prove themselves, which
  /// `damage` tells.
  public var partWarning: JournalFault? { supply.partWarning }
  /// Why the head is not kept apart as `JournalOptions.heads` is asked to; the one kept before holds.
  public var headWarning: JournalFault? { supply.headWarning }

  /// What is wrong with a segment before the one being written, as it was found behind the start or when it was
  /// put away: nothing that is written now hangs on it. The first that was found.
  public var damage: JournalFault? { supply.damage }

  /// Why what was appended may not be on disk, and never will be known to be: a sync failed. Records are
  /// still taken, and still outlive the process, so that a writer can bring what it does to an end.
  public var syncFault: JournalFault? {
    supply.hasFailed.load(ordering: .relaxed) ? supply.fault : nil
  }
  /// Bytes left in the segment being written, of records with their framing.
  public var room: Int { segment.bytes - used }
  /// Where the next record will stand, if the segment has room for it.
  public var place: (segment: UInt32, offset: Int) { (segment.number, used) }

  /// Appends a record.
  ///
  /// - Returns: its sequence.
  /// - Throws: `payloadTooLarge`; `diskFull` and others when a segment is full and there is no
  ///   next. Nothing was appended then.
  public mutating func append(
    kind: RecordKind, lane: RecordLane = .decisions, time: Timestamp, payload: Span<UInt8>
  ) throws(JournalFault) -> UInt64 {
    try makeRoom(for: payload.count, at: time)
    segment.copy(payload, to: used + RecordFraming.headerBytes)
    return try publish(kind, lane, time, payload.count)
  }

  /// Appends a record whose payload is `prefix` and then `body`, so that a caller with a few fixed
  /// bytes before a frame does not have to put them together first.
  public mutating func append(
    kind: RecordKind, lane: RecordLane = .decisions, time: Timestamp, prefix: Span<UInt8>,
    body: Span<UInt8>
  ) throws(JournalFault) -> UInt64 {
    try makeRoom(for: prefix.count + body.count, at: time)
    segment.copy(prefix, to: used + RecordFraming.headerBytes)
    segment.copy(body, to: used + RecordFraming.headerBytes + prefix.count)
    return try publish(kind, lane, time, prefix.count + body.count)
  }

  /// Brings everything appended so far to disk before it returns.
  public mutating func sync() throws(JournalFault) { try supply.sync() }

  /// Waits until every full segment that `JournalOptions.parting` has put away was: for whoever wants to
  /// read a journal as it lies in the end. Never on a path that trades.
  ///
  /// - Throws: why one cannot be.
  public func awaitParting() throws(JournalFault) { try supply.awaitParting() }

  /// Sees that a record with this payload fits at `used`.
  private mutating func makeRoom(
    for payloadBytes: Int, at time: Timestamp
  ) throws(JournalFault) {
    guard payloadBytes <= RecordFraming.maximumPayloadBytes else {
      throw .payloadTooLarge(limit: RecordFraming.maximumPayloadBytes, found: payloadBytes)
    }
    if RecordFraming.recordBytes(payloadBytes: payloadBytes) > segment.bytes - used {
      // One that has no room in any other gets a segment as long as it needs.
      let next = try supply.exchange(
        atLeast: JournalWriter.wholePages(payloadBytes + JournalWriter.headReserve))
      filled += UInt64(segment.bytes)
      segment = next
      used = 0
      begin(at: time)
    }
  }

  /// Makes a record of the payload that lies ready behind `used`.
  private mutating func publish(
    _ kind: RecordKind, _ lane: RecordLane, _ time: Timestamp, _ payloadBytes: Int
  ) throws(JournalFault) -> UInt64 {
    precondition(kind != .segment, "kind 0 belongs to segments")
    let sequence = seal(kind, lane, time, payloadBytes)
    supply.appended.store(sequence, ordering: .releasing)
    // What a sync that fails means is for the owner to decide, who asks for `syncFault`.
    if syncsEach && !supply.hasFailed.load(ordering: .relaxed) { try? supply.sync() }
    return sequence
  }

  private mutating func seal(
    _ kind: RecordKind, _ lane: RecordLane, _ time: Timestamp, _ payloadBytes: Int
  ) -> UInt64 {
    let sealed = chain.seal(
      kind: kind, lane: lane, time: time,
      payload: segment.raw(used + RecordFraming.headerBytes, payloadBytes), using: hashing)
    // The bytes between payload and link are zero since the segment was made.
    segment.lay(
      sealed, at: used, linkAt: used + RecordFraming.linkOffset(payloadBytes: payloadBytes))
    used += RecordFraming.recordBytes(payloadBytes: payloadBytes)
    return sealed.sequence
  }

  /// Writes the head of the segment just taken, which every segment has room for.
  private mutating func begin(at time: Timestamp) {
    var writer = SnapshotWriter()
    SegmentHeader(
      journalID: recovery.journalID, number: segment.number, segmentBytes: UInt64(segment.bytes),
      firstSequence: chain.nextSequence, previousLink: chain.link, build: build, createdAt: time
    ).write(into: &writer)
    segment.copy(writer.bytes.span, to: RecordFraming.headerBytes)
    _ = seal(.segment, .decisions, time, writer.bytes.count)
  }

  /// What the head of a segment may take, with the framing of one more record.
  private static let headReserve = SegmentHeader.maximumBuildBytes + 512

  /// A mapping is made of pages, and records lie at multiples of eight.
  private static func wholePages(_ bytes: Int) -> Int { (bytes + 4095) & ~4095 }

  private static func begin(
    _ store: any SegmentStore, _ options: JournalOptions
  ) throws(JournalFault) -> Tail {
    let segment = try store.begin(1, bytes: options.segmentBytes)
    return Tail(segment: segment, journalID: options.journalID ?? draw())
  }

  private static func draw() -> JournalID {
    var words: (UInt64, UInt64) = (0, 0)
    let result = unsafe withUnsafeMutableBytes(of: &words) {
      // Sixteen bytes, never empty.
      unsafe cmartlet_random($0.baseAddress.unsafelyUnwrapped, $0.count)
    }
    precondition(result >= 0, "the system gives no random bytes")
    return JournalID(high: words.0, low: words.1)
  }
}
