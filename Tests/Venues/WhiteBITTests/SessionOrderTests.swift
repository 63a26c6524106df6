import MartletBase
import MartletJSON
@_spi(Risk) import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

@Suite struct SessionOrderTests {
  func live(
    _ change: (inout WhiteBITConfiguration) -> Void = { _ in }
  ) -> SessionHarness {
    let venue = SessionHarness(change)
    venue.bringUp()
    venue.snapshot()
    venue.forget()
    return venue
  }

  func bulk(_ items: [Orders.BulkItem]) -> String {
    text(written { Orders.writeBulk(items, into: &$0) })
  }

  func clientIDs(_ body: String) throws -> [String] {
    let content = bytes(body)
    let request = BulkRequest(try ClientBody(content.span))
    return (request.orders.value ?? []).compactMap { $0?.clientOrderID.value }
  }

  // MARK: Placing

  @Test("M41 M42: one order goes to order/new with its exact body, and its reply links both ids")
  func single() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    let sent = venue.waiting[0]
    #expect(sent.path == "/api/v4/order/new")
    #expect(sent.effect.requestClass == .place)
    #expect(
      sent.body == """
        {"request":"/api/v4/order/new","nonce":1000000000000,"nonceWindow":true,\
        "market":"BTC_USDT","side":"buy","amount":"0.001","price":"60000",\
        "clientOrderId":"mtT3st1"}
        """)
    let order = try venue.accept(ids[0])
    #expect(venue.reports.count == 1)
    #expect(venue.reports[0].clientOrderID == ids[0])
    #expect(venue.reports[0].venueOrderID == VenueOrderID(low: order.orderID))
    #expect(venue.reports[0].status == .open && venue.reports[0].source == .reply)
  }

  @Test("M45 M104: 20 orders are one request, 21 are 20 and 1, and markets never mix")
  func batches() throws {
    let venue = live()
    let intents = (0..<21).map { SessionHarness.intent(.buy, 600_000_000 - Int64($0) * 100) }
    venue.place(Array(intents.prefix(20)))
    #expect(venue.targets == ["/api/v4/order/bulk"])
    venue.forget()
    venue.waiting.removeAll()
    venue.place(intents)
    #expect(venue.targets == ["/api/v4/order/bulk", "/api/v4/order/new"])
    #expect(try clientIDs(venue.waiting[0].body).count == 20)
    venue.forget()
    venue.waiting.removeAll()
    // Those of one market that stand together go together, and nobody overtakes anybody.
    let markets: [UInt16] = [0, 0, 1, 1, 1, 0]
    let ids = venue.place(
      markets.map { SessionHarness.intent(.buy, 3_000_000, 10_000, market: $0) })
    #expect(
      venue.targets == ["/api/v4/order/bulk", "/api/v4/order/bulk", "/api/v4/order/new"])
    #expect(try clientIDs(venue.waiting[0].body) == ids[0...1].map(\.description))
    #expect(try clientIDs(venue.waiting[1].body) == ids[2...4].map(\.description))
    #expect(!venue.waiting[0].body.contains("ETH_BTC"))
    #expect(!venue.waiting[1].body.contains("BTC_USDT"))
  }

  @Test("M46: 3 of 20 fail: 17 are tracked, 3 refused with code and reason, nothing assumed")
  func bulkPartlyRefused() throws {
    let venue = live()
    let ids = venue.place((0..<20).map { _ in SessionHarness.intent() })
    let items: [Orders.BulkItem] = ids.enumerated().map { index, id in
      index % 7 == 3
        ? .refused(
          VenueError(
            code: 32, message: "Validation failed", field: "amount",
            "Given amount is less than min amount 0.001."))
        : .order(venue.order(id.description))
    }
    try venue.answer("/api/v4/order/bulk", bulk(items))
    #expect(venue.reports.count == 17)
    #expect(venue.refusals.map(\.0) == [ids[3], ids[10], ids[17]])
    #expect(venue.refusals.allSatisfy { $0.1 == .belowMinimum && $0.2 == 32 })
    #expect(!venue.events.contains { if case .orderInDoubt = $0 { true } else { false } })
  }

  @Test("M46: what a bulk reply leaves out, cuts off or mixes up is in doubt, item by item")
  func bulkDamaged() throws {
    let venue = live()
    let ids = venue.place((0..<4).map { _ in SessionHarness.intent() })
    let items: [Orders.BulkItem] = [
      .order(venue.order(ids[0].description)), .empty, .order(venue.order("mtT3stother")),
    ]
    try venue.answer("/api/v4/order/bulk", bulk(items))
    #expect(venue.reports.map(\.clientOrderID) == [ids[0]])
    for id in ids.dropFirst() { #expect(venue.count(.orderInDoubt(id)) == 1) }

    venue.forget()
    let more = venue.place((0..<2).map { _ in SessionHarness.intent() })
    let whole = bulk(more.map { .order(venue.order($0.description)) })
    try venue.answer("/api/v4/order/bulk", String(whole.dropLast(20)))
    #expect(venue.reports.map(\.clientOrderID) == [more[0]])
    #expect(venue.count(.orderInDoubt(more[1])) == 1)
  }

  @Test(
    "M44 M86 T10: no failure after sending is ever a second placement: it is doubt, and a query")
  func doubtIsAskedNeverResent() throws {
    let cases: [(String, (SessionHarness) throws -> Void)] = [
      ("timed out", { try $0.fail("/api/v4/order/new", .timedOut) }),
      ("broken", { try $0.fail("/api/v4/order/new", .broken) }),
      ("malformed", { try $0.fail("/api/v4/order/new", .malformed) }),
      ("503 HTML", { try $0.answer("/api/v4/order/new", "<html>", status: 503) }),
      (
        "500 JSON",
        {
          try $0.answer("/api/v4/order/new", #"{"error":["Internal server error."]}"#, status: 500)
        }
      ),
      ("200 HTML", { try $0.answer("/api/v4/order/new", "<html>") }),
      ("200 empty", { try $0.answer("/api/v4/order/new", "") }),
      ("gateway 429", { try $0.answer("/api/v4/order/new", "slow down", status: 429) }),
      ("400 HTML", { try $0.answer("/api/v4/order/new", "<html>", status: 400) }),
      (
        "name taken",
        {
          try $0.answer(
            "/api/v4/order/new",
            #"{"code":36,"message":"Validation failed","errors":{"clientOrderId":["This client order id is already used by the current account."]}}"#,
            status: 422)
        }
      ),
    ]
    for (name, happen) in cases {
      let venue = live()
      let ids = venue.place([SessionHarness.intent()])
      try happen(venue)
      #expect(venue.count(.orderInDoubt(ids[0])) == 1, "\(name)")
      // It was placed, and filled before anyone asked.
      var order = venue.order(ids[0].description, .filled, filled: "0.001")
      order.left = .zero
      venue.history.append(order)
      venue.fills.append(venue.fill(order, "0.0004"))
      venue.fills.append(venue.fill(order, "0.0006"))
      venue.advance(by: .seconds(30))
      venue.settle()
      #expect(venue.targets.filter { $0.contains("/order/") && !$0.contains("history") }.count == 1)
      #expect(venue.booked.count == 2, "\(name)")
      #expect(venue.reports.last?.status == .filled, "\(name)")
      #expect(venue.count(.orderNeverArrived(ids[0])) == 0, "\(name)")
    }
  }

  @Test("A request of which no byte left is a refusal, and nothing is asked or sent again")
  func notSent() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    try venue.fail("/api/v4/order/new", .notSent)
    #expect(venue.refusals.map(\.0) == ids)
    venue.advance(by: .seconds(30))
    #expect(venue.targets == ["/api/v4/order/new"])
  }

  @Test(
    "M44: asked in open orders, history and fills; denied by all, at least twice, and only after settling"
  )
  func neverArrived() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    venue.forget()
    try venue.fail("/api/v4/order/new", .timedOut)
    let sentAt = venue.now
    venue.settle()
    #expect(
      venue.targets == [
        "/api/v4/orders", "/api/v4/trade-account/order/history",
        "/api/v4/trade-account/executed-history",
      ])
    #expect(venue.trace.filter { $0.contains("\"clientOrderId\":\"mtT3st1\"") }.count >= 3)
    var decidedAt: Timestamp?
    for _ in 0..<300 {
      venue.advance(by: .milliseconds(100))
      venue.settle()
      if venue.count(.orderNeverArrived(ids[0])) == 1 {
        decidedAt = venue.now
        break
      }
    }
    let after = try #require(decidedAt) - sentAt
    #expect(after >= .seconds(9) && after <= .seconds(11), "decided after \(after.milliseconds) ms")
    #expect(venue.targets.filter { $0 == "/api/v4/orders" }.count >= 2)
    venue.forget()
    venue.advance(by: .seconds(20))
    #expect(!venue.targets.contains("/api/v4/orders"))
  }

  @Test("M44: an order that arrives late, after a first denial, is found and not forgotten")
  func arrivesLate() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    try venue.fail("/api/v4/order/new", .timedOut)
    venue.settle()
    venue.advance(by: .seconds(4))
    venue.open.append(venue.order(ids[0].description))
    venue.advance(by: .seconds(5))
    venue.settle()
    #expect(venue.reports.last?.status == .open)
    #expect(venue.reports.last?.source == .query)
    venue.advance(by: .seconds(20))
    venue.settle()
    #expect(venue.count(.orderNeverArrived(ids[0])) == 0)
  }

  @Test("M62: failing questions decide nothing, however long they fail")
  func questionsFail() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    try venue.fail("/api/v4/order/new", .timedOut)
    for round in 0..<20 {
      for path in ["/api/v4/orders", "/api/v4/trade-account/order/history"]
      where venue.isWaiting(path) {
        switch round % 3 {
        case 0: try venue.fail(path, .timedOut)
        case 1: try venue.answer(path, "<html>", status: 502)
        default: try venue.answer(path, "{\"a\":")
        }
      }
      venue.advance(by: .seconds(31))
    }
    #expect(venue.count(.orderNeverArrived(ids[0])) == 0)
  }

  @Test("A fill and a finish pushed before the reply was lost leave nothing in doubt")
  func toldBeforeTheReplyWasLost() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    var order = venue.order(ids[0].description, .filled, filled: "0.001")
    order.left = .zero
    venue.push(venue.fill(order, "0.001"))
    venue.push(order, .finish)
    try venue.fail("/api/v4/order/new", .broken)
    #expect(venue.count(.orderInDoubt(ids[0])) == 0)
    #expect(venue.booked.count == 1 && venue.reports.map(\.status) == [.filled])
  }

  @Test("M82: one unauthorized reply ends every private request for good")
  func unauthorized() throws {
    for body in [
      #"{"code":10,"message":"Unauthorized request."}"#,
      #"{"code":2,"message":"This action is unauthorized. Enable your key in API settings"}"#,
      "<html>401</html>",
    ] {
      let venue = live()
      let ids = venue.place([SessionHarness.intent()])
      try venue.answer("/api/v4/order/new", body, status: 401)
      // A page proves nothing of the order, though it ends everything private.
      let isPage = body.hasPrefix("<")
      #expect(venue.refusals.map(\.1) == (isPage ? [] : [.unauthorized]))
      #expect(venue.count(.orderInDoubt(ids[0])) == (isPage ? 1 : 0))
      #expect(venue.events.contains { if case .unauthorized = $0 { true } else { false } })
      #expect(venue.count(.notReady) == 1)
      venue.forget()
      venue.place([SessionHarness.intent()])
      venue.cancel(ids[0])
      venue.step {
        venue.session.query(
          ids[0], venueOrderID: .none, of: InstrumentID(0), sentAt: venue.now)
      }
      venue.feed(.streamClosed(StreamID(0)))
      venue.feed(.stop)
      venue.advance(by: .seconds(700))
      #expect(venue.targets.isEmpty && venue.streams.isEmpty)
      #expect(venue.count(.stopped) == 0, "nothing proves that nothing rests")
    }
  }

  @Test("M83 C18: insufficient balance is a refusal, and balances are read again")
  func insufficientBalance() throws {
    for (code, status) in [(5, 422), (10, 400), (17, 422), (32, 422)] {
      let venue = live()
      let ids = venue.place([SessionHarness.intent()])
      try venue.answer(
        "/api/v4/order/new",
        #"{"code":\#(code),"message":"Inner validation failed","errors":{"amount":["Not enough balance."]}}"#,
        status: UInt16(status))
      #expect(venue.refusals.map(\.0) == ids)
      #expect(venue.refusals.map(\.1) == [.insufficientBalance])
      #expect(venue.isWaiting("/api/v4/trade-account/balance"))
      venue.settle()
      #expect(venue.events.contains { if case .balance = $0 { true } else { false } })
      #expect(venue.targets.filter { $0 == "/api/v4/order/new" }.count == 1)
    }
  }

  @Test("M85: a market not available is disabled until the list has it again")
  func marketUnavailable() throws {
    let venue = live()
    venue.place([SessionHarness.intent()])
    try venue.answer(
      "/api/v4/order/new",
      #"{"code":31,"message":"Validation failed","errors":{"market":["Market is not available."]}}"#,
      status: 422)
    #expect(venue.refusals.map(\.1) == [.instrumentUnavailable])
    #expect(venue.count(.instrumentUnavailable(InstrumentID(0))) == 1)
    venue.advance(by: .seconds(10))
    venue.settle()
    #expect(venue.events.contains { if case .instrument = $0 { true } else { false } })
  }

  @Test(
    "C21 M30: a stale nonce was not executed: refused, never sent again by itself; the clock is read anew"
  )
  func staleNonce() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    try venue.answer(
      "/api/v4/order/new", #"{"code":0,"errors":{},"message":"Too many requests."}"#, status: 429)
    #expect(venue.count(.anomaly(.staleNonce)) == 1)
    #expect(venue.refusals.map(\.0) == ids && venue.refusals.map(\.1) == [.rateLimited])
    // Our idea of the venue's clock may be wrong, and is looked after.
    try venue.answer("/api/v4/public/time", #"{"time":1790000002}"#)
    #expect(
      venue.session.clockOffset == Timestamp(milliseconds: 1_790_000_002_500) - venue.now)
    #expect(venue.waiting.isEmpty && venue.count(.notReady) == 0)
    venue.advance(by: .seconds(20))
    #expect(venue.targets.filter { $0 == "/api/v4/order/new" }.count == 1)
  }

  @Test("M74: nothing is placed while not ready, when the dead-man ran out, or when it was lost")
  func heldWhileUnguarded() throws {
    let venue = SessionHarness()
    let early = venue.place([SessionHarness.intent()])
    venue.feed(.start)
    #expect(venue.refusals.map(\.0) == early)
    venue.settle()
    venue.feed(.deadManArmed(until: venue.now + .seconds(60)))
    venue.settle()
    venue.connect()
    #expect(venue.count(.ready) == 1)
    venue.forget()
    venue.advance(by: .seconds(61))
    #expect(venue.count(.notReady) == 1)
    venue.place([SessionHarness.intent()])
    #expect(!venue.targets.contains("/api/v4/order/new"))
    venue.feed(.deadManArmed(until: venue.now + .seconds(60)))
    #expect(venue.count(.ready) == 1)
    venue.feed(.deadManLost)
    #expect(venue.count(.notReady) == 2)
  }

  @Test("What the venue does not have is refused here: fill or kill, and a taker that must make")
  func unsupported() {
    let venue = live()
    var fok = SessionHarness.intent()
    fok.timeInForce = .fok
    var both = SessionHarness.intent()
    both.timeInForce = .ioc
    both.isPostOnly = true
    venue.place([fok, both])
    venue.advance(by: .milliseconds(1))
    #expect(venue.refusals.map(\.1) == [.invalidField, .invalidField])
    #expect(venue.targets.isEmpty)
  }

  @Test("M57: IOC and post-only are told to the venue in its own words")
  func flags() throws {
    let venue = live()
    var ioc = SessionHarness.intent()
    ioc.timeInForce = .ioc
    venue.place([ioc])
    #expect(venue.waiting[0].body.hasSuffix(#""ioc":true}"#))
    var maker = SessionHarness.intent()
    maker.isPostOnly = true
    venue.place([maker])
    #expect(venue.waiting[1].body.hasSuffix(#""postOnly":true}"#))
  }

  @Test("More requests than may be in flight wait their turn, in order")
  func inFlightBound() throws {
    let venue = live()
    var ids: [ClientOrderID] = []
    for _ in 0..<300 { ids += venue.place([SessionHarness.intent()]) }
    #expect(venue.waiting.count <= 256)
    let before = venue.waiting.count
    try venue.accept(ids[0])
    #expect(venue.waiting.count == before)
    #expect(venue.waiting.last?.path == "/api/v4/order/bulk")
  }

  // MARK: Canceling

  @Test("M56: cancels go by client id and ahead of placements; the reply's fills are told")
  func cancels() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    let order = try venue.accept(ids[0])
    venue.forget()
    let more = [venue.newID()]
    venue.step {
      venue.session.place(
        .init(SessionHarness.intent(), verdict: 1), as: more[0], trace: TraceID(1))
      venue.session.cancel(ids[0], venueOrderID: .none, of: InstrumentID(0))
    }
    #expect(venue.targets == ["/api/v4/order/cancel", "/api/v4/order/new"])
    #expect(
      venue.waiting[0].body.hasSuffix(#""market":"BTC_USDT","clientOrderId":"mtT3st1"}"#))
    var ended = order
    ended.status = .canceled
    ended.dealStock = amount("0.0004")
    ended.left = amount("0.0006")
    try venue.answer(
      "/api/v4/order/cancel", text(written { Orders.writeReply(ended, into: &$0) }))
    #expect(venue.reports.last?.status == .canceled)
    #expect(venue.reports.last?.cumulative == Quantity(quanta: 40_000))
  }

  @Test("M56: a cancel never overtakes its own placement, and one of an unsent order never leaves")
  func cancelWaits() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    venue.cancel(ids[0])
    #expect(!venue.targets.contains("/api/v4/order/cancel"))
    try venue.accept(ids[0])
    #expect(venue.targets.last == "/api/v4/order/cancel")
    venue.forget()
    let unsent = venue.newID()
    venue.step {
      venue.session.place(
        .init(SessionHarness.intent(), verdict: 1), as: unsent, trace: TraceID(1))
      venue.session.cancel(unsent, venueOrderID: .none, of: InstrumentID(0))
    }
    venue.advance(by: .milliseconds(1))
    #expect(venue.targets.isEmpty && venue.refusals.map(\.0) == [unsent])
  }

  @Test(
    "M56 M62 M97 C9: a cancel answered “not open” is asked about; evidence says which end it was")
  func cancelNotOpen() throws {
    let notOpen =
      #"{"code":2,"message":"Inner validation failed","errors":{"orderId":["Unexecuted order was not found."]}}"#
    for wasFilled in [true, false] {
      let venue = live()
      let ids = venue.place([SessionHarness.intent()])
      var order = try venue.accept(ids[0])
      venue.open.removeAll()
      order.status = wasFilled ? .filled : .canceled
      if wasFilled {
        order.dealStock = order.amount
        order.left = .zero
        venue.fills.append(venue.fill(order, "0.001"))
      }
      venue.history.append(order)
      venue.forget()
      venue.cancel(ids[0])
      try venue.answer("/api/v4/order/cancel", notOpen, status: wasFilled ? 400 : 422)
      #expect(venue.count(.cancelRefused(ids[0], .notFound, code: 2)) == 1)
      venue.settle()
      #expect(venue.reports.last?.status == (wasFilled ? .filled : .canceled))
      #expect(venue.booked.count == (wasFilled ? 1 : 0))
      // The fill is told before the end that it explains.
      if wasFilled {
        let fill = venue.events.firstIndex { if case .fill = $0 { true } else { false } }
        let end = venue.events.lastIndex { if case .order = $0 { true } else { false } }
        #expect((fill ?? 9) < (end ?? 0))
      }
    }
  }

  @Test("A cancel whose reply is lost is in doubt and asked about, not assumed")
  func cancelLost() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    try venue.accept(ids[0])
    venue.cancel(ids[0])
    try venue.fail("/api/v4/order/cancel", .timedOut)
    #expect(venue.count(.cancelInDoubt(ids[0])) == 1)
    venue.settle()
    #expect(venue.reports.last?.status == .open && venue.reports.last?.source == .query)
    // The path may then try again.
    venue.forget()
    venue.cancel(ids[0])
    #expect(venue.targets == ["/api/v4/order/cancel"])
  }

  // MARK: Private news

  @Test("M77 M78 M79 C6: fills and order events are told as they come, each fill once")
  func privateNews() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    // The stream may tell of an order before the reply to its placement.
    venue.forget()
    venue.push(venue.order(ids[0].description), .new)
    #expect(venue.reports.map(\.status) == [.open] && venue.reports[0].cumulative == .zero)
    var order = try venue.accept(ids[0])
    venue.forget()
    let fill = venue.fill(order, "0.0004")
    venue.push(fill)
    venue.push(fill)
    order.dealStock = amount("0.0004")
    order.left = amount("0.0006")
    order.status = .partiallyFilled
    venue.push(order, .update)
    #expect(venue.booked.count == 1)
    #expect(venue.booked[0].clientOrderID == ids[0] && venue.booked[0].side == .buy)
    #expect(venue.booked[0].feeAsset == "BTC" && venue.booked[0].role == .maker)
    #expect(venue.reports.map(\.status) == [.open])
    #expect(venue.reports[0].cumulative == Quantity(quanta: 40_000))
    order.status = .canceled
    venue.push(order, .finish)
    #expect(venue.reports.last?.status == .canceled)
  }

  @Test("M77: a fill of another length is an alert and is read from the history instead")
  func unreadableFill() throws {
    for length in [0, 1, 3, 7, 8, 9, 10, 11, 12, 13] {
      let venue = live()
      let ids = venue.place([SessionHarness.intent()])
      let order = try venue.accept(ids[0])
      venue.forget()
      let fill = venue.fill(order, "0.0004")
      venue.fills.append(fill)
      let elements = [
        "\(fill.tradeID)", "1790000000.5", #""BTC_USDT""#, "\(order.orderID)", #""60000""#,
        #""0.0004""#, #""0.0000004""#, #""\#(ids[0])""#, "2", "1", #""BTC""#, "1", "2",
      ]
      let params = elements[0..<length].joined(separator: ", ")
      venue.frame(#"{"method": "deals_update", "params": [\#(params)], "id": null}"#)
      let isWhole = length == 11
      #expect(venue.count(.anomaly(.unreadableFill)) == (isWhole ? 0 : 1), "\(length) elements")
      #expect(venue.booked.count == (isWhole ? 1 : 0), "\(length) elements")
      venue.advance(by: .milliseconds(1))
      venue.settle()
      #expect(
        venue.booked.map(\.source) == [isWhole ? .stream : .history], "\(length) elements")
      #expect(venue.booked.map(\.fee) == [amount("0.0000004")], "\(length) elements")
    }
  }

  @Test("M79: an order event that cannot be read has all orders listed again")
  func unreadableOrder() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    try venue.accept(ids[0])
    venue.forget()
    venue.frame(#"{"method": "ordersPending_update", "params": [2, {"id": 1}], "id": null}"#)
    venue.advance(by: .milliseconds(1))
    venue.settle()
    #expect(venue.targets.filter { $0 == "/api/v4/orders" }.count == 2)
    #expect(venue.reports.map(\.status) == [.open])
  }

  @Test(
    "M62 M79: an order whose end nobody told of is found by listing, once a minute while one rests")
  func silentEnd() throws {
    let venue = live()
    venue.advance(by: .seconds(300))
    #expect(!venue.targets.contains("/api/v4/orders"), "nothing rests")
    let ids = venue.place([SessionHarness.intent(), SessionHarness.intent()])
    let orders = ids.map { venue.order($0.description) }
    venue.open += orders
    try venue.answer(
      "/api/v4/order/bulk",
      text(written { Orders.writeBulk(orders.map { .order($0) }, into: &$0) }))
    venue.advance(by: .seconds(59))
    venue.settle()
    venue.forget()
    // It fills, and neither word of it comes.
    venue.open.removeAll { $0.orderID == orders[0].orderID }
    venue.fills.append(venue.fill(orders[0], "0.001"))
    var done = orders[0]
    done.status = .filled
    done.dealStock = done.amount
    done.left = .zero
    venue.history.append(done)
    venue.advance(by: .seconds(61))
    venue.settle()
    venue.advance(by: .seconds(1))
    venue.settle()
    #expect(venue.booked.map(\.clientOrderID) == [ids[0]])
    #expect(
      venue.reports.filter { $0.clientOrderID == ids[0] }.map(\.status) == [.filled])
    #expect(venue.reports.last { $0.clientOrderID == ids[1] }?.status == .open)
    venue.forget()
    venue.advance(by: .seconds(50))
    #expect(!venue.targets.contains("/api/v4/orders"))
  }

  @Test("M78: a status this build does not know is told, and asked about ever more seldom")
  func unknownStatus() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    let order = try venue.accept(ids[0])
    venue.forget()
    let words = text(written { Orders.writePending(.update, order, into: &$0) })
    venue.frame(words.replacing("OPEN", with: "BEWILDERED"))
    #expect(venue.reports.map(\.status) == [.unknown])
    #expect(venue.count(.anomaly(.unknownStatus)) == 1)
    var asked = 0
    for _ in 0..<600 {
      venue.advance(by: .milliseconds(100))
      while venue.isWaiting("/api/v4/orders") {
        asked += 1
        let list = text(written { Orders.writeList([order], into: &$0) })
        try venue.answer("/api/v4/orders", list.replacing("OPEN", with: "BEWILDERED"))
      }
    }
    #expect(asked >= 4 && asked <= 8, "asked \(asked) times in a minute")
    venue.advance(by: .seconds(31))
    venue.settle()
    #expect(venue.reports.last?.status == .open)
  }

  @Test("M98 T5 T12: orders that are not ours are shown once and never touched; ours are adopted")
  func foreignAndAdopted() throws {
    let venue = SessionHarness()
    venue.open = [
      venue.order("mtT3stfromBefore"), venue.order(""), venue.order("web-1"),
      venue.order(String(repeating: "x", count: 64)),
    ]
    venue.bringUp()
    #expect(venue.count(.anomaly(.foreignOrder)) == 3)
    #expect(venue.reports.map(\.clientOrderID.description) == ["mtT3stfromBefore"])
    venue.forget()
    venue.push(venue.open[1], .update)
    #expect(venue.events.isEmpty, "told once")
    venue.feed(.stop)
    #expect(venue.targets.filter { $0.contains("cancel") } == ["/api/v4/order/cancel"])
    #expect(venue.waiting[0].body.contains("mtT3stfromBefore"))
    #expect(!venue.targets.contains("/api/v4/order/cancel/all"))
  }

  @Test(
    "M48 T12: a clean slate is off by default; when on, it follows the list of what is not ours")
  func cleanSlate() throws {
    let venue = SessionHarness { $0.isCleanSlate = true }
    venue.open = [venue.order("web-1"), venue.order(String(repeating: "y", count: 40))]
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    venue.settle()
    venue.connect()
    let named = venue.open.map { order in
      VenueEvent.notice(
        .notOurs(
          VenueOrderID(high: 0, low: order.orderID), client: order.clientID.head,
          market: "BTC_USDT", .buy, left: amount("0.001"), price: amount("60000")))
    }
    #expect(named.map(venue.count) == [1, 1] && venue.count(.anomaly(.foreignOrder)) == 0)
    #expect(venue.count(.notice(.cleanSlate)) == 0 && venue.waiting.isEmpty)
    venue.advance(by: .milliseconds(100))
    #expect(venue.waiting.map(\.path) == ["/api/v4/order/cancel/all"])
    #expect(venue.waiting[0].body.hasSuffix(#""market":"BTC_USDT","type":["spot"]}"#))
    venue.open.removeAll()
    try venue.answer("/api/v4/order/cancel/all", "[]")
    try venue.answer("/api/v4/order/cancel/all", "[]")
    venue.settle()
    #expect(venue.count(.ready) == 1 && venue.count(.notice(.cleanSlate)) == 1)

    // Once a run: what somebody places later is left alone, whatever breaks.
    venue.forget()
    venue.open.append(venue.order("web-2"))
    venue.feed(.streamClosed(StreamID(0)))
    venue.advance(by: .seconds(3))
    venue.settle()
    venue.connect()
    venue.settle()
    #expect(venue.count(.ready) == 1 && venue.count(.anomaly(.foreignOrder)) == 1)
    #expect(!venue.targets.contains("/api/v4/order/cancel/all"))
  }

  // MARK: Reconnecting

  @Test(
    "M50 M96: 5 fills during a cut are told once each, with fee and role, whatever the stream repeats"
  )
  func fillsDuringACut() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent(.buy, 600_000_000, 1_000_000)])
    let order = try venue.accept(ids[0])
    venue.advance(by: .seconds(5))
    let before = venue.fill(order, "0.0001")
    venue.push(before)
    venue.fills.append(before)
    venue.forget()
    venue.feed(.streamClosed(StreamID(0)))
    #expect(venue.count(.notReady) == 1)
    for _ in 0..<5 { venue.fills.append(venue.fill(order, "0.0001")) }
    venue.advance(by: .seconds(3))
    venue.settle()
    venue.feed(.streamOpened(StreamID(0)))
    venue.acknowledge(venue.ids("authorize").last ?? 0)
    // Pushed while the lists are being read: held, and told after them, without a double.
    venue.push(venue.fills[5])
    let held = venue.fill(order, "0.0001")
    venue.push(held)
    #expect(venue.booked.isEmpty)
    for method in ["ordersPending_subscribe", "deals_subscribe", "balanceSpot_subscribe"] {
      venue.acknowledge(venue.ids(method).last ?? 0)
    }
    venue.settle()
    #expect(venue.booked.count == 6)
    #expect(Set(venue.booked.map(\.tradeID.low)).count == 6)
    #expect(venue.booked.last?.tradeID.low == held.tradeID)
    #expect(venue.booked.allSatisfy { $0.feeAsset == "BTC" && $0.role == .maker })
    let ready = venue.events.firstIndex(of: .ready) ?? 0
    let last = venue.events.lastIndex { if case .fill = $0 { true } else { false } } ?? 99
    #expect(last < ready)
  }

  @Test("M49: lists longer than a page are read to their end, in pages of 100")
  func paging() throws {
    let venue = SessionHarness()
    for index in 0..<250 { venue.open.append(venue.order("mtT3stold\(index)")) }
    venue.bringUp()
    #expect(venue.reports.count == 250)
    #expect(venue.targets.filter { $0 == "/api/v4/orders" }.count == 4)
    let offsets = venue.trace.filter { $0.hasPrefix("/api/v4/orders ") }.map {
      $0.split(separator: "\"offset\":").last ?? ""
    }
    #expect(offsets == ["0}", "100}", "200}", "0}"])
  }

  @Test("M62 M97: an order gone from the list after a cut is asked about and ends by evidence")
  func vanished() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent(), SessionHarness.intent(.sell, 610_000_000)])
    let orders = ids.map { venue.order($0.description) }
    try venue.answer("/api/v4/order/bulk", bulk(orders.map { .order($0) }))
    venue.forget()
    venue.feed(.streamClosed(StreamID(0)))
    // One was filled while we were away, of the other nothing is known any more.
    var filled = orders[0]
    filled.status = .filled
    filled.dealStock = filled.amount
    filled.left = .zero
    venue.history.append(filled)
    venue.fills.append(venue.fill(filled, "0.001"))
    venue.advance(by: .seconds(3))
    venue.settle()
    venue.connect()
    #expect(venue.count(.ready) == 1)
    #expect(venue.booked.count == 1)
    #expect(venue.reports.contains { $0.clientOrderID == ids[0] && $0.status == .filled })
    for _ in 0..<20 {
      venue.advance(by: .seconds(1))
      venue.settle()
    }
    #expect(venue.count(.orderNeverArrived(ids[1])) == 1)
    #expect(venue.count(.orderNeverArrived(ids[0])) == 0)
  }

  @Test("More private news than is held while reconciling is told, and the stream begun anew")
  func heldNewsIsBounded() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    venue.settle()
    venue.feed(.streamOpened(StreamID(0)))
    venue.acknowledge(1)
    venue.forget()
    let push = text(
      written {
        Balances.writePush(
          [WireBalance(asset: "BTC", available: amount("1"), freeze: .zero)], into: &$0)
      })
    for _ in 0..<4_096 { venue.frame(push) }
    #expect(venue.events.isEmpty)
    venue.frame(push)
    venue.advance(by: .milliseconds(1))
    #expect(venue.events.count { if case .balance = $0 { true } else { false } } == 4_097)
    #expect(venue.streams == ["close 0"])
  }

  @Test("News held while reconciling is not lost when the stream breaks again")
  func heldNewsSurvives() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent()])
    let order = try venue.accept(ids[0])
    venue.feed(.streamClosed(StreamID(0)))
    venue.advance(by: .seconds(3))
    venue.settle()
    venue.forget()
    venue.feed(.streamOpened(StreamID(0)))
    venue.acknowledge(venue.ids("authorize").last ?? 0)
    venue.push(venue.fill(order, "0.0004"))
    #expect(venue.booked.isEmpty)
    venue.feed(.streamClosed(StreamID(0)))
    #expect(venue.booked.count == 1)
  }

  // MARK: Stopping

  @Test("Stop cancels what is ours one by one, proves it by the list, and only then is stopped")
  func stop() throws {
    let venue = live()
    let ids = venue.place([SessionHarness.intent(), SessionHarness.intent(.sell, 610_000_000)])
    let orders = ids.map { venue.order($0.description) }
    venue.open = orders + [venue.order("web-7")]
    try venue.answer("/api/v4/order/bulk", bulk(orders.map { .order($0) }))
    venue.forget()
    venue.feed(.stop)
    #expect(venue.count(.notReady) == 1)
    #expect(venue.targets == ["/api/v4/order/cancel", "/api/v4/order/cancel"])
    for index in 0..<2 {
      var ended = orders[index]
      ended.status = .canceled
      venue.open.removeAll { $0.orderID == ended.orderID }
      try venue.answer(
        "/api/v4/order/cancel", text(written { Orders.writeReply(ended, into: &$0) }))
      #expect(venue.count(.stopped) == 0)
    }
    #expect(venue.isWaiting("/api/v4/orders"))
    venue.settle()
    #expect(venue.count(.stopped) == 1)
    #expect(venue.streams == ["close 0"])
    venue.feed(.streamClosed(StreamID(0)))
    venue.forget()
    venue.place([SessionHarness.intent()])
    venue.advance(by: .seconds(700))
    #expect(venue.targets.isEmpty)
  }

  @Test("Stop waits for an order on its way and for one in doubt, and tries lost cancels again")
  func stopWaits() throws {
    let venue = live()
    let flying = venue.place([SessionHarness.intent()])
    venue.feed(.stop)
    #expect(venue.waiting.map(\.path) == ["/api/v4/order/new"])
    let order = try venue.accept(flying[0])
    #expect(venue.isWaiting("/api/v4/order/cancel"))
    try venue.fail("/api/v4/order/cancel", .timedOut)
    venue.settle()
    venue.advance(by: .seconds(2))
    venue.settle()
    #expect(venue.count(.stopped) == 0)
    var ended = order
    ended.status = .canceled
    venue.open.removeAll()
    venue.history.append(ended)
    try venue.answer(
      "/api/v4/order/cancel", text(written { Orders.writeReply(ended, into: &$0) }))
    venue.settle()
    venue.advance(by: .seconds(10))
    venue.settle()
    #expect(venue.count(.stopped) == 1)
  }

  @Test func stopBeforeAnythingIsAnswered() {
    let idle = SessionHarness()
    idle.feed(.stop)
    #expect(idle.events == [.stopped] && idle.targets.isEmpty)
    let early = SessionHarness()
    early.feed(.start)
    early.feed(.stop)
    early.advance(by: .seconds(1))
    early.settle()
    #expect(early.count(.stopped) == 1)
  }
}
