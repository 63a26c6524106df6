import MartletBase
import MartletJSON
@_spi(Risk) import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

/// A session, a virtual clock and a small venue of lists that answers what it is told to answer.
///
/// It is no desk: it has no rules of its own, so that a test says exactly what the venue says.
final class SessionHarness {
  struct Sent {
    var id: RequestID
    var path: String
    var body: String
    var effect: RequestEffect
  }

  static let markets = ["BTC_USDT", "ETH_BTC"]
  static let ownPrefix: InlineText = "mtT3st"
  static let listings = """
    [{"name":"ETH_BTC","stock":"ETH","money":"BTC","stockPrec":"4","moneyPrec":"6","feePrec":"6",\
    "makerFee":"0.1","takerFee":"0.1","minAmount":"0.0001","minTotal":"0.000012",\
    "tradesEnabled":true,"type":"spot","isCollateral":true,"maxTotal":"100000"},\
    {"name":"BTC_USDT","stock":"BTC","money":"USDT","stockPrec":"6","moneyPrec":"2","feePrec":"6",\
    "makerFee":"0.1","takerFee":"0.1","minAmount":"0.00001","minTotal":"1",\
    "tradesEnabled":true,"type":"spot","isCollateral":false,"maxTotal":"0"}]
    """
  static let tickers = """
    {"BTC_USDT":{"last_price":"60000","base_volume":"1","quote_volume":"2","isFrozen":false,\
    "change":"0"},"ETH_BTC":{"last_price":"0.03","base_volume":"1","quote_volume":"2",\
    "isFrozen":false,"change":"0"}}
    """

  /// Whether each ping gets its pong at once.
  var answersPings = true
  var session: WhiteBITSession
  var now = Timestamp(milliseconds: 1_790_000_000_000)
  var events: [VenueEvent] = []
  var levels: [BookLevel] = []
  /// Requests not answered yet, oldest first.
  var waiting: [Sent] = []
  /// Every target requested, in order.
  var targets: [String] = []
  /// How long each request may take, in order.
  var deadlines: [(path: String, span: TimeSpan)] = []
  /// Frames sent, in order.
  var frames: [String] = []
  var streams: [String] = []
  /// Everything that left and everything told, as text: two runs that agree here agree.
  var trace: [String] = []

  // What the venue's lists hold.
  var open: [WireOrder] = []
  var history: [WireOrder] = []
  var fills: [WireFill] = []
  var nextOrderID: UInt64 = 2_400_000_000_001
  var nextTradeID: UInt64 = 22_000_000_001
  var nextUpdateID: UInt64 = 1_000

  private var sessionEvents = VenueEvents()
  private var effects = VenueEffects()
  private var made = 0

  init(_ change: (inout WhiteBITConfiguration) -> Void = { _ in }) {
    session = WhiteBITSession(SessionHarness.configuration(change))
  }

  static func configuration(
    _ change: (inout WhiteBITConfiguration) -> Void = { _ in }
  ) -> WhiteBITConfiguration {
    var configuration = WhiteBITConfiguration(
      account: AccountID(0),
      symbols: markets.enumerated().map { index, name in
        WhiteBITSymbol(
          market: InlineText(name) ?? "", instrument: InstrumentID(UInt16(index)))
      }, ownPrefix: ownPrefix)
    // The frames of these tests left the venue once and for all, whenever they are read.
    configuration.bookLag = .seconds(365 * 86_400)
    change(&configuration)
    return configuration
  }

  // MARK: Driving

  /// One input and the flush behind it, as the kernel does.
  func feed(_ input: VenueInput, _ text: String = "") {
    step {
      let content = bytes(text)
      session.receive(
        input, bytes: content.span, at: now, events: &sessionEvents, effects: &effects)
    }
  }

  /// Calls of the session's other doors, and the flush behind them.
  func step(_ body: () -> Void) {
    sessionEvents.removeAll()
    effects.removeAll()
    body()
    session.flush(at: now, effects: &effects)
    for event in sessionEvents.list {
      events.append(event)
      trace.append("\(event)")
    }
    levels.append(contentsOf: sessionEvents.levels)
    let known = frames.count
    collect()
    if answersPings, frames.dropFirst(known).contains(SessionHarness.ping) {
      frame(#"{"error": null,"result":"pong","id":0}"#)
    }
  }

  static let ping = #"{"id":0,"method":"ping","params":[]}"#

  private func collect() {
    let buffer = effects.bytes.copy()
    func text(_ range: ByteRange) -> String {
      String(
        decoding: buffer[Int(range.start)..<Int(range.start) + Int(range.count)], as: UTF8.self)
    }
    for effect in effects.list {
      switch effect {
      case .request(let request):
        let sent = Sent(
          id: request.id, path: text(request.target), body: text(request.body), effect: request)
        waiting.append(sent)
        targets.append(sent.path)
        deadlines.append((sent.path, request.timeout))
        trace.append("\(sent.path) \(sent.body)")
      case .openStream(let stream):
        streams.append("open \(stream.index)")
        trace.append("open")
      case .closeStream(let stream):
        streams.append("close \(stream.index)")
        trace.append("close")
      case .sendFrame(_, let range, let hasSecret):
        frames.append(text(range))
        trace.append("\(text(range)) \(hasSecret)")
      }
    }
  }

  /// Lets time pass, with a timer at every deadline on the way.
  func advance(by span: TimeSpan) {
    let end = now + span
    var turns = 0
    while session.nextDeadline <= end {
      now = max(now, session.nextDeadline)
      feed(.timer)
      turns += 1
      if turns > 10_000 {
        Issue.record("the session's deadline does not move on from \(session.nextDeadline)")
        return
      }
    }
    now = end
  }

  // MARK: Answering

  /// The oldest unanswered request to `path`.
  func take(_ path: String) throws -> Sent {
    let index = try #require(
      waiting.firstIndex { $0.path == path }, "\(path) is not among \(waiting.map(\.path))")
    return waiting.remove(at: index)
  }

  func isWaiting(_ path: String) -> Bool { waiting.contains { $0.path == path } }

  func answer(_ path: String, _ body: String, status: UInt16 = 200) throws {
    let sent = try take(path)
    feed(.response(sent.id, status: status), body)
  }

  func fail(_ path: String, _ failure: RequestFailure) throws {
    let sent = try take(path)
    feed(.requestFailed(sent.id, failure))
  }

  /// Answers everything that only reads, and the token, from the lists, until nothing more is asked.
  func settle(except left: Set<String> = []) {
    var turns = 0
    while let sent = waiting.first(where: { !left.contains($0.path) && reply(to: $0) != nil }) {
      waiting.removeAll { $0.id == sent.id }
      feed(.response(sent.id, status: 200), reply(to: sent) ?? "")
      turns += 1
      if turns > 1_000 {
        Issue.record("the session never stops asking: \(sent.path)")
        return
      }
    }
  }

  func reply(to sent: Sent) -> String? {
    switch sent.path {
    case "/api/v4/public/time": return #"{"time":\#(now.seconds)}"#
    case "/api/v4/public/markets": return SessionHarness.listings
    case "/api/v4/public/ticker": return SessionHarness.tickers
    case "/api/v4/trade-account/balance":
      return #"{"BTC":{"available":"0.5","freeze":"0"},"USDT":{"available":"1000","freeze":"1"}}"#
    case "/api/v4/profile/websocket_token": return #"{"websocket_token":"@secret:1"}"#
    case "/api/v4/orders", "/api/v4/trade-account/order/history",
      "/api/v4/trade-account/executed-history":
      return list(sent)
    default: return nil
    }
  }

  private func list(_ sent: Sent) -> String {
    let content = bytes(sent.body)
    guard let body = try? ClientBody(content.span) else { return "" }
    let page = PageRequest(body)
    let market = page.choice.market.value ?? ""
    let id = page.choice.clientOrderID.value
    let offset = Int(page.offset.value ?? 0)
    let limit = Int(page.limit.value ?? 50)
    func cut<Row>(_ rows: [Row]) -> [Row] { Array(rows.dropFirst(offset).prefix(limit)) }
    func matches(_ name: InlineText, _ client: ClientText) -> Bool {
      name.description == market && (id == nil || client.description == id)
    }
    switch sent.path {
    case "/api/v4/orders":
      return text(
        written {
          Orders.writeList(cut(open.filter { matches($0.market, $0.clientID) }), into: &$0)
        }
      )
    case "/api/v4/trade-account/order/history":
      return text(
        written {
          Orders.writeHistory(cut(history.filter { matches($0.market, $0.clientID) }), into: &$0)
        })
    default:
      let start = page.startDate.value ?? 0
      let rows = fills.filter { matches($0.market, $0.clientID) && $0.time.seconds >= start }
      return text(
        written { Fills.writeHistory(cut(rows.reversed()), byMarket: false, into: &$0) })
    }
  }

  // MARK: The stream

  func frame(_ text: String) { feed(.frame(StreamID(0)), text) }

  func acknowledge(_ id: UInt64) {
    frame(#"{"error": null, "result": {"status": "success"}, "id": \#(id)}"#)
  }

  /// The id in a frame that was sent.
  func id(of frame: String) -> UInt64 {
    let content = bytes(frame)
    guard let message = try? JSONValue(content.span), let id = message["id"]?.text else { return 0 }
    return UInt64(id) ?? 0
  }

  /// The ids of the frames sent for `method`, oldest first.
  func ids(_ method: String) -> [UInt64] {
    frames.filter { $0.contains("\"\(method)\"") }.map { id(of: $0) }
  }

  /// From nothing to `ready`.
  func bringUp() {
    feed(.start)
    settle()
    feed(.deadManArmed(until: .distantFuture))
    settle()
    connect()
  }

  /// From an asked-for stream to a reconciled one.
  func connect() {
    feed(.streamOpened(StreamID(0)))
    acknowledge(ids("authorize").last ?? 0)
    for method in ["ordersPending_subscribe", "deals_subscribe", "balanceSpot_subscribe"] {
      acknowledge(ids(method).last ?? 0)
    }
    settle()
  }

  func snapshot(
    _ market: InlineText = "BTC_USDT", bid: String = "59999", ask: String = "60001"
  ) {
    nextUpdateID += 7
    frame(
      """
      {"method": "depth_update", "params": [true, {"timestamp": 1790000000.1, "update_id": \
      \(nextUpdateID), "asks": [["\(ask)", "1"]], "bids": [["\(bid)", "1"]], "event_time": \
      1790000000.2}, "\(market)"], "id": null}
      """)
  }

  func delta(_ market: InlineText = "BTC_USDT", after past: UInt64? = nil) {
    let last = past ?? nextUpdateID
    nextUpdateID += 3
    frame(
      """
      {"method": "depth_update", "params": [false, {"timestamp": 1790000000.1, "update_id": \
      \(nextUpdateID), "past_update_id": \(last), "bids": [["59998", "2"]], "event_time": \
      1790000000.2}, "\(market)"], "id": null}
      """)
  }

  func push(_ order: WireOrder, _ event: Orders.Event) {
    frame(text(written { Orders.writePending(event, order, into: &$0) }))
  }

  func push(_ fill: WireFill) {
    frame(text(written { Fills.writePush(fill, into: &$0) }))
  }

  // MARK: Orders

  func newID() -> ClientOrderID {
    made += 1
    return ClientOrderID(InlineText("mtT3st\(made)") ?? "")
  }

  static func intent(
    _ side: Side = .buy, _ price: Int64 = 600_000_000, _ quantity: Int64 = 100_000,
    market: UInt16 = 0
  ) -> OrderIntent {
    OrderIntent(
      strategy: StrategyID(0), account: AccountID(0), instrument: InstrumentID(market),
      side: side, price: Price(quanta: price), quantity: Quantity(quanta: quantity))
  }

  /// Places orders in one step.
  @discardableResult
  func place(_ intents: [OrderIntent]) -> [ClientOrderID] {
    let ids = intents.map { _ in newID() }
    step {
      for (intent, id) in zip(intents, ids) {
        session.place(Approved(intent, verdict: 1), as: id, trace: TraceID(1))
      }
    }
    return ids
  }

  func cancel(_ id: ClientOrderID, market: UInt16 = 0) {
    step { session.cancel(id, venueOrderID: .none, of: InstrumentID(market)) }
  }

  /// An order as the venue would tell it.
  func order(
    _ id: String, _ status: OrderStatus = .open, filled: String = "0",
    amount total: String = "0.001",
    market: InlineText = "BTC_USDT"
  ) -> WireOrder {
    nextOrderID += 1
    let quantity = MartletBase.Amount(units: WhiteBITTests.amount(total).units)
    let done = WhiteBITTests.amount(filled)
    return WireOrder(
      orderID: nextOrderID, clientID: ClientText(text: id) ?? ClientText(), market: market,
      side: .buy, createdAt: now, modifiedAt: now, price: WhiteBITTests.amount("60000"),
      amount: quantity, left: quantity - done, dealStock: done, status: status)
  }

  func fill(_ order: WireOrder, _ quantity: String, at time: Timestamp? = nil) -> WireFill {
    nextTradeID += 1
    return WireFill(
      tradeID: nextTradeID, time: time ?? now, market: order.market, orderID: order.orderID,
      price: WhiteBITTests.amount("60000"), amount: WhiteBITTests.amount(quantity),
      fee: WhiteBITTests.amount("0.0000004"), clientID: order.clientID, side: order.side,
      role: .maker, feeAsset: "BTC")
  }

  /// The venue takes a single placement and says so.
  @discardableResult
  func accept(_ id: ClientOrderID) throws -> WireOrder {
    let order = order(id.description)
    open.append(order)
    try answer("/api/v4/order/new", text(written { Orders.writeReply(order, into: &$0) }))
    return order
  }

  // MARK: Looking

  func forget() {
    events.removeAll()
    levels.removeAll()
    frames.removeAll()
    targets.removeAll()
    streams.removeAll()
  }

  var reports: [OrderReport] {
    events.compactMap { if case .order(let report) = $0 { report } else { nil } }
  }
  var booked: [Fill] { events.compactMap { if case .fill(let fill) = $0 { fill } else { nil } } }
  var refusals: [(ClientOrderID, RefusalReason, Int32)] {
    events.compactMap {
      if case .orderRefused(let id, let reason, let code) = $0 { (id, reason, code) } else { nil }
    }
  }
  func count(_ event: VenueEvent) -> Int { events.count { $0 == event } }
  func snapshotBytes() -> [UInt8] {
    var writer = SnapshotWriter()
    session.write(to: &writer)
    return writer.bytes.copy()
  }
}
