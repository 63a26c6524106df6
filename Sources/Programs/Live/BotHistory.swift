internal import MartletBase
internal import MartletDashboard
internal import MartletKernel
internal import MartletModel
internal import MartletOrders

/// The latest fills and alerts, for the status. Bounded as `BotStatus` shows them.
struct BotHistory {
  private(set) var fills: [Fill] = []
  private(set) var alerts: [BotStatus.Alert] = []

  mutating func take(_ note: KernelNote, at time: Timestamp) {
    switch note {
    case .fill(let fill):
      if fills.count == BotStatus.maxFills { fills.removeFirst() }
      fills.append(fill)
    case .halted(let reason): alert("halted: \(reason)", at: time, .critical)
    case .alarm(let id, let raw):
      alert("order \(id): \(BotHistory.text(OrderLifecycle.Alarms(rawValue: raw)))", at: time)
    case .ledgerDifference(let asset, let own, let told):
      alert("\(asset): own ledger \(own), venue \(told)", at: time, .critical)
    case .venueRefused(let id, let reason, let code):
      alert("venue refused \(id): \(reason) (code \(code))", at: time)
    case .neverArrived(let id): alert("order \(id) never arrived", at: time)
    case .order(let view) where view.state == .inDoubt:
      alert("order \(view.clientOrderID) in doubt: asking the venue", at: time)
    case .ready(false): alert("private stream lost: holding placements", at: time)
    case .bookTrust(_, false): alert("book not trusted: waiting for a snapshot", at: time)
    default: break
    }
  }

  mutating func alert(
    _ text: String, at time: Timestamp, _ severity: BotStatus.Alert.Severity = .warning
  ) {
    if alerts.count == BotStatus.maxAlerts { alerts.removeFirst() }
    alerts.append(BotStatus.Alert(time: time, severity: severity, text: text))
  }

  private static func text(_ alarms: OrderLifecycle.Alarms) -> String {
    var parts: [String] = []
    if alarms.contains(.contradiction) { parts.append("the venue contradicts itself") }
    if alarms.contains(.overfill) { parts.append("filled more than ordered") }
    if alarms.contains(.cancelNotTaken) { parts.append("stays open after every cancel") }
    if alarms.contains(.fillsMissing) { parts.append("fills told of do not come") }
    return parts.joined(separator: ", ")
  }
}
