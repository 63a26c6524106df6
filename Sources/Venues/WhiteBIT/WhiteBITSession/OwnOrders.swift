internal import MartletBase
internal import MartletModel

/// One order of ours as far as the session must know it: to reconcile it, and to take it off.
struct OwnOrder: Equatable, Sendable, BitwiseCopyable {
  enum Stage: UInt8, Sendable, BitwiseCopyable {
    /// Waits for a flush.
    case queued = 0
    /// Sent, and not answered.
    case sent = 1
    /// The venue spoke of it as working.
    case open = 2
    /// Its reply is lost.
    case inDoubt = 3
  }

  enum Cancel: UInt8, Sendable, BitwiseCopyable {
    case none = 0
    case queued = 1
    case sent = 2
  }

  var id: ClientOrderID
  var instrument: InstrumentID
  var stage: Stage
  var cancel = Cancel.none
  /// When a stopping session may cancel it (again).
  var cancelAt = Timestamp.zero
  var sentAt: Timestamp
  /// The reconciliation that last saw it among the open orders.
  var seenIn: UInt32 = 0
}

/// Our orders that the venue has or may have.
///
/// - Bounds: `capacity` orders. Walked in slot order, which the history of insertions decides.
struct OwnOrders: Sendable {
  static let capacity = 4096
  private(set) var slots: [OwnOrder?] = []
  private(set) var count = 0
  /// How often one was removed.
  private(set) var removals: UInt32 = 0
  private var free: [Int32] = []
  private var index = HashIndex<InlineText>(capacity: OwnOrders.capacity)

  init() {
    slots.reserveCapacity(OwnOrders.capacity)
    free.reserveCapacity(OwnOrders.capacity)
  }

  var isFull: Bool { count == OwnOrders.capacity }

  func slot(of id: ClientOrderID) -> Int? { index.value(for: id.text) }

  subscript(id: ClientOrderID) -> OwnOrder? {
    guard let slot = slot(of: id) else { return nil }
    return slots[slot]
  }

  /// - Returns: false when there is no room.
  mutating func insert(_ order: OwnOrder) -> Bool {
    if let slot = slot(of: order.id) {
      slots[slot] = order
      return true
    }
    guard count < OwnOrders.capacity else { return false }
    let slot: Int
    if let last = free.popLast() {
      slot = Int(last)
      slots[slot] = order
    } else {
      slot = slots.count
      slots.append(order)
    }
    _ = index.insert(slot, for: order.id.text)
    count += 1
    return true
  }

  mutating func remove(_ id: ClientOrderID) {
    guard let slot = index.removeValue(for: id.text) else { return }
    slots[slot] = nil
    free.append(Int32(slot))
    count -= 1
    removals &+= 1
  }

  /// Whether one of an instrument may be ending now: its cancel is on its way.
  func hasCancelOnItsWay(in instrument: InstrumentID) -> Bool {
    slots.contains { $0?.instrument == instrument && $0?.cancel != OwnOrder.Cancel.none }
  }

  mutating func change(_ id: ClientOrderID, _ change: (inout OwnOrder) -> Void) {
    guard let slot = slot(of: id), var order = slots[slot] else { return }
    change(&order)
    slots[slot] = order
  }
}

extension OwnOrders: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("OwnOrders-2")
    snapshot.write(removals)
    snapshot.write(UInt32(slots.count))
    for slot in slots {
      snapshot.write(slot != nil)
      guard let order = slot else { continue }
      snapshot.write(order.id.text)
      snapshot.write(order.instrument.index)
      snapshot.write(order.stage.rawValue)
      snapshot.write(order.cancel.rawValue)
      snapshot.write(order.cancelAt)
      snapshot.write(order.sentAt)
      snapshot.write(order.seenIn)
    }
    snapshot.write(UInt32(free.count))
    for slot in free { snapshot.write(slot) }
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("OwnOrders-2")
    self = OwnOrders()
    removals = try snapshot.read()
    let start = snapshot.offset
    let places = try snapshot.count()
    guard places <= OwnOrders.capacity else {
      throw .impossible("\(places) own orders", offset: start)
    }
    for slot in 0..<places {
      guard try snapshot.bool() else {
        slots.append(nil)
        continue
      }
      let offset = snapshot.offset
      let id = ClientOrderID(try snapshot.inlineText())
      let instrument = InstrumentID(try snapshot.read())
      let stage = OwnOrder.Stage(rawValue: try snapshot.byte())
      let cancel = OwnOrder.Cancel(rawValue: try snapshot.byte())
      let cancelAt = try snapshot.timestamp()
      let sentAt = try snapshot.timestamp()
      let seenIn = try snapshot.read(UInt32.self)
      guard let stage, let cancel, index.insert(slot, for: id.text) == .inserted else {
        throw .impossible("an own order", offset: offset)
      }
      slots.append(
        OwnOrder(
          id: id, instrument: instrument, stage: stage, cancel: cancel, cancelAt: cancelAt,
          sentAt: sentAt, seenIn: seenIn))
      count += 1
    }
    let offset = snapshot.offset
    let holes = try snapshot.count(ofSize: 4)
    for _ in 0..<holes {
      let slot = try snapshot.read(Int32.self)
      guard slot >= 0, Int(slot) < places, slots[Int(slot)] == nil else {
        throw .impossible("a free place \(slot)", offset: offset)
      }
      free.append(slot)
    }
    guard holes == places - count else {
      throw .impossible("\(holes) free places", offset: offset)
    }
  }
}
