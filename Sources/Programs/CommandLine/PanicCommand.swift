import Glibc
import MartletBase
import MartletJSON
import MartletLive

/// `panic CONFIG.toml`
enum PanicCommand {
  static let command = Command(
    name: "panic", usage: "CONFIG.toml [--flatten --yes] [--even-if-running] [--json]",
    does: """
      Cancels every open order whose client id has this bot's prefix, straight at the venue, without the
      bot's journal or process, and prints each step with what the venue said. Ends with 1 when one of
      them still rests. It looks at all markets. Of the file it needs the bot's name, the venue's address
      and the key; what else is wrong there is told and no reason to stop.

      It sells nothing: on spot nothing is borrowed, and without the journal it is not known what of the
      balance the bot began with. --flatten sells all of each market's base asset that is free, whoever
      bought it, each with one order that bears the bot's prefix and is never sent twice, even when its
      answer is lost. A bot that goes on knows that sale as its own, and would buy it back to flatten: begin
      it with --fresh. It needs --yes, or a typed yes on a terminal. Everything is refused (3) while a process
      holds the key: tell that one to halt.
      """,
    options: [
      .init("--flatten", nil, "sell all that is free of the base assets, too"),
      .init("--yes", nil, "--flatten: do it without asking"),
      .init("--even-if-running", nil, "do not mind another process that holds the key"),
      .init("--passphrase-file", "FILE", "the sealed store's passphrase"),
      .init("--json", nil, "one object on standard output at the end, steps on standard error"),
    ],
    positional: 1...1, example: "./martlet panic .martlet/demo/latest/bot.toml", run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    var options = PanicProgram.Options(configurationPath: arguments.positional[0])
    options.flattens = arguments.has("--flatten")
    options.evenIfRunning = arguments.has("--even-if-running")
    options.passphraseFile = arguments.last("--passphrase-file")
    let asJSON = arguments.has("--json")
    if options.flattens && !arguments.has("--yes") {
      var isConfirmed = false
      if isatty(0) == 1, isatty(2) == 1 {
        Console.ask("sell all of the base assets that is free on this account? Type yes: ")
        isConfirmed = readLine() == "yes"
      }
      guard isConfirmed else {
        Console.fail(
          "panic: --flatten sells all of the base assets that is free on the account; it needs --yes, or"
            + " a typed yes; nothing was done")
        return .unsafe
      }
    }
    let result = PanicProgram(
      options, print: { asJSON ? Console.note($0) : Console.out($0 + "\n") }
    ).run()
    if asJSON {
      var text = ByteBuffer(capacity: 256)
      JSONValue.object([
        .init("canceled", .number("\(result.canceled)")), .init("left", .number("\(result.left)")),
        .init("sold", .array(result.sold.map { .string($0) })),
        .init("error", result.error.map { .string($0) } ?? .null),
      ]).write(into: &text)
      Console.out(String(text.span) + "\n")
    }
    if let error = result.error { Console.fail("panic: \(error)") }
    switch result.ending {
    case .done: return .done
    case .failed: return .failed
    case .misconfigured: return .misuse
    case .refused: return .unsafe
    }
  }
}
