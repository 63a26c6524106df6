// Layout exception (Double): signals are made with this, and money never is.

/// e to the power of `x`, the same bits on every machine. For signals, never for money.
///
/// Only + − × ÷, as in `naturalLogarithm`.
///
/// Method: x = k ln 2 + r with |r| at most half of ln 2; eʳ by its series, then scaled by 2ᵏ.
///
/// - Bounds: within 1 unit in the last place; ∞ above some 709.78, 0 below some −745.13.
public func exponential(_ x: Double) -> Double {
  if x.isNaN { return x }
  if x > 710 { return .infinity }
  if x < -746 { return 0 }
  let power = Int(x * LogarithmOfTwo.reciprocal + (x < 0 ? -0.5 : 0.5))
  let k = Double(power)
  let high = x - k * LogarithmOfTwo.high
  let low = k * LogarithmOfTwo.low
  let r = high - low
  let lost = (high - r) - low
  // Σ rⁿ ÷ (n + 2)!; the first term left out is below 2⁻⁵⁹.
  var series = 1.0 / 87_178_291_200
  series = series * r + 1.0 / 6_227_020_800
  series = series * r + 1.0 / 479_001_600
  series = series * r + 1.0 / 39_916_800
  series = series * r + 1.0 / 3_628_800
  series = series * r + 1.0 / 362_880
  series = series * r + 1.0 / 40_320
  series = series * r + 1.0 / 5_040
  series = series * r + 1.0 / 720
  series = series * r + 1.0 / 120
  series = series * r + 1.0 / 24
  series = series * r + 1.0 / 6
  series = series * r + 0.5
  let result = 1 + (r + (r * r * series + lost))
  // In two steps: 2ᵏ alone may not be a normal number though the result is one. Only the second
  // can round.
  let first = power / 2
  return result * powerOfTwo(first) * powerOfTwo(power - first)
}

/// 2^`exponent`, for a normal result.
private func powerOfTwo(_ exponent: Int) -> Double {
  Double(sign: .plus, exponentBitPattern: UInt(exponent + 1023), significandBitPattern: 0)
}
