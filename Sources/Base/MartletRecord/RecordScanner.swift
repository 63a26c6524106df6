internal import MartletBase

/// What stands at a scanner's offset.
public enum RecordOutcome: Equatable, Sendable {
  /// A whole record, proven; its payload's place in the segment.
  case record(RecordHeader, payload: Range<Int>)
  /// Nothing but zeros: no record was written here yet.
  case end
  /// A record that was being written when its writer, or the machine, died. Nothing whole follows.
  case torn(RecordFault)
  /// Something no dying writer leaves behind: the bytes were changed, lost or put elsewhere.
  case corrupt(RecordFault)
}

/// What a segment begins with.
public enum SegmentOutcome: Equatable, Sendable {
  case begun(SegmentHeader)
  /// Made ready, and nothing written yet.
  case unused
  case torn(RecordFault)
  case corrupt(RecordFault)
}

/// Walks the records of a segment in order and proves each one: checksum, sequence, link.
///
/// It stays where it stops: after anything but a record the same call gives the same answer.
@frozen public struct RecordScanner<Hashing: RecordHashing>: Sendable {
  @usableFromInline let hashing: Hashing
  @usableFromInline var proven: RecordChain
  @usableFromInline var position: Int
  /// What the segment was made for; more than its length when the file was cut.
  var segmentBytes: Int = .max

  /// - Parameters:
  ///   - chain: where the segment before ended; a new chain for the first segment.
  ///   - offset: where to begin; 0 for `begin`.
  public init(hashing: Hashing, after chain: RecordChain = RecordChain(), at offset: Int = 0) {
    self.hashing = hashing
    self.proven = chain
    self.position = offset
  }

  /// Where the next record is due, from the segment's start.
  @inlinable public var offset: Int { position }
  /// What has been proven so far: the next sequence and the last link.
  @inlinable public var chain: RecordChain { proven }

  /// Reads a segment's own first record. To be called once, before `next`.
  ///
  /// - Parameter number: the segment's, from its place in the journal.
  public mutating func begin(segment number: UInt32, in segment: Span<UInt8>) -> SegmentOutcome {
    let before = proven
    // Bytes have no padding.
    switch unsafe step(in: segment.bytes, asFirst: true) {
    case .end: return .unused
    case .torn(let fault): return .torn(fault)
    case .corrupt(let fault): return .corrupt(fault)
    case .record(_, let place):
      var payload: [UInt8] = []
      payload.reserveCapacity(place.count)
      for index in place { payload.append(segment[index]) }
      var damage: RecordDamage?
      do throws(SnapshotReader.Fault) {
        let header = try SegmentHeader(reading: payload)
        damage = header.contradiction(number: number, after: before, bytes: segment.count)
        if damage == nil {
          segmentBytes = Int(header.segmentBytes)
          return .begun(header)
        }
      } catch {
        damage = .segment(field: "fields", expected: "a readable head", found: "\(error)")
      }
      proven = before
      position = 0
      return .corrupt(
        RecordFault(
          offset: 0, sequence: before.nextSequence, damage: damage ?? .misplaced(.segment)))
    }
  }

  /// What a segment says of the place it has in the chain, on its own word: where a writer that
  /// has no use for the segments before may begin. `begin` then proves the rest of it.
  ///
  /// - Returns: nil when the segment has no readable head.
  public static func claim(of segment: Span<UInt8>) -> RecordChain? {
    var start: [UInt8] = []
    for index in 0..<Swift.min(segment.count, RecordFraming.headerBytes) {
      start.append(segment[index])
    }
    guard start.count == RecordFraming.headerBytes else { return nil }
    let length = start[24...27].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= segment.count - RecordFraming.headerBytes else { return nil }
    var payload: [UInt8] = []
    for index in 0..<length { payload.append(segment[RecordFraming.headerBytes + index]) }
    guard let header = try? SegmentHeader(reading: payload) else { return nil }
    return RecordChain(nextSequence: header.firstSequence, link: header.previousLink)
  }

  /// Proves the record at `offset` and moves behind it.
  ///
  /// - Parameter segment: the whole segment, from its first byte, as long as it is now.
  @inlinable public mutating func next(in segment: Span<UInt8>) -> RecordOutcome {
    // Bytes have no padding.
    unsafe step(in: segment.bytes, asFirst: false)
  }

  /// Proves the records that follow, two at a time, and moves behind them.
  ///
  /// - Returns: how many; less than `limit` where one does not prove itself or none is, which `next` then
  ///   tells.
  @inlinable public mutating func advance(_ limit: Int, in segment: Span<UInt8>) -> Int {
    // Bytes have no padding.
    let bytes = unsafe segment.bytes
    var count = 0
    while count < limit {
      if limit - count > 1, stepTwo(in: bytes) {
        count += 2
      } else if case .record = step(in: bytes, asFirst: false) {
        count += 1
      } else {
        break
      }
    }
    return count
  }

  /// A record of which all is in order but, perhaps, its link.
  @usableFromInline struct Candidate {
    @usableFromInline let kind: RecordKind
    @usableFromInline let payload: Range<Int>
    @usableFromInline let end: Int
    @inlinable init(kind: RecordKind, payload: Range<Int>, end: Int) {
      self.kind = kind
      self.payload = payload
      self.end = end
    }
  }

  /// - Returns: whether both proved themselves; else nothing moved.
  @inlinable mutating func stepTwo(in bytes: RawSpan) -> Bool {
    let half = RecordFraming.linkBytes
    guard position >= half, link(in: bytes, before: position) == proven.link,
      let first = candidate(at: position, proven.nextSequence, in: bytes),
      let second = candidate(at: first.end, proven.nextSequence + 1, in: bytes)
    else { return false }
    let links = hashing.links(
      firstHead: bytes.extracting(position - half..<first.payload.lowerBound),
      firstPayload: bytes.extracting(first.payload),
      secondHead: bytes.extracting(first.end - half..<second.payload.lowerBound),
      secondPayload: bytes.extracting(second.payload))
    guard links.0 == link(in: bytes, before: first.end),
      links.1 == link(in: bytes, before: second.end)
    else { return false }
    proven.accept(first.kind, links.0)
    proven.accept(second.kind, links.1)
    position = second.end
    return true
  }

  @inlinable func candidate(
    at offset: Int, _ sequence: UInt64, in bytes: RawSpan
  ) -> Candidate? {
    guard bytes.byteCount - offset >= RecordFraming.headerBytes else { return nil }
    let words = header(in: bytes, at: offset)
    guard
      UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0])) == RecordFraming.magicAndVersion
    else { return nil }
    let header = RecordHeader(words: words)
    let length = Int(header.payloadBytes)
    guard header.flags == 0, header.sequence == sequence, header.kind != .segment,
      length <= RecordFraming.maximumPayloadBytes
    else { return nil }
    let whole = RecordFraming.recordBytes(payloadBytes: length)
    guard whole <= bytes.byteCount - offset else { return nil }
    let start = offset + RecordFraming.headerBytes
    let checksum = RecordChain.checksum(
      of: words, payload: bytes.extracting(start..<start + length), using: hashing)
    let end = offset + whole
    guard checksum == header.checksum,
      isZero(bytes.extracting(start + length..<end - RecordFraming.linkBytes))
    else { return nil }
    return Candidate(kind: header.kind, payload: start..<start + length, end: end)
  }

  /// The link that ends at an offset, which is at least as long as it.
  @inlinable func link(in bytes: RawSpan, before offset: Int) -> RecordLink {
    let words = header(in: bytes, at: offset - RecordFraming.linkBytes)
    return RecordLink(words: (words[0], words[1], words[2], words[3]))
  }

  /// Moves behind the record at `offset` at its own word: for a segment whose records were proven when
  /// it was put together of its parts.
  @inlinable public mutating func follow(in segment: Span<UInt8>) -> RecordOutcome {
    // Bytes have no padding.
    let bytes = unsafe segment.bytes
    let available = bytes.byteCount - position
    guard available >= RecordFraming.headerBytes else { return remainder(of: bytes) }
    let words = header(in: bytes, at: position)
    guard
      UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0])) == RecordFraming.magicAndVersion
    else { return unrecognized(words, in: bytes) }
    let found = RecordHeader(words: words)
    let length = Int(found.payloadBytes)
    let whole = RecordFraming.recordBytes(payloadBytes: length)
    guard whole <= available, found.sequence == proven.nextSequence else {
      return corrupt(.recordCut(expected: whole, found: available))
    }
    let link = header(in: bytes, at: position + whole - RecordFraming.linkBytes)
    proven.accept(found.kind, RecordLink(words: (link[0], link[1], link[2], link[3])))
    let start = position + RecordFraming.headerBytes
    position += whole
    return .record(found, payload: start..<start + length)
  }

  @inlinable mutating func step(in bytes: RawSpan, asFirst: Bool) -> RecordOutcome {
    let available = bytes.byteCount - position
    guard available >= RecordFraming.headerBytes else { return remainder(of: bytes) }
    let words = header(in: bytes, at: position)
    guard
      UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0])) == RecordFraming.magicAndVersion
    else { return unrecognized(words, in: bytes) }
    let header = RecordHeader(words: words)
    let length = Int(header.payloadBytes)
    guard header.flags == 0 else { return corrupt(.flags(found: header.flags)) }
    guard length <= RecordFraming.maximumPayloadBytes else {
      return corrupt(.payloadBytes(limit: RecordFraming.maximumPayloadBytes, found: length))
    }
    let whole = RecordFraming.recordBytes(payloadBytes: length)
    guard whole <= available else {
      return cut(.recordCut(expected: whole, found: available), in: bytes)
    }
    let start = position + RecordFraming.headerBytes
    let payload = bytes.extracting(start..<start + length)
    let checksum = RecordChain.checksum(of: words, payload: payload, using: hashing)
    guard checksum == header.checksum else {
      return judge(.checksum(expected: checksum, found: header.checksum), record: whole, in: bytes)
    }
    // A true checksum: what the header says is what its writer said.
    guard header.sequence == proven.nextSequence else {
      return corrupt(.sequence(expected: proven.nextSequence, found: header.sequence))
    }
    guard (header.kind == .segment) == asFirst else { return corrupt(.misplaced(header.kind)) }
    let linkStart = position + whole - RecordFraming.linkBytes
    guard isZero(bytes.extracting(start + length..<linkStart)) else {
      return judge(.padding, record: whole, in: bytes)
    }
    // Words are whole bytes without padding between them.
    let due = unsafe hashing.link(
      after: proven.link, header: words.span.bytes, payload: payload)
    let found = self.header(in: bytes, at: linkStart)
    let link = RecordLink(words: (found[0], found[1], found[2], found[3]))
    guard link == due else {
      return judge(.link(expected: due, found: link), record: whole, in: bytes)
    }
    proven.accept(header.kind, due)
    position += whole
    return .record(header, payload: start..<start + length)
  }

  /// Four words as they lie; a header and a link are as long as each other.
  @inlinable func header(in bytes: RawSpan, at offset: Int) -> InlineArray<4, UInt64> {
    // In bounds: the callers hold 32 bytes at `offset`, and `extracting` checks it.
    let piece = bytes.extracting(offset..<offset + 32)
    return unsafe [
      piece.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self),
      piece.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self),
      piece.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self),
      piece.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt64.self),
    ]
  }
}

// Beyond a sound record: what the bytes are instead. None of it is hot.
extension RecordScanner {
  @usableFromInline func remainder(of bytes: RawSpan) -> RecordOutcome {
    let rest = bytes.extracting(position..<bytes.byteCount)
    return isZero(rest) ? .end : cut(.headerCut(found: rest.byteCount), in: bytes)
  }

  @usableFromInline func unrecognized(
    _ words: InlineArray<4, UInt64>, in bytes: RawSpan
  ) -> RecordOutcome {
    let first = UInt64(littleEndian: words[0])
    let found = UInt32(truncatingIfNeeded: first)
    if first == 0 {
      if isZero(bytes.extracting(position..<bytes.byteCount)) { return .end }
      // A writer lays a record's first word last, so these bytes were not a record yet.
      return hasLaterRecord(in: bytes) ? corrupt(.notARecord(found: 0)) : torn(.unpublished)
    }
    if found & 0x00ff_ffff == RecordFraming.magic, found >> 24 != 0 {
      return corrupt(.version(found: UInt8(truncatingIfNeeded: found >> 24)))
    }
    // Cut inside the magic and zeros since: still what a dying machine leaves.
    let magic = RecordFraming.magicAndVersion
    let isPrefix = [0xff, 0xffff, 0xff_ffff].contains { (mask: UInt32) in found == magic & mask }
    if isPrefix, isZero(bytes.extracting(position + 4..<bytes.byteCount)) {
      return torn(.notARecord(found: found))
    }
    return corrupt(.notARecord(found: found))
  }

  /// The segment ends too early: a file that was cut, unless the record could never have fitted.
  @usableFromInline func cut(_ damage: RecordDamage, in bytes: RawSpan) -> RecordOutcome {
    if case .recordCut(let expected, _) = damage, expected > segmentBytes - position {
      return corrupt(damage)
    }
    return hasLaterRecord(in: bytes) ? corrupt(damage) : torn(damage)
  }

  /// A record that does not prove itself is torn when part of it never arrived and nothing follows.
  @usableFromInline func judge(
    _ damage: RecordDamage, record whole: Int, in bytes: RawSpan
  ) -> RecordOutcome {
    let record = position..<position + whole
    let isTorn = hasUnwrittenPart(record, of: bytes) && !hasLaterRecord(in: bytes)
    return isTorn ? torn(damage) : corrupt(damage)
  }

  @usableFromInline func torn(_ damage: RecordDamage) -> RecordOutcome {
    .torn(RecordFault(offset: position, sequence: proven.nextSequence, damage: damage))
  }

  @usableFromInline func corrupt(_ damage: RecordDamage) -> RecordOutcome {
    .corrupt(RecordFault(offset: position, sequence: proven.nextSequence, damage: damage))
  }

  /// Whether some of a record's bytes look as the segment was before them: zeros to its end, or a
  /// whole disk sector of zeros, which is the least that a power cut can lose.
  func hasUnwrittenPart(_ record: Range<Int>, of bytes: RawSpan) -> Bool {
    let sector = 512
    if isZero(bytes.extracting(record.upperBound - 1..<record.upperBound)) { return true }
    var start = record.lowerBound
    while start < record.upperBound {
      let end = Swift.min((start / sector + 1) * sector, record.upperBound)
      if isZero(bytes.extracting(start..<end)) { return true }
      start = end
    }
    return false
  }

  /// Records that are whole by their own checksums somewhere at or behind an offset, the heads of segments not
  /// counted: what is lost with a cut there.
  ///
  /// - Parameter next: the sequence that is due there; what has a lower one was there before.
  /// - Bounds: some thousand false beginnings, so that a file made of them keeps nobody for hours.
  public static func wholeRecords(
    in segment: Span<UInt8>, from offset: Int, next: UInt64, using hashing: Hashing
  ) -> UInt64 {
    // Bytes have no padding.
    let bytes = unsafe segment.bytes
    let scanner = RecordScanner(hashing: hashing)
    var count: UInt64 = 0
    var misses = 0
    var start = offset
    while start + RecordFraming.headerBytes + RecordFraming.linkBytes <= bytes.byteCount,
      misses < 1_000
    {
      let words = scanner.header(in: bytes, at: start)
      let first = UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0]))
      guard first == RecordFraming.magicAndVersion else {
        start += RecordFraming.alignment
        continue
      }
      let header = RecordHeader(words: words)
      let length = Int(header.payloadBytes)
      guard header.sequence >= next, length <= RecordFraming.maximumPayloadBytes,
        RecordFraming.recordBytes(payloadBytes: length) <= bytes.byteCount - start
      else {
        start += RecordFraming.alignment
        continue
      }
      let from = start + RecordFraming.headerBytes
      let payload = bytes.extracting(from..<from + length)
      if RecordChain.checksum(of: words, payload: payload, using: hashing) == header.checksum {
        if header.kind != .segment { count += 1 }
        start += RecordFraming.recordBytes(payloadBytes: length)
      } else {
        misses += 1
        start += RecordFraming.alignment
      }
    }
    return count
  }

  /// Whether a whole record of this journal follows somewhere behind the offset.
  func hasLaterRecord(in bytes: RawSpan) -> Bool {
    // Bounded, so that a file made of false beginnings cannot keep us for hours.
    var candidates = 0
    var start = position + RecordFraming.alignment
    while start + RecordFraming.headerBytes + RecordFraming.linkBytes <= bytes.byteCount {
      defer { start += RecordFraming.alignment }
      let words = header(in: bytes, at: start)
      let first = UInt32(truncatingIfNeeded: UInt64(littleEndian: words[0]))
      guard first == RecordFraming.magicAndVersion else { continue }
      let header = RecordHeader(words: words)
      let length = Int(header.payloadBytes)
      guard header.sequence >= proven.nextSequence,
        length <= RecordFraming.maximumPayloadBytes,
        RecordFraming.recordBytes(payloadBytes: length) <= bytes.byteCount - start
      else { continue }
      candidates += 1
      if candidates > 1_000 { return true }
      let from = start + RecordFraming.headerBytes
      let payload = bytes.extracting(from..<from + length)
      if RecordChain.checksum(of: words, payload: payload, using: hashing) == header.checksum {
        return true
      }
    }
    return false
  }
}

extension SegmentHeader {
  /// What in this head cannot be true at this place of the chain, if anything.
  func contradiction(number: UInt32, after chain: RecordChain, bytes: Int) -> RecordDamage? {
    if self.number != number {
      return .segment(field: "number", expected: "\(number)", found: "\(self.number)")
    }
    if firstSequence != chain.nextSequence {
      return .segment(
        field: "first sequence", expected: "\(chain.nextSequence)", found: "\(firstSequence)")
    }
    if previousLink != chain.link {
      return .segment(
        field: "previous link", expected: "\(chain.link)", found: "\(previousLink)")
    }
    if segmentBytes < UInt64(bytes) {
      return .segment(field: "size", expected: "at least \(bytes)", found: "\(segmentBytes)")
    }
    return nil
  }
}

/// Whether `bytes` are all zero; so are none.
@usableFromInline func isZero(_ bytes: RawSpan) -> Bool {
  var offset = 0
  // Most of a segment may be unwritten: eight words are looked at together.
  while offset + 64 <= bytes.byteCount {
    var found: UInt64 = 0
    for word in 0..<8 {
      // In bounds: 64 bytes were left.
      found |= unsafe bytes.unsafeLoadUnaligned(
        fromByteOffset: offset + word * 8, as: UInt64.self)
    }
    if found != 0 { return false }
    offset += 64
  }
  while offset + 8 <= bytes.byteCount {
    // In bounds: eight bytes were left.
    if unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) != 0 {
      return false
    }
    offset += 8
  }
  while offset < bytes.byteCount {
    if unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) != 0 { return false }
    offset += 1
  }
  return true
}
