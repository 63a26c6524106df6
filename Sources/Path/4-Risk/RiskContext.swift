public import MartletBase
public import MartletModel
public import MartletPortfolio

/// What Risk judges an intent by: values of one moment, the intents approved before it included.
public struct RiskContext: ~Copyable {
  public var now: Timestamp
  /// nil while it is unknown.
  public var instrument: Instrument?
  /// False while nothing may be placed whatever the instrument: not ready, paused, stopping. For an
  /// order that is what a halted market is: not now.
  public var isOpen = true
  /// Whether what only reduces inventory may be placed even so, in a pause or a halt: an operator's
  /// flatten.
  public var mayReduce = false
  public var reference: ReferencePrice?
  /// What the account may use of base and quote, working orders taken off; nil while unknown.
  public var freeBase: Amount?
  public var freeQuote: Amount?
  public var position: Position
  /// Of a contract: what the order would need and make of the account; nil of spot, and while the
  /// contract's terms or its leverage are not known.
  public var margin: MarginContext?
  /// Working orders of the account on the instrument, and what of their buys is to fill.
  public var workingOnInstrument: Int
  public var workingBuyLeaves: Quantity
  /// Working orders of the strategy, on all instruments.
  public var workingOfStrategy: Int

  public init(
    now: Timestamp, instrument: Instrument?, reference: ReferencePrice?, freeBase: Amount?,
    freeQuote: Amount?, position: Position, workingOnInstrument: Int,
    workingBuyLeaves: Quantity, workingOfStrategy: Int
  ) {
    self.now = now
    self.instrument = instrument
    self.reference = reference
    self.freeBase = freeBase
    self.freeQuote = freeQuote
    self.position = position
    self.workingOnInstrument = workingOnInstrument
    self.workingBuyLeaves = workingBuyLeaves
    self.workingOfStrategy = workingOfStrategy
  }
}

/// The price that an order's price is measured against.
@frozen public struct ReferencePrice: Equatable, Sendable, BitwiseCopyable {
  /// Twice the price, in quanta: a middle may lie between two. Positive.
  public let twiceQuanta: Int128

  /// The middle of a trusted book; nil when either is missing or not positive.
  @inlinable public init?(bid: Price?, ask: Price?) {
    guard let bid, let ask, bid.quanta > 0, ask.quanta > 0 else { return nil }
    twiceQuanta = Int128(bid.quanta) + Int128(ask.quanta)
  }

  /// The last price told; nil when it is not positive.
  @inlinable public init?(last: Price) {
    guard last.quanta > 0 else { return nil }
    twiceQuanta = Int128(last.quanta) * 2
  }
}
