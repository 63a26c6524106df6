internal import MartletAlerts
internal import MartletBase
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletKernel
internal import MartletTransport
internal import MartletVenueKit

/// The course of one run on its loop: when the dead-man is armed, and what ends it.
final class RunCourse {
  /// Why a run ended before it could trade.
  enum Failure {
    /// What the venue's rules have against the configuration.
    case unfit
    case keyRefused
    /// Orders of other Martlet bots rest in our markets; their client order ids.
    case otherBots([String])
    case question(any Error)
    /// Nothing in the trade balance that any strategy could trade.
    case noFunds
    case deadMan(any Error)
  }

  /// A strategy that goes on from an earlier run does not take what the configuration says now.
  private struct SettingsFault: Error, CustomStringConvertible { let description: String }

  private(set) var failure: Failure?
  private(set) var isStopping = false
  /// Somebody told it to stop: its time was not simply over.
  private(set) var isTold = false
  /// Asked twice on the keyboard: nobody wants to wait for the venue's word.
  private(set) var isHurried = false

  private let loop: EventLoop
  private let bot: LiveBot
  private let plan: BotPlan
  private let deadMan: DeadManRunner
  /// What other Martlet bots have resting in our markets.
  private let ordersOfOtherBots: () throws -> [String]
  private var isPrepared = false
  private var end: LoopTimer?
  private var giveUp: LoopTimer?
  private var orphanWatch: LoopTimer?

  /// How long the venue's word that nothing of ours rests is waited for.
  private static let patience = TimeSpan.seconds(15)
  /// The same, when nothing of this run can rest.
  private static let shortPatience = TimeSpan.seconds(2)

  init(
    _ loop: EventLoop, bot: LiveBot, plan: BotPlan, deadMan: DeadManRunner,
    ordersOfOtherBots: @escaping () throws -> [String]
  ) {
    self.ordersOfOtherBots = ordersOfOtherBots
    self.loop = loop
    self.bot = bot
    self.plan = plan
    self.deadMan = deadMan
    end = LoopTimer(loop) { [weak self] in self?.stop() }
    giveUp = LoopTimer(loop) { loop.stop() }
    bot.onStep = { [unowned self] in stepped() }
    bot.onPrepared = { [unowned self] in prepared() }
    bot.onJournalEnding = { [unowned self] in stop() }
    deadMan.onRefused = { [unowned self] in deadManRefused() }
  }

  /// Runs until all is over.
  ///
  /// - Parameters:
  ///   - duration: nil runs until told to stop.
  ///   - restraint: what a run that begins anew is kept from trading by.
  ///   - isOrphaned: looked at twice a second; true is as good as being told to stop.
  func run(
    for duration: TimeSpan?, _ restraint: FormerRestraint, isOrphaned: (() -> Bool)?
  ) {
    if let duration { end?.arm(after: duration) }
    if let isOrphaned {
      orphanWatch = LoopTimer(loop) { [weak self] in
        if isOrphaned() {
          self?.stop(isTold: true)
        } else {
          self?.orphanWatch?.arm(after: .milliseconds(500))
        }
      }
      orphanWatch?.arm(after: .milliseconds(500))
    }
    bot.feed(.venue(.start))
    if let halt = restraint.halt {
      bot.feed(.command(.halt), Array("the run before: \(halt)".utf8).span)
    }
    if restraint.isPaused { bot.feed(.command(.pause), Array("the run before".utf8).span) }
    loop.run()
    for timer in [end, giveUp, orphanWatch] { timer?.disarm() }
    bot.onStep = nil
    bot.onPrepared = nil
    bot.onJournalEnding = nil
    deadMan.onRefused = nil
  }

  /// Takes what rests off and ends when the venue says that nothing of ours is left, or when it is
  /// clear that this cannot be waited for.
  func stop(isTold: Bool = false) {
    guard !isStopping else { return }
    self.isTold = isTold
    isStopping = true
    giveUp?.arm(after: bot.mayRest ? RunCourse.patience : RunCourse.shortPatience)
    bot.feed(.command(.stop))
  }

  /// SIGINT once, SIGTERM and SIGHUP however often, stop in order: a terminal that closes and a
  /// parent that passes it on tell the same thing twice. SIGINT again does not wait.
  func heard(_ signal: StopSignal) {
    if isStopping, signal == .interrupt {
      isHurried = true
      loop.stop()
    }
    stop(isTold: true)
  }

  private func stepped() {
    deadMan.noteProgress()
    let isHalted = bot.isKeyRefused
    // Nothing private is asked any more, by nobody: the venue's timers are left to run out.
    if isHalted, deadMan.abandon() {
      bot.alerts.raise(
        .deadManAbandoned, "dead-man", "the exchange refuses the key: its timers run out",
        at: bot.now())
    }
    if isHalted && !isPrepared { failure = .keyRefused }
    // A venue that refuses the key will never say that nothing rests.
    if bot.isOver || (isHalted && (isStopping || !isPrepared)) { loop.stop() }
  }

  /// It cannot be armed, and nothing is placed without it: there is no reason to go on.
  private func deadManRefused() {
    // What an earlier process left is guarded by the timers that it set.
    guard deadMan.armedUntil == nil, !bot.hasPlaced, failure == nil, !isStopping else { return }
    failure = .keyRefused
    loop.stop()
  }

  private func prepared() {
    isPrepared = true
    guard MarketFit.problems(of: plan.configuration, markets: bot.markets).isEmpty else {
      failure = .unfit
      return loop.stop()
    }
    guard bot.takeSettings() else {
      failure = .question(
        SettingsFault(
          description: "a strategy does not take the settings that were changed since the last run:"
            + " change them back, or begin without what it knew, with --fresh"))
      return loop.stop()
    }
    let shortages = MarketFit.shortages(of: plan.configuration, markets: bot.markets) {
      bot.tradeBalance(of: $0)
    }
    for shortage in shortages where !shortage.isEmpty {
      bot.alerts.raise(.tradeBalanceShort, shortage.key, shortage.text, at: bot.now())
    }
    // With nothing to trade with, there is no reason to run; other strategies may have some.
    guard shortages.filter(\.isEmpty).count < plan.configuration.strategies.count else {
      failure = .noFunds
      return loop.stop()
    }
    do {
      // Asked and waited for, since nothing runs yet; before the timers of those orders are touched.
      let others = try ordersOfOtherBots()
      if !others.isEmpty { failure = .otherBots(others) }
    } catch {
      failure = .question(error)
    }
    guard failure == nil else { return loop.stop() }
    // Only now: its requests are signed, and a nonce by a clock that is wrong is refused; and what
    // will trade nothing should not touch the venue's timer.
    do { try deadMan.start() } catch {
      failure = .deadMan(error)
      loop.stop()
    }
  }
}
