import MartletBase
import MartletClock
import Testing

@Suite struct ClockTests {
  static let wall = Timestamp(milliseconds: 1_700_000_000_000)
  static let boot = Timestamp(milliseconds: 900)

  @Test func theMachinesClocksRun() {
    let first = SystemClock.monotonic()
    var second = SystemClock.monotonic()
    while second == first { second = SystemClock.monotonic() }
    #expect(second > first)
    // Some time after this was written, and before clocks of 64 bits end.
    #expect(SystemClock.realtime() > Self.wall)
    var clock = AnchoredClock()
    let stamp = clock.now()
    #expect(clock.now() >= stamp && stamp > Self.wall)
  }

  @Test func wallTimeFollowsTheMonotonicClock() {
    var clock = AnchoredClock(wall: Self.wall, at: Self.boot)
    #expect(clock.now(at: Self.boot) == Self.wall)
    #expect(clock.now(at: Self.boot + .seconds(5)) == Self.wall + .seconds(5))
    #expect(clock.now(at: Self.boot + .seconds(4)) == Self.wall + .seconds(5))
    #expect(clock.now(at: Self.boot + .seconds(6)) == Self.wall + .seconds(6))
  }

  @Test func aCalendarAheadIsFollowedAtOnce() {
    var clock = AnchoredClock(wall: Self.wall, at: Self.boot)
    let step = clock.anchor(wall: Self.wall + .seconds(3), at: Self.boot + .seconds(1))
    #expect(step == .seconds(2))
    #expect(clock.now(at: Self.boot + .seconds(1)) == Self.wall + .seconds(3))
  }

  @Test("M29: a calendar set back ten seconds slows the clock and never turns it")
  func aCalendarBehindIsApproached() {
    var clock = AnchoredClock(wall: Self.wall, at: Self.boot)
    #expect(clock.anchor(wall: Self.wall - .seconds(10), at: Self.boot) == .seconds(-10))
    #expect(clock.now(at: Self.boot) == Self.wall)
    #expect(clock.now(at: Self.boot + .seconds(10)) == Self.wall + .seconds(9))
    #expect(clock.now(at: Self.boot + .seconds(100)) == Self.wall + .seconds(90))
    #expect(clock.now(at: Self.boot + .seconds(200)) == Self.wall + .seconds(190))
  }

  @Test(
    "M34: a calendar that is set is noticed, once, and by how much; what a busy machine makes is not"
  )
  func aCalendarThatIsSet() {
    func at(_ milliseconds: Int64, calendar: Int64 = 0) -> (CalendarReading, Timestamp) {
      (
        CalendarReading(
          wall: Self.wall + .milliseconds(milliseconds + calendar),
          monotonic: Self.boot + .milliseconds(milliseconds)),
        Self.wall + .milliseconds(milliseconds)
      )
    }
    var watch = CalendarWatch(at(0).0)
    func look(_ milliseconds: Int64, _ calendar: Int64) -> CalendarWatch.Move? {
      let (reading, ours) = at(milliseconds, calendar: calendar)
      return watch.look(at: reading, against: ours)
    }
    #expect(look(500, 0) == nil && look(1_000, 499) == nil && look(1_500, -499) == nil)
    let ahead = look(2_000, 10_000)
    #expect(ahead?.step == .seconds(10) && ahead?.lead == .seconds(10))
    #expect(look(2_500, 10_000) == nil && look(3_000, 10_400) == nil)
    let back = look(3_500, 0)
    #expect(back?.step == .seconds(-10) && back?.lead == .zero)
    // Many small steps are one large one.
    #expect(look(4_000, 300) == nil)
    #expect(look(4_500, 600)?.step == .milliseconds(600))
  }

  @Test("M34: a clock of ours that approaches the calendar is told on the way, as no step")
  func aClockThatApproaches() {
    var clock = AnchoredClock(wall: Self.wall, at: Self.boot)
    var watch = CalendarWatch(CalendarReading(wall: Self.wall, monotonic: Self.boot))
    var moves: [CalendarWatch.Move] = []
    for second in Int64(1)...120 {
      let reading = CalendarReading(
        wall: Self.wall + .seconds(second - 10), monotonic: Self.boot + .seconds(second))
      if second == 1 { clock.anchor(wall: reading.wall, at: reading.monotonic) }
      let ours = clock.now(at: reading.monotonic)
      if let move = watch.look(at: reading, against: ours) { moves.append(move) }
    }
    #expect(moves.first?.step == .seconds(-10) && moves.dropFirst().allSatisfy { $0.step == .zero })
    // Ten seconds at a tenth each second, told each half second of it.
    #expect(moves.count == 21 && moves.last?.lead == .zero)
  }

  @Test func bothClocksAreReadAtOneMoment() throws {
    let reading = try #require(CalendarReading.take())
    let other = try #require(CalendarReading.take())
    #expect(other.monotonic >= reading.monotonic && reading.wall > Self.wall)
  }

  @Test func timeNeverStepsBackWhateverTheCalendarDoes() {
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      var clock = AnchoredClock(wall: Self.wall, at: Self.boot)
      var monotonic = Self.boot
      var last = Self.wall
      for _ in 0..<200 {
        monotonic = monotonic + .milliseconds(.random(in: -5...500, using: &random))
        if Int.random(in: 0..<10, using: &random) == 0 {
          clock.anchor(
            wall: last + .milliseconds(.random(in: -20_000...20_000, using: &random)),
            at: monotonic)
        }
        let now = clock.now(at: monotonic)
        #expect(now >= last, "seed \(seed)")
        last = now
      }
    }
  }
}
