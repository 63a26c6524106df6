public import MartletBase
public import MartletLive
public import MartletSimulation

/// Runs a bot through days of trouble, one a seed.
public struct Chaos: Sendable {
  let plan: BotPlan
  var settings = ChaosDay.Settings()

  /// - Parameters:
  ///   - span: of trouble, in each day; at least 30 s.
  ///   - troubles: how many in each day; nil draws 16 to 40.
  ///   - canary: a bug to plant; every day that it strikes in must find it.
  public init(
    _ plan: BotPlan, span: TimeSpan = .seconds(300), troubles: Int? = nil, canary: Canary? = nil
  ) {
    self.plan = plan
    settings.span = span
    if let troubles { settings.troubles = Int64(troubles)...Int64(troubles) }
    settings.canary = canary
  }

  /// One seed's day. The same seed gives the same outcome in any process.
  ///
  /// - Parameter isKept: the outcome has the whole journal and all of the wire.
  /// - Throws: `ChaosFault` for a plan that chaos cannot trade.
  public func day(_ seed: UInt64, isKept: Bool = false) throws -> ChaosOutcome {
    var settings = settings
    settings.isKept = isKept
    return try ChaosDay.make(plan, seed: seed, settings: settings).run()
  }

  // MARK: Crash points

  /// One seed's short session: it trades, and meets two to four troubles of network and venue.
  ///
  /// - Returns: its outcome, and behind how many events a process could have died in it: each record it
  ///   wrote, each message it sent and each that reached it.
  /// - Throws: `ChaosFault` for a plan that chaos cannot trade.
  public func session(_ seed: UInt64) throws -> (outcome: ChaosOutcome, points: UInt64) {
    let outcome = try ChaosDay.make(plan, seed: seed, settings: short).run()
    return (outcome, outcome.events)
  }

  /// The same session, whose process dies behind this event and is started again.
  ///
  /// - Parameter point: from 1 to the session's count of events.
  /// - Throws: `ChaosFault` for a plan that chaos cannot trade.
  public func session(_ seed: UInt64, dyingBehind point: UInt64) throws -> ChaosOutcome {
    var settings = short
    settings.deathPoint = point
    return try ChaosDay.make(plan, seed: seed, settings: settings).run()
  }

  private var short: ChaosDay.Settings {
    var settings = settings
    settings.isShort = true
    settings.span = .seconds(20)
    settings.troubles = 2...4
    settings.least = (0, 0)
    return settings
  }
}

/// A bot that chaos cannot trade, and what it would need to be.
public struct ChaosFault: Error, CustomStringConvertible, Sendable {
  public let description: String
}
