internal import Glibc
internal import MartletBase
public import MartletTransport

/// Serves the page on this machine's loopback, on a thread of its own; read-only.
///
/// The thread that trades puts its status into `slot` and is never waited for nor kept waiting. The
/// server stops, and its thread with it, when this value is given up.
public struct DashboardServer: ~Copyable, Sendable {
  /// Where the newest status goes; what is offered faster than ten times a second is not all shown.
  public let slot: StatusSlot
  public let port: UInt16
  private let stopping: Mailbox<Void>
  private let thread: SystemThread

  /// What to open in a browser.
  public var address: String { "http://127.0.0.1:\(port)/" }

  /// Begins to serve.
  ///
  /// - Parameter port: 0 lets the kernel choose one; `port` tells which.
  /// - Throws: `SystemFault`: EADDRINUSE when the port is taken.
  public init(port: UInt16 = 0) throws(SystemFault) {
    let slot = StatusSlot()
    let worker = try DashboardWorker(slot: slot, port: port)
    // The worker owns its loop, and so this action, which must not hold it in turn.
    let stopping = worker.loop.mailbox(capacity: 1) { [unowned worker] in worker.finish() }
    let bound = worker.server.port
    thread = try SystemThread(name: "dashboard") { worker.run() }
    self.port = bound
    self.slot = slot
    self.stopping = stopping
  }

  deinit {
    stopping.post(())
    thread.join()
  }

  /// Shows the last status to whoever looks, says goodbye and stops.
  public consuming func stop() {}
}

/// What runs on the server's thread.
///
/// Made by the thread that starts it and touched by its own alone after that: so it may change over.
private final class DashboardWorker: @unchecked Sendable {
  private static let interval = TimeSpan.milliseconds(100)

  let loop: EventLoop
  let server: HTTPServer
  private let audience: DashboardAudience
  private var timer: LoopTimer?

  init(slot: StatusSlot, port: UInt16) throws(SystemFault) {
    var configuration = HTTPServer.Configuration()
    configuration.connections = 32
    // A page only listens; it answers pings, so that one that is gone is noticed.
    configuration.http = HTTPLimits(body: 1_024)
    configuration.webSocket = WebSocketLimits(frame: 1_024, message: 1_024)
    configuration.pingInterval = .seconds(20)
    configuration.outboundLimit = 1_048_576
    loop = try EventLoop(timers: 1_024)
    audience = DashboardAudience(slot: slot)
    server = try HTTPServer(
      loop, address: "127.0.0.1", port: port, configuration: configuration, delegate: audience)
    timer = LoopTimer(loop) { [weak self] in self?.tick() }
  }

  func run() {
    // Signals are for the thread that trades, and so is the processor when both want it.
    var all = sigset_t()
    _ = unsafe sigfillset(&all)
    _ = unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    tick()
    loop.run()
    server.stop()
    // Goodbyes leave; a client that takes longer is not waited for.
    for _ in 0..<5 { loop.turn(waitingAtMost: .milliseconds(20)) }
  }

  func finish() {
    audience.pass(by: server)
    loop.stop()
  }

  private func tick() {
    audience.pass(by: server)
    timer?.arm(after: Self.interval)
  }
}

/// Those who look, and what they are shown.
private final class DashboardAudience: HTTPServerDelegate {
  private let slot: StatusSlot
  private var routes = DashboardRoutes()
  /// Streams open now, oldest first; bounded by the server's connections.
  private var streams: [UInt64] = []

  init(slot: StatusSlot) { self.slot = slot }

  /// Passes a newer status, if there is one, to every stream.
  func pass(by server: HTTPServer) {
    guard let status = slot.take() else { return }
    routes.take(status)
    if streams.isEmpty { return }
    let state = routes.state
    // A stream whose page does not keep up is cut off by the server, and its page connects again.
    for stream in streams { server.send(text: state.span, to: stream) }
  }

  func server(
    _ server: HTTPServer, received request: HTTPRequest, id: UInt64, body: Span<UInt8>
  ) {
    let reply = routes.reply(to: request)
    server.reply(to: id, reply.head, body: reply.body.span)
  }

  func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse? {
    routes.refusal(ofStream: upgrade)?.head
  }

  func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest) {
    streams.append(connection)
    server.send(text: routes.state.span, to: connection)
  }

  func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd) {
    streams.removeAll { $0 == connection }
  }
}
