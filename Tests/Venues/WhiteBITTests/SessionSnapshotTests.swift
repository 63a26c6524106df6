import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

@Suite struct SessionSnapshotTests {
  /// A long life with everything in it, cut after each step: the restored session goes on as the first.
  @Test("A session cut at any step and restored sends and tells what the first one does")
  func cuts() throws {
    var steps: [(SessionHarness) throws -> Void] = [
      { $0.feed(.start) }, { $0.settle() },
      { $0.feed(.deadManArmed(until: .distantFuture)) }, { $0.settle() },
      { $0.feed(.streamOpened(StreamID(0))) }, { $0.acknowledge(1) },
      { $0.push($0.order("mtT3stold1"), .new) }, { $0.acknowledge(2) }, { $0.acknowledge(3) },
      { $0.acknowledge(4) }, { $0.settle() }, { $0.snapshot() }, { $0.delta() },
      { $0.delta(after: 1) }, { $0.advance(by: .seconds(2)) }, { $0.snapshot() },
      { $0.place((0..<21).map { _ in SessionHarness.intent() }) },
      { try $0.fail("/api/v4/order/bulk", .timedOut) },
      { try $0.answer("/api/v4/order/new", "<html>") }, { $0.settle() },
      { $0.cancel(ClientOrderID("mtT3st1")) }, { $0.advance(by: .seconds(8)) },
      { $0.settle(except: ["/api/v4/orders"]) }, { $0.feed(.streamClosed(StreamID(0))) },
      { $0.advance(by: .seconds(4)) }, { $0.settle() }, { $0.connect() },
      { $0.push($0.fill($0.order("mtT3st2"), "0.0004")) }, { $0.feed(.stop) },
      { $0.advance(by: .seconds(3)) }, { $0.settle() },
    ]
    steps.append { $0.advance(by: .seconds(30)) }
    let whole = SessionHarness()
    var marks: [Int] = []
    for step in steps {
      try step(whole)
      marks.append(whole.trace.count)
    }
    for cut in steps.indices {
      let venue = SessionHarness()
      for step in steps[...cut] { try step(venue) }
      let taken = venue.snapshotBytes()
      venue.session = WhiteBITSession(SessionHarness.configuration())
      var reader = SnapshotReader(taken)
      try venue.session.read(from: &reader)
      #expect(reader.isAtEnd, "cut \(cut)")
      #expect(venue.snapshotBytes() == taken, "cut \(cut)")
      for step in steps[(cut + 1)...] { try step(venue) }
      #expect(venue.trace == whole.trace, "cut \(cut)")
    }
  }

  @Test(
    "M71 M96: restored in a new process, told that all is broken, it asks about all it had sent")
  func restoredInANewProcess() throws {
    let venue = SessionHarness()
    venue.bringUp()
    let ids = venue.place([SessionHarness.intent(), SessionHarness.intent()])
    let taken = venue.snapshotBytes()
    venue.waiting.removeAll()
    venue.forget()
    venue.session = WhiteBITSession(SessionHarness.configuration())
    var reader = SnapshotReader(taken)
    try venue.session.read(from: &reader)
    #expect(venue.session.requestsInFlight.count == 1)
    // One of the two had arrived.
    venue.open.append(venue.order(ids[0].description))
    for id in venue.session.requestsInFlight { venue.feed(.requestFailed(id, .broken)) }
    venue.feed(.streamClosed(StreamID(0)))
    venue.advance(by: .seconds(3))
    venue.settle()
    venue.connect()
    #expect(venue.count(.ready) == 1)
    for _ in 0..<12 {
      venue.advance(by: .seconds(1))
      venue.settle()
    }
    #expect(venue.reports.contains { $0.clientOrderID == ids[0] && $0.status == .open })
    #expect(venue.count(.orderNeverArrived(ids[1])) == 1)
    #expect(!venue.targets.contains("/api/v4/order/new"))
    #expect(!venue.targets.contains("/api/v4/order/bulk"))
  }

  @Test("A damaged snapshot is a fault, never a crash or a session")
  func damaged() throws {
    let venue = SessionHarness()
    venue.bringUp()
    venue.place([SessionHarness.intent()])
    let whole = venue.snapshotBytes()
    var random = CaseSource(seed: 21)
    for length in stride(from: 0, to: whole.count, by: 37) {
      var session = WhiteBITSession(SessionHarness.configuration())
      var reader = SnapshotReader(Array(whole[0..<length]))
      #expect(throws: SnapshotReader.Fault.self) { try session.read(from: &reader) }
    }
    for _ in 0..<300 {
      var bytes = whole
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
        in: 0...255, using: &random)
      var session = WhiteBITSession(SessionHarness.configuration())
      var reader = SnapshotReader(bytes)
      _ = try? session.read(from: &reader)
    }
  }

  @Test("M18: no reply, of whatever bytes and status, to whatever request, crashes a session")
  func fuzzedReplies() throws {
    let bodies = [
      "", "[]", "{}", "null", "<html>", "{\"a\":", "[{}]", "[[]]", #"[{"result":null}]"#,
      #"{"BTC_USDT":[]}"#, #"{"BTC_USDT":{}}"#, SessionHarness.listings, SessionHarness.tickers,
      #"{"code":10,"message":"Unauthorized request."}"#, #"{"time":"x"}"#, #"{"time":1790000000}"#,
      #"[{"orderId":1,"market":"BTC_USDT","side":"buy","timestamp":1,"amount":"1e9","status":"X"}]"#,
      String(repeating: "[", count: 100), "\u{0}", #"{"websocket_token":"t"}"#,
    ]
    for seed in UInt64(1)...60 {
      var random = CaseSource(seed: seed)
      let venue = SessionHarness()
      if Bool.random(using: &random) { venue.bringUp() } else { venue.feed(.start) }
      for _ in 0..<60 {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: venue.place([SessionHarness.intent(), SessionHarness.intent(market: 1)])
        case 1: venue.cancel(ClientOrderID("mtT3st1"))
        case 2: venue.advance(by: .milliseconds(Int64.random(in: 1...9_000, using: &random)))
        case 3: venue.feed(.streamOpened(StreamID(0)))
        case 4: venue.frame(bodies.randomElement(using: &random) ?? "")
        case 5: venue.feed(.streamClosed(StreamID(0)))
        default:
          guard let sent = venue.waiting.randomElement(using: &random) else { continue }
          venue.waiting.removeAll { $0.id == sent.id }
          let status =
            [200, 201, 400, 401, 404, 422, 429, 500].randomElement(using: &random) ?? 200
          if Bool.random(using: &random) {
            venue.feed(
              .response(sent.id, status: UInt16(status)),
              bodies.randomElement(using: &random) ?? "")
          } else {
            venue.feed(.requestFailed(sent.id, .timedOut))
          }
        }
      }
      #expect(venue.trace.count > 0, "seed \(seed)")
    }
  }

  @Test(
    "T8 M30 M31: everything a session sends has its time, and one nonce place; its desk reads it")
  func everythingSentIsReadable() throws {
    let venue = SessionHarness { $0.isCleanSlate = true }
    venue.feed(.start)
    venue.settle()
    venue.feed(.deadManArmed(until: .distantFuture))
    venue.settle()
    venue.connect()
    venue.advance(by: .milliseconds(100))
    try venue.answer("/api/v4/order/cancel/all", "[]")
    try venue.answer("/api/v4/order/cancel/all", "[]")
    venue.settle()
    let ids = venue.place((0..<21).map { _ in SessionHarness.intent() })
    try venue.fail("/api/v4/order/new", .timedOut)
    venue.cancel(ids[20])
    venue.delta(after: 1)
    venue.settle()
    venue.advance(by: .seconds(12))
    // Whoever is never answered does not wait for ever: each request carries its deadline.
    #expect(venue.deadlines.count > 20)
    #expect(venue.deadlines.allSatisfy { $0.span > .zero && $0.span <= .seconds(10) })
    let slow = Set(venue.deadlines.filter { $0.span > .seconds(5) }.map(\.path))
    #expect(
      slow.isDisjoint(with: ["/api/v4/order/new", "/api/v4/order/bulk", "/api/v4/order/cancel"]))
    var posts = 0
    for line in venue.trace where line.hasPrefix("/api") {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      let path = String(parts[0].split(separator: "?")[0])
      let endpoint = try #require(Endpoint.named(by: path)?.endpoint, "\(path)")
      guard endpoint.isPrivate else {
        #expect(parts.count == 1 || parts[1].isEmpty)
        continue
      }
      posts += 1
      let content = bytes(parts[1])
      let body = try ClientBody(content.span)
      #expect(body.request == .value(path) && body.nonceWindow == .value(true))
      #expect(body.nonce == .value(1_000_000_000_000))
    }
    #expect(posts > 12)
    for frame in venue.frames {
      let content = bytes(frame)
      let request = try Envelope.readRequest(content.span)
      if case .other(let name) = request.method { Issue.record("a desk does not know \(name)") }
    }
  }
}
