import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletRecord
import MartletRisk
import MartletStrategies
import MartletStrategy
import MartletVenueKit

/// A session that understands a tiny wire of its own: a frame is a list of scripted events by number.
/// What it is told to place or cancel leaves as one line of text each, so that tests see bytes.
struct ScriptedSession: VenueSession {
  static var keyScope: KeyScope { .account }
  /// Frames of two bytes are of the public market.
  static func isMarketData(_ frame: Span<UInt8>) -> Bool { frame.count == 2 }
  /// Shared by all sessions of a test; a session of a replay reads the same script.
  let script: [[VenueEvent]]
  let levels: [[BookLevel]]
  var contracts: [ContractTerms] = []
  var queue: [String] = []
  var sent: UInt64 = 0

  mutating func receive(
    _ input: VenueInput, bytes: Span<UInt8>, at now: Timestamp, events: inout VenueEvents,
    effects: inout VenueEffects
  ) {
    switch input {
    case .frame:
      let index = Int(bytes[0])
      let first = UInt32(events.levels.count)
      events.levels.append(contentsOf: levels[index])
      for event in script[index] {
        if case .book(let id, _, let count, let isSnapshot, let time) = event {
          events.append(
            .book(id, first: first, count: count, isSnapshot: isSnapshot, exchangeTime: time))
        } else if case .contract(let index) = event {
          events.append(.contract(UInt32(events.contracts.count)))
          events.contracts.append(contracts[Int(index)])
        } else {
          events.append(event)
        }
      }
    case .stop: events.append(.stopped)
    default: break
    }
  }

  mutating func place(
    _ order: Approved<OrderIntent>, as clientOrderID: ClientOrderID, trace: TraceID
  ) {
    queue.append(
      "place \(order.value.side) \(order.value.price.quanta) \(order.value.quantity.quanta)")
  }
  mutating func cancel(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID
  ) {
    queue.append("cancel")
  }
  mutating func query(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID,
    sentAt: Timestamp
  ) {
    queue.append("query")
  }
  mutating func refreshBook(_ instrument: InstrumentID) {}
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

/// Records in memory, with their payloads.
struct ListSink: JournalSink {
  struct Entry: Equatable {
    let sequence: UInt64
    let kind: UInt16
    let lane: RecordLane
    let time: Timestamp
    let payload: [UInt8]
  }
  typealias Fault = Never
  var entries: [Entry] = []
  mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ buffer: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) -> UInt64 {
    let head = buffer.span
    entries.append(
      Entry(
        sequence: UInt64(entries.count) + 1, kind: kind, lane: lane, time: time,
        payload: head.indices.map { head[$0] } + body.indices.map { body[$0] }))
    return UInt64(entries.count)
  }
}

/// A market of prices at 0.01 and quantities at 0.000001, and a kernel with a grid on it.
enum KernelHarness {
  static let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
  static let instrument = Instrument(
    id: InstrumentID(0), venue: .whitebit, kind: .spot, symbol: "DBTC_DUSDT", base: "DBTC",
    quote: "DUSDT", scale: scale,
    rules: InstrumentRules(
      tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 10),
      minNotional: Amount(units: 5 * powerOfTen(20)), maxNotional: .zero,
      makerFee: Rate(units: 10_000_000), takerFee: Rate(units: 10_000_000), isTrading: true))

  static func balance(_ asset: InlineText, _ whole: Int128) -> VenueEvent {
    .balance(
      Balance(
        account: AccountID(0), asset: asset, available: Amount(units: whole * powerOfTen(20)),
        frozen: .zero))
  }

  /// Frames: 0 instrument, balances, ready; 1 a snapshot around 60,000.00.
  static let opening: [[VenueEvent]] = [
    [.instrument(instrument), balance("DBTC", 1), balance("DUSDT", 100_000), .reconciled, .ready],
    [.book(InstrumentID(0), first: 0, count: 2, isSnapshot: true, exchangeTime: .zero)],
  ]
  static let openingLevels: [[BookLevel]] = [
    [],
    [
      BookLevel(side: .buy, price: Price(quanta: 5_999_900), quantity: Quantity(quanta: 1_000_000)),
      BookLevel(
        side: .sell, price: Price(quanta: 6_000_100), quantity: Quantity(quanta: 1_000_000)),
    ],
  ]

  static func kernel(
    script: [[VenueEvent]] = opening, levels: [[BookLevel]] = openingLevels,
    limits: RiskLimits = RiskLimits()
  ) -> Kernel<ScriptedSession, BuiltInStrategy> {
    Kernel(
      account: AccountID(0), symbols: ["DBTC_DUSDT"], bookDepth: 20,
      session: ScriptedSession(script: script, levels: levels),
      strategies: [
        .init(
          id: StrategyID(0), instrument: InstrumentID(0),
          strategy: BuiltInStrategy(.grid(GridSettings(levelsPerSide: 2))))
      ],
      orders: OrderStore(tag: "test"), risk: RiskGate(limits: limits))
  }

  static func fill(
    _ id: ClientOrderID, trade: UInt64, side: Side, price: Int64, quantity: Int64
  ) -> VenueEvent {
    .fill(
      Fill(
        account: AccountID(0), instrument: InstrumentID(0), clientOrderID: id,
        venueOrderID: VenueOrderID(low: 77), tradeID: TradeID(low: trade), side: side,
        price: Price(quanta: price), quantity: Quantity(quanta: quantity), fee: .zero,
        feeAsset: side == .buy ? "DBTC" : "DUSDT", role: .maker, exchangeTime: .zero,
        source: .stream))
  }

  static func report(
    _ id: ClientOrderID, side: Side, price: Int64, quantity: Int64, cumulative: Int64,
    status: OrderReport.Status
  ) -> VenueEvent {
    .order(
      OrderReport(
        account: AccountID(0), instrument: InstrumentID(0), clientOrderID: id,
        venueOrderID: VenueOrderID(low: 77), side: side, price: Price(quanta: price),
        quantity: Quantity(quanta: quantity), cumulative: Quantity(quanta: cumulative),
        status: status, exchangeTime: .zero, source: .stream))
  }
}
