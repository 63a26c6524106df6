import Glibc
import MartletBase
import MartletExchangeServer
import MartletTransport

/// `exchange --venue whitebit …`
enum ExchangeCommand {
  static let command = Command(
    name: "exchange", usage: "--venue whitebit --plain [--listen HOST:PORT] …",
    does: """
      Serves the simulated exchange for any client, on this machine only. When it is ready it prints
      one JSON line with its addresses and markets.
      """,
    options: [
      .init("--venue", "NAME", "whose wire it speaks: whitebit"),
      .init("--listen", "HOST:PORT", "default 127.0.0.1:0, port 0 lets the system choose"),
      .init("--data", "FILE", "recording to replay (.mmr); default: the bundled one, in a loop"),
      .init("--speed", "N", "how fast the recorded market runs, 1 … 1000; default 1"),
      .init("--account", "KEY:SECRET", "opens an account; may repeat"),
      .init("--balance", "ASSET=AMOUNT", "money of the account before it; may repeat"),
      .init("--plain", nil, "http and ws without TLS, loopback only"),
      .init("--time", "MS", "start the exchange's clock at this Unix time in milliseconds"),
      .init("--seed", "N", "chance: update ids and tokens; default 1"),
      .init("--parent", "PID", "end when this process is no longer the parent"),
    ],
    positional: 0...0,
    example:
      "./martlet exchange --venue whitebit --plain --account demo:secret --balance DUSDT=1000",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    guard let venue = arguments.last("--venue") else {
      throw Arguments.Misuse(message: "expected --venue whitebit")
    }
    guard venue == "whitebit" else {
      throw Arguments.Misuse(message: "--venue: expected whitebit, found “\(venue)”")
    }
    guard arguments.has("--plain") else {
      throw Arguments.Misuse(
        message: "this build serves no TLS yet: add --plain for http and ws on loopback")
    }
    guard let recording = arguments.last("--data") ?? Installation.bundledRecording else {
      Console.fail(
        "exchange: the bundled recording is not near \(Installation.program); give --data")
      return .failed
    }
    var options = LocalExchange.Options(
      recording: recording,
      seed: UInt64(try arguments.integer("--seed", default: 1, in: 0...Int.max)))
    (options.address, options.port) = try listen(arguments.last("--listen") ?? "127.0.0.1:0")
    options.speed = Int64(try arguments.integer("--speed", default: 1, in: 1...1000))
    if arguments.has("--time") {
      let time = try arguments.integer("--time", default: 0, in: 0...4_102_444_800_000)
      options.clock = Timestamp(milliseconds: Int64(time))
    }
    options.accounts = try accounts(arguments)
    let parent = try arguments.integer("--parent", default: 0, in: 0...Int(Int32.max))
    return serve(options, parent: pid_t(parent))
  }

  private static func listen(_ text: String) throws(Arguments.Misuse) -> (String, UInt16) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      colon != text.startIndex
    else {
      throw Arguments.Misuse(message: "--listen: expected HOST:PORT, found “\(text)”")
    }
    let host = String(text[..<colon])
    guard host == "127.0.0.1" || host == "::1" || host == "localhost" else {
      throw Arguments.Misuse(
        message:
          "--listen: without TLS only loopback is served; expected 127.0.0.1, found “\(host)”")
    }
    return (host == "localhost" ? "127.0.0.1" : host, port)
  }

  private static func accounts(
    _ arguments: Arguments
  ) throws(Arguments.Misuse) -> [LocalExchange.Account] {
    var accounts: [LocalExchange.Account] = []
    for (name, value) in arguments.given {
      if name == "--account" {
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
          // Not shown: what stands here is a secret.
          throw Arguments.Misuse(message: "--account: expected KEY:SECRET")
        }
        accounts.append(.init(key: String(parts[0]), secret: String(parts[1])))
      } else if name == "--balance" {
        guard !accounts.isEmpty else {
          throw Arguments.Misuse(message: "--balance \(value) stands before any --account")
        }
        let parts = value.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let amount = try? Amount(String(parts[1])), amount >= .zero else {
          throw Arguments.Misuse(message: "--balance: expected ASSET=AMOUNT, found “\(value)”")
        }
        accounts[accounts.count - 1].balances.append((String(parts[0]), amount))
      }
    }
    return accounts
  }

  private static func serve(_ options: LocalExchange.Options, parent: pid_t) -> ExitCode {
    do {
      let loop = try EventLoop()
      try loop.catchStopSignals { _ in loop.stop() }
      let exchange = try LocalExchange(loop, options)
      let host = options.address
      let shown = host.contains(":") ? "[\(host)]" : host
      let markets = exchange.markets.map { "\"\($0)\"" }.joined(separator: ",")
      Console.out(
        "{\"ready\":true,\"venue\":\"whitebit\",\"rest\":\"http://\(shown):\(exchange.port)\","
          + "\"ws\":\"ws://\(shown):\(exchange.port)\",\"ca\":null,\"markets\":[\(markets)]}\n")
      let watch = parent > 0 ? OrphanWatch(loop, parent) : nil
      loop.run()
      watch?.end()
      exchange.stop()
      return .done
    } catch {
      Console.fail("exchange: \(error)")
      return .failed
    }
  }
}

/// Ends the loop once the parent is another: who started us has died and cannot.
private final class OrphanWatch {
  private var timer: LoopTimer?

  init(_ loop: EventLoop, _ parent: pid_t) {
    timer = LoopTimer(loop) { [weak self] in
      if getppid() == parent { self?.timer?.arm(after: .milliseconds(500)) } else { loop.stop() }
    }
    timer?.arm(after: .milliseconds(500))
  }

  func end() { timer?.disarm() }
}
