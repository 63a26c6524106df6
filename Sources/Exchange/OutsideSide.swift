internal import MartletBase
internal import MartletModel

/// One half of a recorded book: a dense ladder of ticks around the best, everything worse in a hash.
///
/// Keys order both halves alike: a larger key is a better price (HOTPATH, section 1: 3 to 4 ns a
/// row where a sorted array takes 66).
struct OutsideSide {
  /// Ticks in the ladder; a power of two, at least 64.
  private let width: Int64
  private let mask: Int64
  private var ladder: [Int64]
  /// One bit a tick, so that the next level is found a word at a time.
  private var occupied: [UInt64]
  private var far: FarLevels
  /// The worst key in the ladder; every far level is worse.
  private var floor: Int64 = 0
  private var isPlaced = false
  /// Levels, near and far.
  private(set) var count = 0
  private var nearCount = 0
  /// The best key; meaningless while `count` is 0.
  private(set) var best: Int64 = 0

  init(width: Int) {
    precondition(width >= 64 && width & (width - 1) == 0, "ladder of \(width) ticks")
    self.width = Int64(width)
    mask = Int64(width) - 1
    ladder = [Int64](repeating: 0, count: width)
    occupied = [UInt64](repeating: 0, count: width / 64)
    far = FarLevels()
  }

  static func key(of price: Price, on side: Side) -> Int64 {
    side == .buy ? price.quanta : -price.quanta
  }

  static func price(of key: Int64, on side: Side) -> Price {
    Price(quanta: side == .buy ? key : -key)
  }

  private func isNear(_ key: Int64) -> Bool { key >= floor && key < floor + width }

  /// The quantity shown at `key`, zero where there is none.
  subscript(key: Int64) -> Int64 {
    guard isPlaced else { return 0 }
    return isNear(key) ? ladder[Int(key & mask)] : far[key]
  }

  /// The level at `key` is now `quantity`; zero removes it.
  mutating func set(_ key: Int64, _ quantity: Int64) {
    if !isPlaced {
      guard quantity != 0 else { return }
      isPlaced = true
      floor = key - width / 4 * 3
    } else if key >= floor + width {
      guard quantity != 0 else { return }
      slide(to: key)
    }
    guard key >= floor else {
      let before = far.count
      far.set(key, quantity)
      count += far.count - before
      if count == 1 && quantity != 0 {
        best = key
        slide(to: key)
      }
      return
    }
    let index = Int(key & mask)
    let before = ladder[index]
    ladder[index] = quantity
    if before == 0 {
      guard quantity != 0 else { return }
      occupied[index >> 6] |= 1 << UInt64(index & 63)
      if nearCount == 0 || key > best { best = key }
      nearCount += 1
      count += 1
    } else if quantity == 0 {
      occupied[index >> 6] &= ~(1 << UInt64(index & 63))
      nearCount -= 1
      count -= 1
      if key == best && count > 0 { findBest() }
    }
  }

  /// The best key below `key` in the ladder; nil when the rest, if any, is far.
  private func nearer(below key: Int64) -> Int64? {
    var position = key - 1
    while position >= floor {
      let index = Int(position & mask)
      // The bits of this word at and below `position`.
      let word = occupied[index >> 6] & (~0 >> UInt64(63 - (index & 63)))
      if word != 0 {
        let found = position - Int64(index & 63) + Int64(63 - word.leadingZeroBitCount)
        // The ladder is a ring: the word that holds its floor holds its top as well.
        return found >= floor ? found : nil
      }
      position -= Int64(index & 63) + 1
    }
    return nil
  }

  private mutating func findBest() {
    if nearCount > 0, let found = nearer(below: floor + width) {
      best = found
      if best - floor < width / 16 && far.count > 0 { slide(to: best) }
      return
    }
    var found: Int64?
    far.forEach { key, _ in
      if key > found ?? .min { found = key }
    }
    guard let found else { return }
    best = found
    slide(to: found)
  }

  /// Moves the ladder so that `key` stands at three quarters of it.
  private mutating func slide(to key: Int64) {
    let next = key - width / 4 * 3
    guard next != floor else { return }
    // Levels that leave the ladder. A far level may be no better than the ladder's floor, so when
    // the ladder moves down what was above its new top must have been empty: `key` is the best.
    var position = floor + width
    while nearCount > 0, let found = nearer(below: position) {
      position = found
      guard found < next || found >= next + width else { continue }
      let index = Int(found & mask)
      far.set(found, ladder[index])
      ladder[index] = 0
      occupied[index >> 6] &= ~(1 << UInt64(index & 63))
      nearCount -= 1
    }
    floor = next
    guard far.count > 0 else { return }
    var entering: [(key: Int64, quantity: Int64)] = []
    far.forEach { key, quantity in
      if isNear(key) { entering.append((key, quantity)) }
    }
    for level in entering {
      far.set(level.key, 0)
      let index = Int(level.key & mask)
      ladder[index] = level.quantity
      occupied[index >> 6] |= 1 << UInt64(index & 63)
      nearCount += 1
    }
  }

  /// Gives levels, best first, until `body` says false.
  func forEach(_ body: (_ key: Int64, _ quantity: Int64) -> Bool) {
    guard count > 0 else { return }
    var position = floor + width
    while let key = nearer(below: position) {
      guard body(key, ladder[Int(key & mask)]) else { return }
      position = key
    }
    guard far.count > 0 else { return }
    // Rare: more levels were asked for than the ladder holds.
    var rest: [(key: Int64, quantity: Int64)] = []
    far.forEach { rest.append(($0, $1)) }
    rest.sort { $0.key > $1.key }
    for level in rest { guard body(level.key, level.quantity) else { return } }
  }

  mutating func removeAll() {
    for index in ladder.indices { ladder[index] = 0 }
    for index in occupied.indices { occupied[index] = 0 }
    far.removeAll()
    count = 0
    nearCount = 0
    isPlaced = false
  }
}
