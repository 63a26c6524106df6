internal import MartletBase
internal import MartletBook
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategy
internal import MartletVenueKit

// Stops that are held here. In a step they come before every strategy: they are armed, and fire, on what
// the step told, before anything new may be placed on it. A pause or a halt does not put them out.
extension Kernel where Session: ~Copyable {
  /// Whether an order could leave that only takes risk away.
  private var mayProtect: Bool {
    isReady && !isStopping && risk.halt?.reason.endsWithProcess != true
  }

  /// Whether every stop of a market is looked with; true where there are none.
  func isGuarded(_ market: Int) -> Bool {
    for stop in stops where Int(stop.instrument.index) == market && stop.state != .armed {
      return false
    }
    return true
  }

  /// Takes the stops that a strategy wants held now; what those that stay have seen, they keep.
  mutating func takeStops(of slot: Int) {
    let market = Int(strategies[slot].instrument.index)
    guard market < markets.count, let instrument = markets[market].instrument else { return }
    let id = strategies[slot].id
    let rules = strategies[slot].strategy.stops(on: instrument)
    // One that has fired goes on until somebody rearms, whatever the settings say meanwhile.
    stops.removeAll { stop in
      stop.strategy == id && stop.state != .fired
        && !rules.contains { $0.side == stop.rule.side }
    }
    for side in [Side.sell, .buy] {
      guard let rule = rules.first(where: { $0.side == side }) else { continue }
      if let index = stops.firstIndex(where: { $0.strategy == id && $0.rule.side == side }) {
        stops[index].take(rule)
      } else {
        stops.append(LocalStop(rule, strategy: id, instrument: instrument.id))
      }
    }
  }

  // MARK: Looking

  /// Looks at a market's trusted book with its stops.
  mutating func lookAtStops(in market: Int) {
    guard mayProtect, let top = markets[market].book.top else { return }
    for index in stops.indices where Int(stops[index].instrument.index) == market {
      guard let price = stops[index].rule.side == .sell ? top.bid : top.ask else { continue }
      let look = stops[index].look(at: price, told: markets[market].toldAt, now: now)
      if let unprotected = look.unprotected {
        note(
          .stopArmed(
            stops[index].instrument, stops[index].rule.side,
            level: stops[index].level ?? price, unprotected: unprotected))
      }
      if look.hasFired { fire(index, at: price) }
    }
  }

  mutating func lookAtAllStops() {
    for market in markets.indices { lookAtStops(in: market) }
  }

  /// Looks at a print on the tape, which may tell of a price before the book does.
  mutating func lookAtStops(_ trade: MarketTrade) {
    let market = Int(trade.instrument.index)
    guard mayProtect, market < markets.count, markets[market].book.isTrusted else { return }
    for index in stops.indices
    where stops[index].instrument == trade.instrument
      && stops[index].isPassed(byPrintAt: trade.price, told: trade.exchangeTime)
    {
      fire(index, at: trade.price)
    }
  }

  /// Nobody looks at any market from now on, or has since an earlier moment.
  mutating func loseStops(since: Timestamp) {
    for index in stops.indices { loseStop(index, since: since) }
  }

  /// A market's book is not to be trusted: what it told since the last good look is not known.
  mutating func loseStops(in market: Int) {
    for index in stops.indices where Int(stops[index].instrument.index) == market {
      loseStop(index, since: stops[index].lookedAt)
    }
  }

  private mutating func loseStop(_ index: Int, since: Timestamp) {
    let wasArmed = stops[index].state == .armed
    stops[index].lose(since: since)
    if wasArmed { note(.stopInert(stops[index].instrument, stops[index].rule.side, since: since)) }
  }

  // MARK: Firing

  private mutating func fire(_ index: Int, at price: Price) {
    stops[index].fire(at: price, now: now, trace: trace)
    note(
      .stopFired(
        stops[index].instrument, stops[index].rule.side, level: stops[index].firedLevel,
        price: price))
    if risk.halt == nil { halt(.stopTriggered) } else { retreat() }
  }

  /// Trades back what fired stops protect, as far as it can now.
  ///
  /// What is to be traded follows from what is held, and nothing is while an order of ours works in the
  /// market or is in doubt: so no order for it is ever sent twice, whatever was lost on the way.
  mutating func pursueStops() {
    for index in stops.indices where stops[index].state == .fired && stops[index].nextAt <= now {
      let stop = stops[index]
      let market = Int(stop.instrument.index)
      guard mayProtect, orders.working(account, stop.instrument).count == 0 else { continue }
      switch excess(in: market, of: stop.rule.side) {
      case .none:
        stops[index].finish()
        note(.stopDone(stop.instrument, stop.rule.side, orders: stop.orders))
        tellFlat(market)
      case .unknown: break
      case .order(let intent):
        stops[index].trade(portfolio.position(account, stop.instrument).net, now: now)
        note(
          .stopTrades(
            stop.instrument, stop.rule.side, level: stop.firedLevel, price: stop.firedPrice,
            firedBy: stop.firedBy))
        refusals.removeAll(keepingCapacity: true)
        // What Risk refuses is tried again, ever more seldom; its numbers are in the notes.
        if let order = consider(intent, market) { stops[index].name(order) }
      }
    }
    drain()
  }

  /// Strategies of a market forget what they held there.
  mutating func tellFlat(_ market: Int) {
    for slot in strategies.indices where Int(strategies[slot].instrument.index) == market {
      call(slot) { $0.onFlat($1, intents: &$2) }
    }
  }

  /// Somebody lifted the halt: stops that had ended are looked with anew, before anything is placed.
  mutating func rearmStops() {
    for index in stops.indices {
      switch stops[index].state {
      case .inert, .armed: continue
      // Its market's strategies begin anew even so; what is left is protected as before.
      case .fired: tellFlat(Int(stops[index].instrument.index))
      case .done: break
      }
      stops[index].rearm()
    }
    for slot in strategies.indices { takeStops(of: slot) }
    lookAtAllStops()
  }

  /// When the next order of a fired stop may be placed; `distantFuture` when news is waited for.
  var nextStopAt: Timestamp {
    var next = Timestamp.distantFuture
    for stop in stops where stop.state == .fired && stop.nextAt > now {
      next = min(next, stop.nextAt)
    }
    return next
  }
}
