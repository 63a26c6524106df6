public import MartletBase

/// What is traded, and where.
@frozen public struct Instrument: Equatable, Sendable, BitwiseCopyable {
  /// What a quantity of this instrument is, and in what it is settled.
  @frozen public enum Kind: UInt8, Sendable, BitwiseCopyable {
    case spot = 0
    case linear = 1
    case inverse = 2
  }

  public let id: InstrumentID
  public let venue: VenueID
  public let kind: Kind
  /// The venue's own name, such as `DBTC_DUSDT`.
  public let symbol: InlineText
  public let base: InlineText
  public let quote: InlineText
  /// Fixed for the life of a journal.
  public let scale: InstrumentScale
  /// May change while we run.
  public var rules: InstrumentRules

  @inlinable public init(
    id: InstrumentID, venue: VenueID, kind: Kind, symbol: InlineText, base: InlineText,
    quote: InlineText, scale: InstrumentScale, rules: InstrumentRules
  ) {
    self.id = id
    self.venue = venue
    self.kind = kind
    self.symbol = symbol
    self.base = base
    self.quote = quote
    self.scale = scale
    self.rules = rules
  }
}

/// Which orders the venue accepts now. Checked by Risk before every order.
@frozen public struct InstrumentRules: Equatable, Sendable, BitwiseCopyable {
  /// Price quanta a tick; prices are whole ticks. At least 1.
  public var tickSize: Int64
  /// Quantity quanta a lot; quantities are whole lots. At least 1.
  public var lotStep: Int64
  public var minQuantity: Quantity
  /// Least price × quantity, in quote units; zero when there is none.
  public var minNotional: Amount
  /// Largest price × quantity, in quote units; zero when there is none.
  public var maxNotional: Amount
  public var makerFee: Rate
  public var takerFee: Rate
  /// False while the venue lists no trading in it.
  public var isTrading: Bool

  @inlinable public init(
    tickSize: Int64, lotStep: Int64, minQuantity: Quantity, minNotional: Amount,
    maxNotional: Amount, makerFee: Rate, takerFee: Rate, isTrading: Bool
  ) {
    self.tickSize = tickSize
    self.lotStep = lotStep
    self.minQuantity = minQuantity
    self.minNotional = minNotional
    self.maxNotional = maxNotional
    self.makerFee = makerFee
    self.takerFee = takerFee
    self.isTrading = isTrading
  }

  /// The largest whole number of lots in `quantity`, which is not negative.
  @inlinable public func roundedDown(_ quantity: Quantity) -> Quantity {
    Quantity(quanta: quantity.quanta - quantity.quanta % lotStep)
  }
}
