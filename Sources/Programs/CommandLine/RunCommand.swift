import Glibc
import MartletBase
import MartletLive

/// `run CONFIG.toml`
enum RunCommand {
  static let command = Command(
    name: "run",
    usage: "CONFIG.toml [--for 60s] [--passphrase-file FILE] [--fresh] [--i-understand] [--json]",
    does: """
      Runs a bot as its configuration says until it is told to stop: Ctrl-C, SIGTERM or a terminal
      that closes cancels its orders, compares its ledger with the venue's, and ends; Ctrl-C again
      ends it at once and leaves what rests to the venue's kill-switch. With mode = "paper" it trades on
      the local exchange only. With mode = "live" it trades real money, and refuses to before somebody
      has said once, with --i-understand, to know what its key may do in its markets: see
      Docs/RealMoney.md.
      """,
    options: [
      .init("--for", "TIME", "stop after this long, such as 60s or 5m"),
      .init(
        "--fresh", nil,
        "forget what earlier runs knew: profit counts from now, and orders that still rest are canceled"
      ),
      .init(
        "--passphrase-file", "FILE", "opens the key store; else MARTLET_PASSPHRASE, or asked for"),
      .init(
        "--i-understand", nil,
        "mode = \"live\", once for a key and market: it trades real money, and you know what the key may do"
      ),
      .init("--json", nil, "one object on standard output at the end, nothing else there"),
      .init("--parent", "PID", "stop when this process is no longer the parent"),
    ],
    positional: 1...1,
    example: """
      ./martlet exchange --venue whitebit --listen 127.0.0.1:8481 --account me:word \\
          --balance DBTC=1 --balance DUSDT=100000 & sleep 1
        GRID_KEY=me:word ./martlet run Docs/grid.toml --for 10s; kill $!
      """,
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    var options = LiveProgram.Options(
      configurationPath: arguments.positional[0], build: BuildIdentity.text)
    options.duration = try arguments.duration("--for").map { .milliseconds($0) }
    options.passphraseFile = arguments.last("--passphrase-file")
    options.isFresh = arguments.has("--fresh")
    options.isUnderstood = arguments.has("--i-understand")
    options.isJSON = arguments.has("--json")
    let parent = try arguments.integer("--parent", default: 0, in: 0...Int(Int32.max))
    if parent > 0 { options.isOrphaned = { getppid() != pid_t(parent) } }
    let program = LiveProgram(
      options, print: { Console.out($0) }, complain: { Console.fail($0) })
    switch program.run() {
    case .done: return .done
    case .failed: return .failed
    case .misconfigured: return .misuse
    case .refused: return .unsafe
    case .interrupted: return .interrupted
    }
  }
}
