internal import MartletBase
internal import MartletModel
internal import MartletPortfolio

typealias Objection = (reason: RefusalReason, numbers: RiskNumbers)

// The rules themselves. Each says what it allows and what it found.
extension RiskGate {
  /// The first rule that speaks against an intent, if any.
  mutating func objection(to intent: OrderIntent, _ context: borrowing RiskContext) -> Objection? {
    // The reduce-only verdict: it may do less than any other order, and is let through when they are
    // not. Every rule after these two holds for it as for all.
    var isReduction = false
    if intent.onlyReduces, let instrument = context.instrument {
      if let found = reductionObjection(intent, instrument, context.position) { return found }
      isReduction = context.mayReduce
    }
    if let halt, !isReduction {
      return object(
        .halt, .halted, .none, limit: Int128(halt.reason.rawValue), found: 0)
    }
    guard context.isOpen || isReduction, let instrument = context.instrument,
      instrument.id == intent.instrument,
      instrument.rules.isTrading
    else {
      return object(.instrument, .instrumentUnavailable, .none, limit: 0, found: 0)
    }
    if instrument.isContract {
      // Without terms and a declared leverage nobody can say what it would need.
      guard let margin = context.margin else {
        return object(.product, .instrumentUnavailable, .none, limit: 0, found: 0)
      }
      if margin.isHedged != (intent.positionSide != .net) {
        return object(.product, .invalidField, .none, limit: 0, found: 0)
      }
    } else if intent.positionSide != .net {
      return object(.product, .invalidField, .none, limit: 0, found: 0)
    }
    // Each rule takes what it looks at: one that took `context` would be given a copy of it.
    if let found = gridObjection(intent, instrument.rules) { return found }
    if let found = valueObjection(intent, instrument) { return found }
    if let found = priceObjection(intent, context.reference) { return found }
    if let found = countObjection(
      onInstrument: context.workingOnInstrument, ofStrategy: context.workingOfStrategy)
    {
      return found
    }
    if instrument.isContract {
      if let margin = context.margin, !intent.onlyReduces,
        let found = marginObjection(margin, instrument)
      {
        return found
      }
      return rateObjection(context.now)
    }
    if let found = inventoryObjection(
      intent, instrument, held: context.position.net, buying: context.workingBuyLeaves)
    {
      return found
    }
    if let found = balanceObjection(
      intent, instrument, base: context.freeBase, quote: context.freeQuote)
    {
      return found
    }
    return rateObjection(context.now)
  }

  private func gridObjection(_ intent: OrderIntent, _ rules: InstrumentRules) -> Objection? {
    let price = intent.price.quanta
    if price <= 0 || price % rules.tickSize != 0 {
      return object(
        .priceGrid, .offGrid, .priceQuanta, limit: Int128(rules.tickSize), found: Int128(price))
    }
    let quantity = intent.quantity.quanta
    if quantity <= 0 || quantity % rules.lotStep != 0 {
      return object(
        .quantityGrid, .offGrid, .quantityQuanta, limit: Int128(rules.lotStep),
        found: Int128(quantity))
    }
    if intent.quantity < rules.minQuantity {
      return object(
        .minQuantity, .belowMinimum, .quantityQuanta, limit: Int128(rules.minQuantity.quanta),
        found: Int128(quantity))
    }
    return nil
  }

  private func valueObjection(_ intent: OrderIntent, _ instrument: Instrument) -> Objection? {
    let rules = instrument.rules
    // Elsewhere an overflow traps. Here it is only a wish, however absurd, and is refused.
    let product = Int128(intent.price.quanta) * Int128(intent.quantity.quanta)
    let (units, overflow) = product.multipliedReportingOverflow(
      by: instrument.scale.notionalFactor)
    let (size, inventoryOverflow) = Int128(intent.quantity.quanta).multipliedReportingOverflow(
      by: instrument.scale.quantityFactor)
    // A quarter of the range leaves room for a fee and for sums.
    guard !overflow && !inventoryOverflow && units <= Int128.max / 4 else {
      return object(
        .maxNotional, .aboveMaximum, .quoteAmount, limit: rules.maxNotional.units,
        found: Int128.max)
    }
    // An inverse contract's quantity is its value in quote.
    let value = Amount(units: instrument.kind == .inverse ? size : units)
    // What closes a position may be as small as the position is.
    if value < rules.minNotional && !(instrument.isContract && intent.onlyReduces) {
      return object(
        .minNotional, .belowMinimum, .quoteAmount, limit: rules.minNotional.units,
        found: value.units)
    }
    if rules.maxNotional != .zero && value > rules.maxNotional {
      return object(
        .maxNotional, .aboveMaximum, .quoteAmount, limit: rules.maxNotional.units,
        found: value.units)
    }
    if let most = limits.maxOrderNotional, value > most {
      return object(
        .maxOrderNotional, .aboveMaximum, .quoteAmount, limit: most.units, found: value.units)
    }
    return nil
  }

  private func priceObjection(
    _ intent: OrderIntent, _ reference: ReferencePrice?
  ) -> Objection? {
    guard let reference else {
      return object(.reference, .noReferencePrice, .none, limit: 0, found: 0)
    }
    // All in halves of a quantum, and in whole numbers: |p − r| ÷ r ≤ band. Quanta have 64 bits and
    // a rate's one has 34, so the products fit.
    let distance = (Int128(intent.price.quanta) * 2 - reference.twiceQuanta).magnitude
    let scaled = Int128(distance) * powerOfTen(Rate.places)
    if scaled > Int128(limits.priceBand.units) * reference.twiceQuanta {
      return object(
        .priceBand, .priceBand, .rate, limit: Int128(limits.priceBand.units),
        found: divide(scaled, by: reference.twiceQuanta, rounded: .up))
    }
    return nil
  }

  private func countObjection(onInstrument: Int, ofStrategy: Int) -> Objection? {
    if onInstrument >= limits.maxWorkingPerInstrument {
      return object(
        .workingPerInstrument, .orderLimit, .count,
        limit: Int128(limits.maxWorkingPerInstrument),
        found: Int128(onInstrument) + 1)
    }
    if ofStrategy >= limits.maxWorkingPerStrategy {
      return object(
        .workingPerStrategy, .orderLimit, .count, limit: Int128(limits.maxWorkingPerStrategy),
        found: Int128(ofStrategy) + 1)
    }
    return nil
  }

  private func inventoryObjection(
    _ intent: OrderIntent, _ instrument: Instrument, held: Quantity, buying: Quantity
  ) -> Objection? {
    guard let most = limits.maxInventory, intent.side == .buy else { return nil }
    // As if every working buy filled and no sell did.
    let quanta =
      Int128(held.quanta) + Int128(buying.quanta)
      + Int128(intent.quantity.quanta)
    let (units, overflow) = quanta.multipliedReportingOverflow(by: instrument.scale.quantityFactor)
    if overflow || units > most.units {
      return object(
        .inventory, .positionLimit, .baseAmount, limit: most.units,
        found: overflow ? Int128.max : units)
    }
    return nil
  }

  private func balanceObjection(
    _ intent: OrderIntent, _ instrument: Instrument, base: Amount?, quote: Amount?
  ) -> Objection? {
    switch intent.side {
    case .buy:
      var needed = instrument.scale.notional(of: intent.quantity, at: intent.price)
      if limits.isBuyFeeInQuote {
        needed = needed + instrument.rules.takerFee.of(needed, rounded: .up)
      }
      let free = quote ?? .zero
      if quote == nil || needed > free {
        return object(
          .balance, .insufficientBalance, .quoteAmount, limit: free.units, found: needed.units)
      }
    case .sell:
      let needed = instrument.scale.amount(of: intent.quantity)
      let free = base ?? .zero
      if base == nil || needed > free {
        return object(
          .balance, .insufficientBalance, .baseAmount, limit: free.units, found: needed.units)
      }
    }
    return nil
  }

  /// No more is traded back than is held: of spot what fills less base fees left, of a contract the
  /// position.
  private func reductionObjection(
    _ intent: OrderIntent, _ instrument: Instrument, _ position: Position
  ) -> Objection? {
    if instrument.isContract {
      let net = position.net.quanta
      let most = intent.side == .sell ? net : -net
      if intent.quantity.quanta <= most { return nil }
      return object(
        .inventory, .positionLimit, .quantityQuanta, limit: Int128(max(most, 0)),
        found: Int128(intent.quantity.quanta))
    }
    let held = position.held(instrument.scale)
    let most = intent.side == .sell ? held : -held
    let (units, overflow) = Int128(intent.quantity.quanta).multipliedReportingOverflow(
      by: instrument.scale.quantityFactor)
    if !overflow && units <= most.units { return nil }
    return object(
      .inventory, .positionLimit, .baseAmount, limit: max(most.units, 0),
      found: overflow ? Int128.max : units)
  }

  /// What adds to a contract's position must fit under every limit and be covered. What does not passes:
  /// an account that is short of margin can still get out.
  @inline(never) private func marginObjection(_ margin: MarginContext, _ instrument: Instrument)
    -> Objection?
  {
    guard margin.isGrowing else { return nil }
    if let most = limits.maxLeverage, margin.leverage > most {
      return object(
        .leverage, .leverageLimit, .count, limit: Int128(most), found: Int128(margin.leverage))
    }
    guard let mostExposure = margin.mostExposure, margin.exposure <= mostExposure else {
      return object(
        .leverage, .leverageLimit, .settlementAmount, limit: margin.mostExposure?.units ?? 0,
        found: margin.exposure.units)
    }
    if let most = limits.maxInventory {
      let held = instrument.scale.amount(of: margin.quantity)
      if held > most {
        return object(
          .inventory, .positionLimit, instrument.kind == .inverse ? .quoteAmount : .baseAmount,
          limit: most.units, found: held.units)
      }
    }
    if let most = limits.maxPositionNotional, margin.exposure > most {
      return object(
        .positionNotional, .positionLimit, .settlementAmount, limit: most.units,
        found: margin.exposure.units)
    }
    if let most = limits.maxPositionContracts, margin.contracts > most {
      return object(
        .positionContracts, .positionLimit, .contracts, limit: most.units,
        found: margin.contracts.units)
    }
    guard let free = margin.free, margin.needed <= free else {
      return object(
        .margin, .insufficientMargin, .settlementAmount, limit: margin.free?.units ?? 0,
        found: margin.needed.units)
    }
    return nil
  }

  private mutating func rateObjection(_ now: Timestamp) -> Objection? {
    if rate.isAllowed(at: now) { return nil }
    return object(
      .orderRate, .rateLimited, .count, limit: Int128(rate.limit), found: Int128(rate.count) + 1)
  }

  private func object(
    _ rule: RiskRule, _ reason: RefusalReason, _ unit: RiskNumbers.Unit, limit: Int128,
    found: Int128
  ) -> Objection {
    (
      reason,
      RiskNumbers(verdict: verdicts, rule: rule, unit: unit, limit: limit, found: found)
    )
  }
}
