/// Where a thing stands in somebody's slab, by its key: look-ups alone, never a walk.
///
/// Open addressing with linear probing, at most half full; removal closes the gap, so that no
/// tombstones pile up over a long run. Probes go over eight bytes a place, and a key is touched
/// only where 32 bits of its hash agree: the keys of a large index are cold memory, and an id that
/// is new, as nearly all of them are, then costs no visit there.
///
/// - Bounds: `capacity` keys, places reserved at once; more are `full`. Values 0 ... 2³¹ − 1.
/// - Complexity: O(1) expected.
@frozen public struct HashIndex<Key: StablyHashed> {
  public let capacity: Int
  /// Keys held.
  @inlinable public var count: Int { held }
  @usableFromInline var held = 0
  /// By place: 32 bits of the key's hash above its value + 1; zero when nothing stands here.
  @usableFromInline var marks: [UInt64]
  /// By place; filler where nothing stands.
  @usableFromInline var keys: [Key]
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
    keys = Array(repeating: .filler, count: length)
  }

  @inlinable public var isEmpty: Bool { count == 0 }

  /// What stands under `key`.
  @inlinable public func value(for key: Key) -> Int? {
    let mark = marks[place(of: key, HashIndex.hash(of: key))]
    return mark == 0 ? nil : HashIndex.value(of: mark)
  }

  /// Puts `value` under `key`; a full index still takes a new value for a key it has.
  ///
  /// - Parameter value: 0 ... 2³¹ − 1, or it traps.
  @inlinable public mutating func insert(_ value: Int, for key: Key) -> Admission {
    precondition(value >= 0 && value <= Int(Int32.max), "\(value) is no place in a slab")
    let hash = HashIndex.hash(of: key)
    let index = place(of: key, hash)
    let isPresent = marks[index] != 0
    guard isPresent || count < capacity else { return .full }
    marks[index] = UInt64(hash) << 32 | UInt64(truncatingIfNeeded: value &+ 1)
    if isPresent { return .replaced }
    keys[index] = key
    held += 1
    return .inserted
  }

  /// Takes `key` out, and gives its value back.
  @discardableResult
  @inlinable public mutating func removeValue(for key: Key) -> Int? {
    var hole = place(of: key, HashIndex.hash(of: key))
    let mark = marks[hole]
    if mark == 0 { return nil }
    // What was pushed past the hole moves into it, or its look-up would end there.
    var index = hole
    while true {
      index = (index &+ 1) & mask
      let other = marks[index]
      if other == 0 { break }
      let pushed = (index &- HashIndex.home(of: other)) & mask
      if pushed >= (index &- hole) & mask {
        marks[hole] = other
        keys[hole] = keys[index]
        hole = index
      }
    }
    marks[hole] = 0
    keys[hole] = .filler
    held -= 1
    return HashIndex.value(of: mark)
  }

  /// Forgets the keys and keeps the room.
  public mutating func removeAll() {
    for index in marks.indices where marks[index] != 0 {
      marks[index] = 0
      keys[index] = .filler
    }
    held = 0
  }

  @inlinable static func hash(of key: Key) -> UInt32 {
    UInt32(truncatingIfNeeded: mixed(key.stableHash))
  }

  /// Where a probe begins, before the mask.
  @inlinable static func home(of mark: UInt64) -> Int { Int(truncatingIfNeeded: mark >> 32) }

  @inlinable static func value(of mark: UInt64) -> Int {
    Int(truncatingIfNeeded: mark & 0xffff_ffff) &- 1
  }

  /// The place that holds `key`, or the empty one where it would go.
  @inlinable func place(of key: Key, _ hash: UInt32) -> Int {
    var index = Int(hash) & mask
    // Ends: at least half of the places are empty.
    while true {
      let mark = marks[index]
      if mark == 0 || mark >> 32 == UInt64(hash) && keys[index] == key { return index }
      index = (index &+ 1) & mask
    }
  }
}

extension HashIndex: Sendable where Key: Sendable {}

extension HashIndex: Snapshotting where Key: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("HashIndex")
    snapshot.write(UInt32(count))
    // In the order of the places, which the keys and their history alone decide.
    for index in marks.indices where marks[index] != 0 {
      keys[index].write(to: &snapshot)
      snapshot.write(Int32(HashIndex.value(of: marks[index])))
    }
  }

  /// Takes what was written in place of what this holds; the bound stays this index's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("HashIndex")
    let start = snapshot.offset
    let found = try snapshot.count(ofSize: 4)
    guard found <= capacity else {
      throw .impossible("\(found) keys in an index of \(capacity)", offset: start)
    }
    removeAll()
    for _ in 0..<found {
      let offset = snapshot.offset
      let key = try Key(from: &snapshot)
      let value = try snapshot.read(Int32.self)
      guard value >= 0, insert(Int(value), for: key) == .inserted else {
        throw .impossible("a key told twice, or the place \(value)", offset: offset)
      }
    }
  }
}
