public import MartletBase
internal import MartletBook
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategy
internal import MartletVenueKit

/// A flatten under way: our orders are canceled first; then what fills have added to or taken from
/// the inventory we began with is traded back, market by market.
@frozen public struct Flattening: Equatable, Sendable, BitwiseCopyable {
  /// After this long it is given up, whatever is left.
  public static var patience: TimeSpan { .seconds(60) }
  /// Between two orders, so that the book can answer the first.
  static var interval: TimeSpan { .milliseconds(250) }
  /// How far through the book's best price an order may trade, as a share of it: it ends at once, so
  /// this bounds the price and not the time.
  static var slip: Int64 { 100 }  // One hundredth.

  public let endsAt: Timestamp
  /// When the next order may be placed, or the state looked at anew.
  public internal(set) var nextAt: Timestamp
  /// Orders placed for it.
  public internal(set) var orders: UInt32 = 0
}

/// What there is to trade back in one market.
enum Excess {
  /// Nothing that the venue's rules would take.
  case none
  /// There is something, and it cannot be traded now: no price, or nothing free to sell.
  case unknown
  case order(OrderIntent)
}

extension Kernel where Session: ~Copyable {
  /// What its orders are placed for: no strategy, so that none answers its fills.
  var flattenStrategy: StrategyID {
    var last: UInt16 = 0
    for index in strategies.indices { last = max(last, strategies[index].id.index) }
    return StrategyID(last + 1)
  }

  mutating func beginFlatten() {
    if !isPaused {
      isPaused = true
      note(.paused(true))
    }
    if flattening != nil { return }
    flattening = Flattening(endsAt: now + Flattening.patience, nextAt: now)
    retreat()
  }

  /// Goes on with a flatten as far as it can now.
  mutating func flattenOn() {
    guard let current = flattening else { return }
    guard current.endsAt > now else { return endFlatten(isWhole: false) }
    guard current.nextAt <= now else { return }
    flattening?.nextAt = now + Flattening.interval
    // Until the last of ours has ended it is not known what there is to trade back.
    guard isReady, orders.workingCount == 0 else { return }
    var isWhole = true
    for market in markets.indices {
      switch excess(in: market) {
      case .none: break
      case .unknown: isWhole = false
      case .order(let intent):
        isWhole = false
        refusals.removeAll(keepingCapacity: true)
        flattening?.orders += 1
        // What Risk refuses is tried again until the patience ends; its numbers are in the notes.
        consider(intent, market)
      }
    }
    drain()
    if isWhole { endFlatten(isWhole: true) }
  }

  mutating func endFlatten(isWhole: Bool) {
    flattening = nil
    note(.flattened(isWhole: isWhole))
    if isWhole { for market in markets.indices { tellFlat(market) } }
  }

  /// What brings the inventory of one market back, as one order that ends at once: as much of it as one
  /// order may be, and of a sell no more than the account has free.
  ///
  /// - Parameter only: the side that it must be of; any when nil.
  mutating func excess(in market: Int, of only: Side? = nil) -> Excess {
    guard let instrument = markets[market].instrument else { return .none }
    if instrument.isContract { return contractExcess(in: market, instrument, of: only) }
    let rules = instrument.rules
    let held = portfolio.position(account, instrument.id).held(instrument.scale)
    let side: Side = held > .zero ? .sell : .buy
    if let only, only != side { return .none }
    let scale = instrument.scale
    func lots(_ quanta: Int128) -> Int64 { Int64(clamping: quanta) / rules.lotStep * rules.lotStep }
    let whole = lots((held > .zero ? held.units : -held.units) / scale.quantityFactor)
    guard whole > 0, whole >= rules.minQuantity.quanta else { return .none }
    guard let price = closingPrice(in: market, rules, side)?.quanta else { return .unknown }
    func value(_ quanta: Int64) -> Amount {
      scale.notional(of: Quantity(quanta: quanta), at: Price(quanta: price))
    }
    guard value(whole) >= rules.minNotional else { return .none }
    var most = Int128(whole)
    if side == .sell {
      let free = portfolio.free(account, instrument.base) ?? .zero
      most = min(most, free.units / scale.quantityFactor)
    }
    let each = Int128(price) * scale.notionalFactor
    if let limit = risk.limits.maxOrderNotional { most = min(most, limit.units / each) }
    if rules.maxNotional != .zero { most = min(most, rules.maxNotional.units / each) }
    let quanta = lots(most)
    guard quanta > 0, quanta >= rules.minQuantity.quanta, value(quanta) >= rules.minNotional else {
      return .unknown
    }
    return .order(
      OrderIntent(
        strategy: flattenStrategy, account: account, instrument: instrument.id, side: side,
        price: Price(quanta: price), quantity: Quantity(quanta: quanta), timeInForce: .ioc,
        isReduceOnly: true))
  }

  /// How far through a market's best price such an order may trade, on the tick; nil when there is none.
  func closingPrice(in market: Int, _ rules: InstrumentRules, _ side: Side) -> Price? {
    guard rules.isTrading, let top = markets[market].book.top,
      let best = side == .sell ? top.bid : top.ask, best.quanta > 0
    else { return nil }
    // Well within what Risk lets through at all.
    let band = Int128(best.quanta) * Int128(risk.limits.priceBand.units) / 2
    let slip = min(
      best.quanta / Flattening.slip, Int64(clamping: band / powerOfTen(Rate.places)))
    let raw = side == .sell ? best.quanta - slip : best.quanta + slip
    // Onto the tick, towards the book's best.
    let price =
      side == .sell
      ? (raw + rules.tickSize - 1) / rules.tickSize * rules.tickSize
      : raw / rules.tickSize * rules.tickSize
    return price > 0 ? Price(quanta: price) : nil
  }
}
