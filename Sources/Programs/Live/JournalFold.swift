internal import MartletBase
public import MartletJournalFile
internal import MartletKernel
public import MartletModel
public import MartletRecord
internal import MartletStrategies
internal import MartletVenueKit
internal import WhiteBITSession

/// A journal folded to one of its records, every record that was read proven, and every note and
/// effect that the fold causes held against what was recorded.
///
/// What another build decided otherwise is told, and the fold begins again behind it where the journal keeps
/// a state or a run begins. What differs within a run of this very build is a failure, and ends the fold.
public struct JournalFold: ~Copyable {
  /// Why a journal cannot be folded, for a person.
  public struct Fault: Error, CustomStringConvertible, Sendable {
    public let description: String
  }

  /// A note or an effect that the fold does not cause as it was recorded.
  public struct Differing: Sendable {
    public let sequence: UInt64
    public let kind: UInt16
    public let recorded: [UInt8]
    /// What the fold causes in its place; nil when nothing.
    public let folded: [UInt8]?
  }

  /// Proven and folded.
  public private(set) var records: UInt64 = 0
  /// The first and the last of them.
  public private(set) var first: UInt64 = 0
  public private(set) var last: UInt64 = 0
  /// What the records before `first` led to was taken from the snapshot that stands there.
  public private(set) var isSought = false
  public private(set) var runs: UInt64 = 1
  public private(set) var inputs: UInt64 = 0
  public private(set) var compared: UInt64 = 0
  /// The link of the last record.
  public private(set) var digest: RecordLink = .origin
  public private(set) var isTorn = false
  /// Market records that retention removed: what their frames led to cannot be folded again, up to the
  /// next state that the journal keeps.
  public private(set) var gone: UInt64 = 0
  /// The same of those that cannot be read, because their files are damaged or lost.
  public private(set) var unreadable: UInt64 = 0
  /// The first and the last of both.
  public private(set) var gap: ClosedRange<UInt64>?
  /// The market files that are damaged or lost, of those that were looked at.
  public private(set) var damaged: [DamagedMarket] = []
  /// Proven behind a gap, and neither folded nor compared.
  public private(set) var skipped: UInt64 = 0
  /// The state that the fold last began again with, behind a gap; 0 for none.
  public private(set) var resumed: UInt64 = 0
  /// Why what the bot knew at the end is not known; nil where it is.
  private var blindness: Blindness?
  /// Behind a gap, or a difference of builds, no state was found: what the bot knew at the end is not known.
  public var isBlind: Bool { blindness != nil }
  /// Where fold and journal first disagree within a run of this build.
  public private(set) var difference: String?
  /// Behind a difference nothing is folded, and the rest is proven even so: what is wrong there.
  public private(set) var fault: JournalFault?
  /// The record and what it should have been, where that is the difference.
  public private(set) var differing: Differing?
  /// Where this build makes something else of what another one recorded: the first of them.
  ///
  /// - Bounds: 32; `buildDifferenceCount` counts on.
  public private(set) var buildDifferences: [BuildDifference] = []
  public private(set) var buildDifferenceCount: UInt64 = 0
  /// Proven behind those, and neither folded nor compared.
  public private(set) var passed: UInt64 = 0
  /// Which build wrote the last run.
  public private(set) var build: String

  /// One place where two builds decided otherwise.
  public struct BuildDifference: Sendable {
    public let sequence: UInt64
    /// Which wrote it.
    public let build: String
    /// For a person.
    public let text: String
    /// The record and what it should have been, where that is it.
    public let differing: Differing?
    /// The start or state that the fold began again with; 0 for none.
    public fileprivate(set) var resumed: UInt64 = 0
  }

  private enum Blindness { case gap, builds }

  private static let mostBuildDifferences = 32
  /// Where not even the name of a run's build can be read.
  private static let unknownBuild = "a build that cannot be told"

  /// Which build this is; nil takes every run for its own.
  private var ownBuild: String?
  private typealias BotReplay = Replay<WhiteBITSession, BuiltInStrategy>
  private var replay: BotReplay
  /// The state at the end of the run before, which the next one may begin in; nil where nobody read it.
  private var former: [UInt8]? = []
  /// What this run began with.
  private var start: [UInt8]
  private var isBegun = false
  private var lastKind = JournalKind.start

  /// Folds a journal from its first record.
  ///
  /// - Parameters:
  ///   - moment: where to stop; nil for the end.
  ///   - build: which build this is, so that what another one decided otherwise is told apart from a
  ///     failure; nil takes every difference for one.
  ///   - provesAhead: whether a second thread proves the records ahead of the fold. What comes out is the
  ///     same.
  /// - Returns: nil when it begins later.
  /// - Throws: `JournalFault`, `Fault`, `BotPlan.Fault`.
  public static func whole(
    _ folder: String, to moment: JournalMoment? = nil, build: String? = nil,
    provesAhead: Bool = true
  ) throws -> JournalFold? {
    let reader = try JournalReader.open(folder: folder)
    return try fold(reader, in: folder, to: moment, build: build, provesAhead: provesAhead)
  }

  /// Folds a journal from the last state that it holds before `moment`, and takes that at its word.
  ///
  /// - Returns: nil when it begins later.
  /// - Throws: `JournalFault`, `Fault`, `BotPlan.Fault`.
  public static func seeking(
    _ folder: String, to moment: JournalMoment, build: String? = nil
  ) throws -> JournalFold? {
    try seeking(JournalFolder(folder), to: moment, build: build)
  }

  /// The same of a journal that lies anywhere.
  public static func seeking(
    _ store: any SegmentStore, to moment: JournalMoment, build: String? = nil
  ) throws -> JournalFold? {
    let kinds = [RecordKind(JournalKind.snapshot), RecordKind(JournalKind.start)]
    guard
      let reader = try JournalReader.open(store, at: moment, kinds: kinds, through: moment)
    else {
      return try fold(try JournalReader.open(store), in: store.path, to: moment, build: build)
    }
    return try fold(reader, in: store.path, to: moment, build: build)
  }

  private static func fold(
    _ opened: consuming JournalReader, in folder: String, to moment: JournalMoment?,
    build: String?, provesAhead: Bool = true
  ) throws -> JournalFold? {
    var reader = opened
    if reader.header == nil { _ = try reader.next() }
    guard let head = reader.header else {
      throw Fault(description: "\(folder): has no record")
    }
    if let moment, !moment.reaches(head) { return nil }
    if provesAhead { reader.proveAhead() }
    var fold = try begin(&reader, head, in: folder, to: moment, build: build)
    while fold.difference == nil, let header = try fold.next(of: &reader) {
      if let gap = reader.gap, JournalFold.isBefore(gap, moment) { fold.lose(reader.missing, gap) }
      guard moment?.reaches(header) != false else { break }
      fold.note(header)
      do {
        if fold.isBlind {
          try fold.resume(header, reader.payload)
        } else {
          try fold.take(header, reader.payload)
        }
      } catch {
        // All before it was folded.
        fold.differ(
          "record \(header.sequence), as \(fold.build) wrote it, is not for this build to read: \(error)",
          at: header.sequence)
      }
      fold.lastKind = header.kind.rawValue
      fold.digest = reader.chain.link
    }
    if fold.difference != nil { fold.prove(&reader, to: moment) }
    if reader.header == nil, fold.fault == nil, let gap = reader.gap {
      fold.lose(reader.missing, gap)
    }
    fold.end()
    fold.isTorn = reader.tornTail != nil
    fold.damaged = reader.damaged
    return fold
  }

  /// Begins with the record that is at hand, or with the first start or state behind it that this build can
  /// read, where another one wrote what stands before.
  private static func begin(
    _ reader: inout JournalReader, _ head: RecordHeader, in folder: String,
    to moment: JournalMoment?, build: String?
  ) throws -> JournalFold {
    var unread: [BuildDifference] = []
    var missing: [(pieces: [MissingRecords], all: ClosedRange<UInt64>)] = []
    var first: (any Error)?
    var records: UInt64 = 0
    var runs: UInt64 = 0
    while let header = reader.header, moment?.reaches(header) != false {
      records += 1
      let kind = header.kind.rawValue
      if kind == JournalKind.start { runs += 1 }
      if first == nil || kind == JournalKind.start || kind == JournalKind.snapshot {
        let payload = copy(reader.payload)
        do {
          var fold = try begin(header, payload, in: folder, by: reader.segment.build)
          fold.ownBuild = build
          fold.isSought = head.sequence > RecordFraming.firstSequence
          (fold.records, fold.first, fold.last) = (records, head.sequence, header.sequence)
          fold.runs = max(runs, 1)
          fold.digest = reader.chain.link
          fold.lastKind = kind
          for gap in missing { fold.count(gap.pieces, gap.all) }
          fold.passed = records - 1
          fold.buildDifferenceCount = UInt64(unread.count)
          fold.buildDifferences = Array(unread.prefix(mostBuildDifferences))
          fold.noteResumed(at: header.sequence, first: unread.count)
          return fold
        } catch {
          let writer = BotPlan.build(of: payload)
          guard build != nil, writer != build, kind == JournalKind.start || first != nil else {
            throw error
          }
          first = first ?? error
          unread.append(
            BuildDifference(
              sequence: header.sequence, build: writer ?? unread.last?.build ?? unknownBuild,
              text: "record \(header.sequence) is not for this build to read: \(error)",
              differing: nil))
        }
      }
      _ = try reader.next()
      if let gap = reader.gap, JournalFold.isBefore(gap, moment) {
        missing.append((reader.missing, gap))
      }
    }
    throw first ?? Fault(description: "\(folder): has no record")
  }

  private static func begin(
    _ header: RecordHeader, _ payload: [UInt8], in folder: String, by build: String
  ) throws -> JournalFold {
    switch header.kind.rawValue {
    case JournalKind.start:
      var fold = JournalFold(try BotPlan(record: payload))
      if header.sequence > RecordFraming.firstSequence {
        fold.isSought = true
        fold.former = nil
      }
      return fold
    case JournalKind.snapshot:
      do {
        let record = try StateRecord(payload: payload)
        var fold = JournalFold(record.plan)
        guard try fold.replay.take(record.state) else {
          throw Fault(description: "something stands behind its end")
        }
        fold.start = record.state
        fold.isBegun = true
        fold.isSought = true
        return fold
      } catch {
        throw Fault(
          description:
            "\(folder): record \(header.sequence), a state that \(build) wrote, is not for this build to read,"
            + " use that one: \(error)")
      }
    default: throw Fault(description: "\(folder): does not begin with a start record")
    }
  }

  private init(_ plan: BotPlan) {
    build = plan.build
    replay = BotReplay(kernel: plan.makeKernel())
    start = replay.written
  }

  private mutating func note(_ header: RecordHeader) {
    records += 1
    if first == 0 { first = header.sequence }
    last = header.sequence
  }

  /// Behind a difference of builds a fault is told beside it, and ends the fold.
  private mutating func next(of reader: inout JournalReader) throws -> RecordHeader? {
    do throws(JournalFault) { return try reader.next() } catch {
      guard buildDifferenceCount > 0 else { throw error }
      fault = error
      return nil
    }
  }

  /// Reads on without folding, so that nobody takes for a difference alone what is a failure too.
  private mutating func prove(_ reader: inout JournalReader, to moment: JournalMoment?) {
    do throws(JournalFault) {
      while let header = try reader.next(), moment?.reaches(header) != false {}
    } catch { fault = error }
  }

  /// Whether some of what is missing may have come before a moment.
  private static func isBefore(_ gap: ClosedRange<UInt64>, _ moment: JournalMoment?) -> Bool {
    if case .sequence(let sequence) = moment { return gap.lowerBound <= sequence }
    return true
  }

  private mutating func count(_ missing: [MissingRecords], _ all: ClosedRange<UInt64>) {
    for piece in missing {
      let count = UInt64(piece.sequences.count)
      if piece.damagedFile == nil { gone += count } else { unreadable += count }
    }
    gap = (gap?.lowerBound ?? all.lowerBound)...all.upperBound
  }

  /// Frames are missing: what follows from them cannot be folded.
  private mutating func lose(_ missing: [MissingRecords], _ all: ClosedRange<UInt64>) {
    count(missing, all)
    guard !isBlind, difference == nil else { return }
    // What the last input caused was written before the frame that is missing came.
    finish()
    end()
    blindness = .gap
  }

  /// Takes note of what this build makes otherwise: of another build's run it is told, and what stands up to
  /// the next state is passed over; of its own it is a failure.
  ///
  /// - Parameters:
  ///   - header: of the record that was fed, where that is what differs, as `found` says.
  private mutating func differ(
    _ text: String, at sequence: UInt64, _ header: RecordHeader? = nil,
    _ found: BotReplay.Difference? = nil
  ) {
    var differing: Differing?
    if let header, let found { differing = JournalFold.differing(header, found) }
    guard let ownBuild, build != ownBuild else {
      if difference == nil { (difference, self.differing) = (text, differing) }
      return
    }
    if !isBlind { tally() }
    blindness = .builds
    // A state that differs may be one that cannot be begun with either.
    guard buildDifferences.last?.sequence != sequence else { return }
    buildDifferenceCount += 1
    guard buildDifferences.count < JournalFold.mostBuildDifferences else { return }
    buildDifferences.append(
      BuildDifference(sequence: sequence, build: build, text: text, differing: differing))
  }

  private mutating func noteResumed(at sequence: UInt64, first count: Int) {
    for index in buildDifferences.indices.prefix(count) where buildDifferences[index].resumed == 0 {
      buildDifferences[index].resumed = sequence
    }
  }

  /// Begins again behind a gap, or a difference of builds, where the journal keeps a state, or a run begins.
  private mutating func resume(_ header: RecordHeader, _ payload: Span<UInt8>) throws {
    switch header.kind.rawValue {
    case JournalKind.start:
      runs += 1
      let record = JournalFold.copy(payload)
      build = BotPlan.build(of: record) ?? JournalFold.unknownBuild
      let plan = try BotPlan(record: record)
      replay = BotReplay(kernel: plan.makeKernel())
      start = replay.written
      former = nil
      isBegun = false
    case JournalKind.snapshot:
      let record = try StateRecord(payload: JournalFold.copy(payload))
      var fresh = BotReplay(kernel: record.plan.makeKernel())
      guard try fresh.take(record.state) else {
        throw Fault(
          description: "record \(header.sequence): a snapshot with something behind its end")
      }
      replay = fresh
      build = record.plan.build
      start = record.state
      isBegun = true
    default:
      if blindness == .gap { skipped += 1 } else { passed += 1 }
      return
    }
    if blindness == .gap { resumed = header.sequence }
    noteResumed(at: header.sequence, first: buildDifferences.count)
    blindness = nil
  }

  private mutating func take(_ header: RecordHeader, _ payload: Span<UInt8>) throws {
    switch header.kind.rawValue {
    case JournalKind.start:
      // Another run went on behind the last one, with a kernel of its own.
      end()
      guard difference == nil else { return }
      if isBlind { return try resume(header, payload) }
      runs += 1
      let record = JournalFold.copy(payload)
      build = BotPlan.build(of: record) ?? JournalFold.unknownBuild
      let plan = try BotPlan(record: record)
      // A run that died over its first record knew nothing yet; the next one begins in the state before.
      if isBegun { former = replay.written }
      isBegun = false
      replay = BotReplay(kernel: plan.makeKernel())
      start = replay.written
    case JournalKind.snapshot:
      let record = try StateRecord(payload: JournalFold.copy(payload))
      let isFirst = replay.inputs == 0
      let isSame = try replay.take(record.state)
      compared += 1
      isBegun = true
      guard isSame, !isFirst || isBeginning(record) else {
        differ(
          "record \(header.sequence) is not the state that the records before it lead to",
          at: header.sequence)
        // Of another build it is as good to begin with as any.
        if isBlind { try resume(header, payload) }
        return
      }
    default:
      if header.kind.rawValue == JournalKind.input { isBegun = true }
      do throws(BotReplay.Difference) {
        try replay.feed(
          kind: header.kind.rawValue, sequence: header.sequence, at: header.time, payload: payload)
      } catch { differ(JournalFold.text(of: error), at: error.sequence, header, error) }
    }
  }

  /// Whether a run may begin with this state: with nothing, or with what the run before it ended with.
  private func isBeginning(_ record: StateRecord) -> Bool {
    if record.state == start { return true }
    guard let former else { return true }
    return record.state == JournalFold.carried(former, to: record.plan)
  }

  /// A state as the kernel of another plan holds it, whose limits may be tighter; nil when it cannot.
  private static func carried(_ state: [UInt8], to plan: BotPlan) -> [UInt8]? {
    var kernel = plan.makeKernel()
    var reader = SnapshotReader(state)
    do throws(SnapshotReader.Fault) { try kernel.read(from: &reader) } catch { return nil }
    return BotReplay(kernel: kernel).written
  }

  /// Ends one run's fold. Its end record says that everything was written; a killed process may not
  /// have come to that.
  private mutating func end() {
    guard !isBlind else { return }
    if lastKind == JournalKind.end && difference == nil { finish() }
    if !isBlind { tally() }
  }

  private mutating func finish() {
    do throws(BotReplay.Difference) { try replay.finish() } catch {
      differ(JournalFold.text(of: error), at: error.sequence)
    }
  }

  private mutating func tally() {
    inputs += replay.inputs
    compared += replay.compared
  }

  // MARK: What it came to

  /// Every note and effect that could be compared is what was recorded.
  public var isIdentical: Bool { difference == nil && buildDifferenceCount == 0 }

  /// What it is blind for is that the builds differ, and not that records are missing.
  public var isForAnotherBuild: Bool { blindness == .builds }

  /// As of the last record.
  public var state: BotState { BotState(replay.kernel) }

  /// What each market's rules are, as far as they were told.
  public var instruments: [Instrument] { replay.kernel.markets.compactMap(\.instrument) }

  /// The same as its kernel writes it.
  public var written: [UInt8] { replay.written }

  // MARK: Words

  /// What became of the market records that are missing, behind their number and place.
  public var whyMissing: String {
    if unreadable == 0 { return "were removed by retention" }
    return gone == 0
      ? "cannot be read" : "were removed by retention (\(gone)) or cannot be read (\(unreadable))"
  }

  private static func differing(
    _ header: RecordHeader, _ difference: BotReplay.Difference
  ) -> Differing? {
    let (recorded, folded): ([UInt8], [UInt8]?)
    switch difference.what {
    case .differs(let found, let due): (recorded, folded) = (found, due)
    case .notFolded(let found): (recorded, folded) = (found, nil)
    case .notRecorded, .unreadableInput: return nil
    }
    return Differing(
      sequence: header.sequence, kind: header.kind.rawValue, recorded: recorded, folded: folded)
  }

  private static func text(of difference: BotReplay.Difference) -> String {
    switch difference.what {
    case .differs(let recorded, let folded):
      "first difference at record \(difference.sequence):\n  recorded \(show(recorded))\n  folded   \(show(folded))"
    case .notRecorded(let folded):
      "record \(difference.sequence) causes something that was not recorded:\n  folded   \(show(folded))"
    case .notFolded(let recorded):
      "record \(difference.sequence) is not caused by its input:\n  recorded \(show(recorded))"
    case .unreadableInput: "record \(difference.sequence) holds no input"
    }
  }

  /// A payload as printable text, other bytes as dots.
  private static func show(_ payload: [UInt8]) -> String {
    String(decoding: payload.prefix(400).map { $0 >= 32 && $0 < 127 ? $0 : 46 }, as: UTF8.self)
  }

  /// States are long: bytes that lie together are taken at once.
  private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  }
}
