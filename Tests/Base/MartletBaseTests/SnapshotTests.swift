import MartletBase
import Testing

/// The bytes of one part.
func written<Part: Snapshotting>(_ part: borrowing Part) -> [UInt8] {
  var writer = SnapshotWriter()
  part.write(to: &writer)
  return writer.bytes.copy()
}

/// Reading what was written gives the same bytes again, and every prefix is refused by name.
func expectWholeOrNothing<Part: Snapshotting>(
  _ part: Part, into fresh: Part, _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let bytes = written(part)
  var copy = fresh
  var reader = SnapshotReader(bytes)
  #expect(throws: Never.self, comment, sourceLocation: sourceLocation) {
    try copy.read(from: &reader)
  }
  #expect(reader.isAtEnd, comment, sourceLocation: sourceLocation)
  #expect(written(copy) == bytes, comment, sourceLocation: sourceLocation)
  for length in bytes.indices {
    var cut = fresh
    var short = SnapshotReader(Array(bytes[..<length]))
    #expect(throws: SnapshotReader.Fault.self, comment, sourceLocation: sourceLocation) {
      try cut.read(from: &short)
    }
  }
}

/// One of everything that a snapshot can hold.
private struct Everything: Snapshotting, Equatable {
  var flag = true
  var small: UInt8 = 200
  var negative: Int16 = -2
  var word: UInt64 = .max - 5
  var wide = Int128.min + 3
  var price = Price(quanta: -7)
  var quantity = Quantity(quanta: .max)
  var amount = Amount(units: -1)
  var rate = Rate(units: 10)
  var time = Timestamp(nanoseconds: 1_790_113_268_221_152_000)
  var span = TimeSpan.milliseconds(-3)
  var symbol = "DBTC_DUSDT" as InlineText
  var text = "проста людина"
  var bytes: [UInt8] = [0, 1, 255]

  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("Everything")
    snapshot.write(flag)
    snapshot.write(small)
    snapshot.write(negative)
    snapshot.write(word)
    snapshot.write(wide)
    snapshot.write(price)
    snapshot.write(quantity)
    snapshot.write(amount)
    snapshot.write(rate)
    snapshot.write(time)
    snapshot.write(span)
    snapshot.write(symbol)
    snapshot.write(text)
    snapshot.write(bytes.span)
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("Everything")
    flag = try snapshot.bool()
    small = try snapshot.byte()
    negative = try snapshot.read()
    word = try snapshot.read()
    wide = try snapshot.read()
    price = try snapshot.price()
    quantity = try snapshot.quantity()
    amount = try snapshot.amount()
    rate = try snapshot.rate()
    time = try snapshot.timestamp()
    span = try snapshot.timeSpan()
    symbol = try snapshot.inlineText()
    text = try snapshot.text()
    bytes = try snapshot.content()
  }
}

@Suite struct SnapshotTests {
  @Test func everythingComesBackAndNoPrefixPasses() throws {
    let original = Everything()
    let blank = Everything(
      flag: false, small: 0, negative: 0, word: 0, wide: 0, price: Price(quanta: 0),
      quantity: .zero, amount: .zero, rate: .zero, time: .zero, span: .zero, symbol: InlineText(),
      text: "", bytes: [])
    expectWholeOrNothing(original, into: blank)
    var copy = blank
    var reader = SnapshotReader(written(original))
    try copy.read(from: &reader)
    #expect(copy == original)
  }

  @Test func bytesAreTheSameOnEveryMachine() {
    var writer = SnapshotWriter()
    writer.section("T")
    writer.write(UInt32(0x0102_0304))
    writer.write(Int64(-2))
    writer.write("é")
    writer.write("AB" as InlineText)
    let expected: [UInt8] =
      [1, 0x54, 4, 3, 2, 1, 0xfe] + Array(repeating: 0xff, count: 7) + [2, 0, 0, 0, 0xc3, 0xa9]
      + [0, 0, 0, 0, 0, 0, 0x42, 0x41] + Array(repeating: 0, count: 24)
    #expect(writer.bytes.copy() == expected)
  }

  @Test func everySmallValueSurvivesInAContainer() throws {
    func check<Value: SnapshotValue & Equatable>(_ values: [Value]) throws {
      var ring = Ring<Value>(capacity: values.count)
      for value in values { #expect(ring.append(value) == .inserted) }
      expectWholeOrNothing(ring, into: Ring(capacity: values.count))
      var copy = Ring<Value>(capacity: values.count)
      var reader = SnapshotReader(written(ring))
      try copy.read(from: &reader)
      #expect(copy == ring)
    }
    try check([UInt8.min, 1, .max])
    try check([UInt16.min, 1, .max])
    try check([Int32.min, -1, .max])
    try check([UInt32.min, 1, .max])
    try check([Int64.min, -1, .max])
    try check([Int.min, -1, .max])
    try check([Int128.min, -1, .max])
    try check([UInt128.min, 1, .max])
    try check([Price(quanta: .min), Price(quanta: 5)])
    try check([Quantity(quanta: .min), Quantity(quanta: 5)])
    try check([Amount(units: .min), Amount(units: 5)])
    try check([Rate(units: .min), Rate(units: 5)])
    try check([Timestamp(nanoseconds: .min), .distantFuture])
    try check([TimeSpan(nanoseconds: .min), .seconds(5)])
    try check(["", "DBTC_DUSDT", "abcdefghijklmnopqrstuvwxyz012345"] as [InlineText])
    var heap = TimerHeap<UInt64>(capacity: 2)
    let tokens = [1, 2].compactMap { heap.set($0, at: .zero) }
    try check(tokens)
  }

  @Test func aReaderOutOfStepStopsAtTheSection() {
    var writer = SnapshotWriter()
    writer.section("Orders")
    var reader = SnapshotReader(writer.bytes.copy())
    #expect(
      throws: SnapshotReader.Fault.wrongSection(expected: "Portfolio", found: "Orders", offset: 0)
    ) {
      try reader.section("Portfolio")
    }
  }

  @Test func whatCouldNotHaveBeenWrittenIsRefused() {
    #expect(throws: SnapshotReader.Fault.impossible("boolean 2", offset: 0)) {
      var reader = SnapshotReader([2])
      _ = try reader.bool()
    }
    #expect(throws: SnapshotReader.Fault.impossible("count 1000", offset: 0)) {
      var reader = SnapshotReader([0xe8, 3, 0, 0, 1, 2, 3])
      _ = try reader.count()
    }
    #expect(throws: SnapshotReader.Fault.impossible("count 2", offset: 0)) {
      var reader = SnapshotReader([2, 0, 0, 0, 1, 2, 3])
      _ = try reader.count(ofSize: 2)
    }
    #expect(throws: SnapshotReader.Fault.impossible("text that is not UTF-8", offset: 4)) {
      var reader = SnapshotReader([1, 0, 0, 0, 0xff])
      _ = try reader.text()
    }
    #expect(throws: SnapshotReader.Fault.impossible("inline text with a zero inside", offset: 0)) {
      var reader = SnapshotReader([0, 0, 0, 0, 0, 0, 0, 0, 65] + Array(repeating: 0, count: 23))
      _ = try reader.inlineText()
    }
  }

  @Test func garbageIsRefusedAndNeverTraps() {
    let bytes = written(Everything())
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      var changed = bytes
      for _ in 0...random.below(3) {
        changed[Int(random.below(UInt64(changed.count)))] = UInt8(random.below(256))
      }
      var copy = Everything()
      var reader = SnapshotReader(changed)
      do {
        try copy.read(from: &reader)
        // What passes can be written again as it was read.
        #expect(written(copy) == changed, "seed \(seed)")
      } catch {
        #expect(reader.offset <= changed.count, "seed \(seed)")
      }
    }
  }
}
