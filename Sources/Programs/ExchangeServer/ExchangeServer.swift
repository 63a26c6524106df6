public import MartletBase
public import MartletTransport
public import MartletVenueKit

/// Sees what passes an exchange's sockets, when it passes; for measuring.
///
/// Called on the loop's thread.
public protocol WireObserver: AnyObject {
  /// A frame is handed over for a connection; it leaves at the end of the turn at the latest.
  func exchangeSends(_ frame: Span<UInt8>, to connection: UInt64)
  /// A whole request has come.
  ///
  /// - Parameter bytes: of its body.
  func exchangeReceives(_ request: HTTPRequest, bytes: Int)
}

/// Serves one venue's desk to any client over real sockets: REST and WebSocket on one port.
///
/// It adds nothing to what the desk says: bytes in, bytes out, and the desk's own clock moved on when
/// the desk asks for it. Everything runs on the loop's thread.
public final class ExchangeServer<Desk: VenueDesk & ~Copyable>: HTTPServerDelegate {
  private let loop: EventLoop
  private var desk: Desk
  private var server: HTTPServer?
  private var timer: LoopTimer?
  private var output = DeskOutput()
  /// What the desk's clock showed when the loop's clock showed `startedAt`.
  private let origin: Timestamp
  private let startedAt: LoopTime
  private let path: String
  /// Held weakly.
  public weak var observer: (any WireObserver)?

  /// - Parameters:
  ///   - address: numeric; port 0 lets the system choose.
  ///   - tls: who the exchange is; nil serves without encryption.
  ///   - path: where WebSockets are accepted, such as `/ws`.
  ///   - origin: what the exchange's clock shows now.
  /// - Throws: `SystemFault` when the address cannot be listened on.
  public init(
    _ loop: EventLoop, desk: consuming Desk, address: String, port: UInt16,
    tls: TLSContext? = nil, path: String, origin: Timestamp
  ) throws(SystemFault) {
    self.loop = loop
    self.desk = desk
    self.path = path
    self.origin = origin
    startedAt = loop.clock()
    var configuration = HTTPServer.Configuration()
    // Idle WebSockets are the desk's to close: the venue's rule, on the venue's clock.
    configuration.webSocketIdleTimeout = nil
    server = try HTTPServer(
      loop, address: address, port: port, tls: tls, configuration: configuration, delegate: self)
    timer = LoopTimer(loop) { [weak self] in self?.advance() }
    advance()
  }

  /// The port that clients reach it at.
  public var port: UInt16 { server?.port ?? 0 }

  /// Ends every connection.
  public func stop() {
    timer?.disarm()
    server?.stop()
    server = nil
  }

  /// Ends every connection, as a network that breaks would.
  public func cut() { server?.dropAll() }

  private func now() -> Timestamp {
    origin + TimeSpan(nanoseconds: loop.clock().nanoseconds - startedAt.nanoseconds)
  }

  private func advance() {
    desk.advance(to: now(), output: &output)
    deliver()
  }

  /// Carries out what the desk wants sent and waits for its next deadline.
  private func deliver() {
    for item in output.items {
      switch item {
      case .reply(let reply):
        server?.reply(
          to: reply.request,
          HTTPResponse(status: reply.status, contentType: reply.contentType),
          body: reply.body.span)
      case .frame(let connection, let bytes):
        observer?.exchangeSends(bytes.span, to: connection)
        server?.send(text: bytes.span, to: connection)
      case .close(let connection, let code):
        if let code {
          server?.close(connection, WebSocketCloseCode(code))
        } else {
          server?.drop(connection)
        }
      }
    }
    output.items.removeAll(keepingCapacity: true)
    guard desk.nextDeadline < .distantFuture else { return }
    let wait = desk.nextDeadline - now()
    timer?.arm(after: max(wait, .zero))
  }

  // MARK: HTTPServerDelegate

  public func server(
    _ server: HTTPServer, received request: HTTPRequest, id: UInt64, body: Span<UInt8>
  ) {
    observer?.exchangeReceives(request, bytes: body.count)
    desk.receive(
      DeskRequest(
        id: id, method: request.method, path: request.path, query: request.query,
        headers: request.headers.map { ($0.name, $0.value) }),
      body: body, at: now(), output: &output)
    deliver()
  }

  public func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse? {
    upgrade.path == path ? nil : HTTPResponse(status: 404)
  }

  public func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest) {
    desk.opened(connection, at: now(), output: &output)
    deliver()
  }

  public func server(
    _ server: HTTPServer, received message: Span<UInt8>, isText: Bool, from connection: UInt64
  ) {
    desk.receive(frame: message, from: connection, at: now(), output: &output)
    deliver()
  }

  public func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd) {
    desk.closed(connection, at: now())
    deliver()
  }
}
