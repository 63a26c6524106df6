import MartletBase
import Testing

@testable import MartletTransport

@Suite struct WebSocketHandshakeTests {
  @Test func digestsMatchTheStandard() {
    func hex(_ text: String) -> String {
      SHA1.digest(of: bytes(text)).map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
      }.joined()
    }
    // FIPS 180-4 examples.
    #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    #expect(
      hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    // RFC 6455, 1.3.
    #expect(
      WebSocketHandshake.accept(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test func base64MatchesTheStandard() {
    let vectors = [
      "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=",
      "foobar": "Zm9vYmFy",
    ]
    for (plain, coded) in vectors.sorted(by: { $0.key < $1.key }) {
      #expect(Base64.encode(bytes(plain)) == coded)
      #expect(Base64.isCanonical(coded, ofBytes: plain.utf8.count))
    }
    for wrong in ["Zh==", "Zg=", "Zg", "Zg=A", "====", "Z===", "Zg==Zg==", "Zé=="] {
      #expect(!Base64.isCanonical(wrong, ofBytes: 1), "\(wrong)")
    }
    #expect(!Base64.isCanonical("Zm9=", ofBytes: 2))
  }

  static let key = "dGhlIHNhbXBsZSBub25jZQ=="

  static func request(
    method: String = "GET", version: Int = 1, changing field: String = "", to values: [String] = []
  ) -> HTTPRequest {
    var headers = [
      HTTPHeader("Host", "localhost"), HTTPHeader("Upgrade", "websocket"),
      HTTPHeader("Connection", "keep-alive, Upgrade"), HTTPHeader("Sec-WebSocket-Key", key),
      HTTPHeader("Sec-WebSocket-Version", "13"),
    ]
    if !field.isEmpty {
      headers.removeAll { $0.name == field }
      headers += values.map { HTTPHeader(field, $0) }
    }
    return HTTPRequest(method: method, target: "/ws", headers: headers, minorVersion: version)
  }

  static func answer(_ request: HTTPRequest, hasBody: Bool = false) -> Result<
    String, WebSocketHandshakeFault
  > {
    var output = ByteBuffer()
    do throws(WebSocketHandshakeFault) {
      try WebSocketHandshake.accept(request, hasBody: hasBody, into: &output)
      return .success(String(output.span))
    } catch {
      #expect(output.count == 0)
      return .failure(error)
    }
  }

  @Test func aServerAcceptsWhatTheStandardAsks() {
    let expected =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    #expect(Self.answer(Self.request()) == .success(expected))
  }

  @Test func aServerRefusesEverythingElse() {
    typealias Case = (HTTPRequest, WebSocketHandshakeFault)
    let cases: [Case] = [
      (Self.request(method: "POST"), .notAnUpgrade),
      (Self.request(version: 0), .notAnUpgrade),
      (Self.request(changing: "Upgrade"), .missingToken(field: "Upgrade")),
      (Self.request(changing: "Upgrade", to: ["h2c"]), .missingToken(field: "Upgrade")),
      (
        Self.request(changing: "Connection", to: ["keep-alive"]),
        .missingToken(field: "Connection")
      ),
      (Self.request(changing: "Sec-WebSocket-Key"), .notOnce(field: "Sec-WebSocket-Key")),
      (
        Self.request(changing: "Sec-WebSocket-Key", to: [Self.key, Self.key]),
        .notOnce(field: "Sec-WebSocket-Key")
      ),
      (Self.request(changing: "Sec-WebSocket-Key", to: ["c2hvcnQ="]), .malformedKey),
      (Self.request(changing: "Sec-WebSocket-Key", to: [""]), .malformedKey),
      (Self.request(changing: "Sec-WebSocket-Version"), .notOnce(field: "Sec-WebSocket-Version")),
      (Self.request(changing: "Sec-WebSocket-Version", to: ["8"]), .unsupportedVersion),
    ]
    for (request, fault) in cases { #expect(Self.answer(request) == .failure(fault)) }
    #expect(Self.answer(Self.request(), hasBody: true) == .failure(.notAnUpgrade))
    #expect(WebSocketHandshakeFault.unsupportedVersion.status == 426)
  }

  static func reply(
    status: String = "HTTP/1.1 101 Switching Protocols", dropping: String = "",
    adding: String = ""
  ) -> [UInt8] {
    let lines = [
      status, "Upgrade: WebSocket", "connection: upgrade",
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ].filter { dropping.isEmpty || !$0.hasPrefix(dropping) }
    return bytes(lines.joined(separator: "\r\n") + "\r\n" + adding + "\r\n")
  }

  /// What a client makes of a reply; nil while it waits for more.
  static func judge(_ pieces: [[UInt8]]) -> Result<Bool, WebSocketHandshakeFault> {
    // The nonce of RFC 6455, 1.3: "the sample nonce".
    var handshake = WebSocketClientHandshake(nonce: bytes("the sample nonce"))
    do throws(WebSocketHandshakeFault) {
      for piece in pieces {
        handshake.receive(piece.span)
        if try handshake.isAccepted() { return .success(true) }
      }
      return .success(false)
    } catch {
      return .failure(error)
    }
  }

  @Test func aClientAcceptsAGoodReplyWhereverItIsCut() {
    let reply = Self.reply()
    #expect(Self.judge([reply]) == .success(true))
    for cut in 1..<reply.count {
      #expect(Self.judge([Array(reply[..<cut])]) == .success(false), "cut at \(cut)")
      #expect(Self.judge([Array(reply[..<cut]), Array(reply[cut...])]) == .success(true))
    }
  }

  @Test func aClientRefusesEverythingElse() {
    let cases: [([UInt8], WebSocketHandshakeFault)] = [
      (Self.reply(status: "HTTP/1.1 403 Forbidden"), .refused(status: 403)),
      (Self.reply(status: "HTTP/1.1 503"), .refused(status: 503)),
      (Self.reply(status: "HTTP/1.0 101 Switching"), .http(.unsupportedVersion)),
      (Self.reply(status: "HTTP/1.1 1x1 Switching"), .http(.malformedStartLine)),
      (Self.reply(status: "HTTP/1.1 1011 Switching"), .http(.malformedStartLine)),
      (Self.reply(dropping: "Upgrade"), .missingToken(field: "Upgrade")),
      (Self.reply(dropping: "connection"), .missingToken(field: "Connection")),
      (Self.reply(dropping: "Sec-"), .notOnce(field: "Sec-WebSocket-Accept")),
      (
        Self.reply(dropping: "Sec-", adding: "Sec-WebSocket-Accept: AAAA\r\n"), .wrongAccept
      ),
      (
        Self.reply(adding: "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        .unrequested(field: "Sec-WebSocket-Extensions")
      ),
      (
        Self.reply(adding: "Sec-WebSocket-Protocol: chat\r\n"),
        .unrequested(field: "Sec-WebSocket-Protocol")
      ),
      (Self.reply(adding: "Bad Header: x\r\n"), .http(.malformedField(index: 3))),
      (bytes("<html>\n"), .http(.bareLineEnd)),
      ([UInt8](repeating: 0x61, count: 17_000), .http(.headTooLarge(limit: 16_384))),
    ]
    for (reply, fault) in cases {
      #expect(Self.judge([reply]) == .failure(fault), "\(fault)")
    }
  }

  @Test func aClientsRequestIsAcceptedByAServer() throws {
    let handshake = WebSocketClientHandshake(nonce: bytes("the sample nonce"))
    var output = ByteBuffer()
    try handshake.appendRequest(
      authority: "127.0.0.1:8080", target: "/ws?x=1",
      headers: [HTTPHeader("User-Agent", "martlet")],
      into: &output)
    var decoder = HTTPRequestDecoder()
    decoder.receive(output.span)
    guard case .request(let request) = try decoder.next() else {
      Issue.record("no request was read")
      return
    }
    #expect(request.target == "/ws?x=1" && request.header("host") == "127.0.0.1:8080")
    #expect(request.header("user-agent") == "martlet")
    #expect(WebSocketHandshake.isRequested(by: request))
    #expect(throws: Never.self) {
      try WebSocketHandshake.accept(request, hasBody: false, into: &output)
    }
  }

  @Test func aClientNeverWritesWhatCouldBeReadOtherwise() {
    let handshake = WebSocketClientHandshake(nonce: bytes("the sample nonce"))
    var output = ByteBuffer()
    let cases: [(String, String, [HTTPHeader], HTTPFault)] = [
      ("host", "ws", [], .malformedTarget),
      ("host", "/a b", [], .malformedTarget),
      ("host", "/a\r\nX: y", [], .malformedTarget),
      ("host", "/a#b", [], .malformedTarget),
      ("", "/a", [], .missingHost),
      ("host\r\nX: y", "/a", [], .missingHost),
      ("host", "/a", [HTTPHeader("X", "a\r\nY: b")], .malformedField(index: 0)),
      ("host", "/a", [HTTPHeader("X Y", "a")], .malformedField(index: 0)),
    ]
    for (authority, target, headers, fault) in cases {
      #expect(throws: WebSocketHandshakeFault.http(fault)) {
        try handshake.appendRequest(
          authority: authority, target: target, headers: headers, into: &output)
      }
      #expect(output.count == 0)
    }
  }
}
