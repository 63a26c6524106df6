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
