internal import MartletBase
internal import MartletClock
public import MartletConfiguration
internal import MartletJSON
internal import MartletModel
public import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit
internal import WhiteBITWire

/// Asks a venue what a key may do, without doing it: for `keys test` and for `doctor`, which so say the
/// same.
public enum KeyProbe {
  /// What was asked for, and what came of it.
  public struct Finding: Equatable, Sendable {
    public enum Verdict: Equatable, Sendable {
      case allowed
      /// The venue refused, in its own words.
      case refused(status: Int, words: String)
      /// This venue tells nobody.
      case notTold
    }

    /// One word, for machines.
    public let key: String
    /// A sentence, for people.
    public let what: String
    public let verdict: Verdict
    /// Of a refusal: what is wrong with the key, and what to do about it.
    public var problem: (what: String, todo: String)? {
      guard case .refused(let status, let words) = verdict else { return nil }
      let bytes = Array(words.utf8)
      if let problem = KeyProblem(status: UInt16(clamping: status), body: bytes.span) {
        return (problem.what, problem.todo)
      }
      return ("HTTP \(status) \(words)", "look at the venue's status page")
    }
  }

  /// The venue could not be asked.
  public struct Fault: Error, CustomStringConvertible, Sendable { public let description: String }

  /// What WhiteBIT lets a key do.
  ///
  /// The key's lock is held meanwhile, and its nonces go on from where they are, so that a bot that
  /// uses the key is not disturbed: then this throws `KeyLockFault.inUse`.
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
      let findings = try ask(&questions, in: BotConfiguration.demoMarket).findings
      try nonces.settle()
      return findings
    } catch let fault as SignedQuestions.Fault {
      throw Fault(description: "\(venue.rest): \(fault)\(hint(venue))")
    }
  }

  /// Asks for all that a bot will ask for, but for an order.
  ///
  /// - Parameter market: any that the venue lists.
  /// - Returns: the trade balance too; nil when that was refused.
  /// - Source: WhiteBIT docs, "API keys": a key may lack single endpoints; no endpoint tells what a
  ///   key may do, or whether it may withdraw. So the right to trade is asked for by the end of an order
  ///   that cannot be ours, number 1 of the venue: who lacks the right is told that, and anybody else
  ///   that there is none.
  static func ask(
    _ questions: inout SignedQuestions, in market: InlineText
  ) throws(SignedQuestions.Fault) -> (findings: [Finding], balances: JSONValue?) {
    var findings: [Finding] = []
    var balances: JSONValue?
    for (key, what, endpoint, fields) in [
      ("balances", "read the trade balance", Endpoint.tradeBalance, ""),
      (
        "trade", "end orders, and so place them", .cancelOrder,
        "\"market\":\"\(market)\",\"orderId\":1,"
      ),
      (
        "kill_switch", "read the kill-switch's timers", .killSwitchStatus,
        "\"market\":\"\(market)\","
      ),
      ("stream_token", "open a private stream", .websocketToken, ""),
    ] {
      var verdict = Finding.Verdict.allowed
      switch try questions.post("\(endpoint.path)", fields, tries: tries) {
      case .told(let value): if endpoint == .tradeBalance { balances = value }
      case .refused(let status, let words):
        let bytes = Array(words.utf8)
        let isAboutKey = KeyProblem(status: UInt16(clamping: status), body: bytes.span) != nil
        if isAboutKey || endpoint != .cancelOrder {
          verdict = .refused(status: status, words: words)
        }
      }
      findings.append(Finding(key: key, what: what, verdict: verdict))
    }
    findings.append(Finding(key: "withdraw", what: "withdraw funds", verdict: .notTold))
    return (findings, balances)
  }

  /// How often a question is put when the venue is busy or takes a nonce for a stale one.
  private static let tries = 3

  private static func hint(_ venue: BotConfiguration.Venue) -> String {
    venue.endpoint == .local
      ? "; start the local exchange with --listen 127.0.0.1:8481, or name a configuration with --endpoint"
      : ""
  }
}
