import MartletBase
import MartletRecord
import Testing

@Suite struct SegmentHeaderTests {
  static let header = SegmentHeader(
    journalID: JournalID(high: 0xfeed, low: 0xbeef), number: 3, segmentBytes: 1 << 24,
    firstSequence: 77, previousLink: RecordLink(words: (1, 2, 3, 4)), build: "martlet 0.1 abcdef",
    createdAt: Timestamp(milliseconds: 1_700_000_000_000))

  @Test func itReadsBackWhatItWrote() throws {
    var writer = SnapshotWriter()
    Self.header.write(into: &writer)
    #expect(try SegmentHeader(reading: writer.bytes.copy()) == Self.header)
    #expect(Self.header.journalID.description == "000000000000feed000000000000beef")
  }

  @Test func aHeadCutOrGrownIsRefused() {
    var writer = SnapshotWriter()
    Self.header.write(into: &writer)
    let bytes = writer.bytes.copy()
    for length in 0..<bytes.count {
      #expect(throws: SnapshotReader.Fault.self) {
        try SegmentHeader(reading: Array(bytes[..<length]))
      }
    }
    #expect(throws: SnapshotReader.Fault.self) { try SegmentHeader(reading: bytes + [0]) }
  }

  @Test func aLongBuildIsCutAtAWholeCharacter() throws {
    var header = Self.header
    header.build = String(repeating: "ü", count: 600)
    var writer = SnapshotWriter()
    header.write(into: &writer)
    let read = try SegmentHeader(reading: writer.bytes.copy())
    #expect(read.build == String(repeating: "ü", count: 512))
  }
}
