public import MartletBase

/// A reading of the machine's monotonic clock: for time-outs, with no relation to the calendar.
///
/// - Unit: nanoseconds since some fixed moment, the same for all threads.
public struct LoopTime: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let nanoseconds: Int64
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static func < (lhs: LoopTime, rhs: LoopTime) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

  public static func + (lhs: LoopTime, rhs: TimeSpan) -> LoopTime {
    LoopTime(nanoseconds: lhs.nanoseconds + rhs.nanoseconds)
  }

  public static func - (lhs: LoopTime, rhs: LoopTime) -> TimeSpan {
    TimeSpan(nanoseconds: lhs.nanoseconds - rhs.nanoseconds)
  }
}
