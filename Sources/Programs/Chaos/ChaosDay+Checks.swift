internal import MartletBase
internal import MartletConfiguration
internal import MartletExchange
internal import MartletKernel
internal import MartletLive
internal import MartletModel
internal import MartletPortfolio
internal import MartletRisk
internal import MartletSimulation
internal import WhiteBITDesk
internal import WhiteBITSession

extension ChaosDay {
  /// Holds what is left against what was promised, then stops the bot and does so again.
  mutating func check() {
    let isShared = outcome.troubles.contains { $0.name == "foreign order" }
    judge(isSettled: outcome.violations.isEmpty, isShared: isShared)
    let isStopped = world.stop()
    if !isStopped { violate("does not stop") }
    judge(isSettled: outcome.violations.isEmpty, isShared: isShared)
    checkNothingRests()
    measure()
  }

  private mutating func judge(isSettled: Bool, isShared: Bool) {
    let found = world.violations(
      prefix: "\(plan.ownPrefix)", key: scenario.key, secret: scenario.secret,
      isSettled: isSettled, isShared: isShared)
    for text in found where !outcome.violations.contains(text) { violate(text) }
  }

  /// While an order of ours rests, the venue's kill-switch runs.
  mutating func guardOrders() {
    guard let account = world.desk.account(of: scenario.key) else { return }
    var found: [String] = []
    let prefix = "\(plan.ownPrefix)"
    world.desk.exchange.forEachWorkingOrder(of: account) {
      guard $0.label.description.hasPrefix(prefix) else { return }
      if !world.desk.isGuarded(account, $0.instrument) {
        found.append("\($0.label) rests and no kill-switch runs")
      }
    }
    for text in found { violate(text) }
  }

  /// Whatever waits in a bot is as many as it was to be at most.
  mutating func boundQueues() {
    let standing = world.kernel.session.standing
    let queue = plan.configuration.whitebit.queue
    let bounds = WhiteBITSession.bounds
    for (name, count, most) in [
      ("requests in flight", standing.requestsInFlight, bounds.requests),
      ("placements", standing.placementsQueued, queue),
      ("cancels", standing.cancelsQueued, bounds.cancels),
      ("inquiries", standing.inquiries, bounds.inquiries),
      ("news held", standing.newsHeld, bounds.news),
    ] where count > most { violate("\(count) \(name) wait, of at most \(most)") }
  }

  /// After a stop nothing of ours rests, and what was the owner's does.
  private mutating func checkNothingRests() {
    guard let account = world.desk.account(of: scenario.key) else { return }
    let prefix = "\(plan.ownPrefix)"
    var own: [String] = []
    world.desk.exchange.forEachWorkingOrder(of: account) {
      let label = $0.label.description
      if label.hasPrefix(prefix) { own.append(label) }
    }
    for name in own { violate("\(name) rests after the stop") }
  }

  /// What the day was, for the scorecard, and its digest.
  private mutating func measure() {
    var digest = RunDigest()
    for entry in world.trace.entries {
      digest.fold(UInt64(bitPattern: entry.time.nanoseconds))
      switch entry.event {
      case .requested(_, _, _, let body): digest.fold(body)
      case .replied(_, let status, let body):
        digest.fold(UInt64(status))
        digest.fold(body)
      case .sent(_, let frame): digest.fold(frame)
      case .told(_, let frame): digest.fold(frame)
      case .started, .killed, .slept, .arrived, .answered, .failed, .opened, .closed: break
      }
    }
    digest.fold(world.journal.digest.value)
    outcome.digest = digest
    outcome.hasStruck = world.hasCanaryStruck
    outcome.messages = world.trace.messages
    outcome.orders = world.trace.orders
    outcome.fills = Int(world.kernel.counts.fills)
    if let instrument = world.kernel.markets[0].instrument {
      outcome.realized =
        world.kernel.portfolio.position(world.kernel.account, instrument.id).realized
    }
  }
}
