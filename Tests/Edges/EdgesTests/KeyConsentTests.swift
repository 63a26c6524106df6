import Glibc
import MartletBase
import Testing

@testable import MartletSecrets

@Suite struct KeyConsentTests {
  static func consent(
    _ folder: String, _ markets: [String], at address: String = "https://venue.example",
    key: String = "a-public-key"
  ) throws -> KeyConsent {
    try KeyConsent(
      Credentials(
        key: Secret(copying: Array(key.utf8).span),
        secret: Secret(copying: Array("a-word".utf8).span)),
      at: address, for: markets, in: folder)
  }

  static func isGiven(_ consent: KeyConsent) -> [Bool] { consent.given().map { $0.line != nil } }

  @Test("M36: consent holds for its key, address and market, and for none beside")
  func itHoldsForOneMarketAlone() throws {
    let folder = TemporaryFolder()
    let demo = try Self.consent(folder.path, ["DBTC_DUSDT"])
    #expect(Self.isGiven(demo) == [false])
    try demo.give(at: KeyLockTests.now, by: "grid-one")
    #expect(Self.isGiven(demo) == [true])
    let line = try #require(demo.given()[0].line)
    #expect(line.contains(" at https://venue.example for DBTC_DUSDT: bot grid-one, user "))
    #expect(line.hasSuffix("2027-01-15T08:00:00Z"))

    let both = try Self.consent(folder.path, ["BTC_USDT", "DBTC_DUSDT"])
    #expect(both.given().map(\.market) == ["BTC_USDT", "DBTC_DUSDT"])
    #expect(Self.isGiven(both) == [false, true])
    // A market whose name another's begins with.
    #expect(
      Self.isGiven(try Self.consent(folder.path, ["DBTC_DUSD", "DBTC_DUSDTX"])) == [false, false])
    #expect(
      Self.isGiven(try Self.consent(folder.path, ["DBTC_DUSDT"], at: "https://venue.example.org"))
        == [false])
    #expect(Self.isGiven(try Self.consent(folder.path, ["DBTC_DUSDT"], key: "another")) == [false])
  }

  @Test("M36: what was given is not given again, and what is new stands behind it")
  func onlyWhatIsNewIsWritten() throws {
    let folder = TemporaryFolder()
    let demo = try Self.consent(folder.path, ["DBTC_DUSDT"])
    try demo.give(at: KeyLockTests.now, by: "grid-one")
    let first = try #require(readFile(demo.path))
    try demo.give(at: KeyLockTests.now + .seconds(60), by: "grid-two")
    #expect(readFile(demo.path) == first)
    let both = try Self.consent(folder.path, ["BTC_USDT", "DBTC_DUSDT"])
    try both.give(at: KeyLockTests.now + .seconds(60), by: "grid-two")
    #expect(Self.isGiven(both) == [true, true])
    let last = try #require(readFile(demo.path))
    #expect(last.starts(with: first))
    #expect(String(decoding: last, as: UTF8.self).split(separator: "\n").count == 2)
    var status = stat()
    stat(demo.path, &status)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test("M36: a line that names no market, as earlier builds wrote, holds for none")
  func aLineWithoutAMarketHoldsForNone() throws {
    let folder = TemporaryFolder()
    let demo = try Self.consent(folder.path, ["DBTC_DUSDT"])
    try demo.give(at: KeyLockTests.now, by: "grid-one")
    let text = String(decoding: try #require(readFile(demo.path)), as: UTF8.self)
    let former = text.replacing(" for DBTC_DUSDT", with: "")
    #expect(former != text)
    writeFile(demo.path, Array(former.utf8))
    #expect(Self.isGiven(demo) == [false])
  }
}
