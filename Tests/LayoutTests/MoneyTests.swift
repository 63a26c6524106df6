import Testing

@Suite struct MoneyTests {
  static let types: Set<String> = ["Double", "Float", "Float16", "Float32", "Float64", "Float80"]

  @Test("T7: no floating point where money is counted")
  func noFloatingPoint() throws {
    var files = 0
    for folder in SourceTree.counting {
      for source in try SourceTree.swift(under: folder) where !source.allows("Double") {
        files += 1
        for place in Self.floats(source) {
          Issue.record("\(source.path):\(place.line): \(place.text)")
        }
      }
    }
    #expect(files > 30)
  }

  /// Floating types, and literals with a fraction, which are `Double` wherever nothing else is said.
  static func floats(_ source: SourceText) -> [(text: String, line: Int)] {
    let tokens = source.tokens
    var found: [(text: String, line: Int)] = []
    for (index, token) in tokens.enumerated() {
      if types.contains(token.text) { found.append((token.text, token.line)) }
      guard index + 2 < tokens.count, isDigits(token.text), token.previous != ".",
        tokens[index + 1].text == ".", tokens[index + 1].line == token.line,
        isDigits(tokens[index + 2].text)
      else { continue }
      found.append(("\(token.text).\(tokens[index + 2].text)", token.line))
    }
    return found
  }

  private static func isDigits(_ text: String) -> Bool {
    text.first?.isNumber == true && text.allSatisfy { $0.isNumber || $0 == "_" || $0 == "e" }
  }

  @Test("the reader finds floating point and leaves tuples and ranges alone")
  func readerWorks() {
    func floats(_ raw: String) -> [String] {
      Self.floats(SourceText(path: "x", raw: raw)).map(\.text)
    }
    #expect(floats("let a = 0.5; var b: Double") == ["0.5", "Double"])
    #expect(floats("a.0.1 + $0.1; for i in 0...3 {}; x[1].2; \"0.5\" // 0.5").isEmpty)
  }
}
