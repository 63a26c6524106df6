internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletDashboard
internal import MartletJournalFile
internal import MartletKernel
internal import MartletRecord
internal import MartletSecrets
internal import MartletStrategies
internal import MartletTransport
internal import WhiteBITSession

/// Compares what a bot's journal says with what its venue says, while no process of the bot runs.
public struct ReconcileProgram {
  public enum Finding: Sendable {
    /// What was equal, in words.
    case equal(String)
    case different([String])
    case misconfigured(String)
    case refused(String)
    case failed(String)
  }

  private struct Fault: Error, CustomStringConvertible { let description: String }

  private let path: String
  private let passphraseFile: String?

  public init(configurationPath: String, passphraseFile: String? = nil) {
    path = configurationPath
    self.passphraseFile = passphraseFile
  }

  public func run() -> Finding {
    do {
      return try compare()
    } catch {
      switch error {
      case let fault as ConfigurationFault:
        if case .refused = fault { return .refused("\(fault)") }
        return .misconfigured("\(fault)")
      case KeyLockFault.inUse: return .refused("\(error)")
      case is SecretsFault, is VenueAddress.Fault: return .misconfigured("\(error)")
      default: return .failed("\(error)")
      }
    }
  }

  private func compare() throws -> Finding {
    let plan = try BotPlan(
      configurationText: BotConfiguration.text(of: path), file: path, seed: 0, build: "")
    let credentials = try KeyFit.credentials(
      for: plan, file: path, passphrase: PassphraseSource(file: passphraseFile))
    let now = SystemClock.realtime()
    // Held from before the fold to behind the answer: no bot trades meanwhile.
    let lock = try KeyLock(credentials, for: "reconcile", at: now)
    let nonces = NonceClock(
      venueTime: now, at: SystemClock.monotonic(), file: try NonceFile(lock))
    let own = try ledger(in: plan.configuration.journalFolder)
    var check = try LedgerCheck(
      VenueAddress(plan.configuration.whitebit), signer: Signer(credentials), nonces: nonces)
    let found = check.compare(own)
    try? nonces.settle()
    switch found {
    case .equal(let balances, let fills):
      return .equal("\(balances) balances, \(fills) fills and \(own.orders.count) open orders")
    case .different(let differences): return .different(differences)
    case .notChecked(let reason): return .failed(reason)
    }
  }

  /// The books as the journal's last run left them.
  private func ledger(in folder: String) throws -> OwnLedger {
    guard let run = try FormerRun.read(folder) else {
      throw Fault(description: "\(folder): no run has begun there")
    }
    return OwnLedger(
      run.kernel, prefix: run.plan.ownPrefix, earlier: run.earlier.trades, start: run.start)
  }
}
