public import MartletBase
public import MartletModel

/// One order's life at one venue, from our intent to its last fill.
///
/// Reply, private stream, query and history tell the same news, in any order, more than once, and
/// now and then they contradict each other. What is kept is therefore evidence that only grows: the
/// highest fill total told, the fills booked, that the venue had the order, that it ended. The state
/// follows from the evidence, so that the same news in another order ends in the same state.
///
/// - Invariant: a fill is always booked, and no state is terminal before every fill the venue has
///   told of is booked too. No order becomes terminal without the venue's word.
@frozen public struct OrderLifecycle: Equatable, Sendable, BitwiseCopyable {
  /// What one order can meet.
  @frozen public enum Event: Equatable, Sendable, BitwiseCopyable {
    /// The venue says how the order stands. `isAnswer` when it answers a question of ours about this
    /// order, so that it cannot be older than the question.
    case reported(OrderReport.Status, cumulative: Quantity, isAnswer: Bool)
    /// One execution, not told before.
    case fill(Quantity, at: Price)
    /// The venue would not take the order.
    case refused
    /// Open orders, history and fills all deny the order, for long enough.
    case neverArrived
    /// The order was sent and its reply is lost.
    case replyLost
    /// We want it canceled.
    case cancelRequested
    /// A cancel was answered with “not open”, or was refused for whatever reason.
    case cancelRefused
    /// A cancel was sent and its reply is lost.
    case cancelReplyLost
    /// We want another price or quantity; both are of the whole order.
    case amendRequested(Price, Quantity)
    /// The venue says that the order has this price and quantity now.
    case amended(Price, Quantity)
    /// An answer shows the open order with a price or quantity that nobody here asked for.
    case moved(Price, Quantity)
    /// The venue would not amend.
    case amendRefused
    /// An amendment was sent and its reply is lost.
    case amendReplyLost
  }

  /// What must be looked at by someone. Nothing is lost when one is raised.
  @frozen public struct Alarms: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The venue said what cannot be true beside what it said before.
    @inlinable public static var contradiction: Alarms { Alarms(rawValue: 1) }
    /// More was filled than was ordered.
    @inlinable public static var overfill: Alarms { Alarms(rawValue: 2) }
    /// The venue keeps the order open after as many cancels as we send.
    @inlinable public static var cancelNotTaken: Alarms { Alarms(rawValue: 4) }
    /// Fills were told of in a total and do not come, however often they are asked for.
    @inlinable public static var fillsMissing: Alarms { Alarms(rawValue: 8) }
  }

  /// What must now be done.
  @frozen public struct Consequence: Equatable, Sendable, BitwiseCopyable {
    /// State, price, quantity or cumulative moved.
    public internal(set) var isChanged = false
    /// Ask the venue what became of the order.
    public internal(set) var asksVenue = false
    /// Send a cancel.
    public internal(set) var sendsCancel = false
    public internal(set) var alarms: Alarms = []
    @inlinable public init() {}
  }

  /// Cancels sent for one order before `cancelNotTaken`.
  @inlinable public static var cancelAttemptsAllowed: UInt8 { 5 }

  public internal(set) var state = OrderState.pendingNew
  public internal(set) var price: Price
  public internal(set) var quantity: Quantity
  /// Filled and booked so far.
  public internal(set) var cumulative = Quantity.zero
  /// Sum of price × quantity of the booked fills, exact.
  ///
  /// - Unit: price quanta × quantity quanta.
  public internal(set) var notional: Int128 = 0
  /// The highest fill total any report told.
  public internal(set) var told = Quantity.zero
  /// The venue has or had it: a report or a fill said so.
  public internal(set) var isAcknowledged = false
  /// The venue said that nothing of it works any more.
  public internal(set) var hasEnded = false
  /// The fill total told with the end.
  var endCumulative = Quantity.zero
  var cancelAttempts: UInt8 = 0
  /// The last cancel may not have reached the book: if the order is still open, send another.
  var isCancelUnproven = false
  /// An amendment is under way to `amendedPrice` and `amendedQuantity`.
  public internal(set) var isAmendPending = false
  var isAmendUnproven = false
  /// While amending, the venue took the old order off; whether a new one follows is not known yet.
  var isOldOrderGone = false
  public internal(set) var amendedPrice: Price
  public internal(set) var amendedQuantity: Quantity

  public init(price: Price, quantity: Quantity) {
    self.price = price
    self.quantity = quantity
    amendedPrice = price
    amendedQuantity = quantity
  }

  /// What is still to fill while the order works; negative after an overfill.
  public var leaves: Quantity { quantity - cumulative }

  /// A total was told that is more than the fills we know: some are on their way, or lost.
  public var isMissingFills: Bool { told > cumulative }

  /// Folds in one piece of news, its fills already unique, and says what must now be done.
  public mutating func apply(_ event: Event) -> Consequence {
    let before = self
    var consequence = Consequence()
    switch event {
    case .reported(let status, let cumulative, let isAnswer):
      report(status, cumulative, isAnswer, &consequence)
    case .fill(let last, let price): fill(last, at: price, &consequence)
    case .refused: refuse(&consequence)
    case .neverArrived: denyEverywhere(&consequence)
    case .replyLost: loseReply(&consequence)
    case .cancelRequested: requestCancel(&consequence)
    case .cancelRefused: refuseCancel(&consequence)
    case .cancelReplyLost: loseCancelReply(&consequence)
    case .amendRequested(let price, let quantity): requestAmend(price, quantity)
    case .amended(let price, let quantity): amend(price, quantity, &consequence)
    case .moved(let price, let quantity): take(price, quantity, &consequence)
    case .amendRefused: refuseAmend(&consequence)
    case .amendReplyLost: loseAmendReply(&consequence)
    }
    settle(&consequence)
    consequence.isChanged =
      state != before.state || price != before.price || quantity != before.quantity
      || cumulative != before.cumulative
    return consequence
  }

  /// The exact average price of the booked fills: quanta of price, as a fraction.
  ///
  /// - Returns: nil before the first fill.
  public var averagePriceFraction: (numerator: Int128, denominator: Int64)? {
    cumulative.quanta > 0 ? (notional, cumulative.quanta) : nil
  }

  /// The average price of the booked fills.
  ///
  /// - Parameters:
  ///   - places: decimals finer than the price quantum, 0 ... 18.
  ///   - rule: how what lies beyond them is rounded.
  /// - Returns: counts of price quantum × 10^−`places`; nil before the first fill.
  public func averagePrice(places: Int, rounded rule: Rounding) -> Int128? {
    guard let (numerator, denominator) = averagePriceFraction else { return nil }
    precondition(places >= 0 && places <= 18, "average price at \(places) more decimals")
    // Whole quanta and rest apart, so that no product leaves 128 bits.
    let divisor = Int128(denominator)
    let whole = divide(numerator, by: divisor, rounded: .down)
    let rest = numerator - whole * divisor
    let finer = powerOfTen(places)
    return whole * finer + divide(rest * finer, by: divisor, rounded: rule)
  }
}
