/// Which of an account's positions in an instrument is meant: spot and one-way accounts have one, hedge
/// accounts a long and a short.
@frozen public enum PositionSide: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case net = 0
  case long = 1
  case short = 2

  /// Whether an order of `side` can only take from this position and never add to it.
  @inlinable public func isClosed(by side: Side) -> Bool {
    switch self {
    case .net: false
    case .long: side == .sell
    case .short: side == .buy
    }
  }
}
