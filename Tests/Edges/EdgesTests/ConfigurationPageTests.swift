import MartletBase
import MartletConfiguration
import Testing

/// Docs/Commands.md is held to what the reader of configurations knows, and the reverse.
@Suite struct ConfigurationPageTests {
  /// One row of the page's table of keys.
  struct Row: Equatable {
    let key: String
    /// As the page writes it: a value of TOML, `required` or `none`.
    let fallback: String
  }

  static func page() throws -> [Substring] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
    let bytes = try BotConfiguration.text(of: root.joined(separator: "/") + "/Docs/Commands.md")
    return String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
  }

  static func rows() throws -> [Row] {
    try page().compactMap { line in
      let cells = line.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
      guard cells.count == 4, cells[0].hasPrefix("[") else { return nil }
      let table = cells[0].filter { $0 != "[" && $0 != "]" }
      return Row(key: "\(table).\(cells[1])", fallback: String(cells[2]))
    }
  }

  static let least = """
    [bot]
    name = "NAME"
    valuation = "DUSDT"
    [venue.whitebit]
    [[strategy]]
    kind = "grid"
    market = "DBTC_DUSDT"
    """

  /// What the reader says of a key when the file does not: its default, or that it must be there.
  static func known() -> [Row] {
    let report = BotConfiguration.check(Array(least.utf8), file: "least.toml")
    return report.keys.map { key in
      let setting = report.settings.first { $0.key == key }
      let isGiven = setting?.position != nil
      return Row(
        key: key == "strategy[0]" ? key : key.split(separator: "[0]").joined(),
        fallback: isGiven ? "required" : setting?.value.filter { $0 != " " } ?? "none")
    }
  }

  @Test func everyKeyIsOnThePageWithItsDefaultAndNoOther() throws {
    let page = try Self.rows()
    let known = Self.known()
    #expect(known.count > 30)
    for row in known { #expect(page.contains(row), "the page lacks or mistakes \(row)") }
    for row in page { #expect(known.contains(row), "this build does not read \(row)") }
    #expect(page.count == known.count)
  }

  @Test func theExampleOfThePageIsSound() throws {
    let lines = try Self.page()
    let start = try #require(lines.firstIndex { $0.hasSuffix("<<'TOML'") })
    let end = try #require(lines[start...].firstIndex { $0 == "TOML" })
    let text = lines[(start + 1)..<end].joined(separator: "\n")
    let report = BotConfiguration.check(Array(text.utf8), file: "Docs/Commands.md")
    #expect(report.fault == nil, "\(report.problems) \(report.refusals)")
    #expect(report.configuration?.whitebit.key != nil)
  }
}
