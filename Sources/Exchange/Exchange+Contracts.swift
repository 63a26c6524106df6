public import MartletBase
public import MartletModel

// Contracts: wallets, settings, marks, funding, and how they are looked at.
extension Exchange {
  // MARK: Accounts

  /// Brings money from outside into an account's margin wallet, which covers its contracts.
  ///
  /// - Returns: false when no listed instrument knows the asset; nothing changed then.
  public mutating func depositMargin(
    _ amount: Amount, of asset: InlineText, to account: AccountID
  ) -> Bool {
    guard amount >= .zero, let asset = self.asset(asset) else { return false }
    margin.deposit(amount, of: asset, to: account)
    margin.tellChanges(to: &events)
    return true
  }

  /// Sets leverage and margin mode of an account on a contract: with neither a position nor an order there.
  public mutating func setMargin(
    _ setting: MarginSetting, of account: AccountID, on instrument: InstrumentID, at now: Timestamp
  ) throws(OrderRefusal) {
    advance(to: now)
    let market = Int(instrument.index)
    guard market < markets.count, let contract = markets[market].contract else {
      throw .instrumentUnavailable
    }
    if margin[account, market] == setting { return }
    guard setting.leverage >= 1, contract.terms.mostValue(at: setting.leverage) != nil else {
      throw .leverage(most: contract.terms.brackets[0].maxLeverage)
    }
    guard !isInUse(account, market) else { throw .positionOrOrderOpen }
    margin[account, market] = setting
  }

  /// Gives an account a long and a short position in each contract, or one for both.
  public mutating func setHedged(
    _ isHedged: Bool, of account: AccountID, at now: Timestamp
  ) throws(OrderRefusal) {
    advance(to: now)
    if margin[isHedged: account] == isHedged { return }
    for market in markets.indices where markets[market].contract != nil && isInUse(account, market)
    {
      throw .positionOrOrderOpen
    }
    margin[isHedged: account] = isHedged
  }

  private func isInUse(_ account: AccountID, _ market: Int) -> Bool {
    for side in PositionSide.allCases where margin[account, market, side].size != 0 { return true }
    var isInUse = false
    forEachWorkingOrder(of: account) { isInUse = isInUse || Int($0.instrument.index) == market }
    return isInUse
  }

  // MARK: Marks and funding

  /// The price that a contract's positions are valued, funded and liquidated at is another from now on.
  /// Before the first nothing is traded on margin there.
  public mutating func setMark(_ price: Price, of instrument: InstrumentID, at now: Timestamp) {
    advance(to: now)
    takeMark(price, Int(instrument.index), at: now)
  }

  /// The rate of a contract's next funding. Each payment uses it up.
  public mutating func setFundingRate(_ rate: Rate, of instrument: InstrumentID, at now: Timestamp)
  {
    advance(to: now)
    markets[Int(instrument.index)].fundingRate = rate
  }

  /// Plays what of a contract is due: a row of its marks, or its funding.
  mutating func applyContract(_ market: Int, at due: Timestamp) {
    let index = markets[market].nextMark
    guard index < markets[market].marks.count, markets[market].marks[index].at == due else {
      return settleFunding(market, at: due)
    }
    let row = markets[market].marks[index]
    markets[market].nextMark += 1
    if let rate = row.fundingRate { markets[market].fundingRate = rate }
    if let mark = row.mark { takeMark(mark, market, at: due) }
  }

  mutating func takeMark(_ price: Price, _ market: Int, at now: Timestamp) {
    guard let contract = markets[market].contract, price.quanta > 0 else { return }
    if markets[market].mark == nil && contract.terms.fundingInterval > .zero {
      markets[market].fundingAt = next(contract.terms.fundingInterval, after: now)
    }
    guard markets[market].mark != price else { return }
    markets[market].mark = price
    markets[market].marked = price
    events.append(.mark(InstrumentID(UInt16(market)), price, at: now))
    liquidate(at: now)
    settleAll(at: now)
  }

  private mutating func settleAll(at now: Timestamp) {
    for market in markets.indices { settleCommand(InstrumentID(UInt16(market)), at: now) }
  }

  private func next(_ interval: TimeSpan, after now: Timestamp) -> Timestamp {
    let passed = now.nanoseconds / interval.nanoseconds
    return Timestamp(nanoseconds: (passed + 1) * interval.nanoseconds)
  }

  /// Longs pay shorts, or the reverse, on what their positions are worth at the mark.
  mutating func settleFunding(_ market: Int, at due: Timestamp) {
    guard let contract = markets[market].contract, let mark = markets[market].mark else { return }
    let instrument = InstrumentID(UInt16(market))
    markets[market].fundingAt = due + contract.terms.fundingInterval
    guard let rate = markets[market].fundingRate else {
      // Nobody said what it is: told, so that a simulation never takes it for zero in silence.
      events.append(.fundingMissing(instrument, at: due))
      return
    }
    markets[market].fundingRate = nil
    let asset = markets[market].settlement
    for index in 0..<margin.accountCount {
      let account = AccountID(UInt16(index))
      for side in PositionSide.allCases {
        let position = margin[account, market, side]
        if position.size == 0 { continue }
        let paid = contract.funding(
          contract.worth(position.size, at: mark), rate, isLong: position.isLong)
        margin[account, market, side].funding -= paid
        if margin[account, market].mode == .isolated {
          margin[account, market, side].isolated -= paid
        }
        margin.credit(Amount(units: -paid.units), of: asset, to: account)
        margin.fundingLeft[Int(asset.index)] += paid
        events.append(
          .funding(
            FundingPayment(
              account: account, instrument: instrument, positionSide: side,
              amount: Amount(units: -paid.units), rate: rate, mark: mark, dueAt: due)))
      }
    }
    liquidate(at: due)
    settleAll(at: due)
  }

  // MARK: Views

  public func margin(of account: AccountID, in asset: AssetID) -> ExchangeMargin {
    var figures = cover(of: account, in: asset)
    for market in markets.indices where markets[market].settlement == asset {
      guard let contract = markets[market].contract else { continue }
      for side in margin.sides(of: account) {
        let position = margin[account, market, side]
        figures.initial += need(
          contract, margin[account, market], position, standing(position, market).worth,
          working(account, market, side, but: nil))
      }
    }
    return figures
  }

  /// The same without what positions and orders must be begun with: what a liquidation is judged by.
  func cover(of account: AccountID, in asset: AssetID) -> ExchangeMargin {
    var figures = ExchangeMargin(wallet: margin.wallet(account, asset))
    for market in markets.indices where markets[market].settlement == asset {
      guard let contract = markets[market].contract else { continue }
      for side in margin.sides(of: account) {
        let position = margin[account, market, side]
        if position.size == 0 { continue }
        figures.isolated += position.isolated
        if margin[account, market].mode == .cross {
          let (worth, gain) = standing(position, market)
          figures.unrealized += gain
          figures.maintenance += contract.maintenance(worth)
        }
      }
    }
    return figures
  }

  public func position(
    of account: AccountID, in instrument: InstrumentID, side: PositionSide = .net
  ) -> ExchangePosition {
    margin[account, Int(instrument.index), side]
  }

  public func setting(of account: AccountID, on instrument: InstrumentID) -> MarginSetting {
    margin[account, Int(instrument.index)]
  }

  public func isHedged(_ account: AccountID) -> Bool { margin[isHedged: account] }
  public func markPrice(of instrument: InstrumentID) -> Price? {
    markets[Int(instrument.index)].mark
  }
  public func terms(of instrument: InstrumentID) -> ContractTerms? {
    markets[Int(instrument.index)].contract?.terms
  }

  /// What the insurance fund has of an asset; negative when it gave more than it took.
  public func insurance(of asset: AssetID) -> Amount { margin.insurance[Int(asset.index)] }
  public func marginFees(of asset: AssetID) -> Amount { margin.fees[Int(asset.index)] }

  /// What an asset's margin books add up to, and what was ever deposited in them: always the same.
  public func marginConservation(of asset: AssetID) -> (sum: Amount, deposited: Amount) {
    let index = Int(asset.index)
    var sum =
      margin.fees[index] + margin.insurance[index] + margin.fundingLeft[index]
      + margin.outside[index]
    for number in 0..<margin.accountCount {
      let account = AccountID(UInt16(number))
      sum += margin.wallet(account, asset)
      for market in markets.indices where markets[market].settlement == asset {
        guard let contract = markets[market].contract else { continue }
        for side in PositionSide.allCases {
          let position = margin[account, market, side]
          sum -=
            contract.gainsByWorth(isLong: position.isLong)
            ? position.paid : Amount(units: -position.paid.units)
        }
      }
    }
    return (sum, margin.deposited[index])
  }

  /// What a position is worth at the mark, and what closing it there would gain.
  func standing(_ position: ExchangePosition, _ market: Int) -> (worth: Amount, gain: Amount) {
    guard position.size != 0, let contract = markets[market].contract,
      let mark = markets[market].mark
    else { return (.zero, .zero) }
    let worth = contract.worth(position.size, at: mark)
    return (worth, contract.gain(worth, paid: position.paid, isLong: position.isLong))
  }

  /// What working orders that may add to a position are worth at their prices, and how much they are.
  ///
  /// - Parameter but: an order that is about to be replaced.
  func working(
    _ account: AccountID, _ market: Int, _ side: PositionSide, but: ExchangeOrderID?
  ) -> (buys: Amount, sells: Amount) {
    guard let contract = markets[market].contract else { return (.zero, .zero) }
    var sums = (buys: Amount.zero, sells: Amount.zero)
    var slot = accounts[Int(account.index)].oldest
    while slot >= 0 {
      let record = slab[slot].record
      slot = slab[slot].accountNext
      guard Int(record.instrument.index) == market, record.positionSide == side,
        record.status == .open, !record.isReduceOnly, record.id != but
      else { continue }
      let worth = contract.worth(record.leaves.quanta, at: record.price)
      if record.side == .buy { sums.buys += worth } else { sums.sells += worth }
    }
    return sums
  }

  /// What a position and its orders must be begun with, whichever side of the orders fills alone; an
  /// isolated position has its own already.
  func need(
    _ contract: ContractArithmetic, _ setting: MarginSetting, _ position: ExchangePosition,
    _ worth: Amount, _ works: (buys: Amount, sells: Amount)
  ) -> Amount {
    let most = reach(position, worth, works)
    return contract.initial(
      setting.mode == .isolated ? most - worth : most, setting.leverage)
  }

  /// The most that a position could be worth when the orders of one side fill and the others do not.
  private func reach(
    _ position: ExchangePosition, _ worth: Amount, _ works: (buys: Amount, sells: Amount)
  ) -> Amount {
    let (more, less) = position.isLong ? (works.buys, works.sells) : (works.sells, works.buys)
    let grown = worth + more
    // Turned round, it is as large as what the orders have more.
    let turned = less > worth ? less - worth : worth - less
    return max(grown, turned)
  }

  // MARK: An order's margin

  /// Checks that an order is covered.
  ///
  /// - Parameter worth: of the order at the prices that it may trade at.
  func checkMargin(
    _ order: NewOrder, _ quantity: Int64, _ worth: Amount, but: ExchangeOrderID?
  ) throws(OrderRefusal) {
    let market = Int(order.instrument.index)
    guard let contract = markets[market].contract, let mark = markets[market].mark else {
      throw .noMarkPrice
    }
    let setting = margin[order.account, market]
    let position = margin[order.account, market, order.positionSide]
    let held = standing(position, market).worth
    let before = working(order.account, market, order.positionSide, but: but)
    var after = before
    if order.side == .buy { after.buys += worth } else { after.sells += worth }
    let growth =
      need(contract, setting, position, held, after)
      - need(contract, setting, position, held, before)
    guard growth > .zero else { return }
    // Only the side that the order is on: the other may be larger, and is not made so by it.
    var own = after
    if order.side == .buy { own.sells = .zero } else { own.buys = .zero }
    let isAway = position.size != 0 && position.isLong == (order.side == .buy)
    let added = order.side == .buy ? own.buys : own.sells
    let exposure = isAway ? held + added : (added > held ? added - held : held - added)
    guard let most = contract.terms.mostValue(at: setting.leverage), exposure <= most else {
      throw .leverage(most: setting.leverage)
    }
    let atMark = contract.worth(quantity, at: mark)
    let gain = contract.gain(atMark, paid: worth, isLong: order.side == .buy)
    let rules = markets[market].rules
    let fee = contract.portion(worth, max(rules.takerFee, .zero), up: true)
    let needed = growth + (gain < .zero ? Amount(units: -gain.units) : .zero) + fee
    let asset = markets[market].settlement
    var free = margin(of: order.account, in: asset).free
    if let but, let slot = slab.find(but), !slab[slot].record.isReduceOnly {
      // What the order that this one replaces releases.
      let with = working(order.account, market, order.positionSide, but: nil)
      free +=
        need(contract, setting, position, held, with)
        - need(contract, setting, position, held, before)
    }
    guard needed <= free else {
      throw .insufficientMargin(asset: asset, needed: needed, free: free)
    }
  }

  /// What taking `quanta` now would be worth, level by level; what the book does not reach at its last.
  func takingWorth(_ quanta: Int64, _ side: Side, _ market: Int) -> Amount {
    guard let contract = markets[market].contract else { return .zero }
    var rest = quanta
    var worth = Amount.zero
    var last = Price(quanta: 0)
    markets[market].forEachLevel(side.opposite) { key, shown in
      last = OutsideSide.price(of: key, on: side.opposite)
      let taken = min(rest, shown)
      worth += contract.worth(taken, at: last)
      rest -= taken
      return rest > 0
    }
    if rest > 0 && last.quanta > 0 { worth += contract.worth(rest, at: last) }
    return worth
  }
}
