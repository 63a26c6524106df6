public import MartletRecord

/// Reads a journal from its first record, proving every one; one segment is mapped at a time.
///
/// A journal may be read while it is written: at its end `next` gives nil, and records later.
public struct JournalReader: ~Copyable {
  private let store: any SegmentStore
  private var mapped: MappedSegment
  private var scanner: RecordScanner<LibraryHashing>
  private var place = 0..<0
  /// What the segment being read says of the journal and of the build that wrote it.
  public private(set) var segment: SegmentHeader
  /// The record after the last whole one, when its writer died over it.
  public private(set) var tornTail: SegmentFault?

  /// - Throws: `folderMissing`, `notAJournal`, `newerVersion`, `permission`, `corrupt`; and
  ///   `notAJournal` for a journal in which no record was ever published.
  public static func open(folder path: String) throws(JournalFault) -> JournalReader {
    try open(JournalFolder(path))
  }

  /// The same of a journal that lies anywhere.
  public static func open(_ store: any SegmentStore) throws(JournalFault) -> JournalReader {
    guard try store.segments().first == 1, let first = try store.map(1) else {
      throw .notAJournal(folder: store.path, found: "no segment with records")
    }
    var scanner = RecordScanner(hashing: LibraryHashing())
    switch scanner.begin(segment: 1, in: first.span) {
    case .begun(let header): return JournalReader(store, first, scanner, header)
    case .unused, .torn:
      first.close()
      throw .notAJournal(folder: store.path, found: "a segment that was never begun")
    case .corrupt(let fault):
      first.close()
      throw .damaged(store.file(1), fault)
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
      while reader.mapped.number == number, let header = try reader.next() {
        if kinds.contains(header.kind), reader.mapped.number == number { last = header.sequence }
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
    _ number: UInt32, in store: any SegmentStore
  ) throws(JournalFault) -> JournalReader? {
    guard let mapped = try store.map(number) else { return nil }
    let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
    var scanner = RecordScanner(hashing: LibraryHashing(), after: claim ?? RecordChain())
    switch scanner.begin(segment: number, in: mapped.span) {
    case .begun(let header): return JournalReader(store, mapped, scanner, header)
    case .unused, .torn:
      mapped.close()
      return nil
    case .corrupt(let fault):
      mapped.close()
      throw .damaged(store.file(number), fault)
    }
  }

  private init(
    _ store: any SegmentStore, _ mapped: MappedSegment, _ scanner: RecordScanner<LibraryHashing>,
    _ segment: SegmentHeader
  ) {
    self.store = store
    self.mapped = mapped
    self.scanner = scanner
    self.segment = segment
  }

  deinit { mapped.close() }

  /// The last record of these kinds in this segment, at or before a moment, by the headers alone.
  func walk(
    to moment: JournalMoment, _ kinds: [RecordKind]
  ) -> (offset: Int, chain: RecordChain)? {
    var walk = RecordWalk()
    var found: RecordWalk?
    while let (header, _) = walk.next(in: mapped.span), moment.reaches(header) {
      if kinds.contains(header.kind) { found = walk }
    }
    guard let found, let chain = found.chain(in: mapped.span) else { return nil }
    return (found.recordOffset, chain)
  }

  /// Goes on at a record that `walk` found.
  mutating func skip(to offset: Int, after chain: RecordChain) {
    place = 0..<0
    header = nil
    scanner.skip(to: offset, after: chain)
  }

  /// The next sequence and the last link proven so far.
  public var chain: RecordChain { scanner.chain }
  /// The file being read, such as `00000001.mjl`.
  public var file: String { store.file(mapped.number) }
  /// Where in that file the next record is due.
  public var offset: Int { scanner.offset }

  /// The record that `next` gave last; nil before the first and at the end.
  public private(set) var header: RecordHeader?

  /// The payload of the record that `next` gave last; empty before the first.
  public var payload: Span<UInt8> {
    @_lifetime(borrow self)
    get { mapped.span.extracting(place) }
  }

  /// Moves to the next record.
  ///
  /// - Returns: nil at the end, and at a torn tail, which `tornTail` then tells.
  /// - Throws: the first fault of the chain; every later call throws it again.
  public mutating func next() throws(JournalFault) -> RecordHeader? {
    place = 0..<0
    header = nil
    tornTail = nil
    while true {
      switch scanner.next(in: mapped.span) {
      case .record(let found, let payload):
        place = payload
        header = found
        return found
      case .corrupt(let fault): throw .damaged(file, fault)
      case .torn(let fault):
        // What follows in a later segment was written after this: no writer died here.
        if try isBegun(mapped.number + 1) { throw .damaged(file, fault) }
        tornTail = SegmentFault(file: file, fault: fault)
        return nil
      case .end:
        guard try moveOn() else { return nil }
      }
    }
  }

  /// Goes on with the next segment, if it has begun.
  private mutating func moveOn() throws(JournalFault) -> Bool {
    let number = mapped.number + 1
    guard let candidate = try store.map(number) else {
      // A hole is not the end.
      if try isBegun(number + 1) { throw .segmentMissing(file: store.path(number)) }
      return false
    }
    var fresh = RecordScanner(hashing: LibraryHashing(), after: scanner.chain)
    let outcome = fresh.begin(segment: number, in: candidate.span)
    switch outcome {
    case .begun(let header):
      guard header.journalID == segment.journalID else {
        candidate.close()
        throw .corrupt(
          SegmentFault(
            file: store.file(number),
            fault: RecordFault(
              offset: 0, sequence: scanner.chain.nextSequence,
              damage: .segment(
                field: "journal", expected: "\(segment.journalID)", found: "\(header.journalID)")))
        )
      }
      mapped.close()
      mapped = candidate
      scanner = fresh
      segment = header
      return true
    case .unused:
      candidate.close()
      if try isBegun(number + 1) { throw .segmentMissing(file: store.path(number)) }
      return false
    case .torn(let fault):
      candidate.close()
      if try isBegun(number + 1) { throw .damaged(store.file(number), fault) }
      tornTail = SegmentFault(file: store.file(number), fault: fault)
      return false
    case .corrupt(let fault):
      candidate.close()
      throw .damaged(store.file(number), fault)
    }
  }

  /// Whether anything was published at the start of a segment.
  private func isBegun(_ number: UInt32) throws(JournalFault) -> Bool {
    guard let segment = try store.map(number) else { return false }
    defer { segment.close() }
    for index in 0..<min(segment.bytes, 8) where segment.span[index] != 0 { return true }
    return false
  }
}
