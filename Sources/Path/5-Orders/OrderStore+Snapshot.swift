public import MartletBase
internal import MartletModel

// Written in the order things happened, not in the order they are kept: a store that was read back
// does the same as the one that was written, wherever its slots lie.
extension OrderStore: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("orders")
    snapshot.write(ids.prefix)
    snapshot.write(ids.made)
    snapshot.write(revision)
    snapshot.write(nextDeadline)
    snapshot.write(UInt32(workingCount))
    var slot = Int(oldestWorking)
    while slot >= 0 {
      slots[slot].write(to: &snapshot)
      snapshot.write(namesHeld(slot))
      slot = Int(slots[slot].next)
    }
    snapshot.write(UInt32(finished.count))
    for index in 0..<finished.count {
      let slot = Int(finished[(oldestFinished + index) % finished.count])
      slots[slot].write(to: &snapshot)
      snapshot.write(namesHeld(slot))
    }
    snapshot.write(UInt32(orphans.count))
    for index in 0..<orphans.count { orphans[index].write(to: &snapshot) }
    seen.write(to: &snapshot)
  }

  /// - Throws: also when what was written belongs to another bot's tag or exceeds these bounds.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("orders")
    let start = snapshot.offset
    let prefix = try snapshot.inlineText()
    guard prefix == ids.prefix else {
      throw .impossible("orders of “\(prefix)”, expected “\(ids.prefix)”", offset: start)
    }
    ids.made = try snapshot.read()
    let revision = try snapshot.read(UInt64.self)
    let nextDeadline = try snapshot.timestamp()
    forgetAll()
    let working = try snapshot.count(ofSize: OrderRecord.leastSnapshotSize)
    guard working <= bounds.working + bounds.finished else {
      throw .impossible("\(working) working orders", offset: start)
    }
    for _ in 0..<working { try restore(&snapshot, isWorking: true) }
    let finished = try snapshot.count(ofSize: OrderRecord.leastSnapshotSize)
    guard finished <= bounds.finished else {
      throw .impossible("\(finished) finished orders where \(bounds.finished) fit", offset: start)
    }
    for _ in 0..<finished { try restore(&snapshot, isWorking: false) }
    let orphans = try snapshot.count(ofSize: 100)
    guard orphans <= bounds.orphans else {
      throw .impossible("\(orphans) orphans where \(bounds.orphans) fit", offset: start)
    }
    for _ in 0..<orphans { keep(orphan: try Fill(from: &snapshot)) }
    try seen.read(from: &snapshot)
    self.revision = revision
    self.nextDeadline = nextDeadline
  }

  private mutating func forgetAll() {
    slots.removeAll(keepingCapacity: true)
    finished.removeAll(keepingCapacity: true)
    orphans.removeAll()
    totals.removeAll(keepingCapacity: true)
    strategyCounts.removeAll(keepingCapacity: true)
    byClientID.removeAll()
    byVenueID.removeAll()
    oldestWorking = -1
    newestWorking = -1
    firstFree = -1
    oldestFinished = 0
    workingCount = 0
  }

  private mutating func restore(
    _ snapshot: inout SnapshotReader, isWorking: Bool
  ) throws(SnapshotReader.Fault) {
    let start = snapshot.offset
    let record = try OrderRecord(from: &snapshot)
    let held = try snapshot.byte()
    guard slot(of: record.clientOrderID) == nil, !record.clientOrderID.isEmpty,
      record.lifecycle.state.isTerminal != isWorking, held < 1 << UInt8(OrderRecord.names)
    else { throw .impossible("order “\(record.clientOrderID)” in the wrong place", offset: start) }
    let slot = insert(record)
    hold(held, slot)
    count(slot)
    if !isWorking { retire(slot) }
  }
}

extension OrderRecord {
  /// Bytes every record takes, with what of its names is held. Not more: a state that holds little else
  /// could not be read back.
  static var leastSnapshotSize: Int { 260 }

  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(clientOrderID.text)
    venueOrderID.write(to: &snapshot)
    for index in 0..<OrderRecord.olderNames { olderVenueOrderIDs[index].write(to: &snapshot) }
    snapshot.write(intent.strategy.index)
    snapshot.write(intent.account.index)
    snapshot.write(intent.instrument.index)
    snapshot.write(intent.side.rawValue)
    snapshot.write(intent.price)
    snapshot.write(intent.quantity)
    snapshot.write(intent.timeInForce.rawValue)
    snapshot.write(intent.isPostOnly)
    // A byte as a flag ever was; which position, of a hedge account alone.
    snapshot.write((intent.isReduceOnly ? 1 : 0) | intent.positionSide.rawValue << 1)
    snapshot.write(intent.tag)
    snapshot.write(verdict)
    snapshot.write(trace.sequence)
    snapshot.write(openedAt)
    snapshot.write(checkAt)
    snapshot.write(checks)
    lifecycle.write(to: &snapshot)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let clientOrderID = ClientOrderID(try snapshot.inlineText())
    let venueOrderID = try VenueOrderID(from: &snapshot)
    var older = InlineArray<4, VenueOrderID>(repeating: .none)
    for index in 0..<OrderRecord.olderNames { older[index] = try VenueOrderID(from: &snapshot) }
    let strategy = StrategyID(try snapshot.read())
    let account = AccountID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    let side = try snapshot.side()
    let price = try snapshot.price()
    let quantity = try snapshot.quantity()
    let start = snapshot.offset
    guard let timeInForce = TimeInForce(rawValue: try snapshot.byte()) else {
      throw .impossible("a time in force", offset: start)
    }
    let isPostOnly = try snapshot.bool()
    let flags = try snapshot.byte()
    guard let positionSide = PositionSide(rawValue: flags >> 1) else {
      throw .impossible("flags \(flags) of an order", offset: start)
    }
    let intent = OrderIntent(
      strategy: strategy, account: account, instrument: instrument, side: side, price: price,
      quantity: quantity, timeInForce: timeInForce, isPostOnly: isPostOnly,
      isReduceOnly: flags & 1 != 0, positionSide: positionSide, tag: try snapshot.read())
    self.init(
      clientOrderID: clientOrderID, venueOrderID: venueOrderID, intent: intent,
      verdict: try snapshot.read(), trace: TraceID(try snapshot.read()),
      openedAt: try snapshot.timestamp())
    olderVenueOrderIDs = older
    checkAt = try snapshot.timestamp()
    checks = try snapshot.read()
    lifecycle = try OrderLifecycle(from: &snapshot)
  }
}

extension OrderLifecycle {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(state.rawValue)
    snapshot.write(price)
    snapshot.write(quantity)
    snapshot.write(cumulative)
    snapshot.write(notional)
    snapshot.write(told)
    snapshot.write(isAcknowledged)
    snapshot.write(hasEnded)
    snapshot.write(endCumulative)
    snapshot.write(cancelAttempts)
    snapshot.write(isCancelUnproven)
    snapshot.write(isAmendPending)
    snapshot.write(isAmendUnproven)
    snapshot.write(isOldOrderGone)
    snapshot.write(amendedPrice)
    snapshot.write(amendedQuantity)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let start = snapshot.offset
    guard let state = OrderState(rawValue: try snapshot.byte()) else {
      throw .impossible("an order state", offset: start)
    }
    self.init(price: try snapshot.price(), quantity: try snapshot.quantity())
    self.state = state
    cumulative = try snapshot.quantity()
    notional = try snapshot.read()
    told = try snapshot.quantity()
    isAcknowledged = try snapshot.bool()
    hasEnded = try snapshot.bool()
    endCumulative = try snapshot.quantity()
    cancelAttempts = try snapshot.read()
    isCancelUnproven = try snapshot.bool()
    isAmendPending = try snapshot.bool()
    isAmendUnproven = try snapshot.bool()
    isOldOrderGone = try snapshot.bool()
    amendedPrice = try snapshot.price()
    amendedQuantity = try snapshot.quantity()
  }
}

extension Fill {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(account.index)
    snapshot.write(instrument.index)
    snapshot.write(clientOrderID.text)
    venueOrderID.write(to: &snapshot)
    snapshot.write(tradeID.high)
    snapshot.write(tradeID.low)
    snapshot.write(side.rawValue)
    snapshot.write(price)
    snapshot.write(quantity)
    snapshot.write(fee)
    snapshot.write(feeAsset)
    snapshot.write(role.rawValue)
    snapshot.write(exchangeTime)
    snapshot.write(source.rawValue | positionSide.rawValue << 4)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let account = AccountID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    let clientOrderID = ClientOrderID(try snapshot.inlineText())
    let venueOrderID = try VenueOrderID(from: &snapshot)
    let tradeID = TradeID(high: try snapshot.read(), low: try snapshot.read())
    let side = try snapshot.side()
    let price = try snapshot.price()
    let quantity = try snapshot.quantity()
    let fee = try snapshot.amount()
    let feeAsset = try snapshot.inlineText()
    let start = snapshot.offset
    guard let role = LiquidityRole(rawValue: try snapshot.byte()) else {
      throw .impossible("a liquidity role", offset: start)
    }
    let exchangeTime = try snapshot.timestamp()
    let byte = try snapshot.byte()
    guard let source = NewsSource(rawValue: byte & 15),
      let positionSide = PositionSide(rawValue: byte >> 4)
    else {
      throw .impossible("a news source", offset: start)
    }
    self.init(
      account: account, instrument: instrument, clientOrderID: clientOrderID,
      venueOrderID: venueOrderID, tradeID: tradeID, side: side, price: price, quantity: quantity,
      fee: fee, feeAsset: feeAsset, role: role, exchangeTime: exchangeTime, source: source,
      positionSide: positionSide)
  }
}

extension SnapshotReader {
  mutating func side() throws(Fault) -> Side {
    let start = offset
    guard let side = Side(rawValue: try byte()) else { throw .impossible("a side", offset: start) }
    return side
  }
}
