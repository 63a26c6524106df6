public import MartletBase

/// What a walk over a full segment finds before it is parted: its chain holds, and what goes where.
public struct SegmentSurvey: Equatable, Sendable {
  /// What goes to one file.
  public struct Share: Equatable, Sendable {
    /// The head of the segment not counted.
    public var records: UInt64 = 0
    /// Headers, payloads and gaps.
    public var plainBytes: UInt64 = 0
    public var firstTime = Timestamp.zero
    public var lastTime = Timestamp.zero

    mutating func take(_ header: RecordHeader) {
      plainBytes += UInt64(RecordFraming.headerBytes) + UInt64(header.payloadBytes)
      guard header.kind != .segment else { return }
      if records == 0 { firstTime = header.time }
      lastTime = header.time
      records += 1
    }
  }

  public private(set) var header: SegmentHeader
  public private(set) var begin: RecordChain
  public private(set) var end: RecordChain
  public private(set) var decisions = Share()
  public private(set) var market = Share()
  public private(set) var lastSnapshot: UInt64 = 0
  /// The time of the segment's own first record.
  public private(set) var beginTime = Timestamp.zero
  /// Where the last record ends.
  public private(set) var usedBytes = 0

  public enum Outcome: Equatable, Sendable {
    case whole(SegmentSurvey)
    /// Nothing was written to it yet.
    case unused
    /// It does not prove itself, and stays as it is.
    case faulty(RecordFault)
  }

  /// Proves every record of a segment, whose own head says where in the chain it stands.
  ///
  /// - Parameter snapshot: the kind of record that a fold may begin with.
  public static func take(
    _ number: UInt32, in segment: Span<UInt8>, snapshot: RecordKind?,
    using hashing: some RecordHashing
  ) -> Outcome {
    let begin = claim(of: segment, using: hashing) ?? RecordChain()
    var scanner = RecordScanner(hashing: hashing, after: begin)
    let header: SegmentHeader
    switch scanner.begin(segment: number, in: segment) {
    case .begun(let found): header = found
    case .unused: return .unused
    case .torn(let fault), .corrupt(let fault): return .faulty(fault)
    }
    var survey = SegmentSurvey(header: header, begin: begin, end: begin)
    var walk = RecordWalk()
    if let (own, _) = walk.next(in: segment) { survey.takeOwn(own) }
    var isInGap = false
    while true {
      switch scanner.next(in: segment) {
      case .record(let record, _):
        let isMarket = record.lane == .market
        if isMarket {
          survey.market.take(record)
          if !isInGap { survey.decisions.plainBytes += UInt64(PartGap.bytes) }
        } else {
          survey.decisions.take(record)
          if record.kind == snapshot { survey.lastSnapshot = record.sequence }
        }
        isInGap = isMarket
      case .end:
        survey.end = scanner.chain
        survey.usedBytes = scanner.offset
        return .whole(survey)
      case .torn(let fault), .corrupt(let fault): return .faulty(fault)
      }
    }
  }

  private static func claim<Hashing: RecordHashing>(
    of segment: Span<UInt8>, using hashing: Hashing
  ) -> RecordChain? { RecordScanner<Hashing>.claim(of: segment) }

  /// The segment's own first record, which is a decision like others.
  private mutating func takeOwn(_ header: RecordHeader) {
    decisions.take(header)
    beginTime = header.time
  }

  private init(header: SegmentHeader, begin: RecordChain, end: RecordChain) {
    self.header = header
    self.begin = begin
    self.end = end
  }

  /// The head of the file that has this share.
  ///
  /// - Parameter segmentBytes: what the segment's file is long.
  public func head(of role: PartHead.Role, segmentBytes: Int) -> PartHead {
    let share = role == .decisions ? decisions : market
    return PartHead(
      role: role, journalID: header.journalID, number: header.number,
      segmentBytes: UInt64(segmentBytes), begin: begin, end: end, records: share.records,
      marketRecords: market.records, plainBytes: share.plainBytes, beginTime: beginTime,
      firstTime: share.firstTime,
      lastTime: share.lastTime, lastSnapshot: lastSnapshot)
  }
}

extension RecordHeader {
  /// - Throws: why these words are no header of a record.
  @inlinable public init(checking words: InlineArray<4, UInt64>) throws(RecordDamage) {
    let magic = UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0]))
    guard magic == RecordFraming.magicAndVersion else { throw .notARecord(found: magic) }
    self.init(words: words)
    guard flags == 0 else { throw .flags(found: flags) }
    guard Int(payloadBytes) <= RecordFraming.maximumPayloadBytes else {
      throw .payloadBytes(limit: RecordFraming.maximumPayloadBytes, found: Int(payloadBytes))
    }
  }
}

extension RecordLink {
  /// The link that ends before `end`.
  public init(before end: Int, in segment: Span<UInt8>) {
    var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
    for index in 0..<4 {
      var word: UInt64 = 0
      for byte in 0..<8 {
        word |= UInt64(segment[end - RecordFraming.linkBytes + index * 8 + byte]) << (byte * 8)
      }
      words[index] = word.littleEndian
    }
    self.init(words: (words[0], words[1], words[2], words[3]))
  }
}

extension RecordChain {
  /// Proves a record that lies without its link, and moves on to it.
  ///
  /// - Returns: the link that belongs behind it.
  @inlinable public mutating func restore(
    _ words: InlineArray<4, UInt64>, payload: RawSpan, using hashing: borrowing some RecordHashing
  ) throws(RecordDamage) -> RecordLink {
    let header = try RecordHeader(checking: words)
    let checksum = RecordChain.checksum(of: words, payload: payload, using: hashing)
    guard checksum == header.checksum else {
      throw .checksum(expected: checksum, found: header.checksum)
    }
    guard header.sequence == nextSequence else {
      throw .sequence(expected: nextSequence, found: header.sequence)
    }
    // Words are whole bytes without padding between them.
    let next = unsafe hashing.link(after: link, header: words.span.bytes, payload: payload)
    accept(header.kind, next)
    return next
  }
}
