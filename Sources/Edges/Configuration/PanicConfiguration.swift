public import MartletBase

/// What it takes to take a bot's orders off its venue: its name, the venue's address and the key. A file
/// that a run would refuse will do, as long as these are beyond doubt.
///
/// - Source: the file's form is in Docs/Commands.md.
public struct PanicConfiguration: Equatable, Sendable {
  public let name: String
  /// With standard values for what only a run needs.
  public let whitebit: BotConfiguration.Venue
  /// Those that can be read, each once, in the order of the strategies.
  public let markets: [InlineText]
  /// Whether some table of a strategy names none that can be read.
  public let lacksMarkets: Bool
  /// What a run would not take, a line each; none of it matters here.
  public let remarks: [String]

  /// - Parameter file: what messages call it.
  /// - Throws: `unreadable` and `problems` alone: what must be mended first, or done on the venue's page.
  public init(_ text: [UInt8], file: String) throws(ConfigurationFault) {
    let document: TOMLTable
    do throws(TOMLFault) { document = try TOMLTable(parsing: text.span) } catch {
      throw .problems([
        ConfigurationProblem(
          file: file, position: error.position, key: "",
          message:
            "\(error.message); from what is no TOML nobody can tell venue and key: mend this line,"
            + " or take the orders off on the venue's page")
      ])
    }
    let report = BotConfiguration.check(text, file: file)
    let log = ConfigurationLog(file: file)
    var root = TableReader(document, path: "", at: nil, log: log)
    var bot = root.table("bot")
    let name = bot.string("name", check: BotConfiguration.checkName)
    var venues = root.table("venue")
    var reader = venues.table("whitebit")
    // A default is a guess where a name may be mistyped, and a guess here is another venue.
    if report.fault != nil, !reader.has("endpoint") {
      reader.problem(
        "endpoint",
        "expected it to be named, as the file has other problems; one of "
          + BotConfiguration.Endpoint.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
    }
    let venue = BotConfiguration.readPanicVenue(&reader)
    guard let name, let venue, log.problems.isEmpty else { throw .problems(log.problems) }
    self.name = name
    whitebit = venue

    // What is wrong with these is in the report.
    let spare = ConfigurationLog(file: file)
    var rest = TableReader(document, path: "", at: nil, log: spare)
    var strategies = rest.tables("strategy")
    if strategies.isEmpty { strategies = [rest.table("strategy")] }
    var markets: [InlineText] = []
    var lacksMarkets = false
    for index in strategies.indices {
      let text = strategies[index].string("market", check: BotConfiguration.checkMarket)
      if let market = text.flatMap({ InlineText($0) }) {
        if !markets.contains(market) { markets.append(market) }
      } else {
        lacksMarkets = true
      }
    }
    self.markets = markets
    self.lacksMarkets = lacksMarkets
    remarks = report.problems.map(\.description) + report.refusals.map(\.description)
  }
}

extension BotConfiguration {
  /// Where the venue is and where the key; nil, or nonsense, when the reader's log has got a problem.
  /// Neither mode nor profile counts: whoever has set a bot back to paper may still have orders there.
  static func readPanicVenue(_ reader: inout TableReader) -> Venue? {
    let endpoint: Endpoint? = reader.choice("endpoint", default: .local)
    let key = reader.reference("key")
    let spotKey = key == nil ? reader.reference("spot_key") : nil
    let rest = readURL(
      "rest", schemes: ["https", "http"], default: standard(endpoint)?.rest, endpoint, .live,
      &reader)
    let authorities =
      endpoint == .local || endpoint == .custom ? readAuthorities(endpoint, rest, &reader) : nil
    let pins = reader.strings("pins", atMost: 16) {
      isDigest($0) ? nil : "the SHA-256 of a public key in base64, 44 characters"
    }
    guard let endpoint, let rest, let pins else { return nil }
    // No stream is opened; the address of one that is not needed is not asked for.
    return Venue(
      endpoint: endpoint, rest: rest, websocket: standard(endpoint)?.websocket ?? localWebSocket,
      authorities: authorities, pins: pins, key: key, spotKey: spotKey)
  }
}
