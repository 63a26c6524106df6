public import MartletBase

/// The venue's half of a wire: what a client sends comes in, what the venue answers goes out.
///
/// Like a session a desk does no I/O; the exchange server or a simulation carries the bytes.
public protocol VenueDesk: ~Copyable {
  /// One HTTP request of a client.
  ///
  /// - Parameters:
  ///   - request: method, target and headers; the body comes beside.
  ///   - now: the exchange's clock.
  ///   - output: receives the reply, and pushes to any client's streams that it causes.
  mutating func receive(
    _ request: DeskRequest, body: Span<UInt8>, at now: Timestamp, output: inout DeskOutput)

  /// A client opened a stream, numbered by the caller, never reused.
  mutating func opened(_ connection: UInt64, at now: Timestamp, output: inout DeskOutput)

  /// A client's text message.
  mutating func receive(
    frame: Span<UInt8>, from connection: UInt64, at now: Timestamp, output: inout DeskOutput)

  /// A client's stream is gone.
  mutating func closed(_ connection: UInt64, at now: Timestamp)

  /// Lets time pass: outside market, pushes, timers. Call at `nextDeadline` or before.
  mutating func advance(to now: Timestamp, output: inout DeskOutput)

  /// When `advance` next has something to do.
  var nextDeadline: Timestamp { get }
}

/// An HTTP request as a desk sees it. Header names compare without regard to case.
public struct DeskRequest: Sendable {
  public var id: UInt64
  public var method: String
  /// Path without the query.
  public var path: String
  /// What follows `?`, still percent-encoded; empty when there is none.
  public var query: String
  public var headers: [(name: String, value: String)]
  public init(
    id: UInt64, method: String, path: String, query: String,
    headers: [(name: String, value: String)]
  ) {
    self.id = id
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
  }

  public func header(_ name: String) -> String? {
    let wanted = name.lowercased()
    return headers.first { $0.name.lowercased() == wanted }?.value
  }
}

/// What a desk wants sent.
public struct DeskOutput: Sendable {
  public struct Reply: Equatable, Sendable {
    public var request: UInt64
    public var status: Int
    public var contentType: String
    public var body: [UInt8]
    public init(
      request: UInt64, status: Int, contentType: String = "application/json", body: [UInt8]
    ) {
      self.request = request
      self.status = status
      self.contentType = contentType
      self.body = body
    }
  }

  public enum Item: Equatable, Sendable {
    case reply(Reply)
    /// A text message to one client's stream.
    case frame(connection: UInt64, [UInt8])
    /// Drop the stream; with a close frame when `code` is given, without one otherwise.
    case close(connection: UInt64, code: UInt16?)
  }

  public var items: [Item] = []
  public init() {}
}

/// How a desk checks a signature without knowing the algorithm's library: the caller supplies it.
///
/// - Returns: HMAC-SHA512 of `message` under `secret`, 64 bytes.
public typealias KeyedHash = @Sendable (_ secret: [UInt8], _ message: [UInt8]) -> [UInt8]
