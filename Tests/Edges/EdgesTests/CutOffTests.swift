import Glibc
import MartletBase
import MartletRecord
import Testing

@testable import MartletJournalFile

/// What a start cuts off at a journal's end: little behind a process that died, what a machine lost behind one
/// that went down, and never a word less than what went.
@Suite struct CutOffTests {
  static let time = Timestamp(milliseconds: 1_700_000_000_000)
  static let synced: UInt64 = 40

  /// A journal's folder on a machine that can be started anew.
  struct Machine {
    let root = TemporaryFolder()
    var journal: String { root.path + "/journal" }
    var store: JournalFolder { JournalFolder(journal, bootID: root.path + "/boot_id") }

    init() { boot("1") }

    func boot(_ name: String) { writeFile(root.path + "/boot_id", Array("\(name)-boot\n".utf8)) }

    func open(synced: UInt64? = CutOffTests.synced) throws(JournalFault) -> JournalWriter {
      var options = JournalOptions(build: "test build")
      options.segmentBytes = 16_384
      options.sync = .atClose
      options.syncedSequence = synced
      return try JournalWriter.open(store, options: options, at: time)
    }

    func write(_ count: Int) throws {
      var writer = try open(synced: nil)
      for index in 0..<count {
        let payload = [UInt8](repeating: 9, count: 100 + index % 5 * 8)
        _ = try writer.append(kind: RecordKind(7), time: time, payload: payload.span)
      }
      try writer.close()
    }

    func file(_ number: Int) -> String { "\(journal)/0000000\(number).mjl" }
    func bytes(_ number: Int) throws -> [UInt8] { try #require(readFile(file(number))) }

    /// Where a record begins.
    func place(_ sequence: UInt64) throws -> (number: Int, offset: Int) {
      for number in try store.segments() {
        let mapped = try #require(try store.map(number))
        defer { mapped.close() }
        var walk = RecordWalk()
        while let (header, _) = walk.next(in: mapped.span) {
          if header.sequence == sequence, header.kind != .segment {
            return (Int(number), walk.recordOffset)
          }
        }
      }
      throw JournalFault.folderMissing("record \(sequence)")
    }

    func flip(_ sequence: UInt64) throws {
      let (number, offset) = try place(sequence)
      var bytes = try bytes(number)
      bytes[offset + 40] ^= 1
      writeFile(file(number), bytes)
    }

    var names: [String] { JournalPartingTests.files(journal) }
  }

  @Test(
    "M140: while the machine ran on, a changed record behind the synced one is damage, and nothing is touched"
  )
  func sameBoot() throws {
    let machine = Machine()
    try machine.write(60)
    try machine.flip(50)
    let before = try machine.bytes(1)
    let names = machine.names
    for _ in 0..<2 {
      var caught: JournalFault?
      do throws(JournalFault) { _ = try machine.open() } catch { caught = error }
      guard case .corrupt(let fault) = caught else {
        Issue.record("\(String(describing: caught))")
        return
      }
      #expect(fault.fault.sequence == 50 && caught?.isDamage == true)
      #expect(try machine.bytes(1) == before && machine.names == names)
    }
  }

  @Test("M140: on a machine that was started anew it is cut off, counted, and kept byte for byte")
  func anotherBoot() throws {
    for isKnown in [true, false] {
      let machine = Machine()
      try machine.write(60)
      try machine.flip(50)
      let offset = try machine.place(50).offset
      var lost = Array(try machine.bytes(1)[offset...])
      while lost.last == 0 { lost.removeLast() }
      if isKnown { machine.boot("2") } else { unlink(machine.journal + "/boot") }
      let writer = try machine.open()
      let recovery = writer.recovery
      let cut = try #require(recovery.cutOff)
      #expect(recovery.lastSequence == 49 && cut.isMore && cut.records == 10)
      #expect(cut.bytes == lost.count && cut.files == ["00000001.cut"] && cut.keepFault == nil)
      #expect(
        "\(cut)"
          == "\(lost.count) bytes, 10 whole-looking records among them, kept in 00000001.cut")
      let kept = try #require(readFile(machine.journal + "/00000001.cut"))
      let line = try #require(kept.firstIndex(of: 10))
      #expect(Array(kept[(line + 1)...]) == lost)
      let words = String(decoding: kept[..<line], as: UTF8.self)
      #expect(words.contains("10 whole records") && words.contains("record 50"), "\(words)")
      try writer.close()
      let verified = try JournalReader.verify(folder: machine.journal)
      #expect(verified.isSound && verified.records == 49)
      #expect(verified.cuts == [CutFile(name: "00000001.cut", bytes: kept.count)])
      // From now on it is the boot of this one.
      try machine.flip(45)
      #expect(throws: JournalFault.self) { _ = try machine.open() }
    }
  }

  @Test(
    "M140: damage before what was on disk is for a person, in any boot, and no start there makes it another"
  )
  func beforeTheSyncedOne() throws {
    let machine = Machine()
    try machine.write(60)
    try machine.flip(30)
    let before = try machine.bytes(1)
    machine.boot("2")
    for _ in 0..<2 {
      #expect(throws: JournalFault.self) { _ = try machine.open() }
      #expect(try machine.bytes(1) == before)
      #expect(
        readFile(machine.journal + "/boot").map { String(decoding: $0, as: UTF8.self) } == "1-boot")
    }
    // With nothing known to be on disk either.
    #expect(throws: JournalFault.self) { _ = try machine.open(synced: nil) }
  }

  @Test("M140: half a record at the end is cut off in the same boot too, and is no news")
  func tornInTheSameBoot() throws {
    let machine = Machine()
    try machine.write(60)
    let (number, offset) = try machine.place(60)
    var bytes = try machine.bytes(number)
    // A record's first word is stored last.
    for index in offset..<offset + 8 { bytes[index] = 0 }
    writeFile(machine.file(number), bytes)
    let writer = try machine.open()
    let cut = try #require(writer.recovery.cutOff)
    #expect(writer.recovery.lastSequence == 59 && !cut.isMore && cut.records == 0)
    #expect(cut.bytes > 100 && cut.files.isEmpty)
    #expect(JournalFolder(machine.journal).cuts().isEmpty)
    try writer.close()
    // With records behind it, it was no death.
    let (_, earlier) = try machine.place(50)
    bytes = try machine.bytes(number)
    for index in earlier..<earlier + 8 { bytes[index] = 0 }
    writeFile(machine.file(number), bytes)
    #expect(throws: JournalFault.self) { _ = try machine.open() }
  }

  @Test("M140: a record whose end never reached the disk is one torn record, kept and no alert")
  func tornByPower() throws {
    let machine = Machine()
    try machine.write(60)
    let (number, _) = try machine.place(60)
    var bytes = try machine.bytes(number)
    let end = try #require(bytes.lastIndex { $0 != 0 }) + 1
    // Of its link alone: its checksum holds.
    for index in end - 20..<end { bytes[index] = 0 }
    writeFile(machine.file(number), bytes)
    machine.boot("2")
    let writer = try machine.open()
    let cut = try #require(writer.recovery.cutOff)
    #expect(writer.recovery.lastSequence == 59 && !cut.isMore && cut.records == 0)
    #expect(cut.files == ["00000001.cut"])
    try writer.close()
  }

  @Test("M140: files that hang in the air after a power cut are counted and kept as well")
  func wholeFiles() throws {
    let machine = Machine()
    try machine.write(300)
    let files = try machine.store.segments()
    try #require(files.count > 2)
    try machine.flip(50)
    machine.boot("2")
    let writer = try machine.open()
    let cut = try #require(writer.recovery.cutOff)
    #expect(writer.recovery.lastSequence == 49 && cut.records == 250 && cut.isMore)
    #expect(cut.files == files.reversed().map { "0000000\($0).cut" })
    #expect(cut.fault.file == "00000001.mjl" && cut.fault.fault.sequence == 50)
    try writer.close()
    #expect(try JournalReader.verify(folder: machine.journal).records == 49)
  }

  @Test("what is kept has its bounds: 16 MiB a file, eight files, and what has no room is told")
  func bounds() throws {
    let machine = Machine()
    try machine.write(1)
    let bytes = [UInt8](repeating: 7, count: 6 << 20)
    for _ in 0..<2 { _ = try machine.store.keep(bytes.span, of: 1, under: "line\n") }
    #expect(throws: JournalFault.self) {
      _ = try machine.store.keep(bytes.span, of: 1, under: "line\n")
    }
    #expect(machine.store.cuts() == [CutFile(name: "00000001.cut", bytes: 2 * (bytes.count + 5))])
    for number in UInt32(2)...12 {
      _ = try machine.store.keep([1, 2, 3].span, of: number, under: "line\n")
    }
    #expect(machine.store.cuts().map(\.name).first == "00000005.cut")
    #expect(machine.store.cuts().count == 8)
    // Nobody takes such a folder for something else.
    unlink(machine.file(1))
    #expect(try machine.store.segments().isEmpty)
  }
}
