internal import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// One market we watch.
struct MarketState: Sendable {
  let symbol: WhiteBITSymbol
  /// nil until the venue listed it.
  var instrument: Instrument? { didSet { scale = instrument?.scale } }
  /// The instrument's, apart: it is asked for with every message.
  private(set) var scale: InstrumentScale?
  /// The venue lists it now.
  var isListed = false
  var gaps = Gaps()
  /// The book was subscribed to, and its frames are watched.
  var isSubscribed = false
  /// Deltas mean nothing until the next snapshot.
  var isAwaitingSnapshot = true
  /// The path was told a book that it may trust.
  var isTrusted = false
  /// When the book was last heard of.
  var heardAt = Timestamp.zero
  /// When the book was last subscribed to.
  var subscribedAt = Timestamp.zero
  /// When it is to be subscribed to anew; `distantFuture` when it is not.
  var resubscribeAt = Timestamp.distantFuture
  /// The id of the frame that last subscribed.
  var subscription: UInt64 = 0
  /// The newest print told; nil before the first list of them.
  var lastTrade: UInt64?

  init(symbol: WhiteBITSymbol) { self.symbol = symbol }
}

// Of the list and not of the session: a method that only reads a session is given a copy of it.
extension [MarketState] {
  func index(named name: InlineText) -> Int? {
    for index in 0..<count where self[index].symbol.market == name { return index }
    return nil
  }

  func index(of instrument: InstrumentID) -> Int? {
    for index in 0..<count where self[index].symbol.instrument == instrument { return index }
    return nil
  }
}

// Public channels and the public endpoints beside them.
extension WhiteBITSession {
  // MARK: Subscribing

  /// Subscribes to everything public; the private side is reconciled by now.
  mutating func subscribePublic(at now: Timestamp, effects: inout VenueEffects) {
    switch configuration.feed {
    case .stream:
      for index in 0..<markets.count { subscribeBook(index, at: now, effects: &effects) }
      let names = markets.map(\.symbol.market)
      sendFrame(effects: &effects) { id, bytes in
        Trades.writeLastPriceSubscribe(id: id, markets: names, into: &bytes)
      }
      sendFrame(effects: &effects) { id, bytes in
        Trades.writeSubscribe(id: id, markets: names, into: &bytes)
      }
    case .polling:
      wantAll(.book, at: now)
      wantAll(.tape, at: now)
    }
  }

  private mutating func subscribeBook(
    _ index: Int, at now: Timestamp, effects: inout VenueEffects
  ) {
    let market = markets[index].symbol.market
    let limit = configuration.depthLimit
    markets[index].isSubscribed = true
    markets[index].isAwaitingSnapshot = true
    markets[index].subscribedAt = now
    markets[index].heardAt = now
    markets[index].resubscribeAt = .distantFuture
    markets[index].subscription = sendFrame(effects: &effects) { id, bytes in
      Depth.writeSubscribe(id: id, market: market, limit: limit, into: &bytes)
    }
  }

  /// Drops a book and asks for it anew: one unsubscribe and one subscribe, whatever comes meanwhile.
  mutating func resubscribeDue(at now: Timestamp, effects: inout VenueEffects) {
    guard link.stage == .live else { return }
    for index in 0..<markets.count where markets[index].resubscribeAt <= now {
      let market = markets[index].symbol.market
      sendFrame(effects: &effects) { id, bytes in
        Depth.writeUnsubscribe(id: id, market: market, into: &bytes)
      }
      subscribeBook(index, at: now, effects: &effects)
    }
  }

  /// The book of a market is not to be traded on until the next snapshot, which is asked for.
  mutating func distrust(_ index: Int, at now: Timestamp, events: inout VenueEvents) {
    if markets[index].isTrusted {
      markets[index].isTrusted = false
      events.append(.bookUntrusted(markets[index].symbol.instrument))
    }
    markets[index].isAwaitingSnapshot = true
    guard markets[index].isSubscribed else { return }
    let earliest = markets[index].subscribedAt + configuration.resubscribeInterval
    markets[index].resubscribeAt = min(markets[index].resubscribeAt, max(now, earliest))
  }

  /// Nothing public is heard any more.
  mutating func forgetBooks(events: inout VenueEvents) {
    for index in 0..<markets.count {
      markets[index].gaps = Gaps()
      markets[index].isSubscribed = false
      markets[index].isAwaitingSnapshot = true
      markets[index].resubscribeAt = .distantFuture
      if markets[index].isTrusted {
        markets[index].isTrusted = false
        events.append(.bookUntrusted(markets[index].symbol.instrument))
      }
    }
  }

  /// Books that have been silent for longer than the venue ever is.
  mutating func checkStaleness(at now: Timestamp, events: inout VenueEvents) {
    for index in 0..<markets.count where staleAt(index) <= now {
      markets[index].heardAt = now
      distrust(index, at: now, events: &events)
    }
  }

  /// This process slept for so long that no book of before is to be traded on, whatever is read first.
  mutating func giveBooksUp(at now: Timestamp, events: inout VenueEvents) {
    for index in 0..<markets.count where markets[index].isTrusted {
      events.append(.anomaly(.bookLate))
      distrust(index, at: now, events: &events)
    }
  }

  func staleAt(_ index: Int) -> Timestamp {
    switch configuration.feed {
    case .stream:
      return markets[index].isSubscribed
        ? markets[index].heardAt + configuration.staleAfter : .distantFuture
    case .polling(let interval):
      return markets[index].isTrusted
        ? markets[index].heardAt + configuration.staleAfter + interval : .distantFuture
    }
  }

  // MARK: Frames

  mutating func receiveDepth(
    _ message: VenueMessage, _ frame: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) {
    // The name that stands at the frame's end, or where the venue's schema has it.
    var found = Depth.market(of: frame).flatMap { markets.index(named: $0) }
    if found == nil, let name = try? Depth.market(of: message, in: frame) {
      found = markets.index(named: name)
    }
    guard let index = found else {
      events.append(.anomaly(.malformed))
      return
    }
    guard let scale = markets[index].scale else { return }
    let first = events.levels.count
    var message = message
    do {
      let update = try Depth.read(
        &message.cursor, in: frame, scale: scale, limit: configuration.depthLimit,
        into: &events.levels)
      try message.close(in: frame)
      guard update.market == markets[index].symbol.market else {
        events.levels.removeSubrange(first...)
        events.append(.anomaly(.malformed))
        return
      }
      follow(update, index, first: first, at: now, events: &events)
    } catch {
      // An update that cannot be read is an update missed.
      events.levels.removeSubrange(first...)
      events.append(.anomaly(.malformed))
      if !markets[index].isAwaitingSnapshot { distrust(index, at: now, events: &events) }
    }
  }

  private mutating func follow(
    _ update: Depth.Update, _ index: Int, first: Int, at now: Timestamp,
    events: inout VenueEvents
  ) {
    if markets[index].isAwaitingSnapshot && !update.isSnapshot {
      // Sent before our resubscription reached the venue. It counts as silence: if the snapshot never
      // comes, the book is asked for again.
      events.levels.removeSubrange(first...)
      return
    }
    markets[index].heardAt = now
    do throws(Gaps.Break) {
      // A delta without a past cannot be chained: it follows nothing.
      let past = update.isSnapshot ? nil : update.pastUpdateID ?? .max
      try markets[index].gaps.follow(update.updateID, after: past)
    } catch {
      events.levels.removeSubrange(first...)
      events.append(.anomaly(.bookGap))
      distrust(index, at: now, events: &events)
      return
    }
    if let left = update.eventTime, isLate(left, at: now) {
      // What waits behind it in the socket is late as well; the snapshot that is asked for now is not.
      events.levels.removeSubrange(first...)
      if markets[index].isTrusted { events.append(.anomaly(.bookLate)) }
      distrust(index, at: now, events: &events)
      return
    }
    if update.isSnapshot {
      markets[index].isAwaitingSnapshot = false
      // A snapshot on its way may have come before our resubscription: it heals just as well.
      markets[index].resubscribeAt = .distantFuture
    }
    markets[index].isTrusted = true
    events.append(
      .book(
        markets[index].symbol.instrument, first: UInt32(first),
        count: UInt32(events.levels.count - first), isSnapshot: update.isSnapshot,
        exchangeTime: update.engineTime))
  }

  /// Whether what left the venue at `time`, by its own clock, did so too long ago to be traded on: this
  /// process slept, or the connection stood still, and what it held back is read now.
  private func isLate(_ time: Timestamp, at now: Timestamp) -> Bool {
    guard isClockKnown else { return false }
    // A slow answer tells the venue's clock as badly as it was slow.
    return now + clockOffset - time - clockTrack.uncertainty > configuration.bookLag
  }

  /// News of `time`, by the venue's clock, came on the stream: where it is late, so is all that was told of
  /// the book before it, and what is placed in answer would be placed on that.
  mutating func judgeBook(
    _ index: Int, byNewsOf time: Timestamp, at now: Timestamp, events: inout VenueEvents
  ) {
    guard markets[index].isTrusted, isLate(time, at: now) else { return }
    events.append(.anomaly(.bookLate))
    distrust(index, at: now, events: &events)
  }

  mutating func receiveLastPrice(
    _ message: VenueMessage, _ frame: Span<UInt8>, events: inout VenueEvents
  ) {
    var message = message
    do {
      let (market, price) = try Trades.readLastPrice(&message.cursor, in: frame)
      try message.close(in: frame)
      tellLastPrice(market, price, events: &events)
    } catch {
      events.append(.anomaly(.malformed))
    }
  }

  /// - Returns: the market by index and the price that was told of it; nil when there is none to tell.
  @discardableResult
  private func tellLastPrice(
    _ market: InlineText, _ price: Amount, events: inout VenueEvents
  ) -> (market: Int, price: Price)? {
    guard let index = markets.index(named: market), let instrument = markets[index].instrument
    else { return nil }
    // Zero is the venue's way of saying that nothing was traded yet: no price to lay a grid around.
    guard price > .zero else { return nil }
    guard let price = instrument.scale.exactPrice(of: price) else {
      events.append(.anomaly(.malformed))
      return nil
    }
    events.append(.lastPrice(instrument.id, price))
    return (index, price)
  }

  mutating func receiveTrades(
    _ message: VenueMessage, _ frame: Span<UInt8>, events: inout VenueEvents
  ) {
    var message = message
    prints.removeAll(keepingCapacity: true)
    do {
      let market = try Trades.readPush(&message.cursor, in: frame, into: &prints)
      try message.close(in: frame)
      guard let index = markets.index(named: market) else { return }
      tellPrints(index, events: &events)
    } catch {
      events.append(.anomaly(.malformed))
    }
  }

  /// Tells the prints not told before, oldest first. The first list of a life is history.
  private mutating func tellPrints(_ index: Int, events: inout VenueEvents) {
    guard let instrument = markets[index].instrument else { return }
    let last = markets[index].lastTrade
    var newest = last ?? 0
    // Newest first on the wire.
    var position = prints.count
    while position > 0 {
      position -= 1
      let told = prints[position]
      newest = max(newest, told.tradeID)
      guard let last, told.tradeID > last else { continue }
      if let trade = told.marketTrade(of: instrument.id, scale: instrument.scale) {
        events.append(.marketTrade(trade))
      } else {
        events.append(.anomaly(.malformed))
      }
    }
    markets[index].lastTrade = newest
  }

  // MARK: Replies

  /// The venue's clock, in whole seconds, cut.
  mutating func readTime(
    _ body: Span<UInt8>, sentAt: Timestamp, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    guard let time = try? Markets.readTime(body) else { return false }
    let isStep = clockTrack.measure(
      venue: time, resolution: .seconds(1), sentAt: sentAt, at: now)
    if epoch == .zero { epoch = time }
    done.insert(.time)
    judgeClock(events: &events)
    want(
      .time,
      at: now
        + (isClockSkewed || isStep ? configuration.clockRecheck : configuration.clockInterval))
    return true
  }

  /// The calendar moved against our clock: which of the two is right, the venue knows.
  mutating func followCalendar(
    lead: TimeSpan, step: TimeSpan, at now: Timestamp, events: inout VenueEvents
  ) {
    clockTrack.calendarLead = lead
    if step != .zero { events.append(.notice(.calendarSet(by: step))) }
    guard clockTrack.isMeasured else { return }
    judgeClock(events: &events)
    if isActive { want(.time, at: now) }
  }

  private mutating func judgeClock(events: inout VenueEvents) {
    let allowed = configuration.allowedSkew
    let isBeyond = clockTrack.isBeyond(allowed)
    guard isBeyond != isClockSkewed else { return }
    isClockSkewed = isBeyond
    let offset = clockTrack.calendarOffset
    events.append(
      .notice(
        isBeyond ? .clockSkewed(offset: offset, allowed: allowed) : .clockBack(offset: offset)))
  }

  /// The rules of our markets; a market that is missing from the list is not traded now.
  mutating func readMarkets(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    do {
      var rows = try Rows<MarketListing>(body)
      var listed: [Bool] = Array(repeating: false, count: markets.count)
      while let listing = try rows.next(in: body) {
        guard let index = markets.index(named: listing.name) else { continue }
        do throws(Grid.Fault) {
          let instrument = try Grid.instrument(
            markets[index].symbol.instrument, from: listing,
            fixed: markets[index].scale)
          listed[index] = true
          if markets[index].instrument != instrument || !markets[index].isListed {
            markets[index].instrument = instrument
            events.append(.instrument(instrument))
          }
          markets[index].isListed = true
          // The venue had refused its book: it may give it now.
          if case .stream = configuration.feed, link.stage == .live, !markets[index].isSubscribed {
            markets[index].resubscribeAt = now
          }
        } catch {
          // A listing that cannot be counted on our grid cannot be traded on it.
          events.append(.anomaly(.malformed))
        }
      }
      var isMissing = false
      for index in 0..<markets.count where !listed[index] {
        isMissing = true
        if markets[index].isListed || !done.contains(.markets) {
          markets[index].isListed = false
          events.append(.instrumentUnavailable(markets[index].symbol.instrument))
        }
      }
      done.insert(.markets)
      jobs[Int(Job.markets.rawValue)].dueAt =
        now + (isMissing ? configuration.unavailableInterval : configuration.rulesInterval)
      return true
    } catch {
      return false
    }
  }

  /// The venue says that a market is not traded: local orders stop until its list has it again.
  mutating func withdraw(_ index: Int, at now: Timestamp, events: inout VenueEvents) {
    if markets[index].isListed {
      markets[index].isListed = false
      events.append(.instrumentUnavailable(markets[index].symbol.instrument))
    }
    if isActive { want(.markets, at: now + configuration.unavailableInterval) }
  }

  mutating func readTicker(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    var prices: [Price?] = Array(repeating: nil, count: markets.count)
    do {
      var rows = try Markets.Tickers(body)
      while let row = try rows.next(in: body) {
        if let told = tellLastPrice(row.market, row.lastPrice, events: &events) {
          prices[told.market] = told.price
        }
      }
      tickers.fill(prices, at: now)
      done.insert(.ticker)
      return true
    } catch {
      return false
    }
  }

  // MARK: Polling

  /// A polled market wants its last price: all of them come with one answer, which is asked for once
  /// for as long as it is fresh.
  private mutating func readLastPrice(_ index: Int, at now: Timestamp, events: inout VenueEvents) {
    switch tickers.read(at: now) {
    case .fresh(let prices):
      if let price = prices[index] {
        events.append(.lastPrice(markets[index].symbol.instrument, price))
      }
    case .ask: want(.ticker, at: now)
    case .wait: break
    }
  }

  mutating func readBook(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    let index = Int(jobs[Int(Job.book.rawValue)].market)
    guard let scale = markets[index].scale else {
      finishPage(of: .book, rows: 0, at: now)
      return true
    }
    let first = events.levels.count
    do {
      let time = try Depth.readReply(
        body, scale: scale, limit: configuration.depthLimit, into: &events.levels)
      markets[index].heardAt = now
      markets[index].isTrusted = true
      events.append(
        .book(
          markets[index].symbol.instrument, first: UInt32(first),
          count: UInt32(events.levels.count - first), isSnapshot: true, exchangeTime: time))
      readLastPrice(index, at: now, events: &events)
      finishPage(of: .book, rows: 0, at: now)
      return true
    } catch {
      events.levels.removeSubrange(first...)
      return false
    }
  }

  mutating func readTape(
    _ body: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) -> Bool {
    let index = Int(jobs[Int(Job.tape.rawValue)].market)
    prints.removeAll(keepingCapacity: true)
    do {
      var rows = try Rows<WireTrade>(body)
      while let trade = try rows.next(in: body) { prints.append(trade) }
      tellPrints(index, events: &events)
      finishPage(of: .tape, rows: 0, at: now)
      return true
    } catch {
      return false
    }
  }
}
