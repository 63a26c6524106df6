public import MartletBase

/// Permits that come back at a steady rate.
///
/// - Bounds: over any window of `window`, at most `limit` are given: half at once, half as time goes,
///   whether the venue's own window is fixed or slides.
@frozen public struct TokenBucket: Equatable, Sendable, BitwiseCopyable {
  public let limit: Int64
  public let window: TimeSpan
  /// Permits in hand, in units of one permit ÷ `window`'s nanoseconds.
  var held: Int64
  var toldAt: Timestamp = .zero

  /// - Parameter limit: what the venue allows in `window`; at least 2, and `limit` × `window`'s
  ///   nanoseconds less than 2⁶².
  public init(limit: Int64, window: TimeSpan) {
    precondition(limit >= 2 && window.nanoseconds > 0, "a quota of \(limit)")
    let (product, overflow) = limit.multipliedReportingOverflow(by: window.nanoseconds)
    precondition(!overflow && product < 1 << 62, "a quota of \(limit) in \(window)")
    self.limit = limit
    self.window = window
    held = limit / 2 * window.nanoseconds
  }

  private var full: Int64 { limit / 2 * window.nanoseconds }
  private var permit: Int64 { window.nanoseconds }

  private mutating func refill(at now: Timestamp) {
    guard now > toldAt else { return }
    let passed = (now - toldAt).nanoseconds
    // A whole window fills it, so that the product stays within the bound.
    held = passed >= window.nanoseconds ? full : min(full, held + passed * (limit / 2))
    toldAt = now
  }

  /// Takes one permit if there is one beyond those to be kept.
  ///
  /// - Parameter reserve: permits left for what is more urgent.
  public mutating func take(at now: Timestamp, keeping reserve: Int64 = 0) -> Bool {
    refill(at: now)
    guard held >= permit * (reserve + 1) else { return false }
    held -= permit
    return true
  }

  /// Gives back what was just taken and not used.
  public mutating func putBack() { held = min(full, held + permit) }

  /// How many may be taken at once at `now`.
  public func permits(at now: Timestamp) -> Int64 {
    var bucket = self
    bucket.refill(at: now)
    return bucket.held / permit
  }

  /// When the next permit is there; in the past when one is.
  public var nextAt: Timestamp { nextAt(keeping: 0) }

  /// When the next permit beyond those to be kept is there; in the past when one is.
  public func nextAt(keeping reserve: Int64) -> Timestamp {
    let wanted = permit * (reserve + 1)
    guard held < wanted else { return toldAt }
    let missing = wanted - held
    let rate = limit / 2
    return toldAt + TimeSpan(nanoseconds: (missing + rate - 1) / rate)
  }
}

extension TokenBucket: Snapshotting {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("TokenBucket-2")
    snapshot.write(held)
    snapshot.write(toldAt)
  }

  /// Takes what was held; the limit stays this bucket's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("TokenBucket-2")
    held = min(try snapshot.read(), full)
    toldAt = try snapshot.timestamp()
  }
}

/// At most so many in any window that slides: for the few and dear.
///
/// - Bounds: remembers the times of the last `limit`.
public struct SlidingQuota: Equatable, Sendable {
  public let window: TimeSpan
  var times: Ring<Timestamp>
  /// Of any limit whose snapshot is read.
  static let mostWritten = 4096

  public init(limit: Int, window: TimeSpan) {
    self.window = window
    times = Ring(capacity: limit)
  }

  /// Takes one permit if there is one.
  public mutating func take(at now: Timestamp) -> Bool {
    guard nextAt <= now else { return false }
    if times.isFull { _ = times.popFirst() }
    return times.append(now) == .inserted
  }

  /// How many may be taken at once at `now`.
  public func permits(at now: Timestamp) -> Int64 {
    Int64(times.capacity - times.count { $0 + window > now })
  }

  /// When the next permit is there; in the past when one is.
  public var nextAt: Timestamp {
    times.isFull ? times[0] + window : .zero
  }
}

extension SlidingQuota: Snapshotting {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("SlidingQuota")
    times.write(to: &snapshot)
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("SlidingQuota")
    // Under a tighter limit than it was written with, the latest ones count.
    var found = Ring<Timestamp>(capacity: SlidingQuota.mostWritten)
    try found.read(from: &snapshot)
    while found.count > times.capacity { _ = found.popFirst() }
    times.removeAll()
    while let time = found.popFirst() { _ = times.append(time) }
  }
}
