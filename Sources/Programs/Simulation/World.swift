public import MartletBase
public import MartletKernel
public import MartletStrategy
public import MartletVenueKit

/// A kernel and a venue's desk on one virtual clock: the whole wire, and no socket.
///
/// What the kernel wants sent reaches the desk after `latency`, signed like a live request; what the
/// desk answers comes back after `latency`, as bytes. Everything happens in an order that only the
/// seed, the data and the scripted faults decide.
public struct World<
  Session: VenueSession & ~Copyable, Strategy: TradingStrategy, Desk: VenueDesk & ~Copyable
>: ~Copyable {
  /// A fault to inflict, once, on the first thing that matches.
  public enum Fault: Equatable, Sendable {
    /// The request arrives and acts; its reply does not come back.
    case loseReply(target: String)
    /// The request never arrives; the client sees a time-out.
    case loseRequest(target: String)
    /// The reply is replaced by this status and body, after the request acted.
    case replaceReply(target: String, status: Int, body: [UInt8])
    /// The next frame to the client that holds `text` is dropped.
    case dropFrame(containing: String)
    /// The next frame to the client that holds `text` comes twice.
    case repeatFrame(containing: String)
    /// The next frame to the client that holds `text` is replaced by these bytes.
    case replaceFrame(containing: String, [UInt8])
    /// The next reply to `target` is held back this long; frames overtake it.
    case delayReply(target: String, by: TimeSpan)
  }

  /// How requests get signed here: the same plan and rule as at the live edge.
  public typealias Sign = (_ plan: SigningPlan, _ body: inout [UInt8], _ now: Timestamp) -> [(
    name: String, value: String
  )]

  private enum Delivery {
    case input(VenueInput, [UInt8])
    case request(DeskRequest, [UInt8])
    case open(StreamID, UInt64)
    case frameToDesk(UInt64, [UInt8])
    case closeAtDesk(UInt64)
  }

  public var driver: KernelDriver<Session, Strategy, MemoryJournal>
  public var desk: Desk
  public private(set) var now: Timestamp
  /// Whether the program beside the kernel keeps the dead-man armed; off lets it expire.
  public var latency: TimeSpan
  public var faults: [Fault] = []
  /// Every target requested, in order, with its time: what a trace test looks at.
  public private(set) var requested: [(time: Timestamp, target: String, body: String)] = []
  /// Every frame sent to the venue, in order.
  public private(set) var framesSent: [(time: Timestamp, text: String)] = []

  private let sign: Sign
  private var queue: [(time: Timestamp, order: UInt64, delivery: Delivery)] = []
  private var order: UInt64 = 0
  private var nextConnection: UInt64 = 1
  private var connections: [(stream: StreamID, connection: UInt64)] = []
  private var secretReplies: Set<UInt64> = []
  private var timeouts: [(request: UInt64, at: Timestamp)] = []
  private var isDead = false

  public init(
    kernel: consuming Kernel<Session, Strategy>, desk: consuming Desk, start: Timestamp,
    latency: TimeSpan = .milliseconds(1), keepsJournal: Bool = true, sign: @escaping Sign
  ) {
    driver = KernelDriver(kernel: kernel, sink: MemoryJournal(keepsEntries: keepsJournal))
    self.desk = desk
    now = start
    self.latency = latency
    self.sign = sign
  }

  /// The client's process dies: nothing of it acts any more. Its connections break.
  public mutating func kill() {
    isDead = true
    for entry in connections { desk.closed(entry.connection, at: now) }
    connections = []
  }

  /// Every stream of the client breaks now, without a close frame.
  public mutating func cut() {
    let broken = connections
    connections = []
    for entry in broken {
      desk.closed(entry.connection, at: now)
      feed(.venue(.streamClosed(entry.stream)), [])
    }
  }

  public mutating func feed(_ input: KernelInput, _ bytes: [UInt8]) {
    guard !isDead else { return }
    driver.feed(input, bytes: bytes.span, at: now)
    carryOut()
  }

  /// Runs until `deadline` or until `done` says so, whichever comes first.
  ///
  /// - Returns: whether `done` said so.
  @discardableResult
  public mutating func run(
    until deadline: Timestamp,
    while goesOn: (borrowing Kernel<Session, Strategy>) -> Bool = { _ in true }
  ) -> Bool {
    while goesOn(driver.kernel) {
      let next = nextTime()
      guard next <= deadline else {
        now = deadline
        return false
      }
      now = max(now, next)
      step()
    }
    return true
  }

  private func nextTime() -> Timestamp {
    var next = desk.nextDeadline
    if let first = queue.first { next = min(next, first.time) }
    if !isDead {
      next = min(next, driver.kernel.nextDeadline)
      for timeout in timeouts { next = min(next, timeout.at) }
    }
    return next
  }

  private mutating func step() {
    if desk.nextDeadline <= now {
      var output = DeskOutput()
      desk.advance(to: now, output: &output)
      route(output)
    }
    if let first = queue.first, first.time <= now {
      queue.removeFirst()
      deliver(first.delivery)
      return
    }
    guard !isDead else { return }
    if let index = timeouts.firstIndex(where: { $0.at <= now }) {
      let expired = timeouts.remove(at: index)
      feed(.venue(.requestFailed(RequestID(expired.request), .timedOut)), [])
      return
    }
    if driver.kernel.nextDeadline <= now { feed(.timer, []) }
  }

  private mutating func deliver(_ delivery: Delivery) {
    var output = DeskOutput()
    switch delivery {
    case .input(let input, let bytes):
      if case .response(let request, _) = input {
        guard let index = timeouts.firstIndex(where: { $0.request == request.number }) else {
          return  // The client gave up waiting for it.
        }
        timeouts.remove(at: index)
      }
      if case .frame(let stream) = input, !connections.contains(where: { $0.stream == stream }) {
        return
      }
      feed(.venue(input), bytes)
    case .request(let request, let body):
      desk.receive(request, body: body.span, at: now, output: &output)
    case .open(let stream, let connection):
      desk.opened(connection, at: now, output: &output)
      feed(.venue(.streamOpened(stream)), [])
    case .frameToDesk(let connection, let bytes):
      guard connections.contains(where: { $0.connection == connection }) else { return }
      desk.receive(frame: bytes.span, from: connection, at: now, output: &output)
    case .closeAtDesk(let connection):
      desk.closed(connection, at: now)
    }
    route(output)
  }

  /// Carries out what the last step wants, as the live edge would.
  private mutating func carryOut() {
    for index in 0..<driver.kernel.effects.list.count {
      switch driver.kernel.effects.list[index] {
      case .request(let effect):
        let target = text(effect.target)
        var body = copy(effect.body)
        requested.append((now, target, String(decoding: body, as: UTF8.self)))
        timeouts.append((effect.id.number, now + effect.timeout))
        if takeFault({ $0 == .loseRequest(target: target) }) != nil { continue }
        var headers = sign(effect.signing, &body, now)
        headers.append((name: "Content-Type", value: "application/json"))
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let request = DeskRequest(
          id: effect.id.number, method: body.isEmpty ? "GET" : "POST", path: parts[0],
          query: parts.count > 1 ? parts[1] : "", headers: headers)
        targets[effect.id.number] = parts[0]
        enqueue(.request(request, body), after: latency)
      case .openStream(let stream):
        let connection = nextConnection
        nextConnection += 1
        connections.append((stream, connection))
        enqueue(.open(stream, connection), after: latency)
      case .closeStream(let stream):
        guard let position = connections.firstIndex(where: { $0.stream == stream }) else {
          continue
        }
        let closed = connections.remove(at: position)
        enqueue(.closeAtDesk(closed.connection), after: latency)
        enqueue(.input(.streamClosed(stream), []), after: .zero)
      case .sendFrame(let stream, let range, _):
        framesSent.append((now, text(range)))
        guard let entry = connections.last(where: { $0.stream == stream }) else { continue }
        enqueue(.frameToDesk(entry.connection, copy(range)), after: latency)
      }
    }
  }

  private var targets: [UInt64: String] = [:]

  private mutating func route(_ output: DeskOutput) {
    for item in output.items {
      switch item {
      case .reply(let reply):
        let target = targets.removeValue(forKey: reply.request) ?? ""
        var status = reply.status
        var body = reply.body
        var wait = latency
        if takeFault({ $0 == .loseReply(target: target) }) != nil { continue }
        if case .replaceReply(_, let other, let text)? = takeFault({
          if case .replaceReply(target, _, _) = $0 { true } else { false }
        }) {
          status = other
          body = text
        }
        if case .delayReply(_, let by)? = takeFault({
          if case .delayReply(target, _) = $0 { true } else { false }
        }) {
          wait = wait + by
        }
        enqueue(
          .input(.response(RequestID(reply.request), status: UInt16(clamping: status)), body),
          after: wait)
      case .frame(let connection, let bytes):
        guard let entry = connections.first(where: { $0.connection == connection }) else {
          continue
        }
        var frame = bytes
        let text = String(decoding: bytes, as: UTF8.self)
        if takeFault({
          if case .dropFrame(let part) = $0 { text.contains(part) } else { false }
        }) != nil {
          continue
        }
        if case .replaceFrame(_, let other)? = takeFault({
          if case .replaceFrame(let part, _) = $0 { text.contains(part) } else { false }
        }) {
          frame = other
        }
        enqueue(.input(.frame(entry.stream), frame), after: latency)
        if takeFault({
          if case .repeatFrame(let part) = $0 { text.contains(part) } else { false }
        }) != nil {
          enqueue(.input(.frame(entry.stream), frame), after: latency)
        }
      case .close(let connection, _):
        guard let position = connections.firstIndex(where: { $0.connection == connection }) else {
          continue
        }
        let closed = connections.remove(at: position)
        enqueue(.input(.streamClosed(closed.stream), []), after: latency)
      }
    }
  }

  private mutating func takeFault(_ matches: (Fault) -> Bool) -> Fault? {
    guard let index = faults.firstIndex(where: matches) else { return nil }
    return faults.remove(at: index)
  }

  private mutating func enqueue(_ delivery: Delivery, after wait: TimeSpan) {
    order += 1
    let time = now + wait
    var index = queue.count
    while index > 0 && queue[index - 1].time > time { index -= 1 }
    queue.insert((time, order, delivery), at: index)
  }

  private func text(_ range: ByteRange) -> String { String(decoding: copy(range), as: UTF8.self) }

  private func copy(_ range: ByteRange) -> [UInt8] {
    let bytes = driver.kernel.effects.bytes.span
    return range.indices.map { bytes[$0] }
  }
}
