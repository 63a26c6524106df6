internal import Glibc
internal import MartletAlerts
internal import MartletBase
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletKernel
internal import MartletModel
internal import MartletTransport

/// What a person is told of one run: raised where it happens, told once, repeated seldom, and cleared
/// when it ends; on standard error, in a file and on the page.
final class LiveAlerts {
  /// The latest, for the page and the terminal; oldest first, as many as `BotStatus` shows.
  private(set) var shown: [BotStatus.Alert] = []
  let settings: BotConfiguration.Alerts

  private let symbols: [InlineText]
  private var table: AlertTable
  private var delivery: AlertDelivery?
  /// Orders whose fate is not known, and since when.
  ///
  /// - Bounds: `maxDoubts`; more working orders than that in doubt at once are told of by the first.
  private var doubts: [(order: ClientOrderID, since: Timestamp)] = []
  private static let maxDoubts = 1_024

  /// - Parameter showsOnTerminal: nothing goes to standard error, where a status block is drawn.
  init(_ loop: EventLoop, plan: BotPlan, showsOnTerminal: Bool, now: @escaping () -> Timestamp)
    throws(SystemFault)
  {
    settings = plan.configuration.alerts
    symbols = plan.symbols
    table = AlertTable(repeat: settings.interval)
    delivery = try AlertDelivery(
      loop,
      sinks: LiveAlerts.sinks(of: plan.configuration, hasStandardError: !showsOnTerminal),
      heard: { [weak self] in self?.hear($0, at: now()) })
  }

  static func sinks(
    of configuration: BotConfiguration, hasStandardError: Bool
  ) -> [any AlertSink] {
    let file = AlertFileSink(path: configuration.alerts.file, bot: configuration.name)
    return hasStandardError ? [StandardErrorSink(bot: configuration.name), file] : [file]
  }

  /// Nothing is told after this.
  func finish() {
    delivery?.finish()
    delivery = nil
  }

  func market(_ id: InstrumentID) -> String {
    Int(id.index) < symbols.count ? "\(symbols[Int(id.index)])" : "market \(id.index)"
  }

  // MARK: Raising

  func raise(_ code: AlertCode, _ subject: String, _ what: String, at now: Timestamp) {
    if let alert = table.raise(code, subject, what, at: now) { tell(alert) }
  }

  func clear(_ code: AlertCode, _ subject: String, _ what: String, at now: Timestamp) {
    if let alert = table.clear(code, subject, what, at: now) { tell(alert) }
  }

  /// Raises or clears, as a look at the state shows it.
  func set(
    _ code: AlertCode, _ subject: String, _ what: @autoclosure () -> String, _ ended: String,
    holds: Bool, at now: Timestamp
  ) {
    if holds {
      // Looked at again and again: once raised it goes on until it ends.
      if !table.isActive(code, subject) { raise(code, subject, what(), at: now) }
    } else {
      clear(code, subject, ended, at: now)
    }
  }

  func isActive(_ code: AlertCode, _ subject: String) -> Bool { table.isActive(code, subject) }
  func active(_ code: AlertCode) -> [String] { table.active(code) }

  private func tell(_ alert: Alert) {
    delivery?.deliver(alert)
    if shown.count == BotStatus.maxAlerts { shown.removeFirst() }
    let severity = BotStatus.Alert.Severity(rawValue: alert.severity.rawValue) ?? .warning
    shown.append(BotStatus.Alert(time: alert.time, severity: severity, text: alert.summary))
  }

  private func hear(_ news: AlertDelivery.News, at now: Timestamp) {
    if let problem = news.problem {
      raise(.alertSink, news.sink, problem, at: now)
    } else {
      clear(.alertSink, news.sink, "it works again", at: now)
    }
  }

  // MARK: What lasts too long

  func doubt(_ order: ClientOrderID, since now: Timestamp) {
    guard doubts.count < LiveAlerts.maxDoubts, !doubts.contains(where: { $0.order == order })
    else { return }
    doubts.append((order, now))
  }

  func endDoubt(_ order: ClientOrderID, _ how: String, at now: Timestamp) {
    if doubts.isEmpty { return }
    doubts.removeAll { $0.order == order }
    clear(.orderInDoubt, "\(order)", how, at: now)
  }

  /// Looks at what only time tells. To be called several times a second.
  func look(_ bot: LiveBot, at now: Timestamp) {
    for doubt in doubts where now - doubt.since >= settings.doubt {
      set(
        .orderInDoubt, "\(doubt.order)",
        "in doubt for longer than \(TableReader.text(settings.doubt)): asking the venue", "",
        holds: true, at: now)
    }
    if bot.isListening { lookAtStreams(bot, at: now) }
    for asset in table.active(.ledgerDiffers) where bot.isEven(asset) {
      clear(.ledgerDiffers, asset, "the ledgers agree again", at: now)
    }
    let complaint = bot.complaint
    set(
      .strategyIdle, "strategy", complaint ?? "", "it trades again", holds: complaint != nil,
      at: now)
    for alert in table.due(at: now) { tell(alert) }
  }

  /// By data and not by the state of any connection: a stream that says nothing is dead.
  private func lookAtStreams(_ bot: LiveBot, at now: Timestamp) {
    for market in bot.markets {
      let name = "\(market.symbol)"
      let begun = max(market.bookAt, bot.listeningSince)
      set(
        .bookSilent, name, "no book data for \(TableReader.text(settings.bookSilent))",
        "the book is told again", holds: now - begun >= settings.bookSilent, at: now)
      let traded = max(market.tradedAt, bot.listeningSince)
      set(
        .tradesSilent, name, "no trade told for \(TableReader.text(settings.tradesSilent))",
        "trades are told again", holds: now - traded >= settings.tradesSilent, at: now)
    }
    let owed = bot.privateOwedSince
    set(
      .privateSilent, "private",
      "a reply's order is not on the private stream after \(TableReader.text(settings.privateSilent))",
      "the stream tells our orders again",
      holds: owed < now && now - owed >= settings.privateSilent, at: now)
  }
}
