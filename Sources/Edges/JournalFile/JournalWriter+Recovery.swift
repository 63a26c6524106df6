internal import MartletRecord

extension JournalWriter {
  /// Where a writer goes on.
  struct Tail {
    var segment: MappedSegment
    var journalID: JournalID
    var used = 0
    var chain = RecordChain()
  }

  /// Finds the last whole record of the journal, cuts off what a dying writer, or a machine that lost
  /// its power, left behind it, and removes segments that hold nothing that follows from it.
  ///
  /// A process that dies leaves at most the last record torn, so that only the last segment is walked:
  /// the seams before it are `JournalReader`'s to prove. A machine loses any part of what was not
  /// synced, in any segment: all from `options.syncedSequence` on is walked, and ends where its chain does.
  /// In one boot of the machine nothing is lost that was stored, so that whatever else is wrong was changed.
  ///
  /// - Parameter cutOff: what had to go.
  /// - Returns: nil when there is no record at all.
  static func recover(
    _ store: any SegmentStore, _ options: JournalOptions, cutting cutOff: inout CutOff?
  ) throws(JournalFault) -> Tail? {
    var numbers = try store.segments()
    let synced = store.isSameBoot() ? nil : options.syncedSequence
    if let synced { try dropUnproven(&numbers, in: store, synced: synced, &cutOff) }
    while let number = numbers.popLast() {
      if let tail = try recover(number, in: store, synced: synced, &cutOff) { return tail }
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
    let segment = try store.begin(number + 1, bytes: options.segmentBytes)
    return Tail(
      segment: segment, journalID: merged.parts.head.journalID, chain: merged.parts.head.end)
  }

  /// Removes the segments whose head does not follow from the end of the one before it, where that end
  /// lies behind what was synced: their records hang in the air.
  private static func dropUnproven(
    _ numbers: inout [UInt32], in store: any SegmentStore, synced: UInt64, _ cutOff: inout CutOff?
  ) throws(JournalFault) {
    // The first that may hold records that were not synced.
    var first = numbers.count - 1
    while first > 0 {
      guard let mapped = try store.map(numbers[first]) else { break }
      let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
      mapped.close()
      if let claim, claim.nextSequence <= synced { break }
      first -= 1
    }
    // Where the chain stood before the segment that is looked at.
    var before = RecordChain()
    for index in max(first, 0)..<max(numbers.count, 0) {
      guard let mapped = try store.map(numbers[index]) else { return }
      let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
      mapped.close()
      if index == first, index > 0, let claim { before = claim }
      if claim == before, let end = try end(of: numbers[index], in: store) {
        before = end
        continue
      }
      // What was synced and is gone is for a person to see.
      guard before.nextSequence > synced else { return }
      let damage = RecordDamage.sequence(
        expected: before.nextSequence, found: claim?.nextSequence ?? 0)
      let fault = SegmentFault(
        file: store.file(numbers[index]),
        fault: RecordFault(offset: 0, sequence: before.nextSequence, damage: damage))
      for number in numbers[index...].reversed() {
        // One that was made ready ahead and never begun is not missed.
        if let mapped = try store.map(number) {
          defer { mapped.close() }
          store.cutOff(
            mapped, from: 0, next: before.nextSequence, for: fault, isTorn: false, into: &cutOff)
        }
        try store.remove(number)
      }
      numbers.removeSubrange(index...)
      return
    }
  }

  /// Where the chain of a segment ends, whatever stands there; nil when it was never begun.
  private static func end(
    of number: UInt32, in store: any SegmentStore
  ) throws(JournalFault) -> RecordChain? {
    guard let mapped = try store.map(number) else { return nil }
    defer { mapped.close() }
    let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
    var scanner = RecordScanner(hashing: LibraryHashing(), after: claim ?? RecordChain())
    guard case .begun = scanner.begin(segment: number, in: mapped.span) else { return nil }
    while case .record = scanner.next(in: mapped.span) {}
    return scanner.chain
  }

  private static func recover(
    _ number: UInt32, in store: any SegmentStore, synced: UInt64?, _ cutOff: inout CutOff?
  ) throws(JournalFault) -> Tail? {
    guard let mapped = try store.map(number) else { return nil }
    defer { mapped.close() }
    let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
    var scanner = RecordScanner(hashing: LibraryHashing(), after: claim ?? RecordChain())
    func cut(_ fault: RecordFault, isTorn: Bool) {
      store.cutOff(
        mapped, from: fault.offset, next: fault.sequence,
        for: SegmentFault(file: store.file(number), fault: fault), isTorn: isTorn, into: &cutOff)
    }
    let header: SegmentHeader
    switch scanner.begin(segment: number, in: mapped.span) {
    case .begun(let found): header = found
    case .unused: return nil
    case .torn(let fault):
      cut(fault, isTorn: true)
      return nil
    case .corrupt(let fault):
      guard let synced, fault.sequence > synced else {
        throw JournalFault.damaged(store.file(number), fault).naming(buildIn: mapped.span)
      }
      cut(fault, isTorn: false)
      return nil
    }
    var isCut = false
    walk: while true {
      switch scanner.next(in: mapped.span) {
      case .record: continue
      case .end: break walk
      case .torn(let fault):
        cut(fault, isTorn: true)
        isCut = true
        break walk
      case .corrupt(let fault):
        guard let synced, fault.sequence > synced else {
          throw .damaged(store.file(number), fault)
        }
        cut(fault, isTorn: false)
        isCut = true
        break walk
      }
    }
    // A file that was cut short is made whole again before anything is written to it.
    let segment = try store.prepare(number, bytes: Int(header.segmentBytes), isNew: false)
    // The next records need zeros behind them.
    if isCut { segment.clear(from: scanner.offset) }
    return Tail(
      segment: segment, journalID: header.journalID, used: scanner.offset, chain: scanner.chain)
  }
}
