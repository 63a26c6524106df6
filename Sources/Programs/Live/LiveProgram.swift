internal import CMartletLinux
internal import Glibc
internal import MartletAlerts
public import MartletBase
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

/// Runs one bot from start to stop: configuration and keys, journal, dead-man, kernel, page, and at
/// the end the comparison with the venue's own ledger.
public final class LiveProgram {
  public struct Options {
    public var configurationPath: String
    /// nil runs until told to stop.
    public var duration: TimeSpan?
    /// Looked at twice a second: whether who started this is gone, and nobody will tell it to stop.
    public var isOrphaned: (() -> Bool)?
    /// Nothing but one object at the end on standard output.
    public var isJSON = false
    public var build: String
    /// A person says to know what live trading with this key means.
    public var isUnderstood = false
    /// What earlier runs knew is left alone, as if there had been none.
    public var isFresh = false
    /// The file of the sealed store's passphrase; nil takes it from elsewhere.
    public var passphraseFile: String?
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
    /// Told twice to end, and it did not wait for the venue.
    case interrupted
  }

  /// Nobody has said yet to know what live trading with this key means.
  private struct ConsentMissing: Error, CustomStringConvertible { let description: String }

  /// The journal does not hold what it is known to have held.
  private struct JournalCut: Error, CustomStringConvertible { let description: String }

  /// Another bot's orders rest where this one would trade.
  private struct OtherBots: Error, CustomStringConvertible { let description: String }

  private let options: Options
  private var journalFolder = ""
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
    } catch let fault as JournalFault where fault.isDamage {
      complain(damageWords(fault))
      return .refused
    } catch {
      complain("\(error)")
      return LiveProgram.ending(of: error)
    }
  }

  /// Damage in what a run goes on with: its last segment, the last state, or what follows that.
  private func damageWords(_ fault: JournalFault) -> String {
    """
    \(journalFolder): damaged: \(fault.finding)
      This bot cannot know what it knew: orders, fills, a halt. Nothing was sent.
        - put the file back from a copy, and start again; ./martlet journal verify \(journalFolder) proves all of it
        - if there is no copy, move the folder aside, keep it, and start once with --fresh: balances are then the
          exchange's, profit counts from now, and orders of this bot that still rest are taken off
    """
  }

  /// What a fault means for whoever started this: their settings, a rule, or neither.
  private static func ending(of error: any Error) -> Ending {
    switch error {
    case let fault as ConfigurationFault:
      if case .refused = fault { .refused } else { .misconfigured }
    case SecretsFault.passphrase(.interrupted): .interrupted
    case is SecretsFault, is VenueAddress.Fault: .misconfigured
    case is OtherBots, is ConsentMissing, is JournalCut: .refused
    // Two that write one journal, or use one key, would spoil each other's.
    case JournalFault.inUse, NonceFault.inUse, KeyLockFault.inUse, LocalFault.inUse: .refused
    case is KeyLockFault, is PrivateFileFault: .misconfigured
    case JournalFault.notAJournal, JournalFault.folderMissing, JournalFault.permission,
      JournalFault.newerVersion, NonceFault.permission, NonceFault.folderMissing,
      NonceFault.unreadable:
      .misconfigured
    default: .failed
    }
  }

  private func start() throws -> Ending {
    let plan = try makePlan()
    let configuration = plan.configuration
    journalFolder = configuration.journalFolder
    let credentials = try KeyFit.credentials(
      for: plan, file: options.configurationPath,
      passphrase: PassphraseSource(file: options.passphraseFile))
    try checkAuthorities(of: plan)
    let venue = try VenueAddress(configuration.whitebit)

    let loop = try EventLoop()
    // Before any thread starts, so that none of them takes the signal.
    var onSignal: ((StopSignal) -> Void)?
    try loop.catchStopSignals { onSignal?($0) }

    let startedAt = SystemClock.realtime()
    // Before the journal: a run that may not use the key leaves nothing in it.
    let lock = try KeyLock(credentials, for: configuration.name, at: startedAt)
    let nonces = NonceClock(
      venueTime: startedAt, at: SystemClock.monotonic(),
      file: try NonceFile(
        lock, former: configuration.journalFolder + "/../nonce-\(credentials.fingerprint)"))
    let consent = try consent(to: plan, credentials, at: startedAt)
    makeFolders(configuration.journalFolder)
    makeFolders(configuration.stateFolder)
    let control = LiveControl(
      loop, plan: plan, configurationPath: options.configurationPath, credentials: credentials,
      nonces: nonces)
    defer { control.stop() }
    do throws(LocalFault) { try control.listen() } catch {
      if case .inUse = error { throw error }
      // A bot that trades is worth more than one that can be asked.
      complain("control socket: \(error); no command reaches this run")
    }
    let heads = try UserHeads.book()
    let wrong = try checkHead(of: plan, heads)
    var sink = try openJournal(of: plan, heads)
    var kernel = plan.makeKernel()
    let key = "\(credentials.fingerprint)"
    // Before this run writes anything. What cannot be read cannot tell.
    let removal = (try? LateRemoval.arrivesBy(in: configuration.journalFolder)) ?? .zero
    let start = try goOn(&kernel, of: plan, key: key, in: &sink)
    waitForRemoval(until: removal)
    let formerTimer = kernel.session.armedUntil
    // A run that begins anew forgets what the last one knew, but not that somebody has to let it trade.
    let restraint =
      start == nil && !options.isFresh && sink.writer.recovery.lastSequence > 0
      ? FormerRestraint.last(in: configuration.journalFolder) : FormerRestraint()
    try begin(&sink, plan, key: key, kernel, at: SystemClock.realtime())
    let words =
      consent.map { "consent: \($0)" }
      + (wrong.map { ["fresh: the journal before is \($0)"] } ?? [])
      + (sink.writer.recovery.cutOff.map { ["cut off: \($0); \($0.fault)"] } ?? [])
    for line in words {
      var empty = ByteBuffer(capacity: 16)
      empty.removeAll()
      _ = try sink.append(
        kind: JournalKind.operatorWord, at: startedAt, empty, Array(line.utf8).span)
    }
    let shape = TerminalShape.of(descriptor: 1)
    let alerts = try LiveAlerts(
      loop, plan: plan,
      // One screen shows either a block in place or lines that scroll.
      showsOnTerminal: !options.isJSON && shape.isTerminal && isatty(2) == 1,
      now: { SystemClock.realtime() })
    defer { alerts.finish() }
    let bot = LiveBot(
      loop, driver: KernelDriver(kernel: kernel, sink: sink), plan: plan, key: key, start: start,
      venue: venue, signer: Signer(credentials), nonces: nonces, alerts: alerts)
    let deadMan = try DeadManRunner(
      loop, plan: plan, venue: venue, credentials: credentials, nonces: nonces, bot: bot,
      former: formerTimer)
    let printer = try StatusPrinter(print: print)
    let reporter = LiveReporter(
      loop, bot: bot, plan: plan, deadMan: deadMan, startedAt: startedAt,
      endsAt: options.duration.map { startedAt + $0 }, isQuiet: options.isJSON, printer: printer,
      complain: complain)

    let course = RunCourse(loop, bot: bot, plan: plan, deadMan: deadMan) {
      try RestingOrders(
        plan, venue: venue, signer: Signer(credentials), nonces: nonces,
        keep: bot.sideKeeper(of: .restingOrders)
      ).ofOtherBots()
    }
    onSignal = { course.heard($0) }
    control.serve(bot, reporter)
    if let halt = restraint.halt {
      reporter.haltWords = "halted before this run began anew: \(halt)"
      complain("\(configuration.journalFolder): halted (\(halt)) until ./martlet rearm")
    }
    if restraint.isPaused {
      complain("\(configuration.journalFolder): paused until ./martlet resume")
    }
    reporter.begin()
    course.run(for: options.duration, restraint, isOrphaned: options.isOrphaned)
    onSignal = nil
    control.stop()

    let isClean = bot.isOver && bot.journalFault == nil && course.failure == nil
    // Disarmed only when nothing of ours rests; otherwise the venue's timer is our last friend.
    deadMan.stop(disarming: isClean)
    let doubt = isClean ? nil : doubt(bot, course, deadMan)
    bot.stop()
    if let failure = course.failure {
      // A run that is started again and again must not set ever more nonces aside.
      try? nonces.settle()
      let fault = fault(for: failure, bot: bot, deadMan: deadMan, plan: plan, venue: venue)
      bot.keep(JournalKind.end, Array("\(fault)".utf8))
      bot.sync()
      reporter.end()
      _ = printer.finish(reporter.lastWords())
      throw fault
    }
    let check = try LedgerCheck(
      venue, signer: Signer(credentials), nonces: nonces, keep: bot.sideKeeper(of: .ledgerCheck))
    let ending = finish(
      bot, course, reporter: reporter, printer: printer, plan: plan, doubt: doubt, check: check)
    // The next start need not step over what was set aside; without it, it would.
    try? nonces.settle()
    return course.isHurried ? .interrupted : ending
  }

  /// The file of certificates is mostly missing because the exchange that writes it does not run.
  private func checkAuthorities(of plan: BotPlan) throws {
    guard let file = plan.configuration.whitebit.authorities, unsafe access(file, R_OK) != 0 else {
      return
    }
    let report = BotConfiguration.check(
      plan.configurationText, file: options.configurationPath)
    let log = ConfigurationLog(file: options.configurationPath)
    var message =
      "expected a file of the certificates to trust, found \(file), which cannot be read"
    if plan.configuration.whitebit.endpoint == .local {
      message +=
        "; the local exchange writes it when it starts: ./martlet exchange --venue whitebit --listen"
        + " 127.0.0.1:8481, with --account and --balance"
    }
    log.problem(
      "venue.whitebit.ca", at: report.settings.first { $0.key == "venue.whitebit.ca" }?.position,
      message)
    throw ConfigurationFault.problems(log.problems)
  }

  /// What a person has confirmed of a live bot's key, now or once before, a line a market; none on paper.
  private func consent(
    to plan: BotPlan, _ credentials: Credentials, at now: Timestamp
  ) throws -> [String] {
    let configuration = plan.configuration
    guard configuration.mode == .live else { return [] }
    let consent = try KeyConsent(
      credentials, at: configuration.whitebit.rest, for: plan.symbols.map { "\($0)" })
    if options.isUnderstood { try consent.give(at: now, by: configuration.name) }
    let given = consent.given()
    let new = given.filter { $0.line == nil }.map(\.market)
    guard !new.isEmpty else { return given.compactMap(\.line) }
    let markets = new.joined(separator: ", ")
    let old = given.filter { $0.line != nil }.map(\.market).joined(separator: ", ")
    let cleanSlate =
      configuration.isCleanSlate
      ? "\n  - bot.clean_slate is on: each start cancels every spot order in \(markets) too" : ""
    throw ConsentMissing(
      description: """
        \(options.configurationPath): mode = "live" trades real money at \(configuration.whitebit.rest)
        with \(credentials), and nobody has said yet to know what that means for
        \(markets)\(old.isEmpty ? "" : ", new beside \(old)"):
          - the key may trade and may not withdraw; WhiteBIT tells nobody what a key may do, so look at it
            in the venue's API settings
          - nothing else uses this key, and no other bot trades \(markets) on this account
          - the kill-switch cancels every spot order in \(markets) when the bot falls silent for
            \(configuration.deadMan.timeout.milliseconds / 1_000) s, those placed by hand too\(cleanSlate)
          - what is still missing between this build and real money is in Docs/RealMoney.md
        If all of this is so, run once: ./martlet run \(options.configurationPath) --i-understand
        That is kept for \(markets) with the key's fingerprint in \(consent.path) and in the journal.
        """)
  }

  private func makePlan() throws -> BotPlan {
    let text = try BotConfiguration.text(of: options.configurationPath)
    var seed: UInt64 = 0
    _ = unsafe withUnsafeMutableBytes(of: &seed) {
      // Eight bytes of room, eight asked for.
      unsafe cmartlet_random($0.baseAddress.unsafelyUnwrapped, $0.count)
    }
    return try BotPlan(
      configurationText: text, file: options.configurationPath, seed: seed, build: options.build)
  }

  /// Holds the journal against the head that is kept of it apart, before anything is written to it: a bot
  /// must not trade on a state that forgot.
  ///
  /// - Returns: what is wrong with it and was told to be left alone; nil when nothing is.
  /// - Throws: `JournalCut`.
  private func checkHead(of plan: BotPlan, _ heads: HeadBook) throws -> String? {
    let folder = plan.configuration.journalFolder
    let standing = try heads.standing(of: folder)
    if standing.isSound { return nil }
    guard options.isFresh else {
      throw JournalCut(
        description: """
          \(folder): \(standing)
          This bot would go on from a state that forgot what came after: orders, fills, a halt. Nothing was sent.
            - if the folder was put back from a copy, is on a disk that is not mounted, or was exchanged, put the
              right one in its place and start again
            - if it was removed on purpose, or what is missing is lost for good, start once with --fresh: balances
              are then the exchange's, profit counts from now, and orders of this bot that still rest are taken off
          """)
    }
    complain("\(folder): \(standing); begins anew all the same, as told by --fresh")
    return "\(standing)"
  }

  /// How long the journal's files are where they lie, and a word for a person where there is little room.
  private func fit(_ configuration: BotConfiguration) -> Int {
    let folder = configuration.journalFolder
    let wanted = configuration.journalSegmentBytes
    guard let space = DiskSpace(of: folder) else { return wanted }
    let bytes = space.segmentBytes(atMost: wanted)
    if bytes < wanted {
      complain(
        "\(folder): its file system has \(space.total) bytes: the journal's files are \(bytes) bytes there, not"
          + " segment_bytes = \(wanted)")
    }
    if let words = RetentionWords.words(configuration, in: space, segmentBytes: bytes) {
      complain("\(folder): \(words.found): \(words.todo)")
    }
    return bytes
  }

  /// What a start cut off, behind “record 5 of an earlier run”.
  private static func words(for cutOff: CutOff?) -> String {
    guard let cutOff else { return "" }
    if !cutOff.isMore { return ", whose last record was torn and is cut off (\(cutOff))" }
    return ", behind which nothing proves itself: cut off are \(cutOff)"
  }

  /// Begins a journal, or opens what earlier runs left.
  private func openJournal(of plan: BotPlan, _ heads: HeadBook) throws -> JournalFileSink {
    var journal = JournalOptions(build: options.build)
    journal.segmentBytes = fit(plan.configuration)
    journal.sync =
      switch plan.configuration.journalSync {
      case .behind(let span): .behind(every: span)
      case .each: .eachRecord
      case .atClose: .atClose
      }
    var parting = JournalParting()
    parting.snapshot = RecordKind(JournalKind.snapshot)
    parting.keepMarket = plan.configuration.keepMarket
    parting.keepMarketBytes = plan.configuration.keepMarketBytes
    journal.parting = parting
    journal.heads = heads.keeper(of: plan.configuration.journalFolder)
    journal.provesBehind = true
    // In another boot of the machine: a power cut may have taken any part of what came behind it.
    if case .reached(let kept) = try heads.standing(of: plan.configuration.journalFolder) {
      journal.syncedSequence = kept.head.sequence
    }
    return JournalFileSink(
      writer: try JournalWriter.open(
        folder: plan.configuration.journalFolder, options: journal, at: SystemClock.realtime()))
  }

  /// Brings a new kernel to where the journal's last run ended, unless that cannot or shall not be.
  ///
  /// What the last run's end left unwritten is written first.
  ///
  /// - Returns: what its books hold, which is what this run's fills are added to; nil when it begins
  ///   with nothing.
  /// - Throws: what the journal says against being written, or read.
  private func goOn(
    _ kernel: inout Kernel<WhiteBITSession, BuiltInStrategy>, of plan: BotPlan, key: String,
    in sink: inout JournalFileSink
  ) throws -> LedgerStart? {
    let folder = plan.configuration.journalFolder
    let recovery = sink.writer.recovery
    let torn = LiveProgram.words(for: recovery.cutOff)
    guard recovery.lastSequence > 0 else {
      if recovery.cutOff != nil { complain("\(folder): begins without a record\(torn)") }
      return nil
    }
    func beginAnew(_ why: String) {
      complain(
        "\(folder): begins anew behind record \(recovery.lastSequence) of an earlier run\(torn): \(why);"
          + " balances are the exchange's, profit counts from now, and orders of ours that still rest"
          + " are taken off first")
    }
    guard !options.isFresh else {
      beginAnew("as told by --fresh")
      return nil
    }
    do {
      guard var run = try FormerRun.read(folder, tell: complain) else { return nil }
      guard run.plan.configuration.whitebit.rest == plan.configuration.whitebit.rest else {
        beginAnew(
          "that one traded at \(run.plan.configuration.whitebit.rest), and this one trades at"
            + " \(plan.configuration.whitebit.rest)")
        return nil
      }
      guard run.key == nil || run.key == key else {
        beginAnew(
          "that one used another key, \(run.key ?? ""), and this one uses \(key), which may be another account's"
        )
        return nil
      }
      func traded(_ plan: BotPlan) -> [InlineText] {
        plan.configuration.strategies.map { strategy in
          switch strategy {
          case .grid(let grid): grid.market
          }
        }
      }
      guard traded(run.plan) == traded(plan) else {
        let working = run.kernel.orders.workingCount
        beginAnew(
          "that one traded \(traded(run.plan).map { "\($0)" }.joined(separator: ", ")), and this one trades"
            + " \(traded(plan).map { "\($0)" }.joined(separator: ", "))"
            + (working == 0
              ? ""
              : "; its \(working) orders are left to the kill-switch where this run has no such market")
        )
        return nil
      }
      // Deadlines of that state lie ahead of a calendar that was set back: what is little is waited for.
      let last = max(run.lastTime, run.kernel.now)
      let ahead = last - SystemClock.realtime()
      guard ahead <= LiveProgram.mostClockStep else {
        beginAnew(
          "its last record is of a time \(ahead.milliseconds / 1_000) s ahead of this machine's clock,"
            + " which was set back")
        return nil
      }
      if ahead > .zero {
        complain(
          "\(folder): waits \((ahead.milliseconds + 999) / 1_000) s, until this machine's clock, which was"
            + " set back, has passed the last record")
        SystemClock.sleep(ahead)
      }
      var restored = plan.makeKernel()
      var reader = SnapshotReader(run.state)
      try restored.read(from: &reader)
      do throws(JournalFault) { try run.complete(in: &sink) } catch {
        throw Unwritable(fault: error)
      }
      kernel = restored
      let working = kernel.orders.workingCount
      complain(
        "\(folder): goes on behind record \(recovery.lastSequence) of an earlier run\(torn): \(working)"
          + " \(working == 1 ? "order" : "orders") of ours, \(kernel.counts.fills) fills so far"
          + (kernel.risk.halt.flatMap { $0.reason.endsWithProcess ? nil : $0.reason }
            .map { ", halted (\($0)) until ./martlet rearm" } ?? "")
          + (kernel.isPaused ? ", paused until ./martlet resume" : "")
          + "; what became of them meanwhile is asked of the exchange. --fresh begins without them")
      return LedgerStart(kernel)
    } catch let unwritable as Unwritable {
      throw unwritable.fault
    } catch let fault as JournalFault {
      // Not for a bot to pass over: what cannot be read may have told of orders, fills or a halt.
      throw fault
    } catch {
      beginAnew("its state cannot be gone on with: \(error)")
      return nil
    }
  }

  /// Every start does, also one that begins anew: what the run before asked of the exchange is behind its orders,
  /// and before ours.
  private func waitForRemoval(until arrival: Timestamp) {
    // Behind a calendar that was set back it still takes no longer than it may.
    let wait = min(arrival - SystemClock.realtime(), WhiteBITDeadMan.latestArrival)
    guard wait > .zero else { return }
    complain(
      "\(journalFolder): waits \((wait.milliseconds + 999) / 1_000) s: the run before ended while it removed its"
        + " kill-switch, and the exchange may hear of that late")
    SystemClock.sleep(wait)
  }

  /// The journal takes nothing more, which is no reason to begin it anew.
  private struct Unwritable: Error { let fault: JournalFault }

  /// A calendar that was set back between two runs by no more is waited for.
  public static let mostClockStep = TimeSpan.seconds(15)

  /// Writes this run's first records.
  private func begin(
    _ sink: inout JournalFileSink, _ plan: BotPlan, key: String,
    _ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>, at now: Timestamp
  ) throws {
    var empty = ByteBuffer(capacity: 16)
    empty.removeAll()
    _ = try sink.append(kind: JournalKind.start, at: now, empty, plan.record().span)
    _ = try sink.append(
      kind: JournalKind.snapshot, at: now, empty,
      StateRecord.payload(plan, key: key, kernel).span)
  }

  /// Why it is not known that nothing of ours rests, and what will happen to what does.
  private func doubt(_ bot: LiveBot, _ course: RunCourse, _ deadMan: DeadManRunner) -> String {
    var text =
      if let fault = bot.journalFault {
        "\(fault)"
      } else if bot.isKeyRefused {
        "the exchange refuses the key"
      } else if course.isHurried {
        "ended at once, as asked"
      } else {
        "the exchange did not confirm the stop"
      }
    if !bot.mayRest { return text + "; nothing of this run rests there" }
    text += "; \(bot.workingOrders) orders may rest there"
    text += deadMan.fateOfOrders(at: bot.now())
    if bot.journalFault != nil {
      text +=
        "; ./martlet panic \(options.configurationPath) takes them off at once, without a journal"
    }
    return text
  }

  /// What a failure before the first order is, for whoever wrote the configuration.
  private func fault(
    for failure: RunCourse.Failure, bot: LiveBot, deadMan: DeadManRunner, plan: BotPlan,
    venue: VenueAddress
  ) -> any Error {
    let log = ConfigurationLog(file: options.configurationPath)
    let settings = BotConfiguration.check(
      plan.configurationText, file: options.configurationPath
    ).settings
    func add(_ key: String, _ message: String) {
      log.problem(key, at: settings.first { $0.key == key }?.position, message)
    }
    switch failure {
    case .deadMan(let error), .question(let error): return error
    case .otherBots(let names):
      return OtherBots(
        description: "\(names.count) orders of another Martlet bot rest in"
          + " \(plan.symbols.map { "\($0)" }.joined(separator: ", ")), such as \(names[0]); the market's"
          + " kill-switch can guard one bot only. If that bot runs, stop it, or give this one another"
          + " market or account. If it is dead, its kill-switch takes them off; what is left then, take off"
          + " on the venue's page")
    case .keyRefused:
      add(
        plan.configuration.whitebit.key == nil ? "venue.whitebit.spot_key" : "venue.whitebit.key",
        "the exchange refused it: "
          + ((deadMan.keyProblem ?? bot.keyProblem).map { "\($0)" }
            ?? "expected a KEY:SECRET that it knows, with the right to read balances and to trade")
          + ", where it is now: \(plan.configuration.whitebit.key ?? plan.configuration.whitebit.spotKey ?? "nowhere")"
          + (bot.workingOrders > 0
            ? "; \(bot.workingOrders) orders of ours may rest there\(deadMan.fateOfOrders(at: bot.now()))"
            : "")
      )
    case .noFunds:
      for shortage in MarketFit.shortages(
        of: plan.configuration, markets: bot.markets, balance: { bot.tradeBalance(of: $0) })
      where shortage.isEmpty {
        add(shortage.key, shortage.text)
      }
    case .unfit:
      let configuration = plan.configuration
      let isListed = !bot.markets.contains { $0.instrument == nil }
      for problem in MarketFit.problems(
        of: configuration, markets: bot.markets,
        listed: isListed ? [] : MarketFit.listed(by: venue))
      {
        add(problem.key, problem.message)
      }
    }
    return ConfigurationFault.problems(log.problems)
  }

  private func finish(
    _ bot: LiveBot, _ course: RunCourse, reporter: LiveReporter, printer: StatusPrinter,
    plan: BotPlan, doubt: String?,
    check: consuming LedgerCheck
  ) -> Ending {
    var check = check
    // Told to stop before there was anything to compare, and anything to lose.
    let isUntouched = !bot.hasLedger && !bot.mayRest
    let reconciliation: RunSummary.Reconciliation =
      if let doubt { .notChecked(reason: doubt) } else if isUntouched {
        .notChecked(reason: "ended before it took over any balance; nothing was placed")
      } else { check.compare(bot.ownLedger(plan)) }
    var summary = RunSummary(
      status: reporter.status(), reconciliation: reconciliation,
      replayCommand: "./martlet replay --verify \(plan.configuration.journalFolder)")
    summary.journalLoss = bot.journalLoss
    switch reconciliation {
    case .equal: break
    case .different(let differences):
      bot.alerts.raise(
        .ledgerDiffers, "run", differences.joined(separator: "; "), at: bot.now())
    case .notChecked where isUntouched: break
    case .notChecked(let reason): bot.alerts.raise(.ledgerUnchecked, "run", reason, at: bot.now())
    }
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
    if let loss = bot.journalLoss { complain("journal: \(loss)") }
    if let complaint = bot.complaint { complain("strategy: \(complaint)") }
    guard doubt == nil, bot.complaint == nil, bot.journalLoss == nil else { return .failed }
    if case .equal = reconciliation { return .done }
    if isUntouched && course.isTold { return .done }
    if isUntouched {
      complain("its time was over before it took over any balance: the exchange was not to be had")
    }
    return .failed
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
