import MartletBase
import MartletConfiguration
import Testing

@Suite struct ConfigurationTests {
  static let whole = """
    [bot]
    name = "grid-demo"
    mode = "paper"                 # fills come from the local exchange
    valuation = "DUSDT"

    [venue.whitebit]
    endpoint = "local"
    key = "file:keys/whitebit"
    feed = "websocket"

    [dead_man]
    timeout = "60s"
    refresh = "45s"
    grace = "40s"

    [[strategy]]
    kind = "grid"
    venue = "whitebit"
    market = "DBTC_DUSDT"
    levels = 10
    spacing = "50"
    amount = "0.001"

    [risk]
    max_position_pct = "3"
    halt_exposure_pct = "15"
    max_drawdown_pct = "10"
    breaker_loss_pct = "8"
    breaker_window = "5m"
    max_margin_pct = "85"
    """

  static let least = """
    [bot]
    name = "b"
    valuation = "USDT"
    [venue.whitebit]
    [[strategy]]
    kind = "grid"
    market = "BTC_USDT"
    """

  static func check(_ text: String) -> BotConfiguration.Report {
    BotConfiguration.check(Array(text.utf8), file: "bot.toml")
  }

  /// The problems of `text` as a user reads them.
  static func problems(_ text: String) -> [String] {
    check(text).problems.map(\.description)
  }

  static func replacing(_ line: String, with other: String) -> String {
    let lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
    precondition(lines.contains { $0.hasPrefix(line) }, "no line \(line)")
    return lines.map { $0.hasPrefix(line) ? other : String($0) }.joined(separator: "\n")
  }

  static func amount(_ text: String) -> Amount {
    let bytes = Array(text.utf8)
    guard let amount = try? DecimalText.parseAmount(bytes.span) else {
      preconditionFailure("no amount: \(text)")
    }
    return amount
  }

  @Test("M102: the documented configuration is read as it stands")
  func theDocumentedFileIsRead() throws {
    let report = Self.check(Self.whole)
    #expect(report.problems.isEmpty && report.refusals.isEmpty && report.fault == nil)
    let configuration = try #require(report.configuration)
    #expect(configuration.name == "grid-demo" && configuration.mode == .paper)
    #expect(configuration.valuation == "DUSDT")
    #expect(
      configuration.whitebit
        == BotConfiguration.Venue(
          endpoint: .local, rest: "https://127.0.0.1:8481", websocket: "wss://127.0.0.1:8481/ws",
          authorities: ".martlet/exchange/8481/ca.pem", key: "file:keys/whitebit"))
    #expect(
      configuration.strategies == [
        .grid(
          BotConfiguration.Grid(
            market: "DBTC_DUSDT", levels: 10, spacing: Self.amount("50"),
            amount: Self.amount("0.001")))
      ])
    #expect(configuration.deadMan == BotConfiguration.DeadMan())
    #expect(configuration.risk.maxPosition == Rate(units: 300_000_000))
    #expect(configuration.risk.breakerWindow == .seconds(300))
    #expect(configuration.risk.maxOrderNotional == nil)
    #expect(configuration.journalFolder == ".martlet/grid-demo/journal")
    #expect(configuration.dashboardPort == nil)
  }

  @Test("M102: what is left out has the documented defaults")
  func theLeastFileGetsTheDefaults() throws {
    let least = try #require(Self.check(Self.least).configuration)
    let whole = try #require(Self.check(Self.whole).configuration)
    #expect(least.deadMan == whole.deadMan)
    #expect(least.risk == whole.risk)
    guard case .grid(let grid) = least.strategies.first, case .grid(let other) = whole.strategies[0]
    else {
      Issue.record("no grid")
      return
    }
    #expect(grid.levels == 10 && grid.spacing == other.spacing && grid.amount == other.amount)
    #expect(least.whitebit.key == nil && least.mode == .paper)
  }

  @Test(
    "M108: the demo profile trades the demo market alone, and the local exchange is the default")
  func theDemoProfileRefusesOtherMarkets() throws {
    let demo = Self.replacing("name", with: "name = \"grid-demo\"\nprofile = \"demo\"")
    #expect(Self.check(demo).fault == nil)
    let other = demo.replacing("DBTC_DUSDT", with: "BTC_USDT")
    let report = Self.check(other)
    #expect(report.configuration == nil && report.problems.isEmpty)
    #expect(report.refusals.map(\.description).joined().contains("DBTC_DUSDT"))
    #expect(report.fault?.exitCode == 3)
    #expect(Self.check(Self.least).configuration?.whitebit.endpoint == .local)
  }

  @Test("C7: streams are pinged every 10 s, or as the file says, up to every 60 s")
  func thePingIntervalIsConfigured() {
    #expect(Self.check(Self.whole).configuration?.whitebit.pingInterval == .seconds(10))
    func read(_ text: String) -> BotConfiguration.Report {
      Self.check(
        Self.replacing("feed", with: "feed = \"websocket\"\nping_interval = \"\(text)\""))
    }
    #expect(read("60s").configuration?.whitebit.pingInterval == .seconds(60))
    for text in ["61s", "999ms", "0s", "often"] {
      #expect(
        read(text).problems.map(\.description) == [
          "bot.toml:10:1: venue.whitebit.ping_interval: expected a length of time from \"1s\" to "
            + "\"1m\", with ms, s, m, h or d, found \"\(text)\""
        ])
    }
  }

  @Test("a journal's files and when they are brought to disk are as the file says")
  func theJournalIsConfigured() throws {
    let least = try #require(Self.check(Self.least).configuration)
    #expect(least.journalSegmentBytes == 16 << 20)
    #expect(least.journalSync == .behind(.milliseconds(100)))
    func read(_ line: String) -> BotConfiguration.Report {
      Self.check(Self.least + "\n[journal]\n\(line)\n")
    }
    #expect(read("segment_bytes = 4194304").configuration?.journalSegmentBytes == 4 << 20)
    #expect(least.keepMarket == .seconds(30 * 86_400) && least.keepMarketBytes == 4 << 30)
    #expect(read("keep_market = \"7d\"").configuration?.keepMarket == .seconds(7 * 86_400))
    #expect(read("keep_market_bytes = 0").configuration?.keepMarketBytes == 0)
    #expect(
      Self.check(Self.least).settings.contains {
        "\($0)" == "journal.keep_market = \"30d\"  # default"
      })
    #expect(read("sync = \"each\"").configuration?.journalSync == .each)
    #expect(read("sync = \"close\"").configuration?.journalSync == .atClose)
    #expect(read("sync = \"behind 2s\"").configuration?.journalSync == .behind(.seconds(2)))
    for line in [
      "sync = \"behind\"", "sync = \"behind 9ms\"", "sync = \"behind 11s\"", "sync = \"never\"",
      "sync = \"behind 1s 1s\"", "segment_bytes = 1048575", "segment_bytes = \"16M\"",
      "keep_market = \"59m\"", "keep_market = \"3651d\"", "keep_market = 30",
      "keep_market_bytes = -1", "keep_market_bytes = \"4G\"",
    ] {
      let problems = read(line).problems.map(\.description)
      #expect(problems.count == 1 && problems[0].contains("journal."), "\(line): \(problems)")
    }
  }

  @Test("M48 T12: a clean slate is off unless the file says so in so many words")
  func cleanSlateIsOff() throws {
    #expect(Self.check(Self.whole).configuration?.isCleanSlate == false)
    func read(_ line: String) -> BotConfiguration.Report {
      Self.check(Self.replacing("mode", with: "mode = \"paper\"\n\(line)"))
    }
    #expect(read("clean_slate = true").configuration?.isCleanSlate == true)
    #expect(read("clean_slate = false").configuration?.isCleanSlate == false)
    for line in ["clean_slate = \"true\"", "clean_slate = 1", "cleanslate = true"] {
      #expect(read(line).problems.count == 1, "\(line)")
    }
  }

  @Test(
    "C8 M65 M88: waits end at 30 s, or as the file says; so do the share of the quota and the queue"
  )
  func quotaAndWaitsAreConfigured() throws {
    let venue = try #require(Self.check(Self.whole).configuration?.whitebit)
    #expect(venue.backoffFirst == .seconds(1) && venue.backoffMax == .seconds(30))
    #expect(venue.quotaSharePercent == 90 && venue.queue == 4_096)
    #expect(venue.clockTolerance == .seconds(5))
    func read(_ lines: String) -> BotConfiguration.Report {
      Self.check(Self.replacing("feed", with: "feed = \"websocket\"\n\(lines)"))
    }
    let other = try #require(
      read(
        "backoff_first = \"500ms\"\nbackoff_max = \"1m\"\nquota_share_pct = 40\nqueue = 100\n"
          + "clock_tolerance = \"30s\""
      ).configuration?.whitebit)
    #expect(other.backoffFirst == .milliseconds(500) && other.backoffMax == .seconds(60))
    #expect(other.quotaSharePercent == 40 && other.queue == 100)
    #expect(other.clockTolerance == .seconds(30))
    for line in [
      "backoff_max = \"11m\"", "backoff_first = \"0s\"", "quota_share_pct = 0",
      "quota_share_pct = 101", "queue = 0", "queue = 5000",
      "clock_tolerance = \"500ms\"",
    ] {
      #expect(read(line).problems.count == 1, "\(line)")
    }
  }

  @Test func eachValueKnowsWhereItCameFrom() {
    let settings = Self.check(
      Self.whole + "\nprice_band_pct = \"2.5\"\n[dashboard]\nport = 8088\n"
    ).settings
    let texts = settings.map(\.description)
    #expect(texts.contains("bot.name = \"grid-demo\"  # line 2"))
    #expect(texts.contains("strategy[0].levels = 10  # line 20"))
    #expect(texts.contains("dashboard.port = 8088  # line 33"))
    #expect(texts.contains("risk.price_band_pct = \"2.5\"  # line 31"))
    #expect(texts.contains("risk.max_working_orders = 200  # default"))
    #expect(texts.contains("venue.whitebit.rest = \"https://127.0.0.1:8481\"  # default"))
    #expect(texts.contains("journal.folder = \".martlet/grid-demo/journal\"  # default"))
    #expect(Set(settings.map(\.key)).count == settings.count)
  }

  @Test func anUnknownKeyIsAProblemWithTheNearestName() {
    let misspelled: [(String, String, String)] = [
      ("levels", "levls = 10", "strategy[0].levls: unknown key; did you mean levels?"),
      ("spacing", "spaicng = \"50\"", "strategy[0].spaicng: unknown key; did you mean spacing?"),
      ("timeout", "timeouts = \"60s\"", "dead_man.timeouts: unknown key; did you mean timeout?"),
      ("[dead_man]", "[deadman]", "deadman: unknown key; did you mean dead_man?"),
      ("[venue.whitebit]", "[venue.whitbit]", "venue.whitbit: unknown key; did you mean whitebit?"),
      (
        "feed", "wibble = 1",
        "venue.whitebit.wibble: unknown key; expected one of backoff_first, backoff_max, ca, clock_tolerance, contracts_key, endpoint, feed, key, ping_interval, pins, queue, quota_share_pct, rest, spot_key, websocket"
      ),
    ]
    for (line, other, message) in misspelled {
      let problems = Self.problems(Self.replacing(line, with: other))
      #expect(problems.contains { $0.hasSuffix(message) }, "\(problems)")
    }
    let place = Self.problems(Self.replacing("levels", with: "  levls = 10"))
    #expect(place == ["bot.toml:20:3: strategy[0].levls: unknown key; did you mean levels?"])
  }

  @Test func stopsAreReadAndTheOneAboveIsAboveTheOther() throws {
    let lines = "stop_price = \"59000\"\ntrailing_stop = \"250.5\"\nstop_price_above = \"61000\""
    let text = Self.replacing("levels", with: lines)
    guard case .grid(let grid)? = Self.check(text).configuration?.strategies.first else {
      Issue.record("no grid: \(Self.problems(text))")
      return
    }
    #expect(grid.stopPrice == Self.amount("59000") && grid.trailingStop == Self.amount("250.5"))
    #expect(grid.stopPriceAbove == Self.amount("61000"))
    let crossed = Self.problems(text.replacing("61000", with: "59000"))
    #expect(
      crossed.contains {
        $0.contains("stop_price_above") && $0.contains("expected more than stop_price, 59000")
      }, "\(crossed)")
    let negative = Self.problems(text.replacing("250.5", with: "-1"))
    #expect(negative.contains { $0.contains("trailing_stop: expected a positive decimal") })
  }

  @Test func aWrongTypeSaysWhatWasExpectedAndFound() {
    let wrong: [(String, String, String)] = [
      ("levels", "levels = \"10\"", "expected an integer from 1 to 100, found a string"),
      (
        "levels", "levels = 10.0",
        "expected an integer from 1 to 100, found a floating-point number"
      ),
      ("levels", "levels = 0", "expected an integer from 1 to 100, found 0"),
      ("levels", "levels = 101", "expected an integer from 1 to 100, found 101"),
      (
        "spacing", "spacing = 50",
        "expected a positive decimal in quotes, such as \"50\", found an integer"
      ),
      (
        "amount", "amount = 0.001",
        "expected a positive decimal in quotes, such as \"0.001\", found a floating-point number"
      ),
      (
        "amount", "amount = \"1e-3\"",
        "expected a positive decimal in quotes, such as \"0.001\", found \"1e-3\""
      ),
      (
        "amount", "amount = \"-1\"",
        "expected a positive decimal in quotes, such as \"0.001\", found \"-1\""
      ),
      (
        "max_margin_pct", "max_margin_pct = \"101\"",
        "expected a percentage above 0 and up to 100 in quotes, such as \"85\", found \"101\""
      ),
      ("name", "name = true", "bot.name: expected a string, found a boolean"),
      ("name", "name = 2026-01-01", "bot.name: expected a string, found a date or time"),
      ("name", "name = \"a b\"", "expected 1 to 32 letters, digits, - or _, found \"a b\""),
      ("name", "name = \"a\\nb\"", "expected 1 to 32 letters, digits, - or _, found \"a?b\""),
      ("market", "market = \"btcusdt\"", "found \"btcusdt\""),
      (
        "breaker_window", "breaker_window = \"5 min\"",
        "expected a length of time from \"1s\" to \"24h\", with ms, s, m, h or d, found \"5 min\""
      ),
      (
        "kind", "kind = \"gird\"",
        "strategy[0].kind: expected one of \"grid\" (did you mean \"grid\"?), found \"gird\""
      ),
      (
        "mode", "mode = \"papre\"",
        "expected one of \"paper\", \"live\" (did you mean \"paper\"?), found \"papre\""
      ),
      ("venue =", "venue = \"binance\"", "expected \"whitebit\", the venue of this configuration"),
      ("[[strategy]]", "[strategy]", "strategy: expected tables [[strategy]], found a table"),
    ]
    for (line, other, message) in wrong {
      let problems = Self.problems(Self.replacing(line, with: other))
      #expect(problems.contains { $0.hasSuffix(message) || $0.contains(message) }, "\(problems)")
    }
  }

  @Test func allProblemsAreToldInTheOrderOfTheFile() {
    let text = """
      [bot]
      name = 1
      colour = "red"
      [venue.whitebit]
      endpoint = "lokal"
      [dead_man]
      timeout = "4s"
      [[strategy]]
      kind = "grid"
      levels = -1
      """
    #expect(
      Self.problems(text) == [
        "bot.toml:1:2: bot.valuation: expected a string, found nothing",
        "bot.toml:2:1: bot.name: expected a string, found an integer",
        "bot.toml:3:1: bot.colour: unknown key; expected one of clean_slate, mode, name, profile, valuation",
        "bot.toml:5:1: venue.whitebit.endpoint: expected one of \"local\", \"global\", \"eu\", "
          + "\"custom\" (did you mean \"local\"?), found \"lokal\"",
        "bot.toml:7:1: dead_man.timeout: expected a length of time from \"5s\" to \"10m\", "
          + "with ms, s, m, h or d, found \"4s\"",
        "bot.toml:8:1: strategy[0].market: expected a string, found nothing",
        "bot.toml:10:1: strategy[0].levels: expected an integer from 1 to 100, found -1",
      ])
    #expect(Self.check(text).configuration == nil)
    #expect(Self.check(text).fault?.exitCode == 2)
    #expect(!Self.problems("").isEmpty)
  }

  @Test func whatIsNoTOMLIsToldWithItsPlace() {
    let broken: [(String, Int)] = [
      ("[bot]\nname = \n", 2), ("[bot]\nname = \"a\"\nname = \"b\"\n", 3), ("[bot\n", 1),
      ("\n\nx = [1, 2\n", 3), ("a = \"\u{1}\"", 1), ("[bot]\nname = 'a\n", 2),
      ("[bot]\n [=]\n", 2), ("[[ ü]]", 1), ("a = 1\n\n[", 3),
    ]
    for (text, line) in broken {
      let problem = Self.check(text).problems.first
      #expect(problem?.position?.line == line, "\(String(describing: problem))")
      #expect(problem?.message.isEmpty == false)
    }
    #expect(!Self.check("a = \"\u{FFFD}").problems.isEmpty)
    #expect(
      !BotConfiguration.check([0x61, 0x3d, 0x22, 0xff, 0x22], file: "bot.toml").problems.isEmpty)
  }

  @Test func deepAndLargeDocumentsAreRefused() {
    let deep = [
      "a = " + String(repeating: "[", count: 5_000) + String(repeating: "]", count: 5_000),
      "a = " + String(repeating: "{a=", count: 5_000) + "1" + String(repeating: "}", count: 5_000),
      String(repeating: "a.", count: 200) + "a = 1",
      "[" + String(repeating: "a.", count: 30_000) + "a]",
      // Whole and right, and some 30,000 tables deep; then as deep as the bounds on lines allow.
      "x = [\n"
        + String(repeating: "{" + String(repeating: "a.", count: 250) + "a = [\n", count: 120)
        + String(repeating: "]}\n", count: 120) + "]",
      "x = [\n"
        + String(repeating: "{" + String(repeating: "a.", count: 60) + "a = [\n", count: 15)
        + String(repeating: "]}\n", count: 15) + "]",
    ]
    for text in deep { #expect(Self.check(text).problems.count == 1, "\(text.prefix(20))") }
    let large = Self.whole + "\n" + String(repeating: "#\n", count: 40_000)
    #expect(Self.problems(large).first?.contains("expected at most 65536 bytes") == true)
  }

  /// Whatever a file holds, it is answered.
  @Test func noiseIsAnsweredAndNeverACrash() {
    let pieces = Self.whole.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      var bytes = Array(Self.whole.utf8)
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = .random(in: 0...255, using: &random)
        case 1:
          let end = min(place + .random(in: 0...40, using: &random), bytes.count)
          bytes.removeSubrange(place..<end)
          if bytes.isEmpty { bytes = [10] }
        default:
          let piece = pieces.randomElement(using: &random) ?? ""
          bytes.insert(contentsOf: Array(piece.utf8), at: place)
        }
      }
      let report = BotConfiguration.check(bytes, file: "bot.toml")
      #expect((report.configuration == nil) == (report.fault != nil), "seed \(seed)")
    }
  }

  // MARK: Dead-man

  @Test(
    "M70 C5: refresh, two retries and a grace stay below the timeout, or it is told with numbers")
  func theDeadManInvariant() throws {
    for (timeout, refresh, grace) in [
      ("60s", "45s", "40s"), ("120s", "90s", "40s"), ("12s", "1s", "11s"),
    ] {
      let text = Self.whole
        .replacing("timeout = \"60s\"", with: "timeout = \"\(timeout)\"")
        .replacing("refresh = \"45s\"", with: "refresh = \"\(refresh)\"")
        .replacing("grace = \"40s\"", with: "grace = \"\(grace)\"")
      #expect(Self.problems(text).isEmpty, "\(timeout) \(refresh) \(grace)")
    }
    let late = Self.whole.replacing("refresh = \"45s\"", with: "refresh = \"50s\"")
    #expect(
      Self.problems(late) == [
        "bot.toml:13:1: dead_man.refresh: a refresh of 50s and two retries of 5 s take 1m, and the "
          + "venue cancels after 1m; expected a refresh below 50s, or a longer timeout"
      ])
    let short = Self.least + "\n[dead_man]\ntimeout = \"50s\"\n"
    #expect(
      Self.problems(short) == [
        "bot.toml:9:1: dead_man.timeout: a refresh of 45s and two retries of 5 s take 55s, and the "
          + "venue cancels after 50s; expected a refresh below 40s, or a longer timeout"
      ])
    let patient = Self.whole.replacing("grace = \"40s\"", with: "grace = \"60s\"")
    #expect(
      Self.problems(patient) == [
        "bot.toml:14:1: dead_man.grace: expected a grace below the timeout of 1m, found 1m"
      ])
  }

  @Test("M66: a kill-switch timeout of other than 5 to 600 whole seconds is refused here")
  func theTimeoutIsBounded() {
    for (timeout, isFine) in [
      ("4s", false), ("5s", false), ("600s", true), ("10m", true), ("601s", false), ("11m", false),
      ("60500ms", false), ("60000ms", true), ("-60s", false), ("60", false), ("1.5m", false),
    ] {
      // Five seconds are a timeout, but leave no time for a refresh.
      let text = Self.whole.replacing("timeout = \"60s\"", with: "timeout = \"\(timeout)\"")
      #expect(Self.problems(text).isEmpty == isFine, "\(timeout): \(Self.problems(text))")
    }
  }

  /// For any three numbers: either the invariant holds, or there is a problem.
  @Test("M70: no accepted configuration lets a worst retry pass the timeout")
  func theInvariantHoldsForAll() {
    var accepted = 0
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      let timeout = Int64.random(in: 1...700, using: &random)
      let refresh = Int64.random(in: 1...timeout, using: &random)
      let grace = Int64.random(in: 1...timeout + 5, using: &random)
      let text =
        Self.least + "\n[dead_man]\ntimeout = \"\(timeout)s\"\nrefresh = \"\(refresh)s\"\n"
        + "grace = \"\(grace)s\"\n"
      let isSafe =
        (5...600).contains(timeout) && refresh + 10 < timeout && grace < timeout && grace <= 600
      #expect((Self.check(text).configuration != nil) == isSafe, "seed \(seed)")
      accepted += isSafe ? 1 : 0
    }
    #expect(accepted > 50)
  }

  // MARK: Safety

  static func live(_ endpoint: String, more: String = "") -> String {
    least.replacing("name = \"b\"", with: "name = \"b\"\nmode = \"live\"")
      .replacing("[venue.whitebit]", with: "[venue.whitebit]\nendpoint = \(endpoint)") + more
  }

  @Test func paperRefusesRealVenuesAndThatIsNoMistake() {
    let texts = [
      (Self.replacing("endpoint", with: "endpoint = \"global\""), "on this machine alone"),
      (Self.replacing("endpoint", with: "endpoint = \"eu\""), "on this machine alone"),
      (Self.live("\"local\""), "the local exchange is none"),
    ]
    for (text, words) in texts {
      let report = Self.check(text)
      #expect(report.problems.isEmpty && report.configuration == nil)
      #expect(report.refusals.count == 1)
      #expect(report.refusals.first?.message.contains(words) == true)
      #expect(report.fault?.exitCode == 3)
    }
    // A mistake beside it has to be mended first.
    let both = Self.check(texts[0].0.replacing("levels", with: "levles"))
    #expect(both.fault?.exitCode == 2 && both.refusals.count == 1)
  }

  @Test func liveKnowsTheVenuesHosts() throws {
    for (endpoint, rest, socket) in [
      ("global", "https://whitebit.com", "wss://wss.whitebit.com/ws"),
      ("eu", "https://whitebit.eu", "wss://api.whitebit.eu/ws"),
    ] {
      let venue = try #require(Self.check(Self.live("\"\(endpoint)\"")).configuration?.whitebit)
      #expect(venue.rest == rest && venue.websocket == socket && venue.authorities == nil)
    }
    let custom = Self.live(
      "\"custom\"\nrest = \"https://colo.example.com\"\nwebsocket = \"wss://colo.example.com/ws\"")
    #expect(Self.check(custom).configuration?.mode == .live)
    let plain = Self.check(custom.replacing("wss:", with: "ws:"))
    #expect(plain.problems.map { $0.key } == ["venue.whitebit.websocket"])
  }

  @Test func liveRefusesLimitsThatNobodyHolds() throws {
    for key in [
      "max_position_pct", "halt_exposure_pct", "max_drawdown_pct", "breaker_loss_pct",
      "breaker_window", "max_margin_pct",
    ] {
      let limit = "\n[risk]\n\(key) = \"\(key == "breaker_window" ? "5m" : "5")\"\n"
      let report = Self.check(Self.live("\"global\"", more: limit))
      #expect(report.refusals.map { $0.key } == ["risk.\(key)"], "\(report.problems)")
      #expect(Self.check(Self.least + limit).fault == nil)
      // A bot that must not start may still have its orders taken off.
      let text = Array(Self.live("\"global\"", more: limit).utf8)
      let panic = try PanicConfiguration(text, file: "bot.toml")
      #expect(panic.whitebit.endpoint == .global && panic.markets == ["BTC_USDT"])
    }
  }

  @Test func whatNobodyHoldsIsExplainedAsThat() {
    for text in [Self.live("\"global\""), Self.least] {
      let texts = Self.check(text).settings.map(\.description)
      #expect(texts.filter { $0.hasSuffix("  # default, not held by this build") }.count == 6)
      #expect(
        texts.contains("risk.max_drawdown_pct = \"10\"  # default, not held by this build"))
      #expect(texts.contains("risk.price_band_pct = \"10\"  # default"))
    }
    let named = Self.check(Self.live("\"global\"", more: "\n[risk]\nmax_drawdown_pct = \"5\"\n"))
    let texts = named.settings.map(\.description)
    #expect(
      texts.contains {
        $0.hasPrefix("risk.max_drawdown_pct = \"5\"  # line ")
          && $0.hasSuffix(", not held by this build")
      })
    #expect(named.settings.count { !$0.isHeld } == 6)
  }

  @Test func aCustomHostMustBeThisMachine() throws {
    func text(_ rest: String, _ websocket: String) -> String {
      Self.replacing(
        "endpoint",
        with: "endpoint = \"custom\"\nrest = \"\(rest)\"\nwebsocket = \"\(websocket)\"")
    }
    for host in ["127.0.0.1:9000", "localhost:9000", "[::1]:9000", "127.8.9.10", "LOCALHOST:1"] {
      let report = Self.check(text("http://\(host)/", "ws://\(host)/ws"))
      #expect(report.fault == nil, "\(host): \(String(describing: report.fault))")
      #expect(report.configuration?.whitebit.rest == "http://\(host)")
      let secure = Self.check(text("https://\(host)/", "wss://\(host)/ws"))
      #expect(secure.fault == nil, "\(host): \(String(describing: secure.fault))")
      #expect(secure.configuration?.whitebit.websocket == "wss://\(host)/ws")
    }
    for host in [
      "whitebit.com", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "[::]", "[::2]", "128.0.0.1",
      "127.1", "localhost.example.com", "0127.0.0.1", "127.0.0.01", "127.0.0.256",
    ] {
      let report = Self.check(text("http://\(host):9000", "ws://127.0.0.1:9000/ws"))
      #expect(report.problems.isEmpty, "\(host): \(report.problems)")
      #expect(report.refusals.first?.key == "venue.whitebit.rest", "\(host)")
      let socket = Self.check(text("http://127.0.0.1:9000", "ws://\(host):9000/ws"))
      #expect(socket.refusals.first?.key == "venue.whitebit.websocket", "\(host)")
    }
    for url in [
      "127.0.0.1:9000", "wss://127.0.0.1", "http://127.0.0.1@whitebit.com",
      "http://whitebit.com#127.0.0.1", "http://127.0.0.1\\\\@x", "http://", "http://:80",
      "http://127.0.0.1:0", "http://127.0.0.1:70000", "http://127.0.0.1:", "http://127.0.0.1?x",
      "http://[::1", "http://[::1]x", "",
    ] {
      let report = Self.check(text(url, "ws://127.0.0.1/ws"))
      #expect(report.problems.first?.key == "venue.whitebit.rest", "\(url)")
    }
    // Its addresses cannot be left out.
    let bare = Self.replacing("endpoint", with: "endpoint = \"custom\"")
    #expect(Self.problems(bare).count == 2)
  }

  @Test("M136: authorities and pinned keys are read, and nothing else is taken for a pin")
  func authoritiesAndPinsAreRead() throws {
    func text(_ lines: String) -> String {
      Self.replacing(
        "endpoint",
        with: "endpoint = \"custom\"\nrest = \"https://127.0.0.1:1\"\n"
          + "websocket = \"wss://127.0.0.1:1/ws\"\n" + lines)
    }
    let pins = [
      "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=",
      "E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g=",
    ]
    let listed = pins.map { "\"\($0)\"" }.joined(separator: ", ")
    let report = Self.check(text("ca = \"own/ca.pem\"\npins = [\(listed)]"))
    #expect(report.fault == nil)
    #expect(report.configuration?.whitebit.pins == pins)
    #expect(report.configuration?.whitebit.authorities == "own/ca.pem")
    #expect(
      report.settings.map(\.description).contains("venue.whitebit.pins = [\(listed)]  # line 11"))
    #expect(Self.check(text("")).configuration?.whitebit.authorities == nil)
    for wrong in [
      "pins = \"\(pins[0])\"", "pins = [1]", "pins = [\"\(pins[0].dropLast())\"]",
      "pins = [\"sha256//\(pins[0])\"]", "pins = [\"\"]", "ca = \"\"", "ca = 1",
      "pins = [" + Array(repeating: "\"\(pins[0])\"", count: 17).joined(separator: ",") + "]",
    ] {
      #expect(Self.problems(text(wrong)).count == 1, "\(wrong)")
    }
    let global = Self.replacing("endpoint", with: "endpoint = \"global\"\nca = \"own/ca.pem\"")
    #expect(Self.problems(global).count == 1)
  }

  @Test("M134 M39: a secret in the configuration is refused and never repeated")
  func secretsAreRefused() {
    let pasted = Self.replacing("key", with: "key = \"hunter2:hunter2\"")
    let problems = Self.problems(pasted)
    #expect(problems.count == 1)
    #expect(
      problems[0].contains("a secret does not belong here") && problems[0].contains("chmod 600"))
    for line in [
      "api_key = \"hunter2\"", "secret = \"hunter2\"", "apiSecret = \"hunter2\"",
      "passphrase = \"hunter2\"", "password = \"hunter2\"", "token = \"hunter2\"",
    ] {
      let problems = Self.problems(Self.replacing("feed", with: line))
      #expect(problems.count == 1 && problems[0].contains("secrets do not belong here"), "\(line)")
      #expect(!"\(problems)".contains("hunter2"))
    }
    let all = Self.check(pasted)
    #expect(!"\(all)".contains("hunter2"))
    #expect(
      Self.problems(Self.replacing("key", with: "key = \"credential:main\"")).first?
        .contains("credential: which this build cannot read") == true)
    #expect(Self.problems(Self.replacing("key", with: "key = \"keyring:main\"")).isEmpty)
    // A secret pasted behind a known scheme is not repeated either.
    let behind = Self.replacing("key", with: "key = \"keyring:hunter2:hunter2\"")
    #expect(Self.problems(behind).first?.contains("behind keyring:") == true)
    #expect(!"\(Self.check(behind))".contains("hunter2"))
    #expect(Self.problems(Self.replacing("key", with: "key = \"env:WHITEBIT\"")).isEmpty)
  }

  @Test("C17 M35: a key stands for everything, or there is one for spot and one for contracts")
  func keysAreForEverythingOrForOne() throws {
    let slots = "spot_key = \"keyring:a\"\ncontracts_key = \"keyring:b\""
    let report = Self.check(Self.replacing("key", with: slots))
    #expect(report.fault == nil)
    #expect(report.configuration?.whitebit.key == nil)
    #expect(report.configuration?.whitebit.spotKey == "keyring:a")
    #expect(report.configuration?.whitebit.contractsKey == "keyring:b")
    let both = Self.problems(
      Self.replacing("key", with: "key = \"keyring:a\"\nspot_key = \"keyring:a\""))
    #expect(both.count == 1 && both[0].contains("either key, for everything, or spot_key"))
  }

  // MARK: Files

  @Test func filesAreReadAndTheirAbsenceTold() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/bot.toml"
    writeFile(path, Array(Self.whole.utf8))
    #expect(try BotConfiguration.load(path).name == "grid-demo")
    writeFile(path, Array("x".utf8))
    #expect(throws: ConfigurationFault.self) { try BotConfiguration.load(path) }
    let missing = folder.path + "/none.toml"
    var caught: ConfigurationFault?
    do throws(ConfigurationFault) { _ = try BotConfiguration.load(missing) } catch {
      caught = error
    }
    #expect("\(caught.map(\.description) ?? "")".hasPrefix("\(missing): no such file"))
    do throws(ConfigurationFault) { _ = try BotConfiguration.load(folder.path) } catch {
      caught = error
    }
    #expect(
      caught == .unreadable(path: folder.path, reason: "expected a file, found a folder"))
  }
}

extension String {
  /// Every occurrence of `text` replaced; there must be one.
  fileprivate func replacing(_ text: String, with other: String) -> String {
    var result = ""
    var rest = self[...]
    while let found = rest.firstRange(of: text) {
      result += rest[..<found.lowerBound] + other
      rest = rest[found.upperBound...]
    }
    precondition(!result.isEmpty, "no \(text)")
    return result + rest
  }
}
