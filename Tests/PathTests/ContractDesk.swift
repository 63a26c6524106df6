import MartletBase
import MartletModel
import MartletPortfolio
import MartletRisk

/// A portfolio with contracts in it, and short ways to trade them.
struct ContractDesk: ~Copyable {
  static func instrument(_ kind: Instrument.Kind, _ index: UInt16 = 0) -> Instrument {
    Instrument(
      id: InstrumentID(index), venue: .binance, kind: kind, symbol: "BTC_PERP", base: "BTC",
      quote: "USD",
      scale: InstrumentScale(
        price: DecimalPlaces(1), quantity: DecimalPlaces(kind == .inverse ? 0 : 3)),
      rules: InstrumentRules(
        tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 1), minNotional: .zero,
        maxNotional: .zero, makerFee: Rate(units: 2_000_000), takerFee: Rate(units: 5_000_000),
        isTrading: true))
  }

  /// Linear brackets in USD, inverse ones in BTC: up to 100,000 or 5 at 0.5 % and 100, then at 1 % and 20.
  static func terms(_ instrument: Instrument) throws -> ContractTerms {
    let isInverse = instrument.kind == .inverse
    return try ContractTerms(
      of: instrument, contractSize: PortfolioTests.amount(isInverse ? "100" : "0.01"),
      brackets: [
        MarginBracket(
          upTo: PortfolioTests.amount(isInverse ? "5" : "100000"), maxLeverage: 100,
          maintenance: Rate(units: 50_000_000)),
        MarginBracket(
          upTo: PortfolioTests.amount(isInverse ? "20" : "400000"), maxLeverage: 20,
          maintenance: Rate(units: 100_000_000)),
      ])
  }

  var portfolio = Portfolio()
  let instrument: Instrument
  var trades: UInt64 = 0

  init(
    _ kind: Instrument.Kind, wallet: String = "10000", accounts: UInt16 = 1,
    _ plan: MarginPlan = MarginPlan(leverage: 10), mark: Int64? = 600_000
  ) throws {
    instrument = ContractDesk.instrument(kind)
    portfolio.learn(try ContractDesk.terms(instrument), plan)
    if let mark { portfolio.mark(instrument.id, at: Price(quanta: mark)) }
    for account in 0..<accounts {
      portfolio.tell(
        Balance(
          account: AccountID(account), asset: instrument.settlement,
          available: PortfolioTests.amount(wallet), frozen: .zero), at: Desk.time(0))
      portfolio.adopt(AccountID(account), instrument.settlement, at: Desk.time(0))
    }
  }

  func fill(
    _ side: Side, _ quantity: Int64, at price: Int64, of account: UInt16 = 0, trade: UInt64 = 0,
    fee: Amount = .zero, _ positionSide: PositionSide = .net
  ) -> Fill {
    Fill(
      account: AccountID(account), instrument: instrument.id, clientOrderID: ClientOrderID("a"),
      venueOrderID: VenueOrderID(low: 1), tradeID: TradeID(low: trade), side: side,
      price: Price(quanta: price), quantity: Quantity(quanta: quantity), fee: fee,
      feeAsset: instrument.settlement, role: .taker, exchangeTime: .zero, source: .stream,
      positionSide: positionSide)
  }

  mutating func book(_ fill: Fill) {
    portfolio.book(fill, of: instrument, side: fill.positionSide, at: Desk.time(1))
  }

  mutating func trade(
    _ side: Side, _ quantity: Int64, at price: Int64, _ positionSide: PositionSide = .net
  ) {
    book(fill(side, quantity, at: price, positionSide))
  }

  /// An order of ours that works from now on.
  mutating func work(
    _ side: Side, _ quantity: Int64, at price: Int64, _ positionSide: PositionSide = .net,
    onlyReduces: Bool = false
  ) {
    portfolio.orderChanged(
      AccountID(0), instrument, before: nil, after: order(side, quantity, at: price),
      positionSide: positionSide, onlyReduces: onlyReduces)
  }

  func order(
    _ side: Side, _ quantity: Int64, at price: Int64, filled: Int64 = 0, _ state: OrderState = .open
  ) -> OrderView {
    OrderView(
      clientOrderID: ClientOrderID("a"), instrument: instrument.id, side: side,
      price: Price(quanta: price), quantity: Quantity(quanta: quantity),
      cumulative: Quantity(quanta: filled), state: state, tag: 0)
  }

  func intent(
    _ side: Side, _ quantity: Int64, at price: Int64, _ positionSide: PositionSide = .net,
    reduce: Bool = false
  ) -> OrderIntent {
    OrderIntent(
      strategy: Desk.strategy, account: AccountID(0), instrument: instrument.id, side: side,
      price: Price(quanta: price), quantity: Quantity(quanta: quantity), isReduceOnly: reduce,
      positionSide: positionSide)
  }

  func position(_ side: PositionSide = .net, of account: UInt16 = 0) -> Position {
    portfolio.position(AccountID(account), instrument.id, side: side)
  }

  func wallet(_ account: UInt16 = 0) -> Amount {
    portfolio.ledger(AccountID(account), instrument.settlement)?.expected ?? .zero
  }

  var figures: MarginFigures? { portfolio.margin(AccountID(0), in: instrument.settlement) }

  /// What Risk says of an intent; nil when it lets it through.
  func review(
    _ intent: OrderIntent, limits: RiskLimits = RiskLimits(), mayReduce: Bool = false,
    isOpen: Bool = true
  ) -> (reason: RefusalReason, numbers: RiskNumbers)? {
    var gate = RiskGate(limits: limits)
    var context = RiskContext(
      now: Desk.time(2), instrument: instrument,
      reference: ReferencePrice(last: Price(quanta: 600_000)), freeBase: nil, freeQuote: nil,
      position: portfolio.position(AccountID(0), instrument.id, side: intent.positionSide),
      workingOnInstrument: 0, workingBuyLeaves: .zero, workingOfStrategy: 0)
    context.margin = portfolio.marginContext(for: intent)
    context.mayReduce = mayReduce
    context.isOpen = isOpen
    switch gate.review(intent, context: context) {
    case .approved: return nil
    case .refused(let reason, let numbers): return (reason, numbers)
    }
  }
}
