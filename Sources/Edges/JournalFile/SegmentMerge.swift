internal import Glibc
internal import MartletBase
internal import MartletRecord

/// Puts the two parts of a segment together again, record by record, and proves each one: its checksum,
/// its place, and the link that follows from the one before. The decisions need the market file for nothing.
struct SegmentMerge: ~Copyable {
  private var decisions: PartReader
  private var market: PartReader?
  /// What was found to be wrong with the market file.
  private var damage: PartDamage?
  private let mayBeDamaged: Bool
  private let segment: MappedSegment
  private let hashing = LibraryHashing()
  private var chain: RecordChain
  private var offset = 0
  /// Up to where anything was ever put.
  private var touched = 0
  private var gaps: [PlacedGap] = []
  private let piece: SegmentPiece
  /// Where the record that the piece begins with was laid.
  private var start: (offset: Int, chain: RecordChain)?
  /// A record behind the limit was laid.
  private var isDone = false
  private var laid: UInt64 = 0
  private var unpackedBytes: UInt64 {
    mutating get { decisions.unpackedBytes + (market?.unpackedBytes ?? 0) }
  }

  /// - Parameters:
  ///   - market: the market file or its receipt; nil when there is no file of its name, or none that reads.
  ///   - damage: why it does not read.
  ///   - marketFile: the name it has or should have.
  ///   - mayBeDamaged: of a market file that is not what was written, those records are taken that prove
  ///     themselves, and the others are missing; otherwise it is a fault.
  ///   - piece: what is laid; what is not is zeros.
  static func run(
    _ decisions: consuming PartReader, _ market: consuming PartReader?, _ damage: PartDamage?,
    marketFile: String, mayBeDamaged: Bool, piece: SegmentPiece = SegmentPiece()
  ) throws(JournalFault) -> MergedSegment {
    let head = decisions.head
    let (file, digest, bytes) = (decisions.file, decisions.digest, decisions.bytes)
    let marketBytes = market?.bytes ?? 0
    var damage = damage
    var receipt: PartHead?
    var isRead = false
    if head.marketRecords > 0 {
      if let found = market?.head, let foundDigest = market?.digest {
        let isSame = isOf(found, head)
        let named = found.role == .receipt ? found.marketDigest : foundDigest
        damage =
          market?.damage ?? (isSame ? nil : stranger(found, head))
          ?? (named == head.marketDigest
            ? nil : .digest(expected: head.marketDigest, found: named))
        if found.role == .receipt, damage == nil { receipt = found }
        isRead = isSame && found.role == .market
      } else {
        damage = damage ?? .lost
      }
      if let damage, !mayBeDamaged { throw .damaged(marketFile, damage) }
    } else {
      damage = nil
    }
    let segment = try MappedSegment.blank(head.number, bytes: Int(head.segmentBytes))
    var merge = SegmentMerge(
      decisions, isRead ? market : nil, damage, segment, mayBeDamaged, piece)
    do throws(Damaged) { try merge.run() } catch {
      segment.close()
      switch error {
      case .decisions(let damage): throw .damaged(file, damage)
      case .market(let damage): throw .damaged(marketFile, damage)
      }
    }
    let missing = merge.gaps.reduce(UInt64(0)) { $0 + $1.gap.count }
    let parts = SegmentParts(
      file: file, head: head, digest: digest, decisionsBytes: bytes, marketBytes: marketBytes,
      receipt: receipt,
      damage: merge.damage.map {
        DamagedMarket(
          fault: PartFault(file: marketFile, damage: $0), unreadable: missing,
          records: head.marketRecords)
      }, unpackedBytes: merge.unpackedBytes, laid: merge.laid, gaps: merge.gaps)
    return MergedSegment(segment: segment, parts: parts, start: merge.start)
  }

  /// Whether a market file, or a receipt, says that it belongs to a decisions file.
  private static func isOf(_ market: PartHead, _ head: PartHead) -> Bool {
    market.role != .decisions && market.journalID == head.journalID
      && market.number == head.number && market.records == head.marketRecords
  }

  private static func stranger(_ market: PartHead, _ head: PartHead) -> PartDamage {
    if market.role == .decisions {
      return .head(field: "kind", expected: "market records", found: "decisions")
    }
    return .head(
      field: "segment",
      expected: "\(head.number) of \(head.journalID), \(head.marketRecords) records",
      found: "\(market.number) of \(market.journalID), \(market.records) records")
  }

  private init(
    _ decisions: consuming PartReader, _ market: consuming PartReader?, _ damage: PartDamage?,
    _ segment: MappedSegment, _ mayBeDamaged: Bool, _ piece: SegmentPiece
  ) {
    chain = decisions.head.begin
    self.decisions = decisions
    self.market = market
    self.damage = damage
    self.segment = segment
    self.mayBeDamaged = mayBeDamaged
    self.piece = piece
  }

  /// In which of the two something is wrong.
  private enum Damaged: Error {
    case decisions(PartDamage)
    case market(PartDamage)

    init(_ damage: PartDamage, isMarket: Bool) {
      self = isMarket ? .market(damage) : .decisions(damage)
    }
  }

  private mutating func run() throws(Damaged) {
    guard decisions.head.role == .decisions else {
      throw .decisions(.head(field: "kind", expected: "decisions", found: "market records"))
    }
    if let start = piece.start {
      // The segment's own first record.
      try place(try words(isMarket: false), isMarket: false)
      if start.anchor.offset > decisions.offset { try go(to: start.anchor) }
    }
    while !decisions.isAtEnd, !isDone {
      let words = try words(isMarket: false)
      if PartGap.begins(UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0]))) {
        try pass(try gap(words))
      } else {
        try place(words, isMarket: false)
      }
    }
    if isDone { return }
    do throws(PartDamage) { try decisions.finish() } catch { throw .decisions(error) }
    do throws(PartDamage) { try market?.finish() } catch { try lose(error) }
    guard chain == decisions.head.end else {
      throw .decisions(
        .record(fault(.link(expected: decisions.head.end.link, found: chain.link))))
    }
  }

  /// Goes on at an anchor.
  private mutating func go(to anchor: PartSearch.Anchor) throws(Damaged) {
    decisions.move(to: anchor.offset)
    offset = anchor.decisionsBytes
    chain = anchor.chain
    do throws(PartDamage) {
      offset += try market?.skip(records: anchor.market) ?? 0
    } catch { throw .market(error) }
  }

  /// Passes over market records that are not there, or takes them from their own file.
  private mutating func pass(_ gap: PartGap) throws(Damaged) {
    guard gap.first == chain.nextSequence else {
      throw .decisions(
        .record(fault(.sequence(expected: chain.nextSequence, found: gap.first))))
    }
    guard gap.before == chain.link else {
      throw .decisions(.record(fault(.link(expected: gap.before, found: chain.link))))
    }
    let (start, before) = (offset, chain)
    if market != nil {
      do throws(Damaged) { return try take(gap) } catch {
        guard case .market(let found) = error else { throw error }
        try lose(found)
        // What was taken of this run is not known to be what was written.
        segment.clear(from: start, to: max(start, touched))
        (offset, chain) = (start, before)
      }
    }
    gaps.append(PlacedGap(offset: offset, gap: gap))
    chain = RecordChain(nextSequence: gap.last + 1, link: gap.after)
  }

  /// Takes a run of records from the market file, whose last link proves each of them.
  private mutating func take(_ gap: PartGap) throws(Damaged) {
    for _ in 0..<gap.count {
      try place(try words(isMarket: true), isMarket: true)
      // The file's digest is what proves the rest of the run.
      if isDone { return }
    }
    guard gap.after == chain.link else {
      throw .market(.record(fault(.link(expected: gap.after, found: chain.link))))
    }
  }

  /// Reads no further in the market file, where that may be.
  private mutating func lose(_ found: PartDamage) throws(Damaged) {
    guard mayBeDamaged else { throw .market(found) }
    damage = damage ?? found
    market = nil
  }

  /// Lays the next record, of which the header was read, behind those before.
  private mutating func place(
    _ words: InlineArray<4, UInt64>, isMarket: Bool
  ) throws(Damaged) {
    let header: RecordHeader
    do throws(RecordDamage) {
      header = try RecordHeader(checking: words)
      try take(header, isMarket: isMarket)
    } catch { throw Damaged(.record(fault(error)), isMarket: isMarket) }
    let length = Int(header.payloadBytes)
    if header.kind != .segment, header.sequence == piece.start?.sequence {
      self.start = (offset, chain)
    }
    let start = offset + RecordFraming.headerBytes
    touched = max(touched, offset + RecordFraming.recordBytes(payloadBytes: length))
    do throws(PartDamage) {
      // There is room for the whole record, as `take` saw.
      try unsafe read(length, to: segment.start + start, isMarket: isMarket)
    } catch { throw Damaged(error, isMarket: isMarket) }
    let link: RecordLink
    do throws(RecordDamage) {
      link = try chain.restore(words, payload: segment.raw(start, length), using: hashing)
    } catch { throw Damaged(.record(fault(error)), isMarket: isMarket) }
    segment.lay(
      words, link, at: offset, linkAt: offset + RecordFraming.linkOffset(payloadBytes: length))
    offset += RecordFraming.recordBytes(payloadBytes: length)
    laid += 1
    if header.kind != .segment, piece.limit?.reaches(header) == false { isDone = true }
  }

  /// Sees that a record has room in the segment and belongs into the file that it came from.
  private func take(_ header: RecordHeader, isMarket: Bool) throws(RecordDamage) {
    let whole = RecordFraming.recordBytes(payloadBytes: Int(header.payloadBytes))
    guard whole <= segment.bytes - offset else {
      throw .recordCut(expected: whole, found: segment.bytes - offset)
    }
    guard (header.kind == .segment) == (offset == 0), (header.lane == .market) == isMarket else {
      throw .misplaced(header.kind)
    }
  }

  private mutating func read(
    _ count: Int, to target: UnsafeMutableRawPointer, isMarket: Bool
  ) throws(PartDamage) {
    if isMarket {
      try unsafe market?.read(count, to: target)
    } else {
      try unsafe decisions.read(count, to: target)
    }
  }

  private func fault(_ damage: RecordDamage) -> RecordFault {
    RecordFault(offset: offset, sequence: chain.nextSequence, damage: damage)
  }

  private mutating func words(isMarket: Bool) throws(Damaged) -> InlineArray<4, UInt64> {
    do throws(PartDamage) {
      if isMarket, let words = try market?.words() { return words }
      return try decisions.words()
    } catch { throw Damaged(error, isMarket: isMarket) }
  }

  private mutating func gap(_ start: InlineArray<4, UInt64>) throws(Damaged) -> PartGap {
    do throws(PartDamage) { return try decisions.gap(start) } catch { throw .decisions(error) }
  }
}
