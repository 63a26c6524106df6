/// The venue's HTTP paths that this room speaks.
public enum Endpoint: CaseIterable, Sendable, BitwiseCopyable {
  case time
  case ping
  case platformStatus
  case markets
  case ticker
  case assets
  case publicFee
  case collateralMarkets
  case futures
  /// Older public calls that have no newer form: best bid and ask, and candles.
  case tickerV1
  case candlesV1
  /// Followed by `/` and a market.
  case orderBook
  /// Followed by `/` and a market.
  case trades
  case websocketToken
  case tradeBalance
  case executedHistory
  case orderDeals
  case orderHistory
  case newOrder
  case bulkOrder
  case marketOrder
  case stockMarketOrder
  case stopLimitOrder
  case stopMarketOrder
  case modifyOrder
  case cancelOrder
  case cancelBulk
  case cancelAll
  case killSwitch
  case killSwitchStatus
  case openOrders
  case marketFee

  public var path: StaticString {
    switch self {
    case .time: "/api/v4/public/time"
    case .ping: "/api/v4/public/ping"
    case .platformStatus: "/api/v4/public/platform/status"
    case .markets: "/api/v4/public/markets"
    case .ticker: "/api/v4/public/ticker"
    case .assets: "/api/v4/public/assets"
    case .publicFee: "/api/v4/public/fee"
    case .collateralMarkets: "/api/v4/public/collateral/markets"
    case .futures: "/api/v4/public/futures"
    case .tickerV1: "/api/v1/public/ticker"
    case .candlesV1: "/api/v1/public/kline"
    case .orderBook: "/api/v4/public/orderbook"
    case .trades: "/api/v4/public/trades"
    case .websocketToken: "/api/v4/profile/websocket_token"
    case .tradeBalance: "/api/v4/trade-account/balance"
    case .executedHistory: "/api/v4/trade-account/executed-history"
    case .orderDeals: "/api/v4/trade-account/order"
    case .orderHistory: "/api/v4/trade-account/order/history"
    case .newOrder: "/api/v4/order/new"
    case .bulkOrder: "/api/v4/order/bulk"
    case .marketOrder: "/api/v4/order/market"
    case .stockMarketOrder: "/api/v4/order/stock_market"
    case .stopLimitOrder: "/api/v4/order/stop_limit"
    case .stopMarketOrder: "/api/v4/order/stop_market"
    case .modifyOrder: "/api/v4/order/modify"
    case .cancelOrder: "/api/v4/order/cancel"
    case .cancelBulk: "/api/v4/order/cancel/bulk"
    case .cancelAll: "/api/v4/order/cancel/all"
    case .killSwitch: "/api/v4/order/kill-switch"
    case .killSwitchStatus: "/api/v4/order/kill-switch/status"
    case .openOrders: "/api/v4/orders"
    case .marketFee: "/api/v4/market/fee"
    }
  }

  /// Whether a call is a signed POST; the others are unsigned GETs.
  public var isPrivate: Bool {
    switch self {
    case .time, .ping, .platformStatus, .markets, .ticker, .assets, .publicFee,
      .collateralMarkets, .futures, .tickerV1, .candlesV1, .orderBook, .trades:
      false
    case .websocketToken, .tradeBalance, .executedHistory, .orderDeals, .orderHistory, .newOrder,
      .bulkOrder, .marketOrder, .stockMarketOrder, .stopLimitOrder, .stopMarketOrder, .modifyOrder,
      .cancelOrder, .cancelBulk, .cancelAll, .killSwitch,
      .killSwitchStatus, .openOrders, .marketFee:
      true
    }
  }

  /// The endpoint a path names, and the market behind it where it takes one.
  public static func named(by path: String) -> (endpoint: Endpoint, market: String?)? {
    for endpoint in allCases {
      let own = endpoint.path.description
      switch endpoint {
      case .orderBook, .trades:
        if path.hasPrefix(own + "/") {
          let market = path.dropFirst(own.utf8.count + 1)
          return market.isEmpty || market.contains("/") ? nil : (endpoint, String(market))
        }
      default: if path == own { return (endpoint, nil) }
      }
    }
    return nil
  }
}
