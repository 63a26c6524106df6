import Testing

@Suite struct ImportTests {
  let table: ImportTable
  init() throws {
    table = ImportTable(page: try SourceTree.text("ARCHITECTURE.md"), venues: SourceTree.venues)
  }

  @Test("M3 M4: every import line is in ARCHITECTURE.md's table")
  func importsFollowTheTable() throws {
    #expect(table.rows.count > 20, "the table was not found")
    var seen = 0
    for source in try SourceTree.swift(under: "Sources") {
      guard let row = table.row(for: source.path) else {
        Issue.record("\(source.path): in no row of ARCHITECTURE.md's table")
        continue
      }
      for found in source.imports where found.module != "Swift" {
        seen += 1
        let isAllowed =
          row.allowed.contains(found.module)
          || row.allowsSystem && ImportTable.system.contains(found.module)
          || row.allowsAnything
        #expect(
          isAllowed,
          "\(source.path):\(found.line): imports \(found.module); may import \(row.allowed.sorted())"
        )
      }
    }
    #expect(seen > 20, "no imports were seen: the reader of import lines is broken")
  }

  @Test("every row of the table is a folder with sources")
  func everyRowExists() {
    for row in table.rows {
      #expect(!SourceTree.files(under: row.folder, ending: ".swift").isEmpty, "\(row.folder)")
    }
  }

  @Test("M3 M5: a strategy imports neither execution nor venue code")
  func strategiesReachNothing() throws {
    let forbidden = ["Orders", "Risk", "Kernel", "VenueKit", "Exchange", "Session", "Wire", "Desk"]
    for source in try SourceTree.swift(under: "Sources/Strategies") {
      for found in source.imports {
        let isForbidden = forbidden.contains { found.module.hasSuffix($0) }
        #expect(!isForbidden, "\(source.path):\(found.line): imports \(found.module)")
      }
    }
    for row in table.rows where row.folder.hasPrefix("Sources/Strategies/") {
      let reached = table.closure(of: row.folder).filter { name in
        forbidden.contains { name.hasSuffix($0) }
      }
      #expect(reached.isEmpty, "\(row.module) reaches \(reached.sorted())")
    }
  }

  @Test("rooms reach no room, and the exchange reaches none")
  func roomsAreSealed() {
    let venues = SourceTree.venues
    for row in table.rows {
      let own = venues.first { row.folder.hasPrefix("Sources/Venues/\($0)/") }
      let isProgram = row.allowsAnything
      for venue in venues where venue != own && !isProgram {
        let reached = table.closure(of: row.folder).filter { $0.hasPrefix(venue) }
        #expect(reached.isEmpty, "\(row.module) reaches \(reached.sorted())")
      }
    }
  }

  @Test("M115: only Risk imports the initializer of Approved")
  func onlyRiskApproves() throws {
    var importers: [String] = []
    for source in try SourceTree.swift(under: "Sources") {
      for found in source.imports where found.attributes.contains("@_spi") {
        importers.append(source.path)
        #expect(source.path.hasPrefix("Sources/Path/4-Risk/"), "\(source.path):\(found.line)")
      }
    }
    #expect(!importers.isEmpty, "nobody can approve an order: Risk has no @_spi(Risk) import")
  }
}
