import Testing

/// Holds Docs/Acceptance.md to the acceptance rows and to the tests that are really there.
@Suite struct AcceptanceTests {
  static let rows: [String] =
    (1...142).map { "M\($0)" } + (1...21).map { "C\($0)" } + (1...15).map { "T\($0)" }

  struct Row {
    var id: String
    var tests: [String]
    var missing: String
  }

  static func table() throws -> [Row] {
    try SourceTree.text("Docs/Acceptance.md").split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|", omittingEmptySubsequences: false)
        .map { String($0).trimming() }
      guard cells.count == 6, rows.contains(cells[1]) else { return nil }
      let tests = cells[3].isEmpty ? [] : cells[3].split(separator: "<br>").map { String($0) }
      return Row(id: cells[1], tests: tests, missing: cells[4])
    }
  }

  @Test("the acceptance page has every row once, and each is proved or says what is missing")
  func everyRowIsThere() throws {
    let table = try Self.table()
    #expect(table.map(\.id) == Self.rows)
    for row in table where row.tests.isEmpty {
      #expect(row.missing.hasPrefix("not yet: "), "\(row.id) has no test and says \(row.missing)")
    }
  }

  @Test("every test that the acceptance page names exists, and carries the row's id")
  func namedTestsExist() throws {
    var names: Set<String> = []
    for path in SourceTree.files(under: "Tests", ending: ".swift") {
      names.formUnion(Self.displayNames(in: try SourceTree.text(path)))
    }
    for path in SourceTree.files(under: "Tests/Conformance", ending: ".py") {
      let script = path.split(separator: "/").last?.dropLast(3) ?? ""
      names.formUnion(Self.checks(in: try SourceTree.text(path)).map { "\(script): \($0)" })
    }
    #expect(names.count > 10)
    for row in try Self.table() {
      for test in row.tests {
        #expect(names.contains(test), "\(row.id) names “\(test)”: run scripts/acceptance.py")
        let ids = test.split { !$0.isLetter && !$0.isNumber }
        #expect(ids.contains { $0 == row.id }, "“\(test)” does not carry \(row.id)")
      }
    }
  }

  /// The literals that follow `@Test(`, across line breaks.
  static func displayNames(in text: String) -> [String] { literals(after: "@Test(", in: text) }

  /// The literals that follow `.check(` in a conformance script.
  static func checks(in text: String) -> [String] { literals(after: ".check(", in: text) }

  private static func literals(after opening: String, in text: String) -> [String] {
    text.split(separator: opening, omittingEmptySubsequences: false).dropFirst().compactMap {
      rest in
      let start = rest.drop { $0.isWhitespace }
      guard start.first == "\"" else { return nil }
      return start.dropFirst().split(separator: "\"", maxSplits: 1).first.map(String.init)
    }
  }
}

extension String {
  fileprivate func trimming() -> String {
    var text = self[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
