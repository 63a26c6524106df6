internal import MartletBase
public import MartletModel

/// What Risk says of an intent.
@frozen public enum RiskVerdict: Equatable, Sendable, BitwiseCopyable {
  case approved(Approved<OrderIntent>)
  case refused(RefusalReason, RiskNumbers)
}

/// The rules, in the order they are asked.
@frozen public enum RiskRule: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case halt = 0
  case instrument = 1
  case product = 2
  case priceGrid = 3
  case quantityGrid = 4
  case minQuantity = 5
  case minNotional = 6
  case maxNotional = 7
  case maxOrderNotional = 8
  case reference = 9
  case priceBand = 10
  case workingPerInstrument = 11
  case workingPerStrategy = 12
  case inventory = 13
  case balance = 14
  case orderRate = 15
  // Of contracts; they are asked where spot is asked for its balance.
  case leverage = 16
  case positionNotional = 17
  case positionContracts = 18
  case margin = 19
}

/// Which rule refused, with both of its numbers.
@frozen public struct RiskNumbers: Equatable, Sendable, BitwiseCopyable {
  /// What the numbers count.
  @frozen public enum Unit: UInt8, Sendable, BitwiseCopyable {
    /// There are none: the rule is not about a number.
    case none = 0
    case priceQuanta = 1
    case quantityQuanta = 2
    /// 10⁻²⁰ of the quote asset.
    case quoteAmount = 3
    /// 10⁻²⁰ of the base asset.
    case baseAmount = 4
    /// 10⁻¹⁰.
    case rate = 5
    case count = 6
    /// 10⁻²⁰ of the asset that a contract is settled in.
    case settlementAmount = 7
    /// 10⁻²⁰ of what the venue calls a contract.
    case contracts = 8
  }

  /// Names the verdict in the journal.
  public let verdict: UInt64
  public let rule: RiskRule
  public let unit: Unit
  /// What the rule allows: a step, a least or a most.
  public let limit: Int128
  /// What the intent would make it.
  public let found: Int128

  @inlinable public init(
    verdict: UInt64, rule: RiskRule, unit: Unit, limit: Int128, found: Int128
  ) {
    self.verdict = verdict
    self.rule = rule
    self.unit = unit
    self.limit = limit
    self.found = found
  }

  /// For a person: the rule, what was found, what is allowed.
  public func text(_ instrument: Instrument?) -> String {
    "\(rule): found \(text(found, instrument)), allowed \(text(limit, instrument))"
  }

  private func text(_ value: Int128, _ instrument: Instrument?) -> String {
    switch unit {
    case .none: return "-"
    case .priceQuanta:
      guard let instrument, let narrow = Int64(exactly: value) else { return "\(value) quanta" }
      return instrument.scale.text(Price(quanta: narrow))
    case .quantityQuanta:
      guard let instrument, let narrow = Int64(exactly: value) else { return "\(value) quanta" }
      return instrument.scale.text(Quantity(quanta: narrow))
    case .quoteAmount: return "\(Amount(units: value)) \(instrument?.quote.description ?? "")"
    case .baseAmount: return "\(Amount(units: value)) \(instrument?.base.description ?? "")"
    case .settlementAmount:
      return "\(Amount(units: value)) \(instrument?.settlement.description ?? "")"
    case .contracts: return "\(Amount(units: value)) contracts"
    case .rate:
      guard let narrow = Int64(exactly: value) else { return "\(value) × 10⁻¹⁰" }
      return Rate(units: narrow).description
    case .count: return "\(value)"
    }
  }
}
