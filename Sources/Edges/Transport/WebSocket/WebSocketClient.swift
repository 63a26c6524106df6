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
  private let loop: EventLoop
  private weak var delegate: (any WebSocketClientDelegate)?
  private var channel: Channel?
  private var handshake: WebSocketClientHandshake?
  private var link: WebSocketLink?
  private var openTimer: LoopTimer?
  private var isConnected = false

  /// - Parameter delegate: held weakly.
  public init(
    _ loop: EventLoop, _ url: WebSocketURL, configuration: Configuration = Configuration(),
    delegate: any WebSocketClientDelegate
  ) {
    self.loop = loop
    self.url = url
    self.configuration = configuration
    self.delegate = delegate
    openTimer = LoopTimer(loop) { [weak self] in self?.openTimedOut() }
  }

  deinit {
    openTimer?.disarm()
    link?.goAway()
    if link == nil { channel?.close(resets: false) }
  }

  /// Whether nothing is going on, so that `connect` may be called.
  public var isIdle: Bool { channel == nil && link == nil }

  /// Whether messages may be sent.
  public var isOpen: Bool { link?.isOpen ?? false }

  /// Begins to connect; `webSocketOpened` or `closed` follows.
  ///
  /// - Throws: `SystemFault` when not even a beginning can be made; nothing follows then.
  public func connect() throws(SystemFault) {
    precondition(isIdle, "connect on a WebSocket that is not closed")
    // The text lives for the call, which copies what it needs.
    let descriptor = try SystemFault.check(
      "connect", unsafe cmartlet_tcp_connect(url.address, url.port))
    let stream = PlainStream(adopting: descriptor)
    channel = try Channel(loop, stream, owner: self, isConnecting: true)
    isConnected = false
    openTimer?.arm(after: configuration.openTimeout)
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
    if let link { link.close(code, reason: reason) } else { channel?.end(.dropped) }
  }

  /// Ends at once, without a close frame; `closed` follows.
  public func drop() {
    if let link { link.drop(resets: false) } else { channel?.end(.dropped) }
  }

  // MARK: Opening

  func channelOpened() {
    isConnected = true
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
    channel?.end(.timedOut(isConnected ? .handshake : .connect))
  }

  func channelInputEnded() { channel?.end(.ended) }

  func channelTurnEnded() {}

  func channelEnded(_ end: ConnectionEnd) { finish(end) }

  // MARK: Open

  func linkReceived(_ payload: Span<UInt8>, isText: Bool) {
    delegate?.webSocket(self, received: payload, isText: isText)
  }

  func linkEnded(_ end: ConnectionEnd) { finish(end) }

  private func finish(_ end: ConnectionEnd) {
    openTimer?.disarm()
    channel = nil
    handshake = nil
    link = nil
    delegate?.webSocket(self, closed: end)
  }
}
