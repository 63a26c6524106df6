import MartletBase
import MartletExchange
import MartletHistory
import MartletModel
import Testing

// What the exchange's tests have in common: one instrument, accounts, a hand-made outside market.

extension Listing {
  /// The bundled market as an instrument on its own grids.
  static func replaying(
    _ recording: Recording, start: Timestamp, speedThousandths: Int64 = 1_000
  ) throws -> Listing {
    let scale = InstrumentScale(
      price: recording.pricePlaces, quantity: recording.quantityPlaces)
    return Listing(
      instrument: .coin(scale: scale), fees: FeePolicy(places: DecimalPlaces(8)),
      outside: try OutsideMarket(
        rows: recording.rows, pricePlaces: recording.pricePlaces,
        quantityPlaces: recording.quantityPlaces, scale: scale, start: start,
        speedThousandths: speedThousandths))
  }

  /// The test instrument with a hand-made outside market, or none.
  static func coin(rows: [MarketRow] = []) throws -> Listing {
    let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
    return Listing(
      instrument: .coin(scale: scale), fees: FeePolicy(places: DecimalPlaces(8)),
      outside: rows.isEmpty
        ? nil
        : try OutsideMarket(
          rows: rows, pricePlaces: scale.price, quantityPlaces: scale.quantity, scale: scale,
          start: .zero))
  }
}

extension Instrument {
  static func coin(
    id: UInt16 = 0, scale: InstrumentScale, maker: Int64 = 10_000_000, taker: Int64 = 10_000_000
  ) -> Instrument {
    Instrument(
      id: InstrumentID(id), venue: .whitebit, kind: .spot,
      symbol: id == 0 ? "COIN_CASH" : InlineText("COIN\(id)_CASH") ?? "", base: "COIN",
      quote: "CASH", scale: scale,
      rules: InstrumentRules(
        tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 10),
        minNotional: Amount(units: 0), maxNotional: .zero, makerFee: Rate(units: maker),
        takerFee: Rate(units: taker), isTrading: true))
  }
}

extension Exchange {
  mutating func advanceOneFrame() { advance(to: nextTime) }

  /// An account with this much of each.
  mutating func account(coin: String = "100", cash: String = "1000000") throws -> AccountID {
    let opened = addAccount()
    let account = try #require(opened)
    let hasCoin = deposit(try Amount(coin), of: "COIN", to: account)
    let hasCash = deposit(try Amount(cash), of: "CASH", to: account)
    #expect(hasCoin && hasCash)
    removeAllEvents()
    return account
  }

  func money(_ account: AccountID) -> (coin: Balance, cash: Balance) {
    (balance(of: account, AssetID(0)), balance(of: account, AssetID(1)))
  }

  /// Takes what happened.
  mutating func take() -> [ExchangeEvent] {
    defer { removeAllEvents() }
    return events
  }

  mutating func limit(
    _ account: AccountID, _ side: Side, _ quantity: Int64, at price: Int64,
    at time: Timestamp = .zero, postOnly: Bool = false, immediate: Bool = false,
    selfTrade: SelfTradeMode = .allow
  ) throws(OrderRefusal) -> OrderRecord {
    try place(
      NewOrder(
        account: account, instrument: InstrumentID(0), side: side,
        size: .base(Quantity(quanta: quantity)), price: Price(quanta: price), isPostOnly: postOnly,
        isImmediate: immediate, selfTrade: selfTrade), at: time)
  }

  func depth(_ side: Side, _ limit: Int = 100) -> [[Int64]] {
    var levels: [BookLevel] = []
    appendDepth(of: InstrumentID(0), side, limit: limit, to: &levels)
    return levels.map { [$0.price.quanta, $0.quantity.quanta] }
  }

  func expectConserved(_ comment: @autoclosure () -> String = "") {
    for index in assets.indices {
      let found = conservation(of: AssetID(UInt16(index)))
      #expect(found.sum == found.deposited, "\(assets[index]) \(comment())")
    }
  }

  func working(_ account: AccountID) -> [OrderRecord] {
    var orders: [OrderRecord] = []
    forEachWorkingOrder(of: account) { orders.append($0) }
    return orders
  }

  func finished(_ account: AccountID) -> [OrderRecord] {
    var orders: [OrderRecord] = []
    forEachFinishedOrder(of: account) {
      orders.append($0)
      return true
    }
    return orders
  }

  func executions(_ account: AccountID) -> [Execution] {
    var executions: [Execution] = []
    forEachExecution(of: account) {
      executions.append($0)
      return true
    }
    return executions
  }
}

/// A recorded market written by hand, a frame a millisecond.
struct Tape {
  private(set) var rows: [MarketRow] = []
  private var frame: UInt32 = 0

  /// Levels as (price, quantity), in quanta.
  init(bids: [(Int64, Int64)], asks: [(Int64, Int64)]) {
    add(.snapshot, bids: bids, asks: asks)
  }

  mutating func levels(bids: [(Int64, Int64)] = [], asks: [(Int64, Int64)] = []) {
    add(.level, bids: bids, asks: asks)
  }

  mutating func trade(_ aggressor: Side, _ quantity: Int64, at price: Int64) {
    append(.trade, aggressor, price, quantity)
    end()
  }

  private mutating func add(
    _ kind: MarketRow.Kind, bids: [(Int64, Int64)], asks: [(Int64, Int64)]
  ) {
    for level in bids { append(kind, .buy, level.0, level.1) }
    for level in asks { append(kind, .sell, level.0, level.1) }
    end()
  }

  private mutating func append(
    _ kind: MarketRow.Kind, _ side: Side, _ price: Int64, _ quantity: Int64
  ) {
    rows.append(
      MarketRow(
        receivedAt: Timestamp(milliseconds: Int64(frame)), price: Price(quanta: price),
        quantity: Quantity(quanta: quantity), frame: frame, kind: kind, side: side,
        endsFrame: false))
  }

  private mutating func end() {
    rows[rows.count - 1].endsFrame = true
    frame += 1
  }
}
