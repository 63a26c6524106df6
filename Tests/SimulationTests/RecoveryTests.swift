import MartletBase
import MartletBook
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRisk
import MartletSimulation
import MartletStrategies
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession

/// Cuts, deaths, hangs and restarts, over the real desk.
@Suite struct RecoveryTests {
  @Test(
    "M50 M95 M96 T4 T5: fills during a cut are found in the history once each, with fee and role, and answered"
  )
  func fillsDuringACut() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.cut()
    world.meet(.sell, price: "59850", amount: "0.0025")
    #expect(world.kernel.counts.fills == 0)
    world.run(for: .milliseconds(10))
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    // Two whole buys and half of one.
    #expect(world.kernel.counts.fills == 3)
    let fills = world.journal.notes.compactMap {
      if case .fill(let fill) = $0.note { fill } else { nil }
    }
    #expect(fills.allSatisfy { $0.source == .history && $0.role == .maker && $0.fee > .zero })
    #expect(
      world.workingLines == [
        "buy 59850 0.0005", "sell 59950 0.000999", "sell 60000 0.000999", "sell 60050 0.001",
        "sell 60100 0.001", "sell 60150 0.001",
      ])
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M94 M95 M50: fills keep coming while the lists are read; none is lost, none is booked twice")
  func fillsWhileReconciling() throws {
    for moment in stride(from: Int64(0), through: 600, by: 20) {
      var scenario = WhiteBITScenario.grid(seed: UInt64(moment) + 1)
      scenario.latency = .milliseconds(40)
      var world = try scenario.running()
      // Replies and pushes overtake each other in every other run.
      if moment % 40 == 0 { world.jitter = .milliseconds(120) }
      let tokens = world.trace.count(of: Path.token)
      world.cut()
      world.meet(.sell, price: "59950", amount: "0.0003")
      // From the moment when the way back begins, at every step of it.
      _ = world.run(for: .seconds(5)) { $0.trace.count(of: Path.token) > tokens }
      world.run(for: .milliseconds(moment))
      world.meet(.sell, price: "59900", amount: "0.001")
      let isBack = world.untilGrid(of: 6)
      #expect(isBack, "at \(moment) ms")
      #expect(world.kernel.counts.fills == 3, "at \(moment) ms")
      scenario.expectSoundEnd(&world, "at \(moment) ms")
    }
  }

  @Test(
    "M91 M96: a stream that dies in silence is noticed by its missing pong, and nothing is lost")
  func aSilentDeath() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.outage(for: .seconds(15))
    world.meet(.sell, price: "59950", amount: "0.001")
    let isNoticed = world.run(for: .seconds(25)) { !$0.kernel.isReady }
    #expect(isNoticed)
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    #expect(world.kernel.counts.fills == 1)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "T12 M48: orders that the owner placed by hand survive start, stop and halt, with and without an id",
    arguments: [OperatorCommand.stop, .halt])
  func foreignOrders(command: OperatorCommand) throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    _ = world.placeByHand(.buy, price: "50000", amount: "0.01")
    _ = world.placeByHand(.sell, price: "70000", amount: "0.01", id: "byhand-1")
    // Somebody else's bot of the same make, under another tag.
    _ = world.placeByHand(.sell, price: "71000", amount: "0.01", id: "mtOTHR00000000000000000001")
    world.start()
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    let foreign = ["", "byhand-1", "mtOTHR00000000000000000001"]
    #expect(scenario.resting(world).filter { !$0.hasPrefix("\(scenario.prefix)") } == foreign)
    // One of them trades: our position does not move, and the difference is said, not taken.
    world.command(command)
    world.run(for: .seconds(10))
    #expect(scenario.resting(world) == foreign)
    #expect(world.kernel.orders.workingCount == 0)
    #expect(
      world.countNotes { $0 == .anomaly(VenueAnomaly.foreignOrder.rawValue) } == 3)
    scenario.expectSound(world, isShared: true)
  }

  // MARK: Death

  @Test("M71: after a kill the venue's book is free of our orders within the timeout of 60 s")
  func aKilledClient() throws {
    let scenario = WhiteBITScenario.grid(levels: 10)
    var world = try scenario.running()
    _ = world.placeByHand(.buy, price: "50000", amount: "0.01", id: "byhand")
    world.run(for: .seconds(100))
    #expect(scenario.ownResting(world).count == 20)
    world.kill()
    let killedAt = world.now
    let isFree = world.run(for: .seconds(60)) { scenario.ownResting($0).isEmpty }
    #expect(isFree)
    #expect(world.now - killedAt <= .seconds(60))
    // It runs on the whole account's orders of the market: by the venue's rule, not by ours.
    scenario.expectSound(world, isSettled: false)
  }

  @Test(
    "M71 M98 T5: after a kill and a restart our old orders are taken into state, ended, and laid anew"
  )
  func aRestart() throws {
    for wait in [Int64(0), 1, 30, 58, 61, 300] {
      let scenario = WhiteBITScenario.grid(seed: UInt64(wait) + 1)
      var world = try scenario.running()
      world.meet(.sell, price: "59950", amount: "0.0004")
      world.run(for: .seconds(1))
      world.kill()
      world.meet(.buy, price: "60050", amount: "0.001")
      world.run(for: .seconds(wait))
      let old = scenario.ownResting(world)
      world.restart(kernel: scenario.makeKernel(), deadMan: try scenario.makeDeadMan())
      let isBack = world.untilGrid(of: 6)
      #expect(isBack, "restarted after \(wait) s")
      // Adopted, not printed: each of them has a life in the new books, and its end.
      for id in old {
        #expect(world.states(of: id).last == .canceled, "\(id) after \(wait) s")
      }
      #expect(old.isEmpty == (wait > 60))
      scenario.expectSoundEnd(&world, "restarted after \(wait) s")
    }
  }

  @Test(
    "M98 M107 M71: a restarted process remembers: its orders stay, what was filled meanwhile is booked once and answered"
  )
  func aRestartThatRemembers() throws {
    for wait in [Int64(0), 1, 30, 55, 61, 300] {
      let scenario = WhiteBITScenario.grid(seed: UInt64(wait) + 1)
      var world = try scenario.running()
      world.meet(.sell, price: "59950", amount: "0.0004")
      world.run(for: .seconds(1))
      world.kill()
      world.meet(.buy, price: "60050", amount: "0.001")
      world.run(for: .seconds(wait))
      let old = scenario.ownResting(world)
      let center = try #require(world.kernel.strategies[0].strategy.grid?.center)
      try world.resume(deadMan: try scenario.makeDeadMan()) { scenario.makeKernel() }
      // What was canceled half-filled sells at the next level what it has, where its neighbor waits.
      let isBack = world.untilGrid(of: wait < 60 ? 6 : 5)
      #expect(isBack, "restarted after \(wait) s")
      let summary = try #require(world.kernel.strategies[0].strategy.grid)
      #expect(summary.working + summary.waiting == 6)
      #expect(world.kernel.strategies[0].strategy.grid?.center == center)
      let now = scenario.ownResting(world)
      if wait < 60 {
        #expect(old.count == 5 && old.allSatisfy { now.contains($0) }, "after \(wait) s")
        #expect(world.countNotes { if case .cancel = $0 { true } else { false } } == 0)
      } else {
        #expect(old.isEmpty)
      }
      #expect(world.kernel.counts.fills == 2, "one before, one while nobody was there")
      #expect(world.countNotes { if case .ledgerAdjusted = $0 { true } else { false } } == 0)
      scenario.expectSoundEnd(&world, "restarted after \(wait) s")
    }
  }

  @Test(
    "M98 M107 M62: killed at any moment of a troubled day and restarted, it loses and doubles nothing"
  )
  func killedAtAnyMoment() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      var scenario = WhiteBITScenario.grid(seed: seed)
      scenario.latency = .milliseconds(Int64(random.integer(in: 1...80)))
      var world = try scenario.running()
      for _ in 0..<6 {
        switch random.below(5) {
        case 0: world.inflict(.loseReply, on: Path.new)
        case 1: world.inflict(.loseRequest, on: Path.new)
        case 2: world.inflict(.loseReply, on: Path.cancel)
        case 3: world.cut()
        default: world.inflict(.dropFrame, on: "deals")
        }
        let isBuy = random.below(2) == 0
        world.meet(isBuy ? .buy : .sell, price: isBuy ? "60100" : "59900", amount: "0.0017")
        world.run(for: .milliseconds(Int64(random.integer(in: 0...3_000))))
        world.kill()
        if random.below(2) == 0 { world.meet(.sell, price: "59850", amount: "0.0011") }
        world.run(for: .milliseconds(Int64(random.integer(in: 0...90_000))))
        try world.resume(deadMan: try scenario.makeDeadMan()) { scenario.makeKernel() }
        world.run(for: .milliseconds(Int64(random.integer(in: 0...20_000))))
      }
      let isSettled = world.settle()
      #expect(isSettled, "seed \(seed)")
      let adjusted = world.countNotes { if case .ledgerAdjusted = $0 { true } else { false } }
      #expect(adjusted == 0, "seed \(seed)")
      scenario.expectSoundEnd(&world, "seed \(seed)")
    }
  }

  @Test(
    "M82 M98: after a refused key and a restart with a good one, each order is known, and a halt takes all off"
  )
  func aRestartAfterARefusedKey() throws {
    let scenario = WhiteBITScenario.grid(seed: 3)
    var world = try scenario.running()
    world.inflict(.spoilSignature, on: Path.new)
    world.meet(.sell, price: "59950", amount: "0.001")
    let isHalted = world.run(for: .seconds(5)) { $0.kernel.risk.halt != nil }
    #expect(isHalted && scenario.ownResting(world).count == 5)
    try world.resume(deadMan: try scenario.makeDeadMan()) { scenario.makeKernel() }
    let isSettled = world.run(for: .seconds(60)) {
      $0.kernel.isReady && $0.kernel.orders.isQuiescent && $0.kernel.risk.halt == nil
    }
    #expect(isSettled, "what the halt asked to be canceled is canceled, or told to rest")
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    world.command(.halt)
    let isFree = world.run(for: .seconds(10)) { scenario.ownResting($0).isEmpty }
    #expect(isFree)
    world.command(.rearm, by: "someone")
    scenario.expectSoundEnd(&world, "restarted after a refused key")
  }

  @Test("an order in doubt when the process ends is asked about by the next one, whatever ended it")
  func aRestartInDoubt() throws {
    for isHalted in [false, true] {
      let scenario = WhiteBITScenario.grid(seed: 4)
      var world = try scenario.running()
      world.inflict(.loseReply, on: Path.new)
      world.meet(.sell, price: "59950", amount: "0.001")
      let isInDoubt = world.run(for: .seconds(20)) { !$0.kernel.orders.isQuiescent }
      #expect(isInDoubt)
      if isHalted { world.command(.halt) }
      try world.resume(deadMan: try scenario.makeDeadMan()) { scenario.makeKernel() }
      let isSettled = world.run(for: .seconds(60)) {
        $0.kernel.isReady && $0.kernel.orders.isQuiescent
      }
      #expect(isSettled, "halted: \(isHalted)")
      #expect((world.kernel.risk.halt != nil) == isHalted)
      scenario.expectSoundEnd(&world, "in doubt, halted: \(isHalted)")
    }
  }

  @Test("a stop before the venue's clock is known takes off what an earlier process left")
  func aStopBeforeTheClock() throws {
    let scenario = WhiteBITScenario.grid(seed: 6)
    var world = try scenario.running()
    world.kill()
    world.inflict(.loseRequest, on: Path.time)
    try world.resume(deadMan: try scenario.makeDeadMan()) { scenario.makeKernel() }
    world.run(for: .milliseconds(100))
    #expect(scenario.ownResting(world).count == 6 && !world.kernel.session.isClockKnown)
    let isStopped = world.stop()
    #expect(isStopped && scenario.ownResting(world).isEmpty)
  }

  @Test("what happened to the account while nobody was there is taken over, and told")
  func aDepositWhileDead() throws {
    let scenario = WhiteBITScenario.grid(seed: 5)
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.0004")
    world.run(for: .seconds(1))
    world.kill()
    world.run(for: .seconds(2))
    // By hand, on the same account, between our own orders.
    _ = world.placeByHand(.sell, price: "60020", amount: "0.001", id: "byhand")
    world.meet(.buy, price: "60020", amount: "0.001")
    world.run(for: .seconds(1))
    try world.resume(deadMan: try scenario.makeDeadMan()) { scenario.makeKernel() }
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    #expect(world.countNotes { if case .ledgerAdjusted = $0 { true } else { false } } == 2)
    #expect(world.countNotes { if case .ledgerDifference = $0 { true } else { false } } == 0)
    world.cut()
    world.run(for: .seconds(20))
    #expect(world.countNotes { if case .ledgerAdjusted = $0 { true } else { false } } == 2)
    scenario.expectSound(world, isShared: true)
  }

  @Test(
    "M71 M98: two hundred orders of an earlier life are all found, though they end page by page")
  func aRestartOverSeveralPages() throws {
    for jitter in [Int64(0), 5, 40, 160] {
      var scenario = WhiteBITScenario.grid(seed: UInt64(jitter) + 1)
      scenario.grid = GridSettings(
        levelsPerSide: 100, spacing: amount("5"), amount: amount("0.001"))
      var world = try scenario.running()
      world.jitter = .milliseconds(jitter)
      world.kill()
      world.run(for: .seconds(2))
      let old = Set(scenario.ownResting(world))
      #expect(old.count == 200)
      world.restart(kernel: scenario.makeKernel(), deadMan: try scenario.makeDeadMan())
      let isBack = world.untilGrid(of: 200)
      #expect(isBack, "jitter \(jitter) ms")
      let now = Set(scenario.ownResting(world))
      #expect(
        now.count == 200 && now.isDisjoint(with: old), "jitter \(jitter) ms: \(now.count) rest")
      scenario.expectSoundEnd(&world, "restarted over pages, jitter \(jitter) ms")
    }
  }

  @Test("M107 M95: fills that come while a restarted bot reads its lists are in its books, exactly")
  func fillsWhileRestarting() throws {
    for moment in stride(from: Int64(0), through: 1_200, by: 40) {
      var scenario = WhiteBITScenario.grid(seed: UInt64(moment) + 1)
      scenario.latency = .milliseconds(40)
      var world = try scenario.running()
      // Replies and pushes overtake each other in every other run.
      if moment % 80 == 0 { world.jitter = .milliseconds(120) }
      world.meet(.sell, price: "59950", amount: "0.0004")
      world.run(for: .seconds(1))
      world.kill()
      world.run(for: .seconds(2))
      world.restart(kernel: scenario.makeKernel(), deadMan: try scenario.makeDeadMan())
      world.run(for: .milliseconds(moment))
      if scenario.ownResting(world).count == 6 {
        world.meet(.sell, price: "59950", amount: "0.0003")
        world.meet(.buy, price: "60050", amount: "0.0003")
      }
      let isBack = world.untilGrid(of: 6)
      #expect(isBack, "at \(moment) ms")
      scenario.expectSoundEnd(&world, "restarted, fills at \(moment) ms")
    }
  }

  @Test(
    "M95 M98: a fill between the venue's balance and our reading it is counted once, told late or early"
  )
  func fillsAroundTheBalance() throws {
    for isPushLate in [false, true] {
      let scenario = WhiteBITScenario.grid()
      var world = try scenario.running()
      world.kill()
      world.run(for: .seconds(2))
      // What it adopts it takes off; these cancels do not get through.
      for _ in 0..<6 { world.inflict(.loseRequest, on: Path.cancel) }
      // The second balance is the one that the books begin with.
      world.inflict(.delayReply(by: .milliseconds(500)), on: Path.balance, after: 1)
      if isPushLate { world.desk.habits.plan(.delay(.milliseconds(900)), on: .deals) }
      world.restart(kernel: scenario.makeKernel(), deadMan: try scenario.makeDeadMan())
      let balances = world.trace.count(of: Path.balance)
      let isAsked = world.run(for: .seconds(5)) { $0.trace.count(of: Path.balance) == balances + 2 }
      #expect(isAsked)
      if isPushLate {
        // Before the venue reads its own books, and told long after.
        world.meet(.sell, price: "59950", amount: "0.0003")
        world.run(for: .milliseconds(2))
      } else {
        world.run(for: .milliseconds(2))
        world.meet(.sell, price: "59950", amount: "0.0003")
      }
      let isBack = world.untilGrid(of: 6)
      #expect(isBack)
      #expect(world.kernel.counts.fills == 1)
      #expect(world.countNotes { if case .ledgerDifference = $0 { true } else { false } } == 0)
      scenario.expectSoundEnd(&world, "told late: \(isPushLate)")
    }
  }

  // MARK: The dead-man

  @Test(
    "M69: blocked for 30 s the refresh is still on time; hung past the grace the venue ends our orders"
  )
  func aHungKernel() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    // Just before a refresh is due.
    world.run(for: .seconds(40))
    world.hang(for: .seconds(30))
    let refreshes = world.trace.count(of: Path.killSwitch)
    world.run(for: .seconds(31))
    #expect(world.trace.count(of: Path.killSwitch) == refreshes + 1)
    #expect(scenario.ownResting(world).count == 6)
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)

    let hungAt = world.now
    world.hang(for: .seconds(200))
    let isFree = world.run(for: .seconds(100)) { scenario.ownResting($0).isEmpty }
    #expect(isFree)
    #expect(world.now - hungAt <= .seconds(100), "grace and timeout")
    #expect(world.deadMan.outcomes.contains(.withheld))
    // It wakes, hears of it, and lays the grid anew.
    world.run(for: .seconds(150))
    #expect(world.deadMan.outcomes.contains(.resumed))
    scenario.expectSoundEnd(&world)
  }

  @Test("M73 T3: a refresh that fails is tried again within 5 s, and orders stay")
  func oneFailedRefresh() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.inflict(.loseRequest, on: Path.killSwitch)
    world.run(for: .seconds(60))
    let times = world.trace.requests(by: .deadMan).filter { $0.target == Path.killSwitch }
      .map(\.time)
    #expect(times.count == 3)
    // Three seconds until it counts as failed, then at most five.
    #expect(times[1] - times[0] == .seconds(45))
    #expect(times[2] - times[1] <= .seconds(8))
    #expect(scenario.ownResting(world).count == 6)
    #expect(world.kernel.isReady == true)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M73: after a second failed refresh our orders are canceled; armed again, they are laid anew")
  func twoFailedRefreshes() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    for _ in 0..<2 { world.inflict(.loseRequest, on: Path.killSwitch) }
    let isLost = world.run(for: .seconds(58)) {
      $0.deadMan.outcomes.contains(.lost(InstrumentID(0)))
    }
    #expect(isLost)
    world.run(for: .seconds(1))
    #expect(scenario.ownResting(world).isEmpty)
    #expect(world.trace.count(of: Path.cancel) == 6)
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M74 M69 T2: while the dead-man cannot be armed nothing is placed, and waiting is not hanging")
  func neverArmed() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    for _ in 0..<20 { world.inflict(.loseReply, on: Path.killSwitch) }
    world.start()
    // Longer than the grace after which a kernel without progress counts as hung.
    world.run(for: .seconds(95))
    #expect(world.trace.count(of: Path.bulk) == 0)
    #expect(world.trace.count(of: Path.token) == 0)
    let isThere = world.untilGrid(of: 6, within: .seconds(30))
    #expect(isThere)
    scenario.expectSoundEnd(&world)
  }

  // MARK: Slow requests

  @Test("M8: a request stalled for 5 s holds up no frame, and no other order")
  func aStalledRequest() throws {
    let scenario = WhiteBITScenario.grid(BookFaultTests.busy())
    var world = try scenario.running()
    let from = world.now
    world.inflict(.delayReply(by: .milliseconds(4_900)), on: Path.new)
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(1))
    world.meet(.buy, price: "60050", amount: "0.001")
    world.run(for: .seconds(6))
    let arrived = world.trace.entries.filter {
      if case .told = $0.event { $0.time > from } else { false }
    }
    let handled = world.journal.inputs.filter {
      if case .venue(.frame) = $0.input { $0.time > from } else { false }
    }
    // Fifty books alone; each was folded at the moment it came.
    #expect(arrived.count > 60)
    #expect(handled.map(\.time) == arrived.map(\.time))
    let placed = world.trace.requests().filter { $0.target == Path.new }.map(\.time)
    #expect(placed.count == 2)
    #expect(placed[1] - placed[0] < .milliseconds(1_100))
    scenario.expectSoundEnd(&world)
  }
}
