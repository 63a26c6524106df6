import Glibc
import MartletBacktest
import MartletBase
import MartletClock
import MartletConfiguration
import MartletHistory
import MartletLive
import MartletModel
import MartletVenueKit

/// `backtest CONFIG.toml --data FILE`
enum BacktestCommand {
  static let command = Command(
    name: "backtest",
    usage:
      "CONFIG.toml [--data FILE] [--fidelity direct|wire] [--latency SPAN[,SPAN…]] [--feed-latency SPAN]"
      + " [--order-latency SPAN] [--report-latency SPAN] [--balance ASSET=AMOUNT …] [--fees MAKER,TAKER]"
      + " [--depth N] [--ready-after SPAN] [--seed N] [--json]",
    does: """
      Replays a recorded market through the same kernel, strategy and risk rules that trade live, against the
      simulated exchange, and prints what came of it with every assumption. `direct` speaks in words, `wire`
      in the venue's own signed bytes, for hours and not for months; both decide the same. The same data,
      configuration and options give the same digest on any machine.
      """,
    options: [
      .init("--data", "FILE", "recording to replay (.mmr); default: the bundled one"),
      .init("--fidelity", "NAME", "direct or wire; default direct"),
      .init(
        "--latency", "SPAN",
        "on every way between bot and venue; default 1ms. Several, with commas: one backtest each, compared"
      ),
      .init("--feed-latency", "SPAN", "from the venue's book and tape to the bot"),
      .init("--order-latency", "SPAN", "from a decision to the venue's matching"),
      .init("--report-latency", "SPAN", "from the matching to the bot's knowledge of it"),
      .init(
        "--balance", "ASSET=AMOUNT",
        "money of the account; may repeat; default: ten base units and a million of quote of each market"
      ),
      .init("--fees", "MAKER,TAKER", "in percent; default 0.1,0.1"),
      .init("--depth", "N", "levels a side that the venue publishes, 1 … 100; default 20"),
      .init(
        "--ready-after", "SPAN",
        "from the first whole book to the start of trading; default: eleven round trips, as a start takes"
      ),
      .init("--seed", "N", "of what a spread of latency draws; default 1"),
      .init("--json", nil, "one object on standard output"),
    ],
    positional: 1...1,
    example: "./martlet backtest Docs/grid.toml",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let isWire = try fidelity(arguments)
    let latencies = try (arguments.last("--latency") ?? "1ms").split(
      separator: ",", omittingEmptySubsequences: false
    ).map { text throws(Arguments.Misuse) in try delay(String(text), "--latency") }
    let options = try options(arguments)
    let path = arguments.positional[0]
    let plan: BotPlan
    do throws(ConfigurationFault) {
      plan = try BotPlan(
        configurationText: try BotConfiguration.text(of: path), file: path, seed: options.seed,
        build: BuildIdentity.text)
    } catch {
      Console.fail("\(error)")
      if case .refused = error { return .unsafe }
      return .misuse
    }
    guard let file = arguments.last("--data") ?? Installation.bundledRecording else {
      Console.fail(
        "backtest: the bundled recording is not near \(Installation.program); give --data")
      return .failed
    }
    Interruption.watch()
    do {
      let recording = try Recording(path: file)
      var results: [BacktestResult] = []
      for latency in latencies {
        var options = options
        options.feedDelay = try delay(arguments, "--feed-latency") ?? latency
        options.orderDelay = try delay(arguments, "--order-latency") ?? latency
        options.reportDelay = try delay(arguments, "--report-latency") ?? latency
        let job = BacktestJob(plan, recording, file: file, fees: try fees(arguments), options)
        let begun = SystemClock.monotonic()
        let result = try isWire ? job.wire() : job.direct()
        let took = SystemClock.monotonic() - begun
        if Interruption.isRequested { return .interrupted }
        results.append(result)
        if latencies.count > 1 { continue }
        Console.out(
          arguments.has("--json")
            ? BacktestText.json(result, took: took) : BacktestText.text(result, took: took))
        return result.isReconciled ? .done : .failed
      }
      Console.out(BacktestText.comparison(latencies, results, asJSON: arguments.has("--json")))
      return results.allSatisfy(\.isReconciled) ? .done : .failed
    } catch let fault as RecordingFault {
      Console.fail("backtest: \(file): \(fault)")
      return .failed
    } catch let misuse as Arguments.Misuse {
      throw misuse
    } catch {
      Console.fail("backtest: \(error)")
      return .failed
    }
  }

  // MARK: Words

  private static func fidelity(_ arguments: Arguments) throws(Arguments.Misuse) -> Bool {
    switch arguments.last("--fidelity") ?? "direct" {
    case "direct": return false
    case "wire": return true
    case let other:
      throw Arguments.Misuse(message: "--fidelity: expected direct or wire, found “\(other)”")
    }
  }

  private static func options(_ arguments: Arguments) throws(Arguments.Misuse) -> BacktestOptions {
    var options = BacktestOptions()
    options.depth = try arguments.integer("--depth", default: 20, in: 1...100)
    options.seed = UInt64(try arguments.integer("--seed", default: 1, in: 0...Int.max))
    if let text = arguments.last("--ready-after") {
      let delay = try delay(text, "--ready-after")
      guard delay.spread == .zero else {
        throw Arguments.Misuse(message: "--ready-after: expected one time span, found “\(text)”")
      }
      options.readyAfter = delay.least
    }
    for (name, value) in arguments.given where name == "--balance" {
      let parts = value.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let amount = try? Amount(String(parts[1])), amount >= .zero else {
        throw Arguments.Misuse(message: "--balance: expected ASSET=AMOUNT, found “\(value)”")
      }
      options.balances.append((String(parts[0]), amount))
    }
    return options
  }

  private static func delay(
    _ arguments: Arguments, _ name: String
  ) throws(Arguments.Misuse) -> Delay? {
    guard let text = arguments.last(name) else { return nil }
    return try delay(text, name)
  }

  /// `5ms`, or `2ms..8ms` for one drawn evenly between.
  private static func delay(_ text: String, _ name: String) throws(Arguments.Misuse) -> Delay {
    let parts = text.split(separator: "..", omittingEmptySubsequences: false).map {
      span(String($0))
    }
    guard (1...2).contains(parts.count), let least = parts[0], let most = parts[parts.count - 1],
      most >= least
    else {
      throw Arguments.Misuse(
        message:
          "\(name): expected a span such as 500us, 5ms or 1s, or two as 2ms..8ms, found “\(text)”")
    }
    return Delay(least, spread: most - least)
  }

  /// - Bounds: up to a minute.
  private static func span(_ text: String) -> TimeSpan? {
    let units: [(String, Int64)] = [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)]
    for (unit, nanoseconds) in units where text.hasSuffix(unit) {
      let digits = text.dropLast(unit.utf8.count)
      guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
        let count = Int64(digits), count <= 60_000_000_000 / nanoseconds
      else { return nil }
      return TimeSpan(nanoseconds: count * nanoseconds)
    }
    return nil
  }

  private static func fees(
    _ arguments: Arguments
  ) throws(Arguments.Misuse) -> (maker: Rate, taker: Rate) {
    guard let text = arguments.last("--fees") else {
      return (Rate(units: 10_000_000), Rate(units: 10_000_000))
    }
    let rates = text.split(separator: ",", omittingEmptySubsequences: false).map { part -> Rate? in
      // Percent: one hundredth, so that a rate's ten places are twelve below a whole percent.
      guard let percent = try? Amount(String(part)),
        percent.units % powerOfTen(Amount.places - Rate.places + 2) == 0
      else { return nil }
      let units = percent.units / powerOfTen(Amount.places - Rate.places + 2)
      guard abs(units) <= powerOfTen(Rate.places - 1) else { return nil }
      return Rate(units: Int64(units))
    }
    guard rates.count == 2, let maker = rates[0], let taker = rates[1] else {
      throw Arguments.Misuse(
        message:
          "--fees: expected two rates in percent, at most ten, such as 0.02,0.055, found “\(text)”")
    }
    return (maker, taker)
  }
}
