public import MartletBase

/// Why an HTTP connection did not become a WebSocket.
public enum WebSocketHandshakeFault: Error, Equatable, Sendable {
  /// The other side's message is no HTTP that we accept.
  case http(HTTPFault)
  /// A client must ask with GET in HTTP/1.1 and without a body.
  case notAnUpgrade
  /// `Upgrade: websocket` or `Connection: Upgrade` is missing.
  case missingToken(field: String)
  /// A field that must stand exactly once does not.
  case notOnce(field: String)
  /// The client's protocol version is not 13.
  case unsupportedVersion
  /// The client's key is not the base64 of 16 bytes.
  case malformedKey
  /// The server answered with another status than 101.
  case refused(status: Int)
  /// The server's accept value does not answer our key.
  case wrongAccept
  /// The server chose an extension or a subprotocol that we did not offer.
  case unrequested(field: String)

  /// The status a server answers with.
  public var status: Int {
    switch self {
    case .http(let fault): fault.status
    case .unsupportedVersion: 426
    case .notAnUpgrade, .missingToken, .notOnce, .malformedKey, .refused, .wrongAccept,
      .unrequested:
      400
    }
  }
}

extension WebSocketHandshakeFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .http(let fault): fault.description
    case .notAnUpgrade: "a WebSocket begins with a GET in HTTP/1.1 without a body"
    case .missingToken(let field): "\(field) does not name the upgrade to websocket"
    case .notOnce(let field): "\(field) must stand exactly once"
    case .unsupportedVersion: "Sec-WebSocket-Version is not 13"
    case .malformedKey: "Sec-WebSocket-Key is not the base64 of 16 bytes"
    case .refused(let status): "the server answered \(status), expected 101"
    case .wrongAccept: "Sec-WebSocket-Accept does not answer our key"
    case .unrequested(let field): "the server chose a \(field) that was not offered"
    }
  }
}

/// What both sides of the opening handshake compute.
///
/// - Source: RFC 6455, section 4.
public enum WebSocketHandshake {
  /// The proof that a server has read `key`.
  static func accept(for key: String) -> String {
    Base64.encode(SHA1.digest(of: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
  }

  /// Whether a request asks for a WebSocket, well or badly.
  public static func isRequested(by request: HTTPRequest) -> Bool {
    request.headers.has("websocket", in: "Upgrade")
  }

  /// Appends the server's consent to `request`.
  ///
  /// - Parameter hasBody: whether the request came with a body.
  /// - Throws: what the client did wrong; nothing is written.
  public static func accept(
    _ request: HTTPRequest, hasBody: Bool, into output: inout ByteBuffer
  ) throws(WebSocketHandshakeFault) {
    guard request.method == "GET", request.minorVersion == 1, !hasBody else {
      throw .notAnUpgrade
    }
    let headers = request.headers
    guard headers.has("websocket", in: "Upgrade") else { throw .missingToken(field: "Upgrade") }
    guard headers.has("upgrade", in: "Connection") else {
      throw .missingToken(field: "Connection")
    }
    for field in ["Sec-WebSocket-Version", "Sec-WebSocket-Key"] {
      guard headers.count(of: field) == 1 else { throw .notOnce(field: field) }
    }
    guard headers.value(of: "Sec-WebSocket-Version") == "13" else { throw .unsupportedVersion }
    guard let key = headers.value(of: "Sec-WebSocket-Key"), Base64.isCanonical(key, ofBytes: 16)
    else { throw .malformedKey }
    output.append(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    HTTPResponse.append("Sec-WebSocket-Accept", accept(for: key), into: &output)
    output.append("\r\n")
  }
}

/// The client's side of the opening handshake: a request out, a reply in, cut anywhere.
public struct WebSocketClientHandshake: ~Copyable {
  private static let headLimit = 16_384
  private static let fieldLimit = 100

  private let key: String
  private var input = ReceiveBuffer(capacity: 4096)
  private var scanner = HTTPHeadScanner(headLimit: headLimit)
  private var consumed = 0

  /// - Parameter nonce: 16 random bytes, new for each connection.
  public init(nonce: [UInt8]) {
    precondition(nonce.count == 16, "a nonce of \(nonce.count) bytes, expected 16")
    key = Base64.encode(nonce)
  }

  /// Appends the request.
  ///
  /// - Parameters:
  ///   - authority: host, and port unless it is the scheme's own.
  ///   - target: path and query, from `/` on.
  ///   - headers: further fields, such as a user agent.
  /// - Throws: `http` when a part could be read as something else; nothing is written.
  public func appendRequest(
    authority: String, target: String, headers: [HTTPHeader], into output: inout ByteBuffer
  ) throws(WebSocketHandshakeFault) {
    guard target.utf8.first == UInt8(ascii: "/"),
      target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
    else { throw .http(.malformedTarget) }
    guard !authority.isEmpty, authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .http(.missingHost)
    }
    for (index, header) in headers.enumerated() {
      guard HTTPText.isSafe(header) else { throw .http(.malformedField(index: index)) }
    }
    output.append("GET ")
    output.append(text: target)
    output.append(" HTTP/1.1\r\n")
    HTTPResponse.append("Host", authority, into: &output)
    output.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
    HTTPResponse.append("Sec-WebSocket-Key", key, into: &output)
    for header in headers { HTTPResponse.append(header.name, header.value, into: &output) }
    output.append("\r\n")
  }

  /// Takes received bytes.
  public mutating func receive(_ bytes: Span<UInt8>) { input.append(bytes) }

  /// Lends room for a read straight from the socket; `body` returns how many bytes it wrote.
  mutating func fill(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    // The lent pointer is good for the call, which is all that `body` gets.
    unsafe input.fill(room: room, body)
  }

  /// The bytes after the server's consent: its first frames.
  public var unread: Span<UInt8> {
    @_lifetime(borrow self)
    get { input.span(from: consumed, count: input.count - consumed) }
  }

  /// Lends the bytes after the server's consent for a call, where the handshake stands in a class.
  func withUnread<Result>(_ body: (Span<UInt8>) -> Result) -> Result { body(unread) }

  /// Reads the reply.
  ///
  /// - Returns: whether the server has consented; false while more bytes are needed.
  /// - Throws: what the server did wrong, or that it refused.
  public mutating func isAccepted() throws(WebSocketHandshakeFault) -> Bool {
    guard let reply = try wholeReply() else { return false }
    guard reply.status == 101 else { throw .refused(status: reply.status) }
    let headers = reply.headers
    guard headers.has("websocket", in: "Upgrade") else { throw .missingToken(field: "Upgrade") }
    guard headers.has("upgrade", in: "Connection") else {
      throw .missingToken(field: "Connection")
    }
    guard headers.count(of: "Sec-WebSocket-Accept") == 1 else {
      throw .notOnce(field: "Sec-WebSocket-Accept")
    }
    guard headers.value(of: "Sec-WebSocket-Accept") == WebSocketHandshake.accept(for: key) else {
      throw .wrongAccept
    }
    for field in ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"] {
      guard headers.count(of: field) == 0 else { throw .unrequested(field: field) }
    }
    return true
  }

  private mutating func wholeReply() throws(WebSocketHandshakeFault) -> (
    status: Int, headers: [HTTPHeader]
  )? {
    do throws(HTTPFault) {
      guard let count = try scanner.end(in: input) else { return nil }
      let head = try HTTPHead(input.span(from: 0, count: count), maxFields: Self.fieldLimit)
      consumed = count
      return (try Self.status(input.span(from: 0, count: head.startLineCount)), head.headers)
    } catch {
      throw .http(error)
    }
  }

  /// The status of `HTTP/1.1 101 Any Text`.
  private static func status(_ line: Span<UInt8>) throws(HTTPFault) -> Int {
    guard line.count >= 12 else { throw .malformedStartLine }
    guard String(line.extracting(0..<9)) == "HTTP/1.1 " else { throw .unsupportedVersion }
    var status = 0
    for index in 9..<12 {
      guard HTTPText.isDigit(line[index]) else { throw .malformedStartLine }
      status = status * 10 + Int(line[index] - 48)
    }
    guard line.count == 12 || line[12] == 0x20 else { throw .malformedStartLine }
    return status
  }
}
