public import MartletBase
public import MartletModel
internal import MartletSignal
public import MartletStrategy

/// Buys low and sells one level higher, over and over, between fixed prices around a center.
///
/// Levels stand at center ± i × spacing. Between neighboring levels lies a slot (`GridSlot`), which
/// buys at its lower level and sells at its upper one: slots under the center begin with a buy, slots
/// above it with a sell of base the account already has. When a slot's order is over, and not before,
/// the other one follows, sized by what really filled, net of a fee taken in the base asset. What is
/// too small to sell stays in the slot and goes with the next sell.
///
/// - Bounds: 2 × `levelsPerSide` slots, one order each; a refused slot asks again after 15 s, then
///   ever more slowly, up to 16 min.
/// - Source: WhiteBIT trading bot guide, "Worked example: Grid bot"; its traps avoided.
public struct GridStrategy: TradingStrategy, Sendable {
  public internal(set) var settings: GridSettings
  let scale: InstrumentScale
  let kind: Instrument.Kind
  /// Distance of neighboring levels, in price quanta.
  var spacing: Int64
  /// What a level buys.
  var quantity: Quantity
  /// nil until the grid is laid out.
  var center: Price?
  /// By gap, lowest first; slot `i` lies between levels `i − levelsPerSide` and one above.
  var slots: [GridSlot]
  /// What slots that are no more have earned.
  var past = GridPast()
  /// Whether a slot is idle, so that a quiet book costs one test.
  var hasIdle = false
  /// When the earliest waiting slot asks again.
  private var nextRetry = Timestamp.distantFuture

  /// - Throws: what the instrument's kind or rules have against the settings.
  public init(
    settings: GridSettings, instrument: Instrument
  ) throws(GridSettings.Fault) {
    let onGrid = try settings.onGrid(of: instrument)
    self.settings = settings
    scale = instrument.scale
    kind = instrument.kind
    spacing = onGrid.spacing
    quantity = onGrid.quantity
    slots = Array(repeating: GridSlot(), count: 2 * settings.levelsPerSide)
  }

  // MARK: What the kernel tells

  public mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents) {
    if center == nil { recoverCenter(from: context) }
    reconcile(with: context, intents: &intents)
    // Timers do not outlive a restart: ask again for what still waits.
    nextRetry = .distantFuture
    proceed(context, intents: &intents)
  }

  public mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents) {
    if center != nil && !hasIdle && context.now < nextRetry { return }
    proceed(context, intents: &intents)
  }

  public mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    if let index = slot(having: order.tag) {
      slots[index].book(fill, of: context.instrument)
      if slots[index].hasOrder {
        slots[index].booked = slots[index].booked + fill.quantity
        follow(order, slot: index, at: context.now)
      } else if slots[index].phase == .waiting {
        wakeSlot(index)
      }
    } else if let index = slot(thatMade: order.tag) {
      slots[index].book(fill, of: context.instrument)
      // News from an order believed over. What it changed is in the inventory; act on that.
      if slots[index].phase == .waiting { wakeSlot(index) }
    } else if GridSlot.decode(order.tag) != nil {
      past.book(fill, of: context.instrument)
    }
    proceed(context, intents: &intents)
  }

  public mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    if let index = slot(having: order.tag) {
      follow(order, slot: index, at: context.now)
    } else if !order.state.isTerminal || !past.ended(order.tag) {
      return
    }
    proceed(context, intents: &intents)
  }

  public mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    guard let index = slot(having: tag), slots[index].phase == .working else { return }
    // Whatever the reason (no base to sell, a limit, a market pause), asking again at once would
    // get the same answer.
    slots[index].stepBack(at: context.now)
    releaseBlocked()
    proceed(context, intents: &intents)
  }

  public mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents) {
    nextRetry = .distantFuture
    proceed(context, intents: &intents)
  }

  /// All it holds is gone, at the price of the moment: it is laid anew when it may trade again.
  public mutating func onFlat(_ context: borrowing StrategyContext, intents: inout Intents) {
    guard let center else { return }
    let halfQuanta = Self.halfQuanta(context) ?? 2 * Int128(center.quanta)
    closeAll(at: Price(quanta: Int64(halfQuanta / 2)))
    for index in slots.indices {
      slots[index] = GridSlot()
      slots[index].generation = past.generation
    }
    self.center = nil
    hasIdle = false
    nextRetry = .distantFuture
  }

  public func stops(on instrument: Instrument) -> [StopRule] { settings.stops(on: instrument) }

  // MARK: Whose order it is

  /// The slot whose present or last order has this mark.
  private func slot(having tag: Int64) -> Int? {
    guard let (gap, generation) = GridSlot.decode(tag) else { return nil }
    let index = gap + settings.levelsPerSide
    if slots.indices.contains(index) && slots[index].tag == tag { return index }
    // Only an order from before the grid was laid anew can stand at another gap than its own.
    guard generation <= past.generation else { return nil }
    return slots.firstIndex { $0.tag == tag }
  }

  /// The slot that once placed the order with this mark, as long as the slot is part of the grid.
  private func slot(thatMade tag: Int64) -> Int? {
    guard let (gap, generation) = GridSlot.decode(tag), generation > past.generation else {
      return nil
    }
    let index = gap + settings.levelsPerSide
    guard slots.indices.contains(index), slots[index].phase != .absent else { return nil }
    // Of a slot that was taken away and is there again, only what it placed since.
    return slots[index].firstGeneration < generation ? index : nil
  }

  // MARK: Prices

  /// The multiple of the spacing nearest to `price`; a half goes to the even neighbor, as in the
  /// guide's `round(last / spacing) * spacing`. Whole numbers all the way.
  ///
  /// - Parameter halfQuanta: twice the price, so that the middle of an odd spread is exact.
  static func center(halfQuanta: Int128, spacing: Int64) -> Price {
    let steps = divide(halfQuanta, by: 2 * Int128(spacing), rounded: .nearestEven)
    return Price(quanta: Int64(steps * Int128(spacing)))
  }

  /// The price of `side`'s order in a slot. The tick is asked each time, for it may change; where a
  /// level is off it, a buy goes down and a sell up, never towards the other side.
  static func levelPrice(
    center: Price, spacing: Int64, gap: Int64, side: Side, tick: Int64
  ) -> Price {
    let level = center.quanta + (side == .buy ? gap : gap + 1) * spacing
    let ticks = divide(Int128(level), by: Int128(tick), rounded: side == .buy ? .down : .up)
    return Price(quanta: Int64(ticks) * tick)
  }

  func price(of side: Side, slot index: Int, tick: Int64) -> Price {
    guard let center else { preconditionFailure("a level was asked for before the grid was laid") }
    let gap = Int64(index - settings.levelsPerSide)
    return Self.levelPrice(center: center, spacing: spacing, gap: gap, side: side, tick: tick)
  }

  // MARK: The life of a slot

  /// Takes what is told of a slot's present order; the caller has checked that it is that one.
  private mutating func follow(_ order: OrderView, slot index: Int, at now: Timestamp) {
    guard slots[index].hasOrder, order.state.isTerminal else { return }
    let isMoving = slots[index].isMoving
    if order.state == .rejected && slots[index].booked == .zero {
      slots[index].stepBack(at: now)
      releaseBlocked()
      return
    }
    // A wholly filled order may be told before its fills, and only they carry the fees.
    let expected = order.state == .filled ? order.quantity : order.cumulative
    guard slots[index].booked >= expected else {
      slots[index].phase = .settling
      return
    }
    releaseBlocked()
    guard slots[index].booked > .zero || isMoving else {
      // Canceled with nothing done, by the venue or an operator: re-placed, but not in a tight loop.
      slots[index].stepBack(at: now)
      return
    }
    wakeSlot(index)
  }

  mutating func wakeSlot(_ index: Int) {
    slots[index].phase = .idle
    slots[index].isMoving = false
    slots[index].retryAt = .distantFuture
    hasIdle = true
  }

  private mutating func releaseBlocked() {
    for index in slots.indices where slots[index].phase == .blocked { wakeSlot(index) }
  }

  /// Lays the grid if it is time, wakes who has waited long enough, and lets every idle slot ask.
  private mutating func proceed(_ context: borrowing StrategyContext, intents: inout Intents) {
    if context.top != nil {
      if center == nil { layOut(context) }
      if center != nil {
        for index in slots.indices
        where slots[index].phase == .waiting && slots[index].retryAt <= context.now {
          wakeSlot(index)
        }
        if hasIdle { ask(context, intents: &intents) }
      }
    }
    scheduleRetry(context.now, intents: &intents)
  }

  private mutating func scheduleRetry(_ now: Timestamp, intents: inout Intents) {
    var earliest = Timestamp.distantFuture
    for slot in slots where slot.phase == .waiting && slot.retryAt > now {
      earliest = min(earliest, slot.retryAt)
    }
    // One that is due but may not ask, because the book is broken, is woken by the next good book.
    if earliest != nextRetry {
      nextRetry = earliest
      if earliest != .distantFuture { intents.wake(at: earliest) }
    }
    for slot in slots where slot.phase == .waiting && slot.retryAt <= now { hasIdle = true }
  }

  private mutating func layOut(_ context: borrowing StrategyContext) {
    guard let halfQuanta = Self.halfQuanta(context) else { return }
    layOut(around: Self.center(halfQuanta: halfQuanta, spacing: spacing), context.instrument)
  }

  /// Twice the price of the moment; nil when there is none.
  static func halfQuanta(_ context: borrowing StrategyContext) -> Int128? {
    if let last = context.lastPrice { return 2 * Int128(last.quanta) }
    return context.top.flatMap { MidPrice($0) }?.halfQuanta
  }

  mutating func layOut(around center: Price, _ instrument: Instrument) {
    self.center = center
    for index in slots.indices {
      layOut(index, lending: index >= settings.levelsPerSide, instrument)
    }
  }

  /// Makes a new slot.
  ///
  /// - Parameter lending: it begins with a sell of what the account has.
  mutating func layOut(_ index: Int, lending: Bool, _ instrument: Instrument) {
    var slot = GridSlot()
    slot.generation = slots[index].generation
    slot.firstGeneration = slot.generation
    // A cheap instrument under a wide grid has fewer levels than asked for: none at or under zero.
    let buy = price(of: .buy, slot: index, tick: instrument.rules.tickSize)
    if buy.quanta > 0 {
      slot.phase = .idle
      if lending { slot.lent = instrument.scale.amount(of: quantity) }
      slot.inventory = slot.lent
      hasIdle = true
    }
    slots[index] = slot
  }

  /// Lets every idle slot ask for its order, those nearest to the center first.
  private mutating func ask(_ context: borrowing StrategyContext, intents: inout Intents) {
    // What the orders of former settings hold and stand in the way of is free when they are gone.
    if past.isLeaving { return }
    hasIdle = false
    var lendable = context.base.available - heldUnplaced()
    for distance in 0..<settings.levelsPerSide {
      ask(settings.levelsPerSide - 1 - distance, &lendable, context, intents: &intents)
      ask(settings.levelsPerSide + distance, &lendable, context, intents: &intents)
    }
  }

  /// What slots have bought and not yet offered again: the account's base that is spoken for.
  private func heldUnplaced() -> Amount {
    var held = Amount.zero
    for slot in slots where slot.phase != .working && slot.phase != .absent {
      if slot.gained > .zero { held = held + slot.gained }
    }
    return held
  }

  private mutating func ask(
    _ index: Int, _ lendable: inout Amount, _ context: borrowing StrategyContext,
    intents: inout Intents
  ) {
    guard slots[index].phase == .idle else { return }
    let instrument = context.instrument
    let rules = instrument.rules
    let (side, orderPrice, orderQuantity) = wanted(index, instrument)
    if side != slots[index].side && side == slots[index].home && slots[index].generation > 0 {
      slots[index].roundTrips += 1
    }
    guard rules.isTrading, meetsMinimum(orderQuantity, at: orderPrice, instrument) else {
      slots[index].side = side
      slots[index].stepBack(at: context.now)
      return
    }
    if kind == .spot && side == .sell && slots[index].setbacks > 0 && slots[index].gained <= .zero {
      // It was refused before and owns nothing itself: it must not take what another slot bought.
      let needed = instrument.scale.amount(of: orderQuantity)
      guard lendable >= needed else {
        slots[index].side = side
        slots[index].stepBack(at: context.now)
        return
      }
      lendable = lendable - needed
    }
    if wouldMeetOwnOrder(side, at: orderPrice) {
      slots[index].side = side
      slots[index].phase = .blocked
      return
    }
    slots[index].phase = .working
    slots[index].generation += 1
    slots[index].tag = slots[index].newTag(gap: index - settings.levelsPerSide)
    slots[index].side = side
    slots[index].price = orderPrice
    slots[index].booked = .zero
    intents.place(
      OrderIntent(
        strategy: context.strategy, account: context.account, instrument: instrument.id, side: side,
        price: orderPrice, quantity: orderQuantity, tag: slots[index].tag))
  }

  /// The order that a slot would ask for now: it sells what it can, and buys when that is nothing.
  func wanted(_ index: Int, _ instrument: Instrument) -> (Side, Price, Quantity) {
    let rules = instrument.rules
    let sellPrice = price(of: .sell, slot: index, tick: rules.tickSize)
    let sellable = self.sellable(slots[index].inventory, at: sellPrice, instrument)
    if sellable > .zero { return (.sell, sellPrice, sellable) }
    let buyPrice = price(of: .buy, slot: index, tick: rules.tickSize)
    return (.buy, buyPrice, rules.roundedDown(quantity))
  }

  /// The whole lots of `inventory` that may be sold at `price`; zero while they are too few.
  private func sellable(_ inventory: Amount, at price: Price, _ instrument: Instrument) -> Quantity
  {
    guard inventory > .zero else { return .zero }
    let whole = instrument.rules.roundedDown(
      instrument.scale.quantity(of: inventory, rounded: .down))
    return meetsMinimum(whole, at: price, instrument) ? whole : .zero
  }

  func meetsMinimum(
    _ quantity: Quantity, at price: Price, _ instrument: Instrument
  ) -> Bool {
    quantity > .zero && quantity >= instrument.rules.minQuantity
      && notional(quantity, at: price, instrument) >= instrument.rules.minNotional
  }

  /// In quote units, which is what an inverse contract's quantity counts itself.
  private func notional(_ quantity: Quantity, at price: Price, _ instrument: Instrument) -> Amount {
    instrument.kind == .inverse
      ? instrument.scale.amount(of: quantity) : instrument.scale.notional(of: quantity, at: price)
  }

  private func wouldMeetOwnOrder(_ side: Side, at price: Price) -> Bool {
    for slot in slots where slot.phase == .working && slot.side != side {
      if side == .buy ? price >= slot.price : price <= slot.price { return true }
    }
    return false
  }

  // MARK: Orders from before

  /// Finds the center again from a marked order of this strategy, when its own memory is lost.
  private mutating func recoverCenter(from context: borrowing StrategyContext) {
    for order in context.working {
      guard let (place, _) = GridSlot.decode(order.tag),
        slots.indices.contains(place + settings.levelsPerSide)
      else { continue }
      let gap = Int64(place)
      let offset = (order.side == .buy ? gap : gap + 1) * spacing
      let halfQuanta = 2 * (Int128(order.price.quanta) - Int128(offset))
      layOut(around: Self.center(halfQuanta: halfQuanta, spacing: spacing), context.instrument)
      return
    }
  }

  /// Matches the slots with the orders that really work, oldest first. What fits no slot is canceled.
  private mutating func reconcile(
    with context: borrowing StrategyContext, intents: inout Intents
  ) {
    var isTaken = Array(repeating: false, count: slots.count)
    past.keepLeaving(context.working)
    for order in context.working {
      if let index = slot(having: order.tag), slots[index].phase == .working, !isTaken[index],
        slots[index].price == order.price
      {
        isTaken[index] = true
        if slots[index].isMoving && order.state != .pendingCancel {
          intents.cancel(order.clientOrderID)
        }
        continue
      }
      guard !past.isLeaving(order.tag), let (gap, generation) = GridSlot.decode(order.tag),
        case let index = gap + settings.levelsPerSide, slots.indices.contains(index),
        !isTaken[index], slots[index].phase != .absent, fits(order, slot: index)
      else {
        if order.state != .pendingCancel { intents.cancel(order.clientOrderID) }
        continue
      }
      isTaken[index] = true
      adopt(order, generation: generation, slot: index, context.instrument)
    }
    // What the venue, a halt or an outage ended before this says nothing of the next orders.
    for index in slots.indices { slots[index].setbacks = 0 }
    for index in slots.indices where !isTaken[index] {
      switch slots[index].phase {
      // The venue has been asked: an order that does not work is over, and its fills are booked.
      case .working, .settling, .waiting, .blocked, .idle: wakeSlot(index)
      case .absent: break
      }
    }
  }

  /// Whether a marked order stands at its slot's level. An order of another center is a spacing away
  /// or more; one placed under a coarser tick is off by less.
  private func fits(_ order: OrderView, slot index: Int) -> Bool {
    let level = price(of: order.side, slot: index, tick: 1)
    return abs(level.distance(to: order.price)) < spacing
  }

  private mutating func adopt(
    _ order: OrderView, generation: Int64, slot index: Int, _ instrument: Instrument
  ) {
    let scale = instrument.scale
    var slot = GridSlot()
    slot.cash = GridSlot.proceeds(
      of: order.cumulative, at: order.price, order.side, scale, kind)
    switch order.side {
    case .buy:
      // Its fees are not known here; the dearer rate makes sure that no more is sold than was got.
      let filled = scale.amount(of: order.cumulative)
      let rate = max(instrument.rules.makerFee, instrument.rules.takerFee, .zero)
      // A contract's are not taken from what it bought.
      slot.inventory = kind == .spot ? filled - rate.of(filled, rounded: .up) : filled
    case .sell:
      slot.lent = scale.amount(of: order.quantity)
      slot.inventory = scale.amount(of: order.leaves)
    }
    slot.phase = .working
    slot.generation = max(generation, slots[index].generation)
    slot.tag = order.tag
    slot.side = order.side
    slot.price = order.price
    slot.booked = order.cumulative
    slots[index] = slot
  }
}

extension GridStrategy {
  /// What a report says of a grid.
  public struct Summary: Equatable, Sendable {
    /// nil before the grid is laid out.
    public var center: Price?
    /// Slots that trade; twice the levels a side, unless the lowest would be at or under zero.
    public var slots: Int
    public var working: Int
    /// Slots that were refused or may not ask now.
    public var waiting: Int
    /// Buy and sell, or sell and buy, both over.
    public var roundTrips: Int64
    /// Of closed round trips and closed parts of open ones, fees in base and quote taken off; what is
    /// still held counts at the level where it was bought or lent. In quote units, exact.
    public var profit: Amount
    /// What the grid holds beyond what it was lent; negative while that is sold. In base units.
    public var inventory: Amount
  }

  /// The grid as it stands.
  public var summary: Summary {
    var summary = Summary(
      center: center, slots: 0, working: 0, waiting: 0, roundTrips: 0, profit: .zero,
      inventory: .zero)
    summary.profit = past.profit
    summary.roundTrips = past.roundTrips
    guard let center else { return summary }
    for index in slots.indices where slots[index].phase != .absent {
      let slot = slots[index]
      summary.slots += 1
      switch slot.phase {
      case .working, .settling: summary.working += 1
      case .waiting, .blocked: summary.waiting += 1
      case .idle, .absent: break
      }
      summary.roundTrips += slot.roundTrips
      summary.inventory = summary.inventory + slot.gained
      let gap = Int64(index - settings.levelsPerSide) + (slot.gained > .zero ? 0 : 1)
      let level = Price(quanta: center.quanta + gap * spacing)
      summary.profit = summary.profit + slot.profit(at: level, scale, kind)
    }
    return summary
  }
}

extension GridStrategy: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    switch settings.form {
    case .plain: snapshot.section("grid-2")
    case .withStops: snapshot.section("grid-3")
    case .onContract: snapshot.section("grid-4")
    }
    settings.write(to: &snapshot)
    snapshot.write(spacing)
    snapshot.write(quantity)
    snapshot.write(center != nil)
    snapshot.write(center ?? Price(quanta: 0))
    snapshot.write(hasIdle)
    snapshot.write(nextRetry)
    past.write(to: &snapshot)
    for slot in slots { slot.write(to: &snapshot) }
  }

  /// Takes the snapshot's settings too: they may have been changed since the grid was made.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    var form = GridSettings.Form.plain
    if snapshot.takeSection("grid-4") {
      form = .onContract
    } else if snapshot.takeSection("grid-3") {
      form = .withStops
    } else {
      try snapshot.section("grid-2")
    }
    settings = try GridSettings(from: &snapshot, form: form)
    spacing = try snapshot.read(Int64.self)
    quantity = try snapshot.quantity()
    guard spacing > 0, quantity > .zero else {
      throw .impossible(
        "grid \(spacing) quanta apart, \(quantity.quanta) quanta each", offset: snapshot.offset)
    }
    let isLaidOut = try snapshot.bool()
    let center = try snapshot.price()
    self.center = isLaidOut ? center : nil
    hasIdle = try snapshot.bool()
    nextRetry = try snapshot.timestamp()
    past = try GridPast(from: &snapshot)
    slots.removeAll(keepingCapacity: true)
    for _ in 0..<2 * settings.levelsPerSide { slots.append(try GridSlot(from: &snapshot)) }
  }
}
