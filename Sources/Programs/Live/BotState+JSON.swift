internal import MartletBase
internal import MartletJSON
internal import MartletKernel
internal import MartletVenueKit
internal import WhiteBITSession

extension BotState {
  /// One JSON object: money as exact decimal strings, times as Unix milliseconds, what is not known as
  /// null. The keys are stable; new ones may come.
  public var json: String {
    var out = StateOutput()
    out.object { $0.write(self) }
    return String(out.buffer.span)
  }
}

/// A writer and its buffer, so that a line below is a key and its value.
private struct StateOutput: ~Copyable {
  var buffer = ByteBuffer(capacity: 16_384)
  var writer = JSONWriter()

  mutating func write(_ state: BotState) {
    time("time_ms", state.now)
    flag("ready", state.isReady)
    flag("paused", state.isPaused)
    flag("stopping", state.isStopping)
    flag("stopped", state.isStopped)
    flag("flattening", state.isFlattening)
    if let halt = state.halt {
      object("halt") { out in
        out.text("reason", halt.reason)
        out.text("means", halt.means)
        out.time("since_ms", halt.since)
      }
    } else {
      text("halt", nil)
    }
    key("holds")
    writer.beginArray(into: &buffer)
    for hold in state.holds { writer.string(text: hold, into: &buffer) }
    writer.endArray(into: &buffer)
    object("counts") { out in
      out.number("frames", state.counts.frames)
      out.number("fills", state.counts.fills)
      out.number("placed", state.counts.placed)
      out.number("canceled", state.counts.canceled)
      out.number("refused_by_risk", state.counts.refusedByRisk)
      out.number("refused_by_venue", state.counts.refusedByVenue)
      out.number("doubts", state.counts.doubts)
      out.number("gaps", state.counts.gaps)
      out.number("anomalies", state.counts.anomalies)
    }
    list("markets", state.markets) { $0.write($1) }
    list("orders", state.orders) { $0.write($1) }
    list("positions", state.positions) { $0.write($1) }
    list("ledger", state.ledger) { $0.write($1) }
    object("risk") { $0.write(state.risk) }
    list("strategies", state.strategies) { $0.write($1) }
    list("stops", state.stops) { out, stop in
      out.number("strategy", stop.strategy)
      out.text("market", stop.market)
      out.text("side", stop.side)
      out.text("state", stop.state)
      out.text("price", stop.price)
      out.text("peak", stop.peak)
      out.time("inert_since_ms", stop.inertSince)
      out.number("unprotected_ms", stop.unprotected.milliseconds)
      out.number("losses", stop.losses)
      out.number("fired_by", stop.firedBy)
      out.number("orders", stop.orders)
    }
    object("dead_man") { out in
      out.time("armed_until_ms", state.deadManArmedUntil)
      out.number("left_ms", state.deadManArmedUntil.map { max($0 - state.now, .zero).milliseconds })
    }
    object("session") { out in
      out.text("phase", state.session.phase)
      out.text("link", state.session.link)
      out.text("reading", state.session.reading)
      out.time("retry_ms", state.session.retryAt)
      out.time("pong_by_ms", state.session.pongBy)
      out.flag("clock_known", state.isClockKnown)
      out.flag("clock_skewed", state.isClockSkewed)
      out.number("clock_offset_us", state.clockOffset.nanoseconds / 1_000)
      out.number("requests_in_flight", state.session.requestsInFlight)
      out.number("placements_queued", state.session.placementsQueued)
      out.number("cancels_queued", state.session.cancelsQueued)
      out.number("inquiries", state.session.inquiries)
      out.number("news_held", state.session.newsHeld)
    }
    list("quota", state.session.quota) { out, group in
      out.text("group", "\(group.group)")
      out.number("permits", group.permits)
      out.flag("broken", group.isBroken)
      out.time("next_ms", group.nextAt)
    }
  }

  private mutating func write(_ market: BotState.Market) {
    text("market", market.symbol)
    flag("trusted", market.isTrusted)
    flag("trading", market.isTrading)
    text("bid", market.bid?.price)
    text("bid_quantity", market.bid?.quantity)
    text("ask", market.ask?.price)
    text("ask_quantity", market.ask?.quantity)
    text("last", market.last)
    text("lowest", market.lowest)
    text("highest", market.highest)
    number("working", market.working)
    text("inventory_left", market.inventoryLeft)
  }

  private mutating func write(_ order: BotState.Order) {
    text("id", order.id)
    text("market", order.market)
    number("strategy", order.strategy)
    text("side", order.side)
    text("price", order.price)
    text("quantity", order.quantity)
    text("filled", order.filled)
    text("state", order.state)
    number("age_ms", order.age.milliseconds)
    number("cause", order.cause)
  }

  private mutating func write(_ holding: BotState.Holding) {
    text("market", holding.market)
    text("net", holding.net)
    text("cost", holding.cost)
    text("realized", holding.realized)
    text("unrealized", holding.unrealized)
    text("base_fees", holding.baseFees)
    text("quote_fees", holding.quoteFees)
    text("equity", holding.equity)
    text("peak", holding.peak)
    text("deepest_drawdown", holding.deepestDrawdown)
  }

  private mutating func write(_ asset: BotState.Asset) {
    text("asset", asset.asset)
    text("expected", asset.expected)
    text("free", asset.free)
    text("reserved", asset.reserved)
    text("foreign", asset.foreign)
    text("fees", asset.fees)
    text("transfers", asset.transfers)
    text("told", asset.told)
    flag("adopted", asset.isAdopted)
  }

  private mutating func write(_ risk: BotState.Risk) {
    number("verdicts", risk.verdicts)
    number("approvals", risk.approvals)
    list("refusals", risk.refusals) { out, refusal in
      out.text("rule", refusal.rule)
      out.number("count", refusal.count)
    }
    text("price_band", risk.priceBand)
    text("max_order_notional", risk.maxOrderNotional)
    text("max_inventory", risk.maxInventory)
    number("max_working_per_market", risk.maxWorkingPerMarket)
    number("max_working_per_strategy", risk.maxWorkingPerStrategy)
    number("max_orders", risk.maxOrders)
    number("order_window_ms", risk.orderWindow.milliseconds)
    number("orders_left", risk.ordersLeft)
  }

  private mutating func write(_ strategy: BotState.Strategy) {
    text("kind", strategy.kind)
    text("market", strategy.market)
    text("complaint", strategy.complaint)
    time("wake_ms", strategy.wakeAt)
    number("working", strategy.working)
    number("levels", strategy.levels)
    text("spacing", strategy.spacing)
    text("amount", strategy.amount)
    text("center", strategy.center)
    text("profit", strategy.profit)
    text("inventory", strategy.inventory)
    number("round_trips", strategy.roundTrips)
    list("slots", strategy.slots) { out, slot in
      out.number("gap", slot.gap)
      out.text("phase", slot.phase)
      out.text("side", slot.side)
      out.text("price", slot.price)
      out.text("inventory", slot.inventory)
      out.number("round_trips", slot.roundTrips)
      out.number("setbacks", slot.setbacks)
      out.time("retry_ms", slot.retryAt)
    }
  }

  // MARK: A key and its value

  private mutating func key(_ name: StaticString) { writer.key(name, into: &buffer) }

  private mutating func text(_ name: StaticString, _ value: String?) {
    key(name)
    if let value { writer.string(text: value, into: &buffer) } else { writer.null(into: &buffer) }
  }

  private mutating func number(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
    key(name)
    if let value { writer.integer(value, into: &buffer) } else { writer.null(into: &buffer) }
  }

  private mutating func time(_ name: StaticString, _ value: Timestamp?) {
    number(name, value?.milliseconds)
  }

  private mutating func flag(_ name: StaticString, _ value: Bool?) {
    key(name)
    if let value { writer.bool(value, into: &buffer) } else { writer.null(into: &buffer) }
  }

  mutating func object(_ body: (inout StateOutput) -> Void) {
    writer.beginObject(into: &buffer)
    body(&self)
    writer.endObject(into: &buffer)
  }

  private mutating func object(_ name: StaticString, _ body: (inout StateOutput) -> Void) {
    key(name)
    object(body)
  }

  private mutating func list<Element>(
    _ name: StaticString, _ elements: [Element], _ body: (inout StateOutput, Element) -> Void
  ) {
    key(name)
    writer.beginArray(into: &buffer)
    for element in elements { object { body(&$0, element) } }
    writer.endArray(into: &buffer)
  }
}
