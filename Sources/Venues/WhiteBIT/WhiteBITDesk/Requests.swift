internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// What an HTTP request is answered with.
struct Answer {
  var status = 200
  var contentType = "application/json"
  var body: [UInt8] = []
}

/// Why a request is not done, in the venue's words.
struct Refusal: Error {
  var status: Int
  var error: VenueError

  /// Status 400 goes with what the engine found, 422 with what the request lacked.
  init(_ error: VenueError) {
    self.error = error
    status = error.message == Refusal.inner ? 400 : 422
  }

  private init(status: Int, _ error: VenueError) {
    self.status = status
    self.error = error
  }

  static let inner = "Inner validation failed"
  static let validation = "Validation failed"

  static func authentication(_ status: Int, code: Int32, _ message: String) -> Refusal {
    Refusal(status: status, VenueError(code: code, message: message))
  }

  /// Seen live: a nonce that is too low looks like a limit.
  static var staleNonce: Refusal { .authentication(429, code: 0, "Too many requests.") }

  /// A request that its own text shows to be wrong.
  static func field(_ field: String, code: Int32 = 30, _ text: String) -> Refusal {
    Refusal(VenueError(code: code, message: validation, field: field, text))
  }

  static func engine(_ field: String, code: Int32, _ text: String) -> Refusal {
    Refusal(VenueError(code: code, message: inner, field: field, text))
  }

  static var notOpen: Refusal { .engine("orderId", code: 2, "Unexecuted order was not found.") }
  static var noMarket: Refusal { .field("market", code: 31, "Market is not available.") }
}

extension WhiteBITDesk {
  mutating func answer(_ write: (inout ByteBuffer) -> Void) -> Answer {
    Answer(body: bytes(write))
  }

  /// Carries a request out and answers it, as far as the desk's habits let it.
  mutating func serve(_ request: DeskRequest, _ body: [UInt8], output: inout DeskOutput) {
    guard mayAsk(request) else {
      output.items.append(.reply(page(429, to: request)))
      return
    }
    let fault = habits.fault(for: request.path)
    switch fault {
    case .dropRequest: return
    case .page(let status, isCarriedOut: false):
      output.items.append(.reply(page(status, to: request)))
      return
    case .staleNonce:
      let refusal = Refusal.staleNonce
      output.items.append(.reply(reply(answer(to: refusal), to: request)))
      return
    case nil, .page, .dropReply, .delayReply, .truncatedReply, .oversizedReply: break
    }
    var answer: Answer
    do throws(Refusal) { answer = try carryOut(request, body) } catch {
      answer = self.answer(to: error)
    }
    if habits.pushesBeforeReply { pump(output: &output) }
    switch fault {
    case .dropReply: break
    case .delayReply(let span): hold(.reply(reply(answer, to: request)), until: now + span)
    case .page(let status, _): output.items.append(.reply(page(status, to: request)))
    case .truncatedReply:
      answer.body.removeLast(answer.body.count - answer.body.count / 2)
      output.items.append(.reply(reply(answer, to: request)))
    case .oversizedReply(let count):
      answer.body = [UInt8](repeating: 0x20, count: count)
      output.items.append(.reply(reply(answer, to: request)))
    case nil, .dropRequest, .staleNonce:
      output.items.append(.reply(reply(answer, to: request)))
    }
    pump(output: &output)
  }

  private func reply(_ answer: Answer, to request: DeskRequest) -> DeskOutput.Reply {
    DeskOutput.Reply(
      request: request.id, status: answer.status, contentType: answer.contentType,
      body: answer.body)
  }

  func page(_ status: Int, to request: DeskRequest) -> DeskOutput.Reply {
    let text = "<html><head><title>\(status)</title></head><body>\(status)</body></html>"
    return DeskOutput.Reply(
      request: request.id, status: status, contentType: "text/html", body: Array(text.utf8))
  }

  private mutating func answer(to refusal: Refusal) -> Answer {
    var answer = answer { refusal.error.write(into: &$0) }
    answer.status = refusal.status
    return answer
  }

  private mutating func carryOut(
    _ request: DeskRequest, _ body: [UInt8]
  ) throws(Refusal) -> Answer {
    guard let (endpoint, market) = Endpoint.named(by: request.path),
      request.method == (endpoint.isPrivate ? "POST" : "GET")
    else { return Answer(status: 404) }
    guard endpoint.isPrivate else {
      return publicAnswer(endpoint, market, Query(request.query))
    }
    let (caller, fields) = try authenticate(request, body, endpoint)
    return try privateAnswer(endpoint, fields, caller)
  }

  private mutating func privateAnswer(
    _ endpoint: Endpoint, _ body: ClientBody, _ caller: Int
  ) throws(Refusal) -> Answer {
    let account = keys[caller].account
    switch endpoint {
    case .websocketToken: return try giveToken(caller)
    case .tradeBalance: return try balances(body, account)
    case .executedHistory: return try executedHistory(body, account)
    case .orderDeals: return try orderDeals(body, account)
    case .orderHistory: return try orderHistory(body, account)
    case .openOrders: return try openOrders(body, account)
    case .newOrder:
      let order = try placeLimit(PlaceRequest(body), account)
      return answer { Orders.writeReply(order, into: &$0) }
    case .marketOrder, .stockMarketOrder, .stopLimitOrder, .stopMarketOrder:
      let order = try placeOther(endpoint, body, account)
      return answer { Orders.writeReply(order, into: &$0) }
    case .bulkOrder: return try placeBulk(body, account)
    case .modifyOrder:
      let order = try modify(body, account)
      return answer { Orders.writeReply(order, into: &$0) }
    case .cancelOrder:
      let order = try cancel(OrderChoice(body), account)
      return answer { Orders.writeReply(order, into: &$0) }
    case .cancelBulk: return try cancelBulk(body, account)
    case .cancelAll: return try cancelAll(body, account)
    case .killSwitch: return try setDeadMan(body, account)
    case .killSwitchStatus: return try deadManStatus(body, account)
    case .marketFee:
      guard let first = markets.first else { throw .engine("request", code: 300, "fee not found") }
      let (maker, taker) = (first.listing.makerFee, first.listing.takerFee)
      return answer { PublicReplies.writeMarketFee(maker: maker, taker: taker, into: &$0) }
    case .time, .ping, .platformStatus, .markets, .ticker, .assets, .publicFee,
      .collateralMarkets, .futures, .tickerV1, .candlesV1, .orderBook, .trades:
      return Answer(status: 404)
    }
  }

  // MARK: Markets by name

  func index(of name: String) -> Int? { markets.firstIndex { $0.name == InlineText(name) } }

  /// A market that must be named.
  func market(_ name: Given<String>) throws(Refusal) -> Int {
    switch name {
    case .absent, .null: throw .field("market", "Market field is required.")
    case .unreadable: throw .field("market", "Market field should be a string.")
    case .value(let text):
      guard let index = index(of: text) else { throw .noMarket }
      return index
    }
  }

  /// A market that may be named.
  func optionalMarket(_ name: Given<String>) throws(Refusal) -> Int? {
    if name == .absent || name == .null { return nil }
    return try market(name)
  }
}

/// What follows the `?` of a request.
struct Query {
  private var pairs: [(name: String, value: String)] = []

  init(_ text: String) {
    for part in text.split(separator: "&") {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      pairs.append((Query.decoded(sides[0]), sides.count == 2 ? Query.decoded(sides[1]) : ""))
    }
  }

  subscript(name: String) -> String? { pairs.last { $0.name == name }?.value }

  private static func decoded(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var iterator = text.utf8.makeIterator()
    while let byte = iterator.next() {
      if byte == 0x2b {
        bytes.append(0x20)
      } else if byte == 0x25, let high = iterator.next(), let low = iterator.next(),
        let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
      {
        bytes.append(value)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
