internal import MartletBase
internal import MartletConfiguration
internal import MartletExchange
internal import MartletJournalFile
internal import MartletKernel
internal import MartletLive
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRecord
internal import MartletRisk
internal import MartletSecrets
internal import MartletSimulation
internal import MartletStrategies
internal import MartletVenueKit
internal import WhiteBITDesk
internal import WhiteBITSession

/// One day of a bot on a simulated venue, network, machine and disk, with everything that goes wrong
/// drawn from one seed.
///
/// The bot is the one of a plan: its kernel, session, journal and recovery are those of a live process.
/// After the trouble the world heals and must settle; then what is left is held against the exchange's
/// own books.
struct ChaosDay: ~Copyable {
  /// What the caller may choose.
  struct Settings: Sendable {
    /// How long trouble comes.
    var span = TimeSpan.seconds(300)
    /// Troubles at least and at most.
    var troubles: ClosedRange<Int64> = 16...40
    var canary: Canary?
    var isKept = false
    /// What a day must have seen; it goes on, for ten minutes at most, until it has.
    var least = (messages: 5_000, orders: 100)
    /// A short session with trouble of network and venue alone, whose process dies behind this event.
    var deathPoint: UInt64?
    var isShort = false
  }

  let scenario: WhiteBITScenario
  let plan: BotPlan
  let settings: Settings
  var world: WhiteBITWorld
  let disk = SimulatedDisk()
  let journalID: JournalID
  var random: SeededRandom
  var outcome: ChaosOutcome
  /// When there is somebody to start the process again; nil while it runs.
  var startsAt: Timestamp?
  /// What ends by itself, and when.
  var endings: [(at: Timestamp, what: Ending)] = []
  /// The death that is to come takes the machine too.
  var losesPower = false
  /// Deaths at a point or of a trouble that are buried.
  var deaths = 0
  /// It did, since a process last ran.
  var hasLostPower = false
  /// What a start since then found, that did not come to begin.
  var foundBefore: UInt64?
  /// How long nobody will be there.
  var away = TimeSpan.zero
  var isFirst = true
  var orderSide = false

  enum Ending {
    case latency, disk, syncs, pause, halt, maintenance, calendar
  }

  private init(
    _ plan: BotPlan, seed: UInt64, settings: Settings, _ scenario: WhiteBITScenario,
    _ world: consuming WhiteBITWorld, _ random: SeededRandom
  ) {
    self.plan = plan
    self.settings = settings
    self.scenario = scenario
    self.world = world
    self.random = random
    outcome = ChaosOutcome(seed: seed)
    journalID = JournalID(high: seed, low: ~seed)
  }

  static func make(_ plan: BotPlan, seed: UInt64, settings: Settings) throws -> ChaosDay {
    var random = SeededRandom(seed: seed)
    let scenario = try scenario(of: plan, seed: seed, for: settings.span, &random)
    var world = try scenario.makeWorld(kernel: plan.makeKernel())
    world.canary = settings.canary
    return ChaosDay(plan, seed: seed, settings: settings, scenario, world, random)
  }

  private static func scenario(
    of plan: BotPlan, seed: UInt64, for span: TimeSpan, _ random: inout SeededRandom
  ) throws -> WhiteBITScenario {
    let configuration = plan.configuration
    guard plan.symbols.count == 1, case .grid(let grid)? = configuration.strategies.first else {
      throw ChaosFault(
        description:
          "expected one market, found \(plan.symbols.count): a chaos run trades a bot of one market"
      )
    }
    let parts = "\(grid.market)".split(separator: "_").map(String.init)
    guard parts.count == 2, let base = InlineText(parts[0]), let quote = InlineText(parts[1]) else {
      throw ChaosFault(
        description: "expected a spot market such as DBTC_DUSDT, found \(grid.market)")
    }
    // A market about twelve hundred spacings high, in cents; its levels lie a third of a spacing apart,
    // so that it wanders through the grid all day.
    let cents = powerOfTen(Amount.places - 2)
    let spacing = Int64(clamping: grid.spacing.units / cents)
    guard spacing >= 3 else {
      throw ChaosFault(
        description: "expected a spacing of at least 0.03, found \(grid.spacing)")
    }
    let lots = Int64(clamping: grid.amount.units / powerOfTen(Amount.places - 6))
    var shape = SyntheticMarket.Shape(
      center: Price(quanta: spacing * 1_200), step: max(spacing / 3, 1), size: max(lots, 1) * 20)
    shape.interval = .milliseconds(60)
    shape.reach = Int64(grid.levels) * 4
    let rows = SyntheticMarket.rows(shape, seed: random.next(), for: span + extra + .seconds(300))
    var scenario = WhiteBITScenario(seed: seed, rows: rows)
    scenario.market = grid.market
    scenario.base = base
    scenario.quote = quote
    scenario.tag = plan.tag
    scenario.key = "chaos"
    // Ten times what the whole grid could want, so that it is the grid that ends first.
    let most = Int128(grid.levels) * 10
    let worth = Int128(shape.center.quanta) * cents / powerOfTen(Amount.places - 8)
    scenario.balances = [
      ("\(base)", Amount(units: grid.amount.units * most)),
      (
        "\(quote)",
        Amount(units: grid.amount.units / powerOfTen(8) * worth * most)
      ),
    ]
    scenario.deadMan = WhiteBITDeadMan.Parameters(
      timeoutSeconds: configuration.deadMan.timeout.milliseconds / 1000,
      refresh: configuration.deadMan.refresh, grace: configuration.deadMan.grace)
    scenario.latency = .milliseconds(random.integer(in: 1...40))
    return scenario
  }

  // MARK: The day

  /// Lives through the day, and checks it.
  consuming func run() throws -> ChaosOutcome {
    if random.below(2) == 0 { world.jitter = .milliseconds(random.integer(in: 1...60)) }
    if let point = settings.deathPoint {
      // One in four takes the machine too.
      var coin = SeededRandom(seed: point)
      losesPower = coin.below(4) == 0
    }
    try startProcess()
    let begun = world.now
    let end = begun + settings.span
    for (time, trouble) in troubles(from: begun + .seconds(settings.isShort ? 2 : 8), until: end) {
      try live(until: time)
      inflict(trouble)
    }
    try live(until: end)
    let latest = end + ChaosDay.extra
    while world.now < latest, !hasSeenEnough { try live(until: world.now + .seconds(10)) }
    if settings.isShort { try stopAndGoOn() }
    outcome.span = world.now - begun
    outcome.events = world.events
    if settings.deathPoint != nil && world.deaths == 0 { violate("nothing died") }
    try heal()
    check()
    if settings.isKept {
      outcome.journal = world.journal.entries
      outcome.wire = world.trace.entries
    }
    return outcome
  }

  /// Stops as an operator does, with whatever still goes wrong, and begins again a moment later.
  private mutating func stopAndGoOn() throws {
    world.command(.stop, by: "operator")
    var latest = world.now + .seconds(20)
    while world.now < latest, world.isAlive, !world.kernel.isStopped {
      try live(until: world.now + .seconds(1))
    }
    // In one session of four the venue hears late of what ends the kill-switch.
    let isLate = outcome.seed % 4 == 0
    if isLate {
      world.inflict(
        .delayRequest(by: .milliseconds(random.integer(in: 2_000...4_500))),
        on: "/api/v4/order/kill-switch")
    }
    if world.isAlive && world.kernel.isStopped {
      outcome.eventsAtStop = world.events
      world.disarm()
    }
    latest = world.now + .seconds(30)
    while world.now < latest, world.isAlive, world.deadMan.nextDeadline < .distantFuture {
      try live(until: world.now + .milliseconds(100))
    }
    // It ends; one that died in the midst of its stop has begun again, and goes on.
    if world.isAlive && world.kernel.isStopping { world.kill() }
    try live(until: world.now + .seconds(3))
    // Whether it finds the next process's orders guarded.
    for _ in 0..<(isLate ? 12 : 0) { try live(until: world.now + .seconds(1)) }
  }

  private var hasSeenEnough: Bool {
    world.trace.messages >= settings.least.messages && world.trace.orders >= settings.least.orders
  }

  /// How much longer a day may become.
  private static let extra = TimeSpan.seconds(900)

  private mutating func troubles(
    from start: Timestamp, until end: Timestamp
  ) -> [(Timestamp, ChaosTrouble)] {
    let count = random.integer(in: settings.troubles)
    let room = (end - start).milliseconds
    var times = (0..<count).map { _ in random.integer(in: 0...room) }
    times.sort()
    return times.map { time in
      var trouble = ChaosTrouble.draw(&random)
      while settings.isShort && !trouble.isOfTheWire { trouble = ChaosTrouble.draw(&random) }
      return (start + .milliseconds(time), trouble)
    }
  }

  /// Lets time pass, with whatever ends and starts by itself on the way.
  mutating func live(until time: Timestamp) throws {
    while world.now < time {
      var next = min(time, startsAt ?? time)
      for ending in endings { next = min(next, ending.at) }
      // A look now and then, as whoever watches over a bot takes one.
      next = min(next, world.now + .seconds(1))
      let before = world.now
      let wasReady = world.isAlive && world.kernel.isReady
      world.run(for: max(next - world.now, .zero)) { $0.isAlive == false }
      if wasReady { outcome.ready = outcome.ready + (world.now - before) }
      look()
      if !world.isAlive && startsAt == nil { bury() }
      if !world.isAlive && world.now < next {
        // Nobody there: the venue goes on alone.
        world.run(for: next - world.now)
      }
      if let at = startsAt, at <= world.now { try startProcess() }
      while let index = endings.firstIndex(where: { $0.at <= world.now }) {
        end(endings.remove(at: index).what)
      }
    }
  }

  /// What an operator who looks now and then sees and does.
  private mutating func look() {
    guardOrders()
    guard world.isAlive else { return }
    boundQueues()
    for market in world.kernel.markets {
      guard let instrument = market.instrument else { continue }
      let net = instrument.scale.amount(
        of: world.kernel.portfolio.position(world.kernel.account, instrument.id).net)
      outcome.exposure = max(outcome.exposure, Amount(units: abs(net.units)))
    }
    if world.kernel.isPaused && !world.kernel.isStopping,
      !endings.contains(where: { if case .pause = $0.what { true } else { false } })
    {
      // Whoever paused it wanted to resume while it was down.
      endings.append((world.now + .seconds(5), .pause))
    }
    let isRefused = world.deadMan.outcomes.contains {
      if case .unauthorized = $0 { true } else { false }
    }
    if isRefused || world.kernel.session.phase == .halted {
      note("restarted, because the venue refused the key")
      world.kill()
      away = .seconds(5)
      return
    }
    guard let halt = world.kernel.risk.halt,
      !endings.contains(where: { if case .halt = $0.what { true } else { false } })
    else { return }
    note("halted: \(halt.reason.means)")
    endings.append((world.now + .seconds(10), .halt))
  }

  private mutating func end(_ ending: Ending) {
    switch ending {
    case .latency:
      world.latency = scenario.latency
      world.jitter = .zero
    case .disk: disk.trouble = .none
    case .syncs: disk.losesSyncs = false
    case .pause: world.command(.resume, by: "operator")
    case .halt:
      guard world.isAlive, let halt = world.kernel.risk.halt else { return }
      if halt.reason.endsWithProcess {
        note("restarted, because \(halt.reason.means)")
        world.kill()
      } else {
        world.command(.rearm, by: "operator")
      }
    case .maintenance: world.desk.habits = Habits()
    case .calendar: setCalendarRight()
    }
  }

  /// The process has died: what becomes of its disk, and when it starts again.
  private mutating func bury() {
    let records = UInt64(world.journal.entries.count)
    // A point's coin is of the death there, and of no other end.
    let isIt = settings.deathPoint == nil || world.deaths > deaths
    deaths = world.deaths
    hasLostPower = losesPower && isIt
    foundBefore = nil
    if hasLostPower {
      disk.losePower(&random)
      note("power lost behind record \(records)")
      // No machine is back before what it sent last has arrived, or never will.
      if settings.isShort { away = max(away, .seconds(10)) }
    } else {
      if random.below(2) == 0, let place = world.journalPlace {
        disk.tear(place, &random)
      }
      note("died behind record \(records)\(world.journalFault.map { ": \($0)" } ?? "")")
    }
    if isIt { losesPower = false }
    startsAt = world.now + away
    away = .zero
  }

  private mutating func startProcess() throws {
    startsAt = nil
    let store = disk.mount()
    let records = world.journal.entries.count
    do throws(JournalFault) {
      let journal = try DiskJournal(
        disk, store, segmentBytes: 1 << 19, named: journalID, synced: world.syncedSequence,
        at: world.clientTime)
      holdAgainst(journal.recovery.lastSequence, written: UInt64(records))
      try startProcess(journal, store)
    } catch {
      switch error {
      case .diskFull, .permission, .system:
        // Whoever starts processes tries again.
        note("does not start: \(error)")
        startsAt = world.now + .seconds(2)
      default: violate("the journal does not open: \(error)")
      }
    }
  }

  /// A process that dies leaves all it wrote, and a machine without power what it had brought to disk.
  private mutating func holdAgainst(_ found: UInt64, written: UInt64) {
    let synced = world.syncedSequence ?? 0
    let least = foundBefore ?? (hasLostPower ? synced : written)
    if found < least || found > foundBefore ?? written {
      violate("\(written) records were written and \(synced) on disk, \(found) are found")
    }
    if foundBefore == nil { outcome.recordsLost += Int(max(written, found) - found) }
    foundBefore = found
  }

  private mutating func startProcess(
    _ journal: DiskJournal, _ store: some SegmentStore
  ) throws(JournalFault) {
    var kernel = plan.makeKernel()
    var records: [(kind: UInt16, at: Timestamp?, payload: [UInt8])] = []
    do {
      if journal.recovery.lastSequence > 0, var run = try FormerRun.read(store) {
        let ahead = max(run.lastTime, run.kernel.now) - world.clientTime
        if ahead > LiveProgram.mostClockStep {
          violate("a calendar is \(ahead.milliseconds) ms behind the last record: days draw less")
        }
        let wait = max(ahead, try LateRemoval.arrivesBy(in: store) - world.clientTime)
        if wait > .zero {
          note("waits for its clock, or for what the one before it asked in its stop")
          startsAt = world.now + wait
          return
        }
        var reader = SnapshotReader(run.state)
        try kernel.read(from: &reader)
        // What it died before writing down.
        let time = run.lastTime
        try run.complete { (kind, payload) throws(JournalFault) in
          records.append((kind, time, payload.copy()))
        }
      }
      let death = isFirst ? settings.deathPoint : nil
      if !isFirst { outcome.restarts += 1 }
      isFirst = false
      // From here on what is remembered is what was found, and what this process writes.
      (hasLostPower, foundBefore) = (false, nil)
      try world.begin(
        kernel: kernel, deadMan: try scenario.makeDeadMan(), on: journal,
        records: records + [
          (JournalKind.start, nil, plan.record()),
          (JournalKind.snapshot, nil, StateRecord.payload(plan, key: scenario.key, kernel)),
        ], death: death)
    } catch let fault as JournalFault {
      throw fault
    } catch MemoryJournal.Fault.disk(let fault) {
      throw fault
    } catch MemoryJournal.Fault.died {
      // Among its first records; whoever buries it says more.
    } catch {
      violate("its state cannot be gone on with: \(error)")
      startsAt = world.now + .seconds(3_600)
    }
  }

  // MARK: Trouble

  private mutating func inflict(_ trouble: ChaosTrouble) {
    outcome.count(trouble.name)
    note("\(trouble)")
    switch trouble {
    case .refused(let path): world.inflict(.refuseConnection, on: path)
    case .lostRequest(let path): world.inflict(.loseRequest, on: path)
    case .lateRequest(let path, let by): world.inflict(.delayRequest(by: by), on: path)
    case .lostReply(let path): world.inflict(.loseReply, on: path)
    case .brokenReply(let path): world.inflict(.breakReply, on: path)
    case .lateReply(let path, let by): world.inflict(.delayReply(by: by), on: path)
    case .pageForReply(let path, let status, let page):
      world.inflict(.replaceReply(status: status, body: page.bytes), on: path)
    case .droppedFrame(let text): world.inflict(.dropFrame, on: text)
    case .doubledFrame(let text): world.inflict(.repeatFrame, on: text)
    case .lateFrame(let text, let by): world.inflict(.delayFrame(by: by), on: text)
    case .garbledFrame(let text, let page): world.inflict(.replaceFrame(page.bytes), on: text)
    case .cut: world.cut()
    case .halfOpen: world.halfOpen()
    case .partition(let span): world.outage(for: span)
    case .slow(let latency, let jitter, let span):
      world.latency = latency
      world.jitter = jitter
      endings.append((world.now + span, .latency))
    case .venueDropsReply(let path): world.desk.habits.plan(.dropReply, path: path)
    case .venueCutsReply(let path): world.desk.habits.plan(.truncatedReply, path: path)
    case .venueReordersPush(let channel, let by): world.desk.habits.plan(.delay(by), on: channel)
    case .venueDropsPush(let channel): world.desk.habits.plan(.drop, on: channel)
    case .venueDoublesPush(let channel): world.desk.habits.plan(.duplicate, on: channel)
    case .venueMaintenance(let span):
      world.cut()
      for _ in 0..<40 {
        world.desk.habits.plan(.page(status: 503, isCarriedOut: false), path: nil)
      }
      endings.append((world.now + span, .maintenance))
    case .venueTooMany(let path):
      let body = Array("{\"code\":0,\"message\":\"Too many requests.\",\"errors\":{}}".utf8)
      world.inflict(.refuseRequest(status: 429, body: body), on: path)
    case .staleNonce(let path): world.desk.habits.plan(.staleNonce, path: path)
    case .clockDrift(let by): world.stepClock(by: by)
    case .calendarSet(let by):
      // What is further back at a start begins anew in a live process, and a day goes on: two calendars that
      // processes begin with lie less than that apart, with what clocks drift.
      let most = TimeSpan.milliseconds(ChaosTrouble.mostCalendar)
      let lead = world.clientSkew + world.calendarLead
      world.setCalendar(by: min(max(lead + by, .zero - most), most) - lead)
      endings.append((world.now + .milliseconds(random.integer(in: 2_000...60_000)), .calendar))
    case .hang(let span): world.hang(for: span)
    case .kill(let events, let span):
      away = span
      world.die(after: events)
    case .powerCut(let events, let span):
      away = span
      losesPower = true
      world.die(after: events)
    case .diskFull(let span): spoil(.full, for: span)
    case .diskReadOnly(let span): spoil(.readOnly, for: span)
    case .diskFails(let span): spoil(.failing, for: span)
    case .lostSyncs(let span):
      disk.losesSyncs = true
      endings.append((world.now + span, .syncs))
    case .pause(let span):
      world.command(.pause, by: "operator")
      endings.append((world.now + span, .pause))
    case .halt(let span):
      world.command(.halt, by: "operator")
      endings.append((world.now + span, .halt))
    case .flatten: world.command(.flatten, by: "operator")
    case .foreignOrder: placeForeignOrder()
    }
  }

  private mutating func spoil(_ trouble: SimulatedDisk.Trouble, for span: TimeSpan) {
    disk.trouble = trouble
    endings.append((world.now + span, .disk))
  }

  /// Somebody sets the calendar right; a process that runs has its own clock, and hears of it.
  private mutating func setCalendarRight() {
    let lead = world.clientSkew + world.calendarLead
    if lead != .zero { world.setCalendar(by: .zero - lead) }
  }

  /// The account's owner places an order by hand, far from the market.
  private mutating func placeForeignOrder() {
    guard case .grid(let grid)? = plan.configuration.strategies.first else { return }
    orderSide.toggle()
    let low = Amount(units: grid.spacing.units * 900)
    let high = Amount(units: grid.spacing.units * 1_500)
    _ = world.askByHand(
      "/api/v4/order/new",
      "\"market\":\"\(grid.market)\",\"side\":\"\(orderSide ? "buy" : "sell")\","
        + "\"amount\":\"\(grid.amount)\",\"price\":\"\(orderSide ? low : high)\",")
  }

  // MARK: The end

  /// Ends all trouble and waits for a settled state.
  private mutating func heal() throws {
    note("everything heals")
    let begun = world.now
    endings = []
    world.canary = nil
    disk.trouble = .none
    disk.losesSyncs = false
    world.heal()
    world.desk.habits = Habits()
    world.latency = scenario.latency
    setCalendarRight()
    losesPower = false
    for _ in 0..<40 where !(world.isAlive && world.kernel.isReady) {
      world.heal()
      try live(until: world.now + .seconds(5))
    }
    if world.isAlive {
      if let halt = world.kernel.risk.halt, halt.reason.endsWithProcess {
        world.kill()
        try live(until: world.now + .seconds(5))
      }
      if world.kernel.risk.halt != nil { world.command(.rearm, by: "operator") }
      world.command(.resume, by: "operator")
    }
    let isSettled = world.settle(within: .seconds(180))
    outcome.settling = world.now - begun
    if !isSettled { violate("does not settle within \(outcome.settling.milliseconds / 1000) s") }
  }

  mutating func note(_ text: String) {
    outcome.diary.append("\((world.now - WhiteBITScenario.start).milliseconds) ms: \(text)")
  }

  mutating func violate(_ text: String) {
    guard !outcome.violations.contains(text) else { return }
    outcome.violations.append(text)
    note("VIOLATION: \(text)")
  }
}
