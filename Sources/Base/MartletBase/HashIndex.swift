/// Where a thing stands in somebody's slab, by its key: look-ups alone, never a walk.
///
/// Open addressing with linear probing, at most half full; removal closes the gap, so that no
/// tombstones pile up over a long run.
///
/// - Bounds: `capacity` keys, places reserved at once; more are `full`. Values 0 ... 2³¹ − 1.
/// - Complexity: O(1) expected.
@frozen public struct HashIndex<Key: StablyHashed> {
  @frozen @usableFromInline struct Place {
    @usableFromInline var key: Key
    /// −1 when nothing stands here.
    @usableFromInline var value: Int32
    @inlinable init(key: Key, value: Int32) {
      self.key = key
      self.value = value
    }
  }

  public let capacity: Int
  /// Keys held.
  @inlinable public var count: Int { held }
  @usableFromInline var held = 0
  @usableFromInline var places: [Place]
  /// Number of places − 1; their number is a power of two.
  @usableFromInline let mask: Int

  /// - Parameter capacity: the bound, at least 1.
  public init(capacity: Int) {
    precondition(capacity > 0, "an index of at most \(capacity) keys")
    self.capacity = capacity
    var length = 4
    while length < capacity * 2 { length *= 2 }
    mask = length - 1
    places = Array(repeating: Place(key: .filler, value: -1), count: length)
  }

  @inlinable public var isEmpty: Bool { count == 0 }

  /// What stands under `key`.
  @inlinable public func value(for key: Key) -> Int? {
    let value = places[place(of: key)].value
    return value < 0 ? nil : Int(value)
  }

  /// Puts `value` under `key`; a full index still takes a new value for a key it has.
  ///
  /// - Parameter value: 0 ... 2³¹ − 1, or it traps.
  @inlinable public mutating func insert(_ value: Int, for key: Key) -> Admission {
    precondition(value >= 0 && value <= Int(Int32.max), "\(value) is no place in a slab")
    let index = place(of: key)
    if places[index].value >= 0 {
      places[index].value = Int32(value)
      return .replaced
    }
    guard count < capacity else { return .full }
    places[index] = Place(key: key, value: Int32(value))
    held += 1
    return .inserted
  }

  /// Takes `key` out, and gives its value back.
  @discardableResult
  @inlinable public mutating func removeValue(for key: Key) -> Int? {
    var hole = place(of: key)
    let value = places[hole].value
    if value < 0 { return nil }
    // What was pushed past the hole moves into it, or its look-up would end there.
    var index = hole
    while true {
      index = (index + 1) & mask
      if places[index].value < 0 { break }
      let pushed = (index - home(of: places[index].key)) & mask
      if pushed >= (index - hole) & mask {
        places[hole] = places[index]
        hole = index
      }
    }
    places[hole] = Place(key: .filler, value: -1)
    held -= 1
    return Int(value)
  }

  /// Forgets the keys and keeps the room.
  public mutating func removeAll() {
    for index in places.indices { places[index] = Place(key: .filler, value: -1) }
    held = 0
  }

  @inlinable func home(of key: Key) -> Int {
    Int(truncatingIfNeeded: mixed(key.stableHash)) & mask
  }

  /// The place that holds `key`, or the empty one where it would go.
  @inlinable func place(of key: Key) -> Int {
    var index = home(of: key)
    // Ends: at least half of the places are empty.
    while places[index].value >= 0 && places[index].key != key { index = (index &+ 1) & mask }
    return index
  }
}

extension HashIndex: Sendable where Key: Sendable {}
extension HashIndex.Place: Sendable where Key: Sendable {}

extension HashIndex: Snapshotting where Key: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("HashIndex")
    snapshot.write(UInt32(count))
    // In the order of the places, which the keys and their history alone decide.
    for place in places where place.value >= 0 {
      place.key.write(to: &snapshot)
      snapshot.write(place.value)
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
