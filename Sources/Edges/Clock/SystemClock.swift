internal import Glibc
public import MartletBase

/// The machine's two clocks. Each reading costs some 25 ns.
public enum SystemClock {
  /// Time since some moment of the machine's own, never set and never stepped; for time-outs, and
  /// for measuring. It has no relation to the calendar.
  public static func monotonic() -> Timestamp { read(CLOCK_MONOTONIC) }

  /// The calendar, which an operator or a time daemon may step.
  public static func realtime() -> Timestamp { read(CLOCK_REALTIME) }

  private static func read(_ clock: clockid_t) -> Timestamp {
    var reading = timespec()
    // Filled in before the call returns.
    let result = unsafe clock_gettime(clock, &reading)
    precondition(result == 0, "no clock \(clock)")
    return Timestamp(
      nanoseconds: Int64(reading.tv_sec) * 1_000_000_000 + Int64(reading.tv_nsec))
  }

  /// Lets the calling thread wait; for programs that have nothing else to do.
  public static func sleep(_ span: TimeSpan) {
    guard span > .zero else { return }
    var left = timespec(
      tv_sec: Int(span.nanoseconds / 1_000_000_000), tv_nsec: Int(span.nanoseconds % 1_000_000_000))
    while true {
      var rest = timespec()
      // Filled in with what is left when a signal comes.
      guard unsafe nanosleep(&left, &rest) != 0, errno == EINTR else { return }
      left = rest
    }
  }
}
