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
/// - Bounds: `denominator` > 0, or it traps.
@inlinable public func divide(
  _ numerator: Int128, by denominator: Int128, rounded rule: Rounding
) -> Int128 {
  precondition(denominator > 0, "division by \(denominator)")
  let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: denominator)
  return settle(quotient, remainder, of: denominator, rounded: rule)
}

/// `quotient` + `remainder` ÷ `denominator` as a whole number.
///
/// - Parameter remainder: nearer to zero than `denominator`, and of the sign of the exact value.
@inlinable func settle(
  _ quotient: Int128, _ remainder: Int128, of denominator: Int128, rounded rule: Rounding
) -> Int128 {
  if remainder == 0 { return quotient }
  let step: Int128 = remainder < 0 ? -1 : 1
  switch rule {
  case .truncated: return quotient
  case .awayFromZero: return quotient + step
  case .down: return remainder < 0 ? quotient - 1 : quotient
  case .up: return remainder < 0 ? quotient : quotient + 1
  case .nearestEven, .nearestAway:
    // Compared with what is left to the next whole number: twice the rest might overflow.
    let rest = remainder < 0 ? -remainder : remainder
    let missing = denominator - rest
    if rest > missing { return quotient + step }
    if rest < missing { return quotient }
    if rule == .nearestAway { return quotient + step }
    return quotient & 1 == 0 ? quotient : quotient + step
  }
}
