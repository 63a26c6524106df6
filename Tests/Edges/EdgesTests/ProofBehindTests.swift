import Glibc
import MartletBase
import MartletRecord
import Testing

@testable import MartletJournalFile

/// What stands in a journal before the segment that a writer goes on in is proven behind its start, and
/// what is wrong with it told.
@Suite struct ProofBehindTests {
  private static func flip(_ path: String, at offset: Int) throws {
    var bytes = try #require(readFile(path))
    bytes[offset] ^= 16
    writeFile(path, bytes)
  }

  /// Opens a writer over the journal, appends to it, and waits for word of damage.
  private static func damage(_ folder: String, parting: JournalParting? = nil) throws
    -> JournalFault?
  {
    var options = JournalPartingTests.options(parting)
    options.provesBehind = parting == nil
    var writer = try JournalWriter.open(folder: folder, options: options, at: .zero)
    let last = writer.recovery.lastSequence
    let payload = [UInt8](repeating: 7, count: 400)
    // A few segments more, so that those before them are put away.
    for _ in 0..<600 {
      _ = try writer.append(kind: RecordKind(2), time: .zero, payload: payload.span)
    }
    var found: JournalFault?
    while found == nil {
      sched_yield()
      found = writer.damage
    }
    #expect(writer.nextSequence > last + 1 && writer.syncFault == nil && writer.partWarning == nil)
    try writer.close()
    return found
  }

  @Test(
    "M140: a byte that is changed before the segment that is gone on in is told with its file and record"
  )
  func damageIsTold() throws {
    for (seed, number) in [(UInt64(41), UInt32(1)), (42, 2), (43, 3)] {
      let folder = TemporaryFolder()
      _ = try JournalPartingTests.write(900, seed: seed, to: folder.path)
      let place = JournalFolder(folder.path)
      try #require(try place.segments().count > 4)
      try Self.flip(place.path(number), at: 9_000)
      let verified = try JournalReader.verify(folder: folder.path)
      let found = try #require(try Self.damage(folder.path))
      #expect(found == verified.fault, "segment \(number)")
      #expect(found.isDamage && found.finding.hasPrefix("0000000\(number).mjl"))
      guard case .corrupt(let fault) = found else { continue }
      #expect(found.finding.contains("\(fault.fault.sequence)"))
    }
  }

  @Test(
    "M140: so is one in a file that was put away, a file that is missing, and a seam that does not hold"
  )
  func partsAndSeams() throws {
    let folder = TemporaryFolder()
    _ = try JournalPartingTests.write(900, seed: 44, to: folder.path)
    let place = JournalFolder(folder.path)
    try JournalPartingTests.part(folder.path, keep: 2)
    let path = place.path(2, .decisions)
    let whole = try #require(readFile(path))
    try Self.flip(path, at: whole.count / 2)
    #expect(try Self.damage(folder.path)?.finding.hasPrefix("00000002.mjd") == true)
    writeFile(path, whole)

    let market = place.path(1, .market)
    let frames = try #require(readFile(market))
    unlink(market)
    #expect(try Self.damage(folder.path)?.finding.hasPrefix("00000001.mjm") == true)
    writeFile(market, frames)
    #expect(
      ProofBehind.run(place, upTo: try #require(try place.segments().last)) { _ in true } == nil)

    // Another journal's segment in the place of one's own: whole in itself.
    let other = TemporaryFolder()
    _ = try JournalPartingTests.write(900, seed: 45, to: other.path)
    let last = try #require(try place.segments().last)
    let number = try #require(try place.content().raw.first)
    try #require(number < last)
    writeFile(place.path(number), try #require(readFile(JournalFolder(other.path).path(number))))
    #expect(try Self.damage(folder.path)?.isDamage == true)
  }

  @Test(
    "M140: a full segment that was changed is told when it is to be put away, and the rest goes on")
  func partingTells() throws {
    let folder = TemporaryFolder()
    _ = try JournalPartingTests.write(900, seed: 46, to: folder.path)
    try Self.flip(folder.path + "/00000002.mjl", at: 20_000)
    let found = try Self.damage(folder.path, parting: JournalParting())
    #expect(found?.finding.hasPrefix("00000002.mjl") == true)
    #expect(JournalPartingTests.files(folder.path).contains("00000001.mjd"))
  }

  @Test("a whole journal is proven in pieces with a pause behind each, and left when told to stop")
  func itGivesWay() throws {
    let folder = TemporaryFolder()
    _ = try JournalPartingTests.write(4_000, seed: 47, to: folder.path)
    let place = JournalFolder(folder.path)
    let last = try #require(try place.segments().last)
    var pauses = 0
    let fault = ProofBehind.run(place, upTo: last) { span in
      #expect(span > .zero)
      pauses += 1
      return true
    }
    #expect(fault == nil)
    // Segments of 64 KiB, a quarter of a megabyte at a time.
    #expect(pauses >= Int(last) / 5 && pauses <= Int(last) / 3)

    try Self.flip(place.path(last - 1), at: 5_000)
    var asked = 0
    let none = ProofBehind.run(place, upTo: last) { _ in
      asked += 1
      return false
    }
    #expect(none == nil && asked == 1)
    // Looked at twice before it is told.
    var waits = 0
    let told = ProofBehind.run(place, upTo: last) { _ in
      waits += 1
      return true
    }
    #expect(told?.isDamage == true && waits > pauses)
  }
}
