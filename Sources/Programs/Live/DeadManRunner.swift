internal import MartletAlerts
internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletKernel
internal import MartletModel
internal import MartletRecord
internal import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit
internal import Synchronization
internal import WhiteBITSession
internal import WhiteBITWire

/// Runs the dead-man's machine on a thread and a connection of its own, so that a slow kernel cannot
/// miss a refresh, and tells the kernel what came of it.
final class DeadManRunner {
  /// What the thread tells the kernel's.
  fileprivate enum News: Sendable {
    /// By the monotonic clock: the two threads' calendars may have been set apart.
    case armed(until: Timestamp)
    case lost
    /// Lost to us, because the venue refuses the key: its timers count on, and nobody can cancel before.
    case lostKey
    case event(String)
    case raised(AlertCode, String)
    case cleared(AlertCode, String)
    /// The venue will not let our key count down.
    case refused(KeyProblem?)
    /// Every market's timer as it is now, by the monotonic clock.
    case covers([WhiteBITDeadMan.Cover])
    /// A request that is about to leave, or what came of one, with its time by the monotonic clock.
    case side(SideRecord)
  }

  /// Until when the venue will not have canceled our orders; nil when it is not armed.
  private(set) var armedUntil: Timestamp?
  /// Every market's timer as last told, by the monotonic clock.
  private var lastCovers: [WhiteBITDeadMan.Cover] = []
  /// Until when the run before this one had its timers set; zero when it had none.
  private let former: Timestamp
  private let worker: DeadManWorker
  private let commands: Mailbox<DeadManWorker.Command>
  private var thread: SystemThread?
  private(set) var isAbandoned = false
  /// The venue refused the key for the dead-man's requests.
  private(set) var isRefused = false
  /// Why, in the venue's words as we understand them.
  private(set) var keyProblem: KeyProblem?
  /// Called when `isRefused` becomes true.
  var onRefused: (() -> Void)?
  /// Turns with the kernel's loop: one that waits for news is idle and not hung.
  private var pulse: LoopTimer?
  /// What alerts call it.
  private static let subject = "dead-man"
  private static let pulseInterval = TimeSpan.seconds(5)
  private weak var bot: LiveBot?

  /// - Parameter former: until when the run before this one had its timers set; zero when it had none.
  init(
    _ loop: EventLoop, plan: BotPlan, venue: VenueAddress, credentials: Credentials,
    nonces: NonceClock, bot: LiveBot, former: Timestamp
  ) throws {
    self.former = former
    self.bot = bot
    let settings = plan.configuration.deadMan
    let machine = try WhiteBITDeadMan(
      WhiteBITDeadMan.Parameters(
        timeoutSeconds: settings.timeout.milliseconds / 1000, refresh: settings.refresh,
        grace: settings.grace),
      markets: plan.symbols.enumerated().map {
        WhiteBITSymbol(market: $0.element, instrument: InstrumentID(UInt16($0.offset)))
      })
    worker = try DeadManWorker(machine, venue, credentials, nonces)
    commands = worker.loop.mailbox(capacity: 4) { [unowned worker] in worker.obey($0) }
    let news: Mailbox<News> = loop.mailbox(capacity: 256) { [weak self, weak bot] in
      guard let self, let bot else { return }
      self.hear($0, bot, isEnding: false)
    }
    worker.news = news
    pulse = LoopTimer(loop) { [weak self] in self?.beat() }
  }

  func start() throws {
    let worker = worker
    thread = try SystemThread(name: "dead-man") { worker.run() }
    beat()
  }

  private func beat() {
    noteProgress()
    pulse?.arm(after: DeadManRunner.pulseInterval)
  }

  /// The kernel folded something, or would have.
  func noteProgress() {
    worker.progress.store(SystemClock.monotonic().nanoseconds, ordering: .relaxed)
  }

  /// Asks nothing more and leaves the venue's timers to run out: for a key that the venue refused.
  ///
  /// - Returns: false when that was done before.
  func abandon() -> Bool {
    guard !isAbandoned else { return false }
    // What was armed runs out by itself.
    isAbandoned = true
    commands.post(.abandon)
    return true
  }

  /// Ends the thread, the venue's timers removed first if `disarming`.
  func stop(disarming: Bool) {
    guard let thread else { return }
    commands.post(disarming && !isAbandoned ? .disarm : .quit)
    pulse?.disarm()
    // The loop turns no more: what is asked and heard to the end is written down here, as it comes.
    while !worker.isOver.load(ordering: .acquiring) {
      takeRest()
      SystemClock.sleep(.milliseconds(1))
    }
    thread.join()
    takeRest()
    self.thread = nil
    armedUntil = nil
    lastCovers = worker.covers()
  }

  /// Every market's timer as last told, by a clock that shows `now`; behind `stop` as it was left.
  func covers(at now: Timestamp) -> [WhiteBITDeadMan.Cover] {
    lastCovers.shifted(by: now - SystemClock.monotonic())
  }

  /// What becomes of orders that we cannot take off, as a clause behind “orders may rest”.
  func fateOfOrders(at now: Timestamp) -> String {
    KillSwitchWords.fate(covers(at: now), former: former, at: now)
  }

  private func takeRest() {
    guard let bot else { return }
    for news in worker.news?.takeAll() ?? [] { hear(news, bot, isEnding: true) }
  }

  /// - Parameter isEnding: nothing follows from it any more; it is only written down.
  private func hear(_ news: News, _ bot: LiveBot, isEnding: Bool) {
    func keep(_ text: String) {
      bot.keep(JournalKind.deadMan, lane: .deadMan, Array(text.utf8))
    }
    switch news {
    case .side(let record):
      bot.keep(record.moved(by: bot.now() - SystemClock.monotonic()))
      worker.carrier.take()
    case .armed(let monotonic):
      let until = bot.now() + (monotonic - SystemClock.monotonic())
      keep("armed until \(until.milliseconds)")
      guard !isEnding else { return }
      armedUntil = until
      bot.alerts.clear(.deadManLost, DeadManRunner.subject, "armed again", at: bot.now())
      bot.alerts.clear(.deadManRefresh, DeadManRunner.subject, "refreshed", at: bot.now())
      bot.feed(.venue(.deadManArmed(until: until)))
    case .lost:
      keep("lost")
      guard !isEnding else { return }
      if !isAbandoned { armedUntil = nil }
      bot.alerts.raise(
        .deadManLost, DeadManRunner.subject, "not armed any more: canceling our orders",
        at: bot.now())
      bot.feed(.venue(.deadManLost))
    case .lostKey:
      keep("lost")
      guard !isEnding else { return }
      if !isAbandoned { armedUntil = nil }
      bot.feed(.venue(.deadManLost))
    case .refused(let problem):
      guard !isEnding else { return }
      isRefused = true
      keyProblem = problem
      onRefused?()
    case .covers(let covers): lastCovers = covers
    case .event(let text): keep(text)
    case .raised(let code, let text):
      keep(text)
      guard !isEnding else { return }
      bot.alerts.raise(code, DeadManRunner.subject, text, at: bot.now())
    case .cleared(let code, let text):
      keep(text)
      guard !isEnding else { return }
      bot.alerts.clear(code, DeadManRunner.subject, text, at: bot.now())
    }
  }
}

/// What runs on the dead-man's thread.
///
/// Made by the thread that starts it and touched by its own alone after that, but for `progress`.
private final class DeadManWorker: @unchecked Sendable {
  enum Command: Sendable { case disarm, abandon, quit }

  let loop: EventLoop
  /// When the kernel last moved, by the monotonic clock.
  let progress = Atomic<Int64>(SystemClock.monotonic().nanoseconds)
  var news: Mailbox<DeadManRunner.News>?
  /// The thread does nothing more.
  let isOver = Atomic<Bool>(false)
  /// Brings requests and replies to the journal, with the news.
  let carrier = SideCarrier()
  /// Requests and replies that found no room on their way, since the kernel's thread takes nothing.
  private var unkept = 0
  /// How long a request waits to stand in the journal. One that does not leaves even so: orders are safe by
  /// a timer that is set, and not by one that is written down.
  private static let journalPatience = TimeSpan.milliseconds(20)
  /// So long a removal waits to. One that does not stand there stays here: the timer runs out by itself, and
  /// a next start would not know that it has to wait for it.
  private static let removalPatience = TimeSpan.seconds(1)
  /// Places among the news that requests and replies leave to the rest.
  private static let spareNews = 64
  private var machine: WhiteBITDeadMan
  private let venue: VenueAddress
  private let signer: Signer
  private let nonces: NonceClock
  private var client: BlockingRESTClient?
  private var clock = AnchoredClock()
  private var effects = VenueEffects(capacity: 16, bytes: 4096)
  private var outcomes: [WhiteBITDeadMan.Outcome] = []
  private var signed = SignedHeaders()
  private var headers = RESTHeaders()
  private var body = ByteBuffer(capacity: 512)
  private var timer: LoopTimer?

  init(
    _ machine: WhiteBITDeadMan, _ venue: VenueAddress, _ credentials: Credentials,
    _ nonces: NonceClock
  ) throws {
    loop = try EventLoop(timers: 16)
    self.machine = machine
    self.venue = venue
    self.nonces = nonces
    signer = Signer(credentials)
    timer = LoopTimer(loop) { [unowned self] in self.turn() }
  }

  func run() {
    defer { isOver.store(true, ordering: .releasing) }
    do throws(RESTRefusal) {
      client = try BlockingRESTClient(venue.rest, configuration: venue.configuration())
    } catch {
      tell(.raised(.requestFailed, "no connection to be had: \(error)"))
      tell(.lost)
      return
    }
    machine.start(at: clock.now(), effects: &effects, outcomes: &outcomes)
    turn()
    loop.run()
    timer?.disarm()
    client = nil
  }

  func obey(_ command: Command) {
    switch command {
    case .quit: loop.stop()
    case .abandon: machine.abandon()
    case .disarm:
      machine.disarm(at: clock.now(), effects: &effects, outcomes: &outcomes)
      turn()
      // A timer that could not be removed runs out by itself.
      if machine.nextDeadline == .distantFuture { loop.stop() } else { isEnding = true }
    }
  }

  private var isEnding = false
  /// TLS refused whoever answered last; there is one connection, so a reply shows that it is over.
  private var isRefused = false
  /// What the venue's last refusal of the key was about.
  private var keyProblem: KeyProblem?

  /// Lets the machine act until it waits for a time.
  private func turn() {
    let behind = SystemClock.monotonic().nanoseconds - progress.load(ordering: .relaxed)
    machine.kernelProgress(at: clock.now() - TimeSpan(nanoseconds: max(behind, 0)))
    machine.timer(at: clock.now(), effects: &effects, outcomes: &outcomes)
    while !effects.list.isEmpty {
      let requests = effects.list
      let bytes = effects.bytes.copy()
      effects.removeAll()
      for case .request(let request) in requests { perform(request, bytes) }
    }
    report()
    guard machine.nextDeadline < .distantFuture else {
      if isEnding { loop.stop() }
      return
    }
    // At least once a second, to look at the kernel's progress.
    timer?.arm(after: min(max(machine.nextDeadline - clock.now(), .zero), .seconds(1)))
  }

  private func perform(_ request: RequestEffect, _ bytes: [UInt8]) {
    guard let client else { return }
    body.removeAll()
    body.append(bytes.span.extracting(request.body.indices))
    // What has been handed to the journal until it is known what came of it.
    var asked: Int64?
    do {
      guard case .nonce(let nonce) = try nonces.next(at: SystemClock.monotonic()) else {
        return machine.failed(
          request.id, isSent: false, at: clock.now(), effects: &effects, outcomes: &outcomes)
      }
      if case .whitebit(let nonceOffset) = request.signing {
        asked = nonce
        let isRemoval = DeadManSwitch.isRemoval(body.span)
        let isKept = keep(
          nonce,
          .request(
            target: Array(bytes[request.target.indices]), body: body.copy(),
            nonceOffset: nonceOffset),
          patience: isRemoval ? DeadManWorker.removalPatience : DeadManWorker.journalPatience)
        if isRemoval && !isKept {
          keep(nonce, .failed(Array("not sent: the journal did not take it".utf8)))
          return machine.failed(
            request.id, isSent: false, at: clock.now(), effects: &effects, outcomes: &outcomes)
        }
      }
      signer.sign(
        request.signing, body: ByteRange(start: 0, count: body.count), in: &body, nonce: nonce,
        into: &signed)
      try SignedRequest.fill(&headers, signer, signed)
      let outcome = try SignedRequest.perform(
        request, on: client, target: bytes.span.extracting(request.target.indices),
        headers: headers, body: body)
      asked = nil
      switch outcome {
      case .replied(let status, _, let reply):
        keep(nonce, .reply(status: status, body: reply, length: UInt32(reply.count)))
        if isRefused {
          isRefused = false
          tell(.cleared(.tlsRefused, "the exchange proves who it is again"))
        }
        if let problem = KeyProblem(status: status, body: reply.span) { keyProblem = problem }
        machine.response(
          request.id, status: status, body: reply.span, at: clock.now(), effects: &effects,
          outcomes: &outcomes)
      case .failed(let fault):
        keep(nonce, .failed(Array("\(fault)".utf8)))
        if let refusal = fault.refusal, refusal.isRefusal {
          isRefused = true
          tell(.raised(.tlsRefused, "\(refusal)"))
        } else {
          tell(.event("request failed: \(fault)"))
        }
        machine.failed(
          request.id, isSent: fault.failure != .notSent, at: clock.now(), effects: &effects,
          outcomes: &outcomes)
      }
    } catch {
      if let asked { keep(asked, .failed(Array("not sent: \(error)".utf8))) }
      tell(.raised(.requestFailed, "request not sent: \(error)"))
      machine.failed(
        request.id, isSent: false, at: clock.now(), effects: &effects, outcomes: &outcomes)
    }
  }

  private func report() {
    for outcome in outcomes {
      switch outcome {
      case .armed(let until): tell(.armed(until: SystemClock.monotonic() + (until - clock.now())))
      case .lost: tell(.lost)
      case .refreshFailed(_, let failures):
        let text = "refresh failed \(failures) time(s)"
        tell(failures > 1 ? .raised(.deadManRefresh, text) : .event(text))
      case .withheld:
        tell(.raised(.deadManAbandoned, "the kernel makes no progress: refreshing no more"))
      case .resumed: tell(.cleared(.deadManAbandoned, "the kernel moves again"))
      case .observed: break
      case .missing: tell(.raised(.deadManMissing, "the venue counts no timer: set again"))
      case .unauthorized(let status, let code):
        var text = "the key was refused: HTTP \(status), code \(code)"
        if let keyProblem { text += ": \(keyProblem)" }
        tell(.raised(.keyRefused, text))
        tell(.lostKey)
        tell(.refused(keyProblem))
      case .disarmed: tell(.event("disarmed"))
      case .disarmFailed:
        tell(.event("a timer could not be removed; it runs out by itself"))
      }
    }
    outcomes.removeAll(keepingCapacity: true)
    if machine.covers != told {
      told = machine.covers
      tell(.covers(covers()))
    }
  }

  private var told: [WhiteBITDeadMan.Cover] = []

  /// Every market's timer by the monotonic clock. Of the thread alone, or behind its end.
  func covers() -> [WhiteBITDeadMan.Cover] {
    machine.covers.shifted(by: SystemClock.monotonic() - clock.now())
  }

  private func tell(_ text: DeadManRunner.News) { news?.post(text) }

  /// Hands a request or what came of it to the thread that writes the journal.
  ///
  /// A request stands there before it leaves, unless that thread does not take it within `patience`, as one
  /// that hangs or waits for its disk: then it leaves first, and is written when that thread moves again,
  /// with both times. What it never takes, because its process dies first, is not in the journal.
  ///
  /// - Returns: whether the other thread took it in time.
  @discardableResult
  private func keep(
    _ nonce: Int64, _ part: SideRecord.Part, patience: TimeSpan = .zero
  ) -> Bool {
    guard let news else { return false }
    if unkept > 0,
      news.post(
        .event("\(unkept) requests or replies are not in the journal: too many waited"),
        leaving: DeadManWorker.spareNews)
    {
      unkept = 0
    }
    let record = SideRecord(
      party: .deadMan, nonce: nonce, at: SystemClock.monotonic(), part)
    let (isHanded, isTaken) = carrier.carry(record, patience: patience) {
      news.post(.side($0), leaving: DeadManWorker.spareNews)
    }
    if !isHanded { unkept += 1 }
    return isTaken
  }
}

extension [WhiteBITDeadMan.Cover] {
  /// The same by a clock that shows `span` more; what the venue said by its own clock stays.
  fileprivate func shifted(by span: TimeSpan) -> [WhiteBITDeadMan.Cover] {
    map { cover in
      var moved = cover
      if cover.armedUntil != .zero { moved.armedUntil = cover.armedUntil + span }
      if cover.cancelsBy != .zero { moved.cancelsBy = cover.cancelsBy + span }
      return moved
    }
  }
}
