import Glibc
import MartletBase
import MartletRecord
import Testing

@testable import MartletJournalFile

/// Of a market file that is damaged or lost, what proves itself is read, and every decision stands.
@Suite struct DamagedMarketTests {
  typealias Parting = JournalPartingTests

  /// Holds a journal with something wrong in one market file against what was written.
  ///
  /// - Returns: how many records cannot be read.
  @discardableResult
  static func check(
    _ folder: String, _ written: [Parting.Written], _ head: RecordLink, file: String, _ what: String
  ) throws -> UInt64 {
    let result = try JournalReader.verify(folder: folder)
    #expect(result.fault == nil && !result.isSound && result.head == head, "\(what)")
    #expect(result.damaged.map(\.fault.file) == [file], "\(what)")
    #expect(result.goneRecords == 0 && result.gone == nil, "\(what)")
    let (records, gaps) = try Parting.read(folder)
    let missing = Set(gaps.flatMap { Array($0) })
    // Every decision, and each market record that was read, is what was written.
    #expect(records == written.filter { !missing.contains($0.sequence) }, "\(what)")
    #expect(
      written.allSatisfy { !missing.contains($0.sequence) || $0.lane == 1 }, "\(what)")
    #expect(result.unreadable == UInt64(missing.count), "\(what)")
    #expect(
      result.damaged.allSatisfy { $0.records >= $0.unreadable && "\($0)".contains(file) }, "\(what)"
    )
    return result.unreadable
  }

  @Test(
    "M140: with any byte of a market file changed every decision is proven, and what is read is what was written"
  )
  func changedBytes() throws {
    let folder = TemporaryFolder()
    let written = try Parting.write(320, seed: 3, to: folder.path)
    try Parting.part(folder.path)
    let head = try JournalReader.verify(folder: folder.path).head
    let path = folder.path + "/00000001.mjm"
    let bytes = try #require(readFile(path))
    let all = try #require(try JournalFolder(folder.path).partHead(1, .decisions)).head
      .marketRecords
    var counts: Set<UInt64> = []
    let places =
      Array(stride(from: 0, to: PartHead.bytes, by: 7))
      + Array(stride(from: PartHead.bytes, to: bytes.count - 32, by: 397))
      + [bytes.count - 32, bytes.count - 1]
    for index in places {
      var changed = bytes
      changed[index] ^= 1 << UInt8(index % 8)
      writeFile(path, changed)
      counts.insert(
        try Self.check(folder.path, written, head, file: "00000001.mjm", "byte \(index)"))
    }
    // From a digest that is wrong alone to a head that nobody can read.
    #expect(counts.contains(0) && counts.contains(all), "\(counts)")
    writeFile(path, bytes)
    #expect(try JournalReader.verify(folder: folder.path).isSound)
  }

  @Test("M140: a market file that was cut, emptied, lost or exchanged takes no decision with it")
  func cutFiles() throws {
    let folder = TemporaryFolder()
    let written = try Parting.write(700, seed: 9, to: folder.path)
    try Parting.part(folder.path)
    let head = try JournalReader.verify(folder: folder.path).head
    let path = folder.path + "/00000001.mjm"
    let bytes = try #require(readFile(path))
    let all = try #require(try JournalFolder(folder.path).partHead(1, .decisions)).head
      .marketRecords
    for length in [
      0, 1, 100, 255, 256, 287, 288, bytes.count / 2, bytes.count - 33, bytes.count - 1,
    ] {
      writeFile(path, Array(bytes[..<length]))
      let lost = try Self.check(
        folder.path, written, head, file: "00000001.mjm", "cut at \(length)")
      #expect(length > 288 || lost == all)
    }
    unlink(path)
    #expect(
      try Self.check(folder.path, written, head, file: "00000001.mjm", "lost") == all)
    // The next one's.
    writeFile(path, try #require(readFile(folder.path + "/00000002.mjm")))
    #expect(
      try Self.check(folder.path, written, head, file: "00000001.mjm", "another's") == all)
    // The decisions in its place.
    writeFile(path, try #require(readFile(folder.path + "/00000001.mjd")))
    #expect(
      try Self.check(folder.path, written, head, file: "00000001.mjm", "decisions") == all)
  }

  @Test("the same records, packed otherwise, are read and told to be another file")
  func packedOtherwise() throws {
    let folder = TemporaryFolder()
    let written = try Parting.write(300, seed: 5, to: folder.path)
    try Parting.part(folder.path)
    let head = try JournalReader.verify(folder: folder.path).head
    let other = TemporaryFolder()
    _ = try Parting.write(300, seed: 5, to: other.path)
    var parting = JournalParting()
    parting.level = 9
    try Parting.part(other.path, parting)
    writeFile(
      folder.path + "/00000001.mjm", try #require(readFile(other.path + "/00000001.mjm")))
    let lost = try Self.check(folder.path, written, head, file: "00000001.mjm", "packed otherwise")
    #expect(lost == 0)
  }

  @Test("what retention removed and what cannot be read are told apart, and each where it is")
  func twoKindsOfGaps() throws {
    let folder = TemporaryFolder()
    let written = try Parting.write(900, seed: 21, to: folder.path)
    var parting = JournalParting()
    try Parting.part(folder.path)
    let files = Parting.files(folder.path).filter { $0.hasSuffix(".mjm") }
    try #require(files.count >= 3)
    parting.keepMarketBytes = files.dropFirst().reduce(0) {
      $0 + (readFile(folder.path + "/" + $1)?.count ?? 0)
    }
    try Parting.part(folder.path, parting)
    unlink(folder.path + "/" + files[1])
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.goneRecords > 0 && result.unreadable > 0 && !result.isSound)
    #expect(result.damaged.map(\.fault) == [PartFault(file: files[1], damage: .lost)])
    var reader = try JournalReader.open(folder: folder.path)
    var (gone, unreadable) = (UInt64(0), UInt64(0))
    var count = 0
    while try reader.next() != nil {
      count += 1
      for piece in reader.missing {
        if let file = piece.damagedFile {
          #expect(file == files[1])
          unreadable += UInt64(piece.sequences.count)
        } else {
          gone += UInt64(piece.sequences.count)
        }
      }
    }
    #expect(gone == result.goneRecords && unreadable == result.unreadable)
    #expect(UInt64(count) + gone + unreadable == UInt64(written.count))
    #expect(reader.damaged == result.damaged)
  }

  @Test("a bot's writer goes on behind a damaged market file, and its head is still reached")
  func goesOn() throws {
    let folder = TemporaryFolder()
    let written = try Parting.write(400, seed: 13, to: folder.path)
    // The last one too, as after a segment that was just full.
    try Parting.part(folder.path, keep: 0)
    let last = try #require(Parting.files(folder.path).last { $0.hasSuffix(".mjm") })
    unlink(folder.path + "/" + last)
    var writer = try JournalWriter.open(
      folder: folder.path, options: Parting.options(), at: .zero)
    let sequence = try writer.append(
      kind: Parting.decision, time: .zero, payload: [1, 2, 3].span)
    try writer.close()
    #expect(sequence == UInt64(written.count) + 1)
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.fault == nil && result.lastSequence == sequence)
    #expect(result.damaged.map(\.fault.file) == [last])
  }

  @Test("retention lets go of a damaged market file like any other, and the rest is put away")
  func retention() throws {
    let folder = TemporaryFolder()
    _ = try Parting.write(900, seed: 17, to: folder.path)
    let head = try JournalReader.verify(folder: folder.path).head
    try Parting.part(folder.path, keep: 3)
    let damaged = folder.path + "/00000001.mjm"
    let place = JournalFolder(folder.path)
    let count = try #require(place.segments().last)
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    let parter = SegmentParter(place, parting)
    parter.begin()
    // Behind its back.
    writeFile(damaged, [1, 2, 3])
    parter.work(upTo: count - 1)
    #expect(parter.fault == nil)
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.head == head && result.unreadable == 0)
    #expect(result.goneRecords > 0)
  }

  @Test("a market file found damaged is named, stays, and keeps nothing else from being put away")
  func foundDamaged() throws {
    let folder = TemporaryFolder()
    _ = try Parting.write(900, seed: 17, to: folder.path)
    try Parting.part(folder.path, keep: 3)
    writeFile(folder.path + "/00000001.mjm", [1, 2, 3])
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    let fault = try Parting.part(folder.path, parting)
    #expect(fault.map { "\($0)".contains("00000001.mjm") } == true)
    #expect(readFile(folder.path + "/00000001.mjm") == [1, 2, 3])
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.fault == nil && result.damaged.count == 1 && result.goneRecords > 0)
    #expect(Parting.files(folder.path).filter { $0.hasSuffix(".mjl") }.count == 1)
  }
}
