import MartletBase
import MartletChaos
import MartletConfiguration
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletModel
import MartletOrders
import MartletRecord
import MartletRisk
import MartletSimulation
import MartletVenueKit
import Testing
import WhiteBITSession

/// Days of chaos, and by name what such days have found.
@Suite struct ChaosTests {
  private static let configuration = """
    [bot]
    name = "grid"
    valuation = "DUSDT"
    [venue.whitebit]
    endpoint = "local"
    key = "env:GRID_KEY"
    [[strategy]]
    kind = "grid"
    market = "DBTC_DUSDT"
    levels = 10
    spacing = "10"
    amount = "0.001"
    """

  /// - Parameter more: lines behind the configuration's last, which is the grid's.
  private static func chaos(
    _ canary: Canary? = nil, troubles: Int? = nil, more: String = ""
  ) throws -> Chaos {
    let plan = try BotPlan(
      configurationText: Array((configuration + more).utf8), file: "the test's configuration",
      seed: 1, build: "test")
    return Chaos(plan, span: .seconds(60), troubles: troubles, canary: canary)
  }

  @Test(
    "M7 M44 M62 M98: a day that goes wrong ends with equal books, and is the same day twice",
    arguments: [1, 2, 3] as [UInt64])
  func aDay(seed: UInt64) throws {
    let (first, second) = (try Self.chaos().day(seed), try Self.chaos().day(seed))
    #expect(first.violations == [])
    #expect(first.digest == second.digest && first.diary == second.diary)
    #expect(first.messages >= 5_000 && first.orders >= 100 && first.faults >= 10)
    #expect(try Self.chaos().day(seed + 100).digest != first.digest)
  }

  @Test(
    "a planted bug is found, whichever of the checkers it is meant for", arguments: Canary.allCases)
  func aCanary(canary: Canary) throws {
    var struck = 0
    for seed in UInt64(1)...6 {
      let outcome = try Self.chaos(canary).day(seed)
      #expect(outcome.hasStruck == !outcome.violations.isEmpty, "seed \(seed)")
      struck += outcome.hasStruck ? 1 : 0
    }
    #expect(struck > 0)
  }

  @Test("M71 M98: a session whose process dies behind any event ends with equal books")
  func deaths() throws {
    let chaos = try Self.chaos()
    let (whole, points) = try chaos.session(5)
    #expect(whole.violations == [] && points > 300)
    for point in stride(from: 1, through: points, by: UInt64.Stride(points / 12)) {
      let outcome = try chaos.session(5, dyingBehind: point)
      #expect(outcome.violations == [], "dead behind event \(point)")
      #expect(outcome.restarts >= 1)
    }
  }

  @Test(
    "M71 M69: a session that dies while its stop removes the kill-switch, which the venue hears of late, leaves the next process's orders guarded"
  )
  func deathsInAStop() throws {
    let chaos = try Self.chaos()
    // In one session of four the removal is late.
    for seed in [8, 12, 16, 20] as [UInt64] {
      let (whole, _) = try chaos.session(seed)
      #expect(whole.violations == [] && whole.eventsAtStop > 300)
      for point in whole.eventsAtStop + 1...whole.eventsAtStop + 3 {
        let outcome = try chaos.session(seed, dyingBehind: point)
        #expect(outcome.violations == [], "seed \(seed), dead behind event \(point)")
      }
    }
  }

  @Test("M5 M56: limits that are reached all day are kept, whatever happens")
  func tightLimits() throws {
    let chaos = try Self.chaos(
      more: """

        [risk]
        max_order_notional = "11.99"
        max_inventory = "0.006"
        max_working_orders = 12
        max_orders = 8
        order_window = "2s"
        """)
    var refusals: [RiskRule: Int] = [:]
    for seed in UInt64(1)...4 {
      let outcome = try chaos.day(seed, isKept: true)
      #expect(outcome.violations == [], "seed \(seed)")
      for entry in outcome.journal where entry.kind == JournalKind.note {
        if case .refused(_, _, let numbers)? = NoteCoding.read(entry.payload.span)?.note {
          refusals[numbers.rule, default: 0] += 1
        }
      }
    }
    for rule in [RiskRule.maxOrderNotional, .inventory, .workingPerInstrument, .orderRate] {
      #expect(refusals[rule, default: 0] > 0, "\(rule) refused nothing: \(refusals)")
    }
  }

  @Test("what goes past a limit is found by the checkers, each limit by its own")
  func pastLimits() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let reached = world.settle()
    #expect(reached)
    func found(_ change: (inout RiskLimits) -> Void) -> [String] {
      var limits = scenario.limits
      change(&limits)
      return world.violations(
        prefix: "\(scenario.prefix)", key: scenario.key, secret: scenario.secret, limits: limits)
    }
    #expect(found { _ in } == [])
    for (text, change) in [
      ("is worth more than", { $0.maxOrderNotional = amount("1") }),
      ("6 orders work at once", { $0.maxWorkingPerInstrument = 5 }),
      ("orders of one strategy", { $0.maxWorkingPerStrategy = 5 }),
      ("may be added", { $0.maxInventory = amount("0.002") }),
      ("6 orders in 10000 ms", { $0.maxOrdersPerWindow = 5 }),
    ] as [(String, (inout RiskLimits) -> Void)] {
      let told = found(change)
      #expect(!told.isEmpty && told.allSatisfy { $0.contains(text) }, "\(text): \(told)")
    }
  }

  // MARK: What seeds have found

  @Test(
    "M26: a process that slept places nothing on the book that its socket held back, but on one asked for anew",
    arguments: [Int64(4), 8, 20])
  func aSleeper(seconds: Int64) throws {
    var market = HandmadeMarket()
    // A frame about each half second, never at the moment it is pushed, and in the midst a fall through three levels.
    for step in 0..<80 {
      market.wait(.milliseconds(473))
      if step == 24 {
        market.sweep(to: 59_840, ask: 59_850)
      } else {
        market.level(.buy, step < 24 ? 59_990 : 59_830, Int64(5_100_000 + step))
      }
    }
    let scenario = WhiteBITScenario.grid(levels: 3, market)
    var world = try scenario.running()
    world.run(for: .seconds(10))
    let placed = world.trace.count(of: Path.new)
    let snapshots = world.trace.framesTold(containing: "[true, {").count
    world.hang(for: .seconds(seconds))
    let isAsked = world.run(for: .seconds(seconds + 3)) {
      $0.trace.framesTold(containing: "[true, {").count > snapshots
    }
    #expect(isAsked)
    // Fills were read on the way here, and none was answered on what was held back.
    #expect(world.trace.count(of: Path.new) == placed)
    // Behind a sleep that is longer than the venue is ever silent nobody reads how late a frame is.
    let late = world.countNotes { $0 == .anomaly(VenueAnomaly.bookLate.rawValue) }
    #expect((late >= 1) == (seconds < 11), "\(seconds) s: \(late)")
    #expect(world.countNotes { if case .bookTrust(_, false) = $0 { true } else { false } } >= 1)
    scenario.expectSoundEnd(&world, "\(seconds) s")
  }

  @Test(
    "M26: what a process that slept is told first is answered on no book of before",
    arguments: [Int64(4), 7, 11, 15, 30])
  func aSleepersFirstNews(seconds: Int64) throws {
    // A book that nobody changes, which the venue repeats each ten seconds.
    let scenario = WhiteBITScenario.grid(levels: 3)
    var world = try scenario.running()
    world.run(for: .seconds(2))
    let placed = world.trace.count(of: Path.new)
    // A fill is told while it sleeps, before anything of the book.
    world.hang(for: .seconds(seconds))
    world.meet(.sell, price: "59950", amount: "0.001")
    let isAwake = world.run(for: .seconds(seconds + 2)) { $0.kernel.counts.fills > 0 }
    #expect(isAwake)
    #expect(world.trace.count(of: Path.new) == placed)
    let isAnswered = world.run(for: .seconds(20)) { $0.trace.count(of: Path.new) > placed }
    #expect(isAnswered)
    scenario.expectSoundEnd(&world, "\(seconds) s")
  }

  @Test(
    "M26: a strategy that a timer wakes places nothing on a book that the process slept through",
    arguments: [Int64(5), 8])
  func aTimerAfterSleep(seconds: Int64) throws {
    let scenario = WhiteBITScenario.grid(levels: 3)
    var world = try scenario.running()
    world.run(for: .seconds(2))
    let placed = world.trace.count(of: Path.new)
    // Taken off by hand: its slot asks again after 15 s, in the midst of the sleep.
    let id = try #require(scenario.ownResting(world).first)
    let (status, _) = world.askByHand(
      Path.cancel, "\"market\":\"DBTC_DUSDT\",\"clientOrderId\":\"\(id)\",")
    #expect(status == 200)
    world.run(for: .seconds(14))
    #expect(world.states(of: id).last == .canceled && world.trace.count(of: Path.new) == placed)
    func losses() -> Int {
      world.countNotes { if case .bookTrust(_, false) = $0 { true } else { false } }
    }
    let before = losses()
    world.hang(for: .seconds(seconds))
    let isLaid = world.run(for: .seconds(seconds + 5)) { $0.trace.count(of: Path.new) > placed }
    #expect(isLaid)
    // Not before the book had been given up and told anew.
    #expect(losses() == before + 1)
    scenario.expectSoundEnd(&world, "\(seconds) s")
  }

  @Test(
    "M86: whoever answers a placement without the venue's words proves nothing, whatever the status",
    arguments: [400, 403, 404, 422, 429, 451, 453])
  func strangersWords(status: Int) throws {
    for body in ["", "null", "<html>no</html>", "{\"id\":null,\"params\":[1]}"] {
      let scenario = WhiteBITScenario.grid()
      var world = try scenario.makeWorld()
      world.inflict(.replaceReply(status: status, body: Array(body.utf8)), on: Path.new)
      world.inflict(.replaceReply(status: status, body: Array(body.utf8)), on: Path.bulk)
      world.start()
      world.run(for: .seconds(5))
      #expect(world.countNotes { if case .venueRefused = $0 { true } else { false } } == 0)
      #expect(world.countNotes { if case .alarm = $0 { true } else { false } } == 0)
      scenario.expectSound(world, isSettled: false, "\(status) \(body)")
    }
  }

  @Test(
    "M87 M62: a question that somebody refused is asked again when an operator has rearmed, and not before"
  )
  func refusedQuestions() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.inflict(.loseReply, on: Path.new)
    world.inflict(.replaceReply(status: 404, body: Array("<html>no</html>".utf8)), on: Path.open)
    for _ in 0..<20 { world.inflict(.dropFrame, on: "ordersPending_update") }
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(20))
    #expect(world.kernel.risk.halt?.reason == .questionRefused)
    world.run(for: .seconds(60))
    #expect(world.kernel.session.standing.inquiries == 1)
    world.command(.rearm, by: "operator")
    let isKnown = world.run(for: .seconds(60)) { $0.kernel.session.standing.inquiries == 0 }
    #expect(isKnown)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M87 M95: what a reconnect needs and somebody refused is asked again when an operator has rearmed, from there on",
    arguments: [Path.token, Path.open, Path.fills, Path.balance])
  func refusedReconciliation(path: String) throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.inflict(.replaceReply(status: 404, body: Array("<html>no</html>".utf8)), on: path)
    world.cut()
    let isHalted = world.run(for: .seconds(30)) {
      $0.kernel.risk.halt?.reason == .questionRefused
    }
    #expect(isHalted)
    world.run(for: .seconds(60))
    let isWaiting = !world.kernel.isReady
    #expect(isWaiting)
    world.command(.rearm, by: "operator")
    let isReady = world.run(for: .seconds(20)) { $0.kernel.isReady }
    #expect(isReady)
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    scenario.expectSoundEnd(&world, path)
  }

  @Test(
    "M56 M87: a stop asks again what somebody refused, before it and in its midst, until nothing rests",
    arguments: [false, true])
  func refusedStop(isBefore: Bool) throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let page = NetworkFault.Kind.replaceReply(status: 404, body: Array("<html>no</html>".utf8))
    if isBefore {
      world.inflict(.loseReply, on: Path.new)
      for _ in 0..<20 { world.inflict(.dropFrame, on: "ordersPending_update") }
      world.inflict(page, on: Path.open)
      world.meet(.sell, price: "59950", amount: "0.001")
      world.run(for: .seconds(20))
      #expect(world.kernel.session.standing.inquiries == 1)
    } else {
      for _ in 0..<3 { world.inflict(page, on: Path.open) }
    }
    let isStopped = world.stop()
    #expect(isStopped)
    scenario.expectSound(world, isSettled: true)
  }

  @Test("M34: a process begun on a wrong calendar trades as soon as that is set right")
  func aCalendarSetRight() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.clientSkew = .seconds(9)
    var world = try scenario.makeWorld()
    world.start()
    world.run(for: .seconds(20))
    #expect(world.kernel.orders.workingCount == 0 && world.kernel.session.isClockSkewed)
    world.setCalendar(by: .seconds(-9))
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    scenario.expectSoundEnd(&world)
  }

  @Test("M34: a clock that was read by a slow answer makes no frame of the book look late")
  func aSlowReading() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    // The venue reads its clock long after it was asked, and the answer is there at once.
    world.inflict(.delayRequest(by: .milliseconds(8_500)), on: Path.time)
    world.start()
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    // By more than a frame may be late the clock was thought wrong; the doubt is larger still.
    #expect(world.kernel.session.clockOffset > .seconds(3))
    #expect(world.countNotes { $0 == .anomaly(VenueAnomaly.bookLate.rawValue) } == 0)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M50 M96: fills that were lost with the power are found, however late the fill is that an inquiry tells of first"
  )
  func olderFills() throws {
    var forgotten = 0
    for seed in UInt64(1)...8 {
      var bot = try DiskBot.make()
      try bot.begin()
      let isThere = bot.world.untilGrid(of: 6)
      #expect(isThere)
      bot.world.run(for: .seconds(1))
      // From here on nothing reaches the disk but by chance.
      bot.disk.losesSyncs = true
      bot.world.meet(.sell, price: "59950", amount: "0.001")
      // Its answer, of which nothing will be remembered, is filled too.
      let isAnswered = bot.world.run(for: .seconds(5)) {
        $0.workingLines.contains { $0.hasPrefix("sell 60000") }
      }
      #expect(isAnswered)
      bot.world.run(for: .seconds(1))
      #expect(bot.world.kernel.counts.fills == 1)
      bot.world.meet(.buy, price: "60000", amount: "0.001")
      bot.world.run(for: .seconds(1))
      #expect(bot.world.kernel.counts.fills == 2)
      // Longer than a history is read back beyond the last fill known.
      bot.world.run(for: .seconds(150))
      bot.world.meet(.buy, price: "60050", amount: "0.001")
      bot.world.run(for: .seconds(1))
      #expect(bot.world.kernel.counts.fills == 3)
      bot.world.kill()
      var random = SeededRandom(seed: seed)
      bot.disk.losePower(&random)
      bot.disk.losesSyncs = false
      try bot.begin()
      forgotten += bot.world.kernel.counts.fills == 0 ? 1 : 0
      let isBack = bot.world.run(for: .seconds(60)) { $0.kernel.isReady }
      #expect(isBack)
      #expect(bot.world.kernel.counts.fills == 3, "seed \(seed)")
      bot.scenario.expectSoundEnd(&bot.world, "power \(seed)")
    }
    #expect(forgotten > 0)
  }

  @Test(
    "M69: a removal of the kill-switch that arrives late leaves the next process's orders unguarded, unless that one waits for it",
    arguments: [(true, false), (true, true), (false, false)])
  func aLateRemoval(waits: Bool, isFresh: Bool) throws {
    var bot = try DiskBot.make()
    try bot.begin()
    let isThere = bot.world.untilGrid(of: 6)
    #expect(isThere)
    let sentAt = bot.world.clientTime
    bot.dieInItsStop(late: .seconds(4))
    let by = try LateRemoval.arrivesBy(in: bot.disk.mount())
    #expect(by >= sentAt + .seconds(9) && by <= sentAt + .seconds(19))
    if waits { bot.world.run(for: by - bot.world.clientTime) }
    try bot.begin(isFresh: isFresh)
    let isGuarded = bot.isGuarded(for: .seconds(10))
    #expect(isGuarded == waits)
    #expect(bot.scenario.ownResting(bot.world).count == 6)
  }

  @Test(
    "M69: a start waits for no removal of the kill-switch that was answered, or that never left, and for each that was sent and was not",
    arguments: [
      ([.none], 0), ([.answered], 0), ([.notSent], 0), ([.lost], 9_000), ([.silent], 9_000),
      ([.lost, .answered], 9_000), ([.notSent, .answered], 0), ([.lost, .lost], 14_000),
    ] as [([Removal], Int64)])
  func removals(removals: [Removal], milliseconds: Int64) throws {
    // In a segment of its own each, and behind a refresh that nobody answered.
    let disk = SimulatedDisk()
    var options = JournalOptions(build: "test")
    options.segmentBytes = 8_192
    options.sync = .atClose
    options.hasThreads = false
    let start = Timestamp(milliseconds: 1_790_000_000_000)
    var writer = try JournalWriter.open(disk.mount(), options: options, at: start)
    var nonce: Int64 = 1_790_000_000_000
    func keep(
      _ part: SideRecord.Part, at time: Timestamp, in writer: inout JournalWriter
    ) throws {
      var payload = ByteBuffer(capacity: 1_024)
      SideRecord(party: .deadMan, nonce: nonce, at: time, part).write(into: &payload)
      _ = try writer.append(kind: RecordKind(JournalKind.side), time: time, payload: payload.span)
    }
    func request(_ timeout: String) -> SideRecord.Part {
      let body =
        #"{"request":"\#(Path.killSwitch)","nonce":1790000000000,"market":"A_B","timeout":\#(timeout)}"#
      return .request(target: Array(Path.killSwitch.utf8), body: Array(body.utf8), nonceOffset: 50)
    }
    try keep(request(#""60""#), at: start, in: &writer)
    for (index, removal) in removals.enumerated() where removal != .none {
      nonce += 1
      let time = start + .seconds(Int64(index) * 5)
      try keep(request("null"), at: time, in: &writer)
      for _ in 0..<8 {
        _ = try writer.append(
          kind: RecordKind(JournalKind.deadMan), time: time,
          payload: [UInt8](repeating: 1, count: 1_000).span)
      }
      switch removal {
      case .answered:
        try keep(.reply(status: 200, body: Array("[]".utf8), length: 2), at: time, in: &writer)
      case .notSent: try keep(.failed(Array("not sent: no route".utf8)), at: time, in: &writer)
      case .lost: try keep(.failed(Array("sent, no reply in time".utf8)), at: time, in: &writer)
      case .silent, .none: break
      }
    }
    try writer.close()
    let by = try LateRemoval.arrivesBy(in: disk.mount())
    #expect(by == (milliseconds == 0 ? .zero : start + .milliseconds(milliseconds)))
  }

  /// What came of one.
  enum Removal { case none, answered, notSent, lost, silent }

  @Test(
    "M140: a machine that loses its power leaves any part of what was not synced; all that was is kept"
  )
  func powerCuts() throws {
    var lost = 0
    var segmentsLost = 0
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      let disk = SimulatedDisk()
      var options = JournalOptions(build: "test")
      options.segmentBytes = 32_768
      options.sync = .atClose
      options.hasThreads = false
      var (last, synced): (UInt64, UInt64) = (0, 0)
      for _ in 0..<4 {
        let store = disk.mount()
        options.syncedSequence = synced
        var writer = try JournalWriter.open(store, options: options, at: .zero)
        let found = writer.recovery.lastSequence
        #expect(found >= synced && found <= last, "seed \(seed): \(found), synced \(synced)")
        lost += Int(last - found)
        for _ in 0..<random.below(200) {
          let payload = (0..<random.below(900)).map { UInt8(truncatingIfNeeded: $0 &+ seed) }
          last = try writer.append(
            kind: RecordKind(2), time: Timestamp(milliseconds: 1), payload: payload.span)
          if random.below(25) == 0 {
            try writer.sync()
            synced = last
          }
        }
        if last < found { last = found }
        disk.losePower(&random)
      }
      options.syncedSequence = synced
      let store = disk.mount()
      let writer = try JournalWriter.open(store, options: options, at: .zero)
      try writer.close()
      var reader = try JournalReader.open(store)
      var count: UInt64 = 0
      while try reader.next() != nil { count += 1 }
      #expect(reader.tornTail == nil && count >= synced, "seed \(seed)")
      segmentsLost += disk.segmentsLost
    }
    #expect(lost > 1_000)
    // Each segment's name is brought to disk as it is made.
    #expect(segmentsLost == 0)
  }

  @Test("M140: what a changed record takes with it depends on whether the machine went down")
  func changedInOneBoot() throws {
    for isPowerLost in [false, true] {
      var random = SeededRandom(seed: 5)
      let disk = SimulatedDisk()
      var options = JournalOptions(build: "test")
      options.segmentBytes = 65_536
      options.sync = .atClose
      options.hasThreads = false
      var store = disk.mount()
      var places: [(segment: UInt32, offset: Int)] = []
      var writer = try JournalWriter.open(store, options: options, at: .zero)
      for _ in 0..<40 {
        places.append(writer.place)
        _ = try writer.append(
          kind: RecordKind(2), time: .zero, payload: [UInt8](repeating: 3, count: 600).span)
      }
      try writer.close()
      // Nothing of it is lost; a record in the midst is no record any more.
      disk.tear(places[30], &random)
      if isPowerLost { disk.losePower(&random) }
      store = disk.mount()
      options.syncedSequence = 20
      if isPowerLost {
        let writer = try JournalWriter.open(store, options: options, at: .zero)
        #expect(writer.recovery.lastSequence == 30)
        #expect(writer.recovery.cutOff?.isMore == true && disk.keptBytes > 0)
        #expect((writer.recovery.cutOff?.records ?? 0) >= 1)
      } else {
        #expect(throws: JournalFault.self) {
          _ = try JournalWriter.open(store, options: options, at: .zero)
        }
        #expect(disk.keptBytes == 0)
      }
    }
  }
}
