internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletJSON
internal import MartletModel
internal import MartletSecrets
internal import MartletVenueKit

/// Looks, with a bot's key and beside any bot, which orders rest in its markets.
public final class RestingOrders {
  private var questions: SignedQuestions
  private let markets: [InlineText]
  private let prefix: String
  /// Nobody else uses the key meanwhile; nil where a bot asks with its own.
  private let lock: KeyLock?

  /// - Throws: what is wrong with the configuration or the key, or that a bot uses the key.
  public convenience init(configurationPath: String) throws {
    let plan = try BotPlan(
      configurationText: BotConfiguration.text(of: configurationPath), file: configurationPath,
      seed: 0, build: "")
    let credentials = try KeyFit.credentials(
      for: plan, file: configurationPath, passphrase: PassphraseSource(file: nil))
    let now = SystemClock.realtime()
    let lock = try KeyLock(credentials, for: "a look at its orders", at: now)
    let nonces = NonceClock(
      venueTime: now, at: SystemClock.monotonic(), file: try NonceFile(lock))
    try self.init(
      plan, venue: try VenueAddress(plan.configuration.whitebit), signer: Signer(credentials),
      nonces: nonces, lock: lock)
  }

  /// - Parameter keep: where a bot that asks with its own key leaves each question and answer.
  init(
    _ plan: BotPlan, venue: VenueAddress, signer: consuming Signer, nonces: NonceClock,
    lock: KeyLock? = nil, keep: SideKeeper? = nil
  ) throws {
    self.lock = lock
    questions = try SignedQuestions(venue, signer: signer, nonces: nonces, keep: keep)
    markets = plan.symbols
    prefix = "\(plan.ownPrefix)"
  }

  /// How many of the bot's orders rest, and the seconds until the last of its markets' kill-switches
  /// acts; nil when none is armed.
  public func look() throws -> (count: Int, left: Int64?) {
    let own = try identifiers().filter { $0.hasPrefix(prefix) }.count
    var last: Int64?
    for market in markets {
      let timers = try questions.value(
        "/api/v4/order/kill-switch/status", "\"market\":\"\(market)\",")
      guard case .array(let rows) = timers else { continue }
      for timer in rows {
        // Seconds since 1970.
        guard let text = timer["cancellationTime"]?.text, let time = Int64(text) else { continue }
        last = max(last ?? time, time)
      }
    }
    return (own, last.map { max($0 - SystemClock.realtime().seconds, 0) })
  }

  /// Client order ids of everything that rests in the markets; empty for an order without one.
  func identifiers() throws -> [String] {
    var found: [String] = []
    for market in markets {
      found += try questions.rows("/api/v4/orders", of: market).map {
        $0["clientOrderId"]?.text ?? ""
      }
    }
    return found
  }

  /// Orders that other Martlet bots left in the markets. One kill-switch a market and account cannot
  /// guard two bots: refreshing it for one keeps the other's alive, and removing it leaves them
  /// without.
  func ofOtherBots() throws -> [String] {
    try identifiers().filter { name in
      // As `ClientOrderIDs` makes them.
      name.utf8.count == 32 && name.hasPrefix("mt") && !name.hasPrefix(prefix)
        && name.utf8.allSatisfy {
          $0 >= 48 && $0 <= 57 || $0 >= 65 && $0 <= 90 || $0 >= 97 && $0 <= 122
        }
    }
  }
}
