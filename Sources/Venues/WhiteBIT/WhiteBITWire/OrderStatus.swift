internal import MartletJSON
public import MartletModel

/// An order's status as the venue words it.
///
/// - Source: WhiteBIT docs, order statuses. Everything but the first four is final; a word that is
///   not listed here means that this build does not know, and the order is asked about again.
@frozen public enum OrderStatus: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case open
  case new
  case pending
  case partiallyFilled
  case filled
  case canceled
  case canceledTakerBand
  case canceledSTP
  case canceledRPI
  case canceledPositionSide
  case autoCanceledReduceOnly
  case autoCanceledLiquidation
  case autoCanceledUserMargin
  case autoCanceledMarginExchangeBalance
  case maintenance
  case delisting
  case unknown

  public var word: StaticString {
    switch self {
    case .open: "OPEN"
    case .new: "NEW"
    case .pending: "PENDING"
    case .partiallyFilled: "PARTIALLY_FILLED"
    case .filled: "FILLED"
    case .canceled: "CANCELED"
    case .canceledTakerBand: "CANCELED_TAKER_BAND"
    case .canceledSTP: "CANCELED_STP"
    case .canceledRPI: "CANCELED_RPI"
    case .canceledPositionSide: "CANCELED_POSITION_SIDE_NOT_MATCH"
    case .autoCanceledReduceOnly: "AUTO_CANCELED_REDUCE_ONLY"
    case .autoCanceledLiquidation: "AUTO_CANCELED_LIQUIDATION"
    case .autoCanceledUserMargin: "AUTO_CANCELED_USER_MARGIN"
    case .autoCanceledMarginExchangeBalance: "AUTO_CANCELED_MARGIN_EXCHANGE_BALANCE"
    case .maintenance: "MAINTENANCE"
    case .delisting: "DELISTING"
    case .unknown: "UNKNOWN"
    }
  }

  init(_ text: JSONText, in body: Span<UInt8>) {
    // The frequent ones first; a rare word walks the list.
    if text.equals("OPEN", in: body) {
      self = .open
    } else if text.equals("FILLED", in: body) {
      self = .filled
    } else if text.equals("CANCELED", in: body) {
      self = .canceled
    } else if text.equals("PARTIALLY_FILLED", in: body) {
      self = .partiallyFilled
    } else if text.equals("CANCELLED", in: body) {
      // The self-trade page spells it so.
      self = .canceled
    } else {
      self = .unknown
      for status in OrderStatus.allCases where text.equals(status.word, in: body) {
        self = status
      }
    }
  }

  /// Where an order with this status stands.
  ///
  /// - Parameters:
  ///   - isFinished: the message says that the order has ended (a finish event, a history row, the
  ///     reply to a cancel), whatever the word.
  ///   - isLeftZero: nothing is left to fill.
  public func standing(isFinished: Bool, isLeftZero: Bool) -> OrderReport.Status {
    switch self {
    case .filled: .filled
    case .canceled, .canceledTakerBand, .canceledSTP, .canceledRPI, .canceledPositionSide,
      .autoCanceledReduceOnly, .autoCanceledLiquidation, .autoCanceledUserMargin,
      .autoCanceledMarginExchangeBalance, .maintenance, .delisting:
      .canceled
    case .open, .new, .pending, .partiallyFilled:
      // A finish with nothing left is a fill, with something left a cancel.
      isFinished ? (isLeftZero ? .filled : .canceled) : .open
    case .unknown:
      isFinished ? (isLeftZero ? .filled : .canceled) : .unknown
    }
  }
}
