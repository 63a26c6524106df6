// Layout exception (Double): signals and models draw from this, and money never does.

extension SeededRandom {
  /// A number of 0 ..< 1, a multiple of 2⁻⁵³. For signals and models, never for money.
  @inlinable public mutating func unit() -> Double {
    Double(next() &>> 11) * 0x1p-53
  }
}
