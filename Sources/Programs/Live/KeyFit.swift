public import MartletConfiguration
internal import MartletSecrets
internal import MartletVenueKit
internal import WhiteBITSession

/// Whether the keys that a configuration names are there and in slots that they may fill, as far as
/// that can be told without a passphrase.
public enum KeyFit {
  /// What is wrong with the keys of a configuration that is sound otherwise; nil when nothing is. A
  /// key file or variable that is not here is no fault: another machine may have it.
  public static func fault(
    of report: BotConfiguration.Report, file: String
  ) -> ConfigurationFault? {
    guard let configuration = report.configuration else { return nil }
    let log = ConfigurationLog(file: file)
    for problem in problems(of: configuration.whitebit, scope: WhiteBITSession.keyScope) {
      let key = "venue.whitebit.\(problem.key)"
      log.problem(key, at: report.settings.first { $0.key == key }?.position, problem.message)
    }
    return log.problems.isEmpty ? nil : .problems(log.problems)
  }

  struct Problem: Equatable {
    /// Such as `spot_key`.
    let key: String
    let message: String
  }

  /// - Parameters:
  ///   - scope: what a key of this venue opens.
  ///   - name: as the store calls the venue.
  static func problems(
    of venue: BotConfiguration.Venue, scope: KeyScope, name: String = "whitebit"
  ) -> [Problem] {
    var problems: [Problem] = []
    func examine(_ key: String, _ text: String?, _ slots: [SealedStore.Slot]) {
      guard let text, let reference = try? KeyReference(text),
        case .keyring(let entry) = reference,
        let message = complaint(entry, in: slots, of: name)
      else { return }
      problems.append(Problem(key: key, message: message))
    }
    examine("key", venue.key, [.any])
    examine("spot_key", venue.spotKey, [.any, .spot])
    examine("contracts_key", venue.contractsKey, [.any, .contracts])
    if scope == .product, venue.key != nil {
      problems.append(
        Problem(
          key: "key",
          message: "this venue makes keys for spot or for contracts; expected spot_key and"
            + " contracts_key, each with a key of its own, found one for both"))
    }
    let slots = KeySlots(
      spot: venue.spotKey.map(identity), contracts: venue.contractsKey.map(identity))
    if slots.isShared(against: scope) {
      problems.append(
        Problem(
          key: "contracts_key",
          message: "this venue makes keys for spot or for contracts; expected another key than"
            + " spot_key's, found the same"))
    }
    return problems
  }

  /// What is wrong with an entry of the sealed store for a slot.
  private static func complaint(
    _ name: String, in slots: [SealedStore.Slot], of venue: String
  ) -> String? {
    do throws(StoreFault) {
      let entry = try SealedStore.listing(SealedStore.standardPath).require(name)
      if entry.venue != venue {
        return "keyring:\(name) is a key of \(entry.venue); expected one of \(venue)"
      }
      if !slots.contains(entry.slot) {
        return
          "keyring:\(name) is for \(entry.slot.word); name it with \(entry.slot.word)_key, or add"
          + " it anew with --slot any"
      }
      return nil
    } catch {
      if case .unknown(_, _, let known) = error, let meant = nearest(to: name, among: known) {
        return "\(error); did you mean keyring:\(meant)?"
      }
      return "\(error)"
    }
  }

  /// The key's fingerprint; where it is, when it cannot be read.
  private static func identity(_ text: String) -> String {
    (try? KeyReference(text)).flatMap { Credentials.fingerprint(of: $0) } ?? text
  }

  /// Fetches the key that a bot trades with.
  static func credentials(
    for plan: BotPlan, file: String, passphrase: PassphraseSource
  ) throws -> Credentials {
    let report = BotConfiguration.check(plan.configurationText, file: file)
    if let fault = fault(of: report, file: file) { throw fault }
    return try credentials(for: plan.configuration.whitebit, file: file, passphrase: passphrase)
  }

  /// Fetches the key that a venue is asked with.
  static func credentials(
    for venue: BotConfiguration.Venue, file: String, passphrase: PassphraseSource
  ) throws -> Credentials {
    guard let text = venue.key ?? venue.spotKey else {
      let log = ConfigurationLog(file: file)
      log.problem(
        "venue.whitebit.key", at: nil,
        "missing: name where the key is, such as key = \"keyring:NAME\", or key ="
          + " \"file:keys/whitebit\"")
      throw ConfigurationFault.problems(log.problems)
    }
    return try Credentials.load(KeyReference(text), passphrase: passphrase)
  }
}
