public import MartletBase

/// How long to wait before the next try: doubling from `first` to `cap`, plus a random part, so that
/// many clients that failed together do not come back together.
///
/// - Source: WhiteBIT docs: 1 s, 2 s, 4 s … at most 30 s, with jitter.
@frozen public struct Backoff: Equatable, Sendable, BitwiseCopyable {
  public var first: TimeSpan
  public var cap: TimeSpan
  /// The random part is below this.
  public var jitter: TimeSpan

  public init(
    first: TimeSpan = .seconds(1), cap: TimeSpan = .seconds(30), jitter: TimeSpan = .seconds(1)
  ) {
    self.first = first
    self.cap = cap
    self.jitter = jitter
  }

  /// - Parameter attempt: tries that have failed so far, 0 for the first wait.
  /// - Returns: min(`cap`, `first` × 2^`attempt`) plus 0 ..< `jitter`.
  public func delay(attempt: Int, random: inout SeededRandom) -> TimeSpan {
    var wait = first.nanoseconds
    var doublings = attempt
    while doublings > 0 && wait < cap.nanoseconds {
      wait *= 2
      doublings -= 1
    }
    let extra = jitter.nanoseconds > 0 ? Int64(random.below(UInt64(jitter.nanoseconds))) : 0
    return TimeSpan(nanoseconds: min(wait, cap.nanoseconds) + extra)
  }
}
