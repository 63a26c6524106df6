/// Where a thing stands in somebody's slab, by a key that the slab itself holds: look-ups alone, never
/// a walk.
///
/// Open addressing with linear probing, at most half full; removal closes the gap, so that no
/// tombstones pile up over a long run. A place is eight bytes, 32 of their bits the key's hash, and
/// the owner is asked for its key only where those agree: a large table is cold memory, and a key
/// that is new, as nearly all of them are, costs one visit to it.
///
/// - Bounds: `capacity` keys, places reserved at once; more are `full`. Values 0 ... 2³¹ − 1.
/// - Complexity: O(1) expected.
@frozen public struct SlabIndex: Sendable {
  /// Where a key stands, or would go; good until the index next changes.
  @frozen public struct Place: Sendable {
    @usableFromInline let position: Int
    @usableFromInline let hash: UInt32
    /// What stands there; nil when nothing does.
    public let value: Int?
    @inlinable init(position: Int, hash: UInt32, value: Int?) {
      self.position = position
      self.hash = hash
      self.value = value
    }
  }

  public let capacity: Int
  /// Keys held.
  public private(set) var count = 0
  /// 32 bits of the key's hash above its value + 1; zero when nothing stands here.
  @usableFromInline var marks: [UInt64]
  /// Number of places − 1; their number is a power of two.
  @usableFromInline let mask: Int

  /// - Parameter capacity: the bound, 1 ... 2³⁰.
  public init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << 30, "an index of at most \(capacity) keys")
    self.capacity = capacity
    var length = 4
    while length < capacity * 2 { length *= 2 }
    mask = length - 1
    marks = Array(repeating: 0, count: length)
  }

  /// Finds a key, or the place where it would go.
  ///
  /// - Parameters:
  ///   - stableHash: the key's.
  ///   - isIt: whether the thing with this value has the key.
  @inlinable @inline(__always)
  public func find(_ stableHash: UInt64, where isIt: (Int) -> Bool) -> Place {
    let hash = UInt32(truncatingIfNeeded: mixed(stableHash))
    var position = Int(hash) & mask
    // Ends: at least half of the places are empty.
    while true {
      let mark = marks[position]
      if mark == 0 { return Place(position: position, hash: hash, value: nil) }
      if mark >> 32 == UInt64(hash) {
        let value = SlabIndex.value(of: mark)
        if isIt(value) { return Place(position: position, hash: hash, value: value) }
      }
      position = (position &+ 1) & mask
    }
  }

  /// Puts `value` at the place that `find` gave; a full index still takes a new value for a key it
  /// has.
  ///
  /// - Parameter value: 0 ... 2³¹ − 1, or it traps.
  public mutating func put(_ value: Int, at place: Place) -> Admission {
    precondition(value >= 0 && value <= Int(Int32.max), "\(value) is no place in a slab")
    guard place.value != nil || count < capacity else { return .full }
    marks[place.position] =
      UInt64(place.hash) << 32 | UInt64(truncatingIfNeeded: value &+ 1)
    if place.value != nil { return .replaced }
    count += 1
    return .inserted
  }

  /// Takes out what stands at the place that `find` gave, if anything does.
  public mutating func remove(at place: Place) {
    if place.value == nil { return }
    // What was pushed past the hole moves into it, or its look-up would end there.
    var hole = place.position
    var position = hole
    while true {
      position = (position &+ 1) & mask
      let other = marks[position]
      if other == 0 { break }
      let pushed = (position &- Int(other >> 32)) & mask
      if pushed >= (position &- hole) & mask {
        marks[hole] = other
        hole = position
      }
    }
    marks[hole] = 0
    count -= 1
  }

  /// Forgets the keys and keeps the room.
  public mutating func removeAll() {
    for position in marks.indices where marks[position] != 0 { marks[position] = 0 }
    count = 0
  }

  @inlinable static func value(of mark: UInt64) -> Int { Int(mark & 0xffff_ffff) &- 1 }
}
