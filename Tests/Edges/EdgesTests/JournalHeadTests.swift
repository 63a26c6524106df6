import Glibc
import MartletBase
import MartletJournalFile
import MartletRecord
import MartletSecrets
import Testing

/// Heads of journals, kept apart: really cut journals, old copies put back, heads made by others.
@Suite struct JournalHeadTests {
  static let time = Timestamp(milliseconds: 1_700_000_000_000)

  /// A journal and the user's heads, in folders of a test's own.
  struct Place {
    let root = TemporaryFolder()
    let book: HeadBook
    var journal: String { root.path + "/journal" }

    init() throws {
      mkdir(root.path + "/heads", 0o700)
      book = try Self.book(root.path + "/heads")
    }

    static func book(_ folder: String) throws -> HeadBook {
      let seal = try UserSeal(keyAt: folder + "/key")
      return HeadBook(folder) { seal.code(of: $0) }
    }

    func options(_ sync: JournalOptions.SyncPolicy = .atClose) -> JournalOptions {
      var options = JournalOptions(build: "test build")
      options.segmentBytes = 8192
      options.sync = sync
      mkdir(journal, 0o700)
      options.heads = book.keeper(of: journal)
      return options
    }

    /// Appends this many records and ends in order.
    func write(_ count: Int, filled: UInt8 = 1) throws {
      var writer = try JournalWriter.open(folder: journal, options: options(), at: time)
      for index in 0..<count {
        let payload = [UInt8](repeating: filled, count: 100 + index % 300)
        _ = try writer.append(kind: RecordKind(7), time: time, payload: payload.span)
      }
      try writer.close()
    }

    func standing() throws -> HeadStanding {
      let verified = try JournalReader.verify(folder: journal, heads: book)
      #expect(verified.fault == nil)
      let quick = try book.standing(of: journal)
      #expect(quick == verified.standing, "a start and a verification agree")
      return quick
    }

    var headFile: String {
      get throws {
        let names = contents(of: root.path + "/heads").filter { $0.hasSuffix(".head") }
        return root.path + "/heads/" + (try #require(names.first))
      }
    }
  }

  static func contents(of folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  static func copy(_ from: String, to: String) {
    TemporaryFolder.remove(to)
    mkdir(to, 0o700)
    for name in contents(of: from) {
      if let bytes = readFile(from + "/" + name) { writeFile(to + "/" + name, bytes) }
    }
  }

  static func file(_ folder: String, _ number: UInt32) -> String {
    folder + "/" + JournalTests.name(number)
  }

  /// Where each record ends: its segment, and the offset in it.
  static func ends(_ folder: String) throws -> [(segment: UInt32, offset: Int)] {
    var reader = try JournalReader.open(folder: folder)
    var ends = [(segment: UInt32(1), offset: reader.offset)]
    while try reader.next() != nil { ends.append((reader.segment.number, reader.offset)) }
    return ends
  }

  @Test(
    "M140: a journal cut at any record is told from a whole one, with how many records are missing")
  func cutAtAnyRecord() throws {
    let place = try Place()
    try place.write(120)
    guard case .reached(let kept) = try place.standing() else {
      Issue.record("\(try place.standing())")
      return
    }
    #expect(kept.head.sequence == 120)
    let whole = place.root.path + "/whole"
    Self.copy(place.journal, to: whole)
    let ends = try Self.ends(whole)
    #expect(ends.count == 121 && (ends.last?.segment ?? 0) > 3)
    for (records, end) in ends.enumerated() {
      Self.copy(whole, to: place.journal)
      for number in end.segment + 1...100 { unlink(Self.file(place.journal, number)) }
      let bytes = try #require(readFile(Self.file(whole, end.segment)))
      // As a writer that never came further leaves it, and as a file that was cut.
      for rest in [[UInt8](repeating: 0, count: bytes.count - end.offset), []] {
        writeFile(Self.file(place.journal, end.segment), Array(bytes[..<end.offset]) + rest)
        let standing = try place.standing()
        if records == 120 {
          #expect(standing == .reached(kept))
        } else {
          #expect(standing == .cut(kept, last: UInt64(records)))
          #expect(standing.missing == UInt64(120 - records) && !standing.isSound)
          #expect("\(standing)".contains("at least \(120 - records) record(s) are missing"))
        }
      }
    }
  }

  @Test(
    "M140: an old copy of a journal that is put back is told, also when it is gone on with elsewhere"
  )
  func rollback() throws {
    let place = try Place()
    try place.write(20)
    let old = place.root.path + "/old"
    Self.copy(place.journal, to: old)
    try place.write(15)
    let now = place.root.path + "/now"
    Self.copy(place.journal, to: now)
    Self.copy(old, to: place.journal)
    guard case .cut(let kept, last: 20) = try place.standing() else {
      Issue.record("\(try place.standing())")
      return
    }
    #expect(kept.head.sequence == 35)
    // A link to the copy leads to the copy, whose name the head of the true one bears.
    TemporaryFolder.remove(place.journal)
    symlink(old, place.journal)
    #expect(try place.standing() == .cut(kept, last: 20))
    unlink(place.journal)
    // The true one is taken, wherever it lies.
    #expect(try place.book.standing(of: now) == .reached(kept))
    #expect(try place.book.standing(of: place.journal) == .gone(kept))
    Self.copy(now, to: place.journal)
    #expect(try place.standing() == .reached(kept))
  }

  @Test(
    "M140: another journal, or another chain of the same name, is no longer than it should be: it is told"
  )
  func replaced() throws {
    let place = try Place()
    try place.write(30)
    let kept: KeptHead
    guard case .reached(let found) = try place.standing() else {
      Issue.record("\(try place.standing())")
      return
    }
    kept = found
    // Another journal, longer than this one.
    let other = try Place()
    try other.write(60)
    Self.copy(other.journal, to: place.journal)
    #expect(try place.standing() == .replaced(kept))
    // The same name, records written anew: what somebody makes who can write the journal alone.
    TemporaryFolder.remove(place.journal)
    var options = JournalOptions(build: "test build")
    options.segmentBytes = 8192
    options.sync = .atClose
    options.journalID = kept.head.journalID
    var writer = try JournalWriter.open(folder: place.journal, options: options, at: Self.time)
    for _ in 0..<40 {
      let payload = [UInt8](repeating: 2, count: 200)
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    }
    try writer.close()
    #expect(try place.standing() == .replaced(kept))
  }

  @Test("M140: a head that somebody else wrote, or changed in any byte, is told as forged")
  func forged() throws {
    let place = try Place()
    try place.write(10)
    let path = try place.headFile
    let true_ = try #require(readFile(path))
    for index in true_.indices {
      var changed = true_
      changed[index] ^= 1
      writeFile(path, changed)
      #expect(try place.standing() == .forged(path: path), "byte \(index)")
    }
    for length in stride(from: 0, to: true_.count, by: 7) {
      writeFile(path, Array(true_[..<length]))
      #expect(try place.standing() == .forged(path: path), "cut at \(length)")
    }
    // Sealed, with another key.
    let other = try Place()
    let seal = try UserSeal(keyAt: other.book.path + "/key")
    let forger = HeadBook(place.book.path) { seal.code(of: $0) }
    try forger.keeper(of: place.journal).keep(
      JournalHead(journalID: JournalID(high: 1, low: 2), segment: 1, sequence: 3, link: .origin))
    #expect(try place.standing() == .forged(path: path))
    writeFile(path, true_)
    #expect(try place.standing().word == "reached")
    unlink(path)
    #expect(try place.standing() == .unknown)
  }

  @Test("M140: a torn tail behind the head is sound, and one before it is a cut")
  func tornTails() throws {
    let place = try Place()
    try place.write(5)
    let headFile = try place.headFile
    let early = try #require(readFile(headFile))
    try place.write(3)
    let ends = try Self.ends(place.journal)
    let path = Self.file(place.journal, 1)
    let bytes = try #require(readFile(path))
    writeFile(path, Array(bytes[..<(ends[8].offset - 9)]))
    #expect(try place.standing().word == "cut" && place.standing().missing == 1)
    writeFile(headFile, early)
    #expect(try place.standing().word == "reached")
    let verified = try JournalReader.verify(folder: place.journal, heads: place.book)
    #expect(verified.isSound && verified.tornTail != nil && verified.records == 7)
  }

  /// Remembers every head with what the disk was known to hold then.
  final class Witness: HeadKeeping, @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var heads: [JournalHead] = []
    private let isFailing: Bool
    init(isFailing: Bool = false) {
      self.isFailing = isFailing
      pthread_mutex_init(lock, nil)
    }
    deinit { lock.deallocate() }
    func keep(_ head: JournalHead) throws(JournalFault) {
      if isFailing { throw .diskFull(path: "heads", neededBytes: 1) }
      pthread_mutex_lock(lock)
      heads.append(head)
      pthread_mutex_unlock(lock)
    }
    var all: [JournalHead] {
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      return heads
    }
  }

  @Test(
    "M140: heads are kept behind what is on disk, in order, whichever the policy",
    arguments: [
      JournalOptions.SyncPolicy.behind(every: .milliseconds(1)), .eachRecord, .atClose,
    ])
  func headsFollow(_ sync: JournalOptions.SyncPolicy) throws {
    let place = try Place()
    let witness = Witness()
    var options = place.options(sync)
    options.heads = witness
    var writer = try JournalWriter.open(folder: place.journal, options: options, at: Self.time)
    var links = [RecordLink.origin]
    for index in 0..<400 {
      let payload = [UInt8](repeating: UInt8(index % 250), count: 100 + index % 300)
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
      links.append(writer.head)
    }
    // Bounded by the test's own time limit.
    while witness.all.last?.sequence ?? 0 < 300 { sched_yield() }
    #expect(writer.headWarning == nil)
    try writer.close()
    let heads = witness.all
    #expect(heads.count > 2 && heads.last?.sequence == 400)
    var before: UInt64 = 0
    for head in heads {
      #expect(head.sequence >= before, "\(heads.map { "\($0.segment):\($0.sequence)" })")
      #expect(head.link == links[Int(head.sequence)])
      before = head.sequence
    }
  }

  @Test("a head that cannot be kept is told, and stops nothing")
  func aHeadThatCannotBeKept() throws {
    let place = try Place()
    var options = place.options(.behind(every: .milliseconds(1)))
    options.heads = Witness(isFailing: true)
    var writer = try JournalWriter.open(folder: place.journal, options: options, at: Self.time)
    let payload = [UInt8](repeating: 1, count: 100)
    _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    while writer.headWarning == nil { sched_yield() }
    #expect(writer.headWarning == .diskFull(path: "heads", neededBytes: 1))
    _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    try writer.close()
    #expect(try JournalReader.verify(folder: place.journal).records == 2)
  }

  @Test("the heads that a user's folder holds are bounded: the one kept longest ago is forgotten")
  func headsAreBounded() throws {
    let place = try Place()
    let head = JournalHead(
      journalID: JournalID(high: 1, low: 2), segment: 1, sequence: 3, link: .origin)
    for index in 0..<1_030 {
      try place.book.keeper(of: place.root.path + "/j\(index)").keep(head)
    }
    let kept = Self.contents(of: place.book.path).filter { $0.hasSuffix(".head") }
    #expect(kept.count == 1_024)
    #expect(try place.book.standing(of: place.root.path + "/j1029").word == "gone")
  }

  @Test(
    "the key that seals heads is made once, for its owner alone, and nothing else is taken for one")
  func theKey() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/key"
    let first = try UserSeal(keyAt: path)
    let text = Array("a head".utf8)
    #expect(try UserSeal(keyAt: path).code(of: text.span) == first.code(of: text.span))
    #expect(readFile(path)?.count == 32 && Self.contents(of: folder.path) == ["key"])
    chmod(path, 0o644)
    #expect(throws: PrivateFileFault.exposed(path: path, mode: 0o644)) { try UserSeal(keyAt: path) }
    writeFile(path, [1, 2, 3])
    #expect(throws: PrivateFileFault.notAFile(path: path)) { try UserSeal(keyAt: path) }
  }
}
