import MartletBase
import MartletKernel
import MartletModel
import MartletSimulation
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession

/// Every fill has its order and its row at the venue, on the whole wire; what lacks one reaches a person.
@Suite struct ProofTests {
  private func notices(_ world: borrowing WhiteBITWorld) -> [VenueNotice] {
    world.journal.notes.compactMap { if case .notice(let notice) = $0.note { notice } else { nil } }
  }

  private func fills(_ world: borrowing WhiteBITWorld) -> [Fill] {
    world.journal.notes.compactMap { if case .fill(let fill) = $0.note { fill } else { nil } }
  }

  @Test("M63: a swinging market's fills are proven by the clock, and the last of them at the stop")
  func proven() throws {
    var scenario = WhiteBITScenario.grid(levels: 3, TroubledDayTests.swinging())
    scenario.session = { $0.proofInterval = .seconds(90) }
    var world = try scenario.running()
    world.run(for: .seconds(100))
    let early = notices(world)
    let isSettled = world.settle()
    #expect(isSettled)
    let isStopped = world.stop()
    #expect(isStopped)
    scenario.expectSound(world)
    var proven: Int64 = 0
    for notice in notices(world) {
      guard case .proofHeld(let count) = notice else {
        Issue.record("\(notice)")
        continue
      }
      proven += count
    }
    #expect(early.count == 1 && proven == Int64(fills(world).count) && proven >= 8)
  }

  @Test(
    "M63: a fill that the stream told and the history does not have reaches the operator by name")
  func aFillWithoutARow() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.session = { $0.proofInterval = .seconds(120) }
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(1))
    let fill = try #require(fills(world).first)
    world.desk.habits.hiddenTrades = [fill.tradeID.low]
    world.run(for: .seconds(300))
    let expected = VenueNotice.proofFailed(
      .noTrade, order: fill.clientOrderID, trade: fill.tradeID)
    #expect(notices(world) == [expected] && expected.isUrgent)
    #expect("\(expected)".contains("\(fill.tradeID.low)"))
    #expect(world.kernel.counts.fills == 1, "it is booked all the same")
    scenario.expectSoundEnd(&world)
  }

  @Test("M63: a fill whose every word was lost is found by the proof, booked once and told of")
  func aFillNobodyTold() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.session = {
      $0.proofInterval = .seconds(30)
      $0.listInterval = .seconds(3_600)
    }
    var world = try scenario.running()
    world.meet(.buy, price: "60050", amount: "0.001")
    world.run(for: .seconds(1))
    for _ in 0..<2 {
      world.inflict(.dropFrame, on: "deals_update")
      world.inflict(.dropFrame, on: "ordersPending_update")
    }
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(10))
    let before = fills(world).count
    world.run(for: .seconds(200))
    let found = try #require(fills(world).first { $0.source == .history })
    #expect(before == 1)
    #expect(
      notices(world).contains(
        .proofFailed(.notTold, order: found.clientOrderID, trade: found.tradeID)))
    scenario.expectSoundEnd(&world)
  }

  @Test("M63: at twenty fills a second, rows that are read before their pushes raise no alarm")
  func rowsBeforeTheirPushes() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.session = { $0.proofInterval = .seconds(10) }
    var world = try scenario.running()
    // What the stream tells may come this much behind what a reply tells.
    world.jitter = .milliseconds(15)
    let end = world.now + .seconds(200)
    var side = Side.sell
    while world.now < end {
      world.meet(side, price: side == .sell ? "59950" : "60000", amount: "0.001")
      side = side == .sell ? .buy : .sell
      world.run(for: .milliseconds(50))
    }
    scenario.expectSoundEnd(&world)
    var proven: Int64 = 0
    var proofs = 0
    for notice in notices(world) {
      guard case .proofHeld(let count) = notice else {
        Issue.record("\(notice)")
        continue
      }
      proofs += 1
      proven += count
    }
    #expect(proofs >= 12 && proven == 4_000 && fills(world).count == 4_000)
    #expect(!fills(world).contains { $0.source == .history })
  }
}
