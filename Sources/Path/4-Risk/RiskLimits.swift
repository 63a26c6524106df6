public import MartletBase

/// How far a strategy may go, whatever it would like. Set by configuration for a whole run.
public struct RiskLimits: Equatable, Sendable {
  /// Largest price × quantity of one order, in quote units; nil for none but the venue's.
  public var maxOrderNotional: Amount?
  /// Most of the base asset that fills may add to what was there at the start, working buys
  /// included, in base units; nil for none. Of a contract the largest position either way, in the units
  /// that its quantity counts.
  public var maxInventory: Amount?
  /// The largest position in a contract, either way and working orders included: in value, in units of
  /// the settlement asset, and in what the venue calls contracts; nil for none but its margin table's.
  public var maxPositionNotional: Amount?
  public var maxPositionContracts: Amount?
  /// The most leverage that may be declared for a contract; nil for what its margin table allows.
  public var maxLeverage: Int?
  /// How far an order's price may be from the reference, as a share of the reference.
  public var priceBand: Rate
  /// Working orders of one account on one instrument.
  public var maxWorkingPerInstrument: Int
  public var maxWorkingPerStrategy: Int
  /// Approvals within any `orderWindow`; 1 ... 100,000.
  public var maxOrdersPerWindow: Int
  public var orderWindow: TimeSpan
  /// Whether the venue takes a buy's fee in quote, on top of its value. Otherwise it takes it from
  /// the base bought.
  public var isBuyFeeInQuote: Bool

  /// The defaults: 10 % of price band, 200 working orders, 400 approvals in 10 seconds, no limit on
  /// value, inventory or positions but the balance and the margin.
  public init(
    maxOrderNotional: Amount? = nil, maxInventory: Amount? = nil,
    priceBand: Rate = Rate(units: 1_000_000_000), maxWorkingPerInstrument: Int = 200,
    maxWorkingPerStrategy: Int = 200, maxOrdersPerWindow: Int = 400,
    orderWindow: TimeSpan = .seconds(10), isBuyFeeInQuote: Bool = false,
    maxPositionNotional: Amount? = nil, maxPositionContracts: Amount? = nil,
    maxLeverage: Int? = nil
  ) {
    self.maxOrderNotional = maxOrderNotional
    self.maxInventory = maxInventory
    self.priceBand = priceBand
    self.maxWorkingPerInstrument = maxWorkingPerInstrument
    self.maxWorkingPerStrategy = maxWorkingPerStrategy
    self.maxOrdersPerWindow = maxOrdersPerWindow
    self.orderWindow = orderWindow
    self.isBuyFeeInQuote = isBuyFeeInQuote
    self.maxPositionNotional = maxPositionNotional
    self.maxPositionContracts = maxPositionContracts
    self.maxLeverage = maxLeverage
  }
}
