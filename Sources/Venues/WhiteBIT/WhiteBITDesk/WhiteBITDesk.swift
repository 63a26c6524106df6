public import MartletBase
public import MartletExchange
public import MartletModel
public import MartletVenueKit
internal import WhiteBITWire

/// WhiteBIT's half of its wire, over an exchange of our own.
///
/// What a client may send is read with the same codec that our session writes, and what goes out is
/// written with the one our session reads. The desk reads no clock and draws chance from its seed
/// alone: the same requests at the same times get the same bytes.
public struct WhiteBITDesk: ~Copyable, VenueDesk {
  public let configuration: WhiteBITDeskConfiguration
  /// The accounts' truth, for an owner that compares ledgers.
  public internal(set) var exchange: Exchange
  /// What goes wrong, and when.
  public var habits: Habits
  var markets: [DeskMarket]
  var keys: [DeskKey] = []
  var tokens: TokenShelf
  var connections: OrderedMap<UInt64, DeskConnection>
  var deadMan = DeadManTimers()
  /// When requests were let through, by quota and key.
  var passages: [Passages] = []
  /// Requests that the gateway refused by a quota.
  public internal(set) var refusedByQuota = 0
  var random: SeededRandom
  /// Requests on their way in and replies and pushes held back, by when they are due.
  var delayed: [DelayedItem] = []
  /// When books are next published, and when the streams of every half second are next due.
  var publishAt = Timestamp.distantFuture
  var pulseAt = Timestamp.distantFuture
  /// The clock as last told; it never goes back.
  var now: Timestamp
  let keyedHash: KeyedHash
  var scratch = ByteBuffer(capacity: 16_384)
  var events: [ExchangeEvent] = []

  /// Opens the desk with its markets' books as the recordings begin.
  ///
  /// - Parameter keyedHash: computes the HMAC that signatures are checked with.
  /// - Throws: `WhiteBITSetupFault` for a listing or a recording that make no market.
  public init(
    _ configuration: WhiteBITDeskConfiguration, markets: [WhiteBITMarketSetup],
    habits: Habits = Habits(), keyedHash: @escaping KeyedHash
  ) throws(WhiteBITSetupFault) {
    self.configuration = configuration
    self.habits = habits
    self.keyedHash = keyedHash
    random = SeededRandom(seed: configuration.seed)
    now = configuration.start
    tokens = TokenShelf(limit: configuration.maximumTokens)
    connections = OrderedMap(capacity: configuration.maximumConnections)
    var listings: [Listing] = []
    var desks: [DeskMarket] = []
    for (index, setup) in markets.enumerated() {
      let (listing, market) = try setup.make(UInt16(index), configuration)
      listings.append(listing)
      desks.append(market)
    }
    self.markets = desks
    var limits = ExchangeConfiguration()
    limits.firstOrderID = configuration.firstOrderID
    limits.firstTradeID = configuration.firstTradeID
    limits.maximumAccounts = configuration.maximumKeys
    exchange = Exchange(configuration: limits, listings: listings)
    var opening = DeskOutput()
    advance(to: configuration.start, output: &opening)
  }

  // MARK: Accounts

  /// Opens an account with one key.
  ///
  /// - Returns: nil when there are as many as there may be, the key is taken, or no market here
  ///   knows one of the assets; nothing changed then.
  public mutating func addAccount(
    key: String, secret: String, balances: [(asset: String, amount: Amount)]
  ) -> AccountID? {
    let isKnown = balances.allSatisfy { balance in
      balance.amount >= .zero
        && InlineText(balance.asset).flatMap { exchange.asset($0) } != nil
    }
    guard isKnown, !keys.contains(where: { $0.key == key }), let account = exchange.addAccount()
    else { return nil }
    for balance in balances {
      let isTaken = exchange.deposit(
        balance.amount, of: InlineText(balance.asset) ?? InlineText(), to: account)
      precondition(isTaken, "\(balance.asset) was known a moment ago")
    }
    exchange.removeAllEvents()
    keys.append(DeskKey(key: key, secret: Array(secret.utf8), account: account))
    return account
  }

  /// Switches a key on or off, or takes the right to trade from it.
  public mutating func setKey(_ key: String, isEnabled: Bool = true, mayTrade: Bool = true) {
    for index in keys.indices where keys[index].key == key {
      keys[index].isEnabled = isEnabled
      keys[index].mayTrade = mayTrade
    }
  }

  /// What may be deposited here, each asset once, in the order of the markets.
  public var assets: [String] {
    var found: [String] = []
    for market in markets {
      for asset in [market.instrument.base, market.instrument.quote]
      where !found.contains("\(asset)") {
        found.append("\(asset)")
      }
    }
    return found
  }

  /// Whether a market here trades the asset.
  public func knows(asset: String) -> Bool { assets.contains(asset) }

  /// The account a key belongs to.
  public func account(of key: String) -> AccountID? {
    keys.first { $0.key == key }?.account
  }

  // MARK: The door

  public mutating func receive(
    _ request: DeskRequest, body: Span<UInt8>, at now: Timestamp, output: inout DeskOutput
  ) {
    advance(to: now, output: &output)
    let bytes = copy(body)
    if configuration.requestLatency > .zero && delayed.count >= configuration.maximumDelayed {
      output.items.append(.reply(page(503, to: request)))
    } else if configuration.requestLatency > .zero {
      hold(.request(request, bytes), until: self.now + configuration.requestLatency)
    } else {
      serve(request, bytes, output: &output)
    }
  }

  public mutating func opened(
    _ connection: UInt64, at now: Timestamp, output: inout DeskOutput
  ) {
    advance(to: now, output: &output)
    if connections.insert(DeskConnection(openedAt: self.now), for: connection) == .full {
      output.items.append(.close(connection: connection, code: 1013))
    }
  }

  public mutating func receive(
    frame: Span<UInt8>, from connection: UInt64, at now: Timestamp, output: inout DeskOutput
  ) {
    advance(to: now, output: &output)
    guard let index = connections.index(of: connection) else { return }
    connections[valueAt: index].lastMessageAt = self.now
    guard let message = try? Envelope.readRequest(frame) else {
      // Seen live: text that is no request gets no reply, and no close frame either.
      drop(connection, code: nil, output: &output)
      return
    }
    answer(message, in: frame, from: connection, output: &output)
    pump(output: &output)
  }

  public mutating func closed(_ connection: UInt64, at now: Timestamp) {
    connections.removeValue(for: connection)
  }

  public mutating func advance(to now: Timestamp, output: inout DeskOutput) {
    while true {
      let next = nextDeadline
      guard next <= now else { break }
      self.now = max(self.now, next)
      step(output: &output)
    }
    self.now = max(self.now, now)
  }

  public var nextDeadline: Timestamp {
    var next = min(exchange.nextTime, min(publishAt, pulseAt))
    next = min(next, deadMan.nextDeadline)
    if let first = delayed.first { next = min(next, first.due) }
    for index in connections.indices {
      let connection = connections[valueAt: index]
      next = min(next, connection.lastMessageAt + configuration.idleLimit)
      next = min(next, connection.balances.dueAt)
    }
    return next
  }

  /// Does everything that is due at `now`: the outside market first, then what was held back, then
  /// timers, then the streams.
  private mutating func step(output: inout DeskOutput) {
    exchange.advance(to: now)
    pump(output: &output)
    while let first = delayed.first, first.due <= now {
      delayed.removeFirst()
      switch first.item {
      case .request(let request, let body): serve(request, body, output: &output)
      case .reply(let reply): output.items.append(.reply(reply))
      case .frame(let connection, let bytes):
        if connections.index(of: connection) != nil {
          output.items.append(.frame(connection: connection, bytes))
        }
      }
    }
    while let timer = deadMan.popDue(at: now) {
      if timer.coversSpot {
        exchange.cancelAll(
          of: timer.account, instrument: timer.instrument, reason: .deadMan, at: now)
      }
      pump(output: &output)
    }
    if publishAt <= now { publishDepth(output: &output) }
    if pulseAt <= now { pulse(output: &output) }
    pushDueBalances(output: &output)
    closeIdle(output: &output)
  }

  private mutating func closeIdle(output: inout DeskOutput) {
    var idle: [UInt64] = []
    for entry in connections
    where entry.value.lastMessageAt + configuration.idleLimit <= now {
      idle.append(entry.key)
    }
    for connection in idle { drop(connection, code: nil, output: &output) }
  }

  mutating func drop(_ connection: UInt64, code: UInt16?, output: inout DeskOutput) {
    connections.removeValue(for: connection)
    output.items.append(.close(connection: connection, code: code))
  }

  /// Keeps `item` until it is due; of equal times the first kept goes first.
  mutating func hold(_ item: DelayedItem.Item, until due: Timestamp) {
    let index = delayed.firstIndex { $0.due > due } ?? delayed.count
    delayed.insert(DelayedItem(due: due, item: item), at: index)
  }

  /// Writes a message into the scratch buffer and takes it as bytes.
  mutating func bytes(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
    scratch.removeAll()
    write(&scratch)
    return scratch.copy()
  }

  func copy(_ span: Span<UInt8>) -> [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(span.count)
    for index in 0..<span.count { copy.append(span[index]) }
    return copy
  }
}

/// Something that happens later.
struct DelayedItem {
  enum Item {
    case request(DeskRequest, [UInt8])
    case reply(DeskOutput.Reply)
    case frame(connection: UInt64, [UInt8])
  }
  let due: Timestamp
  let item: Item
}
