import MartletBase
import Testing

@testable import MartletTransport

/// What a request decoder said.
enum Read: Equatable {
  case continueExpected
  case request(HTTPRequest, String)
  case fault(HTTPFault)
}

func read(_ pieces: [[UInt8]], limits: HTTPLimits = HTTPLimits()) -> [Read] {
  var decoder = HTTPRequestDecoder(limits: limits)
  var said: [Read] = []
  for piece in pieces {
    decoder.receive(piece.span)
    do {
      while let event = try decoder.next() {
        switch event {
        case .continueExpected: said.append(.continueExpected)
        case .request(let request): said.append(.request(request, String(decoder.body)))
        }
      }
    } catch {
      said.append(.fault(error))
    }
  }
  return said
}

func read(_ text: String, limits: HTTPLimits = HTTPLimits()) -> [Read] {
  read([bytes(text)], limits: limits)
}

@Suite struct HTTPRequestDecoderTests {
  static let host = HTTPHeader("Host", "x")

  /// Several requests on one connection: plain, with a sized body, chunked, and the last.
  static let stream =
    "GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Spaces: \t a b\t \r\n\r\n"
    + "POST /b HTTP/1.1\r\nHost:x\r\nContent-Length: 5\r\n\r\nhello"
    + "\r\nPOST /c HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
    + "5\r\nhello\r\n7;name=\"v\"\r\n, world\r\n0\r\nX-Trailer: t\r\n\r\n"
    + "GET /d HTTP/1.1\r\nHost: x\r\nConnection: Foo, CLOSE\r\n\r\n"

  static let expected: [Read] = [
    .request(
      HTTPRequest(
        method: "GET", target: "/a?b=c",
        headers: [host, HTTPHeader("X-Empty", ""), HTTPHeader("X-Spaces", "a b")]), ""),
    .request(
      HTTPRequest(
        method: "POST", target: "/b", headers: [host, HTTPHeader("Content-Length", "5")]), "hello"),
    .request(
      HTTPRequest(
        method: "POST", target: "/c",
        headers: [HTTPHeader("host", "x"), HTTPHeader("Transfer-Encoding", "Chunked")]),
      "hello, world"),
    .request(
      HTTPRequest(
        method: "GET", target: "/d", headers: [host, HTTPHeader("Connection", "Foo, CLOSE")],
        keepsAlive: false), ""),
  ]

  @Test func requestsInARowAreReadWhereverTheBytesAreCut() {
    let all = bytes(Self.stream)
    #expect(read([all]) == Self.expected)
    for cut in 1..<all.count {
      #expect(read([Array(all[..<cut]), Array(all[cut...])]) == Self.expected, "cut at \(cut)")
    }
    #expect(read(all.map { [$0] }) == Self.expected)
  }

  @Test func targetsComeApart() {
    let request = HTTPRequest(method: "GET", target: "/api/v4?a=b?c&d=%20", headers: [])
    #expect(request.path == "/api/v4" && request.query == "a=b?c&d=%20")
    let bare = HTTPRequest(method: "GET", target: "/", headers: [])
    #expect(bare.path == "/" && bare.query == "")
  }

  @Test func anOlderVersionClosesUnlessItAsksNotTo() {
    func keeps(_ head: String) -> Bool? {
      guard case .request(let request, _)? = read(head).first else { return nil }
      return request.keepsAlive
    }
    #expect(keeps("GET / HTTP/1.0\r\n\r\n") == false)
    #expect(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") == true)
    #expect(keeps("GET / HTTP/1.1\r\nHost: x\r\n\r\n") == true)
    #expect(keeps("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n") == true)
  }

  @Test func leaveToSendABodyIsGivenOnceAndOnlyWhenItIsAwaited() {
    let head = bytes(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
    #expect(read([head]) == [.continueExpected])
    let late = read([head, bytes("h"), bytes("i")])
    #expect(late.first == .continueExpected && late.count == 2)
    // The body came along: nobody waits.
    let together = read([head + bytes("hi")])
    guard case .request(_, "hi")? = together.first else {
      Issue.record("\(together)")
      return
    }
    #expect(together.count == 1)
    let chunked = bytes(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
    let said = read([chunked, bytes("1\r\na\r\n"), bytes("0\r\n\r\n")])
    #expect(said.first == .continueExpected && said.count == 2)
    // Too large a body is refused instead of invited.
    let large = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
    #expect(read(large, limits: HTTPLimits(body: 10)) == [.fault(.bodyTooLarge(limit: 10))])
  }

  static let refused: [(String, HTTPFault)] = [
    ("GET / HTTP/1.1\nHost: x\n\n", .bareLineEnd),
    ("GET / HTTP/1.1\r\nHost: x\n\r\n", .bareLineEnd),
    ("GET / HTTP/1.1\rHost: x\r\n\r\n", .bareLineEnd),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", .bareLineEnd),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GET /\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    (" GET / HTTP/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GET / FTP/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", .unsupportedVersion),
    ("GET /  HTTP/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", .unsupportedVersion),
    ("GET / HTTP/1.2\r\nHost: x\r\n\r\n", .unsupportedVersion),
    ("GET / http/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GE(T / HTTP/1.1\r\nHost: x\r\n\r\n", .malformedStartLine),
    ("GET a HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET /\u{7F} HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET /a\0 HTTP/1.1\r\nHost: x\r\n\r\n", .malformedTarget),
    ("GET / HTTP/1.1\r\n\r\n", .missingHost),
    ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", .repeatedField("Host")),
    ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", .malformedField(index: 0)),
    ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", .malformedField(index: 1)),
    ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", .malformedField(index: 0)),
    ("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", .malformedField(index: 1)),
    ("GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", .malformedField(index: 1)),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", .malformedField(index: 1)),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: b\u{1}c\r\n\r\n", .malformedField(index: 1)),
    ("GET / HTTP/1.1\r\nHost: x\r\nÄ: b\r\n\r\n", .malformedField(index: 1)),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
      .repeatedField("Content-Length")
    ),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\na",
      .repeatedField("Content-Length")
    ),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na", .malformedContentLength),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", .malformedContentLength),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      .bodyTooLarge(limit: 1_048_576)
    ),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
      .bodyTooLarge(limit: 1_048_576)
    ),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
      .conflictingLengths
    ),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      .unsupportedTransferEncoding
    ),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
      .unsupportedTransferEncoding
    ),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .unsupportedTransferEncoding),
    (
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      .repeatedField("Transfer-Encoding")
    ),
    ("POST / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", .unsupportedExpectation),
    (chunked("x\r\n"), .malformedChunk),
    (chunked("\r\n"), .malformedChunk),
    (chunked("1\na\r\n"), .malformedChunk),
    (chunked(" 1\r\na\r\n"), .malformedChunk),
    (chunked("1 \r\na\r\n"), .malformedChunk),
    (chunked("0x1\r\na\r\n"), .malformedChunk),
    (chunked("-1\r\na\r\n"), .malformedChunk),
    (chunked("1\r\nab\r\n"), .malformedChunk),
    (chunked("1\r\na\n0\r\n\r\n"), .malformedChunk),
    (chunked("1;a\u{1}\r\na\r\n"), .malformedChunk),
    (chunked("1;" + String(repeating: "e", count: 300)), .malformedChunk),
    (chunked("1;" + String(repeating: "e", count: 300) + "\r\n"), .malformedChunk),
    (chunked("FFFFFFFFFFFFFFFF\r\n"), .malformedChunk),
    (chunked("FFFFFFFFFFFFFFF\r\n"), .bodyTooLarge(limit: 1_048_576)),
    (chunked("100001\r\n"), .bodyTooLarge(limit: 1_048_576)),
    (chunked("0\r\nbad trailer\r\n\r\n"), .malformedField(index: 0)),
    (chunked("0\r\nA: b\n\r\n"), .bareLineEnd),
  ]

  static func chunked(_ body: String) -> String {
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body
  }

  @Test(arguments: refused)
  func whatIsMalformedIsRefusedOnce(text: String, fault: HTTPFault) {
    #expect(read(text) == [.fault(fault)])
    #expect(read(bytes(text).map { [$0] }) == [.fault(fault)])
    // What follows cannot be smuggled in as a request of its own.
    #expect(read(text + "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n") == [.fault(fault)])
    #expect(fault.status >= 400 && fault.status <= 505)
  }

  @Test func everythingIsBounded() {
    let limits = HTTPLimits(startLine: 64, head: 256, fields: 3, body: 8)
    let long = String(repeating: "a", count: 300)
    let cases: [(String, HTTPFault, Int)] = [
      ("GET /\(long) HTTP/1.1\r\nHost: x\r\n\r\n", .targetTooLong(limit: 64), 414),
      ("GET /\(long)", .targetTooLong(limit: 64), 414),
      ("GET / HTTP/1.1\r\nHost: \(long)\r\n\r\n", .headTooLarge(limit: 256), 431),
      ("GET / HTTP/1.1\r\nHost: \(long)", .headTooLarge(limit: 256), 431),
      (
        "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", .tooManyFields(limit: 3), 431
      ),
      ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", .bodyTooLarge(limit: 8), 413),
      (Self.chunked("5\r\nhello\r\n4\r\n"), .bodyTooLarge(limit: 8), 413),
      (Self.chunked("0\r\nA: \(long)"), .headTooLarge(limit: 256), 431),
      (Self.chunked("0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"), .tooManyFields(limit: 3), 431),
    ]
    for (text, fault, status) in cases {
      #expect(read(text, limits: limits) == [.fault(fault)], "\(text.prefix(40))")
      #expect(fault.status == status)
    }
    #expect(
      read("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n12345678", limits: limits).count
        == 1)
  }

  /// However a good stream is damaged and cut, the answer is requests or one typed fault.
  @Test func garbageIsSurvived() {
    for seed in UInt64(1)...3_000 {
      var random = SeededRandom(seed: seed)
      var all = bytes(Self.stream)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<all.count, using: &random)
        switch UInt64.random(in: 0..<3, using: &random) {
        case 0: all[index] = UInt8.random(in: 0...255, using: &random)
        case 1: all.remove(at: index)
        default: all.insert(UInt8.random(in: 0...255, using: &random), at: index)
        }
      }
      let whole = read([all])
      let cut = read(pieces(of: all, random: &random))
      #expect(whole == cut, "seed \(seed): the cutting changed what was read")
      let faults = whole.filter { if case .fault = $0 { true } else { false } }
      #expect(faults.count <= 1, "seed \(seed)")
    }
  }

  @Test func whatFollowsTheLastRequestIsHandedOver() throws {
    var decoder = HTTPRequestDecoder()
    decoder.receive(bytes("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n\u{1}\u{2}").span)
    // Out of the decoder first: what cannot be copied cannot pass through `#expect`.
    let before = decoder.isMidRequest
    _ = try decoder.next()
    let after = decoder.isMidRequest
    let unread = [UInt8](copying: decoder.unread)
    #expect(before && !after && unread == [1, 2])
  }
}

@Suite struct HTTPResponseTests {
  func written(
    _ response: HTTPResponse, body: String = "", isBodyOmitted: Bool = false, closes: Bool = false
  ) throws(HTTPFault) -> String {
    var output = ByteBuffer()
    try response.append(
      body: bytes(body).span, isBodyOmitted: isBodyOmitted, closes: closes, into: &output)
    return String(output.span)
  }

  @Test func repliesAreWritten() throws {
    let response = HTTPResponse(headers: [HTTPHeader("Retry-After", "1")])
    #expect(
      try written(response, body: "{}")
        == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        + "Content-Length: 2\r\n\r\n{}")
    #expect(
      try written(HTTPResponse(status: 404, contentType: ""), closes: true)
        == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    #expect(
      try written(HTTPResponse(status: 200, contentType: ""), body: "long", isBodyOmitted: true)
        == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    #expect(
      try written(HTTPResponse(status: 204, contentType: ""), body: "none")
        == "HTTP/1.1 204 No Content\r\n\r\n")
  }

  @Test func aFieldCannotBecomeAnother() {
    let unsafe = [
      HTTPHeader("X", "a\r\nSet-Cookie: b"), HTTPHeader("X", "a\nb"), HTTPHeader("X", "a\0"),
      HTTPHeader("X Y", "a"), HTTPHeader("X:", "a"), HTTPHeader("", "a"),
      HTTPHeader("content-length", "5"), HTTPHeader("Transfer-Encoding", "chunked"),
      HTTPHeader("Connection", "close"),
    ]
    for header in unsafe {
      #expect(throws: HTTPFault.malformedField(index: 1)) {
        try written(HTTPResponse(headers: [HTTPHeader("A", "b"), header]))
      }
    }
    #expect(throws: HTTPFault.malformedField(index: 0)) {
      try written(HTTPResponse(contentType: "text/html\r\nX: y"))
    }
  }
}
