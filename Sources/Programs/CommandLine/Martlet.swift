import Glibc

/// The one entry point: finds the command, reads its words strictly, runs it.
@main enum Martlet {
  static let commands: [Command] =
    [
      DemoCommand.command, RunCommand.command, ExchangeCommand.command, ReplayCommand.command,
      JournalCommand.command, ExplainCommand.command, ConfigCommand.command, DoctorCommand.command,
      KeysCommand.command, ChaosCommand.command, DataCommand.command,
      BacktestCommand.command,
      AlertCommand.command,
      PanicCommand.command, ReconcileCommand.command, BenchCommand.command,
    ] + ControlCommand.commands

  /// What `./martlet` itself runs, listed here so that help and suggestions are whole.
  private static let launched = [
    (name: "test", usage: "[--long] [--only STEP]"), (name: "verify", usage: "[ROW…] [--json]"),
  ]

  static func main() {
    exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
  }

  private static func run(_ words: [String]) -> ExitCode {
    guard let first = words.first, first != "--help", first != "help" else {
      Console.out(help())
      return words.isEmpty ? .misuse : .done
    }
    guard let command = commands.first(where: { $0.name == first }) else {
      let nearest = Arguments.nearest(to: first, among: commands.map(\.name) + launched.map(\.name))
      Console.fail(
        "no command “\(first)”\(nearest.map { "; did you mean \($0)?" } ?? ""), see ./martlet --help"
      )
      return .misuse
    }
    let rest = Array(words.dropFirst())
    if rest.contains("--help") {
      Console.out(command.help())
      return .done
    }
    do throws(Arguments.Misuse) {
      return try command.run(
        Arguments(rest, options: command.options, positional: command.positional))
    } catch {
      Console.fail("\(command.name): \(error.message); see ./martlet \(command.name) --help")
      return .misuse
    }
  }

  private static func help() -> String {
    var text = "usage: ./martlet COMMAND …\n\n"
    for (name, usage) in commands.map({ ($0.name, $0.usage) }) + launched {
      text += "  \(name) \(usage)\n"
    }
    return text + "\n./martlet COMMAND --help shows what a command takes, with an example.\n"
  }
}
