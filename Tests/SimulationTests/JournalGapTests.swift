import Glibc
import MartletBase
import MartletKernel
import MartletLive
import MartletRecord
import Testing

@testable import MartletJournalFile

/// What can still be folded and compared of a journal whose oldest market frames are gone.
@Suite struct JournalGapTests {
  /// Puts all full segments away, and lets market files go where `letsGo`.
  private func part(_ folder: String, letsGo: Bool) throws {
    var parting = JournalParting()
    parting.snapshot = RecordKind(JournalKind.snapshot)
    parting.keepMarketBytes = letsGo ? 0 : nil
    let place = JournalFolder(folder)
    let parter = SegmentParter(place, parting)
    parter.begin()
    parter.work(upTo: try #require(place.segments().last) - 1)
    #expect(parter.fault == nil)
  }

  private func removeParts(_ folder: String) {
    for number in UInt32(1)...200 {
      let place = JournalFolder(folder)
      unlink(place.path(number, .decisions))
      unlink(place.path(number, .market))
    }
    let place = JournalFolder(folder)
    for number in UInt32(1)...200 { unlink(place.path(number)) }
  }

  @Test("a parted journal folds as it did, and seeks to the same states")
  func partedFoldsAsItDid() throws {
    let day = try TimeTravelTests.WrittenDay(seed: 21)
    defer { removeParts(day.folder) }
    let before = try #require(try digestOfFold(day.folder))
    try part(day.folder, letsGo: false)
    #expect(try JournalReader.verify(folder: day.folder).parted > 2)
    let after = try #require(try digestOfFold(day.folder))
    #expect(after == before)
    for sequence in stride(from: UInt64(3), through: day.last, by: 173) {
      let whole = try state(.whole, day.folder, sequence)
      #expect(try state(.sought, day.folder, sequence) == whole, "record \(sequence)")
    }
  }

  @Test(
    "with its oldest market frames gone a journal folds from the next state on, and says so")
  func foldsBehindTheGap() throws {
    for seed in UInt64(21)...23 {
      let day = try TimeTravelTests.WrittenDay(seed: seed)
      defer { removeParts(day.folder) }
      let before = try #require(try digestOfFold(day.folder))
      var states: [UInt64: [UInt8]] = [:]
      for sequence in stride(from: UInt64(3), through: day.last, by: 61) {
        states[sequence] = try state(.whole, day.folder, sequence)
      }
      try part(day.folder, letsGo: true)
      let proven = try JournalReader.verify(folder: day.folder)
      #expect(proven.isSound && proven.goneRecords > 0, "seed \(seed)")

      guard let fold = try JournalFold.whole(day.folder) else {
        Issue.record("seed \(seed): no fold")
        return
      }
      #expect(fold.difference == nil, "seed \(seed)")
      #expect(fold.gone == proven.goneRecords && fold.gap == proven.gone, "seed \(seed)")
      #expect(fold.skipped > 0 && !fold.isBlind, "seed \(seed)")
      #expect(day.snapshots.contains(fold.resumed), "seed \(seed)")
      #expect(fold.written == before.state && "\(fold.digest)" == before.digest, "seed \(seed)")
      #expect(fold.compared > 100 && fold.compared < before.compared, "seed \(seed)")

      // At any record: the state as it was, or word that it is not known.
      var known = 0
      for sequence in stride(from: UInt64(3), through: day.last, by: 61) {
        for way in [Way.whole, .sought] {
          guard let found = try state(way, day.folder, sequence) else { continue }
          known += 1
          #expect(found == states[sequence], "seed \(seed) record \(sequence)")
        }
      }
      #expect(known > 2 && known < states.count * 2, "seed \(seed)")
    }
  }

  @Test("a decision that is not what the frames lead to is found behind a gap too")
  func differencesBehindTheGap() throws {
    let day = try TimeTravelTests.WrittenDay(seed: 24)
    defer { removeParts(day.folder) }
    try part(day.folder, letsGo: true)
    // The last run goes on with a note that nothing causes.
    var options = JournalOptions(build: "test")
    options.segmentBytes = 1 << 16
    var writer = try JournalWriter.open(folder: day.folder, options: options, at: .zero)
    let note: [UInt8] = [1, 2, 3]
    _ = try writer.append(
      kind: RecordKind(JournalKind.note), time: Timestamp.distantFuture, payload: note.span)
    try writer.close()
    guard let fold = try JournalFold.whole(day.folder) else {
      Issue.record("no fold")
      return
    }
    #expect(fold.difference?.contains("record \(day.last + 1)") == true)
  }

  private enum Way { case whole, sought }

  /// The state at a record; nil where the fold cannot know it.
  private func state(
    _ way: Way, _ folder: String, _ sequence: UInt64
  ) throws -> [UInt8]? {
    let moment = JournalMoment.sequence(sequence)
    guard
      let fold = way == .whole
        ? try JournalFold.whole(folder, to: moment) : try JournalFold.seeking(folder, to: moment)
    else { return nil }
    #expect(fold.difference == nil, "record \(sequence): \(fold.difference ?? "")")
    return fold.isBlind ? nil : fold.written
  }

  private func digestOfFold(
    _ folder: String
  ) throws -> (state: [UInt8], digest: String, compared: UInt64)? {
    guard let fold = try JournalFold.whole(folder) else { return nil }
    #expect(fold.difference == nil && fold.gone == 0)
    return (fold.written, "\(fold.digest)", fold.compared)
  }
}
