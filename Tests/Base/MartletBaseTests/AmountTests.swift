import MartletBase
import Testing

/// `left` × `right` ÷ `denominator` through 256 bits, rounded by looking at both neighbors.
///
/// Nothing here is shared with `Rate` or `divide`: the product is whole, it is divided bit by bit,
/// and the rule is applied to the distances to floor and ceiling.
private func wideQuotient(
  _ left: Int128, _ right: Int128, _ denominator: Int128, _ rule: Rounding
) -> Int128 {
  let product = left.magnitude.multipliedFullWidth(by: right.magnitude)
  var quotient: UInt128 = 0
  var remainder: UInt128 = 0
  for bit in (0..<UInt128(256)).reversed() {
    let word = bit >= 128 ? product.high : product.low
    remainder = remainder << 1 | (word >> (bit & 127)) & 1
    quotient <<= 1
    if remainder >= denominator.magnitude {
      remainder -= denominator.magnitude
      quotient |= 1
    }
  }
  let isNegative = (left < 0) != (right < 0)
  let near = isNegative ? -Int128(quotient) : Int128(quotient)
  if remainder == 0 { return near }
  let far = isNegative ? near - 1 : near + 1
  let toFar = denominator.magnitude - remainder
  switch rule {
  case .truncated: return near
  case .awayFromZero: return far
  case .down: return min(near, far)
  case .up: return max(near, far)
  case .nearestEven:
    if remainder != toFar { return remainder < toFar ? near : far }
    return near % 2 == 0 ? near : far
  case .nearestAway: return remainder < toFar ? near : far
  }
}

private let rules: [Rounding] = [
  .truncated, .awayFromZero, .down, .up, .nearestEven, .nearestAway,
]

@Suite struct AmountTests {
  @Test func notionalValuesAreExact() throws {
    for seed in UInt64(1)...30 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<100 {
        let pricePlaces = Int(random.integer(in: -3...12))
        let quantityPlaces = Int(random.integer(in: -3...8))
        let scale = InstrumentScale(
          price: DecimalPlaces(pricePlaces), quantity: DecimalPlaces(quantityPlaces))
        let price = Price(quanta: random.integer(in: 1...1_000_000))
        let quantity = Quantity(quanta: random.integer(in: -100_000...100_000))
        // Another way: the plain product of the counts, with the places of both.
        let product = Int128(price.quanta) * Int128(quantity.quanta)
        let places = pricePlaces + quantityPlaces
        let found = scale.notional(of: quantity, at: price)
        try #require(found.description == text(product, places), "seed \(seed)")
        try #require(
          scale.amount(of: price).description == scale.text(price), "seed \(seed)")
        try #require(
          scale.amount(of: quantity).description == scale.text(quantity), "seed \(seed)")
        for rule in rules {
          try #require(scale.price(of: scale.amount(of: price), rounded: rule) == price)
          try #require(scale.quantity(of: scale.amount(of: quantity), rounded: rule) == quantity)
        }
      }
    }
  }

  @Test func amountsBetweenQuantaAreRoundedAsNamed() throws {
    let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(3))
    let amount = try Amount("1.2345")
    #expect(scale.quantity(of: amount, rounded: .down).quanta == 1_234)
    #expect(scale.quantity(of: amount, rounded: .up).quanta == 1_235)
    #expect(scale.quantity(of: amount, rounded: .nearestEven).quanta == 1_234)
    #expect(scale.quantity(of: -amount, rounded: .down).quanta == -1_235)
    #expect(scale.price(of: try Amount("0.125"), rounded: .nearestEven).quanta == 12)
    #expect(scale.price(of: try Amount("0.135"), rounded: .nearestEven).quanta == 14)
  }

  @Test func amountsAddAndCompareAsNumbers() throws {
    let a = try Amount("0.1")
    let b = try Amount("0.2")
    #expect((a + b).description == "0.3" && a - b == -a && (a - b).magnitude == a && a < b)
    #expect([b, -b, .zero, a].sorted() == [-b, .zero, a, b])
  }

  @Test func wrongMoneyTraps() async {
    await #expect(processExitsWith: .failure) {
      keep(Amount(units: .max) + Amount(units: 1))
    }
    await #expect(processExitsWith: .failure) {
      keep(-Amount(units: .min))
    }
    await #expect(processExitsWith: .failure) {
      let scale = InstrumentScale(price: DecimalPlaces(0), quantity: DecimalPlaces(0))
      keep(scale.notional(of: Quantity(quanta: .max), at: Price(quanta: .max)))
    }
    await #expect(processExitsWith: .failure) {
      let scale = InstrumentScale(price: DecimalPlaces(0), quantity: DecimalPlaces(12))
      keep(scale.quantity(of: Amount(units: .max), rounded: .down))
    }
    await #expect(processExitsWith: .failure) { keep(DecimalPlaces(21)) }
    await #expect(processExitsWith: .failure) { keep(DecimalPlaces(-13)) }
    await #expect(processExitsWith: .failure) {
      keep(InstrumentScale(price: DecimalPlaces(12), quantity: DecimalPlaces(9)))
    }
    await #expect(processExitsWith: .failure) {
      keep(Quantity(quanta: .max) + Quantity(quanta: 1))
    }
    await #expect(processExitsWith: .failure) {
      keep(Price(quanta: .max).advanced(by: 1))
    }
  }
}

@Suite struct RateTests {
  @Test func aRateOfAnAmountIsTheExactProductRounded() throws {
    for seed in UInt64(1)...60 {
      var random = SeededRandom(seed: seed)
      for _ in 0..<50 {
        let rate = Rate(
          units: Int64(bitPattern: random.next()) >> random.integer(in: 30...60))
        let high = Int128(Int64(bitPattern: random.next()))
        let units = (high << 64 | Int128(random.next())) >> Int128(random.below(90) + 30)
        for rule in rules {
          let found = rate.of(Amount(units: units), rounded: rule)
          let expected = wideQuotient(units, Int128(rate.units), powerOfTen(Rate.places), rule)
          try #require(found.units == expected, "seed \(seed): \(rate.units) of \(units), \(rule)")
        }
      }
    }
  }

  @Test func aHalfGoesToTheEvenNeighborOfTheWholeResult() {
    // 1.5 of 15,000,000,001 units is 22,500,000,001.5: the odd neighbor's last part is even.
    let rate = Rate(units: 15_000_000_000)
    let amount = Amount(units: 15_000_000_001)
    #expect(rate.of(amount, rounded: .nearestEven).units == 22_500_000_002)
    #expect(rate.of(-amount, rounded: .nearestEven).units == -22_500_000_002)
    for units in Int128(0)...400 {
      let half = Rate(units: 5_000_000_000)
      let base = powerOfTen(10) * 7 + units
      #expect(
        half.of(Amount(units: base), rounded: .nearestEven).units
          == wideQuotient(base, 1, 2, .nearestEven))
    }
  }

  @Test func aFeeIsNeverRoundedInOurFavorUnlessNamed() throws {
    let bytes = Array("0.001".utf8)
    let fee = try DecimalText.parseRate(bytes.span)
    let notional = try Amount("12.34567890123456789")
    #expect(fee.of(notional, rounded: .up).description == "0.01234567890123456789")
    #expect(fee.of(Amount(units: 1), rounded: .up).units == 1)
    #expect(fee.of(Amount(units: 1), rounded: .down).units == 0)
    #expect(fee.description == "0.001" && Rate(units: -1) < .zero)
  }

  @Test func aRateOfTheLargestAmountDoesNotOverflowOnTheWay() {
    #expect(
      Rate(units: powerOfTenInt64(10)).of(Amount(units: .max), rounded: .down).units == .max)
    #expect(
      Rate(units: 1).of(Amount(units: .min), rounded: .truncated).units == .min / powerOfTen(10))
  }

  private func powerOfTenInt64(_ exponent: Int) -> Int64 { Int64(powerOfTen(exponent)) }
}
