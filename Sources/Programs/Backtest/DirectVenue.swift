internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import MartletVenueKit

/// A venue that speaks in the words that every venue shares: the simulated exchange, with what it tells
/// and when the other side hears of it.
///
/// It tells what a venue tells: the best levels of its book at each publication, its own clients' orders
/// in it and what they took gone; each print; and to its client each acknowledgment, fill and balance.
struct DirectVenue: ~Copyable {
  /// Something told, on its way.
  enum News {
    case event(VenueEvent)
    /// Levels of a book, in the shelf of `Books`.
    case book(InstrumentID, shelf: Int, isSnapshot: Bool, at: Timestamp)
  }

  var exchange: Exchange
  let account: AccountID
  let options: BacktestOptions
  private var windows: [DepthWindow]
  private var isPublished: [Bool]
  private var isOpen = false
  private var publishAt = Timestamp.distantFuture
  private var random: SeededRandom
  private var events: [ExchangeEvent] = []

  // Ways to the client and from it.
  private var feed = Passage<News>()
  private var reports = Passage<VenueEvent>()
  private var commands = Passage<DirectCommand>()
  /// Levels on their way, by shelf; a shelf is used again when its levels were read.
  private var shelves: [[BookLevel]] = []
  private var freeShelves: [Int] = []

  init(_ listings: [Listing], _ options: BacktestOptions) throws(BacktestFault) {
    self.options = options
    var exchange = Exchange(configuration: ExchangeConfiguration(), listings: listings)
    guard let account = exchange.addAccount() else {
      throw BacktestFault("the simulated exchange opens no account")
    }
    for balance in options.balances {
      guard let asset = InlineText(balance.asset),
        exchange.deposit(balance.amount, of: asset, to: account)
      else {
        throw BacktestFault(
          "--balance \(balance.asset)=\(balance.amount): expected an amount of an asset that is traded, one of"
            + " \(exchange.assets.map { "\($0)" }.joined(separator: ", "))")
      }
    }
    exchange.removeAllEvents()
    self.account = account
    self.exchange = exchange
    windows = listings.map { _ in DepthWindow(limit: options.depth) }
    isPublished = listings.map { _ in false }
    random = SeededRandom(seed: options.seed)
  }

  /// When something next happens here or reaches one of the two sides.
  var nextTime: Timestamp {
    min(min(commands.nextTime, publishAt), min(reports.nextTime, feed.nextTime))
  }

  // MARK: The venue's side

  /// Applies one frame of the recorded market.
  mutating func apply(_ frame: Span<MarketRow>, to instrument: InstrumentID, at now: Timestamp) {
    exchange.apply(frame, to: instrument, at: now)
    tell(at: now)
  }

  /// Does what is due at the venue: takes a command in, or publishes.
  ///
  /// - Returns: false when nothing is.
  mutating func advance(to now: Timestamp) -> Bool {
    if commands.nextTime <= now {
      let due = commands.nextTime
      carryOut(commands.receive(), at: due)
      tell(at: due)
      return true
    }
    guard publishAt <= now else { return false }
    publish(at: publishAt)
    return true
  }

  /// Opens the books to the public: a whole one of each, then what changes, at each publication.
  mutating func open(at now: Timestamp) {
    isOpen = true
    publish(at: now)
  }

  /// What the public was told before anybody listened.
  mutating func forgetFeed() { feed.removeAll() }

  /// The account as a question for it would be answered.
  func appendBalances(to news: inout VenueEvents) {
    for index in exchange.assets.indices {
      var balance = exchange.balance(of: account, AssetID(UInt16(index)))
      balance.account = AccountID(0)
      news.append(.balance(balance))
    }
  }

  private mutating func publish(at now: Timestamp) {
    for index in windows.indices {
      let shelf = freeShelves.popLast() ?? shelves.count
      if shelf == shelves.count { shelves.append([]) }
      shelves[shelf].removeAll(keepingCapacity: true)
      let instrument = InstrumentID(UInt16(index))
      windows[index].follow(exchange, instrument, into: &shelves[shelf])
      if shelves[shelf].isEmpty {
        freeShelves.append(shelf)
      } else {
        feed.send(
          .book(instrument, shelf: shelf, isSnapshot: !isPublished[index], at: now),
          arriving: now + options.feedDelay.draw(&random))
        isPublished[index] = true
      }
    }
    publishAt = .distantFuture
  }

  /// A book changed: it is told on the next whole interval of the clock.
  private mutating func schedulePublication(_ now: Timestamp) {
    guard isOpen, publishAt == .distantFuture else { return }
    let past = now.nanoseconds % options.publishInterval.nanoseconds
    publishAt = now + options.publishInterval - TimeSpan(nanoseconds: past)
  }

  private mutating func carryOut(_ command: DirectCommand, at now: Timestamp) {
    switch command {
    case .place(let intent, let id):
      do throws(OrderRefusal) {
        guard let label = DirectVenue.label(id), intent.timeInForce != .fok else {
          throw .invalidCombination
        }
        _ = try exchange.place(
          NewOrder(
            account: account, instrument: intent.instrument, side: intent.side,
            size: .base(intent.quantity), price: intent.price, isPostOnly: intent.isPostOnly,
            isImmediate: intent.timeInForce == .ioc, label: label), at: now)
      } catch {
        report(.orderRefused(id, DirectVenue.reason(error), code: 0), at: now)
      }
    case .cancel(let id, let instrument):
      do throws(OrderRefusal) {
        guard let label = DirectVenue.label(id),
          let order = exchange.workingOrder(label, of: account, at: instrument)
        else { throw .notFound }
        try exchange.cancel(order.id, of: account, at: now)
      } catch {
        report(.cancelRefused(id, DirectVenue.reason(error), code: 0), at: now)
      }
    case .query(let id, let instrument):
      var found: OrderRecord?
      if let label = DirectVenue.label(id) {
        found = exchange.workingOrder(label, of: account, at: instrument)
        if found == nil {
          exchange.forEachFinishedOrder(of: account) { order in
            if order.label == label && order.instrument == instrument { found = order }
            return found == nil
          }
        }
      }
      guard let found else { return report(.orderNeverArrived(id), at: now) }
      report(.order(DirectVenue.report(found, id, .query)), at: now)
    }
  }

  /// Sends what the exchange says happened on its way.
  private mutating func tell(at now: Timestamp) {
    exchange.takeEvents(into: &events)
    for event in events {
      switch event {
      case .accepted(let order): tell(order, at: now)
      case .fill(let execution, let order):
        guard execution.account == account, let id = DirectVenue.id(execution.label) else {
          continue
        }
        report(
          .fill(
            Fill(
              account: AccountID(0), instrument: execution.instrument, clientOrderID: id,
              venueOrderID: VenueOrderID(low: execution.order.number), tradeID: execution.tradeID,
              side: execution.side, price: execution.price, quantity: execution.quantity,
              fee: execution.fee, feeAsset: exchange.name(of: order.feeAsset),
              role: execution.role, exchangeTime: execution.time, source: .stream)), at: now)
        if order.status.isFinished { tell(order, at: now) }
      case .completed(let order), .canceled(let order): tell(order, at: now)
      case .balance(let balance, _):
        var balance = balance
        guard balance.account == account else { continue }
        balance.account = AccountID(0)
        report(.balance(balance), at: now)
      case .trade(let trade):
        feed.send(.event(.marketTrade(trade)), arriving: now + options.feedDelay.draw(&random))
      case .book: schedulePublication(now)
      case .rested, .waiting, .triggered: break
      // Of contracts, which no backtest trades yet: `DirectBacktest` refuses them.
      case .liquidation, .position, .wallet, .mark, .funding, .fundingMissing, .insured: break
      }
    }
  }

  private mutating func tell(_ order: OrderRecord, at now: Timestamp) {
    guard order.account == account, let id = DirectVenue.id(order.label) else { return }
    report(.order(DirectVenue.report(order, id, .stream)), at: now)
  }

  private mutating func report(_ event: VenueEvent, at now: Timestamp) {
    reports.send(event, arriving: now + options.reportDelay.draw(&random))
  }

  // MARK: The client's side

  mutating func send(_ command: DirectCommand, at now: Timestamp) {
    commands.send(command, arriving: now + options.orderDelay.draw(&random))
  }

  /// What reaches the client by `now`, the first of it; its own orders before the public market.
  ///
  /// - Returns: when it came; nil when nothing is there.
  mutating func receive(by now: Timestamp, into news: inout VenueEvents) -> Timestamp? {
    if reports.nextTime <= min(now, feed.nextTime) {
      let time = reports.nextTime
      // All that one moment told together.
      while reports.nextTime == time { news.append(reports.receive()) }
      return time
    }
    guard feed.nextTime <= now else { return nil }
    let time = feed.nextTime
    while feed.nextTime == time {
      switch feed.receive() {
      case .event(let event): news.append(event)
      case .book(let instrument, let shelf, let isSnapshot, let told):
        let first = news.levels.count
        news.levels += shelves[shelf]
        news.append(
          .book(
            instrument, first: UInt32(first), count: UInt32(shelves[shelf].count),
            isSnapshot: isSnapshot, exchangeTime: told))
        freeShelves.append(shelf)
      }
    }
    return time
  }

  // MARK: Words

  private static func label(_ id: ClientOrderID) -> ClientLabel? {
    var buffer = ByteBuffer(capacity: 32)
    buffer.append(id.text)
    return ClientLabel(buffer.span)
  }

  private static func id(_ label: ClientLabel) -> ClientOrderID? {
    var buffer = ByteBuffer(capacity: ClientLabel.capacity)
    label.append(to: &buffer)
    guard buffer.count > 0, let text = InlineText(buffer.span) else { return nil }
    return ClientOrderID(text)
  }

  private static func report(
    _ order: OrderRecord, _ id: ClientOrderID, _ source: NewsSource
  ) -> OrderReport {
    let status: OrderReport.Status =
      switch order.status {
      case .waiting, .open: .open
      case .filled: .filled
      case .canceled: .canceled
      }
    return OrderReport(
      account: AccountID(0), instrument: order.instrument, clientOrderID: id,
      venueOrderID: VenueOrderID(low: order.id.number), side: order.side, price: order.price,
      quantity: order.quantity, cumulative: order.cumulative, status: status,
      exchangeTime: order.modifiedAt, source: source)
  }

  private static func reason(_ refusal: OrderRefusal) -> RefusalReason {
    switch refusal {
    case .instrumentUnavailable: .instrumentUnavailable
    case .invalidCombination, .quantityNotPositive, .priceNotPositive, .nothingToChange:
      .invalidField
    case .priceOffTick, .triggerOffTick, .quantityOffLot: .offGrid
    case .belowMinQuantity, .belowMinNotional: .belowMinimum
    case .aboveMaxNotional: .aboveMaximum
    case .insufficientBalance, .insufficientMargin: .insufficientBalance
    case .postOnlyWouldTake: .postOnlyWouldTake
    case .notFound: .notFound
    case .noLiquidity, .triggerAtLast, .noLastPrice, .tooManyOrders: .other
    case .leverage, .nothingToReduce, .positionSideMismatch, .noMarkPrice, .positionOrOrderOpen:
      .other
    }
  }
}
