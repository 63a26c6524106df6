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

  private static func chaos(_ canary: Canary? = nil, troubles: Int? = nil) throws -> Chaos {
    let plan = try BotPlan(
      configurationText: Array(configuration.utf8), file: "the test's configuration", seed: 1,
      build: "test")
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
    var found: [String] = []
    for seed in UInt64(1)...10 where found.isEmpty {
      found = try Self.chaos(canary).day(seed).violations
    }
    #expect(!found.isEmpty)
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

  // MARK: What seeds have found

  @Test(
    "M26: a process that slept places nothing on the book that its socket held back, but on one asked for anew",
    arguments: [Int64(4), 8, 20])
  func aSleeper(seconds: Int64) throws {
    var market = HandmadeMarket()
    // A frame each half second, and in the midst a fall through three levels.
    for step in 0..<80 {
      market.wait(.milliseconds(500))
      if step == 24 {
        market.sweep(to: 59_840, ask: 59_850)
      } else {
        market.level(.buy, 59_700, Int64(100_000 + step))
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
    #expect(world.countNotes { $0 == .anomaly(VenueAnomaly.bookLate.rawValue) } >= 1)
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

  @Test(
    "M140: a machine that loses its power leaves any part of what was not synced; all that was is kept"
  )
  func powerCuts() throws {
    var lost = 0
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
    }
    #expect(lost > 1_000)
  }
}
