import CMartletZstd
import Glibc
import MartletBase
import MartletRecord
import Testing

@testable import MartletJournalFile

/// Journals that older builds really wrote, as `Fixtures/Journals` tells: they are read, put away and gone on
/// with.
@Suite struct OlderJournalTests {
  struct Older: Sendable, CustomTestStringConvertible {
    let commit: String
    let build: String
    let records: UInt64
    let head: String
    /// By kind: configuration, inputs, effects, notes, nonces, dead-man news, states, ends.
    let kinds: [UInt64]
    var testDescription: String { commit }
  }

  static let all = [
    Older(
      commit: "f8fad5c", build: "martlet 0.1.0 ca30be71b764", records: 3_731,
      head: "bb881cb37bd49fe3e49496d03c3ca56f7ba451bf838954b3bb0fac00acb897cb",
      kinds: [2, 3_207, 78, 386, 55, 2, 0, 1]),
    Older(
      commit: "9909418", build: "martlet 0.1.0 dcbaf1e35086", records: 3_781,
      head: "3502952347e3a8d6f66e965bed627f06b0150231372b30e06425333e1cf8d80c",
      kinds: [2, 3_206, 99, 393, 76, 2, 2, 1]),
  ]

  /// Lays the journal of a commit into a folder, as its build left it.
  static func lay(_ older: Older, in folder: String) throws {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let packed = try #require(readFile("/\(root)/Fixtures/Journals/\(older.commit).mjl.zst"))
    var bytes = [UInt8](repeating: 0, count: 16 << 20)
    let count = bytes.withUnsafeMutableBytes { target in
      packed.withUnsafeBytes {
        cmartlet_zstd_unpack(
          target.baseAddress.unsafelyUnwrapped, target.count, $0.baseAddress.unsafelyUnwrapped,
          $0.count)
      }
    }
    try #require(count > 0)
    // Behind what it unpacks zstd may use the target as it likes.
    for index in Int(count)..<bytes.count { bytes[index] = 0 }
    writeFile(folder + "/00000001.mjl", bytes)
  }

  @Test(
    "an older build's journal is read whole: each record, each link, up to the last", arguments: all
  )
  func isRead(older: Older) throws {
    let folder = TemporaryFolder()
    try Self.lay(older, in: folder.path)
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.fault == nil && result.tornTail == nil)
    #expect(result.records == older.records && result.lastSequence == older.records)
    #expect("\(result.head)" == older.head && result.build == older.build)
    // Such builds knew of no lanes.
    #expect(result.marketRecords == 0)
    var reader = try JournalReader.open(folder: folder.path)
    var kinds = [UInt64](repeating: 0, count: 8)
    while let header = try reader.next() {
      let kind = Int(header.kind.rawValue)
      try #require((1...8).contains(kind))
      kinds[kind - 1] += 1
    }
    #expect(kinds == older.kinds)
  }

  @Test("a byte changed anywhere in an older build's journal is found", arguments: all)
  func isNeverFalselySound(older: Older) throws {
    let folder = TemporaryFolder()
    try Self.lay(older, in: folder.path)
    let path = folder.path + "/00000001.mjl"
    let bytes = try #require(readFile(path))
    var random = SeededRandom(seed: 7)
    for _ in 0..<8 {
      var changed = bytes
      let index = Int.random(in: 0..<1_000_000, using: &random)
      changed[index] ^= 1 << UInt8(index % 8)
      writeFile(path, changed)
      let isFound: Bool
      do throws(JournalFault) {
        let result = try JournalReader.verify(folder: folder.path)
        isFound = result.fault != nil || result.lastSequence < older.records
      } catch { isFound = true }
      // Between a payload and its link there are up to seven bytes that say nothing.
      let isPadding = bytes[index] == 0 && !isFound
      if isPadding {
        let result = try JournalReader.verify(folder: folder.path)
        #expect("\(result.head)" == older.head, "byte \(index)")
      } else {
        #expect(isFound, "byte \(index)")
      }
    }
  }

  @Test(
    "an older build's journal is put away and gone on with, and stays one chain", arguments: all)
  func goesOn(older: Older) throws {
    let folder = TemporaryFolder()
    try Self.lay(older, in: folder.path)
    let path = folder.path + "/00000001.mjl"
    let bytes = try #require(readFile(path))
    var options = JournalPartingTests.options()
    options.build = "this build"
    var writer = try JournalWriter.open(folder: folder.path, options: options, at: .zero)
    #expect(!writer.recovery.isNew && writer.recovery.lastSequence == older.records)
    #expect("\(writer.head)" == older.head)
    // Until the older build's own segment, of 16 MB, is full.
    let payload = [UInt8](repeating: 7, count: 60_000)
    while writer.segmentNumber == 1 {
      _ = try writer.append(
        kind: JournalPartingTests.decision, time: .zero, payload: payload.span)
    }
    let last = writer.nextSequence - 1
    try writer.close()
    let head = try JournalReader.verify(folder: folder.path).head
    // What the older build wrote stands as it did.
    let used = try #require(bytes.lastIndex { $0 != 0 })
    let isKept = readFile(path)?[...used] == bytes[...used]
    #expect(isKept)
    #expect(try JournalPartingTests.part(folder.path) == nil)
    #expect(JournalPartingTests.files(folder.path) == ["00000001.mjd", "00000002.mjl"])
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.lastSequence == last && result.head == head)
    let (records, _) = try JournalPartingTests.read(folder.path)
    #expect(records.count == Int(last))
  }
}
