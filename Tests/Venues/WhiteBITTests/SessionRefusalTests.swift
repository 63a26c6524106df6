import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

/// What a session does when the venue says no: never the same again by itself.
@Suite struct SessionRefusalTests {
  /// A question that a session asks on its way up.
  enum Question: CaseIterable {
    case time, markets, ticker, startBalances, token, orders, fills, balances

    var path: String {
      switch self {
      case .time: "/api/v4/public/time"
      case .markets: "/api/v4/public/markets"
      case .ticker: "/api/v4/public/ticker"
      case .startBalances, .balances: "/api/v4/trade-account/balance"
      case .token: "/api/v4/profile/websocket_token"
      case .orders: "/api/v4/orders"
      case .fills: "/api/v4/trade-account/executed-history"
      }
    }

    /// A session that waits for the answer to this question alone.
    func reached() -> SessionHarness {
      let venue = SessionHarness()
      venue.feed(.start)
      if self == .time { return venue }
      let isEarly = self == .markets || self == .ticker || self == .startBalances
      venue.settle(except: isEarly ? [path] : [])
      if isEarly { return venue }
      venue.feed(.deadManArmed(until: .distantFuture))
      if self == .token { return venue }
      venue.settle()
      venue.feed(.streamOpened(StreamID(0)))
      venue.acknowledge(venue.ids("authorize").last ?? 0)
      for method in ["ordersPending_subscribe", "deals_subscribe", "balanceSpot_subscribe"] {
        venue.acknowledge(venue.ids(method).last ?? 0)
      }
      venue.settle(except: [path])
      return venue
    }
  }

  static let documentedElsewhere: Set<UInt16> = [401, 403, 429]
  static let others = (UInt16(400)...499).filter { !documentedElsewhere.contains($0) }

  static func error(_ code: Int) -> String {
    #"{"code":\#(code),"message":"Validation failed","errors":{"what":["is wrong"]}}"#
  }
  /// In the venue's words, in a gateway's, and in none.
  static let bodies = [error(30), error(9_999), "<html>no</html>", ""]

  func questionsRefused(_ venue: SessionHarness) -> Int {
    venue.events.count { if case .questionRefused = $0 { true } else { false } }
  }

  @Test("M87: no question is put again after any other 4xx, and somebody is told to look")
  func questionsAreNotRepeated() throws {
    for (index, status) in Self.others.enumerated() {
      for question in Question.allCases {
        let venue = question.reached()
        let body = Self.bodies[index % Self.bodies.count]
        try venue.answer(question.path, body, status: status)
        // The venue's word for a market it no longer has is about that market alone.
        if status == 451, question == .orders || question == .fills {
          #expect(venue.count(.instrumentUnavailable(InstrumentID(0))) == 1)
          continue
        }
        #expect(
          venue.count(
            .questionRefused(status: status, code: VenueError(bytes(body).span)?.code ?? 0)) == 1,
          "\(status) to \(question)")
        venue.targets.removeAll()
        venue.advance(by: .seconds(3_600))
        venue.settle(except: [question.path])
        venue.advance(by: .seconds(3_600))
        #expect(!venue.targets.contains(question.path), "\(status) to \(question)")
        #expect(venue.count(.ready) == 0)
      }
    }
  }

  @Test(
    "M84: each field that the venue finds wrong is told by name and code; the order ends, and is not sent again"
  )
  func fieldsAreNamed() throws {
    for (code, status) in [(30, 422), (31, 422), (32, 422), (32, 400), (33, 422)]
      as [(Int32, UInt16)]
    {
      let venue = SessionHarness()
      venue.bringUp()
      venue.forget()
      let ids = venue.place([SessionHarness.intent()])
      try venue.answer(
        "/api/v4/order/new",
        #"{"code":\#(code),"message":"Validation failed","errors":{"amount":["is wrong","and small"],"price":["is wrong"]}}"#,
        status: status)
      for _ in 0..<5 {
        venue.settle()
        venue.advance(by: .seconds(20))
      }
      #expect(venue.refusals.map(\.0) == ids && venue.refusals[0].2 == code)
      let notices = venue.events.compactMap {
        if case .notice(let notice) = $0 { notice } else { nil }
      }
      #expect(
        notices == [
          .fieldRefused("amount", order: ids[0], code: code),
          .fieldRefused("price", order: ids[0], code: code),
        ])
      #expect(venue.targets.filter { $0.contains("/order/") } == ["/api/v4/order/new"])
    }
  }

  @Test("M87: nothing is placed again after any 4xx, alone or in a batch, nor asked for again")
  func placementsAreNotRepeated() throws {
    for status in UInt16(400)...499 {
      for (index, body) in Self.bodies.enumerated() {
        let venue = SessionHarness()
        venue.bringUp()
        venue.forget()
        let isBatch = index % 2 == 0
        let path = isBatch ? "/api/v4/order/bulk" : "/api/v4/order/new"
        let ids = venue.place((0..<(isBatch ? 3 : 1)).map { _ in SessionHarness.intent() })
        try venue.answer(path, body, status: status)
        for _ in 0..<4 {
          venue.settle()
          venue.advance(by: .seconds(8))
        }
        #expect(venue.targets.filter { $0.contains("/order/") && !$0.contains("hist") } == [path])
        for id in ids {
          // Refused at once, or asked about until it is known never to have arrived; where the key is
          // refused by somebody without the venue's words nothing may be asked, and it stays in doubt.
          let ends =
            venue.refusals.count { $0.0 == id } + venue.count(.orderNeverArrived(id))
          let isOpen = ends == 0 && [401, 403].contains(status)
          #expect(
            isOpen ? venue.count(.orderInDoubt(id)) == 1 : ends == 1, "\(status) “\(body)”")
        }
      }
    }
  }

  @Test("M87: every code of the venue, under 400 and 422: no placement and no question is repeated")
  func everyCode() throws {
    // What the venue asks to try again later, or may have carried out.
    let again: Set<Int> = [15, 16, 157, 300, 330, 500]
    // “There is none”, and “no such market”, are answers: the next market is asked about.
    let answers: Set<Int> = [2, 7, 31, 51, 104, 404]
    for code in 0...504 {
      let status: UInt16 = code.isMultiple(of: 2) ? 400 : 422
      let venue = Question.fills.reached()
      try venue.answer(Question.fills.path, Self.error(code), status: status)
      #expect(venue.isWaiting(Question.fills.path) == answers.contains(code), "\(code)")
      venue.targets.removeAll()
      venue.advance(by: .seconds(600))
      let isAsked = venue.targets.contains(Question.fills.path)
      #expect(isAsked == again.contains(code), "\(code)")

      let live = SessionHarness()
      live.bringUp()
      live.place([SessionHarness.intent()])
      try live.answer("/api/v4/order/new", Self.error(code), status: status)
      live.settle()
      live.advance(by: .seconds(30))
      #expect(live.targets.filter { $0 == "/api/v4/order/new" }.count == 1, "\(code)")
    }
  }

  @Test("M87: a refused question about one order is not put again, and decides nothing")
  func inquiriesAreNotRepeated() throws {
    for path in [
      "/api/v4/orders", "/api/v4/trade-account/order/history",
      "/api/v4/trade-account/executed-history",
    ] {
      for status in Self.others {
        let venue = SessionHarness()
        venue.bringUp()
        venue.forget()
        let ids = venue.place([SessionHarness.intent()])
        try venue.fail("/api/v4/order/new", .timedOut)
        venue.settle(except: [path])
        try venue.answer(path, Self.error(30), status: status)
        #expect(questionsRefused(venue) == 1)
        venue.targets.removeAll()
        venue.settle()
        venue.advance(by: .seconds(3_600))
        #expect(!venue.targets.contains { $0.contains("order") }, "\(status) to \(path)")
        #expect(venue.count(.orderNeverArrived(ids[0])) == 0)
      }
    }
  }

  @Test("M87: a refused cancel is told and not repeated by the session, not even to stop")
  func cancelsAreNotRepeated() throws {
    for status in Self.others {
      let venue = SessionHarness()
      venue.bringUp()
      let ids = venue.place([SessionHarness.intent()])
      try venue.accept(ids[0])
      venue.forget()
      venue.feed(.stop)
      try venue.answer("/api/v4/order/cancel", Self.error(30), status: status)
      venue.settle()
      venue.advance(by: .seconds(600))
      #expect(venue.targets.filter { $0 == "/api/v4/order/cancel" }.count == 1, "\(status)")
      #expect(venue.events.contains { if case .cancelRefused = $0 { true } else { false } })
      #expect(venue.count(.stopped) == 0, "nothing proves that nothing rests")
    }
  }

  @Test("what is asked at intervals is asked at the next one, and alarms nobody")
  func schedulesGoOn() throws {
    let venue = SessionHarness()
    venue.bringUp()
    venue.forget()
    venue.advance(by: .seconds(600))
    try venue.answer("/api/v4/public/markets", "", status: 404)
    #expect(questionsRefused(venue) == 0)
    venue.advance(by: .seconds(599))
    #expect(!venue.isWaiting("/api/v4/public/markets"))
    venue.advance(by: .seconds(1))
    #expect(venue.isWaiting("/api/v4/public/markets"))

    let polled = SessionHarness { $0.feed = .polling(interval: .seconds(2)) }
    polled.bringUp()
    for path in ["/api/v4/public/orderbook/BTC_USDT?limit=20", "/api/v4/public/trades/BTC_USDT"] {
      try polled.answer(path, Self.error(30), status: 422)
    }
    #expect(questionsRefused(polled) == 0)
    #expect(polled.isWaiting("/api/v4/public/orderbook/ETH_BTC?limit=20"))
    #expect(!polled.isWaiting("/api/v4/public/orderbook/BTC_USDT?limit=20"))
  }
}
