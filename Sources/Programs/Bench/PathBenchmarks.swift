internal import MartletBase
internal import MartletKernel
internal import MartletLive
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletSimulation
internal import MartletStrategies
internal import WhiteBITSession

// What the parts of a decision cost, one by one, and what a whole state does.
extension BenchSuite {
  func clientOrderID() -> BenchResult {
    var watch = Stopwatch(pieces: amount(1_000, small: 4))
    var rounds = Rounds()
    var checksum = Checksum()
    var ids = ClientOrderIDs(tag: "B7x2")
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      for piece in 0..<amount(1_000, small: 4) {
        let now = Timestamp(milliseconds: 1_775_000_000_000 + Int64(piece))
        var folded: UInt64 = 0
        watch.start()
        for _ in 0..<64 {
          folded ^= ids.next(at: now, symbol: MarketFrames.market).text.stableHash
        }
        watch.stop(ops: 64)
        checksum.fold(folded)
      }
      rounds.add(watch)
    }
    var result = rounds.result("client-order-id", checksum: checksum.value)
    result.forbidAllocations()
    return result
  }

  func riskReview() throws -> BenchResult {
    let instrument = try frames().instrument
    var limits = RiskLimits()
    limits.maxOrdersPerWindow = 100_000
    limits.maxOrderNotional = Amount(units: 1_000_000 * powerOfTen(Amount.places))
    limits.maxInventory = Amount(units: 1_000 * powerOfTen(Amount.places))
    var gate = RiskGate(limits: limits)
    let price = Price(quanta: 60_000 * instrument.rules.tickSize * 100)
    let lots = Int64(1_000)
    let free = Amount(units: 1_000_000 * powerOfTen(Amount.places))
    var watch = Stopwatch(pieces: amount(1_000, small: 4))
    var rounds = Rounds()
    var checksum = Checksum()
    var milliseconds: Int64 = 1_775_000_000_000
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      for _ in 0..<amount(1_000, small: 4) {
        var approved: UInt64 = 0
        watch.start()
        for index in Int64(0)..<64 {
          milliseconds += 1
          let side: Side = index & 1 == 0 ? .buy : .sell
          let verdict = gate.review(
            OrderIntent(
              strategy: StrategyID(0), account: AccountID(0), instrument: instrument.id,
              side: side, price: Price(quanta: price.quanta - index * instrument.rules.tickSize),
              quantity: Quantity(quanta: lots * instrument.rules.lotStep), tag: index),
            context: RiskContext(
              now: Timestamp(milliseconds: milliseconds), instrument: instrument,
              reference: ReferencePrice(bid: price, ask: price), freeBase: free, freeQuote: free,
              position: Position(account: AccountID(0), instrument: instrument.id),
              workingOnInstrument: 20, workingBuyLeaves: .zero, workingOfStrategy: 20))
          if case .approved(let order) = verdict { approved ^= order.verdict }
        }
        watch.stop(ops: 64)
        checksum.fold(approved)
      }
      rounds.add(watch)
    }
    guard gate.approvals == gate.verdicts else {
      throw Fault("risk-review: \(gate.verdicts - gate.approvals) orders were refused")
    }
    var result = rounds.result("risk-review", checksum: checksum.value)
    result.forbidAllocations()
    return result
  }

  func snapshot() throws -> BenchResult {
    let day = try recordedDay()
    defer { discard("\(folder)/snapshot") }
    let bot = try TradingBot.open(day, journal: "\(folder)/snapshot")
    let count = amount(40, small: 2)
    var watch = Stopwatch(pieces: count)
    var rounds = Rounds()
    var checksum = Checksum()
    var size = 0
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      for _ in 0..<count {
        watch.start()
        var writer = SnapshotWriter()
        bot.driver.kernel.write(to: &writer)
        watch.stop()
        size = writer.bytes.count
        checksum.fold(UInt64(size))
      }
      rounds.add(watch)
    }
    var result = rounds.result("snapshot", checksum: checksum.value)
    result.remark("\(size) bytes")
    return result
  }

  func replay() throws -> BenchResult {
    let day = try recordedDay()
    var watch = Stopwatch(pieces: day.entries.count / 64 + 1)
    var rounds = Rounds()
    var checksum = Checksum()
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      var replay = Replay(kernel: day.plan.makeKernel { $0.bookLag = RecordedDay.noLag })
      var index = 0
      while index < day.entries.count {
        let end = min(index + 64, day.entries.count)
        watch.start()
        for entry in day.entries[index..<end] {
          try replay.feed(
            kind: entry.kind, sequence: entry.sequence, at: entry.time,
            payload: entry.payload.span)
        }
        watch.stop(ops: end - index)
        index = end
      }
      try replay.finish()
      rounds.add(watch)
      checksum.fold(replay.inputs)
      checksum.fold(replay.compared)
      checksum.fold(replay.kernel.counts.fills)
    }
    var result = rounds.result("replay", checksum: checksum.value)
    if let mean = result.nanosecondsPerOp, mean > 0 {
      result.remark("\(Int64(1_000_000_000 / mean)) records/s, \(day.fills) fills among them")
    }
    return result
  }
}
