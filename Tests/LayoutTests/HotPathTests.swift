import Testing

/// Holds what sources say of measured costs to the page that has the measurements.
@Suite struct HotPathTests {
  static let page = "Docs/HotPath.md"

  @Test("every measurement that a source cites is in a section of Docs/HotPath.md")
  func citationsExist() throws {
    let sections = Set(Self.sections(of: try SourceTree.text(Self.page)))
    #expect(sections == Set(1...8))
    var cited = 0
    for path in SourceTree.files(under: "Sources") + SourceTree.files(under: "Benchmarks")
    where [".swift", ".c", ".cpp", ".h"].contains(where: { path.hasSuffix($0) }) {
      for citation in Self.citations(in: try SourceTree.text(path)) {
        cited += 1
        guard let section = citation.section else {
          Issue.record("\(path):\(citation.line): cite as “HOTPATH, section 2”")
          continue
        }
        #expect(
          sections.contains(section),
          "\(path):\(citation.line): \(Self.page) has no section \(section)")
      }
    }
    #expect(cited >= 8)
  }

  /// The numbers of headings such as `## 2. Book`, in order.
  static func sections(of page: String) -> [Int] {
    page.split(separator: "\n").compactMap { line in
      guard line.hasPrefix("## ") else { return nil }
      let words = line.dropFirst(3).split(separator: ".", maxSplits: 1)
      return words.count == 2 ? Int(words[0]) : nil
    }
  }

  /// Where the page is named, and the section that follows; a comment may break the line in between.
  static func citations(in text: String) -> [(line: Int, section: Int?)] {
    var found: [(line: Int, section: Int?)] = []
    var line = 1
    let pieces = text.split(separator: "HOTPATH", omittingEmptySubsequences: false)
    for (index, piece) in pieces.enumerated() {
      if index > 0 {
        let words = piece.split { " \n/*".contains($0) }.prefix(3)
        let digits = words.last?.prefix { $0.isNumber } ?? ""
        let isWhole = words.count == 3 && words.first == "," && words[1] == "section"
        found.append((line, isWhole ? Int(digits) : nil))
      }
      line += piece.count { $0 == "\n" }
    }
    return found
  }

  @Test("the reader finds citations across lines, and those of another form")
  func readerWorks() {
    func sections(_ text: String) -> [Int?] { Self.citations(in: text).map(\.section) }
    #expect(sections("(HOTPATH, section 2). HOTPATH, section 14: 3 ns") == [2, 14])
    #expect(sections("/// so (HOTPATH,\n  /// section 3)") == [3])
    #expect(sections("(HOTPATH, decisions) HOTPATH 3, HOTPATH") == [nil, nil, nil])
    #expect(Self.citations(in: "a\n\n// HOTPATH, section 1\n").map(\.line) == [3])
    #expect(Self.sections(of: "# A\n## Conditions\n## 1. B\ntext\n## 12. C\n") == [1, 12])
  }
}
