public import MartletBase

/// Where price and equity have been, for a chart: the whole run, in a bounded number of points.
///
/// When it is full every second point goes and points come half as often, so a chart of a minute
/// and one of a month cost the same.
public struct StatusTrail: Equatable, Sendable {
  public struct Point: Equatable, Sendable {
    public var time: Timestamp
    /// Best bid plus best ask, so that the middle stays a whole count; nil without a book.
    public var twiceMiddle: Int128?
    public var equity: Amount?
  }

  /// Oldest first; the last one is always the newest status.
  public private(set) var points: [Point] = []
  /// Time from one kept point to the next.
  public private(set) var interval: TimeSpan
  private let capacity: Int

  /// - Parameter capacity: most points kept, at least 4.
  public init(capacity: Int = 720, interval: TimeSpan = .milliseconds(200)) {
    precondition(capacity >= 4, "a trail of \(capacity) points")
    self.capacity = capacity
    self.interval = interval
    points.reserveCapacity(capacity + 1)
  }

  /// Takes a newer status; one that is not newer than the last is left out.
  public mutating func append(_ status: BotStatus) {
    if let last = points.last, status.now <= last.time { return }
    var middle: Int128?
    if let bid = status.bestBid, let ask = status.bestAsk {
      middle = Int128(bid.quanta) + Int128(ask.quanta)
    }
    let point = Point(time: status.now, twiceMiddle: middle, equity: status.equity)
    let count = points.count
    if count >= 2 && points[count - 1].time < points[count - 2].time + interval {
      points[count - 1] = point
    } else {
      points.append(point)
    }
    if points.count > capacity { thin() }
  }

  private mutating func thin() {
    var kept = 0
    for index in stride(from: points.count & 1 ^ 1, to: points.count, by: 2) {
      points[kept] = points[index]
      kept += 1
    }
    points.removeSubrange(kept...)
    interval = interval + interval
  }
}
