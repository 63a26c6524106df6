import MartletBase
import MartletJSON
import Testing

/// A document made by chance, as a tree and as text with white space and escapes in every place
/// where they are allowed. The text is not made by the writer.
struct RandomDocument {
  var value: JSONValue
  var text: String

  init(_ random: inout SeededRandom, depth: Int = 0) {
    let space = RandomDocument.space(&random)
    switch random.below(depth > 5 ? 5 : 8) {
    case 0: (value, text) = (.null, "null")
    case 1: (value, text) = (.bool(true), "true")
    case 2: (value, text) = (.bool(false), "false")
    case 3:
      let number = RandomDocument.number(&random)
      (value, text) = (.number(number), number)
    case 4:
      let string = RandomDocument.string(&random)
      (value, text) = (.string(string.meaning), string.text)
    case 5, 6:
      let elements = (0..<random.below(5)).map { _ in RandomDocument(&random, depth: depth + 1) }
      value = .array(elements.map(\.value))
      text = "[\(space)" + elements.map(\.text).joined(separator: ",") + "]"
    default:
      let members = (0..<random.below(5)).map { _ in
        (RandomDocument.string(&random), RandomDocument(&random, depth: depth + 1))
      }
      value = .object(members.map { .init($0.0.meaning, $0.1.value) })
      text =
        "{\(space)"
        + members.map { "\(space)\($0.0.text)\(space):\($0.1.text)" }.joined(separator: ",") + "}"
    }
    text = space + text + RandomDocument.space(&random)
  }

  private static func space(_ random: inout SeededRandom) -> String {
    guard random.chance(1, in: 4) else { return "" }
    return (0..<random.below(4)).map { _ in [" ", "\t", "\n", "\r"][Int(random.below(4))] }.joined()
  }

  private static func number(_ random: inout SeededRandom) -> String {
    var text = random.chance(1, in: 3) ? "-" : ""
    text += random.chance(1, in: 4) ? "0" : String(random.next() >> random.below(63) | 1)
    if random.chance(1, in: 2) { text += "." + String(random.below(1_000_000)) }
    if random.chance(1, in: 4) {
      text += ["e", "E", "e+", "E-"][Int(random.below(4))] + String(random.below(40))
    }
    return text
  }

  private static func string(_ random: inout SeededRandom) -> (meaning: String, text: String) {
    var meaning = ""
    var text = "\""
    for _ in 0..<random.below(12) {
      switch random.below(8) {
      case 0:
        let (character, escape) =
          [
            ("\"", #"\""#), ("\\", #"\\"#), ("/", #"\/"#), ("\u{8}", #"\b"#), ("\u{c}", #"\f"#),
            ("\n", #"\n"#), ("\r", #"\r"#), ("\t", #"\t"#),
          ][Int(random.below(8))]
        meaning += character
        text += escape
      case 1:
        let scalar = Unicode.Scalar(UInt32(random.below(0x11_0000))) ?? "?"
        meaning.unicodeScalars.append(scalar)
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16, uppercase: random.chance(1, in: 2))
          text += #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
        }
      case 2:
        let scalar = Unicode.Scalar(UInt32(0x80 + random.below(0x2_0000))) ?? "?"
        meaning.unicodeScalars.append(scalar)
        text.unicodeScalars.append(scalar)
      default:
        let letters = Array("abcXYZ 019.,:{}[]'_")
        let letter = letters[Int(random.below(UInt64(letters.count)))]
        meaning.append(letter)
        text.append(letter)
      }
    }
    return (meaning, text + "\"")
  }
}

@Suite struct JSONValueTests {
  /// The examples of RFC 8259, section 13.
  @Test func theStandardsExamplesAreRead() throws {
    let image = Array(
      """
      {
        "Image": {
            "Width":  800,
            "Height": 600,
            "Title":  "View from 15th Floor",
            "Thumbnail": {
                "Url":    "http://www.example.com/image/481989943",
                "Height": 125,
                "Width":  100
            },
            "Animated" : false,
            "IDs": [116, 943, 234, 38793]
          }
      }
      """.utf8)
    let document = try JSONValue(image.span)
    #expect(document["Image"]?["Thumbnail"]?["Height"]?.text == "125")
    #expect(document["Image"]?["Animated"] == .bool(false))
    #expect(document["Image"]?["IDs"]?[3]?.text == "38793")
    #expect(document["Image"]?["IDs"]?[4] == nil && document["image"] == nil)

    let cities = Array(
      """
      [
        { "precision": "zip", "Latitude":  37.7668, "Longitude": -122.3959, "Address": "",
          "City": "SAN FRANCISCO", "State": "CA", "Zip": "94107", "Country": "US" },
        { "precision": "zip", "Latitude":  37.371991, "Longitude": -122.026020, "Address": "",
          "City": "SUNNYVALE", "State": "CA", "Zip": "94085", "Country": "US" }
      ]
      """.utf8)
    let places = try JSONValue(cities.span)
    #expect(places[1]?["Longitude"] == .number("-122.026020"))
    #expect(places[0]?["Address"]?.text == "" && places[2] == nil && places["City"] == nil)

    for (text, value) in [
      ("\"Hello world!\"", JSONValue.string("Hello world!")), ("42", .number("42")),
      ("true", .bool(true)),
    ] {
      let bytes = Array(text.utf8)
      #expect(try JSONValue(bytes.span) == value)
    }
  }

  @Test func whatWasMadeByChanceIsReadAsItWasMeant() throws {
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      let document = RandomDocument(&random)
      let bytes = Array(document.text.utf8)
      #expect(try JSONValue(bytes.span) == document.value, "seed \(seed)")
      #expect(fault(in: bytes) == nil, "seed \(seed)")
      for style in [JSONWriter.Style.compact, .spaced] {
        var buffer = ByteBuffer()
        document.value.write(into: &buffer, style: style)
        #expect(try JSONValue(buffer.copy().span) == document.value, "seed \(seed)")
      }
    }
  }

  @Test func duplicatesAreKeptAndTheLastOneCounts() throws {
    let bytes = Array(#"{"a":1,"b":2,"a":3}"#.utf8)
    let document = try JSONValue(bytes.span)
    #expect(document["a"] == .number("3") && document["b"]?.text == "2")
    #expect(document.description == #"{"a":1,"b":2,"a":3}"#)
    #expect(document[0] == nil && document["c"] == nil && document.text == nil)
  }

  @Test func theDeepestDocumentCanBeWrittenBack() throws {
    let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    let bytes = Array(text.utf8)
    #expect(try JSONValue(bytes.span).description == text)
  }
}
