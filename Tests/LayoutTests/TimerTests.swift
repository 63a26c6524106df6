import Foundation
import Testing

/// Docs/Timers.md is held to the durations of the sources, and the reverse.
@Suite struct TimerTests {
  /// Where durations are named: what decides, and the edges of a live process.
  static let deciding = [
    "Sources/Path", "Sources/Strategies", "Sources/Venues/VenueKit",
    "Sources/Venues/WhiteBIT/WhiteBITSession",
  ]
  static let edges = ["Sources/Edges", "Sources/Programs/Live"]

  struct Named: Hashable, Comparable, CustomStringConvertible {
    /// Folder and file, without the ending, such as `WhiteBITSession/Configuration`.
    let place: String
    let name: String
    let milliseconds: Int
    static func < (lhs: Named, rhs: Named) -> Bool { lhs.description < rhs.description }
    var description: String { "\(place): \(name) \(milliseconds) ms" }
  }

  /// Properties, constants and defaults whose value is written as a duration.
  static func durations(in source: SourceText) -> [Named] {
    let parts = source.path.split(separator: "/")
    let file = parts.suffix(2).joined(separator: "/").split(separator: ".")[0]
    var found: [Named] = []
    for line in source.code.split(separator: "\n") {
      let line = String(line)
      let unit = /\.(seconds|milliseconds)\(([0-9_]+)\)/
      let named = [
        // let name = TimeSpan.seconds(1), var name: TimeSpan? = .seconds(1), name: TimeSpan = .seconds(1)
        /([A-Za-z]+)(?:: TimeSpan\??)? = (?:TimeSpan)?(\.(?:seconds|milliseconds)\([0-9_]+\))/,
        // var name: TimeSpan { .seconds(1) }
        /var ([A-Za-z]+): TimeSpan \{ (?:TimeSpan)?(\.(?:seconds|milliseconds)\([0-9_]+\)) \}/,
        // var name = RateLimit(10, in: .seconds(1)) and SyncPolicy.behind(every: .milliseconds(100))
        /var ([A-Za-z]+) = [A-Za-z]+(?:\.behind)?\((?:[0-9_]+, in|every): (\.(?:seconds|milliseconds)\([0-9_]+\))\)/,
      ]
      for shape in named {
        for match in line.matches(of: shape) {
          guard let value = match.output.2.firstMatch(of: unit),
            let count = Int(value.output.2.filter { $0 != "_" })
          else { continue }
          // A bound of a configuration is no duration that anything waits for.
          if line.contains(")...") { continue }
          found.append(
            Named(
              place: String(file), name: String(match.output.1),
              milliseconds: value.output.1 == "seconds" ? count * 1_000 : count))
        }
      }
    }
    return found
  }

  /// A row of the page: `| `place: name` | 10 s | … |`.
  static func rows(under heading: String) throws -> [(named: Named, cells: [String])] {
    let text = try SourceTree.text("Docs/Timers.md")
    guard let start = text.range(of: "\n## \(heading)\n") else { return [] }
    let rest = text[start.upperBound...]
    let section = rest.range(of: "\n## ").map { rest[..<$0.lowerBound] } ?? rest
    return section.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard cells.count >= 5, cells[1].hasPrefix("`") else { return nil }
      let words = cells[1].filter { $0 != "`" }.split(separator: " ")
      guard words.count == 2, let milliseconds = milliseconds(cells[2]) else { return nil }
      return (
        Named(
          place: String(words[0].dropLast()), name: String(words[1]), milliseconds: milliseconds),
        Array(cells[3...])
      )
    }
  }

  private static func milliseconds(_ text: String) -> Int? {
    let parts = text.split(separator: " ")
    guard parts.count == 2, let count = Int(parts[0].filter { $0 != "," }) else { return nil }
    let units = ["ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000]
    return units[String(parts[1])].map { count * $0 }
  }

  private static func expectSame(_ folders: [String], _ heading: String) throws {
    var written: Set<Named> = []
    for folder in folders {
      for source in try SourceTree.swift(under: folder) {
        written.formUnion(durations(in: source))
      }
    }
    let told = try Set(rows(under: heading).map(\.named))
    for one in written.subtracting(told).sorted() {
      Issue.record("Docs/Timers.md, “\(heading)”, has no row for \(one)")
    }
    for one in told.subtracting(written).sorted() {
      Issue.record("Docs/Timers.md, “\(heading)”, has a row for \(one), which no source has")
    }
    #expect(!told.isEmpty)
  }

  @Test("M142: each duration that decides is on the page, with its value, and no other is")
  func decidingTimers() throws { try Self.expectSame(Self.deciding, "What decides") }

  @Test("M142: so is each at the edges")
  func edgeTimers() throws { try Self.expectSame(Self.edges, "At the edges") }

  @Test("each row of what decides says what it does and names tests that exist")
  func rowsNameTests() throws {
    var names: Set<String> = []
    for path in SourceTree.files(under: "Tests", ending: ".swift") {
      names.insert(String(path.split(separator: "/").last?.dropLast(6) ?? ""))
    }
    for row in try Self.rows(under: "What decides") {
      #expect(row.cells.count >= 3 && row.cells[0].count > 10, "\(row.named)")
      let tests = row.cells[2].filter { $0 != "`" }.split(separator: ",").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      #expect(!tests.isEmpty && tests.allSatisfy { names.contains($0) }, "\(row.named): \(tests)")
    }
  }

  @Test("the reader of durations finds what it looks for, and nothing else")
  func readerWorks() {
    func found(_ code: String) -> [String] {
      Self.durations(in: SourceText(path: "Sources/A/B/C.swift", raw: code)).map(\.description)
    }
    #expect(found("static let a = TimeSpan.seconds(5)") == ["B/C: a 5000 ms"])
    #expect(found("public var a: TimeSpan? = .seconds(60)") == ["B/C: a 60000 ms"])
    #expect(found("static var a: TimeSpan { .milliseconds(2_500) }") == ["B/C: a 2500 ms"])
    #expect(
      found("a: TimeSpan = .seconds(1), b: TimeSpan = .seconds(30)")
        == ["B/C: a 1000 ms", "B/C: b 30000 ms"])
    #expect(found("public var a = RateLimit(10_000, in: .seconds(10))") == ["B/C: a 10000 ms"])
    #expect(
      found("let a = b + .seconds(5)\nlet bounds = TimeSpan.seconds(1)...TimeSpan.seconds(9)") == []
    )
  }
}
