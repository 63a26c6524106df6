import MartletBase
import MartletVenueKit
import Testing

@Suite struct QuotaTests {
  /// Whatever the venue's window is, fixed or sliding, no window ever holds more than the limit.
  ///
  /// Method: take whenever there is a permit, at random moments, and count in every sliding window.
  @Test func noWindowHoldsMoreThanTheLimit() {
    for seed in UInt64(1)...20 {
      var random = SeededRandom(seed: seed)
      let limit = random.integer(in: 2...40)
      var bucket = TokenBucket(limit: limit, window: .seconds(10))
      var now = Timestamp(milliseconds: 1_000_000)
      var taken: [Timestamp] = []
      for _ in 0..<2_000 {
        now = now + .milliseconds(random.integer(in: 0...400))
        if bucket.take(at: now) { taken.append(now) }
      }
      #expect(!taken.isEmpty)
      for (index, start) in taken.enumerated() {
        let inside = taken[index...].prefix { $0 - start < .seconds(10) }.count
        #expect(Int64(inside) <= limit, "seed \(seed): \(inside) of \(limit)")
      }
    }
  }

  @Test func aPermitIsThereWhenItWasPromised() {
    var bucket = TokenBucket(limit: 4, window: .seconds(10))
    let start = Timestamp(milliseconds: 5_000)
    let first = [bucket.take(at: start), bucket.take(at: start), bucket.take(at: start)]
    #expect(first == [true, true, false])
    let next = bucket.nextAt
    var early = bucket
    let tooEarly = early.take(at: next - TimeSpan(nanoseconds: 1))
    let inTime = bucket.take(at: next)
    #expect(next > start && !tooEarly && inTime)
  }

  @Test("M75: of ten a minute, an eleventh waits until the first is a minute old")
  func theSlidingQuotaCountsMoments() {
    var quota = SlidingQuota(limit: 10, window: .seconds(60))
    let start = Timestamp(milliseconds: 1_000_000)
    for index in 0..<10 {
      let isTaken = quota.take(at: start + .seconds(Int64(index)))
      #expect(isTaken)
    }
    let refused = quota.take(at: start + .seconds(59))
    #expect(!refused && quota.nextAt == start + .seconds(60))
    let granted = quota.take(at: start + .seconds(60))
    #expect(granted && quota.nextAt == start + .seconds(61))
  }

  @Test func quotasSurviveASnapshot() throws {
    var bucket = TokenBucket(limit: 10, window: .seconds(10))
    var sliding = SlidingQuota(limit: 3, window: .seconds(5))
    let now = Timestamp(milliseconds: 9_000)
    for _ in 0..<3 {
      _ = bucket.take(at: now)
      _ = sliding.take(at: now)
    }
    var writer = SnapshotWriter()
    bucket.write(to: &writer)
    sliding.write(to: &writer)
    var reader = SnapshotReader(writer.bytes.copy())
    var otherBucket = TokenBucket(limit: 10, window: .seconds(10))
    var otherSliding = SlidingQuota(limit: 3, window: .seconds(5))
    try otherBucket.read(from: &reader)
    try otherSliding.read(from: &reader)
    #expect(reader.isAtEnd && otherBucket == bucket && otherSliding == sliding)
  }
}
