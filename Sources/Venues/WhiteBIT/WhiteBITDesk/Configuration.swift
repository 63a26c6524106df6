public import MartletBase
public import MartletExchange
public import MartletModel
public import WhiteBITWire

/// How the desk behaves where the venue's documentation leaves it open, and how large it may grow.
public struct WhiteBITDeskConfiguration: Sendable {
  /// The exchange's clock at its opening.
  public var start: Timestamp
  /// Chance: the steps of update ids, socket tokens.
  public var seed: UInt64
  public var firstOrderID: UInt64 = 2_400_000_000_001
  public var firstTradeID: UInt64 = 22_000_000_001
  public var firstUpdateID: UInt64 = 22_000_000_000
  /// Between a request's arrival and its execution.
  public var requestLatency = TimeSpan.zero
  public var publishInterval = TimeSpan.milliseconds(100)
  /// After this long without a depth frame a subscription gets its book whole.
  public var keepaliveInterval = TimeSpan.seconds(10)
  /// A stream is dropped this long after its client's last message.
  public var idleLimit = TimeSpan.seconds(60)
  /// How far a windowed nonce may be from the exchange's clock.
  public var nonceWindow = TimeSpan.seconds(5)
  public var tokenLifetime = TimeSpan.seconds(300)
  /// Socket tokens a key may ask for in `tokenPeriod`.
  public var tokenQuota = 10
  public var tokenPeriod = TimeSpan.seconds(60)
  /// Messages a stream may send in a minute; nil for any number, as since 2026-09.
  public var messagesPerMinute: Int?
  /// What the gateway lets a key ask, or, of public calls, everybody together; none by default. A
  /// request counts where its path fits first.
  public var quotas: [WhiteBITDeskQuota] = []
  /// Rounds of the recording that count as having been before the opening: candles, tape, ticker.
  public var roundsBefore = 0
  // Bounds.
  public var maximumKeys = 256
  public var maximumConnections = 256
  public var maximumTokens = 1_000
  /// Requests on their way in; the gateway turns away what is more.
  public var maximumDelayed = 10_000
  /// Nonces remembered of a key: more than a key may use while one can come again.
  public var maximumNonces = 1 << 15

  public init(start: Timestamp, seed: UInt64) {
    self.start = start
    self.seed = seed
  }
}

/// So many requests of some paths within any `window`; one more is refused by the gateway, unread.
public struct WhiteBITDeskQuota: Equatable, Sendable {
  /// What the paths begin with, such as `/api/v4/order/`.
  public var paths: [String]
  public var limit: Int
  public var window: TimeSpan
  public init(_ paths: String..., limit: Int, in window: TimeSpan) {
    self.paths = paths
    self.limit = limit
    self.window = window
  }
}

/// A market the desk lists, and the recording around it.
public struct WhiteBITMarketSetup: Sendable {
  public var listing: MarketListing
  /// Empty for a market of its clients alone.
  public var rows: [MarketRow]
  public var pricePlaces: DecimalPlaces
  public var quantityPlaces: DecimalPlaces
  /// 1,000 is the recording's own pace.
  public var speedThousandths: Int64

  public init(
    listing: MarketListing, rows: [MarketRow] = [], pricePlaces: DecimalPlaces = DecimalPlaces(0),
    quantityPlaces: DecimalPlaces = DecimalPlaces(0), speedThousandths: Int64 = 1_000
  ) {
    self.listing = listing
    self.rows = rows
    self.pricePlaces = pricePlaces
    self.quantityPlaces = quantityPlaces
    self.speedThousandths = speedThousandths
  }

  /// The demo market and its model, both around one recording of bitcoin against dollars.
  ///
  /// - Parameter more: further markets around the same recording: name, stock and money.
  public static func bitcoin(
    rows: [MarketRow], pricePlaces: DecimalPlaces, quantityPlaces: DecimalPlaces,
    speedThousandths: Int64 = 1_000,
    more: [(name: InlineText, stock: InlineText, money: InlineText)] = []
  ) -> [WhiteBITMarketSetup] {
    // What the venue lists for DBTC_DUSDT is not established; these are BTC_USDT's kind of values.
    let own: [(InlineText, InlineText, InlineText)] = [
      ("DBTC_DUSDT", "DBTC", "DUSDT"), ("BTC_USDT", "BTC", "USDT"),
    ]
    return (own + more).map { name, stock, money in
      WhiteBITMarketSetup(
        listing: .bitcoin(name: name, stock: stock, money: money), rows: rows,
        pricePlaces: pricePlaces, quantityPlaces: quantityPlaces,
        speedThousandths: speedThousandths)
    }
  }
}

extension MarketListing {
  /// Amounts of 0.000001, prices of 0.01, fees of 0.1 percent, nothing under 5.
  public static func bitcoin(
    name: InlineText, stock: InlineText, money: InlineText
  ) -> MarketListing {
    MarketListing(
      name: name, stock: stock, money: money, stockPrecision: 6, moneyPrecision: 2,
      feePrecision: 8, makerFee: Rate(units: 10_000_000), takerFee: Rate(units: 10_000_000),
      minAmount: Amount(units: powerOfTen(Amount.places - 5)),
      minTotal: Amount(units: 5 * powerOfTen(Amount.places)))
  }
}

/// Why a market cannot be opened.
public enum WhiteBITSetupFault: Error, Equatable, Sendable {
  case listing(market: InlineText, Grid.Fault)
  case recording(market: InlineText, OutsideMarket.Fault)
  case unknownMarket(InlineText)
}

extension WhiteBITMarketSetup {
  func make(
    _ index: UInt16, _ configuration: WhiteBITDeskConfiguration
  ) throws(WhiteBITSetupFault) -> (Listing, DeskMarket) {
    // The venue's own grid, without the spare decimals a session keeps: the ladder counts in ticks.
    let scale = InstrumentScale(
      price: DecimalPlaces(listing.moneyPrecision),
      quantity: DecimalPlaces(listing.stockPrecision))
    let instrument: Instrument
    do throws(Grid.Fault) {
      instrument = try Grid.instrument(InstrumentID(index), from: listing, fixed: scale)
    } catch { throw .listing(market: listing.name, error) }
    var market = DeskMarket(
      listing: listing, instrument: instrument, updateID: configuration.firstUpdateID,
      openedAt: configuration.start)
    var outside: OutsideMarket?
    if !rows.isEmpty {
      do throws(OutsideMarket.Fault) {
        let feed = try OutsideMarket(
          rows: rows, pricePlaces: pricePlaces, quantityPlaces: quantityPlaces, scale: scale,
          start: configuration.start, speedThousandths: speedThousandths)
        outside = feed
        for round in stride(from: configuration.roundsBefore, to: 0, by: -1) {
          feed.forEachTrade(roundsBefore: round) { market.remember($0) }
        }
        market.numberTape(before: configuration.firstTradeID)
      } catch { throw .recording(market: listing.name, error) }
    }
    return (
      Listing(
        instrument: instrument, fees: FeePolicy(places: DecimalPlaces(listing.feePrecision)),
        outside: outside), market
    )
  }
}
