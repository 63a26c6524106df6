public import MartletBase
public import MartletJournalFile
public import MartletKernel
internal import MartletModel
internal import MartletRecord
public import MartletStrategies
public import WhiteBITSession

/// The last run that a journal tells of, folded again to its end: what its process knew when it ended,
/// however it did.
public struct FormerRun: ~Copyable {
  /// Why a journal's last run cannot be gone on with, for a person.
  public struct Fault: Error, CustomStringConvertible { public let description: String }

  public private(set) var plan: BotPlan
  /// The fingerprint of its key; nil where an older build did not say.
  private(set) var key: String?
  private var replay: Replay<WhiteBITSession, BuiltInStrategy>
  /// What its books held when the fills that are compared with the venue's began; nil when that was
  /// nothing.
  var start: LedgerStart? { starts.current }
  private var starts = LedgerStarts(nil)
  /// What was told of runs before it.
  private(set) var earlier = EarlierFills()
  private(set) var lastSequence: UInt64 = 0
  public private(set) var lastTime = Timestamp.zero

  /// Folds from the latest snapshot or start, and holds what the fold causes against what was recorded:
  /// a state that this build would not have come to is not gone on with.
  ///
  /// - Parameter tell: takes a word for a person where it takes long.
  /// - Returns: nil when the journal tells of no run.
  /// - Throws: `JournalFault`, `Fault`, `BotPlan.Fault`.
  static func read(_ folder: String, tell: (String) -> Void = { _ in }) throws -> FormerRun? {
    try read(JournalFolder(folder), tell: tell)
  }

  /// The same of a journal that lies anywhere.
  public static func read(
    _ store: any SegmentStore, tell: (String) -> Void = { _ in }
  ) throws -> FormerRun? {
    let folder = store.path
    guard var reader = try open(store, tell), var header = reader.header else { return nil }
    var run = try begin(header, copy(reader.payload))
    // Of a run that has begun, and of which nothing else is known yet.
    var begun: [UInt8]?
    while let next = try reader.next() {
      if let gap = reader.gap {
        // Damage is a person's to look at; what retention took is gone by their own word.
        if let lost = reader.damaged.last, reader.missing.contains(where: { $0.damagedFile != nil })
        {
          throw JournalFault.part(lost.fault)
        }
        throw Fault(
          description:
            "market records \(gap.lowerBound) to \(gap.upperBound) behind its last state were"
            + " removed by retention")
      }
      header = next
      switch header.kind.rawValue {
      case JournalKind.start:
        begun = copy(reader.payload)
      case JournalKind.snapshot:
        let isSame = try run.take(copy(reader.payload), isFirst: begun != nil)
        begun = nil
        guard isSame else {
          throw Fault(
            description:
              "record \(header.sequence) is not the state that the records before it lead to")
        }
      case JournalKind.input:
        if let record = begun { run = try FormerRun(plan: BotPlan(record: record)) }
        begun = nil
        try run.feed(header, reader.payload, of: folder)
      default: try run.feed(header, reader.payload, of: folder)
      }
    }
    run.lastSequence = header.sequence
    run.lastTime = header.time
    return run
  }

  private static func open(
    _ store: any SegmentStore, _ tell: (String) -> Void
  ) throws -> JournalReader? {
    if let reader = try JournalReader.open(store, atLast: [RecordKind(JournalKind.snapshot)]) {
      return reader
    }
    tell(
      "\(store.path): an older build kept no state there; its last run is read from its beginning, once"
    )
    return try JournalReader.open(store, atLast: [RecordKind(JournalKind.start)])
  }

  private static func begin(_ header: RecordHeader, _ payload: [UInt8]) throws -> FormerRun {
    guard header.kind.rawValue == JournalKind.snapshot else {
      return try FormerRun(plan: BotPlan(record: payload))
    }
    var run = try FormerRun(plan: StateRecord(payload: payload).plan)
    guard try run.take(payload, isFirst: true) else {
      throw Fault(
        description: "record \(header.sequence): a snapshot with something behind its end")
    }
    return run
  }

  /// A run that has just begun, with nothing.
  private init(plan: BotPlan) throws {
    self.plan = plan
    replay = Replay(kernel: plan.makeKernel())
  }

  /// Takes a snapshot.
  ///
  /// - Parameter isFirst: a run began with it.
  /// - Returns: whether it is what the fold came to, where it had to be.
  private mutating func take(_ payload: [UInt8], isFirst: Bool) throws -> Bool {
    let record = try StateRecord(payload: payload)
    key = record.key
    guard isFirst else { return try replay.take(record.state) }
    plan = record.plan
    replay = Replay(kernel: plan.makeKernel())
    earlier = EarlierFills()
    let isWhole = try replay.take(record.state)
    starts = LedgerStarts(LedgerStart(replay.kernel))
    return isWhole
  }

  private mutating func feed(
    _ header: RecordHeader, _ payload: Span<UInt8>, of folder: String
  ) throws {
    do throws(Replay<WhiteBITSession, BuiltInStrategy>.Difference) {
      try replay.feed(
        kind: header.kind.rawValue, sequence: header.sequence, at: header.time, payload: payload)
    } catch {
      throw Fault(
        description: "record \(error.sequence) is not what this build makes of the records before"
          + " it: ./martlet replay --verify \(folder) tells more")
    }
    guard header.kind.rawValue == JournalKind.input else { return }
    earlier.take(replay.kernel.notes)
    starts.follow(replay.kernel)
  }

  /// Appends what its last step caused and it died before writing down: without that the journal would
  /// not tell how an order ended whose last news was its last input.
  mutating func complete(in sink: inout JournalFileSink) throws(JournalFault) {
    let time = lastTime
    try complete { (kind, payload) throws(JournalFault) in
      _ = try sink.append(kind: kind, at: time, payload, Span())
    }
  }

  /// The same of a journal that lies anywhere: gives each record's kind and payload, of `lastTime`.
  public mutating func complete(
    _ append: (UInt16, borrowing ByteBuffer) throws(JournalFault) -> Void
  ) throws(JournalFault) { try replay.complete(append) }

  public var kernel: Kernel<WhiteBITSession, BuiltInStrategy> { _read { yield replay.kernel } }

  /// The state at its end, as its kernel writes it.
  public var state: [UInt8] { replay.written }

  /// States are long: bytes that lie together are taken at once.
  private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  }
}
