internal import MartletBase

extension BotConfiguration {
  /// Where the local exchange listens unless it is told otherwise.
  static let localREST = "https://127.0.0.1:8481"
  static let localWebSocket = "wss://127.0.0.1:8481/ws"
  /// Where it leaves the certificate to trust, from the folder it was started in.
  static let localAuthorities = ".martlet/exchange/8481/ca.pem"

  /// The local exchange, as a configuration that says nothing of its venue means it.
  public static var localVenue: Venue {
    Venue(
      endpoint: .local, rest: localREST, websocket: localWebSocket, authorities: localAuthorities)
  }

  /// Reads a document; nil, or nonsense, when `log` has got a problem meanwhile.
  init?(_ document: TOMLTable, log: ConfigurationLog) {
    var root = TableReader(
      document, path: "", at: nil, log: log)
    var bot = root.table("bot")
    let name = bot.string("name", check: BotConfiguration.checkName)
    let mode: Mode? = bot.choice("mode", default: .paper)
    let profile: Profile? = bot.choice("profile", default: .standard)
    let valuation = bot.string("valuation", check: BotConfiguration.checkAsset)
    let isCleanSlate = bot.boolean("clean_slate", default: false)
    bot.finish()

    var venues = root.table("venue")
    var venueReader = venues.table("whitebit")
    if !venueReader.exists, !venues.exists {
      log.problem("venue", at: nil, "expected a table [venue.whitebit], found nothing")
    }
    let venue = BotConfiguration.readVenue(&venueReader, mode)
    venueReader.finish()
    venues.finish()

    var deadManReader = root.table("dead_man")
    let deadMan = BotConfiguration.readDeadMan(&deadManReader)
    deadManReader.finish()

    var strategies: [Strategy] = []
    var strategyReaders = root.tables("strategy")
    if strategyReaders.isEmpty {
      log.problem(
        "strategy", at: root.position(of: "strategy"),
        "expected at least one table [[strategy]], found none")
    }
    if strategyReaders.count > BotConfiguration.maximumStrategies {
      log.problem(
        "strategy", at: root.position(of: "strategy"),
        "expected at most \(BotConfiguration.maximumStrategies) tables, found \(strategyReaders.count)"
      )
      strategyReaders = []
    }
    for index in strategyReaders.indices {
      if let strategy = BotConfiguration.readStrategy(&strategyReaders[index]) {
        strategies.append(strategy)
      }
      strategyReaders[index].finish()
    }
    if profile == .demo {
      for case (let index, .grid(let grid)) in strategies.enumerated()
      where grid.market != BotConfiguration.demoMarket {
        log.refusal(
          "strategy[\(index)].market", at: root.position(of: "strategy"),
          "profile = \"demo\" trades \(BotConfiguration.demoMarket) alone, found \"\(grid.market)\"; "
            + "remove the profile to trade another market")
      }
    }

    var riskReader = root.table("risk")
    let risk = BotConfiguration.readRisk(&riskReader)
    if mode == .live { BotConfiguration.refuseWhatIsNotHeld(&riskReader) }
    riskReader.finish()

    var journal = root.table("journal")
    let folder = journal.string(
      "folder", default: ".martlet/\(name ?? "bot")/journal", check: BotConfiguration.checkPath)
    let segmentBytes = journal.integer(
      "segment_bytes", in: BotConfiguration.segmentBounds, default: 16 << 20)
    let sync = journal.string("sync", default: "behind 100ms", check: BotConfiguration.checkSync)
    let keepMarket = journal.duration(
      "keep_market", in: BotConfiguration.keepBounds, default: "30d")
    let keepMarketBytes = journal.integer(
      "keep_market_bytes", in: 0...(1 << 50), default: 4 << 30)
    journal.finish()

    var dashboard = root.table("dashboard")
    let port = dashboard.optionalInteger("port", in: 0...65_535)
    dashboard.finish()

    var alertsReader = root.table("alerts")
    let alerts = BotConfiguration.readAlerts(
      &alertsReader,
      in: BotConfiguration.stateFolder(of: name ?? "bot", journal: folder ?? ".martlet/bot/journal")
    )
    alertsReader.finish()
    root.finish()

    guard let name, let mode, let profile, let valuation = valuation.flatMap({ InlineText($0) }),
      let isCleanSlate, let venue,
      let deadMan, let risk, let folder, let segmentBytes,
      let sync = sync.flatMap({ JournalSync($0) }), let keepMarket, let keepMarketBytes, let alerts
    else { return nil }
    self.name = name
    self.mode = mode
    self.profile = profile
    self.valuation = valuation
    self.isCleanSlate = isCleanSlate
    whitebit = venue
    self.deadMan = deadMan
    self.strategies = strategies
    self.risk = risk
    journalFolder = folder
    journalSegmentBytes = Int(segmentBytes)
    journalSync = sync
    self.keepMarket = keepMarket
    self.keepMarketBytes = Int(keepMarketBytes)
    dashboardPort = port.map { UInt16($0) }
    self.alerts = alerts
  }

  private static func readAlerts(
    _ reader: inout TableReader, in state: String
  ) -> Alerts? {
    let file = reader.string(
      "file", default: state + "/alerts.jsonl", check: checkPath)
    let long = TimeSpan.seconds(1)...TimeSpan.seconds(86_400)
    let interval = reader.duration("repeat", in: long, default: "15m")
    let doubt = reader.duration("doubt", in: long, default: "10s")
    let book = reader.duration("book_silent", in: long, default: "15s")
    let trades = reader.duration("trades_silent", in: long, default: "10m")
    let own = reader.duration("private_silent", in: long, default: "10s")
    let stop = reader.duration("stop_inert", in: long, default: "10s")
    guard let file, let interval, let doubt, let book, let trades, let own, let stop else {
      return nil
    }
    return Alerts(
      file: file, interval: interval, doubt: doubt, bookSilent: book, tradesSilent: trades,
      privateSilent: own, stopInert: stop)
  }

  /// Limits that a bot on a real venue would be trusted to and this build does not hold.
  private static func refuseWhatIsNotHeld(_ reader: inout TableReader) {
    for key in notHeld where reader.has(key) {
      reader.log.refusal(
        reader.name(key), at: reader.position(of: key),
        "this build reads this limit and does not hold it, so no live bot may lean on it; remove it, and"
          + " use max_inventory and max_order_notional")
    }
  }

  static let notHeld = [
    "max_position_pct", "halt_exposure_pct", "max_drawdown_pct", "breaker_loss_pct",
    "breaker_window", "max_margin_pct",
  ]

  private static func readVenue(_ reader: inout TableReader, _ mode: Mode?) -> Venue? {
    let endpoint: Endpoint? = reader.choice("endpoint", default: .local)
    let key = reader.reference("key")
    let spotKey = reader.reference("spot_key")
    let contractsKey = reader.reference("contracts_key")
    if reader.has("key"), let other = ["spot_key", "contracts_key"].first(where: reader.has) {
      reader.problem(
        other, "expected either key, for everything, or spot_key and contracts_key; remove one")
    }
    let feed: Feed? = reader.choice("feed", default: .websocket)
    let pingInterval = reader.duration(
      "ping_interval", in: .seconds(1)...(.seconds(60)), default: "10s")
    let backoffFirst = reader.duration(
      "backoff_first", in: .milliseconds(100)...(.seconds(60)), default: "1s")
    let backoffMax = reader.duration(
      "backoff_max", in: .seconds(1)...(.seconds(600)), default: "30s")
    let clockTolerance = reader.duration(
      "clock_tolerance", in: .seconds(1)...(.seconds(300)), default: "5s")
    let quotaShare = reader.integer("quota_share_pct", in: 1...100, default: 90)
    let queue = reader.integer("queue", in: 1...4_096, default: 4_096)
    let rest = readURL(
      "rest", schemes: ["https", "http"], default: standard(endpoint)?.rest, endpoint, mode,
      &reader)
    let websocket = readURL(
      "websocket", schemes: ["wss", "ws"], default: standard(endpoint)?.websocket, endpoint, mode,
      &reader)
    let authorities = readAuthorities(endpoint, rest, &reader)
    let pins = reader.strings("pins", atMost: 16) { text in
      isDigest(text)
        ? nil : "the SHA-256 of a public key in base64, 44 characters, as openssl prints it"
    }
    if let endpoint, endpoint == .global || endpoint == .eu, mode == .paper {
      reader.log.refusal(
        reader.name("endpoint"), at: reader.position(of: "endpoint"),
        "mode = \"paper\" trades on this machine alone; expected endpoint = \"local\", found"
          + " \"\(endpoint.rawValue)\"; mode = \"live\" in [bot] is for real money")
    }
    if endpoint == .local, mode == .live {
      reader.log.refusal(
        reader.name("endpoint"), at: reader.position(of: "endpoint"),
        "mode = \"live\" trades on the venue, and the local exchange is none; expected endpoint ="
          + " \"global\" or \"eu\", or mode = \"paper\" in [bot]")
    }
    guard let endpoint, let feed, let pingInterval, let backoffFirst, let backoffMax,
      let clockTolerance, let quotaShare, let queue, let rest, let websocket, let pins
    else { return nil }
    var venue = Venue(
      endpoint: endpoint, rest: rest, websocket: websocket, authorities: authorities, pins: pins,
      key: key, spotKey: spotKey, contractsKey: contractsKey, feed: feed,
      pingInterval: pingInterval)
    venue.backoffFirst = backoffFirst
    venue.backoffMax = backoffMax
    venue.clockTolerance = clockTolerance
    venue.quotaSharePercent = quotaShare
    venue.queue = Int(queue)
    return venue
  }

  /// The file of certificates to trust; the local exchange's own unless another is named.
  static func readAuthorities(
    _ endpoint: Endpoint?, _ rest: String?, _ reader: inout TableReader
  ) -> String? {
    switch endpoint {
    case .local:
      return rest == localREST
        ? reader.string("ca", default: localAuthorities, check: checkPath)
        : reader.optionalString("ca", check: checkPath)
    case .custom: return reader.optionalString("ca", check: checkPath)
    case .global, .eu, nil:
      if reader.optionalString("ca") != nil {
        reader.problem("ca", "only for endpoint = \"local\" or \"custom\"; remove it")
      }
      return nil
    }
  }

  /// Where an endpoint is; nil for one that the file tells.
  ///
  /// - Source: WhiteBIT docs, hosts; reference 1.1. The socket's older global host,
  ///   api.whitebit.com, refuses connections from 2027-03-01.
  static func standard(_ endpoint: Endpoint?) -> (rest: String, websocket: String)? {
    switch endpoint {
    case .local, nil: (localREST, localWebSocket)
    case .global: ("https://whitebit.com", "wss://wss.whitebit.com/ws")
    case .eu: ("https://whitebit.eu", "wss://api.whitebit.eu/ws")
    case .custom: nil
    }
  }

  /// The base of all requests or the socket's URL; on paper it must be on this machine.
  static func readURL(
    _ key: String, schemes: [String], default fallback: String?, _ endpoint: Endpoint?,
    _ mode: Mode?, _ reader: inout TableReader
  ) -> String? {
    if endpoint == .global || endpoint == .eu {
      // The venue's own hosts are known; nobody names them.
      if reader.optionalString(key) != nil {
        reader.problem(key, "only for endpoint = \"local\" or \"custom\"; remove it")
      }
      return fallback
    }
    let sample = key == "rest" ? localREST : localWebSocket
    let text = reader.string(key, default: fallback) { text in
      guard let url = EndpointURL(text), schemes.contains(url.scheme) else {
        return "a URL such as \"\(sample)\""
      }
      return nil
    }
    guard let text, let url = EndpointURL(text) else { return nil }
    if !url.isLoopback, mode != .live {
      reader.log.refusal(
        reader.name(key), at: reader.position(of: key),
        "mode = \"paper\" trades on this machine alone; expected a host of it, such as "
          + "\"\(sample)\", found \(TableReader.quoted(url.host)); mode = \"live\" in [bot] is for real"
          + " money")
    }
    if !url.isLoopback, mode == .live, url.scheme == "http" || url.scheme == "ws" {
      reader.problem(
        key,
        "expected \"\(schemes[0])://…\", for only a host of this machine may be reached without"
          + " TLS, found \(TableReader.quoted(text))")
    }
    return text.hasSuffix("/") ? String(text.dropLast()) : text
  }

  private static func readDeadMan(_ reader: inout TableReader) -> DeadMan? {
    let timeout = reader.duration("timeout", in: .seconds(5)...(.seconds(600)), default: "60s")
    let refresh = reader.duration("refresh", in: .seconds(1)...(.seconds(600)), default: "45s")
    let grace = reader.duration("grace", in: .seconds(1)...(.seconds(600)), default: "40s")
    guard let timeout, let refresh, let grace else { return nil }
    let text = TableReader.text(_:)
    if timeout.milliseconds % 1_000 != 0 {
      reader.problem("timeout", "expected whole seconds, found \"\(text(timeout))\"")
    }
    let worst = refresh + DeadMan.worstRetry
    if worst >= timeout {
      reader.problem(
        reader.position(of: "refresh") == reader.position ? "timeout" : "refresh",
        "a refresh of \(text(refresh)) and two retries of 5 s take \(text(worst)), and the venue "
          + "cancels after \(text(timeout)); expected a refresh below "
          + "\(text(timeout - DeadMan.worstRetry)), or a longer timeout")
    }
    if grace >= timeout {
      reader.problem(
        reader.position(of: "grace") == reader.position ? "timeout" : "grace",
        "expected a grace below the timeout of \(text(timeout)), found \(text(grace))")
    }
    return DeadMan(timeout: timeout, refresh: refresh, grace: grace)
  }

  private static func readStrategy(_ reader: inout TableReader) -> Strategy? {
    let kind: StrategyKind? = reader.choice("kind")
    let venue = reader.string("venue", default: "whitebit") {
      $0 == "whitebit" ? nil : "\"whitebit\", the venue of this configuration"
    }
    let market = reader.string("market", check: checkMarket)
    let levels = reader.integer("levels", in: 1...100, default: 10)
    let spacing = reader.decimal("spacing", default: "50")
    let amount = reader.decimal("amount", default: "0.001")
    let stopPrice = reader.optionalDecimal("stop_price")
    let trailingStop = reader.optionalDecimal("trailing_stop")
    let stopPriceAbove = reader.optionalDecimal("stop_price_above")
    if let stopPrice, let stopPriceAbove, stopPriceAbove <= stopPrice {
      reader.problem(
        "stop_price_above",
        "expected more than stop_price, \(stopPrice), found \(stopPriceAbove)")
    }
    guard kind != nil, let venue, let market = market.flatMap({ InlineText($0) }), let levels,
      let spacing, let amount
    else { return nil }
    return .grid(
      Grid(
        venue: venue, market: market, levels: Int(levels), spacing: spacing, amount: amount,
        stopPrice: stopPrice, trailingStop: trailingStop, stopPriceAbove: stopPriceAbove))
  }

  private static func readRisk(_ reader: inout TableReader) -> Risk? {
    let maxPosition = reader.percent("max_position_pct", default: "3")
    let haltExposure = reader.percent("halt_exposure_pct", default: "15")
    let maxDrawdown = reader.percent("max_drawdown_pct", default: "10")
    let breakerLoss = reader.percent("breaker_loss_pct", default: "8")
    let breakerWindow = reader.duration(
      "breaker_window", in: .seconds(1)...(.seconds(86_400)), default: "5m")
    let maxMargin = reader.percent("max_margin_pct", default: "85")
    let priceBand = reader.percent("price_band_pct", default: "10")
    let maxOrderNotional = reader.optionalDecimal("max_order_notional")
    let maxInventory = reader.optionalDecimal("max_inventory")
    let maxWorkingOrders = reader.integer("max_working_orders", in: 1...200, default: 200)
    let maxOrders = reader.integer("max_orders", in: 1...100_000, default: 400)
    let orderWindow = reader.duration(
      "order_window", in: .milliseconds(100)...(.seconds(3_600)), default: "10s")
    guard let maxPosition, let haltExposure, let maxDrawdown, let breakerLoss, let breakerWindow,
      let maxMargin, let priceBand, let maxWorkingOrders, let maxOrders, let orderWindow
    else { return nil }
    return Risk(
      maxPosition: maxPosition, haltExposure: haltExposure, maxDrawdown: maxDrawdown,
      breakerLoss: breakerLoss, breakerWindow: breakerWindow, maxMargin: maxMargin,
      priceBand: priceBand, maxOrderNotional: maxOrderNotional, maxInventory: maxInventory,
      maxWorkingOrders: Int(maxWorkingOrders), maxOrders: Int(maxOrders), orderWindow: orderWindow)
  }

  // MARK: What text may be

  private static func isOf(_ text: String, _ length: ClosedRange<Int>, _ others: String) -> Bool {
    length.contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        byte >= 48 && byte <= 57 || byte >= 65 && byte <= 90 || byte >= 97 && byte <= 122
          || others.utf8.contains(byte)
      }
  }

  static func checkName(_ text: String) -> String? {
    isOf(text, 1...32, "-_") ? nil : "1 to 32 letters, digits, - or _"
  }

  static func checkAsset(_ text: String) -> String? {
    isOf(text, 1...16, "") && text == text.uppercased()
      ? nil : "an asset such as \"DUSDT\", in capitals"
  }

  static func checkMarket(_ text: String) -> String? {
    isOf(text, 3...32, "_") && text == text.uppercased() && text.contains("_")
      ? nil : "a market as the venue names it, such as \"DBTC_DUSDT\""
  }

  /// 32 bytes in base64.
  static func isDigest(_ text: String) -> Bool {
    isOf(text, 44...44, "+/=") && text.hasSuffix("=") && !text.dropLast().contains("=")
  }

  /// A bot keeps two in memory, and a record that has no room in one gets a longer one.
  static let segmentBounds: ClosedRange<Int64> = (1 << 20)...(1 << 30)

  static let keepBounds = TimeSpan.seconds(3_600)...TimeSpan.seconds(86_400 * 3_650)

  static func checkSync(_ text: String) -> String? {
    JournalSync(text) == nil ? JournalSync.expected : nil
  }

  static func checkPath(_ text: String) -> String? {
    !text.isEmpty && text.utf8.count <= 1_024 && !text.utf8.contains(0) ? nil : "a folder's path"
  }
}

extension ConfigurationLog.Setting {
  /// Whether a bot keeps to this value: a live file may not name one that is read alone.
  public var isHeld: Bool { !BotConfiguration.notHeld.contains { key == "risk.\($0)" } }
}
