public import MartletBase
public import MartletModel

/// What the venue's market names tell.
///
/// - Source: WhiteBIT docs: `STOCK_MONEY` on spot and margin, `STOCK_PERP` for perpetuals, whose
///   money is USDT.
public enum Symbols {
  /// The assets of a market name; nil when it has no two parts.
  public static func assets(of market: InlineText) -> (stock: InlineText, money: InlineText)? {
    let parts = market.description.split(separator: "_", maxSplits: 1)
    guard parts.count == 2, let stock = InlineText(parts[0]), let money = InlineText(parts[1])
    else { return nil }
    return (stock, money)
  }

  public static func isPerpetual(_ market: InlineText) -> Bool {
    market.description.hasSuffix("_PERP")
  }
}

/// A market we were configured to watch: the venue's name for it and ours.
@frozen public struct WhiteBITSymbol: Hashable, Sendable, BitwiseCopyable {
  public let market: InlineText
  public let instrument: InstrumentID
  @inlinable public init(market: InlineText, instrument: InstrumentID) {
    self.market = market
    self.instrument = instrument
  }
}
