public import MartletModel

/// What became of a request that was sent. A timeout, a disconnect and a 5xx are `inDoubt`: the
/// venue may have acted.
@frozen public enum Outcome: Equatable, Sendable, BitwiseCopyable {
  case accepted
  case refused(RefusalReason, code: Int32)
  case inDoubt
  /// Not executed; try again later, no sooner than the back-off says.
  case backOff
  /// Not executed, and no request of ours will be: stop trading.
  case stop(code: Int32)
}
