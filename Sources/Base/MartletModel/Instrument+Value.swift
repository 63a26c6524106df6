public import MartletBase

// What a quantity of an instrument is worth, in the asset that it is settled in.
//
// A quantity counts base units on spot and of a linear contract, and quote units of an inverse one,
// whatever the venue counts: what a venue calls a contract is `ContractTerms.contractSize` of them.
extension Instrument {
  /// The asset that profit, margin and funding are counted in: quote, and base of an inverse contract.
  @inlinable public var settlement: InlineText { kind == .inverse ? base : quote }

  /// Whether it is held on margin.
  @inlinable public var isContract: Bool { kind != .spot }

  /// The value of `quantity` at `price` in the settlement asset, signed like the quantity.
  ///
  /// Price × quantity, exact; of an inverse contract quantity ÷ price, rounded to the nearest 10⁻²⁰,
  /// a half to the even neighbor. That rounds alike above and below zero, so that buyer and seller of
  /// one trade book the same value with opposite signs.
  ///
  /// - Bounds: of an inverse contract a positive price, or it traps; so does a value beyond `Amount`.
  @inlinable public func value(of quantity: Quantity, at price: Price) -> Amount {
    kind.value(of: quantity, at: price, scale)
  }

  /// What was paid and got for fills that left `net`, were it closed at `mark`: its value there against
  /// what it cost, and of an inverse contract the other way round, since a rising price makes each quote
  /// unit worth less of the settlement asset.
  ///
  /// - Parameter cost: of what is open, in the settlement asset, signed like `net`.
  @inlinable public func unrealized(_ net: Quantity, cost: Amount, at mark: Price) -> Amount {
    if net == .zero { return .zero }
    let gain = value(of: net, at: mark) - cost
    return kind == .inverse ? -gain : gain
  }
}

extension Instrument.Kind {
  /// What a quantity of an instrument of this kind is worth; see `Instrument.value(of:at:)`.
  @inlinable public func value(
    of quantity: Quantity, at price: Price, _ scale: InstrumentScale
  ) -> Amount {
    if self != .inverse { return scale.notional(of: quantity, at: price) }
    let places = Int(scale.price.count)
    return Amount(
      units: divide(
        Int128(quantity.quanta) * scale.quantityFactor, times: powerOfTen(max(places, 0)),
        by: Int128(price.quanta) * powerOfTen(max(-places, 0)), rounded: .nearestEven))
  }
}
