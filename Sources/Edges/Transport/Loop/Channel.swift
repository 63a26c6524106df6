internal import CMartletLinux
internal import MartletBase

/// Who uses a channel. None of these is called from within one of the channel's own methods.
protocol ChannelOwner: AnyObject {
  /// Connected, and the stream's handshake is done: bytes may flow.
  func channelOpened()
  /// There is something to read with `Channel.read`.
  func channelReadable()
  /// The peer has sent its last byte; it may still read ours.
  func channelInputEnded()
  /// At the end of a turn in which the owner asked for it with `Channel.callAtTurnEnd`.
  func channelTurnEnded()
  /// The channel is over, and closed; called at most once, and not when the owner closed it.
  func channelEnded(_ end: ConnectionEnd)
}

/// One connection: a byte stream, its place in the loop, and the bytes waiting to leave.
final class Channel: DescriptorHandler, TurnEndHandler {
  private enum State {
    case connecting
    case handshaking
    case open
    /// All is said: what waits leaves, then what comes is dropped until the peer ends too.
    case finishing
    case closed
  }

  /// How long and how much a finishing channel waits for its peer, so that our last words are read: a
  /// close with input unread would reset the connection and take them back.
  private static let finishTime = TimeSpan.seconds(2)
  private static let finishBytes = 4_194_304

  // The loop holds the channel while it is open, and whoever owns the channel holds the loop.
  private unowned let loop: EventLoop
  private let stream: any ByteStream
  private weak var owner: (any ChannelOwner)?
  private var watch: EventLoop.WatchID?
  private var state: State
  private var registered: Readiness = []
  private var outbound = OutboundQueue()
  private var wantsInput = true
  private var hasInputEnded = false
  private var isInputEndTold = false
  private var hasEndedWriting = false
  private var readNeedsWritable = false
  private var writeNeedsReadable = false
  private var isWriteBlocked = false
  private var pendingEnd: ConnectionEnd?
  private var resetsWhenClosed = false
  private var callsOwnerAtTurnEnd = false
  private var finishTimer: LoopTimer?
  private var finishBudget = Channel.finishBytes
  var isAwaitingTurnEnd = false

  /// Since when the peer has taken nothing of what waits; nil when nothing waits.
  private(set) var stalledSince: LoopTime?
  /// When the peer last gave us a byte, to the turn's precision.
  private(set) var lastInput: LoopTime

  /// - Parameter isConnecting: whether the socket is on its way to its peer, or already there.
  init(_ loop: EventLoop, _ stream: any ByteStream, owner: any ChannelOwner, isConnecting: Bool)
    throws(SystemFault)
  {
    self.loop = loop
    self.stream = stream
    self.owner = owner
    state = isConnecting ? .connecting : .handshaking
    lastInput = loop.clock()
    let interest: Readiness = isConnecting ? .writable : .readable
    registered = interest
    watch = try loop.watch(stream.descriptor, for: interest, self)
    if !isConnecting { loop.awaitTurnEnd(self) }
  }

  /// Gives the channel another owner, as an upgrade does.
  func hand(to owner: any ChannelOwner) { self.owner = owner }

  var isOpen: Bool { if case .open = state { pendingEnd == nil } else { false } }

  /// Bytes that wait to leave.
  var waiting: Int { outbound.count }

  // MARK: Reading

  /// Reads what is there.
  ///
  /// - Returns: how many bytes; 0 when there are none now or the channel is ending.
  func read(into room: UnsafeMutableRawBufferPointer) -> Int {
    guard case .open = state, pendingEnd == nil else { return 0 }
    readNeedsWritable = false
    // The room is the caller's, for this call.
    switch unsafe stream.read(into: room) {
    case .moved(let count):
      lastInput = loop.clock()
      return count
    case .wantsRead: break
    case .wantsWrite: readNeedsWritable = true
    case .ended:
      hasInputEnded = true
      wantsInput = false
    case .failed(let fault): end(.failed(fault))
    case .refused(let fault): end(.refused(fault))
    }
    return 0
  }

  /// Whether to read at all: an owner that cannot take more stops, and the peer is held up.
  func setWantsInput(_ wants: Bool) {
    guard wants != wantsInput, !hasInputEnded else { return }
    wantsInput = wants
    loop.awaitTurnEnd(self)
  }

  // MARK: Writing

  /// Lets `write` append to what waits to leave, at the end of the turn.
  ///
  /// - Returns: what `write` returned; nil, and it is not called, when nothing may be sent any more.
  func append<Result>(_ write: (inout ByteBuffer) -> Result) -> Result? {
    guard pendingEnd == nil else { return nil }
    switch state {
    case .finishing, .closed: return nil
    case .connecting, .handshaking, .open: break
    }
    let result = write(&outbound.filling)
    loop.awaitTurnEnd(self)
    return result
  }

  /// Sends what waits, as far as the peer takes it.
  func flush() {
    switch state {
    case .open, .finishing: break
    case .connecting, .handshaking, .closed: return
    }
    guard pendingEnd == nil, !isWriteBlocked else { return }
    let before = outbound.count
    if before == 0 { return }
    writeNeedsReadable = false
    let stop = outbound.drain { stream.write($0) }
    switch stop {
    case nil: stalledSince = nil
    case .wantsRead?:
      writeNeedsReadable = true
      isWriteBlocked = true
    case .failed(let fault)?: end(.failed(fault))
    case .refused(let fault)?: end(.refused(fault))
    case .wantsWrite?, .ended?, .moved?: isWriteBlocked = true
    }
    if stop != nil, stalledSince == nil || outbound.count < before { stalledSince = loop.clock() }
  }

  /// Ends the channel as a slow reader when more than `limit` bytes wait though all was tried.
  func enforce(limit: Int) {
    guard outbound.count > limit else { return }
    flush()
    let left = outbound.count
    if left > limit { end(.slowReader(waiting: left, limit: limit)) }
  }

  // MARK: Ending

  /// Asks for `channelTurnEnded`.
  func callAtTurnEnd() {
    callsOwnerAtTurnEnd = true
    loop.awaitTurnEnd(self)
  }

  /// Ends the channel at the end of the turn and tells the owner why.
  func end(_ end: ConnectionEnd) {
    guard pendingEnd == nil else { return }
    switch state {
    case .finishing, .closed: return
    case .connecting, .handshaking, .open:
      pendingEnd = end
      loop.awaitTurnEnd(self)
    }
  }

  /// Sends what waits, then closes, in the background; the owner hears no more.
  func finish() {
    switch state {
    case .finishing, .closed: return
    case .connecting, .handshaking: return close(resets: false)
    case .open: break
    }
    owner = nil
    guard pendingEnd == nil else { return close(resets: false) }
    state = .finishing
    let timer = LoopTimer(loop) { [weak self] in self?.close(resets: false) }
    timer.arm(after: Self.finishTime)
    finishTimer = timer
    loop.awaitTurnEnd(self)
  }

  /// Makes the end, when it comes, a reset: the peer sees a broken connection.
  func resetWhenClosed() { resetsWhenClosed = true }

  /// Closes at once; the owner hears no more.
  func close(resets: Bool) {
    if case .closed = state { return }
    state = .closed
    let resets = resets || resetsWhenClosed
    owner = nil
    pendingEnd = nil
    finishTimer?.disarm()
    finishTimer = nil
    if let watch { loop.unwatch(watch, of: stream.descriptor) }
    watch = nil
    stream.close(resets: resets)
  }

  // MARK: The loop's calls

  func descriptorReady(_ ready: Readiness) {
    switch state {
    case .closed: return
    case .connecting:
      let failure = cmartlet_socket_error(stream.descriptor)
      if failure < 0 {
        end(.failed(SystemFault("connect", errno: -failure)))
      } else {
        state = .handshaking
        shakeHands()
      }
    case .handshaking:
      shakeHands()
      // What came along with the connection need not wait for the next turn.
      if isOpen, ready.contains(.readable) { deliverInput() }
    case .open:
      if !ready.isDisjoint(with: writeNeedsReadable ? [.readable, .hangup] : [.writable, .hangup]) {
        isWriteBlocked = false
        flush()
      }
      let cause: Readiness =
        readNeedsWritable ? [.writable, .hangup] : [.readable, .hangup]
      if wantsInput {
        if !ready.isDisjoint(with: cause) { deliverInput() }
      } else if ready.contains(.hangup), !ready.contains(.readable) {
        // Both directions are gone while we read nothing, which no read would tell us.
        let failure = cmartlet_socket_error(stream.descriptor)
        end(failure < 0 ? .failed(SystemFault("recv", errno: -failure)) : .ended)
      }
    case .finishing:
      isWriteBlocked = false
      discardInput()
    }
    loop.awaitTurnEnd(self)
  }

  private func deliverInput() {
    owner?.channelReadable()
    if hasInputEnded, !isInputEndTold {
      isInputEndTold = true
      owner?.channelInputEnded()
    }
  }

  private func shakeHands() {
    switch stream.handshake() {
    case .moved:
      state = .open
      owner?.channelOpened()
      // What came along with the handshake's end may lie in the stream already.
      loop.awaitTurnEnd(self)
    case .wantsRead: register(for: .readable)
    case .wantsWrite: register(for: .writable)
    case .ended: end(.ended)
    case .failed(let fault): end(.failed(fault))
    case .refused(let fault): end(.refused(fault))
    }
  }

  func turnEnded() {
    switch state {
    case .closed: return
    case .connecting: break
    case .handshaking: if pendingEnd == nil { shakeHands() }
    case .open:
      if callsOwnerAtTurnEnd {
        callsOwnerAtTurnEnd = false
        owner?.channelTurnEnded()
      }
      if stream.hasBufferedInput, wantsInput, isOpen {
        deliverInput()
        // The descriptor does not show what is left.
        if stream.hasBufferedInput { loop.awaitTurnEnd(self) }
      }
    case .finishing: break
    }
    flush()
    if let end = pendingEnd {
      let owner = owner
      close(resets: false)
      owner?.channelEnded(end)
      return
    }
    updateInterest()
  }

  private func updateInterest() {
    switch state {
    case .open:
      var interest: Readiness = []
      if wantsInput { interest.insert(readNeedsWritable ? .writable : .readable) }
      if isWriteBlocked { interest.insert(writeNeedsReadable ? .readable : .writable) }
      register(for: interest)
    case .finishing:
      if outbound.count == 0, !hasEndedWriting {
        hasEndedWriting = true
        stream.endWriting()
      }
      register(for: isWriteBlocked ? [.readable, .writable] : .readable)
    case .connecting, .handshaking, .closed: break
    }
  }

  private func register(for interest: Readiness) {
    guard interest != registered, let watch else { return }
    registered = interest
    loop.change(watch, of: stream.descriptor, to: interest)
  }

  /// Reads and drops, until the peer ends or has said too much.
  private func discardInput() {
    let room = 16_384
    // The room lives for the call.
    unsafe withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { scratch in
      switch unsafe stream.read(into: scratch) {
      case .moved(let count):
        finishBudget -= count
        if finishBudget < 0 { close(resets: false) }
      case .wantsRead, .wantsWrite: break
      case .ended, .failed, .refused: close(resets: false)
      }
    }
  }
}
