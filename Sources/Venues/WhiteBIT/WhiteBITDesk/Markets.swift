internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import WhiteBITWire

// The public endpoints.
extension WhiteBITDesk {
  mutating func publicAnswer(_ endpoint: Endpoint, _ market: String?, _ query: Query) -> Answer {
    switch endpoint {
    case .time: return answer { [now] in Markets.writeTime(now, into: &$0) }
    case .ping: return answer { PublicReplies.writePing(into: &$0) }
    case .platformStatus: return answer { PublicReplies.writeStatus(into: &$0) }
    case .markets:
      let listings = markets.map(\.listing)
      return answer { Markets.writeListings(listings, into: &$0) }
    case .ticker:
      let rows = markets.indices.map { ticker($0) }
      return answer { Markets.writeTickers(rows, into: &$0) }
    case .assets:
      let assets = listedAssets()
      return answer { PublicReplies.writeAssets(assets, into: &$0) }
    case .publicFee:
      let names = listedAssets().map(\.ticker)
      return answer { PublicReplies.writeTransferFees(names, into: &$0) }
    case .collateralMarkets, .futures: return answer { PublicReplies.writeNone(into: &$0) }
    case .tickerV1: return tickerV1(query)
    case .candlesV1: return candles(query)
    case .orderBook: return orderBook(market ?? "", query)
    case .trades: return tape(market ?? "", query)
    case .websocketToken, .tradeBalance, .executedHistory, .orderDeals, .orderHistory,
      .newOrder, .bulkOrder, .marketOrder, .stockMarketOrder, .stopLimitOrder, .stopMarketOrder,
      .modifyOrder, .cancelOrder, .cancelBulk, .cancelAll, .killSwitch, .killSwitchStatus,
      .openOrders, .marketFee:
      return Answer(status: 404)
    }
  }

  /// Texts by field with status 422, as the public endpoints refuse.
  private mutating func refusal(_ field: String, _ text: String) -> Answer {
    let error = VenueError(code: nil, message: "", field: field, text)
    var answer = answer { PublicReplies.writeFailure(error, into: &$0) }
    answer.status = 422
    return answer
  }

  /// The same in the older envelope, with status 200.
  private mutating func oldRefusal(_ field: String, _ text: String) -> Answer {
    let error = VenueError(code: nil, message: "", field: field, text)
    return answer { VersionOne.writeFailure(error, into: &$0) }
  }

  private func listedAssets() -> [PublicReplies.Asset] {
    var assets: [PublicReplies.Asset] = []
    for market in markets {
      let sides = [
        (market.listing.stock, market.listing.stockPrecision),
        (market.listing.money, market.listing.moneyPrecision),
      ]
      for (name, precision) in sides where !assets.contains(where: { $0.ticker == name }) {
        assets.append(
          PublicReplies.Asset(
            ticker: name, precision: precision, makerFee: market.listing.makerFee,
            takerFee: market.listing.takerFee))
      }
    }
    return assets
  }

  // MARK: Statistics

  /// The last `period` seconds; before the first print everything is zero.
  func statistics(_ market: Int, period: Int64 = 86_400) -> Trades.Statistics {
    guard
      let sum = markets[market].history.statistics(
        period: min(max(period, 60), 86_400), now: now.seconds)
    else {
      return Trades.Statistics(
        period: period, last: .zero, open: .zero, high: .zero, low: .zero, volume: .zero,
        deal: .zero)
    }
    return Trades.Statistics(
      period: period, last: sum.close, open: sum.open, high: sum.high, low: sum.low,
      volume: sum.volume, deal: sum.deal)
  }

  /// Percent against the open, to two decimals.
  private func change(_ statistics: Trades.Statistics) -> Amount {
    guard statistics.open > .zero else { return .zero }
    let tenThousandths = divide(
      (statistics.last - statistics.open).units * 10_000, by: statistics.open.units,
      rounded: .nearestEven)
    return Amount(units: tenThousandths * powerOfTen(Amount.places - 2))
  }

  private func ticker(_ market: Int) -> TickerRow {
    let day = statistics(market)
    return TickerRow(
      market: markets[market].name, lastPrice: day.last, baseVolume: day.volume,
      quoteVolume: day.deal, isFrozen: false, change: change(day))
  }

  private mutating func tickerV1(_ query: Query) -> Answer {
    guard let market = query["market"].flatMap({ index(of: $0) }) else {
      return oldRefusal("market", "Market is not available.")
    }
    let day = statistics(market)
    let change = change(day)
    let instrument = markets[market].instrument
    let bid = exchange.best(.buy, of: instrument.id).map { instrument.scale.amount(of: $0.price) }
    let ask = exchange.best(.sell, of: instrument.id).map { instrument.scale.amount(of: $0.price) }
    return answer { VersionOne.writeTicker(day, change: change, bid: bid, ask: ask, into: &$0) }
  }

  // MARK: Book, tape, candles

  /// Levels a side that a book request gives at most.
  private static var deepest: Int { 100 }

  private mutating func orderBook(_ name: String, _ query: Query) -> Answer {
    guard let market = index(of: name) else {
      return refusal("market", "Market is not available.")
    }
    var limit = Self.deepest
    if let text = query["limit"] {
      guard let number = Int(text) else {
        return refusal("limit", "The limit must be an integer.")
      }
      limit = number <= 0 ? Self.deepest : min(number, Self.deepest)
    }
    var interval: Int64 = 0
    if let text = query["level"] {
      guard let number = Int(text) else {
        return refusal("level", "The level must be an integer.")
      }
      let level = min(max(number, 0), 10)
      if level > 0 {
        interval = Int64(powerOfTen(level)) * markets[market].instrument.rules.tickSize
      }
    }
    let levels = levels(market, limit: limit, interval: interval)
    let (listing, scale, now) = (markets[market].name, markets[market].scale, now)
    return answer {
      Depth.writeReply(market: listing, time: now, levels: levels.span, scale: scale, into: &$0)
    }
  }

  private mutating func tape(_ name: String, _ query: Query) -> Answer {
    guard let market = index(of: name) else {
      return refusal("market", "Market is not available.")
    }
    var tape = markets[market].tape
    switch query["type"] {
    case nil: break
    case "buy": tape.removeAll { $0.aggressor != .buy }
    case "sell": tape.removeAll { $0.aggressor != .sell }
    default: return refusal("type", "Type should be 'sell' or 'buy'.")
    }
    return answer { Trades.writeReply(tape, into: &$0) }
  }

  private mutating func candles(_ query: Query) -> Answer {
    guard let market = query["market"].flatMap({ index(of: $0) }) else {
      return oldRefusal("market", "Market is not available.")
    }
    guard let width = Candles.seconds(of: query["interval"] ?? "1h") else {
      return oldRefusal("interval", "The selected interval is invalid.")
    }
    var limit = 1_440
    if let text = query["limit"] {
      guard let number = Int(text), (1...1_440).contains(number) else {
        return oldRefusal("limit", "limit must be less than or equal to 1440")
      }
      limit = number
    }
    var end = now.seconds
    if let text = query["end"] {
      guard let number = Int64(text), number >= 0, number <= end else {
        return oldRefusal("end", "Incorrect end time")
      }
      end = number
    }
    var start = end - Int64(limit) * width
    if let text = query["start"] {
      guard let number = Int64(text), number >= 0, number < end else {
        return oldRefusal("start", "Incorrect start time")
      }
      // With a limit the venue counts back from the end; what was asked for bounds it.
      start = max(start, number)
    }
    let rows = wireCandles(market, width: width, from: start, to: end, limit: limit)
    return answer { Candles.writeReply(rows, into: &$0) }
  }

  func wireCandles(
    _ market: Int, width: Int64, from start: Int64, to end: Int64, limit: Int
  ) -> [WireCandle] {
    markets[market].history.candles(width: width, from: start, to: end, limit: limit).map {
      WireCandle(
        openTime: Timestamp(nanoseconds: $0.start * 1_000_000_000), open: $0.open,
        close: $0.close, high: $0.high, low: $0.low, volume: $0.volume, deal: $0.deal)
    }
  }
}
