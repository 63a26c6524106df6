/// A moment, by whoever's clock stamped it.
///
/// - Unit: nanoseconds since 1970-01-01T00:00:00Z, no leap seconds.
@frozen public struct Timestamp: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let nanoseconds: Int64
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public init(milliseconds: Int64) { nanoseconds = milliseconds * 1_000_000 }
  /// For a stamp that came over a wire: nil when it is outside ±292 years around 1970, where
  /// `init(milliseconds:)` traps.
  @inlinable public init?(exactlyMilliseconds milliseconds: Int64) {
    let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
    if overflow { return nil }
    nanoseconds = product
  }
  @inlinable public static var zero: Timestamp { Timestamp(nanoseconds: 0) }
  /// Never reached: the deadline of what has none.
  @inlinable public static var distantFuture: Timestamp { Timestamp(nanoseconds: .max) }
  /// Whole milliseconds, rounded down.
  @inlinable public var milliseconds: Int64 { floorDivide(nanoseconds, 1_000_000) }
  /// Whole seconds, rounded down.
  @inlinable public var seconds: Int64 { floorDivide(nanoseconds, 1_000_000_000) }
  @inlinable public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool {
    lhs.nanoseconds < rhs.nanoseconds
  }
  @inlinable public static func + (lhs: Timestamp, rhs: TimeSpan) -> Timestamp {
    Timestamp(nanoseconds: lhs.nanoseconds + rhs.nanoseconds)
  }
  @inlinable public static func - (lhs: Timestamp, rhs: TimeSpan) -> Timestamp {
    Timestamp(nanoseconds: lhs.nanoseconds - rhs.nanoseconds)
  }
  @inlinable public static func - (lhs: Timestamp, rhs: Timestamp) -> TimeSpan {
    TimeSpan(nanoseconds: lhs.nanoseconds - rhs.nanoseconds)
  }
}

/// A length of time. `Swift.Duration` counts attoseconds in 128 bits; this is one register.
///
/// - Unit: nanoseconds, signed; ±292 years.
@frozen public struct TimeSpan: Hashable, Comparable, AdditiveArithmetic, Sendable, BitwiseCopyable
{
  public let nanoseconds: Int64
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public static var zero: TimeSpan { TimeSpan(nanoseconds: 0) }
  @inlinable public static func microseconds(_ count: Int64) -> TimeSpan {
    TimeSpan(nanoseconds: count * 1_000)
  }
  @inlinable public static func milliseconds(_ count: Int64) -> TimeSpan {
    TimeSpan(nanoseconds: count * 1_000_000)
  }
  @inlinable public static func seconds(_ count: Int64) -> TimeSpan {
    TimeSpan(nanoseconds: count * 1_000_000_000)
  }
  @inlinable public var milliseconds: Int64 { nanoseconds / 1_000_000 }
  /// As long, and not negative.
  @inlinable public var magnitude: TimeSpan { TimeSpan(nanoseconds: abs(nanoseconds)) }
  @inlinable public static func < (lhs: TimeSpan, rhs: TimeSpan) -> Bool {
    lhs.nanoseconds < rhs.nanoseconds
  }
  @inlinable public static func + (lhs: TimeSpan, rhs: TimeSpan) -> TimeSpan {
    TimeSpan(nanoseconds: lhs.nanoseconds + rhs.nanoseconds)
  }
  @inlinable public static func - (lhs: TimeSpan, rhs: TimeSpan) -> TimeSpan {
    TimeSpan(nanoseconds: lhs.nanoseconds - rhs.nanoseconds)
  }
}

/// Division that rounds towards negative infinity, as a clock before 1970 needs.
@inlinable func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
  let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
  return remainder < 0 ? quotient - 1 : quotient
}
