import Testing

@Suite struct PlanTests {
  /// The files each part of a venue's room has, as ARCHITECTURE.md lists them.
  static func plan() throws -> [(part: String, files: Set<String>)] {
    let page = try SourceTree.text("ARCHITECTURE.md")
    return page.split(separator: "\n").compactMap { line in
      guard line.hasPrefix("<Venue>") else { return nil }
      let words = line.split(separator: " ").map(String.init)
      let part = words[0].dropFirst("<Venue>".count).dropLast()
      return (String(part), Set(words.dropFirst()))
    }
  }

  @Test("every venue's room has the files of the plan")
  func roomsFollowThePlan() throws {
    let plan = try Self.plan()
    #expect(plan.map(\.part) == ["Wire", "Session", "Desk"])
    #expect(!SourceTree.venues.isEmpty)
    for venue in SourceTree.venues {
      for (part, files) in plan {
        let folder = "Sources/Venues/\(venue)/\(venue)\(part)"
        let found = Set(Self.ideas(in: folder))
        #expect(found.isSuperset(of: files), "\(folder) lacks \(files.subtracting(found).sorted())")
      }
    }
  }

  @Test("two venues' rooms have the same file names")
  func roomsAreAlike() throws {
    for (part, files) in try Self.plan() {
      let rooms = SourceTree.venues.map { venue in
        Set(
          Self.ideas(in: "Sources/Venues/\(venue)/\(venue)\(part)").map { name in
            name.hasPrefix(venue) ? String(name.dropFirst(venue.count)) : name
          }
        ).union(files)
      }
      for room in rooms.dropFirst() { #expect(room == rooms[0]) }
    }
  }

  /// File names without `.swift` and without what follows a `+`.
  static func ideas(in folder: String) -> [String] {
    SourceTree.files(under: folder, ending: ".swift").map { path in
      let name = path.split(separator: "/").last ?? ""
      return String(name.dropLast(6).split(separator: "+").first ?? "")
    }
  }

  @Test("no empty room: every placeholder has been replaced")
  func noPlaceholders() {
    for path in SourceTree.files(under: "Sources", ending: "Room.swift")
      + SourceTree.files(under: "Tests", ending: "RoomTests.swift")
    {
      Issue.record("\(path) stands in for files that are to come")
    }
  }

  @Test(
    "folder names alone tell where a depth frame is decoded, a grid decides, an order is approved")
  func placesAreFound() throws {
    let page = try SourceTree.text("ARCHITECTURE.md")
    let places = page.split(separator: "\n").filter { $0.hasPrefix("| Where ") }
      .compactMap { $0.split(separator: "`").dropFirst().first }.map(String.init)
    #expect(places.count >= 8)
    for place in places {
      #expect(SourceTree.exists(place), "ARCHITECTURE.md names \(place)")
      #expect(
        place.hasSuffix(".swift") || !SourceTree.files(under: place, ending: ".swift").isEmpty)
    }
    #expect(places.contains("Sources/Venues/WhiteBIT/WhiteBITWire/Depth.swift"))
    #expect(places.contains("Sources/Strategies/Grid/GridStrategy.swift"))
    #expect(places.contains("Sources/Path/4-Risk"))
    let grid = try SourceTree.text("Sources/Strategies/Grid/GridStrategy.swift")
    #expect(grid.contains("struct GridStrategy: TradingStrategy"))
    let depth = try? SourceTree.text("Sources/Venues/WhiteBIT/WhiteBITWire/Depth.swift")
    #expect(depth?.contains("depth_update") == true, "Depth.swift does not speak of depth_update")
    let makers = try SourceTree.swift(under: "Sources/Path/4-Risk").filter { source in
      source.tokens.map(\.text).contains("Approved")
    }
    #expect(!makers.isEmpty, "nothing in Sources/Path/4-Risk makes an Approved")
  }

  @Test("every path that a page names exists")
  func pagesNameRealPaths() throws {
    let pages =
      ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
      + SourceTree.files(under: "Docs", ending: ".md")
    let roots = [
      "Sources/", "Tests/", "Docs/", "scripts/", "Fixtures/", "Examples/", "Benchmarks/",
    ]
    for page in pages {
      let pieces = try SourceTree.text(page).split(separator: "`", omittingEmptySubsequences: false)
      for (index, piece) in pieces.enumerated() where index % 2 == 1 {
        guard roots.contains(where: { piece.hasPrefix($0) }),
          !piece.contains(where: { "<*…, ".contains($0) })
        else { continue }
        #expect(SourceTree.exists(String(piece)), "\(page) names \(piece)")
      }
    }
  }

  @Test("every test folder mirrors a part of the sources")
  func testsMirrorSources() {
    let known: Set<String> = [
      "Base", "Venues", "Edges", "PathTests", "ExchangeTests", "SimulationTests", "BacktestTests",
      "ProgramTests",
      "LayoutTests", "Conformance",
    ]
    for folder in SourceTree.folders(in: "Tests") { #expect(known.contains(folder), "\(folder)") }
  }
}
