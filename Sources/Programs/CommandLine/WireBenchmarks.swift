import Glibc
import MartletBase
import MartletBench
import MartletExchangeServer
import MartletJSON

// A bot as a process of its own, over TLS, timed by its exchange.
extension ProcessBenchmarks {
  /// A fill's frame until the order that answers it, as the venue sees it, and beside it the floor.
  static func wireOrder(_ suite: BenchSuite, folder: String) throws -> BenchResult {
    let (figures, own) = try trade(seconds: 25, cuts: [], folder: folder)
    guard !figures.orders.isEmpty else { throw Fault(description: "no fill was answered") }
    let echo = try TLSEcho.run(
      frame: figures.frameBytes, answer: figures.requestBytes, paced: 300, busy: 5_000,
      authority: folder + "/ca.pem")
    unsafe unlink(folder + "/ca.pem")
    var result = timed("wire-order", figures.orders)
    let (floor, busy) = (Percentiles(echo.paced), Percentiles(echo.busy))
    result.note =
      "echo of \(figures.frameBytes) and \(figures.requestBytes) bytes over TLS: p50"
      + " \(floor.half / 1_000) us, p99 \(floor.most / 1_000) us; in a busy loop p50"
      + " \(busy.half / 1_000) us, p99 \(busy.most / 1_000) us; the bot's own frame_to_order_us p50 \(own)"
    return result
  }

  /// All connections end, until the whole book is sent on a new one: reconciled, and trading again.
  static func wireReturn(_ suite: BenchSuite, folder: String) throws -> BenchResult {
    // A stream that was well for ten seconds is tried again at once.
    let cuts = [TimeSpan.seconds(12), .seconds(24), .seconds(36)]
    let (figures, _) = try trade(seconds: 38, cuts: cuts, folder: folder)
    guard figures.returns.count == cuts.count else {
      throw Fault(description: "\(figures.returns.count) returns after \(cuts.count) cuts")
    }
    var result = timed("wire-return", figures.returns)
    let longest = figures.returns.max() ?? 0
    result.note =
      "up to 250 ms of it are drawn, so that many clients do not come back together;"
      + " goal under 1 s: \(longest < 1e9 ? "met" : "missed here")"
    return result
  }

  private struct Percentiles {
    /// p50 and p99, in nanoseconds.
    let half: Int
    let most: Int

    init(_ values: [Double]) {
      let sorted = values.sorted()
      half = Int(sorted[sorted.count / 2])
      most = Int(sorted[min(sorted.count * 99 / 100, sorted.count - 1)])
    }
  }

  private static func timed(_ name: String, _ spans: [Double]) -> BenchResult {
    let percentiles = Percentiles(spans)
    // No two runs trade alike on sockets: there is nothing to compare.
    return BenchResult(
      name: name, ops: spans.count, nanosecondsPerOp: spans.reduce(0, +) / Double(spans.count),
      p50: Double(percentiles.half), p99: Double(percentiles.most), checksum: 1)
  }

  /// - Returns: what the exchange saw, and the bot's own p50.
  private static func trade(
    seconds: Int, cuts: [TimeSpan], folder: String
  ) throws -> (WireFigures, String) {
    guard let recording = Installation.bundledRecording else {
      throw Fault(description: "the bundled recording is not near \(Installation.program)")
    }
    let home = folder + "/wire"
    guard Installation.makeFolder(home) else { throw Fault(description: "cannot make \(home)") }
    defer { Installation.removeTree(home) }
    // The key is this benchmark's alone, and so are its lock and its nonces.
    unsafe setenv("XDG_STATE_HOME", home + "/state", 1)
    let (key, secret) = ("wire-benchmark", "of-no-use-elsewhere")
    var options = LocalExchange.Options(recording: recording, seed: 1)
    options.speed = 20
    options.accounts = [
      .init(
        key: key, secret: secret,
        balances: [
          ("DBTC", Amount(units: powerOfTen(20))),
          ("DUSDT", Amount(units: 100_000 * powerOfTen(20))),
        ])
    ]
    let exchange = try GaugedExchange(options, authority: home + "/ca.pem", cuts: cuts)
    let port: Int
    do { port = try exchange.port() } catch {
      _ = exchange.end()
      throw error
    }
    let address = "127.0.0.1:\(port)"
    let text = DemoCommand.configuration(
      rest: "https://\(address)", ws: "wss://\(address)", folder: home, port: 0, spacing: 2)
    guard Installation.write("\(key):\(secret)\n", to: home + "/key", mode: 0o600),
      Installation.write(text, to: home + "/bot.toml", mode: 0o600)
    else { throw Fault(description: "cannot write into \(home)") }
    let bot = try ChildProcess(
      Installation.program, ["run", home + "/bot.toml", "--for", "\(seconds)s", "--json"],
      output: .piped, dropsErrors: true)
    let line = bot.line(within: Int32(seconds + 60) * 1_000) ?? ""
    let ending = bot.reap(blocking: true)
    let figures = exchange.end()
    guard ending == .exited(0) else {
      throw Fault(description: "the bot did not end well: \(line)")
    }
    let bytes = Array(line.utf8)
    let told = try JSONValue(bytes.span)
    return (figures, told["frame_to_order_us"]?["p50"]?.text ?? "-")
  }
}
