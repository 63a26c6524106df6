internal import MartletBase
internal import MartletModel

/// One instrument's side of the exchange: the outside book, the clients' book, waiting stops.
struct Market {
  var listing: Listing
  let base: AssetID
  let quote: AssetID
  /// By side: bids, asks.
  var outside: [OutsideSide]
  var clients: [ClientSide] = [ClientSide(), ClientSide()]
  var stops = WaitingStops()
  var feed: OutsideMarket?
  var last: Price?
  /// Counts changes of the published book.
  var version: UInt64 = 0
  /// What trades did since the stops were last looked at.
  var traded: (low: Price, high: Price)?
  /// Whether the book changed since it was last told.
  var isBookChanged = false

  init(_ listing: Listing, base: AssetID, quote: AssetID, ladder: Int) {
    self.listing = listing
    self.base = base
    self.quote = quote
    feed = listing.outside
    outside = [OutsideSide(width: ladder), OutsideSide(width: ladder)]
  }

  var scale: InstrumentScale { listing.instrument.scale }
  var rules: InstrumentRules { listing.instrument.rules }

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
