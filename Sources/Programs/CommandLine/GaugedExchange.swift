import CMartletLinux
import Glibc
import MartletBase
import MartletClock
import MartletExchangeServer
import MartletTransport
import Synchronization

/// What a bot was seen to do on the wire, by the exchange that it trades on.
struct WireFigures: Sendable {
  /// From a fill's frame on its way to the whole order that answers it, in nanoseconds each.
  var orders: [Double] = []
  /// From the end of all connections to the whole book sent on a new one, in nanoseconds each.
  var returns: [Double] = []
  /// Bytes of the last such frame and request, as an echo is to have them.
  var frameBytes = 0
  var requestBytes = 0
}

/// The local exchange on a thread of its own, which cuts all connections now and then.
///
/// Its figures are written by that thread, and read once it has ended.
final class GaugedExchange: @unchecked Sendable {
  struct Fault: Error, CustomStringConvertible { let description: String }

  /// What the thread tells, before `port` is no longer 0.
  private var failure: String?
  private(set) var figures = WireFigures()
  private let settledPort = Atomic<Int>(0)
  private let isOver = Atomic<Bool>(false)
  private var thread: SystemThread?

  /// - Parameters:
  ///   - authority: where the certificate that clients are to trust is written.
  ///   - cuts: how long after its start all connections end, each time.
  init(
    _ options: LocalExchange.Options, authority: String, cuts: [TimeSpan]
  ) throws {
    thread = try SystemThread(name: "exchange") { [unowned self] in
      do {
        try serve(options, authority: authority, cuts: cuts)
      } catch {
        failure = "\(error)"
        settledPort.store(-1, ordering: .releasing)
      }
    }
  }

  /// Waits until it listens.
  func port() throws(Fault) -> Int {
    while settledPort.load(ordering: .acquiring) == 0 { nap() }
    let port = settledPort.load(ordering: .acquiring)
    guard port > 0 else { throw Fault(description: failure ?? "the exchange did not begin") }
    return port
  }

  /// Ends it, and gives what it saw.
  func end() -> WireFigures {
    isOver.store(true, ordering: .releasing)
    thread?.join()
    thread = nil
    return figures
  }

  private func serve(
    _ options: LocalExchange.Options, authority: String, cuts: [TimeSpan]
  ) throws {
    // As the exchange of a process of its own does.
    _ = cmartlet_wait_when_woken()
    var options = options
    let identity = try ExchangeIdentity(address: options.address)
    options.tls = identity.context
    let loop = try EventLoop()
    let exchange = try LocalExchange(loop, options)
    _ = try identity.publish(to: authority)
    let gauge = WireGauge(loop)
    exchange.observe(by: gauge)
    var due = cuts.map { loop.clock() + $0 }[...]
    settledPort.store(Int(exchange.port), ordering: .releasing)
    while !isOver.load(ordering: .acquiring) {
      loop.turn(waitingAtMost: .milliseconds(20))
      guard let next = due.first, loop.clock() >= next else { continue }
      due.removeFirst()
      gauge.cut()
      exchange.cut()
    }
    exchange.stop()
    figures = gauge.figures
  }
}

/// Looks on from beside the exchange's sockets.
private final class WireGauge: WireObserver {
  /// An order that comes later than this answers something else.
  private static let longest = TimeSpan.milliseconds(100)
  private static let depth = Array("depth_update".utf8)
  private static let fill = Array("deals_update".utf8)

  private(set) var figures = WireFigures()
  private let loop: EventLoop
  private var fillAt: LoopTime?
  private var fillBytes = 0
  private var cutAt: LoopTime?
  /// The youngest connection that anything was sent on.
  private var youngest: UInt64 = 0

  init(_ loop: EventLoop) { self.loop = loop }

  func cut() {
    cutAt = loop.clock()
    fillAt = nil
  }

  func exchangeSends(_ frame: Span<UInt8>, to connection: UInt64) {
    if frame.names(WireGauge.fill) {
      fillAt = loop.clock()
      fillBytes = frame.count
    } else if let began = cutAt, connection > youngest, frame.names(WireGauge.depth) {
      figures.returns.append(Double((loop.clock() - began).nanoseconds))
      cutAt = nil
    }
    if cutAt == nil { youngest = max(youngest, connection) }
  }

  func exchangeReceives(_ request: HTTPRequest, bytes: Int) {
    guard let began = fillAt else { return }
    switch request.path {
    case "/api/v4/order/new", "/api/v4/order/bulk":
      fillAt = nil
      let span = loop.clock() - began
      guard span <= WireGauge.longest else { return }
      figures.orders.append(Double(span.nanoseconds))
      figures.frameBytes = fillBytes
      // The line and each header with what divides them.
      figures.requestBytes = request.headers.reduce(
        bytes + request.method.utf8.count + request.target.utf8.count + 14
      ) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
    default: break
    }
  }
}

extension Span<UInt8> {
  /// Whether a frame's method, which stands at its start, is this one.
  fileprivate func names(_ method: [UInt8]) -> Bool {
    let last = Swift.min(count - method.count, 24)
    guard last > 0 else { return false }
    return (0...last).contains { start in
      method.indices.allSatisfy { self[start + $0] == method[$0] }
    }
  }
}

/// A millisecond, for a thread that waits for another to begin.
func nap() { poll(nil, 0, 1) }
