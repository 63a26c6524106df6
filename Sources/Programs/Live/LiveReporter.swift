internal import MartletBase
internal import MartletBook
internal import MartletClock
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletTransport
internal import WhiteBITSession

/// Shows the bot: four times a second on the page and in the terminal, once a second on a pipe. It
/// only reads, and looks as often whether a person must be told something.
final class LiveReporter {
  private let loop: EventLoop
  private let bot: LiveBot
  private let plan: BotPlan
  private let deadMan: DeadManRunner
  private let startedAt: Timestamp
  private let endsAt: Timestamp?
  private let isQuiet: Bool
  private let printer: StatusPrinter
  private var page: DashboardServer?
  private var timer: LoopTimer?
  private var block = StatusBlock()
  private var trail = StatusTrail()
  private var ticks = 0
  /// What an operator gave as the reason of a halt; shown while it is theirs.
  var haltWords: String?

  // A status takes the kernel's thread some 20 µs.
  private static let interval = TimeSpan.milliseconds(250)

  init(
    _ loop: EventLoop, bot: LiveBot, plan: BotPlan, deadMan: DeadManRunner, startedAt: Timestamp,
    endsAt: Timestamp?, isQuiet: Bool, printer: StatusPrinter,
    complain: (String) -> Void
  ) {
    self.loop = loop
    self.bot = bot
    self.plan = plan
    self.deadMan = deadMan
    self.startedAt = startedAt
    self.endsAt = endsAt
    self.isQuiet = isQuiet
    self.printer = printer
    if let port = plan.configuration.dashboardPort {
      // Somebody else's page on that port is no reason not to trade.
      do throws(SystemFault) { page = try DashboardServer(port: port) } catch {
        page = try? DashboardServer(port: 0)
        complain("the page's port \(port): \(error)")
      }
    }
    timer = LoopTimer(loop) { [weak self] in self?.tick() }
  }

  func begin() {
    if !isQuiet, let address = page?.address { printer.offer("page     \(address)\n") }
    tick()
  }

  /// Shows the last status to whoever looks at the page.
  func end() {
    timer?.disarm()
    page?.slot.offer(status())
    page = nil
  }

  /// What leaves the terminal as it was.
  func lastWords() -> String {
    let shape = TerminalShape.of(descriptor: 1)
    return isQuiet ? "" : block.finish(on: shape) + (shape.isTerminal ? "\n" : "")
  }

  private func tick() {
    timer?.arm(after: LiveReporter.interval)
    deadMan.noteProgress()
    bot.alerts.look(bot, at: bot.now())
    guard page != nil || !isQuiet else { return }
    let status = status()
    trail.append(status)
    page?.slot.offer(status)
    defer { ticks += 1 }
    // While a terminal is held there is nothing to draw on; it gets a later status whole.
    guard !isQuiet, printer.isIdle else { return }
    let shape = TerminalShape.of(descriptor: 1)
    guard shape.isTerminal || ticks % 4 == 0 else { return }
    printer.offer(block.draw(status, trail: trail, on: shape, pageAddress: page?.address))
  }

  // MARK: The status

  /// How long until the venue would cancel what rests; nil when it counts nothing.
  private func deadManLeft(at now: Timestamp) -> TimeSpan? {
    if deadMan.isAbandoned || deadMan.isRefused {
      // Nobody refreshes it any more: it counts down to its end.
      return deadMan.covers(at: now).map { $0.cancelsBy - now }.max().flatMap {
        $0 > .zero ? $0 : nil
      }
    }
    return deadMan.armedUntil.map { max($0 - now, .zero) }
  }

  /// What becomes of orders that we cannot take off, as a clause behind “orders may rest”.
  var fateOfOrders: String { deadMan.fateOfOrders(at: bot.now()) }

  func status() -> BotStatus {
    let kernel = KernelView(bot: bot)
    let configuration = plan.configuration
    let instrument = kernel.market?.instrument
    var status = BotStatus(
      bot: configuration.name, mode: configuration.mode.rawValue, venue: "whitebit",
      market: "\(kernel.market?.symbol ?? "")", base: "\(instrument?.base ?? "")",
      quote: "\(instrument?.quote ?? "")", valuation: "\(configuration.valuation)",
      scale: instrument?.scale
        ?? InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6)),
      since: startedAt)
    if let instrument { status.pricePlaces = instrument.tickPlaces }
    status.now = bot.now()
    status.endsAt = endsAt
    status.state = kernel.state
    if case .halted(.operatorRequest) = status.state { status.haltWords = haltWords }
    if status.state == .holding {
      status.holdWords =
        bot.driver.kernel.isHeld
        ? "the journal has no room for its next file" : "the clocks are too far apart"
    }
    let counts = bot.driver.kernel.counts
    status.counts.fills = counts.fills
    status.counts.ordersPlaced = counts.placed
    status.counts.ordersCanceled = counts.canceled
    status.counts.ordersRefused = counts.refusedByRisk + counts.refusedByVenue
    status.counts.doubts = counts.doubts
    status.counts.frames = counts.frames
    status.orders = kernel.orders
    status.recentFills = bot.history.fills
    status.alerts = bot.alerts.shown
    status.deadManLeft = deadManLeft(at: status.now)
    status.deadManTimers = deadMan.covers(at: status.now).map {
      .init(
        market: "\($0.market)",
        left: $0.armedUntil == .zero ? nil : max($0.armedUntil - status.now, .zero),
        cancelsAt: $0.cancellationTime == .zero ? nil : $0.cancellationTime)
    }
    status.nonceLead = bot.nonceLead
    status.deadManTimeout = configuration.deadMan.timeout
    status.connections =
      bot.connections.map { .init(name: $0.name, state: $0.isOpen ? .up : .down) }
    if let p50 = bot.frameToOrder.percentile(perMille: 500),
      let p99 = bot.frameToOrder.percentile(perMille: 990)
    {
      status.frameToOrder = .init(p50: p50, p99: p99)
    }
    status.journalPath = configuration.journalFolder
    status.journalWords = bot.journalWords
    status.exchangeAddress = configuration.whitebit.rest
    kernel.value(into: &status)
    status.stops = kernel.stops(at: status.now)
    return status
  }
}

/// Reads what a status shows out of a kernel.
private struct KernelView {
  let bot: LiveBot

  var market: KernelMarket? { bot.driver.kernel.markets.first }

  var state: BotStatus.State {
    if let halt = bot.driver.kernel.risk.halt { return .halted(halt.reason) }
    if bot.driver.kernel.isStopped { return .stopped }
    if bot.driver.kernel.isStopping { return .stopping }
    if bot.driver.kernel.isPaused { return .paused }
    if bot.driver.kernel.isHeld { return .holding }
    if bot.driver.kernel.isReady { return .trading }
    if bot.driver.kernel.session.isClockSkewed { return .holding }
    return bot.connections.contains { $0.isOpen } ? .reconciling : .connecting
  }

  var orders: [OrderView] {
    var views: [OrderView] = []
    var all: [OrderView] = []
    for slot in bot.driver.kernel.strategies {
      bot.driver.kernel.orders.fill(&views, of: slot.id)
      all += views
    }
    return all
  }

  func stops(at now: Timestamp) -> [BotStatus.Stop] {
    bot.driver.kernel.stops.map { stop in
      let market = bot.driver.kernel.markets[Int(stop.instrument.index)]
      let inert = stop.inert(at: now)
      return BotStatus.Stop(
        market: "\(market.symbol)", side: stop.rule.side, state: "\(stop.state)",
        level: stop.level.flatMap { level in market.instrument.map { $0.scale.text(level) } },
        inert: inert, unprotected: stop.unprotected + (inert ?? .zero), losses: stop.losses)
    }
  }

  /// Prices, balances and what they are worth.
  func value(into status: inout BotStatus) {
    guard let market else { return }
    let top = market.book.top
    status.bestBid = top?.bid
    status.bestAsk = top?.ask
    status.last = market.lastPrice
    status.isBookTrusted = market.book.isTrusted
    guard let instrument = market.instrument else { return }
    let account = bot.driver.kernel.account
    for asset in [instrument.base, instrument.quote] {
      guard let entry = bot.driver.kernel.portfolio.ledger(account, asset) else { continue }
      status.balances.append(entry.balance)
      if entry.fees != .zero { status.fees.append(.init(asset: asset, amount: entry.fees)) }
    }
    let position = bot.driver.kernel.portfolio.position(account, instrument.id)
    status.position = position.net
    status.realized = position.realized
    if let track = bot.driver.kernel.portfolio.track(account, instrument.id) {
      status.equity = track.current
      status.startEquity = track.start
      status.maxDrawdown = track.deepest
      status.unrealized = position.unrealized(at: track.mark, instrument.scale)
    }
  }
}

extension Instrument {
  /// Decimals that whole ticks need.
  fileprivate var tickPlaces: Int {
    var places = Int(scale.price.count)
    var tick = rules.tickSize
    while places > 0 && tick % 10 == 0 {
      tick /= 10
      places -= 1
    }
    return max(0, places)
  }
}
