internal import MartletBase
public import MartletVenueKit
internal import WhiteBITWire

/// What the venue lets one address ask, by group of endpoints. Nothing of it comes from headers: the
/// venue sends none about its limits.
///
/// - Source: WhiteBIT docs, rate limits, per address: 10,000 in 10 s for each `order/*` call and for
///   what has no limit of its own, 12,000 for `trade-account/*`, 1,000 for `orders` in the older text,
///   2,000 for each public call and 600 for its order book, 10 in 60 s for the socket token.
public struct WhiteBITRates: Equatable, Sendable {
  /// `order/new` and `order/bulk` together, though each has as many.
  public var places = RateLimit(10_000, in: .seconds(10))
  /// `order/cancel` and `order/cancel/all` together.
  public var cancels = RateLimit(10_000, in: .seconds(10))
  public var orders = RateLimit(1_000, in: .seconds(10))
  public var account = RateLimit(12_000, in: .seconds(10))
  public var market = RateLimit(2_000, in: .seconds(10))
  public var books = RateLimit(600, in: .seconds(10))
  /// Also the connect budget: no stream is opened without a token of its own.
  public var tokens = RateLimit(10, in: .seconds(60))
  /// Everything of one address together: the strictest reading of what has no limit of its own.
  public var address = RateLimit(10_000, in: .seconds(10))
  /// How much of `address` only cancels may use, percent: the dead-man's machine, which asks past
  /// this quota, lives of it too.
  public var reservePercent: Int64 = 20
  /// How much of each limit is used, percent, tokens aside: the network presses together what left
  /// apart, and others may share the address.
  public var sharePercent: Int64 = 90

  public init() {}
}

/// What may be asked now, group by group: permits, the wait after a refusal, and a breaker.
///
/// The scope of every limit is the address, which a session has for itself as far as it knows.
struct Quota: Equatable, Sendable {
  /// By raw value; of the tokens', nothing is taken.
  private var buckets: [TokenBucket]
  private var gates: [QuotaGate]
  private var tokens: SlidingQuota
  private var address: TokenBucket
  private let reserve: Int64
  /// By raw value: when the group was refused in words that mean a stale nonce and a limit both; zero
  /// when it was answered well since.
  private var ambiguousAt: [Timestamp]

  init(_ rates: WhiteBITRates, _ breaker: BreakerSettings) {
    func bucket(_ rate: RateLimit) -> TokenBucket {
      let share = rate.share(percent: rates.sharePercent)
      return TokenBucket(limit: share.limit, window: share.window)
    }
    buckets = RequestGroup.allCases.map { group in
      switch group {
      case .cancel: bucket(rates.cancels)
      case .place: bucket(rates.places)
      case .orders: bucket(rates.orders)
      case .account: bucket(rates.account)
      case .market: bucket(rates.market)
      case .books: bucket(rates.books)
      case .token: bucket(rates.tokens)
      }
    }
    gates = RequestGroup.allCases.map { QuotaGate(breaker, isUrgent: $0 == .cancel) }
    ambiguousAt = Array(repeating: .zero, count: RequestGroup.allCases.count)
    tokens = SlidingQuota(limit: Int(rates.tokens.limit), window: rates.tokens.window)
    address = bucket(rates.address)
    // Of a bucket that holds half of the limit at most.
    reserve =
      rates.address.share(percent: rates.sharePercent).limit / 2 * rates.reservePercent / 100
  }

  /// Takes what one request of the group costs, if it may leave now.
  mutating func take(_ group: RequestGroup, at now: Timestamp) -> Bool {
    let index = Int(group.rawValue)
    guard gates[index].isPassable(at: now),
      address.take(at: now, keeping: group == .cancel ? 0 : reserve)
    else { return false }
    guard group == .token ? tokens.take(at: now) : buckets[index].take(at: now) else {
      address.putBack()
      return false
    }
    gates[index].pass(at: now)
    return true
  }

  /// When a request of the group may leave next; in the past when one may, `distantFuture` while an
  /// answer on its way decides.
  func nextAt(_ group: RequestGroup) -> Timestamp {
    let index = Int(group.rawValue)
    let permit = group == .token ? tokens.nextAt : buckets[index].nextAt
    return max(
      max(permit, gates[index].nextAt), address.nextAt(keeping: group == .cancel ? 0 : reserve))
  }

  /// How a group stands at `now`, for a person.
  func standing(_ group: RequestGroup, at now: Timestamp) -> WhiteBITStanding.Group {
    let index = Int(group.rawValue)
    let next = nextAt(group)
    return WhiteBITStanding.Group(
      group: group,
      permits: group == .token ? tokens.permits(at: now) : buckets[index].permits(at: now),
      isBroken: gates[index].isBroken(at: now), nextAt: next > now ? next : nil)
  }

  /// Whether the breaker of a group is open, so that nothing should be queued for it.
  func isBroken(_ group: RequestGroup, at now: Timestamp) -> Bool {
    gates[Int(group.rawValue)].isBroken(at: now)
  }

  /// The venue answered a request of the group.
  ///
  /// - Returns: what a person should know of.
  mutating func answered(
    _ group: RequestGroup, _ verdict: Faults.Verdict, sentAt: Timestamp, at now: Timestamp,
    backoff: Backoff, random: inout SeededRandom
  ) -> VenueNotice? {
    let index = Int(group.rawValue)
    var isRefused = verdict.outcome == .backOff && verdict.anomaly == .rateLimited
    if verdict.anomaly == .staleNonce, verdict.error?.message.hasPrefix("Too many") == true {
      // These words are said of both. They are taken for the nonce once, and the clock is read
      // again; when it was not the nonce, it is the limit.
      isRefused = ambiguousAt[index] != .zero && sentAt >= ambiguousAt[index]
      if ambiguousAt[index] == .zero { ambiguousAt[index] = now }
    } else if verdict.outcome == .accepted {
      ambiguousAt[index] = .zero
    }
    if isRefused {
      switch gates[index].refused(sentAt: sentAt, at: now, backoff: backoff, random: &random) {
      case .slowed(let wait): return .slowed(group, wait: wait)
      case .opened(let refusals, let wait):
        return .breakerOpened(group, refusals: refusals, wait: wait)
      case nil: return nil
      }
    }
    if verdict.anomaly == .serverError {
      gates[index].unanswered(sentAt: sentAt, at: now)
      return nil
    }
    return gates[index].answered(sentAt: sentAt) ? .breakerClosed(group) : nil
  }

  /// A request of the group ended without an answer.
  mutating func unanswered(_ group: RequestGroup, sentAt: Timestamp, at now: Timestamp) {
    gates[Int(group.rawValue)].unanswered(sentAt: sentAt, at: now)
  }
}

extension Quota: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("Quota-2")
    for index in 0..<buckets.count {
      buckets[index].write(to: &snapshot)
      gates[index].write(to: &snapshot)
      snapshot.write(ambiguousAt[index])
    }
    tokens.write(to: &snapshot)
    address.write(to: &snapshot)
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("Quota-2")
    for index in 0..<buckets.count {
      try buckets[index].read(from: &snapshot)
      try gates[index].read(from: &snapshot)
      ambiguousAt[index] = try snapshot.timestamp()
    }
    try tokens.read(from: &snapshot)
    try address.read(from: &snapshot)
  }
}

extension Endpoint {
  /// Whose quota a call spends.
  var group: RequestGroup {
    switch self {
    case .cancelOrder, .cancelBulk, .cancelAll, .killSwitch, .killSwitchStatus: .cancel
    case .newOrder, .bulkOrder, .marketOrder, .stockMarketOrder, .stopLimitOrder,
      .stopMarketOrder, .modifyOrder:
      .place
    case .openOrders: .orders
    case .tradeBalance, .executedHistory, .orderDeals, .orderHistory, .marketFee: .account
    case .time, .ping, .platformStatus, .markets, .ticker, .assets, .publicFee,
      .collateralMarkets, .futures, .tickerV1, .candlesV1, .trades:
      .market
    case .orderBook: .books
    case .websocketToken: .token
    }
  }
}
