public import MartletBase
public import MartletModel

extension GridStrategy {
  /// The cheapest order with which a grid laid out around `last` would begin to buy: its lowest level that
  /// the market takes.
  ///
  /// - Parameters:
  ///   - last: as the market's last price, around which it is laid out.
  ///   - floor: no order is let through below it.
  /// - Returns: nil when not even the highest would be taken. The cost is in quote units, fees aside.
  public func cheapestBuy(
    around last: Price, of instrument: Instrument, notBelow floor: Price
  ) -> (price: Price, cost: Amount)? {
    let center = Self.center(halfQuanta: 2 * Int128(last.quanta), spacing: spacing)
    var cheapest: (price: Price, cost: Amount)?
    for level in 1...settings.levelsPerSide {
      let price = Self.levelPrice(
        center: center, spacing: spacing, gap: -Int64(level), side: .buy,
        tick: instrument.rules.tickSize)
      guard price.quanta > 0, price >= floor, meetsMinimum(quantity, at: price, instrument) else {
        break
      }
      cheapest = (price, instrument.scale.notional(of: quantity, at: price))
    }
    return cheapest
  }

  /// What each of its orders sells.
  public var sellSize: Amount { scale.amount(of: quantity) }
}
