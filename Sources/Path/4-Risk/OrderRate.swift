internal import MartletBase

/// Counts approvals in a sliding window of the kernel's own time, exactly.
///
/// - Bounds: remembers as many times as the window allows approvals.
struct OrderRate: Equatable, Sendable {
  let limit: Int
  let window: TimeSpan
  private var times: [Timestamp]
  private var oldest = 0
  private(set) var count = 0

  init(limit: Int, window: TimeSpan) {
    precondition(
      limit >= 1 && limit <= 100_000 && window > .zero, "order rate of \(limit) in \(window)")
    self.limit = limit
    self.window = window
    times = Array(repeating: .zero, count: limit)
  }

  /// How many of the window's approvals count at `now`.
  func count(at now: Timestamp) -> Int {
    var counted = 0
    for index in 0..<count where times[(oldest + index) % limit] > now - window { counted += 1 }
    return counted
  }

  /// Whether one more is allowed at `now`. What is exactly a window old has left it.
  mutating func isAllowed(at now: Timestamp) -> Bool {
    while count > 0 && times[oldest] <= now - window {
      oldest = oldest + 1 == limit ? 0 : oldest + 1
      count -= 1
    }
    return count < limit
  }

  mutating func note(_ now: Timestamp) {
    precondition(count < limit, "an approval beyond the order rate")
    times[(oldest + count) % limit] = now
    count += 1
  }

  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(UInt32(count))
    for index in 0..<count { snapshot.write(times[(oldest + index) % limit]) }
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let found = try snapshot.count(ofSize: 8)
    oldest = 0
    count = 0
    for index in 0..<found {
      let time = try snapshot.timestamp()
      // Under a tighter limit than it was written with, the latest ones count.
      guard found - index <= limit else { continue }
      times[count] = time
      count += 1
    }
  }
}
