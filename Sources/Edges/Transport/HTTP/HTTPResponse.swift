public import MartletBase

/// A reply's head; its body comes beside.
///
/// No `Date` is sent: the simulated exchange runs on a clock of its own, and two would contradict.
public struct HTTPResponse: Equatable, Sendable {
  /// 200 to 599.
  public var status: Int
  /// Left out when empty.
  public var contentType: String
  /// Further fields; the ones that frame the message are not the caller's to set.
  public var headers: [HTTPHeader]

  public init(
    status: Int = 200, contentType: String = "application/json", headers: [HTTPHeader] = []
  ) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
  }

  /// Appends the whole reply.
  ///
  /// - Parameters:
  ///   - isBodyOmitted: the request was a HEAD: the length is told, the body is not sent.
  ///   - closes: tells the client that the connection ends after this reply.
  /// - Throws: `malformedField` (nothing is written) when a field could be read as another one, or
  ///   frames the message; its index counts `headers`, and the content type after them.
  public func append(
    body: Span<UInt8>, isBodyOmitted: Bool = false, closes: Bool, into output: inout ByteBuffer
  ) throws(HTTPFault) {
    precondition((200...599).contains(status), "status \(status)")
    for (index, header) in headers.enumerated() {
      let frames = Self.framing.contains { HTTPText.isEqual($0, header.name) }
      guard !frames, HTTPText.isSafe(header) else { throw .malformedField(index: index) }
    }
    guard contentType.utf8.allSatisfy(HTTPText.isFieldValue) else {
      throw .malformedField(index: headers.count)
    }
    output.append("HTTP/1.1 ")
    output.append(decimal: status)
    output.append(" ")
    output.append(text: Self.reason(of: status))
    output.append("\r\n")
    if !contentType.isEmpty { Self.append("Content-Type", contentType, into: &output) }
    for header in headers { Self.append(header.name, header.value, into: &output) }
    // These two have no body by definition, and a length would promise one.
    let isBodyless = status == 204 || status == 304
    if !isBodyless {
      output.append("Content-Length: ")
      output.append(decimal: body.count)
      output.append("\r\n")
    }
    if closes { output.append("Connection: close\r\n") }
    output.append("\r\n")
    if !isBodyless && !isBodyOmitted { output.append(body) }
  }

  private static let framing = ["Content-Length", "Transfer-Encoding", "Connection", "Upgrade"]

  static func append(_ name: String, _ value: String, into output: inout ByteBuffer) {
    output.append(text: name)
    output.append(": ")
    output.append(text: value)
    output.append("\r\n")
  }

  static func reason(of status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 426: "Upgrade Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: "Status"
    }
  }
}
