import MartletBacktest
import MartletBase
import MartletLive
import MartletModel
import MartletSimulation
import MartletVenueKit
import Testing

/// A grid of three levels a side on a market made by hand.
struct GridBacktest {
  var market = HandmadeMarket()
  var options = BacktestOptions()
  var levels = 3
  var spacing = "50"

  static let instrument = Instrument(
    id: InstrumentID(0), venue: .whitebit, kind: .spot, symbol: "DBTC_DUSDT", base: "DBTC",
    quote: "DUSDT",
    scale: InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6)),
    rules: InstrumentRules(
      tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 10),
      minNotional: Amount(units: 5 * powerOfTen(Amount.places)), maxNotional: .zero,
      makerFee: Rate(units: 10_000_000), takerFee: Rate(units: 10_000_000), isTrading: true))

  init() {
    options.balances = [
      ("DBTC", Amount(units: 10 * powerOfTen(Amount.places))),
      ("DUSDT", Amount(units: 1_000_000 * powerOfTen(Amount.places))),
    ]
  }

  func plan() throws -> BotPlan {
    let text = """
      [bot]
      name = "grid"
      valuation = "DUSDT"
      [venue.whitebit]
      endpoint = "local"
      key = "env:GRID_KEY"
      [[strategy]]
      kind = "grid"
      market = "DBTC_DUSDT"
      levels = \(levels)
      spacing = "\(spacing)"
      amount = "0.001"
      """
    return try BotPlan(
      configurationText: Array(text.utf8), file: "grid.toml", seed: 1, build: "test")
  }

  func runWire() throws -> (result: BacktestResult, readyAfter: TimeSpan?) {
    var backtest = try WireBacktest(
      plan(), base: "DBTC", quote: "DUSDT", rows: market.rows,
      pricePlaces: HandmadeMarket.pricePlaces, quantityPlaces: HandmadeMarket.quantityPlaces,
      fees: (Rate(units: 10_000_000), Rate(units: 10_000_000)), options: options)
    let result = try backtest.run()
    return (result, backtest.readyAfter)
  }

  func run(_ rows: [MarketRow]? = nil) throws -> BacktestResult {
    let tape = try MemoryTape(
      rows ?? market.recording, pricePlaces: HandmadeMarket.pricePlaces,
      quantityPlaces: HandmadeMarket.quantityPlaces, scale: GridBacktest.instrument.scale)
    var backtest = try DirectBacktest(
      kernel: plan().makeDirectKernel(DirectSession(options.session), bookDepth: options.depth),
      markets: [
        BacktestMarket(
          instrument: GridBacktest.instrument, feePlaces: DecimalPlaces(8), tape: tape)
      ], options: options)
    return try backtest.run()
  }
}

@Suite struct DirectBacktestTests {
  @Test(
    "a grid rests, is filled by what trades through it, answers each fill, and its ledger is the exchange's"
  )
  func aGrid() throws {
    var grid = GridBacktest()
    grid.market.wait(.seconds(5))
    grid.market.sweep(to: 59_900, ask: 59_910)
    grid.market.wait(.seconds(5))
    grid.market.sweep(to: 60_000, ask: 60_010)
    grid.market.wait(.seconds(5))
    let result = try grid.run()
    #expect(result.fillCount > 0)
    #expect(result.isReconciled, "\(result.differences)")
    #expect(result.refusedByRisk == 0 && result.refusedByVenue == 0 && result.doubts == 0)
    #expect(result.halt == nil)
  }
}
