import MartletBase
import MartletModel

/// Two contracts with margin tables of real shapes.
enum ContractFixtures {
  static func amount(_ text: String) -> Amount {
    do { return try Amount(text) } catch { preconditionFailure("\(text) is no amount") }
  }

  static func rate(_ thousandths: Int64) -> Rate { Rate(units: thousandths * 10_000_000) }

  static func instrument(_ kind: Instrument.Kind, price: Int = 1, quantity: Int) -> Instrument {
    Instrument(
      id: InstrumentID(0), venue: .binance, kind: kind, symbol: "BTC_PERP", base: "BTC",
      quote: kind == .inverse ? "USD" : "USDT",
      scale: InstrumentScale(price: DecimalPlaces(price), quantity: DecimalPlaces(quantity)),
      rules: InstrumentRules(
        tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 1), minNotional: .zero,
        maxNotional: .zero, makerFee: .zero, takerFee: .zero, isTrading: true))
  }

  /// Prices at 0.1, quantities at 0.001 BTC, in contracts of 0.01 BTC; the table is that of Binance's
  /// BTCUSDT: `maintMarginRatio` 0.4, 0.5 and 0.65 %, `cum` 0, 50 and 950.
  static func linear() throws -> ContractTerms {
    try ContractTerms(
      of: instrument(.linear, quantity: 3), contractSize: amount("0.01"),
      brackets: [
        MarginBracket(upTo: amount("50000"), maxLeverage: 125, maintenance: rate(4)),
        MarginBracket(upTo: amount("600000"), maxLeverage: 100, maintenance: rate(5)),
        MarginBracket(
          upTo: amount("3000000"), maxLeverage: 75, maintenance: Rate(units: 65_000_000)),
      ])
  }

  /// Prices at 0.1, quantities at 1 USD, in contracts of 100 USD; the table is in BTC.
  static func inverse() throws -> ContractTerms {
    try ContractTerms(
      of: instrument(.inverse, quantity: 0), contractSize: amount("100"),
      brackets: [
        MarginBracket(upTo: amount("5"), maxLeverage: 100, maintenance: rate(5)),
        MarginBracket(upTo: amount("20"), maxLeverage: 50, maintenance: rate(10)),
      ])
  }
}
