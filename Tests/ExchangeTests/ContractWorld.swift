import MartletBase
import MartletExchange
import MartletModel
import Testing

// A contract market, and short ways to trade on it.

extension Listing {
  /// BTC at 0.1, sizes at 0.001 BTC or 1 USD; 0.5 % of maintenance up to 100,000 USD or 5 BTC at most at
  /// 100, then 1 % at most at 20; 0.1 % for a liquidation, funding every eight hours.
  static func contract(
    _ kind: Instrument.Kind = .linear, _ index: UInt16 = 0, rows: [MarketRow] = [],
    marks: [MarkRow] = []
  ) throws -> Listing {
    let isInverse = kind == .inverse
    let instrument = Instrument(
      id: InstrumentID(index), venue: .binance, kind: kind,
      symbol: isInverse ? "BTC_USD" : "BTC_PERP", base: "BTC", quote: "USD",
      scale: InstrumentScale(price: DecimalPlaces(1), quantity: DecimalPlaces(isInverse ? 0 : 3)),
      rules: InstrumentRules(
        tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 1), minNotional: .zero,
        maxNotional: .zero, makerFee: Rate(units: 2_000_000), takerFee: Rate(units: 5_000_000),
        isTrading: true))
    let terms = try ContractTerms(
      of: instrument, liquidationFee: Rate(units: 10_000_000),
      brackets: [
        MarginBracket(
          upTo: try Amount(isInverse ? "5" : "100000"), maxLeverage: 100,
          maintenance: Rate(units: 50_000_000)),
        MarginBracket(
          upTo: try Amount(isInverse ? "20" : "400000"), maxLeverage: 20,
          maintenance: Rate(units: 100_000_000)),
      ])
    return Listing(
      instrument: instrument, fees: FeePolicy(places: DecimalPlaces(12)),
      outside: rows.isEmpty
        ? nil
        : try OutsideMarket(
          rows: rows, pricePlaces: instrument.scale.price,
          quantityPlaces: instrument.scale.quantity, scale: instrument.scale, start: .zero),
      contract: terms, marks: marks)
  }
}

extension Exchange {
  static func contracts(_ listings: [Listing]) -> Exchange {
    Exchange(configuration: ExchangeConfiguration(), listings: listings)
  }

  /// An account with a margin wallet, and its leverage.
  mutating func trader(
    _ wallet: String, of asset: InlineText = "USD", leverage: Int = 10, mode: MarginMode = .cross,
    isHedged: Bool = false
  ) throws -> AccountID {
    let opened = addAccount()
    let account = try #require(opened)
    let isIn = depositMargin(try Amount(wallet), of: asset, to: account)
    #expect(isIn)
    for instrument in instruments where instrument.isContract {
      try setMargin(
        MarginSetting(leverage: leverage, mode: mode), of: account, on: instrument.id, at: .zero)
    }
    if isHedged { try setHedged(true, of: account, at: .zero) }
    removeAllEvents()
    return account
  }

  mutating func order(
    _ account: AccountID, _ side: Side, _ quantity: Int64, at price: Int64? = nil,
    reduce: Bool = false, _ positionSide: PositionSide = .net, immediate: Bool = false,
    instrument: UInt16 = 0, when time: Timestamp = .zero
  ) throws(OrderRefusal) -> OrderRecord {
    try place(
      NewOrder(
        account: account, instrument: InstrumentID(instrument), side: side,
        kind: price == nil ? .market : .limit, size: .base(Quantity(quanta: quantity)),
        price: Price(quanta: price ?? 0), isImmediate: immediate, isReduceOnly: reduce,
        positionSide: positionSide), at: time)
  }

  func wallet(_ account: AccountID, _ name: InlineText = "USD") -> Amount {
    margin(of: account, in: asset(name) ?? AssetID(0)).wallet
  }

  func held(_ account: AccountID, _ side: PositionSide = .net) -> ExchangePosition {
    position(of: account, in: InstrumentID(0), side: side)
  }

  func expectMarginConserved(_ comment: @autoclosure () -> String = "") {
    for index in assets.indices {
      let found = marginConservation(of: AssetID(UInt16(index)))
      #expect(found.sum == found.deposited, "\(assets[index]) \(comment())")
    }
  }
}
