import MartletBase
import MartletConfiguration
import MartletModel
import Testing

@testable import MartletLive

/// Whether the trade balance is enough for one order at least, before anything is placed.
@Suite struct MarketFitTests {
  static func instrument(_ minNotional: String = "5") throws -> Instrument {
    Instrument(
      id: InstrumentID(0), venue: .whitebit, kind: .spot, symbol: "DBTC_DUSDT", base: "DBTC",
      quote: "DUSDT", scale: InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6)),
      rules: InstrumentRules(
        tickSize: 1, lotStep: 10, minQuantity: Quantity(quanta: 100),
        minNotional: try Amount(minNotional), maxNotional: .zero, makerFee: .zero, takerFee: .zero,
        isTrading: true))
  }

  static func lack(
    base: String, quote: String, last: Int64? = 60_000_00, levels: Int = 10, spacing: String = "50",
    amount: String = "0.001", band: Rate = Rate(units: 1_000_000_000), minNotional: String = "5"
  ) throws -> (text: String, isEmpty: Bool)? {
    MarketFit.lack(
      of: BotConfiguration.Grid(
        venue: "whitebit", market: "DBTC_DUSDT", levels: levels, spacing: try Amount(spacing),
        amount: try Amount(amount)), try instrument(minNotional),
      lastPrice: last.map { Price(quanta: $0) }, band: band, base: try Amount(base),
      quote: try Amount(quote))
  }

  @Test("M40: a balance is enough from exactly what the smallest order of a side needs")
  func theEdge() throws {
    // Ten levels of 50 below 60,000: the cheapest buys 0.001 at 59,500.
    #expect(try Self.lack(base: "0.001", quote: "59.5") == nil)
    let both = try #require(try Self.lack(base: "0.00099", quote: "59.49"))
    #expect(both.isEmpty)
    for words in [
      "has 59.49 DUSDT to buy with and 0.00099 DBTC to sell", "needs 59.5 DUSDT, at 59500",
      "needs 0.001 DBTC", "Main to Trade", "0.0001 DBTC and 5 DUSDT",
    ] {
      #expect(both.text.contains(words), "\(both.text)")
    }
    let sells = try #require(try Self.lack(base: "0.00099", quote: "59.5"))
    #expect(
      !sells.isEmpty && sells.text.contains("has 0.00099 DBTC") && !sells.text.contains("buy"))
    let buys = try #require(try Self.lack(base: "0.001", quote: "59.49"))
    #expect(!buys.isEmpty && buys.text.contains("has 59.49 DUSDT"))
  }

  @Test("M40: the smallest order is one that the market and the price band let through")
  func theSmallestOrder() throws {
    // Hundred levels of 500 reach below zero; within a tenth of the price the lowest is at 54,000.
    let wide = try #require(try Self.lack(base: "0", quote: "53", levels: 100, spacing: "500"))
    #expect(wide.text.contains("needs 54 DUSDT, at 54000"), "\(wide.text)")
    // Below 57,500 a level is worth less than the market takes.
    let least = try #require(
      try Self.lack(base: "0", quote: "53", levels: 100, spacing: "500", minNotional: "57.4"))
    #expect(least.text.contains("needs 57.5 DUSDT, at 57500"), "\(least.text)")
    // The venue told no price: at least what it takes at all.
    let blind = try #require(try Self.lack(base: "0", quote: "4.99", last: nil))
    #expect(blind.isEmpty && blind.text.contains("needs 5 DUSDT"))
    #expect(try Self.lack(base: "0.001", quote: "5", last: nil) == nil)
  }

  @Test("M40: nothing at all is too little, whatever the market takes")
  func nothing() throws {
    #expect(try #require(try Self.lack(base: "0", quote: "0")).isEmpty)
    #expect(try #require(try Self.lack(base: "0", quote: "0", last: nil, minNotional: "0")).isEmpty)
  }
}
