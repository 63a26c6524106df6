public import MartletBase
internal import MartletBook
internal import MartletExchange
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
public import MartletRisk
internal import MartletStrategies
public import MartletStrategy
internal import MartletVenueKit
public import WhiteBITDesk
public import WhiteBITSession

// Proves at the end of a run that nothing was lost, doubled or invented: what crossed the wire, what
// the journals say, and our books against the exchange's own, to the last digit.
extension World
where
  Session == WhiteBITSession, Desk == WhiteBITDesk, DeadMan == WhiteBITDeadManMachine,
  Strategy: TradingStrategy
{
  /// Ends all trouble and runs until nothing is on its way and every order's fate is known.
  ///
  /// - Returns: false when that does not come within `span`.
  public mutating func settle(within span: TimeSpan = .seconds(120)) -> Bool {
    heal()
    desk.habits = Habits()
    // Long enough for orders to be listed once, a minute after the last time: where the word of a fill was lost together with that
    // of its order's end, nothing else tells of it.
    run(for: .seconds(61))
    return run(for: span) {
      $0.isQuiet && $0.kernel.isReady && $0.kernel.orders.isQuiescent
        && $0.kernel.markets[0].book.isTrusted
    }
  }

  /// Stops the client as an operator does and waits for its word that nothing rests.
  ///
  /// - Returns: false when that does not come within `span`.
  public mutating func stop(within span: TimeSpan = .seconds(60)) -> Bool {
    command(.stop)
    let isStopped = run(for: span) { $0.kernel.isStopped }
    if isStopped { disarm() }
    return run(for: .seconds(10)) { $0.isQuiet } && isStopped
  }

  /// Everything that does not hold: of the wire, of the journals, and, when `isSettled`, of the books.
  ///
  /// - Parameters:
  ///   - isSettled: nothing is on its way, so that our books must be the exchange's.
  ///   - isShared: somebody else trades on the account too, whose orders are in its balances.
  ///   - limits: those that the bot was to keep; nil for those that its Risk has.
  public func violations(
    prefix: String, key: String, secret: String, isSettled: Bool = true, isShared: Bool = false,
    limits: RiskLimits? = nil
  ) -> [String] {
    let wire = WireAudit(trace, prefix: prefix, market: "\(kernel.markets[0].symbol)")
    var found = wire.violations
    var approvals: [ClientOrderID: RiskAudit.Approval] = [:]
    for (index, journal) in (pastJournals + [journal]).enumerated() {
      let risk = RiskAudit(journal, limits: limits ?? kernel.risk.limits)
      found += (JournalAudit(journal, secrets: [secret] + wire.tokens).violations + risk.violations)
        .map { "life \(index + 1): \($0)" }
      approvals.merge(risk.approvals) { $1 }
      if index == pastJournals.count, risk.halt != kernel.risk.halt?.reason {
        found.append(
          "halted by \(kernel.risk.halt.map { "\($0.reason)" } ?? "nothing"), which its journal does not tell"
        )
      }
    }
    for sent in wire.placed {
      guard let id = InlineText(sent.id), let approved = approvals[ClientOrderID(id)],
        !isSame(sent, approved)
      else { continue }
      found.append(
        "\(sent.id) was sent as \(sent.side) \(sent.amount) at \(sent.price), not as approved")
    }
    var journaled: Set<String> = []
    for journal in pastJournals + [journal] {
      journaled.formUnion(JournalAudit.placed(in: journal))
    }
    for sent in wire.placed where !journaled.contains(sent.id) {
      found.append("\(sent.id) was sent and stands in no journal")
    }
    guard let account = desk.account(of: key) else { return found + ["no account of \(key)"] }
    found += auditFills(account)
    if isSettled {
      found += auditOrders(account, prefix)
      found += auditLedger(account, prefix, isShared: isShared)
    }
    return found
  }

  private func isSame(_ sent: WireAudit.Placement, _ approved: RiskAudit.Approval) -> Bool {
    let (price, quantity) = (Array(sent.price.utf8), Array(sent.amount.utf8))
    return sent.side == (approved.side == .buy ? "buy" : "sell")
      && (try? DecimalText.parseAmount(price.span)) == approved.price
      && (try? DecimalText.parseAmount(quantity.span)) == approved.quantity
  }

  // MARK: Books

  /// Whatever any journal calls a fill is one at the exchange, alike in every digit.
  private func auditFills(_ account: AccountID) -> [String] {
    var found: [String] = []
    var executions: [UInt64: Execution] = [:]
    desk.exchange.forEachExecution(of: account) {
      executions[$0.tradeID.low] = $0
      return true
    }
    for journal in pastJournals + [journal] {
      for case (_, .fill(let fill), _) in journal.notes {
        guard let real = executions[fill.tradeID.low] else {
          found.append("fill \(fill.tradeID.low) is none of the exchange's")
          continue
        }
        let scale = desk.exchange.instrument(real.instrument).scale
        let own = kernel.markets[0].instrument?.scale ?? scale
        let isSame =
          own.amount(of: fill.quantity) == scale.amount(of: real.quantity)
          && own.amount(of: fill.price) == scale.amount(of: real.price) && fill.fee == real.fee
          && fill.side == real.side && fill.role == real.role
          && fill.feeAsset == desk.exchange.name(of: real.feeAsset)
          && "\(fill.clientOrderID)" == real.label.description
        if !isSame { found.append("fill \(fill.tradeID.low) is not as the exchange has it") }
      }
    }
    return found
  }

  /// Every order of ours is terminal in our books and over at the exchange, or open in both with as
  /// much left.
  private func auditOrders(_ account: AccountID, _ prefix: String) -> [String] {
    var found: [String] = []
    var working: [String: MartletExchange.OrderRecord] = [:]
    var finished: [String: MartletExchange.OrderRecord] = [:]
    desk.exchange.forEachWorkingOrder(of: account) { order in
      let name = order.label.description
      if working.updateValue(order, forKey: name) != nil, name.hasPrefix(prefix) {
        found.append("\(name) rests twice at the exchange")
      }
    }
    desk.exchange.forEachFinishedOrder(of: account) { order in
      let name = order.label.description
      if finished.updateValue(order, forKey: name) != nil || working[name] != nil,
        name.hasPrefix(prefix)
      {
        found.append("\(name) was taken twice by the exchange")
      }
      return true
    }
    // As the journal tells them last; whoever ended long ago our store may have forgotten.
    var known: [String: OrderView] = [:]
    for case (_, .order(let view), _) in journal.notes { known["\(view.clientOrderID)"] = view }
    for name in known.keys.sorted() {
      guard let told = known[name] else { continue }
      let own = kernel.orders.record(of: told.clientOrderID)?.view ?? told
      if own.state != told.state || own.cumulative != told.cumulative {
        found.append("\(name) is \(own.state), and \(told.state) in the journal")
      }
      found += compare(own, working[name], finished[name])
    }
    for name in working.keys.sorted() where name.hasPrefix(prefix) && known[name] == nil {
      found.append("\(name) rests at the exchange and nobody here knows it")
    }
    return found
  }

  private func compare(
    _ own: OrderView, _ working: MartletExchange.OrderRecord?,
    _ finished: MartletExchange.OrderRecord?
  ) -> [String] {
    let name = "\(own.clientOrderID)"
    let scale = kernel.markets[0].instrument?.scale
    func amount(_ quantity: Quantity) -> Amount { scale?.amount(of: quantity) ?? .zero }
    func theirs(_ record: MartletExchange.OrderRecord, _ quantity: Quantity) -> Amount {
      desk.exchange.instrument(record.instrument).scale.amount(of: quantity)
    }
    switch own.state {
    case .open:
      guard let working else { return ["\(name) is open here and not at the exchange"] }
      return amount(own.leaves) == theirs(working, working.leaves)
        ? []
        : ["\(name): \(amount(own.leaves)) left here, \(theirs(working, working.leaves)) there"]
    case .filled, .canceled:
      guard let finished else { return ["\(name) is \(own.state) here and not at the exchange"] }
      let isSameEnd = (own.state == .filled) == (finished.status == .filled)
      return isSameEnd && amount(own.cumulative) == theirs(finished, finished.cumulative)
        ? []
        : [
          "\(name) is \(own.state) with \(amount(own.cumulative)) here,"
            + " \(finished.status) with \(theirs(finished, finished.cumulative)) there"
        ]
    case .rejected:
      return working == nil && finished == nil ? [] : ["\(name) is rejected here and was taken"]
    case .pendingNew, .pendingAmend, .pendingCancel, .inDoubt:
      return ["\(name) is \(own.state) when all is settled"]
    }
  }

  /// Balances, fees, fills and position by two ways: our portfolio, and the exchange's own accounts.
  private func auditLedger(
    _ account: AccountID, _ prefix: String, isShared: Bool
  ) -> [String] {
    guard let instrument = kernel.markets[0].instrument else { return ["no instrument known"] }
    var found: [String] = []
    for asset in [instrument.base, instrument.quote] {
      guard let id = desk.exchange.asset(asset) else { continue }
      let theirs = desk.exchange.balance(of: account, id)
      let sums = desk.exchange.conservation(of: id)
      if sums.sum != sums.deposited { found.append("the exchange made or lost \(asset)") }
      guard let entry = kernel.portfolio.ledger(kernel.account, asset), entry.isAdopted else {
        found.append("\(asset) was never reconciled")
        continue
      }
      if entry.expected != theirs.total {
        found.append("\(asset): \(entry.expected) here, \(theirs.total) at the exchange")
      }
      if !isShared, entry.balance.frozen != theirs.frozen {
        found.append(
          "\(asset): \(entry.balance.frozen) set aside here, \(theirs.frozen) at the exchange")
      }
    }
    let counted = countFills(account, prefix, instrument)
    if kernel.counts.fills != counted.fills {
      found.append("\(kernel.counts.fills) fills here, \(counted.fills) at the exchange")
    }
    let position = kernel.portfolio.position(kernel.account, instrument.id)
    if instrument.scale.amount(of: position.net) != counted.net {
      found.append(
        "position \(instrument.scale.amount(of: position.net)), sum of fills \(counted.net)")
    }
    for (asset, fees) in counted.fees {
      let own = kernel.portfolio.ledger(kernel.account, asset)?.fees ?? .zero
      if own != fees { found.append("fees in \(asset): \(own) here, \(fees) at the exchange") }
    }
    return found
  }

  /// What the exchange says of the fills of orders that this life knows: those it placed, and those
  /// it adopted, from then on.
  private func countFills(
    _ account: AccountID, _ prefix: String, _ instrument: Instrument
  ) -> (fills: UInt64, net: Amount, fees: [(InlineText, Amount)]) {
    // A later life was told of fills whose order it never knew: those moved no position of its own.
    var booked: Set<UInt64> = []
    let notes = journal.notes
    for index in notes.indices {
      guard case .fill(let fill) = notes[index].note, index + 1 < notes.count,
        case .position = notes[index + 1].note
      else { continue }
      booked.insert(fill.tradeID.low)
    }
    var fills: UInt64 = 0
    var net = Amount.zero
    var fees = [(instrument.base, Amount.zero), (instrument.quote, Amount.zero)]
    desk.exchange.forEachExecution(of: account) { execution in
      let isOurs =
        remembersAll
        ? execution.label.description.hasPrefix(prefix) : booked.contains(execution.tradeID.low)
      guard isOurs else { return true }
      fills += 1
      let amount = desk.exchange.instrument(execution.instrument).scale.amount(
        of: execution.quantity)
      net = execution.side == .buy ? net + amount : net - amount
      for index in fees.indices where fees[index].0 == desk.exchange.name(of: execution.feeAsset) {
        fees[index].1 = fees[index].1 + execution.fee
      }
      return true
    }
    return (fills, net, fees)
  }
}
