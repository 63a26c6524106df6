internal import MartletBase
internal import MartletModel

// Orders on contracts: how they come in, what a fill does, and how those end that may only reduce.
extension Exchange {
  /// Checks an order on a contract, and makes its record; its shape was checked before.
  ///
  /// - Parameter but: the order that this one replaces.
  mutating func prepareContract(
    _ order: NewOrder, but: ExchangeOrderID?, at now: Timestamp
  ) throws(OrderRefusal) -> OrderRecord {
    let market = Int(order.instrument.index)
    guard case .base(let size) = order.size else { throw .invalidCombination }
    guard margin[isHedged: order.account] == (order.positionSide != .net) else {
      throw .positionSideMismatch
    }
    // A hedge account's closing side reduces, whether it says so or not.
    let isReduceOnly = order.isReduceOnly || order.positionSide.isClosed(by: order.side)
    var quantity = size
    if isReduceOnly && !order.kind.isStop {
      let closable = margin[order.account, market, order.positionSide].closable(by: order.side)
      guard closable > 0 else { throw .nothingToReduce }
      quantity = min(size, Quantity(quanta: closable))
    }
    if order.kind == .market && markets[market].best(order.side.opposite) == nil {
      throw .noLiquidity
    }
    if order.isPostOnly && wouldTake(order, market) { throw .postOnlyWouldTake }
    if order.kind.isStop {
      switch order.triggerSource {
      case .last:
        guard let last = markets[market].last else { throw .noLastPrice }
        guard order.trigger != last else { throw .triggerAtLast }
      case .mark:
        guard let mark = markets[market].mark else { throw .noMarkPrice }
        guard order.trigger != mark else { throw .triggerAtLast }
      }
    } else if !isReduceOnly {
      try checkMargin(
        order, quantity.quanta, worth(order, quantity.quanta, market), but: but)
    }
    return OrderRecord(
      id: ExchangeOrderID(0), account: order.account, instrument: order.instrument,
      side: order.side, kind: order.kind, isPostOnly: order.isPostOnly,
      isImmediate: order.isImmediate, isReduceOnly: isReduceOnly,
      positionSide: order.positionSide, triggerSource: order.triggerSource,
      selfTrade: order.selfTrade, condition: order.condition,
      status: order.kind.isStop ? .waiting : .open, reason: .none, isTriggered: false,
      isSizedInQuote: false, label: order.label, mark: order.mark, price: order.price,
      trigger: order.trigger, quantity: quantity, leaves: quantity, budget: .zero,
      budgetLeft: .zero, cumulative: .zero, cumulativeValue: .zero, fee: .zero,
      feeAsset: markets[market].settlement, reserved: .zero, createdAt: now, modifiedAt: now)
  }

  private func worth(_ order: NewOrder, _ quanta: Int64, _ market: Int) -> Amount {
    guard order.kind.hasPrice, let contract = markets[market].contract else {
      return takingWorth(quanta, order.side, market)
    }
    return contract.worth(quanta, at: order.price)
  }

  /// Why a stop order on a contract whose trigger was met is not to be played: it reduces what is not
  /// there, or is not covered now. What it may reduce is cut to what is there.
  mutating func hindrance(of record: inout OrderRecord) -> CancelReason? {
    let market = Int(record.instrument.index)
    if record.isReduceOnly {
      let closable = margin[record.account, market, record.positionSide].closable(by: record.side)
      if closable == 0 { return .reduceOnly }
      if record.leaves.quanta > closable { record.cut(to: closable) }
      return nil
    }
    let order = NewOrder(
      account: record.account, instrument: record.instrument, side: record.side,
      kind: record.kind == .stopLimit ? .limit : .market, size: .base(record.leaves),
      price: record.price, positionSide: record.positionSide)
    do throws(OrderRefusal) {
      try checkMargin(
        order, record.leaves.quanta, worth(order, record.leaves.quanta, market), but: nil)
      return nil
    } catch {
      return .margin
    }
  }

  /// What of a working order may trade now: of one that only reduces no more than there is to reduce.
  func tradable(_ record: OrderRecord) -> Int64 {
    guard record.isReduceOnly else { return record.leaves.quanta }
    let market = Int(record.instrument.index)
    return min(
      record.leaves.quanta,
      margin[record.account, market, record.positionSide].closable(by: record.side))
  }

  // MARK: Fills

  /// One side of a trade on a contract: position, wallet, record, history, news.
  mutating func bookContract(
    _ order: inout OrderRecord, _ role: LiquidityRole, _ trade: TradeID,
    _ counter: ExchangeOrderID, at price: Price, _ size: Quantity, _ now: Timestamp
  ) {
    let market = Int(order.instrument.index)
    guard let contract = markets[market].contract else { return }
    let asset = markets[market].settlement
    let rules = markets[market].rules
    let worth = contract.worth(size.quanta, at: price)
    let rate = role == .maker ? rules.makerFee : rules.takerFee
    var fee = markets[market].listing.fees.fee(on: worth, at: rate)
    if order.isLiquidation {
      let taken = contract.portion(worth, contract.terms.liquidationFee, up: true)
      margin.insurance[Int(asset.index)] += taken
      fee = taken
    } else {
      margin.fees[Int(asset.index)] += fee
    }
    let gained = move(
      order.account, market, order.positionSide, order.side, size.quanta, at: price, worth, contract
    )
    margin[order.account, market, order.positionSide].fees += fee
    margin.credit(gained - fee, of: asset, to: order.account)

    order.cumulative += size
    order.cumulativeValue += worth
    order.fee += fee
    order.modifiedAt = now
    order.leaves -= size
    if order.leaves == .zero { order.status = .filled }
    let execution = Execution(
      tradeID: trade, order: order.id, counterOrder: counter, account: order.account,
      instrument: order.instrument, side: order.side, role: role, price: price, quantity: size,
      value: worth, fee: fee, feeAsset: asset, label: order.label, time: now,
      positionSide: order.positionSide)
    accounts[Int(order.account.index)].executions.append(execution)
    events.append(order.isLiquidation ? .liquidation(execution, order) : .fill(execution, order))
    events.append(
      .position(
        order.account, order.instrument, order.positionSide,
        margin[order.account, market, order.positionSide]))
    margin.moved.append((order.account, market, order.positionSide))
  }

  /// Moves a position by a trade.
  ///
  /// - Parameter whole: what all of it is worth: what is opened is worth what closing leaves of that, so
  ///   that both sides of a trade count the same to the last digit.
  /// - Returns: what closing gained.
  private mutating func move(
    _ account: AccountID, _ market: Int, _ side: PositionSide, _ traded: Side, _ quanta: Int64,
    at price: Price, _ whole: Amount, _ contract: ContractArithmetic
  ) -> Amount {
    let setting = margin[account, market]
    var position = margin[account, market, side]
    let closing = min(position.closable(by: traded), quanta)
    var gained = Amount.zero
    var closed = Amount.zero
    if closing > 0 {
      let left = contract.share(
        of: position.paid, part: closing, whole: position.size, isLong: position.isLong)
      closed = contract.worth(closing, at: price)
      gained = contract.gain(closed, paid: left, isLong: position.isLong)
      position.isolated -=
        contract.portion(of: position.isolated, closing, position.size).floor
      position.paid -= left
      position.size -= closing
      position.realized += gained
    }
    let opening = quanta - closing
    if opening > 0 {
      let worth = whole - closed
      position.isLong = traded == .buy
      position.size += opening
      position.paid += worth
      if setting.mode == .isolated {
        position.isolated += contract.initial(worth, setting.leverage)
      }
    }
    margin[account, market, side] = position
    return gained
  }

  /// The outside market's side of a trade: what it would have gained were it flat.
  mutating func creditOutsideContract(
    _ side: Side, _ size: Quantity, at price: Price, _ market: Int
  ) {
    guard let contract = markets[market].contract else { return }
    let worth = contract.worth(size.quanta, at: price)
    // It did the opposite of `side`: bought what was sold to it.
    let pays = contract.gainsByWorth(isLong: side == .sell)
    margin.outside[Int(markets[market].settlement.index)] +=
      pays ? Amount(units: -worth.units) : worth
  }

  // MARK: Orders that only reduce

  /// Cuts the working orders that would reduce more than is left, and ends those that would reduce what is
  /// not there any more. A stop keeps its size until its trigger.
  mutating func trimReducing(at now: Timestamp) {
    while let (account, market, side) = margin.moved.popLast() {
      let position = margin[account, market, side]
      var slot = accounts[Int(account.index)].oldest
      while slot >= 0 {
        let record = slab[slot].record
        let next = slab[slot].accountNext
        if record.isReduceOnly, record.status == .open, Int(record.instrument.index) == market,
          record.positionSide == side
        {
          let closable = position.closable(by: record.side)
          if closable == 0 {
            _ = end(slot, .reduceOnly, at: now)
          } else if record.leaves.quanta > closable {
            let excess = record.leaves.quanta - closable
            slab[slot].record.cut(to: closable)
            slab[slot].record.modifiedAt = now
            let half = Int(record.side.rawValue)
            if let level = markets[market].clients[half].find(
              OutsideSide.key(of: record.price, on: record.side))
            {
              markets[market].clients[half][level].leaves -= excess
            }
            markets[market].markBook()
            events.append(.rested(slab[slot].record))
          }
        }
        slot = next
      }
    }
  }
}

extension OrderRecord {
  /// Makes less of what is left, and of the whole by as much.
  fileprivate mutating func cut(to left: Int64) {
    let excess = Quantity(quanta: leaves.quanta - left)
    quantity -= excess
    leaves -= excess
  }
}
