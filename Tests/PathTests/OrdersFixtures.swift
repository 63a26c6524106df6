import MartletBase
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRisk

/// One market, one account, one strategy, and short ways to say what a venue says.
enum Desk {
  static let account = AccountID(0)
  static let strategy = StrategyID(0)
  static let tag: InlineText = "T3st"

  static func instrument(
    _ index: UInt16 = 0, price: Int = 2, quantity: Int = 6, tick: Int64 = 1, lot: Int64 = 1,
    minQuantity: Int64 = 1, minNotional: Amount = .zero, maxNotional: Amount = .zero,
    isTrading: Bool = true, kind: Instrument.Kind = .spot
  ) -> Instrument {
    Instrument(
      id: InstrumentID(index), venue: .whitebit, kind: kind, symbol: "DBTC_DUSDT", base: "DBTC",
      quote: "DUSDT",
      scale: InstrumentScale(price: DecimalPlaces(price), quantity: DecimalPlaces(quantity)),
      rules: InstrumentRules(
        tickSize: tick, lotStep: lot, minQuantity: Quantity(quanta: minQuantity),
        minNotional: minNotional, maxNotional: maxNotional, makerFee: Rate(units: 10_000_000),
        takerFee: Rate(units: 10_000_000), isTrading: isTrading))
  }

  static func intent(
    _ side: Side = .buy, _ price: Int64 = 6_000_000, _ quantity: Int64 = 1_000,
    strategy: StrategyID = Desk.strategy, instrument: InstrumentID = InstrumentID(0), tag: Int64 = 0
  ) -> OrderIntent {
    OrderIntent(
      strategy: strategy, account: account, instrument: instrument, side: side,
      price: Price(quanta: price), quantity: Quantity(quanta: quantity), tag: tag)
  }

  /// Approved by a gate that has nothing against it: nobody else can approve.
  static func approve(_ intent: OrderIntent) -> Approved<OrderIntent> {
    var gate = RiskGate(limits: RiskLimits(priceBand: Rate(units: .max)))
    let plenty = Amount(units: Int128.max / 2)
    let context = RiskContext(
      now: .zero, instrument: instrument(intent.instrument.index),
      reference: ReferencePrice(last: intent.price), freeBase: plenty, freeQuote: plenty,
      position: Position(account: account, instrument: intent.instrument), workingOnInstrument: 0,
      workingBuyLeaves: .zero, workingOfStrategy: 0)
    guard case .approved(let approved) = gate.review(intent, context: context) else {
      preconditionFailure("the fixture's gate refused \(intent)")
    }
    return approved
  }

  static func time(_ milliseconds: Int64) -> Timestamp {
    Timestamp(milliseconds: 1_790_000_000_000 + milliseconds)
  }

  static func report(
    _ id: ClientOrderID, _ status: OrderReport.Status, _ cumulative: Int64 = 0, venue: UInt64 = 7,
    price: Int64 = 6_000_000, quantity: Int64 = 1_000, side: Side = .buy,
    source: NewsSource = .stream
  ) -> OrderReport {
    OrderReport(
      account: account, instrument: InstrumentID(0), clientOrderID: id,
      venueOrderID: VenueOrderID(low: venue), side: side, price: Price(quanta: price),
      quantity: Quantity(quanta: quantity), cumulative: Quantity(quanta: cumulative),
      status: status, exchangeTime: time(0), source: source)
  }

  static func fill(
    _ id: ClientOrderID, _ quantity: Int64, trade: UInt64, venue: UInt64 = 7,
    price: Int64 = 6_000_000, side: Side = .buy, fee: Amount = .zero, feeAsset: InlineText = "",
    source: NewsSource = .stream
  ) -> Fill {
    Fill(
      account: account, instrument: InstrumentID(0), clientOrderID: id,
      venueOrderID: VenueOrderID(low: venue), tradeID: TradeID(low: trade), side: side,
      price: Price(quanta: price), quantity: Quantity(quanta: quantity), fee: fee,
      feeAsset: feeAsset, role: .maker, exchangeTime: time(0), source: source)
  }
}

/// A store with its effects, driven by one call each.
struct OrdersBench: ~Copyable {
  var store: OrderStore
  var effects = OrderEffects()
  var now = Desk.time(0)

  init(working: Int = 64, finished: Int = 64, trades: Int = 1_024, orphans: Int = 16) {
    var bounds = OrderStore.Bounds()
    bounds.working = working
    bounds.finished = finished
    bounds.trades = trades
    bounds.orphans = orphans
    store = OrderStore(tag: Desk.tag, bounds: bounds)
  }

  mutating func open(_ intent: OrderIntent = Desk.intent()) throws -> ClientOrderID {
    effects.removeAll()
    return try store.open(
      Desk.approve(intent), symbol: "DBTC_DUSDT", at: now, trace: TraceID(1), effects: &effects)
  }

  @discardableResult mutating func tell(_ report: OrderReport) -> [OrderEffect] {
    effects.removeAll()
    store.apply(report, at: now, effects: &effects)
    return effects.list
  }

  @discardableResult mutating func tell(_ fill: Fill) -> [OrderEffect] {
    effects.removeAll()
    store.apply(fill, at: now, effects: &effects)
    return effects.list
  }

  @discardableResult mutating func wait(milliseconds: Int64) -> [OrderEffect] {
    effects.removeAll()
    now = now + .milliseconds(milliseconds)
    store.advance(to: now, effects: &effects)
    return effects.list
  }

  func state(_ id: ClientOrderID) -> OrderState? { store.record(of: id)?.lifecycle.state }
  func cumulative(_ id: ClientOrderID) -> Int64? {
    store.record(of: id)?.lifecycle.cumulative.quanta
  }
}

extension [OrderEffect] {
  /// Quantities of the fills to book.
  var booked: [Int64] {
    compactMap { if case .bookFill(let fill, _, _) = $0 { fill.quantity.quanta } else { nil } }
  }
  var asksVenue: Bool {
    contains { if case .queryVenue = $0 { true } else { false } }
  }
  var cancels: Int {
    count { if case .sendCancel = $0 { true } else { false } }
  }
  var alarms: OrderLifecycle.Alarms {
    reduce(into: []) { if case .alarm(let alarms, _, _) = $1 { $0.formUnion(alarms) } }
  }
  /// The states an order moved through.
  var states: [OrderState] {
    compactMap { if case .orderChanged(let change) = $0 { change.after.state } else { nil } }
  }
}
