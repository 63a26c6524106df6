internal import MartletBase
internal import MartletModel

/// What contracts are worth and what they must be covered by, by sums of the exchange's own.
///
/// The bots that trade here have theirs (`ContractTerms`), which work with signed values and one formula a
/// table; these work with unsigned values, a flag for the direction, and slice by slice. Both must come to
/// the same last digit, so that an error in either is seen.
struct ContractArithmetic: Sendable {
  let terms: ContractTerms
  let isInverse: Bool
  private let scale: InstrumentScale
  private let places: Int

  init(_ terms: ContractTerms) {
    self.terms = terms
    isInverse = terms.instrument.kind == .inverse
    scale = terms.instrument.scale
    places = Int(scale.price.count)
  }

  /// The worth of `quanta`, which are not negative, at `price`: quote per base times base, or quote over
  /// quote per base, to the nearest 10⁻²⁰ with a half to the even one.
  func worth(_ quanta: Int64, at price: Price) -> Amount {
    if quanta == 0 { return .zero }
    guard isInverse else { return scale.notional(of: Quantity(quanta: quanta), at: price) }
    // Long division, the places of the price at once: whole first, then what is left.
    let up = powerOfTen(max(places, 0))
    let divisor = Int128(price.quanta) * powerOfTen(max(-places, 0))
    let size = Int128(quanta) * scale.quantityFactor
    let first = size / divisor
    let rest = (size % divisor) * up
    var units = first * up + rest / divisor
    let left = rest % divisor
    if left > divisor - left || (left == divisor - left && units % 2 != 0) { units += 1 }
    return Amount(units: units)
  }

  /// Whether a holder of that direction gains when the worth of what is held grows.
  func gainsByWorth(isLong: Bool) -> Bool { isLong != isInverse }

  /// Gain of closing what was `paid` for at a `worth`.
  func gain(_ worth: Amount, paid: Amount, isLong: Bool) -> Amount {
    gainsByWorth(isLong: isLong) ? worth - paid : paid - worth
  }

  /// The share of what was paid that leaves when `part` of `whole` is closed, rounded against the holder:
  /// up where paying more gains less, down where it gains more.
  func share(of paid: Amount, part: Int64, whole: Int64, isLong: Bool) -> Amount {
    let (floor, hasRest) = portion(of: paid, part, whole)
    return hasRest && gainsByWorth(isLong: isLong) ? Amount(units: floor.units + 1) : floor
  }

  /// The same rounded down, of what is set aside for an isolated position.
  func portion(of amount: Amount, _ part: Int64, _ whole: Int64) -> (floor: Amount, hasRest: Bool) {
    if part == whole { return (amount, false) }
    let each = amount.units / Int128(whole)
    let rest = (amount.units % Int128(whole)) * Int128(part)
    var units = each * Int128(part) + rest / Int128(whole)
    let left = rest % Int128(whole)
    if left < 0 { units -= 1 }
    return (Amount(units: units), left != 0)
  }

  /// `worth` over `leverage`, up.
  func initial(_ worth: Amount, _ leverage: Int) -> Amount {
    Amount(units: (worth.units + Int128(leverage) - 1) / Int128(leverage))
  }

  /// Slice by slice, each at its own bracket's rate; only the last need not come out even.
  func maintenance(_ worth: Amount) -> Amount {
    var sum = Amount.zero
    var floor = Amount.zero
    for (index, bracket) in terms.brackets.enumerated() {
      let isLast = index == terms.brackets.count - 1
      let top = isLast ? worth : min(worth, bracket.upTo)
      if top <= floor { break }
      sum += portion(top - floor, bracket.maintenance, up: true)
      floor = top
    }
    return sum
  }

  /// A share of an amount that is not negative.
  func portion(_ amount: Amount, _ rate: Rate, up: Bool) -> Amount {
    let one = powerOfTen(Rate.places)
    let units = Int128(rate.units)
    let tail = (amount.units % one) * units
    let whole = amount.units / one * units + tail / one
    return Amount(units: up && tail % one != 0 ? whole + 1 : whole)
  }

  /// What a position pays at a funding time, negative what it gets: payers up, receivers down.
  func funding(_ worth: Amount, _ rate: Rate, isLong: Bool) -> Amount {
    if rate == .zero || worth == .zero { return .zero }
    let isPaying = (rate > .zero) == isLong
    let size = Rate(units: abs(rate.units))
    return isPaying
      ? portion(worth, size, up: true)
      : Amount(units: -portion(worth, size, up: false).units)
  }

  /// The price at which a holder's cover is used up, on the tick and on the side where nothing is owed yet;
  /// nil where no price does it.
  func bankruptcyPrice(
    _ quanta: Int64, paid: Amount, cover: Amount, isLong: Bool, tick: Int64
  ) -> Price? {
    // What it may be worth at the end: a holder who gains by worth can lose the cover of it.
    let end = gainsByWorth(isLong: isLong) ? paid - cover : paid + cover
    guard end > .zero else {
      // Nothing is owed at any price of a linear long; an inverse short is covered by its coins.
      return isLong && !isInverse ? Price(quanta: tick) : nil
    }
    let exact: (whole: Int128, hasRest: Bool)
    if isInverse {
      let up = powerOfTen(max(places, 0))
      let size = Int128(quanta) * scale.quantityFactor
      let divisor = end.units
      let rest = (size % divisor) * up
      exact = (size / divisor * up + rest / divisor, rest % divisor != 0)
    } else {
      let each = Int128(quanta) * scale.notionalFactor
      exact = (end.units / each, end.units % each != 0)
    }
    let coarse = powerOfTen(max(-places, 0))
    let quotient = isInverse ? exact.whole / coarse : exact.whole
    let hasRest = exact.hasRest || (isInverse && exact.whole % coarse != 0)
    let ticks = quotient / Int128(tick)
    let isOff = hasRest || quotient % Int128(tick) != 0
    // A long sells, no lower; a short buys, no higher.
    let rounded = (isLong && isOff ? ticks + 1 : ticks) * Int128(tick)
    return Price(quanta: max(Int64(clamping: rounded), tick))
  }
}
