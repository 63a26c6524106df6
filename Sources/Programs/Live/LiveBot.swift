internal import MartletAlerts
internal import MartletBase
internal import MartletBook
internal import MartletClock
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletJournalFile
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRecord
internal import MartletRisk
internal import MartletSecrets
internal import MartletStrategies
internal import MartletTransport
internal import MartletVenueKit
internal import WhiteBITSession
internal import WhiteBITWire

/// One bot's kernel with its world around it: journal, sockets, clock, on one thread.
///
/// Every input is journaled before it acts and every effect before it leaves; what leaves is then
/// signed and handed to the transport. Nothing here decides.
final class LiveBot: RESTClientDelegate, WebSocketClientDelegate {
  typealias Driver = KernelDriver<WhiteBITSession, BuiltInStrategy, JournalFileSink>

  private(set) var driver: Driver
  /// From a frame's bytes in user memory to its last signed order at the transport.
  private(set) var frameToOrder = LatencyHistogram()
  /// Why the journal can no longer be written; nothing leaves after that.
  private(set) var journalFault: JournalFault?
  private(set) var history = BotHistory()
  /// Where a person is told what happens.
  let alerts: LiveAlerts
  private let plan: BotPlan
  /// The fingerprint of the key.
  private let keyName: String
  private let hasPrivateStream: Bool
  /// What the books held when the fills that are compared with the venue's began.
  private var starts: LedgerStarts
  private let placedBefore: UInt64
  /// When this process began.
  let startedAt: Timestamp
  private var earlier = EarlierFills()
  /// How the last flatten ended.
  private(set) var lastFlattenWasWhole = false
  /// Why the venue would not act for our key, as it first said.
  private(set) var keyProblem: KeyProblem?
  /// How the journal's disk stands, as the kernel was last told.
  private(set) var journalState = JournalState.sound
  /// Called once, when this run must end while its journal can still tell of the end.
  var onJournalEnding: (() -> Void)?
  /// Called after each step.
  var onStep: (() -> Void)?
  /// Called once, when clock, rules, prices and balances of the venue are known: nothing that could
  /// change anything there is sent before.
  var onPrepared: (() -> Void)?

  private let loop: EventLoop
  private let venue: VenueAddress
  private let signer: Signer
  private let nonces: NonceClock
  private var rest: RESTClient?
  private var clock = AnchoredClock()
  private var calendar = CalendarWatch()
  /// Connections for requests that had been made when one was last refused: a reply on one of them does
  /// not show that the next would not be. nil while none is.
  private var refusedAt: UInt64?
  private var streams: [(id: StreamID, client: WebSocketClient)] = []
  private var secrets = SecretHandles()
  /// Requests whose replies carry a secret. At most as many as are in flight.
  private var secretRequests: [UInt64] = []
  private var signed = SignedHeaders()
  private var headers = RESTHeaders()
  /// What leaves: body or frame, with nonce and secrets in place.
  private var outgoing = ByteBuffer(capacity: 65_536)
  private var target = ByteBuffer(capacity: 256)
  private var concealed = ByteBuffer(capacity: 4096)
  private var record = ByteBuffer(capacity: 64)
  /// Inputs that a step's own effects caused at once; folded after it, never within.
  private var pending: [VenueInput] = []
  private var isStepping = false
  /// Requests that wait for a nonce that does not lead venue time too far. No more than the session
  /// has in flight.
  private var waiting: [WaitingRequest] = []
  /// The offset that nonces are counted by; nil before the venue's clock was read.
  private var clockOffset: TimeSpan?
  private var timer: LoopTimer?
  private var nonceTimer: LoopTimer?
  private var choreTimer: LoopTimer?
  /// What no order should have to wait for is done this often, ahead of it.
  private static let choreInterval = TimeSpan.milliseconds(500)
  /// Connections kept ready, so that a burst of orders meets no handshake; the library looks at each
  /// of them before a request, which is why there are not more.
  private static let warmConnections = 2
  /// Shorter than an idle connection is used for.
  private static let warmInterval = TimeSpan.seconds(30)
  private var warmAt = LoopTime(nanoseconds: 0)
  /// Nor need the next process fold more than what follows the last state.
  private var stateCadence: StateCadence
  private var isEndedByJournal = false
  private var isDamageTold = false
  private var isCutTold = false
  /// Where the journal is looked at next, by the writer's position.
  private var journalLookAt: UInt64 = 0
  /// Bytes that the journal takes between two chores, on the mean of late.
  private var journalPace = 0
  private var journalAtChore: UInt64 = 0
  /// False when the journal must be looked at behind this step.
  private var isJournalLooked = true

  private struct WaitingRequest {
    let effect: RequestEffect
    let target: [UInt8]
    let body: [UInt8]
  }

  /// - Parameters:
  ///   - key: its fingerprint.
  ///   - start: what the kernel's books hold already; nil when that is nothing.
  init(
    _ loop: EventLoop, driver: consuming Driver, plan: BotPlan, key: String, start: LedgerStart?,
    venue: VenueAddress, signer: consuming Signer, nonces: NonceClock, alerts: LiveAlerts
  ) {
    self.loop = loop
    self.plan = plan
    keyName = key
    starts = LedgerStarts(start)
    self.alerts = alerts
    hasPrivateStream = plan.configuration.whitebit.feed == .websocket
    placedBefore = driver.kernel.counts.placed
    startedAt = clock.now()
    stateCadence = StateCadence(driver.sink.writer)
    self.driver = driver
    self.venue = venue
    self.signer = signer
    self.nonces = nonces
    rest = RESTClient(
      loop, venue.rest, configuration: venue.configuration { $0.inFlight = 256 }, delegate: self)
    timer = LoopTimer(loop) { [weak self] in self?.feed(.timer) }
    nonceTimer = LoopTimer(loop) { [weak self] in self?.sendWaiting() }
    choreTimer = LoopTimer(loop) { [weak self] in self?.doChores() }
  }

  /// Ends every connection; nothing is told any more.
  func stop() {
    timer?.disarm()
    nonceTimer?.disarm()
    choreTimer?.disarm()
    rest?.stop()
    for stream in streams { stream.client.drop() }
    streams = []
  }

  func now() -> Timestamp { clock.now() }

  /// Gives strategies that go on from an earlier run what the configuration says now. Market rules and
  /// last prices must be known.
  ///
  /// - Returns: whether all took it.
  func takeSettings() -> Bool {
    var areTaken = true
    for (index, strategy) in plan.configuration.strategies.enumerated()
    where driver.kernel.strategies[index].strategy.settings != BotPlan.settings(of: strategy) {
      areTaken = change(index, to: strategy) && areTaken
    }
    return areTaken
  }

  /// Gives a strategy other settings.
  ///
  /// - Returns: whether it took them.
  func change(_ index: Int, to strategy: BotConfiguration.Strategy) -> Bool {
    let settings = BotPlan.settings(of: strategy)
    feed(.settings(StrategyID(UInt16(index))), settings.coded().span)
    return driver.kernel.strategies[index].strategy.settings == settings
  }

  // MARK: Inputs

  func feed(_ input: KernelInput) { feed(input, Span()) }

  /// Journals and folds one input, then carries out what it caused.
  func feed(_ input: KernelInput, _ bytes: Span<UInt8>) {
    step(input, bytes)
    // What could not even begin is told at once, but never within the step that asked for it.
    while !pending.isEmpty && journalFault == nil { step(.venue(pending.removeFirst()), Span()) }
    if !isJournalLooked { lookAtJournal() }
    armTimer()
  }

  private func step(_ input: KernelInput, _ bytes: Span<UInt8>) {
    guard journalFault == nil else { return }
    precondition(!isStepping, "an input within a step")
    isStepping = true
    let received = loop.clock()
    do throws(JournalFault) {
      let now = clock.now(at: Timestamp(nanoseconds: received.nanoseconds))
      try driver.decide(input, bytes: bytes, at: now)
      followVenueClock(now, at: Timestamp(nanoseconds: received.nanoseconds))
      if try carryOut(), case .venue(.frame) = input {
        frameToOrder.record(loop.clock() - received)
      }
      try driver.recordNotes(at: now)
    } catch {
      // Nothing more may leave; the dead-man stops being refreshed, and the venue cancels.
      fail(error)
    }
    takeNotes()
    isStepping = false
    // At once, and not with the next chore: from here on nothing more may be begun.
    if journalState != .failed && driver.sink.writer.syncFault != nil { isJournalLooked = false }
    // A busy market fills a short file between two chores.
    if driver.sink.writer.position >= journalLookAt { isJournalLooked = false }
    if listeningSince == .zero && driver.kernel.isReady { listeningSince = driver.kernel.now }
    if onPrepared != nil { tellPrepared() }
    onStep?()
  }

  private func takeNotes() {
    let notes = driver.kernel.notes
    earlier.take(notes)
    starts.follow(driver.kernel)
    for index in notes.indices {
      history.take(notes[index].note)
      if case .flattened(let isWhole) = notes[index].note { lastFlattenWasWhole = isWhole }
      alerts.take(
        notes[index].note, at: driver.kernel.now, isStopping: driver.kernel.isStopping
      ) { isKnown(notes[index].note) }
    }
  }

  private func isKnown(_ note: KernelNote) -> Bool {
    // Before it first trades, what is unknown is an earlier run's.
    guard case .fill(let fill) = note, listeningSince != .zero else { return true }
    return driver.kernel.orders.trace(of: fill.clientOrderID) != nil
  }

  private func fail(_ fault: JournalFault) {
    journalFault = fault
    alerts.raise(.journal, "journal", "\(fault)", at: clock.now())
  }

  /// Tells the kernel, by an input of its own, how the journal's disk stands when that has changed, and
  /// ends the run while the journal can still say so.
  private func lookAtJournal() {
    isJournalLooked = true
    journalLookAt = driver.sink.writer.position + UInt64(driver.sink.writer.segmentBytes / 16)
    guard journalFault == nil else { return }
    let now = clock.now()
    let syncFault = driver.sink.writer.syncFault
    let warning = driver.sink.writer.roomWarning
    let state: JournalState = syncFault != nil ? .failed : warning != nil ? .short : .sound
    if state != journalState, journalState != .failed {
      journalState = state
      if let syncFault {
        alerts.raise(.journal, "journal", "\(syncFault); \(lossOfSync)", at: now)
      } else if let warning {
        alerts.raise(.journalRoom, "journal", "\(warning)", at: now)
      } else {
        alerts.clear(.journalRoom, "journal", "there is room for the next file again", at: now)
      }
      feed(.journal(state))
    }
    lookAtHead(at: now)
    lookAtPacking(at: now)
    lookAtCut(at: now)
    lookAtDamage(at: now)
    guard journalState == .failed || (journalState == .short && driver.sink.writer.room < reserve)
    else { return }
    guard let tell = onJournalEnding else { return }
    onJournalEnding = nil
    isEndedByJournal = true
    tell()
  }

  private func lookAtHead(at now: Timestamp) {
    if let fault = driver.sink.writer.headWarning {
      alerts.set(.journalHead, "journal", "\(fault)", "", holds: true, at: now)
    } else {
      alerts.clear(.journalHead, "journal", "it is kept again", at: now)
    }
  }

  /// Trading does not depend on it: what cannot be put away stays as it was written.
  private func lookAtPacking(at now: Timestamp) {
    if let fault = driver.sink.writer.partWarning {
      alerts.set(.journalPacking, "journal", "\(fault)", "", holds: true, at: now)
      alerts.reword(.journalPacking, "journal", "\(fault)")
    } else {
      alerts.clear(.journalPacking, "journal", "full files are packed again", at: now)
    }
  }

  /// Once, what this start found and could not go on with.
  private func lookAtCut(at now: Timestamp) {
    guard !isCutTold else { return }
    isCutTold = true
    guard let cutOff = driver.sink.writer.recovery.cutOff, cutOff.isMore else { return }
    alerts.raise(
      .journalCut, "journal",
      "cut off behind record \(driver.sink.writer.recovery.lastSequence): \(cutOff); \(cutOff.fault)",
      at: now)
  }

  /// Nor does it on what stands before the state that it began with.
  private func lookAtDamage(at now: Timestamp) {
    guard !isDamageTold, let fault = driver.sink.writer.damage else { return }
    isDamageTold = true
    alerts.raise(.journalDamaged, "journal", fault.finding, at: now)
  }

  /// What is wrong with how the journal is kept while trading goes on, for a person; nil when nothing is.
  var journalWords: String? {
    if let fault = driver.sink.writer.damage {
      return "a record of the past is damaged: \(fault.finding)"
    }
    if let fault = driver.sink.writer.partWarning { return "full files are not packed: \(fault)" }
    return driver.sink.writer.headWarning.map { "its head is not kept: \($0)" }
  }

  /// Room that the end of a run with all its orders and their last fills is sure to find.
  /// What is written in the chores of three seconds, so that a busy market does not take it before.
  private var reserve: Int {
    let segment = driver.sink.writer.segmentBytes
    return min(max(segment / 8, 512 << 10, journalPace * 6), segment / 4 * 3)
  }

  private var lossOfSync: String {
    let synced = driver.sink.writer.syncedSequence
    let last = driver.sink.writer.nextSequence - 1
    return
      "records up to \(synced) are on disk; the \(last - min(synced, last)) behind them outlive this"
      + " process, and may not outlive the machine's next start"
  }

  /// What the journal of this run does not hold for good, for a person; nil when it holds everything.
  var journalLoss: String? {
    if let fault = journalFault {
      return
        "\(fault); it ends with record \(driver.sink.writer.nextSequence - 1), and all up to there is kept;"
        + " what became of orders after it is not in it, and the next run asks the exchange for that"
    }
    switch journalState {
    case .sound: return nil
    case .short where !isEndedByJournal: return nil
    case .short:
      return
        "there is no room for another file, and the run was ended while this one could still tell of it:"
        + " nothing is lost"
    case .failed:
      return "\(driver.sink.writer.syncFault.map { "\($0)" } ?? "a sync failed"); \(lossOfSync)"
    }
  }

  /// Nonces are milliseconds of the venue's clock, whatever this machine's calendar shows.
  private func followVenueClock(_ now: Timestamp, at monotonic: Timestamp) {
    guard driver.kernel.session.isClockKnown, driver.kernel.session.clockOffset != clockOffset
    else { return }
    clockOffset = driver.kernel.session.clockOffset
    nonces.anchor(venueTime: now + driver.kernel.session.clockOffset, at: monotonic)
  }

  private func tellPrepared() {
    switch driver.kernel.session.phase {
    case .idle, .preparing, .stopping, .stopped, .halted: return
    case .waiting, .running:
      let tell = onPrepared
      onPrepared = nil
      tell?()
    }
  }

  /// Appends a record of the edge's own: dead-man news, totals.
  func keep(_ kind: UInt16, lane: RecordLane = .decisions, _ payload: [UInt8]) {
    guard journalFault == nil else { return }
    do throws(JournalFault) {
      _ = try driver.sink.writer.append(
        kind: RecordKind(kind), lane: lane, time: clock.now(), payload: payload.span)
    } catch { fail(error) }
  }

  /// Appends what went over a connection that is not the kernel's.
  ///
  /// Of a reply as much is kept as a segment holds; where the journal has no next file, only its beginning,
  /// so that what room is left holds the run's end.
  ///
  /// - Returns: whether it stands in the journal.
  @discardableResult
  func keep(_ record: SideRecord) -> Bool {
    guard journalFault == nil else { return false }
    let most =
      driver.sink.writer.roomWarning == nil
      ? driver.sink.writer.largestPayload - LiveBot.sideFraming : LiveBot.shortReply
    var payload = ByteBuffer(capacity: 1_024)
    record.clipped(to: most).write(into: &payload)
    keep(
      JournalKind.side, lane: record.party == .deadMan ? .deadMan : .decisions, payload.copy())
    return journalFault == nil
  }

  /// What a side record has beside a reply's body, and more.
  private static let sideFraming = 64
  private static let shortReply = 256

  /// Keeps what a party asks and hears on this thread.
  func sideKeeper(of party: SideRecord.Party) -> SideKeeper {
    { [self] nonce, part in keep(SideRecord(party: party, nonce: nonce, at: now(), part)) }
  }

  /// Brings the journal to disk.
  func sync() {
    guard journalFault == nil, journalState != .failed else { return }
    do throws(JournalFault) { try driver.sink.writer.sync() } catch { fail(error) }
  }

  private func armTimer() {
    let next = driver.kernel.nextDeadline
    guard next < .distantFuture, journalFault == nil else {
      timer?.disarm()
      return
    }
    timer?.arm(after: max(next - clock.now(), .zero))
  }

  // MARK: Effects

  /// - Returns: whether an order left.
  private func carryOut() throws(JournalFault) -> Bool {
    var placed = false
    for index in 0..<driver.kernel.effects.list.count {
      switch driver.kernel.effects.list[index] {
      case .request(let effect):
        if effect.requestClass == .place { placed = true }
        try send(effect)
      case .openStream(let stream): open(stream)
      case .closeStream(let stream): streams.first { $0.id == stream }?.client.close()
      case .sendFrame(let stream, let range, let hasSecret):
        outgoing.removeAll()
        copy(range, hasSecret: hasSecret)
        if let client = streams.first(where: { $0.id == stream })?.client {
          SignedRequest.send(outgoing, to: client)
        }
      }
    }
    return placed
  }

  private func copy(_ range: ByteRange, hasSecret: Bool) {
    SignedRequest.copy(range, from: driver.kernel.effects.bytes, to: &outgoing)
    guard hasSecret else { return }
    let frame = outgoing.copy()
    outgoing.removeAll()
    do throws(SecretHandles.UnknownHandle) {
      try secrets.reveal(frame.span, into: &outgoing)
    } catch {
      // A secret forgotten long ago: the venue refuses the handle, and the session asks anew.
      outgoing.append(frame.span)
    }
  }

  private func send(_ effect: RequestEffect) throws(JournalFault) {
    if effect.requestClass == .place, let fault = driver.sink.writer.syncFault {
      // The last gate: no order leaves whose record may not outlive a power cut that was to be outlived.
      return giveUp(effect, "not sent, since the journal failed: \(fault)")
    }
    outgoing.removeAll()
    SignedRequest.copy(effect.body, from: driver.kernel.effects.bytes, to: &outgoing)
    target.removeAll()
    SignedRequest.copy(effect.target, from: driver.kernel.effects.bytes, to: &target)
    if effect.isReplySecret { secretRequests.append(effect.id.number) }
    switch effect.signing {
    case .none: transmit(effect)
    case .whitebit:
      // Nonces leave in the order of the requests.
      if waiting.isEmpty { try sign(effect) } else { wait(effect) }
    }
  }

  private func wait(_ effect: RequestEffect) {
    waiting.append(
      WaitingRequest(effect: effect, target: target.copy(), body: outgoing.copy()))
  }

  private func sign(_ effect: RequestEffect) throws(JournalFault) {
    let outcome: NonceClock.Outcome
    do throws(NonceFault) {
      outcome = try nonces.next(at: SystemClock.monotonic())
    } catch {
      // The last nonce cannot be kept: nothing was sent, and the session is told just that.
      giveUp(effect, "\(error)")
      return
    }
    switch outcome {
    case .wait(let span):
      wait(effect)
      nonceTimer?.arm(after: span)
    case .nonce(let nonce):
      record.removeAll()
      record.append(word: effect.id.number)
      record.append(word: nonce)
      _ = try driver.sink.append(
        kind: JournalKind.nonce, at: clock.now(), record, Span())
      signer.sign(
        effect.signing, body: ByteRange(start: 0, count: outgoing.count), in: &outgoing,
        nonce: nonce, into: &signed)
      transmit(effect)
    }
  }

  private func sendWaiting() {
    let held = waiting
    waiting.removeAll(keepingCapacity: true)
    do throws(JournalFault) {
      for request in held {
        outgoing.removeAll()
        outgoing.append(request.body.span)
        target.removeAll()
        target.append(request.target.span)
        if waiting.isEmpty { try sign(request.effect) } else { wait(request.effect) }
      }
    } catch { fail(error) }
    while !pending.isEmpty && journalFault == nil { step(.venue(pending.removeFirst()), Span()) }
    armTimer()
  }

  private func transmit(_ effect: RequestEffect) {
    guard let rest else { return }
    do {
      if effect.signing == .none {
        headers.removeAll()
      } else {
        try SignedRequest.fill(&headers, signer, signed)
      }
      try SignedRequest.send(effect, to: rest, target: target, headers: headers, body: outgoing)
    } catch {
      giveUp(effect, "request not sent: \(error)")
    }
  }

  /// No byte of it left: the session is told just that, behind this step.
  private func giveUp(_ effect: RequestEffect, _ reason: String) {
    secretRequests.removeAll { $0 == effect.id.number }
    alerts.raise(.requestFailed, "request", reason, at: clock.now())
    pending.append(.requestFailed(effect.id, .notSent))
  }

  // MARK: RESTClientDelegate

  func rest(
    _ client: RESTClient, replied request: UInt64, status: UInt16, head: Span<UInt8>,
    body: Span<UInt8>
  ) {
    if let made = refusedAt, client.connectionsMade > made {
      refusedAt = nil
      alerts.clear(.tlsRefused, "requests", "the exchange proves who it is again", at: clock.now())
    }
    if status != 200, keyProblem == nil { keyProblem = KeyProblem(status: status, body: body) }
    let input = KernelInput.venue(.response(RequestID(request), status: status))
    guard let index = secretRequests.firstIndex(of: request) else { return feed(input, body) }
    secretRequests.remove(at: index)
    concealed.removeAll()
    _ = secrets.conceal("websocket_token", in: body, into: &concealed)
    // A copy: folding may send, and sending may conceal nothing but could grow buffers.
    let safe = concealed.copy()
    feed(input, safe.span)
  }

  func rest(_ client: RESTClient, failed request: UInt64, _ fault: RESTFault) {
    secretRequests.removeAll { $0 == request }
    if let refusal = fault.refusal, refusal.isRefusal {
      refusedAt = client.connectionsMade
      alerts.raise(.tlsRefused, "requests", "\(refusal)", at: clock.now())
    } else {
      alerts.raise(
        .requestFailed, "request", "a request to the exchange failed: \(fault)", at: clock.now())
    }
    let failure: RequestFailure =
      switch fault.failure {
      case .notSent: .notSent
      case .timedOut: .timedOut
      case .broken: .broken
      case .malformed: .malformed
      }
    feed(.venue(.requestFailed(RequestID(request), failure)))
  }

  // MARK: Streams

  private func open(_ stream: StreamID) {
    let client: WebSocketClient
    if let known = streams.first(where: { $0.id == stream })?.client {
      client = known
    } else {
      client = WebSocketClient(loop, venue.websocket, tls: venue.tls, delegate: self)
      streams.append((stream, client))
    }
    guard client.isIdle else { return }
    do throws(SystemFault) { try client.connect() } catch {
      alerts.raise(.requestFailed, "stream \(stream.index)", "\(error)", at: clock.now())
      pending.append(.streamClosed(stream))
    }
  }

  private func id(of client: WebSocketClient) -> StreamID? {
    streams.first { $0.client === client }?.id
  }

  /// Connects before it is needed, and keeps connections from growing old; sets nonces aside.
  private func doChores() {
    choreTimer?.arm(after: LiveBot.choreInterval)
    let position = driver.sink.writer.position
    journalPace += (Int(position - journalAtChore) - journalPace) / 4
    journalAtChore = position
    // What fails here is tried again, and told, by the request that needs it.
    try? nonces.reserveAhead(at: SystemClock.monotonic())
    lookAtCalendar()
    lookAtJournal()
    // A state may be large; one that finds no room would end the run.
    if journalState == .sound, stateCadence.isDue(driver.sink.writer) { keepState() }
    guard warmAt <= loop.clock() else { return }
    warmAt = loop.clock() + LiveBot.warmInterval
    let target = Array("/api/v4/public/time".utf8)
    try? rest?.prewarm(LiveBot.warmConnections, target: target.span, timeout: .seconds(5))
  }

  private func keepState() {
    guard journalFault == nil else { return }
    let payload = StateRecord.payload(plan, key: keyName, driver.kernel)
    do throws(JournalFault) {
      _ = try driver.sink.writer.append(
        kind: RecordKind(JournalKind.snapshot), time: clock.now(), payload: payload.span)
    } catch {
      // One that there is no room for is left out: what follows is then folded from the one before.
      switch error {
      case .diskFull, .payloadTooLarge: break
      default: fail(error)
      }
    }
    stateCadence.wrote(payload.count, driver.sink.writer)
  }

  /// Our clock counts on by itself; a calendar that is set is told to the session, which knows the
  /// venue's. A calendar that was wrong when we began, or a machine that slept, is put right: then the
  /// calendar is nearer to the venue's clock than ours is, which follows it.
  private func lookAtCalendar() {
    guard !isOver, let reading = CalendarReading.take() else { return }
    let track = driver.kernel.session.clockTrack
    if driver.kernel.session.isClockSkewed,
      track.calendarOffset.magnitude < track.offset.magnitude
    {
      clock.anchor(wall: reading.wall, at: reading.monotonic)
    }
    if let move = calendar.look(at: reading, against: clock.now(at: reading.monotonic)) {
      feed(.venue(.calendar(lead: move.lead, step: move.step)))
    }
  }

  func webSocketOpened(_ client: WebSocketClient) {
    warmAt = loop.clock()
    doChores()
    guard let stream = id(of: client) else { return }
    alerts.clear(
      .tlsRefused, "stream \(stream.index)", "the exchange proves who it is again", at: clock.now())
    feed(.venue(.streamOpened(stream)))
  }

  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool) {
    if let stream = id(of: client) { feed(.venue(.frame(stream)), message) }
  }

  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd) {
    guard let stream = id(of: client) else { return }
    switch end {
    case .closedByUs, .closedByPeer: break
    default:
      // What broke this connection may have broken the others without a word.
      rest?.distrustConnections()
      if case .refused(let fault) = end, fault.isRefusal {
        alerts.raise(.tlsRefused, "stream \(stream.index)", "\(fault)", at: clock.now())
      } else {
        alerts.raise(.requestFailed, "stream \(stream.index)", "\(end)", at: clock.now())
      }
    }
    feed(.venue(.streamClosed(stream)))
  }

  var nonceLead: TimeSpan? { nonces.largestLead }

  /// What our own books say, for the comparison with the venue's.
  func ownLedger(_ plan: BotPlan) -> OwnLedger {
    OwnLedger(driver.kernel, prefix: plan.ownPrefix, earlier: earlier.trades, start: starts.current)
  }

  /// Why a strategy trades nothing, when its settings do not fit its instrument.
  var complaint: String? {
    driver.kernel.strategies.lazy.compactMap(\.strategy.complaint).first
  }

  var markets: [KernelMarket] { driver.kernel.markets }

  /// Since when the streams should tell something; zero while they need not.
  private(set) var listeningSince = Timestamp.zero
  var isListening: Bool { listeningSince > .zero && !driver.kernel.isStopping }

  /// Since when the private stream owes what a reply told; `distantFuture` when it owes nothing.
  var privateOwedSince: Timestamp {
    hasPrivateStream ? driver.kernel.privateNews.owedSince : .distantFuture
  }

  /// Whether our figure of an asset and the venue's are the same, as far as both are known.
  func isEven(_ asset: String) -> Bool {
    guard let asset = InlineText(asset), driver.kernel.orders.isQuiescent else { return false }
    return driver.kernel.portfolio.difference(driver.kernel.account, asset) == .zero
  }

  /// What the venue says that the trade account has of an asset, what orders hold included. What it
  /// does not speak of it does not have.
  func tradeBalance(of asset: InlineText) -> Amount {
    driver.kernel.portfolio.ledger(driver.kernel.account, asset)?.told?.total ?? .zero
  }

  /// The venue refused our key: nothing private is asked any more.
  var isKeyRefused: Bool { driver.kernel.session.phase == .halted }

  /// Why trading is halted; nil when it is not.
  var haltReason: HaltReason? { driver.kernel.risk.halt?.reason }
  var isPaused: Bool { driver.kernel.isPaused }
  var isStopping: Bool { driver.kernel.isStopping }
  var isFlattening: Bool { driver.kernel.flattening != nil }

  /// What this run's fills have added to each market's base asset or taken from it.
  var inventory: [FlattenWords.Rest] {
    markets.compactMap { market in
      market.instrument.map {
        FlattenWords.Rest(
          instrument: $0,
          held: driver.kernel.portfolio.position(driver.kernel.account, $0.id).held($0.scale))
      }
    }
  }

  /// What a flatten waits for at the moment.
  var flattenHindrance: String {
    if let problem = keyProblem, isKeyRefused { return "\(problem)" }
    if !driver.kernel.isReady { return "the private side is not connected and reconciled" }
    if workingOrders > 0 { return "\(workingOrders) orders of ours have not ended" }
    for market in markets {
      if market.instrument?.rules.isTrading == false { return "\(market.symbol) takes no orders" }
      if !market.book.isTrusted { return "the book of \(market.symbol) is not known" }
    }
    return
      "no order within a hundredth of the best price sold or bought it all; the alerts name an order"
      + " that a risk rule or the venue refused"
  }

  /// Nothing more will come of this run.
  var isOver: Bool { driver.kernel.isStopped || journalFault != nil }

  /// Whether a balance of every market's assets was taken over, which own books begin with.
  var hasLedger: Bool {
    markets.allSatisfy { market in
      guard let instrument = market.instrument else { return false }
      return [instrument.base, instrument.quote].allSatisfy {
        driver.kernel.portfolio.ledger(driver.kernel.account, $0)?.isAdopted == true
      }
    }
  }

  /// Our orders that are not known to have ended.
  var workingOrders: Int { driver.kernel.orders.workingCount }

  /// Whether anything of this run can rest at the venue at all.
  var mayRest: Bool { workingOrders > 0 || hasPlaced }
  var hasPlaced: Bool { driver.kernel.counts.placed > placedBefore }

  /// What the streams are, for the status.
  var connections: [(name: String, isOpen: Bool)] {
    streams.map { ("stream \($0.id.index)", $0.client.isOpen) }
  }
}
