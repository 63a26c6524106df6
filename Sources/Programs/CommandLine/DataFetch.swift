import MartletBase
import MartletClock
import MartletHistory
import MartletJSON
import MartletTransport

/// `data fetch`: candles over REST, closed ones alone, each once, resumable.
///
/// - Source: WhiteBIT docs, `GET /api/v1/public/kline` and `GET /api/v4/public/time`.
struct DataFetch {
  static let options: [Arguments.Option] = [
    .init("--endpoint", "URL", "fetch: the venue's REST address; default https://whitebit.com"),
    .init("--ca", "FILE", "fetch: certificates to trust instead of the system's"),
    .init("--since", "TIME", "fetch: 2026-11-21T00:00:00Z, or Unix seconds"),
    .init("--until", "TIME", "fetch: where to end; default now, by the venue's clock"),
  ]
  /// Candles asked for at once; the venue gives at most 1,440.
  private static let page: Int64 = 1_000
  private static let attempts = 6

  private let client: BlockingRESTClient
  private let market: String
  private let interval: String
  private let ledger: CandleLedger
  private let until: Timestamp?
  private let output: String

  static func run(
    _ arguments: Arguments, asJSON: Bool
  ) throws(Arguments.Misuse) -> ExitCode {
    guard let market = arguments.last("--symbol") else {
      throw Arguments.Misuse(message: "--symbol: expected the market, as BTC_USDT")
    }
    guard let output = arguments.last("--out") else {
      throw Arguments.Misuse(message: "--out: expected the file to make")
    }
    let name = arguments.last("--interval") ?? "1m"
    guard let interval = HistoryFile.interval(name) else {
      throw Arguments.Misuse(
        message: "--interval: expected a span such as 1m, 1h or 1d, found “\(name)”")
    }
    guard let since = try time("--since", arguments) else {
      throw Arguments.Misuse(message: "--since: expected where to begin, as 2026-11-21T00:00:00Z")
    }
    let until = try time("--until", arguments)
    // The first candle that begins there or later.
    let width = interval.nanoseconds
    let start = Timestamp(nanoseconds: (since.nanoseconds + width - 1) / width * width)
    do {
      var configuration = RESTClient.Configuration()
      configuration.trust = TLSTrust(authorities: arguments.last("--ca"))
      let endpoint = try RESTEndpoint(
        arguments.last("--endpoint") ?? "https://whitebit.com", allowsPlain: true)
      let fetch = DataFetch(
        client: try BlockingRESTClient(endpoint, configuration: configuration), market: market,
        interval: name,
        ledger: try CandleLedger(
          for: output, subject: "whitebit,\(market)", interval: interval, since: start),
        until: until, output: output)
      return try fetch.run(asJSON: asJSON)
    } catch {
      Console.fail("data fetch: \(error)")
      return .failed
    }
  }

  private static func time(
    _ name: String, _ arguments: Arguments
  ) throws(Arguments.Misuse) -> Timestamp? {
    guard let text = arguments.last(name) else { return nil }
    guard let time = ExplainCommand.moment(text), time >= .zero else {
      throw Arguments.Misuse(
        message: "\(name): expected a time such as 2026-11-21T00:00:00Z, found “\(text)”")
    }
    return time
  }

  /// What a venue answered that is no candle.
  private struct Fault: Error, CustomStringConvertible { let description: String }

  private func run(asJSON: Bool) throws -> ExitCode {
    let width = ledger.interval
    var askedAgain = Timestamp(nanoseconds: -1)
    while true {
      // Asked before the candles are: what closed later may still have been forming in the answer.
      let now = try venueTime()
      let end = min(until ?? now, now)
      guard ledger.next + width <= end else { break }
      let last = min(
        ledger.next + TimeSpan(nanoseconds: width.nanoseconds * Self.page), end)
      let candles = try candles(from: ledger.next, to: last)
      var gap: Timestamp?
      var moved = false
      for candle in candles where candle.openTime + width <= end {
        switch try ledger.take(candle, venueTime: now) {
        case .taken: moved = true
        case .known, .forming: break
        case .gap: gap = candle.openTime
        }
        if gap != nil { break }
      }
      if moved { continue }
      // A hole is believed when the venue has shown it twice.
      guard askedAgain == ledger.next else {
        askedAgain = ledger.next
        continue
      }
      if gap == nil, last == end { break }
      try ledger.accept(gapBefore: gap ?? aligned(last))
    }
    try ledger.finish(
      output, venue: "whitebit", symbol: market, contract: .spot, intervalName: interval)
    report(asJSON: asJSON)
    return ledger.gaps.isEmpty ? .done : .failed
  }

  /// The last beginning of a candle that is not behind `time`.
  private func aligned(_ time: Timestamp) -> Timestamp {
    let count = (time - ledger.next).nanoseconds / ledger.interval.nanoseconds
    return ledger.next + TimeSpan(nanoseconds: max(count, 1) * ledger.interval.nanoseconds)
  }

  private func report(asJSON: Bool) {
    let missing = ledger.gaps.reduce(Int64(0)) { $0 + $1.count }
    if asJSON {
      let gaps = ledger.gaps.map { "{\"first\":\($0.first.seconds),\"count\":\($0.count)}" }
      var line = ByteBuffer(capacity: 256)
      var writer = JSONWriter()
      writer.string(text: output, into: &line)
      Console.out(
        "{\"file\":\(String(line.span)),\"candles\":\(ledger.count),\"resumed\":\(ledger.resumed),"
          + "\"missing\":\(missing),\"gaps\":[\(gaps.joined(separator: ","))]}\n")
    } else {
      Console.out(
        "\(output): \(ledger.count) closed candles of \(interval), \(ledger.resumed) of them from"
          + " before, \(missing) missing\n")
    }
    for gap in ledger.gaps {
      Console.fail(
        "data fetch: the venue has no \(gap.count) candle(s) from \(gap.first.seconds) on, asked"
          + " twice")
    }
  }

  private func venueTime() throws -> Timestamp {
    let body = try ask("/api/v4/public/time")
    guard let text = body["time"]?.text, let seconds = Int64(text), seconds > 0 else {
      throw Fault(description: "/api/v4/public/time: expected a time, found \(body)")
    }
    return Timestamp(nanoseconds: seconds * 1_000_000_000)
  }

  private func candles(from start: Timestamp, to end: Timestamp) throws -> [FetchedCandle] {
    let body = try ask(
      "/api/v1/public/kline?market=\(market)&interval=\(interval)&start=\(start.seconds)"
        + "&end=\(end.seconds)&limit=1440")
    guard case .array(let rows)? = body["result"] else {
      throw Fault(description: "/api/v1/public/kline: expected candles, found \(body)")
    }
    var candles: [FetchedCandle] = []
    for row in rows {
      // Time, open, close, high, low, volume: in the venue's own order.
      guard let time = row[0]?.text.flatMap({ Int64($0) }), let open = row[1]?.text,
        let close = row[2]?.text, let high = row[3]?.text, let low = row[4]?.text,
        let volume = row[5]?.text
      else { throw Fault(description: "/api/v1/public/kline: expected a candle, found \(row)") }
      candles.append(
        FetchedCandle(
          openTime: Timestamp(nanoseconds: time * 1_000_000_000), open: open, high: high, low: low,
          close: close, volume: volume))
    }
    return candles
  }

  /// Asks, and asks again when the way was lost or the venue was busy: nothing changes by it.
  private func ask(_ target: String) throws -> JSONValue {
    let bytes = Array(target.utf8)
    let nothing: [UInt8] = []
    var reason = ""
    for attempt in 0..<Self.attempts {
      if attempt > 0 { SystemClock.sleep(.milliseconds(250 << Int64(attempt))) }
      switch try client.perform(
        target: bytes.span, headers: RESTHeaders(), body: nothing.span, timeout: .seconds(10))
      {
      case .replied(200, _, let body): return try JSONValue(body.span)
      case .replied(let status, _, let body):
        reason = "HTTP \(status) \(String(decoding: body.prefix(200), as: UTF8.self))"
        guard status == 429 || status >= 500 else {
          throw Fault(description: "\(target): \(reason)")
        }
      case .failed(let fault): reason = "\(fault)"
      }
    }
    throw Fault(description: "\(target): \(reason), \(Self.attempts) times; run it again to go on")
  }
}
