internal import CMartletCurl
public import MartletBase

/// Who hears a client's replies; called on the loop's thread, never from within one of its methods.
public protocol RESTClientDelegate: AnyObject {
  /// A whole reply came, of whatever status.
  ///
  /// - Parameters:
  ///   - head: status line and fields, as sent; `RESTClient.field` finds one. Good for the call only.
  ///   - body: good for the call only.
  func rest(
    _ client: RESTClient, replied request: UInt64, status: UInt16, head: Span<UInt8>,
    body: Span<UInt8>)
  /// There is no reply and none will come.
  func rest(_ client: RESTClient, failed request: UInt64, _ fault: RESTFault)
}

/// Requests to one REST interface, on one loop: libcurl beneath, with connections kept and reused.
///
/// A request is sent once or not at all: no redirect is followed, and none is repeated on another
/// connection once a byte of it has left. Proxies of the environment are not used.
public final class RESTClient {
  public struct Configuration: Equatable, Sendable {
    /// Requests whose replies have not come; more are refused.
    public var inFlight = 64
    /// Connections; more requests than these wait for one.
    public var connections = 16
    public var connectTimeout = TimeSpan.seconds(5)
    /// - Unit: bytes of a reply's body.
    public var bodyLimit = 8_388_608
    /// - Unit: bytes of a reply's status line and fields.
    public var headLimit = 65_536
    /// A kept connection that has been idle for longer is not used again, as the server may be about
    /// to close it.
    public var idleConnection = TimeSpan.seconds(45)
    /// HTTP/2 where the server offers it.
    public var wantsHTTP2 = false
    /// Whom to believe.
    public var trust = TLSTrust()

    public init() {}

    func rules(_ endpoint: RESTEndpoint) -> RESTRules {
      RESTRules(
        endpoint: endpoint, trust: trust, wantsHTTP2: wantsHTTP2,
        bodyLimit: bodyLimit, headLimit: headLimit, connectTimeout: connectTimeout)
    }
  }

  /// A handle, and the request that it carries.
  private struct Slot {
    let transfer: RESTTransfer
    /// nil for a request of ours, whose reply is nobody's business.
    var request: UInt64?
    var isBusy = false
  }

  public let endpoint: RESTEndpoint
  public let configuration: Configuration
  private weak var delegate: (any RESTClientDelegate)?
  private var driver: RESTDriver?
  private var slots: [Slot] = []
  private var free: [Int] = []
  /// Requests sent and not answered.
  public private(set) var inFlight = 0
  /// Connections made since the start that took a request: it stands still while kept ones serve.
  public private(set) var connectionsMade: UInt64 = 0
  private let loop: EventLoop
  /// When a request last got no reply though it was sent: what was connected before may be dead
  /// without anybody having told us, so it is not used any more.
  private var lastBreak: LoopTime?

  /// - Parameter delegate: held weakly.
  public init(
    _ loop: EventLoop, _ endpoint: RESTEndpoint, configuration: Configuration = Configuration(),
    delegate: any RESTClientDelegate
  ) {
    self.loop = loop
    self.endpoint = endpoint
    self.configuration = configuration
    self.delegate = delegate
    driver = RESTDriver(loop, connections: configuration.connections) { [weak self] tag, outcome in
      self?.ended(Int(tag), outcome)
    }
  }

  deinit { stop() }

  /// Sends a request; on a kept connection it has left when this returns.
  ///
  /// - Parameters:
  ///   - request: the caller's number for it, told with the reply.
  ///   - target: path and query, from `/` on.
  ///   - headers: `Host`, `Content-Length` and, with a body, `Content-Type` are added.
  ///   - body: JSON; empty for GET.
  ///   - timeout: from now to the whole reply.
  /// - Throws: `RESTRefusal`: nothing was sent and nothing follows.
  public func send(
    _ request: UInt64, _ method: RESTMethod = .get, target: Span<UInt8>,
    headers: borrowing RESTHeaders, body: Span<UInt8>, timeout: TimeSpan
  ) throws(RESTRefusal) {
    try start(request, method, target: target, headers: headers, body: body, timeout: timeout)
  }

  /// Makes connections before they are needed, by as many GET requests whose replies are dropped.
  ///
  /// - Parameters:
  ///   - count: at most `configuration.connections`.
  ///   - target: something cheap that needs no signature.
  public func prewarm(_ count: Int, target: Span<UInt8>, timeout: TimeSpan) throws(RESTRefusal) {
    let none = RESTHeaders()
    let nothing: [UInt8] = []
    for _ in 0..<min(count, configuration.connections) {
      try start(nil, .get, target: target, headers: none, body: nothing.span, timeout: timeout)
    }
  }

  /// Uses none of the connections made so far for requests from now on: something else has shown that
  /// the way to the server is broken.
  public func distrustConnections() { lastBreak = loop.clock() }

  /// Ends everything: requests in flight break off, and the delegate hears no more.
  public func stop() {
    driver?.stop(slots.filter(\.isBusy).map(\.transfer))
    driver = nil
    slots = []
    free = []
    inFlight = 0
  }

  /// The value of the first field named `name` in a reply's head, without the spaces around it.
  public static func field(_ name: String, in head: Span<UInt8>) -> String? {
    String(head).split(separator: "\r\n").dropFirst().lazy
      .compactMap { line -> String? in
        guard let colon = line.firstIndex(of: ":"),
          HTTPText.isEqual(line[..<colon].utf8, name.utf8[...])
        else { return nil }
        return String(Substring(HTTPText.trimmed(line[line.index(after: colon)...].utf8)))
      }.first
  }

  private func start(
    _ request: UInt64?, _ method: RESTMethod, target: Span<UInt8>, headers: borrowing RESTHeaders,
    body: Span<UInt8>, timeout: TimeSpan
  ) throws(RESTRefusal) {
    guard let driver else { throw .stopped }
    guard inFlight < configuration.inFlight else {
      throw .tooManyInFlight(limit: configuration.inFlight)
    }
    if free.isEmpty {
      let rules = configuration.rules(endpoint)
      guard let transfer = RESTTransfer(rules, tag: UInt64(slots.count)) else { throw .outOfMemory }
      free.append(slots.count)
      slots.append(Slot(transfer: transfer))
    }
    let index = free[free.count - 1]
    let transfer = slots[index].transfer
    var idle = configuration.idleConnection
    // The library counts in whole seconds.
    if let lastBreak { idle = min(idle, loop.clock() - lastBreak - .seconds(1)) }
    try transfer.prepare(
      method, target: target, headers: headers, body: body, timeout: timeout, idle: idle)
    guard driver.start(transfer) else { throw .outOfMemory }
    free.removeLast()
    slots[index].request = request
    slots[index].isBusy = true
    inFlight += 1
  }

  private func ended(_ index: Int, _ outcome: cmartlet_rest_outcome) {
    let transfer = slots[index].transfer
    let request = slots[index].request
    slots[index].isBusy = false
    inFlight -= 1
    if outcome != CMARTLET_REST_NOT_SENT { connectionsMade += UInt64(transfer.connects) }
    if outcome == CMARTLET_REST_TIMED_OUT || outcome == CMARTLET_REST_BROKEN {
      lastBreak = loop.clock()
    }
    if let request {
      if outcome == CMARTLET_REST_REPLIED {
        transfer.withReply { status, head, body in
          delegate?.rest(self, replied: request, status: status, head: head, body: body)
        }
      } else {
        delegate?.rest(self, failed: request, transfer.fault(outcome))
      }
    }
    // Only now, as the reply is lent out of it; and not if we were stopped meanwhile.
    if index < slots.count, slots[index].transfer === transfer { free.append(index) }
  }
}
