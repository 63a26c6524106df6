import MartletBase
import MartletModel
import Testing

@testable import MartletLive

/// What an operator reads when a flatten has ended.
@Suite struct FlattenWordsTests {
  static func rest(_ held: String, _ symbol: InlineText = "DBTC_DUSDT") throws -> FlattenWords.Rest
  {
    let instrument = Instrument(
      id: InstrumentID(0), venue: .whitebit, kind: .spot, symbol: symbol, base: "DBTC",
      quote: "DUSDT",
      scale: InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6)),
      rules: InstrumentRules(
        tickSize: 1, lotStep: 10, minQuantity: Quantity(quanta: 100),
        minNotional: try Amount("5.05"),
        maxNotional: .zero, makerFee: Rate(units: 0), takerFee: Rate(units: 0), isTrading: true))
    return FlattenWords.Rest(instrument: instrument, held: try Amount(held))
  }

  @Test func nothingLeftIsToldAsThat() throws {
    let text = FlattenWords.ended(isWhole: true, rests: [try Self.rest("0")], hindrance: "no")
    #expect(text == "flat and paused: no order of ours rests, and the inventory is as at the start")
  }

  @Test(arguments: [
    ("0.0000421", "0.0000421 DBTC more than at the start"),
    ("-0.00002", "0.00002 DBTC less than at the start"),
  ])
  func dustIsToldWithWhatTheLeastOrderWouldBe(held: String, words: String) throws {
    let text = FlattenWords.ended(
      isWhole: true, rests: [try Self.rest(held), try Self.rest("0")], hindrance: "no")
    #expect(
      text.contains(
        "less than the market's least order: \(words), at least 0.0001 DBTC and 5.05 DUSDT"))
    #expect(text.hasPrefix("flat and paused"))
  }

  @Test func whatWasGivenUpIsToldWithItsReason() throws {
    let text = FlattenWords.ended(
      isWhole: false, rests: [try Self.rest("0.25")], hindrance: "DBTC_DUSDT takes no orders")
    #expect(
      text
        == "not flat: given up after 60 s, as DBTC_DUSDT takes no orders; left: 0.25 DBTC more than at the"
        + " start; paused")
  }
}
