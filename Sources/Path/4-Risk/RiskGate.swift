public import MartletBase
@_spi(Risk) public import MartletModel
internal import MartletPortfolio

/// The only door from an intent to an order. What it does not approve cannot be sent: nobody else
/// can make an `Approved`.
///
/// Cancels never come here.
public struct RiskGate: ~Copyable, Sendable {
  /// Why and when trading stopped.
  public struct Halt: Equatable, Sendable, BitwiseCopyable {
    public let reason: HaltReason
    public let at: Timestamp
  }

  public let limits: RiskLimits
  /// Set while no order may be placed.
  public internal(set) var halt: Halt?
  /// Who ended the last halt, and when.
  public internal(set) var rearmedBy = InlineText()
  public internal(set) var rearmedAt = Timestamp.zero
  /// Verdicts given, which number them from 1.
  public internal(set) var verdicts: UInt64 = 0
  public internal(set) var approvals: UInt64 = 0
  var refusals = InlineArray<20, UInt64>(repeating: 0)
  var rate: OrderRate

  public init(limits: RiskLimits) {
    precondition(
      limits.priceBand >= .zero && limits.maxWorkingPerInstrument >= 0
        && limits.maxWorkingPerStrategy >= 0, "risk limits \(limits)")
    self.limits = limits
    rate = OrderRate(limit: limits.maxOrdersPerWindow, window: limits.orderWindow)
  }

  /// Approvals that count towards the limit of `orderWindow` at `now`.
  public func approvalsInWindow(at now: Timestamp) -> Int { rate.count(at: now) }

  /// Intents refused by one rule so far.
  public func refused(by rule: RiskRule) -> UInt64 { refusals[Int(rule.rawValue)] }

  /// Stops all placing. The first reason stays until it is ended.
  public mutating func halt(_ reason: HaltReason, at now: Timestamp) {
    if halt == nil { halt = Halt(reason: reason, at: now) }
  }

  /// Ends a halt, which only a person does.
  ///
  /// - Parameter operatorName: who; empty is nobody.
  /// - Returns: false when nobody is named or nothing is halted.
  @discardableResult public mutating func rearm(
    by operatorName: InlineText, at now: Timestamp
  ) -> Bool {
    guard halt != nil && !operatorName.isEmpty else { return false }
    halt = nil
    rearmedBy = operatorName
    rearmedAt = now
    return true
  }

  /// Judges one intent. An approval counts as an order from then on.
  public mutating func review(
    _ intent: OrderIntent, context: borrowing RiskContext
  ) -> RiskVerdict {
    verdicts += 1
    if let (reason, numbers) = objection(to: intent, context) {
      refusals[Int(numbers.rule.rawValue)] += 1
      return .refused(reason, numbers)
    }
    rate.note(context.now)
    approvals += 1
    return .approved(Approved(intent, verdict: verdicts))
  }
}
