import CMartletLinux
import MartletBase
import MartletTransport
import Synchronization

/// The least that a frame and its answer cost on this machine: one side sends, the other answers at
/// once without looking at it, each on a thread and a loop of its own, over TLS.
final class TLSEcho: @unchecked Sendable {
  /// In nanoseconds.
  struct Figures: Sendable {
    /// Each frame a while after the last, as a market's are.
    var paced: [Double] = []
    /// Each frame as soon as the last was answered.
    var busy: [Double] = []
  }

  struct Fault: Error, CustomStringConvertible { let description: String }

  // Written by the venue's thread, and read once it has ended.
  private var figures = Figures()
  private var failure: String?
  /// 0 until it listens, −1 when it cannot.
  private let port = Atomic<Int>(0)
  private let isOver = Atomic<Bool>(false)

  /// - Parameters:
  ///   - frame: bytes of each frame.
  ///   - answer: bytes of each answer.
  ///   - authority: where the certificate goes that the client is to trust.
  static func run(
    frame: Int, answer: Int, paced: Int, busy: Int, authority: String
  ) throws -> Figures {
    let echo = TLSEcho()
    let venue = try SystemThread(name: "echo-venue") {
      echo.attempt { try echo.serve(frame: frame, paced: paced, busy: busy, authority) }
    }
    while echo.port.load(ordering: .acquiring) == 0 { nap() }
    if echo.port.load(ordering: .acquiring) > 0 {
      echo.attempt { try echo.answer(with: answer, authority) }
    }
    echo.isOver.store(true, ordering: .releasing)
    venue.join()
    if let failure = echo.failure { throw Fault(description: failure) }
    guard echo.figures.paced.count == paced, echo.figures.busy.count == busy else {
      throw Fault(description: "the echo ended early")
    }
    return echo.figures
  }

  private func attempt(_ work: () throws -> Void) {
    do { try work() } catch {
      if port.load(ordering: .acquiring) <= 0 { failure = "\(error)" }
      port.store(-1, ordering: .releasing)
      isOver.store(true, ordering: .releasing)
    }
  }

  private func serve(frame: Int, paced: Int, busy: Int, _ authority: String) throws {
    _ = cmartlet_wait_when_woken()
    let identity = try ExchangeIdentity(address: "127.0.0.1")
    _ = try identity.publish(to: authority)
    let loop = try EventLoop()
    let side = EchoVenue(loop, frame: frame, paced: paced, busy: busy)
    let server = try HTTPServer(loop, tls: identity.context, delegate: side)
    port.store(Int(server.port), ordering: .releasing)
    while !side.isDone, !isOver.load(ordering: .acquiring) {
      loop.turn(waitingAtMost: .milliseconds(20))
    }
    isOver.store(true, ordering: .releasing)
    figures = side.figures
    server.stop()
  }

  private func answer(with bytes: Int, _ authority: String) throws {
    let loop = try EventLoop()
    let side = EchoClient(bytes)
    let url = try WebSocketURL("wss://127.0.0.1:\(port.load(ordering: .acquiring))/ws")
    let client = WebSocketClient(
      loop, url, tls: try TLSContext(TLSTrust(authorities: authority)), delegate: side)
    try client.connect()
    while !isOver.load(ordering: .acquiring), !side.hasEnded {
      loop.turn(waitingAtMost: .milliseconds(20))
    }
  }
}

/// Sends frames and takes the time until each is answered.
private final class EchoVenue: HTTPServerDelegate {
  private static let pace = TimeSpan.milliseconds(30)

  private(set) var figures = TLSEcho.Figures()
  var isDone: Bool { figures.busy.count == busy && figures.paced.count == paced }
  private let loop: EventLoop
  private let message: [UInt8]
  private let paced: Int
  private let busy: Int
  private var sentAt = LoopTime(nanoseconds: 0)
  private var timer: LoopTimer?
  private weak var server: HTTPServer?
  private var connection: UInt64 = 0

  init(_ loop: EventLoop, frame: Int, paced: Int, busy: Int) {
    self.loop = loop
    self.paced = paced
    self.busy = busy
    message = [UInt8](repeating: 0x61, count: frame)
    timer = LoopTimer(loop) { [weak self] in self?.send() }
  }

  private func send() {
    guard let server else { return }
    let bytes = message
    sentAt = loop.clock()
    server.send(text: bytes.span, to: connection)
  }

  func server(
    _ server: HTTPServer, received request: HTTPRequest, id: UInt64, body: Span<UInt8>
  ) {
    server.drop(request: id)
  }

  func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse? { nil }

  func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest) {
    self.server = server
    self.connection = connection
    timer?.arm(after: EchoVenue.pace)
  }

  func server(
    _ server: HTTPServer, received message: Span<UInt8>, isText: Bool, from connection: UInt64
  ) {
    let span = Double((loop.clock() - sentAt).nanoseconds)
    if figures.paced.count < paced {
      figures.paced.append(span)
      timer?.arm(after: EchoVenue.pace)
    } else if figures.busy.count < busy {
      figures.busy.append(span)
      send()
    }
  }

  func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd) {}
}

/// Answers whatever comes with bytes made before.
private final class EchoClient: WebSocketClientDelegate {
  private(set) var hasEnded = false
  private let message: [UInt8]

  init(_ bytes: Int) { message = [UInt8](repeating: 0x62, count: bytes) }

  func webSocketOpened(_ client: WebSocketClient) {}

  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool) {
    let bytes = self.message
    _ = client.send(text: bytes.span)
    client.flush()
  }

  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd) { hasEnded = true }
}
