public import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

// The whole state, between two steps. Configuration is not state: a restored session is made from
// the same one.
extension WhiteBITSession: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("WhiteBIT-6")
    snapshot.write(phase.rawValue)
    clockTrack.write(to: &snapshot)
    snapshot.write(isClockSkewed)
    snapshot.write(clock)
    snapshot.write(done.rawValue)
    snapshot.write(step.rawValue)
    for flag in [isRelisting, isRefilling, isCleared, isResuming, isBalanceFresh, isReadyTold] {
      snapshot.write(flag)
    }
    for time in [armedUntil, epoch, lastFillAt, listedAt, fatesBy] { snapshot.write(time) }
    snapshot.write(fillsTold)
    snapshot.write(fillsBeforeBalances)
    snapshot.write(balanceRounds)
    snapshot.write(generation)
    snapshot.write(removalsBeforeList)
    snapshot.write(listRounds)
    snapshot.write(lastRequest)
    snapshot.write(lastFrame)
    link.write(to: &snapshot)
    snapshot.write(UInt32(markets.count))
    for market in markets { market.write(to: &snapshot) }
    own.write(to: &snapshot)
    queue.write(to: &snapshot)
    snapshot.write(list: cancels)
    snapshot.write(list: sent)
    snapshot.write(list: inquiries)
    snapshot.write(list: requests)
    snapshot.write(list: jobs)
    snapshot.write(news: held)
    snapshot.write(news: deferred)
    seenFills.write(to: &snapshot)
    ended.write(to: &snapshot)
    foreign.write(to: &snapshot)
    quota.write(to: &snapshot)
    proof.write(to: &snapshot)
    tickers.write(to: &snapshot) { prices, snapshot in
      snapshot.write(UInt32(prices.count))
      for price in prices {
        snapshot.write(price != nil)
        snapshot.write(price ?? Price(quanta: 0))
      }
    }
    snapshot.write(proofGaps)
    snapshot.write(isProofGivenUp)
    random.write(to: &snapshot)
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("WhiteBIT-6")
    phase = try snapshot.member("phase") { Phase(rawValue: $0) }
    try clockTrack.read(from: &snapshot)
    isClockSkewed = try snapshot.bool()
    clock = try snapshot.timestamp()
    done = Preparation(rawValue: try snapshot.read())
    step = try snapshot.member("step") { ReconcileStep(rawValue: $0) }
    isRelisting = try snapshot.bool()
    isRefilling = try snapshot.bool()
    isCleared = try snapshot.bool()
    isResuming = try snapshot.bool()
    isBalanceFresh = try snapshot.bool()
    isReadyTold = try snapshot.bool()
    armedUntil = try snapshot.timestamp()
    epoch = try snapshot.timestamp()
    lastFillAt = try snapshot.timestamp()
    listedAt = try snapshot.timestamp()
    fatesBy = try snapshot.timestamp()
    fillsTold = try snapshot.read()
    fillsBeforeBalances = try snapshot.read()
    balanceRounds = try snapshot.read()
    generation = try snapshot.read()
    removalsBeforeList = try snapshot.read()
    listRounds = try snapshot.read()
    lastRequest = try snapshot.read()
    lastFrame = try snapshot.read()
    try link.read(from: &snapshot)
    let offset = snapshot.offset
    guard try snapshot.count() == markets.count else {
      throw .impossible("a snapshot of other markets", offset: offset)
    }
    for index in 0..<markets.count { try markets[index].read(from: &snapshot) }
    try own.read(from: &snapshot)
    try queue.read(from: &snapshot)
    try snapshot.read(list: &cancels, upTo: WhiteBITSession.maxQueued)
    try snapshot.read(
      list: &sent, upTo: WhiteBITSession.maxInFlight * WhiteBITSession.maxBatch)
    try snapshot.read(list: &inquiries, upTo: WhiteBITSession.maxInquiries)
    try snapshot.read(list: &requests, upTo: WhiteBITSession.maxInFlight)
    try snapshot.read(list: &jobs, upTo: Job.allCases.count)
    guard jobs.count == Job.allCases.count else {
      throw .impossible("\(jobs.count) jobs", offset: snapshot.offset)
    }
    try snapshot.read(news: &held, upTo: WhiteBITSession.maxHeld)
    try snapshot.read(news: &deferred, upTo: 2 * WhiteBITSession.maxQueued)
    try seenFills.read(from: &snapshot)
    try ended.read(from: &snapshot)
    try foreign.read(from: &snapshot)
    try quota.read(from: &snapshot)
    try proof.read(from: &snapshot)
    let known = markets.count
    try tickers.read(from: &snapshot) { (snapshot) throws(SnapshotReader.Fault) -> [Price?] in
      let offset = snapshot.offset
      let count = try snapshot.count()
      guard count == known else { throw .impossible("\(count) last prices", offset: offset) }
      var prices: [Price?] = []
      for _ in 0..<count {
        let isTold = try snapshot.bool()
        let price = try snapshot.price()
        prices.append(isTold ? price : nil)
      }
      return prices
    }
    proofGaps = try snapshot.read()
    isProofGivenUp = try snapshot.bool()
    try random.read(from: &snapshot)
  }
}

extension Link: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("Link")
    snapshot.write(stage.rawValue)
    snapshot.write(retryAt)
    snapshot.write(attempt)
    snapshot.write(liveSince)
    snapshot.write(deadline)
    snapshot.write(token.span)
    snapshot.write(authorization)
    snapshot.write(UInt32(awaited.count))
    for id in awaited { snapshot.write(id) }
    snapshot.write(nextPing)
    snapshot.write(pongBy)
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("Link")
    stage = try snapshot.member("link stage") { Stage(rawValue: $0) }
    retryAt = try snapshot.timestamp()
    attempt = try snapshot.read()
    liveSince = try snapshot.timestamp()
    deadline = try snapshot.timestamp()
    token = try snapshot.content()
    authorization = try snapshot.read()
    awaited = []
    for _ in 0..<(try snapshot.count(ofSize: 8)) { awaited.append(try snapshot.read()) }
    nextPing = try snapshot.timestamp()
    pongBy = try snapshot.timestamp()
  }
}

extension MarketState: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("Market")
    snapshot.write(symbol.market)
    snapshot.write(symbol.instrument.index)
    snapshot.write(instrument != nil)
    if let instrument { snapshot.write(instrument) }
    snapshot.write(isListed)
    snapshot.write(optional: gaps.last)
    snapshot.write(isSubscribed)
    snapshot.write(isAwaitingSnapshot)
    snapshot.write(isTrusted)
    snapshot.write(heardAt)
    snapshot.write(subscribedAt)
    snapshot.write(resubscribeAt)
    snapshot.write(subscription)
    snapshot.write(optional: lastTrade)
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("Market")
    let offset = snapshot.offset
    guard try snapshot.inlineText() == symbol.market,
      try snapshot.read(UInt16.self) == symbol.instrument.index
    else { throw .impossible("another market than \(symbol.market)", offset: offset) }
    instrument =
      try snapshot.bool()
      ? try snapshot.instrument(symbol.instrument, symbol: symbol.market) : nil
    isListed = try snapshot.bool()
    gaps = Gaps(last: try snapshot.optional())
    isSubscribed = try snapshot.bool()
    isAwaitingSnapshot = try snapshot.bool()
    isTrusted = try snapshot.bool()
    heardAt = try snapshot.timestamp()
    subscribedAt = try snapshot.timestamp()
    resubscribeAt = try snapshot.timestamp()
    subscription = try snapshot.read()
    lastTrade = try snapshot.optional()
  }
}

// MARK: Small values

extension QueuedOrder: SnapshotValue {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(intent.strategy.index)
    snapshot.write(intent.account.index)
    snapshot.write(intent.instrument.index)
    snapshot.write(intent.side.rawValue)
    snapshot.write(intent.price)
    snapshot.write(intent.quantity)
    snapshot.write(intent.timeInForce.rawValue)
    snapshot.write(intent.isPostOnly)
    snapshot.write(intent.isReduceOnly)
    snapshot.write(intent.tag)
    snapshot.write(id.text)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let strategy = StrategyID(try snapshot.read())
    let account = AccountID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    let side = try snapshot.member("side") { Side(rawValue: $0) }
    let price = try snapshot.price()
    let quantity = try snapshot.quantity()
    let timeInForce = try snapshot.member("time in force") { TimeInForce(rawValue: $0) }
    let isPostOnly = try snapshot.bool()
    let isReduceOnly = try snapshot.bool()
    intent = OrderIntent(
      strategy: strategy, account: account, instrument: instrument, side: side, price: price,
      quantity: quantity, timeInForce: timeInForce, isPostOnly: isPostOnly,
      isReduceOnly: isReduceOnly, tag: try snapshot.read())
    id = ClientOrderID(try snapshot.inlineText())
  }
}

extension QueuedCancel: SnapshotValue {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(id.text)
    snapshot.write(instrument.index)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    id = ClientOrderID(try snapshot.inlineText())
    instrument = InstrumentID(try snapshot.read())
  }
}

extension SentOrder: SnapshotValue {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(request.number)
    snapshot.write(id.text)
    snapshot.write(instrument.index)
    snapshot.write(sentAt)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    request = RequestID(try snapshot.read())
    id = ClientOrderID(try snapshot.inlineText())
    instrument = InstrumentID(try snapshot.read())
    sentAt = try snapshot.timestamp()
  }
}

extension Inquiry: SnapshotValue {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(id.text)
    snapshot.write(instrument.index)
    snapshot.write(decideAt)
    snapshot.write(stage.rawValue)
    snapshot.write(denials)
    snapshot.write(roundBegunAt)
    snapshot.write(dueAt)
    snapshot.write(attempt)
    snapshot.write(offset)
    snapshot.write(found != nil)
    if let found { snapshot.write(found) }
    snapshot.write(isInFlight)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    id = ClientOrderID(try snapshot.inlineText())
    instrument = InstrumentID(try snapshot.read())
    decideAt = try snapshot.timestamp()
    stage = try snapshot.member("inquiry stage") { Stage(rawValue: $0) }
    denials = try snapshot.read()
    roundBegunAt = try snapshot.timestamp()
    dueAt = try snapshot.timestamp()
    attempt = try snapshot.read()
    offset = try snapshot.read()
    found = try snapshot.bool() ? try snapshot.report() : nil
    isInFlight = try snapshot.bool()
  }
}

extension Request: SnapshotValue {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(id.number)
    snapshot.write(group.rawValue)
    snapshot.write(sentAt)
    switch purpose {
    case .job(let job):
      snapshot.write(UInt8(0))
      snapshot.write(job.rawValue)
    case .place: snapshot.write(UInt8(1))
    case .cancel(let order, let instrument):
      snapshot.write(UInt8(2))
      snapshot.write(order.text)
      snapshot.write(instrument.index)
    case .inquiry(let order):
      snapshot.write(UInt8(3))
      snapshot.write(order.text)
    }
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    id = RequestID(try snapshot.read())
    group = try snapshot.member("request group") { RequestGroup(rawValue: $0) }
    sentAt = try snapshot.timestamp()
    let offset = snapshot.offset
    switch try snapshot.byte() {
    case 0: purpose = .job(try snapshot.member("job") { Job(rawValue: $0) })
    case 1: purpose = .place
    case 2:
      let order = ClientOrderID(try snapshot.inlineText())
      purpose = .cancel(order, InstrumentID(try snapshot.read()))
    case 3: purpose = .inquiry(ClientOrderID(try snapshot.inlineText()))
    case let other: throw .impossible("purpose \(other)", offset: offset)
    }
  }
}

extension JobState: SnapshotValue {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(dueAt)
    snapshot.write(isInFlight)
    snapshot.write(attempt)
    snapshot.write(market)
    snapshot.write(offset)
    snapshot.write(isToRestart)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    dueAt = try snapshot.timestamp()
    isInFlight = try snapshot.bool()
    attempt = try snapshot.read()
    market = try snapshot.read()
    offset = try snapshot.read()
    isToRestart = try snapshot.bool()
  }
}

// MARK: Model values and news

extension SnapshotWriter {
  fileprivate mutating func write<Value: SnapshotValue>(list: [Value]) {
    write(UInt32(list.count))
    for value in list { value.write(to: &self) }
  }

  fileprivate mutating func write(optional value: UInt64?) {
    write(value != nil)
    write(value ?? 0)
  }

  fileprivate mutating func write(_ instrument: Instrument) {
    write(instrument.kind.rawValue)
    write(instrument.base)
    write(instrument.quote)
    write(instrument.scale.price.count)
    write(instrument.scale.quantity.count)
    write(instrument.rules.tickSize)
    write(instrument.rules.lotStep)
    write(instrument.rules.minQuantity)
    write(instrument.rules.minNotional)
    write(instrument.rules.maxNotional)
    write(instrument.rules.makerFee)
    write(instrument.rules.takerFee)
    write(instrument.rules.isTrading)
  }

  fileprivate mutating func write(_ report: OrderReport) {
    write(report.account.index)
    write(report.instrument.index)
    write(report.clientOrderID.text)
    write(report.venueOrderID.high)
    write(report.venueOrderID.low)
    write(report.side.rawValue)
    write(report.price)
    write(report.quantity)
    write(report.cumulative)
    write(report.status.rawValue)
    write(report.exchangeTime)
    write(report.source.rawValue)
  }

  fileprivate mutating func write(_ fill: Fill) {
    write(fill.account.index)
    write(fill.instrument.index)
    write(fill.clientOrderID.text)
    write(fill.venueOrderID.high)
    write(fill.venueOrderID.low)
    write(fill.tradeID.high)
    write(fill.tradeID.low)
    write(fill.side.rawValue)
    write(fill.price)
    write(fill.quantity)
    write(fill.fee)
    write(fill.feeAsset)
    write(fill.role.rawValue)
    write(fill.exchangeTime)
    write(fill.source.rawValue)
  }

  /// The kinds of news that are held or put off; others are told at once.
  fileprivate mutating func write(news: [VenueEvent]) {
    var count: UInt32 = 0
    for event in news {
      switch event {
      case .order, .fill, .balance, .orderRefused, .cancelInDoubt: count += 1
      default: preconditionFailure("news of a kind that is never kept: \(event)")
      }
    }
    write(count)
    for event in news {
      switch event {
      case .order(let report):
        write(UInt8(0))
        write(report)
      case .fill(let fill):
        write(UInt8(1))
        write(fill)
      case .balance(let balance):
        write(UInt8(2))
        write(balance.account.index)
        write(balance.asset)
        write(balance.available)
        write(balance.frozen)
      case .orderRefused(let id, let reason, let code):
        write(UInt8(3))
        write(id.text)
        write(reason.rawValue)
        write(code)
      case .cancelInDoubt(let id):
        write(UInt8(4))
        write(id.text)
      default: break
      }
    }
  }
}

extension SnapshotReader {
  fileprivate mutating func member<Value>(
    _ name: String, _ make: (UInt8) -> Value?
  ) throws(Fault) -> Value {
    let raw = try byte()
    guard let value = make(raw) else { throw .impossible("\(name) \(raw)", offset: offset - 1) }
    return value
  }

  fileprivate mutating func read<Value: SnapshotValue>(
    list: inout [Value], upTo bound: Int
  ) throws(Fault) {
    let start = offset
    let found = try count()
    guard found <= bound else { throw .impossible("\(found) where \(bound) fit", offset: start) }
    list.removeAll(keepingCapacity: true)
    for _ in 0..<found { list.append(try Value(from: &self)) }
  }

  fileprivate mutating func optional() throws(Fault) -> UInt64? {
    let isThere = try bool()
    let value = try read(UInt64.self)
    return isThere ? value : nil
  }

  fileprivate mutating func instrument(
    _ id: InstrumentID, symbol: InlineText
  ) throws(Fault) -> Instrument {
    let kind = try member("kind") { Instrument.Kind(rawValue: $0) }
    let base = try inlineText()
    let quote = try inlineText()
    let start = offset
    let price = Int(try read(Int8.self))
    let quantity = Int(try read(Int8.self))
    guard price >= -12, price <= 20, quantity >= -12, quantity <= 20,
      price + quantity <= Amount.places, price + quantity >= -18
    else { throw .impossible("a grid of \(price) and \(quantity) places", offset: start) }
    let scale = InstrumentScale(
      price: DecimalPlaces(price), quantity: DecimalPlaces(quantity))
    let rules = InstrumentRules(
      tickSize: try read(), lotStep: try read(), minQuantity: try self.quantity(),
      minNotional: try amount(), maxNotional: try amount(), makerFee: try rate(),
      takerFee: try rate(), isTrading: try bool())
    return Instrument(
      id: id, venue: .whitebit, kind: kind, symbol: symbol, base: base, quote: quote,
      scale: scale, rules: rules)
  }

  fileprivate mutating func report() throws(Fault) -> OrderReport {
    OrderReport(
      account: AccountID(try read()), instrument: InstrumentID(try read()),
      clientOrderID: ClientOrderID(try inlineText()),
      venueOrderID: VenueOrderID(high: try read(), low: try read()),
      side: try member("side") { Side(rawValue: $0) }, price: try price(),
      quantity: try quantity(), cumulative: try quantity(),
      status: try member("status") { OrderReport.Status(rawValue: $0) },
      exchangeTime: try timestamp(), source: try member("source") { NewsSource(rawValue: $0) })
  }

  fileprivate mutating func fill() throws(Fault) -> Fill {
    Fill(
      account: AccountID(try read()), instrument: InstrumentID(try read()),
      clientOrderID: ClientOrderID(try inlineText()),
      venueOrderID: VenueOrderID(high: try read(), low: try read()),
      tradeID: TradeID(high: try read(), low: try read()),
      side: try member("side") { Side(rawValue: $0) }, price: try price(),
      quantity: try quantity(), fee: try amount(), feeAsset: try inlineText(),
      role: try member("role") { LiquidityRole(rawValue: $0) }, exchangeTime: try timestamp(),
      source: try member("source") { NewsSource(rawValue: $0) })
  }

  fileprivate mutating func read(
    news: inout [VenueEvent], upTo bound: Int
  ) throws(Fault) {
    let start = offset
    let found = try count()
    guard found <= bound else { throw .impossible("\(found) news", offset: start) }
    news.removeAll(keepingCapacity: true)
    for _ in 0..<found {
      let tag = try byte()
      switch tag {
      case 0: news.append(.order(try report()))
      case 1: news.append(.fill(try fill()))
      case 2:
        news.append(
          .balance(
            Balance(
              account: AccountID(try read()), asset: try inlineText(), available: try amount(),
              frozen: try amount())))
      case 3:
        let id = ClientOrderID(try inlineText())
        let reason = try member("reason") { RefusalReason(rawValue: $0) }
        news.append(.orderRefused(id, reason, code: try read()))
      case 4: news.append(.cancelInDoubt(ClientOrderID(try inlineText())))
      default: throw .impossible("news \(tag)", offset: offset - 1)
      }
    }
  }
}
