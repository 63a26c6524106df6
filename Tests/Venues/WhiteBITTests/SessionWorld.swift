import MartletBase
import MartletJSON
@_spi(Risk) import MartletModel
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession
import WhiteBITWire

/// The real session against the real desk, on one virtual clock, with latency and faults from a seed.
final class SessionWorld {
  enum Delivery {
    case request(RequestEffect, path: String, query: String, body: [UInt8])
    case reply(RequestID, UInt16, [UInt8])
    case failed(RequestID, RequestFailure)
    case opened(UInt64)
    case frameToDesk(UInt64, [UInt8])
    case frame(UInt64, [UInt8])
    case closed(UInt64)
  }

  /// What became of one order of ours, as the session told.
  struct Life {
    var quantity: Quantity
    var booked = Quantity.zero
    var told = Quantity.zero
    var sentAt: Timestamp
    var isOpen = false
    /// `filled`, `canceled`, `refused`, `never`; empty while it works.
    var ends: [String] = []
  }

  static let market: InlineText = "DBTC_DUSDT"
  static let key = "ann"

  var world: DeskWorld
  var session: WhiteBITSession
  var random: CaseSource
  var now = DeskWorld.start
  var isFaulty = false
  var isReady = false
  var isStopped = false
  var isTrusted = false
  var gaps = 0
  var cuts = 0
  var instrument: Instrument?
  var lives: [ClientOrderID: Life] = [:]
  var order: [ClientOrderID] = []
  /// Fills told, by trade.
  var fills: [UInt64: Fill] = [:]
  var repeated = 0
  var anomalies: [VenueAnomaly] = []

  private var queue: [(time: Timestamp, order: UInt64, delivery: Delivery)] = []
  private var sequence: UInt64 = 0
  private var waiting: Set<UInt64> = []
  private var connection: UInt64 = 0
  private var isConnected = false
  private var events = VenueEvents()
  private var effects = VenueEffects()
  private var lastNonce: Int64 = 0
  private var streamClear = Timestamp.zero
  private var made = 0
  private var bobs: UInt64 = 1 << 40

  init(seed: UInt64) throws {
    world = try DeskWorld()
    var configuration = WhiteBITConfiguration(
      account: AccountID(0),
      symbols: [WhiteBITSymbol(market: SessionWorld.market, instrument: InstrumentID(0))],
      ownPrefix: "mtT3st")
    configuration.seed = seed
    session = WhiteBITSession(configuration)
    random = CaseSource(seed: seed)
  }

  func chance(_ count: Int, in total: Int) -> Bool {
    Int.random(in: 0..<total, using: &random) < count
  }

  // MARK: The session's side

  func feed(_ input: VenueInput, _ bytes: [UInt8] = []) {
    step {
      session.receive(
        input, bytes: bytes.span, at: now, events: &events, effects: &effects)
    }
  }

  func step(_ body: () -> Void) {
    events.removeAll()
    effects.removeAll()
    body()
    let told = events.list
    for event in told { take(event) }
    session.flush(at: now, effects: &effects)
    carryOut()
  }

  private func take(_ event: VenueEvent) {
    switch event {
    case .instrument(let found): instrument = found
    case .ready: isReady = true
    case .notReady: isReady = false
    case .stopped: isStopped = true
    case .book(_, _, _, let isSnapshot, _): isTrusted = isTrusted || isSnapshot
    case .bookUntrusted:
      isTrusted = false
      gaps += 1
    case .anomaly(let anomaly): anomalies.append(anomaly)
    case .fill(let fill):
      if fills[fill.tradeID.low] != nil { repeated += 1 }
      fills[fill.tradeID.low] = fill
      guard var life = lives[fill.clientOrderID] else { return }
      life.booked = life.booked + fill.quantity
      lives[fill.clientOrderID] = life
    case .order(let report):
      guard var life = lives[report.clientOrderID] else { return }
      life.told = max(life.told, report.cumulative)
      switch report.status {
      case .open: life.isOpen = life.ends.isEmpty
      case .filled: life.end("filled")
      case .canceled: life.end("canceled")
      case .unknown: break
      }
      lives[report.clientOrderID] = life
    case .orderRefused(let id, _, _): lives[id]?.end("refused")
    case .orderNeverArrived(let id): lives[id]?.end("never")
    case .orderInDoubt(let id), .cancelInDoubt(let id), .cancelRefused(let id, _, _):
      session.query(
        id, venueOrderID: .none, of: InstrumentID(0), sentAt: lives[id]?.sentAt ?? now)
    case .instrumentUnavailable, .lastPrice, .marketTrade, .balance, .unauthorized,
      .questionRefused, .earlierFill, .reconciled, .notice, .contract, .mark, .funding,
      .liquidation:
      break
    }
  }

  private func carryOut() {
    let buffer = effects.bytes.copy()
    func copy(_ range: ByteRange) -> [UInt8] {
      Array(buffer[Int(range.start)..<Int(range.start) + Int(range.count)])
    }
    for effect in effects.list {
      switch effect {
      case .request(let request):
        let target = text(copy(request.target)).split(separator: "?", maxSplits: 1)
        waiting.insert(request.id.number)
        enqueue(.failed(request.id, .timedOut), after: request.timeout)
        if isFaulty && chance(3, in: 100) { continue }
        // Now and then it arrives when nobody waits for it any more, or too late for its nonce; and
        // now and then the connection breaks behind it while it is still under way.
        let isBroken = isFaulty && chance(3, in: 100)
        if isBroken { enqueue(.failed(request.id, .broken), after: latency()) }
        let late = isBroken || isFaulty && chance(2, in: 100)
        enqueue(
          .request(
            request, path: String(target[0]), query: target.count > 1 ? String(target[1]) : "",
            body: sign(request, copy(request.body))),
          after: late
            ? .milliseconds(Int64.random(in: 100...6_500, using: &random)) : latency())
      case .openStream:
        connection += 1
        streamClear = now
        if isFaulty && chance(10, in: 100) {
          enqueue(.closed(connection), after: latency())
        } else {
          enqueue(.opened(connection), after: latency())
        }
      case .closeStream:
        if isConnected { world.desk.closed(connection, at: now) }
        isConnected = false
        enqueue(.closed(connection), after: .zero)
      case .sendFrame(_, let range, _):
        if isConnected { enqueue(.frameToDesk(connection, copy(range)), after: latency()) }
      }
    }
  }

  private func latency() -> TimeSpan {
    .microseconds(Int64.random(in: 500...40_000, using: &random))
  }

  /// Fills the nonce in, as the Secrets edge does.
  private func sign(_ request: RequestEffect, _ body: [UInt8]) -> [UInt8] {
    guard case .whitebit(let offset) = request.signing else { return body }
    lastNonce = max(lastNonce + 1, now.milliseconds)
    var body = body
    for (index, digit) in String(lastNonce).utf8.enumerated() {
      body[Int(offset) + index] = digit
    }
    return body
  }

  // MARK: The desk's side

  private func deliver(_ delivery: Delivery) {
    var output = DeskOutput()
    switch delivery {
    case .request(let effect, let path, let query, let body):
      var request: DeskRequest
      if body.isEmpty {
        request = DeskRequest(id: 0, method: "GET", path: path, query: query, headers: [])
      } else {
        request = world.signed(
          path, text(body), key: SessionWorld.key, secret: "secret of \(SessionWorld.key)")
      }
      request.id = effect.id.number
      world.desk.receive(request, body: body.span, at: now, output: &output)
    case .reply(let id, let status, let body):
      if waiting.remove(id.number) != nil { feed(.response(id, status: status), body) }
    case .failed(let id, let failure):
      if waiting.remove(id.number) != nil { feed(.requestFailed(id, failure)) }
    case .opened(let number):
      guard number == connection else { return }
      isConnected = true
      world.desk.opened(number, at: now, output: &output)
      route(output)
      output = DeskOutput()
      feed(.streamOpened(StreamID(0)))
    case .frameToDesk(let number, let frame):
      guard number == connection, isConnected else { return }
      world.desk.receive(frame: frame.span, from: number, at: now, output: &output)
    case .frame(let number, let frame):
      if number == connection && isConnected { feed(.frame(StreamID(0)), frame) }
    case .closed(let number):
      guard number == connection else { return }
      isConnected = false
      feed(.streamClosed(StreamID(0)))
    }
    route(output)
  }

  private func route(_ output: DeskOutput) {
    for item in output.items {
      switch item {
      case .reply(let reply):
        if reply.request >= 1 << 40 { continue }
        if isFaulty && chance(3, in: 100) { continue }
        let isReplaced = isFaulty && chance(2, in: 100)
        enqueue(
          .reply(
            RequestID(reply.request), isReplaced ? 503 : UInt16(reply.status),
            isReplaced ? bytes("<html>503</html>") : reply.body), after: latency())
      case .frame(let number, let frame):
        guard number == connection else { continue }
        if isFaulty && chance(2, in: 100) && text(frame).contains("depth_update") { continue }
        // One connection keeps its order.
        streamClear = max(now + latency(), streamClear + .microseconds(1))
        enqueue(.frame(number, frame), at: streamClear)
      case .close(let number, _):
        if number == connection { enqueue(.closed(number), after: latency()) }
      }
    }
  }

  private func enqueue(_ delivery: Delivery, after wait: TimeSpan) {
    enqueue(delivery, at: now + wait)
  }

  private func enqueue(_ delivery: Delivery, at time: Timestamp) {
    sequence += 1
    var index = queue.count
    while index > 0 && queue[index - 1].time > time { index -= 1 }
    queue.insert((time, sequence, delivery), at: index)
  }

  // MARK: Time

  /// Runs for `span`; `act` is called once in every `interval`.
  func run(_ span: TimeSpan, every interval: TimeSpan = .milliseconds(50), _ act: () -> Void = {}) {
    let end = now + span
    var actAt = now
    while true {
      let next = min(
        min(queue.first?.time ?? .distantFuture, session.nextDeadline),
        min(world.desk.nextDeadline, min(actAt, end)))
      now = max(now, next)
      if now >= end { return }
      if world.desk.nextDeadline <= now {
        var output = DeskOutput()
        world.desk.advance(to: now, output: &output)
        route(output)
      }
      while let first = queue.first, first.time <= now {
        queue.removeFirst()
        deliver(first.delivery)
      }
      if session.nextDeadline <= now { feed(.timer) }
      if actAt <= now {
        act()
        actAt = now + interval
        if isFaulty && isConnected && chance(1, in: 150) { cut() }
      }
    }
  }

  func cut() {
    cuts += 1
    isConnected = false
    world.desk.closed(connection, at: now)
    feed(.streamClosed(StreamID(0)))
  }

  // MARK: Trading

  /// One or a few orders inside the spread, now and then a cancel.
  func trade() {
    guard isReady, let instrument else { return }
    let working = order.filter { lives[$0]?.isOpen == true }
    if working.count < 12 {
      let count = Int.random(in: 1...4, using: &random)
      let dollar = Int64(powerOfTen(Int(instrument.scale.price.count)))
      let lot = instrument.rules.lotStep
      step {
        for _ in 0..<count {
          made += 1
          let id = ClientOrderID(InlineText("mtT3st\(made)") ?? "")
          let side: Side = chance(1, in: 2) ? .buy : .sell
          let price = Int64.random(in: 60_001...60_004, using: &random) + (side == .sell ? 5 : 0)
          let quantity = Quantity(
            quanta: instrument.rules.minQuantity.quanta
              + lot * Int64.random(in: 1_000...3_000, using: &random))
          lives[id] = Life(quantity: quantity, sentAt: now)
          order.append(id)
          session.place(
            Approved(
              OrderIntent(
                strategy: StrategyID(0), account: AccountID(0), instrument: InstrumentID(0),
                side: side, price: Price(quanta: price * dollar), quantity: quantity), verdict: 1),
            as: id, trace: TraceID(1))
        }
      }
    }
    if chance(1, in: 3), let id = working.randomElement(using: &random) {
      step { session.cancel(id, venueOrderID: .none, of: InstrumentID(0)) }
    }
    if chance(1, in: 2) { bobTakes() }
  }

  /// Somebody else crosses the spread, so that our orders fill, in parts more often than not.
  private func bobTakes() {
    bobs += 1
    let side = chance(1, in: 2) ? "buy" : "sell"
    let price = side == "buy" ? "60009" : "60001"
    let amount = "0.00\(Int.random(in: 10...99, using: &random))"
    let path = "/api/v4/order/new"
    let body =
      #"{"request":"\#(path)","nonce":\#(now.milliseconds * 1_000 + Int64(bobs & 0xff)),"#
      + #""market":"\#(SessionWorld.market)","side":"\#(side)","amount":"\#(amount)","#
      + #""price":"\#(price)","ioc":true}"#
    var request = world.signed(path, body, key: "bob", secret: "secret of bob")
    request.id = bobs
    var output = DeskOutput()
    world.desk.receive(request, body: bytes(body).span, at: now, output: &output)
    route(output)
  }

  /// Fills that totals told of and that have not come are asked for, as Orders does.
  func askForMissingFills() {
    for id in order {
      guard let life = lives[id], life.told > life.booked else { continue }
      step {
        session.query(id, venueOrderID: .none, of: InstrumentID(0), sentAt: life.sentAt)
      }
    }
  }

  // MARK: What the desk knows

  func ask(_ path: String, _ fields: String) -> JSONValue {
    lastNonce = max(lastNonce + 1, now.milliseconds)
    world.now = now
    return world.call(path, fields, nonce: "\(lastNonce)", window: "true").json
  }
}

extension SessionWorld.Life {
  mutating func end(_ how: String) {
    isOpen = false
    if !ends.contains(how) { ends.append(how) }
  }
}
