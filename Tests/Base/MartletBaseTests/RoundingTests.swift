import MartletBase
import Testing

@Suite struct RoundingTests {
  /// Numerator over 10, and the result by rule: truncated, awayFromZero, down, up, nearestEven,
  /// nearestAway.
  @Test(
    arguments: [
      (25, [2, 3, 2, 3, 2, 3]), (35, [3, 4, 3, 4, 4, 4]), (-25, [-2, -3, -3, -2, -2, -3]),
      (-35, [-3, -4, -4, -3, -4, -4]), (21, [2, 3, 2, 3, 2, 2]), (29, [2, 3, 2, 3, 3, 3]),
      (-21, [-2, -3, -3, -2, -2, -2]), (-29, [-2, -3, -3, -2, -3, -3]), (5, [0, 1, 0, 1, 0, 1]),
      (-5, [0, -1, -1, 0, 0, -1]), (15, [1, 2, 1, 2, 2, 2]), (20, [2, 2, 2, 2, 2, 2]),
      (-20, [-2, -2, -2, -2, -2, -2]), (0, [0, 0, 0, 0, 0, 0]), (1, [0, 1, 0, 1, 0, 0]),
    ] as [(Int128, [Int128])])
  func everyRuleRoundsAsNamed(numerator: Int128, expected: [Int128]) {
    let rules: [Rounding] = [.truncated, .awayFromZero, .down, .up, .nearestEven, .nearestAway]
    #expect(rules.map { divide(numerator, by: 10, rounded: $0) } == expected)
  }

  @Test func halvesOfGreatNumbersDoNotOverflow() {
    let most = Int128.max
    #expect(divide(most, by: most, rounded: .nearestEven) == 1)
    #expect(divide(most - 1, by: most, rounded: .nearestEven) == 1)
    #expect(divide(most / 2, by: most, rounded: .nearestEven) == 0)
    #expect(divide(.min, by: most, rounded: .down) == -2)
    #expect(divide(.min, by: 1, rounded: .up) == .min)
    #expect(divide(.min, by: 2, rounded: .nearestAway) == Int128.min / 2)
  }

  @Test func powersOfTenAreExact() {
    var expected: Int128 = 1
    for exponent in 0...38 {
      #expect(powerOfTen(exponent) == expected)
      if exponent < 38 { expected *= 10 }
    }
  }

  @Test func whatCannotBeDividedTraps() async {
    await #expect(processExitsWith: .failure) { keep(divide(1, by: 0, rounded: .down)) }
    await #expect(processExitsWith: .failure) { keep(divide(1, by: -1, rounded: .down)) }
    await #expect(processExitsWith: .failure) { keep(powerOfTen(39)) }
    await #expect(processExitsWith: .failure) { keep(powerOfTen(-1)) }
  }
}
