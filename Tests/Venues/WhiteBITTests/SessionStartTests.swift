import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

@Suite struct SessionStartTests {
  @Test(
    "C19 M74 M75 M76 M95 M109 T2 T4: clock, rules, dead-man, token, authorize, private, lists, public, ready"
  )
  func startOrder() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    #expect(venue.targets == ["/api/v4/public/time"])
    try venue.answer("/api/v4/public/time", #"{"time":1790000000}"#)
    #expect(venue.targets.last == "/api/v4/public/markets")
    venue.settle()
    #expect(
      venue.targets == [
        "/api/v4/public/time", "/api/v4/public/markets", "/api/v4/public/ticker",
        "/api/v4/trade-account/balance",
      ])
    // Nothing private is opened, and nothing placed, before the dead-man is armed.
    venue.advance(by: .seconds(30))
    #expect(venue.streams.isEmpty && venue.targets.count == 4)
    venue.forget()
    venue.feed(.deadManArmed(until: venue.now + .seconds(60)))
    #expect(venue.targets == ["/api/v4/profile/websocket_token"])
    #expect(venue.waiting[0].effect.isReplySecret)
    try venue.answer("/api/v4/profile/websocket_token", #"{"websocket_token":"@secret:9"}"#)
    #expect(venue.streams == ["open 0"] && venue.frames.isEmpty)
    venue.feed(.streamOpened(StreamID(0)))
    #expect(
      venue.frames == [#"{"id":1,"method":"authorize","params":["@secret:9","public"]}"#])
    #expect(venue.trace.last?.hasSuffix("true") == true, "the frame names a secret")
    venue.acknowledge(1)
    #expect(
      venue.frames.dropFirst() == [
        #"{"id":2,"method":"ordersPending_subscribe","params":["BTC_USDT","ETH_BTC"]}"#,
        #"{"id":3,"method":"deals_subscribe","params":[["BTC_USDT","ETH_BTC"]]}"#,
        #"{"id":4,"method":"balanceSpot_subscribe","params":[]}"#,
      ])
    venue.acknowledge(3)
    venue.acknowledge(2)
    #expect(!venue.isWaiting("/api/v4/orders"))
    venue.acknowledge(4)
    #expect(venue.count(.ready) == 0)
    venue.settle()
    #expect(
      venue.targets.dropFirst() == [
        "/api/v4/orders", "/api/v4/orders", "/api/v4/trade-account/executed-history",
        "/api/v4/trade-account/executed-history", "/api/v4/trade-account/balance",
        "/api/v4/trade-account/executed-history", "/api/v4/trade-account/executed-history",
      ])
    #expect(
      venue.frames.dropFirst(4) == [
        #"{"id":5,"method":"depth_subscribe","params":["BTC_USDT",20,"0",true]}"#,
        #"{"id":6,"method":"depth_subscribe","params":["ETH_BTC",20,"0",true]}"#,
        #"{"id":7,"method":"lastprice_subscribe","params":["BTC_USDT","ETH_BTC"]}"#,
        #"{"id":8,"method":"trades_subscribe","params":["BTC_USDT","ETH_BTC"]}"#,
      ])
    #expect(venue.count(.ready) == 1)
  }

  @Test("M13 M11: rules, last prices and balances are told before anything else; missing is zero")
  func whatIsToldFirst() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    venue.settle()
    var instruments: [Instrument] = []
    var balances: [Balance] = []
    var prices: [Price] = []
    for event in venue.events {
      if case .instrument(let instrument) = event { instruments.append(instrument) }
      if case .balance(let balance) = event { balances.append(balance) }
      if case .lastPrice(InstrumentID(0), let price) = event { prices.append(price) }
    }
    #expect(instruments.map(\.symbol) == ["ETH_BTC", "BTC_USDT"])
    #expect(balances.map(\.asset) == ["BTC", "USDT", "ETH"])
    #expect(balances.map(\.total) == [amount("0.5"), amount("1001"), .zero])
    #expect(prices == [Price(quanta: 600_000_000)])
  }

  @Test("M13: rules are read again; a market that vanishes stops, and comes back when listed")
  func rulesAreRefreshed() throws {
    let venue = SessionHarness()
    venue.bringUp()
    venue.forget()
    venue.advance(by: .seconds(601))
    try venue.answer(
      "/api/v4/public/markets",
      SessionHarness.listings.replacing("BTC_USDT", with: "GONE_USDT")
        .replacing(#""moneyPrec":"6""#, with: #""moneyPrec":"5""#))
    #expect(venue.count(.instrumentUnavailable(InstrumentID(0))) == 1)
    let changed = venue.events.compactMap {
      if case .instrument(let instrument) = $0 { instrument } else { nil }
    }
    #expect(changed.map(\.symbol) == ["ETH_BTC"])
    // Five decimals on a grid of eight: a tick of a thousand quanta.
    #expect(changed.first?.rules.tickSize == 1_000)
    venue.forget()
    venue.advance(by: .seconds(11))
    venue.settle()
    #expect(venue.events.contains { if case .instrument = $0 { true } else { false } })
  }

  @Test("An unknown market is told as unavailable, and asked for until it is listed")
  func unknownMarket() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    venue.settle(except: ["/api/v4/public/markets"])
    try venue.answer("/api/v4/public/markets", "[]")
    #expect(venue.count(.instrumentUnavailable(InstrumentID(0))) == 1)
    #expect(venue.count(.instrumentUnavailable(InstrumentID(1))) == 1)
    venue.advance(by: .seconds(11))
    #expect(venue.isWaiting("/api/v4/public/markets"))
  }

  @Test("M86 T8: reads that fail are tried again, 1, 2, 4 … 30 s apart, each with a deadline")
  func readsAreRetried() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    var waits: [Int64] = []
    for attempt in 0..<8 {
      let sent = try venue.take("/api/v4/public/time")
      #expect(sent.effect.timeout > .zero)
      let failedAt = venue.now
      switch attempt % 4 {
      case 0: venue.feed(.requestFailed(sent.id, .timedOut))
      case 1: venue.feed(.response(sent.id, status: 503), "<html>")
      case 2: venue.feed(.response(sent.id, status: 200), "not JSON")
      default: venue.feed(.response(sent.id, status: 429), "")
      }
      #expect(venue.waiting.isEmpty)
      while venue.waiting.isEmpty { venue.advance(by: venue.session.nextDeadline - venue.now) }
      waits.append((venue.now - failedAt).milliseconds)
    }
    for (wait, least) in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30]) {
      #expect(wait >= least * 1_000 && wait <= least * 1_000 + 1_000, "\(waits)")
    }
  }

  @Test("M76 T9: the ack of authorize is matched by id; a push before it is no ack")
  func ackByID() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    venue.settle()
    venue.feed(.streamOpened(StreamID(0)))
    venue.frame(#"{"method": "lastprice_update", "params": ["BTC_USDT", "60000"], "id": null}"#)
    venue.acknowledge(77)
    #expect(venue.frames.count == 1, "nothing is subscribed before the ack with our id")
    venue.acknowledge(1)
    #expect(venue.frames.count == 4)
  }

  @Test("M75: a refused authorization ends the connection; at most 10 tokens in any 60 s")
  func tokenQuota() throws {
    let venue = SessionHarness { $0.backoff = Backoff(first: .milliseconds(100), cap: .seconds(1)) }
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    var times: [Timestamp] = []
    let end = venue.now + .seconds(300)
    while venue.now < end {
      if venue.isWaiting("/api/v4/profile/websocket_token") {
        times.append(venue.now)
        venue.settle()
        venue.feed(.streamOpened(StreamID(0)))
        #expect(venue.ids("ordersPending_subscribe").isEmpty)
        let id = venue.ids("authorize").last ?? 0
        venue.frame(
          #"{"error": {"code": 1, "message": "invalid argument"}, "result": null, "id": \#(id)}"#)
        #expect(venue.streams.last == "close 0")
        venue.feed(.streamClosed(StreamID(0)))
      }
      venue.advance(by: max(venue.session.nextDeadline - venue.now, .milliseconds(1)))
    }
    #expect(times.count >= 40)
    for index in times.indices.dropFirst(10) {
      #expect(times[index] - times[index - 10] >= .seconds(60))
    }
  }

  /// Ways in which a connection can come to nothing.
  enum Misfortune: CaseIterable { case neverOpens, refused, endsOnceLive }

  @Test(
    "M75 M93: every market's streams share one connect budget: 10 connections in any 60 s, however they end",
    arguments: Misfortune.allCases)
  func connectBudget(_ misfortune: Misfortune) {
    let venue = SessionHarness {
      $0.backoff = Backoff(
        first: .milliseconds(100), cap: .milliseconds(200), jitter: .milliseconds(10))
    }
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    var asked: [Timestamp] = []
    let end = venue.now + .seconds(300)
    while venue.now < end {
      if venue.isWaiting("/api/v4/profile/websocket_token") {
        asked.append(venue.now)
        #expect(venue.streams.isEmpty, "a stream is opened without a token of its own")
        venue.settle()
        #expect(venue.streams == ["open 0"])
        switch misfortune {
        case .neverOpens: break
        case .refused:
          venue.feed(.streamOpened(StreamID(0)))
          let id = venue.ids("authorize").last ?? 0
          venue.frame(
            #"{"error": {"code": 1, "message": "invalid argument"}, "result": null, "id": \#(id)}"#)
        case .endsOnceLive:
          venue.connect()
          for name in SessionHarness.markets { venue.snapshot(InlineText(name) ?? "") }
        }
        venue.streams.removeAll()
        venue.feed(.streamClosed(StreamID(0)))
      }
      venue.advance(by: max(venue.session.nextDeadline - venue.now, .milliseconds(1)))
    }
    #expect(asked.count >= 40)
    for index in asked.indices.dropFirst(10) {
      // Less the millisecond that this clock moves by.
      #expect(asked[index] - asked[index - 10] >= .milliseconds(59_999))
    }
  }

  @Test("M90 M91 C7: a ping with id 0 every 10 s; no pong in 10 s ends the connection")
  func pings() throws {
    let venue = SessionHarness()
    venue.answersPings = false
    venue.bringUp()
    venue.forget()
    for _ in 0..<3 {
      venue.advance(by: .seconds(10))
      #expect(venue.frames.filter { $0 == #"{"id":0,"method":"ping","params":[]}"# }.count == 1)
      venue.frames.removeAll()
      venue.frame(#"{"error": null,"result":"pong","id":0}"#)
    }
    venue.forget()
    venue.advance(by: .seconds(21))
    #expect(venue.streams == ["close 0"])
    #expect(venue.count(.notReady) == 1)
  }

  @Test("C7: the ping's interval is what the session was told, 60 s too")
  func slowPings() {
    let venue = SessionHarness { $0.pingInterval = .seconds(60) }
    venue.bringUp()
    for _ in 0..<4 {
      venue.advance(by: .seconds(59))
      #expect(!venue.frames.contains(SessionHarness.ping))
      venue.advance(by: .seconds(1))
      #expect(venue.frames.filter { $0 == SessionHarness.ping }.count == 1)
      venue.frames.removeAll()
    }
    #expect(venue.streams == ["open 0"])
  }

  @Test("M92 T15: what comes between a ping and its pong is read like anything else")
  func nothingIsSwallowed() throws {
    let venue = SessionHarness()
    venue.answersPings = false
    venue.bringUp()
    venue.snapshot()
    venue.advance(by: .seconds(10))
    venue.forget()
    for _ in 0..<100 { venue.delta() }
    venue.frame(#"{"error": null,"result":"pong","id":0}"#)
    for _ in 0..<100 { venue.delta() }
    #expect(venue.events.count == 200)
    #expect(venue.events.allSatisfy { if case .book = $0 { true } else { false } })
    venue.advance(by: .seconds(9))
    #expect(venue.streams.isEmpty)
  }

  @Test(
    "M93 M94: reconnects wait 1, 2, 4 … 30 s with seeded jitter, and subscribe to the same again")
  func reconnects() throws {
    let venue = SessionHarness()
    venue.bringUp()
    let firstSubscriptions = venue.frames.filter { $0.contains("subscribe") }.map(stripped)
    var waits: [Int64] = []
    for _ in 0..<8 {
      venue.feed(.streamClosed(StreamID(0)))
      let lost = venue.now
      while !venue.isWaiting("/api/v4/profile/websocket_token") {
        venue.advance(by: venue.session.nextDeadline - venue.now)
      }
      waits.append((venue.now - lost).milliseconds)
      venue.settle()  // The stream is asked for, and ends before it opened.
    }
    for (wait, least) in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30]) {
      #expect(wait >= least * 1_000 && wait <= least * 1_000 + 1_000, "\(waits)")
    }
    venue.forget()
    venue.connect()
    #expect(venue.count(.ready) == 1)
    #expect(venue.frames.filter { $0.contains("subscribe") }.map(stripped) == firstSubscriptions)
    // A connection that became live starts the waits over.
    venue.feed(.streamClosed(StreamID(0)))
    #expect(venue.session.nextDeadline - venue.now <= .seconds(2))
  }

  @Test(
    "M93: a stream lost after it was well for ten seconds is tried again at once, then 1, 2, 4 …")
  func aSteadyStreamIsTriedAtOnce() throws {
    func waits(afterLive span: TimeSpan, _ tries: Int) -> [Int64] {
      let venue = SessionHarness()
      venue.bringUp()
      venue.advance(by: span)
      return (0..<tries).map { _ in
        venue.feed(.streamClosed(StreamID(0)))
        let lost = venue.now
        while !venue.isWaiting("/api/v4/profile/websocket_token") {
          venue.advance(by: venue.session.nextDeadline - venue.now)
        }
        defer { venue.settle() }  // The next one ends before it opened.
        return (venue.now - lost).milliseconds
      }
    }
    let steady = waits(afterLive: .seconds(10), 4)
    #expect(steady[0] <= 250, "\(steady)")
    for (wait, least) in zip(steady.dropFirst(), [1, 2, 4] as [Int64]) {
      #expect(wait >= least * 1_000 && wait <= least * 1_000 + 1_000, "\(steady)")
    }
    // One that breaks soon after it came up is not hurried: a storm helps nobody.
    #expect(waits(afterLive: .milliseconds(9_900), 1)[0] >= 1_000)
  }

  func stripped(_ frame: String) -> String {
    String(frame.drop { $0 != "," })
  }

  @Test("C19 M95: a reconnect goes the same way: token, authorize, private, lists, public, ready")
  func reconnectOrder() throws {
    let venue = SessionHarness()
    venue.bringUp()
    let ids = venue.place([SessionHarness.intent()])
    let order = try venue.accept(ids[0])
    venue.feed(.streamClosed(StreamID(0)))
    venue.forget()
    let known = venue.trace.count
    venue.advance(by: .seconds(3))
    venue.settle()
    venue.feed(.streamOpened(StreamID(0)))
    venue.acknowledge(venue.ids("authorize").last ?? 0)
    for method in ["ordersPending_subscribe", "deals_subscribe", "balanceSpot_subscribe"] {
      venue.acknowledge(venue.ids(method).last ?? 0)
    }
    // What comes while the lists are read is held, and told behind them.
    venue.push(venue.fill(order, "0.0004"))
    #expect(venue.booked.isEmpty && venue.count(.ready) == 0)
    #expect(venue.ids("depth_subscribe").isEmpty)
    venue.settle()
    let told = venue.events.map { String("\($0)".prefix { $0 != "(" }) }
    let fill = try #require(told.lastIndex(of: "fill"))
    #expect(told.lastIndex(of: "order") ?? .max < fill && told.last == "ready")
    // What left, by its path or its method, in order.
    let left = venue.trace[known...].compactMap { line -> String? in
      if line.hasPrefix("/api") { return String(line.prefix { $0 != " " }) }
      if line == "open" { return line }
      guard let method = line.firstRange(of: "\"method\":\"") else { return nil }
      return String(line[method.upperBound...].prefix { $0 != "\"" })
    }
    #expect(
      left == [
        "/api/v4/profile/websocket_token", "open", "authorize", "ordersPending_subscribe",
        "deals_subscribe", "balanceSpot_subscribe", "/api/v4/orders", "/api/v4/orders",
        "/api/v4/trade-account/executed-history", "/api/v4/trade-account/executed-history",
        "/api/v4/trade-account/balance",
        // Once more: no fill came while the balances were read.
        "/api/v4/trade-account/executed-history", "/api/v4/trade-account/executed-history",
        "depth_subscribe", "depth_subscribe", "lastprice_subscribe", "trades_subscribe",
      ])
  }

  @Test("M2: streams and polling tell the same kinds of events")
  func sameKindsOfEvents() throws {
    func kinds(_ venue: SessionHarness) -> Set<String> {
      Set(venue.events.map { String("\($0)".prefix { $0 != "(" }) })
    }
    let streamed = SessionHarness()
    streamed.bringUp()
    streamed.snapshot()
    streamed.frame(
      #"{"method": "lastprice_update", "params": ["BTC_USDT", "60000.5"], "id": null}"#)
    for id in [1, 2] {
      streamed.frame(
        #"{"method": "trades_update", "params": ["BTC_USDT", [{"id": \#(id), "time": 1790000000.5, "price": "60000", "amount": "0.1", "type": "sell", "rpi": false}]], "id": null}"#
      )
    }
    let polled = SessionHarness { $0.feed = .polling(interval: .seconds(2)) }
    polled.bringUp()
    for id in [1, 2] {
      try polled.answer(
        "/api/v4/public/orderbook/BTC_USDT?limit=20",
        #"{"ticker_id":"BTC_USDT","timestamp":1790000000,"asks":[["60001","1"]],"bids":[["59999","1"]]}"#
      )
      try polled.answer(
        "/api/v4/public/trades/BTC_USDT",
        #"[{"tradeID":\#(id),"price":"60000","quote_volume":"0.1","base_volume":"6000","trade_timestamp":1790000000,"type":"sell"}]"#
      )
      polled.settle()
      try polled.answer(
        "/api/v4/public/orderbook/ETH_BTC?limit=20",
        #"{"ticker_id":"ETH_BTC","timestamp":1790000000,"asks":[],"bids":[]}"#)
      try polled.answer("/api/v4/public/trades/ETH_BTC", "[]")
      polled.advance(by: .seconds(2))
    }
    #expect(
      kinds(streamed) == [
        "instrument", "lastPrice", "balance", "reconciled", "ready", "book", "marketTrade",
      ])
    #expect(kinds(polled) == kinds(streamed))
  }

  @Test("T8: a stream that neither opens nor acknowledges in time is given up")
  func stepsHaveDeadlines() throws {
    let venue = SessionHarness()
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    venue.settle()
    #expect(venue.streams == ["open 0"])
    venue.advance(by: .seconds(11))
    #expect(venue.streams == ["open 0", "close 0"])
    venue.feed(.streamClosed(StreamID(0)))
    venue.advance(by: .seconds(3))
    venue.settle()
    #expect(venue.streams == ["open 0", "close 0", "open 0"])
    venue.feed(.streamOpened(StreamID(0)))
    venue.acknowledge(venue.ids("authorize").last ?? 0)
    venue.acknowledge(venue.ids("deals_subscribe").last ?? 0)
    venue.advance(by: .seconds(11))
    #expect(venue.streams.last == "close 0")
  }

  @Test("M2: polled over REST the same events come: whole books, prints once, last prices")
  func polling() throws {
    let venue = SessionHarness { $0.feed = .polling(interval: .seconds(2)) }
    venue.bringUp()
    #expect(!venue.frames.contains { $0.contains("depth_subscribe") })
    venue.forget()
    func book(_ market: String) -> String {
      #"{"ticker_id":"\#(market)","timestamp":1790000000,"asks":[["0.04","1"]],"bids":[]}"#
    }
    func tape(_ ids: [Int]) -> String {
      "["
        + ids.map {
          #"{"tradeID":\#($0),"price":"60000","quote_volume":"0.1","base_volume":"6000","trade_timestamp":1790000000,"type":"buy"}"#
        }.joined(separator: ",") + "]"
    }
    for round in 0..<2 {
      try venue.answer("/api/v4/public/orderbook/BTC_USDT?limit=20", book("BTC_USDT"))
      try venue.answer("/api/v4/public/trades/BTC_USDT", tape(round == 0 ? [5, 4] : [7, 6, 5, 4]))
      try venue.answer("/api/v4/public/orderbook/ETH_BTC?limit=20", book("ETH_BTC"))
      try venue.answer("/api/v4/public/trades/ETH_BTC", "[]")
      venue.advance(by: .seconds(2))
      venue.settle()
    }
    let books = venue.events.filter { if case .book = $0 { true } else { false } }
    #expect(books.count == 4)
    for book in books {
      if case .book(_, _, let count, let isSnapshot, _) = book { #expect(count == 1 && isSnapshot) }
    }
    let prints = venue.events.compactMap {
      if case .marketTrade(let trade) = $0 { trade.tradeID.low } else { nil }
    }
    // What was printed before we watched is history; then each once, oldest first.
    #expect(prints == [6, 7])
    #expect(venue.events.contains(.lastPrice(InstrumentID(0), Price(quanta: 600_000_000))))
    venue.forget()
    venue.advance(by: .seconds(30))
    #expect(venue.count(.bookUntrusted(InstrumentID(0))) == 1, "polls that fail are noticed")
  }

  @Test("Two runs of one seed send and tell the same, byte for byte")
  func deterministic() throws {
    func run() throws -> [String] {
      let venue = SessionHarness()
      venue.bringUp()
      venue.snapshot()
      let ids = venue.place([SessionHarness.intent(), SessionHarness.intent(.sell, 610_000_000)])
      try venue.fail("/api/v4/order/bulk", .timedOut)
      venue.settle()
      venue.feed(.streamClosed(StreamID(0)))
      venue.advance(by: .seconds(20))
      venue.settle()
      venue.connect()
      venue.cancel(ids[0])
      venue.feed(.stop)
      return venue.trace
    }
    let first = try run()
    #expect(try run() == first)
  }
}
