import MartletBase
import MartletExchange
import MartletModel
import Testing

/// Clients alone, without an outside market.
@Suite struct MatchingTests {
  private func exchange(
    _ change: (inout ExchangeConfiguration) -> Void = { _ in }
  ) throws -> Exchange {
    var configuration = ExchangeConfiguration()
    change(&configuration)
    return Exchange(configuration: configuration, listings: [try .coin()])
  }

  @Test func aRestingOrderFreezesExactlyWhatItNeeds() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "1", cash: "100")
    let bid = try exchange.limit(ann, .buy, 1_500_000, at: 3_333)
    #expect(bid.status == .open)
    #expect(exchange.money(ann).cash.frozen == (try Amount("49.995")))
    #expect(exchange.money(ann).cash.available == (try Amount("50.005")))
    let ask = try exchange.limit(ann, .sell, 400_000, at: 5_000)
    #expect(exchange.money(ann).coin.frozen == (try Amount("0.4")))
    #expect(exchange.depth(.buy) == [[3_333, 1_500_000]])
    #expect(exchange.depth(.sell) == [[5_000, 400_000]])
    try exchange.cancel(bid.id, of: ann, at: .zero)
    try exchange.cancel(ask.id, of: ann, at: .zero)
    #expect(exchange.money(ann).cash == balance(ann, "CASH", "100"))
    #expect(exchange.money(ann).coin == balance(ann, "COIN", "1"))
    #expect(throws: OrderRefusal.notFound) {
      var other = try self.exchange()
      _ = try other.cancel(bid.id, of: AccountID(0), at: .zero)
    }
  }

  private func balance(_ account: AccountID, _ asset: InlineText, _ text: String) -> Balance {
    Balance(
      account: account, asset: asset, available: (try? Amount(text)) ?? .zero, frozen: .zero)
  }

  @Test("an order rests, is filled in part, then whole; its events tell each step")
  func ordersFillInParts() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "0", cash: "1000")
    let bob = try exchange.account(coin: "10", cash: "0")
    let bid = try exchange.limit(ann, .buy, 1_000_000, at: 10_000)
    var events = exchange.take()
    #expect(events.count == 4)
    guard case .accepted = events[0], case .rested(let rested) = events[1],
      case .balance(let cash, _) = events[2], case .book = events[3]
    else {
      Issue.record("\(events)")
      return
    }
    #expect(rested.leaves == Quantity(quanta: 1_000_000))
    #expect(cash.frozen == (try Amount("100")))

    _ = try exchange.limit(bob, .sell, 400_000, at: 9_900)
    events = exchange.take()
    let fills = events.compactMap { event -> (Execution, OrderRecord)? in
      if case .fill(let execution, let order) = event { (execution, order) } else { nil }
    }
    // The trade is at the resting order's price; the taker is told first.
    #expect(fills.count == 2)
    #expect(fills.map(\.0.price.quanta) == [10_000, 10_000])
    #expect(fills.map(\.0.role) == [.taker, .maker])
    #expect(fills[0].0.tradeID == fills[1].0.tradeID)
    #expect(fills[0].1.status == .filled)
    #expect(fills[1].1.status == .open)
    #expect(fills[1].1.leaves == Quantity(quanta: 600_000))
    #expect(fills[1].0.counterOrder == fills[0].0.order)
    #expect(exchange.depth(.buy) == [[10_000, 600_000]])
    #expect(exchange.depth(.sell).isEmpty)

    _ = try exchange.limit(bob, .sell, 600_000, at: 10_000)
    let done = exchange.finished(ann)[0]
    #expect(done.id == bid.id)
    #expect(done.status == .filled && done.cumulative == Quantity(quanta: 1_000_000))
    #expect(done.cumulativeValue == (try Amount("100")))
    #expect(exchange.working(ann).isEmpty)
    exchange.expectConserved()
  }

  @Test func aBuyerPaysItsFeeInBaseAndASellerInQuoteRoundedUp() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "0", cash: "1000")
    let bob = try exchange.account(coin: "10", cash: "0")
    _ = try exchange.limit(ann, .buy, 333_333, at: 12_345)
    _ = try exchange.limit(bob, .sell, 333_333, at: 12_345)
    // 0.333333 × 0.001 = 0.000333333, at eight places up.
    let bought = exchange.executions(ann)[0]
    #expect(bought.fee == (try Amount("0.00033334")))
    #expect(exchange.name(of: bought.feeAsset) == "COIN")
    #expect(exchange.money(ann).coin.available == (try Amount("0.33299966")))
    // 0.333333 × 123.45 = 41.14995885, × 0.001 = 0.04114995885, at eight places up.
    let sold = exchange.executions(bob)[0]
    #expect(sold.fee == (try Amount("0.04114996")))
    #expect(exchange.name(of: sold.feeAsset) == "CASH")
    #expect(exchange.money(bob).cash.available == (try Amount("41.10880889")))
    #expect(exchange.feesTaken(of: AssetID(0)) == bought.fee)
    #expect(exchange.feesTaken(of: AssetID(1)) == sold.fee)
    exchange.expectConserved()
  }

  @Test func aFeeNeverExceedsWhatATradeBringsIn() {
    let policy = FeePolicy(places: DecimalPlaces(2))
    let dust = Amount(units: 5)
    #expect(policy.fee(on: dust, at: Rate(units: 10_000_000)) == dust)
    // A rebate rounds towards less of it.
    let rebate = policy.fee(on: Amount(units: powerOfTen(20)), at: Rate(units: -155_000_000))
    #expect(rebate == Amount(units: -powerOfTen(18)))
  }

  @Test func aBetterPriceThanAskedFreesTheDifference() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "0", cash: "1000")
    let bob = try exchange.account(coin: "10", cash: "0")
    _ = try exchange.limit(bob, .sell, 500_000, at: 10_000)
    _ = try exchange.limit(bob, .sell, 500_000, at: 10_100)
    let bid = try exchange.limit(ann, .buy, 2_000_000, at: 11_000)
    // 0.5 at 100 and 0.5 at 101 are paid; 1.0 at 110 stays frozen.
    #expect(bid.cumulativeValue == (try Amount("100.5")))
    #expect(exchange.money(ann).cash.frozen == (try Amount("110")))
    #expect(exchange.money(ann).cash.available == (try Amount("789.5")))
    exchange.expectConserved()
  }

  @Test func refusalsNameTheRuleAndChangeNothing() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "1", cash: "10")
    func refusal(_ order: NewOrder) -> OrderRefusal? {
      do {
        _ = try exchange.place(order, at: .zero)
        return nil
      } catch { return error }
    }
    func order(
      _ side: Side = .buy, _ quantity: Int64 = 1_000, at price: Int64 = 100,
      kind: OrderKind = .limit
    ) -> NewOrder {
      NewOrder(
        account: ann, instrument: InstrumentID(0), side: side, kind: kind,
        size: .base(Quantity(quanta: quantity)), price: Price(quanta: price))
    }
    #expect(refusal(order(.buy, 0)) == .quantityNotPositive)
    #expect(refusal(order(.buy, 5)) == .belowMinQuantity(Quantity(quanta: 10)))
    #expect(refusal(order(at: 0)) == .priceNotPositive)
    #expect(
      refusal(order(.buy, 1_000_000, at: 2_000))
        == .insufficientBalance(
          asset: AssetID(1), needed: try Amount("20"), available: try Amount("10")))
    #expect(
      refusal(order(.sell, 1_000_001))
        == .insufficientBalance(
          asset: AssetID(0), needed: try Amount("1.000001"), available: try Amount("1")))
    #expect(refusal(order(kind: .market)) == .noLiquidity)
    #expect(refusal(order(.sell, kind: .stopLimit)) == .triggerOffTick(tick: Price(quanta: 1)))
    var both = order()
    both.isPostOnly = true
    both.isImmediate = true
    #expect(refusal(both) == .invalidCombination)
    var foreign = order()
    foreign.instrument = InstrumentID(7)
    #expect(refusal(foreign) == .instrumentUnavailable)
    var spend = order(kind: .market)
    spend.side = .sell
    spend.size = .quote(try Amount("5"))
    #expect(refusal(spend) == .invalidCombination)
    #expect(exchange.events.isEmpty)
    #expect(exchange.working(ann).isEmpty)
    #expect(exchange.money(ann).cash == balance(ann, "CASH", "10"))
  }

  @Test func rulesOfTickLotMinimumAndMaximumAreKept() throws {
    let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
    var coin = Instrument.coin(scale: scale)
    coin.rules.tickSize = 5
    coin.rules.lotStep = 100
    coin.rules.minNotional = try Amount("5")
    coin.rules.maxNotional = try Amount("50")
    var exchange = Exchange(
      configuration: ExchangeConfiguration(),
      listings: [Listing(instrument: coin, fees: FeePolicy(places: DecimalPlaces(8)))])
    let ann = try exchange.account()
    func refusal(_ quantity: Int64, _ price: Int64) -> OrderRefusal? {
      do {
        _ = try exchange.limit(ann, .buy, quantity, at: price)
        return nil
      } catch { return error }
    }
    #expect(refusal(100_000, 10_001) == .priceOffTick(tick: Price(quanta: 5)))
    #expect(refusal(100_050, 10_000) == .quantityOffLot(lot: Quantity(quanta: 100)))
    #expect(refusal(49_900, 10_000) == .belowMinNotional(try Amount("5")))
    #expect(refusal(500_100, 10_000) == .aboveMaxNotional(try Amount("50")))
    #expect(refusal(50_000, 10_000) == nil)
    #expect(refusal(500_000, 10_000) == nil)
  }

  @Test func aPostOnlyOrderThatWouldTradeIsRefused() throws {
    var exchange = try exchange()
    let ann = try exchange.account()
    let bob = try exchange.account()
    _ = try exchange.limit(bob, .sell, 1_000, at: 10_000)
    #expect(throws: OrderRefusal.postOnlyWouldTake) {
      var exchange = try self.exchange()
      let ann = try exchange.account()
      _ = try exchange.limit(ann, .sell, 1_000, at: 10_000)
      _ = try exchange.limit(ann, .buy, 1_000, at: 10_000, postOnly: true)
    }
    let bid = try exchange.limit(ann, .buy, 1_000, at: 9_999, postOnly: true)
    #expect(bid.status == .open && bid.cumulative == .zero)
  }

  @Test func anImmediateOrderLeavesNothingBehind() throws {
    var exchange = try exchange()
    let ann = try exchange.account()
    let bob = try exchange.account()
    _ = try exchange.limit(bob, .sell, 1_000, at: 10_000)
    let part = try exchange.limit(ann, .buy, 1_500, at: 10_000, immediate: true)
    #expect(part.status == .canceled && part.reason == .immediateRest)
    #expect(part.cumulative == Quantity(quanta: 1_000) && part.leaves == Quantity(quanta: 500))
    let none = try exchange.limit(ann, .buy, 1_500, at: 10_000, immediate: true)
    #expect(none.status == .canceled && none.cumulative == .zero)
    #expect(exchange.money(ann).cash.frozen == .zero)
    #expect(exchange.working(ann).isEmpty)
    exchange.expectConserved()
  }

  @Test func aMarketBuySpendsAnAmountOfQuoteInWholeLots() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "0", cash: "100")
    let bob = try exchange.account(coin: "10", cash: "0")
    _ = try exchange.limit(bob, .sell, 300_000, at: 10_000)
    _ = try exchange.limit(bob, .sell, 5_000_000, at: 12_000)
    exchange.removeAllEvents()
    let order = try exchange.place(
      NewOrder(
        account: ann, instrument: InstrumentID(0), side: .buy, kind: .market,
        size: .quote(try Amount("50"))), at: .zero)
    // 0.3 at 100 is 30; 20 buys 0.166666 at 120 for 19.99992, and 0.00008 buys no lot.
    #expect(order.status == .filled)
    #expect(order.cumulative == Quantity(quanta: 466_666))
    #expect(order.cumulativeValue == (try Amount("49.99992")))
    #expect(order.budgetLeft == (try Amount("0.00008")))
    #expect(exchange.money(ann).cash.available == (try Amount("50.00008")))
    #expect(
      exchange.take().contains {
        if case .completed(let record) = $0 { record.id == order.id } else { false }
      })
    // By base, and more than there is: what there was, then canceled.
    let rest = try exchange.place(
      NewOrder(
        account: bob, instrument: InstrumentID(0), side: .buy, kind: .market,
        size: .base(Quantity(quanta: 100_000))), at: .zero)
    #expect(rest.status == .filled)
    exchange.expectConserved()
  }

  @Test func aMarketOrderThatEmptiesTheBookIsCanceledWithTheRest() throws {
    var exchange = try exchange()
    let ann = try exchange.account()
    let bob = try exchange.account()
    _ = try exchange.limit(bob, .buy, 300_000, at: 10_000)
    let order = try exchange.place(
      NewOrder(
        account: ann, instrument: InstrumentID(0), side: .sell, kind: .market,
        size: .base(Quantity(quanta: 400_000))), at: .zero)
    #expect(order.status == .canceled && order.reason == .noLiquidity)
    #expect(order.cumulative == Quantity(quanta: 300_000))
    #expect(exchange.money(ann).coin.frozen == .zero)
  }

  @Test(arguments: [
    SelfTradeMode.allow, .cancelBoth, .cancelNew, .cancelOld,
  ])
  func selfTradeModesDoAsTheySay(mode: SelfTradeMode) throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "10", cash: "1000")
    let bob = try exchange.account()
    let own = try exchange.limit(ann, .sell, 1_000, at: 10_000)
    _ = try exchange.limit(bob, .sell, 1_000, at: 10_000)
    let incoming = try exchange.limit(ann, .buy, 1_500, at: 10_000, selfTrade: mode)
    let resting = exchange.workingOrder(own.id, of: ann)
    switch mode {
    case .allow:
      #expect(incoming.status == .filled)
      #expect(resting == nil && exchange.executions(ann).count == 3)
    case .cancelBoth:
      #expect(incoming.status == .canceled && incoming.reason == .selfTrade)
      #expect(resting == nil && exchange.executions(ann).isEmpty)
    case .cancelNew:
      #expect(incoming.status == .canceled && incoming.cumulative == .zero)
      #expect(resting?.leaves == Quantity(quanta: 1_000))
    case .cancelOld:
      #expect(resting == nil)
      #expect(incoming.cumulative == Quantity(quanta: 1_000))
      #expect(exchange.executions(bob).count == 1)
      #expect(exchange.depth(.buy) == [[10_000, 500]])
    }
    exchange.expectConserved()
  }

  @Test func aModifiedOrderHasANewNumberAndTheBackOfTheQueue() throws {
    var exchange = try exchange()
    let ann = try exchange.account()
    let bob = try exchange.account()
    let first = try exchange.limit(ann, .buy, 1_000, at: 10_000)
    let second = try exchange.limit(bob, .buy, 1_000, at: 10_000)
    exchange.removeAllEvents()
    let changed = try exchange.modify(
      first.id, of: ann, OrderChange(size: .base(Quantity(quanta: 2_000))), at: .zero)
    #expect(changed.id > second.id && changed.leaves == Quantity(quanta: 2_000))
    let told = exchange.take()
    guard case .canceled(let old) = told[0], case .accepted = told[1],
      case .rested(let new) = told[2]
    else {
      Issue.record("\(told)")
      return
    }
    #expect(old.id == first.id && old.reason == .replaced && new.id == changed.id)
    _ = try exchange.limit(ann, .sell, 1_000, at: 10_000)
    #expect(exchange.executions(bob).count == 1)
    #expect(exchange.workingOrder(changed.id, of: ann)?.leaves == Quantity(quanta: 2_000))
    exchange.expectConserved()
  }

  @Test func aModifyThatIsRefusedLeavesTheOrderAsItWas() throws {
    var exchange = try exchange()
    let ann = try exchange.account(coin: "0", cash: "150")
    let bid = try exchange.limit(ann, .buy, 1_000_000, at: 10_000)
    exchange.removeAllEvents()
    var refusals: [OrderRefusal] = []
    for change in [
      OrderChange(price: Price(quanta: 20_000)), OrderChange(),
      OrderChange(trigger: Price(quanta: 1)),
    ] {
      do { _ = try exchange.modify(bid.id, of: ann, change, at: .zero) } catch {
        refusals.append(error)
      }
    }
    #expect(
      refusals == [
        .insufficientBalance(
          asset: AssetID(1), needed: try Amount("200"), available: try Amount("150")),
        .nothingToChange, .invalidCombination,
      ])
    #expect(exchange.events.isEmpty)
    #expect(exchange.workingOrder(bid.id, of: ann) == bid)
    // What the old order holds counts: 150 at 150 needs all of it.
    let changed = try exchange.modify(
      bid.id, of: ann, OrderChange(price: Price(quanta: 15_000)), at: .zero)
    #expect(changed.reserved == (try Amount("150")))
  }

  @Test func cancelAllEndsTheOldestFirst() throws {
    var exchange = try exchange()
    let ann = try exchange.account()
    var ids: [ExchangeOrderID] = []
    for price in [10_000, 9_000, 11_000] {
      ids.append(try exchange.limit(ann, .buy, 1_000, at: Int64(price)).id)
    }
    exchange.removeAllEvents()
    exchange.cancelAll(of: ann, reason: .deadMan, at: .zero)
    let ended = exchange.take().compactMap { event -> ExchangeOrderID? in
      if case .canceled(let record) = event, record.reason == .deadMan { record.id } else { nil }
    }
    #expect(ended == ids)
    #expect(exchange.depth(.buy).isEmpty && exchange.working(ann).isEmpty)
  }

  @Test func aStopWaitsForATradeAtItsTrigger() throws {
    var exchange = try exchange()
    let ann = try exchange.account()
    let bob = try exchange.account()
    func trade(at price: Int64) throws {
      _ = try exchange.limit(bob, .sell, 1_000, at: price)
      _ = try exchange.limit(bob, .buy, 1_000, at: price)
    }
    func stop(_ side: Side, _ kind: OrderKind, trigger: Int64, price: Int64 = 0) throws
      -> OrderRecord
    {
      try exchange.place(
        NewOrder(
          account: ann, instrument: InstrumentID(0), side: side, kind: kind,
          size: .base(Quantity(quanta: 1_000)), price: Price(quanta: price),
          trigger: Price(quanta: trigger),
          condition: side == .buy ? .atOrAbove : .atOrBelow), at: .zero)
    }
    #expect(throws: OrderRefusal.noLastPrice) {
      var fresh = try self.exchange()
      let ann = try fresh.account()
      _ = try fresh.place(
        NewOrder(
          account: ann, instrument: InstrumentID(0), side: .buy, kind: .stopLimit,
          size: .base(Quantity(quanta: 1_000)), price: Price(quanta: 5), trigger: Price(quanta: 5)),
        at: .zero)
    }
    try trade(at: 10_000)
    let up = try stop(.buy, .stopLimit, trigger: 10_500, price: 10_400)
    let down = try stop(.sell, .stopMarket, trigger: 9_500)
    #expect(up.status == .waiting)
    #expect(exchange.money(ann).cash.frozen == (try Amount("0.104")))
    #expect(exchange.depth(.buy).isEmpty)
    try trade(at: 10_499)
    #expect(exchange.workingOrder(up.id, of: ann)?.status == .waiting)
    exchange.removeAllEvents()
    try trade(at: 10_500)
    // Its own limit is below the market: triggered, it rests under the same number.
    #expect(exchange.workingOrder(up.id, of: ann)?.isTriggered == true)
    #expect(exchange.depth(.buy) == [[10_400, 1_000]])
    // The stop to sell meets the resting bid of its own account, which is allowed by default.
    _ = try exchange.limit(bob, .buy, 500, at: 9_400)
    _ = try exchange.limit(bob, .sell, 1_000, at: 10_400)
    try trade(at: 9_500)
    #expect(exchange.finished(ann).first?.id == down.id)
    #expect(exchange.finished(ann).first?.status == .canceled)
    #expect(exchange.finished(ann).first?.cumulative == Quantity(quanta: 500))
    let waiting = try stop(.sell, .stopLimit, trigger: 9_000, price: 8_900)
    #expect(exchange.money(ann).coin.frozen == (try Amount("0.001")))
    try exchange.cancel(waiting.id, of: ann, at: .zero)
    #expect(exchange.money(ann).coin.frozen == .zero)
    exchange.expectConserved()
  }

  @Test func whatAnAccountMayHoldIsBounded() throws {
    var exchange = try exchange {
      $0.maximumWorkingOrdersPerAccount = 3
      $0.historyPerAccount = 4
      $0.maximumAccounts = 1
    }
    let ann = try exchange.account()
    let second = exchange.addAccount()
    #expect(second == nil)
    for price in 1...3 { _ = try exchange.limit(ann, .buy, 1_000, at: Int64(price)) }
    var refusal: OrderRefusal?
    do { _ = try exchange.limit(ann, .buy, 1_000, at: 4) } catch { refusal = error }
    #expect(refusal == .tooManyOrders(limit: 3))
    exchange.cancelAll(of: ann, at: .zero)
    for price in 1...3 {
      let order = try exchange.limit(ann, .buy, 1_000, at: Int64(price))
      try exchange.cancel(order.id, of: ann, at: .zero)
    }
    // The newest first; the two oldest are forgotten.
    #expect(exchange.finished(ann).map(\.price.quanta) == [3, 2, 1, 3])
  }

  @Test func clientLabelsHoldSixtyFourBytes() throws {
    let long = String(repeating: "a", count: 40) + "-end"
    let label = try #require(ClientLabel(long))
    #expect(label.description == long)
    #expect(ClientLabel(String(repeating: "b", count: 64)) != nil)
    #expect(ClientLabel(String(repeating: "b", count: 65)) == nil)
    #expect(ClientLabel().isEmpty)
  }
}
