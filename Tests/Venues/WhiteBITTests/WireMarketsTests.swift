import MartletBase
import MartletJSON
import MartletModel
import Testing
import WhiteBITWire

@Suite struct WireMarketsTests {
  // Captured 2026; see the reference, section 2.2.
  let captured = """
    [{"name":"ETH_BTC","stock":"ETH","money":"BTC","stockPrec":"4","moneyPrec":"6","feePrec":"6",\
    "makerFee":"0.1","takerFee":"0.1","minAmount":"0.0001","minTotal":"0.000012",\
    "tradesEnabled":true,"type":"spot","isCollateral":true,"maxTotal":"100000",\
    "isTradFiFutures":false,"delistedAt":null},{"name":"BTC_USD","stock":"BTC","money":"USD",\
    "stockPrec":"6","moneyPrec":"2","feePrec":"6","makerFee":"0.1","takerFee":"0.1",\
    "minAmount":"0.00001","minTotal":"1","tradesEnabled":true,"type":"spot",\
    "isCollateral":false,"maxTotal":"10000000","isTradFiFutures":false,"delistedAt":null}]
    """

  @Test("M13: precisions, minimums and fees become a grid with two spare decimals, and rules")
  func gridAndRules() throws {
    let body = bytes(captured)
    var rows = try Rows<MarketListing>(body.span)
    let listing = try #require(try rows.next(in: body.span))
    let instrument = try Grid.instrument(InstrumentID(4), from: listing)
    #expect(instrument.symbol == "ETH_BTC" && instrument.base == "ETH")
    #expect(instrument.quote == "BTC" && instrument.kind == .spot && instrument.venue == .whitebit)
    #expect(instrument.scale.price.count == 8 && instrument.scale.quantity.count == 6)
    let rules = instrument.rules
    #expect(rules.tickSize == 100 && rules.lotStep == 100)
    #expect(rules.minQuantity.quanta == 100 && rules.minNotional == amount("0.000012"))
    #expect(rules.maxNotional == amount("100000") && rules.isTrading)
    // 0.1 % is 0.001.
    #expect(rules.makerFee.units == 10_000_000 && rules.takerFee.units == 10_000_000)
    #expect(try rows.next(in: body.span) != nil)
    #expect(try rows.next(in: body.span) == nil)
  }

  func listing(
    stock: Int, money: Int, tick: String? = nil, step: String? = nil
  ) -> MarketListing {
    MarketListing(
      name: "A_B", stock: "A", money: "B", stockPrecision: stock, moneyPrecision: money,
      feePrecision: 6, makerFee: .zero, takerFee: .zero, minAmount: amount("1000"),
      minTotal: .zero, tickSize: tick.map(amount), stepSize: step.map(amount))
  }

  @Test("Negative precisions and steps beside them: the step is what counts")
  func steps() throws {
    let shib = try Grid.instrument(
      InstrumentID(0), from: listing(stock: -3, money: 9, step: "1000"))
    #expect(shib.scale.quantity.count == -1 && shib.rules.lotStep == 100)
    #expect(shib.scale.price.count == 11)
    let odd = try Grid.instrument(
      InstrumentID(0), from: listing(stock: 0, money: 2, tick: "0.25", step: "5"))
    #expect(odd.rules.tickSize == 25 * 100 && odd.rules.lotStep == 5 * 100)
    let fine = try Grid.instrument(InstrumentID(0), from: listing(stock: 8, money: 12))
    #expect(fine.scale.price.count == 12 && fine.scale.quantity.count == 8)
    let both = try Grid.instrument(InstrumentID(0), from: listing(stock: 8, money: 10))
    #expect(both.scale.price.count + both.scale.quantity.count <= 20)
    #expect(throws: Grid.Fault.self) { try Grid.scale(for: listing(stock: 0, money: 13)) }
    #expect(throws: Grid.Fault.self) { try Grid.scale(for: listing(stock: 0, money: 0, tick: "0")) }
  }

  @Test("M13: a tick finer than before is followed on the same grid as far as its spare decimals")
  func finerTick() throws {
    let first = try Grid.instrument(InstrumentID(0), from: listing(stock: 3, money: 2))
    let finer = try Grid.instrument(
      InstrumentID(0), from: listing(stock: 3, money: 4), fixed: first.scale)
    #expect(finer.scale == first.scale && finer.rules.tickSize == 1)
    #expect(throws: Grid.Fault.finerThanScale(market: "A_B")) {
      try Grid.instrument(InstrumentID(0), from: listing(stock: 3, money: 5), fixed: first.scale)
    }
    var greedy = listing(stock: 3, money: 2)
    greedy.takerFee = Rate(units: 600_000_000)
    #expect(throws: Grid.Fault.self) { try Grid.instrument(InstrumentID(0), from: greedy) }
  }

  @Test("Listings, tickers and time: what the desk writes reads back")
  func roundTrips() throws {
    let listings = [
      listing(stock: -3, money: 9, step: "1000"), listing(stock: 4, money: 2, tick: "0.01"),
    ]
    let body = written { Markets.writeListings(listings, into: &$0) }
    var rows = try Rows<MarketListing>(body.span)
    var found: [MarketListing] = []
    while let row = try rows.next(in: body.span) { found.append(row) }
    #expect(found == listings)
    let time = written { Markets.writeTime(Timestamp(milliseconds: 1_790_000_000_400), into: &$0) }
    #expect(text(time) == #"{"time":1790000000}"#)
  }

  @Test("M11: a body of many markets, exact prices, and a typed error for a missing one")
  func tickers() throws {
    let body = bytes(
      """
      {"BTC_USDT":{"base_id":1,"quote_id":825,"last_price":"63118.4","base_volume":"4723.286463",\
      "quote_volume":"298123456.78","isFrozen":false,"change":"-0.57"},\
      "ETH_USDT":{"base_id":1027,"quote_id":825,"last_price":"2747.93","base_volume":"1",\
      "quote_volume":"2","isFrozen":true,"change":"0"}}
      """)
    let row = try Markets.ticker(of: "BTC_USDT", in: body.span)
    #expect(row.lastPrice == amount("63118.4") && row.change == amount("-0.57") && !row.isFrozen)
    #expect(try Markets.ticker(of: "ETH_USDT", in: body.span).isFrozen)
    #expect(throws: Markets.TickerFault.unlisted("DBTC_DUSDT")) {
      try Markets.ticker(of: "DBTC_DUSDT", in: body.span)
    }
    #expect(throws: Markets.TickerFault.self) {
      try Markets.ticker(of: "BTC_USDT", in: bytes("<html>").span)
    }
    let again = written { Markets.writeTickers([row], into: &$0) }
    #expect(try Markets.ticker(of: "BTC_USDT", in: again.span) == row)
  }

  @Test("Prints, last prices, statistics and balances: what the desk pushes a session reads")
  func pushes() throws {
    for seed in UInt64(1)...100 {
      var random = CaseSource(seed: seed)
      let trades = (0..<3).map { _ in
        WireTrade(
          tradeID: random.next() >> 11, time: random.time(),
          price: random.amount(below: 99_999_999, places: 4),
          amount: random.amount(below: 99_999_999, places: 8),
          aggressor: Bool.random(using: &random) ? .buy : .sell,
          isRPI: Bool.random(using: &random))
      }
      let frame = written { Trades.writePush(market: "A_B", trades: trades, into: &$0) }
      var message = try Envelope.read(frame.span)
      var found: [WireTrade] = []
      #expect(try Trades.readPush(&message.cursor, in: frame.span, into: &found) == "A_B")
      try message.close(in: frame.span)
      #expect(found == trades, "seed \(seed)")

      let price = random.amount(below: 99_999_999, places: 4)
      let last = written { Trades.writeLastPrice(market: "A_B", price: price, into: &$0) }
      message = try Envelope.read(last.span)
      let told = try Trades.readLastPrice(&message.cursor, in: last.span)
      #expect(told.market == "A_B" && told.price == price, "M19 seed \(seed)")

      let rows = (0..<3).map { _ in
        WireBalance(
          asset: random.shortText(), available: random.amount(below: 99_999_999, places: 8),
          freeze: random.amount(below: 99_999_999, places: 8))
      }
      let balances = written { Balances.writePush(rows, into: &$0) }
      message = try Envelope.read(balances.span)
      var reader = try Balances(push: message.cursor, in: balances.span)
      var foundRows: [WireBalance] = []
      while let row = try reader.next(in: balances.span) { foundRows.append(row) }
      message.cursor = reader.end
      try message.close(in: balances.span)
      #expect(foundRows == rows, "seed \(seed)")
      let reply = written { Balances.writeReply(rows, into: &$0) }
      var body = try Balances(reply.span)
      #expect(try body.next(in: reply.span) == rows[0])
    }
    var none = try Balances(bytes("[]").span)
    #expect(try none.next(in: bytes("[]").span) == nil)
  }
}
