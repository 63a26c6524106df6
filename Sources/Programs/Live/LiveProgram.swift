internal import CMartletLinux
internal import Glibc
public import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletJournalFile
internal import MartletKernel
internal import MartletModel
internal import MartletPortfolio
internal import MartletRecord
internal import MartletSecrets
internal import MartletStrategies
internal import MartletTransport
internal import MartletVenueKit
internal import WhiteBITSession

/// Runs one bot from start to stop: configuration and keys, journal, dead-man, kernel, page, and at
/// the end the comparison with the venue's own ledger.
public final class LiveProgram {
  public struct Options: Sendable {
    public var configurationPath: String
    /// nil runs until told to stop.
    public var duration: TimeSpan?
    /// Nothing but one object at the end on standard output.
    public var isJSON = false
    public var build: String
    public init(configurationPath: String, build: String) {
      self.configurationPath = configurationPath
      self.build = build
    }
  }

  /// How a run ended.
  public enum Ending: Equatable, Sendable {
    case done
    /// It ran, and something does not hold.
    case failed
    case misconfigured
    case refused
  }

  private let options: Options
  private let print: @Sendable (String) -> Void
  private let complain: (String) -> Void

  /// - Parameters:
  ///   - print: takes what belongs on standard output, as it is; called on a thread of its own, so
  ///     that it may take its time.
  ///   - complain: takes a line for standard error.
  public init(
    _ options: Options, print: @escaping @Sendable (String) -> Void,
    complain: @escaping (String) -> Void
  ) {
    self.options = options
    self.print = print
    self.complain = complain
  }

  public func run() -> Ending {
    do {
      return try start()
    } catch let fault as ConfigurationFault {
      complain("\(fault)")
      if case .refused = fault { return .refused }
      return .misconfigured
    } catch let fault as SecretsFault {
      complain("\(fault)")
      return .misconfigured
    } catch {
      complain("\(error)")
      return .failed
    }
  }

  private func start() throws -> Ending {
    let text = try BotConfiguration.text(of: options.configurationPath)
    var seed: UInt64 = 0
    _ = unsafe withUnsafeMutableBytes(of: &seed) {
      // Eight bytes of room, eight asked for.
      unsafe cmartlet_random($0.baseAddress.unsafelyUnwrapped, $0.count)
    }
    let plan = try BotPlan(
      configurationText: text, file: options.configurationPath, seed: seed, build: options.build)
    let configuration = plan.configuration
    guard let key = configuration.whitebit.key else {
      complain(
        "\(options.configurationPath): [venue.whitebit] key is missing: name where the key is, such as"
          + " key = \"file:keys/whitebit\"")
      return .misconfigured
    }
    let credentials = try Credentials.load(KeyReference(key))
    let venue = try VenueAddress(configuration.whitebit)

    let loop = try EventLoop()
    var isInterrupted = 0
    // Before any thread starts, so that none of them takes the signal.
    var onSignal: (() -> Void)?
    try loop.catchStopSignals { _ in
      isInterrupted += 1
      onSignal?()
    }

    let startedAt = SystemClock.realtime()
    makeFolders(configuration.journalFolder)
    let writer = try JournalWriter.open(
      folder: configuration.journalFolder, options: JournalOptions(build: options.build),
      at: startedAt)
    guard writer.recovery.isNew else {
      complain(
        "\(configuration.journalFolder): holds the journal of an earlier run; name another folder,"
          + " this build continues none yet")
      return .misconfigured
    }
    var sink = JournalFileSink(writer: writer)
    var empty = ByteBuffer(capacity: 16)
    empty.removeAll()
    _ = try sink.append(kind: JournalKind.start, at: startedAt, empty, plan.record().span)

    let nonces = NonceClock(
      venueTime: startedAt, at: SystemClock.monotonic(),
      file: try NonceFile(configuration.journalFolder + "/../nonce-\(credentials.fingerprint)"))
    let bot = LiveBot(
      loop, driver: KernelDriver(kernel: plan.makeKernel(), sink: sink), venue: venue,
      signer: Signer(credentials), nonces: nonces)
    let deadMan = try DeadManRunner(
      loop, plan: plan, venue: venue, credentials: credentials, nonces: nonces, bot: bot)
    let printer = try StatusPrinter(print: print)
    let reporter = LiveReporter(
      loop, bot: bot, plan: plan, deadMan: deadMan, startedAt: startedAt,
      endsAt: options.duration.map { startedAt + $0 }, isQuiet: options.isJSON, printer: printer,
      complain: complain)

    // Until nothing of ours rests, or it is clear that this cannot be waited for.
    var isStopping = false
    let giveUp = LoopTimer(loop) { loop.stop() }
    let stop = {
      guard !isStopping else { return loop.stop() }
      isStopping = true
      bot.feed(.command(.stop))
      giveUp.arm(after: .seconds(15))
    }
    let end = LoopTimer(loop, action: stop)
    onSignal = stop
    bot.onStep = {
      deadMan.noteProgress()
      if bot.driver.kernel.isStopped || bot.journalFault != nil { loop.stop() }
    }
    if let duration = options.duration { end.arm(after: duration) }
    // The dead-man's requests are signed, and a nonce by a clock that is wrong is refused.
    var startFault: (any Error)?
    bot.onVenueClock = {
      do { try deadMan.start() } catch {
        startFault = error
        loop.stop()
      }
    }
    bot.feed(.venue(.start))
    reporter.begin()
    loop.run()
    if let startFault { throw startFault }
    end.disarm()
    giveUp.disarm()
    onSignal = nil

    let isClean = bot.driver.kernel.isStopped && bot.journalFault == nil
    // Disarmed only when nothing of ours rests; otherwise the venue's timer is our last friend.
    deadMan.stop(disarming: isClean)
    bot.stop()
    return finish(
      bot, reporter: reporter, printer: printer, plan: plan, isClean: isClean,
      check: try LedgerCheck(venue, signer: Signer(credentials), nonces: nonces))
  }

  private func finish(
    _ bot: LiveBot, reporter: LiveReporter, printer: StatusPrinter, plan: BotPlan, isClean: Bool,
    check: consuming LedgerCheck
  ) -> Ending {
    var check = check
    let reconciliation: RunSummary.Reconciliation =
      isClean
      ? check.compare(bot.ownLedger(plan))
      : .notChecked(reason: bot.journalFault.map { "\($0)" } ?? "the stop was not confirmed")
    let summary = RunSummary(
      status: reporter.status(), reconciliation: reconciliation,
      replayCommand: "./martlet replay --verify \(plan.configuration.journalFolder)")
    var report = ByteBuffer()
    summary.writeJSON(into: &report)
    bot.keep(JournalKind.end, report.copy())
    bot.sync()
    reporter.end()
    let words =
      options.isJSON
      ? String(report.span) + "\n" : summary.text(on: TerminalShape.of(descriptor: 1))
    if !printer.finish(reporter.lastWords() + words) {
      complain("nobody reads the standard output; the summary is the journal's last record")
    }
    if let fault = bot.journalFault { complain("journal: \(fault)") }
    if let complaint = bot.complaint { complain("strategy: \(complaint)") }
    guard isClean, bot.complaint == nil, case .equal = reconciliation else { return .failed }
    return .done
  }

  private func makeFolders(_ path: String) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += (made.isEmpty || made == "/" ? "" : "/") + part
      // What cannot be made is told by who opens what should be in it.
      _ = unsafe mkdir(made, 0o700)
    }
  }
}
