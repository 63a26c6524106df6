internal import MartletBase
internal import MartletModel

// How an order comes in and how it ends.
extension Exchange {
  /// Checks an order against the instrument's rules and the account's money, and makes its record.
  ///
  /// - Parameters: what the order that this one replaces will release, and which one that is.
  mutating func prepare(
    _ order: NewOrder, freeing: Amount, replacing: ExchangeOrderID? = nil, at now: Timestamp
  ) throws(OrderRefusal) -> OrderRecord {
    guard Int(order.instrument.index) < markets.count,
      markets[Int(order.instrument.index)].rules.isTrading
    else { throw .instrumentUnavailable }
    let index = Int(order.instrument.index)
    let scale = markets[index].scale
    try checkShape(order, markets[index].rules, scale)
    if markets[index].contract != nil {
      return try prepareContract(order, but: replacing, at: now)
    }
    guard !order.isReduceOnly, order.positionSide == .net, order.triggerSource == .last else {
      throw .invalidCombination
    }

    var quantity = Quantity.zero
    var budget = Amount.zero
    var needed: Amount
    switch order.size {
    case .base(let size):
      quantity = size
      if order.side == .sell {
        needed = scale.amount(of: size)
      } else if order.kind.hasPrice {
        needed = scale.notional(of: size, at: order.price)
      } else {
        needed = takingCost(of: size, index)
      }
    case .quote(let size):
      budget = size
      needed = size
    }
    let asset = order.side == .buy ? markets[index].quote : markets[index].base
    let available = ledger.available(order.account, asset) + freeing
    guard needed <= available else {
      throw .insufficientBalance(asset: asset, needed: needed, available: available)
    }
    if order.kind == .market {
      if markets[index].best(order.side.opposite) == nil { throw .noLiquidity }
      // Whom a market order will meet is known when it has met them: hold all there is till then.
      if order.side == .buy, case .base = order.size { needed = available }
    }
    if order.isPostOnly && wouldTake(order, index) { throw .postOnlyWouldTake }
    if order.kind.isStop {
      guard let last = markets[index].last else { throw .noLastPrice }
      guard order.trigger != last else { throw .triggerAtLast }
    }
    return OrderRecord(
      id: ExchangeOrderID(0), account: order.account, instrument: order.instrument,
      side: order.side, kind: order.kind, isPostOnly: order.isPostOnly,
      isImmediate: order.isImmediate, isReduceOnly: false, positionSide: .net,
      triggerSource: .last, selfTrade: order.selfTrade, condition: order.condition,
      status: order.kind.isStop ? .waiting : .open, reason: .none, isTriggered: false,
      isSizedInQuote: quantity == .zero, label: order.label, mark: order.mark, price: order.price,
      trigger: order.trigger, quantity: quantity, leaves: quantity, budget: budget,
      budgetLeft: budget, cumulative: .zero, cumulativeValue: .zero, fee: .zero,
      feeAsset: order.side == .buy ? markets[index].base : markets[index].quote, reserved: needed,
      createdAt: now, modifiedAt: now)
  }

  private func checkShape(
    _ order: NewOrder, _ rules: InstrumentRules, _ scale: InstrumentScale
  ) throws(OrderRefusal) {
    let zero = Price(quanta: 0)
    guard order.kind.hasPrice || (!order.isPostOnly && !order.isImmediate),
      !(order.isPostOnly && order.isImmediate), !(order.isPostOnly && order.kind.isStop)
    else { throw .invalidCombination }
    if order.kind.hasPrice {
      guard order.price > zero else { throw .priceNotPositive }
      guard order.price.quanta % rules.tickSize == 0 else {
        throw .priceOffTick(tick: Price(quanta: rules.tickSize))
      }
    }
    if order.kind.isStop {
      guard order.trigger > zero, order.trigger.quanta % rules.tickSize == 0 else {
        throw .triggerOffTick(tick: Price(quanta: rules.tickSize))
      }
    }
    var value: Amount?
    let kind = markets[Int(order.instrument.index)].listing.instrument.kind
    switch order.size {
    case .base(let size):
      // What a stop will cost at the market of its moment nobody knows now; of a contract that is asked
      // when the moment has come.
      guard order.kind != .stopMarket || order.side == .sell || kind != .spot else {
        throw .invalidCombination
      }
      guard size > .zero else { throw .quantityNotPositive }
      guard size.quanta % rules.lotStep == 0 else {
        throw .quantityOffLot(lot: Quantity(quanta: rules.lotStep))
      }
      guard size >= rules.minQuantity else { throw .belowMinQuantity(rules.minQuantity) }
      if kind == .inverse {
        // Its quantity is its value in quote.
        value = scale.amount(of: size)
      } else if order.kind.hasPrice {
        value = scale.notional(of: size, at: order.price)
      } else if order.kind == .market,
        let best = markets[Int(order.instrument.index)].best(order.side.opposite)
      {
        value = scale.notional(
          of: size, at: OutsideSide.price(of: best, on: order.side.opposite))
      }
    case .quote(let size):
      guard order.side == .buy && !order.kind.hasPrice else { throw .invalidCombination }
      guard size > .zero else { throw .quantityNotPositive }
      value = size
    }
    if let value {
      guard value >= rules.minNotional || order.isReduceOnly else {
        throw .belowMinNotional(rules.minNotional)
      }
      guard rules.maxNotional == .zero || value <= rules.maxNotional else {
        throw .aboveMaxNotional(rules.maxNotional)
      }
    }
  }

  func wouldTake(_ order: NewOrder, _ market: Int) -> Bool {
    let other = order.side.opposite
    guard let best = markets[market].best(other) else { return false }
    return best >= OutsideSide.key(of: order.price, on: other)
  }

  /// What buying `quantity` now would cost, as far as the book reaches.
  private func takingCost(of quantity: Quantity, _ market: Int) -> Amount {
    var rest = quantity.quanta
    var cost = Amount.zero
    let scale = markets[market].scale
    markets[market].forEachLevel(.sell) { key, shown in
      let taken = min(rest, shown)
      cost += scale.notional(
        of: Quantity(quanta: taken), at: OutsideSide.price(of: key, on: .sell))
      rest -= taken
      return rest > 0
    }
    return cost
  }

  /// Takes a checked order in, under the next id, and plays it out.
  mutating func enter(_ prepared: OrderRecord, at now: Timestamp) -> OrderRecord {
    var record = prepared
    record.id = ExchangeOrderID(nextOrder)
    nextOrder += 1
    let market = Int(record.instrument.index)
    if markets[market].contract == nil {
      ledger.freeze(record.reserved, of: reservedAsset(record), in: record.account)
    }
    events.append(.accepted(record))
    guard !record.kind.isStop else {
      events.append(.waiting(record))
      let slot = insert(record)
      let stop = WaitingStops.Stop(trigger: record.trigger, slot: slot, id: record.id)
      switch record.triggerSource {
      case .last: markets[market].stops.insert(stop, record.condition)
      case .mark: markets[market].markStops.insert(stop, record.condition)
      }
      return record
    }
    play(&record, at: now)
    return record
  }

  /// Matches an order, then rests or ends it. It is in no book and no list before.
  mutating func play(_ record: inout OrderRecord, at now: Timestamp) {
    match(&record, at: now)
    guard !record.status.isFinished else {
      finish(record)
      return
    }
    let isMarket = record.kind == .market || record.kind == .stopMarket
    if isMarket || record.isImmediate {
      // Money left that buys no lot is change, not an unfilled order.
      let isBookEmpty = markets[Int(record.instrument.index)].best(record.side.opposite) == nil
      if record.isSizedInQuote && record.cumulative > .zero
        && (record.budgetLeft == .zero || !isBookEmpty)
      {
        record.status = .filled
        release(&record)
        events.append(.completed(record))
        finish(record)
        return
      }
      close(&record, isMarket ? .noLiquidity : .immediateRest, at: now)
      return
    }
    let slot = insert(record)
    rest(slot)
    events.append(.rested(record))
  }

  /// Puts an order at the back of its level's queue.
  private mutating func rest(_ slot: Int32) {
    let record = slab[slot].record
    let market = Int(record.instrument.index)
    let side = Int(record.side.rawValue)
    let key = OutsideSide.key(of: record.price, on: record.side)
    slab[slot].ahead = markets[market].outside[side][key]
    let index = markets[market].clients[side].index(of: key)
    if index < markets[market].clients[side].levels.count,
      markets[market].clients[side][index].key == key
    {
      let tail = markets[market].clients[side][index].tail
      slab[tail].next = slot
      slab[slot].previous = tail
      markets[market].clients[side][index].tail = slot
      markets[market].clients[side][index].leaves += record.leaves.quanta
    } else {
      markets[market].clients[side].insert(
        ClientSide.Level(key: key, head: slot, tail: slot, leaves: record.leaves.quanta), at: index)
    }
    markets[market].markBook()
  }

  private mutating func insert(_ record: OrderRecord) -> Int32 {
    let slot = slab.insert(WorkingOrder(record: record))
    let account = Int(record.account.index)
    let newest = accounts[account].newest
    slab[slot].accountPrevious = newest
    if newest >= 0 { slab[newest].accountNext = slot } else { accounts[account].oldest = slot }
    accounts[account].newest = slot
    accounts[account].count += 1
    return slot
  }

  /// Takes a working order out of its queue and its lists; its record is the caller's now.
  mutating func withdraw(_ slot: Int32) -> OrderRecord {
    let order = slab[slot]
    let record = order.record
    let market = Int(record.instrument.index)
    if record.status == .waiting {
      switch record.triggerSource {
      case .last: markets[market].stops.remove(record.id, record.condition)
      case .mark: markets[market].markStops.remove(record.id, record.condition)
      }
    } else {
      let side = Int(record.side.rawValue)
      let key = OutsideSide.key(of: record.price, on: record.side)
      if let index = markets[market].clients[side].find(key) {
        if order.previous >= 0 {
          slab[order.previous].next = order.next
        } else {
          markets[market].clients[side][index].head = order.next
        }
        if order.next >= 0 {
          slab[order.next].previous = order.previous
        } else {
          markets[market].clients[side][index].tail = order.previous
        }
        markets[market].clients[side][index].leaves -= record.leaves.quanta
        if markets[market].clients[side][index].head < 0 {
          markets[market].clients[side].remove(at: index)
        }
      }
      markets[market].markBook()
    }
    let account = Int(record.account.index)
    if order.accountPrevious >= 0 {
      slab[order.accountPrevious].accountNext = order.accountNext
    } else {
      accounts[account].oldest = order.accountNext
    }
    if order.accountNext >= 0 {
      slab[order.accountNext].accountPrevious = order.accountPrevious
    } else {
      accounts[account].newest = order.accountPrevious
    }
    accounts[account].count -= 1
    slab.remove(slot)
    return record
  }

  /// Ends a working order unfilled.
  mutating func end(_ slot: Int32, _ reason: CancelReason, at now: Timestamp) -> OrderRecord {
    var record = withdraw(slot)
    close(&record, reason, at: now)
    return record
  }

  /// Ends an order that is in no book any more, or never was.
  mutating func close(_ record: inout OrderRecord, _ reason: CancelReason, at now: Timestamp) {
    record.status = .canceled
    record.reason = reason
    record.modifiedAt = now
    release(&record)
    events.append(.canceled(record))
    finish(record)
  }

  mutating func release(_ record: inout OrderRecord) {
    if markets[Int(record.instrument.index)].contract != nil { return }
    ledger.release(record.reserved, of: reservedAsset(record), in: record.account)
    record.reserved = .zero
  }

  mutating func finish(_ record: OrderRecord) {
    accounts[Int(record.account.index)].finished.append(record)
  }

  func reservedAsset(_ record: OrderRecord) -> AssetID {
    let market = Int(record.instrument.index)
    return record.side == .buy ? markets[market].quote : markets[market].base
  }

  /// What a command set off besides: stops, then news of balances and of the book.
  mutating func settleCommand(_ instrument: InstrumentID, at now: Timestamp) {
    let market = Int(instrument.index)
    runStops(market, at: now)
    if !margin.moved.isEmpty { trimReducing(at: now) }
    ledger.tellChanges(to: &events)
    margin.tellChanges(to: &events)
    if markets[market].isBookChanged {
      markets[market].isBookChanged = false
      markets[market].version += 1
      events.append(.book(instrument, at: now))
    }
  }
}
