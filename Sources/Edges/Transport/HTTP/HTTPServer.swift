internal import CMartletLinux
internal import Glibc
public import MartletBase

/// Whom a server serves; called on the loop's thread, never from within one of the server's methods.
public protocol HTTPServerDelegate: AnyObject {
  /// A whole request came; answer it with `HTTPServer.reply`, now or later.
  ///
  /// - Parameters:
  ///   - id: numbered from 1, never reused.
  ///   - body: good for the call only.
  func server(
    _ server: HTTPServer, received request: HTTPRequest, id: UInt64, body: Span<UInt8>)

  /// A client asks for a WebSocket.
  ///
  /// - Returns: nil to accept; otherwise the refusal, a status of 400 or more.
  func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse?

  /// A WebSocket is open; it may be sent to at once.
  ///
  /// - Parameter connection: numbered from 1, never reused.
  func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest)

  /// A whole message came.
  ///
  /// - Parameter message: good for the call only; valid UTF-8 when it is text.
  func server(
    _ server: HTTPServer, received message: Span<UInt8>, isText: Bool, from connection: UInt64)

  /// A WebSocket that was opened is over.
  func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd)

  /// The client of an unanswered request has gone: a reply would reach nobody.
  func server(_ server: HTTPServer, abandoned request: UInt64)
}

extension HTTPServerDelegate {
  public func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse? { nil }
  public func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest) {}
  public func server(
    _ server: HTTPServer, received message: Span<UInt8>, isText: Bool, from connection: UInt64
  ) {}
  public func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd) {}
  public func server(_ server: HTTPServer, abandoned request: UInt64) {}
}

/// HTTP/1.1 and WebSocket on one port, on one loop, for any number of clients up to a bound.
///
/// A connection's requests are handed over one at a time, so replies need no order beyond their own:
/// the next request of a pipeline waits until this one is answered.
public final class HTTPServer {
  /// What a client may take of us.
  public struct Configuration: Equatable, Sendable {
    public var http = HTTPLimits()
    public var webSocket = WebSocketLimits()
    /// More clients than this are turned away at once.
    public var connections = 1_024
    /// For a request to be whole once it has begun, and for a new connection to begin one.
    public var requestTimeout = TimeSpan.seconds(10)
    /// For an idle connection to begin its next request.
    public var keepAliveTimeout = TimeSpan.seconds(60)
    /// For a WebSocket's client to say anything; nil for ever.
    public var webSocketIdleTimeout: TimeSpan? = .seconds(60)
    /// How often we ping a WebSocket's client; nil for never.
    public var pingInterval: TimeSpan? = nil
    /// For a client to answer our close frame.
    public var closeTimeout = TimeSpan.seconds(5)
    /// For a client to take anything of what waits for it.
    public var writeTimeout = TimeSpan.seconds(30)
    /// - Unit: bytes that may wait for one WebSocket's client when a message is added; one more
    ///   message than fits, and the client is cut off.
    public var outboundLimit = 4_194_304
    /// - Unit: bytes of the kernel's own buffer per client; nil leaves it to the kernel.
    public var sendBuffer: Int? = nil

    public init() {}
  }

  /// What has happened, counted since the start.
  public struct Statistics: Equatable, Sendable {
    public internal(set) var accepted: UInt64 = 0
    /// Connections over the bound.
    public internal(set) var turnedAway: UInt64 = 0
    public internal(set) var requests: UInt64 = 0
    /// Requests refused as malformed or oversized.
    public internal(set) var faults: UInt64 = 0
    public internal(set) var webSockets: UInt64 = 0
    /// WebSockets cut off as slow readers.
    public internal(set) var slowReaders: UInt64 = 0
  }

  /// How long to leave the backlog alone when the process is out of descriptors or memory.
  private static let acceptPause = TimeSpan.milliseconds(100)

  public let configuration: Configuration
  /// The port that clients reach us at.
  public let port: UInt16
  public internal(set) var statistics = Statistics()
  let loop: EventLoop
  private(set) weak var delegate: (any HTTPServerDelegate)?
  private let tls: TLSContext?
  private let listener: CInt
  private var watch: EventLoop.WatchID?
  private var acceptTimer: LoopTimer?
  private var peers: [UInt64: HTTPPeer] = [:]
  private var asking: [UInt64: HTTPPeer] = [:]
  private var lastConnection: UInt64 = 0
  private var lastRequest: UInt64 = 0

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - address: a numeric address of this machine, such as `127.0.0.1`, or `0.0.0.0` for all.
  ///   - port: 0 lets the kernel choose one; `port` tells which.
  ///   - tls: who the server is; nil speaks without encryption.
  ///   - delegate: held weakly.
  /// - Throws: `SystemFault`: EADDRINUSE when the port is taken, EINVAL when the address is no number.
  public init(
    _ loop: EventLoop, address: String = "127.0.0.1", port: UInt16 = 0, tls: TLSContext? = nil,
    configuration: Configuration = Configuration(), delegate: any HTTPServerDelegate
  ) throws(SystemFault) {
    precondition(!(tls?.isClient ?? false), "a server with a client's context")
    self.loop = loop
    self.tls = tls
    self.configuration = configuration
    self.delegate = delegate
    // The text lives for the call, which copies what it needs.
    let listener = try SystemFault.check(
      "listen", unsafe cmartlet_tcp_listen(address, port, 1_024))
    self.listener = listener
    let bound = cmartlet_local_port(listener)
    guard bound >= 0 else {
      Glibc.close(listener)
      throw SystemFault("getsockname", errno: -bound)
    }
    self.port = UInt16(bound)
    let doorman = Doorman(self)
    do throws(SystemFault) {
      watch = try loop.watch(listener, for: .readable, doorman)
    } catch {
      Glibc.close(listener)
      throw error
    }
    acceptTimer = LoopTimer(loop) { [weak self] in self?.accept() }
  }

  deinit { stop() }

  /// Clients connected now.
  public var connectionCount: Int { peers.count }

  // MARK: Answering

  /// Answers a request.
  ///
  /// - Returns: false when its client has gone, or it was answered before.
  @discardableResult
  public func reply(to request: UInt64, _ response: HTTPResponse, body: Span<UInt8>) -> Bool {
    guard let peer = asking.removeValue(forKey: request) else { return false }
    return peer.reply(response, body: body)
  }

  /// Lets a request's connection break without an answer.
  public func drop(request: UInt64) { asking.removeValue(forKey: request)?.drop() }

  /// Queues a text message.
  ///
  /// - Parameter text: UTF-8; that is not checked here.
  /// - Returns: false when the WebSocket is closing or closed.
  @discardableResult
  public func send(text: Span<UInt8>, to connection: UInt64) -> Bool {
    peers[connection]?.link?.send(.text, text) ?? false
  }

  /// Queues a binary message.
  @discardableResult
  public func send(binary: Span<UInt8>, to connection: UInt64) -> Bool {
    peers[connection]?.link?.send(.binary, binary) ?? false
  }

  /// Begins to close a WebSocket: what was sent before still arrives.
  public func close(
    _ connection: UInt64, _ code: WebSocketCloseCode = .normal, reason: String = ""
  ) {
    peers[connection]?.link?.close(code, reason: reason)
  }

  /// Ends a WebSocket without a close frame, by a reset.
  public func drop(_ connection: UInt64) { peers[connection]?.link?.drop(resets: true) }

  /// Ends every connection by a reset, as a network that breaks would, and goes on listening.
  public func dropAll() {
    for id in peers.keys.sorted() {
      // A WebSocket's end is told to the delegate.
      if let link = peers[id]?.link { link.drop(resets: true) } else { peers[id]?.drop() }
    }
  }

  /// Sends at once what waits for a WebSocket, instead of at the turn's end.
  public func flush(_ connection: UInt64) { peers[connection]?.link?.channel.flush() }

  /// Stops listening and ends every connection: what was sent before still leaves, in the background.
  /// The delegate hears no more.
  public func stop() {
    guard let watch else { return }
    self.watch = nil
    delegate = nil
    acceptTimer?.disarm()
    loop.unwatch(watch, of: listener)
    Glibc.close(listener)
    asking = [:]
    for id in peers.keys.sorted() { peers[id]?.stop() }
    peers = [:]
  }

  // MARK: Peers

  /// Takes what waits in the backlog.
  fileprivate func accept() {
    guard let watch else { return }
    // A burst is taken in portions, so that those inside are served meanwhile.
    for _ in 0..<64 {
      let descriptor = cmartlet_tcp_accept(listener)
      if descriptor == -EAGAIN { break }
      guard descriptor >= 0 else {
        // Out of descriptors or memory. The listener stays readable, so look away for a moment.
        loop.change(watch, of: listener, to: [])
        acceptTimer?.arm(after: Self.acceptPause)
        return
      }
      guard peers.count < configuration.connections else {
        statistics.turnedAway += 1
        Glibc.close(descriptor)
        continue
      }
      admit(descriptor)
    }
    loop.change(watch, of: listener, to: .readable)
  }

  private func admit(_ descriptor: CInt) {
    if let bytes = configuration.sendBuffer {
      _ = cmartlet_set_send_buffer(descriptor, CInt(clamping: bytes))
    }
    lastConnection += 1
    guard let stream = try? stream(on: descriptor),
      let peer = try? HTTPPeer(self, id: lastConnection, stream: stream)
    else {
      // No memory, or no room in epoll: the descriptor is closed.
      statistics.turnedAway += 1
      return
    }
    statistics.accepted += 1
    peers[peer.id] = peer
  }

  private func stream(on descriptor: CInt) throws(SystemFault) -> any ByteStream {
    guard let tls else { return PlainStream(adopting: descriptor) }
    return try TLSStream(adopting: descriptor, tls, host: nil)
  }

  func numberRequest(of peer: HTTPPeer) -> UInt64 {
    lastRequest += 1
    statistics.requests += 1
    asking[lastRequest] = peer
    return lastRequest
  }

  func abandon(_ request: UInt64) {
    guard asking.removeValue(forKey: request) != nil else { return }
    delegate?.server(self, abandoned: request)
  }

  func forget(_ peer: HTTPPeer) { peers.removeValue(forKey: peer.id) }
}

/// Tells the server of new clients without being held by it.
private final class Doorman: DescriptorHandler {
  private weak var server: HTTPServer?
  init(_ server: HTTPServer) { self.server = server }
  func descriptorReady(_ ready: Readiness) { server?.accept() }
}
