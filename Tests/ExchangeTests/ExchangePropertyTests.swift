import MartletBase
import MartletExchange
import MartletModel
import Testing

@Suite struct ExchangePropertyTests {
  /// The plainest exchange there can be: a list of orders, searched for the best and oldest.
  private struct Naive {
    struct Order: Equatable {
      var id: UInt64
      var account: UInt16
      var side: Side
      var price: Int64
      var leaves: Int64
    }

    var orders: [Order] = []

    mutating func place(_ order: Order, immediate: Bool) -> [[Int64]] {
      var order = order
      var trades: [[Int64]] = []
      while order.leaves > 0 {
        let crossing = orders.indices.filter {
          orders[$0].side != order.side
            && (order.side == .buy
              ? orders[$0].price <= order.price : orders[$0].price >= order.price)
        }
        let best = crossing.min { left, right in
          let (a, b) = (orders[left], orders[right])
          if a.price != b.price {
            return order.side == .buy ? a.price < b.price : a.price > b.price
          }
          return a.id < b.id
        }
        guard let best else { break }
        let size = min(order.leaves, orders[best].leaves)
        trades.append([
          Int64(order.id), Int64(orders[best].id), orders[best].price, size,
        ])
        order.leaves -= size
        orders[best].leaves -= size
        if orders[best].leaves == 0 { orders.remove(at: best) }
      }
      if order.leaves > 0 && !immediate { orders.append(order) }
      return trades
    }
  }

  /// Random commands of three accounts: every trade is the naive exchange's trade, in its order.
  @Test func priceAndTimeDecideWhoTrades() throws {
    for seed in UInt64(1)...30 {
      var random = SeededRandom(seed: seed)
      var exchange = Exchange(configuration: ExchangeConfiguration(), listings: [try .coin()])
      var naive = Naive()
      for _ in 0..<3 { _ = try exchange.account() }
      for step in 0..<300 {
        let account = AccountID(UInt16(random.below(3)))
        switch random.below(10) {
        case 0..<7:
          let side: Side = random.below(2) == 0 ? .buy : .sell
          let price = 1_000 + random.integer(in: -8...8)
          let size = random.integer(in: 10...60)
          let immediate = random.below(6) == 0
          let order = try exchange.limit(account, side, size, at: price, immediate: immediate)
          let expected = naive.place(
            Naive.Order(
              id: order.id.number, account: account.index, side: side, price: price, leaves: size),
            immediate: immediate)
          let trades = exchange.take().compactMap { event -> [Int64]? in
            guard case .fill(let fill, _) = event, fill.role == .taker else { return nil }
            return [
              Int64(fill.order.number), Int64(fill.counterOrder.number), fill.price.quanta,
              fill.quantity.quanta,
            ]
          }
          #expect(trades == expected, "seed \(seed), step \(step)")
        case 7..<9:
          let own = naive.orders.filter { $0.account == account.index }
          guard !own.isEmpty else { continue }
          let chosen = own[Int(random.below(UInt64(own.count)))]
          try exchange.cancel(ExchangeOrderID(chosen.id), of: account, at: .zero)
          naive.orders.removeAll { $0.id == chosen.id }
        default:
          exchange.cancelAll(of: account, at: .zero)
          naive.orders.removeAll { $0.account == account.index }
        }
        exchange.removeAllEvents()
      }
      for account in UInt16(0)..<3 {
        let own = naive.orders.filter { $0.account == account }.sorted { $0.id < $1.id }
        #expect(
          exchange.working(AccountID(account)).map(\.leaves.quanta) == own.map(\.leaves),
          "seed \(seed)")
      }
      exchange.expectConserved("seed \(seed)")
    }
  }

  /// Whatever is asked, in whatever market: nothing is made, nothing is lost, nobody owes, and what
  /// an account holds frozen is exactly what its working orders need. (A debt would trap.)
  @Test func moneyIsConservedAndFrozenExactly() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      var tape = Tape(bids: [(990, 500), (985, 900)], asks: [(1_010, 500), (1_020, 800)])
      for _ in 0..<200 {
        let middle = 1_000 + random.integer(in: -15...15)
        switch random.below(3) {
        case 0:
          tape.trade(random.below(2) == 0 ? .buy : .sell, random.integer(in: 1...400), at: middle)
        case 1:
          tape.levels(bids: [(middle - random.integer(in: 1...9), random.integer(in: 0...600))])
        default:
          tape.levels(asks: [(middle + random.integer(in: 1...9), random.integer(in: 0...600))])
        }
      }
      var exchange = Exchange(
        configuration: ExchangeConfiguration(), listings: [try .coin(rows: tape.rows)])
      exchange.advanceOneFrame()
      for _ in 0..<3 { _ = try exchange.account(coin: "0.01", cash: "0.1") }
      for step in 0..<400 {
        let now = Timestamp(milliseconds: Int64(step) / 2)
        let account = AccountID(UInt16(random.below(3)))
        randomCommand(&exchange, account, &random, at: now)
        exchange.expectConserved("seed \(seed), step \(step)")
        for account in (UInt16(0)..<3).map(AccountID.init) {
          var cash = Amount.zero
          var coin = Amount.zero
          for order in exchange.working(account) {
            if order.side == .buy { cash += order.reserved } else { coin += order.reserved }
          }
          let money = exchange.money(account)
          #expect(money.cash.frozen == cash && money.coin.frozen == coin, "seed \(seed)")
        }
        exchange.removeAllEvents()
      }
    }
  }

  private func randomCommand(
    _ exchange: inout Exchange, _ account: AccountID, _ random: inout SeededRandom,
    at now: Timestamp
  ) {
    let side: Side = random.below(2) == 0 ? .buy : .sell
    let price = Price(quanta: 1_000 + random.integer(in: -20...20))
    var order = NewOrder(
      account: account, instrument: InstrumentID(0), side: side,
      size: .base(Quantity(quanta: random.integer(in: 1...900))), price: price)
    order.selfTrade = SelfTradeMode(rawValue: UInt8(random.below(4))) ?? .allow
    switch random.below(10) {
    case 0: order.kind = .market
    case 1:
      order.kind = .market
      order.side = .buy
      order.size = .quote(Amount(units: powerOfTen(14) * Int128(random.integer(in: 1...9_000))))
    case 2:
      order.kind = .stopLimit
      order.trigger = Price(quanta: 1_000 + random.integer(in: -20...20))
      order.condition = side == .buy ? .atOrAbove : .atOrBelow
    case 3: order.isPostOnly = true
    case 4: order.isImmediate = true
    case 5:
      if let own = exchange.working(account).first {
        _ = try? exchange.cancel(own.id, of: account, at: now)
      }
      return
    case 6:
      if let own = exchange.working(account).last {
        _ = try? exchange.modify(own.id, of: account, OrderChange(price: price), at: now)
      }
      return
    case 7 where random.below(10) == 0:
      exchange.cancelAll(of: account, at: now)
      return
    default: break
    }
    // A refusal is an answer too; what must hold is checked after each.
    _ = try? exchange.place(order, at: now)
  }

  /// The ladder with its far levels against a sorted list, over rows near, far and sliding.
  @Test func theRecordedBookIsWhatASortedListSays() throws {
    for seed in UInt64(1)...12 {
      var random = SeededRandom(seed: seed)
      var middle: Int64 = 1_000_000
      var sides: [[Int64: Int64]] = [[:], [:]]
      var tape = Tape(bids: [(middle - 1, 10)], asks: [(middle + 1, 10)])
      sides[0][middle - 1] = 10
      sides[1][middle + 1] = 10
      var expected: [[[[Int64]]]] = []
      for _ in 0..<400 {
        // Sometimes the market jumps further than the ladder is wide.
        middle +=
          random.below(20) == 0 ? random.integer(in: -900...900) : random.integer(in: -3...3)
        var bids: [(Int64, Int64)] = []
        var asks: [(Int64, Int64)] = []
        func put(_ side: Int, _ price: Int64, _ quantity: Int64) {
          if side == 0 { bids.append((price, quantity)) } else { asks.append((price, quantity)) }
          sides[side][price] = quantity == 0 ? nil : quantity
        }
        // Whatever would cross leaves, as it does in a real frame.
        for price in sides[0].keys.sorted() where price >= middle { put(0, price, 0) }
        for price in sides[1].keys.sorted() where price <= middle { put(1, price, 0) }
        for _ in 0..<8 {
          let depth =
            random.below(4) == 0 ? random.integer(in: 1...2_000) : random.integer(in: 1...40)
          let quantity = random.below(3) == 0 ? 0 : random.integer(in: 1...99)
          if random.below(2) == 0 {
            put(0, middle - depth, quantity)
          } else {
            put(1, middle + depth, quantity)
          }
        }
        tape.levels(bids: bids, asks: asks)
        expected.append([
          sides[0].keys.sorted(by: >).map { [$0, sides[0][$0] ?? 0] },
          sides[1].keys.sorted().map { [$0, sides[1][$0] ?? 0] },
        ])
      }
      var configuration = ExchangeConfiguration()
      configuration.ladderTicks = 128
      var exchange = Exchange(
        configuration: configuration, listings: [try .coin(rows: tape.rows)])
      exchange.advanceOneFrame()
      for (step, levels) in expected.enumerated() {
        exchange.advanceOneFrame()
        let found = [exchange.depth(.buy, 10_000), exchange.depth(.sell, 10_000)]
        guard found == levels else {
          Issue.record("seed \(seed), step \(step)")
          return
        }
        let best = exchange.best(.buy, of: InstrumentID(0))?.price.quanta
        #expect(best == levels[0].first?[0], "seed \(seed), step \(step)")
      }
    }
  }
}
