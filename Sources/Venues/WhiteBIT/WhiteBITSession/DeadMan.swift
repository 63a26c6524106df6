public import MartletBase
public import MartletModel
public import MartletVenueKit
public import WhiteBITWire

/// Keeps the venue's timers running that cancel our orders when we go quiet.
///
/// A state machine of its own, driven by its own thread, so that a busy kernel cannot miss a refresh;
/// and it refreshes only while the kernel makes progress, so that a hung one is not kept alive by its
/// own heartbeat: then the timers run out, and the venue takes the orders off.
///
/// One timer a market, for spot orders. A timer is counted from the moment its request was sent, which
/// is never later than the venue counts it.
public struct WhiteBITDeadMan: Sendable {
  /// When to refresh, and how long to bear with failure.
  public struct Parameters: Equatable, Sendable {
    /// Seconds until the venue cancels: 5 ... 600.
    public var timeoutSeconds: Int64
    /// From one refresh to the next.
    public var refresh: TimeSpan
    /// From a failure to the next try; at most five seconds.
    public var retryWait: TimeSpan
    /// After this long without a reply a request has failed.
    public var requestTimeout: TimeSpan
    /// A kernel without progress for longer than this is hung.
    public var grace: TimeSpan
    /// How often the venue is asked what it counts.
    public var statusInterval: TimeSpan

    public init(
      timeoutSeconds: Int64 = 60, refresh: TimeSpan = .seconds(45),
      retryWait: TimeSpan = .seconds(2), requestTimeout: TimeSpan = .seconds(3),
      grace: TimeSpan = .seconds(40), statusInterval: TimeSpan = .seconds(20)
    ) {
      self.timeoutSeconds = timeoutSeconds
      self.refresh = refresh
      self.retryWait = retryWait
      self.requestTimeout = requestTimeout
      self.grace = grace
      self.statusInterval = statusInterval
    }

    /// The timeout and refresh that a grid of resting orders is run with.
    public static let grid = Parameters(timeoutSeconds: 120, refresh: .seconds(90))

    /// The latest end of a second try after a refresh that failed as late as it can.
    var worstSecondTry: TimeSpan { refresh + requestTimeout + retryWait + requestTimeout }
  }

  /// Parameters that would not keep orders covered.
  public enum ParameterFault: Error, Equatable, Sendable {
    /// The venue takes 5 to 600 seconds.
    case timeoutOutOfRange(found: Int64)
    /// Every span must be positive, and `retryWait` at most five seconds.
    case spanOutOfRange
    /// A refresh that fails once, and succeeds at the second try, would come too late: the worst case
    /// must stay below the timeout.
    case tooLate(worst: TimeSpan, timeout: TimeSpan)
    case noMarkets
  }

  /// What the program beside the kernel must know.
  public enum Outcome: Equatable, Sendable, BitwiseCopyable {
    /// Every market's timer runs, the first to end not before this.
    case armed(until: Timestamp)
    /// A try failed; the next one follows shortly.
    case refreshFailed(InstrumentID, failures: Int32)
    /// The second try failed too: orders may be canceled soon, and new ones would rest unguarded.
    case lost(InstrumentID)
    /// The kernel makes no progress: timers are left to run out.
    case withheld
    /// The kernel moves again, and timers are refreshed.
    case resumed
    /// What the venue counts: until when, by its own clock.
    case observed(InstrumentID, cancellationTime: Timestamp)
    /// The venue counts no timer that we believe to run; it is set again.
    case missing(InstrumentID)
    /// The key was refused: nothing more is asked, timers are left to run out.
    case unauthorized(status: UInt16, code: Int32)
    /// Every timer was removed.
    case disarmed
    /// A timer could not be removed; it will run out.
    case disarmFailed(InstrumentID)
  }

  enum Phase: UInt8, Sendable {
    case idle
    case running
    case disarming
    case stopped
  }

  struct Timer: Equatable, Sendable {
    let symbol: WhiteBITSymbol
    /// Until when the venue cannot have canceled; zero when no timer runs.
    var armedUntil = Timestamp.zero
    /// When the venue cancels, by its own clock, as it last said; zero when it told of none.
    var cancellationTime = Timestamp.zero
    /// When the venue has canceled at the latest, unless it is set again; zero when no timer is known
    /// to have been set. Later than `armedUntil`: that counts from the sending, this from the answer.
    var cancelsBy = Timestamp.zero
    var dueAt = Timestamp.distantFuture
    /// The request on its way; zero when there is none.
    var request: UInt64 = 0
    var sentAt = Timestamp.zero
    var failures: Int32 = 0
    var isRemoved = false
  }

  public let parameters: Parameters
  private(set) var timers: [Timer]
  private(set) var phase = Phase.idle
  private var lastProgress = Timestamp.zero
  private var isWithheld = false
  private var lastRequest: UInt64 = 0
  private var statusDueAt = Timestamp.distantFuture
  private var statusRequest: UInt64 = 0
  private var statusSentAt = Timestamp.zero
  /// Tries to remove a timer before it is left to run out.
  private static let disarmTries: Int32 = 3

  /// - Throws: `ParameterFault` for parameters under which a single failed refresh could leave orders
  ///   uncovered, and for those the venue refuses.
  public init(
    _ parameters: Parameters, markets: [WhiteBITSymbol]
  ) throws(ParameterFault) {
    guard DeadManSwitch.timeouts.contains(parameters.timeoutSeconds) else {
      throw .timeoutOutOfRange(found: parameters.timeoutSeconds)
    }
    guard !markets.isEmpty else { throw .noMarkets }
    guard parameters.refresh > .zero, parameters.retryWait > .zero,
      parameters.retryWait <= .seconds(5), parameters.requestTimeout > .zero,
      parameters.grace > .zero, parameters.statusInterval > .zero
    else { throw .spanOutOfRange }
    let timeout = TimeSpan.seconds(parameters.timeoutSeconds)
    guard parameters.worstSecondTry < timeout else {
      throw .tooLate(worst: parameters.worstSecondTry, timeout: timeout)
    }
    self.parameters = parameters
    timers = markets.map { Timer(symbol: $0) }
  }

  /// Until when every market is covered; zero when one is not.
  public var armedUntil: Timestamp {
    var until = Timestamp.distantFuture
    for timer in timers { until = min(until, timer.armedUntil) }
    return until
  }

  /// What is known of one market's timer.
  public struct Cover: Equatable, Sendable, BitwiseCopyable {
    public var market: InlineText
    /// Until when the venue cannot have canceled; zero when no timer runs.
    public var armedUntil: Timestamp
    /// When the venue cancels, by its own clock, as it last said; zero when it told of none.
    public var cancellationTime: Timestamp
    /// When the venue has canceled at the latest, unless it is set again, also when nobody refreshes it
    /// any more; zero when no timer is known to have been set.
    public var cancelsBy: Timestamp

    public init(
      market: InlineText, armedUntil: Timestamp, cancellationTime: Timestamp, cancelsBy: Timestamp
    ) {
      self.market = market
      self.armedUntil = armedUntil
      self.cancellationTime = cancellationTime
      self.cancelsBy = cancelsBy
    }
  }

  /// Every market's timer, in the order the markets were given.
  public var covers: [Cover] {
    timers.map {
      Cover(
        market: $0.symbol.market, armedUntil: $0.armedUntil, cancellationTime: $0.cancellationTime,
        cancelsBy: $0.cancelsBy)
    }
  }

  // MARK: Doors

  /// Sets every timer.
  public mutating func start(
    at now: Timestamp, effects: inout VenueEffects, outcomes: inout [Outcome]
  ) {
    guard phase == .idle else { return }
    phase = .running
    lastProgress = now
    for index in 0..<timers.count { timers[index].dueAt = now }
    statusDueAt = now + parameters.statusInterval
    timer(at: now, effects: &effects, outcomes: &outcomes)
  }

  /// The kernel has folded an input, or would have if there had been one.
  public mutating func kernelProgress(at time: Timestamp) {
    lastProgress = max(lastProgress, time)
  }

  /// Removes every timer: for an end that leaves nothing resting, or wants it to rest.
  public mutating func disarm(
    at now: Timestamp, effects: inout VenueEffects, outcomes: inout [Outcome]
  ) {
    guard phase == .running else { return }
    phase = .disarming
    statusDueAt = .distantFuture
    for index in 0..<timers.count {
      timers[index].failures = 0
      // A refresh on its way could set the timer again behind its removal: that comes after.
      timers[index].dueAt = now
    }
    timer(at: now, effects: &effects, outcomes: &outcomes)
  }

  /// Asks nothing more and leaves every timer to run out: for a key that the venue refused.
  public mutating func abandon() { phase = .stopped }

  /// Lets time pass. Call at `nextDeadline` or before.
  public mutating func timer(
    at now: Timestamp, effects: inout VenueEffects, outcomes: inout [Outcome]
  ) {
    guard phase == .running || phase == .disarming else { return }
    giveUpLate(at: now, outcomes: &outcomes)
    if phase == .running { checkProgress(at: now, outcomes: &outcomes) }
    for index in 0..<timers.count
    where timers[index].dueAt <= now && timers[index].request == 0 {
      if phase == .running && isWithheld {
        timers[index].dueAt = now + WhiteBITDeadMan.progressCheck
      } else {
        send(index, at: now, effects: &effects)
      }
    }
    if phase == .running && statusDueAt <= now && statusRequest == 0 && !isWithheld {
      askStatus(at: now, effects: &effects)
    }
  }

  /// A whole reply to one of our requests; others are passed over.
  public mutating func response(
    _ id: RequestID, status: UInt16, body: Span<UInt8>, at now: Timestamp,
    effects: inout VenueEffects, outcomes: inout [Outcome]
  ) {
    let verdict = Faults.verdict(status: status, body: body)
    if id.number == statusRequest {
      statusRequest = 0
      statusDueAt = now + parameters.statusInterval
      if case .accepted = verdict.outcome { readStatus(body, at: now, outcomes: &outcomes) }
    } else if let index = timerIndex(of: id) {
      timers[index].request = 0
      let told = try? DeadManSwitch.readReply(body)
      if case .accepted = verdict.outcome, isTaken(told, index) {
        succeed(index, told, at: now, outcomes: &outcomes)
      } else {
        fail(index, mayHaveActed: !verdict.isDenied, at: now, outcomes: &outcomes)
      }
    } else {
      return
    }
    if case .stop(let code) = verdict.outcome {
      phase = .stopped
      outcomes.append(.unauthorized(status: status, code: code))
    }
    timer(at: now, effects: &effects, outcomes: &outcomes)
  }

  /// One of our requests has no reply.
  ///
  /// - Parameter isSent: something of it may have left us.
  public mutating func failed(
    _ id: RequestID, isSent: Bool = true, at now: Timestamp, effects: inout VenueEffects,
    outcomes: inout [Outcome]
  ) {
    if id.number == statusRequest {
      statusRequest = 0
      statusDueAt = now + parameters.statusInterval
    } else if let index = timerIndex(of: id) {
      timers[index].request = 0
      fail(index, mayHaveActed: isSent, at: now, outcomes: &outcomes)
    } else {
      return
    }
    timer(at: now, effects: &effects, outcomes: &outcomes)
  }

  /// When `timer` next has something to do.
  public var nextDeadline: Timestamp {
    guard phase == .running || phase == .disarming else { return .distantFuture }
    var next = statusRequest == 0 ? Timestamp.distantFuture : statusSentAt + lateAfter
    if phase == .running && !isWithheld {
      next = min(next, lastProgress + parameters.grace)
      if statusRequest == 0 { next = min(next, statusDueAt) }
    }
    for timer in timers {
      next = min(next, timer.request == 0 ? timer.dueAt : timer.sentAt + lateAfter)
    }
    return next
  }

  // MARK: Helpers

  /// How often a hung kernel is looked at again.
  private static let progressCheck = TimeSpan.seconds(1)

  /// When a request whose end nobody told has failed: a lost edge must not stop the retries.
  private var lateAfter: TimeSpan { parameters.requestTimeout + .milliseconds(500) }

  private mutating func giveUpLate(at now: Timestamp, outcomes: inout [Outcome]) {
    for index in 0..<timers.count
    where timers[index].request != 0 && timers[index].sentAt + lateAfter <= now {
      timers[index].request = 0
      fail(index, mayHaveActed: true, at: now, outcomes: &outcomes)
    }
    if statusRequest != 0 && statusSentAt + lateAfter <= now {
      statusRequest = 0
      statusDueAt = now + parameters.statusInterval
    }
  }

  private mutating func checkProgress(at now: Timestamp, outcomes: inout [Outcome]) {
    let isHung = now - lastProgress >= parameters.grace
    if isHung != isWithheld {
      isWithheld = isHung
      outcomes.append(isHung ? .withheld : .resumed)
    }
  }

  private func timerIndex(of id: RequestID) -> Int? {
    for index in 0..<timers.count where timers[index].request == id.number && id.number != 0 {
      return index
    }
    return nil
  }

  private mutating func send(_ index: Int, at now: Timestamp, effects: inout VenueEffects) {
    if phase == .disarming && timers[index].isRemoved { return }
    let market = timers[index].symbol.market
    let seconds = phase == .disarming ? nil : parameters.timeoutSeconds
    timers[index].request = post(.killSwitch, effects: &effects) {
      DeadManSwitch.writeRequest(market: market, seconds: seconds, with: &$0, into: &$1)
    }
    timers[index].sentAt = now
    timers[index].dueAt = .distantFuture
  }

  private mutating func askStatus(at now: Timestamp, effects: inout VenueEffects) {
    statusRequest = post(.killSwitchStatus, effects: &effects) { _, _ in }
    statusSentAt = now
    statusDueAt = .distantFuture
  }

  private mutating func post(
    _ endpoint: Endpoint, effects: inout VenueEffects, fields: FieldWriter
  ) -> UInt64 {
    lastRequest += 1
    let start = effects.bytes.count
    effects.bytes.append(endpoint.path)
    let target = ByteRange(start: start, count: effects.bytes.count - start)
    var body = SignedBody(endpoint, into: &effects.bytes)
    body.fields(into: &effects.bytes, fields)
    let (range, signing) = body.end(into: &effects.bytes)
    effects.append(
      .request(
        RequestEffect(
          id: RequestID(lastRequest), requestClass: .deadMan, target: target, body: range,
          signing: signing, timeout: parameters.requestTimeout)))
    return lastRequest
  }

  /// Whether the body says what was asked for. The reply to a removal is an empty list, or whatever.
  private func isTaken(_ told: DeadManSwitch.Timer?, _ index: Int) -> Bool {
    if phase == .disarming && timers[index].isRemoved { return true }
    guard let timer = told else { return phase == .disarming }
    return timer.market == timers[index].symbol.market && timer.coversSpot
  }

  private mutating func succeed(
    _ index: Int, _ told: DeadManSwitch.Timer?, at now: Timestamp, outcomes: inout [Outcome]
  ) {
    timers[index].failures = 0
    if phase == .disarming {
      // A refresh that was under way when we began to disarm: the removal follows.
      if timers[index].dueAt <= now { return }
      timers[index].armedUntil = .zero
      timers[index].cancellationTime = .zero
      timers[index].cancelsBy = .zero
      timers[index].isRemoved = true
      finishDisarming(outcomes: &outcomes)
      return
    }
    let before = armedUntil
    timers[index].armedUntil =
      timers[index].sentAt + .seconds(parameters.timeoutSeconds)
    timers[index].dueAt = timers[index].sentAt + parameters.refresh
    timers[index].cancellationTime = told?.cancellationTime ?? .zero
    timers[index].cancelsBy = now + .seconds(parameters.timeoutSeconds)
    let after = armedUntil
    if after != before && after != .zero { outcomes.append(.armed(until: after)) }
  }

  /// How long after it was sent a request can still set or remove a timer: the venue refuses one by its
  /// nonce then.
  public static let latestArrival = TimeSpan.seconds(9)

  /// - Parameter mayHaveActed: nobody knows whether the venue has set the timer.
  private mutating func fail(
    _ index: Int, mayHaveActed: Bool, at now: Timestamp, outcomes: inout [Outcome]
  ) {
    let id = timers[index].symbol.instrument
    if mayHaveActed, phase == .running, timers[index].cancelsBy != .zero {
      timers[index].cancelsBy = max(
        timers[index].cancelsBy,
        timers[index].sentAt + WhiteBITDeadMan.latestArrival
          + .seconds(parameters.timeoutSeconds))
    }
    if phase == .disarming && timers[index].dueAt <= now { return }  // An old refresh.
    timers[index].failures = min(timers[index].failures + 1, .max - 1)
    let failures = timers[index].failures
    timers[index].dueAt = now + parameters.retryWait
    if phase == .disarming {
      guard failures >= WhiteBITDeadMan.disarmTries else { return }
      timers[index].dueAt = .distantFuture
      timers[index].isRemoved = true
      outcomes.append(.disarmFailed(id))
      finishDisarming(outcomes: &outcomes)
      return
    }
    outcomes.append(.refreshFailed(id, failures: failures))
    if failures == 2 {
      timers[index].armedUntil = .zero
      outcomes.append(.lost(id))
    }
  }

  private mutating func finishDisarming(outcomes: inout [Outcome]) {
    for timer in timers where !timer.isRemoved { return }
    phase = .stopped
    var isClean = true
    for timer in timers where timer.failures > 0 { isClean = false }
    if isClean { outcomes.append(.disarmed) }
  }

  /// What the venue counts against what we believe.
  private mutating func readStatus(
    _ body: Span<UInt8>, at now: Timestamp, outcomes: inout [Outcome]
  ) {
    var isSeen = Array(repeating: false, count: timers.count)
    do {
      var rows = try Rows<DeadManSwitch.Timer>(body)
      while let row = try rows.next(in: body) {
        for index in 0..<timers.count
        where timers[index].symbol.market == row.market && row.coversSpot {
          isSeen[index] = true
          timers[index].cancellationTime = row.cancellationTime
          outcomes.append(
            .observed(timers[index].symbol.instrument, cancellationTime: row.cancellationTime))
        }
      }
    } catch {
      return  // Asked again at the next interval; the refresh itself is what counts.
    }
    for index in 0..<timers.count
    where !isSeen[index] && timers[index].armedUntil > now && timers[index].request == 0
      && timers[index].sentAt < statusSentAt
    {
      outcomes.append(.missing(timers[index].symbol.instrument))
      timers[index].armedUntil = .zero
      timers[index].cancellationTime = .zero
      timers[index].cancelsBy = .zero
      timers[index].dueAt = now
    }
  }
}

extension Faults.Verdict {
  /// Whether the venue itself says that it has not done what was asked.
  fileprivate var isDenied: Bool {
    switch outcome {
    case .refused, .backOff, .stop: isInVenuesWords
    case .accepted, .inDoubt: false
    }
  }
}
