public import MartletBase

/// So many in so long, as a venue says or an operator allows.
@frozen public struct RateLimit: Equatable, Sendable, BitwiseCopyable {
  public var limit: Int64
  public var window: TimeSpan
  @inlinable public init(_ limit: Int64, in window: TimeSpan) {
    self.limit = limit
    self.window = window
  }

  /// A share of it, and never less than the two that a bucket needs.
  public func share(percent: Int64) -> RateLimit {
    RateLimit(max(2, limit * percent / 100), in: window)
  }
}

/// When a group of requests is held back because the venue refused them by quota, and for how long.
@frozen public struct BreakerSettings: Equatable, Sendable, BitwiseCopyable {
  /// Refusals within `window` that open the breaker; 2 ... `QuotaGate.maxRefusals`.
  public var refusals = 5
  public var window = TimeSpan.seconds(60)
  /// How long nothing is sent before one request tries.
  public var coolDown = TimeSpan.seconds(60)
  /// Between two requests that are too urgent to be held back altogether.
  public var slowPace = TimeSpan.seconds(5)
  public init() {}
}

/// What stands between a group of requests and the venue after it refused one by quota.
///
/// After a refusal the group waits, each time it is refused anew for longer; refusals of what was
/// already on its way count as the same one. After so many within a window the breaker opens, before
/// the venue bans us: nothing is sent for a while, then one request tries, and all depends on its
/// answer. An urgent group is never held back altogether: it goes on one by one.
///
/// - Source: WhiteBIT docs: repeated 429s can lead to a temporary block of address or key.
public struct QuotaGate: Equatable, Sendable, BitwiseCopyable {
  /// Refusals that a breaker can count to.
  public static let maxRefusals = 8

  enum State: UInt8, Sendable, BitwiseCopyable {
    case closed = 0
    case open = 1
    /// One request is on its way whose answer decides.
    case trying = 2
  }

  /// What a refusal did.
  @frozen public enum Step: Equatable, Sendable, BitwiseCopyable {
    case slowed(wait: TimeSpan)
    case opened(refusals: Int32, wait: TimeSpan)
  }

  public let settings: BreakerSettings
  public let isUrgent: Bool
  var state = State.closed
  /// Nothing of the group is sent before this.
  var waitUntil = Timestamp.zero
  /// Of the last request that tried while the breaker was open.
  var triedAt = Timestamp.zero
  /// Refusals in a row, those at one time as one.
  var attempt: Int32 = 0
  /// The last refusal that lengthened the wait: what was sent before it is no news.
  var refusedAt = Timestamp.zero
  /// The last refusals, in a ring.
  var times = InlineArray<8, Timestamp>(repeating: .zero)
  var count: Int32 = 0

  public init(_ settings: BreakerSettings, isUrgent: Bool) {
    precondition(
      settings.refusals >= 2 && settings.refusals <= QuotaGate.maxRefusals
        && settings.slowPace > .zero && settings.coolDown > .zero, "a breaker of \(settings)")
    self.settings = settings
    self.isUrgent = isUrgent
  }

  /// Whether what is not urgent should not even be queued.
  public func isBroken(at now: Timestamp) -> Bool { state == .open && now < waitUntil }

  /// When a request may pass; in the past when one may, `distantFuture` while an answer decides.
  public var nextAt: Timestamp { state == .trying ? .distantFuture : waitUntil }

  public func isPassable(at now: Timestamp) -> Bool { nextAt <= now }

  /// A request passes.
  public mutating func pass(at now: Timestamp) {
    guard state == .open else { return }
    triedAt = now
    if isUrgent { waitUntil = now + settings.slowPace } else { state = .trying }
  }

  /// The venue answered a request otherwise than by refusing it for its quota.
  ///
  /// - Parameter sentAt: when it left. One that left before the last refusal proves nothing.
  /// - Returns: whether the breaker closed.
  public mutating func answered(sentAt: Timestamp) -> Bool {
    guard attempt > 0, sentAt >= refusedAt else { return false }
    if state == .open && (sentAt < triedAt || sentAt < refusedAt + settings.coolDown) {
      return false
    }
    let wasOpen = state != .closed
    state = .closed
    waitUntil = .zero
    attempt = 0
    count = 0
    return wasOpen
  }

  /// A request ended without an answer of the venue's.
  public mutating func unanswered(sentAt: Timestamp, at now: Timestamp) {
    guard state == .trying, sentAt >= triedAt else { return }
    state = .open
    waitUntil = now + settings.slowPace
  }

  /// The venue refused a request by quota.
  ///
  /// - Returns: what changed; nil when it was on its way already at the last refusal.
  public mutating func refused(
    sentAt: Timestamp, at now: Timestamp, backoff: Backoff, random: inout SeededRandom
  ) -> Step? {
    let size = settings.refusals
    times[Int(count) % size] = now
    count = count == .max ? Int32(size) : count + 1
    if state == .closed {
      // With as many noted as count, the place that is written next holds the oldest of them.
      if Int(count) >= size, times[Int(count) % size] > now - settings.window {
        return open(at: now)
      }
    } else {
      guard sentAt >= triedAt else { return nil }
      return open(at: now)
    }
    guard sentAt >= refusedAt || attempt == 0 else { return nil }
    let wait = backoff.delay(attempt: Int(attempt), random: &random)
    attempt = min(attempt + 1, 16)
    refusedAt = now
    waitUntil = now + wait
    return .slowed(wait: wait)
  }

  private mutating func open(at now: Timestamp) -> Step {
    let isNews = state == .closed
    state = .open
    refusedAt = now
    triedAt = now
    attempt = min(attempt + 1, 16)
    waitUntil = now + (isUrgent ? settings.slowPace : settings.coolDown)
    return .opened(
      refusals: isNews ? Int32(settings.refusals) : count, wait: settings.coolDown)
  }

  public static func == (lhs: QuotaGate, rhs: QuotaGate) -> Bool {
    for index in 0..<QuotaGate.maxRefusals where lhs.times[index] != rhs.times[index] {
      return false
    }
    return lhs.settings == rhs.settings && lhs.isUrgent == rhs.isUrgent
      && lhs.state == rhs.state && lhs.waitUntil == rhs.waitUntil && lhs.triedAt == rhs.triedAt
      && lhs.attempt == rhs.attempt && lhs.refusedAt == rhs.refusedAt && lhs.count == rhs.count
  }
}

extension QuotaGate: Snapshotting {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("QuotaGate")
    snapshot.write(state.rawValue)
    snapshot.write(waitUntil)
    snapshot.write(triedAt)
    snapshot.write(attempt)
    snapshot.write(refusedAt)
    for index in 0..<QuotaGate.maxRefusals { snapshot.write(times[index]) }
    snapshot.write(count)
  }

  /// Takes what happened; the settings stay this gate's own.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("QuotaGate")
    let offset = snapshot.offset
    let raw = try snapshot.byte()
    guard let found = State(rawValue: raw) else {
      throw .impossible("gate state \(raw)", offset: offset)
    }
    state = found
    waitUntil = try snapshot.timestamp()
    triedAt = try snapshot.timestamp()
    attempt = try snapshot.read()
    refusedAt = try snapshot.timestamp()
    for index in 0..<QuotaGate.maxRefusals { times[index] = try snapshot.timestamp() }
    let counted = snapshot.offset
    count = try snapshot.read()
    guard count >= 0 else { throw .impossible("\(count) refusals", offset: counted) }
  }
}
