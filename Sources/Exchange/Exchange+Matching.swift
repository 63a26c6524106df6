internal import MartletBase
internal import MartletModel

// How an incoming order meets the book: the best price first; at one price the outside quantity
// and the clients' orders as they queued.
extension Exchange {
  /// Takes from the other side while price and money allow.
  mutating func match(_ taker: inout OrderRecord, at now: Timestamp) {
    let market = Int(taker.instrument.index)
    let side = taker.side.opposite
    let worst = taker.kind.hasPrice ? OutsideSide.key(of: taker.price, on: side) : Int64.min
    while taker.status == .open, let key = markets[market].best(side), key >= worst {
      let price = OutsideSide.price(of: key, on: side)
      let wanted = affordable(taker, at: price)
      guard wanted > 0 else { return }
      take(wanted, at: key, &taker, now)
    }
  }

  /// The quanta that a taker wants and can pay at `price`, in whole lots.
  private func affordable(_ taker: OrderRecord, at price: Price) -> Int64 {
    if taker.isReduceOnly { return tradable(taker) }
    guard taker.side == .buy && !taker.kind.hasPrice,
      markets[Int(taker.instrument.index)].contract == nil
    else { return taker.leaves.quanta }
    let market = markets[Int(taker.instrument.index)]
    let lot = market.rules.lotStep
    let cost = market.scale.notional(of: Quantity(quanta: lot), at: price)
    let lots = taker.reserved.units / cost.units
    let most = lots > Int128(Int64.max / lot) ? Int64.max / lot * lot : Int64(lots) * lot
    return taker.isSizedInQuote ? most : min(most, taker.leaves.quanta)
  }

  /// Takes up to `wanted` quanta of the level at `key`.
  private mutating func take(
    _ wanted: Int64, at key: Int64, _ taker: inout OrderRecord, _ now: Timestamp
  ) {
    let market = Int(taker.instrument.index)
    let makerSide = taker.side.opposite
    let side = Int(makerSide.rawValue)
    let price = OutsideSide.price(of: key, on: makerSide)
    let shown = markets[market].outside[side][key]
    var rest = wanted
    var takenOutside: Int64 = 0
    var slot: Int32 = -1
    if let level = markets[market].clients[side].find(key) {
      slot = markets[market].clients[side][level].head
    }
    while slot >= 0 && rest > 0 {
      // Outside quantity that queued before this order and after the one before it.
      let before = min(slab[slot].ahead - takenOutside, rest)
      if before > 0 {
        fill(&taker, .taker, at: price, before, from: nil, now)
        takenOutside += before
        rest -= before
        if rest == 0 { break }
      }
      let next = slab[slot].next
      if slab[slot].record.account == taker.account && taker.selfTrade != .allow {
        if taker.selfTrade != .cancelNew { _ = end(slot, .selfTrade, at: now) }
        if taker.selfTrade != .cancelOld {
          close(&taker, .selfTrade, at: now)
          break
        }
        slot = next
        continue
      }
      let size = min(rest, tradable(slab[slot].record))
      if size == 0 {
        _ = end(slot, .reduceOnly, at: now)
        slot = next
        continue
      }
      fill(&taker, .taker, at: price, size, from: slot, now)
      rest -= size
      slot = next
    }
    if rest > 0 && taker.status == .open && shown > takenOutside {
      let size = min(rest, shown - takenOutside)
      fill(&taker, .taker, at: price, size, from: nil, now)
      takenOutside += size
    }
    if takenOutside > 0 {
      // What was eaten stays eaten until the recording next speaks of the level.
      markets[market].outside[side].set(key, shown - takenOutside)
      advanceQueue(market, side, key, by: takenOutside)
      markets[market].markBook()
    }
  }

  /// The outside quantity before every order at `key` is `quantity` less.
  mutating func advanceQueue(_ market: Int, _ side: Int, _ key: Int64, by quantity: Int64) {
    guard let level = markets[market].clients[side].find(key) else { return }
    var slot = markets[market].clients[side][level].head
    while slot >= 0 {
      slab[slot].ahead = max(0, slab[slot].ahead - quantity)
      slot = slab[slot].next
    }
  }

  /// Trades `quantity` quanta between `order` and a resting one, or the outside market.
  ///
  /// - Parameters:
  ///   - role: `taker` for an incoming order, `maker` for one that the outside market takes.
  ///   - slot: of the resting order on the other side; nil when that is the outside market.
  mutating func fill(
    _ order: inout OrderRecord, _ role: LiquidityRole, at price: Price, _ quantity: Int64,
    from slot: Int32?, _ now: Timestamp
  ) {
    let market = Int(order.instrument.index)
    let trade = TradeID(low: nextTrade)
    nextTrade += 1
    let size = Quantity(quanta: quantity)
    let scale = markets[market].scale
    let counter = slot.map { slab[$0].record.id } ?? ExchangeOrderID(0)
    book(&order, role, trade, counter, at: price, size, now)
    if let slot {
      var maker = slab[slot].record
      book(&maker, .maker, trade, order.id, at: price, size, now)
      slab[slot].record = maker
      let side = Int(maker.side.rawValue)
      if let level = markets[market].clients[side].find(
        OutsideSide.key(of: price, on: maker.side))
      {
        markets[market].clients[side][level].leaves -= quantity
      }
      markets[market].markBook()
      if maker.status == .filled { finish(withdraw(slot)) }
    } else if markets[market].contract != nil {
      creditOutsideContract(order.side, size, at: price, market)
    } else {
      let sign: Int128 = order.side == .buy ? -1 : 1
      let base = scale.amount(of: size)
      let value = scale.notional(of: size, at: price)
      ledger.creditOutside(Amount(units: base.units * sign), of: markets[market].base)
      ledger.creditOutside(Amount(units: value.units * -sign), of: markets[market].quote)
    }
    markets[market].note(trade: price)
    events.append(
      .trade(
        MarketTrade(
          instrument: order.instrument, tradeID: trade, price: price, quantity: size,
          aggressor: role == .taker ? order.side : order.side.opposite, exchangeTime: now)))
  }

  /// One side of a trade: money, record, history, news.
  private mutating func book(
    _ order: inout OrderRecord, _ role: LiquidityRole, _ trade: TradeID,
    _ counter: ExchangeOrderID, at price: Price, _ size: Quantity, _ now: Timestamp
  ) {
    if markets[Int(order.instrument.index)].contract != nil {
      return bookContract(&order, role, trade, counter, at: price, size, now)
    }
    let market = markets[Int(order.instrument.index)].listing
    let quote = markets[Int(order.instrument.index)].quote
    let base = markets[Int(order.instrument.index)].base
    let scale = market.instrument.scale
    let value = scale.notional(of: size, at: price)
    let isBuy = order.side == .buy
    let paid = isBuy ? value : scale.amount(of: size)
    let received = isBuy ? scale.amount(of: size) : value
    let rules = market.instrument.rules
    let fee = market.fees.fee(on: received, at: role == .maker ? rules.makerFee : rules.takerFee)

    order.cumulative += size
    order.cumulativeValue += value
    order.fee += fee
    order.modifiedAt = now
    if order.isSizedInQuote {
      order.budgetLeft -= value
    } else {
      order.leaves -= size
      if order.leaves == .zero { order.status = .filled }
    }
    // What the rest of the order still needs; a better price than its own frees the difference.
    let needed: Amount
    if order.status == .filled {
      needed = .zero
    } else if !isBuy {
      needed = scale.amount(of: order.leaves)
    } else if order.kind.hasPrice {
      needed = scale.notional(of: order.leaves, at: order.price)
    } else {
      needed = order.reserved - paid
    }
    let payAsset = isBuy ? quote : base
    ledger.spend(paid, of: payAsset, in: order.account)
    ledger.release(order.reserved - paid - needed, of: payAsset, in: order.account)
    order.reserved = needed
    ledger.credit(received - fee, of: order.feeAsset, to: order.account)
    ledger.creditFees(fee, of: order.feeAsset)

    let execution = Execution(
      tradeID: trade, order: order.id, counterOrder: counter, account: order.account,
      instrument: order.instrument, side: order.side, role: role, price: price, quantity: size,
      value: value, fee: fee, feeAsset: order.feeAsset, label: order.label, time: now,
      positionSide: .net)
    accounts[Int(order.account.index)].executions.append(execution)
    events.append(.fill(execution, order))
  }
}
