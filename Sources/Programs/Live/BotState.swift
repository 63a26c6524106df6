public import MartletBase
internal import MartletBook
internal import MartletGrid
public import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
public import MartletStrategies
public import WhiteBITSession

/// Everything a bot knew after one record of its journal, for a person who looks back: what the kernel
/// held, in words and exact numbers. Only what is part of the state is in it, so that a fold from a
/// snapshot shows the same as one from the first record.
public struct BotState: Equatable, Sendable {
  public struct Halt: Equatable, Sendable {
    public var reason: String
    public var means: String
    public var since: Timestamp
    public init(reason: String, means: String, since: Timestamp) {
      self.reason = reason
      self.means = means
      self.since = since
    }
  }

  public struct Market: Equatable, Sendable {
    public var symbol: String
    public var isTrusted: Bool
    /// nil before the market's rules were read.
    public var isTrading: Bool?
    /// The best of each side; nil on a book that is not trusted, or has none.
    public var bid: Level?
    public var ask: Level?
    public var last: String?
    /// What an order may cost, by the price band around the reference; nil without one.
    public var lowest: String?
    public var highest: String?
    public var working: Int
    /// Of the base asset, what `max_inventory` leaves to buy; nil without such a limit.
    public var inventoryLeft: String?
  }

  public struct Level: Equatable, Sendable {
    public var price: String
    public var quantity: String
  }

  public struct Order: Equatable, Sendable {
    public var id: String
    public var market: String
    public var strategy: Int
    public var side: String
    public var price: String
    public var quantity: String
    public var filled: String
    public var state: String
    /// Since it was opened here, or adopted.
    public var age: TimeSpan
    /// The record of the input that caused it.
    public var cause: UInt64
  }

  public struct Holding: Equatable, Sendable {
    public var market: String
    public var net: String
    public var cost: String
    public var realized: String
    /// At the last mark; nil before one.
    public var unrealized: String?
    public var baseFees: String
    public var quoteFees: String
    public var equity: String?
    public var peak: String?
    public var deepestDrawdown: String?
  }

  public struct Asset: Equatable, Sendable {
    public var asset: String
    public var expected: String
    public var free: String
    public var reserved: String
    public var foreign: String
    public var fees: String
    public var transfers: String
    /// The venue's latest word; nil before one.
    public var told: String?
    public var isAdopted: Bool
  }

  public struct Risk: Equatable, Sendable {
    public var verdicts: UInt64
    public var approvals: UInt64
    /// Refusals by rule, those that never refused left out, in the order the rules are asked.
    public var refusals: [(rule: String, count: UInt64)]
    public var priceBand: String
    public var maxOrderNotional: String?
    public var maxInventory: String?
    public var maxWorkingPerMarket: Int
    public var maxWorkingPerStrategy: Int
    public var maxOrders: Int
    public var orderWindow: TimeSpan
    /// Approvals that the window still allows.
    public var ordersLeft: Int

    public static func == (lhs: Risk, rhs: Risk) -> Bool {
      lhs.refusals.elementsEqual(rhs.refusals) { $0 == $1 } && lhs.verdicts == rhs.verdicts
        && lhs.approvals == rhs.approvals && lhs.priceBand == rhs.priceBand
        && lhs.maxOrderNotional == rhs.maxOrderNotional && lhs.maxInventory == rhs.maxInventory
        && lhs.maxWorkingPerMarket == rhs.maxWorkingPerMarket
        && lhs.maxWorkingPerStrategy == rhs.maxWorkingPerStrategy
        && lhs.maxOrders == rhs.maxOrders && lhs.orderWindow == rhs.orderWindow
        && lhs.ordersLeft == rhs.ordersLeft
    }
  }

  public struct Strategy: Equatable, Sendable {
    public var kind: String
    public var market: String
    /// Why it trades nothing, when its settings do not fit.
    public var complaint: String?
    /// When it asked to be woken; nil when it did not.
    public var wakeAt: Timestamp?
    public var working: Int
    public var levels: Int
    public var spacing: String
    public var amount: String
    /// nil before the grid is laid out.
    public var center: String?
    public var profit: String
    public var inventory: String
    public var roundTrips: Int64
    public var slots: [Slot]
  }

  /// A stop that is held here.
  public struct Stop: Equatable, Sendable {
    public var strategy: Int
    public var market: String
    /// Of the order that it fires.
    public var side: String
    public var state: String
    /// Where it stands; nil before a trailing one has seen a price.
    public var price: String?
    /// The best price that a trailing one has seen; nil before one.
    public var peak: String?
    /// Since when nobody has looked at the price with it; nil while somebody does, or never did.
    public var inertSince: Timestamp?
    /// For how long nobody had, in all, each time that it was armed again.
    public var unprotected: TimeSpan
    public var losses: UInt32
    /// The record it fired on; nil before.
    public var firedBy: UInt64?
    public var orders: UInt32
    public init(
      strategy: Int, market: String, side: String, state: String, price: String? = nil,
      peak: String? = nil, inertSince: Timestamp? = nil, unprotected: TimeSpan, losses: UInt32,
      firedBy: UInt64? = nil, orders: UInt32
    ) {
      self.strategy = strategy
      self.market = market
      self.side = side
      self.state = state
      self.price = price
      self.peak = peak
      self.inertSince = inertSince
      self.unprotected = unprotected
      self.losses = losses
      self.firedBy = firedBy
      self.orders = orders
    }
  }

  /// One gap of a grid.
  public struct Slot: Equatable, Sendable {
    public var gap: Int
    public var phase: String
    public var side: String
    public var price: String
    public var inventory: String
    public var roundTrips: Int64
    public var setbacks: Int64
    public var retryAt: Timestamp?
  }

  public var now: Timestamp
  public var isReady: Bool
  public var isPaused: Bool
  public var isStopping: Bool
  public var isStopped: Bool
  public var isFlattening: Bool
  public var halt: Halt?
  /// What kept it from trading, in words; empty when nothing did.
  public var holds: [String]
  public var counts: KernelCounts
  public var markets: [Market]
  public var orders: [Order]
  public var positions: [Holding]
  public var ledger: [Asset]
  public var risk: Risk
  public var strategies: [Strategy]
  public var stops: [Stop]
  /// Until when the venue would not cancel what rests; nil when nothing is armed.
  public var deadManArmedUntil: Timestamp?
  public var isClockKnown: Bool
  public var isClockSkewed: Bool
  /// The venue's clock less ours.
  public var clockOffset: TimeSpan
  public var session: WhiteBITStanding

  /// As of the kernel's last input.
  public init(_ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>) {
    now = kernel.now
    isReady = kernel.isReady
    isPaused = kernel.isPaused
    isStopping = kernel.isStopping
    isStopped = kernel.isStopped
    isFlattening = kernel.flattening != nil
    halt = kernel.risk.halt.map {
      Halt(reason: "\($0.reason)", means: $0.reason.means, since: $0.at)
    }
    holds = BotState.holds(of: kernel)
    counts = kernel.counts
    markets = kernel.markets.map { BotState.market($0, kernel) }
    orders = BotState.orders(of: kernel)
    positions = BotState.positions(of: kernel)
    ledger = kernel.portfolio.allEntries.map { Asset($0) }
    risk = Risk(kernel.risk, at: kernel.now)
    strategies = kernel.strategies.indices.map { BotState.strategy($0, kernel) }
    stops = kernel.stops.map { BotState.stop($0, kernel) }
    let armedUntil = kernel.session.armedUntil
    deadManArmedUntil = armedUntil == .zero ? nil : armedUntil
    isClockKnown = kernel.session.isClockKnown
    isClockSkewed = kernel.session.isClockSkewed
    clockOffset = kernel.session.clockOffset
    session = kernel.session.standing
  }
}

// Each part out of the kernel.
extension BotState {
  private typealias Bot = Kernel<WhiteBITSession, BuiltInStrategy>

  private static func holds(of kernel: borrowing Bot) -> [String] {
    var holds: [String] = []
    if let halt = kernel.risk.halt {
      holds.append("halted (\(halt.reason)) since \(halt.at.milliseconds): \(halt.reason.means)")
    }
    if kernel.isPaused { holds.append("paused") }
    if kernel.isHeld { holds.append("the journal has no room for its next file") }
    if kernel.flattening != nil { holds.append("flattening") }
    if kernel.isStopping { holds.append("stopping") }
    for stop in kernel.stops where stop.state == .inert {
      let market = kernel.markets[Int(stop.instrument.index)].symbol
      holds.append("nobody looks at \(market) with its stop")
    }
    if kernel.session.isClockSkewed { holds.append("the clocks are too far apart") }
    for market in kernel.markets {
      if !market.book.isTrusted { holds.append("the book of \(market.symbol) is not trusted") }
      if let instrument = market.instrument, !instrument.rules.isTrading {
        holds.append("\(market.symbol) is not trading")
      }
    }
    return holds
  }

  private static func market(_ market: KernelMarket, _ kernel: borrowing Bot) -> Market {
    var shown = Market(
      symbol: "\(market.symbol)", isTrusted: market.book.isTrusted,
      isTrading: market.instrument?.rules.isTrading, working: 0)
    guard let instrument = market.instrument else { return shown }
    let scale = instrument.scale
    let top = market.book.top
    shown.bid = top?.bid.map {
      Level(price: scale.text($0), quantity: scale.text(top?.bidQuantity ?? .zero))
    }
    shown.ask = top?.ask.map {
      Level(price: scale.text($0), quantity: scale.text(top?.askQuantity ?? .zero))
    }
    shown.last = market.lastPrice.map { scale.text($0) }
    let working = kernel.orders.working(kernel.account, instrument.id)
    shown.working = working.count
    let limits = kernel.risk.limits
    // As Risk is told it: on a book that is not trusted no price is a reference.
    let reference =
      top.flatMap { ReferencePrice(bid: $0.bid, ask: $0.ask) }
      ?? (top == nil ? nil : market.lastPrice.flatMap { ReferencePrice(last: $0) })
    if let reference {
      // The first and the last price within |p − r| ÷ r ≤ band, in whole quanta.
      let one = powerOfTen(Rate.places) * 2
      let band = Int128(limits.priceBand.units)
      let low = divide(
        reference.twiceQuanta * (powerOfTen(Rate.places) - band), by: one, rounded: .up)
      let high = divide(
        reference.twiceQuanta * (powerOfTen(Rate.places) + band), by: one, rounded: .down)
      shown.lowest = Int64(exactly: max(low, 0)).map { scale.text(Price(quanta: $0)) }
      shown.highest = Int64(exactly: high).map { scale.text(Price(quanta: $0)) }
    }
    if let most = limits.maxInventory {
      let net = kernel.portfolio.position(kernel.account, instrument.id).net
      let bought = scale.amount(of: net + working.buyLeaves)
      shown.inventoryLeft = "\(max(most - bought, .zero))"
    }
    return shown
  }

  private static func orders(of kernel: borrowing Bot) -> [Order] {
    var records: [OrderRecord] = []
    kernel.orders.fill(&records)
    return records.map { record in
      let view = record.view
      let market = Int(view.instrument.index)
      let known = market < kernel.markets.count ? kernel.markets[market] : nil
      let scale = known?.instrument?.scale
      return Order(
        id: "\(record.clientOrderID)", market: known.map { "\($0.symbol)" } ?? "",
        strategy: Int(record.intent.strategy.index), side: view.side == .buy ? "buy" : "sell",
        price: scale?.text(view.price) ?? "\(view.price.quanta) quanta",
        quantity: scale?.text(view.quantity) ?? "\(view.quantity.quanta) quanta",
        filled: scale?.text(view.cumulative) ?? "\(view.cumulative.quanta) quanta",
        state: "\(view.state)", age: kernel.now - record.openedAt, cause: record.trace.sequence)
    }
  }

  private static func positions(of kernel: borrowing Bot) -> [Holding] {
    kernel.portfolio.allPositions.compactMap { position in
      let index = Int(position.instrument.index)
      guard index < kernel.markets.count, let instrument = kernel.markets[index].instrument else {
        return nil
      }
      let track = kernel.portfolio.track(position.account, position.instrument)
      return Holding(
        market: "\(instrument.symbol)", net: instrument.scale.text(position.net),
        cost: "\(position.cost)", realized: "\(position.realized)",
        unrealized: track.map { "\(position.unrealized(at: $0.mark, instrument.scale))" },
        baseFees: "\(position.baseFees)", quoteFees: "\(position.quoteFees)",
        equity: track.map { "\($0.current)" }, peak: track.map { "\($0.peak)" },
        deepestDrawdown: track.map { "\($0.deepest)" })
    }
  }

  private static func strategy(_ index: Int, _ kernel: borrowing Bot) -> Strategy {
    let slot = kernel.strategies[index]
    let market = Int(slot.instrument.index)
    let known = market < kernel.markets.count ? kernel.markets[market] : nil
    let scale = known?.instrument?.scale
    func text(_ price: Price) -> String { scale?.text(price) ?? "\(price.quanta) quanta" }
    switch slot.strategy.settings {
    case .grid(let settings):
      let grid = slot.strategy.grid
      return Strategy(
        kind: "grid", market: known.map { "\($0.symbol)" } ?? "",
        complaint: slot.strategy.complaint,
        wakeAt: slot.wakeAt < .distantFuture ? slot.wakeAt : nil,
        working: kernel.orders.workingCount(of: slot.id), levels: settings.levelsPerSide,
        spacing: "\(settings.spacing)", amount: "\(settings.amount)",
        center: grid?.center.map(text), profit: "\(grid?.profit ?? .zero)",
        inventory: "\(grid?.inventory ?? .zero)", roundTrips: grid?.roundTrips ?? 0,
        slots: slot.strategy.gridSlots.map {
          Slot(
            gap: $0.gap, phase: $0.phase, side: $0.side == .buy ? "buy" : "sell",
            price: text($0.price), inventory: "\($0.inventory)", roundTrips: $0.roundTrips,
            setbacks: $0.setbacks, retryAt: $0.retryAt)
        })
    }
  }
}

extension BotState {
  private static func stop(_ stop: LocalStop, _ kernel: borrowing Bot) -> Stop {
    let market = kernel.markets[Int(stop.instrument.index)]
    func text(_ price: Price?) -> String? {
      price.map { price in market.instrument?.scale.text(price) ?? "\(price.quanta) quanta" }
    }
    let hasFired = stop.state == .fired || stop.state == .done
    return Stop(
      strategy: Int(stop.strategy.index), market: "\(market.symbol)",
      side: stop.rule.side == .buy ? "buy" : "sell", state: "\(stop.state)",
      price: text(stop.level), peak: text(stop.peak),
      inertSince: stop.inert(at: kernel.now) == nil ? nil : stop.lostAt,
      unprotected: stop.unprotected, losses: stop.losses,
      firedBy: hasFired ? stop.firedBy.sequence : nil, orders: stop.orders)
  }
}

extension BotState.Asset {
  fileprivate init(_ entry: LedgerEntry) {
    self.init(
      asset: "\(entry.asset)", expected: "\(entry.expected)", free: "\(entry.free)",
      reserved: "\(entry.reserved)", foreign: "\(entry.foreignFrozen)", fees: "\(entry.fees)",
      transfers: "\(entry.transfers)", told: entry.told.map { "\($0.total)" },
      isAdopted: entry.isAdopted)
  }
}

extension BotState.Risk {
  fileprivate init(_ risk: borrowing RiskGate, at now: Timestamp) {
    let limits = risk.limits
    var refusals: [(rule: String, count: UInt64)] = []
    for rule in RiskRule.allCases {
      let count = risk.refused(by: rule)
      if count > 0 { refusals.append(("\(rule)", count)) }
    }
    self.init(
      verdicts: risk.verdicts, approvals: risk.approvals, refusals: refusals,
      priceBand: "\(limits.priceBand)", maxOrderNotional: limits.maxOrderNotional.map { "\($0)" },
      maxInventory: limits.maxInventory.map { "\($0)" },
      maxWorkingPerMarket: limits.maxWorkingPerInstrument,
      maxWorkingPerStrategy: limits.maxWorkingPerStrategy, maxOrders: limits.maxOrdersPerWindow,
      orderWindow: limits.orderWindow,
      ordersLeft: limits.maxOrdersPerWindow - risk.approvalsInWindow(at: now))
  }
}
