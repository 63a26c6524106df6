import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletSimulation
import MartletStrategies
import Testing
import WhiteBITDesk

/// What changes while a grid trades: its owner's settings, and the market's rules. Every world ends
/// with the audit of its wire, its journal and both ledgers.
@Suite struct LiveChangeTests {
  private func change(_ world: inout WhiteBITWorld, to settings: GridSettings) {
    world.change(StrategyID(0), to: BuiltInSettings.grid(settings).coded())
  }

  private func isTaken(_ world: borrowing WhiteBITWorld) -> Bool {
    world.countNotes { $0 == .settings(StrategyID(0), isTaken: true) } == 1
  }

  /// Orders asked for and cancels sent since `before`.
  private func moved(_ world: borrowing WhiteBITWorld, since before: KernelCounts) -> [UInt64] {
    [
      world.kernel.counts.placed - before.placed,
      world.kernel.counts.canceled - before.canceled,
    ]
  }

  // MARK: Settings

  @Test("more levels for a live grid: only the new ones are placed, nothing is canceled")
  func moreLevels() throws {
    var scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let before = world.kernel.counts
    scenario.grid.levelsPerSide = 5
    change(&world, to: scenario.grid)
    let isTaken = isTaken(world)
    #expect(isTaken)
    world.run(for: .seconds(2))
    let moved = moved(world, since: before)
    #expect(moved == [4, 0])
    #expect(
      world.workingLines == [
        "buy 59750 0.001", "buy 59800 0.001", "buy 59850 0.001", "buy 59900 0.001",
        "buy 59950 0.001", "sell 60050 0.001", "sell 60100 0.001", "sell 60150 0.001",
        "sell 60200 0.001", "sell 60250 0.001",
      ])
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "another spacing and fewer levels: orders that fit stay, the others go, then the rest comes")
  func otherSpacing() throws {
    var scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let before = world.kernel.counts
    scenario.grid = GridSettings(
      levelsPerSide: 2, spacing: amount("100"), amount: amount("0.001"))
    change(&world, to: scenario.grid)
    world.run(for: .seconds(2))
    // Of 59,900 and 60,100 are there already; of six, four go.
    let moved = moved(world, since: before)
    #expect(moved == [2, 4])
    #expect(
      world.workingLines == [
        "buy 59800 0.001", "buy 59900 0.001", "sell 60100 0.001", "sell 60200 0.001",
      ])
    world.meet(.sell, price: "59900", amount: "0.001")
    world.run(for: .seconds(2))
    #expect(world.workingLines.contains("sell 60000 0.000999"))
    scenario.expectSoundEnd(&world)
  }

  @Test("another amount while fills come: what is half done ends as it began, nothing is doubled")
  func otherAmount() throws {
    var scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.0004")
    world.run(for: .seconds(1))
    scenario.grid.amount = amount("0.002")
    change(&world, to: scenario.grid)
    // The very next thing at the venue is a fill of an order that is about to be canceled.
    world.meet(.buy, price: "60050", amount: "0.001")
    world.run(for: .seconds(5))
    // At 60,050 the old amount was sold before its cancel came; what was lent beyond it follows.
    #expect(
      world.workingLines == [
        "buy 59850 0.002", "buy 59900 0.002", "buy 59950 0.0006", "sell 60050 0.001",
        "sell 60100 0.002", "sell 60150 0.002",
      ])
    scenario.expectSoundEnd(&world)
  }

  @Test("settings that do not fit the market change nothing")
  func unfitSettings() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let before = world.kernel.counts
    change(
      &world,
      to: GridSettings(levelsPerSide: 3, spacing: amount("0.001"), amount: amount("0.001")))
    world.run(for: .seconds(2))
    #expect(world.countNotes { $0 == .settings(StrategyID(0), isTaken: false) } == 1)
    let moved = moved(world, since: before)
    #expect(moved == [0, 0])
    scenario.expectSoundEnd(&world)
  }

  /// Method: a trading market from a seed, settings changed at random moments, with replies and frames
  /// lost around them. The audit and the replay of its journal are the judges.
  @Test(
    "settings changed at random moments of a troubled hour: the ledger is exact", arguments: 1...6)
  func randomChanges(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var scenario = WhiteBITScenario.grid(seed: seed)
    var world = try scenario.running()
    for _ in 0..<20 {
      scenario.grid = GridSettings(
        levelsPerSide: Int(random.integer(in: 1...6)),
        spacing: amount(["25", "50", "100"][Int(random.below(3))]),
        amount: amount(["0.0005", "0.001", "0.002"][Int(random.below(3))]))
      switch random.below(6) {
      case 0: world.inflict(.loseReply, on: Path.cancel)
      case 1: world.inflict(.loseReply, on: Path.bulk)
      case 2: world.inflict(.dropFrame, on: "ordersPending_update")
      case 3: world.cut()
      default: break
      }
      change(&world, to: scenario.grid)
      let price = 60_000 + 50 * random.integer(in: -6...6)
      world.meet(
        random.below(2) == 0 ? .sell : .buy, price: "\(price)", amount: "0.001")
      world.run(for: .seconds(random.integer(in: 1...60)))
    }
    scenario.expectSoundEnd(&world, "settings")
  }

  // MARK: Rules

  @Test("M85: a coarser tick and lot are noticed at the first refusal, and every order then fits")
  func coarserSteps() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    try world.desk.setRules(
      WhiteBITRules(tick: amount("25"), step: amount("0.0001")), of: scenario.market)
    // Bought 0.001 less its fee of 0.000001: 0.000999 is no multiple of the step any more.
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(5))
    #expect(world.kernel.counts.refusedByVenue == 1)
    #expect(world.trace.count(of: Path.markets) == 2)
    world.run(for: .seconds(60))
    #expect(world.workingLines.contains("sell 60000 0.0009"))
    #expect(world.kernel.counts.refusedByVenue == 1)
    world.meet(.sell, price: "59900", amount: "0.001")
    world.run(for: .seconds(60))
    #expect(world.workingLines.contains("sell 59950 0.0009"))
    #expect(world.kernel.counts.refusedByVenue == 1, "known now")
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "a minimum above the grid's amount stops new orders, and they come again when it is lowered")
  func higherMinimum() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.001")
    try world.desk.setRules(WhiteBITRules(minTotal: amount("100")), of: scenario.market)
    world.run(for: .seconds(120))
    let refused = world.kernel.counts.refusedByVenue
    #expect(refused == 1, "asked once, then it is known")
    #expect(world.workingLines.count == 5)
    try world.desk.setRules(WhiteBITRules(minTotal: amount("5")), of: scenario.market)
    // The list is read every ten minutes, and a refused slot asks ever more slowly, up to 16 minutes.
    world.run(for: .seconds(1_800))
    #expect(world.workingLines.count == 6)
    #expect(world.kernel.counts.refusedByVenue == refused)
    scenario.expectSoundEnd(&world)
  }

  @Test("M85: a market that stops trading is left alone, and traded again when the list says so")
  func tradingStops() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.001")
    try world.desk.setRules(WhiteBITRules(tradesEnabled: false), of: scenario.market)
    world.run(for: .seconds(700))
    let placed = world.kernel.counts.placed
    world.run(for: .seconds(1_200))
    #expect(world.kernel.counts.placed == placed, "nothing is sent to a closed market")
    try world.desk.setRules(WhiteBITRules(tradesEnabled: true), of: scenario.market)
    world.run(for: .seconds(1_800))
    #expect(world.workingLines.count == 6)
    scenario.expectSoundEnd(&world)
  }
}
