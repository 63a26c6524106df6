import MartletBase
import MartletClock
import MartletConfiguration
import MartletJSON
import MartletLive
import MartletSecrets

/// `keys add|list|remove|test [NAME]`
enum KeysCommand {
  static let command = Command(
    name: "keys", usage: "add|list|remove|test [NAME] [--json]",
    does: """
      Keeps API keys in one file that a passphrase opens: .martlet/keys.sealed, or what MARTLET_KEYS
      names. A configuration uses one with key = "keyring:NAME".

      add     reads a key and its secret at the terminal, where nothing of them is shown, or
              KEY:SECRET from a pipe; they are never given on the command line: keys add main
      list    shows names, venues, slots, fingerprints and when each was added; needs no passphrase
      remove  takes one out
      test    asks the venue what the key may do, and says what the venue does not tell: it asks
              the local exchange, or the venue of the configuration that --endpoint names

      The passphrase comes from --passphrase-file, from MARTLET_PASSPHRASE, or is asked for.
      """,
    options: [
      .init("--venue", "NAME", "add, test: whose key it is; default whitebit"),
      .init("--slot", "SLOT", "add: what it is for: spot, contracts or any; default any"),
      .init("--endpoint", "CONFIG.toml", "test: asks where this configuration says"),
      .init("--passphrase-file", "FILE", "a file of mode 0600 whose line is the passphrase"),
      .init("--json", nil, "one object on standard output, nothing else there"),
    ],
    positional: 1...64, example: "./martlet keys list", run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let verb = arguments.positional[0]
    let verbs = ["add", "list", "remove", "test"]
    guard verbs.contains(verb) else {
      let hint = Arguments.nearest(to: verb, among: verbs).map { "; did you mean \($0)?" } ?? ""
      throw Arguments.Misuse(message: "expected add, list, remove or test\(hint)")
    }
    // What is too much may be a secret, and is not repeated.
    guard arguments.positional.count <= (verb == "list" ? 1 : 2) else {
      throw Arguments.Misuse(
        message: "expected \(verb == "list" ? "nothing" : "one name") after \(verb), found more; a"
          + " secret never stands on the command line: pipe KEY:SECRET to standard input")
    }
    let venue = arguments.last("--venue") ?? "whitebit"
    guard venue == "whitebit" else {
      throw Arguments.Misuse(message: "--venue: expected whitebit, found “\(venue)”")
    }
    let passphrase = PassphraseSource(file: arguments.last("--passphrase-file"))
    let isJSON = arguments.has("--json")
    do {
      if verb == "list" { return try list(isJSON) }
      guard arguments.positional.count == 2, SealedStore.isName(arguments.positional[1]) else {
        throw StoreFault.badName
      }
      let name = arguments.positional[1]
      switch verb {
      case "add":
        let word = arguments.last("--slot") ?? "any"
        guard let slot = SealedStore.Slot.allCases.first(where: { $0.word == word }) else {
          throw Arguments.Misuse(
            message: "--slot: expected spot, contracts or any, found “\(word)”")
        }
        return try add(name, venue, slot, passphrase, isJSON)
      case "remove": return try remove(name, passphrase, isJSON)
      default:
        return try test(name, arguments.last("--endpoint"), passphrase, isJSON)
      }
    } catch let misuse as Arguments.Misuse {
      throw misuse
    } catch {
      return failed(error)
    }
  }

  // MARK: The four

  private static func add(
    _ name: String, _ venue: String, _ slot: SealedStore.Slot, _ passphrase: PassphraseSource,
    _ isJSON: Bool
  ) throws -> ExitCode {
    let path = SealedStore.standardPath
    let entry = try StoreFile.exclusively(path) {
      var store: SealedStore
      if StoreFile.exists(path) {
        // Told before anything is asked for.
        try SealedStore.listing(path).requireAbsent(name)
        store = try SealedStore.open(path, passphrase: passphrase.obtain(for: path))
      } else {
        store = try SealedStore.make(
          path, passphrase: passphrase.obtain(for: path, isNew: true))
      }
      let credentials = try Credentials.asked()
      try store.add(credentials, named: name, venue: venue, slot: slot, at: SystemClock.realtime())
      try store.save()
      return store.entries.last
    }
    guard let entry else { return .failed }
    if isJSON {
      object { writer, buffer in
        write(entry, &writer, &buffer)
        writer.key("store", into: &buffer)
        writer.string(text: path, into: &buffer)
      }
    } else {
      Console.out(
        "\(name) is sealed in \(path), fingerprint \(entry.fingerprint); use it with key ="
          + " \"keyring:\(name)\"\n")
    }
    return .done
  }

  private static func list(_ isJSON: Bool) throws -> ExitCode {
    let path = SealedStore.standardPath
    var entries: [SealedStore.Entry] = []
    do throws(StoreFault) {
      entries = try SealedStore.listing(path).entries
    } catch {
      guard case .missing = error else { throw error }
      Console.note("\(error)")
    }
    if isJSON {
      object { writer, buffer in
        writer.key("store", into: &buffer)
        writer.string(text: path, into: &buffer)
        writer.key("keys", into: &buffer)
        writer.beginArray(into: &buffer)
        for entry in entries {
          writer.beginObject(into: &buffer)
          write(entry, &writer, &buffer)
          writer.endObject(into: &buffer)
        }
        writer.endArray(into: &buffer)
      }
      return .done
    }
    let rows =
      [["name", "venue", "slot", "fingerprint", "added"]]
      + entries.map { [$0.name, $0.venue, $0.slot.word, $0.fingerprint, $0.addedText] }
    for row in rows where !entries.isEmpty {
      let padded = zip(row, [SealedStore.maximumName, 10, 9, 12, 0]).map { text, width in
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
      }
      Console.out(padded.joined(separator: "  ") + "\n")
    }
    return .done
  }

  private static func remove(
    _ name: String, _ passphrase: PassphraseSource, _ isJSON: Bool
  ) throws -> ExitCode {
    let path = SealedStore.standardPath
    try StoreFile.exclusively(path) {
      try SealedStore.listing(path).require(name)
      var store = try SealedStore.open(path, passphrase: passphrase.obtain(for: path))
      try store.remove(name)
      try store.save()
    }
    if isJSON {
      object { writer, buffer in
        writer.key("name", into: &buffer)
        writer.string(text: name, into: &buffer)
        writer.key("removed", into: &buffer)
        writer.bool(true, into: &buffer)
      }
    } else {
      Console.out(
        "\(name) is removed from \(path); a key that nobody uses any more is best deleted at the"
          + " venue too\n")
    }
    return .done
  }

  private static func test(
    _ name: String, _ configuration: String?, _ passphrase: PassphraseSource, _ isJSON: Bool
  ) throws -> ExitCode {
    var venue = BotConfiguration.localVenue
    if let configuration { venue = try BotConfiguration.load(configuration).whitebit }
    let path = SealedStore.standardPath
    let entry = try SealedStore.listing(path).require(name)
    let credentials = try SealedStore.open(path, passphrase: passphrase.obtain(for: path))
      .credentials(named: name)
    let findings = try KeyProbe.whitebit(credentials, at: venue)
    let isRefused = findings.contains { if case .refused = $0.verdict { true } else { false } }
    if isJSON {
      object { writer, buffer in
        write(entry, &writer, &buffer)
        writer.key("may", into: &buffer)
        writer.beginObject(into: &buffer)
        for finding in findings {
          writer.key(text: finding.key, into: &buffer)
          writer.string(text: word(of: finding.verdict), into: &buffer)
        }
        writer.endObject(into: &buffer)
      }
    } else {
      Console.out("\(name), fingerprint \(entry.fingerprint), at \(venue.rest)\n")
      for finding in findings {
        Console.out("  \(finding.what): \(sentence(of: finding.verdict))\n")
        if let problem = finding.problem {
          Console.out("    \(problem.what)\n    → \(problem.todo)\n")
        }
      }
      Console.out(
        "WhiteBIT tells nobody what a key may do beyond what was asked; look at the key's page there,"
          + " and let no key withdraw\n")
    }
    return isRefused ? .failed : .done
  }

  // MARK: Words

  private static func word(of verdict: KeyProbe.Finding.Verdict) -> String {
    switch verdict {
    case .allowed: "yes"
    case .refused: "no"
    case .notTold: "not told"
    }
  }

  private static func sentence(of verdict: KeyProbe.Finding.Verdict) -> String {
    switch verdict {
    case .allowed: "yes"
    case .refused(let status, let words): "no, HTTP \(status) \(words)"
    case .notTold: "the venue does not tell"
    }
  }

  private static func failed(_ error: any Error) -> ExitCode {
    var text = "\(error)"
    if case StoreFault.unknown(let name, _, let known) = error,
      let meant = Arguments.nearest(to: name, among: known)
    {
      text += "; did you mean \(meant)?"
    }
    Console.fail("keys: \(text)")
    switch error {
    case KeyLockFault.inUse, NonceFault.inUse: return .unsafe
    case let fault as ConfigurationFault:
      return ExitCode(rawValue: fault.exitCode) ?? .misuse
    case PassphraseFault.interrupted, SecretsFault.terminal(.interrupted): return .interrupted
    case StoreFault.busy, StoreFault.system, is KeyProbe.Fault: return .failed
    default: return .misuse
    }
  }

  private static func write(
    _ entry: SealedStore.Entry, _ writer: inout JSONWriter, _ buffer: inout ByteBuffer
  ) {
    for (key, text) in [
      ("name", entry.name), ("venue", entry.venue), ("slot", entry.slot.word),
      ("fingerprint", entry.fingerprint), ("added", entry.addedText),
    ] {
      writer.key(text: key, into: &buffer)
      writer.string(text: text, into: &buffer)
    }
  }

  private static func object(_ body: (inout JSONWriter, inout ByteBuffer) -> Void) {
    var buffer = ByteBuffer()
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    body(&writer, &buffer)
    writer.endObject(into: &buffer)
    Console.out(String(buffer.span) + "\n")
  }
}
