import MartletBase
import MartletModel
import Testing

@Suite struct ContractPropertyTests {
  /// A product that needs 256 bits, against the same sum taken apart.
  @Test func aProductIsDividedWithNothingLost() {
    for seed in UInt64(1)...2_000 {
      var random = SeededRandom(seed: seed)
      func wide() -> Int128 {
        let high = Int128(random.integer(in: .min ... .max)) << 60
        return (high | Int128(random.below(1 << 60))) >> Int128(random.below(110))
      }
      let denominator = max(wide().magnitude, 1)
      guard denominator < Int128.max.magnitude else { continue }
      let divisor = Int128(denominator)
      let value = wide()
      // A factor that keeps the result within bounds.
      let factor =
        Int128(random.integer(in: -1_000...1_000)) * (random.below(2) == 0 ? 1 : divisor / 1_000)
      let rule = Rounding(rawValue: UInt8(random.below(6))) ?? .up
      // whole × factor + rest × factor ÷ divisor, where the first has no rest.
      let (whole, rest) = value.quotientAndRemainder(dividingBy: divisor)
      let (first, firstOverflow) = whole.multipliedReportingOverflow(by: factor)
      let (second, overflow) = rest.multipliedReportingOverflow(by: factor)
      guard !firstOverflow, first.magnitude < 1 << 120 else { continue }
      let found = divide(value, times: factor, by: divisor, rounded: rule)
      if !overflow {
        // A half goes by the whole sum: compared where it matters not which neighbor is even.
        if rule != .nearestEven {
          // Truncation and its like look at the sign of all: alike when both parts have one.
          #expect(found == first + divide(second, by: divisor, rounded: rule), "seed \(seed)")
        }
      } else {
        let down = divide(value, times: factor, by: divisor, rounded: .down)
        let up = divide(value, times: factor, by: divisor, rounded: .up)
        #expect(up - down <= 1 && (down...up).contains(found), "seed \(seed)")
        // value × factor − down × divisor is the rest, in wrapping sums: exact, for it is small.
        let left = value &* factor &- down &* divisor
        #expect(left >= 0 && left < divisor && (left == 0) == (up == down), "seed \(seed)")
      }
    }
  }

  private func draw(_ random: inout SeededRandom) throws -> ContractTerms {
    let kind: Instrument.Kind = random.below(2) == 0 ? .linear : .inverse
    let instrument = ContractFixtures.instrument(
      kind, price: Int(random.below(5)), quantity: kind == .inverse ? 0 : Int(random.below(7)))
    var brackets: [MarginBracket] = []
    var upTo: Int128 = 0
    var leverage = 125
    var maintenance: Int64 = 20_000_000
    for _ in 0...random.below(5) {
      upTo += Int128(random.integer(in: 1...1_000)) * powerOfTen(kind == .inverse ? 19 : 23)
      leverage = max(1, leverage / Int(1 + random.below(3)))
      maintenance = min(
        maintenance + random.integer(in: 0...20) * 1_000_000, 10_000_000_000 / Int64(leverage))
      brackets.append(
        MarginBracket(
          upTo: Amount(units: upTo), maxLeverage: leverage, maintenance: Rate(units: maintenance)))
    }
    return try ContractTerms(of: instrument, brackets: brackets)
  }

  @Test func maintenanceIsTheSumOfItsBrackets() throws {
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      let terms = try draw(&random)
      let value = Amount(
        units: Int128(random.integer(in: 0...(1 << 60)))
          * Int128(random.integer(in: 1...200_000_000)))
      // Slice by slice; only the last may not come out even.
      var sum = Amount.zero
      var floor = Amount.zero
      for (index, bracket) in terms.brackets.enumerated() {
        let isLast = index == terms.brackets.count - 1
        let top = isLast ? value : min(value, bracket.upTo)
        if top > floor { sum = sum + bracket.maintenance.of(top - floor, rounded: .up) }
        floor = max(floor, top)
      }
      let found = terms.maintenanceMargin(of: value)
      #expect(found == sum, "seed \(seed)")
      // Never more than what the position began with at the most its bracket allows.
      let leverage = terms.bracket(of: value).maxLeverage
      #expect(
        found <= terms.initialMargin(of: value, leverage: leverage), "seed \(seed)")
    }
  }

  @Test func fundingSumsToZeroButForItsNamedRounding() throws {
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      let terms = try draw(&random)
      let mark = Price(quanta: random.integer(in: 1_000...9_000_000))
      let rate = Rate(units: random.integer(in: -75_000_000...75_000_000))
      // Longs of any sizes, and shorts that sum to as much.
      var nets: [Int64] = []
      var sum: Int64 = 0
      for _ in 0..<6 {
        let net = random.integer(in: -50_000...50_000)
        nets.append(net)
        sum += net
      }
      nets.append(-sum)
      var units: Int128 = 0
      for net in nets {
        let one = terms.funding(on: Quantity(quanta: net), at: mark, rate: rate)
        let other = terms.funding(on: Quantity(quanta: -net), at: mark, rate: rate)
        // Of two that face each other one gets what the other pays, or a unit less.
        #expect((-1...0).contains((one + other).units), "seed \(seed)")
        units += one.units
      }
      let exact =
        terms.instrument.kind == .linear
        && terms.instrument.scale.price.count + terms.instrument.scale.quantity.count <= 10
      #expect(exact ? units == 0 : units.magnitude <= 2 * UInt128(nets.count), "seed \(seed)")
    }
  }

  @Test func aLiquidationPriceIsTheFirstAtWhichThePositionIsNotCovered() throws {
    var found = 0
    for seed in UInt64(1)...600 {
      var random = SeededRandom(seed: seed)
      let terms = try draw(&random)
      let net = Quantity(quanta: random.integer(in: 1...50_000) * (random.below(2) == 0 ? 1 : -1))
      let entry = Price(quanta: random.integer(in: 1_000...900_000))
      let cost = terms.value(of: net, at: entry)
      let cover = Amount(units: cost.magnitude.units / Int128(random.integer(in: 1...40)))
      for isMaintained in [true, false] {
        let end =
          isMaintained
          ? terms.liquidationPrice(of: net, cost: cost, cover: cover, mark: entry)
          : terms.bankruptcyPrice(of: net, cost: cost, cover: cover, mark: entry)
        guard let end, end != entry else { continue }
        found += 1
        func left(_ price: Price) -> Amount {
          let margin = terms.maintenanceMargin(of: terms.value(of: net, at: price))
          return cover + terms.instrument.unrealized(net, cost: cost, at: price)
            - (isMaintained ? margin : .zero)
        }
        let before = end.advanced(by: net > .zero ? 1 : -1)
        #expect(left(end) <= .zero && left(before) > .zero, "seed \(seed)")
        #expect((end < entry) == (net > .zero), "seed \(seed)")
      }
    }
    #expect(found > 500)
  }
}
