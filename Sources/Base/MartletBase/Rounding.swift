/// How a division that does not come out even is rounded. Named at every place where a fee, a
/// balance or a level demands it.
@frozen public enum Rounding: UInt8, Sendable, BitwiseCopyable {
  /// Towards zero.
  case truncated
  /// Away from zero.
  case awayFromZero
  /// Towards negative infinity.
  case down
  /// Towards positive infinity.
  case up
  /// To the nearest; a half goes to the even neighbor, as in Python's `round`.
  case nearestEven
  /// To the nearest; a half goes away from zero.
  case nearestAway
}

/// `numerator` ÷ `denominator`, rounded by `rule`.
///
/// - Bounds: `denominator` > 0; twice the denominator fits in 128 bits.
@inlinable public func divide(
  _ numerator: Int128, by denominator: Int128, rounded rule: Rounding
) -> Int128 {
  precondition(denominator > 0, "division by \(denominator)")
  let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: denominator)
  if remainder == 0 { return quotient }
  let step: Int128 = numerator < 0 ? -1 : 1
  switch rule {
  case .truncated: return quotient
  case .awayFromZero: return quotient + step
  case .down: return numerator < 0 ? quotient - 1 : quotient
  case .up: return numerator < 0 ? quotient : quotient + 1
  case .nearestEven, .nearestAway:
    let twice = (remainder < 0 ? -remainder : remainder) * 2
    if twice > denominator { return quotient + step }
    if twice < denominator { return quotient }
    if rule == .nearestAway { return quotient + step }
    return quotient & 1 == 0 ? quotient : quotient + step
  }
}
