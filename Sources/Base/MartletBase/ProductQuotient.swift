/// `value` × `factor` ÷ `denominator`, rounded by `rule`, with nothing lost in between: the product may
/// need 256 bits.
///
/// - Bounds: `denominator` > 0 and a result within `Int128`, or it traps.
@inlinable public func divide(
  _ value: Int128, times factor: Int128, by denominator: Int128, rounded rule: Rounding
) -> Int128 {
  let (product, overflow) = value.multipliedReportingOverflow(by: factor)
  if !overflow { return divide(product, by: denominator, rounded: rule) }
  precondition(denominator > 0, "division by \(denominator)")
  let isNegative = (value < 0) != (factor < 0)
  let wide = value.magnitude.multipliedFullWidth(by: factor.magnitude)
  precondition(wide.high < denominator.magnitude, "a quotient beyond 128 bits")
  let (quotient, remainder) = denominator.magnitude.dividingFullWidth(wide)
  let whole = Int128(quotient)
  let rest = Int128(remainder)
  return settle(
    isNegative ? -whole : whole, isNegative ? -rest : rest, of: denominator, rounded: rule)
}
