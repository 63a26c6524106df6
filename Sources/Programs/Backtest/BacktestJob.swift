public import MartletBase
public import MartletHistory
public import MartletLive
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITDesk

/// One backtest of a bot's plan on one recording, in either fidelity.
public struct BacktestJob {
  private let plan: BotPlan
  private let recording: Recording
  private let file: String
  private let fees: (maker: Rate, taker: Rate)
  private var options: BacktestOptions

  /// - Parameters:
  ///   - plan: of one market, whose name says the base and the quote, as `BTC_USDT` does.
  ///   - file: what messages call the recording.
  ///   - options: where they name no money, each market's assets get enough for any grid.
  public init(
    _ plan: BotPlan, _ recording: Recording, file: String, fees: (maker: Rate, taker: Rate),
    _ options: BacktestOptions
  ) {
    self.plan = plan
    self.recording = recording
    self.file = file
    self.fees = fees
    self.options = options
  }

  public func direct() throws -> BacktestResult {
    let instruments = try instruments()
    var options = options
    if options.balances.isEmpty { options.balances = BacktestJob.enough(for: instruments) }
    let markets = try instruments.map { instrument in
      BacktestMarket(
        instrument: instrument, feePlaces: DecimalPlaces(8),
        tape: try MemoryTape(
          recording.rows, pricePlaces: recording.pricePlaces,
          quantityPlaces: recording.quantityPlaces, scale: instrument.scale))
    }
    var backtest = try DirectBacktest(
      kernel: plan.makeDirectKernel(DirectSession(options.session), bookDepth: options.depth),
      markets: markets, options: options)
    var result = try backtest.run()
    result.assumptions.insert(coverage, at: 0)
    return result
  }

  public func wire() throws -> BacktestResult {
    let instruments = try instruments()
    guard let instrument = instruments.first, instruments.count == 1 else {
      throw BacktestFault(
        "fidelity wire replays one market and the configuration trades \(instruments.count); use direct"
      )
    }
    var options = options
    if options.balances.isEmpty { options.balances = BacktestJob.enough(for: instruments) }
    guard options.depth == 20 else {
      throw BacktestFault(
        "fidelity wire subscribes to 20 levels, as the bot does live; leave --depth out")
    }
    var backtest = try WireBacktest(
      plan, base: instrument.base, quote: instrument.quote, rows: recording.rows,
      pricePlaces: recording.pricePlaces, quantityPlaces: recording.quantityPlaces,
      fees: fees, options: options)
    var result = try backtest.run()
    result.assumptions.insert(coverage, at: 0)
    return result
  }

  private var coverage: String {
    "data: \(file): \(recording.venue) \(recording.symbol), \(recording.rows.count) rows in"
      + " \(recording.frames.count) messages; \(recording.license), from \(recording.source)"
  }

  private func instruments() throws(BacktestFault) -> [Instrument] {
    var found: [Instrument] = []
    for symbol in plan.symbols {
      let parts = "\(symbol)".split(separator: "_").compactMap { InlineText(String($0)) }
      guard parts.count == 2 else {
        throw BacktestFault("market \(symbol): expected the base and the quote, as in BTC_USDT")
      }
      found.append(
        Instrument(
          id: InstrumentID(UInt16(found.count)), venue: .whitebit, kind: .spot, symbol: symbol,
          base: parts[0], quote: parts[1],
          // As the local exchange lists bitcoin.
          scale: InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6)),
          rules: InstrumentRules(
            tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 10),
            minNotional: Amount(units: 5 * powerOfTen(Amount.places)), maxNotional: .zero,
            makerFee: fees.maker, takerFee: fees.taker, isTrading: true)))
    }
    return found
  }

  /// Ten whole units of each base and a million of each quote.
  private static func enough(for instruments: [Instrument]) -> [(asset: String, amount: Amount)] {
    var balances: [(asset: String, amount: Amount)] = []
    for instrument in instruments {
      for (asset, count) in [(instrument.base, Int128(10)), (instrument.quote, 1_000_000)]
      where !balances.contains(where: { $0.asset == "\(asset)" }) {
        balances.append(("\(asset)", Amount(units: count * powerOfTen(Amount.places))))
      }
    }
    return balances
  }
}
