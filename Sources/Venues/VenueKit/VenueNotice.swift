public import MartletBase
public import MartletModel

/// Requests that share one quota at a venue, in the order of their urgency.
@frozen public enum RequestGroup: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case cancel = 0
  case place = 1
  /// Lists of open orders.
  case orders = 2
  /// Balances and histories.
  case account = 3
  /// What is public, books aside.
  case market = 4
  case books = 5
  /// Tokens that open a private stream.
  case token = 6
}

/// What a session tries again a bounded number of times before a person is told.
@frozen public enum RetriedTask: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case clock = 0
  case rules = 1
  case lastPrices = 2
  case balances = 3
  case token = 4
  case openOrders = 5
  case fills = 6
  case cancelAll = 7
  case book = 8
  case trades = 9
  /// What became of one order.
  case inquiry = 10
  /// The stream of private and public channels.
  case stream = 11
  /// The comparison of all fills with the venue's own rows.
  case proof = 12
}

/// What an execution lacks in the daily comparison with the venue's own rows.
@frozen public enum ProofGap: UInt8, Sendable, BitwiseCopyable {
  /// The venue never named its order to us, in a reply, on the stream or in a list.
  case noAcknowledgment = 1
  /// The venue's history of trades has no row of it.
  case noTrade = 2
  /// The history's row says another price, quantity or side.
  case otherTrade = 3
  /// The history has a row that was never told: it is booked now.
  case notTold = 4
  /// There were too many to compare before the history was to be had.
  case notCompared = 5
}

/// What a session has a person know of: told once when it begins and, where it ends, once when it
/// ends.
@frozen public enum VenueNotice: Equatable, Sendable, BitwiseCopyable {
  /// The venue's quota refused a request: this group alone waits, and for this long.
  case slowed(RequestGroup, wait: TimeSpan)
  /// So many refusals by quota that a ban comes near: nothing of the group is sent for this long, or,
  /// of cancels, hardly anything; then one request tries.
  case breakerOpened(RequestGroup, refusals: Int32, wait: TimeSpan)
  /// The request that tried was answered: the group goes on as before.
  case breakerClosed(RequestGroup)
  /// Tried this often and never well. It is still tried, at the longest wait; `order` for an inquiry.
  case retriesExhausted(RetriedTask, tries: Int32, order: ClientOrderID)
  /// What had run out of tries went well.
  case retriesSucceeded(RetriedTask, order: ClientOrderID)
  /// The venue's clock less ours is more than `allowed`: no new order until it is back.
  case clockSkewed(offset: TimeSpan, allowed: TimeSpan)
  /// The clocks agree again: orders may be placed.
  case clockBack(offset: TimeSpan)
  /// Somebody has set this machine's calendar by so much, or the machine slept.
  case calendarSet(by: TimeSpan)
  /// The venue refused an order for what stands in this field of it, as it calls the field.
  case fieldRefused(InlineText, order: ClientOrderID, code: Int32)
  /// An execution without all that must stand beside it.
  case proofFailed(ProofGap, order: ClientOrderID, trade: TradeID)
  /// So many executions since the last proof, each with its order and its trade.
  case proofHeld(fills: Int64)
  /// An order that is not ours, named before a clean slate cancels it with everything else; `client` is
  /// the first part of its client id, `left` what of it is unfilled, in the venue's own units.
  case notOurs(
    VenueOrderID, client: InlineText, market: InlineText, Side, left: Amount, price: Amount)
  /// Everything in our markets was canceled, after what is not ours was named.
  case cleanSlate

  /// Whether somebody must look; the others say that something ended, or ends by itself.
  public var isUrgent: Bool {
    switch self {
    case .breakerOpened, .retriesExhausted, .clockSkewed, .proofFailed: true
    case .slowed, .breakerClosed, .retriesSucceeded, .clockBack, .calendarSet, .fieldRefused,
      .proofHeld, .notOurs, .cleanSlate:
      false
    }
  }
}

extension VenueNotice: CustomStringConvertible {
  /// For a person: what is, and what was done about it.
  public var description: String {
    switch self {
    case .slowed(let group, let wait):
      "the venue limits our requests (\(group.words)): they wait \(VenueNotice.seconds(wait))"
    case .breakerOpened(.cancel, let refusals, let wait):
      "the venue refused \(refusals) cancels by its quota: they go one by one for"
        + " \(VenueNotice.seconds(wait)), before it bans us"
    case .breakerOpened(let group, let refusals, let wait):
      "the venue refused \(refusals) requests (\(group.words)) by its quota: none is sent for"
        + " \(VenueNotice.seconds(wait)), before it bans us"
    case .breakerClosed(let group): "the venue takes our requests (\(group.words)) again"
    case .retriesExhausted(.inquiry, let tries, let order):
      "order \(order): its fate is not known after \(tries) tries; asking on at the longest wait"
    case .retriesExhausted(let task, let tries, _):
      "\(task.words): failed \(tries) times; trying on at the longest wait"
    case .retriesSucceeded(.inquiry, let order): "order \(order): the venue answers again"
    case .retriesSucceeded(let task, _): "\(task.words): well again"
    case .clockSkewed(let offset, let allowed):
      "this machine's clock is \(VenueNotice.seconds(offset))"
        + " \(offset > .zero ? "behind" : "ahead of") the venue's, more than"
        + " \(VenueNotice.seconds(allowed)): no new orders until it is right"
    case .clockBack(let offset):
      "this machine's clock is within \(VenueNotice.seconds(offset)) of the venue's:"
        + " orders may be placed again"
    case .calendarSet(let step):
      "this machine's calendar was set \(VenueNotice.seconds(step))"
        + " \(step > .zero ? "ahead" : "back"): reading the venue's clock"
    case .fieldRefused(let field, let order, let code):
      "order \(order) was refused for its field “\(field)” (venue's code \(code)): not sent again"
    case .proofFailed(let gap, let order, let trade):
      "fill \(trade.low) of \(order): \(gap.words)"
    case .notOurs(let order, let client, let market, let side, let left, let price):
      "order \(order.low)\(client.isEmpty ? "" : " (“\(client)”)"), \(side) \(left) at \(price) in"
        + " \(market): not ours, and canceled with all that rests there"
    case .cleanSlate: "everything that rested in our markets is canceled, as the configuration says"
    case .proofHeld(let fills):
      "\(fills) fill(s) proven: each has its order and its trade at the venue"
    }
  }

  /// How long, whichever way, in seconds with one decimal, cut.
  private static func seconds(_ span: TimeSpan) -> String {
    let tenths = abs(span.milliseconds) / 100
    return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
  }
}

extension RequestGroup {
  var words: String {
    switch self {
    case .cancel: "cancels"
    case .place: "placements"
    case .orders: "open orders"
    case .account: "balances and histories"
    case .market: "market data"
    case .books: "books"
    case .token: "stream tokens"
    }
  }
}

extension RetriedTask {
  var words: String {
    switch self {
    case .clock: "reading the venue's clock"
    case .rules: "reading the markets' rules"
    case .lastPrices: "reading last prices"
    case .balances: "reading balances"
    case .token: "fetching a stream token"
    case .openOrders: "listing open orders"
    case .fills: "reading our fills"
    case .cancelAll: "canceling everything of a market"
    case .book: "reading a book"
    case .trades: "reading a market's trades"
    case .inquiry: "asking after an order"
    case .stream: "connecting the stream"
    case .proof: "comparing our fills with the venue's"
    }
  }
}

extension ProofGap {
  var words: String {
    switch self {
    case .noAcknowledgment: "the venue never acknowledged its order"
    case .noTrade: "the venue's history has no such trade"
    case .otherTrade: "the venue's history has another price, quantity or side"
    case .notTold: "found only in the venue's history, and booked now"
    case .notCompared: "not compared with the venue's history: too many wait"
    }
  }
}
