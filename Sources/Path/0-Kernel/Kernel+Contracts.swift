internal import MartletBase
internal import MartletBook
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategy
internal import MartletVenueKit

// What a venue tells of contracts, and what is traded back of them.
extension Kernel where Session: ~Copyable {
  /// Takes a contract's terms; without a declared leverage they are noted, and nothing is placed there.
  mutating func learnContract(_ index: Int) {
    guard index < events.contracts.count else { return }
    let terms = events.contracts[index]
    let market = Int(terms.instrument.id.index)
    guard market < markets.count, let known = markets[market].instrument,
      known.kind == terms.instrument.kind, known.scale == terms.instrument.scale
    else { return halt(.contradiction) }
    let plan = market < marginPlans.count ? marginPlans[market] : nil
    if let plan {
      // Of a fee or a rule that changed only the instrument tells.
      if let former = portfolio.contract(terms.instrument.id), former.terms == terms,
        former.plan == plan
      {
        return
      }
      portfolio.learn(terms, plan)
    }
    note(
      .contract(
        ContractNote(
          instrument: terms.instrument.id, contractSize: terms.contractSize,
          fundingInterval: terms.fundingInterval, liquidationFee: terms.liquidationFee,
          leverage: UInt32(clamping: plan?.leverage ?? 0), mode: plan?.mode ?? .cross,
          isHedged: plan?.isHedged ?? false)))
    for (index, bracket) in terms.brackets.enumerated() {
      note(.marginBracket(terms.instrument.id, index: UInt8(clamping: index), bracket))
    }
  }

  mutating func bookFunding(_ payment: FundingPayment) {
    let market = Int(payment.instrument.index)
    guard market < markets.count, let instrument = markets[market].instrument,
      instrument.isContract, let own = portfolio.book(payment, of: instrument, at: now)
    else { return }
    note(.funding(payment, own: own))
  }

  /// The venue traded our position away: booked like any fill, and nothing new is placed until a person
  /// has seen why it was not covered.
  mutating func bookLiquidation(_ fill: Fill) {
    let market = Int(fill.instrument.index)
    guard market < markets.count, let instrument = markets[market].instrument,
      instrument.isContract, orders.takes(fill)
    else { return }
    fold()
    portfolio.book(fill, of: instrument, side: fill.positionSide, at: now)
    note(.liquidated(fill))
    notePosition(of: fill, trace)
    halt(.liquidated)
    let net = portfolio.position(fill.account, fill.instrument, side: fill.positionSide).net
    if net == .zero { tellFlat(market) }
  }

  /// What brings a contract's position back to nothing, as one reducing order that ends at once.
  mutating func contractExcess(in market: Int, _ instrument: Instrument, of only: Side?) -> Excess {
    let isHedged = portfolio.contract(instrument.id)?.plan.isHedged == true
    for positionSide in isHedged ? [PositionSide.long, .short] : [.net] {
      let net = portfolio.position(account, instrument.id, side: positionSide).net
      let side: Side = net > .zero ? .sell : .buy
      if net == .zero || only.map({ $0 != side }) == true { continue }
      return contractExcess(in: market, instrument, net, side, positionSide)
    }
    return .none
  }

  private func contractExcess(
    in market: Int, _ instrument: Instrument, _ net: Quantity, _ side: Side,
    _ positionSide: PositionSide
  ) -> Excess {
    let rules = instrument.rules
    func lots(_ quanta: Int128) -> Int64 { Int64(clamping: quanta) / rules.lotStep * rules.lotStep }
    let whole = lots(Int128(net.quanta.magnitude))
    guard whole > 0, whole >= rules.minQuantity.quanta else { return .none }
    guard let price = closingPrice(in: market, rules, side) else { return .unknown }
    var most = Int128(whole)
    let isInverse = instrument.kind == .inverse
    let each =
      isInverse
      ? instrument.scale.quantityFactor : Int128(price.quanta) * instrument.scale.notionalFactor
    if let limit = risk.limits.maxOrderNotional { most = min(most, limit.units / each) }
    if rules.maxNotional != .zero { most = min(most, rules.maxNotional.units / each) }
    let quanta = lots(most)
    guard quanta > 0, quanta >= rules.minQuantity.quanta else { return .unknown }
    return .order(
      OrderIntent(
        strategy: flattenStrategy, account: account, instrument: instrument.id, side: side,
        price: price, quantity: Quantity(quanta: quanta), timeInForce: .ioc, isReduceOnly: true,
        positionSide: positionSide))
  }
}
