public import MartletRecord
internal import Synchronization

/// Market records that are not there, one behind the other.
public struct MissingRecords: Equatable, Sendable {
  public let sequences: ClosedRange<UInt64>
  /// The file in which they cannot be read; nil when retention removed them.
  public let damagedFile: String?
  /// Why, for a person.
  public var reason: String {
    damagedFile.map { "cannot be read: \($0) is damaged or lost" } ?? "removed by retention"
  }
}

/// Segments that were put away as two packed files.
struct PutAway {
  var segments: UInt32 = 0
  /// What they were long, and what the files in their place are.
  var bytes = 0
  var packedBytes = 0
  /// Market records that retention removed.
  var goneRecords: UInt64 = 0
}

/// Reads a journal from its first record, proving every one; one segment is mapped at a time, or put
/// together in memory when it was parted.
///
/// Where retention removed market records, or a file of them is damaged or lost, those around the gap are
/// still proven, and `gap` tells it.
///
/// A journal may be read while it is written: at its end `next` gives nil, and records later.
public struct JournalReader: ~Copyable {
  private let store: any SegmentStore
  /// It ends with the first record behind it.
  private let limit: JournalMoment?
  private var isLimitPassed = false
  private var loaded: LoadedSegment
  private var scanner: RecordScanner<LibraryHashing>
  private var place = 0..<0
  /// The next gap of the segment being read, and where it is; `Int.max` when there is none.
  private var gapIndex = 0
  private var gapOffset = Int.max
  /// Before this offset of the segment every record is proven: `Int.max` when that was done as it was put
  /// together.
  private var provenTo = 0
  /// Who proves ahead of this reader, and how far that came in this segment; nil where none does.
  private var ahead: ProofAhead?
  private(set) var proof: ProvenSegment?
  /// What the segment being read says of the journal and of the build that wrote it.
  public private(set) var segment: SegmentHeader
  /// The market files read so far that are damaged or lost, in order.
  ///
  /// - Bounds: one a segment.
  public private(set) var damaged: [DamagedMarket] = []
  /// Of the segments read so far, those that were put away, whether a record of theirs is left or not.
  private(set) var putAway = PutAway()
  /// The record after the last whole one, when its writer died over it.
  public private(set) var tornTail: SegmentFault?

  /// - Throws: `folderMissing`, `notAJournal`, `newerVersion`, `permission`, `corrupt`; and
  ///   `notAJournal` for a journal in which no record was ever published.
  public static func open(folder path: String) throws(JournalFault) -> JournalReader {
    try open(JournalFolder(path))
  }

  /// The same of a journal that lies anywhere.
  public static func open(_ store: any SegmentStore) throws(JournalFault) -> JournalReader {
    guard try store.segments().first == 1, let first = try LoadedSegment.load(1, in: store) else {
      throw .notAJournal(folder: store.path, found: "no segment with records")
    }
    var scanner = RecordScanner(hashing: LibraryHashing())
    switch scanner.begin(segment: 1, in: first.mapped.span) {
    case .begun(let header): return JournalReader(store, first, scanner, header)
    case .unused, .torn:
      first.close()
      throw .notAJournal(folder: store.path, found: "a segment that was never begun")
    case .corrupt(let fault):
      let damage = JournalFault.damaged(first.file(in: store), fault).naming(
        buildIn: first.mapped.span)
      first.close()
      throw damage
    }
  }

  /// Opens a journal at the last record of one of these kinds, whose payload is then at hand: the
  /// segments are looked through from the last one back, and those before it are taken at the word of
  /// the head of its own.
  ///
  /// - Returns: nil when no record is of these kinds, or the journal has none.
  /// - Throws: `folderMissing`, `newerVersion`, `permission`, `corrupt`.
  public static func open(
    folder path: String, atLast kinds: [RecordKind]
  ) throws(JournalFault) -> JournalReader? {
    try open(JournalFolder(path), atLast: kinds)
  }

  /// The same of a journal that lies anywhere.
  public static func open(
    _ store: any SegmentStore, atLast kinds: [RecordKind]
  ) throws(JournalFault) -> JournalReader? {
    for number in try store.segments().reversed() {
      guard var reader = try begin(number, in: store) else { continue }
      var last: UInt64 = 0
      while reader.loaded.mapped.number == number, let header = try reader.next() {
        if kinds.contains(header.kind), reader.loaded.mapped.number == number {
          last = header.sequence
        }
      }
      guard last > 0, var found = try begin(number, in: store) else { continue }
      while let header = try found.next() {
        if header.sequence == last { return found }
      }
    }
    return nil
  }

  /// - Returns: nil when the segment was never begun.
  static func begin(
    _ number: UInt32, in store: any SegmentStore, through limit: JournalMoment? = nil
  ) throws(JournalFault) -> JournalReader? {
    guard let loaded = try LoadedSegment.load(number, in: store) else { return nil }
    return try begin(loaded, in: store, through: limit)
  }

  /// The same of a segment that was loaded, which is closed when nothing comes of it.
  static func begin(
    _ loaded: LoadedSegment, in store: any SegmentStore, through limit: JournalMoment?
  ) throws(JournalFault) -> JournalReader? {
    let number = loaded.mapped.number
    let claim = RecordScanner<LibraryHashing>.claim(of: loaded.mapped.span)
    var scanner = RecordScanner(hashing: LibraryHashing(), after: claim ?? RecordChain())
    switch scanner.begin(segment: number, in: loaded.mapped.span) {
    case .begun(let header): return JournalReader(store, loaded, scanner, header, limit)
    case .unused, .torn:
      loaded.close()
      return nil
    case .corrupt(let fault):
      let damage = JournalFault.damaged(loaded.file(in: store), fault).naming(
        buildIn: loaded.mapped.span)
      loaded.close()
      throw damage
    }
  }

  private init(
    _ store: any SegmentStore, _ loaded: LoadedSegment, _ scanner: RecordScanner<LibraryHashing>,
    _ segment: SegmentHeader, _ limit: JournalMoment? = nil
  ) {
    self.store = store
    self.limit = limit
    self.loaded = loaded
    self.scanner = scanner
    self.segment = segment
    findGap(from: 0)
    noteParts()
  }

  deinit {
    leaveSegment()
    ahead?.stop()
  }

  /// Has the records behind this one proven on a second thread, ahead of `next`, which then goes on at their
  /// word: for whoever has work of his own to do with each. What `next` gives and throws stays the same, at
  /// the same record. Nothing where there is one processor.
  ///
  /// - Bounds: the rest of this segment and the whole of the next one.
  public mutating func proveAhead() {
    guard ahead == nil, let started = ProofAhead.start(store, through: limit) else { return }
    ahead = started
    proof = started.begin(loaded, at: scanner.offset, after: scanner.chain)
  }

  /// To be called once for each segment.
  private func leaveSegment() {
    guard let proof else { return loaded.close() }
    // Closed by the last of the two who lets it go.
    proof.isLeft.store(true, ordering: .relaxed)
  }

  /// The last record of these kinds in this segment, at or before a moment, by the headers alone.
  func walk(
    to moment: JournalMoment, _ kinds: [RecordKind]
  ) -> (offset: Int, chain: RecordChain)? {
    var walk = RecordWalk()
    var found: RecordWalk?
    let span = loaded.mapped.span
    while let (header, _) = walk.next(in: span), moment.reaches(header) {
      if kinds.contains(header.kind) { found = walk }
    }
    guard let found, let chain = found.chain(in: span) else { return nil }
    let placed = loaded.parts?.gaps.first { $0.offset == found.recordOffset }
    guard let gap = placed?.gap else { return (found.recordOffset, chain) }
    return (found.recordOffset, RecordChain(nextSequence: gap.last + 1, link: gap.after))
  }

  /// Goes on at a record that `walk` found.
  mutating func skip(to offset: Int, after chain: RecordChain) {
    place = 0..<0
    header = nil
    missing.removeAll(keepingCapacity: true)
    scanner.skip(to: offset, after: chain)
    findGap(from: offset + 1)
  }

  /// The next sequence and the last link proven so far.
  public var chain: RecordChain { scanner.chain }
  /// The file being read, such as `00000001.mjl`.
  public var file: String { loaded.file(in: store) }
  /// What is known of the segment being read when it was parted; nil when it was not.
  public var parts: SegmentParts? { loaded.parts }
  /// Where in that file the next record is due.
  public var offset: Int { scanner.offset }

  /// The record that `next` gave last; nil before the first and at the end.
  public private(set) var header: RecordHeader?

  /// The payload of the record that `next` gave last; empty before the first.
  public var payload: Span<UInt8> {
    @_lifetime(borrow self)
    get { loaded.mapped.span.extracting(place) }
  }

  /// The sequences of the market records that are missing before the record that `next` gave last, or before
  /// the end; nil when none are.
  public var gap: ClosedRange<UInt64>? {
    guard let first = missing.first, let last = missing.last else { return nil }
    return first.sequences.lowerBound...last.sequences.upperBound
  }

  /// The same, apart by what became of them: one piece, or several where segments without a decision meet.
  public private(set) var missing: [MissingRecords] = []

  /// Moves to the next record.
  ///
  /// - Returns: nil at the end, behind the first record after a limit, and at a torn tail, which `tornTail`
  ///   then tells.
  /// - Throws: the first fault of the chain; every later call throws it again.
  public mutating func next() throws(JournalFault) -> RecordHeader? {
    if let header, limit?.reaches(header) == false { isLimitPassed = true }
    // A gap at the end is one before the next record too.
    if header != nil, !missing.isEmpty { missing.removeAll(keepingCapacity: true) }
    place = 0..<0
    header = nil
    tornTail = nil
    if isLimitPassed { return nil }
    while true {
      if scanner.offset == gapOffset { passGap() }
      switch step() {
      case .record(let found, let payload):
        place = payload
        header = found
        return found
      case .corrupt(let fault): throw .damaged(file, fault)
      case .torn(let fault):
        // What follows in a later segment was written after this: no writer died here.
        if try isBegun(loaded.mapped.number + 1) { throw .damaged(file, fault) }
        tornTail = SegmentFault(file: file, fault: fault)
        return nil
      case .end:
        guard try moveOn() else { return nil }
      }
    }
  }

  /// Moves behind the record that is due, which is proven already or is now.
  private mutating func step() -> RecordOutcome {
    let span = loaded.mapped.span
    if scanner.offset >= provenTo { prove(span) }
    if scanner.offset < provenTo {
      let outcome = scanner.follow(in: span)
      if case .record = outcome { return outcome }
      if loaded.parts != nil { return outcome }
    }
    // No record, or a wrong one: what is to be said of it is said here.
    return scanner.next(in: span)
  }

  /// Takes what was proven ahead, or proves some records at once where nobody is ahead.
  private mutating func prove(_ span: Span<UInt8>) {
    if let proof { provenTo = proof.proven.load(ordering: .acquiring) }
    guard scanner.offset >= provenTo else { return }
    var probe = scanner
    _ = probe.advance(ProvenSegment.stride, in: span)
    provenTo = probe.offset
    proof?.reached.store(provenTo, ordering: .releasing)
  }

  /// To be called once for each segment.
  private mutating func noteParts() {
    guard let parts = loaded.parts else { return }
    putAway.segments += 1
    putAway.bytes += loaded.mapped.bytes
    putAway.packedBytes += parts.decisionsBytes + parts.marketBytes
    if parts.receipt != nil { putAway.goneRecords += parts.head.marketRecords }
    if let damage = parts.damage { damaged.append(damage) }
  }

  /// Goes on behind market records that are not there, at the word of the links around them.
  private mutating func passGap() {
    guard let gap = loaded.parts?.gaps[gapIndex].gap else { return }
    let file = loaded.parts?.damage?.fault.file
    if let last = missing.last, last.damagedFile == file {
      missing[missing.count - 1] = MissingRecords(
        sequences: last.sequences.lowerBound...gap.last, damagedFile: file)
    } else {
      missing.append(MissingRecords(sequences: gap.first...gap.last, damagedFile: file))
    }
    scanner.skip(
      to: scanner.offset, after: RecordChain(nextSequence: gap.last + 1, link: gap.after))
    findGap(from: scanner.offset + 1)
  }

  /// Finds the first gap at or behind a place in the segment.
  private mutating func findGap(from offset: Int) {
    let gaps = loaded.parts?.gaps ?? []
    if offset == 0 {
      gapIndex = 0
      provenTo = loaded.parts != nil ? .max : 0
    }
    while gapIndex < gaps.count, gaps[gapIndex].offset < offset { gapIndex += 1 }
    gapOffset = gapIndex < gaps.count ? gaps[gapIndex].offset : .max
  }

  /// Goes on with the next segment, if it has begun.
  private mutating func moveOn() throws(JournalFault) -> Bool {
    let number = loaded.mapped.number + 1
    let taken = ahead?.take(number)
    var next = taken?.loaded
    if next == nil { next = try LoadedSegment.load(number, in: store, through: limit) }
    guard let candidate = next else {
      // A hole is not the end.
      if try isBegun(number + 1) { throw .segmentMissing(file: store.path(number)) }
      return false
    }
    func leave() { if taken == nil { candidate.close() } }
    var fresh = RecordScanner(hashing: LibraryHashing(), after: scanner.chain)
    let outcome = fresh.begin(segment: number, in: candidate.mapped.span)
    switch outcome {
    case .begun(let header):
      guard header.journalID == segment.journalID else {
        leave()
        throw .corrupt(
          SegmentFault(
            file: candidate.file(in: store),
            fault: RecordFault(
              offset: 0, sequence: scanner.chain.nextSequence,
              damage: .segment(
                field: "journal", expected: "\(segment.journalID)", found: "\(header.journalID)")))
        )
      }
      do throws(JournalFault) { try checkFormer(of: candidate) } catch {
        leave()
        throw error
      }
      leaveSegment()
      loaded = candidate
      proof = taken ?? ahead?.begin(candidate, at: fresh.offset, after: fresh.chain)
      scanner = fresh
      segment = header
      findGap(from: 0)
      noteParts()
      return true
    case .unused:
      leave()
      if try isBegun(number + 1) { throw .segmentMissing(file: store.path(number)) }
      return false
    case .torn(let fault):
      leave()
      if try isBegun(number + 1) { throw .damaged(candidate.file(in: store), fault) }
      tornTail = SegmentFault(file: store.file(number), fault: fault)
      return false
    case .corrupt(let fault):
      let damage = JournalFault.damaged(candidate.file(in: store), fault).naming(
        buildIn: candidate.mapped.span)
      leave()
      throw damage
    }
  }

  /// A decisions file names the digest of the one before, so that none can be exchanged alone: where
  /// market records are missing, no link runs through.
  private func checkFormer(of next: LoadedSegment) throws(JournalFault) {
    guard let parts = next.parts, let former = loaded.parts, parts.head.formerDigest != .origin,
      parts.head.formerDigest != former.digest
    else { return }
    throw .damaged(
      former.file, .digest(expected: parts.head.formerDigest, found: former.digest))
  }

  /// Whether anything was published at the start of a segment.
  private func isBegun(_ number: UInt32) throws(JournalFault) -> Bool {
    guard let loaded = try LoadedSegment.load(number, in: store) else { return false }
    defer { loaded.close() }
    let span = loaded.mapped.span
    for index in 0..<min(span.count, 8) where span[index] != 0 { return true }
    return false
  }
}
