import Glibc
import MartletJSON
import MartletLive

/// `demo`: the local exchange as one process, the guide's grid bot as another.
enum DemoCommand {
  static let command = Command(
    name: "demo", usage: "[--for 60s] [--speed 10] [--port 8088] [--json]",
    does: """
      A grid bot trades a recorded market on the local exchange: no keys, no network, no money. The
      exchange and the bot are two processes that speak WhiteBIT's own wire over TLS on loopback. Ends by
      itself or with Ctrl-C, with a summary checked against the exchange's own ledger. Journals and
      keys of the last ten demos are kept under .martlet/demo.
      """,
    options: [
      .init("--for", "TIME", "how long, such as 60s or 5m; default until Ctrl-C"),
      .init("--speed", "N", "how fast the recorded market runs, 1 … 1000; default 10"),
      .init("--port", "N", "where the page is served on 127.0.0.1; default 8088, 0 for none"),
      .init("--json", nil, "one object on standard output at the end, nothing else there"),
    ],
    positional: 0...0, example: "./martlet demo --for 20s", run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let span = try arguments.duration("--for")
    let speed = try arguments.integer("--speed", default: 10, in: 1...1000)
    let port = try arguments.integer("--port", default: 8088, in: 0...65_535)
    guard let root = Installation.root else {
      Console.fail("demo: the bundled recording is not near \(Installation.program)")
      return .failed
    }
    Interruption.watch()
    let folder = "\(root)/.martlet/demo/\(stamp())"
    guard Installation.makeFolder(folder) else {
      Console.fail("demo: cannot make \(folder): \(systemReason(errno))")
      return .failed
    }
    Installation.prune("\(root)/.martlet/demo", keeping: 10)
    let latest = "\(root)/.martlet/demo/latest"
    unsafe unlink(latest)
    unsafe symlink(folder, latest)

    // The key below is this demo's alone: its lock and its nonces stay with its other files.
    unsafe setenv("XDG_STATE_HOME", folder + "/state", 1)
    // In a file and not among a process's words, which everybody on the machine can read.
    guard
      Installation.write(
        "\(randomWord(16)):\(randomWord(32))\n", to: folder + "/key", mode: 0o600)
    else {
      Console.fail("demo: cannot write into \(folder): \(systemReason(errno))")
      return .failed
    }
    do {
      let exchange = try ChildProcess(
        Installation.program,
        [
          "exchange", "--venue", "whitebit", "--ca", folder + "/ca.pem", "--listen", "127.0.0.1:0",
          "--speed",
          "\(speed)", "--account", "@" + folder + "/key", "--balance", "DBTC=0.5", "--balance",
          "DUSDT=1000", "--parent", "\(getpid())",
        ], output: .piped, isolated: true)
      defer {
        exchange.send(SIGKILL)
        exchange.reap(blocking: true)
      }
      // Woken by an order, it would often take the very processor that sends it; a venue is elsewhere.
      exchange.giveWay()
      guard let line = exchange.line(within: 15_000), let rest = address("rest", in: line),
        let ws = address("ws", in: line)
      else {
        if Interruption.isRequested { return .interrupted }
        Console.fail("demo: the local exchange did not say that it is ready")
        return .failed
      }
      guard
        Installation.write(
          configuration(rest: rest, ws: ws, folder: folder, port: port), to: folder + "/bot.toml",
          mode: 0o600)
      else {
        Console.fail("demo: cannot write into \(folder): \(systemReason(errno))")
        return .failed
      }
      var words = ["run", folder + "/bot.toml", "--parent", "\(getpid())"]
      if let span { words += ["--for", "\(span)ms"] }
      if arguments.has("--json") { words.append("--json") }
      if Interruption.isRequested { return .interrupted }
      // Ctrl-C at the terminal is ours to pass on: it could come before the bot can take it.
      let bot = try ChildProcess(
        Installation.program, words, output: .inherited, isolated: true)
      return ExitCode(
        rawValue: wait(for: bot, and: exchange, configuration: folder + "/bot.toml")) ?? .failed
    } catch {
      Console.fail("demo: \(error)")
      return .failed
    }
  }

  /// Waits for the bot, telling it when to stop and when not to wait any more.
  private static func wait(
    for bot: ChildProcess, and exchange: ChildProcess, configuration: String
  ) -> Int32 {
    var isTold = false
    var isHurried = false
    /// When the exchange was found dead.
    var deadSince: Int64?
    while true {
      if let ending = bot.reap(blocking: false) {
        switch ending {
        case .exited(let code):
          if deadSince != nil && !Interruption.isRequested { return ExitCode.failed.rawValue }
          return code == 0 && Interruption.isRequested ? ExitCode.interrupted.rawValue : code
        case .signaled(let number):
          if Interruption.isRequested { return ExitCode.interrupted.rawValue }
          Console.fail("demo: the bot was killed (signal \(number))")
          return outlive(exchange, configuration).rawValue
        }
      }
      if Interruption.isRequested && !isTold {
        isTold = true
        bot.send(SIGTERM)
      }
      if deadSince == nil, exchange.reap(blocking: false) != nil {
        deadSince = monotonicMilliseconds()
        if !isTold {
          isTold = true
          Console.fail("demo: the local exchange ended by itself, and the bot's orders with it")
          bot.send(SIGTERM)
        }
      }
      // What is dead confirms nothing: a moment to tell it on the page, and no longer.
      let isVain = deadSince.map { monotonicMilliseconds() - $0 > 1_000 } ?? false
      if isTold, !isHurried, Interruption.isUrgent || isVain {
        isHurried = true
        bot.send(SIGINT)
      }
      // Woken by a signal, or five times a second to look at both.
      poll(nil, 0, 200)
    }
  }

  /// What a killed bot leaves behind is the exchange's: waits until its kill-switch has taken it off.
  private static func outlive(_ exchange: ChildProcess, _ configuration: String) -> ExitCode {
    let began = monotonicMilliseconds()
    do {
      let watch = try RestingOrders(configurationPath: configuration)
      var told: Int?
      while !Interruption.isRequested, exchange.reap(blocking: false) == nil {
        let (count, left) = try watch.look()
        let seconds = (monotonicMilliseconds() - began + 500) / 1_000
        if count == 0 {
          Console.fail("demo: none of its orders rests any more, \(seconds) s after it was killed")
          return .failed
        }
        guard let left else {
          Console.fail("demo: \(count) of its orders rest, and no kill-switch is armed")
          return .failed
        }
        if told != count {
          told = count
          Console.fail(
            "demo: \(count) of its orders rest; the exchange's kill-switch takes them off in"
              + " \(left) s, unless Ctrl-C ends the exchange before")
        }
        poll(nil, 0, 250)
      }
    } catch {
      Console.fail("demo: its orders cannot be looked at: \(error)")
    }
    return Interruption.isRequested ? .interrupted : .failed
  }

  /// - Parameter spacing: between the grid's levels, in DUSDT.
  static func configuration(
    rest: String, ws: String, folder: String, port: Int, spacing: Int = 10
  ) -> String {
    """
    # Written by ./martlet demo: the guide's grid, narrowed to what the recorded market moves.
    [bot]
    name = "grid-demo"
    mode = "paper"
    profile = "demo"
    valuation = "DUSDT"

    [venue.whitebit]
    endpoint = "custom"
    rest = "\(rest)"
    websocket = "\(ws)/ws"
    ca = "\(folder)/ca.pem"
    key = "file:\(folder)/key"

    [dead_man]
    timeout = "60s"
    refresh = "45s"
    grace = "40s"

    [[strategy]]
    kind = "grid"
    venue = "whitebit"
    market = "DBTC_DUSDT"
    levels = 10
    spacing = "\(spacing)"
    amount = "0.001"

    [journal]
    folder = "\(folder)/journal"

    \(port > 0 ? "[dashboard]\nport = \(port)" : "")

    """
  }

  /// The text under `name` in the exchange's line.
  private static func address(_ name: String, in line: String) -> String? {
    let bytes = Array(line.utf8)
    guard let value = try? JSONValue(bytes.span) else { return nil }
    return value[name]?.text
  }

  private static func stamp() -> String {
    var now = time(nil)
    var parts = unsafe tm()
    unsafe localtime_r(&now, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = unsafe strftime(&text, text.count, "%Y%m%d-%H%M%S", &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      + "-\(getpid())"
  }

  private static func randomWord(_ length: Int) -> String {
    var random = SystemRandomNumberGenerator()
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    return String((0..<length).map { _ in letters[Int(random.next() % UInt64(letters.count))] })
  }
}
