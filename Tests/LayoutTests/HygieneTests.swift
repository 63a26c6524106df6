import Testing

@Suite struct HygieneTests {
  /// Text files that are checked in, as far as names tell.
  static func texts() throws -> [(path: String, text: String)] {
    let folders = ["Sources", "Tests", "Docs", "scripts", "Examples", "Benchmarks", "Fuzz"]
    let endings = [
      ".swift", ".c", ".h", ".cpp", ".md", ".sh", ".py", ".txt", ".toml", ".html", ".js",
    ]
    var paths = [
      "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "Package.swift", "martlet",
      ".ci/run",
    ]
    for folder in folders {
      paths += SourceTree.files(under: folder).filter { path in
        endings.contains { path.hasSuffix($0) }
      }
    }
    return try paths.filter(SourceTree.exists).map { ($0, try SourceTree.text($0)) }
  }

  // Spelled in parts, so that this file does not find itself.
  static let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "not imple" + "mented"]
  static let places = ["/wo" + "rk/", "/fa" + "rm/", "/ho" + "me/", "/ro" + "ot/"]
  static let makers = [
    "co-auth" + "ored-by", "language mo" + "del", "generated wi" + "th", "chat" + "bot",
    "as an a" + "i ",
  ]
  static let indexes = ["py" + "pi.org", "npm" + "js", "crates" + ".io", "rubygems" + ".org"]

  @Test("nothing is left unfinished, and nothing names a machine, a maker or a package index")
  func cleanText() throws {
    let texts = try Self.texts()
    #expect(texts.count > 50)
    for (path, text) in texts {
      for word in Self.unfinished + Self.places where text.contains(word) {
        Issue.record("\(path) says \(word)")
      }
      let small = text.lowercased()
      for word in Self.makers + Self.indexes where small.contains(word) {
        Issue.record("\(path) says \(word)")
      }
    }
  }

  @Test("no forced try, no fatalError, no disabled test, no sleeping test")
  func noShortcuts() throws {
    for folder in ["Sources", "Tests"] {
      for source in try SourceTree.swift(under: folder) {
        let tokens = source.tokens
        for (index, token) in tokens.enumerated() {
          let next = index + 1 < tokens.count ? tokens[index + 1].text : ""
          // `try !condition` is another thing.
          let isForced = token.text == "try" && next == "!" && tokens[index + 1].previous == "y"
          let isAbort = token.text == "fatalError" && token.previous != "."
          let isSleep = folder == "Tests" && ["sleep", "usleep", "nanosleep"].contains(token.text)
          if isForced || isAbort || (isSleep && next == "(" && !source.allows("sleep")) {
            Issue.record("\(source.path):\(token.line): \(token.text)\(next)")
          }
        }
      }
    }
  }

  @Test("every public declaration of the money types and the seams has a doc comment")
  func seamsAreDocumented() throws {
    for folder in [
      "Sources/Venues/VenueKit", "Sources/Path/3-Strategy", "Sources/Base/MartletModel",
    ] {
      for source in try SourceTree.swift(under: folder) {
        let lines = source.raw.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains("public ") {
          guard
            ["struct ", "enum ", "protocol "].contains(where: { line.contains("public \($0)") }),
            !line.hasPrefix(" ")
          else { continue }
          let before = lines[..<index].last { !$0.hasPrefix("@") } ?? ""
          #expect(before.hasPrefix("///"), "\(source.path):\(index + 1): \(line)")
        }
      }
    }
  }

  @Test("README, LICENSE and the pages they promise are there")
  func pagesExist() throws {
    for page in [
      "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".ci/run",
      "martlet", "Docs/Dependencies.md", "Docs/Commands.md", "Docs/Acceptance.md",
      "Docs/HotPath.md",
    ] {
      #expect(SourceTree.exists(page), "\(page)")
    }
    #expect(try SourceTree.text("LICENSE").contains("Apache License"))
  }

  @Test("every package that setup installs has its reason and license in Docs/Dependencies.md")
  func dependenciesAreExplained() throws {
    let page = try SourceTree.text("Docs/Dependencies.md")
    let debian = try SourceTree.text("scripts/packages.txt").split(separator: "\n")
      .filter { !$0.hasPrefix("#") }
      .compactMap { $0.split(separator: " ", omittingEmptySubsequences: true).dropFirst().first }
    let python = try ["build", "test"].flatMap { use in
      try SourceTree.text("scripts/requirements-\(use).txt").split(separator: "\n")
        .filter { $0.first?.isLetter == true }.compactMap { $0.split(separator: "=").first }
    }
    #expect(debian.count >= 4 && python.count >= 4)
    for name in debian + python {
      let row = page.split(separator: "\n").first { $0.hasPrefix("| `\(name)`") }
      #expect(row != nil, "Docs/Dependencies.md has no row for \(name)")
    }
  }
}
