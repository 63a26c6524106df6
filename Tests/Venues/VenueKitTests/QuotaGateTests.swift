import MartletBase
import MartletVenueKit
import Testing

@Suite struct QuotaGateTests {
  private let backoff = Backoff(jitter: .zero)

  /// A gate and a clock.
  private struct Course {
    var gate: QuotaGate
    var now = Timestamp(milliseconds: 1_000_000)
    var random = SeededRandom(seed: 3)

    init(isUrgent: Bool = false, _ settings: BreakerSettings = BreakerSettings()) {
      gate = QuotaGate(settings, isUrgent: isUrgent)
    }

    /// A request that leaves as soon as it may and is refused at once.
    mutating func refuse(_ backoff: Backoff) -> QuotaGate.Step? {
      now = max(now, gate.nextAt)
      gate.pass(at: now)
      return gate.refused(sentAt: now, at: now, backoff: backoff, random: &random)
    }

    /// One that leaves as soon as it may and is answered well.
    mutating func answer() -> Bool {
      now = max(now, gate.nextAt)
      gate.pass(at: now)
      return gate.answered(sentAt: now)
    }
  }

  @Test("M81: refused by quota, a group waits 1, 2, 4, 8 s; the fifth refusal opens its breaker")
  func waitsDoubleUntilTheBreakerOpens() {
    var course = Course()
    var steps: [QuotaGate.Step?] = []
    for _ in 0..<5 { steps.append(course.refuse(backoff)) }
    #expect(
      steps == [
        .slowed(wait: .seconds(1)), .slowed(wait: .seconds(2)), .slowed(wait: .seconds(4)),
        .slowed(wait: .seconds(8)), .opened(refusals: 5, wait: .seconds(60)),
      ])
    #expect(course.gate.isBroken(at: course.now) && course.gate.nextAt == course.now + .seconds(60))
  }

  @Test("M81: refusals too far apart for the breaker wait up to the cap, with less than the jitter")
  func waitsStayUnderTheCap() {
    var settings = BreakerSettings()
    settings.window = .seconds(1)
    for seed in UInt64(1)...20 {
      var course = Course(settings)
      course.random = SeededRandom(seed: seed)
      for base in [1, 2, 4, 8, 16, 30, 30] as [Int64] {
        guard case .slowed(let wait)? = course.refuse(Backoff()) else {
          Issue.record("seed \(seed): the breaker opened")
          return
        }
        #expect(wait >= .seconds(base) && wait < .seconds(base + 1), "seed \(seed)")
      }
      // One good answer, and it begins again with a second.
      let isClosed = course.answer()
      #expect(!isClosed)
      #expect(course.refuse(backoff) == .slowed(wait: .seconds(1)))
    }
  }

  @Test("refusals of what was on its way together count as one wait, and each for the breaker")
  func aWaveIsOneRefusal() {
    var course = Course()
    let sentAt = course.now
    var steps: [QuotaGate.Step?] = []
    for index in 0..<4 {
      steps.append(
        course.gate.refused(
          sentAt: sentAt, at: sentAt + .milliseconds(Int64(index) + 1), backoff: backoff,
          random: &course.random))
    }
    #expect(steps == [.slowed(wait: .seconds(1)), nil, nil, nil])
    // An answer to something older than the refusal proves nothing.
    let old = course.gate.answered(sentAt: sentAt)
    #expect(!old && !course.gate.isPassable(at: sentAt + .milliseconds(900)))
    course.now = course.gate.nextAt
    #expect(course.refuse(backoff) == .opened(refusals: 5, wait: .seconds(60)))
  }

  @Test("an open breaker lets one request try after its cool-down, and all depends on the answer")
  func halfOpen() {
    var course = Course()
    for _ in 0..<5 { _ = course.refuse(backoff) }
    let openedAt = course.now
    course.now = course.gate.nextAt
    #expect(course.now - openedAt == .seconds(60))
    course.gate.pass(at: course.now)
    #expect(course.gate.nextAt == .distantFuture, "one at a time")
    var lost = course.gate
    let again = course.gate.refused(
      sentAt: course.now, at: course.now, backoff: backoff, random: &course.random)
    #expect(again == .opened(refusals: 6, wait: .seconds(60)))
    let isClosed = course.answer()
    #expect(isClosed && course.gate.isPassable(at: course.now) && course.gate.nextAt == .zero)
    // A reply that is lost decides nothing: another one tries soon.
    lost.unanswered(sentAt: course.now, at: course.now)
    #expect(lost.nextAt == course.now + .seconds(5) || lost.nextAt == .distantFuture)
  }

  @Test(
    "what is urgent goes on one by one while its breaker is open, and freely after its cool-down")
  func urgent() {
    var course = Course(isUrgent: true)
    for _ in 0..<5 { _ = course.refuse(backoff) }
    let openedAt = course.now
    var passed = 0
    while course.gate.nextAt < openedAt + .seconds(60) {
      course.now = course.gate.nextAt
      course.gate.pass(at: course.now)
      passed += 1
      let isClosed = course.gate.answered(sentAt: course.now)
      #expect(!isClosed && course.gate.nextAt == course.now + .seconds(5))
    }
    #expect(passed == 11)
    let isClosed = course.answer()
    #expect(isClosed && course.gate.nextAt == .zero)
  }

  @Test func aGateSurvivesASnapshot() throws {
    var course = Course()
    for _ in 0..<5 { _ = course.refuse(backoff) }
    course.now = course.gate.nextAt
    course.gate.pass(at: course.now)
    var writer = SnapshotWriter()
    course.gate.write(to: &writer)
    var reader = SnapshotReader(writer.bytes.copy())
    var other = QuotaGate(BreakerSettings(), isUrgent: false)
    try other.read(from: &reader)
    #expect(reader.isAtEnd && other == course.gate)
  }
}
