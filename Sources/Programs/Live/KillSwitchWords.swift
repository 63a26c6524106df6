internal import MartletAlerts
internal import MartletBase
internal import WhiteBITSession

/// What a person is told of orders that we cannot take off: what the venue's kill-switch does with them.
enum KillSwitchWords {
  /// A clause behind “N orders may rest”, from its comma or semicolon on.
  ///
  /// - Parameters:
  ///   - covers: every market's timer, by the clock that `now` is of.
  ///   - former: until when the run before this one had its timers set, as its journal says; zero when it
  ///     had none.
  static func fate(
    _ covers: [WhiteBITDeadMan.Cover], former: Timestamp, at now: Timestamp
  ) -> String {
    let bare = covers.filter { $0.cancelsBy == .zero }
    guard let last = covers.map(\.cancelsBy).max(), last != .zero else {
      let words = "; this run has set no kill-switch timer that would take them off"
      guard former != .zero else { return words }
      return words + ", and the one of the run before it "
        + (former > now
          ? "runs out at \(former.calendarText)" : "ran out at \(former.calendarText)")
    }
    var words: String
    if last > now {
      words = ", which the kill-switch takes off within \((last - now).wholeSeconds) s"
    } else {
      words =
        ", whose kill-switch timer ran out by \(last.calendarText): the exchange should have taken them"
        + " off by then"
    }
    if !bare.isEmpty {
      let markets = bare.map { "\($0.market)" }.joined(separator: ", ")
      words += "; in \(markets) this run has set no kill-switch timer"
    }
    return words
  }
}

extension TimeSpan {
  /// Seconds, a part of one counted as one.
  fileprivate var wholeSeconds: Int64 { (milliseconds + 999) / 1_000 }
}
