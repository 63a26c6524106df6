/// Levels far from the best: key to quantity by open addressing, without order.
///
/// Linear probing with backward shift, so there are no tombstones and the table does not age.
/// Grows by doubling at three quarters full; its order depends on nothing but what was put in.
struct FarLevels {
  private var keys: [Int64]
  /// Zero where the slot is empty: a level without quantity is no level.
  private var quantities: [Int64]
  private(set) var count = 0

  init(capacity: Int = 1024) {
    precondition(capacity > 1 && capacity & (capacity - 1) == 0, "capacity \(capacity)")
    keys = [Int64](repeating: 0, count: capacity)
    quantities = [Int64](repeating: 0, count: capacity)
  }

  private var mask: Int { keys.count - 1 }

  private func home(_ key: Int64) -> Int {
    // Fibonacci hashing: neighboring prices spread over the table.
    let mixed = UInt64(bitPattern: key) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 32) & mask
  }

  private func slot(of key: Int64) -> Int {
    var index = home(key)
    while quantities[index] != 0 && keys[index] != key { index = (index + 1) & mask }
    return index
  }

  subscript(key: Int64) -> Int64 { quantities[slot(of: key)] }

  mutating func set(_ key: Int64, _ quantity: Int64) {
    if quantity == 0 {
      remove(key)
      return
    }
    var index = slot(of: key)
    if quantities[index] == 0 {
      if (count + 1) * 4 > keys.count * 3 {
        grow()
        index = slot(of: key)
      }
      count += 1
      keys[index] = key
    }
    quantities[index] = quantity
  }

  private mutating func remove(_ key: Int64) {
    var hole = slot(of: key)
    guard quantities[hole] != 0 else { return }
    count -= 1
    var index = hole
    while true {
      index = (index + 1) & mask
      guard quantities[index] != 0 else { break }
      // An entry may move back to the hole unless its home lies between hole and itself.
      if (index - home(keys[index])) & mask >= (index - hole) & mask {
        keys[hole] = keys[index]
        quantities[hole] = quantities[index]
        hole = index
      }
    }
    quantities[hole] = 0
  }

  private mutating func grow() {
    var larger = FarLevels(capacity: keys.count * 2)
    forEach { larger.set($0, $1) }
    self = larger
  }

  func forEach(_ body: (_ key: Int64, _ quantity: Int64) -> Void) {
    for index in keys.indices where quantities[index] != 0 {
      body(keys[index], quantities[index])
    }
  }

  mutating func removeAll() {
    for index in quantities.indices { quantities[index] = 0 }
    count = 0
  }
}
