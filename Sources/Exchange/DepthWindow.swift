internal import MartletBase
public import MartletModel

/// What of a book its readers were last told: the best levels a side, asks ascending, then bids
/// descending.
///
/// - Bounds: twice the limit.
public struct DepthWindow: Sendable {
  public let limit: Int
  public private(set) var levels: [BookLevel] = []
  /// The book's version that `levels` shows.
  private var version: UInt64 = 0
  private var next: [BookLevel] = []

  /// - Parameter limit: levels a side.
  public init(limit: Int) {
    self.limit = limit
    levels.reserveCapacity(2 * limit)
    next.reserveCapacity(2 * limit)
  }

  /// Moves the window to what the exchange shows now, and appends what changed in it: zero for what
  /// left.
  public mutating func follow(
    _ exchange: borrowing Exchange, _ instrument: InstrumentID, into changes: inout [BookLevel]
  ) {
    let shown = exchange.bookVersion(of: instrument)
    guard shown != version else { return }
    version = shown
    next.removeAll(keepingCapacity: true)
    exchange.appendDepth(of: instrument, .sell, limit: limit, to: &next)
    exchange.appendDepth(of: instrument, .buy, limit: limit, to: &next)
    Self.appendDifference(from: levels, to: next, into: &changes)
    swap(&levels, &next)
  }

  /// What turns one window into another: asks ascending, then bids descending, zero for what left.
  public static func appendDifference(
    from old: [BookLevel], to new: [BookLevel], into changes: inout [BookLevel]
  ) {
    var (left, right) = (0, 0)
    while left < old.count || right < new.count {
      let isOld: Bool
      let isNew: Bool
      if left == old.count {
        (isOld, isNew) = (false, true)
      } else if right == new.count {
        (isOld, isNew) = (true, false)
      } else {
        isOld = !comesBefore(new[right], old[left])
        isNew = !comesBefore(old[left], new[right])
      }
      if isOld && isNew {
        if old[left].quantity != new[right].quantity { changes.append(new[right]) }
      } else if isNew {
        changes.append(new[right])
      } else {
        changes.append(
          BookLevel(side: old[left].side, price: old[left].price, quantity: .zero))
      }
      if isOld { left += 1 }
      if isNew { right += 1 }
    }
  }

  private static func comesBefore(_ first: BookLevel, _ second: BookLevel) -> Bool {
    if first.side != second.side { return first.side == .sell }
    return first.side == .sell ? first.price < second.price : first.price > second.price
  }
}
