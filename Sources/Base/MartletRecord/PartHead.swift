public import MartletBase

/// What stands at the head of each file that a full segment is parted into.
///
/// A segment is parted once nothing is written to it any more: its decisions go to one file, its market
/// records to another, each packed, and the market file may go one day. A file is this head, the packed
/// records without their links, and the SHA-256 of all before it, which is called the file's digest.
///
/// The records of a decisions file lie as they lay in the segment, header and payload, with a `PartGap`
/// for each run of market records taken out; those of a market file one after the other. A link is
/// what follows from the link before it, so none is kept but those around a gap.
///
/// 256 bytes, little-endian: magic `MJP` and version 1 (4), role (1), codec (1), removal (1), 0 (1),
/// journal (16), number (4), 0 (4), segment bytes (8), first and next sequence (16), link before and last
/// link (64), records here (8), market records of the segment (8), plain bytes (8), first and last time
/// (16), last snapshot (8), removed at (8), digest of the market file (32), digest of the decisions file
/// before (32), time of the segment's own first record (8), zeros (8).
public struct PartHead: Equatable, Sendable {
  public enum Role: UInt8, Sendable {
    case decisions = 1
    case market = 2
    /// Stands in a market file's place since retention removed it.
    case receipt = 3
  }

  /// Why a market file was removed.
  public enum Removal: UInt8, Sendable, CustomStringConvertible {
    case none = 0
    /// Older than is kept.
    case age = 1
    /// More than is kept.
    case size = 2

    public var description: String {
      switch self {
      case .none: "kept"
      case .age: "by age"
      case .size: "by size"
      }
    }
  }

  public var role: Role
  public var removal = Removal.none
  public var journalID: JournalID
  /// The segment's.
  public var number: UInt32
  /// What the segment's file was long.
  public var segmentBytes: UInt64
  /// Where the chain of the segment began and ended.
  public var begin: RecordChain
  public var end: RecordChain
  /// In this file, or that were in it; the head of the segment not counted.
  public var records: UInt64
  /// In the market file of the segment; 0 when there is no such file.
  public var marketRecords: UInt64
  /// What is packed here, or was.
  public var plainBytes: UInt64
  /// Of the segment's own first record.
  public var beginTime: Timestamp
  /// Of the records in this file; zero when there are none.
  public var firstTime: Timestamp
  public var lastTime: Timestamp
  /// The sequence of the segment's last record of the kind that a fold may begin with; 0 when it has none.
  public var lastSnapshot: UInt64
  /// Of a receipt: the journal's time when the file went.
  public var removedAt = Timestamp.zero
  /// Of a decisions file, and of a receipt: the digest of the market file. `origin` when there was none.
  public var marketDigest = RecordLink.origin
  /// Of a decisions file: the digest of the one before; `origin` when that was not parted.
  public var formerDigest = RecordLink.origin

  public init(
    role: Role, journalID: JournalID, number: UInt32, segmentBytes: UInt64, begin: RecordChain,
    end: RecordChain, records: UInt64, marketRecords: UInt64, plainBytes: UInt64,
    beginTime: Timestamp, firstTime: Timestamp, lastTime: Timestamp, lastSnapshot: UInt64
  ) {
    self.role = role
    self.journalID = journalID
    self.number = number
    self.segmentBytes = segmentBytes
    self.begin = begin
    self.end = end
    self.records = records
    self.marketRecords = marketRecords
    self.plainBytes = plainBytes
    self.beginTime = beginTime
    self.firstTime = firstTime
    self.lastTime = lastTime
    self.lastSnapshot = lastSnapshot
  }

  public static let bytes = 256
  /// Of the digest behind everything.
  public static let digestBytes = 32
  public static let version: UInt8 = 1
  /// `M`, `J`, `P`.
  static let magic: UInt32 = 0x0050_4a4d
  private static let zstandard: UInt8 = 1

  public func write(into writer: inout SnapshotWriter) {
    let start = writer.bytes.count
    writer.write(PartHead.magic | UInt32(PartHead.version) << 24)
    writer.write(role.rawValue)
    writer.write(PartHead.zstandard)
    writer.write(removal.rawValue)
    writer.write(UInt8(0))
    writer.write(journalID.high)
    writer.write(journalID.low)
    writer.write(number)
    writer.write(UInt32(0))
    writer.write(segmentBytes)
    writer.write(begin.nextSequence)
    writer.write(end.nextSequence)
    writer.write(begin.link)
    writer.write(end.link)
    writer.write(records)
    writer.write(marketRecords)
    writer.write(plainBytes)
    writer.write(firstTime)
    writer.write(lastTime)
    writer.write(lastSnapshot)
    writer.write(removedAt)
    writer.write(marketDigest)
    writer.write(formerDigest)
    writer.write(beginTime)
    while writer.bytes.count < start + PartHead.bytes { writer.write(UInt8(0)) }
  }

  /// Reads the head of a file whose digest was, or will be, checked.
  public init(reading bytes: [UInt8]) throws(PartDamage) {
    guard bytes.count >= PartHead.bytes else {
      throw .cut(expected: PartHead.bytes + PartHead.digestBytes, found: bytes.count)
    }
    do {
      var reader = SnapshotReader(Array(bytes[..<PartHead.bytes]))
      let magic = try reader.read(UInt32.self)
      guard magic & 0x00ff_ffff == PartHead.magic, magic >> 24 != 0 else {
        throw PartDamage.notAPart(found: magic)
      }
      guard magic >> 24 == PartHead.version else {
        throw PartDamage.version(found: UInt8(truncatingIfNeeded: magic >> 24))
      }
      let (role, codec) = (try reader.read(UInt8.self), try reader.read(UInt8.self))
      let removal = try reader.read(UInt8.self)
      guard let role = Role(rawValue: role), let removal = Removal(rawValue: removal),
        codec == PartHead.zstandard, (role == .receipt) == (removal != .none)
      else {
        throw PartDamage.head(
          field: "kind", expected: "1 to 3, packed by zstd",
          found: "\(role), packed by \(codec), removal \(removal)")
      }
      self.role = role
      self.removal = removal
      let zero = try reader.read(UInt8.self)
      journalID = JournalID(high: try reader.read(), low: try reader.read())
      number = try reader.read()
      let zeros = try reader.read(UInt32.self)
      segmentBytes = try reader.read()
      let (first, next) = (try reader.read(UInt64.self), try reader.read(UInt64.self))
      begin = RecordChain(nextSequence: first, link: try reader.link())
      end = RecordChain(nextSequence: next, link: try reader.link())
      records = try reader.read()
      marketRecords = try reader.read()
      plainBytes = try reader.read()
      firstTime = try reader.timestamp()
      lastTime = try reader.timestamp()
      lastSnapshot = try reader.read()
      removedAt = try reader.timestamp()
      marketDigest = try reader.link()
      formerDigest = try reader.link()
      beginTime = try reader.timestamp()
      guard zero == 0, zeros == 0, bytes[248..<PartHead.bytes].allSatisfy({ $0 == 0 }) else {
        throw PartDamage.head(field: "rest", expected: "zeros", found: "other bytes")
      }
      guard number >= 1, next >= first, segmentBytes <= 1 << 40, plainBytes <= segmentBytes,
        records <= next - first, marketRecords <= next - first
      else {
        throw PartDamage.head(
          field: "measures", expected: "those of a segment",
          found: "\(segmentBytes) bytes, records \(first) to before \(next)")
      }
    } catch let damage as PartDamage {
      throw damage
    } catch {
      throw PartDamage.head(field: "fields", expected: "a readable head", found: "\(error)")
    }
  }
}

/// Where in a decisions file market records were taken out, and what ties the records around them.
///
/// 88 bytes, little-endian: magic `MJG` and version 1 (4), 0 (4), first and last sequence (16), the link
/// before and the last link (64).
@frozen public struct PartGap: Equatable, Sendable, BitwiseCopyable {
  public var first: UInt64
  public var last: UInt64
  /// The link of the record before.
  public var before: RecordLink
  /// The link of the last record taken out.
  public var after: RecordLink

  @inlinable public init(first: UInt64, last: UInt64, before: RecordLink, after: RecordLink) {
    self.first = first
    self.last = last
    self.before = before
    self.after = after
  }

  public static let bytes = 88
  /// `M`, `J`, `G`, 1.
  @usableFromInline static var magicAndVersion: UInt32 { 0x0147_4a4d }

  public var count: UInt64 { last - first + 1 }

  /// Whether a gap, and not a record, begins with these four bytes.
  @inlinable public static func begins(_ word: UInt32) -> Bool { word == magicAndVersion }

  /// The gap as it lies.
  @inlinable public var words: InlineArray<11, UInt64> {
    [
      UInt64(PartGap.magicAndVersion).littleEndian, first.littleEndian, last.littleEndian,
      before.words.0, before.words.1, before.words.2, before.words.3,
      after.words.0, after.words.1, after.words.2, after.words.3,
    ]
  }

  /// - Returns: nil when the words are no gap.
  @inlinable public init?(_ words: InlineArray<11, UInt64>) {
    guard UInt64(littleEndian: words[0]) == UInt64(PartGap.magicAndVersion) else { return nil }
    first = UInt64(littleEndian: words[1])
    last = UInt64(littleEndian: words[2])
    before = RecordLink(words: (words[3], words[4], words[5], words[6]))
    after = RecordLink(words: (words[7], words[8], words[9], words[10]))
    guard first >= RecordFraming.firstSequence, last >= first, last < .max else { return nil }
  }
}

/// What is wrong with a part of a segment.
public enum PartDamage: Error, Equatable, Sendable {
  case cut(expected: Int, found: Int)
  /// No part begins with these four bytes.
  case notAPart(found: UInt32)
  case version(found: UInt8)
  /// The file's bytes are not those that were written.
  case digest(expected: RecordLink, found: RecordLink)
  /// The head says what cannot be true here.
  case head(field: String, expected: String, found: String)
  /// What is packed cannot be unpacked, or is not as long as the head says.
  case packed
  /// A record does not prove itself; where it would lie in the segment.
  case record(RecordFault)
  /// The file is not there, and no receipt says that retention removed it.
  case lost
}

extension PartDamage: CustomStringConvertible {
  public var description: String {
    switch self {
    case .cut(let expected, let found):
      "expected at least \(expected) bytes, found \(found)"
    case .notAPart(let found):
      "expected a part's magic \(hexadecimal(PartHead.magic | UInt32(PartHead.version) << 24)), found \(hexadecimal(found))"
    case .version(let found): "expected part version \(PartHead.version), found \(found)"
    case .digest(let expected, let found): "expected digest \(expected), found \(found)"
    case .head(let field, let expected, let found):
      "expected the part's \(field) to be \(expected), found \(found)"
    case .packed: "expected packed records, found what cannot be unpacked"
    case .record(let fault): "\(fault)"
    case .lost: "missing, and no receipt says that retention removed it"
    }
  }
}

extension SnapshotWriter {
  /// A digest as it lies in memory.
  mutating func write(_ link: RecordLink) {
    write(UInt64(littleEndian: link.words.0))
    write(UInt64(littleEndian: link.words.1))
    write(UInt64(littleEndian: link.words.2))
    write(UInt64(littleEndian: link.words.3))
  }
}

extension SnapshotReader {
  mutating func link() throws(Fault) -> RecordLink {
    RecordLink(
      words: (
        try read(UInt64.self).littleEndian, try read(UInt64.self).littleEndian,
        try read(UInt64.self).littleEndian, try read(UInt64.self).littleEndian
      ))
  }
}
