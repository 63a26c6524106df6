import MartletBase
import MartletJSON
import MartletModel
import Testing

@testable import MartletDashboard

@Suite struct DashboardStatusTests {
  @Test func jsonHasStableKeysAndExactMoney() throws {
    let status = try DashboardFixture.status(step: 420)
    let json = try parse(status)
    guard case .object(let members) = json else {
      Issue.record("not an object: \(json)")
      return
    }
    #expect(
      members.map(\.key) == [
        "bot", "mode", "venue", "market", "base", "quote", "valuation", "price_places", "state",
        "halt_reason", "hold_reason", "since_ms", "now_ms", "ends_ms", "best_bid", "best_ask",
        "last",
        "book_trusted", "orders", "orders_working", "fills", "counts", "position", "balances",
        "equity", "profit", "realized", "unrealized", "fees", "max_drawdown", "dead_man_left_ms",
        "dead_man_timeout_ms", "dead_man_timers", "stops", "nonce_lead_ms", "connections",
        "frame_to_order_us", "journal", "journal_warning", "exchange", "alerts",
      ])
    #expect(json["best_bid"]?.text == "61296.93")
    #expect(json["equity"]?.text == "100000.52648")
    #expect(json["profit"]?.text == "0.52648")
    #expect(json["position"]?.text == "-0.003")
    #expect(json["state"]?.text == "trading" && json["halt_reason"] == .null)
    #expect(json["fills"]?[34]?["fee"]?.text == "0.000001")
    #expect(json["balances"]?[1]?["available"]?.text == "38137.224992")
    #expect(json["frame_to_order_us"]?["p50"]?.text == "4.31")
    #expect(json["dead_man_timers"]?[0]?["market"]?.text == "DBTC_DUSDT")
    #expect(json["dead_man_timers"]?[0]?["left_ms"]?.text == "18000")
    #expect(json["dead_man_timers"]?[0]?["cancels_at_ms"]?.text == "1723075260000")
    #expect(json["nonce_lead_ms"]?.text == "3")
    #expect(json["stops"]?[0]?["price"]?.text == "60800" && json["stops"]?[0]?["inert_ms"] == .null)
    #expect(json["stops"]?[0]?["unprotected_ms"]?.text == "1250")
    // Highest first, so that the page need not sort money.
    #expect(json["orders"]?[0]?["price"]?.text == "61800")
    #expect(json["orders"]?[19]?["price"]?.text == "60750")
  }

  @Test func whatIsNotKnownIsNullAndListsAreBounded() throws {
    var status = try DashboardFixture.status(step: 0)
    status.bestBid = nil
    status.equity = nil
    status.deadManLeft = nil
    status.frameToOrder = nil
    status.endsAt = nil
    status.state = .halted(.unauthorized)
    status.orders = Array(repeating: try #require(status.orders.first), count: 300)
    status.alerts = (0..<30).map {
      .init(time: status.now, severity: .info, text: "alert \($0) \"\u{1B}[31m\"")
    }
    let json = try parse(status)
    for key in ["best_bid", "equity", "profit", "dead_man_left_ms", "frame_to_order_us", "ends_ms"]
    {
      #expect(json[key] == .null, "\(key)")
    }
    #expect(json["halt_reason"]?.text == "the venue refused the key, signature or permission")
    #expect(json["orders"]?[199] != nil && json["orders"]?[200] == nil)
    #expect(json["orders_working"]?.text == "300")
    #expect(json["alerts"]?[0]?["text"]?.text == "alert 10 \"\u{1B}[31m\"")
    #expect(json["alerts"]?[20] == nil)
  }

  @Test func anOperatorsWordsStandBehindTheReasonOfAHalt() throws {
    var status = try DashboardFixture.status(step: 0)
    status.haltWords = "a strange price"
    #expect(try parse(status)["halt_reason"] == .null)
    status.state = .halted(.operatorRequest)
    #expect(try parse(status)["halt_reason"]?.text == "an operator said so: a strange price")
    #expect(StatusBlock.line(status).contains("halted (an operator said so: a strange price)"))
    status.haltWords = nil
    #expect(try parse(status)["halt_reason"]?.text == "an operator said so")
  }

  @Test func aTrailKeepsTheWholeRunInBoundedRoom() throws {
    var trail = StatusTrail(capacity: 16, interval: .milliseconds(200))
    var status = try DashboardFixture.status(step: 0)
    for step in 0..<5000 {
      status.now = DashboardFixture.start + .milliseconds(Int64(step) * 100)
      status.equity = Amount(units: Int128(step))
      trail.append(status)
      #expect(trail.points.count <= 16)
      #expect(trail.points.last?.equity == status.equity, "the newest is always there")
    }
    let times = trail.points.map(\.time)
    #expect(times == times.sorted() && Set(times).count == times.count)
    #expect(trail.points.count >= 8)
    #expect(times[0] < DashboardFixture.start + trail.interval + trail.interval)

    status.now = DashboardFixture.start
    let before = trail
    trail.append(status)
    #expect(trail == before, "an older status is left out")
  }

  @Test func theSlotHandsOverTheNewestOnly() async throws {
    let slot = StatusSlot()
    let first = try DashboardFixture.status(step: 0)
    #expect(slot.take() == nil)
    #expect(slot.offer(first))
    var second = first
    second.counts.fills = 1
    #expect(slot.offer(second))
    #expect(slot.take()?.counts.fills == 1)
    #expect(slot.take() == nil)

    // Two threads: what is taken only ever gets newer, and the last one arrives.
    let last: UInt64 = 20_000
    async let seen: UInt64 = Task.detached {
      var newest: UInt64 = 0
      while newest < last {
        guard let fills = slot.take()?.counts.fills else { continue }
        #expect(fills > newest)
        newest = fills
      }
      return newest
    }.value
    await Task.detached {
      var status = first
      for count in 1...last {
        status.counts.fills = count
        while !slot.offer(status) {}
      }
    }.value
    #expect(await seen == last)
  }

  @Test func figuresRoundToTheNearestEvenAndGroup() {
    #expect(Figures.decimal(1_234_567_895, places: 3, shown: 2) == "1,234,567.90")
    #expect(Figures.decimal(125, places: 2, shown: 1) == "1.2")
    #expect(Figures.decimal(-5, places: 3, shown: 2, signed: true) == "0.00")
    #expect(Figures.decimal(-15, places: 3, shown: 2) == "-0.02")
    #expect(Figures.decimal(7, places: -3, shown: 0, signed: true) == "+7,000")
    #expect(Figures.duration(.seconds(3_845)) == "1:04:05")
    #expect(Figures.clock(Timestamp(milliseconds: -1)) == "23:59:59.999")
    #expect(Figures.sparkline([0, 7, 3, 3], width: 8) == "▁█▄▄")
    #expect(Figures.sparkline([5, 5], width: 8) == "▄▄")
    let most = Amount(units: .max)
    #expect(Figures.percent(most, of: most, shown: 1) == "+100.0 %")
  }

  private func parse(_ status: BotStatus) throws -> JSONValue {
    var buffer = ByteBuffer()
    status.writeJSON(into: &buffer)
    return try JSONValue(buffer.span)
  }
}
