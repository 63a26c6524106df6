internal import CMartletLinux
public import MartletBase

/// Who hears a client's WebSocket; called on the loop's thread, never from within one of the client's
/// methods.
public protocol WebSocketClientDelegate: AnyObject {
  /// Messages may be sent.
  func webSocketOpened(_ client: WebSocketClient)
  /// A whole message came.
  ///
  /// - Parameter message: good for the call only; valid UTF-8 when it is text.
  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool)
  /// The connection is over, or could not be made; once for each `connect`.
  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd)
}

/// A WebSocket to one server, on one loop; it can be connected again once it is closed.
///
/// Pings are answered, fragments are joined, and time-outs are kept. When to connect again is the
/// caller's to decide.
public final class WebSocketClient: ChannelOwner, WebSocketLinkOwner {
  public struct Configuration: Equatable, Sendable {
    public var limits = WebSocketLimits()
    /// Further fields of the opening request.
    public var headers: [HTTPHeader] = []
    /// From `connect` to `webSocketOpened`.
    public var openTimeout = TimeSpan.seconds(10)
    /// For one of a host's addresses to answer when it has more.
    public var addressTimeout = TimeSpan.seconds(2)
    /// For the server to send anything; nil for ever.
    public var idleTimeout: TimeSpan? = .seconds(60)
    /// How often we ping the server; nil for never.
    public var pingInterval: TimeSpan? = nil
    /// For the server to answer our close frame.
    public var closeTimeout = TimeSpan.seconds(5)
    /// For the server to take anything of what waits.
    public var writeTimeout = TimeSpan.seconds(10)
    /// - Unit: bytes that may wait when a message is added; one more than fits ends the connection.
    public var outboundLimit = 1_048_576

    public init() {}
  }

  public let url: WebSocketURL
  public let configuration: Configuration
  private let tls: TLSContext?
  private let loop: EventLoop
  private weak var delegate: (any WebSocketClientDelegate)?
  private var channel: Channel?
  private var handshake: WebSocketClientHandshake?
  private var link: WebSocketLink?
  private var openTimer: LoopTimer?
  private var addressTimer: LoopTimer?
  private var isConnected = false
  /// The attempt whose name is being looked up; nil when none is.
  private var lookup: UInt64?
  private var attempt: UInt64 = 0
  /// Addresses that are still to be tried, the next one last.
  private var addresses: [String] = []

  /// - Parameters:
  ///   - tls: whom to believe, for a `wss` URL; nil for a `ws` URL.
  ///   - delegate: held weakly.
  public init(
    _ loop: EventLoop, _ url: WebSocketURL, tls: TLSContext? = nil,
    configuration: Configuration = Configuration(), delegate: any WebSocketClientDelegate
  ) {
    precondition(url.isSecure == (tls?.isClient ?? false), "a wss URL goes with a client's context")
    self.loop = loop
    self.url = url
    self.tls = tls
    self.configuration = configuration
    self.delegate = delegate
    openTimer = LoopTimer(loop) { [weak self] in self?.openTimedOut() }
    addressTimer = LoopTimer(loop) { [weak self] in self?.addressTimedOut() }
  }

  deinit {
    openTimer?.disarm()
    addressTimer?.disarm()
    link?.goAway()
    if link == nil { channel?.close(resets: false) }
  }

  /// Whether nothing is going on, so that `connect` may be called.
  public var isIdle: Bool { channel == nil && link == nil && lookup == nil }

  /// Whether messages may be sent.
  public var isOpen: Bool { link?.isOpen ?? false }

  /// Begins to connect; `webSocketOpened` or `closed` follows.
  ///
  /// - Throws: `SystemFault` when not even a beginning can be made; nothing follows then.
  public func connect() throws(SystemFault) {
    precondition(isIdle, "connect on a WebSocket that is not closed")
    isConnected = false
    attempt += 1
    // The text lives for the call.
    if unsafe cmartlet_is_numeric_address(url.host) {
      addresses = []
      try connect(to: url.host)
    } else {
      let attempt = attempt
      try loop.names.find(url.host) { [weak self] in self?.found($0, for: attempt) }
      lookup = attempt
    }
    openTimer?.arm(after: configuration.openTimeout)
  }

  private func connect(to address: String) throws(SystemFault) {
    // The text lives for the call, which copies what it needs.
    let descriptor = try SystemFault.check(
      "connect", unsafe cmartlet_tcp_connect(address, url.port))
    let stream: any ByteStream
    if let tls {
      stream = try TLSStream(adopting: descriptor, tls, host: url.host)
    } else {
      stream = PlainStream(adopting: descriptor)
    }
    channel = try Channel(loop, stream, owner: self, isConnecting: true)
    if !addresses.isEmpty { addressTimer?.arm(after: configuration.addressTimeout) }
  }

  private func found(_ answer: NameLookup.Answer, for attempt: UInt64) {
    guard lookup == attempt else { return }
    lookup = nil
    switch answer {
    case .failed(let reason): finish(.unresolved(reason))
    case .addresses(let found):
      addresses = found.reversed()
      connectToNext(after: .unresolved("no address"))
    }
  }

  /// Tries the next address; when there is none, `end` is how it ended.
  private func connectToNext(after end: ConnectionEnd) {
    addressTimer?.disarm()
    var end = end
    while let address = addresses.popLast() {
      do throws(SystemFault) {
        try connect(to: address)
        return
      } catch {
        end = .failed(error)
      }
    }
    finish(end)
  }

  private func addressTimedOut() {
    guard !isConnected else { return }
    channel?.end(.timedOut(.connect))
  }

  /// Queues a text message, which leaves at the turn's end.
  ///
  /// - Parameter text: UTF-8; that is not checked here.
  /// - Returns: false when the connection is not open: nothing was queued.
  @discardableResult
  public func send(text: Span<UInt8>) -> Bool { link?.send(.text, text) ?? false }

  /// Queues a binary message.
  @discardableResult
  public func send(binary: Span<UInt8>) -> Bool { link?.send(.binary, binary) ?? false }

  /// Queues a ping; the answer shows only in that the connection stays.
  ///
  /// - Parameter payload: at most 125 bytes.
  @discardableResult
  public func ping(_ payload: Span<UInt8>) -> Bool { link?.ping(payload) ?? false }

  /// Sends at once what waits, instead of at the turn's end.
  public func flush() { link?.channel.flush() }

  /// Begins to close; `closed` follows.
  public func close(_ code: WebSocketCloseCode = .normal, reason: String = "") {
    if let link { link.close(code, reason: reason) } else { giveUp(.dropped) }
  }

  /// Ends at once, without a close frame; `closed` follows.
  public func drop() {
    if let link { link.drop(resets: false) } else { giveUp(.dropped) }
  }

  /// Ends an attempt to connect.
  private func giveUp(_ end: ConnectionEnd) {
    addresses = []
    if lookup != nil { finish(end) } else { channel?.end(end) }
  }

  // MARK: Opening

  func channelOpened() {
    isConnected = true
    addressTimer?.disarm()
    let handshake = WebSocketClientHandshake(nonce: loop.random.bytes(16))
    var request = ByteBuffer()
    do throws(WebSocketHandshakeFault) {
      try handshake.appendRequest(
        authority: url.authority, target: url.target, headers: configuration.headers,
        into: &request)
    } catch {
      channel?.end(.handshakeFailed(error))
      return
    }
    self.handshake = consume handshake
    _ = channel?.append { $0.append(request.span) }
  }

  func channelReadable() {
    guard let channel, handshake != nil else { return }
    // The socket writes into the lent room within the call, and says how much.
    let count = unsafe handshake?.fill(room: 4_096) { unsafe channel.read(into: $0) }
    guard let count, count > 0 else { return }
    do throws(WebSocketHandshakeFault) {
      guard try handshake?.isAccepted() ?? false else { return }
    } catch {
      return channel.end(.handshakeFailed(error))
    }
    open(channel)
  }

  private func open(_ channel: Channel) {
    openTimer?.disarm()
    let patience = WebSocketPatience(
      idle: configuration.idleTimeout, ping: configuration.pingInterval,
      close: configuration.closeTimeout, write: configuration.writeTimeout)
    link = handshake?.withUnread { leftover in
      WebSocketLink(
        loop, channel: channel, role: .client, limits: configuration.limits, patience: patience,
        outboundLimit: configuration.outboundLimit, leftover: leftover, owner: self)
    }
    handshake = nil
    self.channel = nil
    delegate?.webSocketOpened(self)
  }

  private func openTimedOut() {
    giveUp(.timedOut(isConnected ? .handshake : .connect))
  }

  func channelInputEnded() { channel?.end(.ended) }

  func channelTurnEnded() {}

  func channelEnded(_ end: ConnectionEnd) {
    channel = nil
    // Another address may lead to a server that is well; a wrong server is wrong wherever it is.
    switch end {
    case .failed, .timedOut(.connect): isConnected ? finish(end) : connectToNext(after: end)
    default: finish(end)
    }
  }

  // MARK: Open

  func linkReceived(_ payload: Span<UInt8>, isText: Bool) {
    delegate?.webSocket(self, received: payload, isText: isText)
  }

  func linkEnded(_ end: ConnectionEnd) { finish(end) }

  private func finish(_ end: ConnectionEnd) {
    openTimer?.disarm()
    addressTimer?.disarm()
    lookup = nil
    addresses = []
    channel = nil
    handshake = nil
    link = nil
    delegate?.webSocket(self, closed: end)
  }
}
