internal import MartletBase
internal import MartletJournalFile
internal import MartletKernel
internal import MartletModel
internal import MartletRecord
internal import MartletStrategies
internal import WhiteBITSession

/// The last run that a journal tells of, folded again to its end: what its process knew when it ended,
/// however it did.
struct FormerRun: ~Copyable {
  /// Why a journal's last run cannot be gone on with, for a person.
  struct Fault: Error, CustomStringConvertible { let description: String }

  let plan: BotPlan
  private let replay: Replay<WhiteBITSession, BuiltInStrategy>
  /// What the fold began with; nil when that was nothing.
  let start: LedgerStart?
  /// What was told of runs before it.
  private(set) var earlier = EarlierFills()
  private(set) var lastSequence: UInt64 = 0
  private(set) var lastTime = Timestamp.zero

  /// Folds from the latest snapshot or start, and holds what the fold causes against what was recorded:
  /// a state that this build would not have come to is not gone on with.
  ///
  /// - Returns: nil when the journal tells of no run.
  /// - Throws: `JournalFault`, `Fault`, `BotPlan.Fault`.
  static func read(_ folder: String) throws -> FormerRun? {
    let kinds = [RecordKind(JournalKind.start), RecordKind(JournalKind.snapshot)]
    guard var reader = try JournalReader.open(folder: folder, atLast: kinds),
      let header = reader.header
    else { return nil }
    let plan: BotPlan
    var start: LedgerStart?
    var replay: Replay<WhiteBITSession, BuiltInStrategy>
    if header.kind.rawValue == JournalKind.snapshot {
      let record = try StateRecord(payload: copy(reader.payload))
      plan = record.plan
      replay = Replay(kernel: plan.makeKernel())
      guard try replay.take(record.state) else {
        throw Fault(
          description: "record \(header.sequence): a snapshot with something behind its end")
      }
      start = LedgerStart(replay.kernel)
    } else {
      plan = try BotPlan(record: copy(reader.payload))
      replay = Replay(kernel: plan.makeKernel())
    }
    var earlier = EarlierFills()
    var last = header
    while let header = try reader.next() {
      last = header
      do throws(Replay<WhiteBITSession, BuiltInStrategy>.Difference) {
        try replay.feed(
          kind: header.kind.rawValue, sequence: header.sequence, at: header.time,
          payload: reader.payload)
      } catch {
        throw Fault(
          description: "record \(error.sequence) is not what this build makes of the records"
            + " before it: ./martlet replay --verify \(folder) tells more")
      }
      if header.kind.rawValue == JournalKind.input { earlier.take(replay.kernel.notes) }
    }
    return FormerRun(
      plan: plan, replay: replay, start: start, earlier: earlier, last: last)
  }

  private init(
    plan: BotPlan, replay: consuming Replay<WhiteBITSession, BuiltInStrategy>, start: LedgerStart?,
    earlier: EarlierFills, last: RecordHeader
  ) {
    self.plan = plan
    self.start = start
    self.earlier = earlier
    lastSequence = last.sequence
    lastTime = last.time
    self.replay = replay
  }

  var kernel: Kernel<WhiteBITSession, BuiltInStrategy> { _read { yield replay.kernel } }

  /// The state at its end, as its kernel writes it.
  var state: [UInt8] { replay.written }

  private static func copy(_ bytes: Span<UInt8>) -> [UInt8] { bytes.indices.map { bytes[$0] } }
}
