public import MartletBase
public import MartletModel

// Contracts: what is booked of them beside the position, and what stands behind it.
extension Portfolio {
  // MARK: Terms

  /// Takes a contract's terms, the first or later ones, and how it is traded. Nothing is approved on a
  /// contract before.
  public mutating func learn(_ terms: ContractTerms, _ plan: MarginPlan) {
    let (index, isPresent) = searchContract(terms.instrument.id)
    if isPresent {
      contracts[index].terms = terms
      contracts[index].plan = plan
      return
    }
    precondition(contracts.count < capacity, "more than \(capacity) contracts")
    contracts.insert(ContractBook(terms: terms, plan: plan, mark: nil), at: index)
  }

  /// Takes the venue's mark price of a contract; ignored where there are no terms.
  public mutating func mark(_ instrument: InstrumentID, at price: Price) {
    let (index, isPresent) = searchContract(instrument)
    if isPresent && price.quanta > 0 { contracts[index].mark = price }
  }

  public func contract(_ instrument: InstrumentID) -> ContractBook? {
    let (index, isPresent) = searchContract(instrument)
    return isPresent ? contracts[index] : nil
  }

  /// All contracts whose terms are known, by instrument.
  public var allContracts: [ContractBook] { contracts }

  public func holding(
    _ account: AccountID, _ instrument: InstrumentID, side: PositionSide = .net
  ) -> ContractHolding {
    let (index, isPresent) = searchHolding(account, instrument, side)
    return isPresent
      ? holdings[index]
      : ContractHolding(account: account, instrument: instrument, side: side)
  }

  // MARK: Booking

  /// Books a funding payment, told for the first time.
  ///
  /// - Returns: what it comes to by our own position; nil when one of that time was booked before.
  public mutating func book(
    _ payment: FundingPayment, of instrument: Instrument, at now: Timestamp
  ) -> Amount? {
    let index = holdingIndex(payment.account, payment.instrument, payment.positionSide)
    guard payment.dueAt > holdings[index].fundedAt else { return nil }
    holdings[index].fundedAt = payment.dueAt
    holdings[index].funding = holdings[index].funding + payment.amount
    let position = position(payment.account, payment.instrument, side: payment.positionSide)
    if position.net != .zero && plan(of: payment.instrument)?.mode == .isolated {
      holdings[index].isolated = holdings[index].isolated + payment.amount
    }
    move(payment.account, instrument.settlement, by: payment.amount, at: now)
    guard let terms = contract(payment.instrument)?.terms else { return payment.amount }
    return terms.funding(on: position.net, at: payment.mark, rate: payment.rate)
  }

  mutating func bookContract(
    _ fill: Fill, _ index: Int, _ instrument: Instrument, at now: Timestamp
  ) {
    let before = positions[index].net
    let side = positions[index].side
    let realized = positions[index].book(fill, of: instrument)
    move(fill.account, instrument.settlement, by: realized, at: now)
    payFee(fill, at: now)
    guard let (terms, plan) = contract(fill.instrument).map({ ($0.terms, $0.plan) }),
      plan.mode == .isolated
    else { return }
    let isClosing = before.quanta.signum() * (fill.side == .buy ? 1 : -1) < 0
    let held = Quantity(quanta: abs(before.quanta))
    let closed = isClosing ? min(fill.quantity, held) : .zero
    let holding = holdingIndex(fill.account, fill.instrument, side)
    if closed != .zero {
      // What does not come out even stays with the position until it is flat.
      let whole = holdings[holding].isolated
      let released =
        closed == held
        ? whole
        : Amount(
          units: divide(
            whole.units, times: Int128(closed.quanta), by: Int128(held.quanta), rounded: .down))
      holdings[holding].isolated = whole - released
    }
    let opened = fill.quantity - closed
    if opened != .zero {
      let value = Position.opened(by: fill, of: instrument, closing: closed)
      holdings[holding].isolated =
        holdings[holding].isolated + terms.initialMargin(of: value, leverage: plan.leverage)
    }
  }

  mutating func workChanged(
    _ account: AccountID, _ instrument: Instrument, _ side: PositionSide, _ before: OrderView?,
    _ after: OrderView
  ) {
    let index = holdingIndex(account, instrument.id, side)
    func works(_ order: OrderView?) -> (Quantity, Amount) {
      guard let order, !order.state.isTerminal, order.leaves > .zero else { return (.zero, .zero) }
      return (order.leaves, instrument.value(of: order.leaves, at: order.price))
    }
    let (leavesBefore, valueBefore) = works(before)
    let (leaves, value) = works(after)
    switch after.side {
    case .buy:
      holdings[index].buyLeaves = holdings[index].buyLeaves + leaves - leavesBefore
      holdings[index].buyValue = holdings[index].buyValue + value - valueBefore
    case .sell:
      holdings[index].sellLeaves = holdings[index].sellLeaves + leaves - leavesBefore
      holdings[index].sellValue = holdings[index].sellValue + value - valueBefore
    }
  }

  // MARK: Margin

  /// How an account's `settlement` asset stands; nil before its balance was taken, or while a contract
  /// that is held has no mark.
  public func margin(_ account: AccountID, in settlement: InlineText) -> MarginFigures? {
    guard let entry = ledger(account, settlement), entry.isAdopted else { return nil }
    var figures = MarginFigures(wallet: entry.expected)
    for index in 0..<contracts.count where contracts[index].terms.settlement == settlement {
      for side in Portfolio.sides(of: contracts[index].plan) {
        guard add(contracts[index], account, side, to: &figures) else { return nil }
      }
    }
    return figures
  }

  /// The positions that an account may have under a plan.
  static func sides(of plan: MarginPlan) -> [PositionSide] {
    plan.isHedged ? [.long, .short] : [.net]
  }

  private func add(
    _ contract: ContractBook, _ account: AccountID, _ side: PositionSide,
    to figures: inout MarginFigures
  ) -> Bool {
    let position = position(account, contract.instrument, side: side)
    let holding = holding(account, contract.instrument, side: side)
    var value = Amount.zero
    if position.net != .zero {
      guard let mark = contract.mark else { return false }
      value = contract.terms.value(of: position.net, at: mark)
      if contract.plan.mode == .cross {
        figures.unrealized =
          figures.unrealized + position.unrealized(at: mark, of: contract.terms.instrument)
        figures.maintenance = figures.maintenance + contract.terms.maintenanceMargin(of: value)
      }
    }
    figures.isolated = figures.isolated + holding.isolated
    figures.initial =
      figures.initial
      + Portfolio.initial(contract, value, buying: holding.buyValue, selling: holding.sellValue)
    return true
  }

  /// What a position and the orders that may add to it must be begun with: of all orders on one side
  /// filling and none on the other, whichever needs more. An isolated position has its own already.
  private static func initial(
    _ contract: ContractBook, _ value: Amount, buying: Amount, selling: Amount
  ) -> Amount {
    var most = max((value + buying).magnitude, (value - selling).magnitude)
    if contract.plan.mode == .isolated { most = most - value.magnitude }
    return contract.terms.initialMargin(of: most, leverage: contract.plan.leverage)
  }

  /// What Risk must know to judge an order on a contract; nil while the contract is not known.
  public func marginContext(for intent: OrderIntent) -> MarginContext? {
    guard let contract = contract(intent.instrument) else { return nil }
    let terms = contract.terms
    let instrument = terms.instrument
    var context = MarginContext(leverage: contract.plan.leverage, isHedged: contract.plan.isHedged)
    context.mostExposure = terms.mostValue(at: contract.plan.leverage)
    // An absurd wish is refused for its size before this is looked at.
    guard let mark = contract.mark, Portfolio.isCountable(intent, mark, instrument.scale),
      let figures = margin(intent.account, in: instrument.settlement)
    else { return context }
    context.free = figures.free
    let position = position(intent.account, intent.instrument, side: intent.positionSide)
    let holding = holding(intent.account, intent.instrument, side: intent.positionSide)
    let held = terms.value(of: position.net, at: mark)
    let own = terms.value(of: intent.quantity, at: intent.price)
    let isBuy = intent.side == .buy
    let before = Portfolio.initial(
      contract, held, buying: holding.buyValue, selling: holding.sellValue)
    let after = Portfolio.initial(
      contract, held, buying: holding.buyValue + (isBuy ? own : .zero),
      selling: holding.sellValue + (isBuy ? .zero : own))
    let net = Int128(position.net.quanta)
    let quanta =
      isBuy
      ? net + Int128(holding.buyLeaves.quanta) + Int128(intent.quantity.quanta)
      : net - Int128(holding.sellLeaves.quanta) - Int128(intent.quantity.quanta)
    context.quantity = Quantity(quanta: Int64(clamping: quanta.magnitude))
    context.exposure =
      (isBuy ? held + holding.buyValue + own : held - holding.sellValue - own).magnitude
    context.contracts = terms.contracts(in: context.quantity, rounded: .up)
    context.isGrowing = after > before
    guard context.isGrowing else { return context }
    // What it would lose at once by trading at its price while the position is valued at the mark.
    let apart = terms.value(of: intent.quantity, at: mark) - own
    let loss = isBuy == (instrument.kind == .inverse) ? apart : -apart
    let fee = terms.fee(on: own, at: max(instrument.rules.takerFee, .zero))
    context.needed = after - before + max(loss, .zero) + fee
    return context
  }

  /// Whether an order's values, at its price and at the mark, are well within `Amount`.
  private static func isCountable(
    _ intent: OrderIntent, _ mark: Price, _ scale: InstrumentScale
  ) -> Bool {
    guard intent.price.quanta > 0, intent.quantity.quanta > 0 else { return false }
    let product = Int128(max(intent.price, mark).quanta) * Int128(intent.quantity.quanta)
    let (value, valueOverflow) = product.multipliedReportingOverflow(by: scale.notionalFactor)
    let (size, sizeOverflow) = Int128(intent.quantity.quanta).multipliedReportingOverflow(
      by: scale.quantityFactor)
    return !valueOverflow && !sizeOverflow && max(value, size) <= Int128.max / 8
  }

  /// Where a position is liquidated, all other contracts staying at their marks; nil when nowhere, or
  /// while something that it takes is not known.
  public func liquidationPrice(
    _ account: AccountID, _ instrument: InstrumentID, side: PositionSide = .net
  ) -> Price? {
    guard let contract = contract(instrument), let mark = contract.mark else { return nil }
    let position = position(account, instrument, side: side)
    guard position.net != .zero else { return nil }
    let terms = contract.terms
    var cover = holding(account, instrument, side: side).isolated
    if contract.plan.mode == .cross {
      guard let figures = margin(account, in: terms.settlement) else { return nil }
      let own = position.unrealized(at: mark, of: terms.instrument)
      let maintenance = terms.maintenanceMargin(of: terms.value(of: position.net, at: mark))
      cover = figures.equity - own - (figures.maintenance - maintenance)
    }
    return terms.liquidationPrice(of: position.net, cost: position.cost, cover: cover, mark: mark)
  }

  func contractEquity(
    _ account: AccountID, _ instrument: Instrument, at mark: Price
  ) -> Amount {
    var equity = ledger(account, instrument.settlement)?.expected ?? .zero
    for index in 0..<positions.count where positions[index].account == account {
      let position = positions[index]
      guard position.net != .zero else { continue }
      if position.instrument == instrument.id {
        let price = contract(instrument.id)?.mark ?? mark
        equity = equity + position.unrealized(at: price, of: instrument)
      } else if let other = contract(position.instrument), let price = other.mark,
        other.terms.settlement == instrument.settlement
      {
        equity = equity + position.unrealized(at: price, of: other.terms.instrument)
      }
    }
    return equity
  }

  // MARK: Where they stand

  private func plan(of instrument: InstrumentID) -> MarginPlan? { contract(instrument)?.plan }

  private func searchContract(_ instrument: InstrumentID) -> (index: Int, isPresent: Bool) {
    var low = 0
    while low < contracts.count && contracts[low].instrument < instrument { low += 1 }
    return (low, low < contracts.count && contracts[low].instrument == instrument)
  }

  private func searchHolding(
    _ account: AccountID, _ instrument: InstrumentID, _ side: PositionSide
  ) -> (index: Int, isPresent: Bool) {
    var low = 0
    var high = holdings.count
    let key = Portfolio.key(account, instrument, side)
    while low < high {
      let middle = (low + high) / 2
      let found = holdings[middle]
      if Portfolio.key(found.account, found.instrument, found.side) < key {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < holdings.count else { return (low, false) }
    let found = holdings[low]
    return (low, Portfolio.key(found.account, found.instrument, found.side) == key)
  }

  private mutating func holdingIndex(
    _ account: AccountID, _ instrument: InstrumentID, _ side: PositionSide
  ) -> Int {
    let (index, isPresent) = searchHolding(account, instrument, side)
    if isPresent { return index }
    precondition(holdings.count < capacity, "more than \(capacity) positions")
    holdings.insert(
      ContractHolding(account: account, instrument: instrument, side: side), at: index)
    return index
  }

  mutating func readContracts(
    from snapshot: inout SnapshotReader
  ) throws(SnapshotReader.Fault) {
    let start = snapshot.offset
    for _ in 0..<(try snapshot.count(ofSize: 200)) {
      let contract = try ContractBook(from: &snapshot)
      let (index, isPresent) = searchContract(contract.instrument)
      guard index == contracts.count && !isPresent else {
        throw .impossible("a contract out of order", offset: start)
      }
      contracts.append(contract)
    }
    for _ in 0..<(try snapshot.count(ofSize: 93)) {
      let holding = try ContractHolding(from: &snapshot)
      let (index, isPresent) = searchHolding(holding.account, holding.instrument, holding.side)
      guard index == holdings.count && !isPresent else {
        throw .impossible("a contract's holding out of order", offset: start)
      }
      holdings.append(holding)
    }
  }
}
