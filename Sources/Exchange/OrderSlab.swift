internal import MartletBase
internal import MartletModel

/// An order that works, and its place in the queue.
struct WorkingOrder {
  var record: OrderRecord
  /// Neighbors in its level's queue, or in the list of free slots; −1 where there is none.
  var next: Int32 = -1
  var previous: Int32 = -1
  /// Neighbors among its account's working orders, oldest first.
  var accountNext: Int32 = -1
  var accountPrevious: Int32 = -1
  /// Outside quantity in the queue before it, in quanta.
  var ahead: Int64 = 0
}

/// Working orders by slot; a slot is used again when its order has ended.
struct OrderSlab {
  private var slots: [WorkingOrder] = []
  private var free: Int32 = -1
  /// Looked up, never walked: a dictionary has another order in every process.
  private var slotOf: [ExchangeOrderID: Int32] = [:]
  var count: Int { slotOf.count }

  subscript(slot: Int32) -> WorkingOrder {
    get { slots[Int(slot)] }
    _modify { yield &slots[Int(slot)] }
  }

  func find(_ id: ExchangeOrderID) -> Int32? { slotOf[id] }

  mutating func insert(_ order: WorkingOrder) -> Int32 {
    let slot: Int32
    if free >= 0 {
      slot = free
      free = slots[Int(slot)].next
      slots[Int(slot)] = order
    } else {
      slot = Int32(slots.count)
      slots.append(order)
    }
    slotOf[order.record.id] = slot
    return slot
  }

  mutating func remove(_ slot: Int32) {
    slotOf[slots[Int(slot)].record.id] = nil
    slots[Int(slot)].next = free
    free = slot
  }
}
