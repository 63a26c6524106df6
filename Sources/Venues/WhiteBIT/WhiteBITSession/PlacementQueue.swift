internal import MartletBase
internal import MartletModel
internal import MartletVenueKit

/// Approved orders that wait for the venue's quota, in the order of their intents.
///
/// One that is canceled while it waits is only counted here and passed over when its turn comes: its
/// place among thousands need not be searched for.
///
/// - Bounds: the owner's `configuration.maxQueued`, and as many again of those to be passed over,
///   which the owner then has removed.
/// - Complexity: O(1) at either end, amortized, without an allocation within what was reserved.
struct PlacementQueue: Equatable, Sendable {
  private var entries: [QueuedOrder] = []
  /// Where the oldest stands; what is before it has gone.
  private var head = 0
  /// How many of those that stand here were canceled.
  private(set) var dropped = 0

  init() { entries.reserveCapacity(256) }

  /// Orders that are to be sent.
  var count: Int { entries.count - head - dropped }
  var isEmpty: Bool { count == 0 }
  /// The oldest, canceled or not.
  var first: QueuedOrder? { head < entries.count ? entries[head] : nil }

  mutating func append(_ order: QueuedOrder) {
    if head > 0 && entries.count == entries.capacity {
      entries.removeSubrange(..<head)
      head = 0
    }
    entries.append(order)
  }

  /// Counts one that stands here as canceled; its owner knows which.
  mutating func drop() {
    dropped += 1
    if isEmpty { removeAll() }
  }

  mutating func removeFirst() {
    head += 1
    if head == entries.count { removeAll() }
  }

  /// Removes the oldest, which was canceled.
  mutating func removeDropped() {
    dropped -= 1
    removeFirst()
  }

  /// Removes what was canceled, wherever it stands.
  mutating func compact(keeping isWaiting: (QueuedOrder) -> Bool) {
    entries.removeSubrange(..<head)
    head = 0
    entries.removeAll { !isWaiting($0) }
    dropped = 0
  }

  private mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    head = 0
    dropped = 0
  }
}

extension PlacementQueue: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("PlacementQueue")
    snapshot.write(UInt32(entries.count - head))
    for index in head..<entries.count { entries[index].write(to: &snapshot) }
    snapshot.write(UInt32(dropped))
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("PlacementQueue")
    let offset = snapshot.offset
    let standing = try snapshot.count()
    guard standing <= 2 * WhiteBITSession.maxQueued else {
      throw .impossible("\(standing) placements waiting", offset: offset)
    }
    removeAll()
    for _ in 0..<standing { entries.append(try QueuedOrder(from: &snapshot)) }
    dropped = try snapshot.count()
    guard dropped <= standing else {
      throw .impossible("\(dropped) of \(standing) placements canceled", offset: offset)
    }
  }
}
