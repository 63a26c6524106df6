public import MartletBase
internal import MartletExchange
public import MartletGrid
public import MartletKernel
public import MartletModel
internal import MartletOrders
public import MartletRisk
internal import MartletSecrets
public import MartletStrategies
internal import MartletStrategy
public import MartletVenueKit
public import WhiteBITDesk
public import WhiteBITSession
internal import WhiteBITWire

/// A world whose venue is WhiteBIT and whose client runs the strategies that come with Martlet.
public typealias WhiteBITWorld = World<
  WhiteBITSession, BuiltInStrategy, WhiteBITDesk, WhiteBITDeadManMachine
>

/// Everything a WhiteBIT world is made from: the same scenario makes the same world in any process.
public struct WhiteBITScenario: Sendable {
  /// A moment in 2026, on a whole minute.
  public static let start = Timestamp(milliseconds: 1_790_000_040_000)

  public var seed: UInt64
  /// The outside market, on grids of `pricePlaces` and `quantityPlaces`.
  public var rows: [MarketRow]
  public var pricePlaces = HandmadeMarket.pricePlaces
  public var quantityPlaces = HandmadeMarket.quantityPlaces
  public var market: InlineText = "DBTC_DUSDT"
  public var base: InlineText = "DBTC"
  public var quote: InlineText = "DUSDT"
  public var key = "demo"
  /// What the venue knows, and, unless `clientSecret` says otherwise, what the client signs with.
  public var secret = "made-up"
  public var clientSecret: String?
  /// What the market takes of a trade.
  public var fees = (maker: Rate(units: 10_000_000), taker: Rate(units: 10_000_000))
  public var balances: [(asset: String, amount: Amount)]
  /// Somebody else at the exchange, with a secret of “secret of” and the key; as rich as we are.
  public static let otherKey = "bob"
  public var grid = GridSettings()
  public var limits = RiskLimits()
  public var deadMan = WhiteBITDeadMan.Parameters()
  public var latency = TimeSpan.milliseconds(1)
  public var clientSkew = TimeSpan.zero
  /// Four characters of our client order ids behind `mt`.
  public var tag: InlineText = "SiM1"
  /// Last touches to what session and desk are told.
  public var session: @Sendable (inout WhiteBITConfiguration) -> Void = { _ in }
  public var desk: @Sendable (inout WhiteBITDeskConfiguration) -> Void = { _ in }

  public init(seed: UInt64 = 1, rows: [MarketRow] = HandmadeMarket().recording) {
    self.seed = seed
    self.rows = rows
    // Ten whole units of base and a million of quote: enough for any grid of these tests.
    balances = [
      ("DBTC", Amount(units: 10 * powerOfTen(20))), ("DUSDT", Amount(units: powerOfTen(26))),
    ]
  }

  /// What the client ids of our orders begin with.
  public var prefix: InlineText { InlineText("mt\(tag)") ?? tag }

  // MARK: The client

  /// For a kernel of another make; `makeKernel` makes its own.
  public func makeSession() -> WhiteBITSession {
    var configuration = WhiteBITConfiguration(
      account: AccountID(0), symbols: symbols, ownPrefix: prefix)
    configuration.seed = seed
    session(&configuration)
    return WhiteBITSession(configuration)
  }

  public func makeKernel() -> Kernel<WhiteBITSession, BuiltInStrategy> {
    let session = makeSession()
    return Kernel(
      account: AccountID(0), symbols: [market], bookDepth: session.configuration.depthLimit,
      session: session,
      strategies: [
        Kernel<WhiteBITSession, BuiltInStrategy>.StrategySlot(
          id: StrategyID(0), instrument: InstrumentID(0), strategy: BuiltInStrategy(.grid(grid)))
      ], orders: OrderStore(tag: tag), risk: RiskGate(limits: limits))
  }

  /// - Throws: the machine's word on parameters that would leave orders uncovered.
  public func makeDeadMan() throws -> WhiteBITDeadManMachine {
    WhiteBITDeadManMachine(machine: try WhiteBITDeadMan(deadMan, markets: symbols))
  }

  private var symbols: [WhiteBITSymbol] {
    [WhiteBITSymbol(market: market, instrument: InstrumentID(0))]
  }

  // MARK: The venue

  public func makeDesk() throws -> WhiteBITDesk {
    var configuration = WhiteBITDeskConfiguration(start: WhiteBITScenario.start, seed: seed)
    desk(&configuration)
    var listing = MarketListing.bitcoin(name: market, stock: base, money: quote)
    listing.makerFee = fees.maker
    listing.takerFee = fees.taker
    var made = try WhiteBITDesk(
      configuration,
      markets: [
        WhiteBITMarketSetup(
          listing: listing, rows: rows,
          pricePlaces: pricePlaces, quantityPlaces: quantityPlaces)
      ], keyedHash: keyedHash)
    guard made.addAccount(key: key, secret: secret, balances: balances) != nil else {
      throw ScenarioFault(
        description: "no account: \(market) knows none of"
          + " \(balances.map(\.asset).joined(separator: ", "))")
    }
    _ = made.addAccount(
      key: WhiteBITScenario.otherKey, secret: "secret of \(WhiteBITScenario.otherKey)",
      balances: balances.map { ($0.asset, $0.amount + Amount(units: 100 * powerOfTen(20))) })
    return made
  }

  // MARK: The world

  public func makeWorld() throws -> WhiteBITWorld { try makeWorld(kernel: makeKernel()) }

  /// The same with a kernel of another make.
  public func makeWorld(
    kernel: consuming Kernel<WhiteBITSession, BuiltInStrategy>
  ) throws -> WhiteBITWorld {
    WhiteBITWorld(
      kernel: kernel, deadMan: try makeDeadMan(), desk: try makeDesk(),
      credentials: Credentials(
        key: Secret(copying: Array(key.utf8).span),
        secret: Secret(copying: Array((clientSecret ?? secret).utf8).span)),
      start: WhiteBITScenario.start, seed: seed, latency: latency, clientSkew: clientSkew,
      secretField: "websocket_token", clockOffset: WhiteBITScenario.clockOffset)
  }

  /// The venue's clock less the client's, as a session knows it.
  public static func clockOffset(_ session: borrowing WhiteBITSession) -> TimeSpan? {
    session.isClockKnown ? session.clockOffset : nil
  }
}

/// A scenario that makes no world.
public struct ScenarioFault: Error, CustomStringConvertible, Sendable {
  public let description: String
}

/// WhiteBIT's dead-man in the world's words.
public struct WhiteBITDeadManMachine: DeadManMachine, Sendable {
  public private(set) var machine: WhiteBITDeadMan
  /// Everything it told, in order.
  public private(set) var outcomes: [WhiteBITDeadMan.Outcome] = []

  init(machine: WhiteBITDeadMan) { self.machine = machine }

  public mutating func start(
    at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews]
  ) {
    var told: [WhiteBITDeadMan.Outcome] = []
    machine.start(at: now, effects: &effects, outcomes: &told)
    report(told, &news)
  }

  public mutating func kernelProgress(at time: Timestamp) { machine.kernelProgress(at: time) }

  public mutating func timer(
    at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews]
  ) {
    var told: [WhiteBITDeadMan.Outcome] = []
    machine.timer(at: now, effects: &effects, outcomes: &told)
    report(told, &news)
  }

  public mutating func response(
    _ id: RequestID, status: UInt16, body: Span<UInt8>, at now: Timestamp,
    effects: inout VenueEffects, news: inout [DeadManNews]
  ) {
    var told: [WhiteBITDeadMan.Outcome] = []
    machine.response(id, status: status, body: body, at: now, effects: &effects, outcomes: &told)
    report(told, &news)
  }

  public mutating func failed(
    _ id: RequestID, at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews]
  ) {
    var told: [WhiteBITDeadMan.Outcome] = []
    machine.failed(id, at: now, effects: &effects, outcomes: &told)
    report(told, &news)
  }

  public mutating func disarm(
    at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews]
  ) {
    var told: [WhiteBITDeadMan.Outcome] = []
    machine.disarm(at: now, effects: &effects, outcomes: &told)
    report(told, &news)
  }

  public mutating func abandon() { machine.abandon() }

  public var nextDeadline: Timestamp { machine.nextDeadline }

  private mutating func report(_ told: [WhiteBITDeadMan.Outcome], _ news: inout [DeadManNews]) {
    for outcome in told {
      switch outcome {
      case .armed(let until): news.append(.armed(until: until))
      case .lost: news.append(.lost)
      case .unauthorized(let status, let code):
        news.append(.line("key refused: HTTP \(status), code \(code)"))
        news.append(.lost)
      case .refreshFailed(_, let failures):
        news.append(.line("refresh failed \(failures) time(s)"))
      case .withheld: news.append(.line("withheld"))
      case .resumed: news.append(.line("resumed"))
      case .missing: news.append(.line("missing at the venue"))
      case .disarmed: news.append(.line("disarmed"))
      case .disarmFailed: news.append(.line("disarm failed"))
      case .observed: break
      }
    }
    outcomes += told
  }
}
