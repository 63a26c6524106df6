import MartletBase
import MartletJSON
import MartletModel
import Testing
import WhiteBITDesk
import WhiteBITWire

@Suite struct DeskDeadManTests {
  private let path = "/api/v4/order/kill-switch"
  private let market = "\"market\":\"DBTC_DUSDT\""

  @Test("M66: the timeout is a string of 5 to 600 seconds, and the reply tells when it runs out")
  func timeoutsAreStrings() throws {
    var world = try DeskWorld()
    world.pass(.milliseconds(700))
    let reply = world.call(path, market + ",\"timeout\":\"60\",\"types\":[\"spot\"]")
    #expect(
      reply.text
        == "{\"market\":\"DBTC_DUSDT\",\"startTime\":1790000040,\"cancellationTime\":1790000100,\"types\":[\"spot\"]}"
    )
    for (given, text) in [
      ("", "Timeout field is required."), (",\"timeout\":60", "Timeout field should be a string."),
      (",\"timeout\":\"4\"", "Timeout should be at least 5."),
      (",\"timeout\":\"601\"", "Timeout should not be greater than 600."),
      (",\"timeout\":\"soon\"", "Timeout field should be numeric string."),
    ] {
      let refused = world.call(path, market + given)
      #expect(refused.status == 422 && refused.json["code"] == .number("30"))
      #expect(refused.json["errors"]?["timeout"]?[0] == .string(text))
    }
    #expect(world.call(path, market + ",\"timeout\":\"5\"").status == 200)
    #expect(world.call(path, market + ",\"timeout\":\"600\"").status == 200)
    #expect(world.call(path, "\"timeout\":\"60\"").status == 422)
  }

  @Test("M68: without types all kinds are covered; a timer for margin leaves spot orders alone")
  func typesNarrow() throws {
    var world = try DeskWorld()
    let all = world.call(path, market + ",\"timeout\":\"5\"")
    #expect(all.json["types"] == .null)
    _ = world.place("buy", "0.001", at: "50000")
    #expect(world.call(path, market + ",\"timeout\":\"5\",\"types\":[\"margin\"]").status == 200)
    world.pass(.seconds(6))
    #expect(world.call("/api/v4/orders").json.elements.count == 1)
    #expect(world.call(path, market + ",\"timeout\":\"5\",\"types\":[\"options\"]").status == 422)
    #expect(world.call(path, market + ",\"timeout\":\"5\",\"types\":[]").status == 422)
    #expect(world.call(path, market + ",\"timeout\":\"5\",\"types\":\"spot\"").status == 422)
  }

  @Test("M67 M71: what is not refreshed runs out, cancels its market's orders and is gone")
  func theTimerRunsOut() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("ordersPending_subscribe", "[]")
    _ = world.place("buy", "0.001", at: "50000", id: "mine")
    _ = world.place("buy", "0.001", at: "50000", id: "elsewhere", market: "BTC_USDT")
    _ = world.place("buy", "0.001", at: "50000", id: "bobs", by: "bob")
    _ = world.call(path, market + ",\"timeout\":\"5\"")
    world.pass(.milliseconds(4_500))
    _ = world.call(path, market + ",\"timeout\":\"5\"")  // Restarts it.
    let status = world.call(path + "/status", market)
    #expect(
      status.text
        == "[{\"market\":\"DBTC_DUSDT\",\"startTime\":1790000044,\"cancellationTime\":1790000049,\"types\":null}]"
    )
    #expect(world.call(path + "/status").json.elements.count == 1)
    #expect(world.call(path + "/status", "\"market\":\"BTC_USDT\"").text == "[]")
    #expect(world.call(path + "/status", by: "bob").text == "[]")
    world.pass(.milliseconds(4_999))
    #expect(world.call("/api/v4/orders").json.elements.count == 2)
    _ = world.news()
    world.pass(.milliseconds(1))
    #expect(
      world.call("/api/v4/orders").json.elements.map { $0["clientOrderId"]?.text } == ["elsewhere"])
    #expect(world.call("/api/v4/orders", by: "bob").json.elements.count == 1)
    let news = world.news(of: "ordersPending_update")
    #expect(news.count == 1 && news[0][0] == .number("3"))
    #expect(news[0][1]?["status"] == .string("CANCELED"))
    #expect(world.call(path + "/status").text == "[]")
    #expect(world.balance("DUSDT") == "1000000 + 0")
  }

  @Test("M72: JSON null removes the timer, and so does the text one adapter sends")
  func nullRemovesIt() throws {
    for given in ["null", "\"null\""] {
      var world = try DeskWorld()
      _ = world.place("buy", "0.001", at: "50000")
      _ = world.call(path, market + ",\"timeout\":\"5\"")
      #expect(world.call(path, market + ",\"timeout\":\(given)").text == "[]")
      #expect(world.call(path + "/status").text == "[]")
      world.pass(.seconds(10))
      #expect(world.call("/api/v4/orders").json.elements.count == 1)
    }
  }

  @Test("M71: orders survive a lost stream until the timer ends them")
  func aLostStreamCancelsNothing() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.place("buy", "0.001", at: "50000")
    _ = world.call(path, market + ",\"timeout\":\"60\"")
    world.desk.closed(1, at: world.now)
    world.pass(.seconds(59))
    #expect(world.call("/api/v4/orders").json.elements.count == 1)
    world.pass(.seconds(1))
    #expect(world.call("/api/v4/orders").text == "[]")
  }
}
