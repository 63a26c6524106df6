import MartletBase
import MartletGrid
import MartletModel
import MartletPortfolio
import MartletStrategy

@testable import MartletBook

/// Plays kernel and exchange for one grid, order by order, with no wire between them.
///
/// Orders are taken at once unless `refuses` says otherwise. Nothing fills by itself: a test fills,
/// cancels, or moves the market.
struct GridHarness {
  struct Order: Equatable {
    var view: OrderView
    /// Fills told, net of a fee taken in the base asset.
    var netBase: Amount
  }

  var instrument: Instrument
  var strategy: GridStrategy
  var intents = Intents()
  var orders: [Order] = []
  var now = Timestamp(milliseconds: 1_700_000_000_000)
  var top: TrustedTop?
  var lastPrice: Price?
  var base: Amount
  var quote: Amount
  var wakeAt = Timestamp.distantFuture
  /// Why an intent is not let through; nil lets it.
  var refuses: (OrderIntent) -> RefusalReason? = { _ in nil }
  /// Of each fill, in the asset that the harness is told to take it in.
  var feeRate = Rate.zero
  var takesFeeInBase = false

  // What a test adds up on its own.
  var placed: [OrderIntent] = []
  var canceledByStrategy: [ClientOrderID] = []
  var refused: [OrderIntent] = []
  var quoteFees = Amount.zero
  var fills = 0
  /// Whether the last change of settings was taken.
  var isTaken = false

  static func instrument(
    pricePlaces: Int = 2, quantityPlaces: Int = 6, tick: Int64 = 1, lot: Int64 = 1,
    minQuantity: Int64 = 1, minNotional: Amount = .zero
  ) -> Instrument {
    Instrument(
      id: InstrumentID(0), venue: .whitebit, kind: .spot, symbol: "DBTC_DUSDT", base: "DBTC",
      quote: "DUSDT",
      scale: InstrumentScale(
        price: DecimalPlaces(pricePlaces), quantity: DecimalPlaces(quantityPlaces)),
      rules: InstrumentRules(
        tickSize: tick, lotStep: lot, minQuantity: Quantity(quanta: minQuantity),
        minNotional: minNotional, maxNotional: .zero, makerFee: .zero, takerFee: .zero,
        isTrading: true))
  }

  static func amount(_ text: String) -> Amount {
    do throws(DecimalText.Fault) {
      return try DecimalText.parseAmount(Array(text.utf8).span)
    } catch {
      preconditionFailure("\(text) is no amount: \(error)")
    }
  }

  init(
    _ settings: GridSettings = GridSettings(), instrument: Instrument = GridHarness.instrument(),
    base: String = "10", quote: String = "10000000"
  ) throws {
    self.instrument = instrument
    strategy = try GridStrategy(settings: settings, instrument: instrument)
    self.base = Self.amount(base)
    self.quote = Self.amount(quote)
  }

  // MARK: Telling

  var working: [OrderView] { orders.map(\.view).filter { !$0.state.isTerminal } }

  private typealias Call = (inout GridStrategy, borrowing StrategyContext, inout Intents) -> Void

  private mutating func call(_ body: Call) {
    intents.removeAll()
    ask(body)
    var rounds = 0
    while true {
      rounds += 1
      precondition(rounds < 10, "the grid asks in a tight loop")
      wakeAt = wakeAt <= now ? intents.wakeAt : min(wakeAt, intents.wakeAt)
      for id in intents.cancels {
        canceledByStrategy.append(id)
        guard let index = orders.firstIndex(where: { $0.view.clientOrderID == id }) else {
          continue
        }
        orders[index].view.state = .pendingCancel
      }
      let asked = intents.places
      intents.removeAll()
      var now: [(Int64, RefusalReason)] = []
      for intent in asked {
        if let reason = refuses(intent) {
          refused.append(intent)
          now.append((intent.tag, reason))
        } else {
          take(intent)
        }
      }
      if now.isEmpty { return }
      for (tag, reason) in now {
        ask { $0.onRefusal(tag: tag, reason: reason, $1, intents: &$2) }
      }
    }
  }

  private mutating func ask(_ body: Call) {
    let context = StrategyContext(
      now: now, strategy: StrategyID(0), account: AccountID(0), instrument: instrument, top: top,
      lastPrice: lastPrice,
      position: Position(account: AccountID(0), instrument: instrument.id),
      base: Balance(account: AccountID(0), asset: instrument.base, available: base, frozen: .zero),
      quote: Balance(
        account: AccountID(0), asset: instrument.quote, available: quote, frozen: .zero),
      working: working)
    body(&strategy, context, &intents)
  }

  private mutating func take(_ intent: OrderIntent) {
    placed.append(intent)
    guard let text = InlineText("o\(placed.count)") else { preconditionFailure("id") }
    if intent.side == .sell {
      base = base - instrument.scale.amount(of: intent.quantity)
    }
    orders.append(
      Order(
        view: OrderView(
          clientOrderID: ClientOrderID(text), instrument: intent.instrument, side: intent.side,
          price: intent.price, quantity: intent.quantity, cumulative: .zero, state: .open,
          tag: intent.tag),
        netBase: .zero))
  }

  /// Gives the grid other settings, then the next book, as the kernel does.
  mutating func change(to settings: GridSettings) {
    var writer = SnapshotWriter()
    settings.write(to: &writer)
    let coded = writer.bytes.copy()
    var isTaken = false
    call { isTaken = $0.onSettings(coded.span, $1, intents: &$2) }
    self.isTaken = isTaken
    if isTaken { book() }
  }

  /// Every cancel that was asked for is carried out.
  mutating func endCanceled() {
    for index in orders.indices where orders[index].view.state == .pendingCancel { end(index) }
  }

  mutating func ready() { call { $0.onReady($1, intents: &$2) } }
  mutating func book() { call { $0.onBook($1, intents: &$2) } }
  mutating func news(_ order: OrderView) { call { $0.onOrder(order, $1, intents: &$2) } }

  /// Lets time pass, waking the grid when it asked for it.
  mutating func pass(_ span: TimeSpan) {
    let end = now + span
    var wakes = 0
    while wakeAt <= end {
      wakes += 1
      precondition(wakes < 10_000, "the grid wakes in a tight loop")
      now = max(now, wakeAt)
      wakeAt = .distantFuture
      call { $0.onTimer($1, intents: &$2) }
    }
    now = end
  }

  /// A trusted book around `price`, and the last trade there.
  mutating func market(at price: Price) {
    lastPrice = price
    top = TrustedTop(
      bid: price.advanced(by: -1), bidQuantity: Quantity(quanta: 1_000),
      ask: price.advanced(by: 1), askQuantity: Quantity(quanta: 1_000))
  }

  // MARK: What the exchange does

  /// Fills part of an order at its price; by itself this ends the order when nothing is left.
  mutating func fill(_ index: Int, _ quantity: Quantity) {
    let view = orders[index].view
    let scale = instrument.scale
    let amount = scale.amount(of: quantity)
    let value = scale.notional(of: quantity, at: view.price)
    var fee = feeRate.of(takesFeeInBase && view.side == .buy ? amount : value, rounded: .up)
    var feeAsset = instrument.quote
    var netBase = amount
    if takesFeeInBase && view.side == .buy {
      feeAsset = instrument.base
      netBase = amount - fee
    } else if feeRate == .zero {
      fee = .zero
    } else {
      quoteFees = quoteFees + fee
      quote = quote - fee
    }
    fills += 1
    orders[index].view.cumulative = view.cumulative + quantity
    orders[index].netBase = orders[index].netBase + netBase
    if orders[index].view.leaves == .zero { orders[index].view.state = .filled }
    switch view.side {
    case .buy:
      base = base + netBase
      quote = quote - value
    case .sell: quote = quote + value
    }
    let told = Fill(
      account: AccountID(0), instrument: instrument.id, clientOrderID: view.clientOrderID,
      venueOrderID: VenueOrderID(low: UInt64(index + 1)), tradeID: TradeID(low: UInt64(fills)),
      side: view.side, price: view.price, quantity: quantity, fee: fee, feeAsset: feeAsset,
      role: .maker, exchangeTime: now, source: .stream)
    let after = orders[index].view
    call { $0.onFill(told, order: after, $1, intents: &$2) }
    // As the kernel does: the order's own news follows the fill that moved it.
    news(after)
  }

  mutating func fillWhole(_ index: Int) { fill(index, orders[index].view.leaves) }

  mutating func end(_ index: Int, as state: OrderState = .canceled) {
    if orders[index].view.side == .sell {
      base = base + instrument.scale.amount(of: orders[index].view.leaves)
    }
    orders[index].view.state = state
    news(orders[index].view)
  }

  /// The market trades through to `price`: every order it reaches fills whole, best first, and so do
  /// those that follow from it.
  mutating func trade(to price: Price) {
    market(at: price)
    while let index = firstReached(by: price) { fillWhole(index) }
    book()
  }

  private func firstReached(by price: Price) -> Int? {
    var best: Int?
    for (index, order) in orders.enumerated() where !order.view.state.isTerminal {
      let isReached =
        order.view.side == .buy ? order.view.price >= price : order.view.price <= price
      guard isReached else { continue }
      if let found = best {
        let other = orders[found].view
        guard order.view.side == other.side, order.view.price != other.price else { continue }
        if (order.view.price > other.price) == (other.side == .buy) { best = index }
      } else {
        best = index
      }
    }
    return best
  }

  // MARK: Looking

  /// The gap, counted from the center, that an order's mark names.
  static func gap(of tag: Int64) -> Int { Int(tag & 0xffff) - 101 }

  func workingIndex(_ side: Side, at price: Int64) -> Int? {
    orders.firstIndex {
      !$0.view.state.isTerminal && $0.view.side == side && $0.view.price.quanta == price
    }
  }

  var prices: (buys: [Int64], sells: [Int64]) {
    (
      working.filter { $0.side == .buy }.map(\.price.quanta).sorted(by: >),
      working.filter { $0.side == .sell }.map(\.price.quanta).sorted()
    )
  }
}
