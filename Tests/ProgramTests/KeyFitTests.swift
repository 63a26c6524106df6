import Glibc
import MartletBase
import MartletConfiguration
import MartletSecrets
import MartletVenueKit
import Testing

@testable import MartletLive

/// In a process each, because the store's place is in the environment.
@Suite struct KeyFitTests {
  static func venue(
    key: String? = nil, spot: String? = nil, contracts: String? = nil
  ) -> BotConfiguration.Venue {
    var venue = BotConfiguration.localVenue
    (venue.key, venue.spotKey, venue.contractsKey) = (key, spot, contracts)
    return venue
  }

  /// A test's folder, named for the process that removes it, which the one that works in it has for
  /// its parent.
  static func folder(_ name: String, of process: pid_t) -> String {
    "/tmp/martlet-test-keys-\(name)-\(process)"
  }

  /// Runs `body` with its folder made, and removes what is left of it.
  static func withFolder(_ name: String, _ body: () async -> Void) async {
    let folder = folder(name, of: getpid())
    mkdir(folder, 0o700)
    await body()
    for file in ["keys.sealed", "key"] { unlink(folder + "/" + file) }
    rmdir(folder)
  }

  /// Makes a store with keys `main` (any), `spot-a` and `any-a` (the same key), `futures` (contracts)
  /// and names it in the environment.
  static func makeStore(_ name: String) throws -> String {
    let folder = folder(name, of: getppid())
    let path = folder + "/keys.sealed"
    setenv(SealedStore.variable, path, 1)
    func secret(_ text: String) -> Secret { Secret(copying: Array(text.utf8).span) }
    var store = try SealedStore.make(
      path, passphrase: secret("three or four words"),
      cost: SealedStore.Cost(passes: 1, kibibytes: 8_192))
    for (name, key, slot) in [
      ("main", "key-1", .any), ("spot-a", "key-2", .spot), ("any-a", "key-2", .any),
      ("futures", "key-3", .contracts),
    ] as [(String, String, SealedStore.Slot)] {
      try store.add(
        Credentials(key: secret(key), secret: secret("word")), named: name, venue: "whitebit",
        slot: slot, at: Timestamp(milliseconds: 1_800_000_000_000))
    }
    try store.save()
    return folder
  }

  @Test("C17 M35: one key in both slots is refused where the venue makes keys for one product each")
  func oneKeyInBothSlots() async {
    await Self.withFolder("slots") {
      await #expect(processExitsWith: .exitCode(0)) {
        let folder = try KeyFitTests.makeStore("slots")
        func keys(_ venue: BotConfiguration.Venue, _ scope: KeyScope) -> [String] {
          KeyFit.problems(of: venue, scope: scope).map { "\($0.key): \($0.message)" }
        }
        let same = KeyFitTests.venue(spot: "keyring:spot-a", contracts: "keyring:any-a")
        guard keys(same, .product).count == 1,
          keys(same, .product)[0].hasPrefix("contracts_key: this venue makes keys for spot or")
        else { exit(1) }
        // The same bytes in a file are the same key.
        let file = folder + "/key"
        let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
        let line = Array("key-2:other".utf8)
        guard write(descriptor, line, line.count) == line.count else { exit(2) }
        close(descriptor)
        let filed = KeyFitTests.venue(spot: "keyring:spot-a", contracts: "file:\(file)")
        guard keys(filed, .product).count == 1 else { exit(3) }
        setenv("MARTLET_TEST_SLOT", "key-2:other", 1)
        let variable = KeyFitTests.venue(spot: "env:MARTLET_TEST_SLOT", contracts: "file:\(file)")
        guard keys(variable, .product).count == 1, getenv("MARTLET_TEST_SLOT")[0] != 0 else {
          exit(4)
        }
        // What cannot be read is compared by its name.
        let absent = KeyFitTests.venue(spot: "file:/none", contracts: "file:/none")
        guard keys(absent, .product).count == 1 else { exit(5) }
        let two = KeyFitTests.venue(spot: "keyring:spot-a", contracts: "keyring:futures")
        guard keys(two, .product).isEmpty else { exit(6) }
        // One key for everything is one in both slots.
        let one = KeyFitTests.venue(key: "keyring:main")
        guard keys(one, .product).count == 1, keys(one, .product)[0].hasPrefix("key: ") else {
          exit(7)
        }
        // WhiteBIT's keys are the account's.
        for venue in [same, filed, variable, absent, two, one] {
          guard keys(venue, .account).isEmpty else { exit(8) }
        }
        exit(0)
      }
    }
  }

  @Test("M134: a key that the store has not is told with the nearest one, and where none may stand")
  func unknownNamesAreTold() async {
    await Self.withFolder("names") {
      await #expect(processExitsWith: .exitCode(0)) {
        let folder = try KeyFitTests.makeStore("names")
        func problem(_ venue: BotConfiguration.Venue) -> String {
          KeyFit.problems(of: venue, scope: .account).map { "\($0.key): \($0.message)" }
            .joined(separator: "\n")
        }
        guard
          problem(KeyFitTests.venue(key: "keyring:mian")).hasSuffix(
            "it holds any-a, futures, main, spot-a; did you mean keyring:main?")
        else { exit(1) }
        guard
          problem(KeyFitTests.venue(key: "keyring:futures")).contains("name it with contracts_key")
        else { exit(2) }
        guard
          problem(KeyFitTests.venue(spot: "keyring:futures")).contains("is for contracts")
        else { exit(3) }
        let text = """
          [bot]
          name = "x"
          valuation = "DUSDT"
          [venue.whitebit]
          key = "keyring:mian"
          [[strategy]]
          kind = "grid"
          market = "DBTC_DUSDT"
          """
        let report = BotConfiguration.check(Array(text.utf8), file: "x.toml")
        guard report.fault == nil, let fault = KeyFit.fault(of: report, file: "x.toml") else {
          exit(4)
        }
        guard "\(fault)".hasPrefix("x.toml:5:"), "\(fault)".contains("did you mean keyring:main?")
        else { exit(5) }
        unlink(folder + "/keys.sealed")
        guard
          problem(KeyFitTests.venue(key: "keyring:main")).contains("./martlet keys add NAME")
        else { exit(6) }
        exit(0)
      }
    }
  }
}
