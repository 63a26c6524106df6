/// Values by key, walked in the order of the keys: the same walk in every process.
///
/// Two sorted contiguous arrays. Right for the tens to some thousands of things a process knows by
/// name and walks often; for look-ups alone among many, see `HashIndex`.
///
/// - Shape: a collection of (key, value), least key first.
/// - Bounds: `capacity` entries, reserved at once; more are `full`.
/// - Complexity: a look-up O(log n); an insertion or removal moves what stands behind it.
@frozen public struct OrderedMap<Key: Comparable, Value> {
  public let capacity: Int
  @usableFromInline var keys: [Key] = []
  @usableFromInline var values: [Value] = []

  /// - Parameter capacity: the bound, at least 1.
  public init(capacity: Int) {
    precondition(capacity > 0, "a map of at most \(capacity) entries")
    self.capacity = capacity
    keys.reserveCapacity(capacity)
    values.reserveCapacity(capacity)
  }

  /// The value under `key`.
  @inlinable public func value(for key: Key) -> Value? {
    guard let index = index(of: key) else { return nil }
    return values[index]
  }

  /// Where `key` stands; nil when it does not.
  @inlinable public func index(of key: Key) -> Int? {
    let index = firstIndex(notBefore: key)
    return index < keys.count && keys[index] == key ? index : nil
  }

  /// Where the least key that is not less than `key` stands; `endIndex` when all are less.
  @inlinable public func firstIndex(notBefore key: Key) -> Int {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = low &+ (high &- low) &>> 1
      if keys[middle] < key { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  /// Puts `value` under `key`; a full map still takes a new value for a key it has.
  @inlinable public mutating func insert(_ value: Value, for key: Key) -> Admission {
    let index = firstIndex(notBefore: key)
    if index < keys.count && keys[index] == key {
      values[index] = value
      return .replaced
    }
    guard keys.count < capacity else { return .full }
    keys.insert(key, at: index)
    values.insert(value, at: index)
    return .inserted
  }

  /// Takes `key` out, and gives its value back.
  @discardableResult
  @inlinable public mutating func removeValue(for key: Key) -> Value? {
    guard let index = index(of: key) else { return nil }
    return remove(at: index)
  }

  @discardableResult
  @inlinable public mutating func remove(at index: Int) -> Value {
    keys.remove(at: index)
    return values.remove(at: index)
  }

  /// Forgets the entries and keeps the room.
  @inlinable public mutating func removeAll() {
    keys.removeAll(keepingCapacity: true)
    values.removeAll(keepingCapacity: true)
  }

  /// The value at `index`, changed in place.
  @inlinable public subscript(valueAt index: Int) -> Value {
    get { values[index] }
    _modify { yield &values[index] }
  }
}

extension OrderedMap: RandomAccessCollection {
  public typealias Element = (key: Key, value: Value)
  public typealias Index = Int
  @inlinable public var startIndex: Int { 0 }
  @inlinable public var endIndex: Int { keys.count }
  @inlinable public subscript(position: Int) -> (key: Key, value: Value) {
    (keys[position], values[position])
  }
}

extension OrderedMap: Equatable where Value: Equatable {}
extension OrderedMap: Sendable where Key: Sendable, Value: Sendable {}

extension OrderedMap: Snapshotting where Key: SnapshotValue, Value: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("OrderedMap")
    snapshot.write(UInt32(keys.count))
    for (key, value) in self {
      key.write(to: &snapshot)
      value.write(to: &snapshot)
    }
  }

  /// Takes what was written in place of what this holds; the bound stays this map's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("OrderedMap")
    let start = snapshot.offset
    let found = try snapshot.count()
    guard found <= capacity else {
      throw .impossible("\(found) entries in a map of \(capacity)", offset: start)
    }
    removeAll()
    for _ in 0..<found {
      let offset = snapshot.offset
      let key = try Key(from: &snapshot)
      if let last = keys.last, last >= key {
        throw .impossible("keys out of order", offset: offset)
      }
      keys.append(key)
      values.append(try Value(from: &snapshot))
    }
  }
}
