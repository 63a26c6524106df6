internal import CMartletLinux
internal import Glibc
public import MartletBase

/// What a watched descriptor is ready for.
struct Readiness: OptionSet, Sendable {
  let rawValue: UInt32
  static var readable: Readiness { Readiness(rawValue: UInt32(CMARTLET_READABLE)) }
  static var writable: Readiness { Readiness(rawValue: UInt32(CMARTLET_WRITABLE)) }
  /// The peer ended or the descriptor failed: a read or write will say which.
  static var hangup: Readiness { Readiness(rawValue: UInt32(CMARTLET_HANGUP)) }
}

/// Who is told that a descriptor is ready.
protocol DescriptorHandler: AnyObject {
  func descriptorReady(_ ready: Readiness)
}

/// Who asked to be called at the end of the turn, when no one else's callback is on the stack.
protocol TurnEndHandler: AnyObject {
  /// Kept for the loop: whether the handler is in its list.
  var isAwaitingTurnEnd: Bool { get set }
  func turnEnded()
}

/// One thread's loop over sockets, timers and mail from other threads, on epoll.
///
/// Everything here runs on the thread that calls `turn` or `run`, without a lock; only a `Mailbox` may
/// be touched from elsewhere. What is sent during a turn leaves at its end, so that several messages
/// share a system call; `Channel.flush` sends at once.
public final class EventLoop {
  private struct Watch {
    var generation: UInt32 = 0
    var handler: (any DescriptorHandler)?
  }

  /// A descriptor being watched. The generation tells a late event of a closed one from its heir.
  struct WatchID: Equatable {
    let index: UInt32
    let generation: UInt32
    var tag: UInt64 { UInt64(generation) << 32 | UInt64(index) }
  }

  private static let wakeTag = UInt64.max

  private let epoll: CInt
  private let waker: Waker
  let random = RandomBlock()
  private(set) lazy var names = NameLookup(self)
  private var watches: [Watch] = []
  private var freeWatches: [UInt32] = []
  private var timers: TimerHeap<LoopTimer>
  private var mailboxes: [() -> Void] = []
  private var atTurnEnd: [any TurnEndHandler] = []
  private var atThisTurnEnd: [any TurnEndHandler] = []
  private var events = [cmartlet_event](repeating: cmartlet_event(tag: 0, ready: 0), count: 64)
  private var isStopped = false
  private var isTurning = false

  /// - Parameter timers: the most timers armed at once; each connection and request takes one or two.
  /// - Throws: `SystemFault` when the process is out of descriptors.
  public init(timers: Int = 16_384) throws(SystemFault) {
    waker = try Waker()
    self.timers = TimerHeap(capacity: timers)
    epoll = try SystemFault.check("epoll_create1", cmartlet_epoll_create())
    ignoreBrokenPipes()
    let result = cmartlet_epoll_add(
      epoll, waker.descriptor, UInt32(CMARTLET_READABLE), Self.wakeTag)
    guard result == 0 else {
      close(epoll)
      throw SystemFault("epoll_ctl", errno: -result)
    }
  }

  deinit { close(epoll) }

  /// The monotonic clock, read now.
  public func clock() -> LoopTime { LoopTime(nanoseconds: cmartlet_monotonic_nanoseconds()) }

  // MARK: Running

  /// Turns until `stop` is called.
  public func run() {
    isStopped = false
    while !isStopped { turn() }
  }

  /// Makes `run` return after the turn in progress.
  public func stop() { isStopped = true }

  /// Sends what waits to be sent, waits for something to happen, and handles all that has.
  ///
  /// - Parameter limit: how long to wait at most; zero polls, nil waits as long as it takes.
  public func turn(waitingAtMost limit: TimeSpan? = nil) {
    precondition(!isTurning, "a turn from within a callback of the loop")
    isTurning = true
    defer { isTurning = false }
    endTurn()
    for event in events[..<wait(atMost: limit)] { dispatch(event) }
    fireTimers()
    endTurn()
  }

  private func wait(atMost limit: TimeSpan?) -> Int {
    var nanoseconds = limit.map { max(0, $0.nanoseconds) } ?? -1
    if !atTurnEnd.isEmpty {
      nanoseconds = 0
    } else if timers.count > 0 {
      let due = max(0, timers.nextDeadline.nanoseconds - clock().nanoseconds)
      nanoseconds = nanoseconds < 0 ? due : min(nanoseconds, due)
    }
    let count = unsafe events.withUnsafeMutableBufferPointer { room in
      guard let start = room.baseAddress else { return CInt(0) }
      // The address and the capacity are one array's.
      return unsafe cmartlet_epoll_wait(epoll, start, CInt(room.count), nanoseconds)
    }
    precondition(count >= 0, "epoll_wait failed with error \(-count)")
    return Int(count)
  }

  private func dispatch(_ event: cmartlet_event) {
    if event.tag == Self.wakeTag {
      waker.drain()
      for deliver in mailboxes { deliver() }
      return
    }
    let index = Int(event.tag & 0xFFFF_FFFF)
    // Closed earlier in this turn, and perhaps opened again for someone else.
    guard watches[index].generation == UInt32(event.tag >> 32) else { return }
    watches[index].handler?.descriptorReady(Readiness(rawValue: event.ready))
  }

  private func fireTimers() {
    let now = clock()
    // A timer that is armed for the past by an action waits for the next turn.
    var left = timers.count
    while left > 0, let due = timers.popDue(at: Timestamp(nanoseconds: now.nanoseconds)) {
      due.payload.fire()
      left -= 1
    }
  }

  // MARK: Timers

  func set(_ timer: LoopTimer, at time: LoopTime) -> TimerToken {
    // The heap keeps the monotonic clock's numbers; it only compares them.
    guard let token = timers.set(timer, at: Timestamp(nanoseconds: time.nanoseconds)) else {
      preconditionFailure("more than \(timers.capacity) timers; raise EventLoop(timers:)")
    }
    return token
  }

  func cancel(_ token: TimerToken) { timers.cancel(token) }

  // MARK: Other threads

  /// Makes a mailbox whose messages are handled on this loop's thread, one turn at a time.
  public func mailbox<Message: Sendable>(
    capacity: Int = 1_024, handler: @escaping (Message) -> Void
  ) -> Mailbox<Message> {
    let mailbox = Mailbox<Message>(waker: waker, capacity: capacity)
    mailboxes.append { for message in mailbox.takeAll() { handler(message) } }
    return mailbox
  }

  /// Calls `handler` with SIGINT, SIGTERM or SIGHUP instead of ending the process; SIGHUP stays
  /// ignored where it was, as under `nohup`.
  ///
  /// Call it before any other thread starts: the signals are blocked in this thread and in those it
  /// starts from now on.
  public func catchStopSignals(_ handler: @escaping (StopSignal) -> Void) throws(SystemFault) {
    let descriptor = try SystemFault.check("signalfd", cmartlet_stop_signals_create())
    _ = try watch(
      descriptor, for: .readable, StopSignals(descriptor: descriptor, handler: handler))
  }

  // MARK: Descriptors

  func watch(_ descriptor: CInt, for interest: Readiness, _ handler: any DescriptorHandler)
    throws(SystemFault) -> WatchID
  {
    let index: UInt32
    if let free = freeWatches.last {
      index = free
    } else {
      index = UInt32(watches.count)
      watches.append(Watch())
      freeWatches.append(index)
    }
    let id = WatchID(index: index, generation: watches[Int(index)].generation)
    try SystemFault.check(
      "epoll_ctl", cmartlet_epoll_add(epoll, descriptor, interest.rawValue, id.tag))
    freeWatches.removeLast()
    watches[Int(index)].handler = handler
    return id
  }

  /// Changes what a descriptor is watched for, as long as it is open.
  func change(_ id: WatchID, of descriptor: CInt, to interest: Readiness) {
    let isDone = tryChange(id, of: descriptor, to: interest)
    precondition(isDone, "epoll does not know descriptor \(descriptor), which is watched")
  }

  /// - Returns: false when the descriptor was closed by someone else.
  func tryChange(_ id: WatchID, of descriptor: CInt, to interest: Readiness) -> Bool {
    cmartlet_epoll_change(epoll, descriptor, interest.rawValue, id.tag) == 0
  }

  /// Ends a watch; call it before the descriptor is closed.
  func unwatch(_ id: WatchID, of descriptor: CInt) {
    guard watches[Int(id.index)].generation == id.generation else { return }
    // Nothing to do about a failure: the descriptor is about to close, which ends the watch too.
    _ = cmartlet_epoll_remove(epoll, descriptor)
    watches[Int(id.index)].generation &+= 1
    watches[Int(id.index)].handler = nil
    freeWatches.append(id.index)
  }

  // MARK: The end of a turn

  func awaitTurnEnd(_ handler: any TurnEndHandler) {
    guard !handler.isAwaitingTurnEnd else { return }
    handler.isAwaitingTurnEnd = true
    atTurnEnd.append(handler)
  }

  private func endTurn() {
    // What they ask for in turn is done too, but not for ever: the rest waits for the next turn.
    for _ in 0..<4 where !atTurnEnd.isEmpty {
      swap(&atTurnEnd, &atThisTurnEnd)
      for handler in atThisTurnEnd {
        handler.isAwaitingTurnEnd = false
        handler.turnEnded()
      }
      atThisTurnEnd.removeAll(keepingCapacity: true)
    }
  }
}

/// A peer that has gone must be an error of one write, not the end of the process.
func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

/// What asks a process to stop.
public enum StopSignal: Sendable, BitwiseCopyable {
  /// SIGINT: Ctrl-C.
  case interrupt
  /// SIGTERM: another program, such as a supervisor.
  case terminate
  /// SIGHUP: the terminal is gone.
  case hangup
}

/// Hands over the signals that ask the process to stop.
private final class StopSignals: DescriptorHandler {
  private let descriptor: CInt
  private let handler: (StopSignal) -> Void

  init(descriptor: CInt, handler: @escaping (StopSignal) -> Void) {
    self.descriptor = descriptor
    self.handler = handler
  }

  deinit { close(descriptor) }

  func descriptorReady(_ ready: Readiness) {
    while true {
      let signal = cmartlet_stop_signals_read(descriptor)
      guard signal > 0 else { return }
      handler(signal == SIGINT ? .interrupt : signal == SIGHUP ? .hangup : .terminate)
    }
  }
}
