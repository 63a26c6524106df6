public import MartletBase

// The arithmetic of contracts, in one place. Nothing here has state.
extension ContractTerms {
  /// What `quantity` is worth at `price`, signed like it; see `Instrument.value(of:at:)`.
  public func value(of quantity: Quantity, at price: Price) -> Amount {
    instrument.value(of: quantity, at: price)
  }

  /// `quantity` in what the venue calls contracts, rounded as named.
  public func contracts(in quantity: Quantity, rounded rule: Rounding) -> Amount {
    Amount(
      units: divide(
        instrument.scale.amount(of: quantity).units, times: powerOfTen(Amount.places),
        by: contractSize.units, rounded: rule))
  }

  /// What a position or order of this value must be begun with: value ÷ leverage, rounded up.
  public func initialMargin(of value: Amount, leverage: Int) -> Amount {
    Amount(units: divide(value.magnitude.units, by: Int128(leverage), rounded: .up))
  }

  /// What a position of this value must stay covered by: the rate of its bracket on all of it, less what
  /// the lower rates of the brackets before spare; rounded up.
  public func maintenanceMargin(of value: Amount) -> Amount {
    let value = value.magnitude
    let index = index(of: value)
    return brackets[index].maintenance.of(value, rounded: .up) - deductions[index]
  }

  /// What funding at `rate` brings a position, negative when it pays, rounded down: a long pays a positive
  /// rate, a short receives it.
  public func funding(on net: Quantity, at mark: Price, rate: Rate) -> Amount {
    -rate.of(value(of: net, at: mark), rounded: .up)
  }

  /// The fee on a trade of this value, on the settlement asset's own grid, rounded up.
  public func fee(on value: Amount, at rate: Rate) -> Amount {
    rate.of(value.magnitude, rounded: .up)
  }

  // MARK: Prices that end a position

  /// The price nearest to `mark` at which a position is liquidated: what covers it is no more than its
  /// maintenance margin. The mark itself when that is so already; nil when no price does it.
  ///
  /// - Parameters:
  ///   - cost: of what is open, signed like `net`.
  ///   - cover: what there is beside the position itself: an isolated position's margin, or the cross
  ///     wallet with the unrealized profit of its other positions, less their maintenance margins.
  /// - Complexity: some sixty valuations.
  public func liquidationPrice(
    of net: Quantity, cost: Amount, cover: Amount, mark: Price
  ) -> Price? {
    endPrice(of: net, cost: cost, cover: cover, mark: mark, isMaintained: true)
  }

  /// The same for the price at which nothing is left at all.
  public func bankruptcyPrice(
    of net: Quantity, cost: Amount, cover: Amount, mark: Price
  ) -> Price? {
    endPrice(of: net, cost: cost, cover: cover, mark: mark, isMaintained: false)
  }

  /// Whether what covers a position at `price` is no more than its maintenance margin.
  public func isLiquidated(
    _ net: Quantity, cost: Amount, cover: Amount, at price: Price
  ) -> Bool {
    isEnded(net, cost, cover, at: price, isMaintained: true)
  }

  private func isEnded(
    _ net: Quantity, _ cost: Amount, _ cover: Amount, at price: Price, isMaintained: Bool
  ) -> Bool {
    let left = cover + instrument.unrealized(net, cost: cost, at: price)
    return left <= (isMaintained ? maintenanceMargin(of: value(of: net, at: price)) : .zero)
  }

  // By halving, on the very sums that a liquidation is judged by: brackets and roundings need no formula
  // of their own. Away from the mark what is left only shrinks, since no bracket takes all of a gain.
  private func endPrice(
    of net: Quantity, cost: Amount, cover: Amount, mark: Price, isMaintained: Bool
  ) -> Price? {
    guard net != .zero else { return nil }
    if isEnded(net, cost, cover, at: mark, isMaintained: isMaintained) { return mark }
    let (lowest, highest) = priceBounds(of: net)
    var safe = mark.quanta
    var ended = net > .zero ? lowest : highest
    guard net > .zero ? ended < safe : ended > safe,
      isEnded(net, cost, cover, at: Price(quanta: ended), isMaintained: isMaintained)
    else { return nil }
    while abs(safe - ended) > 1 {
      let middle = safe / 2 + ended / 2 + (safe % 2 + ended % 2) / 2
      if isEnded(net, cost, cover, at: Price(quanta: middle), isMaintained: isMaintained) {
        ended = middle
      } else {
        safe = middle
      }
    }
    return Price(quanta: ended)
  }

  /// Prices at which the value of a position is well within `Amount`.
  private func priceBounds(of net: Quantity) -> (lowest: Int64, highest: Int64) {
    let most = Int128.max / 64
    let scale = instrument.scale
    let size = Int128(net.quanta.magnitude)
    let far = Int64.max / 4
    guard instrument.kind == .inverse else {
      return (1, Int64(clamping: min(most / (size * scale.notionalFactor), Int128(far))))
    }
    let places = Int(scale.price.count)
    let lowest = divide(
      size * scale.quantityFactor, times: powerOfTen(max(places, 0)),
      by: most, rounded: .up)
    return (max(1, Int64(clamping: lowest / powerOfTen(max(-places, 0)) + 1)), far)
  }
}
