import MartletBase
import Testing
import WhiteBITWire

@Suite struct WireTimesTests {
  @Test("Float seconds are read as decimal text and rounded to microseconds")
  func decimalSeconds() {
    let cases: [(String, Int64?)] = [
      ("1790113269.4255619", 1_790_113_269_425_562_000),
      ("1786452690.5743451", 1_786_452_690_574_345_000),
      ("1790000010.604", 1_790_000_010_604_000_000),
      ("1790000010", 1_790_000_010_000_000_000),
      ("1.9999995", 2_000_000_000),
      ("1.9999994999999", 1_999_999_000),
      ("0", 0), ("", nil), (".5", nil), ("1.", nil), ("-1", nil), ("1e9", nil), ("1.2.3", nil),
      ("99999999999", nil), ("9223372036", nil), ("9223372035.999999", 9_223_372_035_999_999_000),
    ]
    for (input, expected) in cases {
      #expect(Times.parse(bytes(input).span)?.nanoseconds == expected, "\(input)")
    }
  }

  @Test func whatIsWrittenReadsBack() {
    var random = CaseSource(seed: 11)
    for _ in 0..<2_000 {
      let time = random.time()
      let line = written { Times.write(time, into: &$0) }
      #expect(Times.parse(line.span) == time, "seed 11: \(text(line))")
    }
  }
}
