public import MartletBase

/// The venue's times: float seconds, written in decimal.
///
/// - Source: WhiteBIT docs; a live frame carries more digits than a `Double` keeps
///   (`1790113269.4255619`), so the text is read as decimal and rounded to microseconds.
public enum Times {
  /// Seconds since 1970 as decimal text, with or without a fraction.
  ///
  /// - Returns: the moment, rounded to the nearest microsecond, a half upwards; nil for anything but
  ///   digits with at most one point, and for times after the year 2262.
  @inlinable public static func parse(_ text: Span<UInt8>) -> Timestamp? {
    let end = text.count
    var index = 0
    var seconds: Int64 = 0
    while index < end {
      let digit = text[index] &- 48
      if digit > 9 { break }
      // Ten digits last until the year 2286; more than nine billion does not fit in nanoseconds.
      if seconds > 999_999_999 { return nil }
      seconds = seconds &* 10 &+ Int64(digit)
      index &+= 1
    }
    if index == 0 || seconds > 9_223_372_035 { return nil }
    if index == end { return Timestamp(nanoseconds: seconds &* 1_000_000_000) }
    guard text[index] == 46, index &+ 1 < end else { return nil }
    index &+= 1
    var micros: Int64 = 0
    var kept = 0
    var roundsUp = false
    while index < end {
      let digit = text[index] &- 48
      if digit > 9 { return nil }
      if kept < 6 {
        micros = micros &* 10 &+ Int64(digit)
      } else if kept == 6 {
        roundsUp = digit >= 5
      }
      kept &+= 1
      index &+= 1
    }
    while kept < 6 {
      micros &*= 10
      kept &+= 1
    }
    if roundsUp { micros &+= 1 }
    return Timestamp(nanoseconds: seconds &* 1_000_000_000 &+ micros &* 1_000)
  }

  /// Writes `time` as seconds with six decimals, as the venue's engine does.
  ///
  /// - Bounds: not before 1970.
  public static func write(_ time: Timestamp, into buffer: inout ByteBuffer) {
    precondition(time.nanoseconds >= 0, "a venue's time before 1970")
    let micros = (time.nanoseconds + 500) / 1_000
    buffer.append(decimal: micros / 1_000_000)
    buffer.append(46)
    buffer.append(decimal: micros % 1_000_000, width: 6)
  }
}
