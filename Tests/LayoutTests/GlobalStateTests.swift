import Testing

@Suite struct GlobalStateTests {
  @Test("M4: no mutable global anywhere in the sources")
  func noMutableGlobals() throws {
    for source in try SourceTree.swift(under: "Sources") where !source.allows("global") {
      for line in Self.globals(source) {
        Issue.record("\(source.path):\(line): a variable that the whole process shares")
      }
    }
  }

  /// Lines with a stored `static var`, a stored variable outside every type and function, or a
  /// `nonisolated(unsafe)`.
  static func globals(_ source: SourceText) -> [Int] {
    let tokens = source.tokens
    var found: [Int] = []
    var depth = 0
    for (index, token) in tokens.enumerated() {
      if token.text == "{" || token.text == "(" || token.text == "[" { depth += 1 }
      if token.text == "}" || token.text == ")" || token.text == "]" { depth -= 1 }
      if token.text == "nonisolated", index + 2 < tokens.count, tokens[index + 2].text == "unsafe" {
        found.append(token.line)
      }
      guard token.text == "var" else { continue }
      let isStatic =
        index > 0 && (tokens[index - 1].text == "static" || tokens[index - 1].text == "class")
      guard isStatic || depth == 0 else { continue }
      if isStored(Array(tokens[index...].prefix(80))) { found.append(token.line) }
    }
    return found
  }

  /// From `var`: whether a value is assigned before an accessor opens, or no accessor opens at all.
  private static func isStored(_ tail: [SourceText.Token]) -> Bool {
    var depth = 0
    for (index, token) in tail.enumerated() {
      if depth == 0 && token.text == "=" { return true }
      if depth == 0 && token.text == "{" { return false }
      if "([<".contains(token.text) { depth += 1 }
      if ")]>".contains(token.text) { depth -= 1 }
      // A declaration without accessor and value ends where the next one begins.
      let starts: Set<String> = [
        "var", "let", "func", "init", "static", "public", "private", "}",
      ]
      if index > 0 && depth == 0 && starts.contains(token.text) { return true }
    }
    return true
  }

  @Test("the reader tells stored from computed")
  func readerWorks() {
    func lines(_ raw: String) -> [Int] { Self.globals(SourceText(path: "x", raw: raw)) }
    #expect(lines("struct A {\n  static var b = 1\n}") == [2])
    #expect(lines("struct A {\n  public static var b: [Int: Int]\n  let c = 1\n}") == [2])
    #expect(lines("public var a: Int = 1") == [1])
    #expect(lines("nonisolated(unsafe) let a = b") == [1])
    #expect(
      lines("struct A {\n  static var b: Int { 1 }\n  var c = 1\n  static let d = 2\n}").isEmpty)
    #expect(lines("func f() {\n  var a = 1\n}\nvar b: Int {\n  1\n}").isEmpty)
  }
}
