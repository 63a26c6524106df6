internal import MartletBase
internal import MartletModel
internal import WhiteBITWire

/// What the desk keeps of a market beside the exchange's book.
struct DeskMarket {
  private(set) var listing: MarketListing
  private(set) var instrument: Instrument
  /// The counter of book changes that depth frames are chained by.
  var updateID: UInt64
  /// The version of the book that `updateID` stands for.
  var publishedVersion: UInt64 = 0
  /// When the book last changed.
  var changedAt: Timestamp
  /// Prints since the last push, oldest first.
  var fresh: [WireTrade] = []
  /// The latest prints, oldest first, some more than are given out.
  private var prints: [WireTrade] = []
  var history = PriceHistory()
  /// The best as last pushed.
  var bid: BookLevel?
  var ask: BookLevel?

  /// Prints kept for the tape; the most the venue gives.
  static let tapeLimit = 100

  init(
    listing: MarketListing, instrument: Instrument, updateID: UInt64, openedAt: Timestamp
  ) {
    self.listing = listing
    self.instrument = instrument
    self.updateID = updateID
    changedAt = openedAt
  }

  /// Lists the market with other rules on the grid that it has.
  mutating func relist(_ listing: MarketListing) throws(Grid.Fault) {
    instrument = try Grid.instrument(instrument.id, from: listing, fixed: scale)
    self.listing = listing
  }

  var name: InlineText { listing.name }
  var scale: InstrumentScale { instrument.scale }

  /// A trade of now: told to those who listen.
  mutating func add(_ trade: MarketTrade) { fresh.append(remember(trade)) }

  /// A trade of now or of before the opening.
  @discardableResult
  mutating func remember(_ trade: MarketTrade) -> WireTrade {
    history.add(trade.price, trade.quantity, scale, at: trade.exchangeTime)
    let told = WireTrade(
      tradeID: trade.tradeID.low, time: trade.exchangeTime,
      price: scale.amount(of: trade.price), amount: scale.amount(of: trade.quantity),
      aggressor: trade.aggressor)
    prints.append(told)
    // Many at once, so that the list is not moved at every trade.
    if prints.count > 8 * Self.tapeLimit { prints.removeFirst(prints.count - Self.tapeLimit) }
    return told
  }

  /// The latest prints, newest first.
  var tape: [WireTrade] { prints.suffix(Self.tapeLimit).reversed() }

  /// Gives what is on the tape the numbers below `first`, which is the exchange's first own.
  mutating func numberTape(before first: UInt64) {
    for index in prints.indices {
      prints[index].tradeID = first - UInt64(prints.count - index)
    }
  }
}

/// Candles of a market, by the second and by the minute; everything coarser is put together.
struct PriceHistory {
  struct Candle {
    /// Seconds since 1970, a multiple of the width.
    var start: Int64
    var open: Amount
    var close: Amount
    var high: Amount
    var low: Amount
    var volume = Amount.zero
    var deal = Amount.zero

    mutating func merge(_ later: Candle) {
      close = later.close
      high = max(high, later.high)
      low = min(low, later.low)
      volume += later.volume
      deal += later.deal
    }
  }

  /// The oldest first.
  private var seconds: [Candle] = []
  private var minutes: [Candle] = []
  private(set) var last: Amount?

  /// Candles kept: an hour of seconds, two days of minutes.
  static let secondLimit = 3_600
  static let minuteLimit = 2_880

  mutating func add(
    _ price: Price, _ quantity: Quantity, _ scale: InstrumentScale, at time: Timestamp
  ) {
    let price = scale.amount(of: price)
    let volume = scale.amount(of: quantity)
    // Exact: a trade's value lies on the grid of amounts.
    let deal = scale.value(of: volume, at: price)
    last = price
    let single = Candle(
      start: time.seconds, open: price, close: price, high: price, low: price, volume: volume,
      deal: deal)
    Self.add(single, to: &seconds, width: 1, limit: Self.secondLimit)
    Self.add(single, to: &minutes, width: 60, limit: Self.minuteLimit)
  }

  private static func add(
    _ single: Candle, to candles: inout [Candle], width: Int64, limit: Int
  ) {
    var candle = single
    candle.start = single.start - single.start % width
    fill(&candles, to: candle.start, width: width, limit: limit)
    if let index = candles.indices.last, candles[index].start == candle.start {
      if candles[index].volume == .zero && candles[index].deal == .zero {
        // Until now a candle of silence, which had the price before it.
        let open = candles[index].open
        candles[index] = candle
        candles[index].open = open
        candles[index].high = max(candle.high, open)
        candles[index].low = min(candle.low, open)
      } else {
        candles[index].merge(candle)
      }
    } else {
      candles.append(candle)
    }
    // A quarter at once, so that the array is not moved at every trade.
    if candles.count > limit + limit / 4 { candles.removeFirst(candles.count - limit) }
  }

  /// Appends silent candles up to and including the one that begins at `start`.
  private static func fill(
    _ candles: inout [Candle], to start: Int64, width: Int64, limit: Int
  ) {
    guard var previous = candles.last, previous.start < start else { return }
    if (start - previous.start) / width > Int64(limit) {
      candles.removeAll()
      previous.start = start - Int64(limit) * width
    }
    let price = previous.close
    var next = previous.start + width
    while next <= start {
      candles.append(Candle(start: next, open: price, close: price, high: price, low: price))
      next += width
    }
  }

  /// Candles of `width` seconds that begin within `range`, the current one included.
  func candles(width: Int64, from start: Int64, to now: Int64, limit: Int) -> [Candle] {
    let isFine = width < 60
    let own: Int64 = isFine ? 1 : 60
    var base = isFine ? seconds : minutes
    Self.fill(
      &base, to: now - now % own, width: own, limit: isFine ? Self.secondLimit : Self.minuteLimit)
    var result: [Candle] = []
    for candle in base where candle.start <= now {
      let begin = candle.start - candle.start % width
      guard begin >= start else { continue }
      if let index = result.indices.last, result[index].start == begin {
        result[index].merge(candle)
      } else {
        var first = candle
        first.start = begin
        result.append(first)
      }
    }
    return Array(result.suffix(limit))
  }

  /// The last `period` seconds in one candle; nil before the first trade.
  func statistics(period: Int64, now: Int64) -> Candle? {
    let all = candles(width: 60, from: now - period + 1, to: now, limit: Self.minuteLimit)
    guard var sum = all.first else { return nil }
    for candle in all.dropFirst() { sum.merge(candle) }
    return sum
  }
}

extension InstrumentScale {
  /// The exact value of an amount of base on the quantity grid at a price on the price grid.
  func value(of base: Amount, at price: Amount) -> Amount {
    Amount(
      units: (base.units / quantityFactor) * (price.units / priceFactor) * notionalFactor)
  }
}
