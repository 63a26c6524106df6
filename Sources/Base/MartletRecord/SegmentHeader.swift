public import MartletBase

/// What the first record of every segment says of its journal.
public struct SegmentHeader: Equatable, Sendable {
  /// Drawn at random when the journal began; the same in all its segments.
  public var journalID: JournalID
  /// From 1, and the number in the file's name.
  public var number: UInt32
  /// Bytes made ready for the segment; a file that is shorter was cut.
  public var segmentBytes: UInt64
  /// The sequence of the first record after this one.
  public var firstSequence: UInt64
  /// The link of the last record of the segment before; `origin` in the first.
  public var previousLink: RecordLink
  /// Which build writes this segment.
  ///
  /// - Bounds: at most 1,024 bytes of UTF-8.
  public var build: String
  public var createdAt: Timestamp

  public init(
    journalID: JournalID, number: UInt32, segmentBytes: UInt64,
    firstSequence: UInt64, previousLink: RecordLink, build: String, createdAt: Timestamp
  ) {
    self.journalID = journalID
    self.number = number
    self.segmentBytes = segmentBytes
    self.firstSequence = firstSequence
    self.previousLink = previousLink
    self.build = build
    self.createdAt = createdAt
  }

  /// The longest `build` a segment takes.
  public static let maximumBuildBytes = 1024
  static let layout: UInt8 = 1

  /// Writes the payload of a segment's first record.
  ///
  /// A `build` longer than its bound is cut at a whole character.
  public func write(into writer: inout SnapshotWriter) {
    var build = build
    while build.utf8.count > SegmentHeader.maximumBuildBytes { build.removeLast() }
    writer.write(SegmentHeader.layout)
    writer.write(journalID.high)
    writer.write(journalID.low)
    writer.write(number)
    writer.write(segmentBytes)
    writer.write(firstSequence)
    writer.write(UInt64(littleEndian: previousLink.words.0))
    writer.write(UInt64(littleEndian: previousLink.words.1))
    writer.write(UInt64(littleEndian: previousLink.words.2))
    writer.write(UInt64(littleEndian: previousLink.words.3))
    writer.write(build)
    writer.write(createdAt)
  }

  /// Reads the payload of a segment's first record.
  ///
  /// - Throws: what about it cannot be true.
  public init(reading payload: [UInt8]) throws(SnapshotReader.Fault) {
    var reader = SnapshotReader(payload)
    let layout = try reader.read(UInt8.self)
    guard layout == SegmentHeader.layout else {
      throw .impossible("segment layout \(layout)", offset: 0)
    }
    journalID = JournalID(high: try reader.read(), low: try reader.read())
    number = try reader.read()
    segmentBytes = try reader.read()
    firstSequence = try reader.read()
    previousLink = RecordLink(
      words: (
        try reader.read(UInt64.self).littleEndian, try reader.read(UInt64.self).littleEndian,
        try reader.read(UInt64.self).littleEndian, try reader.read(UInt64.self).littleEndian
      ))
    build = try reader.text()
    createdAt = try reader.timestamp()
    guard reader.isAtEnd else { throw .impossible("bytes after it", offset: reader.offset) }
    guard number >= 1, segmentBytes <= UInt64(Int.max) else {
      throw .impossible("segment \(number) of \(segmentBytes) bytes", offset: 0)
    }
  }
}

/// A journal's own name, drawn at random when it began.
public struct JournalID: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  public let high: UInt64
  public let low: UInt64
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// 32 hexadecimal digits.
  public var description: String {
    [high, low].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
