/// A fee or a fraction as an exact ratio: 0.001 is 0.1 %.
///
/// - Unit: whole counts of 10⁻¹⁰.
/// - Bounds: any `Int64`; a rebate is negative.
@frozen public struct Rate: Hashable, Comparable, Sendable, BitwiseCopyable {
  @inlinable public static var places: Int { 10 }
  public let units: Int64
  @inlinable public init(units: Int64) { self.units = units }
  @inlinable public static var zero: Rate { Rate(units: 0) }
  @inlinable public static func < (lhs: Rate, rhs: Rate) -> Bool { lhs.units < rhs.units }

  /// This share of `amount`, on the amount's own grid, rounded as named.
  ///
  /// Split into whole and rest so that a large balance times a fine rate does not overflow.
  @inlinable public func of(_ amount: Amount, rounded rule: Rounding) -> Amount {
    let one = powerOfTen(Rate.places)
    let (whole, rest) = amount.units.quotientAndRemainder(dividingBy: one)
    let (quotient, remainder) = (rest * Int128(units)).quotientAndRemainder(dividingBy: one)
    // Rounded as one sum: a half goes to the even neighbor of the whole, not of its last part.
    return Amount(
      units: settle(whole * Int128(units) + quotient, remainder, of: one, rounded: rule))
  }
}
