import MartletBase
import MartletKernel
import MartletModel
import MartletOrders
import MartletRisk
import MartletSimulation
import MartletVenueKit
import Testing
import WhiteBITSession

/// Clocks that disagree, on the whole wire.
@Suite struct ClockTests {
  private func notices(_ world: borrowing WhiteBITWorld) -> [VenueNotice] {
    world.journal.notes.compactMap { if case .notice(let notice) = $0.note { notice } else { nil } }
  }

  private func placed(_ world: borrowing WhiteBITWorld) -> Int {
    world.trace.count(of: Path.new) + world.trace.count(of: Path.bulk)
  }

  /// Answers of the venue that refuse a nonce, whatever they are called.
  private func refusedNonces(_ world: borrowing WhiteBITWorld) -> Int {
    var count = 0
    for entry in world.trace.entries {
      if case .answered(_, let status, _) = entry.event, status == 401 || status == 429 {
        count += 1
      }
    }
    return count
  }

  @Test("M34: the venue's clock is read at the start and once a minute")
  func readings() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    #expect(world.trace.count(of: Path.time) == 1)
    world.run(for: .seconds(601))
    #expect(world.trace.count(of: Path.time) == 11)
    let offset = world.kernel.session.clockOffset.milliseconds
    #expect(abs(offset) <= 510 && notices(world).isEmpty)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M34 C3: a clock that steps 10 s stops new orders within a minute and says so; cancels still go; set right, it goes on by itself",
    arguments: [Int64(10), -10])
  func aStep(seconds: Int64) throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.run(for: .seconds(30))
    world.stepClock(by: .seconds(seconds))
    let isNoticed = world.run(for: .seconds(75)) { !$0.kernel.isReady }
    #expect(isNoticed)
    world.run(for: .seconds(30))
    guard case .clockSkewed(let offset, .milliseconds(2_500))? = notices(world).first else {
      Issue.record("\(notices(world))")
      return
    }
    // A clock that is set back stands until it is reached, and is found out on the way.
    #expect(seconds > 0 ? offset <= .seconds(-9) : offset > .milliseconds(2_500))
    #expect(notices(world).count == 1)

    // Resting orders stay and fill; nothing is placed in their stead.
    #expect(scenario.ownResting(world).count == 6)
    let before = placed(world)
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(5))
    #expect(world.kernel.counts.fills == 1 && placed(world) == before)
    // What is to go goes.
    world.command(.halt)
    world.run(for: .seconds(5))
    #expect(scenario.ownResting(world).isEmpty && world.trace.count(of: Path.cancel) >= 5)
    world.command(.rearm)
    world.run(for: .seconds(30))
    #expect(placed(world) == before)

    world.stepClock(by: .seconds(-seconds))
    let isBack = world.run(for: .seconds(40)) { $0.kernel.isReady }
    #expect(isBack)
    guard case .clockBack? = notices(world).last else {
      Issue.record("\(notices(world))")
      return
    }
    let isLaid = world.untilGrid(of: 6)
    #expect(isLaid && placed(world) > before)
    // Nonces were counted by the venue's clock all the while, and never went back.
    #expect(refusedNonces(world) == 0)
    expectSoundEnd(scenario, &world)
  }

  @Test(
    "M34 C3: a calendar that is set beside a running bot stops new orders at once and says so; cancels go; set right, it goes on",
    arguments: [Int64(10), -10])
  func aCalendarSet(seconds: Int64) throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.run(for: .seconds(20))
    world.setCalendar(by: .seconds(seconds))
    let isHeld = !world.kernel.isReady
    #expect(isHeld)
    let told = notices(world)
    guard told.count == 2, told[0] == .calendarSet(by: .seconds(seconds)), told[1].isUrgent,
      case .clockSkewed(let skew, .milliseconds(2_500)) = told[1]
    else {
      Issue.record("\(told)")
      return
    }
    #expect((skew + .seconds(seconds)).magnitude <= .milliseconds(510))
    // The venue's clock is asked at once, and knows that it was the calendar.
    let asked = world.trace.count(of: Path.time)
    world.run(for: .seconds(30))
    let isStillHeld = !world.kernel.isReady
    let offset = world.kernel.session.clockOffset
    #expect(isStillHeld && world.trace.count(of: Path.time) > asked)
    #expect(offset.magnitude <= .milliseconds(510))

    #expect(scenario.ownResting(world).count == 6)
    let before = placed(world)
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(5))
    #expect(world.kernel.counts.fills == 1 && placed(world) == before)
    world.command(.halt)
    world.run(for: .seconds(5))
    #expect(scenario.ownResting(world).isEmpty && world.trace.count(of: Path.cancel) >= 5)
    world.command(.rearm)
    world.run(for: .seconds(10))
    #expect(placed(world) == before)

    world.setCalendar(by: .seconds(-seconds))
    guard case .clockBack? = notices(world).last else {
      Issue.record("\(notices(world))")
      return
    }
    let isLaid = world.untilGrid(of: 6)
    #expect(isLaid && placed(world) > before)
    #expect(refusedNonces(world) == 0)
    scenario.expectSoundEnd(&world)
  }

  @Test("M34: a calendar that is set within half of the tolerance is told, and trading goes on")
  func aCalendarSetALittle() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.setCalendar(by: .milliseconds(1_500))
    world.run(for: .seconds(90))
    let isReady = world.kernel.isReady
    #expect(isReady && notices(world) == [.calendarSet(by: .milliseconds(1_500))])
    scenario.expectSoundEnd(&world)
  }

  /// Everything holds in the end, but that a clock that jumps makes a book look as if it had been
  /// silent for long: it is asked for anew.
  private func expectSoundEnd(_ scenario: WhiteBITScenario, _ world: inout WhiteBITWorld) {
    let isSettled = world.settle()
    let isStopped = world.stop()
    #expect(isSettled && isStopped && scenario.ownResting(world).isEmpty)
    let found = world.violations(
      prefix: "\(scenario.prefix)", key: scenario.key, secret: scenario.secret
    ).filter { !$0.hasSuffix("unsubscribed from a book whose chain holds") }
    #expect(found.isEmpty, "\(found.prefix(5).joined(separator: ", "))")
  }

  @Test(
    "M34 C3: a clock that is wrong from the start places nothing; one within the tolerance trades")
  func wrongFromTheStart() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.clientSkew = .seconds(4)
    var world = try scenario.makeWorld()
    world.start()
    world.run(for: .seconds(60))
    #expect(!world.kernel.isReady && placed(world) == 0)
    let told = notices(world)
    #expect(told.count == 1 && told[0].isUrgent)
    world.stepClock(by: .seconds(-4))
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    scenario.expectSoundEnd(&world)

    scenario.clientSkew = .seconds(-1)
    var other = try scenario.running()
    #expect(notices(other).isEmpty)
    scenario.expectSoundEnd(&other)

    // A venue that bears with more.
    scenario.clientSkew = .seconds(4)
    scenario.session = { $0.clockTolerance = .seconds(30) }
    var third = try scenario.running()
    scenario.expectSoundEnd(&third)
  }

  @Test("M34 M30: nonces rise through every step of the clock")
  func noncesRise() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    for seconds in [Int64(10), -10, -10, 10, 3, -3] {
      world.stepClock(by: .seconds(seconds))
      world.run(for: .seconds(100))
    }
    var last: Int64 = 0
    var count = 0
    for (_, _, body) in world.trace.requests() {
      guard let digits = body.split(separator: "\"nonce\":").last?.prefix(13),
        body.contains("nonce"),
        let nonce = Int64(digits)
      else { continue }
      #expect(nonce > last)
      last = nonce
      count += 1
    }
    #expect(count > 20 && refusedNonces(world) == 0)
  }
}
