public import MartletBase
public import MartletModel

// How the recorded market moves the clients' resting orders. Pessimistic (HOTPATH, section 3):
// an order waits behind everything that was shown when it came, moves up only by trades at its
// price or when less is shown, and is filled at its own price.
extension Exchange {
  /// Applies the next frame of a market's own recording.
  mutating func applyFrame(_ market: Int, at now: Timestamp) {
    guard let (rows, first) = markets[market].feed.map({ ($0.rows, $0.position) }) else { return }
    // Known as passed before anything is matched.
    var end = first + 1
    while !rows[end - 1].endsFrame { end += 1 }
    markets[market].feed?.passed(to: end)
    take(rows.span.extracting(first..<end), market, at: now)
  }

  /// Lets the outside market of an instrument without a recording of its own move by one frame, told by
  /// whoever reads a longer one.
  ///
  /// - Parameters:
  ///   - frame: its rows, on the instrument's own grids; at least one, the last with `endsFrame`.
  ///   - now: not before any time told so far.
  public mutating func apply(
    _ frame: Span<MarketRow>, to instrument: InstrumentID, at now: Timestamp
  ) {
    advance(to: now)
    take(frame, Int(instrument.index), at: now)
  }

  /// Applies one frame and matches when the book is whole again: in mid-frame it may be crossed.
  private mutating func take(_ rows: Span<MarketRow>, _ market: Int, at now: Timestamp) {
    let kind = rows[0].kind
    if kind == .trade {
      for index in rows.indices { printed(rows[index], market, at: now) }
    } else {
      if kind == .snapshot {
        markets[market].outside.bids.removeAll()
        markets[market].outside.asks.removeAll()
      }
      markets[market].takeLevels(rows, touched: &touched)
      for level in touched {
        guard let place = markets[market].clients[level.side].find(level.key) else { continue }
        limitQueue(market, level.side, place, to: level.shown)
      }
      touched.removeAll(keepingCapacity: true)
      if kind == .snapshot { requeue(market) }
      markets[market].markBook()
      matchCrossed(market, at: now)
    }
    settleCommand(InstrumentID(UInt16(market)), at: now)
  }

  /// No order has more before it than is shown.
  private mutating func limitQueue(_ market: Int, _ side: Int, _ level: Int, to shown: Int64) {
    var slot = markets[market].clients[side][level].head
    while slot >= 0 {
      slab[slot].ahead = min(slab[slot].ahead, shown)
      slot = slab[slot].next
    }
  }

  /// After a snapshot every level may be another than before.
  private mutating func requeue(_ market: Int) {
    for side in 0..<2 {
      for level in markets[market].clients[side].levels.indices {
        let key = markets[market].clients[side][level].key
        limitQueue(market, side, level, to: markets[market].outside[side][key])
      }
    }
  }

  /// A trade on the recorded tape. It fills what it traded through, and at its own price what its
  /// quantity reaches in the queue.
  private mutating func printed(_ row: MarketRow, _ market: Int, at now: Timestamp) {
    let makerSide = row.side.opposite
    let side = Int(makerSide.rawValue)
    let key = OutsideSide.key(of: row.price, on: makerSide)
    var toClients: Int64 = 0
    while let best = markets[market].clients[side].best, best.key > key {
      let size = tradable(slab[best.head].record)
      if size == 0 {
        _ = end(best.head, .reduceOnly, at: now)
        continue
      }
      toClients += takeResting(best.head, size, now)
    }
    if let best = markets[market].clients[side].best, best.key == key {
      var rest = row.quantity.quanta
      var outside: Int64 = 0
      var slot = best.head
      while slot >= 0 && rest > 0 {
        let before = min(slab[slot].ahead - outside, rest)
        if before > 0 {
          outside += before
          rest -= before
        }
        let next = slab[slot].next
        let size = min(rest, tradable(slab[slot].record))
        if size > 0 {
          rest -= size
          toClients += takeResting(slot, size, now)
        }
        slot = next
      }
      advanceQueue(market, side, key, by: outside)
    }
    markets[market].note(trade: row.price)
    // What clients' orders took of the print is on the tape already, under their own trades.
    let rest = row.quantity.quanta - toClients
    guard rest > 0 else { return }
    events.append(
      .trade(
        MarketTrade(
          instrument: InstrumentID(UInt16(market)), tradeID: TradeID(low: nextTrade),
          price: row.price, quantity: Quantity(quanta: rest), aggressor: row.side,
          exchangeTime: now)))
    nextTrade += 1
  }

  /// The outside market takes `quantity` of a resting order, at the order's price.
  private mutating func takeResting(
    _ slot: Int32, _ quantity: Int64, _ now: Timestamp
  ) -> Int64 {
    var record = slab[slot].record
    fill(&record, .maker, at: record.price, quantity, from: nil, now)
    let market = Int(record.instrument.index)
    let side = Int(record.side.rawValue)
    slab[slot].record = record
    if let level = markets[market].clients[side].find(
      OutsideSide.key(of: record.price, on: record.side))
    {
      markets[market].clients[side][level].leaves -= quantity
    }
    markets[market].markBook()
    if record.status == .filled { finish(withdraw(slot)) }
    return quantity
  }

  /// The recorded book came to stand across clients' orders: it takes them, as far as it reaches.
  private mutating func matchCrossed(_ market: Int, at now: Timestamp) {
    for side in 0..<2 {
      while let across = markets[market].crossing(side),
        let best = markets[market].clients[side].best
      {
        let size = min(across.shown, tradable(slab[best.head].record))
        if size == 0 {
          _ = end(best.head, .reduceOnly, at: now)
          continue
        }
        _ = takeResting(best.head, size, now)
        markets[market].outside[1 - side].set(across.key, across.shown - size)
      }
    }
  }

  /// Turns every waiting order that the trades since the last look set off into what it is for.
  mutating func runStops(_ market: Int, at now: Timestamp) {
    if let marked = markets[market].marked {
      markets[market].marked = nil
      while let stop = markets[market].markStops.next(low: marked, high: marked) {
        trigger(stop, market, at: now)
      }
    }
    while let traded = markets[market].traded {
      guard let stop = markets[market].stops.next(low: traded.low, high: traded.high) else {
        markets[market].traded = nil
        return
      }
      trigger(stop, market, at: now)
    }
  }

  private mutating func trigger(_ stop: WaitingStops.Stop, _ market: Int, at now: Timestamp) {
    var record = withdraw(stop.slot)
    record.status = .open
    record.isTriggered = true
    record.modifiedAt = now
    events.append(.triggered(record))
    if markets[market].contract != nil, let reason = hindrance(of: &record) {
      return close(&record, reason, at: now)
    }
    play(&record, at: now)
  }
}
