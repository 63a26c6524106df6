internal import MartletBase
internal import MartletKernel
internal import MartletModel
internal import MartletPortfolio
internal import MartletRisk
internal import MartletSimulation
internal import MartletVenueKit
internal import WhiteBITSession

// A burst of orders that the venue's quota lets through bit by bit.
extension BenchSuite {
  /// From an approved order at the session's door to its place in a written request, those that waited
  /// for a permit included: what the queue costs, and nothing around it.
  func orderQueue() throws -> BenchResult {
    let count = amount(1_000, small: 40)
    var burst = try Burst(count: count)
    var watch = Stopwatch(pieces: amount(60, small: 2))
    var rounds = Rounds()
    var checksum = Checksum()
    // Rooms grow to what a burst needs.
    for _ in 0..<2 { _ = try burst.pass { $0() } }
    for _ in 0..<amount(5, small: 1) {
      watch.reset()
      for _ in 0..<amount(60, small: 2) {
        let requests = try burst.pass {
          watch.start()
          $0()
          watch.stop(ops: count)
        }
        checksum.fold(UInt64(requests))
      }
      rounds.add(watch)
    }
    var result = rounds.result("order-queue", checksum: checksum.value)
    result.remark(
      "an order of a burst of \(count), "
        + "\(count / 20) requests at \(Burst.permits) in \(Burst.window.milliseconds) ms")
    result.forbidAllocations()
    return result
  }
}

/// A session that is ready to trade, and orders approved for it.
private struct Burst: ~Copyable {
  static let permits: Int64 = 20
  static let window = TimeSpan.seconds(1)

  private var session: WhiteBITSession
  private var orders: [(order: Approved<OrderIntent>, id: ClientOrderID)] = []
  private var events = VenueEvents()
  private var effects = VenueEffects(capacity: 256, bytes: 1 << 20)
  private var now: Timestamp
  private var requests: [RequestID] = []

  init(count: Int) throws {
    var scenario = WhiteBITScenario(seed: 11)
    scenario.session = { $0.rates.places = RateLimit(Burst.permits, in: Burst.window) }
    session = scenario.makeSession()
    now = WhiteBITScenario.start
    requests.reserveCapacity(256)
    let instrument = try open(scenario)
    try approve(count, instrument, scenario.prefix)
  }

  /// Brings the session up with what another one of its kind was told in a world of its own.
  private mutating func open(_ scenario: WhiteBITScenario) throws -> Instrument {
    var world = try scenario.makeWorld()
    world.start()
    let isReady = world.run(for: .seconds(30)) { $0.kernel.isReady }
    guard isReady, let instrument = world.kernel.markets[0].instrument else {
      throw BenchSuite.Fault("order-queue: the simulated bot does not get ready")
    }
    let journal = world.journal
    for entry in journal.entries where entry.kind == JournalKind.input {
      guard let (input, start) = InputCoding.read(entry.payload.span),
        case .venue(let told) = input
      else { continue }
      now = entry.time
      feed(told, entry.payload.span.extracting(start..<entry.payload.count))
      session.flush(at: now, effects: &effects)
    }
    feed(.deadManArmed(until: .distantFuture), Span())
    return instrument
  }

  private mutating func feed(_ input: VenueInput, _ bytes: Span<UInt8>) {
    events.removeAll()
    effects.removeAll()
    session.receive(input, bytes: bytes, at: now, events: &events, effects: &effects)
  }

  private mutating func approve(
    _ count: Int, _ instrument: Instrument, _ prefix: InlineText
  ) throws {
    var limits = RiskLimits()
    limits.maxOrdersPerWindow = 100_000
    var gate = RiskGate(limits: limits)
    let price = Price(quanta: 60_000 * instrument.rules.tickSize * 100)
    let free = Amount(units: 1_000_000 * powerOfTen(Amount.places))
    for index in 0..<count {
      let verdict = gate.review(
        OrderIntent(
          strategy: StrategyID(0), account: AccountID(0), instrument: instrument.id, side: .buy,
          price: Price(quanta: price.quanta - Int64(index) * instrument.rules.tickSize),
          quantity: Quantity(quanta: 1_000 * instrument.rules.lotStep), tag: Int64(index)),
        context: RiskContext(
          now: now, instrument: instrument, reference: ReferencePrice(bid: price, ask: price),
          freeBase: free, freeQuote: free,
          position: Position(account: AccountID(0), instrument: instrument.id),
          workingOnInstrument: 20, workingBuyLeaves: .zero, workingOfStrategy: 20))
      guard case .approved(let order) = verdict, let text = InlineText("\(prefix)\(index)") else {
        throw BenchSuite.Fault("order-queue: order \(index) was not approved")
      }
      orders.append((order, ClientOrderID(text)))
    }
  }

  /// One burst from its first order to its last request, within `timed`; then everything is as before.
  ///
  /// - Returns: requests that left.
  mutating func pass(_ timed: (() -> Void) -> Void) throws -> Int {
    requests.removeAll(keepingCapacity: true)
    timed {
      for entry in orders { session.place(entry.order, as: entry.id, trace: TraceID(1)) }
      while true {
        effects.removeAll()
        session.flush(at: now, effects: &effects)
        for case .request(let request) in effects.list where request.requestClass == .place {
          requests.append(request.id)
        }
        if requests.count * 20 >= orders.count { return }
        now = now + .milliseconds(50)
      }
    }
    // Nothing of it reached a venue: every order is refused, and its place free.
    for request in requests { feed(.requestFailed(request, .notSent), Span()) }
    let pong = Array(#"{"id":0,"result":"pong","error":null}"#.utf8)
    feed(.frame(StreamID(0)), pong.span)
    now = now + Burst.window + Burst.window
    guard requests.count == (orders.count + 19) / 20 else {
      throw BenchSuite.Fault("order-queue: \(requests.count) requests of \(orders.count) orders")
    }
    return requests.count
  }
}
