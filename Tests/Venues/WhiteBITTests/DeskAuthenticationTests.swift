import Dispatch
import MartletBase
import MartletExchange
import MartletJSON
import MartletModel
import MartletSecrets
import MartletVenueKit
import Synchronization
import Testing
import WhiteBITDesk
import WhiteBITSession
import WhiteBITWire

@Suite struct DeskAuthenticationTests {
  private let path = "/api/v4/trade-account/balance"

  @Test("C18: the checks come in the venue's order, each with its own words")
  func checksComeInOrder() throws {
    var world = try DeskWorld()
    func refused(_ world: inout DeskWorld, _ request: DeskRequest, _ body: String) -> String {
      let id = world.send(request, body)
      let reply = world.reply(id)
      return "\(reply?.status ?? 0) \(reply?.text ?? "")"
    }
    let body = "{\"request\":\"\(path)\",\"nonce\":1790000040000}"
    var bare = DeskRequest(id: 0, method: "POST", path: path, query: "", headers: [])
    // Nothing else is looked at before the payload is there.
    #expect(
      refused(&world, bare, "") == "401 {\"code\":9,\"message\":\"Payload not provided.\"}")
    bare.headers = [("X-TXC-PAYLOAD", "e30="), ("X-TXC-APIKEY", "nobody")]
    #expect(refused(&world, bare, body) == "401 {\"code\":9,\"message\":\"Invalid payload.\"}")
    let unauthorized = "401 {\"code\":10,\"message\":\"Unauthorized request.\"}"
    let stranger = world.signed(path, body, key: "nobody", secret: "secret of ann")
    #expect(refused(&world, stranger, body) == unauthorized)
    let forger = world.signed(path, body, key: "ann", secret: "guessed")
    #expect(refused(&world, forger, body) == unauthorized)

    func signedBody(_ body: String, _ key: String = "ann") -> String {
      let request = world.signed(path, body, key: key, secret: "secret of \(key)")
      return refused(&world, request, body)
    }
    world.desk.setKey("bob", isEnabled: false)
    #expect(
      signedBody("{}", "bob")
        == "403 {\"code\":2,\"message\":\"This action is unauthorized. Enable your key in API settings\"}"
    )
    let notProvided = "401 {\"code\":0,\"message\":\"Request not provided.\",\"errors\":{}}"
    #expect(signedBody("{\"nonce\":1790000040000}") == notProvided)
    #expect(
      signedBody("{\"request\":\"/api/v4/orders\",\"nonce\":1790000040000}") == notProvided)
    #expect(
      signedBody("{\"request\":\"\(path)\"}")
        == "401 {\"code\":0,\"message\":\"Nonce not provided.\",\"errors\":{}}")
    #expect(
      signedBody("{\"request\":\"\(path)\",\"nonce\":1790000040000,\"nonceWindow\":\"yes\"}")
        == "401 {\"code\":0,\"message\":\"Invalid nonceWindow.\",\"errors\":{}}")
    #expect(signedBody(body).hasPrefix("200 {\"DBTC\""))
    #expect(signedBody("[]").hasPrefix("401 {\"code\":9"))

    world.pass(.seconds(1))
    world.desk.setKey("ann", mayTrade: false)
    let order = world.place("buy", "0.001", at: "60000")
    #expect(order.status == 403 && order.json["code"] == .number("4"))
    #expect(world.call(path).status == 200)
  }

  @Test("M30: without a window a nonce must be above every one before it")
  func strictNonces() throws {
    var world = try DeskWorld()
    let first = world.call(path, nonce: "1790000040000")
    #expect(first.status == 200)
    let again = world.call(path, nonce: "1790000040000")
    #expect(again.status == 429)
    #expect(again.text == "{\"code\":0,\"message\":\"Too many requests.\",\"errors\":{}}")
    #expect(world.call(path, nonce: "1790000039999").status == 429)
    #expect(world.call(path, nonce: "1790000040001").status == 200)
    // Any growing number will do, far from the clock too; each key counts for itself.
    #expect(world.call(path, by: "bob", nonce: "5").status == 200)
    #expect(world.call(path, by: "bob", nonce: "4").status == 429)
    #expect(world.call(path, by: "bob", nonce: "9000000000000").status == 200)
    #expect(world.call(path, by: "bob", nonce: "-1").status == 401)
  }

  @Test("M30 C21 T11: with a window each nonce near the clock counts once, in any order")
  func windowedNonces() throws {
    var world = try DeskWorld()
    func status(_ offset: Int64) -> Int {
      world.call(
        path, nonce: "\(DeskWorld.start.milliseconds + offset)", window: "true"
      ).status
    }
    #expect(status(0) == 200)
    #expect(status(-50) == 200)
    #expect(status(-50) == 429)
    #expect(status(0) == 429)
    #expect(status(5_000) == 200)
    #expect(status(-5_000) == 200)
    let late = world.call(
      path, nonce: "\(DeskWorld.start.milliseconds - 5_001)", window: "true")
    #expect(late.status == 401)
    #expect(
      late.json["message"]
        == .string("Your nonce is more than 5 seconds lesser than the current nonce"))
    #expect(status(5_001) == 401)
    // A plain call must be above them all, and what it used is used up.
    #expect(world.call(path, nonce: "5").status == 429)
    #expect(world.call(path, nonce: "\(DeskWorld.start.milliseconds + 5_000)").status == 429)
    #expect(world.call(path, nonce: "\(DeskWorld.start.milliseconds + 5_001)").status == 200)
    world.pass(.milliseconds(1))
    #expect(status(5_000) == 429)
    // The window moves with the exchange's clock.
    world.pass(.seconds(3))
    #expect(status(8_000) == 200)
    #expect(status(-2_001) == 401)
  }

  /// Nonces of one clock, drawn by eight threads at once and in bursts, each request late by a time
  /// of its own; what was drawn when depends on the machine, what the desk says of it must not.
  @Test("M30 T11: eight concurrent senders whose requests overtake each other get no refusal")
  func concurrentSendersAreTaken() throws {
    final class Sender: @unchecked Sendable {
      var drawn: [(nonce: Int64, at: Int64)] = []
      var faults = 0
    }
    let clock = NonceClock(venueTime: DeskWorld.start, at: .zero)
    final class World: Sendable { let time = Atomic<Int64>(0) }
    let world = World()
    let senders = (0..<8).map { _ in Sender() }
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      var random = CaseSource(seed: UInt64(thread + 1))
      while senders[thread].drawn.count < 250 {
        // Now and then a quiet moment; the rest are bursts.
        let step: Int64 = Int.random(in: 0..<20, using: &random) == 0 ? 10 : 0
        let now = world.time.add(step, ordering: .relaxed).newValue
        switch try? clock.next(at: Timestamp(milliseconds: now)) {
        case .nonce(let nonce): senders[thread].drawn.append((nonce, now))
        case .wait(let span):
          world.time.add(span.milliseconds, ordering: .relaxed)
        case nil: senders[thread].faults += 1
        }
      }
    }
    var random = CaseSource(seed: 77)
    var arrivals = senders.flatMap(\.drawn).map { drawn in
      (nonce: drawn.nonce, at: drawn.at + Int64.random(in: 1...2_000, using: &random))
    }
    arrivals.sort { ($0.at, $0.nonce) < ($1.at, $1.nonce) }
    #expect(arrivals.count == 2_000 && senders.allSatisfy { $0.faults == 0 })
    func refused(window: String) throws -> Int {
      var world = try DeskWorld()
      var refused = 0
      for arrival in arrivals {
        let due = DeskWorld.start + .milliseconds(arrival.at)
        if due > world.now { world.pass(due - world.now) }
        let reply = world.call(path, nonce: "\(arrival.nonce)", window: window)
        if reply.status != 200 { refused += 1 }
      }
      return refused
    }
    #expect(try refused(window: "true") == 0)
    // The same requests without a window: most come behind a higher nonce.
    #expect(try refused(window: "false") > 1_000)
  }

  @Test("C21 M44: the boldest nonce counts to the end of its window, and settling outlasts it")
  func settlingOutlastsEveryNonce() throws {
    let clock = NonceClock(venueTime: DeskWorld.start, at: .zero)
    var boldest: Int64 = 0
    while case .nonce(let nonce) = try clock.next(at: .zero) { boldest = nonce }
    let lead = TimeSpan.milliseconds(boldest - DeskWorld.start.milliseconds)
    #expect(lead == .milliseconds(2_499))
    let life = lead + .seconds(5)
    for (late, status) in [(life, 200), (life + .milliseconds(1), 401)] {
      var world = try DeskWorld()
      world.pass(late)
      #expect(world.call(path, nonce: "\(boldest)", window: "true").status == status)
    }
    let configuration = WhiteBITConfiguration(
      account: AccountID(0),
      symbols: [WhiteBITSymbol(market: "DBTC_DUSDT", instrument: InstrumentID(0))],
      ownPrefix: "mtT3st")
    // The venue's clock is known to half a second; the rest is margin.
    #expect(configuration.settleDelay >= life + .milliseconds(500) + .seconds(1))
  }

  @Test("M31 C2: a nonce is taken as an integer and in quotes")
  func noncesInBothForms() throws {
    var world = try DeskWorld()
    #expect(world.call(path, nonce: "1790000040000").status == 200)
    #expect(world.call(path, nonce: "\"1790000040001\"").status == 200)
    #expect(world.call(path, nonce: "\"1790000040001\"").status == 429)
    #expect(world.call(path, nonce: "\"soon\"").status == 401)
    #expect(world.call(path, nonce: "1790000040002.5").status == 401)
  }

  @Test("M75: the eleventh socket token of a minute is refused")
  func tokensAreRationed() throws {
    var world = try DeskWorld()
    var tokens: [String] = []
    for _ in 0..<10 {
      let reply = world.call("/api/v4/profile/websocket_token")
      #expect(reply.status == 200 && reply.json.keys == ["websocket_token"])
      tokens.append(reply.json["websocket_token"]?.text ?? "")
      world.pass(.seconds(2))
    }
    #expect(Set(tokens).count == 10 && tokens.allSatisfy { $0.hasPrefix("$2y$10$") })
    let eleventh = world.call("/api/v4/profile/websocket_token")
    #expect(eleventh.status == 429)
    #expect(eleventh.json["message"] == .string("Too Many Attempts."))
    // Of another key there are still ten; and the first ten fall out of the minute one by one.
    #expect(world.call("/api/v4/profile/websocket_token", by: "bob").status == 200)
    world.pass(.seconds(40))
    #expect(world.call("/api/v4/profile/websocket_token").status == 200)
    #expect(world.call("/api/v4/profile/websocket_token").status == 429)
  }

  @Test("M75 M76: a stream is authorized with a token, once, before its private channels")
  func streamsAreAuthorized() throws {
    var world = try DeskWorld()
    world.open(1)
    for method in [
      "deals_subscribe", "ordersPending_subscribe", "ordersExecuted_subscribe",
      "balanceSpot_subscribe", "deals_request",
    ] {
      #expect(
        world.say(method, "[]", id: 7) == [
          "{\"error\": {\"code\": 6, \"message\": \"require authentication\"}, \"result\": null, \"id\": 7}"
        ])
    }
    #expect(
      world.say("authorize", "[\"$2y$10$made-up\",\"public\"]", id: 999) == [
        "{\"error\": {\"code\": 1, \"message\": \"invalid argument\"}, \"result\": null, \"id\": 999}"
      ])
    let token = world.call("/api/v4/profile/websocket_token").json["websocket_token"]?.text ?? ""
    #expect(
      world.say("authorize", "[\"\(token)\"]", id: 999)[0].contains("invalid argument"))
    let success = "{\"error\": null, \"result\": {\"status\": \"success\"}, \"id\": 999}"
    #expect(world.say("authorize", "[\"\(token)\",\"public\"]", id: 999) == [success])
    #expect(world.say("deals_subscribe", "[[\"DBTC_DUSDT\"]]", id: 999) == [success])
    // A token lives for some minutes, and serves another stream meanwhile.
    world.open(2)
    #expect(
      world.say("authorize", "[\"\(token)\",\"public\"]", id: 999, on: 2) == [success])
    world.pass(.seconds(301))
    world.open(3)
    #expect(
      world.say("authorize", "[\"\(token)\",\"public\"]", id: 999, on: 3)[0]
        .contains("invalid argument"))
  }

  @Test func accountsAreOpenedOnceAndHoldListedAssetsAlone() throws {
    var world = try DeskWorld { $0.maximumKeys = 3 }
    let taken = world.desk.addAccount(key: "ann", secret: "x", balances: [])
    let foreign = world.desk.addAccount(key: "eve", secret: "x", balances: [("DOGE", amount("1"))])
    let negative = world.desk.addAccount(
      key: "eve", secret: "x", balances: [("BTC", amount("-1"))])
    #expect(taken == nil && foreign == nil && negative == nil)
    let third = world.desk.addAccount(key: "eve", secret: "x", balances: [("BTC", amount("1"))])
    #expect(third != nil && world.balance("BTC", of: "eve") == "1 + 0")
    let fourth = world.desk.addAccount(key: "dan", secret: "x", balances: [])
    #expect(fourth == nil)
    world.expectConserved()
  }

  @Test func aListingThatMakesNoMarketIsNamed() {
    var listing = MarketListing.bitcoin(name: "A_B", stock: "A", money: "B")
    listing.tickSize = amount("0.001")
    var fault: WhiteBITSetupFault?
    do throws(WhiteBITSetupFault) {
      _ = try WhiteBITDesk(
        WhiteBITDeskConfiguration(start: DeskWorld.start, seed: 1),
        markets: [WhiteBITMarketSetup(listing: listing)], keyedHash: keyedHash)
    } catch { fault = error }
    #expect(fault == .listing(market: "A_B", .finerThanScale(market: "A_B")))
    listing.tickSize = nil
    do throws(WhiteBITSetupFault) {
      _ = try WhiteBITDesk(
        WhiteBITDeskConfiguration(start: DeskWorld.start, seed: 1),
        markets: [
          WhiteBITMarketSetup(
            listing: listing, rows: Array(DeskWorld.quietMarket.suffix(1)),
            pricePlaces: DecimalPlaces(2), quantityPlaces: DecimalPlaces(6))
        ], keyedHash: keyedHash)
    } catch { fault = error }
    #expect(fault == .recording(market: "A_B", .noSnapshot))
  }
}
