/// First in, first out, in a fixed room.
///
/// - Shape: a collection, oldest first.
/// - Bounds: `capacity` elements, reserved at once; more are `full`.
/// - Complexity: O(1), without an allocation.
@frozen public struct Ring<Element> {
  public let capacity: Int
  @usableFromInline var places: [Element?]
  /// Where the oldest stands.
  @usableFromInline var head = 0
  @usableFromInline var held = 0

  /// - Parameter capacity: the bound, at least 1.
  public init(capacity: Int) {
    precondition(capacity > 0, "a ring of at most \(capacity) elements")
    self.capacity = capacity
    places = Array(repeating: nil, count: capacity)
  }

  @inlinable public var isFull: Bool { held == capacity }

  /// Puts `element` behind the others, if there is room.
  @inlinable public mutating func append(_ element: Element) -> Admission {
    guard held < capacity else { return .full }
    places[place(held)] = element
    held &+= 1
    return .inserted
  }

  /// Takes the oldest out.
  @inlinable public mutating func popFirst() -> Element? {
    guard held > 0 else { return nil }
    let oldest = places[head]
    places[head] = nil
    head = place(1)
    held &-= 1
    return oldest
  }

  /// Forgets the elements and keeps the room.
  @inlinable public mutating func removeAll() {
    while held > 0 { _ = popFirst() }
  }

  /// The place of the element `offset` behind the oldest.
  @inlinable func place(_ offset: Int) -> Int {
    let index = head &+ offset
    return index < capacity ? index : index &- capacity
  }
}

extension Ring: RandomAccessCollection {
  public typealias Index = Int
  @inlinable public var startIndex: Int { 0 }
  @inlinable public var endIndex: Int { held }
  /// The element `position` behind the oldest.
  @inlinable public subscript(position: Int) -> Element {
    guard position >= 0 && position < held, let element = places[place(position)] else {
      preconditionFailure("element \(position) of \(held)")
    }
    return element
  }
}

extension Ring: Equatable where Element: Equatable {
  /// Equal elements in equal order, wherever in their rooms they stand.
  public static func == (lhs: Ring, rhs: Ring) -> Bool { lhs.elementsEqual(rhs) }
}

extension Ring: Sendable where Element: Sendable {}

extension Ring: Snapshotting where Element: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("Ring")
    snapshot.write(UInt32(held))
    for element in self { element.write(to: &snapshot) }
  }

  /// Takes what was written in place of what this holds; the bound stays this ring's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("Ring")
    let start = snapshot.offset
    let found = try snapshot.count()
    guard found <= capacity else {
      throw .impossible("\(found) elements in a ring of \(capacity)", offset: start)
    }
    removeAll()
    for _ in 0..<found { _ = append(try Element(from: &snapshot)) }
  }
}
