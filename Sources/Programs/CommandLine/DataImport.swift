import MartletHistory

/// `data import`: what the words and the files' names say, and the work.
enum DataImport {
  static func plan(
    _ arguments: Arguments, _ files: [String]
  ) throws(Arguments.Misuse) -> HistoryImport {
    let told = NameFacts(files[0])
    guard let output = arguments.last("--out") else {
      throw Arguments.Misuse(message: "--out: expected the file to make")
    }
    guard let sourceName = arguments.last("--from") ?? told.source?.rawValue else {
      throw Arguments.Misuse(message: "--from: expected binance or tardis, the name does not tell")
    }
    guard let source = DumpSource(rawValue: sourceName) else {
      throw Arguments.Misuse(message: "--from: expected binance or tardis, found “\(sourceName)”")
    }
    let kinds = DumpKind.all(of: source).map(\.rawValue)
    guard let kindName = arguments.last("--kind") ?? told.kind?.rawValue else {
      throw Arguments.Misuse(
        message: "--kind: expected one of \(kinds.joined(separator: ", ")), the name does not tell")
    }
    guard kinds.contains(kindName), let kind = DumpKind(rawValue: kindName) else {
      throw Arguments.Misuse(
        message: "--kind: expected one of \(kinds.joined(separator: ", ")), found “\(kindName)”")
    }
    guard let venue = arguments.last("--venue") ?? told.venue else {
      throw Arguments.Misuse(
        message: "--venue: expected the venue, as binance-spot, binance-usdm or binance-coinm")
    }
    guard let symbol = arguments.last("--symbol") ?? told.symbol else {
      throw Arguments.Misuse(message: "--symbol: expected the symbol, the name does not tell")
    }
    guard let contract = try contract(arguments, venue) else {
      throw Arguments.Misuse(
        message: "--contract: expected spot, linear_perp, inverse_perp or future")
    }
    let interval = arguments.last("--interval") ?? told.interval
    if kind.schema.isOfSpans {
      guard let interval, HistoryFile.interval(interval) != nil else {
        throw Arguments.Misuse(
          message: "--interval: expected a span such as 1min, 1h or 1d, found “\(interval ?? "")”")
      }
    }
    var plan = HistoryImport(
      source, kind, from: files, to: output, venue: venue, symbol: symbol, contract: contract,
      interval: kind.schema.isOfSpans ? interval : nil)
    for (name, value) in arguments.given where name == "--places" {
      let parts = value.split(separator: "=").map(String.init)
      guard parts.count == 2, let grid = HistoryColumn.Grid(rawValue: parts[0]),
        let count = Int(parts[1]), (0...18).contains(count)
      else {
        throw Arguments.Misuse(
          message: "--places: expected price=N, quantity=N or rate=N, 0 … 18, found “\(value)”")
      }
      plan.places[grid] = count
    }
    switch arguments.last("--pack") ?? "lz4" {
    case "lz4": plan.compression = .lz4
    case "zstd": plan.compression = .zstd
    case "none": plan.compression = .none
    case let other:
      throw Arguments.Misuse(message: "--pack: expected lz4, zstd or none, found “\(other)”")
    }
    return plan
  }

  static func run(_ plan: HistoryImport, asJSON: Bool) -> ExitCode {
    do throws(HistoryFault) {
      let outcome = try plan.run()
      if asJSON {
        Console.out(DataReport.imported(plan, outcome))
      } else {
        Console.out(
          "\(plan.output): \(outcome.rows) rows of \(plan.kind.schema.name), decimals of price"
            + " \(outcome.pricePlaces), quantity \(outcome.quantityPlaces), rate"
            + " \(outcome.ratePlaces); times step back \(outcome.stepsBack) times\n")
      }
      return .done
    } catch {
      if asJSON { Console.out(DataReport.fault(plan.inputs[0], error)) }
      Console.fail("data import: \(error)")
      return .failed
    }
  }

  private static func contract(
    _ arguments: Arguments, _ venue: String
  ) throws(Arguments.Misuse) -> HistoryFile.Contract? {
    if let text = arguments.last("--contract") {
      guard !text.isEmpty, let contract = HistoryFile.Contract(rawValue: text) else {
        throw Arguments.Misuse(
          message:
            "--contract: expected spot, linear_perp, inverse_perp or future, found “\(text)”")
      }
      return contract
    }
    if venue.hasSuffix("-spot") { return .spot }
    if venue.hasSuffix("-usdm") { return .linearPerpetual }
    if venue.hasSuffix("-coinm") { return .inversePerpetual }
    return nil
  }
}

/// What a dump's name says, as its publisher names them: `BTCUSDT-aggTrades-2024-01-01.zip`,
/// `BTCUSDT-1m-2024-01.zip`, `binance-futures_trades_2024-01-01_BTCUSDT.csv.gz`.
struct NameFacts {
  private(set) var source: DumpSource?
  private(set) var kind: DumpKind?
  private(set) var venue: String?
  private(set) var symbol: String?
  private(set) var interval: String?

  init(_ path: String) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    for kind in DumpKind.all(of: .tardis) {
      // The kind may have underscores of its own, so it is looked for as a whole.
      guard let range = Self.find("_\(kind.rawValue)_", in: name) else { continue }
      let rest = name[range.upperBound...].split(separator: "_", maxSplits: 1)
      guard rest.count == 2, rest[0].count == 10 else { continue }
      source = .tardis
      self.kind = kind
      venue = String(name[..<range.lowerBound])
      symbol = rest[1].split(separator: ".").first.map(String.init)
      return
    }
    let parts = name.split(separator: "-").map(String.init)
    guard parts.count >= 4, Int(parts[2].prefix(4)) != nil else { return }
    if let kind = DumpKind(rawValue: parts[1]), DumpKind.all(of: .binance).contains(kind) {
      self.kind = kind
    } else if HistoryFile.interval(parts[1]) != nil {
      // Names of index and mark candles are the same: nothing but their folders tells them apart.
      kind = .klines
      interval = parts[1]
    } else {
      return
    }
    source = .binance
    symbol = parts[0]
  }

  private static func find(_ word: String, in text: String) -> Range<String.Index>? {
    var start = text.startIndex
    while start < text.endIndex {
      if text[start...].hasPrefix(word) {
        return start..<text.index(start, offsetBy: word.count)
      }
      start = text.index(after: start)
    }
    return nil
  }
}
