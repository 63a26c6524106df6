import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRecord
import MartletRisk
import MartletStrategies
import MartletStrategy
import MartletVenueKit
import Testing

@Suite struct KernelTests {
  typealias Driver = KernelDriver<ScriptedSession, BuiltInStrategy, ListSink>

  /// Feeds frames by number, one a millisecond.
  private func run(_ driver: inout Driver, frames: [UInt8], from start: Int64 = 1) {
    for (offset, frame) in frames.enumerated() {
      driver.feed(
        .venue(.frame(StreamID(0))), bytes: [frame].span,
        at: Timestamp(milliseconds: start + Int64(offset)))
    }
  }

  private func opened(limits: RiskLimits = RiskLimits()) -> Driver {
    var driver = Driver(kernel: KernelHarness.kernel(limits: limits), sink: ListSink())
    run(&driver, frames: [0, 1])
    return driver
  }

  private func notes(_ entries: [ListSink.Entry]) -> [(note: KernelNote, trace: TraceID)] {
    entries.filter { $0.kind == JournalKind.note }.compactMap { NoteCoding.read($0.payload.span) }
  }

  private func read(_ payload: [UInt8]) -> (note: KernelNote, trace: TraceID)? {
    NoteCoding.read(payload.span)
  }

  /// The ids are deterministic: a first run tells the names that a script for a second one needs.
  private func names(of driver: borrowing Driver) -> [(id: ClientOrderID, side: Side, price: Int64)]
  {
    var found: [(ClientOrderID, Side, Int64)] = []
    for (note, _) in notes(driver.sink.entries) {
      if case .order(let view) = note, view.state == .pendingNew {
        found.append((view.clientOrderID, view.side, view.price.quanta))
      }
    }
    return found
  }

  @Test("a frame of the public market is journaled under its own retention, all else as a decision")
  func framesOfTheMarketHaveALaneOfTheirOwn() {
    var driver = KernelDriver(kernel: KernelHarness.kernel(), sink: ListSink())
    let frames: [[UInt8]] = [[0], [1, 0], [1]]
    for (index, frame) in frames.enumerated() {
      driver.feed(
        .venue(.frame(StreamID(0))), bytes: frame.span,
        at: Timestamp(milliseconds: Int64(index)))
    }
    // The same bytes as a reply are no frame.
    let body = frames[1]
    driver.feed(
      .venue(.response(RequestID(1), status: 200)), bytes: body.span,
      at: Timestamp(milliseconds: 9))
    let inputs = driver.sink.entries.filter { $0.kind == JournalKind.input }
    #expect(inputs.map(\.lane) == [.decisions, .market, .decisions, .decisions])
    let others = driver.sink.entries.filter { $0.kind != JournalKind.input }
    #expect(!others.isEmpty && others.allSatisfy { $0.lane == .decisions })
  }

  @Test("M1 M9: one trade leaves market data, signal, order, fill and position under one id")
  func oneTradeIsOneStory() throws {
    let opening = opened()
    let buy = try #require(names(of: opening).first { $0.side == .buy && $0.price == 5_995_000 })
    let script =
      KernelHarness.opening + [
        [
          KernelHarness.report(
            buy.id, side: .buy, price: buy.price, quantity: 1000, cumulative: 0, status: .open)
        ],
        [
          KernelHarness.fill(buy.id, trade: 9, side: .buy, price: buy.price, quantity: 1000),
          KernelHarness.report(
            buy.id, side: .buy, price: buy.price, quantity: 1000, cumulative: 1000, status: .filled),
        ],
      ]
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: KernelHarness.openingLevels + [[], []]),
      sink: ListSink())
    run(&driver, frames: [0, 1, 2, 3])
    let entries = driver.sink.entries
    // 1. The frame that made the strategy act is an input whose own sequence is the id.
    let approval = try #require(
      entries.first {
        if case .approved(buy.id, _)? = NoteCoding.read($0.payload.span)?.note {
          true
        } else {
          false
        }
      })
    let trace = try #require(read(approval.payload)).trace
    let frame = try #require(entries.first { $0.sequence == trace.sequence })
    #expect(frame.kind == JournalKind.input)
    #expect(InputCoding.read(frame.payload.span)?.input == .venue(.frame(StreamID(0))))
    // 2 to 5. Signal, order, fill and position carry it, in that order.
    var order: [String] = []
    for (note, found) in notes(entries) where found == trace {
      switch note {
      case .intent(let intent) where intent.price.quanta == buy.price: order.append("signal")
      case .order(let view) where view.clientOrderID == buy.id && view.state == .pendingNew:
        order.append("order")
      case .fill(let fill) where fill.clientOrderID == buy.id: order.append("fill")
      case .position: order.append("position")
      default: break
      }
    }
    #expect(order == ["signal", "order", "fill", "position"])
    // M9: the fill also brought the replacement and Risk's word on it.
    let last = notes(entries.filter { $0.time == Timestamp(milliseconds: 4) })
    #expect(
      last.contains {
        if case .intent(let intent) = $0.note {
          intent.side == .sell && intent.price.quanta == 6_000_000 && intent.quantity.quanta == 1000
        } else {
          false
        }
      })
    #expect(last.contains { if case .approved = $0.note { true } else { false } })
  }

  @Test("M5: a vetoed intent sends no byte")
  func aVetoSendsNothing() {
    var limits = RiskLimits()
    limits.maxWorkingPerInstrument = 0
    let driver = opened(limits: limits)
    #expect(driver.sink.entries.allSatisfy { $0.kind != JournalKind.effect })
    #expect(driver.kernel.counts.refusedByRisk > 0 && driver.kernel.counts.placed == 0)
    #expect(driver.kernel.orders.workingCount == 0)
  }

  @Test("M82: after a 401 nothing is placed, and the kernel wants every order of ours gone")
  func unauthorizedHalts() {
    let script = KernelHarness.opening + [[.unauthorized(status: 401, code: 10)], [.ready]]
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: KernelHarness.openingLevels + [[], []]),
      sink: ListSink())
    run(&driver, frames: [0, 1])
    let placed = driver.kernel.counts.placed
    #expect(placed == 4)
    run(&driver, frames: [2, 3, 1], from: 10)
    #expect(driver.kernel.risk.halt?.reason == .unauthorized)
    #expect(driver.kernel.counts.placed == placed)
    #expect(
      sent(driver.sink.entries) == Array(repeating: "place", count: 4)
        + Array(repeating: "cancel", count: 4))
  }

  @Test(
    "M87: a venue that refuses to tell what must be known halts us, and every order is asked off")
  func aRefusedQuestionHalts() {
    let script = KernelHarness.opening + [[.questionRefused(status: 404, code: 0)], [.ready]]
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: KernelHarness.openingLevels + [[], []]),
      sink: ListSink())
    run(&driver, frames: [0, 1])
    let placed = driver.kernel.counts.placed
    run(&driver, frames: [2, 3, 1], from: 10)
    #expect(driver.kernel.risk.halt?.reason == .questionRefused)
    #expect(placed == 4 && driver.kernel.counts.placed == placed)
    #expect(sent(driver.sink.entries).filter { $0 == "cancel" }.count == 4)
  }

  /// What left, as the scripted session words it.
  private func sent(_ entries: [ListSink.Entry]) -> [String] {
    entries.filter { $0.kind == JournalKind.effect }.map {
      let text = String(decoding: $0.payload, as: UTF8.self)
      return ["place", "cancel", "query"].first { text.contains($0) } ?? text
    }
  }

  @Test(
    "T5: an order of an earlier life is taken into state: money set aside, fills booked, taken off")
  func anEarlierLifesOrderIsAdopted() throws {
    let id = ClientOrderID("mttest0123456789ABCDEFGHIJKLMNOP")
    func report(_ cumulative: Int64, _ status: OrderReport.Status) -> VenueEvent {
      KernelHarness.report(
        id, side: .buy, price: 5_900_000, quantity: 1_000, cumulative: cumulative, status: status)
    }
    let script =
      KernelHarness.opening + [
        [report(0, .open)],
        [KernelHarness.fill(id, trade: 77, side: .buy, price: 5_900_000, quantity: 400)],
        [report(400, .canceled)],
      ]
    var driver = Driver(
      kernel: KernelHarness.kernel(
        script: script, levels: KernelHarness.openingLevels + [[], [], []]), sink: ListSink())
    run(&driver, frames: [0, 1])
    let freeTold = driver.kernel.portfolio.free(AccountID(0), "DUSDT")
    let free = try #require(freeTold)
    #expect(driver.kernel.orders.workingCount == 4)
    run(&driver, frames: [2], from: 10)
    let adoptedTold = driver.kernel.orders.record(of: id)?.view
    let adopted = try #require(adoptedTold)
    #expect(adopted.state == .pendingCancel && driver.kernel.orders.workingCount == 5)
    let set = driver.kernel.portfolio.free(AccountID(0), "DUSDT")
    #expect(set == free - Amount(units: 59 * powerOfTen(20)))
    #expect(sent(driver.sink.entries).last == "cancel")
    // It fills before it ends: what it moved is ours.
    run(&driver, frames: [3, 4], from: 20)
    let net = driver.kernel.portfolio.position(AccountID(0), InstrumentID(0)).net
    #expect(net.quanta == 400)
    let endedTold = driver.kernel.orders.record(of: id)?.view
    let ended = try #require(endedTold)
    #expect(ended.state == .canceled && driver.kernel.orders.workingCount == 4)
  }

  @Test(
    "M7: a fill of our own order that nobody here remembers moves ledger and position all the same")
  func anOwnFillWithoutAnOrderIsBooked() throws {
    let id = ClientOrderID("mttest0123456789ABCDEFGHIJKLMNOP")
    let other = ClientOrderID("byhand")
    let script =
      KernelHarness.opening + [
        [
          KernelHarness.fill(id, trade: 77, side: .buy, price: 5_900_000, quantity: 400),
          KernelHarness.fill(other, trade: 78, side: .buy, price: 5_900_000, quantity: 5),
        ]
      ]
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: KernelHarness.openingLevels + [[]]),
      sink: ListSink())
    run(&driver, frames: [0, 1])
    let before = driver.kernel.portfolio.ledger(AccountID(0), "DBTC")?.expected ?? .zero
    run(&driver, frames: [2], from: 10)
    let after = driver.kernel.portfolio.ledger(AccountID(0), "DBTC")?.expected ?? .zero
    #expect(after == before + Amount(units: 4 * powerOfTen(16)))
    let net = driver.kernel.portfolio.position(AccountID(0), InstrumentID(0)).net
    #expect(net.quanta == 400 && driver.kernel.counts.fills == 1)
  }

  @Test(
    "M54: the first partial fill moves the position at once, and the next intent is of its size")
  func aPartialFillMovesThePositionAtOnce() throws {
    let opening = opened()
    let buy = try #require(names(of: opening).first { $0.side == .buy && $0.price == 5_995_000 })
    let script =
      KernelHarness.opening + [
        [KernelHarness.fill(buy.id, trade: 77, side: .buy, price: buy.price, quantity: 400)],
        [
          KernelHarness.report(
            buy.id, side: .buy, price: buy.price, quantity: 1000, cumulative: 400, status: .canceled
          )
        ],
      ]
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: KernelHarness.openingLevels + [[], []]),
      sink: ListSink())
    run(&driver, frames: [0, 1])
    let beforeTold = driver.kernel.portfolio.free(AccountID(0), "DBTC")
    let before = try #require(beforeTold)
    run(&driver, frames: [2], from: 10)
    let viewTold = driver.kernel.orders.record(of: buy.id)?.view
    let view = try #require(viewTold)
    #expect(view.state == .open && view.cumulative.quanta == 400 && view.leaves.quanta == 600)
    let net = driver.kernel.portfolio.position(AccountID(0), InstrumentID(0)).net
    #expect(net.quanta == 400)
    let after = driver.kernel.portfolio.free(AccountID(0), "DBTC")
    #expect(after == before + Amount(units: 4 * powerOfTen(16)))
    run(&driver, frames: [3], from: 20)
    let next = notes(driver.sink.entries.filter { $0.time == Timestamp(milliseconds: 20) })
    let intents = next.compactMap { if case .intent(let intent) = $0.note { intent } else { nil } }
    #expect(intents.contains { $0.side == .sell && $0.quantity.quanta == 400 }, "\(intents)")
    #expect(!intents.contains { $0.side == .sell && $0.quantity.quanta != 400 })
  }

  @Test("M73: a lost dead-man takes every order off")
  func aLostDeadManRetreats() {
    var driver = opened()
    driver.feed(.venue(.deadManLost), bytes: Span(), at: Timestamp(milliseconds: 9))
    let working = driver.kernel.orders.workingCount
    #expect(working == 4)
    var canceling = 0
    for (note, _) in notes(driver.sink.entries) {
      if case .order(let view) = note, view.state == .pendingCancel { canceling += 1 }
    }
    #expect(canceling == 4)
  }

  @Test("M22: nothing is placed on a book that is not trusted, nor while paused")
  func anUntrustedBookIsNotTradedOn() {
    let script = [
      KernelHarness.opening[0], KernelHarness.opening[1], [.bookUntrusted(InstrumentID(0))],
    ]
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: KernelHarness.openingLevels + [[]]),
      sink: ListSink())
    run(&driver, frames: [0, 2])
    #expect(driver.kernel.counts.placed == 0)
    driver.feed(.command(.pause), bytes: Span(), at: Timestamp(milliseconds: 5))
    run(&driver, frames: [1], from: 6)
    #expect(driver.kernel.counts.placed == 0)
    driver.feed(.command(.resume), bytes: Span(), at: Timestamp(milliseconds: 8))
    #expect(driver.kernel.counts.placed == 4)
  }

  /// A seeded session of fills, partial fills, cancels and book moves over the grid's own orders.
  private func story(seed: UInt64) -> (script: [[VenueEvent]], levels: [[BookLevel]]) {
    var random = SeededRandom(seed: seed)
    var script = KernelHarness.opening
    var levels = KernelHarness.openingLevels
    var trade: UInt64 = 1
    for _ in 0..<40 {
      var driver = Driver(
        kernel: KernelHarness.kernel(script: script, levels: levels), sink: ListSink())
      run(&driver, frames: (0..<script.count).map { UInt8($0) })
      var records: [OrderRecord] = []
      driver.kernel.orders.fill(&records)
      guard let record = records.randomElement(using: &random) else { break }
      let view = record.view
      let part = Int64.random(in: 1...max(1, view.leaves.quanta), using: &random)
      switch UInt8.random(in: 0..<4, using: &random) {
      case 0:
        script.append([
          KernelHarness.report(
            view.clientOrderID, side: view.side, price: view.price.quanta,
            quantity: view.quantity.quanta, cumulative: view.cumulative.quanta, status: .canceled)
        ])
      case 1:
        script.append([
          .book(InstrumentID(0), first: 0, count: 2, isSnapshot: true, exchangeTime: .zero)
        ])
      default:
        trade += 1
        let total = view.cumulative.quanta + part
        script.append([
          KernelHarness.fill(
            view.clientOrderID, trade: trade, side: view.side, price: view.price.quanta,
            quantity: part),
          KernelHarness.report(
            view.clientOrderID, side: view.side, price: view.price.quanta,
            quantity: view.quantity.quanta, cumulative: total,
            status: total == view.quantity.quanta ? .filled : .open),
        ])
      }
      let isBook =
        script[script.count - 1].count == 1
        && script[script.count - 1].first.map {
          if case .book = $0 { true } else { false }
        } == true
      levels.append(isBook ? KernelHarness.openingLevels[1] : [])
    }
    return (script, levels)
  }

  @Test("a run cut at any record, restored from its snapshot, goes on as if it had not been cut")
  func aCutRunGoesOn() throws {
    for seed in UInt64(1)...4 {
      let (script, levels) = story(seed: seed)
      let frames = (0..<script.count).map { UInt8($0) }
      var whole = Driver(
        kernel: KernelHarness.kernel(script: script, levels: levels), sink: ListSink())
      run(&whole, frames: frames)
      #expect(whole.kernel.counts.fills > 5, "seed \(seed)")
      for cut in frames.indices {
        var first = KernelHarness.kernel(script: script, levels: levels)
        var second = KernelHarness.kernel(script: script, levels: levels)
        let inputs = whole.sink.entries.filter { $0.kind == JournalKind.input }
        func step(_ kernel: inout Kernel<ScriptedSession, BuiltInStrategy>, _ index: Int) {
          kernel.step(
            .venue(.frame(StreamID(0))), bytes: [frames[index]].span, at: inputs[index].time,
            sequence: inputs[index].sequence)
        }
        for index in 0..<cut { step(&first, index) }
        var snapshot = SnapshotWriter()
        first.write(to: &snapshot)
        var reader = SnapshotReader(snapshot.bytes.copy())
        try second.read(from: &reader)
        #expect(reader.isAtEnd, "seed \(seed) cut \(cut)")
        for index in cut..<frames.count {
          step(&first, index)
          step(&second, index)
          #expect(first.notes == second.notes, "seed \(seed) cut \(cut) at \(index)")
          #expect(first.effects.bytes.copy() == second.effects.bytes.copy(), "seed \(seed)")
        }
        var left = SnapshotWriter()
        var right = SnapshotWriter()
        first.write(to: &left)
        second.write(to: &right)
        #expect(left.bytes.copy() == right.bytes.copy(), "seed \(seed) cut \(cut)")
      }
    }
  }

  @Test(
    "a replay of the journal finds the same notes and effects, and names the first that differs")
  func aReplayIsIdentical() throws {
    let (script, levels) = story(seed: 11)
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: levels), sink: ListSink())
    run(&driver, frames: (0..<script.count).map { UInt8($0) })
    var replay = Replay(kernel: KernelHarness.kernel(script: script, levels: levels))
    for entry in driver.sink.entries {
      try replay.feed(
        kind: entry.kind, sequence: entry.sequence, at: entry.time, payload: entry.payload.span)
    }
    try replay.finish()
    #expect(replay.inputs == UInt64(script.count) && replay.compared > 100)

    // One byte of one recorded effect changed: that record is named.
    let target = try #require(driver.sink.entries.last { $0.kind == JournalKind.effect })
    var other = Replay(kernel: KernelHarness.kernel(script: script, levels: levels))
    var found: Replay<ScriptedSession, BuiltInStrategy>.Difference?
    do throws(Replay<ScriptedSession, BuiltInStrategy>.Difference) {
      for entry in driver.sink.entries {
        var payload = entry.payload
        if entry.sequence == target.sequence { payload[payload.count - 1] ^= 1 }
        try other.feed(
          kind: entry.kind, sequence: entry.sequence, at: entry.time, payload: payload.span)
      }
    } catch { found = error }
    #expect(found?.sequence == target.sequence)
  }

  @Test("M140: what leaves beside the kernel stands anywhere in a journal, and changes no replay")
  func sideRecordsFoldNothing() throws {
    let (script, levels) = story(seed: 11)
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: levels), sink: ListSink())
    run(&driver, frames: (0..<script.count).map { UInt8($0) })
    var payload = ByteBuffer()
    SideRecord(
      party: .deadMan, nonce: 1_795_260_713_123, at: Timestamp(nanoseconds: 1),
      .reply(status: 200, body: Array("{}".utf8), length: 2)
    ).write(into: &payload)
    var replay = Replay(kernel: KernelHarness.kernel(script: script, levels: levels))
    for entry in driver.sink.entries {
      try replay.feed(
        kind: entry.kind, sequence: entry.sequence, at: entry.time, payload: entry.payload.span)
      try replay.feed(
        kind: JournalKind.side, sequence: entry.sequence, at: entry.time, payload: payload.span)
    }
    try replay.finish()
    #expect(replay.inputs == UInt64(script.count) && replay.compared > 100)
    var folded = SnapshotWriter()
    driver.kernel.write(to: &folded)
    #expect(replay.written == folded.bytes.copy())
  }

  @Test(
    "M140 M62: wherever in a step a process died, what the step caused is written down behind it")
  func aStepIsCompleted() throws {
    let (script, levels) = story(seed: 12)
    var driver = Driver(
      kernel: KernelHarness.kernel(script: script, levels: levels), sink: ListSink())
    run(&driver, frames: (0..<script.count).map { UInt8($0) })
    let entries = driver.sink.entries
    let starts = entries.indices.filter { entries[$0].kind == JournalKind.input } + [entries.count]
    let longest = try #require(
      zip(starts, starts.dropFirst()).max { $0.1 - $0.0 < $1.1 - $1.0 })
    #expect(longest.1 - longest.0 > 4)
    for cut in (longest.0 + 1)...longest.1 {
      var replay = Replay(kernel: KernelHarness.kernel(script: script, levels: levels))
      for entry in entries[..<cut] {
        try replay.feed(
          kind: entry.kind, sequence: entry.sequence, at: entry.time, payload: entry.payload.span)
      }
      var found = entries[..<cut].map(\.payload)
      replay.complete { kind, payload in
        #expect(kind == entries[found.count].kind, "cut at \(cut)")
        found.append(payload.copy())
      }
      #expect(found == entries[..<longest.1].map(\.payload), "cut at \(cut)")
      try replay.finish()
      replay.complete { _, _ in Issue.record("twice") }
    }
  }

  @Test("inputs, and notes, read back as they were written")
  func codingsRoundTrip() {
    let inputs: [KernelInput] = [
      .timer, .command(.halt), .venue(.start), .venue(.streamOpened(StreamID(2))),
      .venue(.streamClosed(StreamID(1))), .venue(.frame(StreamID(0))),
      .venue(.response(RequestID(77), status: 429)),
      .venue(.requestFailed(RequestID(78), .broken)), .venue(.timer),
      .venue(.deadManArmed(until: Timestamp(nanoseconds: 5))), .venue(.deadManLost), .venue(.stop),
      .venue(.calendar(lead: .milliseconds(-10_001), step: .seconds(-10))),
    ]
    for input in inputs {
      var payload = ByteBuffer()
      InputCoding.write(input, into: &payload)
      let length = payload.count
      payload.append("tail")
      let read = InputCoding.read(payload.span)
      #expect(read?.input == input && read?.bytesStart == length)
      for cut in 0..<length {
        #expect(InputCoding.read(payload.span.extracting(0..<cut)) == nil || cut == length)
      }
    }
    let order = ClientOrderID("mtT3st1")
    let span = TimeSpan.milliseconds(2_500)
    let notices: [VenueNotice] = [
      .slowed(.place, wait: span), .breakerOpened(.cancel, refusals: 5, wait: span),
      .breakerClosed(.token), .retriesExhausted(.inquiry, tries: 5, order: order),
      .retriesSucceeded(.stream, order: ClientOrderID("")),
      .clockSkewed(offset: .zero - span, allowed: span), .clockBack(offset: span),
      .calendarSet(by: .zero - span), .cleanSlate,
      .notOurs(
        VenueOrderID(high: 1, low: 2), client: "web-1", market: "DBTC_DUSDT", .sell,
        left: Amount(units: 5), price: Amount(units: -7)),
      .proofFailed(.noTrade, order: order, trade: TradeID(high: 1, low: 2)),
      .proofHeld(fills: 77), .fieldRefused("amount", order: order, code: 32),
    ]
    for notice in notices {
      var payload = ByteBuffer()
      NoteCoding.write(.notice(notice), trace: TraceID(9), into: &payload)
      #expect(NoteCoding.read(payload.span)?.note == .notice(notice))
      for cut in 0..<payload.count {
        #expect(NoteCoding.read(payload.span.extracting(0..<cut)) == nil, "\(notice) at \(cut)")
      }
    }
    let id = InstrumentID(3)
    let stops: [KernelNote] = [
      .stopArmed(id, .sell, level: Price(quanta: -5), unprotected: span),
      .stopInert(id, .buy, since: Timestamp(milliseconds: 9)),
      .stopFired(id, .sell, level: Price(quanta: 5), price: Price(quanta: 4)),
      .stopTrades(
        id, .buy, level: Price(quanta: 5), price: Price(quanta: 6), firedBy: TraceID(12)),
      .stopDone(id, .sell, orders: 4),
    ]
    for note in stops {
      var payload = ByteBuffer()
      NoteCoding.write(note, trace: TraceID(9), into: &payload)
      #expect(NoteCoding.read(payload.span)?.note == note)
      for cut in 0..<payload.count {
        #expect(NoteCoding.read(payload.span.extracting(0..<cut)) == nil, "\(note) at \(cut)")
      }
    }
    let driver = opened()
    for entry in driver.sink.entries where entry.kind == JournalKind.note {
      guard let (note, trace) = NoteCoding.read(entry.payload.span) else {
        Issue.record("unreadable note at \(entry.sequence)")
        continue
      }
      var payload = ByteBuffer()
      NoteCoding.write(note, trace: trace, into: &payload)
      #expect(payload.copy() == entry.payload)
    }
  }
}
