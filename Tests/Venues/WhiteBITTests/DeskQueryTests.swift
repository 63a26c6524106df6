import MartletBase
import MartletJSON
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITWire

@Suite struct DeskQueryTests {
  // MARK: Public

  @Test("M13: the listing of both markets, word for word")
  func marketsAreListed() throws {
    var world = try DeskWorld()
    let reply = world.get("/api/v4/public/markets")
    func listing(_ name: String, _ stock: String, _ money: String) -> String {
      """
      {"name":"\(name)","stock":"\(stock)","money":"\(money)","stockPrec":"6","moneyPrec":"2",\
      "feePrec":"8","makerFee":"0.1","takerFee":"0.1","minAmount":"0.00001","minTotal":"5",\
      "tradesEnabled":true,"type":"spot","isCollateral":false,"maxTotal":"0",\
      "isTradFiFutures":false,"delistedAt":null,"tickSize":"","stepSize":""}
      """
    }
    #expect(
      reply.text
        == "[\(listing("DBTC_DUSDT", "DBTC", "DUSDT")),\(listing("BTC_USDT", "BTC", "USDT"))]")
  }

  @Test("M12: the order book honors its limit, and an empty side is an empty list")
  func booksAreGiven() throws {
    var world = try DeskWorld()
    let two = world.get("/api/v4/public/orderbook/DBTC_DUSDT", "limit=2")
    #expect(
      two.text == """
        {"ticker_id":"DBTC_DUSDT","timestamp":1790000040,"asks":[["60010","1"],["60011","1.000001"]],\
        "bids":[["60000","1"],["59999","1.000001"]]}
        """)
    for (query, count) in [("", 100), ("limit=0", 100), ("limit=20", 20), ("limit=500", 100)] {
      let book = world.get("/api/v4/public/orderbook/BTC_USDT", query).json
      #expect(book["asks"]?.elements.count == count, "\(query)")
      #expect(book["bids"]?.elements.count == count, "\(query)")
    }
    // Level 3 groups by 10: bids down, asks up.
    let coarse = world.get("/api/v4/public/orderbook/BTC_USDT", "limit=2&level=3").json
    #expect(coarse["bids"]?[1]?[0] == .string("59990"))
    #expect(coarse["asks"]?[1]?[0] == .string("60020"))
    #expect(coarse["bids"]?[1]?[1] == .string("10.000055"))
    let bad = world.get("/api/v4/public/orderbook/BTC_USDT", "limit=many")
    #expect(bad.status == 422 && bad.text == "{\"limit\":[\"The limit must be an integer.\"]}")
    let none = world.get("/api/v4/public/orderbook/NOPE_USDT")
    #expect(none.status == 422 && none.text == "{\"market\":[\"Market is not available.\"]}")
    var empty = try DeskWorld(rows: [])
    #expect(
      empty.get("/api/v4/public/orderbook/BTC_USDT").text
        == "{\"ticker_id\":\"BTC_USDT\",\"timestamp\":1790000040,\"asks\":[],\"bids\":[]}")
  }

  @Test("tickers, tape and service calls")
  func publicCallsAreAnswered() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([.trade(.buy, 20_000, at: 60_010), .trade(.sell, 5_000, at: 60_000)]))
    world.pass(.seconds(1))
    #expect(
      world.get("/api/v4/public/ticker").json["DBTC_DUSDT"]?.description == """
        {"base_id":0,"quote_id":0,"last_price":"60000","base_volume":"0.025",\
        "quote_volume":"1500.2","isFrozen":false,"change":"-0.02"}
        """)
    let tape = world.get("/api/v4/public/trades/DBTC_DUSDT")
    #expect(
      tape.json[0]?.description == """
        {"tradeID":22000000003,"price":"60000","quote_volume":"0.005","base_volume":"300",\
        "trade_timestamp":1790000040,"type":"sell","rpi":false}
        """)
    #expect(
      world.get("/api/v4/public/trades/DBTC_DUSDT", "type=buy").json.elements.map {
        $0["price"]?.text
      }
        == ["60010"])
    #expect(
      world.get("/api/v4/public/trades/DBTC_DUSDT", "type=both").text
        == "{\"type\":[\"Type should be 'sell' or 'buy'.\"]}")
    let old = world.get("/api/v1/public/ticker", "market=BTC_USDT").json
    #expect(old["success"] == .bool(true))
    #expect(
      old["result"]?.description == """
        {"open":"60010","bid":"60000","ask":"60010","low":"60000","high":"60010","last":"60000",\
        "volume":"0.025","deal":"1500.2","change":"-0.02"}
        """)
    #expect(world.get("/api/v4/public/time").text == "{\"time\":1790000041}")
    #expect(world.get("/api/v4/public/ping").text == "[\"pong\"]")
    #expect(
      world.get("/api/v4/public/platform/status").text == "{\"status\":\"system operational\"}")
    let none = "{\"success\":true,\"message\":null,\"result\":[]}"
    #expect(world.get("/api/v4/public/collateral/markets").text == none)
    #expect(world.get("/api/v4/public/futures").text == none)
    #expect(
      world.get("/api/v4/public/assets").json.keys == ["DBTC", "DUSDT", "BTC", "USDT"])
    #expect(world.get("/api/v4/public/fee").json.keys == ["DBTC", "DUSDT", "BTC", "USDT"])
    for path in ["/api/v4/public/nothing", "/", "/api/v4/order/new"] {
      let reply = world.get(path)
      #expect(reply.status == 404 && reply.text.isEmpty, "\(path)")
    }
    let posted = world.call("/api/v4/public/time")
    #expect(posted.status == 404)
  }

  @Test func candlesAreContiguousAndTellTheCloseBeforeTheHigh() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([
        .trade(.buy, 20_000, at: 60_010), .trade(.sell, 5_000, at: 59_990),
        .trade(.buy, 5_000, at: 60_005),
      ]))
    world.pass(.seconds(130))
    let reply = world.get("/api/v1/public/kline", "market=BTC_USDT&interval=1m&limit=30")
    // One minute with prints, two of silence at its close.
    #expect(
      reply.json["result"]?.elements.map(\.description) == [
        "[1790000040,\"60010\",\"60005\",\"60010\",\"59990\",\"0.03\",\"1800.175\"]",
        "[1790000100,\"60005\",\"60005\",\"60005\",\"60005\",\"0\",\"0\"]",
        "[1790000160,\"60005\",\"60005\",\"60005\",\"60005\",\"0\",\"0\"]",
      ])
    let seconds = world.get(
      "/api/v1/public/kline", "market=BTC_USDT&interval=1s&start=1790000040&end=1790000042")
    #expect(seconds.json["result"]?.elements.count == 3)
    for query in ["market=NOPE", "market=BTC_USDT&interval=7m", "market=BTC_USDT&limit=0"] {
      let refused = world.get("/api/v1/public/kline", query)
      #expect(refused.status == 200 && refused.json["success"] == .bool(false), "\(query)")
    }
    var before = try DeskWorld(
      rows: DeskWorld.market([.trade(.buy, 20_000, at: 60_010)])
    ) { $0.roundsBefore = 2 }
    let history = before.get("/api/v1/public/kline", "market=BTC_USDT&interval=1h&limit=5")
    #expect((history.json["result"]?.elements.count ?? 0) >= 2)
    #expect(before.get("/api/v4/public/ticker").json["BTC_USDT"]?["last_price"] == .string("60010"))
    let tape = before.get("/api/v4/public/trades/BTC_USDT").json.elements
    #expect(tape.map { $0["tradeID"]?.text } == ["22000000000", "21999999999"])
  }

  // MARK: Private

  @Test func balancesAreKeyedAndWithoutZeros() throws {
    var world = try DeskWorld()
    _ = world.place("sell", "0.25", at: "70000")
    let path = "/api/v4/trade-account/balance"
    #expect(
      world.call(path).text == """
        {"DBTC":{"available":"9.75","freeze":"0.25"},"DUSDT":{"available":"1000000","freeze":"0"},\
        "BTC":{"available":"1","freeze":"0"},"USDT":{"available":"50000","freeze":"0"}}
        """)
    #expect(
      world.call(path, "\"ticker\":\"DBTC\"").text
        == "{\"DBTC\":{\"available\":\"9.75\",\"freeze\":\"0.25\"}}")
    let unknown = world.call(path, "\"ticker\":\"XYZ\"")
    #expect(unknown.status == 422 && unknown.text.contains("Currency was not found."))
    _ = world.desk.addAccount(key: "eve", secret: "secret of eve", balances: [])
    #expect(world.call(path, by: "eve").text == "{}")
    let fee = world.call("/api/v4/market/fee")
    #expect(fee.json["taker"] == .string("0.1") && fee.json["maker"] == .string("0.1"))
  }

  @Test("open orders, deals and history tell one story")
  func historiesAgree() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([.trade(.buy, 10, at: 60_010)]))
    let taken = world.place("buy", "0.3", at: "60010", id: "taken")
    let id = taken.json["orderId"]?.text ?? ""
    world.pass(.seconds(2))
    _ = world.place("sell", "0.1", at: "70000", id: "kept")
    _ = world.place("sell", "0.1", at: "71000", id: "gone")
    _ = world.cancel("\"clientOrderId\":\"gone\"")
    _ = world.place("buy", "0.1", at: "60010", id: "other", market: "BTC_USDT")
    let market = "\"market\":\"DBTC_DUSDT\""

    let open = world.call("/api/v4/orders").json.elements
    #expect(open.map { $0["clientOrderId"]?.text } == ["kept"])
    #expect(world.call("/api/v4/orders", market + ",\"clientOrderId\":\"gone\"").text == "[]")
    #expect(world.call("/api/v4/orders", "\"clientOrderId\":\"kept\"").status == 422)
    #expect(
      world.call("/api/v4/orders", market + ",\"limit\":101").text.contains(
        "The limit may not be greater than 100."))

    let deals = world.call("/api/v4/trade-account/executed-history", market)
    #expect(
      deals.text == """
        [{"id":22000000001,"clientOrderId":"taken","time":1790000040.000000,"side":"buy","role":2,\
        "amount":"0.3","price":"60010","deal":"18003","fee":"0.0003","orderId":\(id),\
        "feeAsset":"DBTC"}]
        """)
    let all = world.call("/api/v4/trade-account/executed-history").json
    #expect(all.keys == ["BTC_USDT", "DBTC_DUSDT"])
    let none = world.call(
      "/api/v4/trade-account/executed-history", market + ",\"clientOrderId\":\"never\"")
    #expect(none.status == 422 && none.text.contains("OrderHistory was not found."))
    #expect(
      world.call("/api/v4/trade-account/executed-history", market + ",\"startDate\":1790000041")
        .text
        == "[]")

    let ofOrder = world.call("/api/v4/trade-account/order", "\"orderId\":\(id)").json
    #expect(ofOrder["records"]?.elements.count == 1 && ofOrder["limit"] == .number("50"))
    #expect(
      ofOrder["records"]?[0]?["id"] == deals.json[0]?["id"]
        && ofOrder["records"]?[0]?["side"] == nil)
    #expect(
      world.call("/api/v4/trade-account/order", "\"orderId\":1").text
        == "{\"records\":[],\"offset\":0,\"limit\":50}")

    let history = world.call("/api/v4/trade-account/order/history", market).json
    #expect(history.keys == ["DBTC_DUSDT"])
    let rows = history["DBTC_DUSDT"]?.elements ?? []
    #expect(rows.map { $0["clientOrderId"]?.text } == ["gone", "taken"])
    #expect(rows.map { $0["status"]?.text } == ["CANCELED", "FILLED"])
    #expect(rows[1]["ctime"] == .number("1790000040.000000"))
    #expect(
      world.call("/api/v4/trade-account/order/history", market + ",\"status\":\"FILLED\"").json[
        "DBTC_DUSDT"]?.elements.count == 1)
    #expect(world.call("/api/v4/trade-account/order/history", by: "bob").text == "[]")
    #expect(
      world.call("/api/v4/trade-account/order/history", market + ",\"orderId\":7").text == "[]")
    #expect(
      world.call("/api/v4/trade-account/order/history", market + ",\"clientOrderId\":\"x\"").status
        == 422)
  }

  @Test func pagesFollowOneAnother() throws {
    var world = try DeskWorld()
    for index in 0..<7 { _ = world.place("buy", "0.001", at: "\(50_000 + index)", id: "p\(index)") }
    func page(_ offset: Int) -> [String?] {
      world.call("/api/v4/orders", "\"limit\":3,\"offset\":\(offset)").json.elements.map {
        $0["clientOrderId"]?.text
      }
    }
    #expect(page(0) == ["p0", "p1", "p2"])
    #expect(page(3) == ["p3", "p4", "p5"])
    #expect(page(6) == ["p6"])
    #expect(page(7).isEmpty)
  }
}
