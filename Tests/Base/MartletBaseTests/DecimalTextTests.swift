import MartletBase
import Testing

/// `text` at 10^−`places`, through the door that the wire uses.
func count(_ text: String, _ places: Int) throws(DecimalText.Fault) -> Int64 {
  let bytes = Array(text.utf8)
  return try DecimalText.parse(bytes.span, places: DecimalPlaces(places))
}

func text(_ value: Int128, _ places: Int) -> String {
  var buffer = ByteBuffer()
  DecimalText.write(value, places: places, into: &buffer)
  return String(buffer.span)
}

/// What `DecimalText.write` shall say, made from the digits of the integer and not by division.
private func reference(_ value: Int128, _ places: Int) -> String {
  if value == 0 { return "0" }
  var digits = String(value.magnitude)
  if places <= 0 { return (value < 0 ? "-" : "") + digits + String(repeating: "0", count: -places) }
  while digits.count <= places { digits = "0" + digits }
  var whole = String(digits.dropLast(places))
  var fraction = String(digits.suffix(places))
  while fraction.hasSuffix("0") { fraction.removeLast() }
  if !fraction.isEmpty { whole += "." + fraction }
  return (value < 0 ? "-" : "") + whole
}

@Suite struct DecimalTextTests {
  @Test(
    arguments: [
      ("86249.9", 2, 8_624_990), ("0", 8, 0), ("-0", 8, 0), ("0.000", 2, 0), ("+1.5", 1, 15),
      ("-0.00000001", 8, -1), ("1", 12, 1_000_000_000_000), ("0.000000000001", 12, 1),
      ("5000", -3, 5), ("-1000000", -6, -1), ("0", -3, 0), ("1000.00", -3, 1), ("007", 0, 7),
      (".5", 1, 5), ("5.", 1, 50), ("1.2300000000000000000000000000000", 2, 123),
      ("9223372036854775807", 0, .max), ("-9223372036854775808", 0, .min),
      ("9.223372036854775807", 18, .max), ("92233720368547758.07", 2, .max),
      ("000000000000000000000000000000000000000000001", 0, 1), ("0.10", 1, 1),
    ] as [(String, Int, Int64)])
  func plainDecimalsAreCounted(text: String, places: Int, expected: Int64) throws {
    #expect(try count(text, places) == expected)
  }

  @Test(
    arguments: [
      ("", 2, .empty), ("-", 2, .empty), (".", 2, .empty), ("-.", 2, .empty),
      ("1e5", 2, .notANumber(offset: 1)), ("1E5", 2, .notANumber(offset: 1)),
      (" 1", 2, .notANumber(offset: 0)), ("1 ", 2, .notANumber(offset: 1)),
      ("1,5", 2, .notANumber(offset: 1)), ("1.2.3", 2, .notANumber(offset: 3)),
      ("--1", 2, .notANumber(offset: 1)), ("1-", 2, .notANumber(offset: 1)),
      ("NaN", 2, .notANumber(offset: 0)), ("Infinity", 2, .notANumber(offset: 0)),
      ("0x10", 2, .notANumber(offset: 1)), ("1_000", 2, .notANumber(offset: 1)),
      ("١", 2, .notANumber(offset: 0)), ("1\u{0}", 2, .notANumber(offset: 1)),
      ("1.0000000000000000000000z", 2, .notANumber(offset: 24)),
      ("0.001", 2, .tooFine(places: 2)), ("-0.001", 2, .tooFine(places: 2)),
      ("1500", -3, .tooFine(places: -3)), ("1000.5", -3, .tooFine(places: -3)),
      ("0.12345678901234567890123", 20, .tooFine(places: 20)),
      ("9223372036854775808", 0, .overflow), ("-9223372036854775809", 0, .overflow),
      ("92233720368547758.08", 2, .overflow), ("10000000", 12, .overflow),
      ("99999999999999999999999999999999999999999999", 0, .overflow),
      ("170141183460469231731687303715884105728", 0, .overflow),
      ("1", 20, .overflow), ("100000000000000000000000", 20, .overflow),
    ] as [(String, Int, DecimalText.Fault)])
  func whatIsNoCountIsNamed(text: String, places: Int, fault: DecimalText.Fault) {
    #expect(throws: fault) { try count(text, places) }
  }

  @Test func everyCountSurvivesTheRoundTrip() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<100 {
        let places = Int(random.integer(in: -12...20))
        // All lengths alike, not nearly all of nineteen digits.
        let value = Int64(bitPattern: random.next()) >> random.integer(in: 0...63)
        let written = text(Int128(value), places)
        try #require(written == reference(Int128(value), places), "seed \(seed)")
        try #require(try count(written, places) == value, "seed \(seed), \(written)")
        // The same number with zeros around it.
        let padded = written.contains(".") ? written + "0000" : written + ".0000"
        try #require(try count(padded, places) == value, "seed \(seed), \(padded)")
      }
    }
  }

  @Test func everyAmountSurvivesTheRoundTrip() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<50 {
        let high = Int128(Int64(bitPattern: random.next()))
        let wide = (high << 64 | Int128(random.next())) >> Int128(random.below(127))
        let value = wide == .min ? .max : wide
        let written = Amount(units: value).description
        try #require(written == reference(value, 20), "seed \(seed)")
        try #require(try Amount(written).units == value, "seed \(seed), \(written)")
      }
    }
  }

  @Test func theShortWayAndTheLongWayAgree() throws {
    // A sign of plus or many zeros in front keep a number out of the short way.
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<100 {
        let alphabet = Array("0123456789.-".utf8)
        let length = random.integer(in: 1...18)
        let bytes = (0..<length).map { _ in alphabet[Int(random.below(UInt64(alphabet.count)))] }
        let body = String(decoding: bytes, as: UTF8.self)
        if body.hasPrefix("-") { continue }
        let places = Int(random.integer(in: -3...12))
        let short = Result { try count(body, places) }
        let long = Result { try count(String(repeating: "0", count: 20) + body, places) }
        switch (short, long) {
        case (.success(let left), .success(let right)):
          try #require(left == right, "seed \(seed), \(body)")
        case (.failure(let left as DecimalText.Fault), .failure(let right as DecimalText.Fault)):
          guard case .notANumber = left, case .notANumber = right else {
            try #require(left == right, "seed \(seed), \(body)")
            continue
          }
        case (.failure(DecimalText.Fault.empty), .success(0)):
          try #require(body == ".", "seed \(seed), \(body)")  // The zeros are digits.
        default: Issue.record("seed \(seed): “\(body)” at \(places) is \(short) and \(long)")
        }
      }
    }
  }

  @Test func garbageIsRefusedAndNeverTraps() {
    var refused = 0
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<50 {
        let bytes = (0..<random.below(50)).map { _ in UInt8(random.below(256)) }
        do {
          _ = try DecimalText.parseAmount(bytes.span)
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 9_900)
  }

  @Test(
    arguments: [
      (Int128(0), 8, "0"), (1, 8, "0.00000001"), (-1, 8, "-0.00000001"), (100_000_000, 8, "1"),
      (150_000_000, 8, "1.5"), (-5, -3, "-5000"), (120, 0, "120"), (120, 1, "12"),
      (1, 20, "0.00000000000000000001"), (1, 38, "0." + String(repeating: "0", count: 37) + "1"),
      (Int128.max, 20, "1701411834604692317.31687303715884105727"),
      (Int128.min, 0, "-170141183460469231731687303715884105728"),
    ] as [(Int128, Int, String)])
  func numbersAreWrittenNormalized(value: Int128, places: Int, expected: String) {
    #expect(text(value, places) == expected)
  }

  @Test(arguments: [
    ("0.0500", 2), ("1000", 0), ("1.", 0), ("0.000000000001", 12), ("0.10", 1), ("0.000", 0),
  ])
  func placesNeededLeavesTrailingZerosOut(text: String, expected: Int) {
    let bytes = Array(text.utf8)
    let needed = DecimalText.placesNeeded(by: bytes.span)
    #expect(needed == expected)
  }

  @Test func pricesAndQuantitiesAreWrittenOnTheirGrids() {
    let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(-3))
    var buffer = ByteBuffer()
    DecimalText.write(Price(quanta: 8_624_990), scale, into: &buffer)
    buffer.append(" ")
    DecimalText.write(Quantity(quanta: 7), scale, into: &buffer)
    buffer.append(" ")
    DecimalText.write(Rate(units: 10_000_000), into: &buffer)
    #expect(String(buffer.span) == "86249.9 7000 0.001")
    #expect(scale.text(Price(quanta: -5)) == "-0.05" && scale.text(Quantity(quanta: 0)) == "0")
  }
}
