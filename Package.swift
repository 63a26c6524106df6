// swift-tools-version: 6.2
// The house, target by target, in the order data travels. `ARCHITECTURE.md` has the plan and the
// import table; `Tests/LayoutTests` holds this file and the sources to it.
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

func room(_ name: String, at path: String, needs dependencies: [String] = []) -> Target {
  .target(
    name: name, dependencies: dependencies.map { .target(name: $0) }, path: "Sources/" + path,
    swiftSettings: strict)
}

func tests(_ name: String, at path: String? = nil, needs dependencies: [String]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies.map { .target(name: $0) },
    path: "Tests/" + (path ?? name),
    swiftSettings: [
      .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
      .enableUpcomingFeature("MemberImportVisibility"), .treatAllWarnings(as: .error),
    ])
}

let base = ["MartletBase"]
let model = base + ["MartletModel"]
let kit = model + ["MartletVenueKit"]
let path = [
  "MartletBook", "MartletSignal", "MartletStrategy", "MartletRisk", "MartletOrders",
  "MartletPortfolio",
]

// Arrow's headers and libraries, where the set-up of `./martlet` puts them.
let arrow = Context.packageDirectory + "/.deps/arrow"

let package = Package(
  name: "Martlet",
  products: [
    .executable(name: "martlet", targets: ["MartletCommandLine"]),
    // Opened when it is needed, and linked by nobody: loading Arrow takes longer than most commands.
    .library(name: "MartletParquet", type: .dynamic, targets: ["CMartletParquetLibrary"]),
  ],
  targets: [
    // Base: words; nothing here knows what a venue is.
    room("MartletBase", at: "Base/MartletBase"),
    room("MartletJSON", at: "Base/MartletJSON", needs: base),
    room("MartletModel", at: "Base/MartletModel", needs: base),
    room("MartletRecord", at: "Base/MartletRecord", needs: base),

    // Venues: two halves of one wire.
    room("MartletVenueKit", at: "Venues/VenueKit", needs: model),
    room("WhiteBITWire", at: "Venues/WhiteBIT/WhiteBITWire", needs: kit + ["MartletJSON"]),
    room("WhiteBITSession", at: "Venues/WhiteBIT/WhiteBITSession", needs: kit + ["WhiteBITWire"]),
    room(
      "WhiteBITDesk", at: "Venues/WhiteBIT/WhiteBITDesk",
      needs: kit + ["WhiteBITWire", "MartletExchange"]),

    // Path: where a decision is made.
    room(
      "MartletKernel", at: "Path/0-Kernel", needs: kit + path + ["MartletRecord"]),
    room("MartletBook", at: "Path/1-Book", needs: model),
    room("MartletSignal", at: "Path/2-Signal", needs: model + ["MartletBook"]),
    room(
      "MartletStrategy", at: "Path/3-Strategy",
      needs: model + ["MartletBook", "MartletSignal", "MartletPortfolio"]),
    room("MartletRisk", at: "Path/4-Risk", needs: model + ["MartletPortfolio"]),
    room("MartletOrders", at: "Path/5-Orders", needs: model),
    room("MartletPortfolio", at: "Path/6-Portfolio", needs: model),

    // Strategies: one file to read each.
    room(
      "MartletGrid", at: "Strategies/Grid", needs: model + ["MartletStrategy", "MartletSignal"]),

    room(
      "MartletStrategies", at: "Strategies/BuiltIn",
      needs: model + ["MartletStrategy", "MartletGrid"]),

    // Exchange: the other side; knows no venue and no wire.
    room("MartletExchange", at: "Exchange", needs: model),

    // Edges: the only Swift that may touch the system.
    room(
      "MartletTransport", at: "Edges/Transport",
      needs: ["CMartletLinux", "CMartletCurl", "CMartletTLS"] + base),
    room("MartletClock", at: "Edges/Clock", needs: base),
    room(
      "MartletSecrets", at: "Edges/Secrets",
      needs: ["CMartletCrypto", "CMartletSodium", "CMartletLinux", "MartletVenueKit"] + base),
    room(
      "MartletJournalFile", at: "Edges/JournalFile",
      needs: ["CMartletCrypto", "CMartletLinux", "CMartletZstd", "MartletRecord"] + base),
    room(
      "MartletHistory", at: "Edges/History",
      needs: ["CMartletParquet", "CMartletZlib", "CMartletZstd"] + model),
    room("MartletConfiguration", at: "Edges/Configuration", needs: ["CMartletTOML"] + base),
    room(
      "MartletAlerts", at: "Edges/Alerts", needs: ["MartletTransport", "MartletJSON"] + model),
    room(
      "MartletDashboard", at: "Edges/Dashboard", needs: ["MartletTransport", "MartletJSON"] + model),

    // C: thin shims, one library each.
    .target(name: "CMartletLinux", path: "Sources/C/CMartletLinux"),
    .systemLibrary(
      name: "CCurl", path: "Sources/C/CCurl", pkgConfig: "libcurl",
      providers: [.apt(["libcurl4-openssl-dev"])]),
    .target(name: "CMartletCurl", dependencies: ["CCurl"], path: "Sources/C/CMartletCurl"),
    .target(
      name: "CMartletCrypto", path: "Sources/C/CMartletCrypto",
      linkerSettings: [.linkedLibrary("crypto")]),
    .target(
      name: "CMartletSodium", path: "Sources/C/CMartletSodium",
      linkerSettings: [.linkedLibrary("sodium")]),
    .target(
      name: "CMartletTLS", path: "Sources/C/CMartletTLS",
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CMartletTOML", path: "Sources/C/CMartletTOML"),
    .target(name: "CMartletAllocations", path: "Sources/C/CMartletAllocations"),
    .target(
      name: "CMartletZstd", path: "Sources/C/CMartletZstd", linkerSettings: [.linkedLibrary("zstd")]
    ),
    .target(
      name: "CMartletZlib", path: "Sources/C/CMartletZlib", linkerSettings: [.linkedLibrary("z")]),
    // Opens the library below, found beside the program or where the set-up puts Arrow.
    .target(
      name: "CMartletParquet", path: "Sources/C/CMartletParquet",
      linkerSettings: [
        .linkedLibrary("dl"),
        .unsafeFlags([
          "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/lib", "-Xlinker", "-rpath", "-Xlinker",
          arrow + "/lib",
        ]),
      ]),
    .target(
      name: "CMartletParquetLibrary", path: "Sources/C/CMartletParquetLibrary",
      cxxSettings: [.unsafeFlags(["-isystem", arrow + "/include"])]),

    // Programs: the whole, put together.
    room(
      "MartletSimulation", at: "Programs/Simulation",
      needs: kit + path + [
        "MartletKernel", "MartletExchange", "MartletGrid", "MartletStrategies", "MartletJSON",
        "MartletSecrets", "MartletRecord", "MartletJournalFile", "WhiteBITSession", "WhiteBITDesk",
        "WhiteBITWire",
      ]),
    room(
      "MartletExchangeServer", at: "Programs/ExchangeServer",
      needs: kit + [
        "MartletExchange", "MartletHistory", "MartletTransport", "MartletClock", "MartletSecrets",
        "WhiteBITDesk", "WhiteBITWire",
      ]),
    room(
      "MartletLive", at: "Programs/Live",
      needs: kit + path + [
        "MartletKernel", "MartletGrid", "MartletStrategies", "MartletRecord", "MartletTransport",
        "MartletClock",
        "MartletSecrets", "MartletJournalFile", "MartletConfiguration", "MartletDashboard",
        "MartletAlerts", "MartletJSON", "WhiteBITSession", "WhiteBITWire", "CMartletLinux",
      ]),
    room(
      "MartletChaos", at: "Programs/Chaos",
      needs: kit + path + [
        "MartletKernel", "MartletStrategies", "MartletSimulation", "MartletLive",
        "MartletConfiguration", "MartletJournalFile", "MartletRecord", "MartletSecrets",
        "MartletExchange", "WhiteBITSession", "WhiteBITDesk",
      ]),
    room(
      "MartletBacktest", at: "Programs/Backtest",
      needs: kit + path + [
        "MartletKernel", "MartletStrategies", "MartletExchange", "MartletLive", "MartletSimulation",
        "MartletHistory", "WhiteBITSession", "WhiteBITDesk",
      ]),
    room(
      "MartletBench", at: "Programs/Bench",
      needs: kit + path + [
        "MartletKernel", "MartletGrid", "MartletStrategies", "MartletRecord", "MartletExchange",
        "MartletHistory", "MartletSimulation", "MartletLive",
        "MartletJournalFile", "MartletSecrets", "MartletClock", "MartletJSON", "WhiteBITSession",
        "WhiteBITWire", "WhiteBITDesk", "CMartletLinux", "CMartletCrypto", "CMartletAllocations",
        "MartletTransport",
      ]),
    .executableTarget(
      name: "MartletCommandLine",
      dependencies: [
        "MartletBase", "MartletModel", "MartletJSON", "MartletRecord", "MartletVenueKit",
        "MartletKernel", "MartletRisk",
        "MartletLive", "MartletExchangeServer", "MartletBench", "MartletChaos", "MartletSimulation",
        "MartletBacktest", "MartletJournalFile",
        "MartletAlerts", "MartletConfiguration", "MartletHistory", "MartletSecrets",
        "MartletTransport", "MartletClock", "CMartletLinux",
        "MartletBook",
        "MartletOrders",
        "MartletPortfolio",
        "MartletStrategies",
        "WhiteBITSession",
        "CMartletCrypto",
      ],
      path: "Sources/Programs/CommandLine", swiftSettings: strict),

    // Tests mirror the sources.
    tests("MartletBaseTests", at: "Base/MartletBaseTests", needs: base),
    tests("MartletJSONTests", at: "Base/MartletJSONTests", needs: base + ["MartletJSON"]),
    tests("MartletModelTests", at: "Base/MartletModelTests", needs: model),
    tests(
      "MartletRecordTests", at: "Base/MartletRecordTests", needs: base + ["MartletRecord"]),
    tests("VenueKitTests", at: "Venues/VenueKitTests", needs: kit),
    tests(
      "WhiteBITTests", at: "Venues/WhiteBITTests",
      needs: kit + [
        "MartletJSON", "MartletExchange", "MartletSecrets", "WhiteBITWire", "WhiteBITSession",
        "WhiteBITDesk",
      ]),
    tests(
      "PathTests", at: "PathTests",
      needs: kit + path + [
        "MartletKernel", "MartletGrid", "MartletStrategies", "MartletRecord",
      ]),
    tests(
      "ExchangeTests", at: "ExchangeTests", needs: model + ["MartletExchange", "MartletHistory"]),
    tests(
      "TransportTests", at: "Edges/TransportTests",
      needs: base + ["MartletTransport", "CMartletLinux"]),
    tests(
      "EdgesTests", at: "Edges/EdgesTests",
      needs: kit + [
        "MartletAlerts", "MartletClock", "MartletSecrets", "MartletJournalFile", "MartletHistory",
        "MartletConfiguration", "MartletDashboard", "MartletRecord", "MartletJSON",
        "MartletTransport", "CMartletCrypto", "CMartletZstd",
      ]),
    tests(
      "SimulationTests", at: "SimulationTests",
      needs: kit + path + [
        "MartletKernel", "MartletExchange", "MartletGrid", "MartletStrategies", "MartletJSON",
        "MartletSimulation", "MartletHistory", "MartletLive", "MartletChaos", "MartletJournalFile",
        "MartletConfiguration", "MartletRecord", "MartletSecrets", "WhiteBITWire",
        "WhiteBITSession", "WhiteBITDesk",
      ]),
    tests(
      "ProgramTests", at: "ProgramTests",
      needs: kit + [
        "MartletJSON", "MartletLive", "MartletBench", "MartletJournalFile", "MartletConfiguration",
        "MartletSecrets", "MartletRecord",
        "MartletAlerts", "MartletDashboard", "MartletKernel", "MartletTransport",
      ]),
    tests(
      "BacktestTests", at: "BacktestTests",
      needs: kit + path + [
        "MartletKernel", "MartletStrategies", "MartletGrid", "MartletExchange", "MartletHistory",
        "MartletLive", "MartletConfiguration", "MartletBacktest", "MartletSimulation",
        "WhiteBITSession", "WhiteBITDesk",
      ]),
    tests("LayoutTests", at: "LayoutTests", needs: []),
  ],
  cLanguageStandard: .c17,
  cxxLanguageStandard: .cxx20
)
