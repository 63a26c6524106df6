internal import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// Socket tokens given out, the oldest forgotten first.
struct TokenShelf {
  struct Token {
    let text: String
    let account: AccountID
    let givenAt: Timestamp
  }

  let limit: Int
  private var tokens: [Token] = []

  init(limit: Int) { self.limit = limit }

  mutating func add(_ token: Token) {
    if tokens.count == limit { tokens.removeFirst() }
    tokens.append(token)
  }

  /// The account of a token that is not older than `lifetime`.
  func account(of text: String, at now: Timestamp, lifetime: TimeSpan) -> AccountID? {
    tokens.last { $0.text == text && $0.givenAt + lifetime >= now }?.account
  }
}

/// When requests of one key were let through one quota, within its window.
struct Passages {
  let quota: Int
  /// Empty for public calls.
  let key: String
  var times: [Timestamp] = []
}

extension WhiteBITDesk {
  /// Whether the gateway lets a request through.
  mutating func mayAsk(_ request: DeskRequest) -> Bool {
    guard
      let quota = configuration.quotas.firstIndex(where: {
        $0.paths.contains { request.path.hasPrefix($0) }
      })
    else { return true }
    let key = request.header("X-TXC-APIKEY") ?? ""
    let index: Int
    if let known = passages.firstIndex(where: { $0.quota == quota && $0.key == key }) {
      index = known
    } else {
      // A key nobody has costs no room of its own.
      guard key.isEmpty || keys.contains(where: { $0.key == key }) else { return true }
      index = passages.count
      passages.append(Passages(quota: quota, key: key))
    }
    let rule = configuration.quotas[quota]
    let now = now
    passages[index].times.removeAll { $0 + rule.window <= now }
    guard passages[index].times.count < rule.limit else {
      refusedByQuota += 1
      return false
    }
    passages[index].times.append(now)
    return true
  }

  /// `profile/websocket_token`: ten a minute for a key, as the venue has it for an address.
  mutating func giveToken(_ caller: Int) throws(Refusal) -> Answer {
    let period = configuration.tokenPeriod
    let now = now
    keys[caller].tokenTimes.removeAll { $0 + period <= now }
    guard keys[caller].tokenTimes.count < configuration.tokenQuota else {
      throw .authentication(429, code: 0, "Too Many Attempts.")
    }
    keys[caller].tokenTimes.append(now)
    let token = TokenShelf.Token(text: drawToken(), account: keys[caller].account, givenAt: now)
    tokens.add(token)
    return answer { SocketToken.write(token.text, into: &$0) }
  }

  /// Opaque text in the look of a captured one.
  private mutating func drawToken() -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./")
    var text = "$2y$10$"
    for _ in 0..<53 { text.append(digits[Int(random.below(64))]) }
    return text
  }

  /// Whether a stream may send another message now.
  mutating func mayTalk(_ connection: Int) -> Bool {
    guard let quota = configuration.messagesPerMinute else { return true }
    let minute = TimeSpan.seconds(60)
    let now = now
    connections[valueAt: connection].messageTimes.removeAll { $0 + minute <= now }
    guard connections[valueAt: connection].messageTimes.count < quota else { return false }
    connections[valueAt: connection].messageTimes.append(now)
    return true
  }
}
