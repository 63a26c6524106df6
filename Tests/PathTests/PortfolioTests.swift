import MartletBase
import MartletModel
import MartletOrders
import MartletPortfolio
import Testing

@Suite struct PortfolioTests {
  static let instrument = Desk.instrument()

  static func amount(_ text: String) -> Amount {
    do { return try Amount(text) } catch { preconditionFailure("\(text) is no amount") }
  }

  /// A portfolio with what the venue told and was taken.
  static func portfolio(base: String = "0", quote: String = "0") -> Portfolio {
    var portfolio = Portfolio()
    for (asset, total) in [("DBTC" as InlineText, base), ("DUSDT", quote)] {
      portfolio.tell(
        Balance(account: Desk.account, asset: asset, available: amount(total), frozen: .zero),
        at: Desk.time(0))
      portfolio.adopt(Desk.account, asset, at: Desk.time(0))
    }
    return portfolio
  }

  static func fill(
    _ side: Side, _ quantity: Int64, at price: Int64, fee: String = "0",
    in feeAsset: InlineText = "DUSDT"
  ) -> Fill {
    Desk.fill(
      ClientOrderID("a"), quantity, trade: 1, price: price, side: side, fee: amount(fee),
      feeAsset: feeAsset)
  }

  static func book(_ fills: [Fill]) -> Position {
    var portfolio = Portfolio()
    for fill in fills { portfolio.book(fill, of: instrument, at: Desk.time(0)) }
    return portfolio.position(Desk.account, instrument.id)
  }

  // MARK: Positions

  @Test func aRoundTripRealizesItsProfitExactly() {
    // 0.001 at 60,000.00, sold at 60,050.00.
    let position = PortfolioTests.book([
      PortfolioTests.fill(.buy, 1_000, at: 6_000_000, fee: "0.000001", in: "DBTC"),
      PortfolioTests.fill(.sell, 1_000, at: 6_005_000, fee: "0.06005"),
    ])
    #expect(position.net == .zero && position.cost == .zero)
    #expect(position.realized == PortfolioTests.amount("0.05"))
    #expect(position.baseFees == PortfolioTests.amount("0.000001"))
    #expect(position.quoteFees == PortfolioTests.amount("0.06005"))
    let mark = Price(quanta: 6_000_000)
    #expect(
      position.profit(at: mark, PortfolioTests.instrument.scale)
        == PortfolioTests.amount("-0.07005"))
  }

  @Test func theAverageCostLeavesWithTheShareThatIsClosed() {
    let bought = [
      PortfolioTests.fill(.buy, 1_000, at: 6_000_000),
      PortfolioTests.fill(.buy, 3_000, at: 6_400_000),
    ]
    let open = PortfolioTests.book(bought)
    #expect(open.net.quanta == 4_000 && open.cost == PortfolioTests.amount("252"))
    #expect(
      open.unrealized(at: Price(quanta: 6_500_000), PortfolioTests.instrument.scale)
        == PortfolioTests.amount("8"))
    let position = PortfolioTests.book(
      bought + [PortfolioTests.fill(.sell, 1_000, at: 6_500_000)])
    // A quarter of 252 goes: 65 − 63.
    #expect(position.cost == PortfolioTests.amount("189"))
    #expect(position.realized == PortfolioTests.amount("2"))
  }

  @Test func aShareOfCostThatDoesNotComeOutEvenIsRoundedAgainstUs() {
    let whole = InstrumentScale(price: DecimalPlaces(10), quantity: DecimalPlaces(10))
    let instrument = Desk.instrument(price: 10, quantity: 10)
    #expect(instrument.scale == whole && whole.notionalFactor == 1)
    for (opening, closing) in [(Side.buy, Side.sell), (.sell, .buy)] {
      var portfolio = Portfolio()
      // Three for 1 + 1 + 2 quanta of value: a third of 4 is 1⅓.
      for price in [Int64(1), 1, 2] {
        portfolio.book(
          PortfolioTests.fill(opening, 1, at: price), of: instrument, at: Desk.time(0))
      }
      var realized: [Int128] = []
      for _ in 0..<3 {
        portfolio.book(PortfolioTests.fill(closing, 1, at: 4), of: instrument, at: Desk.time(0))
        realized.append(portfolio.position(Desk.account, instrument.id).realized.units)
      }
      // Bought: 4 − 2, then what is left. Sold: 1 − 4, then what is left. Whole in the end.
      #expect(realized == (opening == .buy ? [2, 5, 8] : [-3, -6, -8]))
      #expect(portfolio.position(Desk.account, instrument.id).cost == .zero)
    }
  }

  @Test func goingThroughZeroClosesAllAndOpensTheRest() {
    let position = PortfolioTests.book([
      PortfolioTests.fill(.buy, 1_000, at: 6_000_000),
      PortfolioTests.fill(.sell, 3_000, at: 6_100_000),
    ])
    #expect(position.net.quanta == -2_000)
    #expect(position.realized == PortfolioTests.amount("1"))
    #expect(position.cost == PortfolioTests.amount("-122"))
  }

  @Test("T14: what can be sold after a buy is net of the fee taken in base")
  func whatCanBeSoldIsNetOfTheBaseFee() {
    var portfolio = PortfolioTests.portfolio(quote: "100")
    portfolio.book(
      PortfolioTests.fill(.buy, 1_000, at: 6_000_000, fee: "0.000001", in: "DBTC"),
      of: PortfolioTests.instrument, at: Desk.time(1))
    let position = portfolio.position(Desk.account, PortfolioTests.instrument.id)
    #expect(position.held(PortfolioTests.instrument.scale) == PortfolioTests.amount("0.000999"))
    #expect(portfolio.free(Desk.account, "DBTC") == PortfolioTests.amount("0.000999"))
    #expect(portfolio.free(Desk.account, "DUSDT") == PortfolioTests.amount("40"))
  }

  @Test func feesInAThirdAssetTouchNeitherPositionNorPair() {
    var portfolio = PortfolioTests.portfolio(quote: "100")
    portfolio.book(
      PortfolioTests.fill(.buy, 1_000, at: 6_000_000, fee: "0.5", in: "WBT"),
      of: PortfolioTests.instrument, at: Desk.time(1))
    let position = portfolio.position(Desk.account, PortfolioTests.instrument.id)
    #expect(position.baseFees == .zero && position.quoteFees == .zero)
    let entry = portfolio.ledger(Desk.account, "WBT")
    #expect(entry?.expected == PortfolioTests.amount("-0.5"))
    #expect(entry?.fees == PortfolioTests.amount("0.5") && entry?.free == .zero)
  }

  // MARK: Ledger

  @Test func workingOrdersHoldTheirValueUntilTheyFillOrEnd() {
    var portfolio = PortfolioTests.portfolio(base: "0.01", quote: "1000")
    var order = OrderView(
      clientOrderID: ClientOrderID("a"), instrument: PortfolioTests.instrument.id, side: .buy,
      price: Price(quanta: 6_000_000), quantity: Quantity(quanta: 1_000), cumulative: .zero,
      state: .pendingNew, tag: 0)
    var before = order
    func free(_ portfolio: borrowing Portfolio, _ asset: InlineText) -> String {
      portfolio.free(Desk.account, asset)?.description ?? "unknown"
    }
    portfolio.orderChanged(Desk.account, PortfolioTests.instrument, before: nil, after: order)
    #expect(free(portfolio, "DUSDT") == "940" && free(portfolio, "DBTC") == "0.01")
    order.state = .open
    order.cumulative = Quantity(quanta: 400)
    portfolio.book(
      PortfolioTests.fill(.buy, 400, at: 5_900_000), of: PortfolioTests.instrument,
      at: Desk.time(1))
    portfolio.orderChanged(Desk.account, PortfolioTests.instrument, before: before, after: order)
    // 23.6 spent, 36 still held.
    #expect(free(portfolio, "DUSDT") == "940.4" && free(portfolio, "DBTC") == "0.0104")
    before = order
    order.state = .canceled
    portfolio.orderChanged(Desk.account, PortfolioTests.instrument, before: before, after: order)
    #expect(free(portfolio, "DUSDT") == "976.4")
    #expect(portfolio.ledger(Desk.account, "DUSDT")?.reserved == .zero)
    var sell = order
    sell.side = .sell
    sell.state = .open
    sell.cumulative = .zero
    portfolio.orderChanged(Desk.account, PortfolioTests.instrument, before: nil, after: sell)
    #expect(free(portfolio, "DBTC") == "0.0094")
    #expect(portfolio.balance(Desk.account, "DBTC").frozen == PortfolioTests.amount("0.001"))
    // Filled beyond its quantity it holds nothing, not less than nothing.
    var over = sell
    over.cumulative = Quantity(quanta: 1_200)
    portfolio.orderChanged(Desk.account, PortfolioTests.instrument, before: sell, after: over)
    #expect(portfolio.ledger(Desk.account, "DBTC")?.reserved == .zero)
  }

  @Test func nothingIsFreeBeforeTheVenuesWordIsTaken() {
    var portfolio = Portfolio()
    #expect(portfolio.free(Desk.account, "DUSDT") == nil)
    portfolio.tell(
      Balance(
        account: Desk.account, asset: "DUSDT", available: PortfolioTests.amount("5"),
        frozen: PortfolioTests.amount("3")), at: Desk.time(0))
    #expect(portfolio.free(Desk.account, "DUSDT") == nil)
    #expect(portfolio.difference(Desk.account, "DUSDT") == nil)
    portfolio.adopt(Desk.account, "DUSDT", at: Desk.time(1))
    // What others froze stays theirs.
    #expect(portfolio.free(Desk.account, "DUSDT") == PortfolioTests.amount("5"))
    #expect(portfolio.difference(Desk.account, "DUSDT") == .zero)
    // A venue that lists no zeros says zero by silence.
    portfolio.adopt(Desk.account, "DBTC", at: Desk.time(1))
    #expect(portfolio.free(Desk.account, "DBTC") == .zero)
  }

  @Test("C20: a transfer is a difference, then neither profit nor drawdown")
  func aTransferIsNeitherProfitNorDrawdown() {
    var portfolio = PortfolioTests.portfolio(base: "1", quote: "1000")
    let instrument = PortfolioTests.instrument
    func mark(_ portfolio: inout Portfolio, _ price: Int64) -> EquityTrack? {
      portfolio.mark(Desk.account, instrument, at: Price(quanta: price), now: Desk.time(price))
    }
    #expect(mark(&portfolio, 100_000)?.current == PortfolioTests.amount("2000"))
    #expect(mark(&portfolio, 110_000)?.profit == PortfolioTests.amount("100"))
    #expect(mark(&portfolio, 80_000)?.drawdown == PortfolioTests.amount("300"))
    #expect(mark(&portfolio, 90_000)?.deepest == PortfolioTests.amount("300"))
    portfolio.tell(
      Balance(
        account: Desk.account, asset: "DUSDT", available: PortfolioTests.amount("400"),
        frozen: .zero), at: Desk.time(3))
    #expect(portfolio.difference(Desk.account, "DUSDT") == PortfolioTests.amount("-600"))
    let added = portfolio.adopt(Desk.account, "DUSDT", at: Desk.time(4))
    portfolio.transferred(added, of: "DUSDT", Desk.account, instrument)
    #expect(portfolio.difference(Desk.account, "DUSDT") == .zero)
    let entry = portfolio.ledger(Desk.account, "DUSDT")
    #expect(entry?.transfers == PortfolioTests.amount("-600"))
    let track = mark(&portfolio, 90_000)
    #expect(track?.current == PortfolioTests.amount("1300"))
    #expect(track?.profit == PortfolioTests.amount("-100"))
    #expect(track?.drawdown == PortfolioTests.amount("200"))
    #expect(track?.deepest == PortfolioTests.amount("300"))
  }

  @Test func equityIsUnknownBeforeBothAssetsAre() {
    var portfolio = Portfolio()
    portfolio.adopt(Desk.account, "DUSDT", at: Desk.time(0))
    #expect(
      portfolio.mark(
        Desk.account, PortfolioTests.instrument, at: Price(quanta: 1), now: Desk.time(0)) == nil)
  }

  @Test func foreignFillsMoveTheLedgerAndNoPosition() {
    var portfolio = PortfolioTests.portfolio(base: "1", quote: "1000")
    portfolio.bookForeign(
      PortfolioTests.fill(.sell, 1_000, at: 6_000_000, fee: "0.06"),
      of: PortfolioTests.instrument, at: Desk.time(1))
    #expect(
      portfolio.position(Desk.account, PortfolioTests.instrument.id)
        == Position(account: Desk.account, instrument: PortfolioTests.instrument.id))
    #expect(portfolio.free(Desk.account, "DUSDT") == PortfolioTests.amount("1059.94"))
  }

  @Test func aFullLedgerIgnoresAndCounts() {
    var portfolio = Portfolio(capacity: 2)
    for asset in ["A", "B", "C", "D"] as [InlineText] {
      portfolio.tell(
        Balance(account: Desk.account, asset: asset, available: .zero, frozen: .zero),
        at: Desk.time(0))
    }
    #expect(portfolio.balancesIgnored == 2 && portfolio.allEntries.count == 2)
  }

  // MARK: Properties

  /// Cost less profit is the signed value of all fills, to the last digit, however they come; flat
  /// means no cost; and what is kept back by rounding is never for us.
  @Test func costLessProfitIsTheValueOfAllFills() {
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      let instrument = Desk.instrument(
        price: Int(random.integer(in: 0...8)), quantity: Int(random.integer(in: 3...8)))
      var portfolio = Portfolio()
      var net: Int64 = 0
      var value = Amount.zero
      for _ in 0..<60 {
        let side: Side = random.chance(1, in: 2) ? .buy : .sell
        let quantity =
          net != 0 && random.chance(1, in: 6) ? abs(net) : random.integer(in: 1...100_000)
        let fill = PortfolioTests.fill(
          side, quantity, at: random.integer(in: 1...10_000_000))
        let sign: Int64 = side == .buy ? 1 : -1
        let before = portfolio.position(Desk.account, instrument.id)
        portfolio.book(fill, of: instrument, at: Desk.time(0))
        net += sign * quantity
        let signed = instrument.scale.notional(of: fill.quantity, at: fill.price)
        value = value + (side == .buy ? signed : -signed)
        let position = portfolio.position(Desk.account, instrument.id)
        #expect(position.net.quanta == net, "seed \(seed)")
        #expect(position.cost - position.realized == value, "seed \(seed)")
        #expect(position.cost.units.signum() == Int128(net.signum()), "seed \(seed)")
        if before.net.quanta.signum() * Int64(sign) < 0 && abs(before.net.quanta) > quantity {
          // Part of it closed: profit × |net| ≤ value × |net| − cost × closed, less than one off.
          let gain = position.realized - before.realized
          let ours = (side == .sell ? signed : -signed)
          let exact = (ours.units - gain.units) * Int128(abs(before.net.quanta))
          let share = before.cost.units * Int128(quantity)
          #expect(exact >= share && exact - share < Int128(abs(before.net.quanta)), "seed \(seed)")
        }
      }
    }
  }

  @Test(
    "M7 M62 M79: over any interleaving the ledger equals the venue's and every order ends as it did"
  )
  func noDriftOverAnyInterleaving() throws {
    for seed in UInt64(1)...60 {
      var world = try LedgerWorld(seed: seed)
      try world.trade()
      world.settle()
      let portfolio = world.portfolio.position(Desk.account, InstrumentID(0))
      #expect(portfolio.net.quanta == world.truePosition, "seed \(seed)")
      #expect(portfolio.baseFees == world.trueBaseFees, "seed \(seed)")
      #expect(world.bench.store.isQuiescent == true, "seed \(seed)")
      for (asset, total) in [("DBTC" as InlineText, world.trueBase), ("DUSDT", world.trueQuote)] {
        let entry = world.portfolio.ledger(Desk.account, asset)
        #expect(entry?.expected == total, "seed \(seed): \(asset)")
        #expect(entry?.reserved == world.trueFrozen(asset), "seed \(seed): \(asset)")
      }
      for order in world.orders {
        let state = world.bench.state(order.id)
        #expect(state == order.trueState, "seed \(seed): \(order)")
        #expect(world.bench.cumulative(order.id) == order.cumulative, "seed \(seed): \(order)")
      }
    }
  }

  @Test func whatWasWrittenIsReadBack() throws {
    var world = try LedgerWorld(seed: 9)
    try world.trade()
    world.portfolio.tell(
      Balance(
        account: Desk.account, asset: "DUSDT", available: PortfolioTests.amount("1"),
        frozen: .zero), at: Desk.time(5))
    world.portfolio.mark(
      Desk.account, PortfolioTests.instrument, at: Price(quanta: 5), now: Desk.time(6))
    var writer = SnapshotWriter()
    world.portfolio.write(to: &writer)
    var copy = Portfolio()
    var reader = SnapshotReader(writer.bytes.copy())
    try copy.read(from: &reader)
    #expect(reader.isAtEnd)
    #expect(copy.allPositions == world.portfolio.allPositions)
    #expect(copy.allEntries == world.portfolio.allEntries)
    #expect(
      copy.track(Desk.account, InstrumentID(0))
        == world.portfolio.track(Desk.account, InstrumentID(0)))
    var again = SnapshotWriter()
    copy.write(to: &again)
    #expect(again.bytes.copy() == writer.bytes.copy())
  }
}

/// A venue that executes our orders and tells of it late, twice, and out of order; and the books
/// that must end up where it is.
struct LedgerWorld: ~Copyable {
  struct Order {
    var id: ClientOrderID
    var intent: OrderIntent
    var cumulative: Int64 = 0
    var isCanceled = false
    var isRefused = false

    var trueState: OrderState {
      if isRefused { return .rejected }
      if cumulative == intent.quantity.quanta { return .filled }
      return isCanceled ? .canceled : .open
    }
  }

  enum News {
    case report(OrderReport)
    case fill(Fill)
    case refused(ClientOrderID)
    case inDoubt(ClientOrderID)
  }

  let seed: UInt64
  var random: SeededRandom
  var bench = OrdersBench(working: 128, finished: 128, trades: 4_096)
  var portfolio = PortfolioTests.portfolio(base: "10", quote: "1000000")
  var orders: [Order] = []
  var news: [News] = []
  var nextTrade: UInt64 = 1
  var truePosition: Int64 = 0
  var trueBase = PortfolioTests.amount("10")
  var trueQuote = PortfolioTests.amount("1000000")
  var trueBaseFees = Amount.zero
  var fills: [Fill] = []

  init(seed: UInt64) throws {
    self.seed = seed
    random = SeededRandom(seed: seed)
  }

  func trueFrozen(_ asset: InlineText) -> Amount {
    var frozen = Amount.zero
    let scale = PortfolioTests.instrument.scale
    for order in orders where order.trueState == .open {
      let leaves = Quantity(quanta: order.intent.quantity.quanta - order.cumulative)
      switch order.intent.side {
      case .buy where asset == "DUSDT":
        frozen = frozen + scale.notional(of: leaves, at: order.intent.price)
      case .sell where asset == "DBTC": frozen = frozen + scale.amount(of: leaves)
      case .buy, .sell: break
      }
    }
    return frozen
  }

  mutating func trade() throws {
    for _ in 0..<200 {
      switch random.below(8) {
      case 0 where orders.count < 60: try place()
      case 1, 2, 3: if !orders.isEmpty { execute(Int(random.below(UInt64(orders.count)))) }
      case 4: if !orders.isEmpty { cancel(Int(random.below(UInt64(orders.count)))) }
      default: deliver()
      }
    }
  }

  mutating func place() throws {
    let intent = Desk.intent(
      random.chance(1, in: 2) ? .buy : .sell, random.integer(in: 5_900_000...6_100_000),
      random.integer(in: 1...2_000))
    let id = try bench.open(intent)
    fold()
    var order = Order(id: id, intent: intent)
    if random.chance(1, in: 8) {
      order.isRefused = true
      news.append(.refused(id))
    } else {
      news.append(.report(report(order, orders.count, .open)))
    }
    if random.chance(1, in: 5) { news.append(.inDoubt(id)) }
    orders.append(order)
  }

  mutating func execute(_ index: Int) {
    guard orders[index].trueState == .open else { return }
    let intent = orders[index].intent
    let leaves = intent.quantity.quanta - orders[index].cumulative
    let quantity = random.chance(1, in: 3) ? leaves : random.integer(in: 1...leaves)
    let scale = PortfolioTests.instrument.scale
    let value = scale.notional(of: Quantity(quanta: quantity), at: intent.price)
    let base = scale.amount(of: Quantity(quanta: quantity))
    let rate = Rate(units: 10_000_000)
    let isBuy = intent.side == .buy
    let fee = rate.of(isBuy ? base : value, rounded: .up)
    orders[index].cumulative += quantity
    truePosition += isBuy ? quantity : -quantity
    trueBase = trueBase + (isBuy ? base - fee : -base)
    trueQuote = trueQuote + (isBuy ? -value : value - fee)
    if isBuy { trueBaseFees = trueBaseFees + fee }
    let fill = Desk.fill(
      orders[index].id, quantity, trade: nextTrade, venue: UInt64(index) + 1,
      price: intent.price.quanta, side: intent.side, fee: fee, feeAsset: isBuy ? "DBTC" : "DUSDT")
    nextTrade += 1
    fills.append(fill)
    for _ in 0..<random.integer(in: 0...3) { news.append(.fill(fill)) }
    let status: OrderReport.Status = orders[index].trueState == .filled ? .filled : .open
    if random.chance(2, in: 3) { news.append(.report(report(orders[index], index, status))) }
  }

  mutating func cancel(_ index: Int) {
    bench.effects.removeAll()
    bench.store.requestCancel(orders[index].id, at: bench.now, effects: &bench.effects)
    fold()
    guard orders[index].trueState == .open else { return }
    orders[index].isCanceled = true
    news.append(.report(report(orders[index], index, .canceled)))
  }

  func report(_ order: Order, _ index: Int, _ status: OrderReport.Status) -> OrderReport {
    Desk.report(
      order.id, status, order.cumulative, venue: UInt64(index) + 1,
      price: order.intent.price.quanta, quantity: order.intent.quantity.quanta,
      side: order.intent.side)
  }

  /// One piece of news, any of those on their way; it may come again.
  mutating func deliver() {
    guard !news.isEmpty else { return }
    let index = Int(random.below(UInt64(news.count)))
    let item = news[index]
    if !random.chance(1, in: 5) { news.remove(at: index) }
    give(item)
  }

  mutating func give(_ item: News) {
    switch item {
    case .report(let report): bench.tell(report)
    case .fill(let fill): bench.tell(fill)
    case .refused(let id):
      bench.effects.removeAll()
      bench.store.refused(id, .other, at: bench.now, effects: &bench.effects)
    case .inDoubt(let id):
      bench.effects.removeAll()
      bench.store.inDoubt(id, at: bench.now, effects: &bench.effects)
    }
    fold()
  }

  /// Books what the order store said, as the kernel does.
  mutating func fold() {
    for effect in bench.effects.list {
      switch effect {
      case .bookFill(let fill, _, _):
        portfolio.book(fill, of: PortfolioTests.instrument, at: bench.now)
      case .orderChanged(let change):
        portfolio.orderChanged(
          change.account, PortfolioTests.instrument, before: change.before, after: change.after)
      case .alarm(let alarms, _, _):
        #expect(alarms.isEmpty, "seed \(seed): nothing here contradicts")
      case .orphanFill, .adoptable: Issue.record("seed \(seed): \(effect)")
      case .sendCancel, .queryVenue: break
      }
    }
    bench.effects.removeAll()
  }

  /// All news arrives; then what nobody told is found in the histories.
  mutating func settle() {
    while !news.isEmpty {
      let index = Int(random.below(UInt64(news.count)))
      give(news.remove(at: index))
    }
    for (index, order) in orders.enumerated() where !order.isRefused {
      let status: OrderReport.Status
      switch order.trueState {
      case .filled: status = .filled
      case .canceled: status = .canceled
      default: status = .open
      }
      var answer = report(order, index, status)
      answer.source = .query
      give(.report(answer))
    }
    for fill in fills {
      var told = fill
      told.source = .history
      give(.fill(told))
    }
  }
}
