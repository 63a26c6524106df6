import MartletBase
import MartletRecord

/// Digests a test can read: true CRC-32C bit by bit, and a link that mixes every byte but is no
/// SHA-256. The rule of the chain is what is tested here; the real digests are the edge's.
struct PlainHashing: RecordHashing {
  func crc32c(_ crc: UInt32, _ bytes: RawSpan) -> UInt32 {
    var rest = ~crc
    for offset in 0..<bytes.byteCount {
      rest ^= UInt32(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
      for _ in 0..<8 { rest = rest & 1 == 1 ? rest >> 1 ^ 0x82f6_3b78 : rest >> 1 }
    }
    return ~rest
  }

  func link(after previous: RecordLink, header: RawSpan, payload: RawSpan) -> RecordLink {
    var state = previous.words
    func mix(_ byte: UInt8) {
      state.0 = (state.0 ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
      state.1 = (state.1 &+ state.0) &* 0x9e37_79b9_7f4a_7c15
      state.2 ^= state.1 >> 29
      state.3 = state.3 &* 31 &+ state.2
    }
    for offset in 0..<header.byteCount {
      mix(header.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    for offset in 0..<payload.byteCount {
      mix(payload.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    return RecordLink(words: state)
  }
}

/// A segment being written in memory.
struct JournalSketch {
  var bytes: [UInt8] = []
  var chain = RecordChain()
  /// Where each record begins, the segment's own first.
  var starts: [Int] = []
  let segmentBytes: Int

  init(segmentBytes: Int, number: UInt32 = 1, after chain: RecordChain = RecordChain()) {
    self.segmentBytes = segmentBytes
    self.chain = chain
    var writer = SnapshotWriter()
    SegmentHeader(
      journalID: JournalID(high: 1, low: 2), number: number, segmentBytes: UInt64(segmentBytes),
      firstSequence: chain.nextSequence, previousLink: chain.link, build: "sketch",
      createdAt: Timestamp(nanoseconds: 5)
    ).write(into: &writer)
    add(kind: .segment, payload: writer.bytes.copy())
  }

  mutating func add(kind: RecordKind = RecordKind(7), payload: [UInt8]) {
    starts.append(bytes.count)
    let sealed = chain.seal(
      kind: kind, lane: .market, time: Timestamp(nanoseconds: Int64(bytes.count)),
      payload: payload.span.bytes, using: PlainHashing())
    for index in 0..<4 { append(sealed.header[index]) }
    bytes += payload
    while bytes.count % RecordFraming.alignment != 0 { bytes.append(0) }
    for word in [
      sealed.link.words.0, sealed.link.words.1, sealed.link.words.2, sealed.link.words.3,
    ] { append(word) }
  }

  /// The segment as its file is: zeros to its end.
  var padded: [UInt8] { bytes + [UInt8](repeating: 0, count: segmentBytes - bytes.count) }

  private mutating func append(_ word: UInt64) {
    for index in 0..<8 {
      bytes.append(UInt8(truncatingIfNeeded: word.littleEndian >> (index * 8)))
    }
  }
}

/// Everything a scanner finds in one segment: whole records, then why it stopped.
struct Walk {
  var headers: [RecordHeader] = []
  var payloads: [[UInt8]] = []
  var stop = RecordOutcome.end
  var chain = RecordChain()

  init(_ bytes: [UInt8], number: UInt32 = 1, after chain: RecordChain = RecordChain()) {
    var scanner = RecordScanner(hashing: PlainHashing(), after: chain)
    switch scanner.begin(segment: number, in: bytes.span) {
    case .unused: return
    case .torn(let fault):
      stop = .torn(fault)
      return
    case .corrupt(let fault):
      stop = .corrupt(fault)
      return
    case .begun: break
    }
    while true {
      let outcome = scanner.next(in: bytes.span)
      guard case .record(let header, let place) = outcome else {
        stop = outcome
        break
      }
      headers.append(header)
      payloads.append(Array(bytes[place]))
    }
    self.chain = scanner.chain
  }

  /// Where it stopped against the rule, if it did.
  var fault: RecordFault? {
    switch stop {
    case .torn(let fault), .corrupt(let fault): fault
    case .record, .end: nil
    }
  }
  var isCorrupt: Bool { if case .corrupt = stop { true } else { false } }
}
