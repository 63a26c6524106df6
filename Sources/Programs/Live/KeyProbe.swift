internal import MartletBase
internal import MartletClock
public import MartletConfiguration
internal import MartletJSON
internal import MartletModel
public import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit

/// Asks a venue what a key may do, without doing it.
public enum KeyProbe {
  /// What was asked for, and what came of it.
  public struct Finding: Equatable, Sendable {
    public enum Verdict: Equatable, Sendable {
      case allowed
      /// The venue refused; in its own words.
      case refused(status: Int, words: String)
      /// This venue tells nobody.
      case notTold
    }

    /// One word, for machines.
    public let key: String
    /// A sentence, for people.
    public let what: String
    public let verdict: Verdict
  }

  /// The venue could not be asked.
  public struct Fault: Error, CustomStringConvertible, Sendable { public let description: String }

  /// What WhiteBIT lets a key do.
  ///
  /// The key's lock is held meanwhile, and its nonces go on from where they are, so that a bot that
  /// uses the key is not disturbed: then this throws `KeyLockFault.inUse`.
  ///
  /// - Source: WhiteBIT docs, "API keys": a key may lack single endpoints; no endpoint tells what a
  ///   key may do, or whether it may withdraw.
  public static func whitebit(
    _ credentials: Credentials, at venue: BotConfiguration.Venue
  ) throws -> [Finding] {
    let address: VenueAddress
    do { address = try VenueAddress(venue) } catch {
      throw Fault(description: "\(error)\(hint(venue))")
    }
    let now = SystemClock.realtime()
    let lock = try KeyLock(credentials, for: "keys test", at: now)
    let nonces = NonceClock(
      venueTime: now, at: SystemClock.monotonic(), file: try NonceFile(lock))
    do {
      var questions = try SignedQuestions(
        address, signer: Signer(credentials), nonces: nonces)
      var findings: [Finding] = []
      for (key, what, path) in [
        ("balances", "read the trade balance", "/api/v4/trade-account/balance"),
        ("kill_switch", "read the kill-switch's timers", "/api/v4/order/kill-switch/status"),
      ] {
        switch try questions.post(path, "") {
        case .told: findings.append(Finding(key: key, what: what, verdict: .allowed))
        case .refused(let status, let words):
          findings.append(
            Finding(key: key, what: what, verdict: .refused(status: status, words: words)))
        }
      }
      try nonces.settle()
      // Only an order would show this, and no test places one.
      findings.append(Finding(key: "trade", what: "place orders", verdict: .notTold))
      findings.append(Finding(key: "withdraw", what: "withdraw funds", verdict: .notTold))
      return findings
    } catch let fault as SignedQuestions.Fault {
      throw Fault(description: "\(venue.rest): \(fault)\(hint(venue))")
    }
  }

  private static func hint(_ venue: BotConfiguration.Venue) -> String {
    venue.endpoint == .local
      ? "; start the local exchange with --listen 127.0.0.1:8481, or name a configuration with --endpoint"
      : ""
  }
}
