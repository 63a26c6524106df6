/// An open-addressing map from a key's hash to the number of a slot, of fixed size.
///
/// It keeps no keys: the caller compares the slot's own key. Walks are never made, so the order of
/// its entries reaches nobody. Removal shifts back what follows, so that nothing ever wears out.
///
/// - Bounds: at most half full, by the capacity it was made for; beyond it, insertion traps.
struct SlotTable: Sendable {
  struct Entry: Sendable, BitwiseCopyable {
    var hash: UInt64
    /// The slot plus one; 0 where nothing is.
    var mark: UInt32
  }

  private var entries: [Entry]
  private(set) var count = 0
  private let mask: Int

  /// - Parameter capacity: slots it must hold.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    entries = Array(repeating: Entry(hash: 0, mark: 0), count: size)
    mask = size - 1
  }

  /// The slot with `hash` that `matches`, if any.
  @inline(__always) func find(_ hash: UInt64, where matches: (Int) -> Bool) -> Int? {
    var index = Int(truncatingIfNeeded: hash) & mask
    while entries[index].mark != 0 {
      if entries[index].hash == hash {
        let slot = Int(entries[index].mark) - 1
        if matches(slot) { return slot }
      }
      index = (index &+ 1) & mask
    }
    return nil
  }

  mutating func insert(_ hash: UInt64, slot: Int) {
    precondition(count * 2 < entries.count, "slot table of \(entries.count / 2) is full")
    var index = Int(truncatingIfNeeded: hash) & mask
    while entries[index].mark != 0 { index = (index &+ 1) & mask }
    entries[index] = Entry(hash: hash, mark: UInt32(slot + 1))
    count += 1
  }

  /// Removes one entry of `slot` under `hash`, if there is one.
  mutating func remove(_ hash: UInt64, slot: Int) {
    var hole = Int(truncatingIfNeeded: hash) & mask
    while entries[hole].mark != UInt32(slot + 1) || entries[hole].hash != hash {
      if entries[hole].mark == 0 { return }
      hole = (hole &+ 1) & mask
    }
    count -= 1
    var next = (hole &+ 1) & mask
    while entries[next].mark != 0 {
      let home = Int(truncatingIfNeeded: entries[next].hash) & mask
      // What stands before its home, seen from the hole, must stay where it is.
      if (next &- home) & mask >= (next &- hole) & mask {
        entries[hole] = entries[next]
        hole = next
      }
      next = (next &+ 1) & mask
    }
    entries[hole] = Entry(hash: 0, mark: 0)
  }

  mutating func removeAll() {
    for index in 0..<entries.count { entries[index].mark = 0 }
    count = 0
  }
}

/// Mixes two words into a hash that is the same in every process.
@inline(__always) func stableHash(_ first: UInt64, _ second: UInt64) -> UInt64 {
  var value = first &* 0x9e37_79b9_7f4a_7c15 ^ second
  value = (value ^ (value >> 32)) &* 0xd6e8_feb8_6659_fd93
  return value ^ (value >> 32)
}
