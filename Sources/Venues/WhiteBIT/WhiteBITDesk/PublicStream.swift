internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// Why a socket request is refused.
struct SocketRefusal: Error {
  let code: Int32
  let message: String

  static let invalid = SocketRefusal(code: 1, message: "invalid argument")
  static let unknown = SocketRefusal(code: 4, message: "method not found")
  static let unauthorized = SocketRefusal(code: 6, message: "require authentication")
  static let tooMany = SocketRefusal(code: 7, message: "too many requests")
  static func noMarket(_ name: String) -> SocketRefusal {
    SocketRefusal(code: 9, message: "market \(name) does not exist")
  }
}

extension WhiteBITDesk {
  // MARK: The socket's door

  /// Answers one message of a client.
  mutating func answer(
    _ message: ClientMessage, in frame: Span<UInt8>, from connection: UInt64,
    output: inout DeskOutput
  ) {
    guard let index = connections.index(of: connection) else { return }
    do throws(SocketRefusal) {
      guard mayTalk(index) else { throw .tooMany }
      if message.method.isPrivate {
        guard let account = connections[valueAt: index].account else { throw .unauthorized }
        try answerPrivate(message, in: frame, index, account, output: &output)
      } else {
        try answerPublic(message, in: frame, index, output: &output)
      }
    } catch {
      let reply = bytes {
        Envelope.writeFailure(
          code: error.code, message: error.message, id: message.id(in: frame), into: &$0)
      }
      output.items.append(.frame(connection: connection, reply))
    }
  }

  private mutating func answerPublic(
    _ message: ClientMessage, in frame: Span<UInt8>, _ index: Int, output: inout DeskOutput
  ) throws(SocketRefusal) {
    let connection = connections[index].key
    switch message.method {
    case .ping:
      reply(message, in: frame, to: connection, output: &output) {
        Envelope.writePong(id: message.id(in: frame), into: &$0)
      }
    case .time:
      reply(message, in: frame, to: connection, output: &output) { [now] in
        Envelope.writeTime(now, id: message.id(in: frame), into: &$0)
      }
    case .authorize:
      let token = (try? SocketToken.read(message, in: frame)) ?? nil
      guard let token,
        let account = tokens.account(
          of: token, at: now, lifetime: configuration.tokenLifetime)
      else { throw .invalid }
      connections[valueAt: index].account = account
      succeed(message, in: frame, to: connection, output: &output)
    case .depthSubscribe: try subscribeDepth(message, in: frame, index, output: &output)
    case .depthUnsubscribe:
      let names = try names(message, in: frame)
      if names.isEmpty {
        connections[valueAt: index].depth.removeAll()
      } else {
        let dropped = names.compactMap { self.index(of: $0) }
        connections[valueAt: index].depth.removeAll { dropped.contains($0.market) }
      }
      schedulePublication()
      succeed(message, in: frame, to: connection, output: &output)
    case .tradesSubscribe:
      let markets = try markets(message, in: frame)
      connections[valueAt: index].trades = markets
      succeed(message, in: frame, to: connection, output: &output)
      for market in self.markets.indices where markets.contains(market) {
        let (name, tape) = (self.markets[market].name, self.markets[market].tape)
        guard !tape.isEmpty else { continue }
        let frame = bytes { Trades.writePush(market: name, trades: tape, into: &$0) }
        push(frame, .trades, to: connection, output: &output)
      }
    case .tradesUnsubscribe:
      connections[valueAt: index].trades = .none
      succeed(message, in: frame, to: connection, output: &output)
    case .lastPriceSubscribe:
      connections[valueAt: index].lastPrice = try namedMarkets(message, in: frame)
      succeed(message, in: frame, to: connection, output: &output)
      schedulePulse()
    case .lastPriceUnsubscribe:
      connections[valueAt: index].lastPrice = .none
      succeed(message, in: frame, to: connection, output: &output)
    case .marketSubscribe:
      connections[valueAt: index].statistics = try namedMarkets(message, in: frame)
      succeed(message, in: frame, to: connection, output: &output)
      schedulePulse()
    case .marketUnsubscribe:
      connections[valueAt: index].statistics = .none
      succeed(message, in: frame, to: connection, output: &output)
    case .bookTickerSubscribe:
      let markets = try markets(message, in: frame)
      connections[valueAt: index].bookTicker = markets
      succeed(message, in: frame, to: connection, output: &output)
      for market in self.markets.indices where markets.contains(market) {
        let frame = bookTicker(market)
        output.items.append(.frame(connection: connection, frame))
      }
    case .bookTickerUnsubscribe:
      let names = try names(message, in: frame)
      if names.isEmpty {
        connections[valueAt: index].bookTicker = .none
      } else {
        let kept = self.markets.indices.filter {
          connections[valueAt: index].bookTicker.contains($0)
            && !names.contains(self.markets[$0].name.description)
        }
        connections[valueAt: index].bookTicker = .some(Array(kept))
      }
      succeed(message, in: frame, to: connection, output: &output)
    case .candlesSubscribe:
      guard let wanted = SocketRequests.candles(message, in: frame),
        Candles.isInterval(wanted.seconds)
      else { throw .invalid }
      let market = try known(wanted.market)
      connections[valueAt: index].candles = (market, wanted.seconds)
      succeed(message, in: frame, to: connection, output: &output)
      pushCandle(market, wanted.seconds, to: connection, output: &output)
      schedulePulse()
    case .candlesUnsubscribe:
      connections[valueAt: index].candles = nil
      succeed(message, in: frame, to: connection, output: &output)
    default: try query(message, in: frame, connection, output: &output)
    }
  }

  private mutating func subscribeDepth(
    _ message: ClientMessage, in frame: Span<UInt8>, _ index: Int, output: inout DeskOutput
  ) throws(SocketRefusal) {
    guard let wanted = try? Depth.readSubscription(message, in: frame) else { throw .invalid }
    let market = try known(wanted.market.description)
    guard DepthSubscription.limits.contains(wanted.limit), isInterval(wanted.interval) else {
      throw .invalid
    }
    let connection = connections[index].key
    if wanted.isAdded {
      connections[valueAt: index].depth.removeAll { $0.market == market }
    } else {
      connections[valueAt: index].depth.removeAll()
    }
    succeed(message, in: frame, to: connection, output: &output)
    let factor = markets[market].scale.priceFactor
    var subscription = DepthSubscription(
      market: market, limit: wanted.limit, interval: Int64(wanted.interval.units / factor))
    snapshot(&subscription, to: connection, output: &output)
    connections[valueAt: index].depth.append(subscription)
    schedulePublication()
  }

  /// Nothing, or a power of ten from 10⁻⁸ to 0.1.
  private func isInterval(_ interval: Amount) -> Bool {
    interval == .zero
      || (1...8).contains { interval.units == powerOfTen(Amount.places - $0) }
  }

  // MARK: One-time questions

  private mutating func query(
    _ message: ClientMessage, in frame: Span<UInt8>, _ connection: UInt64,
    output: inout DeskOutput
  ) throws(SocketRefusal) {
    let answer: [UInt8]
    switch message.method {
    case .depthRequest:
      guard let wanted = try? Depth.readSubscription(message, in: frame),
        DepthSubscription.limits.contains(wanted.limit), isInterval(wanted.interval)
      else { throw .invalid }
      let market = try known(wanted.market.description)
      let scale = markets[market].scale
      let levels = levels(
        market, limit: wanted.limit, interval: Int64(wanted.interval.units / scale.priceFactor))
      let time = markets[market].changedAt
      answer = bytes {
        SocketReplies.writeBook(
          time: time, levels: levels, scale: scale, id: message.id(in: frame), into: &$0)
      }
    case .lastPriceRequest:
      guard let name = try names(message, in: frame).first else { throw .invalid }
      let price = statistics(try known(name)).last
      answer = bytes {
        SocketReplies.writePrice(price, id: message.id(in: frame), into: &$0)
      }
    case .marketRequest:
      guard let wanted = SocketRequests.period(message, in: frame), wanted.seconds > 0 else {
        throw .invalid
      }
      let statistics = statistics(try known(wanted.market), period: wanted.seconds)
      answer = bytes {
        SocketReplies.writeStatistics(statistics, id: message.id(in: frame), into: &$0)
      }
    case .tradesRequest:
      guard let wanted = SocketRequests.trades(message, in: frame),
        (1...100).contains(wanted.limit)
      else { throw .invalid }
      var tape = markets[try known(wanted.market)].tape
      if wanted.from > 0 { tape.removeAll { $0.tradeID > UInt64(wanted.from) } }
      let trades = Array(tape.prefix(Int(wanted.limit)))
      answer = bytes {
        SocketReplies.writeTrades(trades, id: message.id(in: frame), into: &$0)
      }
    case .candlesRequest:
      guard let wanted = SocketRequests.candleRange(message, in: frame),
        Candles.isInterval(wanted.seconds), wanted.start >= 0, wanted.start < wanted.end
      else { throw .invalid }
      let rows = wireCandles(
        try known(wanted.market), width: wanted.seconds, from: wanted.start,
        to: min(wanted.end, now.seconds), limit: 1_440)
      answer = bytes { Candles.writeReply(rows, id: message.id(in: frame), into: &$0) }
    default: throw .unknown
    }
    output.items.append(.frame(connection: connection, answer))
  }

  // MARK: Pushes

  /// Takes what happened on the exchange and tells it to everyone who listens.
  mutating func pump(output: inout DeskOutput) {
    var batch: [ExchangeEvent] = []
    swap(&batch, &events)
    exchange.takeEvents(into: &batch)
    var isBookChanged = false
    for event in batch {
      switch event {
      case .accepted: break
      case .rested(let order), .waiting(let order), .triggered(let order):
        tell(.new, order, output: &output)
      case .fill(let execution, let order):
        tell(execution, output: &output)
        if order.status == .filled {
          finish(order, output: &output)
        } else if execution.role == .maker {
          tell(.update, order, output: &output)
        }
      case .completed(let order), .canceled(let order): finish(order, output: &output)
      case .balance(let balance, _): note(balance)
      case .trade(let trade): markets[Int(trade.instrument.index)].add(trade)
      case .book(let instrument, let time):
        markets[Int(instrument.index)].changedAt = time
        isBookChanged = true
      // This desk lists no contract.
      case .liquidation, .position, .wallet, .mark, .funding, .fundingMissing, .insured: break
      }
    }
    batch.removeAll(keepingCapacity: true)
    swap(&batch, &events)
    pushTrades(output: &output)
    if isBookChanged { pushBookTickers(output: &output) }
    pushDueBalances(output: &output)
  }

  private mutating func pushTrades(output: inout DeskOutput) {
    for market in markets.indices where !markets[market].fresh.isEmpty {
      let fresh = Array(markets[market].fresh.reversed())
      markets[market].fresh.removeAll(keepingCapacity: true)
      guard connections.contains(where: { $0.value.trades.contains(market) }) else { continue }
      let name = markets[market].name
      let frame = bytes { Trades.writePush(market: name, trades: fresh, into: &$0) }
      for entry in connections where entry.value.trades.contains(market) {
        push(frame, .trades, to: entry.key, output: &output)
      }
    }
  }

  private mutating func pushBookTickers(output: inout DeskOutput) {
    for market in markets.indices {
      guard connections.contains(where: { $0.value.bookTicker.contains(market) }) else { continue }
      let instrument = markets[market].instrument.id
      let bid = exchange.best(.buy, of: instrument)
      let ask = exchange.best(.sell, of: instrument)
      guard bid != markets[market].bid || ask != markets[market].ask else { continue }
      advanceUpdateID(market)
      let frame = bookTicker(market)
      for entry in connections where entry.value.bookTicker.contains(market) {
        output.items.append(.frame(connection: entry.key, frame))
      }
    }
  }

  private mutating func bookTicker(_ market: Int) -> [UInt8] {
    let instrument = markets[market].instrument
    markets[market].bid = exchange.best(.buy, of: instrument.id)
    markets[market].ask = exchange.best(.sell, of: instrument.id)
    let ticker = BookTicker(
      market: markets[market].name, engineTime: markets[market].changedAt, eventTime: now,
      updateID: markets[market].updateID, bid: markets[market].bid, ask: markets[market].ask)
    return bytes { ticker.writePush(instrument.scale, into: &$0) }
  }

  /// Every half second: candles; every second: last prices and statistics.
  mutating func pulse(output: inout DeskOutput) {
    let isSecond = now.nanoseconds % 1_000_000_000 == 0
    for market in markets.indices {
      let day = statistics(market)
      let name = markets[market].name
      // Nothing to tell before the first print.
      guard day.last > .zero else { continue }
      for entry in connections {
        if isSecond && entry.value.lastPrice.contains(market) {
          let frame = bytes { Trades.writeLastPrice(market: name, price: day.last, into: &$0) }
          output.items.append(.frame(connection: entry.key, frame))
        }
        if isSecond && entry.value.statistics.contains(market) {
          let frame = bytes { Trades.writeStatistics(market: name, day, into: &$0) }
          output.items.append(.frame(connection: entry.key, frame))
        }
        if let candles = entry.value.candles, candles.market == market {
          pushCandle(market, candles.width, to: entry.key, output: &output)
        }
      }
    }
    schedulePulse()
  }

  private mutating func pushCandle(
    _ market: Int, _ width: Int64, to connection: UInt64, output: inout DeskOutput
  ) {
    let start = now.seconds - now.seconds % width
    guard
      let candle = wireCandles(market, width: width, from: start, to: now.seconds, limit: 1).last
    else { return }
    let name = markets[market].name
    let frame = bytes { Candles.writePush(market: name, candle, into: &$0) }
    output.items.append(.frame(connection: connection, frame))
  }

  private mutating func schedulePulse() {
    let isHeard = connections.contains {
      $0.value.lastPrice != .none || $0.value.statistics != .none || $0.value.candles != nil
    }
    pulseAt = isHeard ? next(.milliseconds(500)) : .distantFuture
  }

  // MARK: Helpers

  /// Sends a pushed frame, unless it is to meet a fault.
  mutating func push(
    _ frame: [UInt8], _ channel: Habits.Channel, to connection: UInt64, output: inout DeskOutput
  ) {
    switch habits.fault(for: channel) {
    case nil: output.items.append(.frame(connection: connection, frame))
    case .drop: break
    case .duplicate:
      output.items.append(.frame(connection: connection, frame))
      output.items.append(.frame(connection: connection, frame))
    case .delay(let span): hold(.frame(connection: connection, frame), until: now + span)
    case .truncate:
      output.items.append(
        .frame(connection: connection, Array(frame.prefix(frame.count / 2))))
    }
  }

  func succeed(
    _ message: ClientMessage, in frame: Span<UInt8>, to connection: UInt64,
    output: inout DeskOutput
  ) {
    var buffer = ByteBuffer(capacity: 64)
    Envelope.writeSuccess(id: message.id(in: frame), into: &buffer)
    output.items.append(.frame(connection: connection, buffer.copy()))
  }

  private func reply(
    _ message: ClientMessage, in frame: Span<UInt8>, to connection: UInt64,
    output: inout DeskOutput, _ write: (inout ByteBuffer) -> Void
  ) {
    var buffer = ByteBuffer(capacity: 64)
    write(&buffer)
    output.items.append(.frame(connection: connection, buffer.copy()))
  }

  func names(
    _ message: ClientMessage, in frame: Span<UInt8>, nested: Bool = false
  ) throws(SocketRefusal) -> [String] {
    guard let names = (try? NameList.read(message, in: frame, nested: nested)) ?? nil else {
      throw .invalid
    }
    return names
  }

  func known(_ name: String) throws(SocketRefusal) -> Int {
    guard let market = index(of: name) else { throw .noMarket(name) }
    return market
  }

  /// Markets by name; none named is all.
  func markets(
    _ message: ClientMessage, in frame: Span<UInt8>, nested: Bool = false
  ) throws(SocketRefusal) -> MarketSet {
    try set(of: try names(message, in: frame, nested: nested))
  }

  func set(of names: [String]) throws(SocketRefusal) -> MarketSet {
    if names.isEmpty { return .all }
    var markets: [Int] = []
    for name in names { markets.append(try known(name)) }
    return .some(markets)
  }

  /// Markets by name, of which there must be one.
  private func namedMarkets(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) throws(SocketRefusal) -> MarketSet {
    let markets = try markets(message, in: frame)
    if markets == .all { throw .invalid }
    return markets
  }
}

extension SocketMethod {
  /// Whether a stream must be authorized for it.
  var isPrivate: Bool {
    switch self {
    case .dealsSubscribe, .dealsUnsubscribe, .dealsRequest, .ordersPendingSubscribe,
      .ordersPendingUnsubscribe, .ordersPendingRequest, .ordersExecutedSubscribe,
      .ordersExecutedUnsubscribe, .ordersExecutedRequest, .balanceSpotSubscribe,
      .balanceSpotUnsubscribe, .balanceSpotRequest:
      true
    case .ping, .time, .authorize, .depthSubscribe, .depthUnsubscribe, .depthRequest,
      .tradesSubscribe, .tradesUnsubscribe, .tradesRequest, .lastPriceSubscribe,
      .lastPriceUnsubscribe, .lastPriceRequest, .marketSubscribe, .marketUnsubscribe,
      .marketRequest, .bookTickerSubscribe, .bookTickerUnsubscribe, .candlesSubscribe,
      .candlesUnsubscribe, .candlesRequest, .other:
      false
    }
  }
}
