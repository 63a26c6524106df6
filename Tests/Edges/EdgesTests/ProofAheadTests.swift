import CMartletLinux
import Glibc
import MartletBase
import MartletRecord
import Synchronization
import Testing

@testable import MartletJournalFile

/// A second thread that proves ahead changes nothing of what a reader gives and throws.
@Suite struct ProofAheadTests {
  /// How a reader is driven.
  enum Pace: CaseIterable {
    /// Nobody proves ahead.
    case alone
    /// As fast as it goes: the thread is overtaken.
    case fast
    /// The thread is ahead wherever it can be.
    case slow
  }

  /// All that a reader says, up to its end or its fault, which it must say again.
  static func trace(_ folder: String, _ pace: Pace) -> [String] {
    var said: [String] = []
    do throws(JournalFault) {
      var reader = try JournalReader.open(folder: folder)
      if pace != .alone { reader.proveAhead() }
      func say(_ fault: JournalFault) { said.append("fault \(fault)") }
      do throws(JournalFault) {
        while let header = try reader.next() {
          var sum: UInt64 = 14_695_981_039_346_656_037
          for index in reader.payload.indices {
            sum = (sum ^ UInt64(reader.payload[index])) &* 1_099_511_628_211
          }
          said.append(
            "\(reader.file) \(reader.offset) \(header) \(sum) \(reader.chain) gap \(String(describing: reader.gap))"
          )
          if pace == .slow { for _ in 0..<3 { sched_yield() } }
        }
        said.append(
          "end \(reader.file) \(reader.offset) \(String(describing: reader.tornTail)) \(String(describing: reader.gap))"
        )
      } catch { say(error) }
      do throws(JournalFault) { said.append("again \(try reader.next() == nil)") } catch {
        say(error)
      }
    } catch { said.append("closed \(error)") }
    return said
  }

  @Test("sound, damaged, cut and torn journals say the same at the same record, ahead or not")
  func theSameIsSaid() throws {
    var faults = 0
    for seed in UInt64(1)...60 {
      let folder = TemporaryFolder()
      var random = SeededRandom(seed: seed)
      _ = try JournalPartingTests.write(
        Int.random(in: 250...700, using: &random), seed: seed, to: folder.path)
      let place = JournalFolder(folder.path)
      let last = try #require(try place.segments().last)
      let number = UInt32.random(in: 1...last, using: &random)
      let path = place.path(number)
      var bytes = try #require(readFile(path))
      switch seed % 6 {
      case 0: break
      case 1:
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
      case 2: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      case 3:
        // Nothing behind a place, as where a power cut met the writer.
        let at = Int.random(in: 0..<bytes.count, using: &random)
        for index in at..<bytes.count { bytes[index] = 0 }
      case 4:
        let at = Int.random(in: 0..<bytes.count - 512, using: &random)
        for index in at..<at + 512 { bytes[index] = 0 }
      default:
        bytes = try #require(readFile(place.path(UInt32.random(in: 1...last, using: &random))))
      }
      writeFile(path, bytes)
      if seed % 7 == 0 { unlink(place.path(UInt32.random(in: 1...last, using: &random))) }
      let due = Self.trace(folder.path, .alone)
      if due.contains(where: { $0.hasPrefix("fault") || $0.hasPrefix("closed") }) { faults += 1 }
      for pace in [Pace.fast, .slow] {
        let found = Self.trace(folder.path, pace)
        #expect(found == due, "seed \(seed), \(pace): \(found.suffix(2)) for \(due.suffix(2))")
      }
    }
    #expect(faults > 20)
  }

  @Test("so do journals whose segments were put away, whole, damaged and with gaps")
  func partedJournals() throws {
    for seed in UInt64(1)...16 {
      let folder = TemporaryFolder()
      var random = SeededRandom(seed: seed)
      _ = try JournalPartingTests.write(900, seed: seed, to: folder.path)
      var parting = JournalParting()
      if seed % 2 == 0 { parting.keepMarketBytes = 20_000 }
      try JournalPartingTests.part(folder.path, parting, keep: UInt32(seed % 3))
      if seed % 4 == 3 {
        let names = JournalPartingTests.files(folder.path).filter { !$0.hasSuffix(".mjl") }
        let path = folder.path + "/" + (try #require(names.randomElement(using: &random)))
        var bytes = try #require(readFile(path))
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 16
        writeFile(path, bytes)
      }
      let due = Self.trace(folder.path, .alone)
      for pace in [Pace.fast, .slow] {
        #expect(Self.trace(folder.path, pace) == due, "seed \(seed), \(pace)")
      }
    }
  }

  @Test("a reader with a thread ahead follows a journal while it is written")
  func aGrowingJournal() throws {
    let folder = TemporaryFolder()
    var writer = try JournalWriter.open(
      folder: folder.path, options: JournalPartingTests.options(), at: .zero)
    var random = SeededRandom(seed: 21)
    func append(_ writer: inout JournalWriter) throws -> UInt64 {
      let payload = [UInt8](repeating: 3, count: Int.random(in: 0...900, using: &random))
      return try writer.append(kind: RecordKind(2), time: .zero, payload: payload.span)
    }
    var written = try append(&writer)
    var reader = try JournalReader.open(folder: folder.path)
    reader.proveAhead()
    var read: UInt64 = 0
    for _ in 0..<300 {
      for _ in 0..<Int.random(in: 0...8, using: &random) { written = try append(&writer) }
      while let header = try reader.next() {
        #expect(header.sequence == read + 1)
        read = header.sequence
      }
      #expect(read == written && reader.tornTail == nil)
    }
    #expect(reader.segment.number > 5)
    try writer.close()
  }

  /// A journal's folder that notes which segment was loaded last.
  private struct Watched: SegmentStore {
    final class Highest: Sendable { let number = Atomic<UInt32>(0) }
    let folder: JournalFolder
    let highest = Highest()
    var path: String { folder.path }
    func makeFolder() throws(JournalFault) { try folder.makeFolder() }
    func segments() throws(JournalFault) -> [UInt32] { try folder.segments() }
    func prepare(_ number: UInt32, bytes: Int, isNew: Bool) throws(JournalFault) -> MappedSegment {
      try folder.prepare(number, bytes: bytes, isNew: isNew)
    }
    func map(_ number: UInt32) throws(JournalFault) -> MappedSegment? {
      let mapped = try folder.map(number)
      if mapped != nil { highest.number.max(number, ordering: .relaxed) }
      return mapped
    }
    func merged(_ number: UInt32) throws(JournalFault) -> MergedSegment? {
      try folder.merged(number)
    }
    func remove(_ number: UInt32) throws(JournalFault) { try folder.remove(number) }
    func sync(_ segment: MappedSegment) throws(JournalFault) { try folder.sync(segment) }
    func syncNames() { folder.syncNames() }
    func isSameBoot() -> Bool { folder.isSameBoot() }
    func noteBoot() { folder.noteBoot() }
    func keep(
      _ bytes: Span<UInt8>, of number: UInt32, under line: String
    ) throws(JournalFault) -> String { try folder.keep(bytes, of: number, under: line) }
    func lock() throws(JournalFault) -> Int32 { try folder.lock() }
    func unlock(_ lock: Int32) { folder.unlock(lock) }
  }

  @Test(
    "the thread comes to the end of the segment and of the next one, and no further",
    .enabled(if: cmartlet_processor_count() > 1, "with one processor nobody proves ahead"))
  func ahead() throws {
    let folder = TemporaryFolder()
    let written = try JournalPartingTests.write(1_200, seed: 22, to: folder.path)
    let store = Watched(folder: JournalFolder(folder.path))
    // Where the last record of each segment ends.
    var ends: [Int] = []
    for number in try store.segments() {
      let mapped = try #require(try store.folder.map(number))
      defer { mapped.close() }
      var walk = RecordWalk()
      while walk.next(in: mapped.span) != nil {}
      ends.append(walk.offset)
    }
    try #require(ends.count > 4)
    var reader = try JournalReader.open(store)
    reader.proveAhead()
    var read = 0
    var segment: UInt32 = 0
    while try reader.next() != nil {
      read += 1
      guard reader.segment.number > segment else { continue }
      segment = reader.segment.number
      // Bounded by the test's own time limit.
      while reader.proof?.proven.load(ordering: .acquiring) != ends[Int(segment) - 1] {
        sched_yield()
      }
      let next = min(segment + 1, UInt32(ends.count))
      while store.highest.number.load(ordering: .relaxed) < next { sched_yield() }
      // With a whole segment proven it could have gone on for long by now.
      #expect(store.highest.number.load(ordering: .relaxed) == next)
    }
    #expect(read == written.count)
  }

  @Test("the proof stops at the first place that is no whole record, or begins where the reader is")
  func whereItStops() throws {
    let folder = TemporaryFolder()
    _ = try JournalPartingTests.write(100, seed: 23, to: folder.path)
    let store = JournalFolder(folder.path)
    var offsets: [Int] = []
    let whole = try #require(try store.map(1))
    var walk = RecordWalk()
    while walk.next(in: whole.span) != nil { offsets.append(walk.recordOffset) }
    let end = walk.offset
    whole.close()
    var bytes = try #require(readFile(store.path(1)))
    bytes[offsets[40] + 35] ^= 1
    writeFile(store.path(1), bytes)
    func proof() throws -> ProvenSegment {
      let loaded = try #require(try LoadedSegment.load(1, in: store))
      let chain = RecordWalk.chain(at: offsets[1], in: loaded.mapped.span)
      return ProvenSegment(loaded, at: offsets[1], after: try #require(chain))
    }
    let first = try proof()
    first.prove()
    #expect(first.proven.load(ordering: .relaxed) == offsets[40])
    let second = try proof()
    second.reached.store(offsets[60], ordering: .relaxed)
    second.prove()
    #expect(second.proven.load(ordering: .relaxed) == end)
    let left = try proof()
    left.isLeft.store(true, ordering: .relaxed)
    left.prove()
    #expect(left.proven.load(ordering: .relaxed) == offsets[1])
  }
}
