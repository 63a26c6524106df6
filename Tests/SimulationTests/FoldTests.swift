import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletRecord
import MartletSimulation
import MartletStrategies
import MartletVenueKit
import Testing
import WhiteBITSession

/// The state is the fold of the journal: of the whole, and of a snapshot and what follows it.
@Suite struct FoldTests {
  typealias DayReplay = Replay<WhiteBITSession, BuiltInStrategy>

  /// A day with a lost reply, a cut, a dropped delta, an outage and other settings twice, and the plan
  /// of its kernel.
  ///
  /// - Parameter stop: under the highest bid; the swings reach it now and then, and somebody rearms.
  private func troubledDay(
    stop: String? = nil
  ) throws -> (WhiteBITScenario, [MemoryJournal.Entry]) {
    var scenario = WhiteBITScenario.grid(levels: 3, TroubledDayTests.swinging())
    scenario.grid.trailingStop = stop.map { amount($0) }
    var world = try scenario.running()
    if stop != nil {
      for _ in 0..<4 {
        world.command(.rearm)
        world.run(for: .seconds(7))
        world.cut()
        world.run(for: .seconds(3))
      }
      world.command(.rearm)
    }
    world.inflict(.loseReply, on: Path.new)
    world.run(for: .seconds(12))
    world.cut()
    world.inflict(.dropFrame, on: "depth_update", after: 3)
    world.run(for: .seconds(20))
    world.change(StrategyID(0), to: settings(levels: 4, spacing: "50", amount: "0.002"))
    world.outage(for: .seconds(6))
    world.run(for: .seconds(30))
    world.change(StrategyID(0), to: settings(levels: 4, spacing: "100", amount: "0.001"))
    world.run(for: .seconds(10))
    world.command(.stop)
    world.run(for: .seconds(5))
    return (scenario, world.journal.entries)
  }

  private func settings(levels: Int, spacing: String, amount text: String) -> [UInt8] {
    BuiltInSettings.grid(
      GridSettings(levelsPerSide: levels, spacing: amount(spacing), amount: amount(text))
    ).coded()
  }

  private func feed(_ replay: inout DayReplay, _ entry: MemoryJournal.Entry) throws {
    try replay.feed(
      kind: entry.kind, sequence: entry.sequence, at: entry.time, payload: entry.payload.span)
  }

  private func state(of replay: borrowing DayReplay) -> [UInt8] {
    var snapshot = SnapshotWriter()
    replay.kernel.write(to: &snapshot)
    return snapshot.bytes.copy()
  }

  @Test(
    "a troubled day's journal folds to the same notes and effects, bit for bit",
    arguments: [nil, "120"])
  func aJournalReplays(stop: String?) throws {
    let (scenario, entries) = try troubledDay(stop: stop)
    var replay = DayReplay(kernel: scenario.makeKernel())
    for entry in entries { try feed(&replay, entry) }
    try replay.finish()
    #expect(replay.compared > 300)
    let fired = entries.count {
      if $0.kind == JournalKind.note, case .stopFired? = NoteCoding.read($0.payload.span)?.note {
        return true
      }
      return false
    }
    #expect((fired > 1) == (stop != nil), "\(fired) stops fired")
  }

  @Test("of a troubled day's records only public pushes are under the market's retention")
  func lanesOfADay() throws {
    let (_, entries) = try troubledDay()
    var market = 0
    for entry in entries {
      var isMarket = false
      if entry.kind == JournalKind.input {
        let read = InputCoding.read(entry.payload.span)
        let (input, start) = try #require(read)
        let text = String(decoding: entry.payload[start...], as: UTF8.self)
        let pushes = ["depth_update", "trades_update", "lastprice_update"]
        if case .venue(.frame(_)) = input {
          isMarket = pushes.contains { text.contains("\"method\": \"\($0)\"") }
        }
      }
      #expect(entry.lane == (isMarket ? .market : .decisions), "record \(entry.sequence)")
      market += isMarket ? 1 : 0
    }
    #expect(market > 50 && market < entries.count)
  }

  @Test("a snapshot that is not the state of the fold is told from one that is, and begins a fold")
  func snapshotsAreHeldAgainstTheFold() throws {
    let (scenario, entries) = try troubledDay()
    var replay = DayReplay(kernel: scenario.makeKernel())
    for entry in entries.prefix(entries.count / 2) { try feed(&replay, entry) }
    let middle = state(of: replay)
    let isSame = try replay.take(middle)
    #expect(isSame)
    for entry in entries[(entries.count / 2)...] { try feed(&replay, entry) }
    let isStill = try replay.take(middle)
    #expect(!isStill)
    var other = DayReplay(kernel: scenario.makeKernel())
    let isBegun = try other.take(middle)
    #expect(isBegun && state(of: other) == middle)
    #expect(throws: SnapshotReader.Fault.self) {
      var cut = DayReplay(kernel: scenario.makeKernel())
      _ = try cut.take(Array(middle.dropLast()))
    }
  }

  @Test(
    "a day cut at random records, restored from its snapshot, goes on as if it had not been cut",
    arguments: [nil, "120"])
  func aCutDayGoesOn(stop: String?) throws {
    let (scenario, entries) = try troubledDay(stop: stop)
    var whole = DayReplay(kernel: scenario.makeKernel())
    for entry in entries { try feed(&whole, entry) }
    let end = state(of: whole)

    let inputs = entries.indices.filter { entries[$0].kind == JournalKind.input }
    var random = SeededRandom(seed: 23)
    let cuts = (0..<60).map { _ in inputs[Int(random.below(UInt64(inputs.count)))] }.sorted()
    var first = DayReplay(kernel: scenario.makeKernel())
    var at = 0
    for cut in cuts {
      while at < cut {
        try feed(&first, entries[at])
        at += 1
      }
      var reader = SnapshotReader(state(of: first))
      var kernel = scenario.makeKernel()
      try kernel.read(from: &reader)
      #expect(reader.isAtEnd, "record \(entries[cut].sequence)")
      var second = DayReplay(kernel: kernel)
      for entry in entries[cut...] { try feed(&second, entry) }
      try second.finish()
      let isSame = state(of: second) == end
      #expect(isSame, "cut at record \(entries[cut].sequence)")
    }
  }
}
