import MartletBase
import MartletModel
import MartletOrders
import Testing

@Suite struct OrdersStoreTests {
  // MARK: Names

  @Test("M42: after three modifications every fill maps to one order, by any of its names")
  func fillsOfAllNamesMapToOneOrder() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.report(id, .open, venue: 100))
    var price: Int64 = 6_000_000
    for step in UInt64(1)...3 {
      price += 100
      bench.effects.removeAll()
      let isSent = bench.store.requestAmend(
        id, to: Desk.approve(Desk.intent(.buy, price, 1_000)), at: bench.now,
        effects: &bench.effects)
      #expect(isSent && bench.state(id) == .pendingAmend)
      // The old order ends, the new one appears: under our name, or under the venue's alone.
      bench.tell(Desk.report(id, .canceled, venue: 99 + step, price: price - 100))
      #expect(bench.state(id) == .pendingAmend)
      bench.tell(Desk.report(id, .open, venue: 100 + step, price: price))
      #expect(bench.state(id) == .open)
      #expect(bench.store.record(of: id)?.lifecycle.price == Price(quanta: price))
    }
    for venue in UInt64(100)...103 {
      let named = ClientOrderID(InlineText())
      let effects = bench.tell(Desk.fill(named, 10, trade: venue, venue: venue))
      #expect(effects.booked == [10])
      if case .bookFill(let fill, let order, _) = effects.first {
        #expect(fill.clientOrderID == id && order.clientOrderID == id)
      }
    }
    // News of an order that was replaced is no end of ours.
    bench.tell(Desk.report(id, .canceled, 30, venue: 101))
    #expect(bench.state(id) == .open && bench.cumulative(id) == 40)
    bench.tell(Desk.report(id, .canceled, 40, venue: 103, price: price))
    #expect(bench.state(id) == .canceled)
  }

  @Test func oneNameOnTwoInstrumentsIsTwoOrders() throws {
    var bench = OrdersBench()
    let first = try bench.open()
    let second = try bench.open(Desk.intent(instrument: InstrumentID(1)))
    bench.tell(Desk.report(first, .open, venue: 5))
    var other = Desk.report(second, .open, venue: 5)
    other.instrument = InstrumentID(1)
    bench.tell(other)
    var fill = Desk.fill(ClientOrderID(InlineText()), 3, trade: 1, venue: 5)
    bench.tell(fill)
    fill.instrument = InstrumentID(1)
    bench.tell(fill)
    #expect(bench.cumulative(first) == 3 && bench.cumulative(second) == 3)
  }

  @Test("M43: ids are made of time, symbol and a counter, the same on every replay")
  func idsAreTheSameOnReplay() {
    var first = ClientOrderIDs(tag: "T3st")
    var second = ClientOrderIDs(tag: "T3st")
    for step in 0..<100 {
      let id = first.next(at: Desk.time(Int64(step / 7)), symbol: "DBTC_DUSDT")
      #expect(id == second.next(at: Desk.time(Int64(step / 7)), symbol: "DBTC_DUSDT"))
      #expect(first.isOwn(id) && id.text.count == 32)
      #expect(id.description.hasPrefix("mtT3st"))
      #expect(id.description.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
    }
    var foreign = ClientOrderIDs(tag: "t3sT")
    #expect(!first.isOwn(foreign.next(at: Desk.time(0), symbol: "DBTC_DUSDT")))
    #expect(!first.isOwn(ClientOrderID("mtT3")) && !first.isOwn(ClientOrderID(InlineText())))
    // One millisecond, one symbol, one counter apart: another id.
    var pinned = ClientOrderIDs(tag: "T3st")
    let known = pinned.next(at: Timestamp(milliseconds: 1_790_000_000_000), symbol: "DBTC_DUSDT")
    #expect(known.description == "mtT3st5MUNN6GUKKN65SRI3MTP5O8SJO")
  }

  /// The time, symbol and counter of an id can be read back from its text, so no two inputs share
  /// one; and ten million counters in a row, each mixed and unmixed, are ten million.
  @Test("M43: ten million ids are ten million: each gives back what it was made of")
  func tenMillionIDsDoNotCollide() {
    var ids = ClientOrderIDs(tag: "T3st")
    var random = SeededRandom(seed: 43)
    var wrong = 0
    for step in UInt128(0)..<50_000 {
      let now = Desk.time(random.integer(in: 0...1_000_000_000))
      let id = ids.next(at: now, symbol: step & 1 == 0 ? "DBTC_DUSDT" : "ETH_USDT")
      let input = ClientIDReader.input(of: id)
      if input & (1 << 52 - 1) != step || input >> 84 != UInt128(now.milliseconds) { wrong += 1 }
    }
    let moment = UInt128(1_790_000_000_000) << 84 | 0x1234_5678 << 52
    var step: UInt128 = 0
    while step < 10_000_000 {
      if ClientIDReader.unmix(ClientOrderIDs.mix(moment | step)) != moment | step { wrong += 1 }
      step += 1
    }
    #expect(wrong == 0)
  }

  // MARK: News

  @Test("M44: one execution told by stream, history and query is booked once")
  func oneExecutionIsBookedOnce() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    let first = bench.tell(Desk.fill(id, 400, trade: 1, source: .stream))
    #expect(first.booked == [400] && first.states == [.open])
    for source in [NewsSource.history, .query, .stream, .reply] {
      #expect(bench.tell(Desk.fill(id, 400, trade: 1, source: source)).isEmpty)
    }
    #expect(bench.tell(Desk.fill(id, 400, trade: 2)).booked == [400])
    #expect(bench.cumulative(id) == 800)
    // Both of our orders may meet: one trade, two executions.
    let other = try bench.open(Desk.intent(.sell))
    #expect(bench.tell(Desk.fill(other, 400, trade: 2, venue: 8, side: .sell)).booked == [400])
  }

  @Test func theOldestExecutionIsForgottenWhenThereAreTooMany() throws {
    var bench = OrdersBench(trades: 3)
    let id = try bench.open()
    for trade in UInt64(1)...4 { bench.tell(Desk.fill(id, 10, trade: trade)) }
    #expect(bench.tell(Desk.fill(id, 10, trade: 2)).isEmpty)
    #expect(bench.tell(Desk.fill(id, 10, trade: 1)).booked == [10])
  }

  @Test("M53 M54: the first partial fill moves the order at once, and what is open is what is left")
  func aPartialFillMovesTheOrderAtOnce() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.report(id, .open))
    let effects = bench.tell(Desk.fill(id, 300, trade: 1))
    #expect(effects.count == 2)
    if case .bookFill(_, let order, let strategy) = effects[0] {
      #expect(order.cumulative.quanta == 300 && order.leaves.quanta == 700)
      #expect(strategy == Desk.strategy)
    }
    if case .orderChanged(let change) = effects[1] {
      #expect(change.before?.leaves.quanta == 1_000 && change.after.leaves.quanta == 700)
      #expect(!change.isStateChange && change.venueOrderID == VenueOrderID(low: 7))
    }
    let working = bench.store.working(Desk.account, InstrumentID(0))
    #expect(working.count == 1 && working.buyLeaves.quanta == 700)
  }

  @Test("M44: an order in doubt is asked for by its own id and never placed again")
  func anOrderInDoubtIsAskedFor() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    let openedAt = bench.now
    bench.now = Desk.time(5_000)
    bench.effects.removeAll()
    bench.store.inDoubt(id, at: bench.now, effects: &bench.effects)
    #expect(bench.state(id) == .inDoubt)
    #expect(
      bench.effects.list.contains(
        .queryVenue(id, .none, InstrumentID(0), sentAt: openedAt)))
    bench.effects.removeAll()
    bench.store.neverArrived(id, at: bench.now, effects: &bench.effects)
    #expect(bench.effects.list.states == [.rejected] && bench.store.workingCount == 0)
    // It arrived after all: it is watched again.
    let late = bench.tell(Desk.report(id, .open))
    #expect(late.states == [.open] && late.alarms == .contradiction)
    #expect(bench.store.workingCount == 1)
    var views: [OrderView] = []
    bench.store.fill(&views, of: Desk.strategy)
    #expect(views.map(\.clientOrderID) == [id])
  }

  @Test("M46: a refused order is rejected with its reason, the others of its batch are not")
  func aRefusedOrderIsRejectedWithItsReason() throws {
    var bench = OrdersBench()
    var ids: [ClientOrderID] = []
    for _ in 0..<20 { ids.append(try bench.open()) }
    for index in [3, 7, 11] {
      bench.effects.removeAll()
      bench.store.refused(
        ids[index], .insufficientBalance, at: bench.now, effects: &bench.effects)
      guard case .orderChanged(let change) = bench.effects.list.first else {
        Issue.record("no change")
        continue
      }
      #expect(change.after.state == .rejected && change.refusal == .insufficientBalance)
    }
    #expect(bench.store.workingCount == 17 && bench.store.workingCount(of: Desk.strategy) == 17)
  }

  @Test("M56: a cancel is sent once, by both names, and ends only with proof")
  func aCancelIsSentOnce() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.report(id, .open))
    bench.effects.removeAll()
    #expect(bench.store.requestCancel(id, at: bench.now, effects: &bench.effects) == true)
    #expect(
      bench.effects.list.contains(.sendCancel(id, VenueOrderID(low: 7), InstrumentID(0))))
    #expect(bench.store.requestCancel(id, at: bench.now, effects: &bench.effects) == false)
    #expect(bench.effects.list.cancels == 1)
    bench.effects.removeAll()
    bench.store.cancelRefused(id, at: bench.now, effects: &bench.effects)
    #expect(bench.effects.list.asksVenue && bench.state(id) == .pendingCancel)
    bench.tell(Desk.fill(id, 1_000, trade: 1, source: .history))
    #expect(bench.state(id) == .filled)
    #expect(bench.store.requestCancel(id, at: bench.now, effects: &bench.effects) == false)
    let unknown = ClientOrderID("mtT3stUNKNOWN")
    #expect(bench.store.requestCancel(unknown, at: bench.now, effects: &bench.effects) == false)
  }

  @Test("T13: a canceled order leaves the working ones and says so, however much of it was filled")
  func aCanceledOrderIsNoLongerWorking() throws {
    var bench = OrdersBench()
    let untouched = try bench.open()
    let partly = try bench.open()
    bench.tell(Desk.report(untouched, .open, venue: 1))
    bench.tell(Desk.report(partly, .open, venue: 2))
    bench.tell(Desk.fill(partly, 400, trade: 1, venue: 2))
    #expect(bench.tell(Desk.report(untouched, .canceled, venue: 1)).states == [.canceled])
    #expect(bench.tell(Desk.report(partly, .canceled, 400, venue: 2)).states == [.canceled])
    let view = try #require(bench.store.record(of: partly)?.view)
    var views = [OrderView](repeating: view, count: 3)
    bench.store.fill(&views, of: Desk.strategy)
    #expect(views.isEmpty)
    #expect(bench.store.working(Desk.account, InstrumentID(0)) == WorkingOrders())
  }

  @Test("T1: what a fill event carries is what was filled, not what was ordered")
  func aFillEventCarriesWhatWasFilled() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    var cumulative: Int64 = 0
    for (index, quantity) in [Int64(1), 399, 250, 350].enumerated() {
      cumulative += quantity
      let effects = bench.tell(Desk.fill(id, quantity, trade: UInt64(index)))
      guard case .bookFill(let fill, let order, _) = effects[0] else {
        Issue.record("no fill")
        continue
      }
      #expect(fill.quantity.quanta == quantity && order.cumulative.quanta == cumulative)
      #expect(order.state == (cumulative == 1_000 ? .filled : .open))
    }
  }

  @Test func anOrderThatSomeoneElseMovedIsWhereTheVenueSaysAndRaisesAnAlarm() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.report(id, .open))
    // The stream may be older than what we know; an answer is not.
    #expect(bench.tell(Desk.report(id, .open, price: 5_900_000)).isEmpty)
    let answer = Desk.report(id, .open, price: 5_900_000, quantity: 900, source: .query)
    let effects = bench.tell(answer)
    #expect(effects.alarms == .contradiction && effects.states == [.open])
    let view = bench.store.record(of: id)?.view
    #expect(view?.price.quanta == 5_900_000 && view?.quantity.quanta == 900)
    #expect(bench.store.working(Desk.account, InstrumentID(0)).buyLeaves.quanta == 900)
    #expect(bench.tell(answer).isEmpty)
  }

  // MARK: Missing fills

  @Test("M62: fills told of in a total are waited for, then asked for, never invented")
  func missingFillsAreAskedFor() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    let told = bench.tell(Desk.report(id, .filled, 1_000))
    #expect(told.booked.isEmpty && !told.asksVenue && bench.state(id) == .pendingNew)
    #expect(bench.store.nextDeadline == bench.now + .milliseconds(1_000))
    #expect(bench.wait(milliseconds: 999).isEmpty)
    let late = bench.wait(milliseconds: 1)
    #expect(late.asksVenue && late.states == [.inDoubt] && late.booked.isEmpty)
    #expect(bench.wait(milliseconds: 29_999).isEmpty)
    #expect(bench.wait(milliseconds: 1).asksVenue)
    bench.tell(Desk.fill(id, 600, trade: 1, source: .history))
    #expect(bench.state(id) == .inDoubt && bench.store.isQuiescent == false)
    let last = bench.tell(Desk.fill(id, 400, trade: 2, source: .history))
    #expect(last.states == [.filled] && bench.store.isQuiescent == true)
    #expect(bench.wait(milliseconds: 1_000_000).isEmpty)
    #expect(bench.store.nextDeadline == .distantFuture)
  }

  @Test func aFillThatComesInTimeCostsNoQuestion() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.report(id, .open, 250))
    bench.wait(milliseconds: 20)
    bench.tell(Desk.fill(id, 250, trade: 1))
    #expect(bench.wait(milliseconds: 5_000).isEmpty)
  }

  @Test func fillsThatNeverComeRaiseAnAlarmOnce() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.report(id, .canceled, 10))
    var alarms = 0
    var questions = 0
    for _ in 0..<12 {
      let effects = bench.wait(milliseconds: 30_000)
      if effects.asksVenue { questions += 1 }
      if effects.alarms == .fillsMissing { alarms += 1 }
    }
    #expect(questions == 12 && alarms == 1)
  }

  // MARK: Orders nobody here placed

  @Test func foreignOrdersAreLeftAlone() {
    var bench = OrdersBench()
    let foreign = ClientOrderID("byHand1")
    #expect(bench.tell(Desk.report(foreign, .open)).isEmpty)
    #expect(bench.tell(Desk.report(ClientOrderID(InlineText()), .open)).isEmpty)
    let fill = Desk.fill(foreign, 5, trade: 1)
    #expect(bench.tell(fill) == [.orphanFill(fill, isOwn: false)])
    #expect(bench.tell(fill).isEmpty)
    bench.effects.removeAll()
    let isAdopted = bench.store.adopt(
      Desk.report(foreign, .open), for: Desk.strategy, tag: 0, at: bench.now, trace: TraceID(0),
      effects: &bench.effects)
    #expect(!isAdopted && bench.effects.list.isEmpty && bench.store.workingCount == 0)
  }

  @Test func aWorkingOrderOfAnEarlierLifeIsAdoptedWithItsFills() {
    var bench = OrdersBench()
    let id = ClientOrderID("mtT3st0123456789ABCDEFGHIJKLMNOP")
    let fill = Desk.fill(id, 300, trade: 1, source: .history)
    #expect(bench.tell(fill) == [.orphanFill(fill, isOwn: true)])
    #expect(bench.tell(Desk.report(id, .canceled, 300)).isEmpty)
    let report = Desk.report(id, .open, 500, source: .query)
    #expect(bench.tell(report) == [.adoptable(report)])
    bench.effects.removeAll()
    let isAdopted = bench.store.adopt(
      report, for: Desk.strategy, tag: -3, at: bench.now, trace: TraceID(9),
      effects: &bench.effects)
    #expect(isAdopted)
    // The fill told before counts and is not booked again; the rest is missing.
    #expect(bench.effects.list.booked.isEmpty && bench.cumulative(id) == 300)
    #expect(bench.state(id) == .open)
    #expect(bench.store.record(of: id)?.view.tag == -3)
    #expect(bench.wait(milliseconds: 1_000).asksVenue)
    #expect(bench.tell(Desk.fill(id, 300, trade: 1, source: .query)).isEmpty)
    #expect(bench.tell(Desk.fill(id, 200, trade: 2, source: .query)).booked == [200])
    #expect(bench.store.isQuiescent == true)
    #expect(bench.tell(report).isEmpty)
  }

  @Test("T5: executions from before this life count towards an adopted order and are not booked")
  func earlierFillsCountAndAreNotBooked() throws {
    for comesFirst in [true, false] {
      var bench = OrdersBench()
      let id = ClientOrderID("mtT3st0123456789ABCDEFGHIJKLMNOP")
      let fill = Desk.fill(id, 300, trade: 1, source: .history)
      if comesFirst {
        bench.store.applyEarlier(fill, at: bench.now, effects: &bench.effects)
        #expect(bench.effects.list.isEmpty)
      }
      let report = Desk.report(id, .open, 300, source: .query)
      _ = bench.store.adopt(
        report, for: Desk.strategy, tag: 0, at: bench.now, trace: TraceID(9),
        effects: &bench.effects)
      if !comesFirst {
        #expect(bench.store.isQuiescent == false)
        bench.store.applyEarlier(fill, at: bench.now, effects: &bench.effects)
      }
      bench.store.applyEarlier(fill, at: bench.now, effects: &bench.effects)
      #expect(bench.effects.list.booked.isEmpty && bench.cumulative(id) == 300)
      #expect(bench.store.isQuiescent == true)
      #expect(bench.tell(Desk.report(id, .canceled, 300)).states == [.canceled])
    }
  }

  // MARK: Bounds

  @Test func oneOrderTooManyIsRefusedAndForgottenOnesMakeRoom() throws {
    var bench = OrdersBench(working: 3, finished: 2)
    var ids: [ClientOrderID] = []
    for _ in 0..<3 { ids.append(try bench.open()) }
    do {
      _ = try bench.open()
      Issue.record("a fourth order was opened")
    } catch let full as OrderStore.Full {
      #expect(full.working == 3)
    }
    for round in 0..<50 {
      bench.tell(Desk.report(ids[0], .canceled, venue: UInt64(round + 1)))
      ids.removeFirst()
      ids.append(try bench.open())
    }
    #expect(bench.store.workingCount == 3)
    var records: [OrderRecord] = []
    bench.store.fill(&records)
    #expect(records.map(\.clientOrderID) == ids)
  }

  @Test func lateNewsOfAForgottenOrderIsAnOrphan() throws {
    var bench = OrdersBench(working: 4, finished: 1)
    let first = try bench.open()
    let second = try bench.open()
    bench.tell(Desk.report(first, .canceled, venue: 1))
    #expect(bench.tell(Desk.fill(first, 10, trade: 1, venue: 1)).booked == [10])
    bench.tell(Desk.report(second, .canceled, venue: 2))
    #expect(bench.state(first) == nil && bench.state(second) == .canceled)
    let late = Desk.fill(first, 10, trade: 2, venue: 1)
    #expect(bench.tell(late) == [.orphanFill(late, isOwn: true)])
  }

  @Test func viewsAreOldestFirstPerStrategyInOneBuffer() throws {
    var bench = OrdersBench()
    var mine: [ClientOrderID] = []
    for index in 0..<12 {
      let strategy = StrategyID(UInt16(index % 3))
      let id = try bench.open(Desk.intent(strategy: strategy, tag: Int64(index)))
      if strategy.index == 1 { mine.append(id) }
    }
    var views: [OrderView] = []
    views.reserveCapacity(16)
    bench.store.fill(&views, of: StrategyID(1))
    #expect(views.map(\.clientOrderID) == mine && views.map(\.tag) == [1, 4, 7, 10])
    let revision = bench.store.revision
    bench.tell(Desk.report(mine[0], .open))
    #expect(bench.store.revision != revision)
    let unmoved = bench.store.revision
    bench.tell(Desk.report(mine[0], .open))
    #expect(bench.store.revision == unmoved)
    bench.tell(Desk.report(mine[1], .canceled, venue: 9))
    bench.store.fill(&views, of: StrategyID(1))
    #expect(views.map(\.clientOrderID) == [mine[0], mine[2], mine[3]] && views.capacity >= 16)
  }

  // MARK: Properties

  /// Totals and counts equal what adding up the working orders gives, whatever happens.
  @Test func totalsEqualTheSumOfTheWorkingOrders() throws {
    for seed in UInt64(1)...25 {
      var bench = OrdersBench(working: 24, finished: 8, trades: 64)
      var random = SeededRandom(seed: seed)
      var ids: [ClientOrderID] = []
      for step in 0..<300 {
        try OrdersStoreTests.disturb(&bench, &ids, step, &random)
        var records: [OrderRecord] = []
        bench.store.fill(&records)
        #expect(records.count == bench.store.workingCount, "seed \(seed)")
        var total = (count: 0, buy: Int64(0), sell: Int64(0))
        for record in records {
          #expect(!record.lifecycle.state.isTerminal, "seed \(seed)")
          total.count += 1
          let leaves = max(record.view.leaves.quanta, 0)
          if record.intent.side == .buy { total.buy += leaves } else { total.sell += leaves }
        }
        let working = bench.store.working(Desk.account, InstrumentID(0))
        #expect(working.count == total.count, "seed \(seed)")
        #expect(working.buyLeaves.quanta == total.buy, "seed \(seed)")
        #expect(working.sellLeaves.quanta == total.sell, "seed \(seed)")
        #expect(bench.store.workingCount(of: Desk.strategy) == total.count, "seed \(seed)")
      }
    }
  }

  /// A store that was written and read back says and does the same from then on, and would be
  /// written the same.
  @Test func aStoreThatWasReadBackDoesTheSame() throws {
    for seed in UInt64(1)...15 {
      var bench = OrdersBench(working: 24, finished: 6, trades: 40, orphans: 4)
      var random = SeededRandom(seed: seed)
      var ids: [ClientOrderID] = []
      let cut = Int(random.integer(in: 0...200))
      for step in 0..<cut { try OrdersStoreTests.disturb(&bench, &ids, step, &random) }
      var copy = OrdersBench(working: 24, finished: 6, trades: 40, orphans: 4)
      copy.now = bench.now
      var reader = SnapshotReader(OrdersStoreTests.bytes(of: bench.store))
      try copy.store.read(from: &reader)
      #expect(reader.isAtEnd, "seed \(seed)")
      #expect(
        OrdersStoreTests.bytes(of: copy.store) == OrdersStoreTests.bytes(of: bench.store),
        "seed \(seed)")
      var same = random
      var copiedIDs = ids
      for step in cut..<300 {
        try OrdersStoreTests.disturb(&bench, &ids, step, &random)
        try OrdersStoreTests.disturb(&copy, &copiedIDs, step, &same)
        #expect(bench.effects.list == copy.effects.list, "seed \(seed) step \(step)")
        #expect(bench.store.nextDeadline == copy.store.nextDeadline, "seed \(seed)")
      }
      #expect(
        OrdersStoreTests.bytes(of: copy.store) == OrdersStoreTests.bytes(of: bench.store),
        "seed \(seed)")
    }
  }

  @Test("a snapshot that holds little but finished orders is read back")
  func mostlyFinishedOrders() throws {
    var bench = OrdersBench(working: 4, finished: 2_000, trades: 1, orphans: 1)
    for number in 1...1_500 {
      let id = try bench.open()
      bench.tell(Desk.report(id, .open, venue: UInt64(number)))
      bench.tell(Desk.report(id, .canceled, venue: UInt64(number)))
      bench.effects.removeAll()
    }
    #expect(bench.store.workingCount == 0)
    var copy = OrdersBench(working: 4, finished: 2_000, trades: 1, orphans: 1)
    let bytes = OrdersStoreTests.bytes(of: bench.store)
    var reader = SnapshotReader(bytes)
    try copy.store.read(from: &reader)
    #expect(reader.isAtEnd && OrdersStoreTests.bytes(of: copy.store) == bytes)
  }

  @Test func aSnapshotOfAnotherBotOrWithDamageIsRefused() throws {
    var bench = OrdersBench()
    let id = try bench.open()
    bench.tell(Desk.fill(id, 5, trade: 1))
    let bytes = OrdersStoreTests.bytes(of: bench.store)
    var other = OrderStore(tag: "Oth3")
    var reader = SnapshotReader(bytes)
    #expect(throws: SnapshotReader.Fault.self) { try other.read(from: &reader) }
    for length in stride(from: 0, to: bytes.count, by: 3) {
      var bounds = OrderStore.Bounds()
      bounds.trades = 16
      var store = OrderStore(tag: Desk.tag, bounds: bounds)
      var reader = SnapshotReader(Array(bytes[..<length]))
      #expect(throws: SnapshotReader.Fault.self) { try store.read(from: &reader) }
    }
  }

  static func bytes(of store: borrowing OrderStore) -> [UInt8] {
    var writer = SnapshotWriter()
    store.write(to: &writer)
    return writer.bytes.copy()
  }

  /// One drawn piece of news, wish or wait; the effects stay in `bench`.
  static func disturb(
    _ bench: inout OrdersBench, _ ids: inout [ClientOrderID], _ step: Int,
    _ random: inout SeededRandom
  ) throws {
    bench.effects.removeAll()
    let side: Side = random.chance(1, in: 2) ? .buy : .sell
    if ids.isEmpty || random.chance(1, in: 4) {
      if bench.store.workingCount < bench.store.bounds.working {
        ids.append(try bench.open(Desk.intent(side, 100, random.integer(in: 1...50))))
      }
      return
    }
    // Mostly late ones, so that forgotten orders are met too.
    let index = Int(random.below(UInt64(ids.count)))
    let id = ids[random.chance(1, in: 2) ? index : max(ids.count - 1 - index % 8, 0)]
    let ordered = bench.store.record(of: id)?.intent.side ?? side
    let venue = UInt64(index) + 1
    let amount = random.integer(in: 0...60)
    switch random.below(12) {
    case 0: bench.tell(Desk.report(id, .open, amount, venue: venue, side: ordered))
    case 1: bench.tell(Desk.report(id, .canceled, amount, venue: venue, side: ordered))
    case 2: bench.tell(Desk.report(id, .filled, amount, venue: venue, side: ordered))
    case 3: bench.store.refused(id, .other, at: bench.now, effects: &bench.effects)
    case 4: bench.store.inDoubt(id, at: bench.now, effects: &bench.effects)
    case 5: bench.store.requestCancel(id, at: bench.now, effects: &bench.effects)
    case 6: bench.store.cancelRefused(id, at: bench.now, effects: &bench.effects)
    case 7: bench.store.neverArrived(id, at: bench.now, effects: &bench.effects)
    case 8: bench.wait(milliseconds: random.integer(in: 0...40_000))
    case 9:
      let foreign = ClientOrderID(step % 2 == 0 ? "mtT3stFORGOTTEN" : "byHand")
      bench.tell(Desk.fill(foreign, amount, trade: random.below(80), venue: 0, side: ordered))
    default:
      bench.tell(
        Desk.fill(
          id, random.integer(in: 1...20), trade: random.below(80), venue: venue, side: ordered))
    }
  }
}

/// Undoes what makes an id, to show that it can be undone.
enum ClientIDReader {
  /// Time, symbol and counter as they went in.
  static func input(of id: ClientOrderID) -> UInt128 {
    var value: UInt128 = 0
    var index = 6
    while index < 32 {
      let byte = id.text[index]
      value = value << 5 | UInt128(byte < 58 ? byte &- 48 : byte &- 55)
      index &+= 1
    }
    return unmix(value)
  }

  static func unmix(_ mixed: UInt128) -> UInt128 {
    var value = mixed
    value ^= value >> 64
    value = value &* inverse3
    value ^= value >> 59 ^ value >> 118
    value = value &* inverse2
    value ^= value >> 67
    return value &* inverse1
  }

  static let inverse1 = inverse(of: 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
  static let inverse2 = inverse(of: 0xd6e8_feb8_6659_fd93_a5a3_5641_2f5e_9d1b)
  static let inverse3 = inverse1

  /// Modulo 2¹²⁸, by Newton's method: each round doubles the right bits.
  static func inverse(of odd: UInt128) -> UInt128 {
    var guess = odd
    for _ in 0..<7 { guess = guess &* (2 &- odd &* guess) }
    return guess
  }
}
