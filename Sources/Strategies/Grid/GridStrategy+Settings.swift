internal import MartletBase
internal import MartletModel
public import MartletStrategy

// Other settings for a grid that trades: only what differs is moved.
extension GridStrategy {
  public mutating func onSettings(
    _ settings: Span<UInt8>, _ context: borrowing StrategyContext, intents: inout Intents
  ) -> Bool {
    var reader = SnapshotReader(settings.indices.map { settings[$0] })
    do {
      guard let form = GridSettings.Form(size: settings.count) else { return false }
      let wanted = try GridSettings(from: &reader, form: form)
      // What a contract is traded with is the venue's setting as well: not changed while orders rest.
      guard reader.isAtEnd, wanted.leverage == self.settings.leverage else { return false }
      try change(to: wanted, context, intents: &intents)
      return true
    } catch {
      return false
    }
  }

  /// Takes other settings and asks for the end of each order that they leave no place for. What is
  /// missing is placed by the next book, once those orders are gone.
  ///
  /// - With other levels or another amount, the center stays: slots are taken from or added to the
  ///   ends, and only orders that nothing of has filled are replaced by ones of the new size.
  /// - With another spacing, the grid is laid anew around the price of the moment. Orders that would
  ///   be placed just so stay where they are.
  ///
  /// - Throws: what the instrument's rules have against the settings; then nothing has changed.
  public mutating func change(
    to wanted: GridSettings, _ context: borrowing StrategyContext, intents: inout Intents
  ) throws(GridSettings.Fault) {
    let onGrid = try wanted.onGrid(of: context.instrument)
    let before = settings
    guard wanted != before else { return }
    guard let center else {
      take(wanted, onGrid)
      slots = Array(repeating: GridSlot(), count: 2 * wanted.levelsPerSide)
      return
    }
    let halfQuanta = Self.halfQuanta(context) ?? 2 * Int128(center.quanta)
    let mark = Price(quanta: Int64(halfQuanta / 2))
    if onGrid.spacing == spacing {
      let delta = scale.amount(of: onGrid.quantity) - scale.amount(of: quantity)
      take(wanted, onGrid)
      let shift = wanted.levelsPerSide - before.levelsPerSide
      if delta != .zero { resize(by: delta, sparing: max(-shift, 0), context, intents: &intents) }
      if shift != 0 { widen(by: shift, mark, context, intents: &intents) }
    } else {
      closeAll(at: mark)
      take(wanted, onGrid)
      slots = Array(repeating: GridSlot(), count: 2 * wanted.levelsPerSide)
      for index in slots.indices { slots[index].generation = past.generation }
      layOut(
        around: Self.center(halfQuanta: halfQuanta, spacing: spacing), context.instrument)
      takeOver(context, intents: &intents)
    }
    // What was refused under the former settings need not be under these.
    for index in slots.indices where slots[index].phase == .waiting {
      slots[index].setbacks = 0
      wakeSlot(index)
    }
    hasIdle = true
  }

  private mutating func take(
    _ wanted: GridSettings, _ onGrid: (spacing: Int64, quantity: Quantity)
  ) {
    settings = wanted
    spacing = onGrid.spacing
    quantity = onGrid.quantity
  }

  mutating func closeAll(at mark: Price) {
    for slot in slots where slot.phase != .absent {
      past.close(slot, at: mark, scale, kind)
      past.generation = max(past.generation, slot.generation)
    }
  }

  /// Adds slots at both ends, or takes some from there.
  private mutating func widen(
    by shift: Int, _ mark: Price, _ context: borrowing StrategyContext,
    intents: inout Intents
  ) {
    let before = slots
    // A slot that comes again must not number its orders as it once did.
    let highest = before.reduce(past.generation) { max($0, $1.generation) }
    slots = Array(repeating: GridSlot(), count: 2 * settings.levelsPerSide)
    for index in before.indices {
      let place = index + shift
      if slots.indices.contains(place) {
        slots[place] = before[index]
      } else if before[index].phase != .absent {
        past.close(before[index], at: mark, scale, kind)
        if before[index].phase == .working {
          for order in context.working where order.tag == before[index].tag {
            leave(order, intents: &intents)
          }
        }
      }
    }
    guard shift > 0 else { return }
    for offset in 0..<shift {
      for index in [offset, slots.count - 1 - offset] {
        slots[index].generation = highest
        // Whichever of its two orders the market has not passed yet.
        let buy = price(of: .buy, slot: index, tick: context.instrument.rules.tickSize)
        layOut(index, lending: buy >= mark, context.instrument)
      }
    }
  }

  /// Lets untouched orders ask for the new amount. What is half done, or sells what was bought, ends
  /// as it began.
  ///
  /// - Parameter ends: so many slots at each end are about to go.
  private mutating func resize(
    by delta: Amount, sparing ends: Int, _ context: borrowing StrategyContext,
    intents: inout Intents
  ) {
    // The price of a slot goes by its place among as many as there were.
    let levels = settings.levelsPerSide
    settings.levelsPerSide = slots.count / 2
    defer { settings.levelsPerSide = levels }
    for index in ends..<slots.count - ends where slots[index].phase != .absent {
      let slot = slots[index]
      if slot.phase == .settling || slot.phase == .working && slot.booked > .zero { continue }
      let held = slot.inventory + delta
      if slot.home == .sell, wanted(index, context.instrument).0 == .sell, held > .zero,
        slot.lent + delta > .zero
      {
        slots[index].inventory = held
        slots[index].lent = slot.lent + delta
      }
      guard slot.phase == .working else { continue }
      let (side, _, quantity) = wanted(index, context.instrument)
      for order in context.working
      where order.tag == slot.tag && (order.quantity != quantity || order.side != side) {
        slots[index].isMoving = true
        if order.state != .pendingCancel { intents.cancel(order.clientOrderID) }
      }
    }
  }

  /// Gives each new slot the order that is already where it wants one, and sends the others away.
  private mutating func takeOver(
    _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    for order in context.working where !past.isLeaving(order.tag) {
      var heir: Int?
      if order.state == .open && order.cumulative == .zero && GridSlot.decode(order.tag) != nil {
        heir = slots.indices.first {
          slots[$0].phase == .idle
            && wanted($0, context.instrument) == (order.side, order.price, order.quantity)
        }
      }
      guard let heir else {
        leave(order, intents: &intents)
        continue
      }
      slots[heir].phase = .working
      slots[heir].tag = order.tag
      slots[heir].side = order.side
      slots[heir].price = order.price
      slots[heir].booked = .zero
    }
  }

  private mutating func leave(_ order: OrderView, intents: inout Intents) {
    if order.state != .pendingCancel { intents.cancel(order.clientOrderID) }
    past.leave(order.tag)
  }
}
