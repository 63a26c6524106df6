import MartletBase
import MartletHistory

/// `data inspect|check|import FILE…`, `data fetch`
enum DataCommand {
  static let command = Command(
    name: "data", usage: "inspect|check|import FILE…, data fetch …",
    does: """
      inspect  shows what Parquet files hold: schema, metadata, row groups, times
      check    walks them and tells gaps, wrong order, crossed books, broken chains of updates,
               candles and funding that cannot be; ends with 1 when something was found
      import   turns published CSV, plain, gzip or zip, into one Parquet file
      fetch    downloads closed candles over REST; run again, it goes on where it was cut short
      """,
    options: [
      .init("--json", nil, "one object a file on standard output"),
      .init("--silence", "TIME", "check: a longer time without a row is a finding, as 60s"),
      .init("--from", "NAME", "import: binance or tardis; otherwise as the file's name tells"),
      .init("--kind", "KIND", "import: as the publisher calls it, such as aggTrades"),
      .init("--venue", "NAME", "import: as binance-usdm"),
      .init("--symbol", "NAME", "import, fetch: as BTCUSDT; as BTC_USDT"),
      .init("--contract", "TYPE", "import: spot, linear_perp, inverse_perp or future"),
      .init("--interval", "SPAN", "import, fetch: of candles, as 1min"),
      .init("--places", "GRID=N", "import: decimals of price, quantity or rate; may repeat"),
      .init("--pack", "WAY", "import: lz4 (default, read fastest), zstd or none"),
      .init("--out", "FILE", "import, fetch: the file to make"),
    ] + DataFetch.options,
    positional: 1...1_000,
    example:
      "./martlet data check Fixtures/History/binance-usdm_BTCUSDT_20230404T2358_mark.parquet",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let files = Array(arguments.positional.dropFirst())
    let verb = arguments.positional[0]
    let taken = [
      "inspect": ["--json"], "check": ["--json", "--silence"],
      "import": [
        "--json", "--from", "--kind", "--venue", "--symbol", "--contract", "--interval", "--places",
        "--pack", "--out",
      ],
      "fetch": ["--json", "--symbol", "--interval", "--out"] + DataFetch.options.map(\.name),
    ]
    guard let known = taken[verb] else {
      throw Arguments.Misuse(message: "expected inspect, check, import or fetch, found “\(verb)”")
    }
    if let other = arguments.given.first(where: { !known.contains($0.name) }) {
      throw Arguments.Misuse(
        message: "\(verb) takes \(known.joined(separator: ", ")), not \(other.name)")
    }
    let asJSON = arguments.has("--json")
    guard files.isEmpty == (verb == "fetch") else {
      throw Arguments.Misuse(
        message: files.isEmpty ? "\(verb): expected a file" : "fetch takes no “\(files[0])”")
    }
    if verb == "fetch" { return try DataFetch.run(arguments, asJSON: asJSON) }
    if verb == "import" {
      let plan = try DataImport.plan(arguments, files)
      return DataImport.run(plan, asJSON: asJSON)
    }
    let silence = try arguments.duration("--silence").map { TimeSpan.milliseconds($0) }
    var code = ExitCode.done
    for file in files {
      do throws(HistoryFault) {
        if verb == "inspect" {
          Console.out(try DataReport.inspect(file, asJSON: asJSON))
        } else {
          let found = try HistoryCheck.run(HistoryFile(path: file), silence: silence)
          Console.out(DataReport.check(file, found, asJSON: asJSON))
          if !found.isSound { code = .failed }
        }
      } catch {
        if asJSON { Console.out(DataReport.fault(file, error)) }
        Console.fail("data \(verb): \(error)")
        code = .failed
      }
    }
    return code
  }
}
