internal import MartletRecord

extension JournalWriter {
  /// Where a writer goes on.
  struct Tail {
    var segment: MappedSegment
    var journalID: JournalID
    var used = 0
    var chain = RecordChain()
    var tornTail: SegmentFault?
  }

  /// Finds the last whole record of the journal, cuts off what a dying writer left behind it, and
  /// removes segments that were made ready and never begun.
  ///
  /// Only the last segment is walked: the seams before it are `JournalReader`'s to prove.
  ///
  /// - Returns: nil when there is no record at all.
  static func recover(
    _ store: any SegmentStore, _ options: JournalOptions
  ) throws(JournalFault) -> Tail? {
    var numbers = try store.segments()
    while let number = numbers.popLast() {
      if let tail = try recover(number, in: store) { return tail }
      if let tail = try goOn(behind: number, in: store, options) { return tail }
      try store.remove(number)
    }
    return nil
  }

  /// The last segment was put away: a new one is begun behind it.
  ///
  /// - Returns: nil when it was not.
  private static func goOn(
    behind number: UInt32, in store: any SegmentStore, _ options: JournalOptions
  ) throws(JournalFault) -> Tail? {
    guard let merged = try store.merged(number) else { return nil }
    merged.segment.close()
    let segment = try store.prepare(number + 1, bytes: options.segmentBytes, isNew: true)
    return Tail(
      segment: segment, journalID: merged.parts.head.journalID, chain: merged.parts.head.end)
  }

  private static func recover(
    _ number: UInt32, in store: any SegmentStore
  ) throws(JournalFault) -> Tail? {
    guard let mapped = try store.map(number) else { return nil }
    let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
    var scanner = RecordScanner(hashing: LibraryHashing(), after: claim ?? RecordChain())
    let header: SegmentHeader
    switch scanner.begin(segment: number, in: mapped.span) {
    case .begun(let found): header = found
    case .unused, .torn:
      mapped.close()
      return nil
    case .corrupt(let fault):
      let damage = JournalFault.damaged(store.file(number), fault).naming(buildIn: mapped.span)
      mapped.close()
      throw damage
    }
    var tornTail: SegmentFault?
    walk: while true {
      switch scanner.next(in: mapped.span) {
      case .record: continue
      case .end: break walk
      case .torn(let fault):
        tornTail = SegmentFault(file: store.file(number), fault: fault)
        break walk
      case .corrupt(let fault):
        mapped.close()
        throw .damaged(store.file(number), fault)
      }
    }
    mapped.close()
    // A file that was cut short is made whole again before anything is written to it.
    let segment = try store.prepare(number, bytes: Int(header.segmentBytes), isNew: false)
    // The next records need zeros behind them.
    if tornTail != nil { segment.clear(from: scanner.offset) }
    return Tail(
      segment: segment, journalID: header.journalID, used: scanner.offset, chain: scanner.chain,
      tornTail: tornTail)
  }
}
