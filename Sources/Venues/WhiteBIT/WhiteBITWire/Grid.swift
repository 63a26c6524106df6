public import MartletBase
public import MartletModel

/// Turns the venue's precision fields into a grid to count on and rules to obey.
///
/// - Source: WhiteBIT changelog 2026-08-19 and 2026-09-18: `tickSize` and `stepSize`, where they are
///   given, are what the venue validates against; `moneyPrec` and `stockPrec` otherwise.
public enum Grid {
  /// Why a listing cannot be traded on a grid.
  public enum Fault: Error, Equatable, Sendable {
    /// A step of zero or less, or finer than 10⁻¹².
    case impossibleStep(market: InlineText, step: Amount)
    /// The listing needs more decimals than the grid fixed for this journal has.
    case finerThanScale(market: InlineText)
    /// A fee of more than 5 %: most likely not in the unit we think.
    case impossibleFee(market: InlineText, fee: Rate)
    /// A bound that does not fit 64 bits on the grid.
    case overflow(market: InlineText)
  }

  /// Decimals kept beyond what the venue needs now, so that a finer tick can be followed without a
  /// new grid.
  static let spareDecimals = 2
  /// Most decimals of a price or a quantity.
  static let finest = 12

  public static func tick(of listing: MarketListing) -> Amount {
    listing.tickSize ?? step(decimals: listing.moneyPrecision)
  }

  public static func lot(of listing: MarketListing) -> Amount {
    listing.stepSize ?? step(decimals: listing.stockPrecision)
  }

  private static func step(decimals: Int) -> Amount {
    Amount(units: powerOfTen(Amount.places - decimals))
  }

  /// The grid for a market not seen before in this journal: fine enough for tick and lot, and finer
  /// by two decimals each where both fit together.
  public static func scale(for listing: MarketListing) throws(Fault) -> InstrumentScale {
    var price = try places(of: tick(of: listing), in: listing)
    var quantity = try places(of: lot(of: listing), in: listing)
    // The two together may not be finer than an amount, or a notional value would be rounded.
    for _ in 0..<spareDecimals {
      if price < finest, price + quantity < Amount.places { price += 1 }
      if quantity < finest, price + quantity < Amount.places { quantity += 1 }
    }
    return InstrumentScale(price: DecimalPlaces(price), quantity: DecimalPlaces(quantity))
  }

  /// Decimals of `step`; negative when it is a multiple of ten, down to −12.
  private static func places(of step: Amount, in listing: MarketListing) throws(Fault) -> Int {
    guard step.units > 0 else { throw .impossibleStep(market: listing.name, step: step) }
    var places = Amount.places
    var rest = step.units
    while places > -12, rest % 10 == 0 {
      rest /= 10
      places -= 1
    }
    guard places <= finest else { throw .impossibleStep(market: listing.name, step: step) }
    return places
  }

  /// The rules of `listing` on a grid that may have been fixed long before.
  public static func rules(
    of listing: MarketListing, on scale: InstrumentScale
  ) throws(Fault) -> InstrumentRules {
    for fee in [listing.makerFee, listing.takerFee] {
      // 5 %: above it the listing is most likely told in another unit than percent.
      guard fee.units <= 500_000_000, fee.units >= -500_000_000 else {
        throw .impossibleFee(market: listing.name, fee: fee)
      }
    }
    let tick = tick(of: listing)
    let lot = lot(of: listing)
    guard tick.units > 0 else { throw .impossibleStep(market: listing.name, step: tick) }
    guard lot.units > 0 else { throw .impossibleStep(market: listing.name, step: lot) }
    return InstrumentRules(
      tickSize: try count(of: tick, factor: scale.priceFactor, in: listing),
      lotStep: try count(of: lot, factor: scale.quantityFactor, in: listing),
      minQuantity: Quantity(
        quanta: try count(
          of: listing.minAmount, factor: scale.quantityFactor, roundedUp: true, in: listing)),
      minNotional: listing.minTotal, maxNotional: listing.maxTotal, makerFee: listing.makerFee,
      takerFee: listing.takerFee, isTrading: listing.tradesEnabled)
  }

  private static func count(
    of amount: Amount, factor: Int128, roundedUp: Bool = false, in listing: MarketListing
  ) throws(Fault) -> Int64 {
    guard roundedUp || amount.units % factor == 0 else {
      throw .finerThanScale(market: listing.name)
    }
    let quanta = divide(amount.units, by: factor, rounded: .up)
    guard let narrow = Int64(exactly: quanta) else { throw .overflow(market: listing.name) }
    return narrow
  }

  /// The instrument `listing` describes.
  ///
  /// - Parameter fixed: the grid of this journal where it knows the market already.
  public static func instrument(
    _ id: InstrumentID, from listing: MarketListing, fixed: InstrumentScale? = nil
  ) throws(Fault) -> Instrument {
    let scale = if let fixed { fixed } else { try self.scale(for: listing) }
    return Instrument(
      id: id, venue: .whitebit, kind: listing.kind == .spot ? .spot : .linear,
      symbol: listing.name, base: listing.stock, quote: listing.money, scale: scale,
      rules: try rules(of: listing, on: scale))
  }
}

extension InstrumentScale {
  /// `amount` as a price, or nil when it is no whole count of quanta.
  public func exactPrice(of amount: Amount) -> Price? {
    let (quanta, rest) = amount.units.quotientAndRemainder(dividingBy: priceFactor)
    guard rest == 0, let narrow = Int64(exactly: quanta) else { return nil }
    return Price(quanta: narrow)
  }

  /// `amount` as a quantity, or nil when it is no whole count of quanta.
  public func exactQuantity(of amount: Amount) -> Quantity? {
    let (quanta, rest) = amount.units.quotientAndRemainder(dividingBy: quantityFactor)
    guard rest == 0, let narrow = Int64(exactly: quanta) else { return nil }
    return Quantity(quanta: narrow)
  }
}

extension Amount {
  /// The product of two amounts on the same grid, what is finer than 10⁻²⁰ rounded to the nearest.
  ///
  /// For values that the venue tells for information only; money is `InstrumentScale.notional`.
  func multiplied(by other: Amount) -> Amount {
    let (high, low) = units.multipliedFullWidth(by: other.units)
    let (quotient, remainder) = powerOfTen(Amount.places).dividingFullWidth((high, low))
    return Amount(units: remainder * 2 >= powerOfTen(Amount.places) ? quotient + 1 : quotient)
  }
}
