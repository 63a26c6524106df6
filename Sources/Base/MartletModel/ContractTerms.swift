public import MartletBase

/// What a contract is beyond an instrument: its size, its margin table, its funding.
///
/// It stands beside `Instrument` and not in it: instruments travel by value in every event and note, and a
/// spot bot shall not carry margin tables around.
///
/// Amounts are of the settlement asset and on its grid of 10⁻²⁰. What does not come out even is rounded
/// against the position: margins up, what funding brings down.
public struct ContractTerms: Equatable, Sendable {
  /// Brackets a contract may have; venues list some thirty.
  public static let mostBrackets = 64

  /// Why terms make no contract.
  public enum Fault: Error, Equatable, Sendable {
    case notAContract(symbol: InlineText)
    case contractSize(Amount)
    case fundingInterval(TimeSpan)
    case liquidationFee(Rate)
    case brackets(count: Int)
    /// A bracket that does not rise from the one before it: by value, by maintenance, or in that its
    /// leverage is no less; or one whose first loss at full leverage would be a liquidation.
    case bracket(Int)
    /// A bracket's bound times a rate is finer than 10⁻²⁰, so that maintenance would jump there.
    case inexact(Int)
  }

  /// The instrument as it was when the terms were told: kind, scale and assets never change.
  public let instrument: Instrument
  /// What the venue counts as one contract, in base units, of an inverse contract in quote units. One
  /// where the venue counts those units themselves.
  public let contractSize: Amount
  /// Between two payments of funding, counted from the epoch; zero for a contract without.
  public let fundingInterval: TimeSpan
  /// What the venue takes of the value of a position that it liquidates.
  public let liquidationFee: Rate
  /// By value, the smallest first. A position beyond the last is of the last.
  public let brackets: [MarginBracket]
  /// By bracket: what the rate on the whole value takes too much, because the brackets before have lower
  /// rates. Exact.
  let deductions: [Amount]

  public init(
    of instrument: Instrument, contractSize: Amount = Amount(units: powerOfTen(Amount.places)),
    fundingInterval: TimeSpan = .seconds(28_800), liquidationFee: Rate = .zero,
    brackets: [MarginBracket]
  ) throws(Fault) {
    guard instrument.isContract else { throw .notAContract(symbol: instrument.symbol) }
    guard contractSize > .zero else { throw .contractSize(contractSize) }
    guard fundingInterval >= .zero else { throw .fundingInterval(fundingInterval) }
    let one = powerOfTen(Rate.places)
    guard liquidationFee >= .zero, Int128(liquidationFee.units) < one else {
      throw .liquidationFee(liquidationFee)
    }
    guard (1...ContractTerms.mostBrackets).contains(brackets.count) else {
      throw .brackets(count: brackets.count)
    }
    var deductions = [Amount.zero]
    for (index, bracket) in brackets.enumerated() {
      // Maintenance below the initial margin, or the first order at full leverage is liquidated at once.
      guard bracket.upTo > .zero, bracket.maxLeverage >= 1, bracket.maintenance > .zero,
        Int128(bracket.maintenance.units) * Int128(bracket.maxLeverage) <= one
      else { throw .bracket(index) }
      guard index > 0 else { continue }
      let before = brackets[index - 1]
      guard bracket.upTo > before.upTo, bracket.maxLeverage <= before.maxLeverage,
        bracket.maintenance >= before.maintenance
      else { throw .bracket(index) }
      let step = Rate(units: bracket.maintenance.units - before.maintenance.units)
      let more = step.of(before.upTo, rounded: .down)
      guard more == step.of(before.upTo, rounded: .up) else { throw .inexact(index) }
      deductions.append(deductions[index - 1] + more)
    }
    self.instrument = instrument
    self.contractSize = contractSize
    self.fundingInterval = fundingInterval
    self.liquidationFee = liquidationFee
    self.brackets = brackets
    self.deductions = deductions
  }

  public var settlement: InlineText { instrument.settlement }

  /// The bracket of a position worth `value`: the first that reaches it, else the last.
  public func bracket(of value: Amount) -> MarginBracket { brackets[index(of: value)] }

  /// The largest value of a position that may have `leverage`; nil when none may.
  public func mostValue(at leverage: Int) -> Amount? {
    brackets.last { $0.maxLeverage >= leverage }?.upTo
  }

  func index(of value: Amount) -> Int {
    var index = 0
    while index < brackets.count - 1 && value > brackets[index].upTo { index += 1 }
    return index
  }
}

extension ContractTerms.Fault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notAContract(let symbol):
      "\(symbol) is a spot market; expected a linear or inverse contract"
    case .contractSize(let size): "contract size \(size); expected more than zero"
    case .fundingInterval(let span):
      "funding every \(span.milliseconds) ms; expected zero or more"
    case .liquidationFee(let rate): "liquidation fee \(rate); expected 0 up to under 1"
    case .brackets(let count):
      "\(count) margin brackets; expected 1 to \(ContractTerms.mostBrackets)"
    case .bracket(let index):
      "margin bracket \(index + 1): expected a larger value, no more leverage and no less maintenance than"
        + " the one before, and maintenance × leverage of at most 1"
    case .inexact(let index):
      "margin bracket \(index + 1): its maintenance does not meet the one before on 20 decimals"
    }
  }
}
