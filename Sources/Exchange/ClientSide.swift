internal import MartletBase
internal import MartletModel

/// One half of the clients' resting orders at one instrument: levels sorted with the best last,
/// each a queue of slots. Clients rest on few levels, so a sorted array is the fastest thing there
/// is (HOTPATH, section 1).
struct ClientSide {
  struct Level {
    /// A larger key is a better price; see `OutsideSide`.
    var key: Int64
    var head: Int32
    var tail: Int32
    /// The sum of its orders' leaves, in quanta.
    var leaves: Int64
  }

  private(set) var levels: [Level] = []

  var isEmpty: Bool { levels.isEmpty }
  var best: Level? { levels.last }

  /// The index of the level at `key`, or where it would stand.
  func index(of key: Int64) -> Int { ClientSide.index(of: key, in: levels) }

  /// The index of the level at `key`; nil when no client rests there.
  func find(_ key: Int64) -> Int? { ClientSide.find(key, in: levels) }

  @inline(__always) private static func index(of key: Int64, in levels: [Level]) -> Int {
    var low = 0
    var high = levels.count
    while low < high {
      let middle = (low &+ high) &>> 1
      if levels[middle].key < key { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  @inline(__always) static func find(_ key: Int64, in levels: [Level]) -> Int? {
    // Most rows of a recorded book are far from any client's order.
    guard let best = levels.last, key <= best.key, key >= levels[0].key else { return nil }
    let index = index(of: key, in: levels)
    return levels[index].key == key ? index : nil
  }

  subscript(index: Int) -> Level {
    get { levels[index] }
    _modify { yield &levels[index] }
  }

  mutating func insert(_ level: Level, at index: Int) { levels.insert(level, at: index) }
  mutating func remove(at index: Int) { levels.remove(at: index) }
}
