internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// One depth subscription, and the chain of frames sent to it.
struct DepthSubscription {
  var market: Int
  /// Levels a side.
  var limit: Int
  /// Price grouping in quanta; 0 for none.
  var interval: Int64
  /// The window as the client has it: asks ascending, then bids descending.
  var levels: [BookLevel] = []
  var lastID: UInt64 = 0
  var sentAt = Timestamp.zero
  /// The book's version that `levels` shows.
  var version: UInt64 = 0

  static let limits = [1, 5, 10, 20, 30, 50, 100]
}

// The half that makes what a session's `Gaps` proves: snapshots, deltas that name the update they
// follow, and a whole book again after ten seconds of silence.
extension WhiteBITDesk {
  /// The best `limit` levels a side: asks ascending, then bids descending.
  func levels(_ market: Int, limit: Int, interval: Int64 = 0) -> [BookLevel] {
    let instrument = markets[market].instrument.id
    var levels: [BookLevel] = []
    guard interval > 1 else {
      exchange.appendDepth(of: instrument, .sell, limit: limit, to: &levels)
      exchange.appendDepth(of: instrument, .buy, limit: limit, to: &levels)
      return levels
    }
    for side in [Side.sell, .buy] {
      var fine: [BookLevel] = []
      exchange.appendDepth(of: instrument, side, limit: .max, to: &fine)
      let start = levels.count
      for level in fine {
        // Away from the spread, so that a group never promises a better price than it has.
        let floor = level.price.quanta / interval * interval
        let isOn = floor == level.price.quanta
        let price = Price(quanta: side == .buy || isOn ? floor : floor + interval)
        if levels.count > start, let last = levels.indices.last, levels[last].price == price {
          levels[last].quantity += level.quantity
        } else if levels.count - start < limit {
          levels.append(BookLevel(side: side, price: price, quantity: level.quantity))
        } else {
          break
        }
      }
    }
    return levels
  }

  /// Moves a market's counter on; it steps by more than one as a rule.
  mutating func advanceUpdateID(_ market: Int) {
    markets[market].updateID += 1 + random.below(60)
  }

  /// A whole book, from which the chain begins.
  mutating func snapshot(
    _ subscription: inout DepthSubscription, to connection: UInt64, output: inout DeskOutput
  ) {
    let market = subscription.market
    let version = exchange.bookVersion(of: markets[market].instrument.id)
    if version != markets[market].publishedVersion {
      advanceUpdateID(market)
      markets[market].publishedVersion = version
    }
    subscription.levels = levels(
      market, limit: subscription.limit, interval: subscription.interval)
    subscription.version = version
    send(
      subscription.levels, isSnapshot: true, after: nil, &subscription, to: connection,
      output: &output)
  }

  private mutating func send(
    _ levels: [BookLevel], isSnapshot: Bool, after past: UInt64?,
    _ subscription: inout DepthSubscription, to connection: UInt64, output: inout DeskOutput
  ) {
    let market = markets[subscription.market]
    let update = Depth.Update(
      market: market.name, isSnapshot: isSnapshot, updateID: market.updateID, pastUpdateID: past,
      engineTime: market.changedAt, eventTime: now)
    subscription.lastID = market.updateID
    subscription.sentAt = now
    let frame = bytes {
      Depth.writePush(update, levels: levels.span, scale: market.scale, into: &$0)
    }
    push(frame, isSnapshot ? .depthSnapshot : .depthDelta, to: connection, output: &output)
  }

  /// Tells every subscription what changed in its window since its last frame.
  mutating func publishDepth(output: inout DeskOutput) {
    for index in connections.indices {
      let connection = connections[index].key
      var subscriptions = connections[valueAt: index].depth
      guard !subscriptions.isEmpty else { continue }
      for place in subscriptions.indices {
        publish(&subscriptions[place], to: connection, output: &output)
      }
      connections[valueAt: index].depth = subscriptions
    }
    schedulePublication()
  }

  private mutating func publish(
    _ subscription: inout DepthSubscription, to connection: UInt64, output: inout DeskOutput
  ) {
    let market = subscription.market
    let version = exchange.bookVersion(of: markets[market].instrument.id)
    if version != subscription.version {
      let levels = levels(market, limit: subscription.limit, interval: subscription.interval)
      var changes: [BookLevel] = []
      DepthWindow.appendDifference(from: subscription.levels, to: levels, into: &changes)
      subscription.levels = levels
      subscription.version = version
      if !changes.isEmpty {
        if version != markets[market].publishedVersion {
          advanceUpdateID(market)
          markets[market].publishedVersion = version
        }
        // Two frames of one id cannot follow each other.
        if markets[market].updateID == subscription.lastID { advanceUpdateID(market) }
        let past = subscription.lastID
        send(
          changes, isSnapshot: false, after: past, &subscription, to: connection,
          output: &output)
        return
      }
    }
    guard subscription.sentAt + configuration.keepaliveInterval <= now else { return }
    // Its id is the last one or a later one: the counter counts what the window does not show.
    if random.below(2) == 0 { advanceUpdateID(market) }
    snapshot(&subscription, to: connection, output: &output)
  }

  /// Sets the next publication, on whole intervals of the clock, while anybody listens.
  mutating func schedulePublication() {
    let isHeard = connections.contains { !$0.value.depth.isEmpty }
    publishAt = isHeard ? next(configuration.publishInterval) : .distantFuture
  }

  /// The next whole multiple of `interval` after now.
  func next(_ interval: TimeSpan) -> Timestamp {
    let past = now.nanoseconds % interval.nanoseconds
    return now + interval - TimeSpan(nanoseconds: past)
  }
}
