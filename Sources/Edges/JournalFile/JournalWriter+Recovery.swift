internal import CMartletLinux
internal import Glibc
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

  /// Takes the folder's lock, which the system lets go with the process, however it ends.
  static func lock(_ folder: JournalFolder) throws(JournalFault) -> Int32 {
    let descriptor = Paths.open(folder.lockPath, O_RDWR | O_CREAT)
    guard descriptor >= 0 else {
      throw .failed("open", folder.lockPath, errno: errno, neededBytes: 64)
    }
    guard cmartlet_lock(descriptor) == 0 else {
      var text = [UInt8](repeating: 0, count: 20)
      let count = unsafe read(descriptor, &text, text.count)
      Glibc.close(descriptor)
      let holder = Int(String(decoding: text.prefix(max(count, 0)), as: UTF8.self))
      throw .inUse(folder: folder.path, processID: holder)
    }
    // For people and for the message above; the lock itself is the system's.
    let holder = Array(String(getpid()).utf8)
    ftruncate(descriptor, 0)
    _ = unsafe write(descriptor, holder, holder.count)
    return descriptor
  }

  /// Finds the last whole record of the journal, cuts off what a dying writer left behind it, and
  /// removes segments that were made ready and never begun.
  ///
  /// Only the last segment is walked: the seams before it are `JournalReader`'s to prove.
  ///
  /// - Returns: nil when there is no record at all.
  static func recover(_ folder: JournalFolder) throws(JournalFault) -> Tail? {
    var numbers = try folder.segments()
    while let number = numbers.popLast() {
      if let tail = try recover(number, in: folder) { return tail }
      guard Paths.remove(folder.path(number)) == 0 else {
        throw .failed("unlink", folder.path(number), errno: errno)
      }
    }
    return nil
  }

  private static func recover(
    _ number: UInt32, in folder: JournalFolder
  ) throws(JournalFault) -> Tail? {
    guard let mapped = try MappedSegment.map(number, in: folder) else { return nil }
    let claim = RecordScanner<LibraryHashing>.claim(of: mapped.span)
    var scanner = RecordScanner(hashing: LibraryHashing(), after: claim ?? RecordChain())
    let header: SegmentHeader
    switch scanner.begin(segment: number, in: mapped.span) {
    case .begun(let found): header = found
    case .unused, .torn:
      mapped.close()
      return nil
    case .corrupt(let fault):
      mapped.close()
      throw .damaged(folder.file(number), fault)
    }
    var tornTail: SegmentFault?
    walk: while true {
      switch scanner.next(in: mapped.span) {
      case .record: continue
      case .end: break walk
      case .torn(let fault):
        tornTail = SegmentFault(file: folder.file(number), fault: fault)
        break walk
      case .corrupt(let fault):
        mapped.close()
        throw .damaged(folder.file(number), fault)
      }
    }
    mapped.close()
    // A file that was cut short is made whole again before anything is written to it.
    let segment = try MappedSegment.prepare(
      number, in: folder, bytes: Int(header.segmentBytes), isNew: false)
    // The next records need zeros behind them.
    if tornTail != nil { segment.clear(from: scanner.offset) }
    return Tail(
      segment: segment, journalID: header.journalID, used: scanner.offset, chain: scanner.chain,
      tornTail: tornTail)
  }
}
