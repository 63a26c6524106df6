import MartletBase
import MartletConfiguration
import Testing

/// What a file must still say for a bot's orders to be taken off.
@Suite struct PanicConfigurationTests {
  static func read(_ text: String) throws -> PanicConfiguration {
    try PanicConfiguration(Array(text.utf8), file: "bot.toml")
  }

  /// What a file is refused with; empty when it is not.
  static func refusal(_ text: String) -> String {
    do throws(ConfigurationFault) {
      _ = try PanicConfiguration(Array(text.utf8), file: "bot.toml")
      return ""
    } catch {
      return "\(error)"
    }
  }

  static func replacing(_ line: String, with other: String) -> String {
    ConfigurationTests.replacing(line, with: other)
  }

  @Test func aSoundFileIsReadAsARunReadsIt() throws {
    let found = try Self.read(ConfigurationTests.whole)
    let venue = try #require(ConfigurationTests.check(ConfigurationTests.whole).configuration)
      .whitebit
    #expect(found.name == "grid-demo" && found.whitebit == venue)
    #expect(found.markets == ["DBTC_DUSDT"] && !found.lacksMarkets && found.remarks.isEmpty)
    let least = try Self.read(ConfigurationTests.least)
    #expect(least.whitebit == BotConfiguration.localVenue && least.markets == ["BTC_USDT"])
  }

  @Test(arguments: [
    ("levels", "levels = 0", "strategy[0].levels"), ("levels", "levles = 3", "levles"),
    ("spacing", "spacing = 50", "spacing"), ("kind = \"grid\"", "kind = \"gird\"", "kind"),
    ("valuation", "valuation = 7", "valuation"),
    ("mode", "mode = \"live\"", "venue.whitebit.endpoint"),
    ("mode", "profile = \"dmeo\"", "profile"), ("feed", "feed = \"smoke\"", "feed"),
    ("feed", "ping_interval = \"9h\"", "ping_interval"),
    ("refresh", "refresh = \"59s\"", "refresh"),
    ("max_margin_pct", "max_margin_pct = \"many\"", "max_margin_pct"),
    ("max_margin_pct", "[nonsense]\nmore = 1", "nonsense"),
    ("timeout", "timeout = \"9s\"", "dead_man"),
  ])
  func problemsElsewhereAreToldAndNoReasonToRefuse(line: String, other: String, key: String) throws
  {
    let text = Self.replacing(line, with: other)
    #expect(ConfigurationTests.check(text).fault != nil)
    let found = try Self.read(text)
    #expect(found.remarks.contains { $0.contains(key) }, "\(found.remarks)")
    #expect(found.name == "grid-demo" && found.whitebit.key == "file:keys/whitebit")
    #expect(found.whitebit.rest == "https://127.0.0.1:8481" && found.markets == ["DBTC_DUSDT"])
  }

  @Test func marketsThatCannotBeReadAreMissed() throws {
    let none = try Self.read(Self.replacing("market", with: "markt = \"DBTC_DUSDT\""))
    #expect(none.markets.isEmpty && none.lacksMarkets)
    let more = "\n[[strategy]]\nkind = \"grid\"\nmarket = 3\n"
    let half = try Self.read(ConfigurationTests.whole + more)
    #expect(half.markets == ["DBTC_DUSDT"] && half.lacksMarkets)
    // One table in place of an array of them.
    let one = try Self.read(Self.replacing("[[strategy]]", with: "[strategy]"))
    #expect(one.markets == ["DBTC_DUSDT"] && !one.lacksMarkets && !one.remarks.isEmpty)
  }

  @Test func aBotThatWasSetBackToPaperCanStillBeReached() throws {
    for (endpoint, rest) in [("global", "https://whitebit.com"), ("eu", "https://whitebit.eu")] {
      let found = try Self.read(Self.replacing("endpoint", with: "endpoint = \"\(endpoint)\""))
      #expect(found.whitebit.rest == rest && found.whitebit.authorities == nil)
      #expect(found.remarks.count == 1)
    }
  }

  /// Where the venue is, whose orders are meant and which key is asked for must be beyond doubt.
  @Test(arguments: [
    ("name", "nmae = \"grid-demo\"", "bot.name"), ("endpoint", "endpoint = \"globl\"", "endpoint"),
    ("endpoint", "endpont = \"global\"", "venue.whitebit.endpoint: expected it to be named"),
    ("[venue.whitebit]", "[venue.whitebt]", "venue.whitebit.endpoint: expected it to be named"),
    ("endpoint", "endpoint = \"custom\"", "venue.whitebit.rest"),
    ("endpoint", "endpoint = \"custom\"\nrest = \"http://example.com\"", "venue.whitebit.rest"),
    ("endpoint", "endpoint = \"local\"\npins = [\"x\"]", "venue.whitebit.pins"),
    ("key", "key = \"hunter2:hunter2\"", "venue.whitebit.key"),
    ("mode", "mode = \"paper", "no TOML"), ("feed", "key = \"file:other\"", "no TOML"),
  ])
  func whatCannotBeGuessedIsAskedFor(line: String, other: String, words: String) {
    let refusal = Self.refusal(Self.replacing(line, with: other))
    #expect(refusal.contains(words) && !refusal.contains("hunter2"), "\(refusal)")
  }

  @Test func whatIsNoTOMLIsToldAsThatWithItsLine() {
    let refusal = Self.refusal("#!/bin/sh\nrm -rf everything\n")
    #expect(
      refusal.hasPrefix("bot.toml:2:")
        && refusal.contains("or take the orders off on the venue's page"), "\(refusal)")
    #expect(Self.refusal("").contains("bot.name"))
  }
}
