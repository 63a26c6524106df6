internal import CMartletLinux
internal import Glibc
public import MartletBase

/// Who answers the lines that come over a control socket; called on the loop's thread.
public protocol LocalServerDelegate: AnyObject {
  /// A whole line came; answer it with `LocalServer.reply`, now or later.
  ///
  /// - Parameter line: without its end; good for the call only.
  func server(_ server: LocalServer, received line: Span<UInt8>, from client: LocalClient)
}

/// One connection to a control socket, and who made it, as the kernel says.
public struct LocalClient: Hashable, Sendable {
  /// Numbered from 1, never reused.
  public let id: UInt64
  public let user: UInt32
  public let process: Int32
}

/// Lines in, lines out, between processes of one user on one machine, over a socket that nobody else
/// may open.
///
/// - Bounds: so many clients, so long a line, one unanswered line a client; each has its time.
public final class LocalServer {
  public struct Configuration: Equatable, Sendable {
    /// More clients than this are told so and turned away.
    public var clients = 16
    /// - Unit: bytes of one line, its end not counted.
    public var line = 4_096
    /// For a line to be whole, and for the next one to begin.
    public var timeout = TimeSpan.seconds(5)
    /// - Unit: bytes that may wait for one client.
    public var waiting = 1_048_576
    public init() {}
  }

  /// A client beyond it waits to be let in or turned away, as long as its own patience lasts.
  private static let backlog: CInt = 256

  public let configuration: Configuration
  public let path: String
  let loop: EventLoop
  private weak var delegate: (any LocalServerDelegate)?
  private let listener: CInt
  private var watch: EventLoop.WatchID?
  /// In the order they came.
  private var peers: [LocalPeer] = []
  private var lastClient: UInt64 = 0

  /// Begins to listen. A socket that a dead process left is replaced.
  ///
  /// - Parameter delegate: held weakly.
  public init(
    _ loop: EventLoop, at address: LocalAddress, configuration: Configuration = Configuration(),
    delegate: any LocalServerDelegate
  ) throws(LocalFault) {
    let (listener, path) = try LocalServer.listen(address)
    self.loop = loop
    self.configuration = configuration
    self.delegate = delegate
    self.listener = listener
    self.path = path
    let doorman = LocalDoorman(self)
    do throws(SystemFault) { watch = try loop.watch(listener, for: .readable, doorman) } catch {
      Glibc.close(listener)
      throw .system(error, path: path)
    }
  }

  deinit { stop() }

  private static func listen(
    _ address: LocalAddress
  ) throws(LocalFault) -> (descriptor: CInt, path: String) {
    var fault = LocalFault.system(SystemFault("listen", errno: ENAMETOOLONG), path: address.folder)
    for path in address.paths {
      do throws(LocalFault) {
        try address.prepare(path)
        return (try listen(path), path)
      } catch {
        if case .inUse = error { throw error }
        fault = error
      }
    }
    throw fault
  }

  private static func listen(_ path: String) throws(LocalFault) -> CInt {
    // Paths are C strings for the length of a call.
    var result = unsafe cmartlet_local_listen(path, backlog)
    if result == -EADDRINUSE {
      var facts = stat()
      guard unsafe lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFSOCK,
        facts.st_uid == geteuid()
      else { throw .notOurs(path: path) }
      let answer = unsafe cmartlet_local_connect(path, 1)
      if answer >= 0 { Glibc.close(answer) }
      // Refused is what only a dead process leaves; a full backlog is a live one's.
      guard answer == -ECONNREFUSED else { throw .inUse(path: path) }
      _ = unsafe unlink(path)
      result = unsafe cmartlet_local_listen(path, backlog)
    }
    guard result >= 0 else { throw .system(SystemFault("listen", errno: -result), path: path) }
    return result
  }

  /// Answers a client's line. One that has gone hears nothing.
  ///
  /// - Parameter line: without its end, and without one in it.
  public func reply(_ line: Span<UInt8>, to client: LocalClient) {
    peers.first { $0.client == client }?.reply(line)
  }

  /// Ends every connection, what was said before still leaves, and removes the socket.
  public func stop() {
    guard let watch else { return }
    self.watch = nil
    delegate = nil
    loop.unwatch(watch, of: listener)
    // The path is a C string for the length of the call.
    _ = unsafe unlink(path)
    Glibc.close(listener)
    for peer in peers { peer.finish() }
    peers = []
  }

  fileprivate func accept() {
    // A burst is taken in portions, so that the rest of the loop has its turn.
    for _ in 0..<16 {
      let descriptor = cmartlet_local_accept(listener)
      guard descriptor >= 0 else { return }
      admit(descriptor)
    }
  }

  private func admit(_ descriptor: CInt) {
    var user: UInt32 = 0
    var process: Int32 = 0
    // Both are this frame's, for the length of the call.
    let known = unsafe cmartlet_local_peer(descriptor, &user, &process)
    // The machine's administrator may do anything anyway.
    guard known == 0, user == geteuid() || user == 0 else {
      return turnAway(descriptor, "another user's bot; expected user \(geteuid()), found \(user)")
    }
    guard peers.count < configuration.clients else {
      return turnAway(descriptor, "busy: \(configuration.clients) clients already; try again")
    }
    lastClient += 1
    let client = LocalClient(id: lastClient, user: user, process: process)
    // What the loop cannot watch is closed by the stream's end.
    if let peer = try? LocalPeer(self, client, PlainStream(adopting: descriptor)) {
      peers.append(peer)
    }
  }

  private func turnAway(_ descriptor: CInt, _ why: String) {
    let line = Array("{\"ok\":false,\"exit\":1,\"error\":\"\(why)\"}\n".utf8)
    // Whether it arrives is the client's luck; the bytes are the array's for the call.
    _ = unsafe line.withUnsafeBytes {
      unsafe cmartlet_send(descriptor, $0.baseAddress.unsafelyUnwrapped, $0.count)
    }
    Glibc.close(descriptor)
  }

  func heard(_ line: Span<UInt8>, from client: LocalClient) {
    delegate?.server(self, received: line, from: client)
  }

  func forget(_ peer: LocalPeer) { peers.removeAll { $0 === peer } }
}

/// Tells the server of new clients without being held by it.
private final class LocalDoorman: DescriptorHandler {
  private weak var server: LocalServer?
  init(_ server: LocalServer) { self.server = server }
  func descriptorReady(_ ready: Readiness) { server?.accept() }
}

/// One client of a control socket: a line at a time.
final class LocalPeer: ChannelOwner {
  let client: LocalClient
  private unowned let server: LocalServer
  private var channel: Channel?
  private var input: [UInt8] = []
  private var isAsking = false
  private var hasInputEnded = false
  private var timer: LoopTimer?

  init(
    _ server: LocalServer, _ client: LocalClient, _ stream: any ByteStream
  ) throws(SystemFault) {
    self.server = server
    self.client = client
    channel = try Channel(server.loop, stream, owner: self, isConnecting: false)
    timer = LoopTimer(server.loop) { [weak self] in self?.refuse("no whole line in time") }
    timer?.arm(after: server.configuration.timeout)
  }

  func reply(_ line: Span<UInt8>) {
    guard let channel, isAsking else { return }
    isAsking = false
    say(line)
    channel.enforce(limit: server.configuration.waiting)
    timer?.arm(after: server.configuration.timeout)
    channel.setWantsInput(true)
    channel.callAtTurnEnd()
  }

  func finish() {
    timer?.disarm()
    channel?.finish()
    channel = nil
  }

  private func say(_ line: Span<UInt8>) {
    _ = channel?.append { output in
      output.append(line)
      output.append(text: "\n")
    }
  }

  private func refuse(_ why: String) {
    say(Array("{\"ok\":false,\"exit\":2,\"error\":\"\(why)\"}".utf8).span)
    leave()
  }

  private func leave() {
    finish()
    server.forget(self)
  }

  // MARK: The channel's calls

  func channelOpened() {}

  func channelReadable() {
    guard let channel else { return }
    let limit = server.configuration.line
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while input.count <= limit {
      // The room is the array's for the length of the call.
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe channel.read(into: $0) }
      if count == 0 { break }
      input += chunk[..<count]
    }
    advance()
  }

  func channelTurnEnded() { advance() }

  func channelInputEnded() {
    hasInputEnded = true
    if !isAsking { leave() }
  }

  func channelEnded(_ end: ConnectionEnd) {
    timer?.disarm()
    channel = nil
    server.forget(self)
  }

  /// Hands over the next line once the last one was answered.
  private func advance() {
    while !isAsking, let channel {
      guard let end = input.firstIndex(of: 10) else {
        if input.count > server.configuration.line {
          refuse("a line of more than \(server.configuration.line) bytes")
        } else if hasInputEnded {
          leave()
        }
        return
      }
      guard end <= server.configuration.line else {
        return refuse("a line of more than \(server.configuration.line) bytes")
      }
      let line = Array(input[..<end])
      input.removeSubrange(...end)
      isAsking = true
      timer?.disarm()
      channel.setWantsInput(false)
      server.heard(line.span, from: client)
    }
  }
}
