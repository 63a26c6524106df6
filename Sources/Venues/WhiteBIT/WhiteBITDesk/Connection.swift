internal import MartletBase
internal import MartletModel

/// What one client's stream is subscribed to. All of it is forgotten when the stream is gone.
struct DeskConnection {
  var lastMessageAt: Timestamp
  /// When it spoke in the last minute, where that is limited.
  var messageTimes: [Timestamp] = []
  /// Whose private channels it may hear.
  var account: AccountID?

  var depth: [DepthSubscription] = []
  var trades = MarketSet.none
  var bookTicker = MarketSet.none
  var lastPrice = MarketSet.none
  var statistics = MarketSet.none
  var candles: (market: Int, width: Int64)?

  var pending = MarketSet.none
  var deals = MarketSet.none
  var executed = MarketSet.none
  /// 0 all orders, 1 limit orders, 2 market orders.
  var executedFilter: Int64 = 0
  var balances = BalanceSubscription()

  init(openedAt: Timestamp) { lastMessageAt = openedAt }
}

/// Markets a channel is subscribed for, by their index.
enum MarketSet: Equatable {
  case none
  case all
  case some([Int])

  func contains(_ market: Int) -> Bool {
    switch self {
    case .none: false
    case .all: true
    case .some(let markets): markets.contains(market)
    }
  }
}

/// The balance channel of one stream: changes are told at most once a second.
struct BalanceSubscription {
  enum Assets {
    case none
    case all
    case some([InlineText])
  }

  var assets = Assets.none
  /// Changed and not yet told, in the order of their first change.
  var changed: [Balance] = []
  var toldAt = Timestamp.zero
  /// When the changes are told; `distantFuture` while there are none.
  var dueAt = Timestamp.distantFuture

  static let interval = TimeSpan.seconds(1)

  func contains(_ asset: InlineText) -> Bool {
    switch assets {
    case .none: false
    case .all: true
    case .some(let names): names.contains(asset)
    }
  }

  mutating func add(_ balance: Balance, at now: Timestamp) {
    if let index = changed.firstIndex(where: { $0.asset == balance.asset }) {
      changed[index] = balance
    } else {
      changed.append(balance)
    }
    dueAt = max(now, toldAt + Self.interval)
  }

  mutating func take(at now: Timestamp) -> [Balance] {
    defer {
      changed.removeAll()
      toldAt = now
      dueAt = .distantFuture
    }
    return changed
  }
}
