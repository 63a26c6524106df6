import MartletBase
import MartletExchange
import MartletGrid
import MartletKernel
import MartletModel
import MartletPortfolio
import MartletRisk
import MartletStrategies
import Testing

/// The grid on a contract, end to end: kernel, Risk, Orders, Portfolio, and the exchange with its own sums.
@Suite struct ContractGridTests {
  /// A market that wanders, with prints that take what rests.
  private func tape(_ random: inout SeededRandom, frames: UInt32, size: Int64) -> [MarketRow] {
    var rows: [MarketRow] = []
    var middle: Int64 = 600_000
    for frame in 0..<frames {
      // Drawn back to where it began, so that the grid stays around it.
      middle += random.integer(in: -600...600) + (600_000 - middle) / 30
      func row(_ kind: MarketRow.Kind, _ side: Side, _ price: Int64, _ quantity: Int64) -> MarketRow
      {
        MarketRow(
          receivedAt: Timestamp(milliseconds: Int64(frame) * 60_000), price: Price(quanta: price),
          quantity: Quantity(quanta: quantity), frame: frame, kind: kind, side: side,
          endsFrame: false)
      }
      if frame % 2 == 1 {
        rows.append(row(.trade, random.below(2) == 0 ? .buy : .sell, middle, 50 * size))
      } else {
        for step in 1...Int64(4) {
          rows.append(row(.snapshot, .buy, middle - step * 100, 100 * size))
          rows.append(row(.snapshot, .sell, middle + step * 100, 100 * size))
        }
      }
      rows[rows.count - 1].endsFrame = true
    }
    return rows
  }

  private func settings(_ kind: Instrument.Kind, leverage: Int = 5) throws -> GridSettings {
    GridSettings(
      levelsPerSide: 5, spacing: try Amount("50"),
      amount: try Amount(kind == .inverse ? "600" : "0.01"), leverage: leverage)
  }

  private func world(
    _ kind: Instrument.Kind, seed: UInt64, plan: MarginPlan = MarginPlan(leverage: 5),
    isFundingTurned: Bool = false
  ) throws -> ContractWorld {
    var random = SeededRandom(seed: seed)
    let rows = tape(&random, frames: 1_500, size: kind == .inverse ? 600 : 10)
    return ContractWorld(
      try .contract(kind, 0, rows: rows), try settings(kind, leverage: plan.leverage),
      wallet: try Amount(kind == .inverse ? "0.2" : "12000"), plan: plan,
      isFundingTurned: isFundingTurned)
  }

  /// Lives a day of a minute a step, with a mark at each and funding at its hours.
  private func live(
    _ world: inout ContractWorld, _ minutes: Range<Int64>, seed: UInt64,
    _ each: (borrowing ContractWorld, Int64) -> Void = { _, _ in }
  ) {
    var random = SeededRandom(seed: seed &+ 77)
    for minute in minutes {
      let now = Timestamp(milliseconds: minute * 60_000)
      if let last = world.exchange.lastPrice(of: InstrumentID(0))
        ?? (minute == 0 ? Price(quanta: 600_000) : nil)
      {
        world.exchange.setMark(
          Price(quanta: last.quanta + random.integer(in: -50...50)), of: InstrumentID(0), at: now)
      }
      world.exchange.setFundingRate(
        Rate(units: random.integer(in: -5_000_000...8_000_000)), of: InstrumentID(0), at: now)
      world.live(to: now)
      each(world, minute)
    }
  }

  @Test(
    "M16 M58 M59: a grid trades a linear and an inverse contract, and both ledgers agree to the last digit",
    arguments: [Instrument.Kind.linear, .inverse])
  func aDay(kind: Instrument.Kind) throws {
    for (seed, mode) in [(UInt64(3), MarginMode.cross), (4, .isolated), (5, .cross)] {
      var world = try world(kind, seed: seed, plan: MarginPlan(leverage: 5, mode: mode))
      live(&world, 0..<1_450, seed: seed) { world, minute in
        let found = world.differences()
        #expect(found.isEmpty, "seed \(seed), minute \(minute)")
      }
      let kernel = world.driver.kernel.counts
      #expect(kernel.fills > 100, "seed \(seed): \(kernel.fills) fills")
      #expect(world.refusals.isEmpty, "seed \(seed): \(world.refusals.prefix(3))")
      let funding = world.driver.kernel.portfolio.holding(AccountID(0), InstrumentID(0)).funding
      #expect(funding != .zero, "seed \(seed)")
      let sums = world.exchange.marginConservation(of: world.asset)
      #expect(sums.sum == sums.deposited, "seed \(seed)")
      // What the grid says it earned, beside the ledger: its open slots count at their levels, so both
      // meet when the position is valued there; here the sign and the round trips are held.
      let found = summary(world)
      let grid = try #require(found)
      #expect(grid.roundTrips > 20, "seed \(seed)")

      // Flat in the end: everything is in the wallet.
      world.obey(.flatten)
      let end = Timestamp(milliseconds: 1_449 * 60_000)
      for step in Int64(1)...20 { world.live(to: end + TimeSpan.milliseconds(step * 300)) }
      let position = world.exchange.position(of: world.account, in: InstrumentID(0))
      #expect(position.size == 0, "seed \(seed)")
      #expect(world.differences().isEmpty, "seed \(seed)")
      let wallet = world.exchange.margin(of: world.account, in: world.asset).wallet
      let start = try Amount(kind == .inverse ? "0.2" : "12000")
      #expect(
        wallet == start + position.realized - position.fees + position.funding, "seed \(seed)")
    }
  }

  private func summary(_ world: borrowing ContractWorld) -> GridStrategy.Summary? {
    world.driver.kernel.strategies[0].strategy.grid
  }

  @Test("M16: a wrong sign of funding is found at the first payment")
  func aWrongSignIsFound() throws {
    var world = try world(.linear, seed: 3, isFundingTurned: true)
    var found: [String] = []
    live(&world, 0..<1_450, seed: 3) { world, _ in
      if found.isEmpty { found = world.differences() }
    }
    #expect(found.contains { $0.hasPrefix("funding") } && found.contains("wallet"))
    // The kernel's own sum beside the venue's says so as well.
    var contradictions = 0
    for record in world.driver.sink.records where record.kind == JournalKind.note {
      if case .funding(let payment, let own)? = NoteCoding.read(record.payload.span)?.note {
        if own != payment.amount { contradictions += 1 }
      }
    }
    #expect(contradictions > 0)
  }

  @Test("the same day gives the same journal, and a state read back goes on as if nothing had been")
  func determined() throws {
    var first = try world(.inverse, seed: 9)
    var second = try world(.inverse, seed: 9)
    live(&first, 0..<400, seed: 9)
    live(&second, 0..<400, seed: 9)
    #expect(first.driver.sink.records.map(\.payload) == second.driver.sink.records.map(\.payload))
    // Folded again from its inputs, from a state in the midst of it.
    let plan = MarginPlan(leverage: 5)
    let terms = first.exchange.terms(of: InstrumentID(0))
    let session = PlainSession(
      instruments: first.exchange.instruments, terms: [terms].compactMap { $0 })
    let inputs = first.driver.sink.records.enumerated().filter {
      $0.element.kind == JournalKind.input
    }
    var whole = ContractWorld.kernel(session, try settings(.inverse), plan)
    var resumed = ContractWorld.kernel(session, try settings(.inverse), plan)
    func written(_ kernel: borrowing Kernel<PlainSession, BuiltInStrategy>) -> [UInt8] {
      var writer = SnapshotWriter()
      kernel.write(to: &writer)
      return writer.bytes.copy()
    }
    for (count, (index, record)) in inputs.enumerated() {
      let read = InputCoding.read(record.payload.span)
      let (input, start) = try #require(read)
      let bytes = Array(record.payload[start...])
      whole.step(input, bytes: bytes.span, at: record.time, sequence: UInt64(index) + 1)
      if count == inputs.count / 2 {
        var reader = SnapshotReader(written(whole))
        try resumed.read(from: &reader)
        #expect(reader.isAtEnd)
      } else if count > inputs.count / 2 {
        resumed.step(input, bytes: bytes.span, at: record.time, sequence: UInt64(index) + 1)
        #expect(whole.notes == resumed.notes, "record \(index)")
      }
    }
    let (found, other) = (written(whole), written(resumed))
    #expect(found == other && found == written(first.driver.kernel))
  }

  @Test("a grid without enough margin stays within it, and nothing of it is refused by the venue")
  func poor() throws {
    var random = SeededRandom(seed: 21)
    let rows = tape(&random, frames: 600, size: 10)
    // Room for some two of five levels: 600 each at 5.
    var world = ContractWorld(
      try .contract(.linear, 0, rows: rows), try settings(.linear), wallet: try Amount("260"),
      plan: MarginPlan(leverage: 5))
    live(&world, 0..<590, seed: 21) { world, minute in
      let own = world.driver.kernel.risk.halt
      if own == nil { #expect(world.differences().isEmpty, "minute \(minute)") }
    }
    #expect(world.refusals.isEmpty)
    #expect(world.driver.kernel.risk.refused(by: .margin) > 0)
  }
}
