public import MartletBase

/// What a venue's clock shows less what ours does, from readings that are each known to within half
/// their round trip and the venue's resolution.
///
/// Each reading bounds the offset on both sides; readings in a row narrow it down, as far as two
/// clocks may drift apart in between. One that contradicts the others tells of a step of either
/// clock, and counts alone.
///
/// - Source: Cristian's algorithm: the venue read its clock between our sending and our receiving.
@frozen public struct ClockTrack: Equatable, Sendable, BitwiseCopyable {
  /// How far two clocks drift apart at most, in millionths: a crystal off by 50 on either side, and as
  /// much again for one that is being slewed.
  public static let maxDriftPPM: Int64 = 200

  /// The offset is not below this, nor above `high`.
  private var low = TimeSpan.zero
  private var high = TimeSpan.zero
  /// The last reading; zero before the first.
  public private(set) var measuredAt = Timestamp.zero
  /// What of the uncertainty is the round trips'.
  private var roundTrip = TimeSpan.zero
  /// The offset when drift was begun to be counted, and when that was.
  private var firstOffset = TimeSpan.zero
  private var firstAt = Timestamp.zero
  /// Readings that contradicted those before them.
  public private(set) var steps: Int32 = 0
  /// How far this machine's calendar is ahead of our clock, which follows no step of it; as last told.
  public var calendarLead = TimeSpan.zero

  public init() {}

  public var isMeasured: Bool { measuredAt != .zero }

  /// The venue's clock less ours.
  public var offset: TimeSpan {
    TimeSpan(nanoseconds: low.nanoseconds + (high - low).nanoseconds / 2)
  }

  /// The venue's clock less this machine's calendar.
  public var calendarOffset: TimeSpan { offset - calendarLead }

  /// The offset is within this of `offset`: half the round trip, and half the venue's resolution.
  public var uncertainty: TimeSpan { TimeSpan(nanoseconds: (high - low).nanoseconds / 2) }

  /// By how much the venue's clock gains on ours since the last step.
  ///
  /// - Unit: billionths; 0 before a minute has passed.
  public var driftPPB: Int64 {
    let elapsed = (measuredAt - firstAt).nanoseconds
    guard elapsed >= 60_000_000_000 else { return 0 }
    return Int64(Int128((offset - firstOffset).nanoseconds) * 1_000_000_000 / Int128(elapsed))
  }

  /// Takes a reading.
  ///
  /// - Parameters:
  ///   - venue: what the venue's clock showed, cut to `resolution`.
  ///   - sentAt: when it was asked, by our clock.
  ///   - now: when the answer came.
  /// - Returns: whether it contradicts the readings before it.
  @discardableResult public mutating func measure(
    venue: Timestamp, resolution: TimeSpan, sentAt: Timestamp, at now: Timestamp
  ) -> Bool {
    let least = venue - now
    let most = max(venue + resolution - sentAt, least)
    let half = TimeSpan(nanoseconds: max(now - sentAt, .zero).nanoseconds / 2)
    var isStep = false
    if isMeasured {
      let elapsed = max(now - measuredAt, .zero)
      let drift = TimeSpan(nanoseconds: elapsed.nanoseconds / 1_000_000 * ClockTrack.maxDriftPPM)
      let narrowLow = max(least, low - drift)
      let narrowHigh = min(most, high + drift)
      if narrowLow <= narrowHigh {
        low = narrowLow
        high = narrowHigh
        roundTrip = min(half, roundTrip + drift)
        measuredAt = now
        return false
      }
      isStep = true
      steps = min(steps + 1, .max - 1)
    }
    low = least
    high = most
    roundTrip = half
    measuredAt = now
    firstOffset = offset
    firstAt = now
    return isStep
  }

  /// Whether the venue's clock is further than `allowed` from this machine's calendar, whatever the
  /// round trips hide. Our own clock began with the calendar and counts on by itself: what it was begun
  /// wrong by is known and allowed for, and cannot be set right while we run.
  public func isBeyond(_ allowed: TimeSpan) -> Bool {
    calendarOffset.magnitude - roundTrip > allowed
  }
}

extension ClockTrack: Snapshotting {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("ClockTrack-2")
    snapshot.write(low)
    snapshot.write(high)
    snapshot.write(measuredAt)
    snapshot.write(roundTrip)
    snapshot.write(firstOffset)
    snapshot.write(firstAt)
    snapshot.write(steps)
    snapshot.write(calendarLead)
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("ClockTrack-2")
    let offset = snapshot.offset
    low = try snapshot.timeSpan()
    high = try snapshot.timeSpan()
    guard low <= high else {
      throw .impossible("a clock between \(low) and \(high)", offset: offset)
    }
    measuredAt = try snapshot.timestamp()
    roundTrip = try snapshot.timeSpan()
    firstOffset = try snapshot.timeSpan()
    firstAt = try snapshot.timestamp()
    steps = try snapshot.read()
    calendarLead = try snapshot.timeSpan()
  }
}
