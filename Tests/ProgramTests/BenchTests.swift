import MartletBench
import MartletJournalFile
import MartletLive
import MartletRecord
import Testing

/// Every benchmark runs, so that none rots. No figure is asserted: this is a debug build, and
/// allocations are counted for good in the release program (`Tests/Conformance/bench_allocations.sh`).
@Suite struct BenchTests {
  @Test("every benchmark runs and does some work", arguments: BenchSuite.names)
  func everyBenchmarkRuns(name: String) throws {
    let folder = try BenchFolder()
    let result = try folder.suite().run(name)
    #expect(result.name == name)
    #expect(result.ops > 0)
    #expect(result.checksum > 0)
    #expect(try #require(result.nanosecondsPerOp) > 0)
    let (p50, p99) = (try #require(result.p50), try #require(result.p99))
    #expect(p50 > 0 && p99 >= p50)
    #expect(!BenchSuite.purpose(of: name).isEmpty)
    let isEmpty = folder.isEmpty
    #expect(isEmpty, "\(name) leaves files behind")
  }

  @Test(
    "two runs do the same work",
    arguments: ["fill-to-signed", "quiet-step", "depth-20", "replay", "snapshot"])
  func sameWorkEachTime(name: String) throws {
    let folder = try BenchFolder()
    let first = try folder.suite().run(name)
    let second = try folder.suite().run(name)
    #expect(first.checksum == second.checksum)
    #expect(first.ops == second.ops)
  }

  @Test("an unknown benchmark is an error that names it")
  func unknownName() throws {
    let folder = try BenchFolder()
    #expect(throws: BenchSuite.Fault.self) { try folder.suite().run("depth-21") }
  }

  @Test("a result is a row with every column, and an object with the frozen keys")
  func resultsAsText() {
    var result = BenchResult(
      name: "depth-20", ops: 512, nanosecondsPerOp: 612.345, p50: 600, p99: 1_200,
      allocations: 0.0001, checksum: 255, note: "a note")
    #expect(
      result.json
        == "{\"name\":\"depth-20\",\"ops\":512,\"ns_per_op\":612.35,\"p50\":600,\"p99\":1200,"
        + "\"allocations\":0.01,\"peak_kb\":null,\"checksum\":\"ff\",\"note\":\"a note\"}")
    let row = result.row.split(separator: " ").map(String.init)
    #expect(row == ["depth-20", "512", "612.35", "600", "1200", "0.01", "ff", "a", "note"])
    #expect(
      BenchResult.header.split(separator: " ").map(String.init)
        == ["name", "ops", "ns_per_op", "p50", "p99", "allocations", "checksum"])
    result.p99 = nil
    #expect(result.json.contains("\"p99\":null"))
    result.peakKilobytes = 65_536
    #expect(result.json.contains("\"peak_kb\":65536"))
    #expect(BenchResult(name: "x", ops: 1, checksum: 0).checksum > 0)
  }

  @Test("what a machine lacks is said, with every key and without a figure")
  func skippedResult() {
    let result = BenchResult.skipped("guide-python", because: "python3 is not on PATH")
    #expect(
      result.json
        == "{\"name\":\"guide-python\",\"ops\":0,\"ns_per_op\":null,\"p50\":null,\"p99\":null,"
        + "\"allocations\":null,\"peak_kb\":null,\"checksum\":\"0\","
        + "\"note\":\"skipped: python3 is not on PATH\"}")
    #expect(result.row.hasSuffix("skipped: python3 is not on PATH"))
    #expect(result.violation == nil)
  }
}

/// The journal that `journal-seek` looks into, in the small.
@Suite struct LongJournalTests {
  @Test(
    "any record of a long journal is found from a state close before it, and folds to what it holds"
  )
  func seeking() throws {
    let folder = try BenchFolder()
    let suite = folder.suite()
    let path = folder.path + "/long"
    try suite.makeJournal(records: 8_000, at: path)
    defer { suite.removeJournal(at: path) }
    for sequence in [1, 2, 399, 801, 4_000, 7_999, 8_000] as [UInt64] {
      guard let fold = try JournalFold.seeking(path, to: .sequence(sequence)) else {
        Issue.record("no state at record \(sequence)")
        continue
      }
      #expect(fold.difference == nil && fold.last == sequence)
      #expect(fold.records <= 1_000, "record \(sequence) was folded from \(fold.first) on")
      #expect(fold.state.orders.count == (sequence > 801 ? 20 : fold.state.orders.count))
    }
  }

  @Test("a seek in a journal whose segments were put away unpacks little more than it folds")
  func seekingInParts() throws {
    let folder = try BenchFolder()
    let suite = folder.suite()
    let path = folder.path + "/long"
    // So long that books told at the beginning would be late by the end.
    try suite.makeJournal(records: 24_000, at: path, segmentBytes: 1 << 19)
    defer { suite.removeJournal(at: path) }
    let store = WatchedJournal(JournalFolder(path))
    let numbers = try store.segments()
    var begins: [UInt64] = []
    var parted = 0
    for number in numbers {
      begins.append(try #require(try store.head(number)).sequence)
      if try store.isParted(number) { parted += 1 }
    }
    // The newest full ones and the one being written stay as they are.
    try #require(parted > 4 && parted == numbers.count - 3)
    func segment(of sequence: UInt64) -> Int { begins.lastIndex { $0 <= sequence } ?? 0 }
    for sequence in stride(from: UInt64(1), through: 24_000, by: 1_111) {
      store.reset()
      guard let fold = try JournalFold.seeking(store, to: .sequence(sequence)) else {
        Issue.record("no state at record \(sequence)")
        continue
      }
      #expect(fold.difference == nil && fold.last == sequence)
      #expect(fold.records <= 2_400, "record \(sequence) was folded from \(fold.first) on")
      let work = store.work
      let span = segment(of: sequence) - segment(of: fold.first) + 1
      #expect(work.whole == 0, "record \(sequence)")
      #expect(work.looks <= span && work.pieces <= span, "record \(sequence)")
      // What is folded; the decisions between the last gap and the state; and in each segment its own first
      // record and one behind the moment.
      #expect(work.laid <= fold.records + 64 + 2 * UInt64(work.pieces), "record \(sequence)")
    }
  }
}
