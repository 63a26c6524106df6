import Glibc
import MartletBase
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletRecord
import Testing

/// What a replay makes of a journal that spans two builds, the first of which decided otherwise here and
/// there.
@Suite struct JournalBuildsTests {
  /// A day's journal once more, with the payloads of some records changed, and chained as its writer would.
  private final class Rewritten {
    private let journal: TemporaryJournal
    var folder: String { journal.folder }

    init(
      _ day: TimeTravelTests.WrittenDay, _ change: (RecordHeader, [UInt8]) -> [UInt8]
    ) throws {
      journal = try TemporaryJournal()
      var options = JournalOptions(build: "test")
      options.segmentBytes = 1 << 16
      options.sync = .atClose
      var writer = try JournalWriter.open(folder: folder, options: options, at: .zero)
      var reader = try JournalReader.open(folder: day.folder)
      while let header = try reader.next() {
        let payload = change(header, reader.payload.indices.map { reader.payload[$0] })
        _ = try writer.append(
          kind: header.kind, lane: header.lane, time: header.time, payload: payload.span)
      }
      try writer.close()
    }
  }

  /// Puts another text of the same length in the place of its first occurrence.
  private static func replaced(_ bytes: [UInt8], _ old: String, _ new: String) -> [UInt8] {
    let (old, new) = (Array(old.utf8), Array(new.utf8))
    precondition(old.count == new.count)
    for start in 0..<max(bytes.count - old.count, 0)
    where bytes[start..<start + old.count].elementsEqual(old) {
      return Array(bytes[..<start] + new + bytes[(start + old.count)...])
    }
    return bytes
  }

  /// The first run is another build's.
  private static func otherBuild(
    _ day: TimeTravelTests.WrittenDay, _ header: RecordHeader, _ payload: [UInt8]
  ) -> [UInt8] {
    let kinds = [JournalKind.start, JournalKind.snapshot]
    guard header.sequence < day.starts[1], kinds.contains(header.kind.rawValue) else {
      return payload
    }
    return replaced(payload, "test", "othr")
  }

  private static func flipped(_ payload: [UInt8]) -> [UInt8] {
    payload.dropLast() + [(payload.last ?? 0) ^ 1]
  }

  /// The sequences of notes in a range.
  private static func notes(
    _ day: TimeTravelTests.WrittenDay, in range: Range<UInt64>
  ) throws -> [UInt64] {
    var notes: [UInt64] = []
    var reader = try JournalReader.open(folder: day.folder)
    while let header = try reader.next() {
      if header.kind.rawValue == JournalKind.note, range.contains(header.sequence) {
        notes.append(header.sequence)
      }
    }
    return notes
  }

  @Test(
    "behind what another build decided otherwise the fold begins again at the next state, and compares the rest"
  )
  func eachDifferenceOfBuildsIsTold() throws {
    for seed in UInt64(31)...33 {
      let day = try TimeTravelTests.WrittenDay(seed: seed)
      // One between the second and third state, and one behind the last of that run.
      let states = day.snapshots.filter { $0 < day.starts[1] }
      try #require(states.count > 4, "seed \(seed)")
      let early = try #require(Self.notes(day, in: states[1]..<states[2]).first)
      let late = try #require(Self.notes(day, in: states[3]..<states[4]).first)
      let journal = try Rewritten(day) { header, payload in
        let payload = Self.otherBuild(day, header, payload)
        return header.sequence == early || header.sequence == late
          ? Self.flipped(payload) : payload
      }
      let original = try #require(try JournalFold.whole(day.folder, build: "test")?.written)
      guard let fold = try JournalFold.whole(journal.folder, build: "test") else {
        Issue.record("seed \(seed): no fold")
        return
      }
      #expect(fold.difference == nil && !fold.isIdentical && !fold.isBlind, "seed \(seed)")
      #expect(fold.buildDifferences.map(\.sequence) == [early, late], "seed \(seed)")
      #expect(fold.buildDifferences.map(\.resumed) == [states[2], states[4]], "seed \(seed)")
      #expect(fold.buildDifferences.allSatisfy { $0.build == "othr" }, "seed \(seed)")
      #expect(
        fold.buildDifferences.map { $0.differing?.sequence } == [early, late], "seed \(seed)")
      #expect(fold.buildDifferenceCount == 2 && fold.runs == 2, "seed \(seed)")
      #expect(fold.records == day.last && fold.last == day.last, "seed \(seed)")
      #expect(fold.passed == states[2] - early - 1 + states[4] - late - 1, "seed \(seed)")
      #expect(fold.written == original, "seed \(seed)")
      let verified = try JournalReader.verify(folder: journal.folder)
      #expect(fold.digest == verified.head, "seed \(seed)")

      // Whoever does not say which build this is takes the first for a failure, as within one build.
      guard let plain = try JournalFold.whole(journal.folder) else { return }
      #expect(plain.difference?.contains("record \(early)") == true, "seed \(seed)")
      #expect(plain.last == early && plain.buildDifferenceCount == 0, "seed \(seed)")

      // Just behind the difference the state is not known; from the next kept one on it is again.
      guard
        let blind = try JournalFold.whole(
          journal.folder, to: .sequence(early + 1), build: "test"),
        let known = try JournalFold.seeking(
          journal.folder, to: .sequence(states[2]), build: "test")
      else {
        Issue.record("seed \(seed): no fold")
        return
      }
      #expect(blind.isBlind && blind.isForAnotherBuild)
      #expect(!known.isBlind && !known.isForAnotherBuild)
    }
  }

  @Test(
    "what differs within a run of this build is a failure, and ends the fold, whatever is before it"
  )
  func aDifferenceOfThisBuildIsAFailure() throws {
    let day = try TimeTravelTests.WrittenDay(seed: 34)
    let old = try #require(Self.notes(day, in: 1..<day.starts[1]).dropFirst(5).first)
    let own = try #require(Self.notes(day, in: day.starts[1]..<day.last).dropFirst(5).first)
    let journal = try Rewritten(day) { header, payload in
      let payload = Self.otherBuild(day, header, payload)
      return header.sequence == old || header.sequence == own ? Self.flipped(payload) : payload
    }
    guard let fold = try JournalFold.whole(journal.folder, build: "test") else {
      Issue.record("no fold")
      return
    }
    #expect(fold.difference?.contains("record \(own)") == true)
    #expect(fold.buildDifferences.map(\.sequence) == [old])
    #expect(fold.last == own && fold.build == "test")
  }

  @Test("a state that another build came to otherwise is told, and is what the fold goes on with")
  func anotherState() throws {
    let day = try TimeTravelTests.WrittenDay(seed: 35)
    let states = day.snapshots.filter { $0 < day.starts[1] }
    var donor: [UInt8] = []
    // The state of an earlier moment in the place of a later one: whole, and not what the records lead to.
    let journal = try Rewritten(day) { header, payload in
      let payload = Self.otherBuild(day, header, payload)
      if header.sequence == states[1] { donor = payload }
      return header.sequence == states[2] ? donor : payload
    }
    guard let fold = try JournalFold.whole(journal.folder, build: "test") else {
      Issue.record("no fold")
      return
    }
    #expect(fold.difference == nil && fold.records == day.last)
    #expect(fold.buildDifferences.first?.sequence == states[2])
    #expect(fold.buildDifferences.first?.resumed == states[2])
    #expect(fold.buildDifferences.allSatisfy { $0.sequence < day.starts[1] })
  }

  @Test(
    "a run whose records this build cannot read at all is told, and the runs behind it are compared"
  )
  func unreadableRuns() throws {
    let day = try TimeTravelTests.WrittenDay(seed: 36)
    let journal = try Rewritten(day) { header, payload in
      let payload = Self.otherBuild(day, header, payload)
      return Self.replaced(
        Self.replaced(payload, "martlet-state-1", "martlet-state-9"), "DUSDT\"",
        header.sequence < day.starts[1] ? "DUSDT'" : "DUSDT\"")
    }
    let original = try #require(try JournalFold.whole(day.folder)?.runs)
    #expect(original == 2)
    guard let fold = try JournalFold.whole(journal.folder, build: "test") else {
      Issue.record("no fold")
      return
    }
    // The second run's own states are of a form that this build cannot read either.
    #expect(fold.buildDifferences.first?.sequence == day.starts[0])
    #expect(fold.buildDifferences.first?.build == "othr")
    #expect(fold.buildDifferences.first?.resumed == day.starts[1])
    #expect(fold.difference?.contains("not for this build to read") == true)
    #expect(fold.last > day.starts[1] && fold.first == 1)

    let readable = try Rewritten(day) { header, payload in
      let payload = Self.otherBuild(day, header, payload)
      guard header.sequence < day.starts[1] else { return payload }
      return Self.replaced(
        Self.replaced(payload, "martlet-state-1", "martlet-state-9"), "DUSDT\"", "DUSDT'")
    }
    guard let rest = try JournalFold.whole(readable.folder, build: "test") else {
      Issue.record("no fold")
      return
    }
    #expect(rest.difference == nil && !rest.isIdentical && !rest.isSought && !rest.isBlind)
    #expect(rest.buildDifferences.allSatisfy { $0.resumed == day.starts[1] })
    #expect(rest.records == day.last && rest.first == 1 && rest.runs == 2)
    #expect(rest.passed == day.starts[1] - 1)
    #expect(rest.compared > 50)
  }
}
