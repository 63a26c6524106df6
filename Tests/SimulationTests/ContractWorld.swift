import MartletBase
import MartletExchange
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRecord
import MartletRisk
import MartletStrategies
import MartletVenueKit

/// A session without a venue: it speaks in lines of plain words, one event or command each. No venue's wire
/// knows contracts yet; kernel, Risk, Orders, Portfolio and the exchange are those of any day.
struct PlainSession: VenueSession {
  static var keyScope: KeyScope { .account }
  let instruments: [Instrument]
  let terms: [ContractTerms]
  /// A planted error: funding is told with the other sign.
  let isFundingTurned: Bool
  private var queue: [String] = []
  private var sent: UInt64 = 0

  init(instruments: [Instrument], terms: [ContractTerms], isFundingTurned: Bool = false) {
    self.instruments = instruments
    self.terms = terms
    self.isFundingTurned = isFundingTurned
  }

  mutating func receive(
    _ input: VenueInput, bytes: Span<UInt8>, at now: Timestamp, events: inout VenueEvents,
    effects: inout VenueEffects
  ) {
    switch input {
    case .frame:
      for line in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self).split(
        separator: "\n")
      {
        read(line.split(separator: " ").map(String.init), into: &events)
      }
    case .stop: events.append(.stopped)
    default: break
    }
  }

  private func read(_ words: [String], into events: inout VenueEvents) {
    func number(_ index: Int) -> Int64 { Int64(words[index]) ?? 0 }
    func amount(_ index: Int) -> Amount { Amount(units: Int128(words[index]) ?? 0) }
    func side(_ index: Int) -> Side { words[index] == "buy" ? .buy : .sell }
    func text(_ index: Int) -> InlineText { InlineText(words[index]) ?? "" }
    let account = AccountID(0)
    let id = InstrumentID(0)
    switch words[0] {
    case "opening":
      for instrument in instruments { events.append(.instrument(instrument)) }
      for terms in terms {
        events.append(.contract(UInt32(events.contracts.count)))
        events.contracts.append(terms)
      }
    case "wallet":
      events.append(
        .balance(
          Balance(account: account, asset: text(1), available: amount(2), frozen: .zero)))
    case "ready":
      events.append(.reconciled)
      events.append(.ready)
    case "book":
      let first = UInt32(events.levels.count)
      for index in stride(from: 1, to: words.count, by: 3) {
        events.levels.append(
          BookLevel(
            side: side(index), price: Price(quanta: number(index + 1)),
            quantity: Quantity(quanta: number(index + 2))))
      }
      events.append(
        .book(
          id, first: first, count: UInt32(events.levels.count) - first, isSnapshot: true,
          exchangeTime: .zero))
    case "last": events.append(.lastPrice(id, Price(quanta: number(1))))
    case "mark": events.append(.mark(id, Price(quanta: number(1))))
    case "funding":
      events.append(
        .funding(
          FundingPayment(
            account: account, instrument: id, amount: isFundingTurned ? -amount(1) : amount(1),
            rate: Rate(units: number(2)), mark: Price(quanta: number(3)),
            dueAt: Timestamp(nanoseconds: number(4)))))
    case "refused":
      events.append(.orderRefused(ClientOrderID(text(1)), .insufficientMargin, code: 0))
    case "order":
      let status: OrderReport.Status =
        words[7] == "open" ? .open : words[7] == "filled" ? .filled : .canceled
      events.append(
        .order(
          OrderReport(
            account: account, instrument: id, clientOrderID: ClientOrderID(text(1)),
            venueOrderID: VenueOrderID(low: UInt64(number(2))), side: side(3),
            price: Price(quanta: number(4)), quantity: Quantity(quanta: number(5)),
            cumulative: Quantity(quanta: number(6)), status: status, exchangeTime: .zero,
            source: .stream)))
    case "fill", "liquidation":
      let fill = Fill(
        account: account, instrument: id, clientOrderID: ClientOrderID(text(9)),
        venueOrderID: VenueOrderID(low: UInt64(number(1))),
        tradeID: TradeID(low: UInt64(number(2))), side: side(3), price: Price(quanta: number(4)),
        quantity: Quantity(quanta: number(5)), fee: amount(6), feeAsset: text(7),
        role: words[8] == "maker" ? .maker : .taker, exchangeTime: .zero, source: .stream)
      events.append(words[0] == "fill" ? .fill(fill) : .liquidation(fill))
    default: preconditionFailure("\(words)")
    }
  }

  mutating func place(
    _ order: Approved<OrderIntent>, as clientOrderID: ClientOrderID, trace: TraceID
  ) {
    let intent = order.value
    queue.append(
      "place \(clientOrderID) \(intent.side) \(intent.price.quanta) \(intent.quantity.quanta)"
        + " \(intent.timeInForce == .ioc) \(intent.isReduceOnly)")
  }

  mutating func cancel(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID
  ) {
    queue.append("cancel \(venueOrderID.low)")
  }

  mutating func query(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID,
    sentAt: Timestamp
  ) {}

  mutating func flush(at now: Timestamp, effects: inout VenueEffects) {
    for line in queue {
      let start = effects.bytes.count
      effects.bytes.append(text: line)
      effects.append(
        .sendFrame(
          StreamID(0), bytes: ByteRange(start: start, count: effects.bytes.count - start),
          hasSecret: false))
      sent += 1
    }
    queue.removeAll()
  }

  var nextDeadline: Timestamp { .distantFuture }
  func write(to snapshot: inout SnapshotWriter) { snapshot.write(sent) }
  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    sent = try snapshot.read()
  }
}

/// Every record, so that two runs can be compared byte for byte.
struct PlainSink: JournalSink {
  typealias Fault = Never
  var records: [(kind: UInt16, time: Timestamp, payload: [UInt8])] = []
  mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) -> UInt64 {
    let front = head.span
    records.append(
      (kind, time, front.indices.map { front[$0] } + body.indices.map { body[$0] }))
    return UInt64(records.count)
  }
}

/// A grid on a contract, with the exchange beside it and nothing in between.
struct ContractWorld: ~Copyable {
  typealias Driver = KernelDriver<PlainSession, BuiltInStrategy, PlainSink>
  var exchange: Exchange
  var driver: Driver
  let account: AccountID
  let asset: AssetID
  /// Placements that the exchange would not take.
  var refusals: [OrderRefusal] = []
  var lines: [String] = []
  private var now = Timestamp.zero

  init(
    _ listing: Listing, _ settings: GridSettings, wallet: Amount, plan: MarginPlan,
    isFundingTurned: Bool = false
  ) {
    let instrument = listing.instrument
    exchange = Exchange(configuration: ExchangeConfiguration(), listings: [listing])
    account = exchange.addAccount() ?? AccountID(0)
    asset = exchange.asset(instrument.settlement) ?? AssetID(0)
    let session = PlainSession(
      instruments: [instrument], terms: [listing.contract].compactMap { $0 },
      isFundingTurned: isFundingTurned)
    driver = Driver(
      kernel: ContractWorld.kernel(session, settings, plan), sink: PlainSink())
    _ = exchange.depositMargin(wallet, of: instrument.settlement, to: account)
    do throws(OrderRefusal) {
      try exchange.setMargin(
        MarginSetting(leverage: plan.leverage, mode: plan.mode), of: account, on: instrument.id,
        at: .zero)
    } catch {
      preconditionFailure("\(error)")
    }
    lines.append("opening")
    tell()
    lines.append(
      "wallet \(instrument.settlement) \(exchange.margin(of: account, in: asset).wallet.units)")
    lines.append("ready")
  }

  static func kernel(
    _ session: PlainSession, _ settings: GridSettings, _ plan: MarginPlan
  ) -> Kernel<PlainSession, BuiltInStrategy> {
    Kernel(
      account: AccountID(0), symbols: [session.instruments[0].symbol], bookDepth: 20,
      session: session,
      strategies: [
        .init(
          id: StrategyID(0), instrument: InstrumentID(0), strategy: BuiltInStrategy(.grid(settings))
        )
      ],
      orders: OrderStore(tag: "cont"), risk: RiskGate(limits: RiskLimits()), marginPlans: [plan])
  }

  /// Lets the market move on, and the bot answer until both are quiet.
  mutating func live(to time: Timestamp) {
    now = time
    exchange.advance(to: time)
    tell()
    settle()
  }

  mutating func obey(_ command: OperatorCommand) {
    driver.feed(.command(command), bytes: Span(), at: now)
    carryOut()
    tell()
    settle()
  }

  private mutating func settle() {
    for _ in 0..<50 {
      if lines.isEmpty { break }
      let frame = Array(lines.joined(separator: "\n").utf8)
      lines.removeAll()
      driver.feed(.venue(.frame(StreamID(0))), bytes: frame.span, at: now)
      carryOut()
      tell()
    }
    if driver.kernel.nextDeadline <= now {
      driver.feed(.timer, bytes: Span(), at: now)
      carryOut()
      tell()
    }
  }

  private mutating func carryOut() {
    let bytes = driver.kernel.effects.bytes.copy()
    for effect in driver.kernel.effects.list {
      guard case .sendFrame(_, let range, _) = effect else { continue }
      let words = String(decoding: bytes[range.indices], as: UTF8.self).split(separator: " ")
        .map(String.init)
      if words[0] == "cancel" {
        _ = try? exchange.cancel(
          ExchangeOrderID(UInt64(words[1]) ?? 0), of: account, at: now)
      } else {
        let order = NewOrder(
          account: account, instrument: InstrumentID(0), side: words[2] == "buy" ? .buy : .sell,
          size: .base(Quantity(quanta: Int64(words[4]) ?? 0)),
          price: Price(quanta: Int64(words[3]) ?? 0), isImmediate: words[5] == "true",
          label: ClientLabel(words[1]) ?? ClientLabel(), isReduceOnly: words[6] == "true")
        do throws(OrderRefusal) {
          _ = try exchange.place(order, at: now)
        } catch {
          refusals.append(error)
          lines.append("refused \(words[1])")
        }
      }
    }
  }

  /// Puts what happened into words.
  private mutating func tell() {
    var isBookChanged = false
    for event in exchange.events {
      switch event {
      case .rested(let record): lines.append(line(record, "open"))
      case .canceled(let record) where !record.isLiquidation:
        lines.append(line(record, "canceled"))
      case .fill(let fill, let record):
        lines.append(line("fill", fill))
        if record.status == .filled { lines.append(line(record, "filled")) }
      case .liquidation(let fill, _): lines.append(line("liquidation", fill))
      case .funding(let payment):
        lines.append(
          "funding \(payment.amount.units) \(payment.rate.units) \(payment.mark.quanta)"
            + " \(payment.dueAt.nanoseconds)")
      case .mark(_, let price, _): lines.append("mark \(price.quanta)")
      case .trade(let trade): lines.append("last \(trade.price.quanta)")
      case .book: isBookChanged = true
      case .accepted, .waiting, .triggered, .completed, .canceled, .balance, .position, .wallet,
        .fundingMissing, .insured:
        break
      }
    }
    exchange.removeAllEvents()
    if isBookChanged {
      var levels: [BookLevel] = []
      exchange.appendDepth(of: InstrumentID(0), .buy, limit: 20, to: &levels)
      exchange.appendDepth(of: InstrumentID(0), .sell, limit: 20, to: &levels)
      lines.append(
        "book "
          + levels.map { "\($0.side) \($0.price.quanta) \($0.quantity.quanta)" }
          .joined(separator: " "))
    }
  }

  private func line(_ record: MartletExchange.OrderRecord, _ status: String) -> String {
    "order \(record.label) \(record.id.number) \(record.side) \(record.price.quanta)"
      + " \(record.quantity.quanta) \(record.cumulative.quanta) \(status)"
  }

  private func line(_ word: String, _ fill: Execution) -> String {
    "\(word) \(fill.order.number) \(fill.tradeID.low) \(fill.side) \(fill.price.quanta)"
      + " \(fill.quantity.quanta) \(fill.fee.units) \(exchange.name(of: fill.feeAsset))"
      + " \(fill.role) \(fill.label.isEmpty ? "-" : "\(fill.label)")"
  }

  /// What differs between the bot's books and the exchange's.
  func differences() -> [String] {
    let portfolio = driver.kernel.portfolio.allPositions.first
    let told = exchange.position(of: account, in: InstrumentID(0))
    let figures = exchange.margin(of: account, in: asset)
    let own = driver.kernel.portfolio.margin(AccountID(0), in: exchange.name(of: asset))
    let holding = driver.kernel.portfolio.holding(AccountID(0), InstrumentID(0))
    var found: [String] = []
    if portfolio?.net ?? .zero != told.net { found.append("net") }
    if portfolio?.realized ?? .zero != told.realized { found.append("realized") }
    if portfolio?.cost.magnitude ?? .zero != told.paid { found.append("cost") }
    if holding.funding != told.funding {
      found.append("funding: own \(holding.funding), exchange \(told.funding)")
    }
    if own?.wallet != figures.wallet { found.append("wallet") }
    if own?.unrealized != figures.unrealized { found.append("unrealized") }
    if own?.initial != figures.initial { found.append("initial margin") }
    if own?.maintenance != figures.maintenance { found.append("maintenance margin") }
    return found
  }
}
