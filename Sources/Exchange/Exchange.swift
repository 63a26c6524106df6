public import MartletBase
public import MartletModel

/// An instrument as this exchange lists it.
public struct Listing: Sendable {
  public var instrument: Instrument
  public var fees: FeePolicy
  /// The recorded market around our clients; nil where they are alone.
  public var outside: OutsideMarket?
  /// What a contract is beyond its instrument; nil of spot.
  public var contract: ContractTerms?
  /// A contract's marks and funding rates in the order of their times; those that are told by command need
  /// none.
  public var marks: [MarkRow]
  public init(
    instrument: Instrument, fees: FeePolicy, outside: OutsideMarket? = nil,
    contract: ContractTerms? = nil, marks: [MarkRow] = []
  ) {
    self.instrument = instrument
    self.fees = fees
    self.outside = outside
    self.contract = contract
    self.marks = marks
  }
}

/// What is told of a contract at one moment: its mark, the rate of its next funding, or both.
@frozen public struct MarkRow: Equatable, Sendable, BitwiseCopyable {
  public var at: Timestamp
  public var mark: Price?
  public var fundingRate: Rate?
  @inlinable public init(at: Timestamp, mark: Price? = nil, fundingRate: Rate? = nil) {
    self.at = at
    self.mark = mark
    self.fundingRate = fundingRate
  }
}

public struct ExchangeConfiguration: Sendable {
  public var firstOrderID: UInt64 = 1
  public var firstTradeID: UInt64 = 1
  /// Bounds: what an exchange holds is bounded by these, the instruments and their recordings.
  public var maximumAccounts = 256
  public var maximumWorkingOrdersPerAccount = 1_000
  /// Finished orders, and executions, kept of each account; the oldest are forgotten.
  public var historyPerAccount = 10_000
  /// Ticks around the best kept in a dense ladder; a power of two, at least 64.
  public var ladderTicks = 1 << 14
  public init() {}
}

/// An exchange of spot and of contracts: accounts, orders, price-time matching, margin, and a recorded
/// market around them.
///
/// An account's spot balances and its margin wallets are apart: contracts are covered by the wallets alone.
///
/// It knows no venue and no wire, reads no clock and draws nothing: commands come in with their
/// time, and what happened leaves as `events`, which the owner takes and clears after each call.
/// Time never goes back; a command first lets the outside market move up to its own time.
public struct Exchange: ~Copyable, Sendable {
  public let configuration: ExchangeConfiguration
  /// What happened since `removeAllEvents`.
  public internal(set) var events: [ExchangeEvent] = []
  var markets: [Market] = []
  var ledger: Ledger
  var margin: MarginBooks
  var slab = OrderSlab()
  var accounts: [ExchangeAccount] = []
  /// Clients' levels that the frame being applied tells anew; kept for its room.
  var touched: [(side: Int, key: Int64, shown: Int64)] = []
  var nextOrder: UInt64
  var nextTrade: UInt64

  /// - Parameter listings: instruments with ids 0, 1, 2 … in order.
  public init(configuration: ExchangeConfiguration, listings: [Listing]) {
    self.configuration = configuration
    nextOrder = configuration.firstOrderID
    nextTrade = configuration.firstTradeID
    var assets: [InlineText] = []
    func asset(_ name: InlineText) -> AssetID {
      if let index = assets.firstIndex(of: name) { return AssetID(UInt16(index)) }
      assets.append(name)
      return AssetID(UInt16(assets.count - 1))
    }
    for (index, listing) in listings.enumerated() {
      let instrument = listing.instrument
      precondition(
        Int(instrument.id.index) == index
          && instrument.isContract == (listing.contract != nil)
          && listing.contract.map({
            $0.instrument.kind == instrument.kind && $0.instrument.scale == instrument.scale
          }) != false,
        "\(instrument.symbol): listed out of order, or with other terms than its own")
      markets.append(
        Market(
          listing, base: asset(instrument.base), quote: asset(instrument.quote),
          ladder: configuration.ladderTicks))
    }
    ledger = Ledger(assets: assets)
    margin = MarginBooks(assets: assets.count, markets: listings.count)
  }

  public mutating func removeAllEvents() { events.removeAll(keepingCapacity: true) }

  /// Trades what happened for an empty list to fill, so that neither is copied.
  public mutating func takeEvents(into taken: inout [ExchangeEvent]) {
    taken.removeAll(keepingCapacity: true)
    swap(&events, &taken)
  }

  // MARK: Accounts

  /// Opens an account.
  ///
  /// - Returns: nil when there are as many as there may be.
  public mutating func addAccount() -> AccountID? {
    guard accounts.count < configuration.maximumAccounts else { return nil }
    accounts.append(ExchangeAccount(history: configuration.historyPerAccount))
    margin.addAccount()
    return ledger.addAccount()
  }

  /// Brings money in from outside the exchange.
  ///
  /// - Returns: false when no listed instrument knows the asset; nothing changed then.
  public mutating func deposit(
    _ amount: Amount, of asset: InlineText, to account: AccountID
  ) -> Bool {
    guard amount >= .zero, let asset = self.asset(asset) else { return false }
    ledger.deposit(amount, of: asset, to: account)
    ledger.tellChanges(to: &events)
    return true
  }

  /// Changes the rules of an instrument for every order from now on; orders that rest stay.
  ///
  /// Its steps stay whole numbers of the quanta of its scale.
  public mutating func setRules(_ rules: InstrumentRules, of instrument: InstrumentID) {
    guard Int(instrument.index) < markets.count else { return }
    markets[Int(instrument.index)].listing.instrument.rules = rules
  }

  // MARK: Commands

  /// Takes an order in, matches it and lets it rest as its kind says.
  ///
  /// - Returns: its record as it stands then.
  /// - Throws: `OrderRefusal`; nothing changed then.
  public mutating func place(
    _ order: NewOrder, at now: Timestamp
  ) throws(OrderRefusal) -> OrderRecord {
    advance(to: now)
    guard accounts[Int(order.account.index)].count < configuration.maximumWorkingOrdersPerAccount
    else { throw .tooManyOrders(limit: configuration.maximumWorkingOrdersPerAccount) }
    let record = try prepare(order, freeing: .zero, at: now)
    let placed = enter(record, at: now)
    settleCommand(order.instrument, at: now)
    return placed
  }

  /// Ends a working order.
  ///
  /// - Throws: `notFound` when the account has no such working order, finished ones included.
  @discardableResult
  public mutating func cancel(
    _ id: ExchangeOrderID, of account: AccountID, at now: Timestamp
  ) throws(OrderRefusal) -> OrderRecord {
    advance(to: now)
    guard let slot = slab.find(id), slab[slot].record.account == account else { throw .notFound }
    let record = end(slot, .requested, at: now)
    settleCommand(record.instrument, at: now)
    return record
  }

  /// Ends every working order of an account, the oldest first.
  ///
  /// - Parameter instrument: nil for all.
  public mutating func cancelAll(
    of account: AccountID, instrument: InstrumentID? = nil, reason: CancelReason = .requested,
    at now: Timestamp
  ) {
    advance(to: now)
    var slot = accounts[Int(account.index)].oldest
    while slot >= 0 {
      let next = slab[slot].accountNext
      if instrument == nil || slab[slot].record.instrument == instrument {
        _ = end(slot, reason, at: now)
      }
      slot = next
    }
    for index in markets.indices { settleCommand(InstrumentID(UInt16(index)), at: now) }
  }

  /// Puts a changed order in an old one's place: a new id at the back of the queue, the same label.
  ///
  /// - Returns: the new order's record as it stands then.
  /// - Throws: `OrderRefusal`; the old order stands unchanged then.
  public mutating func modify(
    _ id: ExchangeOrderID, of account: AccountID, _ change: OrderChange, at now: Timestamp
  ) throws(OrderRefusal) -> OrderRecord {
    advance(to: now)
    guard let slot = slab.find(id), slab[slot].record.account == account else { throw .notFound }
    let old = slab[slot].record
    guard change.size != nil || change.price != nil || change.trigger != nil else {
      throw .nothingToChange
    }
    guard (change.price == nil || old.kind.hasPrice) && (change.trigger == nil || old.kind.isStop)
    else { throw .invalidCombination }
    let rest: NewOrder.Size = old.isSizedInQuote ? .quote(old.budgetLeft) : .base(old.leaves)
    var order = NewOrder(
      account: account, instrument: old.instrument, side: old.side, kind: old.kind,
      size: change.size ?? rest, price: change.price ?? old.price,
      trigger: change.trigger ?? old.trigger, condition: old.condition,
      isPostOnly: old.isPostOnly, isImmediate: old.isImmediate,
      selfTrade: change.selfTrade ?? old.selfTrade, label: old.label, mark: old.mark,
      isReduceOnly: old.isReduceOnly, positionSide: old.positionSide,
      triggerSource: old.triggerSource)
    // A stop whose trigger was met is a plain order of its kind.
    if old.isTriggered { order.kind = old.kind == .stopLimit ? .limit : .market }
    let record = try prepare(order, freeing: old.reserved, replacing: old.id, at: now)
    _ = end(slot, .replaced, at: now)
    let placed = enter(record, at: now)
    settleCommand(old.instrument, at: now)
    return placed
  }

  // MARK: Time

  /// When the outside market next moves.
  public var nextTime: Timestamp {
    var next = Timestamp.distantFuture
    for market in markets.indices {
      next = min(next, markets[market].contractDue)
      if let feed = markets[market].feed { next = min(next, feed.nextTime) }
    }
    return next
  }

  /// Lets the outside market move up to and including `now`, frame by frame in the order of time;
  /// frames of one moment in the order of instruments. A contract's marks, then its funding, come before
  /// its frame.
  public mutating func advance(to now: Timestamp) {
    while true {
      var chosen = -1
      var isOfContract = false
      var time = Timestamp.distantFuture
      for market in markets.indices {
        if markets[market].contractDue < time {
          time = markets[market].contractDue
          chosen = market
          isOfContract = true
        }
        if let feed = markets[market].feed, feed.nextTime < time {
          time = feed.nextTime
          chosen = market
          isOfContract = false
        }
      }
      guard chosen >= 0, time <= now else { return }
      if isOfContract { applyContract(chosen, at: time) } else { applyFrame(chosen, at: time) }
    }
  }

  // MARK: Views

  public var instruments: [Instrument] { markets.map { $0.listing.instrument } }
  public var assets: [InlineText] { ledger.assets }

  public func asset(_ name: InlineText) -> AssetID? {
    ledger.assets.firstIndex(of: name).map { AssetID(UInt16($0)) }
  }

  public func name(of asset: AssetID) -> InlineText { ledger.assets[Int(asset.index)] }

  public func instrument(_ symbol: InlineText) -> Instrument? {
    for market in markets where market.listing.instrument.symbol == symbol {
      return market.listing.instrument
    }
    return nil
  }

  public func instrument(_ id: InstrumentID) -> Instrument {
    markets[Int(id.index)].listing.instrument
  }

  public func fees(of id: InstrumentID) -> FeePolicy { markets[Int(id.index)].listing.fees }

  /// The price of the last trade; nil before the first.
  public func lastPrice(of instrument: InstrumentID) -> Price? {
    markets[Int(instrument.index)].last
  }

  /// The best level of the published book.
  public func best(_ side: Side, of instrument: InstrumentID) -> BookLevel? {
    let market = Int(instrument.index)
    guard let key = markets[market].best(side) else { return nil }
    let clients = markets[market].clients[Int(side.rawValue)]
    let own = clients.find(key).map { clients[$0].leaves } ?? 0
    return BookLevel(
      side: side, price: OutsideSide.price(of: key, on: side),
      quantity: Quantity(quanta: markets[market].outside[Int(side.rawValue)][key] + own))
  }

  /// Appends up to `limit` levels of the published book, best first: the outside market less what
  /// clients took from it, and what clients have resting.
  public func appendDepth(
    of instrument: InstrumentID, _ side: Side, limit: Int, to levels: inout [BookLevel]
  ) {
    guard limit > 0 else { return }
    var rest = limit
    markets[Int(instrument.index)].forEachLevel(side) { key, quantity in
      levels.append(
        BookLevel(
          side: side, price: OutsideSide.price(of: key, on: side),
          quantity: Quantity(quanta: quantity)))
      rest -= 1
      return rest > 0
    }
  }

  /// Counts the changes of the published book.
  public func bookVersion(of instrument: InstrumentID) -> UInt64 {
    markets[Int(instrument.index)].version
  }

  public func balance(of account: AccountID, _ asset: AssetID) -> Balance {
    Balance(
      account: account, asset: name(of: asset), available: ledger.available(account, asset),
      frozen: ledger.frozen(account, asset))
  }

  /// A working order of `account`.
  public func workingOrder(_ id: ExchangeOrderID, of account: AccountID) -> OrderRecord? {
    guard let slot = slab.find(id), slab[slot].record.account == account else { return nil }
    return slab[slot].record
  }

  /// An account's oldest working order at an instrument under a label.
  public func workingOrder(
    _ label: ClientLabel, of account: AccountID, at instrument: InstrumentID
  ) -> OrderRecord? {
    var slot = accounts[Int(account.index)].oldest
    while slot >= 0 {
      if slab[slot].record.label == label && slab[slot].record.instrument == instrument {
        return slab[slot].record
      }
      slot = slab[slot].accountNext
    }
    return nil
  }

  /// Gives an account's working orders, the oldest first.
  public func forEachWorkingOrder(of account: AccountID, _ body: (OrderRecord) -> Void) {
    var slot = accounts[Int(account.index)].oldest
    while slot >= 0 {
      body(slab[slot].record)
      slot = slab[slot].accountNext
    }
  }

  /// Gives an account's finished orders, the newest first, until `body` says false.
  public func forEachFinishedOrder(of account: AccountID, _ body: (OrderRecord) -> Bool) {
    let history = accounts[Int(account.index)].finished
    for index in 0..<history.count { guard body(history[newest: index]) else { return } }
  }

  /// Gives an account's executions, the newest first, until `body` says false.
  public func forEachExecution(of account: AccountID, _ body: (Execution) -> Bool) {
    let history = accounts[Int(account.index)].executions
    for index in 0..<history.count { guard body(history[newest: index]) else { return } }
  }

  /// What an asset's amounts add up to, and what was ever deposited of it: always the same.
  public func conservation(of asset: AssetID) -> (sum: Amount, deposited: Amount) {
    (ledger.sum(of: asset), ledger.deposited[Int(asset.index)])
  }

  /// Fees taken of an asset so far.
  public func feesTaken(of asset: AssetID) -> Amount { ledger.fees[Int(asset.index)] }
}

/// What the exchange keeps of an account beside its balances.
struct ExchangeAccount {
  /// Ends of the list of its working orders; −1 where there is none.
  var oldest: Int32 = -1
  var newest: Int32 = -1
  var count = 0
  var finished: BoundedHistory<OrderRecord>
  var executions: BoundedHistory<Execution>

  init(history: Int) {
    finished = BoundedHistory(limit: history)
    executions = BoundedHistory(limit: history)
  }
}
