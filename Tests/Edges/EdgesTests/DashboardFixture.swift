import MartletBase
import MartletDashboard
import MartletModel

/// A run of the grid bot as it might be, the same in every process.
enum DashboardFixture {
  static let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
  static let start = Timestamp(milliseconds: 1_723_075_200_000)

  /// The status `step` tenths of a second into the run.
  static func status(step: Int, of total: Int = 600) throws -> BotStatus {
    var status = BotStatus(
      bot: "grid-demo", mode: "paper", venue: "WhiteBIT", market: "DBTC_DUSDT", base: "DBTC",
      quote: "DUSDT", valuation: "DUSDT", scale: scale, since: start)
    status.state = .trading
    status.now = start + .milliseconds(Int64(step) * 100)
    status.endsAt = start + .milliseconds(Int64(total) * 100)
    let middle = Self.middle(at: step)
    status.bestBid = Price(quanta: middle - 5)
    status.bestAsk = Price(quanta: middle + 5)
    status.last = Price(quanta: middle + 5)
    status.isBookTrusted = true
    for level in 1...10 {
      let grid = middle / 5000 * 5000
      for side in [Side.buy, .sell] {
        let offset = Int64(level) * 5000 * (side == .buy ? -1 : 1)
        status.orders.append(
          OrderView(
            clientOrderID: ClientOrderID(InlineText("m\(side.rawValue)x\(level)") ?? InlineText()),
            instrument: InstrumentID(0), side: side,
            price: Price(quanta: grid + offset + (side == .sell ? 5000 : 0)),
            quantity: Quantity(quanta: 1000),
            cumulative: Quantity(quanta: level == 1 && side == .sell ? 400 : 0),
            state: level == 10 && side == .buy ? .pendingNew : .open, tag: Int64(level)))
      }
    }
    let fills = step / 12
    for number in max(0, fills - 50)..<fills {
      let side: Side = number % 3 == 1 ? .buy : .sell
      status.recentFills.append(
        Fill(
          account: AccountID(0), instrument: InstrumentID(0),
          clientOrderID: ClientOrderID("m0x1"), venueOrderID: VenueOrderID(low: 7),
          tradeID: TradeID(low: UInt64(900_000 + number)), side: side,
          price: Price(quanta: Self.middle(at: number * 12) / 5000 * 5000),
          quantity: Quantity(quanta: 1000),
          fee: try Amount(side == .buy ? "0.000001" : "0.0612504"),
          feeAsset: side == .buy ? "DBTC" : "DUSDT", role: number % 7 == 6 ? .taker : .maker,
          exchangeTime: start + .milliseconds(Int64(number) * 1200 + 37), source: .stream))
    }
    status.counts.fills = UInt64(fills)
    status.counts.ordersPlaced = UInt64(20 + fills)
    status.counts.ordersCanceled = 2
    status.counts.frames = UInt64(step) * 37
    status.position = Quantity(quanta: Int64(fills % 7 - 3) * 1000)
    let first = try Amount("100000")
    status.startEquity = first
    status.realized = try Amount("0.4375") + Amount(units: Int128(step) * powerOfTen(16))
    status.unrealized = Amount(units: Int128(middle - 6_125_000) * powerOfTen(15))
    status.equity = first + status.realized + status.unrealized
    status.fees = [
      .init(asset: "DUSDT", amount: try Amount("1.2250080")),
      .init(asset: "DBTC", amount: try Amount("0.00001599")),
    ]
    status.maxDrawdown = try Amount("2.1")
    status.balances = [
      Balance(
        account: AccountID(0), asset: "DBTC", available: try Amount("0.98998401"),
        frozen: try Amount("0.01")),
      Balance(
        account: AccountID(0), asset: "DUSDT", available: try Amount("38137.2249920"),
        frozen: try Amount("611.5")),
    ]
    status.deadManLeft = .milliseconds(Int64(60_000 - step % 450 * 100))
    status.deadManTimers = [
      .init(
        market: "DBTC_DUSDT", left: status.deadManLeft,
        cancelsAt: start + .seconds(Int64(step / 450 * 45 + 60)))
    ]
    status.stops = [
      .init(
        market: "DBTC_DUSDT", side: .sell, state: "armed", level: "60800", inert: nil,
        unprotected: .milliseconds(1_250), losses: 1)
    ]
    status.nonceLead = .milliseconds(3)
    status.connections = [
      .init(name: "market data", state: .up), .init(name: "private", state: .up),
      .init(name: "REST", state: .connecting),
    ]
    status.frameToOrder = .init(p50: TimeSpan(nanoseconds: 4_310), p99: .microseconds(12))
    status.journalPath = ".martlet/journals/grid-demo-20240808T000000Z"
    status.exchangeAddress = "http://127.0.0.1:41877"
    status.alerts = [
      .init(
        time: start + .seconds(3), severity: .warning,
        text: "depth chain broke, resubscribed: expected 4711, found 4713")
    ]
    return status
  }

  static func trail(steps: Int) throws -> StatusTrail {
    var trail = StatusTrail()
    for step in 0...steps { trail.append(try status(step: step)) }
    return trail
  }

  /// A price path of whole cents: two waves and a small jitter, no floating point.
  private static func middle(at step: Int) -> Int64 {
    func wave(_ period: Int) -> Int64 {
      let phase = Int64(step % period) * 4000 / Int64(period)  // A triangle: 0 ... 1000 ... 0.
      return phase < 1000
        ? phase : phase < 3000 ? 2000 - phase : phase - 4000
    }
    return 6_125_000 + wave(400) * 11 + wave(97) * 3 + Int64(step * 7919 % 613)
  }
}
