import MartletBase
import MartletBook
import MartletKernel
import MartletModel
import MartletOrders
import MartletSimulation
import MartletVenueKit
import Testing
import WhiteBITDesk

/// What the book's frames do when something is wrong with them, over the real desk.
@Suite struct BookFaultTests {
  /// A market whose book changes every 100 ms for half a minute, far from the grid.
  static func busy() -> HandmadeMarket {
    var market = HandmadeMarket(bid: 59_000, ask: 61_000)
    for step in Int64(0)..<300 {
      market.wait(.milliseconds(100))
      market.level(.buy, 58_990, 1_000_000 + step)
    }
    return market
  }

  @Test(
    "M22 M24 C1: a dropped delta untrusts the book within the next message, one resubscribe heals it, nothing is placed meanwhile"
  )
  func aDroppedDelta() throws {
    var scenario = WhiteBITScenario.grid(Self.busy())
    // Long ways, so that there is time to trade while the book is broken.
    scenario.latency = .milliseconds(150)
    var world = try scenario.running()
    world.run(for: .seconds(1))
    let sent = world.trace.framesSent.count
    world.desk.habits.plan(.drop, on: .depthDelta)
    let isBroken = world.run(for: .seconds(2)) { !$0.kernel.markets[0].book.isTrusted }
    #expect(isBroken)
    // It was the message with the gap, and no later one, that broke it.
    let breaks = world.journal.notes.filter {
      $0.note == .bookTrust(InstrumentID(0), isTrusted: false)
    }
    let gap = try #require(breaks.last)
    #expect(
      world.journal.notes.contains {
        $0.trace == gap.trace && $0.note == .anomaly(VenueAnomaly.bookGap.rawValue)
      })
    #expect(world.kernel.counts.gaps == 1)

    // A level is filled now: its replacement must wait for a whole book.
    world.meet(.sell, price: "59950", amount: "0.001")
    let requests = world.trace.requests().count
    world.run(for: .milliseconds(200))
    #expect(world.kernel.counts.fills == 1)
    let isStillBroken = !world.kernel.markets[0].book.isTrusted
    #expect(isStillBroken)
    #expect(world.trace.requests().dropFirst(requests).allSatisfy { $0.target != Path.new })

    let isHealed = world.untilGrid(of: 6)
    #expect(isHealed)
    #expect(world.workingLines.contains("sell 60000 0.000999"))
    world.run(for: .seconds(10))
    let frames = world.trace.framesSent.dropFirst(sent).map(\.text)
    #expect(frames.filter { $0.contains("depth_unsubscribe") }.count == 1)
    #expect(frames.filter { $0.contains("depth_subscribe") }.count == 1)
    scenario.expectSoundEnd(&world)
  }

  @Test("M24: five gaps in a row never make a storm")
  func manyGaps() throws {
    let scenario = WhiteBITScenario.grid(Self.busy())
    var world = try scenario.running()
    let sent = world.trace.framesSent.count
    let began = world.now
    for skip in 0..<5 { world.desk.habits.plan(.drop, on: .depthDelta, after: skip == 0 ? 0 : 1) }
    world.run(for: .seconds(10))
    #expect(world.desk.habits.isSpent)
    let frames = world.trace.framesSent.dropFirst(sent)
    let leaves = frames.filter { $0.text.contains("depth_unsubscribe") }
    #expect(leaves.count >= 1 && leaves.count <= 5)
    #expect(frames.filter { $0.text.contains("depth_subscribe") }.count == leaves.count)
    for (first, second) in zip(leaves, leaves.dropFirst()) {
      #expect(
        second.time - first.time >= .seconds(1), "after \((first.time - began).milliseconds) ms")
    }
    scenario.expectSoundEnd(&world)
  }

  @Test("M23 C1: keepalive snapshots with jumped ids reset the book and cause no resync")
  func keepalives() throws {
    // A market that stands still: every ten seconds the book comes whole, often with a later id.
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let sent = world.trace.framesSent.count
    world.run(for: .seconds(200))
    let books = world.trace.framesTold(containing: "depth_update")
    let ids = Set(books.map { $0.text.split(separator: "\"update_id\": ").last?.prefix(11) })
    #expect(books.count >= 20)
    #expect(ids.count > 3, "the ids of \(books.count) snapshots do not jump: \(ids)")
    #expect(world.kernel.counts.gaps == 0)
    let frames = world.trace.framesSent.dropFirst(sent).map(\.text)
    #expect(frames.allSatisfy { !$0.contains("depth_") }, "\(frames)")
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "frames that are no messages are told and survived: one more anomaly, and everything goes on",
    arguments: [
      "", "{", "]", "<html><body>502</body></html>", "null", "[1,2,3]", "{}",
      #"{"method":"depth_update"}"#, #"{"method":"depth_update","params":[]}"#,
      #"{"method":"deals_update","params":[1]}"#,
      #"{"method":"ordersPending_update","params":[2,{}]}"#,
      #"{"method":"depth_update","params":[false,{"update_id":1e99}],"id":null}"#,
      #"{"id":9999999999999999999999999,"result":null}"#,
    ])
  func rubbish(frame: String) throws {
    let scenario = WhiteBITScenario.grid(Self.busy())
    var world = try scenario.running()
    let anomalies = world.kernel.counts.anomalies
    world.inflict(.precedeFrame(Array(frame.utf8)), on: "depth_update")
    world.run(for: .seconds(5))
    #expect(world.plannedFaults.isEmpty)
    #expect(world.kernel.counts.anomalies > anomalies)
    world.meet(.sell, price: "59950", amount: "0.001")
    scenario.expectSoundEnd(&world, frame)
  }

  @Test("a truncated delta is a missed one; the book is asked for anew")
  func truncated() throws {
    let scenario = WhiteBITScenario.grid(Self.busy())
    var world = try scenario.running()
    world.desk.habits.plan(.truncate, on: .depthDelta)
    world.run(for: .seconds(5))
    #expect(world.desk.habits.isSpent)
    #expect(world.kernel.counts.gaps == 1)
    scenario.expectSoundEnd(&world)
  }

  @Test("a truncated deal or order event loses no fill: lists are read instead")
  func truncatedPrivate() throws {
    for channel in [Habits.Channel.deals, .ordersPending] {
      let scenario = WhiteBITScenario.grid(Self.busy())
      var world = try scenario.running()
      world.desk.habits.plan(.truncate, on: channel)
      world.meet(.sell, price: "59950", amount: "0.001")
      world.run(for: .seconds(5))
      #expect(world.desk.habits.isSpent)
      #expect(world.kernel.counts.fills == 1, "\(channel)")
      scenario.expectSoundEnd(&world, "\(channel)")
    }
  }

  @Test("an oversized frame, or one that is no text, ends the stream; all is found again")
  func oversized() throws {
    for frame in [[UInt8](repeating: 0x20, count: 2_000_000), [0x7b, 0xff, 0xfe, 0x7d]] {
      let scenario = WhiteBITScenario.grid(Self.busy())
      var world = try scenario.running()
      world.inflict(.replaceFrame(frame), on: "depth_update")
      world.run(for: .milliseconds(300))
      let isOff = !world.kernel.isReady
      #expect(isOff)
      world.meet(.sell, price: "59950", amount: "0.001")
      scenario.expectSoundEnd(&world)
      #expect(world.trace.count(of: Path.token) == 2)
      #expect(world.kernel.counts.fills == 1)
    }
  }
}
