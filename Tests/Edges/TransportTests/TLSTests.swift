import CMartletLinux
import Glibc
import MartletBase
import Testing

@testable import MartletTransport

/// A server of ours and the certificate to trust it by, in a file of its own.
final class SecureWorld {
  static let start = Timestamp(nanoseconds: Int64(time(nil)) * 1_000_000_000)
  static let day = TimeSpan.seconds(86_400)

  let folder: String
  let loop: EventLoop
  let clerk = Clerk()
  let listener = Listener()
  let desk = Desk()
  private(set) var authorities = ""
  private(set) var pin: TLSPin
  private(set) var server: HTTPServer

  /// - Parameters:
  ///   - hosts: what the certificate stands for.
  ///   - age: how long ago it was issued, for two days.
  ///   - isTrusted: whether the file names the authority that signed it.
  init(
    hosts: [String] = ["localhost", "127.0.0.1"], age: TimeSpan = .seconds(60),
    isTrusted: Bool = true
  ) throws {
    var template = Array("/tmp/martlet-tls-XXXXXX".utf8CString)
    folder = try #require(mkdtemp(&template).map { String(cString: $0) })
    loop = try EventLoop()
    let from = SecureWorld.start - age
    let authority = try TLSIdentity.authority(
      named: "an authority", from: from - SecureWorld.day, until: from + .seconds(864_000))
    let identity = try authority.issue(
      hosts: hosts, from: from, until: from + SecureWorld.day + SecureWorld.day)
    pin = try TLSPin(certificate: identity.certificate)
    server = try HTTPServer(loop, tls: try TLSContext(identity), delegate: clerk)
    let stranger = try TLSIdentity.authority(
      named: "an authority", from: from, until: from + .seconds(864_000))
    authorities = folder + "/ca.pem"
    write(isTrusted ? authority.certificate : stranger.certificate, to: authorities)
  }

  deinit {
    server.stop()
    unlink(authorities)
    rmdir(folder)
  }

  private func write(_ bytes: [UInt8], to path: String) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
    close(file)
  }

  func client(
    _ host: String = "localhost", port: UInt16? = nil, pins: [TLSPin] = [],
    _ change: (inout WebSocketClient.Configuration) -> Void = { _ in }
  ) throws -> WebSocketClient {
    let trust = TLSTrust(authorities: authorities, pins: pins)
    var configuration = WebSocketClient.Configuration()
    change(&configuration)
    return WebSocketClient(
      loop, try WebSocketURL("wss://\(host):\(port ?? server.port)/ws"), tls: try TLSContext(trust),
      configuration: configuration, delegate: listener)
  }

  func rest(_ host: String = "localhost", port: UInt16? = nil, pins: [TLSPin] = []) throws
    -> RESTClient
  {
    var configuration = RESTClient.Configuration()
    configuration.trust = TLSTrust(authorities: authorities, pins: pins)
    return RESTClient(
      loop, try RESTEndpoint("https://\(host):\(port ?? server.port)"),
      configuration: configuration, delegate: desk)
  }

  /// How connecting a WebSocket ends when it must not succeed.
  func refusal(_ host: String = "localhost", port: UInt16? = nil, pins: [TLSPin] = []) throws
    -> ConnectionEnd
  {
    let client = try client(host, port: port, pins: pins)
    try client.connect()
    loop.turn(until: { !listener.ends.isEmpty || listener.openings > 0 })
    #expect(listener.openings == 0 && clerk.opened.isEmpty)
    return try #require(listener.ends.last)
  }

  /// How a request ends when it must not be sent.
  func restRefusal(_ host: String = "localhost", port: UInt16? = nil, pins: [TLSPin] = []) throws
    -> RESTFault
  {
    let client = try rest(host, port: port, pins: pins)
    try client.send(1, .get, "/never")
    loop.turn(until: { desk.count == 1 })
    #expect(clerk.calls.isEmpty)
    return try #require(desk.faults.last).fault
  }
}

extension ConnectionEnd {
  var tlsFault: TLSFault.Kind? { if case .refused(let fault) = self { fault.kind } else { nil } }
}

@Suite struct TLSTests {
  @Test func messagesOfEverySizeGoBothWays() throws {
    let world = try SecureWorld()
    var random = SeededRandom(seed: 12)
    let messages = [0, 1, 125, 16_383, 16_384, 16_385, 65_536, 900_000].map { size in
      (0..<size).map { _ in UInt8.random(in: 97...122, using: &random) }
    }
    world.listener.onOpen = { client in
      for message in messages { #expect(client.send(message)) }
    }
    let client = try world.client()
    try client.connect()
    world.loop.turn(until: { world.listener.messages.count == messages.count })
    #expect(world.listener.messages == messages)
    client.close(.normal, reason: "done")
    world.loop.turn(until: { !world.listener.ends.isEmpty && !world.clerk.closed.isEmpty })
    #expect(world.listener.ends == [.closedByUs(.normal)])
    #expect(world.clerk.closed.map(\.end) == [.closedByPeer(.normal, reason: "done")])
  }

  @Test func manySmallMessagesInOneRecordAreAllHeard() throws {
    let world = try SecureWorld()
    // A burst lies in the library's buffers, where the descriptor does not show it.
    world.clerk.onOpen = { server, connection in
      for number in 0..<5_000 { _ = server.send(bytes("\(number)"), to: connection) }
    }
    let client = try world.client("127.0.0.1")
    try client.connect()
    world.loop.turn(until: { world.listener.messages.count == 5_000 })
    #expect(world.listener.texts == (0..<5_000).map(String.init))
    client.drop()
  }

  @Test("M92: ten thousand messages a second, with pings of both kinds between them: none is lost")
  func pingsInAFloodLoseNothing() throws {
    let world = try SecureWorld()
    let (rate, total) = (10_000, 20_000)
    var told = 0
    var connection: UInt64?
    let began = world.loop.clock()
    // Every millisecond what is due by then, so that they come as they would: a few at a time.
    var flood: LoopTimer?
    flood = LoopTimer(world.loop) {
      let due = Int((world.loop.clock() - began).nanoseconds / (1_000_000_000 / Int64(rate)))
      while told < min(due, total), let connection {
        guard world.server.send(bytes("\(told)"), to: connection) else { break }
        told += 1
      }
      if told < total { flood?.arm(after: .milliseconds(1)) }
    }
    world.clerk.onOpen = { _, opened in
      connection = opened
      flood?.arm(after: .milliseconds(1))
    }
    // The venue's ping is a text, and so is its pong.
    world.clerk.onMessage = { server, message, _, from in
      _ = server.send(bytes("pong of ") + message, to: from)
    }
    var pings = 0
    world.listener.onMessage = { client, message in
      guard message.first != UInt8(ascii: "p"), message.suffix(3) == bytes("500") else { return }
      pings += 1
      #expect(client.ping(bytes("\(pings)")) && client.send(bytes("\(pings)")))
    }
    let client = try world.client("127.0.0.1") { $0.pingInterval = .milliseconds(5) }
    try client.connect()
    world.loop.turn(until: { world.listener.messages.count == total + 20 })
    let heard = world.listener.texts
    #expect(heard.filter { !$0.hasPrefix("p") } == (0..<total).map(String.init))
    #expect(heard.filter { $0.hasPrefix("p") } == (1...20).map { "pong of \($0)" })
    #expect(pings == 20 && client.isOpen && world.listener.ends.isEmpty)
    client.drop()
    flood = nil
  }

  @Test func requestsGoOverTheSamePort() throws {
    let world = try SecureWorld()
    let client = try world.rest(pins: [world.pin])
    for request in 1...3 { try client.send(UInt64(request), .post, "/echo", body: "{}") }
    world.loop.turn(until: { world.desk.count == 3 })
    #expect(world.desk.replies.map(\.body) == ["{}", "{}", "{}"])
    try client.send(4, .get, "/once-more")
    world.loop.turn(until: { world.desk.count == 4 })
    #expect(client.connectionsMade <= 3)
  }

  @Test("M135: a certificate that has expired is refused, and said to be")
  func anExpiredCertificateIsRefused() throws {
    let age = TimeSpan.seconds(4 * 86_400)
    #expect(try SecureWorld(age: age).refusal().tlsFault == .expired)
    let fault = try SecureWorld(age: age).restRefusal()
    #expect(
      fault.failure == .notSent && fault.text.contains("expired") && fault.refusal?.kind == .expired
    )
  }

  @Test("M135: a certificate of tomorrow is refused, and the clock is named")
  func aCertificateOfTomorrowIsRefused() throws {
    let end = try SecureWorld(age: .seconds(-86_400)).refusal()
    #expect(end.tlsFault == .notYetValid && end.description.contains("clock"))
    let fault = try SecureWorld(age: .seconds(-86_400)).restRefusal()
    #expect(
      fault.failure == .notSent && fault.text.contains("not yet valid")
        && fault.refusal?.kind == .notYetValid)
  }

  @Test("M135: another host's certificate is refused, by name and by address")
  func anotherHostsCertificateIsRefused() throws {
    #expect(try SecureWorld(hosts: ["example.org"]).refusal().tlsFault == .wrongHost)
    #expect(try SecureWorld(hosts: ["127.0.0.2"]).refusal("127.0.0.1").tlsFault == .wrongHost)
    // A name's certificate is none of its address.
    #expect(try SecureWorld(hosts: ["localhost"]).refusal("127.0.0.1").tlsFault == .wrongHost)
    let fault = try SecureWorld(hosts: ["example.org"]).restRefusal()
    #expect(
      fault.failure == .notSent && fault.text.contains("name") && fault.refusal?.kind == .wrongHost)
  }

  @Test("M135: an authority that is not trusted is refused, though it bears a trusted one's name")
  func anUnknownAuthorityIsRefused() throws {
    #expect(try SecureWorld(isTrusted: false).refusal().tlsFault == .unknownAuthority)
    let fault = try SecureWorld(isTrusted: false).restRefusal()
    #expect(
      fault.failure == .notSent && fault.text.contains("certificate")
        && fault.refusal?.kind == .unknownAuthority)
  }

  @Test("M136: a certificate in order with another key than the pinned one is refused")
  func aWrongKeyIsRefused() throws {
    let pin = try SecureWorld().pin
    let end = try SecureWorld().refusal(pins: [pin])
    #expect(end.tlsFault == .wrongKey)
    let fault = try SecureWorld().restRefusal(pins: [pin])
    #expect(
      fault.failure == .notSent && fault.text.contains("pinned") && fault.refusal?.kind == .wrongKey
    )
  }

  @Test("M136: the server may change its key to one that was pinned beside the old one")
  func aBackupPinLetsTheServerChangeItsKey() throws {
    let before = try SecureWorld()
    let after = try SecureWorld()
    let pins = [before.pin, after.pin]
    for world in [before, after] {
      let client = try world.client(pins: pins)
      try client.connect()
      world.loop.turn(until: { world.listener.openings == 1 || !world.listener.ends.isEmpty })
      #expect(world.listener.openings == 1)
      client.drop()
      let rest = try world.rest(pins: pins)
      try rest.send(1, .get, "/")
      world.loop.turn(until: { world.desk.count == 1 })
      #expect(world.desk.replies.map(\.status) == [200])
    }
  }

  @Test("M135: a server that speaks TLS 1.2 at most is refused, and told from one without TLS")
  func anOlderProtocolIsRefused() throws {
    let world = try SecureWorld()
    let old = try OldServer()
    defer { old.stop() }
    let end = try world.refusal(port: old.port)
    #expect(end.tlsFault == .oldProtocol)
    let fault = try world.restRefusal(port: old.port)
    #expect(
      fault.failure == .notSent && fault.text.contains("protocol version")
        && fault.refusal?.kind == .oldProtocol)
  }

  @Test func aServerWithoutTLSIsSaidToBeOne() throws {
    let world = try SecureWorld()
    let plain = try HTTPServer(world.loop, delegate: Clerk())
    #expect(try world.refusal(port: plain.port).tlsFault == .notTLS)
    #expect(try world.restRefusal(port: plain.port).refusal?.kind == .notTLS)
    plain.stop()
  }

  @Test func aClientWithoutTLSIsLetGo() throws {
    let world = try SecureWorld()
    let peer = try RawPeer(world.loop, port: world.server.port)
    peer.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    world.loop.turn(until: { peer.isOver })
    #expect(world.clerk.calls.isEmpty && world.server.connectionCount == 0)
  }

  @Test func aClientThatStopsInTheHandshakeIsLetGo() throws {
    let world = try SecureWorld()
    let peer = try RawPeer(world.loop, port: world.server.port)
    // The beginning of a record of the handshake, and then nothing.
    peer.say([22, 3, 1, 2, 0, 1])
    world.loop.turn(until: { world.server.connectionCount == 1 })
    peer.close()
    world.loop.turn(until: { world.server.connectionCount == 0 })
    #expect(world.clerk.calls.isEmpty)
  }

  @Test func namesAreLookedUpAndTheUnknownSaidToBe() throws {
    let world = try SecureWorld()
    let end = try world.refusal("no-such-host.invalid")
    guard case .unresolved = end else {
      Issue.record("\(end)")
      return
    }
    // Once more, to see that nothing is left of the first.
    let client = try world.client()
    try client.connect()
    #expect(!client.isIdle)
    world.loop.turn(until: { world.listener.openings == 1 })
    client.drop()
  }

  @Test func aClientLeftWhileItsNameIsLookedUpHearsNothing() throws {
    let world = try SecureWorld()
    var client: WebSocketClient? = try world.client()
    try client?.connect()
    client = nil
    let other = try world.client()
    try other.connect()
    world.loop.turn(until: { world.listener.openings > 0 })
    #expect(world.listener.openings == 1 && world.listener.ends.isEmpty)
    other.drop()
  }

  @Test func pinsAreReadAndWritten() throws {
    let world = try SecureWorld()
    #expect(TLSPin(base64: world.pin.base64) == world.pin)
    // RFC 7469, appendix A's form; 43 letters and one sign.
    #expect(TLSPin(base64: "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=") != nil)
    for text in [
      "", "x", "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM",
      "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmN=",
      "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWm==",
      "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZ mM=",
    ] {
      #expect(TLSPin(base64: text) == nil)
    }
    #expect(throws: TLSSetupFault.self) { try TLSPin(certificate: bytes("no certificate")) }
    #expect(throws: TLSSetupFault.self) {
      try TLSContext(TLSTrust(authorities: "/nowhere/ca.pem"))
    }
  }
}

/// A stream whose handshake's last bytes come between two tries of one turn, with others behind them
/// that the descriptor does not show any more.
private final class HoardingStream: ByteStream {
  let descriptor = cmartlet_eventfd_create()
  private var tries = 0
  private var held = bytes("came along")

  var hasBufferedInput: Bool { tries >= 3 && !held.isEmpty }
  func handshake() -> StreamResult {
    tries += 1
    if tries == 1 { _ = cmartlet_eventfd_signal(descriptor) }
    if tries == 2 { _ = cmartlet_eventfd_drain(descriptor) }
    return tries < 3 ? .wantsRead : .moved(1)
  }
  func read(into room: UnsafeMutableRawBufferPointer) -> StreamResult {
    guard !held.isEmpty else { return .wantsRead }
    // A few at a time.
    let count = min(3, held.count)
    room.copyBytes(from: held.prefix(count))
    held.removeFirst(count)
    return .moved(count)
  }
  func write(_ bytes: Span<UInt8>) -> StreamResult { .moved(bytes.count) }
  func endWriting() {}
  func close(resets: Bool) { Glibc.close(descriptor) }
}

@Suite struct BufferedInputTests {
  @Test func whatCameWithTheHandshakesEndIsReadThoughNoDescriptorShowsIt() throws {
    let loop = try EventLoop()
    let peer = try RawPeer(loop, stream: HoardingStream())
    loop.turn(until: { peer.text == "came along" })
    peer.close()
  }
}

/// A server of OpenSSL's own program that speaks TLS 1.2 and nothing newer.
final class OldServer {
  let port: UInt16
  private let process: pid_t

  init() throws {
    // The kernel chooses a port that is free; the program takes it a moment later.
    let loop = try EventLoop()
    let chosen = try HTTPServer(loop, delegate: Clerk())
    port = chosen.port
    chosen.stop()
    let folder = "/tmp/martlet-old-\(getpid())-\(port)"
    process = try Python.start(
      "/bin/sh",
      [
        "-c",
        """
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
          -subj /CN=localhost -addext subjectAltName=DNS:localhost \
          -keyout \(folder).key -out \(folder).pem 2>/dev/null
        exec openssl s_server -tls1_2 -quiet -accept 127.0.0.1:\(port) \
          -key \(folder).key -cert \(folder).pem >/dev/null 2>&1 </dev/null
        """,
      ])
    var peer: RawPeer?
    // It is there when it takes a connection.
    loop.turn(until: {
      if peer == nil || peer?.isOver == true { peer = try? RawPeer(loop, port: port) }
      return peer?.isConnected ?? false
    })
    unlink(folder + ".key")
    unlink(folder + ".pem")
    peer?.close()
  }

  func stop() {
    kill(process, SIGKILL)
    var status: CInt = 0
    waitpid(process, &status, 0)
  }
}
