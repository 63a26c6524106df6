internal import MartletBase
internal import MartletModel

// How news reaches a slot, and what it leaves behind there.
extension OrderStore {
  /// Folds one event into an order and says what came of it: first the fill, then the change, then
  /// what must be sent, then what must be looked at.
  mutating func apply(
    _ event: OrderLifecycle.Event, to slot: Int, at now: Timestamp, booking fill: Fill? = nil,
    refusal: RefusalReason? = nil, effects: inout OrderEffects
  ) {
    let before = slots[slot].view
    let consequence = slots[slot].lifecycle.apply(event)
    if let fill {
      effects.append(
        .bookFill(fill, order: slots[slot].view, strategy: slots[slot].intent.strategy))
    }
    watch(slot, at: now)
    finish(consequence, slot, from: before, refusal: refusal, effects: &effects)
  }

  mutating func finish(
    _ consequence: OrderLifecycle.Consequence, _ slot: Int, from before: OrderView,
    refusal: RefusalReason?, effects: inout OrderEffects
  ) {
    let id = slots[slot].clientOrderID
    let instrument = slots[slot].intent.instrument
    if consequence.isChanged { changed(slot, from: before, refusal: refusal, effects: &effects) }
    if consequence.sendsCancel {
      effects.append(.sendCancel(id, slots[slot].venueOrderID, instrument))
    }
    if consequence.asksVenue {
      effects.append(
        .queryVenue(
          id, slots[slot].venueOrderID, instrument, sentAt: slots[slot].openedAt))
    }
    if !consequence.alarms.isEmpty {
      effects.append(.alarm(consequence.alarms, id, slots[slot].lifecycle.state))
    }
  }

  /// Notes that an order moved: totals, lists, and the news of it.
  mutating func changed(
    _ slot: Int, from before: OrderView?, refusal: RefusalReason?, effects: inout OrderEffects
  ) {
    revision &+= 1
    let after = slots[slot].view
    move(slots[slot].intent, from: before, to: after)
    effects.append(
      .orderChanged(
        OrderChange(
          account: slots[slot].intent.account, strategy: slots[slot].intent.strategy,
          venueOrderID: slots[slot].venueOrderID, before: before, after: after,
          refusal: after.state == .rejected ? refusal : nil,
          positionSide: slots[slot].intent.positionSide,
          onlyReduces: slots[slot].intent.onlyReduces)))
    let wasWorking = before.map { !$0.state.isTerminal } ?? true
    if wasWorking && after.state.isTerminal {
      retire(slot)
    } else if !wasWorking && !after.state.isTerminal {
      revive(slot)
    }
  }

  /// Sets or clears the time at which missing fills are asked for.
  mutating func watch(_ slot: Int, at now: Timestamp) {
    let lifecycle = slots[slot].lifecycle
    if lifecycle.isMissingFills && !lifecycle.state.isTerminal
      || lifecycle.isOldOrderGone && lifecycle.isAmendPending
    {
      if slots[slot].checkAt == .distantFuture {
        slots[slot].checkAt = now + bounds.missingFillsGrace
        nextDeadline = min(nextDeadline, slots[slot].checkAt)
      }
    } else {
      slots[slot].checkAt = .distantFuture
      slots[slot].checks = 0
    }
  }

  mutating func ask(_ slot: Int, at now: Timestamp, effects: inout OrderEffects) {
    let before = slots[slot].view
    slots[slot].checkAt = now + bounds.missingFillsRetry
    if slots[slot].checks < .max { slots[slot].checks += 1 }
    var consequence = slots[slot].lifecycle.missFills()
    consequence.asksVenue = true
    if slots[slot].checks == bounds.missingFillsAttempts {
      consequence.alarms.insert(.fillsMissing)
    }
    finish(consequence, slot, from: before, refusal: nil, effects: &effects)
  }

  // MARK: Names

  func slot(of id: ClientOrderID) -> Int? {
    id.isEmpty ? nil : place(of: id).value
  }

  private func place(of id: ClientOrderID) -> SlabIndex.Place {
    byClientID.find(id.stableHash) { slots[$0].clientOrderID == id }
  }

  func slot(
    named id: VenueOrderID, _ account: AccountID, _ instrument: InstrumentID
  ) -> Int? {
    if id == .none { return nil }
    return place(of: VenueOrderKey(order: id, account: account, instrument: instrument)).value
  }

  private func place(of key: VenueOrderKey) -> SlabIndex.Place {
    byVenueID.find(key.stableHash) { slots[$0].isNamed(key) }
  }

  /// Learns the venue's name for an order.
  ///
  /// - Returns: false when `id` is a name that an amendment replaced.
  @discardableResult mutating func learn(_ id: VenueOrderID, for slot: Int) -> Bool {
    let current = slots[slot].venueOrderID
    if id == .none || current == id { return true }
    let last = OrderRecord.olderNames - 1
    for index in 0...last where slots[slot].olderVenueOrderIDs[index] == id { return false }
    if current != .none {
      unname(slots[slot].olderVenueOrderIDs[last], slot)
      for index in stride(from: last, to: 0, by: -1) {
        slots[slot].olderVenueOrderIDs[index] = slots[slot].olderVenueOrderIDs[index - 1]
      }
      slots[slot].olderVenueOrderIDs[0] = current
    }
    slots[slot].venueOrderID = id
    name(id, slot)
    return true
  }

  /// Which of the venue's names for an order lead to it, a bit each, the latest first. All do, unless
  /// the venue gave one of them to a later order too.
  func namesHeld(_ slot: Int) -> UInt8 {
    var held: UInt8 = 0
    for index in 0..<OrderRecord.names {
      let id = slots[slot].name(index)
      if id != .none && place(of: key(id, slot)).value == slot { held |= 1 << UInt8(index) }
    }
    return held
  }

  /// Enters the names that led to a restored order.
  mutating func hold(_ held: UInt8, _ slot: Int) {
    for index in 0..<OrderRecord.names where held & 1 << UInt8(index) != 0 {
      name(slots[slot].name(index), slot)
    }
  }

  private func key(_ id: VenueOrderID, _ slot: Int) -> VenueOrderKey {
    VenueOrderKey(
      order: id, account: slots[slot].intent.account, instrument: slots[slot].intent.instrument)
  }

  private mutating func name(_ id: VenueOrderID, _ slot: Int) {
    if id == .none { return }
    let admission = byVenueID.put(slot, at: place(of: key(id, slot)))
    precondition(admission != .full, "more names than \(OrderRecord.names) an order")
  }

  private mutating func unname(_ id: VenueOrderID, _ slot: Int) {
    // A venue that gave one name twice moved it to the later order.
    if id == .none { return }
    let place = place(of: key(id, slot))
    if place.value == slot { byVenueID.remove(at: place) }
  }

  mutating func keep(orphan fill: Fill) {
    if orphans.isFull { _ = orphans.popFirst() }
    let admission = orphans.append(fill)
    precondition(admission == .inserted, "a ring with room is \(admission)")
  }

  // MARK: Slots

  mutating func insert(_ record: OrderRecord) -> Int {
    let slot: Int
    if firstFree >= 0 {
      slot = Int(firstFree)
      firstFree = slots[slot].next
      slots[slot] = record
    } else {
      slot = slots.count
      slots.append(record)
    }
    let admission = byClientID.put(slot, at: place(of: record.clientOrderID))
    precondition(admission == .inserted, "order \(record.clientOrderID) is \(admission)")
    link(slot)
    return slot
  }

  /// Puts a slot at the end of the working orders.
  private mutating func link(_ slot: Int) {
    slots[slot].previous = newestWorking
    slots[slot].next = -1
    if newestWorking >= 0 {
      slots[Int(newestWorking)].next = Int32(slot)
    } else {
      oldestWorking = Int32(slot)
    }
    newestWorking = Int32(slot)
    workingCount += 1
  }

  /// Takes a slot out of the working orders and keeps it for late news.
  mutating func retire(_ slot: Int) {
    let (previous, next) = (slots[slot].previous, slots[slot].next)
    if previous >= 0 { slots[Int(previous)].next = next } else { oldestWorking = next }
    if next >= 0 { slots[Int(next)].previous = previous } else { newestWorking = previous }
    slots[slot].previous = -1
    slots[slot].next = -1
    workingCount -= 1
    if finished.count < bounds.finished {
      finished.append(Int32(slot))
      return
    }
    forget(Int(finished[oldestFinished]))
    finished[oldestFinished] = Int32(slot)
    oldestFinished = oldestFinished + 1 == bounds.finished ? 0 : oldestFinished + 1
  }

  /// An order that we were told was never taken works after all: it is watched again, as the newest.
  private mutating func revive(_ slot: Int) {
    guard let index = finished.firstIndex(of: Int32(slot)) else { return }
    // Rare, and never on the way of an order: the ring is laid out anew.
    var inOrder = Array(finished[oldestFinished...] + finished[..<oldestFinished])
    inOrder.remove(at: (index - oldestFinished + finished.count) % finished.count)
    finished.removeAll(keepingCapacity: true)
    finished.append(contentsOf: inOrder)
    oldestFinished = 0
    link(slot)
  }

  private mutating func forget(_ slot: Int) {
    byClientID.remove(at: place(of: slots[slot].clientOrderID))
    for index in 0..<OrderRecord.names { unname(slots[slot].name(index), slot) }
    slots[slot].next = firstFree
    firstFree = Int32(slot)
  }

  // MARK: Totals

  /// Counts a restored order.
  mutating func count(_ slot: Int) {
    move(slots[slot].intent, from: nil, to: slots[slot].view)
  }

  private mutating func move(_ intent: OrderIntent, from before: OrderView?, to after: OrderView) {
    var index = 0
    while index < totals.count
      && (totals[index].account != intent.account || totals[index].instrument != intent.instrument)
    { index += 1 }
    if index == totals.count {
      totals.append(
        Total(account: intent.account, instrument: intent.instrument, working: WorkingOrders()))
    }
    let strategy = Int(intent.strategy.index)
    while strategyCounts.count <= strategy { strategyCounts.append(0) }
    if let before, !before.state.isTerminal {
      totals[index].working.add(before, sign: -1)
      strategyCounts[strategy] -= 1
    }
    if !after.state.isTerminal {
      totals[index].working.add(after, sign: 1)
      strategyCounts[strategy] += 1
    }
  }
}

extension WorkingOrders {
  mutating func add(_ order: OrderView, sign: Int64) {
    count += Int(sign)
    let leaves = max(order.leaves.quanta, 0) * sign
    switch order.side {
    case .buy: buyLeaves = Quantity(quanta: buyLeaves.quanta + leaves)
    case .sell: sellLeaves = Quantity(quanta: sellLeaves.quanta + leaves)
    }
  }
}
