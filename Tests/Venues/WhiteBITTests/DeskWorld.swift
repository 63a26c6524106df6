import MartletBase
import MartletExchange
import MartletJSON
import MartletModel
import MartletSecrets
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITWire

/// A desk on a clock of its own, with clients that sign, ask and listen.
struct DeskWorld: ~Copyable {
  /// A moment in 2026, on a whole minute.
  static let start = Timestamp(milliseconds: 1_790_000_040_000)
  static let demo = "DBTC_DUSDT"

  struct Reply {
    var status: Int
    var contentType: String
    var text: String
    var json: JSONValue
  }

  var desk: WhiteBITDesk
  var now = DeskWorld.start
  /// Frames a stream got, oldest first; a close is told as `CLOSE` and its code.
  var frames: [UInt64: [String]] = [:]
  private(set) var replies: [UInt64: Reply] = [:]
  private(set) var lastRequest: UInt64 = 0
  private var lastNonce: Int64 = 0

  init(
    rows: [MarketRow] = DeskWorld.quietMarket, habits: Habits = Habits(),
    start: Timestamp = DeskWorld.start,
    _ change: (inout WhiteBITDeskConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = WhiteBITDeskConfiguration(start: start, seed: 42)
    change(&configuration)
    desk = try WhiteBITDesk(
      configuration,
      markets: WhiteBITMarketSetup.bitcoin(
        rows: rows, pricePlaces: DecimalPlaces(2), quantityPlaces: DecimalPlaces(6)),
      habits: habits, keyedHash: keyedHash)
    now = start
    for name in ["ann", "bob"] {
      let account = desk.addAccount(
        key: name, secret: "secret of \(name)",
        balances: [
          ("DBTC", amount("10")), ("DUSDT", amount("1000000")), ("BTC", amount("1")),
          ("USDT", amount("50000")),
        ])
      #expect(account != nil)
    }
  }

  /// A book that never moves: bids 60,000 and below, asks 60,010 and above, a level each dollar.
  static var quietMarket: [MarketRow] { market([]) }

  /// The quiet book, and what happens to it: each step a frame, this much after the one before.
  static func market(_ steps: [Step], after: TimeSpan = .milliseconds(200)) -> [MarketRow] {
    var rows: [MarketRow] = []
    func add(
      _ kind: MarketRow.Kind, _ side: Side, _ price: Int64, _ quantity: Int64, _ frame: Int
    ) {
      rows.append(
        MarketRow(
          receivedAt: Timestamp(nanoseconds: after.nanoseconds * Int64(frame)),
          price: Price(quanta: price * 100), quantity: Quantity(quanta: quantity),
          frame: UInt32(frame), kind: kind, side: side, endsFrame: false))
    }
    for level in Int64(0)..<120 {
      add(.snapshot, .buy, 60_000 - level, 1_000_000 + level, 0)
    }
    for level in Int64(0)..<120 {
      add(.snapshot, .sell, 60_010 + level, 1_000_000 + level, 0)
    }
    rows[rows.count - 1].endsFrame = true
    for (index, step) in steps.enumerated() {
      switch step {
      case .trade(let side, let quantity, let price):
        add(.trade, side, price, quantity, index + 1)
      case .level(let side, let quantity, let price):
        add(.level, side, price, quantity, index + 1)
      }
      rows[rows.count - 1].endsFrame = true
    }
    // Then an hour of silence before the round begins again.
    rows.append(
      MarketRow(
        receivedAt: Timestamp(nanoseconds: 3_600_000_000_000), price: Price(quanta: 1),
        quantity: .zero, frame: UInt32(steps.count + 1), kind: .level, side: .buy,
        endsFrame: true))
    return rows
  }

  enum Step {
    /// Quantities in millionths, prices in whole dollars.
    case trade(Side, Int64, at: Int64)
    case level(Side, Int64, at: Int64)
  }

  // MARK: HTTP

  /// A signed call. `fields` are the JSON members beside request and nonce, such as `"a":1`.
  mutating func call(
    _ path: String, _ fields: String = "", by key: String = "ann", secret: String? = nil,
    nonce: String? = nil, window: String? = nil
  ) -> Reply {
    let id = send(path, fields, by: key, secret: secret, nonce: nonce, window: window)
    return replies[id]
      ?? Reply(status: 0, contentType: "", text: "no reply", json: .null)
  }

  /// The same, when the reply is to come later or never.
  mutating func send(
    _ path: String, _ fields: String = "", by key: String = "ann", secret: String? = nil,
    nonce: String? = nil, window: String? = nil
  ) -> UInt64 {
    lastNonce = max(lastNonce + 1, now.milliseconds)
    var body = "{\(fields)\(fields.isEmpty ? "" : ",")\"request\":\"\(path)\""
    body += ",\"nonce\":\(nonce ?? "\(lastNonce)")"
    if let window { body += ",\"nonceWindow\":\(window)" }
    return send(
      signed(path, body + "}", key: key, secret: secret ?? "secret of \(key)"), body + "}")
  }

  mutating func send(_ request: DeskRequest, _ body: String) -> UInt64 {
    lastRequest += 1
    var request = request
    request.id = lastRequest
    var output = DeskOutput()
    desk.receive(request, body: bytes(body).span, at: now, output: &output)
    take(output)
    return lastRequest
  }

  func signed(_ path: String, _ body: String, key: String, secret: String) -> DeskRequest {
    let payload = written { Signing.writeBase64(bytes(body).span, into: &$0) }
    let digest = keyedHash(bytes(secret), payload)
    let signature = written { Signing.writeHex(digest.span, into: &$0) }
    return DeskRequest(
      id: 0, method: "POST", path: path, query: "",
      headers: [
        ("Content-Type", "application/json"), ("X-TXC-APIKEY", key),
        ("X-TXC-PAYLOAD", text(payload)), ("X-TXC-SIGNATURE", text(signature)),
      ])
  }

  mutating func get(_ path: String, _ query: String = "") -> Reply {
    let id = send(
      DeskRequest(id: 0, method: "GET", path: path, query: query, headers: []), "")
    return replies[id]
      ?? Reply(status: 0, contentType: "", text: "no reply", json: .null)
  }

  func reply(_ id: UInt64) -> Reply? { replies[id] }

  /// A limit order's reply.
  mutating func place(
    _ side: String, _ amount: String, at price: String, id: String? = nil, by key: String = "ann",
    market: String = DeskWorld.demo, _ more: String = ""
  ) -> Reply {
    var fields =
      "\"market\":\"\(market)\",\"side\":\"\(side)\",\"amount\":\"\(amount)\","
      + "\"price\":\"\(price)\""
    if let id { fields += ",\"clientOrderId\":\"\(id)\"" }
    return call("/api/v4/order/new", fields + more, by: key)
  }

  mutating func cancel(_ fields: String, by key: String = "ann") -> Reply {
    call("/api/v4/order/cancel", "\"market\":\"\(DeskWorld.demo)\",\(fields)", by: key)
  }

  // MARK: Streams

  mutating func open(_ connection: UInt64) {
    var output = DeskOutput()
    desk.opened(connection, at: now, output: &output)
    take(output)
  }

  /// A message of a client; what the stream got because of it.
  @discardableResult
  mutating func say(_ message: String, on connection: UInt64 = 1) -> [String] {
    let before = frames[connection, default: []].count
    var output = DeskOutput()
    desk.receive(frame: bytes(message).span, from: connection, at: now, output: &output)
    take(output)
    return Array(frames[connection, default: []].dropFirst(before))
  }

  mutating func say(
    _ method: String, _ params: String, id: Int = 1, on connection: UInt64 = 1
  ) -> [String] {
    say("{\"id\":\(id),\"method\":\"\(method)\",\"params\":\(params)}", on: connection)
  }

  /// Opens a stream and authorizes it for an account.
  mutating func openPrivate(_ connection: UInt64 = 1, by key: String = "ann") {
    let token = call("/api/v4/profile/websocket_token", by: key).json["websocket_token"]?.text
    open(connection)
    let answer = say(
      "authorize", "[\"\(token ?? "")\",\"public\"]", id: 999, on: connection)
    #expect(answer == ["{\"error\": null, \"result\": {\"status\": \"success\"}, \"id\": 999}"])
  }

  /// Frames a stream got since it was last asked, as JSON.
  mutating func news(_ connection: UInt64 = 1) -> [JSONValue] {
    defer { frames[connection] = [] }
    return frames[connection, default: []].map { (try? JSONValue(bytes($0).span)) ?? .string($0) }
  }

  /// The news of one channel: its params.
  mutating func news(of method: String, _ connection: UInt64 = 1) -> [JSONValue] {
    news(connection).filter { $0["method"]?.text == method }.compactMap { $0["params"] }
  }

  // MARK: Time

  mutating func pass(_ span: TimeSpan) {
    now = now + span
    var output = DeskOutput()
    desk.advance(to: now, output: &output)
    take(output)
  }

  mutating func take(_ output: DeskOutput) {
    for item in output.items {
      switch item {
      case .reply(let reply):
        let json = (try? JSONValue(reply.body.span)) ?? .null
        replies[reply.request] = Reply(
          status: reply.status, contentType: reply.contentType, text: text(reply.body), json: json)
      case .frame(let connection, let frame): frames[connection, default: []].append(text(frame))
      case .close(let connection, let code):
        frames[connection, default: []].append("CLOSE \(code.map { "\($0)" } ?? "none")")
      }
    }
  }

  // MARK: Money

  func balance(_ asset: InlineText, of key: String = "ann") -> String {
    guard let account = desk.account(of: key), let id = desk.exchange.asset(asset) else {
      return "none"
    }
    let balance = desk.exchange.balance(of: account, id)
    return "\(balance.available) + \(balance.frozen)"
  }

  func expectConserved(_ comment: @autoclosure () -> String = "") {
    for index in desk.exchange.assets.indices {
      let found = desk.exchange.conservation(of: AssetID(UInt16(index)))
      #expect(found.sum == found.deposited, "asset \(index) \(comment())")
    }
  }
}

extension JSONValue {
  /// The elements of a list; none when this is no list.
  var elements: [JSONValue] {
    if case .array(let elements) = self { elements } else { [] }
  }
  /// The keys of an object, in their order.
  var keys: [String] {
    if case .object(let members) = self { members.map(\.key) } else { [] }
  }
}
