import MartletBase
import MartletKernel
import MartletModel
import MartletOrders
import MartletRisk
import MartletSimulation
import Testing

/// What an operator says to a bot that trades, over the whole wire.
@Suite struct OperatorTests {
  /// Intents that were approved since a number of notes.
  static func approvals(in world: borrowing WhiteBITWorld, after count: Int) -> Int {
    world.journal.notes.dropFirst(count).count {
      if case .approved = $0.note { true } else { false }
    }
  }

  @Test func aPausePlacesNothingAndLeavesWhatRestsAndAResumeGoesOn() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.command(.pause, by: "uid 0 pid 1: lunch")
    let before = world.journal.notes.count
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(30))
    #expect(world.kernel.isPaused && world.kernel.counts.fills == 1)
    #expect(Self.approvals(in: world, after: before) == 0)
    #expect(scenario.ownResting(world).count == 5)
    // Twice is once.
    world.command(.pause)
    world.command(.resume)
    let isBack = world.untilGrid(of: 6)
    #expect(isBack && !world.kernel.isPaused)
    scenario.expectSoundEnd(&world)
  }

  @Test("M122: a halt ends every order and holds until somebody named lifts it")
  func aHaltHoldsUntilItIsLifted() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.command(.halt, by: "uid 7 pid 1: strange")
    world.run(for: .seconds(5))
    #expect(
      scenario.ownResting(world).isEmpty && world.kernel.risk.halt?.reason == .operatorRequest)
    world.command(.resume)
    world.run(for: .seconds(30))
    #expect(scenario.ownResting(world).isEmpty && world.kernel.risk.halt != nil)
    world.command(.rearm, by: "uid 7 pid 2")
    #expect(world.kernel.risk.halt == nil && world.kernel.risk.rearmedBy == "uid 7 pid 2")
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "a journal without room holds trading and takes all orders off; with room again it goes on by itself, and no sooner than a halt allows"
  )
  func aJournalWithoutRoomHolds() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.journal(.short)
    world.run(for: .seconds(5))
    #expect(world.kernel.isHeld && scenario.ownResting(world).isEmpty)
    #expect(world.kernel.risk.halt == nil)
    let held = world.kernel.counts.placed
    world.command(.pause)
    world.command(.resume)
    world.run(for: .seconds(30))
    #expect(world.kernel.counts.placed == held && scenario.ownResting(world).isEmpty)
    // A state that is held is written and read as what it is.
    var writer = SnapshotWriter()
    world.kernel.write(to: &writer)
    #expect(writer.bytes.copy().starts(with: [4] + Array("held".utf8)))
    world.journal(.sound)
    let isBack = world.untilGrid(of: 6)
    #expect(isBack && !world.kernel.isHeld)
    // A halt outlasts the hold, and the hold a halt.
    world.journal(.short)
    world.command(.halt, by: "uid 7 pid 1")
    world.journal(.sound)
    world.run(for: .seconds(30))
    #expect(scenario.ownResting(world).isEmpty && world.kernel.risk.halt != nil)
    world.journal(.short)
    world.command(.rearm, by: "uid 7 pid 2")
    world.run(for: .seconds(30))
    #expect(scenario.ownResting(world).isEmpty && world.kernel.isHeld)
    world.journal(.sound)
    let isBackAgain = world.untilGrid(of: 6)
    #expect(isBackAgain)
    scenario.expectSoundEnd(&world)
  }

  @Test("a journal that could not be brought to disk halts, and takes all orders off")
  func aJournalThatFailedHalts() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.journal(.failed)
    world.run(for: .seconds(5))
    #expect(world.kernel.risk.halt?.reason == .journalFailed && scenario.ownResting(world).isEmpty)
    world.journal(.sound)
    world.run(for: .seconds(30))
    #expect(scenario.ownResting(world).isEmpty && world.kernel.risk.halt != nil)
    scenario.expectSoundEnd(&world)
  }

  /// Bought or sold beyond the start, alone or with a halt, and with what may go wrong on the way of
  /// the one order that must never be sent twice.
  @Test(arguments: [
    (Side.sell, nil), (.buy, nil), (.sell, NetworkFault.Kind.loseReply), (.buy, .loseReply),
    (.sell, .loseRequest), (.buy, .breakReply),
  ])
  func aFlattenBringsTheInventoryBack(side: Side, fault: NetworkFault.Kind?) throws {
    for isHalted in [false, true] {
      var scenario = WhiteBITScenario.grid()
      scenario.latency = .milliseconds(20)
      var world = try scenario.running()
      let baseline = scenario.total("DBTC", in: world)
      world.meet(side, price: side == .sell ? "59900" : "60100", amount: "0.002")
      world.run(for: .seconds(2))
      #expect(world.kernel.counts.fills == 2)
      if isHalted { world.command(.halt) }
      if let fault {
        world.inflict(fault, on: Path.new)
      }
      world.command(.flatten, by: "uid 0 pid 9")
      let isOver = world.run(for: .seconds(70)) { $0.kernel.flattening == nil }
      #expect(isOver)
      let verdicts = world.journal.notes.compactMap {
        if case .flattened(let isWhole) = $0.note { isWhole } else { nil }
      }
      #expect(verdicts == [true], "\(side) \(String(describing: fault)) \(isHalted)")
      #expect(world.kernel.isPaused && (world.kernel.risk.halt != nil) == isHalted)
      #expect(scenario.ownResting(world).isEmpty)
      // To the lot: a fee in the base asset is finer.
      let left = scenario.total("DBTC", in: world) - baseline
      #expect(left < amount("0.00001") && Amount.zero - left < amount("0.00001"), "\(left)")
      let before = world.journal.notes.count
      world.run(for: .seconds(30))
      #expect(Self.approvals(in: world, after: before) == 0)
      world.command(.rearm, by: "uid 0 pid 9")
      world.command(.resume)
      let isBack = world.untilGrid(of: 6)
      #expect(isBack)
      scenario.expectSoundEnd(&world)
    }
  }

  @Test func aFlattenOfNothingPlacesNothing() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let before = world.journal.notes.count
    world.command(.flatten)
    let isOver = world.run(for: .seconds(10)) { $0.kernel.flattening == nil }
    #expect(isOver && Self.approvals(in: world, after: before) == 0)
    #expect(world.countNotes { $0 == .flattened(isWhole: true) } == 1)
    #expect(scenario.ownResting(world).isEmpty)
    scenario.expectSoundEnd(&world)
  }

  @Test func aFlattenThatCannotReachTheVenueGivesUpAndSaysSo() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(2))
    world.outage(for: .seconds(120))
    world.command(.flatten)
    world.run(for: .seconds(90))
    #expect(world.countNotes { $0 == .flattened(isWhole: false) } == 1)
    #expect(world.kernel.flattening == nil && world.kernel.isPaused)
    scenario.expectSoundEnd(&world)
  }
}
