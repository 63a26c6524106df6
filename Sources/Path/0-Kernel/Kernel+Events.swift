internal import MartletBase
internal import MartletBook
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategy
internal import MartletVenueKit

// What each event of a venue means for the parts, in the order data travels.
extension Kernel where Session: ~Copyable {
  mutating func handle(_ event: VenueEvent) {
    switch event {
    case .instrument(let instrument): learn(instrument)
    case .instrumentUnavailable(let id): withdraw(id)
    case .book(let id, let first, let count, let isSnapshot, let told):
      applyBook(id, first: Int(first), count: Int(count), isSnapshot: isSnapshot)
      if !stops.isEmpty { withMarket(id) { market, _ in market.toldAt = told } }
    case .bookUntrusted(let id):
      counts.gaps += 1
      withMarket(id) { market, _ in market.book.distrust() }
      noteTrust(of: id)
    case .lastPrice(let id, let price): tell(price, of: id)
    case .contract(let index): learnContract(Int(index))
    case .mark(let id, let price): portfolio.mark(id, at: price)
    case .funding(let payment): bookFunding(payment)
    case .liquidation(let fill): bookLiquidation(fill)
    case .marketTrade(let trade):
      tell(trade.price, of: trade.instrument)
      if !stops.isEmpty { lookAtStops(trade) }
    case .balance(let balance): portfolio.tell(balance, at: now)
    case .order(let report):
      privateNews.heard(report.source, at: now)
      orders.apply(report, at: now, effects: &orderEffects)
    case .orderRefused(let id, let reason, let code):
      counts.refusedByVenue += 1
      note(.venueRefused(id, reason, code: code), of: traceOf(id))
      orders.refused(id, reason, at: now, effects: &orderEffects)
    case .cancelRefused(let id, _, _): orders.cancelRefused(id, at: now, effects: &orderEffects)
    case .orderInDoubt(let id):
      counts.doubts += 1
      orders.inDoubt(id, at: now, effects: &orderEffects)
    case .cancelInDoubt(let id): orders.cancelInDoubt(id, at: now, effects: &orderEffects)
    case .orderNeverArrived(let id):
      note(.neverArrived(id), of: traceOf(id))
      orders.neverArrived(id, at: now, effects: &orderEffects)
    case .fill(let fill):
      privateNews.heard(fill.source, at: now)
      orders.apply(fill, at: now, effects: &orderEffects)
    case .earlierFill(let fill): orders.applyEarlier(fill, at: now, effects: &orderEffects)
    case .reconciled: reconcileLedger()
    case .ready:
      isReady = true
      note(.ready(true))
      if !stops.isEmpty { lookAtAllStops() }
      for slot in strategies.indices { call(slot) { $0.onReady($1, intents: &$2) } }
    case .notReady:
      privateNews.forget()
      if isReady { note(.ready(false)) }
      isReady = false
      loseStops(since: now)
    case .unauthorized: halt(.unauthorized)
    case .questionRefused: halt(.questionRefused)
    case .anomaly(let anomaly):
      counts.anomalies += 1
      note(.anomaly(anomaly.rawValue))
    case .notice(let notice): note(.notice(notice))
    case .stopped: isStopped = true
    }
    drain()
  }

  // MARK: Instruments and books

  private mutating func learn(_ instrument: Instrument) {
    let index = Int(instrument.id.index)
    guard index < markets.count else { return }
    if let known = markets[index].instrument {
      guard known != instrument else { return }
      // Prices already counted on one grid mean nothing on another.
      guard known.scale == instrument.scale, known.base == instrument.base,
        known.quote == instrument.quote
      else { return halt(.contradiction) }
    }
    markets[index].instrument = instrument
    note(.instrument(instrument))
    for slot in strategies.indices where strategies[slot].instrument == instrument.id {
      takeStops(of: slot)
    }
  }

  private mutating func withdraw(_ id: InstrumentID) {
    guard Int(id.index) < markets.count, var known = markets[Int(id.index)].instrument,
      known.rules.isTrading
    else { return }
    known.rules.isTrading = false
    markets[Int(id.index)].instrument = known
    note(.instrument(known))
  }

  /// Takes the venue's balances for ours when we begin; later a difference is told, not taken.
  private mutating func reconcileLedger() {
    let isQuiescent = orders.isQuiescent
    for market in markets.indices {
      guard let instrument = markets[market].instrument else { continue }
      for asset in instrument.isContract
        ? [instrument.settlement] : [instrument.base, instrument.quote]
      {
        if portfolio.ledger(account, asset)?.isAdopted != true {
          portfolio.adopt(account, asset, at: now)
        } else if isQuiescent, let difference = portfolio.difference(account, asset),
          difference != .zero, let entry = portfolio.ledger(account, asset)
        {
          let told = entry.expected + difference
          if takesOver {
            note(.ledgerAdjusted(asset: asset, own: entry.expected, told: told))
            takeOver(asset)
          } else {
            note(.ledgerDifference(asset: asset, own: entry.expected, told: told))
          }
        }
      }
    }
    // Only once, however it stands: what comes to light later is no transfer of the time between.
    takesOver = false
  }

  /// A deposit, a withdrawal, a trade by hand: whatever it was while nobody was there, every fill of
  /// ours is booked, and the rest is not ours to explain. Neither gain nor loss.
  private mutating func takeOver(_ asset: InlineText) {
    let added = portfolio.adopt(account, asset, at: now)
    for market in markets.indices {
      if let instrument = markets[market].instrument {
        portfolio.transferred(added, of: asset, account, instrument)
      }
    }
  }

  private mutating func isListed(_ market: Int) -> Bool {
    market < markets.count && !markets[market].listing.isEmpty
  }

  private mutating func withMarket(
    _ id: InstrumentID, _ change: (inout KernelMarket, Timestamp) -> Void
  ) {
    guard Int(id.index) < markets.count else { return }
    change(&markets[Int(id.index)], now)
  }

  private mutating func tell(_ price: Price, of id: InstrumentID) {
    withMarket(id) {
      $0.lastPrice = price
      $0.tradedAt = $1
    }
  }

  private mutating func applyBook(_ id: InstrumentID, first: Int, count: Int, isSnapshot: Bool) {
    let index = Int(id.index)
    guard index < markets.count, first >= 0, first + count <= events.levels.count else { return }
    // A second reference, not a copy: the book changes while the levels are read.
    let told = events
    let levels = told.levels.span.extracting(first..<first + count)
    let verdict =
      isSnapshot ? markets[index].book.applySnapshot(levels) : markets[index].book.apply(levels)
    switch verdict {
    case .applied, .ignored: break
    // The chain was whole and the book makes no sense even so: ask for it anew.
    case .crossed, .malformed: session.refreshBook(id)
    }
    markets[index].isChanged = true
    markets[index].bookAt = now
    noteTrust(of: id)
    if isListed(index), let bid = markets[index].book.top?.bid {
      portfolio.mark(account, markets[index].listing[0], at: bid, now: now)
    }
  }

  private mutating func noteTrust(of id: InstrumentID) {
    let index = Int(id.index)
    guard index < markets.count, markets[index].book.isTrusted != markets[index].wasTrusted else {
      return
    }
    markets[index].wasTrusted = markets[index].book.isTrusted
    note(.bookTrust(id, isTrusted: markets[index].wasTrusted))
    if !markets[index].wasTrusted { loseStops(in: index) }
  }

  // MARK: What news of our orders makes necessary

  /// Folds what Orders says into Portfolio, then acts on it, until nothing is left to do.
  mutating func drain() {
    while acted < orderEffects.list.count {
      fold()
      let effect = orderEffects.list[acted]
      acted += 1
      act(on: effect)
    }
    orderEffects.removeAll()
    acted = 0
    folded = 0
  }

  /// Brings Portfolio up to date: always before a strategy or Risk looks.
  mutating func fold() {
    while folded < orderEffects.list.count {
      switch orderEffects.list[folded] {
      case .bookFill(let fill, _, _):
        let market = Int(fill.instrument.index)
        if isListed(market) {
          portfolio.book(
            fill, of: markets[market].listing[0], side: fill.positionSide, at: now)
        }
      case .orderChanged(let change):
        let market = Int(change.after.instrument.index)
        if isListed(market) {
          portfolio.orderChanged(
            change.account, markets[market].listing[0], before: change.before, after: change.after,
            positionSide: change.positionSide, onlyReduces: change.onlyReduces)
        }
      case .orphanFill(let fill, isOwn: true):
        let market = Int(fill.instrument.index)
        if isListed(market) {
          portfolio.book(
            fill, of: markets[market].listing[0], side: fill.positionSide, at: now)
        }
      case .orphanFill, .sendCancel, .queryVenue, .adoptable, .alarm: break
      }
      folded += 1
    }
  }

  private mutating func act(on effect: OrderEffect) {
    switch effect {
    case .bookFill(let fill, let order, let strategy):
      noteBooked(fill)
      call(strategy) { $0.onFill(fill, order: order, $1, intents: &$2) }
    case .orphanFill(let fill, let isOwn):
      // Of an order that an earlier life placed: nobody here waits for it, and it is ours all the same.
      if isOwn { noteBooked(fill) }
    case .orderChanged(let change):
      note(.order(change.after), of: traceOf(change.after.clientOrderID))
      if change.isStateChange && change.after.state == .canceled { counts.canceled += 1 }
      call(change.strategy) { $0.onOrder(change.after, $1, intents: &$2) }
    case .sendCancel(let id, let venueID, let instrument):
      note(.cancel(id), of: traceOf(id))
      session.cancel(id, venueOrderID: venueID, of: instrument)
    case .queryVenue(let id, let venueID, let instrument, let sentAt):
      session.query(id, venueOrderID: venueID, of: instrument, sentAt: sentAt)
    case .adoptable(let report): adopt(report)
    case .alarm(let alarms, let id, _): note(.alarm(id, alarms.rawValue), of: traceOf(id))
    }
  }

  private mutating func noteBooked(_ fill: Fill) {
    counts.fills += 1
    let trace = traceOf(fill.clientOrderID)
    note(.fill(fill), of: trace)
    notePosition(of: fill, trace)
  }

  mutating func notePosition(of fill: Fill, _ trace: TraceID) {
    let position = portfolio.position(fill.account, fill.instrument, side: fill.positionSide)
    note(
      .position(
        fill.instrument, net: position.net, cost: position.cost, realized: position.realized),
      of: trace)
  }

  /// A working order with our prefix that this life does not know: it is taken into state, so that
  /// its fills count and its money is set aside, and then taken off, since no strategy remembers what
  /// it was for.
  private mutating func adopt(_ report: OrderReport) {
    for slot in strategies.indices where strategies[slot].instrument == report.instrument {
      let isAdopted = orders.adopt(
        report, for: strategies[slot].id, tag: 0, at: now, trace: trace, effects: &orderEffects)
      if isAdopted {
        orders.requestCancel(report.clientOrderID, at: now, effects: &orderEffects)
      }
      return
    }
  }

  func traceOf(_ id: ClientOrderID) -> TraceID { orders.trace(of: id) ?? trace }
}
