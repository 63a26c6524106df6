import Foundation
import Testing

/// What must not compile, given to the compiler.
@Suite struct CompileFailTests {
  struct Outcome {
    var succeeded: Bool
    var output: String
  }

  /// Runs a tool of the toolchain, found on PATH, and waits for it.
  static func run(_ tool: String, _ arguments: [String], in folder: URL) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [tool] + arguments
    process.currentDirectoryURL = folder
    let log = folder.appendingPathComponent("log-\(UUID().uuidString)")
    try Data().write(to: log)
    let handle = try FileHandle(forWritingTo: log)
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    process.waitUntilExit()
    try handle.close()
    return Outcome(
      succeeded: process.terminationStatus == 0,
      output: (try? String(contentsOf: log, encoding: .utf8)) ?? "")
  }

  static func temporaryFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("martlet-layout-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  /// Where the build that made this test put its modules.
  static func builtModules() throws -> URL {
    let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let modules = URL(fileURLWithPath: program).deletingLastPathComponent()
      .appendingPathComponent("Modules")
    try #require(
      FileManager.default.fileExists(
        atPath: modules.appendingPathComponent("MartletModel.swiftmodule").path),
      "the built modules are not beside \(program)")
    return modules
  }

  /// Type-checks a snippet that can see the named modules and no other of this house.
  static func typeCheck(_ snippet: String, seeing modules: Set<String>) throws -> Outcome {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let visible = folder.appendingPathComponent("Modules")
    try FileManager.default.createDirectory(at: visible, withIntermediateDirectories: true)
    let built = try builtModules()
    for module in modules {
      try FileManager.default.createSymbolicLink(
        at: visible.appendingPathComponent("\(module).swiftmodule"),
        withDestinationURL: built.appendingPathComponent("\(module).swiftmodule"))
    }
    let file = folder.appendingPathComponent("Snippet.swift")
    try snippet.write(to: file, atomically: true, encoding: .utf8)
    return try run(
      "swiftc", ["-typecheck", "-swift-version", "6", "-I", visible.path, file.path], in: folder)
  }

  static let intent = """
    import MartletBase
    import MartletModel
    func intent() -> OrderIntent {
      OrderIntent(
        strategy: StrategyID(0), account: AccountID(0), instrument: InstrumentID(0), side: .buy,
        price: Price(quanta: 1), quantity: Quantity(quanta: 1))
    }

    """

  @Test(
    "M5 M115: only Risk can make an approval: the same code without its import does not compile")
  func approvalCannotBeForged() throws {
    let modules: Set<String> = ["MartletBase", "MartletModel"]
    let control = try Self.typeCheck(Self.intent, seeing: modules)
    #expect(control.succeeded, "the control does not compile: \(control.output)")
    let forged = try Self.typeCheck(
      Self.intent + "let forged = Approved(intent(), verdict: 1)\n", seeing: modules)
    #expect(!forged.succeeded)
    #expect(forged.output.contains("@_spi"), "failed for another reason: \(forged.output)")
    let copied = try Self.typeCheck(
      Self.intent
        + "func change(_ a: Approved<OrderIntent>) { var b = a; b.value.price = Price(quanta: 9) }\n",
      seeing: modules)
    #expect(!copied.succeeded)
    #expect(copied.output.contains("'let'"), "failed for another reason: \(copied.output)")
  }

  @Test("M3 M5: a strategy that reaches a session, an order machine or Risk does not compile")
  func strategyReachesNothing() throws {
    let table = ImportTable(
      page: try SourceTree.text("ARCHITECTURE.md"), venues: SourceTree.venues)
    let modules = table.closure(of: "Sources/Strategies/Grid")
    #expect(modules.contains("MartletStrategy") && modules.count < 10)
    let control = try Self.typeCheck(
      "import MartletStrategy\nfunc f(_ intents: inout Intents) { intents.removeAll() }\n",
      seeing: modules)
    #expect(control.succeeded, "the control does not compile: \(control.output)")
    for forbidden in [
      "WhiteBITSession", "WhiteBITWire", "MartletVenueKit", "MartletOrders", "MartletRisk",
    ] {
      let reached = try Self.typeCheck(
        "import MartletStrategy\nimport \(forbidden)\n", seeing: modules)
      #expect(!reached.succeeded, "\(forbidden) is in reach")
      #expect(reached.output.contains("no such module"), "\(reached.output)")
    }
  }

  @Test("M3: the package's own build refuses a strategy that imports a session")
  func buildRefusesReachingStrategy() throws {
    let folder = try Self.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    // The real manifest and the real sources, with one file more.
    var paths = ["Package.swift"]
    paths += SourceTree.files(under: "Sources") + SourceTree.files(under: "Tests", ending: ".swift")
    for path in paths {
      let target = folder.appendingPathComponent(path)
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: SourceTree.root.appendingPathComponent(path), to: target)
    }
    try "internal import WhiteBITSession\n".write(
      to: folder.appendingPathComponent("Sources/Strategies/Grid/Planted.swift"), atomically: true,
      encoding: .utf8)
    let outcome = try Self.run(
      "swift",
      ["build", "--target", "MartletGrid", "--explicit-target-dependency-import-check", "error"],
      in: folder)
    #expect(!outcome.succeeded)
    #expect(
      outcome.output.contains("Planted.swift") && outcome.output.contains("WhiteBITSession"),
      "failed for another reason: \(outcome.output.suffix(2000))")
  }
}
