internal import MartletBase
public import MartletModel
internal import WhiteBITWire

/// The dead-man timers of all accounts, one a market, which the venue calls kill-switch.
///
/// - Bounds: accounts × markets.
struct DeadManTimers {
  struct Timer {
    var account: AccountID
    var instrument: InstrumentID
    var setAt: Timestamp
    var deadline: Timestamp
    var coversSpot: Bool
    var coversAll: Bool
  }

  /// In the order in which they were first set.
  private var timers: [Timer] = []

  var nextDeadline: Timestamp { timers.map(\.deadline).min() ?? .distantFuture }

  mutating func set(_ timer: Timer) {
    remove(timer.account, timer.instrument)
    timers.append(timer)
  }

  mutating func remove(_ account: AccountID, _ instrument: InstrumentID) {
    timers.removeAll { $0.account == account && $0.instrument == instrument }
  }

  func timers(of account: AccountID) -> [Timer] { timers.filter { $0.account == account } }

  mutating func popDue(at now: Timestamp) -> Timer? {
    guard let index = timers.firstIndex(where: { $0.deadline <= now }) else { return nil }
    return timers.remove(at: index)
  }
}

extension WhiteBITDesk {
  /// Whether an account's timer runs for a market.
  public func isGuarded(_ account: AccountID, _ instrument: InstrumentID) -> Bool {
    deadMan.timers(of: account).contains { $0.instrument == instrument }
  }

  /// `order/kill-switch`: sets, restarts or removes a market's timer.
  mutating func setDeadMan(_ body: ClientBody, _ account: AccountID) throws(Refusal) -> Answer {
    let request = DeadManSwitch.Request(body)
    let market = try market(request.market)
    var coversSpot = true
    var coversAll = true
    switch request.types {
    case .absent, .null: break
    case .unreadable: throw .field("types", "Types field should be an array.")
    case .value(let types):
      guard (1...3).contains(types.count),
        types.allSatisfy({ ["spot", "margin", "futures"].contains($0) })
      else { throw .field("types", "The selected types is invalid.") }
      coversAll = false
      coversSpot = types.contains("spot")
    }
    let instrument = markets[market].instrument.id
    switch request.timeout {
    case .absent: throw .field("timeout", "Timeout field is required.")
    case .notText: throw .field("timeout", "Timeout field should be a string.")
    case .notANumber(let text):
      // Not the venue's documented way to remove a timer, and one adapter's only one.
      guard text == "null" else {
        throw .field("timeout", "Timeout field should be numeric string.")
      }
      deadMan.remove(account, instrument)
      return answer { $0.append("[]") }
    case .remove:
      deadMan.remove(account, instrument)
      return answer { $0.append("[]") }
    case .seconds(let seconds):
      guard seconds >= DeadManSwitch.timeouts.lowerBound else {
        throw .field("timeout", "Timeout should be at least 5.")
      }
      guard seconds <= DeadManSwitch.timeouts.upperBound else {
        throw .field("timeout", "Timeout should not be greater than 600.")
      }
      let timer = DeadManTimers.Timer(
        account: account, instrument: instrument, setAt: now, deadline: now + .seconds(seconds),
        coversSpot: coversSpot, coversAll: coversAll)
      deadMan.set(timer)
      let told = told(timer)
      return answer { DeadManSwitch.writeReply(told, into: &$0) }
    }
  }

  /// `order/kill-switch/status`: the account's timers, of one market or of all.
  mutating func deadManStatus(
    _ body: ClientBody, _ account: AccountID
  ) throws(Refusal) -> Answer {
    let market = try optionalMarket(body.text("market"))
    var timers: [DeadManSwitch.Timer] = []
    for timer in deadMan.timers(of: account)
    where market == nil || timer.instrument == market.map({ markets[$0].instrument.id }) {
      timers.append(told(timer))
    }
    return answer { DeadManSwitch.writeStatus(timers, into: &$0) }
  }

  private func told(_ timer: DeadManTimers.Timer) -> DeadManSwitch.Timer {
    DeadManSwitch.Timer(
      market: markets[Int(timer.instrument.index)].name, startTime: timer.setAt,
      cancellationTime: timer.deadline, coversSpot: timer.coversSpot, coversAll: timer.coversAll)
  }
}
