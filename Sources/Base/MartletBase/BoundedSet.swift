/// The ids seen last: told again they are known, until `capacity` newer ones have come.
///
/// It forgets the oldest. Where an id told again would move money a second time, the bound must be
/// larger than the number of ids among which a venue may repeat itself.
///
/// - Bounds: `capacity` ids, reserved at once.
/// - Complexity: O(1) expected, without an allocation.
@frozen public struct BoundedSet<Key: StablyHashed> {
  @usableFromInline var index: HashIndex<Key>
  @usableFromInline var ages: Ring<Key>

  /// - Parameter capacity: the bound, at least 1.
  public init(capacity: Int) {
    index = HashIndex(capacity: capacity)
    ages = Ring(capacity: capacity)
  }

  @inlinable public var capacity: Int { ages.capacity }
  @inlinable public var count: Int { ages.count }

  @inlinable public func contains(_ key: Key) -> Bool { index.value(for: key) != nil }

  /// Remembers `key`; when full, forgets the one remembered longest.
  ///
  /// - Returns: whether it was new. One that is known keeps its age.
  @inlinable public mutating func insert(_ key: Key) -> Bool {
    if ages.isFull {
      if contains(key) { return false }
      if let oldest = ages.popFirst() { index.removeValue(for: oldest) }
    }
    // What is known already stands there with this very value.
    let admission = index.insert(0, for: key)
    if admission == .replaced { return false }
    let wasTaken = admission == .inserted && ages.append(key) == .inserted
    precondition(wasTaken, "index and ages of a bounded set differ")
    return true
  }
}

extension BoundedSet: Equatable {
  /// The same ids remembered in the same order.
  public static func == (lhs: BoundedSet, rhs: BoundedSet) -> Bool { lhs.ages == rhs.ages }
}

extension BoundedSet: Sendable where Key: Sendable {}

extension BoundedSet: Snapshotting where Key: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("BoundedSet")
    ages.write(to: &snapshot)
  }

  /// Takes what was written in place of what this holds; the bound stays this set's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("BoundedSet")
    let start = snapshot.offset
    try ages.read(from: &snapshot)
    index.removeAll()
    for key in ages {
      guard index.insert(0, for: key) == .inserted else {
        throw .impossible("an id remembered twice", offset: start)
      }
    }
  }
}
