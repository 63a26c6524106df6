import MartletBase
import MartletJSON
import Testing

/// What reading the whole of `text` finds wrong; nil when it is one JSON value.
func fault(in text: [UInt8]) -> JSONFault? {
  var cursor = JSONCursor()
  do {
    try cursor.skipValue(in: text.span)
    try cursor.end(in: text.span)
    return nil
  } catch {
    return error
  }
}

func fault(in text: String) -> JSONFault? { fault(in: Array(text.utf8)) }

/// Reads one thing from the beginning of `text`, as `body` says.
func read<Result>(
  _ text: String, _ body: (inout JSONCursor, Span<UInt8>) throws(JSONFault) -> Result
) throws(JSONFault) -> Result {
  let bytes = Array(text.utf8)
  var cursor = JSONCursor()
  return try body(&cursor, bytes.span)
}

@Suite struct JSONCursorTests {
  @Test func aDepthFrameIsReadWhereItLies() throws {
    let frame = Array(
      """
      {"method":"depth_update","params":[false,{"timestamp":1790113269.4255619,"update_id":21244231356,\
      "past_update_id":21244231142,"bids":[["2747.18","0.36"],["2747.16",0]]},"ETH_PERP"],"id":null}
      """.utf8)
    let text = frame.span
    var cursor = JSONCursor()
    try cursor.beginObject(in: text)
    var levels: [String] = []
    var update: UInt64 = 0
    var symbol = InlineText()
    while let key = try cursor.nextKey(in: text) {
      if key.equals("params", in: text) {
        try cursor.beginArray(in: text)
        var more = try cursor.nextElement(in: text)
        let isSnapshot = try cursor.bool(in: text)
        #expect(more && !isSnapshot)
        more = try cursor.nextElement(in: text)
        #expect(more)
        try cursor.beginObject(in: text)
        while let field = try cursor.nextKey(in: text) {
          if field.equals("update_id", in: text) {
            update = try cursor.unsigned(in: text)
          } else if field.equals("bids", in: text) {
            try cursor.beginArray(in: text)
            while try cursor.nextElement(in: text) {
              try cursor.beginArray(in: text)
              while try cursor.nextElement(in: text) {
                levels.append(try cursor.decimalText(in: text).decoded(in: text))
              }
            }
          } else {
            try cursor.skipValue(in: text)
          }
        }
        more = try cursor.nextElement(in: text)
        #expect(more)
        symbol = try cursor.string(in: text).inlineText(in: text)
        more = try cursor.nextElement(in: text)
        #expect(!more)
      } else if key.equals("id", in: text) {
        let isNull = cursor.isNull(in: text)
        #expect(isNull)
      } else {
        let method = try cursor.string(in: text).decoded(in: text)
        #expect(method == "depth_update")
      }
    }
    try cursor.end(in: text)
    #expect(levels == ["2747.18", "0.36", "2747.16", "0"])
    #expect(update == 21_244_231_356 && symbol == "ETH_PERP")
    #expect(cursor.position == frame.count)
  }

  @Test func theKindIsSeenBeforeTheValueIsRead() throws {
    let kinds: [(String, JSONKind)] = [
      ("{}", .object), ("[]", .array), ("\"\"", .string), ("-1", .number), ("0", .number),
      ("9", .number), ("true", .true), ("false", .false), ("null", .null), (" \t\r\n[", .array),
    ]
    for (text, kind) in kinds {
      let found = try read(text) { cursor, span throws(JSONFault) in try cursor.kind(in: span) }
      #expect(found == kind, "\(text)")
    }
  }

  @Test func aCopyLooksAheadAndTheOriginalStays() throws {
    let bytes = Array("[1,{\"a\":[true]},2]".utf8)
    var cursor = JSONCursor()
    try cursor.beginArray(in: bytes.span)
    _ = try cursor.nextElement(in: bytes.span)
    var ahead = cursor
    var values = 0
    repeat {
      try ahead.skipValue(in: bytes.span)
      values += 1
    } while try ahead.nextElement(in: bytes.span)
    try ahead.end(in: bytes.span)
    let first = try cursor.integer(in: bytes.span)
    #expect(values == 3 && first == 1)
  }

  @Test func aCursorMayBeginInsideTheText() throws {
    let bytes = Array("42[\"payload\"]".utf8)
    var cursor = JSONCursor(at: 2)
    try cursor.beginArray(in: bytes.span)
    _ = try cursor.nextElement(in: bytes.span)
    let text = try cursor.string(in: bytes.span).decoded(in: bytes.span)
    #expect(text == "payload")
  }

  @Test(
    arguments: [
      ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", .max),
      ("-9223372036854775808", .min), (" \n 5", 5),
    ] as [(String, Int64)])
  func wholeNumbersAreRead(text: String, expected: Int64) throws {
    let found = try read(text) { cursor, span throws(JSONFault) in
      let value = try cursor.integer(in: span)
      try cursor.end(in: span)
      return value
    }
    #expect(found == expected)
  }

  @Test(arguments: [
    ("9223372036854775808", 0), ("-9223372036854775809", 0), ("99999999999999999999", 0),
    ("01", 0), ("-01", 0), ("1.0", 1), ("1e3", 1), ("1E3", 1), ("-", 1), ("+1", 0), ("", 0),
    ("\"1\"", 0), ("true", 0), (".5", 0),
  ])
  func whatIsNoWholeNumberIsRefused(text: String, offset: Int) {
    let bytes = Array(text.utf8)
    let found = offset < bytes.count ? bytes[offset] : nil
    #expect(throws: JSONFault(offset: offset, expected: .integer, found: found)) {
      try read(text) { cursor, span throws(JSONFault) in try cursor.integer(in: span) }
    }
  }

  @Test func unsignedNumbersReachAsFarAsTheirWord() throws {
    let most = try read("18446744073709551615") { cursor, span throws(JSONFault) in
      try cursor.unsigned(in: span)
    }
    #expect(most == .max)
    for text in ["18446744073709551616", "-1", "00", "1.5", "\"1\""] {
      #expect(throws: JSONFault.self, "\(text)") {
        try read(text) { cursor, span throws(JSONFault) in try cursor.unsigned(in: span) }
      }
    }
  }

  @Test(arguments: [
    "0", "-0", "1", "-1.5", "0.1", "123.4560", "1e5", "1E+5", "-2.5e-10", "1790113267.845638",
  ])
  func numbersKeepTheirText(text: String) throws {
    let found = try read(" \(text) ") { cursor, span throws(JSONFault) in
      let number = try cursor.numberText(in: span)
      try cursor.end(in: span)
      return try number.decoded(in: span)
    }
    #expect(found == text)
    let decimal = try read("\"\(text)\"") { cursor, span throws(JSONFault) in
      try cursor.decimalText(in: span).decoded(in: span)
    }
    #expect(decimal == text)
  }

  @Test func aPriceIsReadOnItsGridFromStringOrNumber() throws {
    for text in ["\"86249.90\"", "86249.90"] {
      let bytes = Array(text.utf8)
      var cursor = JSONCursor()
      let field = try cursor.decimalText(in: bytes.span)
      let quanta = try DecimalText.parse(field.bytes(in: bytes.span), places: DecimalPlaces(2))
      #expect(quanta == 8_624_990)
    }
  }

  @Test func nullIsConsumedOnlyWhereItStands() throws {
    let bytes = Array("[null,0]".utf8)
    var cursor = JSONCursor()
    try cursor.beginArray(in: bytes.span)
    _ = try cursor.nextElement(in: bytes.span)
    let first = cursor.isNull(in: bytes.span)
    _ = try cursor.nextElement(in: bytes.span)
    let second = cursor.isNull(in: bytes.span)
    let value = try cursor.integer(in: bytes.span)
    #expect(first && !second && value == 0)
    #expect(throws: JSONFault(offset: 0, expected: .null, found: 0x6e)) {
      try read("nul") { cursor, span throws(JSONFault) in try cursor.null(in: span) }
    }
    #expect(throws: JSONFault(offset: 0, expected: .bool, found: 0x30)) {
      try read("0") { cursor, span throws(JSONFault) in try cursor.bool(in: span) }
    }
  }

  @Test func nestingIsBoundedAtSixtyFour() {
    let deepest =
      String(repeating: "[", count: 64) + "1" + String(repeating: "]", count: 64)
    #expect(fault(in: deepest) == nil)
    #expect(
      fault(in: "[" + deepest + "]")
        == JSONFault(offset: 64, expected: .shallowerNesting, found: 0x5b))
    let objects =
      String(repeating: "{\"a\":", count: 65) + "1" + String(repeating: "}", count: 65)
    #expect(fault(in: objects)?.expected == .shallowerNesting)
    #expect(fault(in: String(repeating: "[", count: 1_000_000))?.expected == .shallowerNesting)
  }

  @Test func aContainerLeftOpenIsNoEnd() {
    let bytes = Array("[1".utf8)
    #expect(throws: JSONFault(offset: 2, expected: .containerEnd, found: nil)) {
      var cursor = JSONCursor()
      try cursor.beginArray(in: bytes.span)
      _ = try cursor.nextElement(in: bytes.span)
      _ = try cursor.integer(in: bytes.span)
      try cursor.end(in: bytes.span)
    }
  }

  @Test func askingForAKeyOutsideAnObjectTraps() async {
    await #expect(processExitsWith: .failure) {
      let bytes = Array("\"a\"".utf8)
      var cursor = JSONCursor()
      _ = try? cursor.nextKey(in: bytes.span)
    }
  }

  /// Text, what would have been right, and where.
  @Test(
    arguments: [
      ("", .value, 0), ("   ", .value, 3), ("[1,]", .value, 3), ("[,1]", .value, 1),
      ("[1 2]", .commaOrBracket, 3), ("[1", .commaOrBracket, 2), ("[1}", .commaOrBracket, 2),
      ("[", .value, 1), ("]", .value, 0), ("{", .key, 1), ("{,}", .key, 1), ("{\"a\":1,}", .key, 7),
      ("{a:1}", .key, 1), ("{'a':1}", .key, 1), ("{1:1}", .key, 1), ("{\"a\" 1}", .colon, 5),
      ("{\"a\"}", .colon, 4), ("{\"a\"", .colon, 4), ("{\"a\":}", .value, 5),
      ("{\"a\":1 \"b\":2}", .commaOrBrace, 7), ("{\"a\":1]", .commaOrBrace, 6),
      ("{\"a\":1", .commaOrBrace, 6), ("{\"a\":1,,\"b\":2}", .key, 7), ("[1,,2]", .value, 3),
      ("1 2", .end, 2), ("{}{}", .end, 2), ("[]]", .end, 2), ("nullnull", .end, 4),
      ("tru", .bool, 0), ("True", .value, 0), ("falsy", .bool, 0), ("nul", .null, 0),
      ("NaN", .value, 0), ("Infinity", .value, 0), ("undefined", .value, 0), ("'a'", .value, 0),
      ("-", .digit, 1), ("-a", .digit, 1), ("--1", .digit, 1), ("+1", .value, 0), (".5", .value, 0),
      ("5.", .digit, 2), ("5.e1", .digit, 2), ("1e", .digit, 2), ("1e+", .digit, 3),
      ("1.5E-x", .digit, 5), ("01", .number, 1), ("-012", .number, 2), ("00", .number, 1),
      ("0x10", .end, 1), ("1_000", .end, 1), ("1e5.5", .end, 3), ("١", .value, 0),
      ("\"", .closingQuote, 1), ("\"abc", .closingQuote, 4), ("\"abc\\", .closingQuote, 5),
      ("\"a\nb\"", .closingQuote, 2), ("\"a\tb\"", .closingQuote, 2),
      ("\"\u{0}\"", .closingQuote, 1),
      ("\"\u{1f}\"", .closingQuote, 1), ("\"12345678\u{1}\"", .closingQuote, 9),
      ("\"\\x\"", .escape, 2), ("\"\\'\"", .escape, 2), ("\"\\U0041\"", .escape, 2),
      ("\"\\u12\"", .hexDigit, 5), ("\"\\u12g4\"", .hexDigit, 5), ("\"\\u\"", .hexDigit, 3),
      ("\"\\u123", .hexDigit, 6), ("/* */ 1", .value, 0), ("[1] // x", .end, 4),
      ("\u{FEFF}1", .value, 0), ("\u{a0}1", .value, 0), ("1\u{b}", .end, 1), ("1\u{0}", .end, 1),
    ] as [(String, JSONFault.Expected, Int)])
  func malformedTextIsNamedWhereItBreaks(
    text: String, expected: JSONFault.Expected, offset: Int
  ) {
    let bytes = Array(text.utf8)
    let found = offset < bytes.count ? bytes[offset] : nil
    #expect(fault(in: bytes) == JSONFault(offset: offset, expected: expected, found: found))
    #expect(throws: JSONFault.self) { try JSONValue(bytes.span) }
  }

  /// Overlong forms, halves, surrogates in UTF-8, and what is beyond Unicode.
  @Test(
    arguments: [
      [0xff], [0x80], [0xc3], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf0, 0x82, 0x82, 0xac], [0xf8, 0x88, 0x80, 0x80, 0x80],
    ] as [[UInt8]])
  func whatIsNotUTF8IsRefused(bytes: [UInt8]) {
    let plain = Array("\"abc".utf8)
    let error = fault(in: plain + bytes + [0x22])
    #expect(error?.expected == .utf8 && error?.offset == 4)
  }

  @Test func faultsSayWhatWasExpectedAndWhatWasFound() {
    #expect(
      fault(in: "{\"a\" 1}")?.description
        == "JSON: expected a colon at offset 5, found byte 49")
    #expect(
      fault(in: "[1")?.description
        == "JSON: expected a comma or a closing bracket at offset 2, found the end")
  }
}
