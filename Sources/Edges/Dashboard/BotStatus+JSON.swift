public import MartletBase
internal import MartletJSON
internal import MartletModel

extension BotStatus {
  /// Writes the status as one JSON object: money as exact decimal strings, times as Unix
  /// milliseconds. The keys are stable; new ones may come.
  public func writeJSON(into buffer: inout ByteBuffer) {
    var out = Output(scale: scale)
    swap(&out.buffer, &buffer)
    out.write(self)
    swap(&out.buffer, &buffer)
  }
}

extension StatusTrail {
  /// Writes an array of `[milliseconds, middle or null, equity or null]`, oldest first.
  func writeJSON(scale: InstrumentScale, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for point in points {
      writer.beginArray(into: &buffer)
      writer.integer(point.time.milliseconds, into: &buffer)
      if let twice = point.twiceMiddle {
        writer.decimal(twice * 5, places: Int(scale.price.count) + 1, into: &buffer)
      } else {
        writer.null(into: &buffer)
      }
      if let equity = point.equity {
        writer.decimal(equity, into: &buffer)
      } else {
        writer.null(into: &buffer)
      }
      writer.endArray(into: &buffer)
    }
    writer.endArray(into: &buffer)
  }
}

/// A writer and its buffer, so that a line below is a key and its value.
private struct Output: ~Copyable {
  var buffer = ByteBuffer(capacity: 16)
  var writer = JSONWriter()
  let scale: InstrumentScale

  init(scale: InstrumentScale) { self.scale = scale }

  mutating func write(_ status: BotStatus) {
    writer.beginObject(into: &buffer)
    text("bot", status.bot)
    text("mode", status.mode)
    text("venue", status.venue)
    text("market", status.market)
    text("base", status.base)
    text("quote", status.quote)
    text("valuation", status.valuation)
    number("price_places", status.pricePlaces)
    text("state", status.state.word)
    text("halt_reason", status.haltText)
    text("hold_reason", status.holdWords)
    number("since_ms", status.since.milliseconds)
    number("now_ms", status.now.milliseconds)
    number("ends_ms", status.endsAt?.milliseconds)
    price("best_bid", status.bestBid)
    price("best_ask", status.bestAsk)
    price("last", status.last)
    key("book_trusted")
    writer.bool(status.isBookTrusted, into: &buffer)
    list("orders", status.ladder) { out, order in
      out.text("id", order.clientOrderID.description)
      out.text("side", order.side.word)
      out.price("price", order.price)
      out.quantity("quantity", order.quantity)
      out.quantity("cumulative", order.cumulative)
      out.text("state", order.state.word)
    }
    number("orders_working", status.orders.count)
    list("fills", status.recentFills.suffix(BotStatus.maxFills)) { out, fill in
      out.text("id", "\(fill.tradeID.high)-\(fill.tradeID.low)")
      out.number("time_ms", fill.exchangeTime.milliseconds)
      out.text("side", fill.side.word)
      out.price("price", fill.price)
      out.quantity("quantity", fill.quantity)
      out.amount("fee", fill.fee)
      out.text("fee_asset", fill.feeAsset.description)
      out.text("role", fill.role.word)
    }
    object("counts") { out in
      out.number("fills", status.counts.fills)
      out.number("orders_placed", status.counts.ordersPlaced)
      out.number("orders_canceled", status.counts.ordersCanceled)
      out.number("orders_refused", status.counts.ordersRefused)
      out.number("doubts", status.counts.doubts)
      out.number("frames", status.counts.frames)
    }
    quantity("position", status.position)
    list("balances", status.balances) { out, balance in
      out.text("asset", balance.asset.description)
      out.amount("available", balance.available)
      out.amount("frozen", balance.frozen)
    }
    amount("equity", status.equity)
    amount("profit", status.profit)
    amount("realized", status.realized)
    amount("unrealized", status.unrealized)
    list("fees", status.fees) { out, fee in
      out.text("asset", fee.asset.description)
      out.amount("amount", fee.amount)
    }
    amount("max_drawdown", status.maxDrawdown)
    number("dead_man_left_ms", status.deadManLeft?.milliseconds)
    number("dead_man_timeout_ms", status.deadManTimeout.milliseconds)
    list("dead_man_timers", status.deadManTimers) { out, timer in
      out.text("market", timer.market)
      out.number("left_ms", timer.left?.milliseconds)
      out.number("cancels_at_ms", timer.cancelsAt?.milliseconds)
    }
    list("stops", status.stops) { out, stop in
      out.text("market", stop.market)
      out.text("side", stop.side.word)
      out.text("state", stop.state)
      out.text("price", stop.level)
      out.number("inert_ms", stop.inert?.milliseconds)
      out.number("unprotected_ms", stop.unprotected.milliseconds)
      out.number("losses", stop.losses)
    }
    number("nonce_lead_ms", status.nonceLead?.milliseconds)
    list("connections", status.connections) { out, connection in
      out.text("name", connection.name)
      out.text("state", connection.state.rawValue)
    }
    latency("frame_to_order_us", status.frameToOrder)
    text("journal", status.journalPath)
    text("journal_warning", status.journalWords)
    text("exchange", status.exchangeAddress)
    list("alerts", status.alerts.suffix(BotStatus.maxAlerts)) { out, alert in
      out.number("time_ms", alert.time.milliseconds)
      out.text("severity", alert.severity.rawValue)
      out.text("text", alert.text)
    }
    writer.endObject(into: &buffer)
  }

  mutating func key(_ name: StaticString) { writer.key(name, into: &buffer) }

  mutating func text(_ name: StaticString, _ value: String?) {
    key(name)
    if let value {
      writer.string(text: value, into: &buffer)
    } else {
      writer.null(into: &buffer)
    }
  }

  mutating func number(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
    key(name)
    if let value { writer.integer(value, into: &buffer) } else { writer.null(into: &buffer) }
  }

  mutating func price(_ name: StaticString, _ value: Price?) {
    key(name)
    if let value { writer.decimal(value, scale, into: &buffer) } else { writer.null(into: &buffer) }
  }

  mutating func quantity(_ name: StaticString, _ value: Quantity) {
    key(name)
    writer.decimal(value, scale, into: &buffer)
  }

  mutating func amount(_ name: StaticString, _ value: Amount?) {
    key(name)
    if let value { writer.decimal(value, into: &buffer) } else { writer.null(into: &buffer) }
  }

  mutating func latency(_ name: StaticString, _ value: BotStatus.Latency?) {
    key(name)
    guard let value else { return writer.null(into: &buffer) }
    writer.beginObject(into: &buffer)
    key("p50")
    writer.number(Int128(value.p50.nanoseconds), places: 3, into: &buffer)
    key("p99")
    writer.number(Int128(value.p99.nanoseconds), places: 3, into: &buffer)
    writer.endObject(into: &buffer)
  }

  mutating func object(_ name: StaticString, _ members: (inout Output) -> Void) {
    key(name)
    writer.beginObject(into: &buffer)
    members(&self)
    writer.endObject(into: &buffer)
  }

  mutating func list<Element>(
    _ name: StaticString, _ elements: some Sequence<Element>,
    _ members: (inout Output, Element) -> Void
  ) {
    key(name)
    writer.beginArray(into: &buffer)
    for element in elements {
      writer.beginObject(into: &buffer)
      members(&self, element)
      writer.endObject(into: &buffer)
    }
    writer.endArray(into: &buffer)
  }
}
