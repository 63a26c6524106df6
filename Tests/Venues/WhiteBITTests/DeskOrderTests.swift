import MartletBase
import MartletExchange
import MartletJSON
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITWire

@Suite struct DeskOrderTests {
  // MARK: Golden replies

  @Test func aRestingOrderIsAnsweredAsTheVenueAnswers() throws {
    var world = try DeskWorld()
    let reply = world.place("buy", "0.0010", at: "59000.50", id: "mrt-7f3a")
    #expect(reply.status == 200 && reply.contentType == "application/json")
    #expect(
      reply.text == """
        {"orderId":2400000000001,"clientOrderId":"mrt-7f3a","market":"DBTC_DUSDT","side":"buy",\
        "type":"limit","timestamp":1790000040.000000,"dealMoney":"0","dealStock":"0",\
        "amount":"0.001","left":"0.001","dealFee":"0","ioc":false,"price":"59000.5",\
        "postOnly":false,"status":"OPEN","stp":"no","rpi":false}
        """)
    #expect(world.balance("DUSDT") == "999940.9995 + 59.0005")
    let list = world.call("/api/v4/orders", "\"market\":\"DBTC_DUSDT\"")
    #expect(list.text == "[\(reply.text)]")
  }

  @Test func anOrderThatIsFilledOnArrivalTellsWhatItCost() throws {
    var world = try DeskWorld()
    let reply = world.place("buy", "1.5", at: "60020", id: "t")
    // 1.000000 at 60,010 and 0.5 at 60,011; the fee is 0.1 % of the stock.
    #expect(reply.json["status"] == .string("FILLED"))
    #expect(reply.json["dealMoney"] == .string("90015.5"))
    #expect(reply.json["dealStock"] == .string("1.5"))
    #expect(reply.json["left"] == .string("0"))
    #expect(reply.json["dealFee"] == .string("0.0015"))
    #expect(reply.json["feeAsset"] == .string("DBTC"))
    #expect(world.balance("DBTC") == "11.4985 + 0")
    #expect(world.balance("DUSDT") == "909984.5 + 0")
    let sold = world.place("sell", "0.5", at: "60000")
    #expect(sold.json["dealFee"] == .string("30"))
    #expect(sold.json["feeAsset"] == .string("DUSDT"))
    world.expectConserved()
  }

  @Test func marketOrdersBuyForMoneyAndSellStock() throws {
    var world = try DeskWorld()
    let market = "\"market\":\"DBTC_DUSDT\","
    let buy = world.call(
      "/api/v4/order/market", market + "\"side\":\"buy\",\"amount\":\"100\"")
    #expect(buy.json["type"] == .string("market") && buy.json["status"] == .string("FILLED"))
    #expect(buy.json["amount"] == .string("100") && buy.json["price"] == nil)
    // 0.001666 × 60,010 = 99.97666; the change buys no step.
    #expect(buy.json["dealStock"] == .string("0.001666"))
    #expect(buy.json["dealMoney"] == .string("99.97666"))
    #expect(buy.json["left"] == .string("0.02334"))
    let sell = world.call(
      "/api/v4/order/market", market + "\"side\":\"sell\",\"amount\":\"0.001\"")
    #expect(sell.json["type"] == .string("market") && sell.json["left"] == .string("0"))
    let stock = world.call(
      "/api/v4/order/stock_market", market + "\"side\":\"buy\",\"amount\":\"0.002\"")
    #expect(stock.json["type"] == .string("stock market"))
    #expect(stock.json["dealStock"] == .string("0.002"))
    let poor = world.call(
      "/api/v4/order/market", market + "\"side\":\"buy\",\"amount\":\"4\"")
    #expect(poor.status == 422 && poor.json["code"] == .number("32"))
    #expect(poor.text.contains("Total amount should be no less than 5 + trade fee"))
    world.expectConserved()
  }

  @Test func aStopOrderWaitsAndIsSetOffByATrade() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([
        .trade(.buy, 10, at: 60_010), .trade(.buy, 10, at: 60_100), .trade(.buy, 10, at: 60_200),
      ]))
    let market = "\"market\":\"DBTC_DUSDT\","
    let early = world.call(
      "/api/v4/order/stop_limit",
      market
        + "\"side\":\"buy\",\"amount\":\"0.01\",\"price\":\"60300\",\"activation_price\":\"60150\"")
    #expect(early.status == 422 && early.text.contains("Empty history"))
    world.pass(.milliseconds(250))
    world.openPrivate()
    _ = world.say("ordersPending_subscribe", "[\"DBTC_DUSDT\"]")
    _ = world.news()
    let equal = world.call(
      "/api/v4/order/stop_limit",
      market
        + "\"side\":\"buy\",\"amount\":\"0.01\",\"price\":\"60300\",\"activation_price\":\"60010\"")
    #expect(equal.status == 400 && equal.json["code"] == .number("101"))
    let stop = world.call(
      "/api/v4/order/stop_limit",
      market
        + "\"side\":\"buy\",\"amount\":\"0.01\",\"price\":\"60000\",\"activation_price\":\"60150\"")
    #expect(stop.json["type"] == .string("stop limit"))
    #expect(stop.json["activation_price"] == .string("60150"))
    #expect(stop.json["activationCondition"] == .string("gte"))
    #expect(stop.json["activated"] == .number("0") && stop.json["status"] == .string("OPEN"))
    let listed = world.call("/api/v4/orders", "\"market\":\"DBTC_DUSDT\"")
    #expect(listed.json[0]?["activation_price"] == .string("60150"))
    world.pass(.seconds(1))
    // Accepted, set off, resting: one number, three times “new”, and no end between.
    let news = world.news(of: "ordersPending_update")
    #expect(news.map { $0[0]?.text } == ["1", "1", "1"])
    #expect(news.map { $0[1]?["activated"]?.text } == ["0", "1", "1"])
    #expect(Set(news.map { $0[1]?["id"]?.text }) == [stop.json["orderId"]?.text])
    let sell = world.call(
      "/api/v4/order/stop_market",
      market + "\"side\":\"sell\",\"amount\":\"0.01\",\"activation_price\":\"59000\"")
    #expect(sell.json["type"] == .string("stop market"))
    #expect(sell.json["activationCondition"] == .string("lte") && sell.json["price"] == nil)
    #expect(world.cancel("\"orderId\":\(sell.json["orderId"]?.text ?? "")").status == 200)
    world.expectConserved()
  }

  // MARK: Refusals

  /// What is asked, and what the venue says: status and the whole body.
  static let refusals: [(String, Int, String)] = [
    (
      "\"side\":\"buy\"", 422,
      """
      {"code":30,"message":"Validation failed","errors":{"market":["Market field is required."],\
      "amount":["Amount field is required."],"price":["Price field is required."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"long\",\"amount\":\"1\",\"price\":\"60000\"", 422,
      """
      {"code":30,"message":"Validation failed","errors":{"side":["Side field should contain only \
      'buy' or 'sell' values."]}}
      """
    ),
    (
      "\"market\":\"NOPE_USDT\",\"side\":\"buy\",\"amount\":\"1\",\"price\":\"60000\"", 422,
      """
      {"code":31,"message":"Validation failed","errors":{"market":["Market is not available."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"much\",\"price\":\"60000\"", 422,
      """
      {"code":32,"message":"Validation failed","errors":{"amount":["Amount field should be numeric \
      string or number."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.0000015\",\"price\":\"60000\"",
      422,
      """
      {"code":32,"message":"Validation failed","errors":{"amount":["Given amount is less than min \
      amount 0.00001","Min amount step = 0.000001"]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"1\",\"price\":\"60000.001\"", 422,
      """
      {"code":33,"message":"Validation failed","errors":{"price":["Min price step = 0.01"]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":1,\"price\":-1", 422,
      """
      {"code":33,"message":"Validation failed","errors":{"price":["Price should be greater than 0."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.00005\",\"price\":\"60000\"", 422,
      """
      {"code":30,"message":"Validation failed","errors":{"total":["Total (amount * price) is less \
      than 5"]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"1\",\"price\":\"60000\",\"clientOrderId\":\"a b\"",
      422,
      """
      {"code":36,"message":"Validation failed","errors":{"clientOrderId":["ClientOrderId field \
      should contain only latin letters, numbers and dashes."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"1\",\"price\":\"60000\",\"ioc\":true,\"postOnly\":true",
      422,
      """
      {"code":37,"message":"Validation failed","errors":{"ioc":["Either IOC or PostOnly flag in true \
      state is allowed."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"100\",\"price\":\"60000\"", 400,
      """
      {"code":10,"message":"Inner validation failed","errors":{"amount":["Not enough balance."]}}
      """
    ),
    (
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"1\",\"price\":\"60010\",\"postOnly\":true",
      400,
      """
      {"code":13,"message":"Inner validation failed","errors":{"postOnly":["This order couldn't be \
      executed as a maker order and was canceled."]}}
      """
    ),
  ]

  @Test("C18: what is refused is refused in the venue's words, and changes nothing")
  func refusalsAreWorded() throws {
    for (fields, status, body) in Self.refusals {
      var world = try DeskWorld()
      let reply = world.call("/api/v4/order/new", fields)
      #expect(reply.status == status, "\(fields)")
      #expect(reply.text == body)
      #expect(world.balance("DUSDT") == "1000000 + 0")
      #expect(world.call("/api/v4/orders").text == "[]")
      // Our own session reads each as a refusal, none as a reason to stop or to doubt.
      let verdict = Faults.verdict(status: UInt16(status), body: bytes(reply.text).span)
      guard case .refused = verdict.outcome else {
        Issue.record("\(verdict.outcome): \(reply.text)")
        continue
      }
    }
  }

  @Test(
    "C4: a client id is unique among open orders alone; once filled or canceled it is taken again")
  func aClientIDIsUniqueAmongTheOpenOrdersOfItsMarket() throws {
    var world = try DeskWorld()
    #expect(world.place("buy", "0.001", at: "50000", id: "one").status == 200)
    let twice = world.place("buy", "0.001", at: "50000", id: "one")
    #expect(twice.status == 422 && twice.json["code"] == .number("36"))
    #expect(twice.text.contains("already used by the current account"))
    #expect(
      world.place("buy", "0.001", at: "50000", id: "one", market: "BTC_USDT").status == 200)
    #expect(world.place("buy", "0.001", at: "50000", id: "one", by: "bob").status == 200)
    #expect(world.place("buy", "0.001", at: "50000", id: "One").status == 200)
    #expect(world.cancel("\"clientOrderId\":\"one\"").status == 200)
    #expect(world.place("buy", "0.001", at: "50000", id: "one").status == 200)
    // A retry of an order that filled is a second order: the venue is no guard against that.
    for _ in 0..<2 {
      let filled = world.place("buy", "0.001", at: "60010", id: "two")
      #expect(filled.status == 200 && filled.json["dealStock"] == .string("0.001"))
    }
    let longest = String(repeating: "x", count: 64)
    #expect(
      world.place("buy", "0.001", at: "50000", id: longest).json["clientOrderId"]
        == .string(longest))
    #expect(world.place("buy", "0.001", at: "50000", id: longest + "x").status == 422)
    #expect(world.place("buy", "0.001", at: "50000", id: "").status == 422)
  }

  @Test func selfTradePreventionIsTakenInBothSpellings() throws {
    for (word, told) in [("cn", "cn"), ("cancel_new", "cn"), ("cb", "cb"), ("no", "no")] {
      var world = try DeskWorld()
      _ = world.place("sell", "0.01", at: "60005")
      let reply = world.place("buy", "0.01", at: "60005", ",\"stp\":\"\(word)\"")
      #expect(reply.json["stp"] == .string(told))
      #expect(reply.json["status"] == .string(word == "no" ? "FILLED" : "CANCELED_STP"))
    }
  }

  // MARK: Bulk

  @Test("M45: twenty orders go in one request, twenty-one do not")
  func bulkTakesTwenty() throws {
    var world = try DeskWorld()
    func items(_ count: Int) -> String {
      let list = (0..<count).map {
        "{\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"\(59_000 - $0 * 50)\"}"
      }
      return "\"orders\":[\(list.joined(separator: ","))]"
    }
    let many = world.call("/api/v4/order/bulk", items(21))
    #expect(many.status == 422)
    #expect(
      many.text
        == "{\"code\":30,\"message\":\"Validation failed\",\"errors\":{\"orders\":[\"validation.between\"]}}"
    )
    #expect(world.call("/api/v4/order/bulk", items(0)).status == 422)
    #expect(
      world.call("/api/v4/order/bulk", "\"orders\":{}").text.contains(
        "The orders must be an array."))
    #expect(world.call("/api/v4/order/bulk").status == 422)
    #expect(world.call("/api/v4/orders").text == "[]")
    let reply = world.call("/api/v4/order/bulk", items(20))
    #expect(reply.status == 200)
    // In the order of the request.
    #expect(
      reply.json.elements.map { $0["result"]?["price"]?.text }
        == (0..<20).map { "\(59_000 - $0 * 50)" })
    #expect(reply.json.elements.allSatisfy { $0["error"] == .null })
    #expect(
      reply.json.elements.map { $0["result"]?["orderId"]?.text }
        == (0..<20).map { "\(2_400_000_000_001 + $0)" })
  }

  @Test("M46: each bulk item succeeds or fails alone")
  func bulkFailsInParts() throws {
    var world = try DeskWorld()
    _ = world.place("buy", "0.001", at: "50000", id: "taken")
    let good =
      "{\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"59000\"}"
    let other =
      "{\"market\":\"BTC_USDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"59000\"}"
    let small =
      "{\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.000001\",\"price\":\"59000\"}"
    let taken =
      "{\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"59000\",\"clientOrderId\":\"taken\"}"
    let list = [good, small, other, taken, "7", good].joined(separator: ",")
    let reply = world.call("/api/v4/order/bulk", "\"orders\":[\(list)]")
    #expect(reply.status == 200)
    let items = reply.json.elements
    #expect(items.map { $0["result"] == .null } == [false, true, false, true, true, false])
    #expect(items.map { $0["error"]?["code"]?.text } == [nil, "32", nil, "36", "30", nil])
    #expect(items[1]["error"]?["message"] == .string("Validation failed"))
    #expect(items[2]["result"]?["market"] == .string("BTC_USDT"))
    #expect(world.call("/api/v4/orders").json.elements.count == 4)
    // With stopOnFail, what comes after the first failure is not tried.
    let stopped = world.call(
      "/api/v4/order/bulk", "\"orders\":[\(good),\(small),\(good)],\"stopOnFail\":true")
    #expect(stopped.json.elements.count == 2)
    #expect(world.call("/api/v4/orders").json.elements.count == 5)
  }

  // MARK: Cancel and modify

  @Test("C18: a cancel answers the order; what is not open is one answer")
  func cancelsTellTheOrder() throws {
    var world = try DeskWorld()
    let order = world.place("sell", "0.5", at: "60005", id: "c1")
    let id = order.json["orderId"]?.text ?? ""
    #expect(world.place("buy", "0.2", at: "60005", by: "bob").json["status"] == .string("FILLED"))
    let canceled = world.cancel("\"clientOrderId\":\"c1\"")
    #expect(canceled.status == 200 && canceled.json["orderId"]?.text == id)
    #expect(canceled.json["status"] == .string("CANCELED"))
    #expect(
      canceled.json["dealStock"] == .string("0.2") && canceled.json["left"] == .string("0.3"))
    let gone =
      "{\"code\":2,\"message\":\"Inner validation failed\",\"errors\":{\"orderId\":[\"Unexecuted order was not found.\"]}}"
    for fields in [
      "\"orderId\":\(id)", "\"orderId\":\"\(id)\"", "\"clientOrderId\":\"c1\"",
      "\"orderId\":999999999999", "\"clientOrderId\":\"never\"",
    ] {
      let reply = world.cancel(fields)
      #expect(reply.status == 400 && reply.text == gone, "\(fields)")
    }
    #expect(world.cancel("\"orderId\":\"one\"").text.contains("should be an integer"))
    #expect(world.cancel("\"orderId\":1,\"clientOrderId\":\"c1\"").status == 422)
    #expect(world.call("/api/v4/order/cancel", "\"orderId\":1").status == 422)
    // Nobody cancels another's order.
    let bobs = world.place("buy", "0.001", at: "50000", id: "b", by: "bob")
    #expect(
      world.cancel("\"orderId\":\(bobs.json["orderId"]?.text ?? "")").text == gone)
    world.expectConserved()
  }

  @Test func cancelsComeInListsAndAllAtOnce() throws {
    var world = try DeskWorld()
    var ids: [String] = []
    for (index, market) in ["DBTC_DUSDT", "DBTC_DUSDT", "BTC_USDT", "BTC_USDT"].enumerated() {
      let order = world.place("buy", "0.001", at: "50000", id: "q\(index)", market: market)
      ids.append(order.json["orderId"]?.text ?? "")
    }
    let list = [
      "{\"market\":\"DBTC_DUSDT\",\"orderId\":\(ids[0])}",
      "{\"market\":\"DBTC_DUSDT\",\"orderId\":1}", "{\"market\":\"DBTC_DUSDT\"}",
      "{\"market\":\"NOPE\",\"orderId\":1}", "{\"orderId\":1}",
      "{\"market\":\"BTC_USDT\",\"clientOrderId\":\"q2\"}",
    ]
    let reply = world.call(
      "/api/v4/order/cancel/bulk", "\"orders\":[\(list.joined(separator: ","))]")
    #expect(
      reply.json.elements.map { $0["error"]?["code"]?.text } == [nil, "404", "30", "30", "30", nil])
    #expect(
      reply.json[0]?.description
        == "{\"result\":{\"orderId\":\(ids[0]),\"clientOrderId\":\"q0\",\"market\":\"DBTC_DUSDT\"},\"error\":null}"
    )
    #expect(
      world.call("/api/v4/order/cancel/all", "\"type\":\"spot\"").text.contains(
        "The type must be an array."))
    #expect(world.call("/api/v4/order/cancel/all", "\"type\":[\"margin\"]").text == "[]")
    #expect(world.call("/api/v4/orders").json.elements.count == 2)
    #expect(
      world.call("/api/v4/order/cancel/all", "\"market\":\"BTC_USDT\",\"type\":[\"spot\"]").text
        == "[]")
    #expect(world.call("/api/v4/orders").json.elements.map { $0["clientOrderId"]?.text } == ["q1"])
    #expect(world.call("/api/v4/order/cancel/all").text == "[]")
    #expect(world.call("/api/v4/orders").text == "[]")
    #expect(world.balance("DUSDT") == "1000000 + 0" && world.balance("USDT") == "50000 + 0")
  }

  @Test func aModifyGivesANewNumberAndKeepsTheName() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("ordersPending_subscribe", "[]")
    let order = world.place("buy", "0.002", at: "50000", id: "m")
    let old = order.json["orderId"]?.text ?? ""
    _ = world.news()
    let market = "\"market\":\"DBTC_DUSDT\","
    let changed = world.call(
      "/api/v4/order/modify", market + "\"clientOrderId\":\"m\",\"price\":\"51000\"")
    let new = changed.json["orderId"]?.text ?? ""
    #expect(changed.status == 200 && new != old)
    #expect(changed.json["clientOrderId"] == .string("m"))
    #expect(
      changed.json["price"] == .string("51000") && changed.json["amount"] == .string("0.002"))
    #expect(world.balance("DUSDT") == "999898 + 102")
    let news = world.news(of: "ordersPending_update")
    #expect(
      news.map { "\($0[0]?.text ?? "") \($0[1]?["id"]?.text ?? "")" } == ["3 \(old)", "1 \(new)"])
    #expect(
      world.call("/api/v4/order/modify", market + "\"orderId\":\(old),\"price\":\"52000\"").json[
        "code"] == .number("2"))
    #expect(
      world.call(
        "/api/v4/order/modify",
        market + "\"orderId\":\"\(new)\",\"amount\":\"0.003\",\"price\":\"52000\""
      ).json["amount"] == .string("0.003"))
    let poor = world.call(
      "/api/v4/order/modify", market + "\"clientOrderId\":\"m\",\"amount\":\"9000\"")
    #expect(poor.status == 400 && poor.json["code"] == .number("10"))
    #expect(
      world.call("/api/v4/order/modify", market + "\"clientOrderId\":\"m\"").status == 422)
    #expect(
      world.call("/api/v4/order/modify", market + "\"clientOrderId\":\"m\",\"total\":\"7\"").json[
        "code"] == .number("162"))
    #expect(
      world.call(
        "/api/v4/order/modify", market + "\"clientOrderId\":\"m\",\"activationPrice\":\"7\""
      ).json["code"] == .number("158"))
    // What was refused left the order as it was.
    let left = world.call("/api/v4/orders").json.elements
    #expect(left.count == 1 && left[0]["amount"] == .string("0.003"))
  }
}
