import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

@Suite struct SessionBookTests {
  @Test("STYLE: a chain follows past ids, and a snapshot restarts it at any number")
  func gaps() throws {
    var gaps = Gaps()
    #expect(throws: Gaps.Break.deltaBeforeSnapshot(id: 3)) { try gaps.follow(3, after: 2) }
    try gaps.follow(10, after: nil)
    try gaps.follow(40, after: 10)
    #expect(throws: Gaps.Break.gap(expected: 40, found: 41)) { try gaps.follow(50, after: 41) }
    try gaps.follow(5, after: nil)
    #expect(gaps.last == 5)
  }

  func live() -> SessionHarness {
    let venue = SessionHarness()
    venue.bringUp()
    venue.snapshot()
    venue.forget()
    return venue
  }

  func subscriptions(_ venue: SessionHarness) -> [String] {
    venue.frames.filter { $0.contains("depth_") }.map { String($0.drop { $0 != "," }) }
  }

  @Test(
    "M20 M21 C1: snapshot and chained deltas are told with their levels, whatever the id's step")
  func chained() {
    let venue = SessionHarness()
    venue.bringUp()
    venue.forget()
    venue.snapshot()
    venue.delta()
    venue.delta()
    let books = venue.events.compactMap {
      if case .book(InstrumentID(0), _, let count, let isSnapshot, _) = $0 {
        (count, isSnapshot)
      } else {
        nil
      }
    }
    #expect(books.map(\.0) == [2, 1, 1] && books.map(\.1) == [true, false, false])
    #expect(venue.levels.count == 4 && venue.levels[0].side == .sell)
    #expect(subscriptions(venue).isEmpty)
  }

  @Test("M22 M24: one missed delta untrusts the book within that message, and resubscribes once")
  func oneGap() {
    let venue = live()
    venue.advance(by: .seconds(2))
    venue.forget()
    venue.delta(after: 1)
    #expect(venue.events == [.anomaly(.bookGap), .bookUntrusted(InstrumentID(0))])
    #expect(venue.levels.isEmpty, "nothing of a frame behind a gap reaches the book")
    #expect(
      subscriptions(venue) == [
        #","method":"depth_unsubscribe","params":["BTC_USDT"]}"#,
        #","method":"depth_subscribe","params":["BTC_USDT",20,"0",true]}"#,
      ])
    venue.forget()
    // What was on its way from the old subscription means nothing, and causes nothing.
    for _ in 0..<50 { venue.delta() }
    #expect(venue.events.isEmpty && venue.frames.isEmpty)
    venue.snapshot()
    venue.delta()
    #expect(venue.events.count == 2 && venue.frames.isEmpty)
  }

  @Test("M24: what follows a gap before its resubscription causes nothing, whatever it chains to")
  func quietBehindAGap() {
    let venue = live()
    // Too soon after the subscription for another one.
    venue.delta(after: 1)
    #expect(venue.events == [.anomaly(.bookGap), .bookUntrusted(InstrumentID(0))])
    #expect(subscriptions(venue).isEmpty)
    venue.forget()
    for _ in 0..<20 { venue.delta() }
    for _ in 0..<20 { venue.delta(after: 2) }
    #expect(venue.events.isEmpty && venue.frames.isEmpty)
    venue.advance(by: .seconds(2))
    #expect(subscriptions(venue).count == 2, "one unsubscription and one subscription")
    venue.snapshot()
    venue.delta()
    #expect(venue.events.count == 2)
  }

  @Test("M24: gaps in a row never make a storm: one resubscription a second and book at most")
  func noStorm() {
    let venue = live()
    var count = 0
    for _ in 0..<100 {
      venue.advance(by: .milliseconds(50))
      venue.snapshot()
      venue.delta(after: 1)
      count += subscriptions(venue).count / 2
      venue.frames.removeAll()
    }
    #expect(count >= 4 && count <= 6, "\(count) resubscriptions in 5 s")
  }

  @Test("M22 M24: a snapshot that never comes is asked for again, however many deltas come instead")
  func lostSnapshot() {
    let venue = live()
    venue.advance(by: .seconds(2))
    venue.delta(after: 1)
    #expect(subscriptions(venue).count == 2)
    venue.forget()
    for _ in 0..<200 {
      venue.advance(by: .milliseconds(100))
      venue.delta()
      venue.snapshot("ETH_BTC", bid: "0.03", ask: "0.04")
    }
    #expect(subscriptions(venue).count == 2, "one more in twenty seconds")
    #expect(
      !venue.events.contains {
        if case .book(InstrumentID(0), _, _, _, _) = $0 { true } else { false }
      })
    venue.forget()
    venue.snapshot()
    venue.delta()
    #expect(venue.events.count == 2)
  }

  @Test("M23 C1: a keepalive snapshot with a jumped id resets the book and causes nothing")
  func keepalive() {
    let venue = live()
    for _ in 0..<20 {
      venue.advance(by: .seconds(10))
      venue.nextUpdateID += 100_000
      venue.snapshot()
      venue.snapshot("ETH_BTC", bid: "0.03", ask: "0.04")
    }
    #expect(subscriptions(venue).isEmpty)
    #expect(venue.count(.anomaly(.bookGap)) == 0)
    #expect(venue.count(.bookUntrusted(InstrumentID(0))) == 0)
  }

  @Test("M101: a book silent for longer than the venue ever is, is untrusted and asked for anew")
  func stale() {
    let venue = live()
    venue.advance(by: .seconds(9))
    #expect(venue.count(.bookUntrusted(InstrumentID(0))) == 0)
    venue.advance(by: .seconds(3))
    #expect(venue.count(.bookUntrusted(InstrumentID(0))) == 1)
    #expect(subscriptions(venue).filter { $0.contains("BTC_USDT") }.count == 2)
  }

  @Test("A delta without a past, or one that cannot be read, is an update missed")
  func unreadable() {
    for bad in [
      #"{"method":"depth_update","params":[false,{"timestamp":1,"update_id":9,"bids":[["1","1"]]},"BTC_USDT"],"id":null}"#,
      #"{"method":"depth_update","params":[false,{"timestamp":1,"update_id":9,"past_update_id":8,"bids":[["x","1"]]},"BTC_USDT"],"id":null}"#,
      #"{"method":"depth_update","params":[false,{"timestamp":1,"update_id":9,"past_update_id":8,"bids":[["1.00000001","1"]]},"BTC_USDT"],"id":null}"#,
    ] {
      let venue = live()
      venue.advance(by: .seconds(2))
      venue.forget()
      venue.frame(bad)
      #expect(venue.count(.bookUntrusted(InstrumentID(0))) == 1, "\(bad)")
      #expect(venue.levels.isEmpty)
      #expect(subscriptions(venue).count == 2)
    }
  }

  @Test("M18: frames that are no messages are told and survived; other channels are passed over")
  func rubbish() {
    let venue = live()
    for text in ["", "{", "<html>", "[]", "null", "{}", #"{"method":"depth_update"}"#] {
      venue.frame(text)
    }
    #expect(venue.count(.anomaly(.malformed)) == 7)
    venue.forget()
    venue.frame(#"{"method": "candles_update", "params": [[1, "2"]], "id": null}"#)
    venue.frame(#"{"method": "positionsMargin_update", "params": {"total": 0}, "id": null}"#)
    venue.feed(.frame(StreamID(7)), "{")
    #expect(venue.events.isEmpty)
  }

  @Test("M19 C11: last prices come with their market and exactly; prints once, oldest first")
  func lastPriceAndPrints() {
    let venue = live()
    venue.frame(#"{"method": "lastprice_update", "params": ["BTC_USDT", "60000.5"], "id": null}"#)
    #expect(venue.events == [.lastPrice(InstrumentID(0), Price(quanta: 600_005_000))])
    venue.forget()
    func trades(_ ids: [Int]) -> String {
      let list = ids.map {
        #"{"id": \#($0), "time": 1790000000.5, "price": "60000", "amount": "0.1", "type": "sell", "rpi": false}"#
      }.joined(separator: ", ")
      return #"{"method": "trades_update", "params": ["BTC_USDT", [\#(list)]], "id": null}"#
    }
    venue.frame(trades([3, 2, 1]))
    #expect(venue.events.isEmpty, "the first list is of before we watched")
    venue.frame(trades([5, 4]))
    venue.frame(trades([6, 5, 4, 3]))
    let ids = venue.events.compactMap {
      if case .marketTrade(let trade) = $0 { trade.tradeID.low } else { nil }
    }
    #expect(ids == [4, 5, 6])
  }

  @Test("M103: the last price of a market that never traded, which is told as zero, is none")
  func noLastPrice() {
    let venue = live()
    venue.frame(#"{"method": "lastprice_update", "params": ["BTC_USDT", "0"], "id": null}"#)
    #expect(venue.events.isEmpty)
  }

  @Test("M85: a subscription to a market the venue does not have stops that market alone")
  func unknownMarket() {
    let venue = SessionHarness()
    venue.bringUp()
    venue.forget()
    let id = venue.ids("depth_subscribe").first ?? 5
    venue.frame(
      #"{"error": {"code": 9, "message": "market BTC_USDT does not exist"}, "result": null, "id": \#(id == 0 ? 5 : id)}"#
    )
    #expect(venue.count(.instrumentUnavailable(InstrumentID(0))) == 1)
    #expect(venue.count(.notReady) == 0)
  }

  @Test("M85: a book refused for its market is asked for again, once, when the market is listed")
  func relisted() {
    let venue = SessionHarness()
    venue.bringUp()
    let id = venue.ids("depth_subscribe")[0]
    venue.frame(
      #"{"error": {"code": 9, "message": "market BTC_USDT does not exist"}, "result": null, "id": \#(id)}"#
    )
    venue.forget()
    venue.advance(by: .milliseconds(9_900))
    #expect(subscriptions(venue).filter { $0.contains("BTC_USDT") }.isEmpty)
    venue.advance(by: .milliseconds(200))
    venue.settle()
    let asked = subscriptions(venue).filter { $0.contains("BTC_USDT") }
    #expect(
      asked == [
        #","method":"depth_unsubscribe","params":["BTC_USDT"]}"#,
        #","method":"depth_subscribe","params":["BTC_USDT",20,"0",true]}"#,
      ])
    venue.snapshot()
    #expect(
      venue.events.contains {
        if case .book(InstrumentID(0), _, _, true, _) = $0 { true } else { false }
      })
    venue.forget()
    venue.advance(by: .seconds(5))
    #expect(subscriptions(venue).filter { $0.contains("BTC_USDT") }.isEmpty)
  }

  @Test("A book the path cannot use is asked for anew through the same single door")
  func refresh() {
    let venue = live()
    venue.advance(by: .seconds(2))
    venue.forget()
    venue.step { venue.session.refreshBook(InstrumentID(0)) }
    #expect(subscriptions(venue).count == 2)
  }
}
