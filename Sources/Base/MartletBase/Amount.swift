/// An exact amount of any asset: a balance, a fee, a notional value, a profit.
///
/// One grid for all assets, so that amounts of one asset add up whatever instrument they come from.
///
/// - Unit: whole counts of 10⁻²⁰ of the asset. A price quantum down to 10⁻¹² times a quantity
///   quantum down to 10⁻⁸ is a whole count, so a notional value is never rounded.
/// - Bounds: ±1.7 × 10¹⁸ units of the asset; what is larger traps.
@frozen public struct Amount: Hashable, Comparable, AdditiveArithmetic, Sendable, BitwiseCopyable {
  /// Decimal places of the grid.
  @inlinable public static var places: Int { 20 }
  public var units: Int128
  @inlinable public init(units: Int128) { self.units = units }
  @inlinable public static var zero: Amount { Amount(units: 0) }
  @inlinable public static func < (lhs: Amount, rhs: Amount) -> Bool { lhs.units < rhs.units }
  @inlinable public static func + (lhs: Amount, rhs: Amount) -> Amount {
    Amount(units: lhs.units + rhs.units)
  }
  @inlinable public static func - (lhs: Amount, rhs: Amount) -> Amount {
    Amount(units: lhs.units - rhs.units)
  }
  @inlinable public static prefix func - (value: Amount) -> Amount { Amount(units: -value.units) }
  @inlinable public var magnitude: Amount { units < 0 ? -self : self }
}

/// Where a count of quanta stands in decimal: one quantum is 10^−`places` of its unit.
///
/// - Bounds: −12 ... 20; a price's and a quantity's together −18 ... 20. A negative number of places counts in
///   tens, thousands, millions: venues list lots of 1,000,000.
@frozen public struct DecimalPlaces: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let count: Int8
  @inlinable public init(_ count: Int) {
    precondition(count >= -12 && count <= 20, "decimal places out of −12 ... 20")
    self.count = Int8(truncatingIfNeeded: count)
  }
  @inlinable public static func < (lhs: DecimalPlaces, rhs: DecimalPlaces) -> Bool {
    lhs.count < rhs.count
  }
}

/// 10^`exponent` for 0 ... 38; other exponents trap.
@inlinable public func powerOfTen(_ exponent: Int) -> Int128 {
  if exponent <= 19 { return Int128(smallPowerOfTen(exponent)) }
  return Int128(smallPowerOfTen(19)) &* Int128(smallPowerOfTen(exponent &- 19))
}

/// 10^`exponent` for 0 ... 19; other exponents trap. A switch over constants compiles to a table.
@inlinable func smallPowerOfTen(_ exponent: Int) -> UInt64 {
  switch exponent {
  case 0: 1
  case 1: 10
  case 2: 100
  case 3: 1_000
  case 4: 10_000
  case 5: 100_000
  case 6: 1_000_000
  case 7: 10_000_000
  case 8: 100_000_000
  case 9: 1_000_000_000
  case 10: 10_000_000_000
  case 11: 100_000_000_000
  case 12: 1_000_000_000_000
  case 13: 10_000_000_000_000
  case 14: 100_000_000_000_000
  case 15: 1_000_000_000_000_000
  case 16: 10_000_000_000_000_000
  case 17: 100_000_000_000_000_000
  case 18: 1_000_000_000_000_000_000
  case 19: 10_000_000_000_000_000_000
  default: preconditionFailure("a power of ten outside 0 ... 38")
  }
}

/// The two grids an instrument counts on, fixed for the life of a journal.
@frozen public struct InstrumentScale: Hashable, Sendable, BitwiseCopyable {
  public let price: DecimalPlaces
  public let quantity: DecimalPlaces
  /// Units of `Amount` in one price quantum × one quantity quantum.
  public let notionalFactor: Int128
  /// Units of `Amount` in one quantity quantum.
  public let quantityFactor: Int128
  /// Units of `Amount` in one price quantum.
  public let priceFactor: Int128

  /// - Parameters: places of the price and of the quantity quantum; together −18 ... 20, or it
  ///   traps.
  @inlinable public init(price: DecimalPlaces, quantity: DecimalPlaces) {
    self.price = price
    self.quantity = quantity
    notionalFactor = powerOfTen(Amount.places - Int(price.count) - Int(quantity.count))
    quantityFactor = powerOfTen(Amount.places - Int(quantity.count))
    priceFactor = powerOfTen(Amount.places - Int(price.count))
  }

  /// The exact value of `quantity` at `price`, in quote units.
  @inlinable public func notional(of quantity: Quantity, at price: Price) -> Amount {
    // Two 64-bit counts always fit in 128 bits; the factor traps beyond `Amount`'s bounds.
    Amount(units: Int128(price.quanta) * Int128(quantity.quanta) * notionalFactor)
  }

  /// `quantity` as an amount of the base asset, exact.
  @inlinable public func amount(of quantity: Quantity) -> Amount {
    Amount(units: Int128(quantity.quanta) * quantityFactor)
  }

  /// `price` as an amount of the quote asset for one base unit, exact.
  @inlinable public func amount(of price: Price) -> Amount {
    Amount(units: Int128(price.quanta) * priceFactor)
  }

  /// The whole quantity quanta in `amount` of the base asset, rounded as named.
  @inlinable public func quantity(of amount: Amount, rounded rule: Rounding) -> Quantity {
    Quantity(quanta: Int64(divide(amount.units, by: quantityFactor, rounded: rule)))
  }

  /// The whole price quanta in `amount` of the quote asset, rounded as named.
  @inlinable public func price(of amount: Amount, rounded rule: Rounding) -> Price {
    Price(quanta: Int64(divide(amount.units, by: priceFactor, rounded: rule)))
  }
}
