import Glibc
import MartletBase
import Testing

@testable import MartletTransport

@Suite struct HTTPServerTests {
  let loop: EventLoop
  let clerk = Clerk()

  init() throws { loop = try EventLoop() }

  func serve(_ change: (inout HTTPServer.Configuration) -> Void = { _ in }) throws -> HTTPServer {
    var configuration = HTTPServer.Configuration()
    change(&configuration)
    return try HTTPServer(loop, configuration: configuration, delegate: clerk)
  }

  func reply(_ body: String, status: String = "200 OK", closes: Bool = false) -> String {
    "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n"
      + (closes ? "Connection: close\r\n" : "") + "\r\n" + body
  }

  @Test func aThousandRequestsUseOneConnection() throws {
    let server = try serve()
    let peer = try RawPeer(loop, port: server.port)
    var expected = ""
    for number in 0..<1_000 {
      peer.say("POST /\(number) HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\(1_000 + number)")
      expected += reply("\(1_000 + number)")
      loop.turn(until: { peer.received.count == expected.utf8.count })
    }
    #expect(peer.text == expected)
    #expect(server.statistics.accepted == 1 && server.statistics.requests == 1_000)
    #expect(clerk.calls.map(\.id) == Array(1...1_000))
    server.stop()
  }

  @Test func aPipelineIsAnsweredInOrderThoughRepliesComeLate() throws {
    let server = try serve()
    var open: [UInt64] = []
    clerk.onRequest = { _, _, id, _ in open.append(id) }
    let peer = try RawPeer(loop, port: server.port)
    peer.say((0..<5).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    for number in 0..<5 {
      loop.turn(until: { !open.isEmpty })
      // One at a time: the next is not handed over before this one is answered.
      #expect(open.count == 1)
      let id = open.removeFirst()
      #expect(
        server.reply(to: id, "\(number)"))
      #expect(!server.reply(to: id, "twice"))
    }
    let expected = (0..<5).map { reply("\($0)") }.joined()
    loop.turn(until: { peer.received.count == expected.utf8.count })
    #expect(peer.text == expected)
    #expect(clerk.calls.map(\.target) == (0..<5).map { "/\($0)" })
    server.stop()
  }

  @Test func repliesCrossConnectionsInAnyOrder() throws {
    let server = try serve()
    var open: [String: UInt64] = [:]
    clerk.onRequest = { _, request, id, _ in open[request.path] = id }
    let one = try RawPeer(loop, port: server.port)
    let two = try RawPeer(loop, port: server.port)
    one.say("GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
    two.say("GET /two HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { open.count == 2 })
    #expect(server.reply(to: open["/two"] ?? 0, "2"))
    loop.turn(until: { two.text == reply("2") })
    #expect(one.received.isEmpty)
    #expect(server.reply(to: open["/one"] ?? 0, "1"))
    loop.turn(until: { one.text == reply("1") })
    server.stop()
  }

  @Test func everyMalformedRequestIsAnsweredWithItsStatusAndClosed() throws {
    let server = try serve()
    for (text, fault) in HTTPRequestDecoderTests.refused {
      let peer = try RawPeer(loop, port: server.port)
      peer.say(text)
      loop.turn(until: { peer.isOver })
      #expect(peer.text.hasPrefix("HTTP/1.1 \(fault.status) "), "\(text): \(peer.text)")
      #expect(peer.text.contains("Connection: close\r\n"), "\(text)")
    }
    #expect(clerk.calls.isEmpty)
    #expect(server.statistics.faults == UInt64(HTTPRequestDecoderTests.refused.count))
    #expect(server.connectionCount == 0)
    server.stop()
  }

  @Test func connectionsCloseWhenAskedTo() throws {
    let server = try serve()
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    loop.turn(until: { peer.isOver })
    #expect(peer.text == reply("", closes: true))
    let old = try RawPeer(loop, port: server.port)
    old.say("GET / HTTP/1.0\r\n\r\n")
    loop.turn(until: { old.isOver })
    #expect(old.text == reply("", closes: true))
    server.stop()
  }

  @Test func aHeadRequestGetsNoBody() throws {
    let server = try serve()
    clerk.onRequest = { server, _, id, _ in
      server.reply(to: id, HTTPResponse(contentType: "text/plain"), body: bytes("12345").span)
    }
    let peer = try RawPeer(loop, port: server.port)
    peer.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
    loop.turn(until: { peer.received.count >= expected.utf8.count })
    #expect(peer.text == expected)
    server.stop()
  }

  @Test func leaveToSendABodyIsGiven() throws {
    let server = try serve()
    let peer = try RawPeer(loop, port: server.port)
    peer.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    loop.turn(until: { peer.text == "HTTP/1.1 100 Continue\r\n\r\n" })
    peer.say("hi")
    loop.turn(until: { peer.text.hasSuffix("hi") })
    #expect(peer.text == "HTTP/1.1 100 Continue\r\n\r\n" + reply("hi"))
    server.stop()
  }

  @Test func aClientThatEndsItsSideStillGetsItsReply() throws {
    let server = try serve()
    var asked: UInt64 = 0
    clerk.onRequest = { _, _, id, _ in asked = id }
    let descriptor = try blockingConnection(to: server.port)
    defer { close(descriptor) }
    send(descriptor, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    shutdown(descriptor, CInt(SHUT_WR))
    loop.turn(until: { asked != 0 })
    loop.turn(waitingAtMost: .milliseconds(1))
    #expect(
      server.reply(to: asked, "late"))
    var received: [UInt8] = []
    loop.turn(until: { !receive(descriptor, &received) })
    #expect(String(decoding: received, as: UTF8.self) == reply("late"))
    server.stop()
  }

  @Test func aReplyThatWouldForgeAFieldIsNotSent() throws {
    let server = try serve()
    clerk.onRequest = { server, _, id, _ in
      let forged = HTTPResponse(headers: [HTTPHeader("X", "a\r\nSet-Cookie: b")])
      #expect(!server.reply(to: id, "x", forged))
    }
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { peer.isOver })
    #expect(peer.text.hasPrefix("HTTP/1.1 500 ") && !peer.text.contains("Cookie"))
    server.stop()
  }

  @Test func aDroppedRequestBreaksItsConnection() throws {
    let server = try serve()
    clerk.onRequest = { server, _, id, _ in server.drop(request: id) }
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { peer.isOver })
    #expect(peer.received.isEmpty && server.connectionCount == 0)
    #expect(clerk.abandoned.isEmpty)
    server.stop()
  }

  @Test func aRequestWhoseClientBreaksIsAbandoned() throws {
    let server = try serve()
    clerk.onRequest = { _, _, _, _ in }
    let descriptor = try blockingConnection(to: server.port)
    send(descriptor, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { clerk.calls.count == 1 })
    resetAndClose(descriptor)
    loop.turn(until: { clerk.abandoned == [1] })
    #expect(!server.reply(to: 1, "nobody"))
    server.stop()
  }

  @Test("T8: half a request, and a connection without one, are given up")
  func halfARequestIsGivenUp() throws {
    let server = try serve { $0.requestTimeout = .milliseconds(200) }
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET / HTTP/1.1\r\nHo")
    loop.turn(until: { peer.isOver })
    #expect(peer.text.hasPrefix("HTTP/1.1 408 "))
    // One that says nothing at all is closed without a word.
    let silent = try RawPeer(loop, port: server.port)
    loop.turn(until: { silent.isOver })
    #expect(silent.received.isEmpty && server.connectionCount == 0)
    server.stop()
  }

  @Test func anIdleConnectionIsGivenUp() throws {
    let server = try serve { $0.keepAliveTimeout = .milliseconds(30) }
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { peer.isOver })
    #expect(peer.text == reply(""))
    server.stop()
  }

  @Test func clientsOverTheBoundAreTurnedAway() throws {
    let server = try serve { $0.connections = 2 }
    let first = try RawPeer(loop, port: server.port)
    let second = try RawPeer(loop, port: server.port)
    for peer in [first, second] { peer.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
    loop.turn(until: { clerk.calls.count == 2 })
    let third = try RawPeer(loop, port: server.port)
    loop.turn(until: { third.isOver })
    #expect(server.statistics.turnedAway == 1 && !first.isOver && !second.isOver)
    // Room again once one has left.
    first.close()
    loop.turn(until: { server.connectionCount == 1 })
    let fourth = try RawPeer(loop, port: server.port)
    fourth.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { fourth.text == reply("") })
    server.stop()
  }

  @Test func aLargeReplyGoesToASlowReaderWhole() throws {
    let server = try serve { $0.sendBuffer = 4_096 }
    let body = [UInt8](repeating: 0x61, count: 3_000_000)
    clerk.onRequest = { server, _, id, _ in
      server.reply(to: id, HTTPResponse(contentType: ""), body: body.span)
    }
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    loop.turn(until: { peer.isOver })
    #expect(peer.received.suffix(body.count).elementsEqual(body))
    server.stop()
  }

  @Test func aClientThatReadsNothingIsGivenUp() throws {
    let server = try serve {
      $0.sendBuffer = 4_096
      $0.writeTimeout = .milliseconds(30)
    }
    clerk.onRequest = { server, _, id, _ in
      server.reply(
        to: id, HTTPResponse(contentType: ""),
        body: [UInt8](repeating: 0x61, count: 20_000_000).span)
    }
    let descriptor = try blockingConnection(to: server.port)
    defer { close(descriptor) }
    send(descriptor, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { server.statistics.requests == 1 })
    loop.turn(until: { server.connectionCount == 0 })
    server.stop()
  }

  @Test func aTakenPortIsAnError() throws {
    let server = try serve()
    #expect(throws: SystemFault("listen", errno: EADDRINUSE)) {
      try HTTPServer(loop, port: server.port, delegate: clerk)
    }
    #expect(throws: SystemFault("listen", errno: EINVAL)) {
      try HTTPServer(loop, address: "localhost", delegate: clerk)
    }
    server.stop()
  }

  @Test func aStoppedServerAnswersNoOne() throws {
    let server = try serve()
    let port = server.port
    let peer = try RawPeer(loop, port: port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { peer.text == reply("") })
    server.stop()
    loop.turn(until: { peer.isOver })
    let late = try RawPeer(loop, port: port)
    loop.turn(until: { late.isOver })
    #expect(late.received.isEmpty)
  }

  @Test func whatIsLetGoIsFreed() throws {
    var server: HTTPServer? = try serve()
    let port = server?.port ?? 0
    let listener = Listener()
    var client: WebSocketClient? = WebSocketClient(
      loop, try WebSocketURL("ws://127.0.0.1:\(port)/"), delegate: listener)
    try client?.connect()
    loop.turn(until: { listener.openings == 1 })
    let rest = RESTClient(
      loop, try RESTEndpoint("http://127.0.0.1:\(port)", allowsPlain: true), delegate: Desk())
    try rest.send(1)
    loop.turn(until: { rest.inFlight == 0 })
    weak let heldServer = server
    weak let heldClient = client
    client = nil
    loop.turn(until: { clerk.closed.count == 1 })
    #expect(clerk.closed.map(\.end) == [.closedByPeer(.goingAway, reason: "")])
    server = nil
    #expect(heldServer == nil && heldClient == nil)
    let late = try RawPeer(loop, port: port)
    loop.turn(until: { late.isOver })
    #expect(late.received.isEmpty)
  }
}
