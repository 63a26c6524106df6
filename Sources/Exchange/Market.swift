internal import MartletBase
internal import MartletModel

/// One instrument's side of the exchange: the outside book, the clients' book, waiting stops.
struct Market {
  var listing: Listing
  let base: AssetID
  let quote: AssetID
  var outside: OutsideBook
  var clients: [ClientSide] = [ClientSide(), ClientSide()]
  var stops = WaitingStops()
  var feed: OutsideMarket?
  var last: Price?
  /// Counts changes of the published book.
  var version: UInt64 = 0
  // Of a contract alone.
  let contract: ContractArithmetic?
  /// The asset that it is settled in; of spot the quote asset.
  let settlement: AssetID
  var mark: Price?
  /// The mark since stops by the mark were last looked at.
  var marked: Price?
  var markStops = WaitingStops()
  /// The rate of the next funding, if somebody told it, and when that is due.
  var fundingRate: Rate?
  var fundingAt = Timestamp.distantFuture
  let marks: [MarkRow]
  var nextMark = 0
  /// What trades did since the stops were last looked at.
  var traded: (low: Price, high: Price)?
  /// Whether the book changed since it was last told.
  var isBookChanged = false

  init(_ listing: Listing, base: AssetID, quote: AssetID, ladder: Int) {
    self.listing = listing
    self.base = base
    self.quote = quote
    feed = listing.outside
    contract = listing.contract.map { ContractArithmetic($0) }
    settlement = listing.instrument.kind == .inverse ? base : quote
    marks = listing.contract == nil ? [] : listing.marks
    outside = OutsideBook(width: ladder)
  }

  var scale: InstrumentScale { listing.instrument.scale }
  var rules: InstrumentRules { listing.instrument.rules }

  /// When a mark is told or funding is due; never on spot.
  var contractDue: Timestamp {
    nextMark < marks.count ? min(marks[nextMark].at, fundingAt) : fundingAt
  }

  /// Takes one frame of levels.
  ///
  /// - Parameter touched: receives the clients' levels that were told anew, by side and key, with
  ///   the quantity shown there now.
  mutating func takeLevels(
    _ rows: Span<MarketRow>, touched: inout [(side: Int, key: Int64, shown: Int64)]
  ) {
    // Nobody comes or goes while a frame is taken.
    let bids = clients[0].levels
    let asks = clients[1].levels
    for index in rows.indices {
      let row = rows[index]
      let quantity = row.quantity.quanta
      if row.side == .buy {
        outside.bids.set(row.price.quanta, quantity)
        if ClientSide.find(row.price.quanta, in: bids) != nil {
          touched.append((0, row.price.quanta, quantity))
        }
      } else {
        outside.asks.set(-row.price.quanta, quantity)
        if ClientSide.find(-row.price.quanta, in: asks) != nil {
          touched.append((1, -row.price.quanta, quantity))
        }
      }
    }
  }

  /// Where the recorded book stands across the clients' best on `side`: its best key on the other
  /// side, and the quantity there.
  func crossing(_ side: Int) -> (key: Int64, shown: Int64)? {
    guard let best = clients[side].levels.last else { return nil }
    let far = side == 0 ? asksBest : bidsBest
    // Keys of the two halves are prices with opposite signs: crossed when they reach zero.
    guard let far, best.key + far >= 0 else { return nil }
    return (far, side == 0 ? outside.asks[far] : outside.bids[far])
  }

  private var asksBest: Int64? { outside.asks.count > 0 ? outside.asks.best : nil }
  private var bidsBest: Int64? { outside.bids.count > 0 ? outside.bids.best : nil }

  mutating func markBook() { isBookChanged = true }

  mutating func note(trade price: Price) {
    last = price
    traded = traded.map { (min($0.low, price), max($0.high, price)) } ?? (price, price)
  }

  /// The best key on `side`, whoever stands there.
  func best(_ side: Side) -> Int64? {
    let index = Int(side.rawValue)
    let client = clients[index].best?.key
    guard outside[index].count > 0 else { return client }
    return max(outside[index].best, client ?? .min)
  }

  /// Gives the levels of `side`, best first, outside and clients together, until `body` says false.
  func forEachLevel(_ side: Side, _ body: (_ key: Int64, _ quantity: Int64) -> Bool) {
    let clients = clients[Int(side.rawValue)].levels
    var next = clients.count - 1
    var isGoing = true
    outside[Int(side.rawValue)].forEach { key, quantity in
      while isGoing && next >= 0 && clients[next].key > key {
        isGoing = body(clients[next].key, clients[next].leaves)
        next -= 1
      }
      guard isGoing else { return false }
      var quantity = quantity
      if next >= 0 && clients[next].key == key {
        quantity += clients[next].leaves
        next -= 1
      }
      isGoing = body(key, quantity)
      return isGoing
    }
    while isGoing && next >= 0 {
      isGoing = body(clients[next].key, clients[next].leaves)
      next -= 1
    }
  }
}

/// Both halves of the recorded book, by side: 0 bids, 1 asks.
struct OutsideBook {
  var bids: OutsideSide
  var asks: OutsideSide

  init(width: Int) {
    bids = OutsideSide(width: width)
    asks = bids
  }

  subscript(side: Int) -> OutsideSide {
    _read { if side == 0 { yield bids } else { yield asks } }
    _modify { if side == 0 { yield &bids } else { yield &asks } }
  }
}

/// Stop orders before their triggers, by which trade would set them off next.
struct WaitingStops {
  struct Stop {
    var trigger: Price
    var slot: Int32
    var id: ExchangeOrderID
  }

  /// Triggered at or above: the lowest trigger last. At or below: the highest last. Of equal
  /// triggers the oldest is last.
  private var above: [Stop] = []
  private var below: [Stop] = []

  var isEmpty: Bool { above.isEmpty && below.isEmpty }

  mutating func insert(_ stop: Stop, _ condition: TriggerCondition) {
    switch condition {
    case .atOrAbove:
      let index = above.firstIndex { $0.trigger <= stop.trigger } ?? above.count
      above.insert(stop, at: index)
    case .atOrBelow:
      let index = below.firstIndex { $0.trigger >= stop.trigger } ?? below.count
      below.insert(stop, at: index)
    }
  }

  mutating func remove(_ id: ExchangeOrderID, _ condition: TriggerCondition) {
    switch condition {
    case .atOrAbove: above.removeAll { $0.id == id }
    case .atOrBelow: below.removeAll { $0.id == id }
    }
  }

  /// Takes out the stop that trades between `low` and `high` set off first; of one on either side
  /// the older.
  mutating func next(low: Price, high: Price) -> Stop? {
    let up = above.last.flatMap { $0.trigger <= high ? $0 : nil }
    let down = below.last.flatMap { $0.trigger >= low ? $0 : nil }
    switch (up, down) {
    case (nil, nil): return nil
    case (.some, nil): return above.removeLast()
    case (nil, .some): return below.removeLast()
    case (.some(let up), .some(let down)):
      return up.id < down.id ? above.removeLast() : below.removeLast()
    }
  }
}
