internal import MartletBase

/// One half of a book: levels in one array, best last, never more than its capacity.
///
/// A level is stored by its rank, the higher the better: a bid's rank is its price, an ask's the
/// bitwise complement of it, which reverses the order and cannot overflow. Three of four changes
/// come near the best, so the search starts there (HOTPATH, section 2).
struct BookSide: Equatable, Sendable {
  struct Entry: Equatable, Sendable, BitwiseCopyable {
    var rank: Int64
    var quantity: Int64
  }

  /// `capacity` entries, of which the first `count` are levels, ranks strictly ascending.
  private var entries: [Entry]
  private(set) var count = 0

  var capacity: Int { entries.count }

  /// - Parameter capacity: levels there is room for, at least 1.
  init(capacity: Int) {
    entries = Array(repeating: Entry(rank: 0, quantity: 0), count: capacity)
  }

  // What lies beyond `count` is left over and says nothing.
  static func == (lhs: BookSide, rhs: BookSide) -> Bool {
    guard lhs.count == rhs.count, lhs.entries.count == rhs.entries.count else { return false }
    for index in 0..<lhs.count where lhs.entries[index] != rhs.entries[index] { return false }
    return true
  }

  /// The level at `depth`, 0 for the best.
  func entry(at depth: Int) -> Entry {
    precondition(depth >= 0 && depth < count, "level \(depth) of \(count)")
    return entries[count - 1 - depth]
  }

  /// Sets the quantity at `rank`; zero removes the level.
  ///
  /// - Complexity: linear in the levels better than `rank`; a full side also shifts the worse ones.
  mutating func apply(rank: Int64, quantity: Int64) {
    let room = entries.count
    let held = count
    // The door that all market data goes through: one look at the array's owner, then a pointer
    // (HOTPATH, section 8). Every index below stays within 0 ..< room: `held` ≤ room.
    count = unsafe entries.withUnsafeMutableBufferPointer { buffer in
      // Not nil: there is room for at least one level.
      let levels = unsafe buffer.baseAddress.unsafelyUnwrapped
      var index = held
      while unsafe index > 0 && levels[index &- 1].rank > rank { index &-= 1 }
      let isPresent = unsafe index > 0 && levels[index &- 1].rank == rank
      if quantity == 0 {
        guard isPresent else { return held }
        while index < held {
          unsafe levels[index &- 1] = levels[index]
          index &+= 1
        }
        return held &- 1
      }
      if isPresent {
        unsafe levels[index &- 1].quantity = quantity
        return held
      }
      if held == room {
        // Full: the worst makes room, or the new one is the worst.
        if index == 0 { return held }
        var moved = 1
        while moved < index {
          unsafe levels[moved &- 1] = levels[moved]
          moved &+= 1
        }
        unsafe levels[index &- 1] = Entry(rank: rank, quantity: quantity)
        return held
      }
      var moved = held
      while moved > index {
        unsafe levels[moved] = levels[moved &- 1]
        moved &-= 1
      }
      unsafe levels[index] = Entry(rank: rank, quantity: quantity)
      return held &+ 1
    }
  }

  /// Takes a level worse than all present ones; what a snapshot told best first is built from.
  ///
  /// - Returns: false when `rank` is not worse than the last one; nothing is changed then.
  mutating func fill(rank: Int64, quantity: Int64) -> Bool {
    // While it fills, the side stands best first; `finishFill` turns it round.
    if count > 0 && entries[count - 1].rank <= rank { return false }
    if count < entries.count {
      entries[count] = Entry(rank: rank, quantity: quantity)
      count &+= 1
    }
    return true
  }

  mutating func finishFill() {
    var low = 0
    var high = count - 1
    while low < high {
      entries.swapAt(low, high)
      low &+= 1
      high &-= 1
    }
  }

  mutating func removeAll() { count = 0 }

  /// Keeps the best `limit` levels.
  mutating func truncate(to limit: Int) {
    if count <= limit { return }
    let excess = count - limit
    for index in 0..<limit { entries[index] = entries[index + excess] }
    count = limit
  }
}
