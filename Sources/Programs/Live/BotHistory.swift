internal import MartletBase
internal import MartletDashboard
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletVenueKit

/// The latest fills and alerts, for the status. Bounded as `BotStatus` shows them.
struct BotHistory {
  private(set) var fills: [Fill] = []
  private(set) var alerts: [BotStatus.Alert] = []
  /// How many there have been, those that are no longer kept included.
  private(set) var alertCount = 0

  /// - Parameter isStopping: streams are then closed by us, which is no news.
  mutating func take(_ note: KernelNote, at time: Timestamp, isStopping: Bool) {
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
    case .ready(false) where !isStopping:
      alert("private stream lost: holding placements", at: time)
    case .anomaly(let raw):
      if let text = VenueAnomaly(rawValue: raw).flatMap(BotHistory.text) { alert(text, at: time) }
    case .notice(let notice):
      alert("\(notice)", at: time, notice.isUrgent ? .critical : .info)
    case .bookTrust(_, false) where !isStopping:
      alert("book not trusted: waiting for a snapshot", at: time)
    default: break
    }
  }

  /// One told again and again is shown once, with its last time.
  mutating func alert(
    _ text: String, at time: Timestamp, _ severity: BotStatus.Alert.Severity = .warning
  ) {
    if let last = alerts.last, last.text == text, last.severity == severity {
      alerts[alerts.count - 1].time = time
      return
    }
    alertCount += 1
    if alerts.count == BotStatus.maxAlerts { alerts.removeFirst() }
    alerts.append(BotStatus.Alert(time: time, severity: severity, text: text))
  }

  /// What a person should know of; nil for what other alerts tell.
  private static func text(_ anomaly: VenueAnomaly) -> String? {
    switch anomaly {
    case .malformed: "a message from the venue cannot be read"
    case .bookGap: nil
    case .unreadableFill: "a fill of unknown shape: asking the venue's history for it"
    case .foreignOrder: "an order that is not ours rests at the venue: left alone"
    case .rateLimited: "the venue limits our requests"
    case .staleNonce: "the venue refused a nonce: is another program using this key?"
    case .serverError: "the venue had an error of its own"
    case .unknownStatus: "an order has a status that this build does not know"
    }
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
