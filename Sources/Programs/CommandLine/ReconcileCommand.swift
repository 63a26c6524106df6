import MartletBase
import MartletConfiguration
import MartletJSON
import MartletLive
import MartletTransport

/// `reconcile [CONFIG.toml]`
enum ReconcileCommand {
  static let command = Command(
    name: "reconcile", usage: "[CONFIG.toml | --bot NAME] [--json]",
    does: """
      Compares a bot's own books with the venue's: balances, open orders, fills, traded sum, fees. A bot
      that runs is asked and compares what it holds now; otherwise its journal is folded. Prints each
      difference with the venue's row, and ends with 1 on any.
      """,
    options: [
      .init("--bot", "NAME", "a running bot's name, or its journal's parent folder"),
      .init("--passphrase-file", "FILE", "the sealed store's passphrase"),
      .init("--json", nil, "one object on standard output, nothing else there"),
    ],
    positional: 0...1, example: "./martlet reconcile .martlet/demo/latest/bot.toml", run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let asJSON = arguments.has("--json")
    guard let path = arguments.positional.first else {
      do throws(BotFinder.Absence) {
        return ControlCommand.tell(
          "reconcile", try BotFinder.find(arguments.last("--bot")), asJSON: asJSON)
      } catch { return ControlCommand.fail(error, asJSON: asJSON) }
    }
    do throws(ConfigurationFault) {
      let folder = try BotConfiguration.load(path).stateFolder
      if let caller = try? LocalCaller(LocalAddress(folder: folder)) {
        return ControlCommand.tell(
          "reconcile", BotFinder.Bot(folder: folder, caller: caller), asJSON: asJSON)
      }
    } catch {
      Console.fail("\(error)")
      if case .refused = error { return .unsafe }
      return .misuse
    }
    let finding = ReconcileProgram(
      configurationPath: path, passphraseFile: arguments.last("--passphrase-file")
    ).run()
    switch finding {
    case .equal(let what):
      tell(true, [], nil, "equal: \(what)", asJSON)
      return .done
    case .different(let differences):
      tell(false, differences, nil, "different: \(differences.count) difference(s)", asJSON)
      return .failed
    case .failed(let why): return fail(why, .failed, asJSON)
    case .misconfigured(let why): return fail(why, .misuse, asJSON)
    case .refused(let why): return fail(why, .unsafe, asJSON)
    }
  }

  private static func fail(_ why: String, _ code: ExitCode, _ asJSON: Bool) -> ExitCode {
    if asJSON { tell(false, [], why, "", true) }
    Console.fail("reconcile: \(why)")
    return code
  }

  private static func tell(
    _ isEqual: Bool, _ differences: [String], _ error: String?, _ words: String, _ asJSON: Bool
  ) {
    guard asJSON else {
      Console.out("\(words)\n" + differences.map { "  \($0)\n" }.joined())
      return
    }
    var text = ByteBuffer(capacity: 1_024)
    JSONValue.object([
      .init("ok", .bool(isEqual)), .init("did", .string(words)),
      .init("differences", .array(differences.map { .string($0) })),
      .init("error", error.map { .string($0) } ?? .null),
    ]).write(into: &text)
    Console.out(String(text.span) + "\n")
  }
}
