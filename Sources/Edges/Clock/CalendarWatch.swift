public import MartletBase

/// Both of the machine's clocks at one moment.
@frozen public struct CalendarReading: Sendable, BitwiseCopyable {
  public let wall: Timestamp
  public let monotonic: Timestamp

  public init(wall: Timestamp, monotonic: Timestamp) {
    self.wall = wall
    self.monotonic = monotonic
  }

  /// Reads the calendar between two readings of the monotonic clock.
  ///
  /// - Returns: nil when the thread was kept from going on in between, three times in a row: what was
  ///   read then is of no one moment.
  public static func take() -> CalendarReading? {
    for _ in 0..<3 {
      let before = SystemClock.monotonic()
      let wall = SystemClock.realtime()
      let after = SystemClock.monotonic()
      if after - before < .milliseconds(20) { return CalendarReading(wall: wall, monotonic: after) }
    }
    return nil
  }
}

/// Notices that somebody sets the machine's calendar, which no clock of ours follows by itself.
@frozen public struct CalendarWatch: Sendable, BitwiseCopyable {
  /// What the calendar must move by to be told: less than any venue minds, and more than a busy machine
  /// makes of nothing.
  public static let least = TimeSpan.milliseconds(500)

  /// How the calendar stands.
  public struct Move: Equatable, Sendable {
    /// The calendar less our clock.
    public let lead: TimeSpan
    /// By how much it was set since the last look; zero when it was not.
    public let step: TimeSpan
  }

  /// The calendar less the monotonic clock, when it was last told to have been set.
  private var base: TimeSpan
  /// What was last told.
  private var lead = TimeSpan.zero

  /// - Parameter reading: of now; our clock shows the same calendar time.
  public init(_ reading: CalendarReading) { base = reading.wall - reading.monotonic }

  public init() {
    self.init(
      CalendarReading(wall: SystemClock.realtime(), monotonic: SystemClock.monotonic()))
  }

  /// Looks whether the calendar was set, or stands otherwise to our clock than was told.
  ///
  /// - Parameter ours: what our clock shows at the reading.
  /// - Returns: nil when there is nothing to tell.
  public mutating func look(at reading: CalendarReading, against ours: Timestamp) -> Move? {
    let difference = reading.wall - reading.monotonic
    let step = difference - base
    let isSet = step.magnitude >= CalendarWatch.least
    let lead = reading.wall - ours
    guard isSet || (lead - self.lead).magnitude >= CalendarWatch.least else { return nil }
    if isSet { base = difference }
    self.lead = lead
    return Move(lead: lead, step: isSet ? step : .zero)
  }
}
