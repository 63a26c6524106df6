internal import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// One execution told since the last proof.
struct UnprovenFill: Equatable, Sendable, BitwiseCopyable {
  var order: ClientOrderID
  var orderID: UInt64
  var trade: UInt64
  var price: Price
  var quantity: Quantity
  var instrument: InstrumentID
  var side: Side
  /// By the venue's clock.
  var time: Timestamp
  /// The venue named its order to us.
  var isAcknowledged: Bool
  var isFound = false

  /// Whether a row of the history tells the same execution.
  func agrees(with fill: Fill) -> Bool {
    price == fill.price && quantity == fill.quantity && side == fill.side
  }
}

/// A row of the history whose execution nobody had told yet when it was read.
struct UntoldRow: Equatable, Sendable, BitwiseCopyable {
  /// The execution's name, as in `seenFills`; zero stands for several.
  var key: UInt128
  /// By the venue's clock.
  var time: Timestamp
}

/// The executions that are to be compared with the venue's own rows, and how far that has come.
///
/// - Bounds: `capacity` executions, reserved at once; they are compared early when `early` of them wait.
///   Of those that find no room the first is told of, and none is compared.
struct ProofLedger: Equatable, Sendable {
  static let capacity = 8_192
  static let early = 6_144
  /// How often the lists are read until what they lack counts as lacking: they lag behind.
  static let rounds: Int32 = 3

  private(set) var fills: [UnprovenFill] = []
  private(set) var unacknowledged = 0
  /// When the next proof begins.
  var dueAt = Timestamp.distantFuture
  var isRunning = false
  /// Lists read to their end so far in this proof.
  var round: Int32 = 0
  /// What is younger waits for the next proof, by the venue's clock.
  var until = Timestamp.zero
  /// Where the last row's execution stood: the next one stands before it, the newest being first.
  private var cursor = 0

  /// Executions that found no room since the last proof.
  private(set) var missed: Int64 = 0
  /// Rows that were read before any word of their executions: replies overtake the stream. At most
  /// `untoldCapacity`; the last one stands for all that come on top.
  private(set) var untold: [UntoldRow] = []
  static let untoldCapacity = 128
  /// From when on this proof reads the history.
  private(set) var start = Timestamp.zero

  init() { fills.reserveCapacity(ProofLedger.capacity) }

  var isEmpty: Bool { fills.isEmpty && untold.isEmpty }
  var isDue: Bool { fills.count >= ProofLedger.early }

  /// - Returns: false when it is the first that finds no room.
  mutating func note(_ fill: Fill, isAcknowledged: Bool, isFound: Bool) -> Bool {
    guard fills.count < ProofLedger.capacity else {
      missed += 1
      return missed > 1
    }
    if !isAcknowledged { unacknowledged += 1 }
    fills.append(
      UnprovenFill(
        order: fill.clientOrderID, orderID: fill.venueOrderID.low, trade: fill.tradeID.low,
        price: fill.price, quantity: fill.quantity, instrument: fill.instrument, side: fill.side,
        time: fill.exchangeTime, isAcknowledged: isAcknowledged, isFound: isFound))
    return true
  }

  /// The venue named an order.
  mutating func acknowledge(_ orderID: UInt64, _ order: ClientOrderID) {
    guard unacknowledged > 0 else { return }
    for index in 0..<fills.count
    where !fills[index].isAcknowledged
      && (fills[index].orderID == orderID || fills[index].order == order)
    {
      fills[index].isAcknowledged = true
      unacknowledged -= 1
    }
  }

  /// From when on the history is to be read.
  private var oldest: Timestamp {
    var oldest = oldestUntold
    for fill in fills { oldest = min(oldest, fill.time) }
    return oldest
  }

  /// The time of the oldest row whose execution nobody has told yet.
  var oldestUntold: Timestamp {
    var oldest = Timestamp.distantFuture
    for row in untold { oldest = min(oldest, row.time) }
    return oldest
  }

  mutating func begin(until time: Timestamp) {
    isRunning = true
    round = 0
    until = time
    start = oldest
    cursor = fills.count - 1
    for index in 0..<fills.count { fills[index].isFound = false }
  }

  /// A row of the history.
  ///
  /// - Returns: nil when no such execution waits; else whether it says the same.
  mutating func find(_ fill: Fill) -> Bool? {
    let count = fills.count
    if cursor < 0 || cursor >= count { cursor = count - 1 }
    for step in 0..<count {
      let index = (cursor - step + count) % count
      guard fills[index].trade == fill.tradeID.low, fills[index].instrument == fill.instrument
      else { continue }
      fills[index].isFound = true
      cursor = index - 1
      return fills[index].agrees(with: fill)
    }
    return nil
  }

  /// Whether a row of `time` whose execution nobody told is judged now: when it is old enough, and lists
  /// were read as often as they are, so that its word had time to come.
  func isJudged(_ time: Timestamp) -> Bool { time < until && round + 1 >= ProofLedger.rounds }

  /// A row whose execution nobody has told yet: its word may be on its way.
  mutating func note(untold row: UntoldRow) {
    for index in 0..<untold.count where untold[index].key == row.key { return }
    guard untold.count == ProofLedger.untoldCapacity else {
      untold.append(row)
      return
    }
    let last = untold.count - 1
    untold[last] = UntoldRow(key: 0, time: min(untold[last].time, row.time))
  }

  /// Forgets the rows whose word has come.
  mutating func dropUntold(where isTold: (UInt128) -> Bool) {
    untold.removeAll { isTold($0.key) }
  }

  /// Whether an execution that is old enough lacks its row, its order, or any word of it so far.
  var isLacking: Bool {
    for fill in fills where fill.time < until && !(fill.isFound && fill.isAcknowledged) {
      return true
    }
    return oldestUntold < until
  }

  /// Ends the proof: what is old enough is told of where it lacks something, and forgotten.
  mutating func conclude(tell: (ProofGap, UnprovenFill) -> Void) -> Int64 {
    var proven: Int64 = 0
    var kept = 0
    for index in 0..<fills.count {
      let fill = fills[index]
      guard fill.time < until else {
        fills[kept] = fill
        kept += 1
        continue
      }
      if !fill.isAcknowledged {
        unacknowledged -= 1
        tell(.noAcknowledgment, fill)
      }
      if !fill.isFound { tell(.noTrade, fill) }
      if fill.isAcknowledged && fill.isFound { proven += 1 }
    }
    fills.removeSubrange(kept...)
    // Those were told of, or the venue has taken them back.
    untold.removeAll { $0.time < until }
    isRunning = false
    missed = 0
    return proven
  }
}

// Once a day, and at a stop: every execution of ours has its order and its row at the venue.
extension WhiteBITSession {
  /// How long what is young is left to the next proof.
  private static var proofMargin: TimeSpan { .seconds(60) }

  /// When a proof is to begin; `distantFuture` while none may.
  var nextProof: Timestamp {
    guard phase == .running, link.stage == .live, step == .none, !proof.isRunning else {
      return .distantFuture
    }
    return proof.isDue ? .zero : proof.dueAt
  }

  mutating func beginProofIfDue(at now: Timestamp) {
    guard nextProof <= now else { return }
    proof.dueAt = now + configuration.proofInterval
    isProofGivenUp = false
    guard !proof.isEmpty else { return }
    beginProof(until: now + clockOffset - WhiteBITSession.proofMargin, at: now)
  }

  /// Compares everything before the end of a stop.
  mutating func beginLastProof(at now: Timestamp) { beginProof(until: .distantFuture, at: now) }

  private mutating func beginProof(until time: Timestamp, at now: Timestamp) {
    proof.begin(until: time)
    wantAll(.proof, at: now)
  }

  /// Breaks a proof off; it begins anew when the stream is live again.
  mutating func breakProof(at now: Timestamp) {
    guard proof.isRunning else { return }
    proof.isRunning = false
    proof.dueAt = now
    dismiss(.proof)
  }

  /// From when on a proof reads the history: whole seconds, so that the oldest is among them.
  var proofStart: Timestamp { max(epoch, proof.start - .seconds(1)) }

  mutating func readProof(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    let index = Int(jobs[Int(Job.proof.rawValue)].market)
    var count = 0
    do {
      var rows = try MarketRows<WireFill>(body)
      while let row = try rows.next(in: body) {
        count += 1
        guard isOwn(row.clientID), row.time >= epoch, let scale = markets[index].scale,
          let fill = row.fill(
            account: configuration.account, instrument: markets[index].symbol.instrument,
            scale: scale, source: .history)
        else { continue }
        compare(fill, events: &events)
      }
    } catch {
      return false
    }
    finishPage(of: .proof, rows: count, at: now)
    return true
  }

  private mutating func compare(_ fill: Fill, events: inout VenueEvents) {
    switch proof.find(fill) {
    case true?: break
    case false?: tellGap(.otherTrade, fill.clientOrderID, fill.tradeID, events: &events)
    case nil:
      guard !isSeen(fill) else { return }  // Proven before.
      guard proof.isJudged(fill.exchangeTime) else {
        proof.note(untold: UntoldRow(key: key(of: fill), time: fill.exchangeTime))
        return
      }
      tellGap(.notTold, fill.clientOrderID, fill.tradeID, events: &events)
      tell(fill, events: &events)
      _ = proof.find(fill)
    }
  }

  private mutating func tellGap(
    _ gap: ProofGap, _ order: ClientOrderID, _ trade: TradeID, events: inout VenueEvents
  ) {
    proofGaps += 1
    events.append(.notice(.proofFailed(gap, order: order, trade: trade)))
  }

  /// Notes an execution that was told, for the next proof.
  mutating func noteForProof(_ fill: Fill, events: inout VenueEvents) {
    let order = own[fill.clientOrderID]
    // Before we first trade: an earlier run's, whose orders ended before we read the lists. The venue's
    // clock is told in whole seconds, so that some of its last fills look as if they were of our time.
    if order == nil && proof.dueAt == .distantFuture { return }
    let isAcknowledged =
      order.map { $0.stage == .open } ?? ended.contains(fill.venueOrderID.low)
    if !proof.note(fill, isAcknowledged: isAcknowledged, isFound: false) {
      tellGap(.notCompared, fill.clientOrderID, fill.tradeID, events: &events)
    }
  }

  /// Goes on when every market's list was read.
  mutating func advanceProof(at now: Timestamp, events: inout VenueEvents) {
    guard proof.isRunning, isComplete(.proof) else { return }
    proof.round += 1
    proof.dropUntold { seenFills.contains($0) }
    if proof.isLacking && proof.round < ProofLedger.rounds {
      wantAll(.proof, at: now + configuration.proofRetry)
      return
    }
    var gaps: [(ProofGap, UnprovenFill)] = []
    let proven = proof.conclude { gaps.append(($0, $1)) }
    for (gap, fill) in gaps {
      tellGap(gap, fill.order, TradeID(low: fill.trade), events: &events)
    }
    if proof.oldestUntold != .distantFuture {
      // Too young to be judged: as soon as it is old enough, and not only a day later.
      let judgedAt = proof.oldestUntold - clockOffset + WhiteBITSession.proofMargin
      proof.dueAt = min(proof.dueAt, judgedAt + TimeSpan(nanoseconds: 1))
    }
    if proofGaps == 0 { events.append(.notice(.proofHeld(fills: proven))) }
    proofGaps = 0
  }

  /// The venue does not let us compare: a person is told, and the next proof takes it up again.
  mutating func giveUpProof(at now: Timestamp, events: inout VenueEvents) {
    events.append(
      .notice(
        .retriesExhausted(
          .proof, tries: jobs[Int(Job.proof.rawValue)].attempt + 1, order: ClientOrderID(""))))
    proof.isRunning = false
    dismiss(.proof)
    isProofGivenUp = true
  }
}

extension ProofLedger: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("ProofLedger-2")
    snapshot.write(UInt32(fills.count))
    for fill in fills {
      snapshot.write(fill.order.text)
      snapshot.write(fill.orderID)
      snapshot.write(fill.trade)
      snapshot.write(fill.price)
      snapshot.write(fill.quantity)
      snapshot.write(fill.instrument.index)
      snapshot.write(fill.side.rawValue)
      snapshot.write(fill.time)
      snapshot.write(fill.isAcknowledged)
      snapshot.write(fill.isFound)
    }
    snapshot.write(dueAt)
    snapshot.write(isRunning)
    snapshot.write(round)
    snapshot.write(until)
    snapshot.write(Int64(cursor))
    snapshot.write(missed)
    snapshot.write(start)
    snapshot.write(UInt32(untold.count))
    for row in untold {
      snapshot.write(UInt64(row.key >> 64))
      snapshot.write(UInt64(truncatingIfNeeded: row.key))
      snapshot.write(row.time)
    }
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    // Earlier builds knew of no rows that nobody had told.
    let isOlder = snapshot.takeSection("ProofLedger")
    if !isOlder { try snapshot.section("ProofLedger-2") }
    let offset = snapshot.offset
    let count = try snapshot.count()
    guard count <= ProofLedger.capacity else {
      throw .impossible("\(count) executions without proof", offset: offset)
    }
    fills.removeAll(keepingCapacity: true)
    unacknowledged = 0
    for _ in 0..<count {
      let order = ClientOrderID(try snapshot.inlineText())
      let orderID = try snapshot.read(UInt64.self)
      let trade = try snapshot.read(UInt64.self)
      let price = try snapshot.price()
      let quantity = try snapshot.quantity()
      let instrument = InstrumentID(try snapshot.read())
      let start = snapshot.offset
      guard let side = Side(rawValue: try snapshot.byte()) else {
        throw .impossible("a side", offset: start)
      }
      let time = try snapshot.timestamp()
      let isAcknowledged = try snapshot.bool()
      if !isAcknowledged { unacknowledged += 1 }
      fills.append(
        UnprovenFill(
          order: order, orderID: orderID, trade: trade, price: price, quantity: quantity,
          instrument: instrument, side: side, time: time, isAcknowledged: isAcknowledged,
          isFound: try snapshot.bool()))
    }
    dueAt = try snapshot.timestamp()
    isRunning = try snapshot.bool()
    round = try snapshot.read()
    until = try snapshot.timestamp()
    cursor = Int(clamping: try snapshot.read(Int64.self))
    missed = try snapshot.read()
    untold.removeAll(keepingCapacity: true)
    guard !isOlder else {
      start = isRunning ? oldest : .zero
      return
    }
    start = try snapshot.timestamp()
    let place = snapshot.offset
    let rows = try snapshot.count()
    guard rows <= ProofLedger.untoldCapacity else {
      throw .impossible("\(rows) rows that nobody told", offset: place)
    }
    for _ in 0..<rows {
      let high = try snapshot.read(UInt64.self)
      let low = try snapshot.read(UInt64.self)
      untold.append(
        UntoldRow(key: UInt128(high) << 64 | UInt128(low), time: try snapshot.timestamp()))
    }
  }
}
