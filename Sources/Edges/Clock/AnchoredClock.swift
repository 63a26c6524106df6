public import MartletBase

/// Calendar time that never steps back: the monotonic clock, anchored to the calendar.
///
/// Told that the calendar is ahead, it jumps there. Told that it is behind, it goes on at nine
/// tenths of its pace until the calendar has caught up, so that stamps keep their order.
@frozen public struct AnchoredClock: Sendable, BitwiseCopyable {
  private var wall: Timestamp
  private var monotonic: Timestamp
  /// What this clock still is ahead of the calendar.
  private var excess: Int64 = 0

  /// - Parameter wall: what the calendar showed at `monotonic`.
  public init(wall: Timestamp, at monotonic: Timestamp) {
    self.wall = wall
    self.monotonic = monotonic
  }

  /// Anchors this machine's monotonic clock to its calendar.
  public init() { self.init(wall: SystemClock.realtime(), at: SystemClock.monotonic()) }

  /// Calendar time at a reading of the monotonic clock; never before any time given earlier.
  public mutating func now(at monotonic: Timestamp) -> Timestamp {
    let elapsed = (monotonic - self.monotonic).nanoseconds
    // Readings taken by others may come a little late.
    guard elapsed > 0 else { return wall }
    let held = min(excess, elapsed / 10)
    excess -= held
    wall = wall + TimeSpan(nanoseconds: elapsed - held)
    self.monotonic = monotonic
    return wall
  }

  /// Calendar time now.
  public mutating func now() -> Timestamp { now(at: SystemClock.monotonic()) }

  /// Takes over that the calendar showed `wall` at `monotonic`.
  ///
  /// - Returns: how far the calendar had gone from this clock; positive when it was ahead.
  @discardableResult public mutating func anchor(
    wall: Timestamp, at monotonic: Timestamp
  ) -> TimeSpan {
    let ours = now(at: monotonic)
    let difference = wall - ours
    if difference >= .zero {
      self.wall = wall
      excess = 0
    } else {
      excess = -difference.nanoseconds
    }
    return difference
  }
}
