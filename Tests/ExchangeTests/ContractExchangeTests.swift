import MartletBase
import MartletExchange
import MartletModel
import Testing

/// Contracts on the exchange, each number worked by hand beside it.
@Suite struct ContractExchangeTests {
  private func amount(_ text: String) -> Amount {
    do { return try Amount(text) } catch { preconditionFailure("\(text) is no amount") }
  }
  private func mark(_ tenths: Int64, _ exchange: inout Exchange, at seconds: Int64 = 0) {
    exchange.setMark(
      Price(quanta: tenths), of: InstrumentID(0), at: Timestamp(milliseconds: seconds * 1_000))
  }

  @Test("M16: a trade opens two positions, and what one gains by closing the other loses")
  func aTrade() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("10000")
    let bob = try exchange.trader("10000")
    mark(600_000, &exchange)
    // 0.1 at 60,000 = 6,000: the maker pays 0.02 % = 1.2, the taker 0.05 % = 3.
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    _ = try exchange.order(bob, .buy, 100, at: 600_000)
    #expect(exchange.held(ann).net.quanta == -100 && exchange.held(bob).net.quanta == 100)
    #expect(exchange.held(bob).paid == amount("6000"))
    #expect(exchange.wallet(ann) == amount("9998.8"))
    #expect(exchange.wallet(bob) == amount("9997"))
    let figures = exchange.margin(of: bob, in: AssetID(1))
    #expect(figures.initial == amount("600") && figures.maintenance == amount("30"))
    // At 61,000: 100 gained less 3.05, 100 lost and 1.22 more.
    _ = try exchange.order(ann, .buy, 100, at: 610_000)
    _ = try exchange.order(bob, .sell, 100)
    #expect(exchange.wallet(bob) == amount("10093.95"))
    #expect(exchange.wallet(ann) == amount("9897.58"))
    #expect(exchange.marginFees(of: AssetID(1)) == amount("8.47"))
    #expect(exchange.held(ann).size == 0 && exchange.held(bob).size == 0)
    exchange.expectMarginConserved()
  }

  @Test("M16: an inverse trade is paid for in base")
  func anInverseTrade() throws {
    var exchange = Exchange.contracts([try .contract(.inverse)])
    let ann = try exchange.trader("1", of: "BTC")
    let bob = try exchange.trader("1", of: "BTC")
    mark(500_000, &exchange)
    // 10,000 USD at 50,000 = 0.2 BTC; fees 0.00004 and 0.0001.
    _ = try exchange.order(ann, .sell, 10_000, at: 500_000)
    _ = try exchange.order(bob, .buy, 10_000)
    // At 40,000 they are 0.25: 0.05 lost and 0.05 × 0.25 % … 0.000125 and 0.00005 of fees.
    mark(400_000, &exchange)
    #expect(exchange.margin(of: bob, in: AssetID(0)).unrealized == amount("-0.05"))
    _ = try exchange.order(ann, .buy, 10_000, at: 400_000)
    _ = try exchange.order(bob, .sell, 10_000)
    #expect(exchange.wallet(bob, "BTC") == amount("0.949775"))
    #expect(exchange.wallet(ann, "BTC") == amount("1.04991"))
    exchange.expectMarginConserved()
  }

  @Test("M59: an order that is not covered is refused with what it needs and what is free")
  func margin() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("10000")
    #expect(throws: OrderRefusal.noMarkPrice) { _ = try exchange.order(ann, .buy, 1, at: 600_000) }
    mark(600_000, &exchange)
    let (needed, free) = (amount("10003.77"), amount("10000"))
    // 1.659 × 60,000 = 99,540: 9,954 and a taker's 49.77.
    #expect(
      throws: OrderRefusal.insufficientMargin(asset: AssetID(1), needed: needed, free: free)
    ) { _ = try exchange.order(ann, .buy, 1_659, at: 600_000) }
    let order = try exchange.order(ann, .buy, 1_658, at: 600_000)
    // A sell as large needs nothing: only one of both can fill from here.
    _ = try exchange.order(ann, .sell, 1_600, at: 610_000)
    #expect(throws: OrderRefusal.self) { _ = try exchange.order(ann, .buy, 10, at: 600_000) }
    // In its own place it may be as large again.
    _ = try exchange.modify(
      order.id, of: ann, OrderChange(price: Price(quanta: 599_000)), at: .zero)
    #expect(throws: OrderRefusal.leverage(most: 100)) {
      try exchange.setMargin(
        MarginSetting(leverage: 101), of: ann, on: InstrumentID(0), at: .zero)
    }
    #expect(throws: OrderRefusal.positionOrOrderOpen) {
      try exchange.setMargin(MarginSetting(leverage: 5), of: ann, on: InstrumentID(0), at: .zero)
    }
  }

  @Test("M58: what only reduces is cut to what is there, and ends with it")
  func reduceOnly() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("100000")
    let bob = try exchange.trader("100000")
    mark(600_000, &exchange)
    #expect(throws: OrderRefusal.nothingToReduce) {
      _ = try exchange.order(ann, .sell, 10, at: 610_000, reduce: true)
    }
    _ = try exchange.order(bob, .sell, 100, at: 600_000)
    _ = try exchange.order(ann, .buy, 100)
    #expect(throws: OrderRefusal.nothingToReduce) {
      _ = try exchange.order(ann, .buy, 10, at: 590_000, reduce: true)
    }
    let reducing = try exchange.order(ann, .sell, 300, at: 610_000, reduce: true)
    #expect(reducing.quantity.quanta == 100)
    // 0.06 sold otherwise: 0.04 are left to reduce.
    _ = try exchange.order(bob, .buy, 60, at: 600_000)
    _ = try exchange.order(ann, .sell, 60)
    #expect(exchange.working(ann).map(\.leaves.quanta) == [40])
    #expect(exchange.depth(.sell) == [[610_000, 40]])
    // All sold: it ends, and nobody can trade with it.
    _ = try exchange.order(bob, .buy, 40, at: 600_000)
    _ = try exchange.order(ann, .sell, 40)
    #expect(exchange.working(ann).isEmpty)
    #expect(exchange.finished(ann).contains { $0.id == reducing.id && $0.reason == .reduceOnly })
    #expect(exchange.depth(.sell).isEmpty)
    exchange.expectMarginConserved()
  }

  @Test("M16: funding is paid at its times on what positions are worth, and never silently missing")
  func funding() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("10000")
    let bob = try exchange.trader("10000")
    mark(600_000, &exchange, at: 1)
    _ = try exchange.order(ann, .sell, 100, at: 600_000, when: Timestamp(milliseconds: 1_000))
    _ = try exchange.order(bob, .buy, 100, when: Timestamp(milliseconds: 1_000))
    let due = Timestamp(milliseconds: 28_800_000)
    #expect(exchange.nextTime == due)
    exchange.setFundingRate(
      Rate(units: 1_000_000), of: InstrumentID(0), at: due - TimeSpan.seconds(60))
    exchange.removeAllEvents()
    exchange.advance(to: due)
    // 6,000 × 0.01 %.
    #expect(exchange.held(bob).funding == amount("-0.6"))
    #expect(exchange.held(ann).funding == amount("0.6"))
    #expect(exchange.wallet(bob) == amount("9996.4"))
    let paid = exchange.take().compactMap { event -> Amount? in
      if case .funding(let payment) = event { payment.amount } else { nil }
    }
    let expected = [amount("0.6"), amount("-0.6")]
    #expect(paid == expected)
    // The next one has no rate: told, and nothing moves.
    exchange.advance(to: due + TimeSpan.seconds(28_800))
    #expect(
      exchange.take() == [.fundingMissing(InstrumentID(0), at: due + TimeSpan.seconds(28_800))])
    #expect(exchange.wallet(bob) == amount("9996.4"))
    exchange.expectMarginConserved()
  }

  @Test(
    "M16: a position that is not covered is sold to the book, and the rest to the insurance fund")
  func liquidation() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("100000")
    let bob = try exchange.trader("700")
    mark(600_000, &exchange)
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    _ = try exchange.order(bob, .buy, 100)
    _ = try exchange.order(bob, .sell, 50, at: 650_000)
    _ = try exchange.order(ann, .buy, 60, at: 531_000)
    exchange.removeAllEvents()
    // Cover 697: 697 + 0.1 (p − 60,000) = 0.5 % × 0.1 p at p = 53,296.48…
    mark(532_970, &exchange)
    #expect(exchange.held(bob).size == 100 && exchange.working(bob).count == 1)
    mark(532_960, &exchange)
    #expect(exchange.held(bob).size == 0 && exchange.working(bob).isEmpty)
    #expect(exchange.finished(bob).contains { $0.reason == .liquidation })
    let events = exchange.take()
    let trades = events.compactMap { event -> [Int64]? in
      if case .liquidation(let fill, _) = event {
        [fill.price.quanta, fill.quantity.quanta]
      } else {
        nil
      }
    }
    // 0.06 to Ann's bid; 0.04 to the fund where nothing is left: 60,000 − 6,970.
    #expect(trades == [[531_000, 60], [530_300, 40]])
    // −414 − 278.8, fees of 0.1 %: 3.186 + 2.1212. 697 − 698.1072: the fund pays 1.1072.
    #expect(exchange.wallet(bob) == .zero)
    #expect(exchange.insurance(of: AssetID(1)) == amount("4.2"))
    let given = amount("1.1072")
    #expect(events.contains(.insured(bob, AssetID(1), given, at: .zero)))
    // Ann sold at 60,000 and bought 0.06 back.
    #expect(exchange.held(ann).net.quanta == -40)
    // The fund's purchase is on no tape.
    #expect(exchange.lastPrice(of: InstrumentID(0))?.quanta == 531_000)
    exchange.expectMarginConserved()
  }

  @Test("M16: an isolated position loses what was set aside for it and no more")
  func isolated() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("100000")
    let bob = try exchange.trader("1000", leverage: 20, mode: .isolated)
    mark(600_000, &exchange)
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    _ = try exchange.order(bob, .buy, 100)
    // 6,000 ÷ 20; a fee of 3.
    #expect(exchange.held(bob).isolated == amount("300"))
    #expect(exchange.margin(of: bob, in: AssetID(1)).free == amount("697"))
    // 300 + 0.1 (p − 60,000) = 0.5 % × 0.1 p at p = 57,286.43…
    mark(572_870, &exchange)
    #expect(exchange.held(bob).size == 100)
    mark(572_860, &exchange)
    // Taken over at 57,000: 300 lost, and 5.7 of fee that the fund gives back.
    #expect(exchange.held(bob).size == 0 && exchange.held(bob).isolated == .zero)
    #expect(exchange.wallet(bob) == amount("697"))
    #expect(exchange.insurance(of: AssetID(1)) == .zero)
    exchange.expectMarginConserved()
  }

  @Test("M16: a hedge account holds both ways, and its closing orders only reduce")
  func hedged() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("100000")
    let bob = try exchange.trader("100000", isHedged: true)
    mark(600_000, &exchange)
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    #expect(throws: OrderRefusal.positionSideMismatch) { _ = try exchange.order(bob, .buy, 100) }
    _ = try exchange.order(bob, .buy, 100, .long)
    _ = try exchange.order(ann, .buy, 300, at: 599_000)
    _ = try exchange.order(bob, .sell, 50, .short)
    #expect(exchange.held(bob, .long).size == 100 && exchange.held(bob, .short).net.quanta == -50)
    // Closing the long sells no more than there is.
    _ = try exchange.order(bob, .sell, 150, .long)
    #expect(exchange.held(bob, .long).size == 0 && exchange.held(bob, .short).net.quanta == -50)
    #expect(exchange.held(ann).net.quanta == 50)
    #expect(throws: OrderRefusal.positionOrOrderOpen) {
      try exchange.setHedged(false, of: bob, at: .zero)
    }
    exchange.expectMarginConserved()
  }

  @Test func aStopByTheMarkLooksAtNothingElse() throws {
    var exchange = Exchange.contracts([try .contract()])
    let ann = try exchange.trader("100000")
    let bob = try exchange.trader("100000")
    mark(600_000, &exchange)
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    _ = try exchange.order(bob, .buy, 100)
    func stop(_ source: TriggerSource, _ quantity: Int64) -> NewOrder {
      NewOrder(
        account: bob, instrument: InstrumentID(0), side: .sell, kind: .stopMarket,
        size: .base(Quantity(quanta: quantity)), trigger: Price(quanta: 590_000),
        condition: .atOrBelow, isReduceOnly: true, triggerSource: source)
    }
    // Larger than the position: cut when the time has come.
    _ = try exchange.place(stop(.mark, 500), at: .zero)
    _ = try exchange.place(stop(.last, 40), at: .zero)
    _ = try exchange.order(ann, .buy, 200, at: 580_000)
    mark(590_010, &exchange)
    #expect(exchange.held(bob).size == 100)
    // A trade at 58,000 sets off the one that looks at trades.
    let carl = try exchange.trader("100000")
    _ = try exchange.order(carl, .sell, 10)
    #expect(exchange.held(bob).size == 60)
    mark(590_000, &exchange)
    #expect(exchange.held(bob).size == 0 && exchange.working(bob).isEmpty)
    // One whose position is gone when it is set off ends.
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    _ = try exchange.order(bob, .buy, 100)
    _ = try exchange.place(stop(.last, 100), at: .zero)
    _ = try exchange.order(ann, .buy, 100, at: 595_000)
    _ = try exchange.order(bob, .sell, 100)
    #expect(exchange.working(bob).count == 1)
    _ = try exchange.order(carl, .sell, 10)
    #expect(exchange.finished(bob).first?.reason == .reduceOnly && exchange.working(bob).isEmpty)
    exchange.expectMarginConserved()
  }

  @Test func recordedMarksComeBeforeFundingAndFrames() throws {
    let at = Timestamp(milliseconds: 28_800_000)
    var exchange = Exchange.contracts([
      try .contract(marks: [
        MarkRow(at: .zero, mark: Price(quanta: 600_000)),
        MarkRow(at: at, mark: Price(quanta: 610_000), fundingRate: Rate(units: 1_000_000)),
      ])
    ])
    let ann = try exchange.trader("10000")
    let bob = try exchange.trader("10000")
    _ = try exchange.order(ann, .sell, 100, at: 600_000)
    _ = try exchange.order(bob, .buy, 100)
    exchange.advance(to: at)
    // 0.1 at the mark of that moment.
    #expect(exchange.held(bob).funding == amount("-0.61"))
    #expect(exchange.markPrice(of: InstrumentID(0))?.quanta == 610_000)
  }
}
