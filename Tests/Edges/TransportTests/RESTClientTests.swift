import CMartletLinux
import Glibc
import MartletBase
import Testing

@testable import MartletTransport

/// A client's delegate that notes what happens.
final class Desk: RESTClientDelegate {
  struct Reply: Equatable {
    let request: UInt64
    let status: UInt16
    let body: String
  }

  var replies: [Reply] = []
  var heads: [[UInt8]] = []
  var faults: [(request: UInt64, fault: RESTFault)] = []
  var failures: [RESTFailure] { faults.map(\.fault.failure) }
  var count: Int { replies.count + faults.count }
  var onReply: ((RESTClient, Reply) -> Void)?

  func rest(
    _ client: RESTClient, replied request: UInt64, status: UInt16, head: Span<UInt8>,
    body: Span<UInt8>
  ) {
    let reply = Reply(request: request, status: status, body: String(body))
    replies.append(reply)
    heads.append([UInt8](copying: head))
    onReply?(client, reply)
  }

  func rest(_ client: RESTClient, failed request: UInt64, _ fault: RESTFault) {
    faults.append((request, fault))
  }
}

// Spans cannot pass through `#expect`; arrays can.
extension RESTClient {
  func send(
    _ request: UInt64, _ method: RESTMethod = .get, _ target: String = "/",
    headers: [HTTPHeader] = [], body: String = "", timeout: TimeSpan = .seconds(20)
  ) throws {
    let headers = try RESTHeaders(headers)
    try send(
      request, method, target: bytes(target).span, headers: headers, body: bytes(body).span,
      timeout: timeout)
  }
}

func field(_ name: String, in head: [UInt8]) -> String? {
  RESTClient.field(name, in: head.span)
}

@Suite struct RESTClientTests {
  let loop: EventLoop
  let clerk = Clerk()
  let desk = Desk()

  init() throws { loop = try EventLoop() }

  func client(
    _ port: UInt16, path: String = "",
    _ change: (inout RESTClient.Configuration) -> Void = { _ in }
  ) throws -> RESTClient {
    var configuration = RESTClient.Configuration()
    change(&configuration)
    return RESTClient(
      loop, try RESTEndpoint("http://localhost:\(port)\(path)", allowsPlain: true),
      configuration: configuration, delegate: desk)
  }

  @Test func aThousandRequestsUseOneConnection() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    let client = try client(server.port)
    desk.onReply = { client, reply in
      guard reply.request < 1_000 else { return }
      do {
        try client.send(reply.request + 1, .post, "/order", body: "{\"n\":\(reply.request + 1)}")
      } catch {
        Issue.record(error)
      }
    }
    try client.send(1, .post, "/order", body: "{\"n\":1}")
    loop.turn(until: { desk.count == 1_000 })
    #expect(
      desk.replies
        == (1...1_000).map { .init(request: $0, status: 200, body: "{\"n\":\($0)}") })
    #expect(server.statistics.accepted == 1 && client.connectionsMade == 1)
    #expect(client.inFlight == 0)
    client.stop()
    server.stop()
  }

  @Test func everyMethodAndFieldArrives() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    var heads: [HTTPRequest] = []
    clerk.onRequest = { server, request, id, body in
      heads.append(request)
      let response = HTTPResponse(
        status: 429, contentType: "text/html", headers: [HTTPHeader("Retry-After", " 7 ")])
      server.reply(to: id, response, body: body.span)
    }
    let client = try client(server.port, path: "/prefix")
    let secret = [HTTPHeader("X-TXC-APIKEY", "key"), HTTPHeader("X-TXC-SIGNATURE", "a1b2")]
    try client.send(1, .get, "/a?b=%20c&d=/../e", headers: secret)
    loop.turn(until: { desk.count == 1 })
    try client.send(2, .post, "/b", headers: secret, body: "{}")
    loop.turn(until: { desk.count == 2 })
    try client.send(3, .put, "/c", body: "{\"x\":1}")
    loop.turn(until: { desk.count == 3 })
    try client.send(4, .delete, "/d")
    loop.turn(until: { desk.count == 4 })
    try client.send(5, .post, "/e")
    loop.turn(until: { desk.count == 5 })
    #expect(heads.map(\.method) == ["GET", "POST", "PUT", "DELETE", "POST"])
    #expect(
      heads.map(\.target) == [
        "/prefix/a?b=%20c&d=/../e", "/prefix/b", "/prefix/c", "/prefix/d", "/prefix/e",
      ])
    #expect(desk.replies.map(\.body) == ["", "{}", "{\"x\":1}", "", ""])
    #expect(desk.replies.allSatisfy { $0.status == 429 })
    for head in heads.prefix(2) {
      #expect(head.header("X-TXC-APIKEY") == "key" && head.header("X-TXC-SIGNATURE") == "a1b2")
    }
    #expect(heads[1].header("Content-Type") == "application/json")
    #expect(heads[1].header("Expect") == nil)
    #expect(heads[3].header("X-TXC-APIKEY") == nil)
    let retry = field("retry-after", in: desk.heads[0])
    let missing = field("x-missing", in: desk.heads[0])
    #expect(retry == "7" && missing == nil)
    client.stop()
    server.stop()
  }

  @Test func aLargeBodyIsSentWithoutAskingForLeave() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    let client = try client(server.port)
    let body = String(repeating: "x", count: 1_000_000)
    try client.send(1, .post, "/", body: body)
    loop.turn(until: { desk.count == 1 })
    #expect(desk.replies == [.init(request: 1, status: 200, body: body)])
    client.stop()
    server.stop()
  }

  @Test func repliesComeAsTheyAreReadyWhateverTheOrder() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    var open: [UInt64] = []
    clerk.onRequest = { _, _, id, _ in open.append(id) }
    let client = try client(server.port) { $0.inFlight = 3 }
    for number in UInt64(1)...3 { try client.send(number, .get, "/\(number)") }
    #expect(throws: RESTRefusal.tooManyInFlight(limit: 3)) { try client.send(4) }
    loop.turn(until: { open.count == 3 })
    for id in open.reversed() {
      let target = clerk.calls.first { $0.id == id }?.target ?? ""
      #expect(server.reply(to: id, target))
      let count = desk.count
      loop.turn(until: { desk.count == count + 1 })
    }
    #expect(desk.replies.map(\.body) == clerk.calls.reversed().map(\.target))
    for reply in desk.replies { #expect(reply.body == "/\(reply.request)") }
    client.stop()
    server.stop()
  }

  @Test func connectionsCanBeMadeBeforeTheyAreNeeded() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    var open: [UInt64] = []
    clerk.onRequest = { _, _, id, _ in open.append(id) }
    let client = try client(server.port)
    try client.prewarm(4, target: bytes("/ping").span, timeout: .seconds(20))
    loop.turn(until: { open.count == 4 })
    for id in open { _ = server.reply(to: id, "pong") }
    loop.turn(until: { client.inFlight == 0 })
    #expect(client.connectionsMade == 4 && desk.count == 0)
    clerk.onRequest = nil
    for number in UInt64(1)...4 { try client.send(number) }
    loop.turn(until: { desk.count == 4 })
    #expect(client.connectionsMade == 4 && server.statistics.accepted == 4)
    client.stop()
    server.stop()
  }

  @Test func noServerMeansNotSent() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    let port = server.port
    server.stop()
    let client = try client(port)
    try client.send(7, .post, "/order", body: "{}")
    loop.turn(until: { desk.count == 1 })
    #expect(desk.failures == [.notSent] && desk.faults.map(\.request) == [7])
    client.stop()
  }

  @Test func aNameThatDoesNotResolveMeansNotSent() throws {
    let client = RESTClient(
      loop, try RESTEndpoint("https://no-such-host.invalid"), delegate: desk)
    try client.send(1)
    loop.turn(until: { desk.count == 1 })
    #expect(desk.failures == [.notSent])
    client.stop()
  }

  @Test func aServerWithoutTLSMeansNotSent() throws {
    let hand = try RawServer(loop) { _, _ in }
    let client = RESTClient(
      loop, try RESTEndpoint("https://127.0.0.1:\(hand.port)"), delegate: desk)
    // It answers the handshake with something else, or not at all.
    try client.send(1, timeout: .milliseconds(50))
    loop.turn(until: { desk.count == 1 })
    #expect(desk.failures == [.notSent] && hand.requests.isEmpty)
    client.stop()
    hand.stop()
  }

  @Test("T8: a request that nobody answers ends in its time")
  func aServerThatIsSilentMeansTimedOut() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    clerk.onRequest = { _, _, _, _ in }
    let client = try client(server.port)
    try client.send(1, timeout: .milliseconds(400))
    loop.turn(until: { desk.count == 1 })
    #expect(desk.failures == [.timedOut] && clerk.calls.count == 1)
    // The next request does not get the late reply: that connection is gone.
    clerk.onRequest = nil
    try client.send(2, .post, body: "fresh")
    loop.turn(until: { desk.count == 2 })
    #expect(desk.replies == [.init(request: 2, status: 200, body: "fresh")])
    client.stop()
    server.stop()
  }

  @Test func afterASilentConnectionNoneOfItsAgeIsUsedAgain() throws {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    var early: [RawServerSide] = []
    var isLate = false
    let server = try RawServer(loop) { _, side in
      if !isLate {
        early.append(side)
        // Held back until all have come, so that each has a connection of its own.
        if early.count == 4 { for side in early { side.say(reply) } }
      } else if !early.contains(where: { $0 === side }) {
        side.say(reply)
      }
    }
    let client = try client(server.port)
    for request in UInt64(1)...4 { try client.send(request) }
    loop.turn(until: { desk.count == 4 })
    #expect(client.connectionsMade == 4 && server.connections == 4)
    // All four lose their far end without a word, and the client learns of one.
    isLate = true
    try client.send(5, timeout: .milliseconds(50))
    loop.turn(until: { desk.count == 5 })
    #expect(desk.failures == [.timedOut] && server.connections == 4)
    for request in UInt64(6)...8 {
      try client.send(request)
      loop.turn(until: { desk.count == Int(request) })
    }
    #expect(desk.replies.count == 7 && desk.failures == [.timedOut])
    server.stop()
  }

  @Test func aConnectionThatBreaksMeansBroken() throws {
    let replies = [
      "", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
      "HTTP/1.1 200 OK\r\nContent-Le",
    ]
    for reply in replies {
      for resets in [false, true] {
        let hand = try RawServer(loop) { _, side in
          side.say(reply)
          if resets { side.reset() } else { side.finish() }
        }
        let client = try client(hand.port)
        let count = desk.count
        try client.send(1, .post, "/order", body: "{}")
        loop.turn(until: { desk.count == count + 1 })
        #expect(desk.replies.isEmpty && desk.failures.last == .broken, "after '\(reply)'")
        #expect(hand.requests.count == 1)
        client.stop()
        hand.stop()
      }
    }
  }

  @Test func anOrderIsNeverSentTwiceThoughItsKeptConnectionDies() throws {
    // libcurl by itself sends a request again when a kept connection ends without a byte of reply.
    for resets in [false, true] {
      var count = 0
      let hand = try RawServer(loop) { _, side in
        count += 1
        if count == 1 {
          side.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        } else if resets {
          side.reset()
        } else {
          side.finish()
        }
      }
      let client = try client(hand.port)
      let before = desk.count
      try client.send(1, .post, "/warm", body: "{}")
      loop.turn(until: { desk.count == before + 1 })
      try client.send(2, .post, "/order", body: "{\"amount\":\"1\"}")
      loop.turn(until: { desk.count == before + 2 })
      #expect(desk.failures.last == .broken)
      #expect(hand.requests.filter { $0.hasPrefix("POST /order") }.count == 1)
      // A read would be repeated as little: the caller decides.
      try client.send(3, .get, "/read")
      loop.turn(until: { desk.count == before + 3 })
      #expect(hand.requests.filter { $0.hasPrefix("GET /read") }.count == 1)
      client.stop()
      hand.stop()
    }
  }

  @Test func aConnectionThatTheServerClosedWhileIdleIsReplaced() throws {
    var configuration = HTTPServer.Configuration()
    configuration.keepAliveTimeout = .milliseconds(20)
    let server = try HTTPServer(loop, configuration: configuration, delegate: clerk)
    let client = try client(server.port)
    try client.send(1)
    loop.turn(until: { desk.count == 1 })
    loop.turn(until: { server.connectionCount == 0 })
    try client.send(2)
    loop.turn(until: { desk.count == 2 })
    #expect(desk.replies.map(\.request) == [1, 2] && client.connectionsMade == 2)
    client.stop()
    server.stop()
  }

  @Test func aReplyThatIsTooLargeMeansMalformed() throws {
    let big = String(repeating: "x", count: 1_001)
    let replies = [
      "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n\(big)",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n\(big)\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n\(big)",
      "HTTP/1.1 200 OK\r\nX: \(big)\r\nContent-Length: 0\r\n\r\n",
    ]
    for reply in replies {
      let hand = try RawServer(loop) { _, side in
        side.say(reply)
        side.finish()
      }
      let client = try client(hand.port) {
        $0.bodyLimit = 1_000
        $0.headLimit = 1_000
      }
      let count = desk.count
      try client.send(1)
      loop.turn(until: { desk.count == count + 1 })
      #expect(desk.failures.last == .malformed, "after '\(reply.prefix(60))': \(desk.faults)")
      client.stop()
      hand.stop()
    }
    // The limit itself is allowed.
    let hand = try RawServer(loop) { _, side in
      side.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\(big.dropFirst())")
    }
    let client = try client(hand.port) { $0.bodyLimit = 1_000 }
    try client.send(9)
    loop.turn(until: { desk.replies.last?.request == 9 })
    client.stop()
    hand.stop()
  }

  @Test func whatIsNoHTTPMeansMalformed() throws {
    for reply in ["<html>down for maintenance</html>\n", "\0\0\0\0 nothing like it\r\n\r\n"] {
      let hand = try RawServer(loop) { _, side in
        side.say(reply)
        side.finish()
      }
      let client = try client(hand.port)
      let count = desk.count
      try client.send(1)
      loop.turn(until: { desk.count == count + 1 })
      #expect(desk.failures.last == .malformed, "after '\(reply)': \(desk.faults)")
      client.stop()
      hand.stop()
    }
  }

  @Test func aRedirectIsAReplyAndIsNotFollowed() throws {
    let hand = try RawServer(loop) { _, side in
      side.say("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
    }
    let client = try client(hand.port)
    try client.send(1)
    loop.turn(until: { desk.count == 1 })
    #expect(desk.replies.map(\.status) == [302] && hand.requests.count == 1)
    client.stop()
    hand.stop()
  }

  @Test func anInterimReplyIsNotTheReply() throws {
    let hand = try RawServer(loop) { _, side in
      side.say("HTTP/1.1 103 Early Hints\r\nX: early\r\n\r\n")
      side.say("HTTP/1.1 200 OK\r\nX: final\r\nContent-Length: 2\r\n\r\nok")
    }
    let client = try client(hand.port)
    try client.send(1)
    loop.turn(until: { desk.count == 1 })
    #expect(desk.replies == [.init(request: 1, status: 200, body: "ok")])
    let field = field("X", in: desk.heads[0])
    #expect(field == "final")
    client.stop()
    hand.stop()
  }

  @Test func whatCouldBeReadOtherwiseIsNotSent() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    let client = try client(server.port)
    for target in ["", "order", "/a b", "/a\r\nX: y", "/a#b", "/é", "/a\0"] {
      #expect(throws: RESTRefusal.malformedTarget) { try client.send(1, .get, target) }
    }
    for header in [
      HTTPHeader("X", "a\r\nY: b"), HTTPHeader("X", "a\0b"), HTTPHeader("X Y", "a"),
    ] {
      #expect(throws: HTTPFault.malformedField(index: 0)) {
        try client.send(1, headers: [header])
      }
    }
    var headers = RESTHeaders()
    var refused = 0
    for value in [bytes("a\nb"), bytes(""), [0x7F]] {
      do { try headers.append("X", value.span) } catch { refused += 1 }
    }
    for _ in 0..<RESTHeaders.limit { try headers.append("X", bytes("ok").span) }
    do { try headers.append("X", bytes("ok").span) } catch { refused += 1 }
    let count = headers.count
    #expect(refused == 4 && count == RESTHeaders.limit)
    #expect(client.inFlight == 0 && desk.count == 0)
    // As many as are allowed do arrive.
    try client.send(
      1, target: bytes("/").span, headers: headers, body: bytes("").span, timeout: .seconds(20))
    loop.turn(until: { desk.count == 1 })
    #expect(desk.replies.map(\.status) == [200])
    client.stop()
    server.stop()
  }

  @Test func aStoppedClientIsSilent() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    clerk.onRequest = { _, _, _, _ in }
    let client = try client(server.port)
    try client.send(1)
    loop.turn(until: { clerk.calls.count == 1 })
    client.stop()
    #expect(client.inFlight == 0)
    #expect(throws: RESTRefusal.stopped) { try client.send(2) }
    // A late reply finds nobody.
    _ = server.reply(to: 1, "late")
    loop.turn(until: { server.connectionCount == 0 })
    #expect(desk.count == 0)
    server.stop()
  }

  @Test func aClientMayBeStoppedFromItsOwnCallback() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    let client = try client(server.port)
    desk.onReply = { client, _ in client.stop() }
    for number in UInt64(1)...3 { try client.send(number, .post, body: "\(number)") }
    loop.turn(until: { desk.count >= 1 })
    loop.turn(waitingAtMost: .milliseconds(1))
    #expect(desk.count == 1)
    server.stop()
  }

  /// M8: while one request is stalled, frames and other requests are handled as ever.
  @Test("M8: a stalled request holds up neither frames nor other requests")
  func aStalledRequestHoldsUpNothing() throws {
    let server = try HTTPServer(loop, delegate: clerk)
    clerk.onRequest = { server, request, id, body in
      if request.path != "/stalled" { server.reply(to: id, HTTPResponse(), body: body.span) }
    }
    let client = try client(server.port)
    let listener = Listener()
    let socket = WebSocketClient(
      loop, try WebSocketURL("ws://localhost:\(server.port)/"), delegate: listener)
    try client.send(1, .get, "/stalled")
    try socket.connect()
    loop.turn(until: { socket.isOpen })
    for round in 1...200 {
      #expect(socket.send(bytes("\(round)")))
      try client.send(UInt64(1 + round))
      loop.turn(until: { listener.messages.count == round && desk.replies.count == round })
    }
    #expect(client.inFlight == 1 && desk.faults.isEmpty)
    client.stop()
    socket.drop()
    server.stop()
  }
}

@Suite struct RESTEndpointTests {
  @Test func endpointsAreRead() throws {
    let venue = try RESTEndpoint("https://whitebit.com")
    #expect(venue.prefix == "https://whitebit.com" && !venue.isPlain)
    #expect(try RESTEndpoint("https://h:8443/api").prefix == "https://h:8443/api")
    #expect(try RESTEndpoint("https://h/").prefix == "https://h")
    let local = try RESTEndpoint("HTTP://localhost:80/x", allowsPlain: true)
    #expect(local.prefix == "http://127.0.0.1:80/x" && local.isPlain)
    #expect(try RESTEndpoint("http://[::1]:9", allowsPlain: true).prefix == "http://[::1]:9")
  }

  @Test func anythingElseIsRefused() {
    let cases: [(String, RESTEndpoint.Fault)] = [
      ("http://localhost", .unsupportedScheme(found: "http")),
      ("ftp://h", .unsupportedScheme(found: "ftp")),
      ("whitebit.com", .unsupportedScheme(found: "whitebit.com")),
      ("https:/h", .unsupportedScheme(found: "https")),
      ("https://", .malformedAuthority(found: "")),
      ("https://user:secret@h", .malformedAuthority(found: "user:secret@h")),
      ("https://h:0", .malformedAuthority(found: "h:0")),
      ("https://h?x", .malformedPath),
      ("https://h/a/", .malformedPath),
      ("https://h/a#b", .malformedPath),
      ("https://h/a\nb", .malformedPath),
    ]
    for (text, fault) in cases {
      #expect(throws: fault) { try RESTEndpoint(text) }
    }
    for host in ["whitebit.com", "10.0.0.1", "127.0.0.1.evil.example", "[2001:db8::1]"] {
      let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
      #expect(throws: RESTEndpoint.Fault.notLoopback(host: bare)) {
        try RESTEndpoint("http://\(host)", allowsPlain: true)
      }
    }
  }
}

@Suite struct BlockingRESTClientTests {
  @Test("T8: a thread that waits for its replies waits no longer than it said")
  func anotherThreadAsksOverItsOwnConnection() throws {
    let loop = try EventLoop()
    let clerk = Clerk()
    let server = try HTTPServer(loop, delegate: clerk)
    clerk.onRequest = { server, request, id, body in
      if request.path == "/silent" { return }
      server.reply(to: id, HTTPResponse(contentType: ""), body: body.span)
    }
    let port = server.port
    let outcomes = Lock<[RESTOutcome]>([])
    var isOver = false
    let mailbox = loop.mailbox(capacity: 1) { (_: Bool) in isOver = true }
    let thread = try SystemThread(name: "dead-man") {
      do {
        let endpoint = try RESTEndpoint("http://127.0.0.1:\(port)", allowsPlain: true)
        let client = try BlockingRESTClient(endpoint)
        for number in 0..<3 {
          let outcome = try client.perform(
            .post, target: bytes("/kill-switch").span, headers: RESTHeaders(),
            body: bytes("\(number)").span, timeout: .seconds(20))
          outcomes.withLock { $0.append(outcome) }
        }
        let late = try client.perform(
          target: bytes("/silent").span, headers: RESTHeaders(), body: bytes("").span,
          timeout: .milliseconds(200))
        outcomes.withLock { $0.append(late) }
      } catch {
        Issue.record(error)
      }
      mailbox.post(true)
    }
    loop.turn(until: { isOver })
    thread.join()
    server.stop()
    let all = outcomes.withLock { $0 }
    let head = bytes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
    #expect(
      Array(all.prefix(3))
        == (0..<3).map { .replied(status: 200, head: head, body: bytes("\($0)")) })
    guard case .failed(let fault)? = all.last else {
      Issue.record("\(all)")
      return
    }
    #expect(fault.failure == .timedOut && server.statistics.accepted == 1)
    // And nobody there.
    let endpoint = try RESTEndpoint("http://127.0.0.1:\(port)", allowsPlain: true)
    let outcome = try BlockingRESTClient(endpoint).perform(
      target: bytes("/").span, headers: RESTHeaders(), body: bytes("").span, timeout: .seconds(20))
    guard case .failed(let refused) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(refused.failure == .notSent)
  }
}
