internal import MartletBase

/// How much of a client's request is held before it is refused.
public struct HTTPLimits: Equatable, Sendable, BitwiseCopyable {
  /// - Unit: bytes of the request line.
  public var startLine: Int
  /// - Unit: bytes of request line and fields together, and of a chunked body's trailer.
  public var head: Int
  public var fields: Int
  /// - Unit: bytes of the body, without its chunks' framing.
  public var body: Int

  public init(
    startLine: Int = 8_192, head: Int = 16_384, fields: Int = 100, body: Int = 1_048_576
  ) {
    self.startLine = startLine
    self.head = head
    self.fields = fields
    self.body = body
  }
}

/// What came in.
public enum HTTPRequestEvent: Equatable, Sendable {
  /// The client waits for leave to send its body.
  case continueExpected
  /// A whole request; its body is in the decoder's `body` until the next change.
  case request(HTTPRequest)
}

/// Turns received bytes, cut anywhere, into requests, one at a time; the server's side of HTTP/1.1.
///
/// Strict and bounded: a body with a length is lent out where it lies, a chunked one is joined in a
/// second buffer, and neither outgrows the limits by more than the caller hands in at once.
///
/// - Source: RFC 9112. Absolute-form targets, which only proxies are sent, are refused.
public struct HTTPRequestDecoder: ~Copyable {
  private enum Phase {
    case head
    /// `offered`: leave to send the body was asked for, and that was told.
    case sizedBody(Int, offered: Bool)
    case chunkSize(offered: Bool)
    case chunkData(Int)
    case chunkEnd
    case trailer
    case delivered
    case failed
  }

  public let limits: HTTPLimits
  private var input: ReceiveBuffer
  private var scanner: HTTPHeadScanner
  private var joined = ByteBuffer(capacity: 16)
  private var pending: HTTPRequest?
  private var phase = Phase.head
  private var isChunked = false
  private var expectsContinue = false
  /// Whether an empty line before the next request was skipped already.
  private var hasForgiven = false
  /// The last request's sized body, still in the buffer.
  private var spent = 0

  public init(limits: HTTPLimits = HTTPLimits()) {
    self.limits = limits
    input = ReceiveBuffer(capacity: 4096)
    scanner = HTTPHeadScanner(startLineLimit: limits.startLine, headLimit: limits.head)
  }

  /// The body of the last request, borrowed until the next change.
  public var body: Span<UInt8> {
    @_lifetime(borrow self)
    get { isChunked ? joined.span : input.span(from: 0, count: spent) }
  }

  /// Lends the last request's body for a call, where the decoder stands in a class.
  func withBody<Result>(_ use: (Span<UInt8>) -> Result) -> Result { use(body) }

  /// Lends the bytes after the last request for a call.
  func withUnread<Result>(_ use: (Span<UInt8>) -> Result) -> Result { use(unread) }

  /// Whether a request has begun to arrive and is not whole yet.
  public var isMidRequest: Bool {
    switch phase {
    case .head: input.count > 0
    case .delivered, .failed: false
    case .sizedBody, .chunkSize, .chunkData, .chunkEnd, .trailer: true
    }
  }

  /// Bytes received that no request has used.
  public var unreadCount: Int { input.count - spent }

  /// The bytes received after the last request: after an upgrade, the next protocol's first.
  public var unread: Span<UInt8> {
    @_lifetime(borrow self)
    get { input.span(from: spent, count: unreadCount) }
  }

  /// Takes received bytes.
  public mutating func receive(_ bytes: Span<UInt8>) { input.append(bytes) }

  /// Lends room for a read straight from the socket; `body` returns how many bytes it wrote.
  mutating func fill(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    // The lent pointer is good for the call, which is all that `body` gets.
    unsafe input.fill(room: room, body)
  }

  /// The next event, or nil when more bytes are needed.
  ///
  /// - Throws: what the client did wrong. Where the next request would begin is then unknown: answer
  ///   with the fault's status and close.
  public mutating func next() throws(HTTPFault) -> HTTPRequestEvent? {
    release()
    do throws(HTTPFault) {
      while true {
        switch phase {
        case .failed: return nil
        case .head: guard try readHead() else { return nil }
        case .sizedBody(let count, let offered):
          if input.count >= count {
            spent = count
            return deliver()
          }
          guard expectsContinue, !offered, input.count == 0 else { return nil }
          phase = .sizedBody(count, offered: true)
          return .continueExpected
        case .chunkSize(let offered):
          if expectsContinue, !offered, input.count == 0 {
            phase = .chunkSize(offered: true)
            return .continueExpected
          }
          guard try readChunkSize() else { return nil }
        case .chunkData(let count):
          let taken = min(count, input.count)
          input.copy(from: 0, count: taken, to: &joined)
          input.consume(taken)
          guard taken == count else {
            phase = .chunkData(count - taken)
            return nil
          }
          phase = .chunkEnd
        case .chunkEnd:
          guard input.count >= 2 else { return nil }
          guard input[0] == 0x0D, input[1] == 0x0A else { throw .malformedChunk }
          input.consume(2)
          phase = .chunkSize(offered: true)
        case .trailer:
          guard try readTrailer() else { return nil }
          return deliver()
        case .delivered: return nil
        }
      }
    } catch {
      phase = .failed
      throw error
    }
  }

  private mutating func release() {
    guard case .delivered = phase else { return }
    if spent > 0 { input.consume(spent) }
    spent = 0
    joined.removeAll()
    isChunked = false
    expectsContinue = false
    scanner = HTTPHeadScanner(startLineLimit: limits.startLine, headLimit: limits.head)
    phase = .head
  }

  private mutating func deliver() -> HTTPRequestEvent? {
    phase = .delivered
    defer { pending = nil }
    return pending.map { .request($0) }
  }

  // MARK: Head

  private mutating func readHead() throws(HTTPFault) -> Bool {
    // One empty line before a request is forgiven, as old clients send one after a body.
    if input.count >= 2, input[0] == 0x0D, input[1] == 0x0A, !hasForgiven {
      input.consume(2)
      hasForgiven = true
      scanner = HTTPHeadScanner(startLineLimit: limits.startLine, headLimit: limits.head)
    }
    guard let count = try scanner.end(in: input) else { return false }
    guard count > 2 else { throw .malformedStartLine }
    hasForgiven = false
    let head = try HTTPHead(input.span(from: 0, count: count), maxFields: limits.fields)
    let line = try RequestLine(input.span(from: 0, count: head.startLineCount))
    pending = try request(line, head.headers)
    try chooseBody(head.headers, isModern: line.isModern)
    input.consume(count)
    return true
  }

  private struct RequestLine {
    let method: String
    let target: String
    let isModern: Bool

    init(_ line: Span<UInt8>) throws(HTTPFault) {
      var index = 0
      while index < line.count, HTTPText.isToken(line[index]) { index += 1 }
      guard index > 0, index < line.count, line[index] == 0x20 else { throw .malformedStartLine }
      method = String(line.extracting(0..<index))
      let start = index + 1
      index = start
      while index < line.count, line[index] != 0x20 {
        guard line[index] > 0x20, line[index] < 0x7F, line[index] != UInt8(ascii: "#") else {
          throw .malformedTarget
        }
        index += 1
      }
      guard index > start, index < line.count else { throw .malformedStartLine }
      target = String(line.extracting(start..<index))
      let isAsterisk = target == "*" && method == "OPTIONS"
      guard line[start] == UInt8(ascii: "/") || isAsterisk else { throw .malformedTarget }
      switch String(line.extracting(index + 1..<line.count)) {
      case "HTTP/1.1": isModern = true
      case "HTTP/1.0": isModern = false
      case let other:
        throw other.utf8.starts(with: "HTTP/".utf8) ? .unsupportedVersion : .malformedStartLine
      }
    }
  }

  private func request(_ line: RequestLine, _ headers: [HTTPHeader]) throws(HTTPFault)
    -> HTTPRequest
  {
    switch headers.count(of: "Host") {
    case 0: if line.isModern { throw .missingHost }
    case 1: break
    default: throw .repeatedField("Host")
    }
    let keepsAlive =
      line.isModern
      ? !headers.has("close", in: "Connection") : headers.has("keep-alive", in: "Connection")
    return HTTPRequest(
      method: line.method, target: line.target, headers: headers,
      minorVersion: line.isModern ? 1 : 0, keepsAlive: keepsAlive)
  }

  private mutating func chooseBody(_ headers: [HTTPHeader], isModern: Bool) throws(HTTPFault) {
    for name in ["Content-Length", "Transfer-Encoding", "Expect"]
    where headers.count(of: name) > 1 { throw .repeatedField(name) }
    // An older client cannot wait for leave, so its expectation means nothing.
    if isModern, let expectation = headers.value(of: "Expect") {
      guard HTTPText.isEqual(expectation, "100-continue") else { throw .unsupportedExpectation }
      expectsContinue = true
    }
    let length = headers.value(of: "Content-Length")
    if let encoding = headers.value(of: "Transfer-Encoding") {
      guard length == nil else { throw .conflictingLengths }
      guard isModern, HTTPText.isEqual(encoding, "chunked") else {
        throw .unsupportedTransferEncoding
      }
      isChunked = true
      phase = .chunkSize(offered: false)
      return
    }
    var count = 0
    if let length {
      guard !length.isEmpty, length.utf8.allSatisfy(HTTPText.isDigit) else {
        throw .malformedContentLength
      }
      guard let number = Int(length), number <= limits.body else {
        throw .bodyTooLarge(limit: limits.body)
      }
      count = number
    }
    phase = .sizedBody(count, offered: false)
  }

  // MARK: Chunks

  /// Room for a chunk's size and its extensions, which mean nothing to us.
  private static let chunkLineLimit = 256

  private mutating func readChunkSize() throws(HTTPFault) -> Bool {
    var end = 0
    while end < input.count, input[end] != 0x0A { end += 1 }
    guard end <= Self.chunkLineLimit else { throw .malformedChunk }
    guard end < input.count else { return false }
    guard end > 0, input[end - 1] == 0x0D else { throw .malformedChunk }
    var size = 0
    var digits = 0
    while digits < end - 1, let digit = Self.hexadecimal(input[digits]) {
      guard digits < 15 else { throw .malformedChunk }
      size = size << 4 | digit
      digits += 1
    }
    guard digits > 0 else { throw .malformedChunk }
    // What follows the size may only be an extension.
    if digits < end - 1 {
      guard input[digits] == UInt8(ascii: ";") else { throw .malformedChunk }
      for index in digits..<end - 1 {
        guard HTTPText.isFieldValue(input[index]) else { throw .malformedChunk }
      }
    }
    guard size <= limits.body - joined.count else { throw .bodyTooLarge(limit: limits.body) }
    input.consume(end + 1)
    if size == 0 {
      phase = .trailer
      scanner = HTTPHeadScanner(headLimit: limits.head)
    } else {
      phase = .chunkData(size)
    }
    return true
  }

  private static func hexadecimal(_ byte: UInt8) -> Int? {
    switch byte {
    case 48...57: Int(byte) - 48
    case 65...70: Int(byte) - 55
    case 97...102: Int(byte) - 87
    default: nil
    }
  }

  /// Trailer fields are checked for shape and dropped: nothing here has a use for them.
  private mutating func readTrailer() throws(HTTPFault) -> Bool {
    guard let count = try scanner.end(in: input) else { return false }
    try HTTPHead.checkFields(input.span(from: 0, count: count), maxFields: limits.fields)
    input.consume(count)
    return true
  }
}
