internal import MartletBase

/// Who uses a link; called from the loop, never from within one of the link's own methods.
protocol WebSocketLinkOwner: AnyObject {
  /// - Parameter payload: good for the call only.
  func linkReceived(_ payload: Span<UInt8>, isText: Bool)
  /// Once; the channel is closed or finishing.
  func linkEnded(_ end: ConnectionEnd)
}

/// How long an open WebSocket waits for its peer.
struct WebSocketPatience: Equatable {
  /// Silence after which the connection is given up; nil for none.
  var idle: TimeSpan?
  /// How often we ping, so that a live peer is never silent; nil for never.
  var ping: TimeSpan?
  /// For the peer's answer to our close frame.
  var close: TimeSpan
  /// For the peer to take anything of what waits.
  var write: TimeSpan
}

/// An open WebSocket over a channel, either role: frames, pings, the close handshake, time-outs.
final class WebSocketLink: ChannelOwner {
  private enum State {
    case open
    /// Our close frame is on its way, the peer's has not come.
    case closing(WebSocketCloseCode, since: LoopTime)
    case over
  }

  private let loop: EventLoop
  let channel: Channel
  private weak var owner: (any WebSocketLinkOwner)?
  private var decoder: WebSocketDecoder
  private var encoder: WebSocketEncoder
  private let patience: WebSocketPatience
  private let outboundLimit: Int
  private var state = State.open
  private var lastPing: LoopTime
  private var timer: LoopTimer?

  /// - Parameters:
  ///   - channel: open, and handed over to the link by its maker.
  ///   - leftover: bytes that came with the handshake.
  init(
    _ loop: EventLoop, channel: Channel, role: WebSocketRole, limits: WebSocketLimits,
    patience: WebSocketPatience, outboundLimit: Int, leftover: Span<UInt8>,
    owner: any WebSocketLinkOwner
  ) {
    self.loop = loop
    self.channel = channel
    self.owner = owner
    self.patience = patience
    self.outboundLimit = outboundLimit
    decoder = WebSocketDecoder(role: role, limits: limits)
    encoder = WebSocketEncoder(role: role)
    lastPing = loop.clock()
    decoder.receive(leftover)
    timer = LoopTimer(loop) { [weak self] in self?.checkPatience() }
    channel.hand(to: self)
    // The leftover is read at the turn's end, when our maker is done.
    channel.callAtTurnEnd()
    checkPatience()
  }

  var isOpen: Bool { if case .open = state { channel.isOpen } else { false } }

  // MARK: Sending

  /// - Returns: false when nothing was queued, as the link is closing or closed.
  func send(_ opcode: WebSocketOpcode, _ payload: Span<UInt8>) -> Bool {
    guard isOpen else { return false }
    let mask = loop.random.next()
    let isQueued = channel.append { output in
      encoder.message(opcode, payload, mask: mask, into: &output)
    }
    channel.enforce(limit: outboundLimit)
    watchWriting()
    return isQueued ?? false
  }

  func ping(_ payload: Span<UInt8>) -> Bool {
    guard isOpen else { return false }
    let mask = loop.random.next()
    let isQueued = channel.append { output in
      encoder.control(.ping, payload, mask: mask, into: &output)
    }
    watchWriting()
    return isQueued ?? false
  }

  /// Begins the close handshake; `linkEnded` follows when the peer has answered, or not in time.
  func close(_ code: WebSocketCloseCode, reason: String) {
    guard isOpen else { return }
    let now = loop.clock()
    state = .closing(code, since: now)
    say(code, reason: reason)
    timer?.arm(noLaterThan: now + patience.close)
  }

  /// Ends at once, without a close frame; the owner hears of it at the turn's end.
  func drop(resets: Bool) {
    if resets { channel.resetWhenClosed() }
    channel.end(.dropped)
  }

  /// Says that we are going away, and leaves without waiting; the owner hears no more.
  func goAway() {
    if case .over = state { return }
    owner = nil
    say(.goingAway)
    finish(.closedByUs(.goingAway))
  }

  /// Appends our close frame, once.
  private func say(_ code: WebSocketCloseCode?, reason: String = "") {
    let mask = loop.random.next()
    // Nothing to send it on is no matter: the connection is over anyhow.
    _ = channel.append { output in
      encoder.close(code, reason: reason, mask: mask, into: &output)
    }
  }

  // MARK: Receiving

  func channelOpened() {}

  func channelReadable() {
    // A few rounds for a busy peer, then the others' turn; the rest stays in the socket.
    for _ in 0..<4 {
      let room = 16_384
      // The socket writes into the lent room within the call, and says how much.
      let count = unsafe decoder.fill(room: room) { unsafe channel.read(into: $0) }
      if count == 0 { return }
      process()
      if count < room { return }
    }
  }

  func channelTurnEnded() { process() }

  private func process() {
    while channel.isOpen {
      switch state {
      case .open, .closing: break
      case .over: return
      }
      do throws(WebSocketFault) {
        guard let event = try decoder.next() else { return }
        handle(event)
      } catch {
        say(error.closeCode, reason: "\(error)")
        return finish(.violated(error))
      }
    }
  }

  private func handle(_ event: WebSocketEvent) {
    switch event {
    case .text, .binary:
      // After our close frame the peer may still be talking; we no longer listen.
      guard case .open = state else { return }
      decoder.withPayload { owner?.linkReceived($0, isText: event == .text) }
    case .ping: answer()
    case .pong: break
    case .close(let code):
      if case .closing(let ours, _) = state { return finish(.closedByUs(ours)) }
      let reason = decoder.withPayload { String($0) }
      say(code)
      finish(.closedByPeer(code, reason: reason))
    }
  }

  private func answer() {
    guard case .open = state else { return }
    let mask = loop.random.next()
    _ = channel.append { output in
      decoder.withPayload { encoder.control(.pong, $0, mask: mask, into: &output) }
    }
    channel.enforce(limit: outboundLimit)
  }

  func channelInputEnded() { channel.end(.ended) }

  func channelEnded(_ end: ConnectionEnd) { tell(end) }

  /// Lets the channel send our last frame, and tells the owner.
  private func finish(_ end: ConnectionEnd) {
    channel.finish()
    tell(end)
  }

  private func tell(_ end: ConnectionEnd) {
    if case .over = state { return }
    state = .over
    timer?.disarm()
    let owner = owner
    self.owner = nil
    owner?.linkEnded(end)
  }

  // MARK: Patience

  private func watchWriting() {
    if channel.waiting > 0 { timer?.arm(noLaterThan: loop.clock() + patience.write) }
  }

  /// Looks at what is due, and arms the timer for what is due next.
  private func checkPatience() {
    if case .over = state { return }
    let now = loop.clock()
    var next: LoopTime?
    /// Whether `moment` has come; otherwise it is among the next ones.
    func isDue(_ moment: LoopTime) -> Bool {
      if moment <= now { return true }
      next = min(next ?? moment, moment)
      return false
    }
    if case .closing(_, let since) = state, isDue(since + patience.close) {
      return channel.end(.timedOut(.close))
    }
    if let idle = patience.idle, isDue(channel.lastInput + idle) {
      say(.policyViolation, reason: "idle")
      channel.flush()
      return channel.end(.timedOut(.idle))
    }
    if channel.waiting > 0, isDue((channel.stalledSince ?? now) + patience.write) {
      return channel.end(.timedOut(.write))
    }
    if let interval = patience.ping, isDue(lastPing + interval) {
      lastPing = now
      let nothing: [UInt8] = []
      _ = ping(nothing.span)
      _ = isDue(now + interval)
    }
    if let next { timer?.arm(noLaterThan: next) }
  }
}
