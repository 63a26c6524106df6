import MartletBase
import MartletExchange
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletRecord
import MartletSimulation
import Testing
import WhiteBITDesk
import WhiteBITSession

/// A bot whose journal lies on a simulated disk, and is read from there by each of its processes, as a live
/// one's is.
struct DiskBot: ~Copyable {
  let plan: BotPlan
  let scenario: WhiteBITScenario
  let disk = SimulatedDisk()
  var world: WhiteBITWorld

  /// - Parameter levels: a side, 50 apart around 60,000, on a market that nobody else trades there.
  static func make(levels: Int = 3) throws -> DiskBot {
    let configuration = """
      [bot]
      name = "grid"
      valuation = "DUSDT"
      [venue.whitebit]
      endpoint = "local"
      key = "env:GRID_KEY"
      [[strategy]]
      kind = "grid"
      market = "DBTC_DUSDT"
      levels = \(levels)
      spacing = "50"
      amount = "0.001"
      """
    let plan = try BotPlan(
      configurationText: Array(configuration.utf8), file: "the test's configuration", seed: 1,
      build: "test")
    var scenario = WhiteBITScenario.grid(levels: levels)
    scenario.tag = plan.tag
    // Nothing of it runs out while nobody is there.
    scenario.deadMan = .init(timeoutSeconds: 600, refresh: .seconds(500))
    return DiskBot(plan, scenario, try scenario.makeWorld(kernel: plan.makeKernel()))
  }

  private init(
    _ plan: BotPlan, _ scenario: WhiteBITScenario, _ world: consuming WhiteBITWorld
  ) {
    self.plan = plan
    self.scenario = scenario
    self.world = world
  }

  /// The next process begins, with what the one before it left on disk.
  ///
  /// - Parameter isFresh: as `--fresh` has it, without.
  mutating func begin(isFresh: Bool = false) throws {
    let store = disk.mount()
    let journal = try DiskJournal(
      disk, store, segmentBytes: 1 << 19, named: JournalID(high: 1, low: 2),
      synced: world.syncedSequence, at: world.clientTime)
    var kernel = plan.makeKernel()
    var records: [(kind: UInt16, at: Timestamp?, payload: [UInt8])] = []
    if !isFresh, journal.recovery.lastSequence > 0, var run = try FormerRun.read(store) {
      var reader = SnapshotReader(run.state)
      try kernel.read(from: &reader)
      // What it died before writing down.
      let time = run.lastTime
      try run.complete { (kind, payload) throws(JournalFault) in
        records.append((kind, time, payload.copy()))
      }
    }
    try world.begin(
      kernel: kernel, deadMan: try scenario.makeDeadMan(), on: journal,
      records: records + [
        (JournalKind.start, nil, plan.record()),
        (JournalKind.snapshot, nil, StateRecord.payload(plan, key: scenario.key, kernel)),
      ])
  }

  /// The process is killed while its removal of the kill-switch is on its way, which arrives `late`.
  mutating func dieInItsStop(late: TimeSpan) {
    world.command(.stop)
    let isStopped = world.run(for: .seconds(10)) { $0.kernel.isStopped }
    #expect(isStopped)
    world.inflict(.delayRequest(by: late), on: Path.killSwitch)
    world.disarm()
    world.kill()
  }

  /// Whether the venue's kill-switch runs at each moment of `span` at which an order of ours rests.
  mutating func isGuarded(for span: TimeSpan) -> Bool {
    let end = world.now + span
    while world.now < end {
      world.run(for: .milliseconds(50))
      guard let account = world.desk.account(of: scenario.key) else { return false }
      var isGuarded = true
      world.desk.exchange.forEachWorkingOrder(of: account) {
        if !world.desk.isGuarded(account, $0.instrument) { isGuarded = false }
      }
      if !isGuarded { return false }
    }
    return true
  }
}
