import CMartletLinux
import Glibc
import MartletBase
import Testing

@testable import MartletTransport

@Suite struct WebSocketConnectionTests {
  let loop: EventLoop
  let clerk = Clerk()
  let listener = Listener()

  init() throws { loop = try EventLoop() }

  func serve(_ change: (inout HTTPServer.Configuration) -> Void = { _ in }) throws -> HTTPServer {
    var configuration = HTTPServer.Configuration()
    change(&configuration)
    return try HTTPServer(loop, configuration: configuration, delegate: clerk)
  }

  func client(
    _ port: UInt16, target: String = "/ws",
    _ change: (inout WebSocketClient.Configuration) -> Void = { _ in }
  ) throws -> WebSocketClient {
    var configuration = WebSocketClient.Configuration()
    change(&configuration)
    return WebSocketClient(
      loop, try WebSocketURL("ws://localhost:\(port)\(target)"), configuration: configuration,
      delegate: listener)
  }

  /// A connection of ours by hand, upgraded.
  func upgraded(_ port: UInt16) throws -> RawPeer {
    let peer = try RawPeer(loop, port: port)
    peer.say(
      "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    loop.turn(until: { peer.text.hasSuffix("\r\n\r\n") })
    peer.received = []
    return peer
  }

  /// A WebSocket server by hand: what it reads, and what it says.
  func byHand(_ answer: @escaping (_ request: String, RawServerSide) -> Void) throws -> RawServer {
    try RawServer(loop, answer: answer)
  }

  @Test func messagesOfEverySizeGoBothWays() throws {
    let server = try serve()
    let client = try client(server.port)
    var random = SeededRandom(seed: 11)
    let messages = [0, 1, 125, 126, 65_535, 65_536, 300_000].map { size in
      (0..<size).map { _ in UInt8.random(in: 97...122, using: &random) }
    }
    listener.onOpen = { client in
      for message in messages { #expect(client.send(message)) }
      #expect(client.sendBinary([0, 255]))
    }
    try client.connect()
    #expect(!client.isOpen && !client.isIdle && !client.send(bytes("early")))
    loop.turn(until: { listener.messages.count == messages.count + 1 })
    #expect(listener.messages == messages + [[0, 255]])
    #expect(clerk.opened == [1])
    client.close(.normal, reason: "done")
    #expect(!client.send(bytes("late")))
    loop.turn(until: { !listener.ends.isEmpty && !clerk.closed.isEmpty })
    #expect(listener.ends == [.closedByUs(.normal)])
    #expect(clerk.closed.map(\.end) == [.closedByPeer(.normal, reason: "done")])
    #expect(client.isIdle && server.connectionCount == 0)
    server.stop()
  }

  @Test func aClientConnectsAgainAfterAClose() throws {
    let server = try serve()
    let client = try client(server.port)
    for round in 1...3 {
      try client.connect()
      loop.turn(until: { listener.openings == round })
      client.close()
      loop.turn(until: { client.isIdle })
    }
    #expect(listener.ends == [ConnectionEnd](repeating: .closedByUs(.normal), count: 3))
    loop.turn(until: { clerk.closed.count == 3 })
    #expect(clerk.opened == [1, 2, 3])
    server.stop()
  }

  @Test func requestsAndWebSocketsShareThePort() throws {
    let server = try serve()
    let client = try client(server.port)
    try client.connect()
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET /rest HTTP/1.1\r\nHost: x\r\n\r\n")
    listener.onOpen = { _ = $0.send(bytes("over ws")) }
    loop.turn(until: { listener.texts == ["over ws"] && peer.text.hasPrefix("HTTP/1.1 200") })
    #expect(server.statistics.requests == 1 && server.statistics.webSockets == 1)
    server.stop()
  }

  @Test func manyClientsAreServedAtOnce() throws {
    let server = try serve()
    let count = 100
    let listeners = (0..<count).map { _ in Listener() }
    let url = try WebSocketURL("ws://127.0.0.1:\(server.port)/")
    let clients = listeners.map { WebSocketClient(loop, url, delegate: $0) }
    for (number, client) in clients.enumerated() {
      listeners[number].onOpen = { opened in
        for round in 0..<10 { _ = opened.send(bytes("\(number).\(round)")) }
      }
      try client.connect()
    }
    loop.turn(until: { listeners.allSatisfy { $0.messages.count == 10 } })
    for (number, listener) in listeners.enumerated() {
      #expect(listener.texts == (0..<10).map { "\(number).\($0)" })
    }
    server.stop()
    loop.turn(until: { clients.allSatisfy(\.isIdle) })
    for listener in listeners {
      #expect(listener.ends == [.closedByPeer(.goingAway, reason: "")])
    }
  }

  @Test func aServerMayRefuseAnUpgrade() throws {
    let server = try serve()
    clerk.refusal = HTTPResponse(status: 403, contentType: "")
    let client = try client(server.port)
    try client.connect()
    loop.turn(until: { client.isIdle })
    #expect(listener.ends == [.handshakeFailed(.refused(status: 403))])
    #expect(listener.openings == 0 && clerk.opened.isEmpty && clerk.closed.isEmpty)
    server.stop()
  }

  @Test func aMalformedUpgradeIsAnsweredWithItsStatus() throws {
    let server = try serve()
    let peer = try RawPeer(loop, port: server.port)
    peer.say(
      "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n")
    loop.turn(until: { peer.isOver })
    #expect(peer.text.hasPrefix("HTTP/1.1 426 "))
    #expect(peer.text.contains("Sec-WebSocket-Version: 13\r\n"))
    server.stop()
  }

  @Test func framesThatComeWithTheHandshakeAreNotLost() throws {
    let server = try serve()
    let peer = try RawPeer(loop, port: server.port)
    peer.say(
      bytes(
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        + frame(.text, bytes("eager"), mask: 5))
    loop.turn(until: { clerk.messages == ["eager"] })
    // And the other way: a server whose first frame comes with its consent.
    let hand = try byHand { request, side in
      side.say(bytes(consent(to: request)) + frame(.text, bytes("at once")))
    }
    let client = try client(hand.port)
    try client.connect()
    loop.turn(until: { listener.texts == ["at once"] })
    #expect(listener.openings == 1)
    client.drop()
    loop.turn(until: { client.isIdle })
    #expect(listener.ends == [.dropped])
    server.stop()
    hand.stop()
  }

  @Test func pingsAreAnswered() throws {
    let server = try serve { $0.pingInterval = .milliseconds(5) }
    let peer = try upgraded(server.port)
    peer.say(frame(.ping, bytes("hi"), mask: 7))
    loop.turn(until: { peer.received.count >= 6 })
    // Ours and the answer, in whichever order they came about.
    let pong = frame(.pong, bytes("hi"))
    loop.turn(until: {
      let all = peer.received
      return (0...max(0, all.count - pong.count)).contains {
        all.count >= pong.count && Array(all[$0..<$0 + pong.count]) == pong
      }
    })
    loop.turn(until: { peer.received.starts(with: frame(.ping, [])) || peer.received.count > 6 })
    let client = try client(server.port)
    try client.connect()
    loop.turn(until: { client.isOpen })
    #expect(client.ping(bytes("x")))
    #expect(client.send(bytes("after the ping")))
    loop.turn(until: { listener.texts == ["after the ping"] })
    server.stop()
  }

  @Test func everyViolationIsAnsweredWithItsCode() throws {
    let server = try serve { $0.webSocket = WebSocketLimits(frame: 1_000, message: 1_000) }
    let cases: [([UInt8], UInt16)] = [
      (frame(.text, bytes("no mask")), 1002),
      ([0xC1, 0x80, 0, 0, 0, 0], 1002),
      (frame(.text, [0xFF, 0xFE], mask: 3), 1007),
      (Array(frame(.text, [UInt8](repeating: 0x61, count: 1_001), mask: 3).prefix(8)), 1009),
      (frame(.close, [0x03, 0xED], mask: 3), 1002),
    ]
    for (said, code) in cases {
      let peer = try upgraded(server.port)
      let count = clerk.closed.count
      peer.say(said)
      loop.turn(until: { peer.isOver && clerk.closed.count == count + 1 })
      #expect(Array(peer.received.prefix(4).suffix(2)) == [UInt8(code >> 8), UInt8(code & 0xFF)])
      guard case .violated(let fault)? = clerk.closed.last?.end else {
        Issue.record("\(String(describing: clerk.closed.last))")
        continue
      }
      #expect(fault.closeCode.number == code)
    }
    server.stop()
  }

  @Test func aSlowReaderIsCutOffAndTheOthersAreNot() throws {
    let limit = 200_000
    let server = try serve {
      $0.sendBuffer = 4_096
      $0.outboundLimit = limit
    }
    let slow = try upgraded(server.port)
    slow.stopReading()
    let client = try client(server.port)
    try client.connect()
    loop.turn(until: { client.isOpen && clerk.opened.count == 2 })
    let message = [UInt8](repeating: 0x61, count: 10_000)
    var sent = 0
    // Until the kernel's buffers and ours are full.
    while clerk.closed.isEmpty, sent < 20_000 {
      server.send(text: message.span, to: clerk.opened[1])
      server.send(text: message.span, to: clerk.opened[0])
      sent += 1
      loop.turn(waitingAtMost: .zero)
      loop.turn(until: { listener.messages.count == sent })
    }
    guard case .slowReader(let waiting, limit)? = clerk.closed.first?.end else {
      Issue.record("\(clerk.closed)")
      return
    }
    // The bound, and at most the one message that went over it.
    #expect(waiting > limit && waiting <= limit + message.count + 14)
    #expect(clerk.closed.map(\.connection) == [clerk.opened[0]])
    #expect(server.statistics.slowReaders == 1)
    #expect(!server.send(message, to: clerk.opened[0]))
    #expect(client.isOpen && listener.messages.count == sent)
    server.stop()
  }

  @Test("T8: a peer that takes nothing of what is sent is given up")
  func aPeerThatTakesNothingIsGivenUp() throws {
    let server = try serve {
      $0.sendBuffer = 4_096
      $0.writeTimeout = .milliseconds(30)
      $0.outboundLimit = 100_000_000
    }
    let slow = try upgraded(server.port)
    slow.stopReading()
    server.send(text: [UInt8](repeating: 0x61, count: 20_000_000).span, to: 1)
    loop.turn(until: { clerk.closed.count == 1 })
    #expect(clerk.closed.map(\.end) == [.timedOut(.write)])
    server.stop()
  }

  @Test("T8: a stream that says nothing any more is given up, on either side")
  func aSilentPeerIsGivenUpOnEitherSide() throws {
    let server = try serve { $0.webSocketIdleTimeout = .milliseconds(40) }
    // Half open: connected, and never a word again.
    let peer = try upgraded(server.port)
    loop.turn(until: { clerk.closed.count == 1 && peer.isOver })
    #expect(clerk.closed.map(\.end) == [.timedOut(.idle)])
    #expect(Array(peer.received.prefix(4).suffix(2)) == [0x03, 0xF0])
    server.stop()

    let hand = try byHand { request, side in side.say(consent(to: request)) }
    let client = try client(hand.port) { $0.idleTimeout = .milliseconds(40) }
    try client.connect()
    loop.turn(until: { client.isIdle })
    #expect(listener.openings == 1 && listener.ends == [.timedOut(.idle)])
    hand.stop()
  }

  @Test func pingsKeepASilentButLivingPeer() throws {
    let server = try serve {
      $0.webSocketIdleTimeout = .milliseconds(1_000)
      $0.pingInterval = .milliseconds(10)
    }
    let client = try client(server.port) { $0.idleTimeout = .milliseconds(1_000) }
    try client.connect()
    loop.turn(until: { client.isOpen })
    let end = loop.clock() + .milliseconds(1_600)
    loop.turn(until: { loop.clock() >= end })
    #expect(client.isOpen && clerk.closed.isEmpty)
    server.stop()
  }

  @Test("T8: a server that never answers a handshake is given up")
  func aServerThatNeverAnswersIsGivenUp() throws {
    let hand = try byHand { _, _ in }
    let client = try client(hand.port) { $0.openTimeout = .milliseconds(300) }
    try client.connect()
    loop.turn(until: { client.isIdle })
    #expect(listener.ends == [.timedOut(.handshake)] && listener.openings == 0)
    hand.stop()
  }

  @Test("T8: a peer that ignores our close is given up")
  func aPeerThatIgnoresOurCloseIsGivenUp() throws {
    let hand = try byHand { request, side in side.say(consent(to: request)) }
    let client = try client(hand.port) { $0.closeTimeout = .milliseconds(30) }
    listener.onOpen = { $0.close() }
    try client.connect()
    loop.turn(until: { client.isIdle })
    #expect(listener.ends == [.timedOut(.close)])
    hand.stop()
  }

  @Test func noServerIsAFailureAtOnce() throws {
    // A port that was just ours and that nobody listens on now.
    let server = try serve()
    let port = server.port
    server.stop()
    let client = try client(port)
    try client.connect()
    loop.turn(until: { client.isIdle })
    #expect(listener.ends == [.failed(SystemFault("connect", errno: ECONNREFUSED))])
  }

  @Test func anEndWithoutACloseFrameIsToldApart() throws {
    let server = try serve()
    let client = try client(server.port)
    try client.connect()
    loop.turn(until: { client.isOpen })
    server.drop(1)
    loop.turn(until: { client.isIdle && clerk.closed.count == 1 })
    #expect(listener.ends == [.failed(SystemFault("recv", errno: ECONNRESET))])
    #expect(clerk.closed.map(\.end) == [.dropped])
    let hand = try byHand { request, side in
      side.say(consent(to: request))
      side.finish()
    }
    let other = try self.client(hand.port)
    try other.connect()
    loop.turn(until: { other.isIdle })
    #expect(listener.ends.last == .ended)
    server.stop()
    hand.stop()
  }

  @Test func aServerThatEndsEveryConnectionGoesOnListening() throws {
    let server = try serve()
    let client = try client(server.port)
    try client.connect()
    let peer = try RawPeer(loop, port: server.port)
    peer.say("GET /rest HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.turn(until: { client.isOpen && peer.text.hasPrefix("HTTP/1.1 200") })
    server.dropAll()
    loop.turn(until: { client.isIdle && peer.isOver && clerk.closed.count == 1 })
    #expect(listener.ends == [.failed(SystemFault("recv", errno: ECONNRESET))])
    #expect(clerk.closed.map(\.end) == [.dropped] && server.connectionCount == 0)
    try client.connect()
    loop.turn(until: { listener.openings == 2 })
    #expect(server.statistics.accepted == 3)
    server.stop()
  }

  @Test func aServersCloseCarriesItsCodeAndReason() throws {
    let server = try serve()
    let client = try client(server.port)
    try client.connect()
    loop.turn(until: { client.isOpen })
    server.send(text: bytes("last words").span, to: 1)
    server.close(1, .serviceRestart, reason: "maintenance")
    loop.turn(until: { client.isIdle && clerk.closed.count == 1 })
    #expect(listener.texts == ["last words"])
    #expect(listener.ends == [.closedByPeer(.serviceRestart, reason: "maintenance")])
    #expect(clerk.closed.map(\.end) == [.closedByUs(.serviceRestart)])
    server.stop()
  }

  @Test func aConnectionMayBeClosedFromItsOwnCallback() throws {
    let server = try serve()
    clerk.onMessage = { server, message, _, connection in
      _ = server.send(message, to: connection)
      if message == bytes("close") { server.close(connection) }
      if message == bytes("drop") { server.drop(connection) }
      if message == bytes("stop") { server.stop() }
    }
    for word in ["close", "drop", "stop"] {
      let client = try client(server.port)
      listener.onOpen = { _ = $0.send(bytes(word)) }
      try client.connect()
      loop.turn(until: { client.isIdle })
    }
    #expect(listener.ends.count == 3)
    #expect(listener.ends.last == .closedByPeer(.goingAway, reason: ""))
  }

  @Test func aClientMayCloseAndDropFromItsOwnCallback() throws {
    let server = try serve()
    let client = try client(server.port)
    listener.onOpen = { _ = $0.send(bytes("x")) }
    listener.onMessage = { client, _ in client.drop() }
    try client.connect()
    loop.turn(until: { client.isIdle })
    listener.onMessage = { client, _ in client.close() }
    try client.connect()
    loop.turn(until: { client.isIdle })
    #expect(listener.ends == [.dropped, .closedByUs(.normal)])
    server.stop()
  }

  @Test func aRefusedReplyOfTheServerEndsTheClient() throws {
    let replies: [(String, WebSocketHandshakeFault)] = [
      ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", .refused(status: 200)),
      ("<html>\n", .http(.bareLineEnd)),
      (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", .wrongAccept
      ),
    ]
    for (reply, fault) in replies {
      let hand = try byHand { _, side in side.say(reply) }
      let client = try client(hand.port)
      try client.connect()
      loop.turn(until: { client.isIdle })
      #expect(listener.ends.last == .handshakeFailed(fault))
      hand.stop()
    }
  }
}

@Suite struct WebSocketURLTests {
  @Test func addressesAreTakenApart() throws {
    let url = try WebSocketURL("ws://localhost:8080/ws/path?x=1")
    #expect(url.host == "127.0.0.1" && url.port == 8080 && !url.isSecure)
    #expect(url.authority == "localhost:8080" && url.target == "/ws/path?x=1")
    let short = try WebSocketURL("WS://127.1.2.3")
    #expect(short.host == "127.1.2.3" && short.port == 80 && short.target == "/")
    let six = try WebSocketURL("ws://[::1]:9?q")
    #expect(six.host == "::1" && six.port == 9 && six.target == "/?q")
    let venue = try WebSocketURL("wss://api.whitebit.com/ws")
    #expect(venue.isSecure && venue.host == "api.whitebit.com" && venue.port == 443)
    #expect(venue.authority == "api.whitebit.com" && venue.target == "/ws")
  }

  @Test func anythingElseIsRefused() {
    let cases: [(String, WebSocketURL.Fault)] = [
      ("http://localhost/", .unsupportedScheme(found: "http")),
      ("wss:/api.whitebit.com/ws", .unsupportedScheme(found: "wss")),
      ("wss:///ws", .malformedAuthority(found: "")),
      ("ws:localhost", .unsupportedScheme(found: "ws")),
      ("localhost", .unsupportedScheme(found: "localhost")),
      ("ws://api.whitebit.com/ws", .notLoopback(host: "api.whitebit.com")),
      ("ws://10.0.0.1/ws", .notLoopback(host: "10.0.0.1")),
      ("ws://[2001:db8::1]/ws", .notLoopback(host: "2001:db8::1")),
      ("ws:///x", .malformedAuthority(found: "")),
      ("ws://user@localhost/x", .malformedAuthority(found: "user@localhost")),
      ("ws://localhost:/x", .malformedAuthority(found: "localhost:")),
      ("ws://localhost:0/x", .malformedAuthority(found: "localhost:0")),
      ("ws://localhost:65536/x", .malformedAuthority(found: "localhost:65536")),
      ("ws://localhost:+80/x", .malformedAuthority(found: "localhost:+80")),
      ("ws://[::1/x", .malformedAuthority(found: "[::1")),
      ("ws://[::1]x/", .malformedAuthority(found: "[::1]x")),
      ("ws://localhost/a b", .malformedTarget),
      ("ws://localhost/a#b", .malformedTarget),
      ("ws://localhost#b", .malformedTarget),
      ("ws://localhost/a\r\nX: y", .malformedTarget),
    ]
    for (text, fault) in cases {
      #expect(throws: fault) { try WebSocketURL(text) }
    }
  }
}
