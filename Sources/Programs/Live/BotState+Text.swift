internal import MartletBase
internal import MartletKernel
internal import MartletVenueKit
internal import WhiteBITSession

extension BotState {
  /// For a person: the whole state, a line each, what needs looking at first.
  public var text: String {
    var lines = [
      "state at \(now.milliseconds): \(isReady ? "ready" : "not ready"), \(counts.fills) fills,"
        + " \(counts.placed) placed, \(orders.count) working"
    ]
    if !holds.isEmpty { lines.append("  held back: \(holds.joined(separator: "; "))") }
    lines += ledger.map(BotState.line)
    lines += markets.map(BotState.line)
    lines += positions.map(BotState.line)
    lines += table("orders", orders.map(BotState.row))
    for strategy in strategies {
      lines.append(BotState.line(strategy))
      lines += table("slots", strategy.slots.map { row($0) })
    }
    for stop in stops {
      var line = "  stop \(stop.market): \(stop.side) at \(stop.price ?? "-"), \(stop.state)"
      if let since = stop.inertSince { line += " since \(since.milliseconds)" }
      if let record = stop.firedBy { line += " by record \(record), \(stop.orders) orders" }
      line += ", unprotected for \(BotState.span(stop.unprotected)), \(stop.losses) times"
      lines.append(line)
    }
    lines += riskLines
    let left = deadManArmedUntil.map {
      $0 > now ? "armed, \(BotState.span($0 - now)) left" : "ran out"
    }
    lines.append("  dead-man: \(left ?? "not armed")")
    lines += sessionLines
    return lines.map { $0 + "\n" }.joined()
  }

  private static func line(_ asset: Asset) -> String {
    var line =
      "  \(asset.asset): \(asset.expected), free \(asset.free), reserved \(asset.reserved),"
      + " fees \(asset.fees)"
    if asset.foreign != "0" { line += ", held by others \(asset.foreign)" }
    if asset.transfers != "0" { line += ", transferred \(asset.transfers)" }
    if let told = asset.told, told != asset.expected { line += ", the venue said \(told)" }
    return line + (asset.isAdopted ? "" : ", not compared with the venue's yet")
  }

  private static func line(_ market: Market) -> String {
    func side(_ level: Level?) -> String {
      level.map { "\($0.price) (\($0.quantity))" } ?? "-"
    }
    var line = "  \(market.symbol): bid \(side(market.bid)), ask \(side(market.ask))"
    line += ", last \(market.last ?? "-"), book \(market.isTrusted ? "trusted" : "not trusted")"
    switch market.isTrading {
    case nil: line += ", rules not known"
    case false?: line += ", not trading"
    case true?: break
    }
    line += ", \(market.working) working"
    if let lowest = market.lowest, let highest = market.highest {
      line += ", orders allowed from \(lowest) to \(highest)"
    }
    if let left = market.inventoryLeft { line += ", \(left) left to buy" }
    return line
  }

  private static func line(_ holding: Holding) -> String {
    var line =
      "  position \(holding.market): \(holding.net), cost \(holding.cost), realized"
      + " \(holding.realized), unrealized \(holding.unrealized ?? "-"), fees"
      + " \(holding.quoteFees) and \(holding.baseFees) of the base"
    if let equity = holding.equity, let deepest = holding.deepestDrawdown {
      line += ", equity \(equity), deepest drawdown \(deepest)"
    }
    return line
  }

  private static func row(_ order: Order) -> [String] {
    [
      order.id, order.side, order.price, order.quantity,
      order.filled == "0" ? "" : "filled \(order.filled)", order.state,
      "for \(span(order.age))", "by record \(order.cause)",
    ]
  }

  private static func line(_ strategy: Strategy) -> String {
    var line =
      "  \(strategy.kind) on \(strategy.market): \(strategy.levels) levels a side,"
      + " \(strategy.spacing) apart, \(strategy.amount) each, center \(strategy.center ?? "not laid out")"
      + ", \(strategy.working) working, \(strategy.roundTrips) round trips, profit"
      + " \(strategy.profit), holds \(strategy.inventory)"
    if let complaint = strategy.complaint { line += "; \(complaint)" }
    return line
  }

  private func row(_ slot: Slot) -> [String] {
    [
      "gap \(slot.gap)", slot.phase, slot.side, slot.price, "holds \(slot.inventory)",
      slot.roundTrips > 0 ? "\(slot.roundTrips) round trips" : "",
      slot.retryAt.map { "asks again in \(BotState.span(max($0 - now, .zero)))" } ?? "",
    ]
  }

  private var riskLines: [String] {
    var limits =
      "  risk: \(risk.ordersLeft) of \(risk.maxOrders) orders left in"
      + " \(BotState.span(risk.orderWindow)), price band \(risk.priceBand), at most"
      + " \(risk.maxWorkingPerMarket) working a market and \(risk.maxWorkingPerStrategy) a strategy"
    if let most = risk.maxOrderNotional { limits += ", at most \(most) an order" }
    if let most = risk.maxInventory { limits += ", at most \(most) bought" }
    let refused =
      risk.refusals.isEmpty
      ? "" : " (\(risk.refusals.map { "\($0.rule) \($0.count)" }.joined(separator: ", ")))"
    return [
      limits,
      "  verdicts: \(risk.approvals) of \(risk.verdicts) approved,"
        + " \(risk.verdicts - risk.approvals) refused\(refused)",
    ]
  }

  private var sessionLines: [String] {
    var line = "  session: \(session.phase), stream \(session.link)"
    if session.reading != "none" { line += ", reading \(session.reading)" }
    if let retryAt = session.retryAt {
      line += ", tries again in \(BotState.span(max(retryAt - now, .zero)))"
    }
    line += ", \(session.requestsInFlight) requests on their way"
    for (count, what) in [
      (session.placementsQueued, "orders wait"), (session.cancelsQueued, "cancels wait"),
      (session.inquiries, "orders asked about"), (session.newsHeld, "news held"),
    ] where count > 0 {
      line += ", \(count) \(what)"
    }
    if isClockKnown {
      line +=
        ", the venue's clock \(clockOffset.magnitude.milliseconds) ms"
        + " \(clockOffset < .zero ? "behind" : "ahead of") ours\(isClockSkewed ? ", too far" : "")"
    } else {
      line += ", the venue's clock not known"
    }
    let quota = session.quota.map { group in
      "\(group.group) \(group.permits)"
        + (group.isBroken ? " (held back)" : "")
        + (group.nextAt.map { " (in \(BotState.span($0 - now)))" } ?? "")
    }
    return [line, "  quota: \(quota.joined(separator: ", ")) may leave now"]
  }

  // MARK: Layout

  /// Rows in columns of their widest, under a word; nothing when there are none.
  private func table(_ word: String, _ rows: [[String]]) -> [String] {
    guard let columns = rows.first?.count else { return [] }
    let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.enumerated().map { index, row in
      var line = index == 0 ? "  \(word):" : "  " + String(repeating: " ", count: word.count + 1)
      for (cell, width) in zip(row, widths) where width > 0 {
        line += "  " + cell + String(repeating: " ", count: width - cell.count)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// As a person says it: to a tenth of a second, and beyond a minute in whole ones.
  private static func span(_ span: TimeSpan) -> String {
    let tenths = span.milliseconds / 100
    if tenths < 600 { return "\(tenths / 10).\(tenths % 10) s" }
    let seconds = tenths / 10
    return seconds < 3_600
      ? "\(seconds / 60) min \(seconds % 60) s" : "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
  }
}
