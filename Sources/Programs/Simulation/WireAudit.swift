internal import MartletBase
internal import MartletJSON

/// Reads all that crossed between client and WhiteBIT, with eyes of its own: none of the code under
/// test is asked what a message means.
///
/// What must hold, whatever went wrong:
/// - a client order id is sent to be placed once, over all lives, and begins with our prefix;
/// - nothing is placed while the chain of depth frames that reached the client is broken, while the
///   last of them left the venue long ago, nor while its private side is not authorized on an open stream;
/// - whatever the venue takes into its book is taken while its own dead-man timer runs;
/// - a cancel names an order of ours, and cancel-all is never sent;
/// - behind each break of the chain the book is unsubscribed and subscribed to once;
/// - after the venue refused the key, nothing private is asked;
/// - of socket tokens, ten a minute of a process; nonces rise.
struct WireAudit {
  private(set) var violations: [String] = []
  /// An order as it was sent to be placed.
  struct Placement {
    let id: String
    let side: String
    let price: String
    let amount: String
  }

  /// Every order that was sent to be placed, as it was first.
  private(set) var placed: [Placement] = []
  private var placedIDs: Set<String> = []
  /// Socket tokens as they came: secrets that must be in no journal.
  private(set) var tokens: [String] = []
  /// Breaks of the depth chain that reached the client.
  private(set) var breaks = 0
  private(set) var resubscriptions = 0

  private let prefix: String
  private let market: String
  private var requests: [UInt64: (target: String, body: JSONValue?)] = [:]
  private var tokenTimes: [Timestamp] = []
  private var lastNonce = 0
  private var deadManUntil = Timestamp.zero

  // Of the present life.
  private var isRefused = false
  private var isDeadManRefused = false
  // Of the present stream.
  private var isOpen = false
  private var isAuthorized = false
  private var authorization: String?
  private var last: String?
  private var isTrusted = false
  /// Unsubscribed from and not yet subscribed to again.
  private var isUnsubscribed = false
  /// Breaks that no resubscription has followed yet.
  private var isBroken = false
  /// The last depth frame told no update.
  private var isOdd = false
  /// How long before it was read the last depth frame, or fill, had left the venue.
  private var lag = TimeSpan.zero
  /// By when the client's last sleep was over.
  private var awakeAt = Timestamp.zero
  /// Within so long behind a sleep its books are asked for anew.
  private static let wakes = TimeSpan.seconds(2)
  /// Longer than a client whose clock is off by as much as it may be trades on, and shorter than one
  /// whose clock is off the other way gives a book up for.
  private static let lags = (most: TimeSpan.seconds(10), least: TimeSpan.milliseconds(400))
  /// When a depth frame that changes the book last reached the client, or it was subscribed to.
  private var heardAt = Timestamp.zero
  /// The venue repeats a quiet book after ten seconds; a second more, by a clock that may drift, and it is dead.
  private static let silence = TimeSpan.milliseconds(10_500)

  init(_ trace: Trace, prefix: String, market: String) {
    self.prefix = prefix
    self.market = market
    if trace.dropped > 0 { violations.append("the trace lacks \(trace.dropped) entries") }
    for entry in trace.entries { read(entry) }
  }

  private mutating func read(_ entry: TraceEntry) {
    switch entry.event {
    case .started, .killed:
      tokenTimes.removeAll()
      isRefused = false
      isDeadManRefused = false
      loseStream()
    case .requested(let id, let party, let target, let body):
      let json = try? JSONValue(body.span)
      requests[id] = (target, json)
      if let json { readPrivate(party, target, json, at: entry.time) }
    case .answered(let id, let status, let body):
      if status == 200, let (target, asked) = requests[id] {
        readTaken(target, asked, try? JSONValue(body.span), at: entry.time)
      }
    case .replied(let id, let status, let body):
      readReply(id, status, body)
    case .opened:
      loseStream()
      isOpen = true
    case .closed: loseStream()
    case .sent(_, let frame): readSent(frame, at: entry.time)
    case .told(_, let frame): readTold(frame, at: entry.time)
    case .slept(let span): awakeAt = max(awakeAt, entry.time + span)
    case .arrived, .failed: break
    }
  }

  private mutating func complain(_ text: String, at time: Timestamp) {
    violations.append("at \(time.milliseconds): \(text)")
  }

  private mutating func loseStream() {
    isOpen = false
    isAuthorized = false
    authorization = nil
    last = nil
    isTrusted = false
    isUnsubscribed = false
    isBroken = false
    lag = .zero
  }

  // MARK: Requests

  private mutating func readPrivate(
    _ party: TraceEntry.Party, _ target: String, _ body: JSONValue, at time: Timestamp
  ) {
    if party == .kernel && isRefused { complain("\(target) after the key was refused", at: time) }
    if party == .deadMan && isDeadManRefused {
      complain("\(target) by the dead-man after the key was refused", at: time)
    }
    let nonce = body["nonce"]?.text.flatMap { Int($0) } ?? 0
    if nonce <= lastNonce { complain("nonce \(nonce) behind \(lastNonce)", at: time) }
    lastNonce = max(lastNonce, nonce)
    switch target {
    case "/api/v4/order/new": readPlacement([body], at: time)
    case "/api/v4/order/bulk":
      let items = WireAudit.elements(body["orders"])
      if !(1...20).contains(items.count) { complain("a bulk of \(items.count)", at: time) }
      readPlacement(items, at: time)
    case "/api/v4/order/cancel":
      let id = body["clientOrderId"]?.text ?? ""
      if !id.hasPrefix(prefix) { complain("a cancel of “\(id)”, which is not ours", at: time) }
    case "/api/v4/order/cancel/all": complain("cancel-all", at: time)
    case "/api/v4/profile/websocket_token":
      tokenTimes.append(time)
      tokenTimes.removeAll { $0 + .seconds(60) <= time }
      if tokenTimes.count > 10 {
        complain("\(tokenTimes.count) socket tokens in a minute", at: time)
      }
    default: break
    }
  }

  private mutating func readPlacement(_ items: [JSONValue], at time: Timestamp) {
    if !isTrusted { complain("placed on a book that is not trusted", at: time) }
    if lag > WireAudit.lags.most {
      complain("placed on a book of \(lag.milliseconds) ms ago", at: time)
    }
    if !isAuthorized { complain("placed without an authorized stream", at: time) }
    for item in items {
      let id = item["clientOrderId"]?.text ?? ""
      if !id.hasPrefix(prefix) { complain("placed as “\(id)”", at: time) }
      guard placedIDs.insert(id).inserted else {
        complain("\(id) is sent again", at: time)
        continue
      }
      placed.append(
        Placement(
          id: id, side: item["side"]?.text ?? "", price: item["price"]?.text ?? "",
          amount: item["amount"]?.text ?? ""))
    }
  }

  /// The venue did what was asked.
  private mutating func readTaken(
    _ target: String, _ asked: JSONValue?, _ reply: JSONValue?, at time: Timestamp
  ) {
    switch target {
    case "/api/v4/order/kill-switch":
      let seconds = asked?["timeout"]?.text.flatMap { Int64($0) }
      deadManUntil = seconds.map { time + .seconds($0) } ?? .zero
    case "/api/v4/order/new":
      if deadManUntil <= time { complain("an order is taken with no dead-man armed", at: time) }
    case "/api/v4/order/bulk":
      let isAnyTaken = WireAudit.elements(reply).contains {
        if case .object = $0["result"] { true } else { false }
      }
      if isAnyTaken && deadManUntil <= time {
        complain("an order of a bulk is taken with no dead-man armed", at: time)
      }
    default: break
    }
  }

  private mutating func readReply(_ id: UInt64, _ status: Int, _ body: [UInt8]) {
    guard let (target, asked) = requests[id] else { return }
    let json = try? JSONValue(body.span)
    if target == "/api/v4/profile/websocket_token", let token = json?["websocket_token"]?.text {
      tokens.append(token)
    }
    guard asked != nil, status == 401 || status == 403 else { return }
    let text = json?["message"]?.text ?? ""
    guard text.holds("nauthorized") || text.holds("not authorized") else { return }
    if target.hasPrefix("/api/v4/order/kill-switch") {
      isDeadManRefused = true
    } else {
      isRefused = true
    }
  }

  // MARK: Frames

  private mutating func readSent(_ frame: [UInt8], at time: Timestamp) {
    guard let json = try? JSONValue(frame.span), let method = json["method"]?.text else {
      complain("a frame that is no request", at: time)
      return
    }
    switch method {
    case "authorize": authorization = json["id"]?.text
    case "depth_unsubscribe":
      // A silent book is a dead one, and one that says nonsense is not to be trusted either.
      let isSilent = time - heardAt >= WireAudit.silence
      // Behind a sleep a book is not what it was, whether or not anything was missed; the sleep may be over
      // sooner, when the day heals.
      let hasSlept = time < awakeAt + WireAudit.wakes
      if !isBroken && !isSilent && !isOdd && !hasSlept && lag < WireAudit.lags.least {
        complain("unsubscribed from a book whose chain holds", at: time)
      }
      if isUnsubscribed { complain("unsubscribed twice", at: time) }
      isUnsubscribed = true
    case "depth_subscribe":
      if isUnsubscribed {
        resubscriptions += 1
      } else if last != nil || isBroken {
        complain("subscribed to a book without leaving it first", at: time)
      }
      isUnsubscribed = false
      isBroken = false
      isTrusted = false
      isOdd = false
      heardAt = time
    case "deals_subscribe", "ordersPending_subscribe":
      if !isAuthorized { complain("\(method) before the stream is authorized", at: time) }
    default: break
    }
  }

  private mutating func readTold(_ frame: [UInt8], at time: Timestamp) {
    // What is no message, or of no market, may have been an update: the next one's chain tells.
    guard let json = try? JSONValue(frame.span) else { return }
    if let authorization, json["id"]?.text == authorization,
      json["result"]?["status"]?.text == "success"
    {
      isAuthorized = true
    }
    guard let params = json["params"] else { return }
    // A fill tells how long the socket held it back as well as a frame of the book does.
    if json["method"]?.text == "deals_update", params[2]?.text == market,
      let text = params[1]?.text, let at = WireAudit.seconds(text)
    {
      lag = time - at
    }
    guard json["method"]?.text == "depth_update", params[2]?.text == market else { return }
    let id = params[1]?["update_id"]?.text
    let past = params[1]?["past_update_id"]?.text
    // Deltas in place of the snapshot that was asked for say nothing of the book.
    if isTrusted || params[0] == .bool(true) { heardAt = time }
    isOdd = id == nil
    if let left = params[1]?["event_time"]?.text, let at = WireAudit.seconds(left) {
      lag = time - at
    }
    if params[0] == .bool(true) {
      last = id
      isTrusted = true
      isBroken = false
    } else if isTrusted {
      if past != nil && past == last {
        last = id
      } else {
        isTrusted = false
        isBroken = true
        breaks += 1
      }
    }
  }

  /// A time as the venue writes it: seconds with six decimals.
  private static func seconds(_ text: String) -> Timestamp? {
    let parts = text.split(separator: ".")
    guard parts.count == 2, parts[1].utf8.count == 6, let seconds = Int64(parts[0]),
      let micros = Int64(parts[1])
    else { return nil }
    return Timestamp(nanoseconds: seconds * 1_000_000_000 + micros * 1_000)
  }

  static func elements(_ value: JSONValue?) -> [JSONValue] {
    if case .array(let elements)? = value { elements } else { [] }
  }
}
