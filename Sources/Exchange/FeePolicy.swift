public import MartletBase

/// How the exchange takes its fees: from what a trade brings in, base for a buy, quote for a sell.
@frozen public struct FeePolicy: Equatable, Sendable, BitwiseCopyable {
  /// Decimal places a fee is rounded to.
  public var places: DecimalPlaces
  /// How; `up` is in the venue's favor, for fees and for rebates.
  public var rounding: Rounding

  public init(places: DecimalPlaces, rounding: Rounding = .up) {
    self.places = places
    self.rounding = rounding
  }

  /// The fee at `rate` on `received`, at `places`; never more than what it is taken from.
  public func fee(on received: Amount, at rate: Rate) -> Amount {
    // The exact product may need more digits than `Amount` has; rounding twice by `up` or `down`
    // gives the same as rounding once.
    let exact = rate.of(received, rounded: rounding)
    let grid = powerOfTen(Amount.places - Int(places.count))
    return min(Amount(units: divide(exact.units, by: grid, rounded: rounding) * grid), received)
  }
}
