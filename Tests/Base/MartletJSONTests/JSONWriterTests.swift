import MartletBase
import MartletJSON
import Testing

@Suite struct JSONWriterTests {
  private func order(_ style: JSONWriter.Style) -> String {
    let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
    var buffer = ByteBuffer()
    var json = JSONWriter(style: style)
    json.beginObject(into: &buffer)
    json.key("market", into: &buffer)
    json.string("DBTC_DUSDT" as InlineText, into: &buffer)
    json.key("side", into: &buffer)
    json.string("buy", into: &buffer)
    json.key("price", into: &buffer)
    json.decimal(Price(quanta: 8_624_990), scale, into: &buffer)
    json.key("amount", into: &buffer)
    json.decimal(Quantity(quanta: 12_180), scale, into: &buffer)
    json.key("postOnly" as InlineText, into: &buffer)
    json.bool(true, into: &buffer)
    json.key("levels", into: &buffer)
    json.beginArray(into: &buffer)
    json.number(-15, places: 1, into: &buffer)
    json.integer(UInt64.max, into: &buffer)
    json.null(into: &buffer)
    json.beginArray(into: &buffer)
    json.endArray(into: &buffer)
    json.beginObject(into: &buffer)
    json.endObject(into: &buffer)
    json.endArray(into: &buffer)
    json.key("fee", into: &buffer)
    json.decimal(Amount(units: -1), into: &buffer)
    json.key("rate", into: &buffer)
    json.decimal(Rate(units: 10_000_000), into: &buffer)
    json.endObject(into: &buffer)
    return String(buffer.span)
  }

  @Test func anOrderIsWrittenCompact() {
    #expect(
      order(.compact) == """
        {"market":"DBTC_DUSDT","side":"buy","price":"86249.9","amount":"0.01218","postOnly":true,\
        "levels":[-1.5,18446744073709551615,null,[],{}],"fee":"-0.00000000000000000001","rate":"0.001"}
        """)
  }

  @Test func anOrderIsWrittenSpaced() {
    #expect(
      order(.spaced) == """
        {"market": "DBTC_DUSDT", "side": "buy", "price": "86249.9", "amount": "0.01218", \
        "postOnly": true, "levels": [-1.5, 18446744073709551615, null, [], {}], \
        "fee": "-0.00000000000000000001", "rate": "0.001"}
        """)
  }

  @Test func everyByteThatMustBeIsEscaped() throws {
    let text = String(decoding: 0...0x7f as ClosedRange<UInt8>, as: UTF8.self) + "é€😀"
    var buffer = ByteBuffer()
    var json = JSONWriter()
    json.beginArray(into: &buffer)
    json.string(text: text, into: &buffer)
    let bytes = Array(text.utf8)
    json.string(bytes.span, into: &buffer)
    json.string("\"\u{1f}\\" as InlineText, into: &buffer)
    json.beginObject(into: &buffer)
    json.key(text: text, into: &buffer)
    json.json([0x31].span, into: &buffer)
    json.key(bytes.span, into: &buffer)
    json.string("", into: &buffer)
    json.endObject(into: &buffer)
    json.endArray(into: &buffer)
    let expected = JSONValue.array([
      .string(text), .string(text), .string("\"\u{1f}\\"),
      .object([.init(text, .number("1")), .init(text, .string(""))]),
    ])
    #expect(try JSONValue(buffer.copy().span) == expected)
    let written = String(buffer.span)
    #expect(written.contains(#"\u0000\u0001"#) && written.contains(#"\b\t\n\u000b\f\r"#))
    #expect(written.contains(#"\u001a\u001b"#) && written.contains(#"\"\u001f\\"#))
  }

  @Test func oneWriterWritesManyDocuments() {
    var buffer = ByteBuffer()
    var json = JSONWriter()
    for number in 1...3 {
      json.beginArray(into: &buffer)
      json.integer(number, into: &buffer)
      json.endArray(into: &buffer)
      buffer.append("\n")
    }
    #expect(String(buffer.span) == "[1]\n[2]\n[3]\n")
  }

  @Test func whatIsNoDocumentTraps() async {
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      var json = JSONWriter()
      json.endObject(into: &buffer)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      var json = JSONWriter()
      json.beginObject(into: &buffer)
      json.key("a", into: &buffer)
      json.endObject(into: &buffer)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = ByteBuffer()
      var json = JSONWriter()
      for _ in 0...64 { json.beginArray(into: &buffer) }
    }
  }

  @Test("inline text is escaped byte by byte like any other")
  func inlineTextIsEscaped() throws {
    for byte in UInt8(1)...255 {
      for length in [1, 7, 8, 9, 16, 25, 32] {
        for place in Set([0, length / 2, length - 1]) {
          var bytes = [UInt8](repeating: 0x61, count: length)
          bytes[place] = byte
          guard let text = InlineText(bytes.span) else {
            Issue.record("byte \(byte) is refused")
            return
          }
          var writer = JSONWriter()
          var found = ByteBuffer()
          writer.string(text, into: &found)
          var expected = ByteBuffer()
          writer.string(bytes.span, into: &expected)
          try #require(found.copy() == expected.copy(), "byte \(byte) at \(place) of \(length)")
        }
      }
    }
  }
}
