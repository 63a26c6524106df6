public import MartletBase
internal import MartletExchange
internal import MartletKernel
public import MartletLive
public import MartletModel
internal import MartletPortfolio
internal import MartletSimulation
internal import MartletStrategies
internal import MartletVenueKit
internal import WhiteBITDesk
internal import WhiteBITSession

/// The same recorded market with the whole wire between kernel and exchange: `wire` fidelity. Every frame
/// is written and read, every request signed and checked, the kill-switch refreshed, as live.
///
/// - Bounds: one market, and as much of it as fits in memory with its messages: hours, not months.
public struct WireBacktest: Sendable {
  private let plan: BotPlan
  private var scenario: WhiteBITScenario
  private let rows: [MarketRow]
  private let options: BacktestOptions

  /// - Parameters:
  ///   - plan: of one market, listed as the local exchange lists bitcoin.
  ///   - rows: counting on grids of `pricePlaces` and `quantityPlaces`, a whole book among them.
  ///   - options: with one delay for all ways, which is the network's.
  public init(
    _ plan: BotPlan, base: InlineText, quote: InlineText, rows: [MarketRow],
    pricePlaces: DecimalPlaces, quantityPlaces: DecimalPlaces, fees: (maker: Rate, taker: Rate),
    options: BacktestOptions
  ) throws(BacktestFault) {
    guard plan.symbols.count == 1, let market = plan.symbols.first else {
      throw BacktestFault(
        "fidelity wire replays one market and the configuration trades \(plan.symbols.count); use direct"
      )
    }
    guard options.feedDelay == options.orderDelay, options.feedDelay == options.reportDelay else {
      throw BacktestFault(
        "fidelity wire has one network for everything: give one --latency, or use direct")
    }
    guard rows.contains(where: { $0.kind == .snapshot }) else {
      throw BacktestFault("\(market): no whole book in the data")
    }
    self.plan = plan
    self.rows = rows
    self.options = options
    scenario = WhiteBITScenario(seed: options.seed, rows: rows)
    scenario.pricePlaces = pricePlaces
    scenario.quantityPlaces = quantityPlaces
    scenario.market = market
    scenario.base = base
    scenario.quote = quote
    scenario.balances = options.balances
    scenario.latency = options.feedDelay.least
    scenario.fees = fees
  }

  /// When the bot was ready, behind the first whole book; known after `run`.
  public private(set) var readyAfter: TimeSpan?

  public mutating func run() throws -> BacktestResult {
    let plan = plan
    var world = try scenario.makeWorld(kernel: plan.makeKernel())
    world.jitter = options.feedDelay.spread
    let opening = rows.first { $0.kind == .snapshot }?.receivedAt ?? .zero
    let length = (rows.last?.receivedAt ?? opening) - opening
    world.start()
    world.run(for: length)
    guard let instrument = world.kernel.markets[0].instrument else {
      throw BacktestFault("the data ends before the bot has read the market's rules")
    }
    var result = BacktestResult()
    var tallies = [Tally()]
    read(world.journal, instrument, into: &result, &tallies, opening: opening)
    let seen = rows.filter { $0.receivedAt >= opening }
    result.conclude(
      world.kernel, [instrument], tallies,
      [
        TapeCoverage(
          rows: UInt64(seen.count), frames: UInt64(seen.count { $0.endsFrame }),
          trades: UInt64(seen.count { $0.kind == .trade }), first: opening,
          last: rows.last?.receivedAt ?? opening)
      ])
    if let account = world.desk.account(of: scenario.key) {
      result.reconcile(world.kernel, [instrument], with: world.desk.exchange, account)
    }
    result.assumptions =
      [
        "fidelity wire: every message in the venue's own bytes, signed and checked; one network of"
          + " \(options.feedDelay) each way; the kill-switch armed",
        "the venue publishes the best 20 levels a side every 100 ms, our own orders among them",
      ] + options.queueAssumptions + [instrument.assumption, "no funding: spot markets pay none"]
    return result
  }

  /// What was decided, from the bot's own journal, on the recording's clock.
  private mutating func read(
    _ journal: MemoryJournal, _ instrument: Instrument, into result: inout BacktestResult,
    _ tallies: inout [Tally], opening: Timestamp
  ) {
    var intents: [OrderIntent] = []
    let shift = opening - WhiteBITScenario.start
    for entry in journal.entries {
      if entry.kind == JournalKind.input { result.newsTold += 1 }
      guard entry.kind == JournalKind.note, let note = NoteCoding.read(entry.payload.span)?.note
      else { continue }
      let time = entry.time + shift
      switch note {
      case .intent(let intent): intents.append(intent)
      case .refused: _ = intents.popLast()
      case .approved(let id, _):
        guard let intent = intents.popLast() else { continue }
        result.decide(
          .place(intent, as: id), instrument.scale, at: time, isKept: options.keepsDecisions)
      case .cancel(let id):
        result.decide(
          .cancel(id, of: instrument.id), instrument.scale, at: time,
          isKept: options.keepsDecisions)
      case .fill(var fill):
        fill.exchangeTime = fill.exchangeTime + shift
        result.count(fill, instrument.scale, &tallies)
      case .ready(true): readyAfter = readyAfter ?? (time - opening)
      default: break
      }
    }
  }
}
