import MartletBase
import MartletJSON
import Testing

@Suite struct JSONTextTests {
  private func decoded(_ text: String) throws(JSONFault) -> String {
    try read(text) { cursor, span throws(JSONFault) in
      let string = try cursor.string(in: span)
      try cursor.end(in: span)
      return try string.decoded(in: span)
    }
  }

  @Test(arguments: [
    ("\"\"", ""), ("\"plain\"", "plain"),
    ("\"longer than eight bytes\"", "longer than eight bytes"),
    (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
    (#""\uD834\uDD1E""#, "𝄞"), (#""\ud83d\ude00!""#, "😀!"), ("\"людина 😀\"", "людина 😀"),
    (#""a\u0000b""#, "a\0b"), (#""\\u0041""#, "\\u0041"), (#""12345678\n""#, "12345678\n"),
    (#""\uffff\ud7ff\ue000""#, "\u{ffff}\u{d7ff}\u{e000}"),
  ])
  func stringsMeanWhatTheirEscapesSay(text: String, expected: String) throws {
    #expect(try decoded(text) == expected)
  }

  @Test(arguments: [
    (#""\ud834""#, 1), (#""\udd1e""#, 1), (#""\ud834x""#, 1), (#""ab\ud834\u0041""#, 3),
    (#""\ud834\ud834""#, 1), (#""\udd1e\ud834""#, 1), (#""\ud834\n""#, 1),
  ])
  func halfASurrogatePairIsGrammarAndNoText(text: String, offset: Int) {
    #expect(fault(in: text) == nil)
    #expect(throws: JSONFault(offset: offset, expected: .surrogate, found: 0x5c)) {
      try decoded(text)
    }
  }

  @Test func keysAreComparedByWhatTheyMean() throws {
    let cases: [(String, Bool)] = [
      ("\"asks\"", true), (#""\u0061sks""#, true), (#""ask\u0073""#, true), ("\"ask\"", false),
      ("\"askss\"", false), ("\"bids\"", false), ("\"\"", false), (#""ask\u0074""#, false),
      (#""ask\u0073s""#, false), (#""\ud834sks""#, false), (#""\u0061sk""#, false),
    ]
    for (text, isEqual) in cases {
      let found = try read(text) { cursor, span throws(JSONFault) in
        try cursor.string(in: span).equals("asks", in: span)
      }
      #expect(found == isEqual, "\(text)")
    }
  }

  @Test func shortTextIsTakenInline() throws {
    func inline(_ text: String) throws(JSONFault) -> InlineText {
      try read(text) { cursor, span throws(JSONFault) in
        try cursor.string(in: span).inlineText(in: span)
      }
    }
    #expect(try inline("\"DBTC_DUSDT\"") == "DBTC_DUSDT")
    #expect(try inline(#""BTC\u005fUSDT""#) == "BTC_USDT")
    let longest = String(repeating: "x", count: 32)
    #expect(try inline("\"\(longest)\"").description == longest)
    #expect(try inline("\"" + String(repeating: #"\u0078"#, count: 32) + "\"").count == 32)
    for text in [
      "\"\(longest)x\"", "\"" + String(repeating: #"\u0078"#, count: 33) + "\"", #""a\u0000""#,
    ] {
      #expect(throws: JSONFault(offset: 1, expected: .shortText, found: Array(text.utf8)[1])) {
        try inline(text)
      }
    }
  }

  @Test func theMeaningIsAppendedWithoutAString() throws {
    var buffer = ByteBuffer()
    for text in ["\"plain \"", #""\u20ac\n""#] {
      let bytes = Array(text.utf8)
      var cursor = JSONCursor()
      try cursor.string(in: bytes.span).append(in: bytes.span, to: &buffer)
    }
    #expect(String(buffer.span) == "plain €\n")
  }

  /// Strings of all lengths around the eight bytes that are looked at together.
  @Test func everyByteOfAStringIsLookedAt() throws {
    for length in 0...40 {
      for place in 0..<length {
        var bytes = [UInt8](repeating: 0x61, count: length)
        for (special, expected) in [
          (UInt8(0x1f), JSONFault.Expected.closingQuote), (0x80, .utf8), (0x22, .end),
          (0x5c, .escape), (0x00, .closingQuote),
        ] {
          bytes[place] = special
          // Behind a last backslash the quote is content.
          if special == 0x5c && place == length - 1 { continue }
          let error = fault(in: [0x22] + bytes + [0x22])
          #expect(error?.expected == expected, "\(special) at \(place) of \(length)")
        }
        for harmless in [UInt8(0x20), 0x21, 0x23, 0x5b, 0x5d, 0x7f] {
          bytes[place] = harmless
          #expect(fault(in: [0x22] + bytes + [0x22]) == nil)
        }
      }
    }
  }
}
