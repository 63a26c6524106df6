internal import Glibc
internal import MartletAlerts
internal import MartletBase
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletKernel
internal import MartletModel
internal import MartletTransport
internal import MartletVenueKit

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
  /// Orders whose inquiries ran out of tries: one outage is one thing to know, however many it meets.
  ///
  /// - Bounds: `maxDoubts`, as above.
  private var unanswered: [ClientOrderID] = []
  /// Whether this process was ready before.
  private var wasReady = false
  /// What a state that is gone on with no longer has, and this process has not gained yet.
  ///
  /// - Bounds: the private side, and one a market.
  private var awaited: [(code: AlertCode, subject: String, what: String, since: Timestamp)] = []

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

  /// What goes on does so for another reason: the next line says it.
  func reword(_ code: AlertCode, _ subject: String, _ what: String) {
    table.reword(code, subject, what)
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

  /// Raises what was lost. Before this process was ready for the first time nothing was: a state that
  /// is gone on with only has to be gained anew, which is told when it takes too long.
  func lose(_ code: AlertCode, _ subject: String, _ what: String, at now: Timestamp) {
    if wasReady { return raise(code, subject, what, at: now) }
    guard !awaited.contains(where: { $0.code == code && $0.subject == subject }) else { return }
    awaited.append((code, subject, what, now))
  }

  /// What was awaited is there.
  func found(_ code: AlertCode, _ subject: String) {
    if awaited.isEmpty { return }
    awaited.removeAll { $0.code == code && $0.subject == subject }
  }

  /// The private side is connected and reconciled.
  func noteReady() {
    wasReady = true
    found(.streamLost, "private")
  }

  /// Tells of what this process has waited for, since it started, for longer than such news may be
  /// away.
  func lookAtStart(at now: Timestamp) {
    for item in awaited {
      let limit = item.code == .bookUntrusted ? settings.bookSilent : settings.privateSilent
      guard now - item.since >= limit else { continue }
      found(item.code, item.subject)
      raise(item.code, item.subject, item.what, at: now)
    }
  }

  /// The tries to learn an order's fate ran out.
  func unanswered(_ order: ClientOrderID, _ what: String, at now: Timestamp) {
    guard unanswered.count < LiveAlerts.maxDoubts, !unanswered.contains(order) else { return }
    unanswered.append(order)
    raise(
      .retriesExhausted, LiveAlerts.inquiries,
      unanswered.count == 1
        ? what : LiveAlerts.fates(unanswered), at: now)
  }

  /// An order's fate is asked for in vain no more.
  func answered(_ order: ClientOrderID, at now: Timestamp) {
    guard let index = unanswered.firstIndex(of: order) else { return }
    unanswered.remove(at: index)
    guard !unanswered.isEmpty else {
      return clear(
        .retriesExhausted, LiveAlerts.inquiries,
        "order \(order): the venue answers again, and owes no other order's fate", at: now)
    }
    table.reword(
      .retriesExhausted, LiveAlerts.inquiries, LiveAlerts.fates(unanswered))
  }

  private static let inquiries = "\(RetriedTask.inquiry)"

  private static func fates(_ orders: [ClientOrderID]) -> String {
    "\(orders.count) order(s), such as \(orders[0]): what became of them is not known after several tries"
      + " each; asking on at the longest wait"
  }

  /// Looks at what only time tells. To be called several times a second.
  func look(_ bot: LiveBot, at now: Timestamp) {
    lookAtDoubts(at: now)
    if !bot.isStopping { lookAtStart(at: now) }
    if bot.isListening {
      for market in bot.markets {
        lookAtMarket(
          "\(market.symbol)", bookAt: market.bookAt, tradedAt: market.tradedAt,
          since: bot.listeningSince, at: now)
      }
      lookAtPrivate(owedSince: bot.privateOwedSince, at: now)
    }
    for asset in table.active(.ledgerDiffers) where bot.isEven(asset) {
      clear(.ledgerDiffers, asset, "the ledgers agree again", at: now)
    }
    if !bot.isStopping {
      lookAtStops(bot.driver.kernel.stops, since: bot.startedAt, at: now)
    }
    let complaint = bot.complaint
    set(
      .strategyIdle, "strategy", complaint ?? "", "it trades again", holds: complaint != nil,
      at: now)
    repeatDue(at: now)
  }

  /// Tells again what goes on and was told long ago.
  func repeatDue(at now: Timestamp) {
    for alert in table.due(at: now) { tell(alert) }
  }

  /// Tells of orders that have been in doubt for too long.
  func lookAtDoubts(at now: Timestamp) {
    for doubt in doubts where now - doubt.since >= settings.doubt {
      set(
        .orderInDoubt, "\(doubt.order)",
        "in doubt for longer than \(TableReader.text(settings.doubt)): asking the venue", "",
        holds: true, at: now)
    }
  }

  /// By data and not by the state of any connection: a stream that says nothing is dead.
  ///
  /// - Parameter since: when it began to be listened to.
  func lookAtMarket(
    _ name: String, bookAt: Timestamp, tradedAt: Timestamp, since: Timestamp, at now: Timestamp
  ) {
    set(
      .bookSilent, name, "no book data for \(TableReader.text(settings.bookSilent))",
      "the book is told again", holds: now - max(bookAt, since) >= settings.bookSilent, at: now)
    set(
      .tradesSilent, name, "no trade told for \(TableReader.text(settings.tradesSilent))",
      "trades are told again", holds: now - max(tradedAt, since) >= settings.tradesSilent,
      at: now)
  }

  /// A private stream is rightly quiet while nothing happens: it is silent when a reply tells of an
  /// order and the stream does not.
  ///
  /// - Parameter owedSince: when the reply came; `distantFuture` when the stream owes nothing.
  func lookAtPrivate(owedSince: Timestamp, at now: Timestamp) {
    set(
      .privateSilent, "private",
      "a reply's order is not on the private stream after \(TableReader.text(settings.privateSilent))",
      "the stream tells our orders again",
      holds: owedSince < now && now - owedSince >= settings.privateSilent, at: now)
  }
}
