import MartletBase
import MartletVenueKit
import Testing

@Suite struct ClockTrackTests {
  /// A venue whose clock is ahead of ours by an offset that drifts, and shows whole seconds.
  private struct Pair {
    var offset: TimeSpan
    var driftPPM: Int64 = 0
    var now = Timestamp(milliseconds: 1_790_000_000_300)
    var random: SeededRandom

    mutating func wait(_ span: TimeSpan) {
      now = now + span
      offset = offset + TimeSpan(nanoseconds: span.nanoseconds / 1_000_000 * driftPPM)
    }

    /// Asks, with up to `latency` each way.
    mutating func ask(_ track: inout ClockTrack, latency: TimeSpan) -> Bool {
      let sentAt = now
      wait(TimeSpan(nanoseconds: Int64(random.below(UInt64(latency.nanoseconds) + 1))))
      let venue = now + offset
      let shown = Timestamp(milliseconds: venue.milliseconds / 1_000 * 1_000)
      wait(TimeSpan(nanoseconds: Int64(random.below(UInt64(latency.nanoseconds) + 1))))
      return track.measure(venue: shown, resolution: .seconds(1), sentAt: sentAt, at: now)
    }
  }

  @Test("M34: a first reading is known to half a round trip and half of the venue's second")
  func oneReading() {
    var track = ClockTrack()
    let sentAt = Timestamp(milliseconds: 1_790_000_000_000)
    let isStep = track.measure(
      venue: Timestamp(milliseconds: 1_790_000_003_000), resolution: .seconds(1), sentAt: sentAt,
      at: sentAt + .milliseconds(200))
    #expect(!isStep && track.isMeasured)
    #expect(track.offset == .milliseconds(3_400) && track.uncertainty == .milliseconds(600))
    #expect(track.isBeyond(.milliseconds(2_500)) && !track.isBeyond(.milliseconds(3_300)))
  }

  /// Whatever the offset, the drift and the round trips, the truth is within the uncertainty, and many
  /// readings narrow it below what one of them tells.
  @Test("M34: the truth is within what is told; readings in a row narrow it down")
  func theTruthIsWithin() {
    for seed in UInt64(1)...60 {
      var random = SeededRandom(seed: seed)
      var pair = Pair(
        offset: .milliseconds(Int64(random.below(20_000)) - 10_000),
        driftPPM: Int64(random.below(201)) - 100, random: random)
      var track = ClockTrack()
      for reading in 0..<60 {
        let isStep = pair.ask(&track, latency: .milliseconds(80))
        let error = track.offset - pair.offset
        #expect(!isStep, "seed \(seed)")
        // The offset moves on while the answer travels.
        #expect(
          error.magnitude <= track.uncertainty + .milliseconds(1), "seed \(seed), \(reading)")
        pair.wait(.seconds(60) + .milliseconds(Int64(random.below(1_000))))
      }
      #expect(track.uncertainty < .milliseconds(350), "seed \(seed): \(track.uncertainty)")
      #expect(abs(track.driftPPB - pair.driftPPM * 1_000) <= 200_000, "seed \(seed)")
    }
  }

  @Test("M34: a step of either clock is seen at once, and the old readings count no more")
  func steps() {
    var pair = Pair(offset: .zero, random: SeededRandom(seed: 1))
    var track = ClockTrack()
    for _ in 0..<10 {
      _ = pair.ask(&track, latency: .milliseconds(5))
      pair.wait(.seconds(61))
    }
    for step in [TimeSpan.seconds(10), .seconds(-10), .seconds(3)] {
      pair.offset = pair.offset + step
      let isStep = pair.ask(&track, latency: .milliseconds(5))
      let error = track.offset - pair.offset
      #expect(isStep && error.magnitude <= .milliseconds(510))
      pair.wait(.seconds(61))
    }
    #expect(track.steps == 3)
  }

  @Test("M34: a slow round trip is no skew: what it hides is not held against the clock")
  func slowRoundTrip() {
    var track = ClockTrack()
    let sentAt = Timestamp(milliseconds: 1_790_000_000_000)
    // Answered at once by a venue whose clock is ours, and eight seconds on the way back.
    track.measure(
      venue: sentAt, resolution: .seconds(1), sentAt: sentAt, at: sentAt + .seconds(8))
    #expect(track.offset == .milliseconds(-3_500) && !track.isBeyond(.milliseconds(2_500)))
  }

  @Test("M34: a calendar that goes away from our clock is measured by the venue's as our clock is")
  func calendars() {
    var track = ClockTrack()
    let sentAt = Timestamp(milliseconds: 1_790_000_000_000)
    track.measure(venue: sentAt, resolution: .seconds(1), sentAt: sentAt, at: sentAt)
    let allowed = TimeSpan.milliseconds(2_500)
    #expect(!track.isBeyond(allowed))
    for (lead, isBeyond) in [
      (Int64(2_000), false), (10_000, true), (-10_000, true), (-1_500, false), (0, false),
    ] {
      track.calendarLead = .milliseconds(lead)
      #expect(track.calendarOffset == .milliseconds(500 - lead))
      #expect(track.isBeyond(allowed) == isBeyond, "\(lead) ms")
    }
    // Begun on a wrong calendar, our clock is off; the calendar, set right since, is not.
    track.measure(
      venue: sentAt + .seconds(10), resolution: .seconds(1), sentAt: sentAt, at: sentAt)
    track.calendarLead = .seconds(10)
    #expect(track.calendarOffset.magnitude < track.offset.magnitude)
    #expect(!track.isBeyond(allowed))
  }

  @Test func aTrackSurvivesASnapshot() throws {
    var pair = Pair(offset: .seconds(2), random: SeededRandom(seed: 9))
    var track = ClockTrack()
    for _ in 0..<3 {
      _ = pair.ask(&track, latency: .milliseconds(30))
      pair.wait(.seconds(60))
    }
    track.calendarLead = .milliseconds(-700)
    var writer = SnapshotWriter()
    track.write(to: &writer)
    var reader = SnapshotReader(writer.bytes.copy())
    var other = ClockTrack()
    try other.read(from: &reader)
    #expect(reader.isAtEnd && other == track)
  }
}
