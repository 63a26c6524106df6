internal import MartletAlerts
internal import MartletBase
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletRisk
internal import MartletVenueKit

// What each thing that the kernel notes means for a person: a code, what it is about, and its numbers.
extension LiveAlerts {
  /// - Parameters:
  ///   - isStopping: streams are then closed by us, which is no news.
  ///   - isKnownOrder: whether this run knows the order of a fill; called for fills alone.
  func take(
    _ note: KernelNote, at now: Timestamp, isStopping: Bool, isKnownOrder: () -> Bool
  ) {
    switch note {
    case .halted(let reason):
      // After a refused key nothing can be asked for any more, and nobody can lift the halt here.
      if reason == .unauthorized {
        raise(.keyRefused, "key", "the exchange refused our key, signature or a right", at: now)
      } else {
        raise(.halted, "trading", reason.means, at: now)
      }
    case .rearmed: clear(.halted, "trading", "rearmed by an operator", at: now)
    case .ready(let isReady):
      if isReady {
        noteReady()
        clear(.streamLost, "private", "connected and reconciled again", at: now)
        clear(.privateSilent, "private", "connected anew", at: now)
      } else if !isStopping && !isActive(.clockSkew, "clock") {
        lose(.streamLost, "private", "private stream lost: holding placements", at: now)
      }
    case .bookTrust(let id, let isTrusted):
      let market = market(id)
      if isTrusted {
        found(.bookUntrusted, market)
        clear(.bookUntrusted, market, "a whole book came", at: now)
      } else if !isStopping {
        lose(.bookUntrusted, market, "waiting for a whole book", at: now)
      }
    case .instrument(let instrument):
      if instrument.rules.isTrading {
        clear(.marketClosed, "\(instrument.symbol)", "it takes orders again", at: now)
      } else {
        raise(.marketClosed, "\(instrument.symbol)", "the venue takes no orders there", at: now)
      }
    case .order(let view): take(view, at: now)
    case .alarm(let id, let raw): take(OrderLifecycle.Alarms(rawValue: raw), of: id, at: now)
    case .ledgerAdjusted(let asset, let own, let told):
      raise(.ledgerAdjusted, "\(asset)", "own ledger was \(own), venue \(told)", at: now)
    case .ledgerDifference(let asset, let own, let told):
      raise(.ledgerDiffers, "\(asset)", "own ledger \(own), venue \(told)", at: now)
    case .venueRefused(let id, let reason, let code):
      raise(.orderRefused, "\(reason)", "order \(id) (venue's code \(code))", at: now)
    case .refused(let intent, let reason, let numbers):
      // A halt, a pause and a closed market are told as what they are.
      if numbers.rule == .halt || numbers.rule == .instrument { return }
      // Without the price: twenty levels refused alike are one thing to know.
      raise(
        .riskRefused, "\(market(intent.instrument)) \(intent.side) \(reason)",
        "rule \(numbers.rule)", at: now)
    case .neverArrived(let id):
      answered(id, at: now)
      raise(.orderNeverArrived, "\(id)", "the venue never had it", at: now)
    case .anomaly(let raw): if let anomaly = VenueAnomaly(rawValue: raw) { take(anomaly, at: now) }
    case .notice(let notice): take(notice, at: now)
    case .fill(let fill):
      if !isKnownOrder() {
        raise(
          .venueContradiction, "\(fill.clientOrderID)",
          "a fill of an order of ours that this run does not know: booked", at: now)
      }
    case .flattened(isWhole: true): break
    case .flattened(isWhole: false):
      raise(.flattenIncomplete, "inventory", "some of it could not be traded back", at: now)
    case .stopArmed(let id, let side, _, let unprotected):
      armed(LiveAlerts.stop(market(id), side), after: unprotected, at: now)
    case .intent, .approved, .cancel, .position, .paused, .settings, .journal, .stopInert,
      .stopFired,
      .stopTrades, .stopDone, .contract, .marginBracket, .funding, .liquidated:
      // A liquidation halts, and that is told.
      break
    }
  }

  private func take(_ view: OrderView, at now: Timestamp) {
    if view.state == .inDoubt {
      doubt(view.clientOrderID, since: now)
    } else {
      endDoubt(view.clientOrderID, "its state is known: \(view.state)", at: now)
      // Other news than the answers may have told its end.
      if view.state.isTerminal { answered(view.clientOrderID, at: now) }
    }
  }

  private func take(_ alarms: OrderLifecycle.Alarms, of id: ClientOrderID, at now: Timestamp) {
    if alarms.contains(.contradiction) {
      raise(.venueContradiction, "\(id)", "the venue contradicts itself", at: now)
    }
    if alarms.contains(.overfill) {
      raise(.venueContradiction, "\(id)", "filled more than ordered", at: now)
    }
    if alarms.contains(.cancelNotTaken) {
      raise(.orderStuck, "\(id)", "stays open after every cancel", at: now)
    }
    if alarms.contains(.fillsMissing) {
      raise(.orderStuck, "\(id)", "fills told of do not come", at: now)
    }
  }

  private func take(_ anomaly: VenueAnomaly, at now: Timestamp) {
    switch anomaly {
    case .malformed:
      raise(.messageUnreadable, "message", "a message from the venue cannot be read", at: now)
    case .bookGap, .bookLate: break  // The book's trust tells it.
    case .unreadableFill:
      raise(
        .messageUnreadable, "fill", "a fill of unknown shape: asking the venue's history", at: now)
    case .foreignOrder:
      raise(
        .foreignOrder, "account", "an order that is not ours rests at the venue: left alone",
        at: now)
    case .rateLimited: raise(.quota, "requests", "the venue limits our requests", at: now)
    case .staleNonce: raise(.nonceRefused, "key", "the venue refused a nonce", at: now)
    case .serverError: raise(.venueError, "venue", "the venue had an error of its own", at: now)
    case .unknownStatus:
      raise(
        .messageUnreadable, "order status", "an order has a status that this build does not know",
        at: now)
    }
  }

  private func take(_ notice: VenueNotice, at now: Timestamp) {
    let what = "\(notice)"
    switch notice {
    case .slowed(let group, _): raise(.quota, "\(group)", what, at: now)
    case .breakerOpened(let group, _, _): raise(.quotaBreaker, "\(group)", what, at: now)
    case .breakerClosed(let group): clear(.quotaBreaker, "\(group)", what, at: now)
    case .retriesExhausted(.inquiry, _, let order): unanswered(order, what, at: now)
    case .retriesSucceeded(.inquiry, let order): answered(order, at: now)
    case .retriesExhausted(let task, _, _): raise(.retriesExhausted, "\(task)", what, at: now)
    case .retriesSucceeded(let task, _): clear(.retriesExhausted, "\(task)", what, at: now)
    case .clockSkewed: raise(.clockSkew, "clock", what, at: now)
    case .clockBack: clear(.clockSkew, "clock", what, at: now)
    case .notOurs(let order, _, let market, _, _, _):
      raise(.cleanSlate, "\(market) \(order.low)", what, at: now)
    case .cleanSlate: raise(.cleanSlate, "account", what, at: now)
    case .calendarSet: raise(.calendarSet, "clock", what, at: now)
    case .proofFailed(_, _, let trade): raise(.fillUnproven, "\(trade.low)", what, at: now)
    case .fieldRefused(let field, _, _): raise(.orderRefused, "\(field)", what, at: now)
    case .proofHeld: raise(.fillsProven, "fills", what, at: now)
    }
  }
}
