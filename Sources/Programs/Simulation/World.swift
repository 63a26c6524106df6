public import MartletBase
public import MartletJournalFile
public import MartletKernel
public import MartletModel
internal import MartletRisk
public import MartletSecrets
public import MartletStrategy
public import MartletVenueKit

/// A kernel and its dead-man on one side, a venue's desk on the other, and a network between them, on
/// one virtual clock: the whole wire, and no socket.
///
/// The client's edge is played as the live one works: journal before wire, the real signer and nonce
/// clock, secrets swapped for handles, requests that overtake each other, streams that do not. The
/// network takes `latency` and a part drawn from the seed; what goes wrong is planned. Everything
/// happens in an order that the seed, the data and the plan alone decide.
///
/// - Bounds: `Limits`. A world that grows beyond them is broken, and stops.
public struct World<
  Session: VenueSession & ~Copyable, Strategy: TradingStrategy, Desk: VenueDesk & ~Copyable,
  DeadMan: DeadManMachine
>: ~Copyable {
  public struct Limits: Sendable {
    /// Messages between client and venue at once.
    public var messages = 100_000
    public var trace = 400_000
    /// Steps without time passing: more is a livelock.
    public var stepsAtOnce = 100_000
    /// What the client's transport takes: a longer reply is malformed, a longer frame ends its stream.
    public var replyBytes = 8_388_608
    public var frameBytes = 1_048_576
    public init() {}
  }

  // The two ends.
  var life: Life<Session, Strategy, DeadMan>
  public var desk: Desk
  public internal(set) var now: Timestamp
  /// Journals of the client's earlier processes, oldest first.
  public internal(set) var pastJournals: [MemoryJournal] = []
  /// Why the last process ended whose journal did.
  public private(set) var journalFault: JournalFault?
  /// No client process began without what the one before it knew.
  private(set) var remembersAll = true
  /// When each client process began, oldest first.
  public internal(set) var startTimes: [Timestamp] = []

  // The network.
  /// Each way, for everything.
  public var latency: TimeSpan
  /// Each message takes longer by a part below this, drawn from the seed.
  public var jitter = TimeSpan.zero
  /// Nothing comes through before this, and streams that had something to carry are dead.
  var downUntil = Timestamp.zero
  var faults = FaultPlan()
  public internal(set) var trace: Trace
  let limits: Limits
  var random: SeededRandom
  var queue: [Message] = []
  var order: UInt64 = 0
  var links: [StreamLink] = []
  var lastLink: UInt64 = 0
  var inFlight: [InFlight] = []
  var lastRequest: UInt64 = 0
  var stepsAtOnce = 0

  // What outlives a client process: the account's key, and the last nonce used.
  let signer: Signer
  var signed = SignedHeaders()
  let nonces: NonceClock
  var lastOtherNonce: Int64 = 0
  /// The name of the reply field that carries a secret.
  let secretField: StaticString
  /// The venue's clock less the client's, as the session knows it; nil before it was read.
  let clockOffset: (borrowing Session) -> TimeSpan?
  /// The client's clock less the venue's.
  public private(set) var clientSkew: TimeSpan
  /// The client's calendar less its clock.
  public private(set) var calendarLead = TimeSpan.zero
  /// The client's clock as last told: it never goes back, whatever its calendar does.
  private var lastClientTime = Timestamp.zero

  /// - Parameters:
  ///   - seed: of what the network draws.
  ///   - secretField: in a reply marked secret, the member whose text is hidden from the kernel.
  ///   - clockOffset: the venue's clock less the client's, as a session knows it; nil before it does.
  public init(
    kernel: consuming Kernel<Session, Strategy>, deadMan: DeadMan, desk: consuming Desk,
    credentials: Credentials, start: Timestamp, seed: UInt64, latency: TimeSpan,
    clientSkew: TimeSpan = .zero, secretField: StaticString, limits: Limits = Limits(),
    clockOffset: @escaping (borrowing Session) -> TimeSpan?
  ) {
    life = Life(number: 1, kernel: kernel, deadMan: deadMan, journal: MemoryJournal())
    self.desk = desk
    now = start
    self.latency = latency
    self.clientSkew = clientSkew
    self.limits = limits
    self.secretField = secretField
    self.clockOffset = clockOffset
    random = SeededRandom(seed: seed)
    trace = Trace(capacity: limits.trace)
    signer = Signer(credentials)
    nonces = NonceClock(venueTime: start + clientSkew, at: start)
  }

  public var kernel: Kernel<Session, Strategy> { _read { yield life.driver.kernel } }
  public var deadMan: DeadMan { life.deadMan }
  /// Of the client process that runs, or ran last.
  public var journal: MemoryJournal { life.driver.sink }
  public var isAlive: Bool { life.isAlive }
  /// Which client process this is, from 1.
  public var lifeNumber: Int { life.number }
  /// What the client's clock shows.
  public var clientTime: Timestamp { clientNow }
  /// What a planted bug does; nil for none.
  public var canary: Canary?
  /// Whether it came to what the canary does.
  public internal(set) var hasCanaryStruck = false
  var clientNow: Timestamp { max(now + clientSkew, lastClientTime) }

  /// Whether no message is on its way and no reply is waited for.
  public var isQuiet: Bool { queue.isEmpty && inFlight.isEmpty && life.backlog.isEmpty }

  // MARK: What a person or a day does

  /// Begins the client, as the live program does. The dead-man follows when the venue's clock is
  /// known: before that nothing can be signed.
  public mutating func start() {
    trace.append(.started, life: life.number, at: now)
    startTimes.append(now)
    nonces.anchor(venueTime: clientNow, at: now)
    tell(.venue(.start), [])
  }

  /// - Parameter who: asked for it, as the control socket says it.
  public mutating func command(_ command: OperatorCommand, by who: String = "") {
    tell(.command(command), Array(who.utf8))
  }

  /// Gives a strategy other settings, as it writes them.
  public mutating func change(_ strategy: StrategyID, to settings: [UInt8]) {
    tell(.settings(strategy), settings)
  }

  /// The edge finds that the journal's disk stands otherwise.
  public mutating func journal(_ state: JournalState) { tell(.journal(state), []) }

  /// The client process dies: nothing of it acts any more, and its connections end.
  public mutating func kill() {
    guard life.isAlive else { return }
    trace.append(.killed, life: life.number, at: now)
    life.isAlive = false
    life.driver.sink.mortality.isOver = true
    life.backlog.removeAll()
    life.waiting.removeAll()
    inFlight.removeAll()
    for link in links where !link.isDead { enqueue(.closeAtDesk(link.id), after: latency) }
    links.removeAll()
  }

  /// A new client process with a journal of its own, on the same account; the venue lives on.
  public mutating func restart(
    kernel: consuming Kernel<Session, Strategy>, deadMan: DeadMan
  ) {
    kill()
    remembersAll = false
    pastJournals.append(life.driver.sink)
    life = Life(
      number: life.number + 1, kernel: kernel, deadMan: deadMan, journal: MemoryJournal())
    start()
  }

  /// A new client process that goes on where the last one ended: in the state that the fold of their
  /// journal gives.
  ///
  /// - Parameter makeKernel: a new kernel, as the last process had one.
  /// - Throws: when the journal does not fold to what it holds.
  public mutating func resume(
    deadMan: DeadMan, _ makeKernel: () -> Kernel<Session, Strategy>
  ) throws {
    kill()
    var journal = life.driver.sink
    let state = try World.fold(journal.entries, makeKernel())
    var kernel = makeKernel()
    var reader = SnapshotReader(state)
    try kernel.read(from: &reader)
    journal.mortality.renew()
    var empty = ByteBuffer(capacity: 16)
    empty.removeAll()
    _ = try journal.append(kind: JournalKind.snapshot, at: clientNow, empty, state.span)
    life = Life(number: life.number + 1, kernel: kernel, deadMan: deadMan, journal: journal)
    start()
  }

  /// A new client process whose journal is on a disk, in the state that its caller found there: the
  /// caller has written the process's first records.
  ///
  /// - Parameters:
  ///   - kernel: in that state.
  ///   - records: what the process wrote before it began, each of a kind; what the one before it died
  ///     before writing down is of that one's last moment.
  ///   - death: the process dies behind so many more things that it does, those records included; nil
  ///     for a process that lives on.
  /// - Throws: what kept it from beginning. The process is then dead, and another may be tried.
  public mutating func begin(
    kernel: consuming Kernel<Session, Strategy>, deadMan: DeadMan, on disk: DiskJournal,
    records: [(kind: UInt16, at: Timestamp?, payload: [UInt8])], death: UInt64? = nil
  ) throws {
    kill()
    // It reads the calendar as it is now.
    clientSkew = clientSkew + calendarLead
    calendarLead = .zero
    var journal = MemoryJournal(life.driver.sink, on: disk)
    if let death { journal.mortality.deathAt = journal.mortality.events + death }
    var empty = ByteBuffer(capacity: 16)
    empty.removeAll()
    do throws(MemoryJournal.Fault) {
      for record in records {
        _ = try journal.append(
          kind: record.kind, at: record.at ?? clientNow, empty, record.payload.span)
      }
    } catch {
      // Whatever it wrote stays written, also when it does not come to begin.
      life.driver.sink = journal
      throw error
    }
    life = Life(number: life.number + 1, kernel: kernel, deadMan: deadMan, journal: journal)
    start()
  }

  /// Writes a record of the process's own, such as its state.
  public mutating func keep(_ kind: UInt16, _ payload: [UInt8]) {
    var empty = ByteBuffer(capacity: 16)
    empty.removeAll()
    keep(kind, empty, payload.span)
  }

  /// Appends a record of the edge's own; a process whose journal fails ends there.
  mutating func keep(_ kind: UInt16, _ head: borrowing ByteBuffer, _ body: Span<UInt8>) {
    guard life.isAlive else { return }
    do throws(MemoryJournal.Fault) {
      _ = try life.driver.sink.append(kind: kind, at: clientNow, head, body)
    } catch { end(error) }
  }

  /// The process ends because its journal does, or because it is its time to die.
  mutating func end(_ fault: MemoryJournal.Fault) {
    if case .disk(let fault) = fault { journalFault = fault }
    kill()
  }

  /// Counts something that the process did or that reached it, and ends it there if it is time.
  ///
  /// - Returns: whether it lives on.
  mutating func passes() -> Bool {
    guard life.isAlive, life.driver.sink.mortality.passes() else {
      kill()
      return false
    }
    return true
  }

  /// Has the process die behind so many more things that it does, 1 being the next.
  public mutating func die(after events: UInt64) {
    let mortality = life.driver.sink.mortality
    mortality.deathAt = mortality.events + events
  }

  /// Where the next record of the journal on its disk is due; nil without a disk.
  public var journalPlace: (segment: UInt32, offset: Int)? { life.driver.sink.disk?.place }

  /// Up to where the journal on its disk is known to have reached it; nil without a disk.
  public var syncedSequence: UInt64? { life.driver.sink.disk?.syncedSequence }

  /// What the client's processes wrote, sent and were told, counted.
  public var events: UInt64 { life.driver.sink.mortality.events }

  /// How many of its processes died as `die(after:)` had it.
  public var deaths: Int { life.driver.sink.mortality.deaths }

  private static func fold(
    _ entries: [MemoryJournal.Entry], _ kernel: consuming Kernel<Session, Strategy>
  ) throws -> [UInt8] {
    var replay = Replay(kernel: kernel)
    let first = entries.lastIndex { $0.kind == JournalKind.snapshot } ?? 0
    for entry in entries[first...] {
      if entry.kind == JournalKind.snapshot {
        guard try replay.take(entry.payload) else {
          throw ScenarioFault(description: "a snapshot with something behind its end")
        }
      }
      try replay.feed(
        kind: entry.kind, sequence: entry.sequence, at: entry.time, payload: entry.payload.span)
    }
    return replay.written
  }

  /// The kernel's thread does nothing for this long; its dead-man's does.
  public mutating func hang(for span: TimeSpan) {
    trace.append(.slept(span), life: life.number, at: now)
    life.hungUntil = max(life.hungUntil, now + span)
  }

  /// Every stream breaks now, and both ends hear of it.
  public mutating func cut() {
    for index in links.indices {
      if !links[index].isDead { enqueue(.closeAtDesk(links[index].id), after: .zero) }
      enqueue(.closed(links[index].id, links[index].stream), after: .zero)
      links[index].isDead = true
    }
  }

  /// Somebody sets the client's calendar. Set back, its clock stands until the calendar has caught up.
  public mutating func stepClock(by span: TimeSpan) {
    lastClientTime = clientNow
    clientSkew = clientSkew + span
  }

  /// Somebody sets the client's calendar beside its clock, which counts on by itself, as the live edge's
  /// does; the edge notices, and tells.
  public mutating func setCalendar(by span: TimeSpan) {
    calendarLead = calendarLead + span
    tell(.venue(.calendar(lead: calendarLead, step: span)), [])
  }

  /// Nothing comes through for this long, and nobody is told: streams stay dead behind it.
  public mutating func outage(for span: TimeSpan) {
    downUntil = max(downUntil, now + span)
    for index in links.indices { links[index].isDead = true }
  }

  /// The ways of every stream break now, and neither end hears of it: requests still come through.
  public mutating func halfOpen() {
    for index in links.indices { links[index].isDead = true }
  }

  /// Plans a fault for the first message it fits, after `skip` that go well.
  public mutating func inflict(
    _ kind: NetworkFault.Kind, on target: String, after skip: Int = 0
  ) {
    faults.add(NetworkFault(kind: kind, target: target, skip: skip))
  }

  /// Faults that are planned and did not happen yet.
  public var plannedFaults: [NetworkFault] { faults.planned }

  /// Ends everything that the network was planned to do wrong. The desk's plans are the desk's.
  public mutating func heal() {
    life.driver.sink.mortality.deathAt = .max
    faults.removeAll()
    downUntil = now
    life.hungUntil = min(life.hungUntil, now)
    jitter = .zero
  }

  /// Ends the client's dead-man as a clean stop does, its timers removed.
  public mutating func disarm() {
    life.deadMan.disarm(at: clientNow, effects: &life.deadManEffects, news: &life.news)
    carryOutDeadMan()
  }

  // MARK: Time

  /// Runs for `span`, or until `isDone` says so.
  ///
  /// - Returns: whether `isDone` said so.
  @discardableResult
  public mutating func run(
    for span: TimeSpan, until isDone: (borrowing Self) -> Bool = { _ in false }
  ) -> Bool {
    let deadline = now + span
    while !isDone(self) {
      let next = nextTime
      guard next <= deadline else {
        now = deadline
        return isDone(self)
      }
      if next > now {
        now = next
        stepsAtOnce = 0
      }
      stepsAtOnce += 1
      precondition(
        stepsAtOnce <= limits.stepsAtOnce, "\(limits.stepsAtOnce) steps and no time passes")
      step()
    }
    return true
  }

  private var nextTime: Timestamp {
    var next = desk.nextDeadline
    if let first = queue.first { next = min(next, first.time) }
    guard life.isAlive else { return next }
    for request in inFlight { next = min(next, request.expiresAt) }
    next = min(next, life.nonceAt)
    next = min(next, venueTime(life.deadMan.nextDeadline))
    let kernel = venueTime(life.driver.kernel.nextDeadline)
    next = min(next, life.backlog.isEmpty ? max(kernel, life.hungUntil) : life.hungUntil)
    return next
  }

  /// A deadline of the client's clock on the world's.
  private func venueTime(_ deadline: Timestamp) -> Timestamp {
    deadline == .distantFuture ? deadline : deadline - clientSkew
  }

  /// Does the first thing that is due: the venue's, the network's, then the client's.
  private mutating func step() {
    if desk.nextDeadline <= now {
      var output = DeskOutput()
      desk.advance(to: now, output: &output)
      route(output)
    } else if let first = queue.first, first.time <= now {
      queue.removeFirst()
      deliver(first)
    } else if life.isAlive {
      stepClient()
    }
  }

  private mutating func stepClient() {
    if let index = inFlight.firstIndex(where: { $0.expiresAt <= now }) {
      fail(inFlight.remove(at: index), .timedOut)
    } else if life.nonceAt <= now {
      sendWaiting()
    } else if life.deadMan.nextDeadline <= clientNow {
      // A kernel that waits for news is idle, not hung: its loop turns, and tells so.
      if life.hungUntil <= now { life.deadMan.kernelProgress(at: clientNow) }
      life.deadMan.timer(
        at: clientNow, effects: &life.deadManEffects, news: &life.news)
      carryOutDeadMan()
    } else if life.hungUntil <= now {
      if !life.backlog.isEmpty {
        let first = life.backlog.removeFirst()
        fold(first.input, first.bytes, as: first.event)
      } else if life.driver.kernel.nextDeadline <= clientNow {
        tell(.timer, [])
      }
    }
  }

  // MARK: The client's inputs

  /// Hands the kernel an input, or keeps it while the kernel hangs.
  ///
  /// - Parameter event: goes into the trace when the process reads it.
  mutating func tell(_ input: KernelInput, _ bytes: [UInt8], as event: TraceEntry.Event? = nil) {
    guard life.isAlive else { return }
    // What waits was there first.
    guard life.hungUntil <= now, life.backlog.isEmpty else {
      precondition(life.backlog.count < limits.messages, "a hung kernel's backlog")
      life.backlog.append((input, bytes, event))
      return
    }
    fold(input, bytes, as: event)
  }

  private mutating func fold(_ input: KernelInput, _ bytes: [UInt8], as event: TraceEntry.Event?) {
    if let event { trace.append(event, life: life.number, at: now) }
    let isFirst: Bool
    do throws(MemoryJournal.Fault) {
      try life.driver.decide(input, bytes: bytes.span, at: clientNow)
      isFirst = followVenueClock()
      carryOut()
      guard life.isAlive else { return }
      try life.driver.recordNotes(at: clientNow)
    } catch {
      end(error)
      return
    }
    life.deadMan.kernelProgress(at: clientNow)
    if isFirst {
      life.deadMan.start(at: clientNow, effects: &life.deadManEffects, news: &life.news)
      carryOutDeadMan()
    }
    // The venue refused our key: nothing private is asked any more, by nobody.
    if life.driver.kernel.risk.halt?.reason == .unauthorized { life.deadMan.abandon() }
  }

  /// Counts nonces by the venue's clock from when it is known.
  ///
  /// - Returns: whether it became known just now.
  private mutating func followVenueClock() -> Bool {
    guard let offset = clockOffset(life.driver.kernel.session), offset != life.clockOffset else {
      return false
    }
    defer { life.clockOffset = offset }
    nonces.anchor(venueTime: clientNow + offset, at: now)
    return life.clockOffset == nil
  }

  /// What the dead-man wants sent and says, carried out.
  mutating func carryOutDeadMan() {
    while !life.deadManEffects.list.isEmpty {
      var requests: [PendingRequest] = []
      for case .request(let effect) in life.deadManEffects.list {
        requests.append(PendingRequest(effect, by: .deadMan, in: life.deadManEffects.bytes))
      }
      life.deadManEffects.removeAll()
      for request in requests where life.isAlive { send(request) }
    }
    guard life.isAlive else { return }
    let news = life.news
    life.news.removeAll()
    for item in news {
      switch item {
      case .armed(let until):
        note("armed until \(until.milliseconds)")
        tell(.venue(.deadManArmed(until: until)), [])
      case .lost:
        note("lost")
        tell(.venue(.deadManLost), [])
      case .line(let text): note(text)
      }
    }
  }

  private mutating func note(_ text: String) { keep(JournalKind.deadMan, Array(text.utf8)) }
}
