public import MartletBase
public import MartletModel

extension Position {
  /// Books one execution by the average-cost method.
  ///
  /// Growing adds its value to `cost`. Shrinking takes the same share of `cost` as of `net`, rounded
  /// up, so that `realized` is rounded down, against us; what the rounding keeps back comes out when
  /// the position is flat. Going through zero closes all and opens the rest.
  ///
  /// Of an inverse contract values are in base, and a buyer gains when they shrink: profit has the other
  /// sign, and the share of `cost` is rounded down for the same end.
  ///
  /// - Invariant: `cost` − `realized` (of an inverse contract + `realized`) is the exact signed sum of the
  ///   values of all fills, and `cost` is zero when `net` is.
  /// - Returns: what it added to `realized`.
  mutating func book(_ fill: Fill, of instrument: Instrument) -> Amount {
    let before = realized
    let signed = fill.side == .buy ? fill.quantity : -fill.quantity
    let isInverse = instrument.kind == .inverse
    let closing =
      net.quanta.signum() * signed.quanta.signum() < 0
      ? Quantity(quanta: min(fill.quantity.quanta, abs(net.quanta))) : .zero
    if closing != .zero {
      let removed = costShare(of: closing, rounded: isInverse ? .down : .up)
      let value = instrument.value(of: closing, at: fill.price)
      cost = cost - removed
      let gain = (fill.side == .sell ? value : -value) - removed
      realized = realized + (isInverse ? -gain : gain)
      net = Quantity(quanta: net.quanta + closing.quanta * signed.quanta.signum())
    }
    let opening = fill.quantity - closing
    if opening != .zero {
      let value = Position.opened(by: fill, of: instrument, closing: closing)
      cost = cost + (fill.side == .buy ? value : -value)
      net = Quantity(quanta: net.quanta + opening.quanta * signed.quanta.signum())
    }
    if fill.feeAsset == instrument.base {
      baseFees = baseFees + fill.fee
    } else if fill.feeAsset == instrument.quote {
      quoteFees = quoteFees + fill.fee
    }
    return realized - before
  }

  /// The value of what a fill opens: of all of it less of what it closes. Of an inverse contract that may be
  /// a last digit beside its own value, and makes what buyer and seller of one trade book the same.
  static func opened(by fill: Fill, of instrument: Instrument, closing: Quantity) -> Amount {
    let whole = instrument.value(of: fill.quantity, at: fill.price)
    return closing == .zero ? whole : whole - instrument.value(of: closing, at: fill.price)
  }

  /// `cost` × `closing` ÷ |`net`|, rounded as named.
  private func costShare(of closing: Quantity, rounded rule: Rounding) -> Amount {
    let whole = Int128(abs(net.quanta))
    let part = Int128(closing.quanta)
    if part == whole { return cost }
    // Quotient and rest apart: rest × part is a product of two 63-bit counts, and the rest of the
    // sum is no larger than `cost`.
    let each = divide(cost.units, by: whole, rounded: .down)
    let rest = cost.units - each * whole
    return Amount(units: each * part + divide(rest * part, by: whole, rounded: rule))
  }

  /// What the open part would gain or lose if it were closed at `mark`, before fees, exact.
  public func unrealized(at mark: Price, _ scale: InstrumentScale) -> Amount {
    scale.notional(of: net, at: mark) - cost
  }

  /// The same of any instrument, in its settlement asset.
  public func unrealized(at mark: Price, of instrument: Instrument) -> Amount {
    instrument.unrealized(net, cost: cost, at: mark)
  }

  /// Profit after fees at `mark`, in quote units: what is closed and what is open, less fees in
  /// quote, less fees in base valued at `mark` rounded up. Fees in other assets are not in it.
  public func profit(at mark: Price, _ scale: InstrumentScale) -> Amount {
    realized + unrealized(at: mark, scale) - quoteFees
      - scale.value(of: baseFees, at: mark, rounded: .up)
  }

  /// What fills less base fees left us of the base asset, exact: what of a long position can be
  /// delivered.
  public func held(_ scale: InstrumentScale) -> Amount { scale.amount(of: net) - baseFees }
}

extension InstrumentScale {
  /// The value of any `amount` of the base asset at `price`, in quote units, rounded as named.
  ///
  /// - Bounds: price quanta below 10¹⁸; a value beyond `Amount` traps.
  public func value(of amount: Amount, at price: Price, rounded rule: Rounding) -> Amount {
    // Whole units and rest apart, so that no product leaves 128 bits before the value does.
    let one = powerOfTen(Amount.places)
    let whole = divide(amount.units, by: one, rounded: .down)
    let rest = amount.units - whole * one
    let fine = rest * Int128(price.quanta)
    let places = Int(self.price.count)
    let part =
      places >= 0
      ? divide(fine, by: powerOfTen(places), rounded: rule) : fine * powerOfTen(-places)
    return Amount(units: whole * Int128(price.quanta) * priceFactor + part)
  }
}
