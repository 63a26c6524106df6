import MartletBase
import MartletExchange
import MartletJSON
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITWire

@Suite struct DeskHabitsTests {
  private let new = "/api/v4/order/new"
  private let order =
    "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"50000\""

  @Test func aReplyIsLostAfterTheOrderWasTaken() throws {
    var world = try DeskWorld()
    world.desk.habits.plan(.dropReply, path: new)
    let lost = world.send(new, order + ",\"clientOrderId\":\"x\"")
    #expect(world.reply(lost) == nil)
    #expect(
      world.call("/api/v4/orders").json.elements.map { $0["clientOrderId"]?.text } == ["x"])
    // Only what was planned goes wrong.
    #expect(world.call(new, order).status == 200)
    #expect(world.desk.habits.isSpent)
  }

  @Test func aRequestIsLostBeforeItArrives() throws {
    var world = try DeskWorld()
    world.desk.habits.plan(.dropRequest)
    let lost = world.send(new, order)
    #expect(world.reply(lost) == nil)
    #expect(world.call("/api/v4/orders").text == "[]")
  }

  @Test func aReplyIsLateAndWhatHappensMeanwhileComesFirst() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("ordersPending_subscribe", "[]")
    world.desk.habits.plan(.delayReply(.seconds(4)), path: new, after: 1)
    #expect(world.call(new, order).status == 200)
    _ = world.news()
    let late = world.send(
      new, "\"market\":\"DBTC_DUSDT\",\"side\":\"sell\",\"amount\":\"0.5\",\"price\":\"60005\"")
    #expect(world.reply(late) == nil)
    _ = world.place("buy", "0.5", at: "60005", by: "bob")
    world.pass(.milliseconds(3_999))
    #expect(world.reply(late) == nil)
    world.pass(.milliseconds(1))
    // The reply tells the order as it was when it was taken; the fill has long been told.
    #expect(world.reply(late)?.json["status"] == .string("OPEN"))
    #expect(world.news(of: "ordersPending_update").map { $0[0]?.text } == ["1", "3"])
  }

  @Test("the gateway answers with pages, whether the request was carried out or not")
  func pagesInsteadOfJSON() throws {
    for isCarriedOut in [true, false] {
      var world = try DeskWorld()
      world.desk.habits.plan(.page(status: 502, isCarriedOut: isCarriedOut), path: new)
      let reply = world.call(new, order)
      #expect(reply.status == 502 && reply.contentType == "text/html")
      #expect(reply.text.hasPrefix("<html>") && reply.json == .null)
      #expect(world.call("/api/v4/orders").json.elements.count == (isCarriedOut ? 1 : 0))
      let verdict = Faults.verdict(status: 502, body: bytes(reply.text).span)
      #expect(verdict.outcome == .inDoubt)
    }
  }

  @Test func repliesAreCutShortOrFarTooLong() throws {
    var world = try DeskWorld()
    world.desk.habits.plan(.truncatedReply, path: new)
    world.desk.habits.plan(.oversizedReply(bytes: 3 << 20), path: "/api/v4/orders")
    world.desk.habits.plan(.staleNonce, path: new)
    let cut = world.call(new, order)
    #expect(cut.status == 200 && cut.text.hasPrefix("{\"orderId\"") && cut.json == .null)
    #expect(world.call("/api/v4/orders").text.utf8.count == 3 << 20)
    let stale = world.call(new, order)
    #expect(stale.status == 429 && stale.json["message"] == .string("Too many requests."))
    #expect(world.call("/api/v4/orders").json.elements.count == 1)
  }

  @Test func pushedFramesAreDoubledDelayedAndLost() throws {
    var world = try DeskWorld()
    world.openPrivate()
    _ = world.say("deals_subscribe", "[[]]")
    _ = world.say("ordersPending_subscribe", "[]")
    _ = world.news()
    world.desk.habits.plan(.duplicate, on: .deals)
    world.desk.habits.plan(.delay(.seconds(3)), on: .deals)
    world.desk.habits.plan(.drop, on: .ordersPending, after: 2)
    world.desk.habits.plan(.truncate, on: .deals)
    for _ in 0..<3 { _ = world.place("buy", "0.001", at: "60010") }
    var deals = world.news(of: "deals_update").map { $0[0]?.text }
    #expect(deals == ["22000000001", "22000000001"])
    world.pass(.seconds(3))
    deals = world.news(of: "deals_update").map { $0[0]?.text }
    #expect(deals == ["22000000002"])
    #expect(world.desk.habits.isSpent)
  }

  @Test("pushes come before the reply that caused them, or after it, as is set")
  func pushesAndRepliesHaveAnOrder() throws {
    for isFirst in [true, false] {
      var habits = Habits()
      habits.pushesBeforeReply = isFirst
      var world = try DeskWorld(habits: habits)
      world.openPrivate()
      _ = world.say("ordersPending_subscribe", "[]")
      var output = DeskOutput()
      let body = "{\(order),\"request\":\"\(new)\",\"nonce\":1790000049999}"
      var request = world.signed(new, body, key: "ann", secret: "secret of ann")
      request.id = 77
      world.desk.receive(request, body: bytes(body).span, at: world.now, output: &output)
      let kinds = output.items.map { if case .reply = $0 { "reply" } else { "push" } }
      #expect(kinds == (isFirst ? ["push", "reply"] : ["reply", "push"]))
    }
  }

  @Test func requestsTakeTheirTimeAndStayInOrder() throws {
    var world = try DeskWorld { $0.requestLatency = .milliseconds(30) }
    let first = world.send(new, order + ",\"clientOrderId\":\"a\"")
    world.pass(.milliseconds(10))
    let second = world.send("/api/v4/orders")
    world.pass(.milliseconds(19))
    #expect(world.reply(first) == nil)
    world.pass(.milliseconds(1))
    #expect(world.reply(first)?.json["timestamp"] == .number("1790000040.030000"))
    #expect(world.reply(second) == nil)
    world.pass(.milliseconds(10))
    #expect(world.reply(second)?.json.elements.count == 1)
  }

  /// The outside market fills an order between a cancel's request and its execution.
  @Test("a fill crosses a cancel on its way")
  func aFillCrossesACancel() throws {
    var world = try DeskWorld(
      rows: DeskWorld.market([.trade(.sell, 10, at: 59_900)], after: .milliseconds(200))
    ) { $0.requestLatency = .milliseconds(100) }
    let placed = world.send(
      new,
      "\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"60001\",\"clientOrderId\":\"x\""
    )
    world.pass(.milliseconds(150))
    #expect(world.reply(placed)?.json["status"] == .string("OPEN"))
    let canceled = world.send(
      "/api/v4/order/cancel", "\"market\":\"DBTC_DUSDT\",\"clientOrderId\":\"x\"")
    world.pass(.milliseconds(100))
    #expect(world.reply(canceled)?.json["code"] == .number("2"))
    let history = world.send("/api/v4/trade-account/order/history")
    world.pass(.milliseconds(100))
    #expect(world.reply(history)?.json["DBTC_DUSDT"]?[0]?["status"] == .string("FILLED"))
    world.expectConserved()
  }

  /// The same seed and requests give the same bytes; another seed does not.
  @Test func aDeskIsDeterministic() throws {
    func run(_ seed: UInt64) throws -> UInt64 {
      var world = try DeskWorld(
        rows: DeskWorld.market([
          .trade(.sell, 900_000, at: 60_000), .level(.buy, 0, at: 60_000),
          .trade(.buy, 2_000_000, at: 60_011), .level(.sell, 5, at: 60_001),
        ])
      ) { $0.seed = seed }
      world.openPrivate()
      _ = world.say("deals_subscribe", "[[]]")
      _ = world.say("balanceSpot_subscribe", "[]")
      _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",20,\"0\",true]")
      var replies = ""
      var random = SeededRandom(seed: 9)
      for _ in 0..<60 {
        let side = random.below(2) == 0 ? "buy" : "sell"
        replies +=
          world.place(
            side, "0.01", at: "\(60_005 + random.integer(in: -12...12))",
            by: random.below(2) == 0 ? "ann" : "bob"
          ).text
        world.pass(.milliseconds(random.integer(in: 0...90)))
      }
      world.expectConserved()
      var digest: UInt64 = 0xcbf2_9ce4_8422_2325
      for byte in (replies + world.frames[1, default: []].joined()).utf8 {
        digest = (digest ^ UInt64(byte)) &* 0x0100_0000_01b3
      }
      return digest
    }
    let first = try run(1)
    #expect(try run(1) == first)
    #expect(try run(2) != first)
  }
}
