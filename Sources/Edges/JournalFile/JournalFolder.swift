internal import CMartletLinux
internal import Glibc
public import MartletRecord

/// A journal's folder: `00000001.mjl`, `00000002.mjl`, …, `lock`, and `boot`, the boot of the machine in
/// which it was opened last. Segments that were put away lie there as `00000001.mjd`, their decisions, and
/// `00000001.mjm`, their market records or a receipt; `00000001.cut` is what a start cut off; what ends in
/// `.new` was being written when its writer died.
public struct JournalFolder: SegmentStore {
  public let path: String
  private let bootID: String

  /// - Parameter bootID: a file whose text is another one after each boot of the machine.
  public init(_ path: String, bootID: String = "/proc/sys/kernel/random/boot_id") {
    self.path = path
    self.bootID = bootID
  }

  private static let suffix = ".mjl"
  private static let newSuffix = ".new"
  private static func suffix(_ role: PartHead.Role) -> String {
    role == .decisions ? ".mjd" : ".mjm"
  }
  private static let cutSuffix = ".cut"
  private var lockPath: String { path + "/lock" }
  private var bootPath: String { path + "/boot" }

  /// What the folder holds.
  struct Content {
    /// As they were written, in order.
    var raw: [UInt32] = []
    /// Put away, in order; one may be among `raw` too, which then counts.
    var parted: [UInt32] = []
    /// Of which market records or a receipt are there, in no order.
    var market: [UInt32] = []
    /// Of which something was cut off, in order.
    var cut: [UInt32] = []
    /// Names that end in `.new`.
    var leftovers: [String] = []
    /// The first name, in order, that no journal has.
    var foreign: String?

    /// The file that a segment was last in, of which neither is there: they are put away in order.
    func lostPath(_ number: UInt32, in folder: JournalFolder) -> String {
      let wasParted = market.contains(number) || parted.last.map { $0 > number } ?? false
      return wasParted ? folder.path(number, .decisions) : folder.path(number)
    }
  }

  func content() throws(JournalFault) -> Content {
    // `opendir` gives a stream that is closed below; its entries live until the next `readdir`.
    guard let stream = unsafe opendir(path) else {
      throw .failed("opendir", path, errno: errno)
    }
    defer { unsafe closedir(stream) }
    var content = Content()
    var foreign: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        // The name ends in a zero byte inside its field.
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name == "." || name == ".." || name == "lock" || name == "boot" { continue }
      if let number = number(of: name, JournalFolder.suffix) {
        content.raw.append(number)
      } else if let number = number(of: name, JournalFolder.suffix(.decisions)) {
        content.parted.append(number)
      } else if let number = number(of: name, JournalFolder.suffix(.market)) {
        content.market.append(number)
      } else if let number = number(of: name, JournalFolder.cutSuffix) {
        content.cut.append(number)
      } else if isLeftover(name) {
        content.leftovers.append(name)
      } else {
        foreign.append(name)
      }
    }
    content.raw.sort()
    content.parted.sort()
    content.cut.sort()
    content.foreign = foreign.min()
    return content
  }

  private func number(of name: String, _ suffix: String) -> UInt32? {
    guard name.hasSuffix(suffix) else { return nil }
    let digits = String(name.dropLast(suffix.count))
    guard let number = UInt32(digits), number >= 1,
      file(number).dropLast(JournalFolder.suffix.count) == digits
    else { return nil }
    return number
  }

  private func isLeftover(_ name: String) -> Bool {
    [PartHead.Role.decisions, .market].contains {
      number(of: name, JournalFolder.suffix($0) + JournalFolder.newSuffix) != nil
    }
  }

  public func segments() throws(JournalFault) -> [UInt32] {
    var tries = 0
    while true {
      do throws(JournalFault) { return try list() } catch {
        // A segment that is put away while the names are read may be seen under none of its names.
        guard case .segmentMissing = error, tries < 3 else { throw error }
        tries += 1
      }
    }
  }

  private func list() throws(JournalFault) -> [UInt32] {
    let content = try content()
    var numbers = content.raw
    for number in content.parted where !content.raw.contains(number) { numbers.append(number) }
    numbers.sort()
    for (index, number) in numbers.enumerated() where number != UInt32(index + 1) {
      throw .segmentMissing(file: content.lostPath(UInt32(index + 1), in: self))
    }
    if numbers.isEmpty, let foreign = content.foreign {
      throw .notAJournal(folder: path, found: foreign)
    }
    return numbers
  }

  public func makeFolder() throws(JournalFault) {
    guard Paths.makeFolder(path) == 0 || errno == EEXIST else {
      throw .failed("mkdir", path, errno: errno)
    }
  }

  public func prepare(
    _ number: UInt32, bytes: Int, isNew: Bool
  ) throws(JournalFault) -> MappedSegment {
    try MappedSegment.prepare(number, at: path(number), bytes: bytes, isNew: isNew)
  }

  public func map(_ number: UInt32) throws(JournalFault) -> MappedSegment? {
    try MappedSegment.map(number, at: path(number))
  }

  // MARK: Parts

  /// The name of a part, such as `00000001.mjd`.
  func file(_ number: UInt32, _ role: PartHead.Role) -> String {
    file(number).dropLast(JournalFolder.suffix.count) + JournalFolder.suffix(role)
  }

  func path(_ number: UInt32, _ role: PartHead.Role) -> String {
    path + "/" + file(number, role)
  }

  /// Where a part is while it is written.
  func newPath(_ number: UInt32, _ role: PartHead.Role) -> String {
    path(number, role) + JournalFolder.newSuffix
  }

  public func merged(_ number: UInt32) throws(JournalFault) -> MergedSegment? {
    try merge(number, isNew: false)
  }

  /// Where anything is wrong with a part, it is told of the whole segment and not of a piece.
  public func merged(
    _ number: UInt32, through limit: JournalMoment
  ) throws(JournalFault) -> MergedSegment? {
    do throws(JournalFault) {
      guard let decisions = try openDecisions(number) else { return nil }
      return try merge(decisions, SegmentPiece(limit: limit))
    } catch { return try merged(number) }
  }

  public func sought(
    _ kinds: [RecordKind], at moment: JournalMoment, in number: UInt32,
    through limit: JournalMoment?
  ) -> SoughtSegment? {
    do {
      guard var decisions = try openDecisions(number, isHeld: true) else { return nil }
      guard let start = try PartSearch.run(in: &decisions, for: kinds, at: moment) else {
        return .absent
      }
      decisions.move(to: 0)
      let merged = try merge(decisions, SegmentPiece(start: start, limit: limit))
      guard let place = merged.start else {
        merged.segment.close()
        return nil
      }
      return .found(merged, offset: place.offset, chain: place.chain)
    } catch { return nil }
  }

  private func openDecisions(
    _ number: UInt32, isNew: Bool = false, isHeld: Bool = false
  ) throws(JournalFault) -> PartReader? {
    guard
      let decisions = try PartReader.open(
        isNew ? newPath(number, .decisions) : path(number, .decisions),
        as: file(number, .decisions), isHeld: isHeld)
    else { return nil }
    guard decisions.head.number == number else {
      throw .damaged(
        file(number, .decisions),
        .head(field: "number", expected: "\(number)", found: "\(decisions.head.number)"))
    }
    return decisions
  }

  /// Puts a piece together of parts in which nothing is wrong.
  private func merge(
    _ decisions: consuming PartReader, _ piece: SegmentPiece
  ) throws(JournalFault) -> MergedSegment {
    let name = file(decisions.head.number, .market)
    let market = try PartReader.open(path(decisions.head.number, .market), as: name)
    return try SegmentMerge.run(
      decisions, market, nil, marketFile: name, mayBeDamaged: false, piece: piece)
  }

  /// - Parameter isNew: the parts have not got their names yet, and nothing in either may be wrong.
  func merge(_ number: UInt32, isNew: Bool) throws(JournalFault) -> MergedSegment? {
    guard let decisions = try openDecisions(number, isNew: isNew) else { return nil }
    var market: PartReader?
    var damage: PartDamage?
    do throws(JournalFault) {
      market = try PartReader.open(
        isNew ? newPath(number, .market) : path(number, .market), as: file(number, .market),
        isDigestNeeded: isNew)
    } catch {
      // The decisions stand without it.
      guard !isNew, let found = error.damageOfPart else { throw error }
      damage = found
    }
    return try SegmentMerge.run(
      decisions, market, damage, marketFile: file(number, .market), mayBeDamaged: !isNew)
  }

  public func removeLeftovers() throws(JournalFault) {
    for name in try content().leftovers { _ = Paths.remove(path + "/" + name) }
  }

  /// Of a segment that was put away, what stood at its beginning, without unpacking anything.
  public func head(_ number: UInt32) throws(JournalFault) -> RecordHeader? {
    if let segment = try map(number) {
      defer { segment.close() }
      var walk = RecordWalk()
      guard let (header, _) = walk.next(in: segment.span), header.kind == .segment else {
        return nil
      }
      return header
    }
    guard let part = try partHead(number, .decisions) else { return nil }
    return RecordHeader(
      kind: .segment, lane: .decisions, sequence: part.head.begin.nextSequence,
      time: part.head.beginTime, payloadBytes: 0)
  }

  /// The head of a part, its digest as it says it is, and what the file takes; nothing is proven.
  ///
  /// - Returns: nil when there is no such file.
  func partHead(
    _ number: UInt32, _ role: PartHead.Role
  ) throws(JournalFault) -> (head: PartHead, digest: RecordLink, bytes: Int)? {
    guard let mapped = try MappedSegment.map(number, at: path(number, role)) else { return nil }
    defer { mapped.close() }
    let span = mapped.span
    do throws(PartDamage) {
      let least = PartHead.bytes + PartHead.digestBytes
      guard span.count >= least else { throw .cut(expected: least, found: span.count) }
      let head = try PartHead(reading: (0..<PartHead.bytes).map { span[$0] })
      return (head, RecordLink(before: span.count, in: span), span.count)
    } catch { throw .damaged(file(number, role), error) }
  }

  public func remove(_ number: UInt32) throws(JournalFault) {
    guard Paths.remove(path(number)) == 0 else {
      throw .failed("unlink", path(number), errno: errno)
    }
  }

  public func sync(_ segment: MappedSegment) throws(JournalFault) {
    let result = cmartlet_fdatasync(segment.descriptor)
    guard result >= 0 else {
      throw .failed("fdatasync", path(segment.number), errno: -result)
    }
  }

  public func syncNames() { Paths.syncFolder(path) }

  // MARK: What a machine that went down left

  /// The text of a small file, without what ends its line; nil when there is none.
  private func line(of path: String) -> [UInt8]? {
    let descriptor = Paths.open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    let text = Array(bytes[..<max(count, 0)].prefix { $0 > 32 })
    return text.isEmpty ? nil : text
  }

  public func isSameBoot() -> Bool {
    guard let now = line(of: bootID) else { return false }
    return line(of: bootPath) == now
  }

  /// Nothing is said when that cannot be: the next start then takes it for another boot.
  public func noteBoot() {
    guard let now = line(of: bootID), line(of: bootPath) != now else { return }
    let descriptor = Paths.open(bootPath, O_WRONLY | O_CREAT | O_TRUNC)
    guard descriptor >= 0 else { return }
    _ = unsafe write(descriptor, now, now.count)
    Glibc.close(descriptor)
  }

  /// What a file of what was cut off takes at most, and how many of them are kept: the oldest goes first.
  static let cutLimit = 16 << 20
  static let cutFiles = 8

  public func keep(
    _ bytes: Span<UInt8>, of number: UInt32, under line: String
  ) throws(JournalFault) -> String {
    let name = cutFile(number)
    let path = path + "/" + name
    let others = try content().cut.filter { $0 != number }
    for old in others.dropLast(JournalFolder.cutFiles - 1) {
      _ = Paths.remove(self.path + "/" + cutFile(old))
    }
    let descriptor = Paths.open(path, O_WRONLY | O_CREAT | O_APPEND)
    guard descriptor >= 0 else { throw .failed("open", path, errno: errno) }
    defer { Glibc.close(descriptor) }
    let former = Int(lseek(descriptor, 0, SEEK_END))
    let head = Array(line.utf8)
    guard former >= 0, former + head.count + bytes.count <= JournalFolder.cutLimit else {
      throw .failed("write", path, errno: EFBIG)
    }
    var failure = JournalFolder.writeAll(head.span, to: descriptor)
    if failure == 0 { failure = JournalFolder.writeAll(bytes, to: descriptor) }
    // Before it is taken out of the segment.
    if failure == 0 { failure = -min(cmartlet_fdatasync(descriptor), 0) }
    guard failure == 0 else {
      ftruncate(descriptor, former)
      if former == 0 { _ = Paths.remove(path) }
      throw .failed("write", path, errno: failure, neededBytes: bytes.count)
    }
    Paths.syncFolder(self.path)
    return name
  }

  /// - Returns: 0, or why not all of it could be written.
  private static func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      // The bytes live through the call.
      let count = unsafe bytes.extracting(done..<bytes.count).withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress.unsafelyUnwrapped, $0.count)
      }
      guard count > 0 else { return count < 0 ? errno : EIO }
      done += count
    }
    return 0
  }

  /// The files of what was cut off, in order.
  public func cuts() -> [CutFile] {
    guard let content = try? content() else { return [] }
    return content.cut.map {
      CutFile(name: cutFile($0), bytes: Paths.bytes(path + "/" + cutFile($0)))
    }
  }

  /// The system lets the lock go with the process, however it ends.
  public func lock() throws(JournalFault) -> Int32 {
    let descriptor = Paths.open(lockPath, O_RDWR | O_CREAT)
    guard descriptor >= 0 else {
      throw .failed("open", lockPath, errno: errno, neededBytes: 64)
    }
    guard cmartlet_lock(descriptor) == 0 else {
      var text = [UInt8](repeating: 0, count: 20)
      let count = unsafe read(descriptor, &text, text.count)
      Glibc.close(descriptor)
      let holder = Int(String(decoding: text.prefix(max(count, 0)), as: UTF8.self))
      throw .inUse(folder: path, processID: holder)
    }
    // For people and for the message above; the lock itself is the system's.
    let holder = Array(String(getpid()).utf8)
    ftruncate(descriptor, 0)
    _ = unsafe write(descriptor, holder, holder.count)
    return descriptor
  }

  public func unlock(_ lock: Int32) { Paths.unlock(lock) }
}
