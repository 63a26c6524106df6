internal import MartletBase
internal import MartletModel

// Positions that are not covered any more. Looked at whenever a mark moves and after each funding.
//
// An account's orders on what is not covered end first. Then positions are closed, the one that must be
// covered by most first, until the rest is covered: each by an order at the price where its cover is used
// up, against the book, at the liquidation fee; what the book does not take the insurance fund takes over
// at that price. What the account then still owes the fund pays.
extension Exchange {
  mutating func liquidate(at now: Timestamp) {
    for index in 0..<margin.accountCount {
      let account = AccountID(UInt16(index))
      for market in markets.indices where markets[market].contract != nil {
        if margin[account, market].mode == .isolated { liquidateIsolated(account, market, at: now) }
      }
      for asset in 0..<margin.assetCount {
        liquidateCross(account, AssetID(UInt16(asset)), at: now)
      }
    }
  }

  private mutating func liquidateIsolated(_ account: AccountID, _ market: Int, at now: Timestamp) {
    for side in margin.sides(of: account) {
      let position = margin[account, market, side]
      guard position.size > 0, let contract = markets[market].contract else { continue }
      let (worth, gain) = standing(position, market)
      guard position.isolated + gain <= contract.maintenance(worth) else { continue }
      endOrders(of: account, in: markets[market].settlement, market, now)
      let before = margin.wallet(account, markets[market].settlement)
      close(account, market, side, cover: position.isolated, at: now)
      // It can lose what was set aside for it, and no more.
      let lost = before - margin.wallet(account, markets[market].settlement)
      if lost > position.isolated {
        insure(lost - position.isolated, account, markets[market].settlement, at: now)
      }
    }
  }

  private mutating func liquidateCross(_ account: AccountID, _ asset: AssetID, at now: Timestamp) {
    var hasEnded = false
    while true {
      let figures = cover(of: account, in: asset)
      guard figures.maintenance > .zero, figures.equity <= figures.maintenance else { break }
      if !hasEnded {
        hasEnded = true
        endOrders(of: account, in: asset, nil, now)
      }
      var worst: (market: Int, side: PositionSide, need: Amount, gain: Amount)?
      for market in markets.indices where markets[market].settlement == asset {
        guard let contract = markets[market].contract, margin[account, market].mode == .cross else {
          continue
        }
        for side in margin.sides(of: account) where margin[account, market, side].size > 0 {
          let (worth, gain) = standing(margin[account, market, side], market)
          let need = contract.maintenance(worth)
          if need > worst?.need ?? Amount(units: -1) { worst = (market, side, need, gain) }
        }
      }
      guard let worst else { break }
      close(account, worst.market, worst.side, cover: figures.equity - worst.gain, at: now)
    }
    if hasEnded {
      let figures = cover(of: account, in: asset)
      let left = figures.wallet - figures.isolated
      if left < .zero && figures.maintenance == .zero {
        insure(Amount(units: -left.units), account, asset, at: now)
      }
    }
  }

  /// Ends an account's orders on contracts of one settlement asset.
  ///
  /// - Parameter only: the contract that is meant; all when nil.
  private mutating func endOrders(
    of account: AccountID, in asset: AssetID, _ only: Int?, _ now: Timestamp
  ) {
    var slot = accounts[Int(account.index)].oldest
    while slot >= 0 {
      let next = slab[slot].accountNext
      let market = Int(slab[slot].record.instrument.index)
      if markets[market].contract != nil && markets[market].settlement == asset
        && (only ?? market) == market
      {
        _ = end(slot, .liquidation, at: now)
      }
      slot = next
    }
  }

  private mutating func insure(
    _ amount: Amount, _ account: AccountID, _ asset: AssetID, at now: Timestamp
  ) {
    margin.insurance[Int(asset.index)] -= amount
    margin.credit(amount, of: asset, to: account)
    events.append(.insured(account, asset, amount, at: now))
  }

  /// Closes one position whole, whatever there is to trade with.
  ///
  /// - Parameter cover: what there is beside it.
  private mutating func close(
    _ account: AccountID, _ market: Int, _ side: PositionSide, cover: Amount, at now: Timestamp
  ) {
    guard let contract = markets[market].contract, let mark = markets[market].mark else { return }
    let position = margin[account, market, side]
    let order: Side = position.isLong ? .sell : .buy
    let price =
      contract.bankruptcyPrice(
        position.size, paid: position.paid, cover: cover, isLong: position.isLong,
        tick: markets[market].rules.tickSize) ?? mark
    let size = Quantity(quanta: position.size)
    var record = OrderRecord(
      id: ExchangeOrderID(nextOrder), account: account,
      instrument: InstrumentID(UInt16(market)), side: order, kind: .limit, isPostOnly: false,
      isImmediate: true, isReduceOnly: true, positionSide: side, triggerSource: .last,
      selfTrade: .allow, condition: .atOrAbove, status: .open, reason: .none, isTriggered: false,
      isSizedInQuote: false, label: ClientLabel(), mark: 0, price: price,
      trigger: Price(quanta: 0), quantity: size, leaves: size, budget: .zero, budgetLeft: .zero,
      cumulative: .zero, cumulativeValue: .zero, fee: .zero,
      feeAsset: markets[market].settlement, reserved: .zero, createdAt: now, modifiedAt: now)
    record.isLiquidation = true
    nextOrder += 1
    match(&record, at: now)
    if record.leaves > .zero {
      // Nobody took it: the fund does, off the tape, at the price where the holder has nothing left.
      let rest = record.leaves
      let trade = TradeID(low: nextTrade)
      nextTrade += 1
      bookContract(&record, .taker, trade, ExchangeOrderID(0), at: price, rest, now)
      creditOutsideContract(order, rest, at: price, market)
    }
    finish(record)
  }
}
