import MartletBase
import MartletExchange
import MartletJSON
import MartletModel
import Testing
import WhiteBITDesk
import WhiteBITWire

@Suite struct DeskStreamTests {
  private let ok = "{\"error\": null, \"result\": {\"status\": \"success\"}, \"id\": 1}"

  @Test("service methods and errors, in the venue's spaced text")
  func serviceMethods() throws {
    var world = try DeskWorld()
    world.open(1)
    #expect(
      world.say("ping", "[]", id: 0) == ["{\"error\": null, \"result\": \"pong\", \"id\": 0}"])
    #expect(
      world.say("time", "[]", id: 5) == ["{\"error\": null, \"result\": 1790000040, \"id\": 5}"])
    #expect(
      world.say("fly_subscribe", "[]") == [
        "{\"error\": {\"code\": 4, \"message\": \"method not found\"}, \"result\": null, \"id\": 1}"
      ])
    #expect(
      world.say("depth_subscribe", "[\"NOPE\",20,\"0\",true]", id: 2_000_001) == [
        "{\"error\": {\"code\": 9, \"message\": \"market NOPE does not exist\"}, \"result\": null, \"id\": 2000001}"
      ])
    for params in [
      "[\"DBTC_DUSDT\",20]", "[\"DBTC_DUSDT\",7,\"0\",true]", "[\"DBTC_DUSDT\",5,\"2\",true]",
    ] {
      #expect(world.say("depth_subscribe", params)[0].contains("invalid argument"), "\(params)")
    }
    #expect(world.say("lastprice_subscribe", "[]")[0].contains("invalid argument"))
  }

  @Test("what is no request drops the stream without a word")
  func nonsenseDropsTheStream() throws {
    for nonsense in [
      "not json", "{\"id\":1}", "[1]", "{\"id\":1,\"method\":\"ping\",\"params\":7}", "",
    ] {
      var world = try DeskWorld()
      world.open(1)
      #expect(world.say(nonsense) == ["CLOSE none"], "\(nonsense)")
      #expect(world.say("ping", "[]").isEmpty)
    }
  }

  @Test func aSilentClientIsDroppedAfterAMinute() throws {
    var world = try DeskWorld()
    world.open(1)
    world.open(2)
    _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",5,\"0\",true]", on: 2)
    world.pass(.seconds(50))
    _ = world.say("ping", "[]", on: 1)
    world.pass(.milliseconds(9_999))
    #expect(!(world.frames[2] ?? []).contains("CLOSE none"))
    world.pass(.milliseconds(1))
    #expect(world.frames[2]?.last == "CLOSE none")
    world.pass(.seconds(50))
    #expect(world.frames[1]?.last == "CLOSE none")
    #expect(world.desk.nextDeadline > world.now + .seconds(60))
  }

  @Test func aStreamMayBeLimitedInItsMessages() throws {
    var world = try DeskWorld { $0.messagesPerMinute = 3 }
    world.open(1)
    for _ in 0..<3 { #expect(world.say("ping", "[]")[0].contains("pong")) }
    #expect(
      world.say("ping", "[]") == [
        "{\"error\": {\"code\": 7, \"message\": \"too many requests\"}, \"result\": null, \"id\": 1}"
      ])
    world.pass(.seconds(59))
    #expect(world.say("ping", "[]")[0].contains("too many"))
    world.pass(.seconds(1))
    #expect(world.say("ping", "[]")[0].contains("pong"))
  }

  // MARK: Private

  @Test("M76 M77 M78: one order's life on the private channels, word for word")
  func oneOrdersLife() throws {
    var world = try DeskWorld()
    world.openPrivate()
    #expect(world.say("ordersPending_subscribe", "[\"DBTC_DUSDT\"]") == [ok])
    #expect(world.say("deals_subscribe", "[[\"DBTC_DUSDT\"]]") == [ok])
    #expect(world.say("ordersExecuted_subscribe", "[[\"DBTC_DUSDT\"],0]") == [ok])
    world.frames = [:]
    _ = world.place("buy", "0.001", at: "60005", id: "mrt-1")
    #expect(
      world.frames[1] == [
        """
        {"method": "ordersPending_update", "params": [1, {"id": 2400000000001, \
        "market": "DBTC_DUSDT", "type": 1, "side": 2, "post_only": false, "ioc": false, \
        "ctime": 1790000040.000000, "mtime": 1790000040.000000, "price": "60005", \
        "amount": "0.001", "left": "0.001", "deal_stock": "0", "deal_money": "0", \
        "deal_fee": "0", "client_order_id": "mrt-1", "stp": "no", "status": "OPEN"}], "id": null}
        """
      ])
    world.frames = [:]
    world.pass(.milliseconds(250))
    _ = world.place("sell", "0.0004", at: "60005", by: "bob")
    #expect(
      world.frames[1] == [
        """
        {"method": "deals_update", "params": [22000000001, 1790000040.250000, "DBTC_DUSDT", \
        2400000000001, "60005", "0.0004", "0.0000004", "mrt-1", 2, 1, "DBTC"], "id": null}
        """,
        """
        {"method": "ordersPending_update", "params": [2, {"id": 2400000000001, \
        "market": "DBTC_DUSDT", "type": 1, "side": 2, "post_only": false, "ioc": false, \
        "ctime": 1790000040.000000, "mtime": 1790000040.250000, "price": "60005", \
        "amount": "0.001", "left": "0.0006", "deal_stock": "0.0004", "deal_money": "24.002", \
        "deal_fee": "0.0000004", "client_order_id": "mrt-1", "stp": "no", \
        "status": "PARTIALLY_FILLED"}], "id": null}
        """,
      ])
    world.frames = [:]
    _ = world.cancel("\"clientOrderId\":\"mrt-1\"")
    let end = world.news()
    #expect(end.map { $0["method"]?.text } == ["ordersPending_update", "ordersExecuted_update"])
    #expect(end[0]["params"]?[0] == .number("3"))
    #expect(end[0]["params"]?[1]?["status"] == .string("CANCELED"))
    #expect(end[0]["params"]?[1]?["left"] == .string("0.0006"))
    // The executed channel has the order alone, without an event before it.
    #expect(end[1]["params"]?[0]?["id"] == .number("2400000000001"))
    #expect(end[1]["params"]?.elements.count == 1)
  }

  @Test("an order filled on arrival has only its end; a partly filled one begins with it")
  func ordersThatTake() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("ordersPending_subscribe", "[]")
    _ = world.say("deals_subscribe", "[[]]")
    _ = world.news()
    _ = world.place("buy", "0.5", at: "60010", id: "all")
    var news = world.news()
    #expect(news.map { $0["method"]?.text } == ["deals_update", "ordersPending_update"])
    #expect(news[1]["params"]?[0] == .number("3"))
    #expect(news[0]["params"]?[9] == .number("2"))
    _ = world.place("buy", "0.7", at: "60010", id: "part")
    news = world.news()
    #expect(news.map { $0["params"]?[0]?.text } == ["22000000002", "1"])
    #expect(news[1]["params"]?[1]?["left"] == .string("0.2"))
    #expect(news[1]["params"]?[1]?["status"] == .string("PARTIALLY_FILLED"))
    _ = world.place("buy", "0.7", at: "60010", id: "now", ",\"ioc\":true")
    news = world.news()
    #expect(news.map { $0["params"]?[0]?.text } == ["3"])
    #expect(news[0]["params"]?[1]?["status"] == .string("CANCELED"))
  }

  @Test func subscriptionsReplaceOneAnotherAndKeepToTheirMarkets() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("ordersPending_subscribe", "[\"BTC_USDT\"]")
    _ = world.say("ordersPending_subscribe", "[\"DBTC_DUSDT\"]")
    _ = world.news()
    _ = world.place("buy", "0.001", at: "50000", market: "BTC_USDT")
    #expect(world.news().isEmpty)
    _ = world.place("buy", "0.001", at: "50000")
    #expect(world.news().count == 1)
    // Another account's orders are another's.
    _ = world.place("buy", "0.001", at: "50000", by: "bob")
    #expect(world.news().isEmpty)
    _ = world.say("ordersPending_unsubscribe", "[]")
    _ = world.news()
    _ = world.place("buy", "0.001", at: "50000")
    #expect(world.news().isEmpty)
    // The markets of the deals channel stand in a list of their own.
    #expect(world.say("deals_subscribe", "[\"DBTC_DUSDT\"]")[0].contains("invalid argument"))
  }

  @Test func balancesAreToldAtMostOnceASecondAndOnlyWhatChanged() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("balanceSpot_subscribe", "[]")
    _ = world.news()
    _ = world.place("buy", "0.001", at: "50000", id: "a")
    var news = world.news(of: "balanceSpot_update")
    #expect(
      news.map(\.description) == ["[{\"DUSDT\":{\"available\":\"999950\",\"freeze\":\"50\"}}]"])
    _ = world.place("buy", "0.001", at: "50000", id: "b")
    _ = world.place("sell", "0.002", at: "70000", id: "c")
    world.pass(.milliseconds(999))
    #expect(world.news(of: "balanceSpot_update").isEmpty)
    world.pass(.milliseconds(1))
    news = world.news(of: "balanceSpot_update")
    #expect(news.count == 1 && news[0][0]?.keys == ["DUSDT", "DBTC"])
    #expect(news[0][0]?["DUSDT"]?["freeze"] == .string("100"))
    world.pass(.seconds(5))
    #expect(world.news(of: "balanceSpot_update").isEmpty)
    let asked = world.say("balanceSpot_request", "[\"DBTC\"]")
    #expect(
      asked == [
        "{\"error\": null, \"result\": {\"DBTC\": {\"available\": \"9.998\", \"freeze\": \"0.002\"}}, \"id\": 1}"
      ])
  }

  @Test func privateQuestionsAreAnswered() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.place("buy", "0.01", at: "60010", id: "t")
    _ = world.place("buy", "0.01", at: "50000", id: "r")
    _ = world.news()
    _ = world.say("ordersPending_request", "[\"DBTC_DUSDT\",0,10]")
    _ = world.say(
      "ordersExecuted_request", "[{\"market\":\"DBTC_DUSDT\",\"order_types\":[1]},0,10]")
    _ = world.say("deals_request", "[\"DBTC_DUSDT\",0,10]")
    let answers = world.news().compactMap { $0["result"] }
    #expect(answers[0]["total"] == .number("1"))
    #expect(answers[0]["records"]?[0]?["client_order_id"] == .string("r"))
    #expect(answers[1]["records"]?[0]?["status"] == .string("FILLED"))
    #expect(answers[2]["records"]?[0]?["side"] == .number("2"))
    #expect(answers[2]["records"]?[0]?["fee_asset"] == .string("DBTC"))
  }

  // MARK: Public

  @Test("the last price and the day's statistics come every second")
  func pricesComeEverySecond() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([.trade(.buy, 20_000, at: 60_010), .trade(.sell, 5_000, at: 60_000)]))
    world.open(1)
    #expect(world.say("lastprice_subscribe", "[\"DBTC_DUSDT\"]") == [ok])
    #expect(world.say("market_subscribe", "[\"DBTC_DUSDT\"]") == [ok])
    world.frames = [:]
    world.pass(.seconds(2))
    let price =
      "{\"method\": \"lastprice_update\", \"params\": [\"DBTC_DUSDT\", \"60000\"], \"id\": null}"
    let day = """
      {"method": "market_update", "params": ["DBTC_DUSDT", {"open": "60010", "close": "60000", \
      "high": "60010", "low": "60000", "volume": "0.025", "deal": "1500.2", "last": "60000", \
      "period": 86400}], "id": null}
      """
    #expect(world.frames[1] == [price, day, price, day])
    #expect(
      world.say("lastprice_request", "[\"DBTC_DUSDT\"]") == [
        "{\"error\": null, \"result\": \"60000\", \"id\": 1}"
      ])
    #expect(
      world.say("market_request", "[\"DBTC_DUSDT\",86400]")[0].contains("\"volume\": \"0.025\""))
    _ = world.say("lastprice_unsubscribe", "[]")
    _ = world.say("market_unsubscribe", "[]")
    world.frames = [:]
    world.pass(.seconds(3))
    #expect(world.frames[1] == nil)
  }

  @Test func tradesBeginWithTheTapeAndGoOnAsTheyHappen() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([.trade(.buy, 20_000, at: 60_010), .trade(.sell, 5_000, at: 60_000)]))
    world.pass(.seconds(1))
    world.open(1)
    _ = world.say("trades_subscribe", "[\"DBTC_DUSDT\"]")
    let tape = world.news(of: "trades_update")
    #expect(tape[0][1]?.elements.map { $0["price"]?.text } == ["60000", "60010"])
    _ = world.place("buy", "1.5", at: "60020")
    let fresh = world.news(of: "trades_update")
    // One order, two levels: the newest first.
    #expect(fresh.count == 1)
    #expect(fresh[0][1]?.elements.map { $0["price"]?.text } == ["60011", "60010"])
    #expect(fresh[0][1]?[0]?["type"] == .string("buy"))
    #expect(
      world.say("trades_request", "[\"DBTC_DUSDT\",1,0]")[0].contains("\"price\": \"60011\""))
  }

  @Test func candlesComeEveryHalfSecond() throws {
    var world = try DeskWorld(rows: DeskWorld.market([.trade(.buy, 20_000, at: 60_010)]))
    world.pass(.seconds(1))
    world.open(1)
    let first = world.say("candles_subscribe", "[\"DBTC_DUSDT\",60]")
    #expect(first[0] == ok)
    #expect(
      first[1] == """
        {"method": "candles_update", "params": [[1790000040, "60010", "60010", "60010", "60010", \
        "0.02", "1200.2", "DBTC_DUSDT"]], "id": null}
        """)
    world.frames = [:]
    world.pass(.seconds(2))
    #expect(world.frames[1]?.count == 4)
    #expect(world.say("candles_subscribe", "[\"DBTC_DUSDT\",61]")[0].contains("invalid argument"))
    #expect(
      world.say("candles_request", "[\"DBTC_DUSDT\",1790000000,1790000100,60]")[0].contains(
        "1790000040"))
  }

  @Test func theBestIsToldWhenItChanges() throws {
    var world = try DeskWorld()
    world.open(1)
    let standing = world.say("bookTicker_subscribe", "[\"DBTC_DUSDT\"]")
    #expect(standing.count == 2)
    #expect(
      standing[1].hasPrefix("{\"method\": \"bookTicker_update\", \"params\": [[1790000040.000000,"))
    #expect(standing[1].hasSuffix("\"60000\", \"1\", \"60010\", \"1\"]], \"id\": null}"))
    world.frames = [:]
    _ = world.place("buy", "0.1", at: "59000")
    #expect(world.frames[1] == nil)
    _ = world.place("buy", "0.1", at: "60001")
    let told = world.news(of: "bookTicker_update")
    #expect(told.count == 1 && told[0][0]?[4] == .string("60001"))
    _ = world.say("bookTicker_unsubscribe", "[\"DBTC_DUSDT\"]")
    _ = world.news()
    _ = world.place("buy", "0.1", at: "60002")
    #expect(world.news().isEmpty)
  }
}
