internal import MartletAlerts
internal import MartletBase
internal import MartletConfiguration
internal import MartletKernel
internal import MartletModel

// What a person is told of stops that are held here.
extension LiveAlerts {
  /// How long a stop that has fired may take before it is told.
  private static let patience = TimeSpan.seconds(60)

  /// What an alert of a stop is about.
  static func stop(_ market: String, _ side: Side) -> String {
    "\(market) stop \(side == .sell ? "under" : "above") the market"
  }

  /// A stop is armed, after nobody had looked with it for `unprotected`.
  func armed(_ stop: String, after unprotected: TimeSpan, at now: Timestamp) {
    let text =
      "unprotected for \(LiveAlerts.seconds(unprotected)); armed before anything new is placed"
    if isActive(.stopInert, stop) {
      clear(.stopInert, stop, text, at: now)
    } else if unprotected > .zero {
      raise(.stopRearmed, stop, text, at: now)
    }
  }

  /// Tells of stops that are inert, or have fired and are not done, for too long.
  ///
  /// - Parameter start: when this process began: what its predecessor left is counted from then on.
  func lookAtStops(_ stops: [LocalStop], since start: Timestamp, at now: Timestamp) {
    for stop in stops {
      let name = LiveAlerts.stop(market(stop.instrument), stop.rule.side)
      let isLong = stop.inert(at: now).map { min($0, now - start) >= settings.stopInert } ?? false
      // It ends with its next look, which tells for how long it was.
      if isLong {
        set(
          .stopInert, name,
          "nobody has looked at the price for \(TableReader.text(settings.stopInert))", "",
          holds: true, at: now)
      }
      set(
        .stopUnfilled, name,
        "fired \(TableReader.text(LiveAlerts.patience)) ago, and not all is traded back",
        "no longer at it",
        holds: stop.state == .fired && now - stop.firedAt >= LiveAlerts.patience, at: now)
    }
  }

  static func seconds(_ span: TimeSpan) -> String {
    let milliseconds = span.milliseconds
    let rest = "\(1_000 + milliseconds % 1_000)".dropFirst()
    return "\(milliseconds / 1_000).\(rest) s"
  }
}
