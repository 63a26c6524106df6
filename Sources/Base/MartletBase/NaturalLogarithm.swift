// Layout exception (Double): signals are made with this, and money never is.

/// The natural logarithm of `x`, the same bits on every machine. For signals, never for money.
///
/// The C library's differs between machines and versions, and a signal that differs in its last bit
/// can differ in an order. Here are only + − × ÷, which IEEE 754 defines to the bit.
///
/// Method: x = 2ᵏ × m with m near 1; with f = m − 1 and s = f ÷ (2 + f), ln m = 2 artanh s, whose
/// series is summed so that f, which is exact, stands apart from the small rest.
///
/// - Bounds: within 1 unit in the last place. −∞ for zero; not a number for what is negative.
public func naturalLogarithm(_ x: Double) -> Double {
  guard x > 0 else { return x == 0 ? -.infinity : .nan }
  guard x < .infinity else { return x }
  var power = 0
  var scaled = x
  if x < .leastNormalMagnitude {
    scaled *= 0x1p54
    power = -54
  }
  power += Int(scaled.exponent)
  var m = scaled.significand
  if m > 0x1.6a09e667f3bcdp+0 {  // √2: m to either side of 1.
    m *= 0.5
    power += 1
  }
  let f = m - 1
  let s = f / (2 + f)
  let z = s * s
  // Σ 2 zⁿ ÷ (2n + 1); the first term left out is below 2⁻⁵⁹ of the result.
  var series = 2.0 / 23
  series = series * z + 2.0 / 21
  series = series * z + 2.0 / 19
  series = series * z + 2.0 / 17
  series = series * z + 2.0 / 15
  series = series * z + 2.0 / 13
  series = series * z + 2.0 / 11
  series = series * z + 2.0 / 9
  series = series * z + 2.0 / 7
  series = series * z + 2.0 / 5
  series = series * z + 2.0 / 3
  series *= z
  // 2s = f − f²/2 + s f²/2.
  let half = 0.5 * f * f
  let k = Double(power)
  return k * LogarithmOfTwo.high - ((half - (s * (half + series) + k * LogarithmOfTwo.low)) - f)
}

/// ln 2 in two parts: the high part has 32 bits, so that its product with an exponent is exact.
enum LogarithmOfTwo {
  static var high: Double { 0x1.62e42fee00000p-1 }
  static var low: Double { 0x1.a39ef35793c76p-33 }
  static var reciprocal: Double { 0x1.71547652b82fep+0 }
}
