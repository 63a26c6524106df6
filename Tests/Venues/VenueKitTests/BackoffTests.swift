import MartletBase
import MartletVenueKit
import Testing

@Suite struct BackoffTests {
  @Test("M81: waits double from one second to thirty, with less than a second of chance on top")
  func waitsDoubleToTheCap() {
    let backoff = Backoff()
    let base: [Int64] = [1, 2, 4, 8, 16, 30, 30, 30]
    for seed in UInt64(1)...50 {
      var random = SeededRandom(seed: seed)
      for (attempt, seconds) in base.enumerated() {
        let wait = backoff.delay(attempt: attempt, random: &random)
        #expect(wait >= .seconds(seconds) && wait < .seconds(seconds + 1), "seed \(seed)")
      }
    }
  }

  @Test func aHugeAttemptDoesNotOverflow() {
    var random = SeededRandom(seed: 7)
    let wait = Backoff(jitter: .zero).delay(attempt: .max, random: &random)
    #expect(wait == .seconds(30))
  }

  @Test func clientsThatFailedTogetherDoNotComeBackTogether() {
    var waits = Set<Int64>()
    for seed in UInt64(1)...100 {
      var random = SeededRandom(seed: seed)
      waits.insert(Backoff().delay(attempt: 0, random: &random).nanoseconds)
    }
    #expect(waits.count > 90)
  }
}
