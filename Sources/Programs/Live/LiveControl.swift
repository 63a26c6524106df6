internal import MartletAlerts
internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletJSON
internal import MartletKernel
internal import MartletModel
internal import MartletSecrets
internal import MartletTransport

/// Answers what an operator asks of a running bot over its control socket.
///
/// What changes anything becomes an input of the kernel, with who asked, so that it is in the journal
/// before it acts and a replay sees it. A request is one JSON object a line: `do`, and where it needs
/// them `yes` and `reason`.
final class LiveControl: LocalServerDelegate {
  /// How long the end of our orders is waited for before the answer.
  private static let haltPatience = TimeSpan.seconds(5)
  private static let flattenPatience = Flattening.patience + .seconds(5)
  /// How often a comparison is begun anew because the bot traded while the lists came.
  private static let comparisons = 8
  private static let lookInterval = TimeSpan.milliseconds(50)
  private static let maxReason = 200
  /// How long a question of a comparison waits to stand in the journal; one that does not is not asked.
  private static let journalPatience = TimeSpan.seconds(5)

  /// Someone who waits for something to be over.
  private struct Waiting {
    let client: LocalClient
    let verb: Verb
    let until: LoopTime
  }

  enum Verb: String, CaseIterable {
    case status, pause, resume, halt, rearm, flatten, reconcile, reload
  }

  /// What a thread of its own found at the venue.
  private struct Comparison: Sendable {
    let client: LocalClient
    let own: OwnLedger
    let found: RunSummary.Reconciliation
    let left: Int
  }

  private let loop: EventLoop
  private let plan: BotPlan
  /// The file that the bot was started with, which a reload reads again.
  private let configurationPath: String
  /// As last taken: what the file said at the start, or at a reload since.
  private var strategies: [BotConfiguration.Strategy]
  private let credentials: Credentials
  private let nonces: NonceClock
  private var bot: LiveBot?
  private var reporter: LiveReporter?
  private var server: LocalServer?
  private var waiting: [Waiting] = []
  private var timer: LoopTimer?
  private var results: Mailbox<Comparison>?
  private var comparing: SystemThread?
  /// What the comparison's thread asks and hears, on its way to the journal.
  private var sides: Mailbox<SideRecord>?
  private let carrier = SideCarrier()

  init(
    _ loop: EventLoop, plan: BotPlan, configurationPath: String, credentials: Credentials,
    nonces: NonceClock
  ) {
    self.loop = loop
    self.plan = plan
    self.configurationPath = configurationPath
    strategies = plan.configuration.strategies
    self.credentials = credentials
    self.nonces = nonces
    timer = LoopTimer(loop) { [weak self] in self?.look() }
    sides = loop.mailbox(capacity: 64) { [weak self] in self?.keep($0) }
    results = loop.mailbox(capacity: 4) { [weak self] in self?.compared($0) }
  }

  /// Begins to listen; until `serve` every answer is that the bot is starting.
  func listen() throws(LocalFault) {
    server = try LocalServer(
      loop, at: LocalAddress(folder: plan.configuration.stateFolder), delegate: self)
  }

  func serve(_ bot: LiveBot, _ reporter: LiveReporter) {
    self.bot = bot
    self.reporter = reporter
  }

  func stop() {
    for one in waiting { refuse(one.client, 1, "the bot is ending") }
    waiting = []
    timer?.disarm()
    server?.stop()
    server = nil
    // It waits for one reply at most: what would be asked next is not kept any more, and not asked.
    carrier.close()
    comparing?.join()
    comparing = nil
    for record in sides?.takeAll() ?? [] { keep(record) }
    bot = nil
    reporter = nil
  }

  // MARK: Requests

  func server(_ server: LocalServer, received line: Span<UInt8>, from client: LocalClient) {
    guard let request = try? JSONValue(line) else {
      return refuse(client, 2, "expected one JSON object a line, such as {\"do\":\"status\"}")
    }
    let names = Verb.allCases.map(\.rawValue).joined(separator: ", ")
    guard let word = request["do"]?.text else {
      return refuse(client, 2, "expected a member do, one of \(names)")
    }
    guard let verb = Verb(rawValue: word) else {
      let meant = nearest(to: String(word.prefix(32)), among: Verb.allCases.map(\.rawValue))
      return refuse(
        client, 2, "do: expected one of \(names)\(meant.map { "; did you mean \($0)?" } ?? "")")
    }
    guard let bot, reporter != nil else { return refuse(client, 1, "the bot is starting") }
    obey(verb, request, client, bot)
  }

  private func obey(_ verb: Verb, _ request: JSONValue, _ client: LocalClient, _ bot: LiveBot) {
    if verb != .status && (bot.isStopping || bot.isOver) {
      return refuse(client, 1, "the bot is stopping")
    }
    if bot.isKeyRefused, let hindrance = hindrance(to: verb, bot) {
      return refuse(client, hindrance.exit, hindrance.words)
    }
    switch verb {
    case .status: tellStatus(client)
    case .pause:
      let was = bot.isPaused
      act(.pause, request, client, bot)
      answer(
        client, (was ? "was paused already" : "paused") + ": places nothing new; what rests stays")
    case .resume:
      if bot.haltReason != nil {
        return refuse(client, 3, "halted; lift the halt with rearm --yes")
      }
      let was = bot.isPaused
      act(.resume, request, client, bot)
      answer(client, was ? "resumed: places orders again" : "was not paused: nothing to resume")
    case .halt:
      let was = bot.haltReason != nil
      act(.halt, request, client, bot)
      if !was { reporter?.haltWords = LiveControl.reason(of: request) }
      if was { return answer(client, "was halted already") }
      wait(client, verb, LiveControl.haltPatience)
    case .rearm: rearm(request, client, bot)
    case .flatten:
      guard isConfirmed(request) else {
        return refuse(
          client, 3, "flatten trades at the market's price: it needs --yes, or a typed yes")
      }
      act(.flatten, request, client, bot)
      wait(client, verb, LiveControl.flattenPatience)
    case .reload: reload(request, client, bot)
    case .reconcile:
      guard comparing == nil else { return refuse(client, 1, "a comparison is under way") }
      compare(client, bot, left: LiveControl.comparisons)
    }
  }

  /// Why a word cannot be obeyed by a bot whose key the venue refuses: nothing private is asked any more.
  private func hindrance(to verb: Verb, _ bot: LiveBot) -> (exit: Int, words: String)? {
    switch verb {
    case .status, .pause, .resume, .rearm: return nil
    case .halt, .flatten, .reconcile, .reload: break
    }
    var words = "the exchange refuses the key, and nothing can be asked of it"
    if bot.workingOrders > 0 {
      words += "; \(bot.workingOrders) orders of ours may rest"
      words += reporter?.fateOfOrders ?? ""
    }
    return (verb == .halt ? 1 : 3, words + "; put the key right and start the bot again")
  }

  private func rearm(_ request: JSONValue, _ client: LocalClient, _ bot: LiveBot) {
    guard bot.haltReason != nil else { return answer(client, "was not halted: nothing to lift") }
    guard isConfirmed(request) else {
      return refuse(client, 3, "a halt is lifted by somebody who says so: it needs --yes")
    }
    guard !bot.isKeyRefused else {
      return refuse(
        client, 3, "the exchange refuses the key: put that right and start the bot again")
    }
    act(.rearm, request, client, bot)
    if let reason = bot.haltReason {
      return refuse(client, 1, "halted again at once: \(reason.means)")
    }
    let pause = bot.isPaused ? "; still paused" : ""
    answer(client, "rearmed: the halt is lifted\(pause)")
  }

  /// Reads the configuration's file again and gives each strategy what it says of it now.
  private func reload(_ request: JSONValue, _ client: LocalClient, _ bot: LiveBot) {
    let wanted: BotConfiguration
    do throws(ConfigurationFault) {
      wanted = try BotConfiguration.load(configurationPath)
    } catch {
      return refuse(client, 2, "\(error)")
    }
    var same = wanted
    same.strategies = plan.configuration.strategies
    guard same == plan.configuration, wanted.strategies.count == strategies.count,
      zip(wanted.strategies, strategies).allSatisfy({ LiveControl.isReloadable($0, $1) })
    else {
      return refuse(
        client, 2,
        "\(configurationPath): only levels, spacing, amount and stops of a strategy change while it trades; put"
          + " the rest back, or stop the bot and start it again")
    }
    let problems = MarketFit.problems(of: wanted, markets: bot.markets)
    guard problems.isEmpty else {
      return refuse(
        client, 2,
        problems.map { "\(configurationPath): \($0.key): \($0.message)" }.joined(separator: "; "))
    }
    let changed = wanted.strategies.indices.filter { wanted.strategies[$0] != strategies[$0] }
    guard !changed.isEmpty else {
      return answer(client, "nothing has changed in \(configurationPath)")
    }
    let names = changed.map { "strategy[\($0)]" }.joined(separator: ", ")
    let word = "reload of \(names) by uid \(client.user) pid \(client.process)"
    bot.keep(JournalKind.operatorWord, Array(word.utf8))
    bot.alerts.raise(.operatorAction, "reload \(client.process)", word, at: bot.now())
    let before = bot.driver.kernel.counts
    for index in changed {
      guard bot.change(index, to: wanted.strategies[index]) else {
        return refuse(client, 1, "strategy[\(index)] did not take its new settings")
      }
      strategies[index] = wanted.strategies[index]
    }
    let moved = bot.driver.kernel.counts.placed - before.placed
    answer(
      client,
      "reloaded: \(changed.count) strategy(s) took other settings, \(moved) orders placed at once; what"
        + " no longer fits is being canceled, and the rest follows")
  }

  private static func isReloadable(
    _ wanted: BotConfiguration.Strategy, _ present: BotConfiguration.Strategy
  ) -> Bool {
    switch (wanted, present) {
    case (.grid(let wanted), .grid(let present)):
      wanted.venue == present.venue && wanted.market == present.market
    }
  }

  private func isConfirmed(_ request: JSONValue) -> Bool { request["yes"] == .bool(true) }

  /// Feeds a command with who asked for it, and tells a person.
  private func act(
    _ command: OperatorCommand, _ request: JSONValue, _ client: LocalClient, _ bot: LiveBot
  ) {
    var who = "uid \(client.user) pid \(client.process)"
    if let reason = LiveControl.reason(of: request) { who += ": " + reason }
    bot.feed(.command(command), Array(who.utf8).span)
    // Each is told: the process differs.
    bot.alerts.raise(
      .operatorAction, "\(command) \(client.process)", "\(command) by \(who)", at: bot.now())
  }

  /// Why, in the operator's words; a terminal that shows them obeys none of them.
  private static func reason(of request: JSONValue) -> String? {
    guard let text = request["reason"]?.text, !text.isEmpty else { return nil }
    return String(
      text.prefix(maxReason).map {
        $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? " " : $0
      })
  }

  // MARK: What takes its time

  private func wait(_ client: LocalClient, _ verb: Verb, _ patience: TimeSpan) {
    waiting.append(Waiting(client: client, verb: verb, until: loop.clock() + patience))
    look()
  }

  private func look() {
    guard let bot else { return }
    let now = loop.clock()
    var left: [Waiting] = []
    for one in waiting {
      switch one.verb {
      case .halt:
        if bot.workingOrders == 0 {
          answer(one.client, "halted: no order of ours rests")
        } else if one.until <= now {
          answer(
            one.client, "halted: \(bot.workingOrders) orders of ours are still being canceled",
            exit: 1)
        } else {
          left.append(one)
        }
      case .flatten:
        if !bot.isFlattening {
          let isWhole = bot.lastFlattenWasWhole
          answer(
            one.client,
            FlattenWords.ended(
              isWhole: isWhole, rests: bot.inventory, hindrance: bot.flattenHindrance),
            exit: isWhole ? 0 : 1)
        } else if one.until <= now {
          answer(one.client, "flattening still", exit: 1)
        } else {
          left.append(one)
        }
      case .status, .pause, .resume, .rearm, .reconcile, .reload: break
      }
    }
    waiting = left
    if !waiting.isEmpty { timer?.arm(after: LiveControl.lookInterval) }
  }

  /// Asks for the venue's lists on a thread of its own: the kernel's does not wait.
  private func compare(_ client: LocalClient, _ bot: LiveBot, left: Int) {
    let own = bot.ownLedger(plan)
    let venue = plan.configuration.whitebit
    let credentials = credentials
    let nonces = nonces
    guard let results, let sides else { return }
    let carrier = carrier
    do throws(SystemFault) {
      comparing = try SystemThread(name: "reconcile") {
        let found: RunSummary.Reconciliation
        do {
          var check = try LedgerCheck(
            VenueAddress(venue), signer: Signer(credentials), nonces: nonces
          ) { nonce, part in
            let record = SideRecord(
              party: .ledgerCheck, nonce: nonce, at: SystemClock.monotonic(), part)
            var patience = TimeSpan.zero
            if case .request = part { patience = LiveControl.journalPatience }
            let (isHanded, isTaken) = carrier.carry(record, patience: patience) { sides.post($0) }
            return patience == .zero ? isHanded : isTaken
          }
          found = check.compare(own)
        } catch { found = .notChecked(reason: "\(error)") }
        results.post(Comparison(client: client, own: own, found: found, left: left))
      }
    } catch { refuse(client, 1, "\(error)") }
  }

  /// Keeps what the comparison's thread hands over, whose times are those of the monotonic clock.
  private func keep(_ record: SideRecord) {
    guard let bot, bot.keep(record.moved(by: bot.now() - SystemClock.monotonic())) else {
      return carrier.close()
    }
    carrier.take()
  }

  private func compared(_ result: Comparison) {
    comparing?.join()
    comparing = nil
    guard let bot else { return }
    switch result.found {
    case .equal(let balances, let fills):
      answer(
        result.client,
        "equal: \(balances) balances, \(fills) fills and \(result.own.orders.count) open orders",
        differences: [])
    case .notChecked(let reason): refuse(result.client, 1, reason)
    case .different(let differences):
      // What was asked for while the bot traded is of two moments and proves nothing.
      let isSame = result.own.isQuiescent && bot.ownLedger(plan) == result.own
      if !isSame && result.left > 1 {
        return compare(result.client, bot, left: result.left - 1)
      }
      answer(
        result.client,
        isSame
          ? "different: \(differences.count) difference(s)"
          : "traded meanwhile, each time: pause first; what was found may be of two moments",
        exit: 1, differences: differences)
    }
  }

  // MARK: Answers

  private func tellStatus(_ client: LocalClient) {
    guard let reporter else { return }
    var status = ByteBuffer(capacity: 16_384)
    reporter.status().writeJSON(into: &status)
    var line = ByteBuffer(capacity: 16_384)
    line.append(text: "{\"ok\":true,\"exit\":0,\"status\":")
    line.append(status.span)
    line.append(text: "}")
    server?.reply(line.span, to: client)
  }

  private func answer(
    _ client: LocalClient, _ did: String, exit: Int = 0, differences: [String]? = nil
  ) {
    guard let status = reporter?.status() else { return }
    var line = ByteBuffer(capacity: 1_024)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("ok", into: &line)
    writer.bool(exit == 0, into: &line)
    writer.key("exit", into: &line)
    writer.integer(exit, into: &line)
    writer.key("did", into: &line)
    writer.string(text: did, into: &line)
    writer.key("bot", into: &line)
    writer.string(text: status.bot, into: &line)
    writer.key("state", into: &line)
    writer.string(text: status.state.word, into: &line)
    writer.key("halt_reason", into: &line)
    if let reason = status.haltText {
      writer.string(text: reason, into: &line)
    } else {
      writer.null(into: &line)
    }
    writer.key("orders_working", into: &line)
    writer.integer(bot?.workingOrders ?? 0, into: &line)
    writer.key("position", into: &line)
    writer.decimal(status.position, status.scale, into: &line)
    if let differences {
      writer.key("differences", into: &line)
      writer.beginArray(into: &line)
      for difference in differences { writer.string(text: difference, into: &line) }
      writer.endArray(into: &line)
    }
    writer.endObject(into: &line)
    server?.reply(line.span, to: client)
  }

  private func refuse(_ client: LocalClient, _ exit: Int, _ error: String) {
    var line = ByteBuffer(capacity: 256)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("ok", into: &line)
    writer.bool(false, into: &line)
    writer.key("exit", into: &line)
    writer.integer(exit, into: &line)
    writer.key("error", into: &line)
    writer.string(text: error, into: &line)
    writer.endObject(into: &line)
    server?.reply(line.span, to: client)
  }
}
