public import MartletBase
public import MartletConfiguration
internal import MartletGrid
public import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletRisk
public import MartletStrategies
public import MartletVenueKit
public import WhiteBITSession
internal import WhiteBITWire

/// All that a kernel is made from, as the first record of its journal keeps it: the configuration's
/// text, the bot's tag and a seed. The same plan makes the same kernel in any process.
public struct BotPlan: Sendable {
  /// Version, build and machine-readable form of the first record; a change of meaning changes it.
  static let section: StaticString = "martlet-plan-1"

  public let build: String
  public let configurationText: [UInt8]
  /// Four characters that our client order ids carry after `mt`.
  public let tag: InlineText
  public let seed: UInt64
  public let configuration: BotConfiguration

  /// Why a plan makes no kernel, for a person.
  public struct Fault: Error, CustomStringConvertible, Sendable {
    public let description: String
  }

  /// - Parameter file: what messages call the configuration.
  public init(
    configurationText: [UInt8], file: String, seed: UInt64, build: String
  ) throws(ConfigurationFault) {
    let report = BotConfiguration.check(configurationText, file: file)
    if let fault = report.fault { throw fault }
    guard let configuration = report.configuration else { throw .problems(report.problems) }
    self.configurationText = configurationText
    self.configuration = configuration
    self.seed = seed
    self.build = build
    tag = BotPlan.tag(of: configuration.name)
  }

  /// The bot's tag: its name hashed to four characters, the same in every life of it.
  static func tag(of name: String) -> InlineText {
    let letters = Array("0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    hash ^= hash >> 29
    var text = ""
    for _ in 0..<4 {
      text.unicodeScalars.append(Unicode.Scalar(letters[Int(hash % UInt64(letters.count))]))
      hash /= UInt64(letters.count)
    }
    // Four ASCII letters always fit.
    return InlineText(text) ?? "demo"
  }

  // MARK: The first record

  public func record() -> [UInt8] {
    var writer = SnapshotWriter()
    writer.section(BotPlan.section)
    writer.write(build)
    writer.write(seed)
    writer.write(configurationText.span)
    return writer.bytes.copy()
  }

  /// - Throws: `Fault` when `record` is not the first record of a journal this build can fold.
  public init(record: [UInt8]) throws(Fault) {
    var reader = SnapshotReader(record)
    var writer = "another build"
    do {
      try reader.section(BotPlan.section)
      let build = try reader.text()
      writer = build
      let seed = try reader.read(UInt64.self)
      let text = try reader.content()
      try self.init(
        configurationText: text, file: "the journal's configuration", seed: seed, build: build)
    } catch {
      throw Fault(
        description: "the first record of a run that \(writer) wrote is not for this build to read,"
          + " use that one: \(error)")
    }
  }

  /// Which build wrote a first record, whether or not this one can read the rest of it; nil where not even
  /// that can be told.
  static func build(of record: [UInt8]) -> String? {
    var reader = SnapshotReader(record)
    guard (try? reader.section(BotPlan.section)) != nil else { return nil }
    return try? reader.text()
  }

  // MARK: The kernel

  /// Instruments in the order of the strategies, each once.
  public var symbols: [InlineText] {
    var found: [InlineText] = []
    for case .grid(let grid) in configuration.strategies where !found.contains(grid.market) {
      found.append(grid.market)
    }
    return found
  }

  /// What our client order ids begin with.
  public var ownPrefix: InlineText { BotPlan.prefix(tag) }

  /// What the client order ids of a bot of this name begin with.
  static func ownPrefix(of name: String) -> InlineText { prefix(tag(of: name)) }

  private static func prefix(_ tag: InlineText) -> InlineText { InlineText("mt\(tag)") ?? tag }

  static func settings(of strategy: BotConfiguration.Strategy) -> BuiltInSettings {
    switch strategy {
    case .grid(let grid):
      .grid(gridSettings(of: grid))
    }
  }

  static func gridSettings(of grid: BotConfiguration.Grid) -> GridSettings {
    GridSettings(
      levelsPerSide: grid.levels, spacing: grid.spacing, amount: grid.amount,
      stopPrice: grid.stopPrice, trailingStop: grid.trailingStop,
      stopPriceAbove: grid.stopPriceAbove)
  }

  /// - Parameter adjust: a last touch to what its session is told.
  public func makeKernel(
    _ adjust: (inout WhiteBITConfiguration) -> Void = { _ in }
  ) -> Kernel<WhiteBITSession, BuiltInStrategy> {
    let symbols = symbols
    var session = WhiteBITConfiguration(
      account: AccountID(0),
      symbols: symbols.enumerated().map {
        WhiteBITSymbol(market: $0.element, instrument: InstrumentID(UInt16($0.offset)))
      }, ownPrefix: ownPrefix)
    session.seed = seed
    session.isCleanSlate = configuration.isCleanSlate
    session.pingInterval = configuration.whitebit.pingInterval
    session.backoff.first = configuration.whitebit.backoffFirst
    session.backoff.cap = configuration.whitebit.backoffMax
    session.clockTolerance = configuration.whitebit.clockTolerance
    session.rates.sharePercent = configuration.whitebit.quotaSharePercent
    session.maxQueued = configuration.whitebit.queue
    if configuration.whitebit.feed == .rest { session.feed = .polling(interval: .seconds(1)) }
    adjust(&session)
    return makeKernel(WhiteBITSession(session), bookDepth: session.depthLimit)
  }

  /// The same kernel with a venue that has no wire, for simulations in one process.
  ///
  /// - Parameter bookDepth: levels a side that the venue publishes.
  public func makeDirectKernel(
    _ session: DirectSession, bookDepth: Int
  ) -> Kernel<DirectSession, BuiltInStrategy> { makeKernel(session, bookDepth: bookDepth) }

  private func makeKernel<Session: VenueSession & ~Copyable>(
    _ session: consuming Session, bookDepth: Int
  ) -> Kernel<Session, BuiltInStrategy> {
    let symbols = symbols
    var limits = RiskLimits()
    limits.priceBand = configuration.risk.priceBand
    limits.maxOrderNotional = configuration.risk.maxOrderNotional
    limits.maxInventory = configuration.risk.maxInventory
    limits.maxWorkingPerInstrument = configuration.risk.maxWorkingOrders
    limits.maxOrdersPerWindow = configuration.risk.maxOrders
    limits.orderWindow = configuration.risk.orderWindow
    let slots = configuration.strategies.enumerated().map { index, strategy in
      switch strategy {
      case .grid(let grid):
        Kernel<Session, BuiltInStrategy>.StrategySlot(
          id: StrategyID(UInt16(index)),
          instrument: InstrumentID(UInt16(symbols.firstIndex(of: grid.market) ?? 0)),
          strategy: BuiltInStrategy(BotPlan.settings(of: strategy)))
      }
    }
    return Kernel(
      account: AccountID(0), symbols: symbols, bookDepth: bookDepth, session: session,
      strategies: slots, orders: OrderStore(tag: tag),
      risk: RiskGate(limits: limits))
  }
}
