import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletRisk
import MartletSimulation
import MartletStrategies
import Testing
import WhiteBITSession

/// Stops that the kernel holds, over the whole wire: cuts, lost replies and deaths around the moment when
/// the price passes them.
@Suite struct StopTests {
  /// A market around 60,000 that falls through the grid's three buys to 59,700 after `calm`, and comes
  /// back after two minutes more.
  private static func falling(after calm: TimeSpan) -> HandmadeMarket {
    var market = HandmadeMarket(bid: 59_990, ask: 60_010)
    market.wait(calm)
    market.sweep(to: 59_700, ask: 59_720)
    market.wait(.seconds(120))
    market.sweep(to: 59_990, ask: 60_010)
    return market
  }

  private static func scenario(
    _ market: HandmadeMarket, stop: String? = nil, trailing: String? = nil, above: String? = nil
  ) -> WhiteBITScenario {
    var scenario = WhiteBITScenario.grid(market)
    scenario.grid.stopPrice = stop.map { amount($0) }
    scenario.grid.trailingStop = trailing.map { amount($0) }
    scenario.grid.stopPriceAbove = above.map { amount($0) }
    scenario.latency = .milliseconds(20)
    return scenario
  }

  /// Placements on the wire since `time`, in order, and what of depth came to the client: `buy`, `sell`,
  /// `book`.
  private func wire(_ world: borrowing WhiteBITWorld, since time: Timestamp) -> [String] {
    var found: [String] = []
    for entry in world.trace.entries where entry.time >= time {
      switch entry.event {
      case .requested(_, .kernel, Path.new, let body), .requested(_, .kernel, Path.bulk, let body):
        let text = String(decoding: body, as: UTF8.self)
        if text.contains("\"side\":\"buy\"") { found.append("buy") }
        if text.contains("\"side\":\"sell\"") { found.append("sell") }
      case .told(_, let frame):
        if String(decoding: frame, as: UTF8.self).contains("depth_update") { found.append("book") }
      default: break
      }
    }
    return found
  }

  private func notes(_ world: borrowing WhiteBITWorld) -> [(sequence: UInt64, note: KernelNote)] {
    world.journal.notes.map { ($0.sequence, $0.note) }
  }

  private func fires(_ world: borrowing WhiteBITWorld) -> Int {
    world.countNotes { if case .stopFired = $0 { true } else { false } }
  }

  private func unprotected(_ world: borrowing WhiteBITWorld) -> [TimeSpan] {
    world.journal.notes.compactMap {
      if case .stopArmed(_, _, _, let span) = $0.note, span > .zero { span } else { nil }
    }
  }

  /// All is over: nothing of ours rests, what the fills had brought is gone to the lot, and it was traded
  /// back by orders that together are exactly that.
  private func expectFlat(
    _ scenario: WhiteBITScenario, _ world: inout WhiteBITWorld, from baseline: Amount,
    _ comment: String = ""
  ) {
    let isDone = world.run(for: .seconds(120)) { $0.kernel.stops.allSatisfy { $0.state == .done } }
    #expect(isDone, "\(comment): not done")
    #expect(world.kernel.risk.halt?.reason == .stopTriggered, "\(comment)")
    #expect(fires(world) == 1, "\(comment): fired \(fires(world)) times")
    #expect(scenario.ownResting(world).isEmpty, "\(comment)")
    let left = scenario.total("DBTC", in: world) - baseline
    #expect(
      left < amount("0.00001") && Amount.zero - left < amount("0.00001"), "\(comment): \(left) left"
    )
    // It stays so: nothing is placed until somebody rearms.
    let before = world.journal.notes.count
    world.run(for: .seconds(60))
    #expect(OperatorTests.approvals(in: world, after: before) == 0, "\(comment)")
  }

  @Test("M64 M55: a stop takes the grid off, sells what its fills bought, and stays so until rearm")
  func aStopEndsTheGrid() throws {
    let scenario = Self.scenario(Self.falling(after: .seconds(30)), stop: "59800")
    var world = try scenario.running()
    let baseline = scenario.total("DBTC", in: world)
    #expect(world.kernel.stops.map(\.state) == [.armed])
    let isOver = world.run(for: .seconds(60)) { $0.kernel.risk.halt != nil }
    #expect(isOver && world.kernel.counts.fills >= 3)
    expectFlat(scenario, &world, from: baseline)
    let stop = try #require(world.kernel.stops.first)
    #expect(stop.firedLevel == Price(quanta: 59_800 * 10_000))
    #expect(stop.firedPrice <= stop.firedLevel && stop.orders >= 1 && !stop.lastOrder.isEmpty)
    // Rearmed under the stop, it halts at once, with nothing placed.
    var before = world.journal.notes.count
    world.command(.rearm, by: "uid 0 pid 1")
    #expect(world.kernel.risk.halt?.reason == .stopTriggered && fires(world) == 2)
    world.run(for: .seconds(5))
    #expect(OperatorTests.approvals(in: world, after: before) == 0)
    // With the price back, the grid is laid anew, and holds nothing that it does not have.
    world.run(for: .seconds(120))
    before = world.journal.notes.count
    world.command(.rearm, by: "uid 0 pid 1")
    let isBack = world.untilGrid(of: 6)
    #expect(isBack && world.kernel.stops.map(\.state) == [.armed])
    let first = world.journal.notes.dropFirst(before).compactMap { entry -> String? in
      switch entry.note {
      case .stopArmed: "armed"
      case .approved: "order"
      default: nil
      }
    }
    #expect(first.first == "armed" && first.count == 7)
    scenario.expectSoundEnd(&world)
  }

  @Test("M64: a stop above the market buys back what the grid sold, in a pause and in a halt too")
  func aStopAbove() throws {
    for word in [nil, OperatorCommand.pause, .halt] {
      var market = HandmadeMarket(bid: 59_990, ask: 60_010)
      market.wait(.seconds(30))
      market.sweep(to: 60_130, ask: 60_150)
      market.wait(.seconds(20))
      market.sweep(to: 60_300, ask: 60_320)
      let scenario = Self.scenario(market, stop: "59000", above: "60200")
      var world = try scenario.running()
      let baseline = scenario.total("DBTC", in: world)
      world.run(for: .seconds(35)) { $0.kernel.counts.fills >= 2 }
      if let word { world.command(word) }
      world.run(for: .seconds(5))
      let isOver = world.run(for: .seconds(60)) { $0.kernel.stops[1].state == .done }
      #expect(isOver && world.kernel.stops[0].state == .armed)
      #expect(world.kernel.stops[1].orders >= 1)
      #expect(world.kernel.risk.halt?.reason == (word == .halt ? .operatorRequest : .stopTriggered))
      let left = scenario.total("DBTC", in: world) - baseline
      #expect(left < amount("0.00001") && Amount.zero - left < amount("0.00001"), "\(left)")
      scenario.expectSoundEnd(&world)
    }
  }

  @Test("M64: a trailing stop follows the bid up, and fires on the way down")
  func aTrailingStop() throws {
    var market = HandmadeMarket(bid: 59_990, ask: 60_010)
    for step in 1...4 as ClosedRange<Int64> {
      market.wait(.seconds(10))
      market.book(bid: 59_990 + 8 * step, ask: 60_010 + 8 * step)
    }
    market.wait(.seconds(10))
    market.sweep(to: 59_700, ask: 59_720)
    let scenario = Self.scenario(market, trailing: "250")
    var world = try scenario.running()
    let baseline = scenario.total("DBTC", in: world)
    world.run(for: .seconds(60)) { $0.kernel.risk.halt != nil }
    expectFlat(scenario, &world, from: baseline)
    #expect(world.kernel.stops[0].firedLevel == Price(quanta: (60_022 - 250) * 10_000))
  }

  @Test(
    "M64 M55: the price passes a stop during a cut: behind it the stop fires before anything else is placed"
  )
  func thePricePassesDuringACut() throws {
    for isSilent in [false, true] {
      let scenario = Self.scenario(Self.falling(after: .seconds(30)), stop: "59800")
      var world = try scenario.running()
      let baseline = scenario.total("DBTC", in: world)
      while world.now < WhiteBITScenario.start + .seconds(29) { world.run(for: .milliseconds(100)) }
      // One that both ends hear of heals quickly, so it is cut again and again until the fall is over.
      let cutAt = world.now
      if isSilent {
        world.outage(for: .seconds(20))
      } else {
        while world.now < WhiteBITScenario.start + .seconds(32) {
          world.cut()
          world.run(for: .milliseconds(20))
        }
      }
      let isOver = world.run(for: .seconds(90)) { $0.kernel.risk.halt != nil }
      #expect(isOver)
      expectFlat(scenario, &world, from: baseline, "silent \(isSilent)")
      let told = wire(world, since: cutAt + .milliseconds(50))
      let first = told.firstIndex { $0 != "book" }
      #expect(first.map { told[$0] } == "sell", "\(told.filter { $0 != "book" })")
      #expect((first ?? 0) > 0, "a book came first")
      #expect(!told.contains("buy"))
      scenario.expectSoundEnd(&world)
    }
  }

  @Test(
    "M64: after a cut the stop is armed on a fresh book before any new entry, and the time is exact"
  )
  func armedBeforeAnyEntry() throws {
    for moment in stride(from: Int64(0), through: 900, by: 180) {
      var market = HandmadeMarket(bid: 59_000, ask: 61_000)
      // The book is told of each second, and never passes the stop.
      for second in 0..<100 as Range<Int64> {
        market.wait(.seconds(1))
        market.level(.buy, 58_990, 4_000_000 + second)
      }
      let scenario = Self.scenario(market, stop: "58000")
      var world = try scenario.running()
      world.run(for: .seconds(20) + .milliseconds(moment))
      let before = notes(world).count
      let cutAt = world.now
      let lastBook = try #require(world.trace.framesTold(containing: "depth_update").last).time
      world.cut()
      // What it fills meanwhile is answered by new entries.
      world.meet(.sell, price: "59900", amount: "0.002")
      world.run(for: .milliseconds(10))
      let isBack = world.untilGrid(of: 6)
      #expect(isBack, "at \(moment) ms")
      #expect(world.kernel.counts.fills == 2)
      let told = wire(world, since: cutAt + .milliseconds(1))
      let entry = try #require(told.firstIndex { $0 != "book" })
      #expect(entry > 0, "at \(moment) ms: an entry before a book")
      let order = notes(world)[before...].compactMap { entry -> String? in
        switch entry.note {
        case .stopInert: "inert"
        case .stopArmed: "armed"
        case .approved: "order"
        default: nil
        }
      }
      #expect(Array(order.prefix(3)) == ["inert", "armed", "order"], "at \(moment) ms: \(order)")
      // From the last book that was looked at to the input on which it was armed.
      let armed = try #require(
        world.journal.notes.last {
          if case .stopArmed = $0.note { true } else { false }
        })
      let armedAt = try #require(
        world.journal.entries.last { $0.sequence < armed.sequence && $0.kind == JournalKind.input }
      ).time
      #expect(unprotected(world) == [armedAt - lastBook], "at \(moment) ms")
      #expect(world.kernel.stops[0].unprotected == armedAt - lastBook)
      #expect(world.kernel.stops[0].losses == 1)
      scenario.expectSoundEnd(&world)
    }
  }

  @Test(
    "M64: a fired stop's order is not doubled when its request or its reply is lost, late or broken",
    arguments: [
      NetworkFault.Kind.loseReply, .loseRequest, .breakReply, .refuseConnection,
      .delayReply(by: .seconds(8)), .delayRequest(by: .seconds(3)),
    ])
  func aLostReplyDoublesNothing(kind: NetworkFault.Kind) throws {
    let scenario = Self.scenario(Self.falling(after: .seconds(30)), stop: "59800")
    var world = try scenario.running()
    let baseline = scenario.total("DBTC", in: world)
    world.run(for: .seconds(60)) { $0.kernel.risk.halt != nil }
    world.inflict(kind, on: Path.new)
    expectFlat(scenario, &world, from: baseline, "\(kind)")
    #expect(world.plannedFaults.isEmpty, "\(kind) met nothing")
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M64 M9: killed at any moment from the crossing to the last fill, it goes on and doubles nothing"
  )
  func killedWhileItSells() throws {
    var sales = 0
    var ends: Set<LocalStop.State> = []
    for moment in stride(from: Int64(0), through: 400, by: 10) {
      let scenario = Self.scenario(Self.falling(after: .seconds(30)), stop: "59800")
      var world = try scenario.running()
      let baseline = scenario.total("DBTC", in: world)
      while world.now < WhiteBITScenario.start + .milliseconds(30_000 + moment) {
        world.run(for: .milliseconds(10))
      }
      let wasFired = fires(world) == 1
      if moment % 20 == 0 { world.inflict(.loseReply, on: Path.new) }
      ends.insert(world.kernel.stops[0].state)
      if world.kernel.stops[0].state == .fired && world.kernel.stops[0].orders > 0 { sales += 1 }
      world.kill()
      world.run(for: .seconds(Int64(1 + moment % 70)))
      let deadMan = try scenario.makeDeadMan()
      try world.resume(deadMan: deadMan) { scenario.makeKernel() }
      #expect(
        (world.kernel.stops[0].state == .fired || world.kernel.stops[0].state == .done) == wasFired)
      expectFlat(scenario, &world, from: baseline, "killed at \(moment) ms")
      #expect(wasFired || unprotected(world).count == 1, "killed at \(moment) ms")
      scenario.expectSoundEnd(&world, "killed at \(moment) ms")
    }
    #expect(
      ends == [.armed, .fired, .done] && sales > 3, "\(ends), \(sales) in the middle of a sale")
  }

  /// A market that jumps to and fro, now and then beyond both stops.
  private static func restless(_ random: inout SeededRandom) -> HandmadeMarket {
    var market = HandmadeMarket(bid: 59_990, ask: 60_010)
    for _ in 0..<60 {
      market.wait(.milliseconds(Int64(500 + random.below(5_000))))
      let bid = 59_990 + (Int64(random.below(7)) - 3) * Int64(random.below(110))
      market.sweep(to: bid, ask: bid + 20)
    }
    return market
  }

  /// Everything that the notes of a day must show, whatever befell the bot.
  private func expectGuarded(_ world: borrowing WhiteBITWorld, _ comment: String) {
    var armed: [Side: Bool] = [:]
    var isEntry = false
    var net = Quantity.zero
    var fees = Amount.zero
    var entries = 0
    for (sequence, note) in notes(world) {
      let at = "\(comment), record \(sequence)"
      switch note {
      case .stopArmed(_, let side, _, _):
        #expect(armed[side] != true, "\(at): armed twice")
        armed[side] = true
      case .stopInert(_, let side, _):
        #expect(armed[side] == true, "\(at): inert twice")
        armed[side] = false
      case .stopFired(_, let side, let level, let price):
        #expect(armed[side] == true, "\(at): fired unarmed")
        #expect(side == .sell ? price <= level : price >= level, "\(at)")
        armed[side] = false
      case .intent(let intent): isEntry = intent.strategy == StrategyID(0)
      case .approved:
        if isEntry {
          entries += 1
          #expect(armed == [.sell: true, .buy: true], "\(at): an entry, with stops \(armed)")
        }
      case .fill(let fill) where fill.feeAsset == "DBTC": fees = fees + fill.fee
      case .position(_, let held, _, _): net = held
      case .stopDone(_, let side, _):
        guard let scale = world.kernel.markets[0].instrument?.scale else { continue }
        let held = scale.amount(of: net) - fees
        let left = side == .sell ? held : Amount.zero - held
        #expect(left < amount("0.00001"), "\(at): done with \(left) left")
      default: break
      }
    }
    #expect(entries > 6, "\(comment): \(entries) entries")
  }

  @Test(
    "M64: whatever befalls it, nothing new is placed while a stop is inert, and each fires once an arming"
  )
  func noEntryWhileInert() throws {
    var fired = 0
    var losses: UInt32 = 0
    for seed in UInt64(1)...20 {
      var random = SeededRandom(seed: seed)
      var scenario = Self.scenario(
        Self.restless(&random), trailing: "260", above: "60230")
      scenario.seed = seed
      var world = try scenario.makeWorld()
      world.start()
      world.run(for: .seconds(3))
      for _ in 0..<30 {
        switch random.below(11) {
        case 0, 1: world.cut()
        case 2: world.outage(for: .milliseconds(Int64(random.below(12_000))))
        case 3: world.inflict(.dropFrame, on: "depth_update", after: Int(random.below(3)))
        case 4: world.inflict(.loseReply, on: random.chance(1, in: 2) ? Path.new : Path.bulk)
        case 5: world.inflict(.loseRequest, on: random.chance(1, in: 2) ? Path.new : Path.cancel)
        case 6:
          world.kill()
          world.run(for: .milliseconds(Int64(random.below(20_000))))
          try world.resume(deadMan: scenario.makeDeadMan()) { scenario.makeKernel() }
        case 7: world.command(random.chance(1, in: 2) ? .pause : .resume)
        case 8: world.command(.flatten)
        default:
          world.command(.rearm)
          world.command(.resume)
        }
        world.run(for: .milliseconds(Int64(random.below(8_000))))
      }
      world.heal()
      world.run(for: .seconds(60))
      expectGuarded(world, "seed \(seed)")
      fired += fires(world)
      losses += world.kernel.stops.map(\.losses).reduce(0, +)
      scenario.expectSoundEnd(&world, "seed \(seed)")
    }
    #expect(fired > 20 && losses > 100, "\(fired) fired, lost \(losses) times")
  }

  @Test("a stop larger than the largest order is traded back in several")
  func aLargeStop() throws {
    var scenario = Self.scenario(Self.falling(after: .seconds(30)), stop: "59800")
    scenario.limits.maxOrderNotional = amount("65")
    var world = try scenario.running()
    let baseline = scenario.total("DBTC", in: world)
    world.run(for: .seconds(60)) { $0.kernel.risk.halt != nil }
    expectFlat(scenario, &world, from: baseline)
    #expect(world.kernel.stops[0].orders >= 3)
    scenario.expectSoundEnd(&world)
  }

  @Test("a stop set, moved and taken away while the bot trades is held, moved and held no more")
  func stopsChangeWhileItTrades() throws {
    let scenario = Self.scenario(HandmadeMarket(bid: 59_990, ask: 60_010))
    var world = try scenario.running()
    #expect(world.kernel.stops.isEmpty)
    var settings = scenario.grid
    settings.stopPrice = amount("59000")
    world.change(StrategyID(0), to: BuiltInSettings.grid(settings).coded())
    #expect(world.kernel.stops.map(\.state) == [.armed])
    settings.stopPrice = nil
    settings.trailingStop = amount("500.5")
    world.change(StrategyID(0), to: BuiltInSettings.grid(settings).coded())
    world.run(for: .seconds(12))
    #expect(world.kernel.stops.map(\.rule.trailing) == [5_005_000])
    #expect(scenario.ownResting(world).count == 6)
    world.change(StrategyID(0), to: BuiltInSettings.grid(scenario.grid).coded())
    #expect(world.kernel.stops.isEmpty)
    // One that is past already fires at once.
    settings.stopPrice = amount("60005")
    world.change(StrategyID(0), to: BuiltInSettings.grid(settings).coded())
    #expect(world.kernel.risk.halt?.reason == .stopTriggered)
    world.run(for: .seconds(5))
    #expect(scenario.ownResting(world).isEmpty && world.kernel.stops.map(\.state) == [.done])
    scenario.expectSoundEnd(&world)
  }
}
