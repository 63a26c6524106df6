/// The table "Who may import whom" of ARCHITECTURE.md, read from the page itself.
struct ImportTable {
  struct Row: Equatable {
    var folder: String
    var module: String
    var allowed: Set<String>
    var allowsAnything = false
    var allowsSystem = false
  }

  static let system: Set<String> = [
    "Glibc", "Foundation", "FoundationEssentials", "Synchronization",
  ]
  let rows: [Row]

  /// - Parameter venues: what `<Venue>` stands for.
  init(page: String, venues: [String]) {
    var rows: [Row] = []
    for line in page.split(separator: "\n") where line.hasPrefix("| `Sources/") {
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
      guard cells.count == 5 else { continue }
      let names = line.contains("<Venue>") ? venues : [""]
      for venue in names {
        let filled = cells.map { $0.replacing("<Venue>", with: venue) }
        let row = Row(
          folder: ImportTable.quoted(filled[1]).first ?? "",
          module: ImportTable.quoted(filled[2]).first ?? "",
          allowed: Set(ImportTable.quoted(filled[3])),
          allowsAnything: filled[3].contains("anything"),
          allowsSystem: filled[3].contains("the system"))
        rows.append(row)
      }
    }
    self.rows = rows
  }

  func row(for path: String) -> Row? { rows.first { path.hasPrefix($0.folder + "/") } }

  /// What `row` may import, and what those may, and so on: what the compiler may come to see.
  func closure(of folder: String) -> Set<String> {
    guard let row = rows.first(where: { $0.folder == folder }) else { return [] }
    var seen: Set<String> = [row.module]
    var open = Array(row.allowed)
    while let next = open.popLast() {
      if seen.insert(next).inserted, let row = rows.first(where: { $0.module == next }) {
        open += row.allowed
      }
    }
    return seen
  }

  private static func quoted(_ cell: String) -> [String] {
    cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }.map { String($0.element) }
  }
}
