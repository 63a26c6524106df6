/// Names one timer that was set, for as long as it has neither fired nor been canceled; never
/// reused.
@frozen public struct TimerToken: Hashable, Sendable, BitwiseCopyable {
  @usableFromInline let sequence: UInt64
  @usableFromInline let slot: UInt32
  @inlinable init(sequence: UInt64, slot: UInt32) {
    self.sequence = sequence
    self.slot = slot
  }
}

extension TimerToken: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(sequence)
    snapshot.write(slot)
  }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    sequence = try snapshot.read()
    slot = try snapshot.read()
  }
}

/// What is to happen when: timers fire by deadline, and those due together in the order they were
/// set.
///
/// A binary heap of slots that know their place in it, so that a timer can be canceled where it
/// stands.
///
/// - Bounds: `capacity` timers, reserved at once; setting one more gives no token.
/// - Complexity: setting, firing and canceling O(log n), without an allocation.
@frozen public struct TimerHeap<Payload> {
  @frozen @usableFromInline struct Slot {
    @usableFromInline var deadline = Timestamp.distantFuture
    /// When it was set, as a count; 0 in a slot that is free.
    @usableFromInline var sequence: UInt64 = 0
    /// Its index in `order`.
    @usableFromInline var place: UInt32
    @usableFromInline var payload: Payload?
    @usableFromInline init(place: UInt32) { self.place = place }
  }

  public let capacity: Int
  /// Timers set and waiting.
  @inlinable public var count: Int { waiting }
  @usableFromInline var waiting = 0
  @usableFromInline var slots: [Slot]
  /// All slots: the first `waiting` are the heap, the others are free.
  @usableFromInline var order: [UInt32]
  @usableFromInline var lastSequence: UInt64 = 0

  /// - Parameter capacity: the bound, at least 1.
  public init(capacity: Int) {
    precondition(capacity > 0, "at most \(capacity) timers")
    self.capacity = capacity
    order = (0..<UInt32(capacity)).map { $0 }
    slots = order.map { Slot(place: $0) }
  }

  @inlinable public var isEmpty: Bool { count == 0 }

  /// When the next timer is due; `distantFuture` when none is set.
  @inlinable public var nextDeadline: Timestamp {
    count > 0 ? slots[Int(order[0])].deadline : .distantFuture
  }

  /// Sets a timer. A deadline in the past is due at once.
  ///
  /// - Returns: nil when `capacity` timers are waiting; nothing is set then.
  @inlinable public mutating func set(_ payload: Payload, at deadline: Timestamp) -> TimerToken? {
    guard count < capacity else { return nil }
    lastSequence += 1
    let slot = order[count]
    slots[Int(slot)].deadline = deadline
    slots[Int(slot)].sequence = lastSequence
    slots[Int(slot)].payload = payload
    waiting += 1
    rise(from: count - 1)
    return TimerToken(sequence: lastSequence, slot: slot)
  }

  /// Takes the next timer that is due at `now`; nil when there is none.
  @inlinable public mutating func popDue(at now: Timestamp) -> (
    deadline: Timestamp, payload: Payload
  )? {
    guard count > 0 else { return nil }
    let deadline = slots[Int(order[0])].deadline
    guard deadline <= now, let payload = remove(at: 0) else { return nil }
    return (deadline, payload)
  }

  /// Takes back a timer.
  ///
  /// - Returns: its payload; nil when it has fired or was canceled before.
  @discardableResult
  @inlinable public mutating func cancel(_ token: TimerToken) -> Payload? {
    guard isWaiting(token) else { return nil }
    return remove(at: Int(slots[Int(token.slot)].place))
  }

  /// Whether the timer has neither fired nor been canceled.
  @inlinable public func isWaiting(_ token: TimerToken) -> Bool {
    Int(token.slot) < slots.count && token.sequence != 0
      && slots[Int(token.slot)].sequence == token.sequence
  }

  // MARK: The heap

  @inlinable mutating func remove(at index: Int) -> Payload? {
    let slot = Int(order[index])
    let payload = slots[slot].payload
    slots[slot].payload = nil
    slots[slot].sequence = 0
    waiting -= 1
    if index < count {
      exchange(index, count)
      rise(from: index)
      sink(from: index)
    }
    return payload
  }

  @inlinable func isBefore(_ left: Int, _ right: Int) -> Bool {
    let first = Int(order[left])
    let second = Int(order[right])
    if slots[first].deadline != slots[second].deadline {
      return slots[first].deadline < slots[second].deadline
    }
    return slots[first].sequence < slots[second].sequence
  }

  @inlinable mutating func exchange(_ left: Int, _ right: Int) {
    order.swapAt(left, right)
    slots[Int(order[left])].place = UInt32(left)
    slots[Int(order[right])].place = UInt32(right)
  }

  @inlinable mutating func rise(from index: Int) {
    var child = index
    while child > 0 {
      let parent = (child - 1) / 2
      guard isBefore(child, parent) else { return }
      exchange(child, parent)
      child = parent
    }
  }

  @inlinable mutating func sink(from index: Int) {
    var parent = index
    while true {
      var least = parent
      let left = parent * 2 + 1
      if left < count && isBefore(left, least) { least = left }
      if left + 1 < count && isBefore(left + 1, least) { least = left + 1 }
      if least == parent { return }
      exchange(parent, least)
      parent = least
    }
  }
}

extension TimerHeap: Sendable where Payload: Sendable {}
extension TimerHeap.Slot: Sendable where Payload: Sendable {}

extension TimerHeap: Snapshotting where Payload: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("TimerHeap")
    snapshot.write(UInt32(capacity))
    snapshot.write(UInt32(count))
    snapshot.write(lastSequence)
    for index in 0..<capacity {
      // The free slots too: their order decides the tokens to come.
      snapshot.write(order[index])
      let slot = slots[Int(order[index])]
      guard index < count, let payload = slot.payload else { continue }
      snapshot.write(slot.deadline)
      snapshot.write(slot.sequence)
      payload.write(to: &snapshot)
    }
  }

  /// Takes what was written in place of what this holds. The bounds must be equal.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("TimerHeap")
    let start = snapshot.offset
    let bound = try snapshot.read(UInt32.self)
    let found = Int(try snapshot.read(UInt32.self))
    guard bound == UInt32(capacity), found <= capacity else {
      throw .impossible("\(found) of \(bound) timers in a heap of \(capacity)", offset: start)
    }
    self = TimerHeap(capacity: capacity)
    lastSequence = try snapshot.read()
    var isTold = [Bool](repeating: false, count: capacity)
    for index in 0..<capacity {
      let offset = snapshot.offset
      let slot = try snapshot.read(UInt32.self)
      guard slot < bound, !isTold[Int(slot)] else {
        throw .impossible("slot \(slot) told twice or out of range", offset: offset)
      }
      isTold[Int(slot)] = true
      order[index] = slot
      slots[Int(slot)].place = UInt32(index)
      guard index < found else { continue }
      slots[Int(slot)].deadline = try snapshot.timestamp()
      slots[Int(slot)].sequence = try snapshot.read()
      slots[Int(slot)].payload = try Payload(from: &snapshot)
      let sequence = slots[Int(slot)].sequence
      waiting = index + 1
      guard sequence > 0, sequence <= lastSequence, index == 0 || isBefore((index - 1) / 2, index)
      else { throw .impossible("timer \(sequence) out of order", offset: offset) }
    }
  }
}
