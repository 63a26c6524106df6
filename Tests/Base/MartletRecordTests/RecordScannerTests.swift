import MartletBase
import MartletRecord
import Testing

@Suite struct RecordScannerTests {
  /// Three records of 5, 0 and 700 bytes in a segment of 2 KiB.
  static func sketch() -> JournalSketch {
    var sketch = JournalSketch(segmentBytes: 2048)
    sketch.add(payload: Array("hello".utf8))
    sketch.add(kind: RecordKind(9), payload: [])
    sketch.add(payload: (0..<700).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) })
    return sketch
  }

  @Test func whatWasSealedIsReadInOrder() {
    let sketch = Self.sketch()
    let walk = Walk(sketch.padded)
    #expect(walk.stop == .end)
    #expect(walk.headers.map(\.sequence) == [1, 2, 3])
    #expect(walk.headers.map(\.kind.rawValue) == [7, 9, 7])
    #expect(walk.headers.map(\.lane) == [.market, .market, .market])
    #expect(walk.headers[0].time.nanoseconds == Int64(sketch.starts[1]))
    #expect(walk.payloads[0] == Array("hello".utf8))
    #expect(walk.payloads[1].isEmpty)
    #expect(walk.payloads[2].count == 700)
    #expect(walk.chain == sketch.chain)
  }

  @Test("proving many at a time comes exactly as far as one by one, whatever is changed or cut")
  func manyAtATime() {
    var sketch = JournalSketch(segmentBytes: 1536)
    for length in [5, 0, 90, 64, 8, 33, 7] {
      sketch.add(payload: (0..<length).map { UInt8(truncatingIfNeeded: $0 * 11 + length) })
    }
    func check(_ bytes: [UInt8], _ limit: Int, _ note: String) {
      var one = RecordScanner(hashing: PlainHashing())
      guard case .begun = one.begin(segment: 1, in: bytes.span) else { return }
      var many = one
      var count = 0
      while count < limit, case .record = one.next(in: bytes.span) { count += 1 }
      #expect(many.advance(limit, in: bytes.span) == count, "\(note)")
      #expect(many.offset == one.offset && many.chain == one.chain, "\(note)")
      #expect(many.next(in: bytes.span) == one.next(in: bytes.span), "\(note)")
    }
    for limit in 0...9 { check(sketch.padded, limit, "the first \(limit)") }
    for index in sketch.bytes.indices {
      var bytes = sketch.padded
      bytes[index] ^= 1 << UInt8(index % 8)
      check(bytes, 9, "byte \(index) changed")
      check(Array(sketch.bytes[..<index]), 9, "cut at \(index)")
    }
    // A record left out, and one told twice.
    for record in 1..<sketch.starts.count {
      let end = record + 1 < sketch.starts.count ? sketch.starts[record + 1] : sketch.bytes.count
      let piece = sketch.starts[record]..<end
      check(
        Array(sketch.bytes[..<piece.lowerBound] + sketch.bytes[end...]), 9, "\(record) left out")
      check(
        Array(sketch.bytes[..<end] + sketch.bytes[piece] + sketch.bytes[end...]), 9,
        "\(record) twice")
    }
  }

  @Test func theHeaderLiesAsItsPageSays() {
    var header = RecordHeader(
      kind: RecordKind(0x0201), lane: RecordLane(3), sequence: 0x0807_0605_0403_0201,
      time: Timestamp(nanoseconds: 0x1122_3344_5566_7788), payloadBytes: 0x0a0b)
    header.checksum = 0xdead_beef
    var bytes = [UInt8](repeating: 0xff, count: 33)
    var span = bytes.mutableSpan
    header.encode(into: &span)
    #expect(
      bytes == [
        0x4d, 0x4a, 0x52, 0x01, 0x01, 0x02, 0x03, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 0x88, 0x77, 0x66,
        0x55, 0x44, 0x33, 0x22, 0x11, 0x0b, 0x0a, 0, 0, 0xef, 0xbe, 0xad, 0xde, 0xff,
      ])
  }

  @Test func aFileCutAnywhereIsTornAndKeepsWhatIsWhole() {
    let sketch = Self.sketch()
    let ends = sketch.starts.dropFirst() + [sketch.bytes.count]
    for length in 0...sketch.bytes.count {
      let walk = Walk(Array(sketch.bytes[..<length]))
      let whole = ends.count { $0 <= length }
      #expect(walk.headers.count == max(whole - 1, 0), "cut at \(length)")
      #expect(!walk.isCorrupt, "cut at \(length): \(walk.stop)")
      let isSeam = length == 0 || ends.contains(length)
      #expect((walk.fault == nil) == isSeam, "cut at \(length): \(walk.stop)")
      if let fault = walk.fault {
        #expect(fault.offset == (whole == 0 ? 0 : ends[ends.startIndex + whole - 1]))
        #expect(fault.sequence == UInt64(max(whole, 1)))
      }
    }
  }

  @Test func zerosFromAnywhereAreTornOrTheEnd() {
    let sketch = Self.sketch()
    let ends = sketch.starts.dropFirst() + [sketch.bytes.count]
    for length in 0...sketch.bytes.count {
      var bytes = sketch.padded
      for index in length..<sketch.bytes.count { bytes[index] = 0 }
      let walk = Walk(bytes)
      let whole = ends.count { $0 <= length }
      // A record that ends in zeros anyway is whole a little earlier.
      #expect(walk.headers.count >= max(whole - 1, 0), "zeros from \(length)")
      #expect(!walk.isCorrupt, "zeros from \(length): \(walk.stop)")
    }
  }

  @Test func aRecordWhoseFirstWordIsMissingWasNotPublished() {
    let sketch = Self.sketch()
    var bytes = sketch.padded
    for index in 0..<8 { bytes[sketch.starts[3] + index] = 0 }
    let walk = Walk(bytes)
    #expect(walk.headers.count == 2)
    #expect(
      walk.stop
        == .torn(RecordFault(offset: sketch.starts[3], sequence: 3, damage: .unpublished)))
  }

  @Test func everyFlippedBitIsFoundWhereItIs() {
    let sketch = Self.sketch()
    let ends = Array(sketch.starts.dropFirst()) + [sketch.bytes.count]
    let good = sketch.padded
    for index in 0..<sketch.bytes.count {
      let record = ends.firstIndex { index < $0 } ?? 0
      for bit in 0..<8 {
        var bytes = good
        bytes[index] ^= 1 << UInt8(bit)
        let walk = Walk(bytes)
        #expect(walk.fault?.offset == sketch.starts[record], "bit \(bit) of byte \(index)")
        #expect(walk.fault?.sequence == UInt64(max(record, 1)), "bit \(bit) of byte \(index)")
        #expect(walk.headers.count == max(record - 1, 0), "bit \(bit) of byte \(index)")
        if record < 3 { #expect(walk.isCorrupt, "bit \(bit) of byte \(index): \(walk.stop)") }
      }
    }
  }

  @Test func damageBeforeAWholeRecordIsNeverTakenForATornTail() {
    let sketch = Self.sketch()
    for record in 1...2 {
      var bytes = sketch.padded
      for index in sketch.starts[record]..<sketch.starts[record + 1] { bytes[index] = 0 }
      let walk = Walk(bytes)
      #expect(walk.isCorrupt, "\(walk.stop)")
      #expect(walk.fault?.offset == sketch.starts[record])
    }
  }

  @Test func aRecordTakenOutOrPutTwiceIsASequenceJump() {
    let sketch = Self.sketch()
    let one = sketch.starts[1]..<sketch.starts[2]
    var without = sketch.bytes
    without.removeSubrange(one)
    #expect(
      Walk(without).stop
        == .corrupt(
          RecordFault(
            offset: one.lowerBound, sequence: 1, damage: .sequence(expected: 1, found: 2))))
    var twice = sketch.bytes
    twice.insert(contentsOf: sketch.bytes[one], at: one.upperBound)
    #expect(
      Walk(twice).stop
        == .corrupt(
          RecordFault(
            offset: one.upperBound, sequence: 2, damage: .sequence(expected: 2, found: 1))))
  }

  @Test func aRecordOfAnotherJournalBreaksTheLink() {
    let sketch = Self.sketch()
    var other = JournalSketch(segmentBytes: 2048)
    other.add(payload: Array("hallo".utf8))
    var bytes = sketch.padded
    bytes.replaceSubrange(
      sketch.starts[1]..<sketch.starts[2], with: other.bytes[other.starts[1]...])
    // Record 1 stands on the same head, so it is true; record 2 does not follow it any more.
    let walk = Walk(bytes)
    #expect(walk.headers.count == 1)
    guard case .corrupt(let fault) = walk.stop, case .link = fault.damage else {
      Issue.record("\(walk.stop)")
      return
    }
    #expect(fault.offset == sketch.starts[2] && fault.sequence == 2)
  }

  @Test func aNewerVersionIsNamed() {
    let sketch = Self.sketch()
    var bytes = sketch.padded
    bytes[sketch.starts[2] + 3] = 2
    #expect(
      Walk(bytes).stop
        == .corrupt(
          RecordFault(offset: sketch.starts[2], sequence: 2, damage: .version(found: 2))))
  }

  @Test func aPayloadBeyondTheBoundIsRefusedBeforeItIsRead() {
    let sketch = Self.sketch()
    var bytes = sketch.padded
    bytes[sketch.starts[1] + 27] = 0x40
    guard case .corrupt(let fault) = Walk(bytes).stop,
      case .payloadBytes(let limit, let found) = fault.damage
    else {
      Issue.record("\(Walk(bytes).stop)")
      return
    }
    #expect(limit == 16 << 20 && found == 0x4000_0005)
  }

  @Test func anUnusedSegmentIsNoFault() {
    var scanner = RecordScanner(hashing: PlainHashing())
    let zeros = [UInt8](repeating: 0, count: 4096)
    #expect(scanner.begin(segment: 1, in: zeros.span) == .unused)
    let nothing: [UInt8] = []
    #expect(scanner.begin(segment: 1, in: nothing.span) == .unused)
  }

  @Test func theChainRunsOnOverTheSeam() {
    let first = Self.sketch()
    var second = JournalSketch(segmentBytes: 512, number: 2, after: first.chain)
    second.add(payload: [1, 2, 3])
    let walk = Walk(second.padded, number: 2, after: first.chain)
    #expect(walk.stop == .end)
    #expect(walk.headers.map(\.sequence) == [4])
    // In another place it is found out.
    let wrongNumber = Walk(second.padded, number: 3, after: first.chain)
    #expect(
      wrongNumber.fault?.damage == .segment(field: "number", expected: "3", found: "2"))
    #expect(Walk(second.padded, number: 2).isCorrupt)
  }

  /// Noise is answered, never a crash and never a record.
  @Test func noiseIsNeverARecord() {
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      let length = Int.random(in: 0...600, using: &random)
      var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      // Half of the time a true magic, so that the rest of the header is read as well.
      if Bool.random(using: &random) {
        for (index, byte) in [0x4d, 0x4a, 0x52, 0x01].enumerated() where index < length {
          bytes[index] = UInt8(byte)
        }
      }
      let walk = Walk(bytes)
      #expect(walk.headers.isEmpty, "seed \(seed)")
      #expect(walk.fault != nil || bytes.allSatisfy { $0 == 0 }, "seed \(seed)")
    }
  }

  /// Any records, of any length, come back as they went in, cut where you like.
  @Test func recordsRoundTrip() {
    for seed in UInt64(1)...60 {
      var random = SeededRandom(seed: seed)
      var sketch = JournalSketch(segmentBytes: 1 << 16)
      var payloads: [[UInt8]] = []
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        let payload = (0..<Int.random(in: 0...900, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
        payloads.append(payload)
        sketch.add(kind: RecordKind(.random(in: 1...900, using: &random)), payload: payload)
      }
      let walk = Walk(sketch.padded)
      #expect(walk.payloads == payloads && walk.stop == .end, "seed \(seed)")
      let cut = Int.random(in: 0...sketch.bytes.count, using: &random)
      let torn = Walk(Array(sketch.bytes[..<cut]))
      #expect(torn.payloads == Array(payloads.prefix(torn.payloads.count)), "seed \(seed)")
      #expect(!torn.isCorrupt, "seed \(seed)")
    }
  }
}
