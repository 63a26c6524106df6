/// The ids seen last: told again they are known, until `capacity` newer ones have come.
///
/// It forgets the oldest. Where an id told again would move money a second time, the bound must be
/// larger than the number of ids among which a venue may repeat itself.
///
/// - Bounds: `capacity` ids, reserved at once.
/// - Complexity: O(1) expected, without an allocation.
@frozen public struct BoundedSet<Key: StablyHashed> {
  public let capacity: Int
  public private(set) var count = 0
  /// In the order they came, from `oldest` round.
  @usableFromInline var keys: [Key]
  private var oldest = 0
  /// Where each stands in `keys`.
  @usableFromInline var index: SlabIndex

  /// - Parameter capacity: the bound, 1 ... 2³⁰.
  public init(capacity: Int) {
    self.capacity = capacity
    index = SlabIndex(capacity: capacity)
    keys = Array(repeating: .filler, count: capacity)
  }

  @inlinable public func contains(_ key: Key) -> Bool { place(of: key).value != nil }

  /// Remembers `key`; when full, forgets the one remembered longest.
  ///
  /// - Returns: whether it was new. One that is known keeps its age.
  public mutating func insert(_ key: Key) -> Bool {
    var place = place(of: key)
    if place.value != nil { return false }
    if count == capacity {
      index.remove(at: self.place(of: keys[oldest]))
      oldest = oldest + 1 == capacity ? 0 : oldest + 1
      count -= 1
      // The gap that it left may have moved the place.
      place = self.place(of: key)
    }
    let newest = oldest + count < capacity ? oldest + count : oldest + count - capacity
    keys[newest] = key
    let admission = index.put(newest, at: place)
    precondition(admission == .inserted, "an id of a bounded set is \(admission)")
    count += 1
    return true
  }

  @inlinable func place(of key: Key) -> SlabIndex.Place {
    index.find(key.stableHash) { keys[$0] == key }
  }

  private func key(_ age: Int) -> Key {
    keys[oldest + age < capacity ? oldest + age : oldest + age - capacity]
  }
}

extension BoundedSet: Equatable {
  /// The same ids remembered in the same order.
  public static func == (lhs: BoundedSet, rhs: BoundedSet) -> Bool {
    if lhs.count != rhs.count { return false }
    for age in 0..<lhs.count where lhs.key(age) != rhs.key(age) { return false }
    return true
  }
}

extension BoundedSet: Sendable where Key: Sendable {}

extension BoundedSet: Snapshotting where Key: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("BoundedSet")
    snapshot.write(UInt32(count))
    for age in 0..<count { key(age).write(to: &snapshot) }
  }

  /// Takes what was written in place of what this holds; the bound stays this set's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("BoundedSet")
    let start = snapshot.offset
    let found = try snapshot.count()
    guard found <= capacity else {
      throw .impossible("\(found) ids in a set of \(capacity)", offset: start)
    }
    index.removeAll()
    count = 0
    oldest = 0
    for _ in 0..<found {
      guard insert(try Key(from: &snapshot)) else {
        throw .impossible("an id remembered twice", offset: start)
      }
    }
  }
}
