public import MartletBase

/// One bot, as its file says.
///
/// - Source: the file's form is in Docs/Commands.md.
public struct BotConfiguration: Equatable, Sendable {
  public enum Mode: String, CaseIterable, Sendable {
    /// Fills come from the local exchange.
    case paper
    /// Fills come from the venue, and so does the money.
    case live
  }

  /// How careful to be.
  public enum Profile: String, CaseIterable, Sendable {
    case standard
    /// The demo market alone, whatever else is asked for: nothing there is worth money.
    case demo
  }

  /// The market that costs nothing.
  ///
  /// - Source: WhiteBIT trading bot guide, "Prerequisites": demo tokens DBTC and DUSDT.
  public static let demoMarket: InlineText = "DBTC_DUSDT"

  public enum Endpoint: String, CaseIterable, Sendable {
    /// The local exchange.
    case local
    /// The venue's own hosts; live alone.
    case global
    /// The venue's hosts in Europe; live alone.
    case eu
    /// Hosts given by `rest` and `websocket`; on paper of this machine alone.
    case custom
  }

  public enum Feed: String, CaseIterable, Sendable {
    case websocket
    case rest
  }

  /// `[venue.whitebit]`.
  public struct Venue: Equatable, Sendable {
    public var endpoint: Endpoint
    /// Such as `https://127.0.0.1:8481`, without a slash at the end.
    public var rest: String
    /// Such as `wss://127.0.0.1:8481/ws`.
    public var websocket: String
    /// A file of certificates to trust instead of the system's; nil for the system's.
    public var authorities: String?
    /// Base64 of the SHA-256 of public keys of which the venue must show one; empty for any.
    ///
    /// - Bounds: 16.
    public var pins: [String]
    /// Where the credentials for everything are, `keyring:NAME`, `file:PATH` or `env:NAME`; nil when
    /// none are named, or when `spotKey` and `contractsKey` are.
    public var key: String?
    /// Where those for spot are, and those for contracts.
    public var spotKey: String?
    public var contractsKey: String?
    public var feed: Feed
    /// How often a stream is pinged; 1 to 60 s. The venue ends one that is silent for 60 s.
    public var pingInterval: TimeSpan
    /// The first wait between two tries, which doubles from try to try; 100 ms to a minute.
    public var backoffFirst = TimeSpan.seconds(1)
    /// The longest wait between two tries, less than a second of chance aside; 1 s to 10 minutes.
    public var backoffMax = TimeSpan.seconds(30)
    /// How far the venue lets a request's time be from its own; beyond half of it no order is placed.
    public var clockTolerance = TimeSpan.seconds(5)
    /// How much of what the venue lets an address ask this bot uses, percent.
    public var quotaSharePercent: Int64 = 90
    /// Placements that may wait for the venue's quota; 1 to 4,096.
    public var queue = 4_096
    public init(
      endpoint: Endpoint, rest: String, websocket: String, authorities: String? = nil,
      pins: [String] = [], key: String? = nil, spotKey: String? = nil,
      contractsKey: String? = nil, feed: Feed = .websocket, pingInterval: TimeSpan = .seconds(10)
    ) {
      self.endpoint = endpoint
      self.rest = rest
      self.websocket = websocket
      self.authorities = authorities
      self.pins = pins
      self.key = key
      self.spotKey = spotKey
      self.contractsKey = contractsKey
      self.feed = feed
      self.pingInterval = pingInterval
    }
  }

  /// `[dead_man]`: when the venue cancels our orders because we went quiet.
  public struct DeadMan: Equatable, Sendable {
    /// After this long without a refresh the venue cancels; 5 to 600 whole seconds.
    public var timeout: TimeSpan
    /// How often it is refreshed. With two retries of 5 s still before the timeout.
    public var refresh: TimeSpan
    /// After this long without progress of the kernel no refresh is sent any more.
    public var grace: TimeSpan
    public init(
      timeout: TimeSpan = .seconds(60), refresh: TimeSpan = .seconds(45),
      grace: TimeSpan = .seconds(40)
    ) {
      self.timeout = timeout
      self.refresh = refresh
      self.grace = grace
    }

    /// What a refresh may be late: it fails, and fails again 5 s later, and goes through at the next
    /// try.
    public static let worstRetry = TimeSpan.seconds(10)
  }

  /// `[[strategy]]` of kind `grid`.
  public struct Grid: Equatable, Sendable {
    public var venue: String
    /// The venue's name of the market.
    public var market: InlineText
    /// On each side of the center.
    public var levels: Int
    /// Between neighbors, in quote units.
    public var spacing: Amount
    /// Of each level, in base units.
    public var amount: Amount
    /// Where all is sold and the bot halts, in quote units; nil for nowhere.
    public var stopPrice: Amount?
    /// The same, this far under the highest bid.
    public var trailingStop: Amount?
    /// Where all is bought back and the bot halts, in quote units.
    public var stopPriceAbove: Amount?
    public init(
      venue: String = "whitebit", market: InlineText, levels: Int, spacing: Amount, amount: Amount,
      stopPrice: Amount? = nil, trailingStop: Amount? = nil, stopPriceAbove: Amount? = nil
    ) {
      self.venue = venue
      self.market = market
      self.levels = levels
      self.spacing = spacing
      self.amount = amount
      self.stopPrice = stopPrice
      self.trailingStop = trailingStop
      self.stopPriceAbove = stopPriceAbove
    }
  }

  public enum StrategyKind: String, CaseIterable, Sendable { case grid }

  /// - Bounds: a file holds at most `maximumStrategies`.
  public enum Strategy: Equatable, Sendable {
    case grid(Grid)
  }

  public static let maximumStrategies = 16

  /// `[risk]`.
  public struct Risk: Equatable, Sendable {
    /// Of equity, per trade; contracts.
    public var maxPosition: Rate
    /// Of equity; contracts, and on spot the inventory beyond the baseline.
    public var haltExposure: Rate
    /// Of peak equity.
    public var maxDrawdown: Rate
    /// Of equity at the window's start, unrealized; contracts.
    public var breakerLoss: Rate
    public var breakerWindow: TimeSpan
    /// Of margin available; contracts.
    public var maxMargin: Rate
    /// How far an order's price may be from the market's.
    public var priceBand: Rate
    /// The largest price × quantity of one order, in quote units.
    public var maxOrderNotional: Amount?
    /// The most that fills may add to the base asset, in base units.
    public var maxInventory: Amount?
    /// Working orders on one market.
    public var maxWorkingOrders: Int
    /// Orders within `orderWindow`.
    public var maxOrders: Int
    public var orderWindow: TimeSpan
  }

  /// `[alerts]`: how a person is told, and how long what may end by itself is waited for.
  public struct Alerts: Equatable, Sendable {
    /// The file that alerts are appended to.
    public var file: String
    /// The least time between two lines about the same.
    public var interval: TimeSpan
    /// How long an order may be in doubt before it is told.
    public var doubt: TimeSpan
    /// How long a book may be without data.
    public var bookSilent: TimeSpan
    /// How long a market may be without a trade or a last price.
    public var tradesSilent: TimeSpan
    /// How long the private stream may lag behind a reply to the same order.
    public var privateSilent: TimeSpan
    /// How long a stop may be inert.
    public var stopInert: TimeSpan
    public init(
      file: String, interval: TimeSpan = .seconds(900), doubt: TimeSpan = .seconds(10),
      bookSilent: TimeSpan = .seconds(15), tradesSilent: TimeSpan = .seconds(600),
      privateSilent: TimeSpan = .seconds(10), stopInert: TimeSpan = .seconds(10)
    ) {
      self.file = file
      self.interval = interval
      self.doubt = doubt
      self.bookSilent = bookSilent
      self.tradesSilent = tradesSilent
      self.privateSilent = privateSilent
      self.stopInert = stopInert
    }
  }

  public var name: String
  public var mode: Mode
  public var profile: Profile
  /// The asset that equity is counted in.
  public var valuation: InlineText
  /// Whether everything in the bot's markets is canceled at the start, whoever placed it.
  public var isCleanSlate: Bool
  public var whitebit: Venue
  public var deadMan: DeadMan
  public var strategies: [Strategy]
  public var risk: Risk
  /// `[journal] folder`, relative to the working folder.
  public var journalFolder: String
  /// `[journal] segment_bytes`: of each of its files at most; 1 MiB to 1 GiB.
  public var journalSegmentBytes: Int
  /// `[journal] sync`.
  public var journalSync: JournalSync
  /// `[journal] keep_market`: how long the journal keeps the frames of public markets.
  public var keepMarket: TimeSpan
  /// `[journal] keep_market_bytes`: of those frames, packed.
  public var keepMarketBytes: Int
  /// `[dashboard] port` on the loopback interface; 0 lets the system choose, nil serves no page.
  public var dashboardPort: UInt16?
  public var alerts: Alerts

  /// Where what belongs to this bot stands: alerts, the control socket.
  public var stateFolder: String { BotConfiguration.stateFolder(of: name, journal: journalFolder) }

  /// The folder that holds `journal`, or one of the bot's name beside a journal that is called
  /// otherwise, which may be one of several there.
  static func stateFolder(of name: String, journal: String) -> String {
    let parent = parent(of: journal)
    return journal.hasSuffix("/journal") ? parent : parent + "/" + name
  }

  /// The folder that a path lies in.
  static func parent(of path: String) -> String {
    var parts = path.split(separator: "/", omittingEmptySubsequences: true)
    if !parts.isEmpty { parts.removeLast() }
    if path.hasPrefix("/") { return "/" + parts.joined(separator: "/") }
    return parts.isEmpty ? "." : parts.joined(separator: "/")
  }
}

extension BotConfiguration {
  /// Everything that a reading of a configuration found.
  public struct Report: Sendable {
    /// Nil when there is a problem or a refusal.
    public let configuration: BotConfiguration?
    /// In the order of the file.
    public let problems: [ConfigurationProblem]
    public let refusals: [SafetyRefusal]
    /// Each value and where it came from, for `config explain`.
    public let settings: [ConfigurationLog.Setting]
    /// Whole names of all keys that this build reads, as far as the file's tables call for them.
    public let keys: [String]

    /// Why there is no configuration; nil when there is one.
    public var fault: ConfigurationFault? {
      if !problems.isEmpty { return .problems(problems) }
      return refusals.isEmpty ? nil : .refused(refusals)
    }
  }

  /// Reads the file at `path`.
  public static func load(_ path: String) throws(ConfigurationFault) -> BotConfiguration {
    let report = try check(path: path)
    if let fault = report.fault { throw fault }
    guard let configuration = report.configuration else { throw .problems([]) }
    return configuration
  }

  /// Reads the file at `path` and tells everything that is wrong with it.
  ///
  /// - Throws: `unreadable` alone.
  public static func check(path: String) throws(ConfigurationFault) -> Report {
    check(try readFile(path), file: path)
  }

  /// The bytes of the file at `path`.
  ///
  /// - Throws: `unreadable` alone.
  public static func text(of path: String) throws(ConfigurationFault) -> [UInt8] {
    try readFile(path)
  }

  /// Reads the text of a file and tells everything that is wrong with it.
  ///
  /// - Parameter file: what messages call it.
  public static func check(_ text: [UInt8], file: String) -> Report {
    let log = ConfigurationLog(file: file)
    var configuration: BotConfiguration?
    do throws(TOMLFault) {
      let document = try TOMLTable(parsing: text.span)
      configuration = BotConfiguration(document, log: log)
    } catch {
      log.problem("", at: error.position, error.message)
    }
    let isSound = log.problems.isEmpty && log.refusals.isEmpty
    // What is missing as a whole comes last.
    let end = TextPosition(line: .max, column: 0)
    return Report(
      configuration: isSound ? configuration : nil,
      problems: log.problems.sorted { ($0.position ?? end) < ($1.position ?? end) },
      refusals: log.refusals.sorted { ($0.position ?? end) < ($1.position ?? end) },
      settings: log.settings, keys: log.keys)
  }
}
