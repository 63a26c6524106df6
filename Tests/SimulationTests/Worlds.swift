import MartletBase
import MartletBook
import MartletExchange
import MartletGrid
import MartletJSON
import MartletKernel
import MartletModel
import MartletOrders
import MartletSimulation
import MartletStrategies
import Testing
import WhiteBITDesk

func amount(_ text: String) -> Amount {
  do { return try Amount(text) } catch {
    Issue.record("“\(text)” is no amount: \(error)")
    return .zero
  }
}

/// Paths of the venue that tests plan faults for.
enum Path {
  static let new = "/api/v4/order/new"
  static let bulk = "/api/v4/order/bulk"
  static let cancel = "/api/v4/order/cancel"
  static let open = "/api/v4/orders"
  static let orderHistory = "/api/v4/trade-account/order/history"
  static let fills = "/api/v4/trade-account/executed-history"
  static let balance = "/api/v4/trade-account/balance"
  static let token = "/api/v4/profile/websocket_token"
  static let killSwitch = "/api/v4/order/kill-switch"
  static let time = "/api/v4/public/time"
  static let markets = "/api/v4/public/markets"
  static let ticker = "/api/v4/public/ticker"
}

extension WhiteBITScenario {
  /// A small grid around 60,000, levels 50 apart, on a market that nobody else trades between 59,000
  /// and 61,000: what meets the grid's orders is what a test sends.
  static func grid(
    levels: Int = 3, seed: UInt64 = 1,
    _ market: HandmadeMarket = HandmadeMarket(bid: 59_000, ask: 61_000)
  ) -> WhiteBITScenario {
    var scenario = WhiteBITScenario(seed: seed, rows: market.recording)
    scenario.grid = GridSettings(
      levelsPerSide: levels, spacing: amount("50"), amount: amount("0.001"))
    return scenario
  }

  /// A running world whose grid rests at the venue.
  func running(sourceLocation: SourceLocation = #_sourceLocation) throws -> WhiteBITWorld {
    var world = try makeWorld()
    world.start()
    let isThere = world.untilGrid(of: 2 * grid.levelsPerSide)
    #expect(isThere, "the grid is not laid out", sourceLocation: sourceLocation)
    return world
  }

  /// Records an issue for everything that does not hold in `world`.
  func expectSound(
    _ world: borrowing WhiteBITWorld, isSettled: Bool = true, isShared: Bool = false,
    _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let found = world.violations(
      prefix: "\(prefix)", key: key, secret: secret, isSettled: isSettled, isShared: isShared)
    if !found.isEmpty {
      Issue.record(
        "\(comment) seed \(seed):\n\(found.prefix(12).joined(separator: "\n"))",
        sourceLocation: sourceLocation)
    }
  }

  /// Ends all trouble in `world`, lets it settle, stops it, and expects everything to hold twice.
  func expectSoundEnd(
    _ world: inout WhiteBITWorld, isShared: Bool = false, _ comment: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let isSettled = world.settle()
    #expect(isSettled, "\(comment) seed \(seed) does not settle", sourceLocation: sourceLocation)
    expectSound(world, isShared: isShared, comment, sourceLocation: sourceLocation)
    let isStopped = world.stop()
    #expect(isStopped, "\(comment) seed \(seed) does not stop", sourceLocation: sourceLocation)
    expectSound(world, isShared: isShared, comment + " stopped", sourceLocation: sourceLocation)
    let resting = ownResting(world)
    #expect(resting.isEmpty, "\(comment) \(resting)", sourceLocation: sourceLocation)
  }

  /// Our orders that rest at the exchange, by client order id, oldest first.
  func ownResting(_ world: borrowing WhiteBITWorld) -> [String] {
    resting(world).filter { $0.hasPrefix("\(prefix)") }
  }

  /// What the exchange says our account has of an asset.
  func total(_ asset: InlineText, in world: borrowing WhiteBITWorld) -> Amount {
    guard let account = world.desk.account(of: key), let id = world.desk.exchange.asset(asset)
    else { return .zero }
    return world.desk.exchange.balance(of: account, id).total
  }

  /// Every order of the account that rests at the exchange, by client order id, oldest first.
  func resting(_ world: borrowing WhiteBITWorld) -> [String] {
    var found: [String] = []
    if let account = world.desk.account(of: key) {
      world.desk.exchange.forEachWorkingOrder(of: account) { found.append($0.label.description) }
    }
    return found
  }
}

extension WhiteBITWorld {
  /// Runs until this many orders of ours work, every one known to rest.
  mutating func untilGrid(of count: Int, within span: TimeSpan = .seconds(60)) -> Bool {
    run(for: span) {
      $0.kernel.isReady && $0.kernel.orders.isQuiescent
        && $0.kernel.orders.workingCount == count
    }
  }

  /// Somebody else trades into whatever rests: `side` is theirs, and what is not met is taken off.
  mutating func meet(_ side: Side, price: String, amount: String) {
    let (status, body) = askAsOther(
      Path.new, Self.order(side, price: price, amount: amount) + "\"ioc\":true,")
    #expect(status == 200, "\(body)")
  }

  /// Somebody else's order comes to rest.
  mutating func restAsOther(_ side: Side, price: String, amount: String) {
    let (status, body) = askAsOther(Path.new, Self.order(side, price: price, amount: amount))
    #expect(status == 200, "\(body)")
  }

  /// The account's owner places an order by hand.
  mutating func placeByHand(
    _ side: Side, price: String, amount: String, id: String? = nil
  ) -> (status: Int, body: String) {
    askByHand(
      Path.new,
      Self.order(side, price: price, amount: amount)
        + (id.map { "\"clientOrderId\":\"\($0)\"," } ?? ""))
  }

  private static func order(_ side: Side, price: String, amount: String) -> String {
    "\"market\":\"DBTC_DUSDT\",\"side\":\"\(side == .buy ? "buy" : "sell")\","
      + "\"price\":\"\(price)\",\"amount\":\"\(amount)\","
  }

  /// Our working orders as `buy 59950 0.001`, by price.
  var workingLines: [String] {
    var records: [MartletOrders.OrderRecord] = []
    kernel.orders.fill(&records)
    guard let scale = kernel.markets[0].instrument?.scale else { return [] }
    return records.map(\.view).sorted { $0.price < $1.price }.map {
      "\($0.side) \(scale.amount(of: $0.price)) \(scale.amount(of: $0.leaves))"
    }
  }

  /// How many notes of the journal `fits` fits.
  func countNotes(_ fits: (KernelNote) -> Bool) -> Int {
    var count = 0
    for (_, note, _) in journal.notes where fits(note) { count += 1 }
    return count
  }

  /// Every state an order went through, in order; repetitions once.
  func states(of id: String) -> [OrderState] {
    var states: [OrderState] = []
    for case (_, .order(let view), _) in journal.notes
    where "\(view.clientOrderID)" == id && states.last != view.state { states.append(view.state) }
    return states
  }
}
