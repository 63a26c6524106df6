import MartletBase
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletSimulation
import Testing
import WhiteBITSession

@testable import MartletLive

/// Where the comparison of a process's books with the venue's fills begins.
@Suite struct LedgerStartTests {
  @Test("books that know no time of the venue's begin with nothing")
  func nothing() throws {
    let scenario = WhiteBITScenario.grid()
    let unborn = LedgerStart(scenario.makeKernel())
    #expect(unborn == nil)
    let world = try scenario.running()
    let start = LedgerStart(world.kernel)
    #expect(start != nil)
  }

  @Test("what was told before is left out, what was held at that moment is not")
  func heldFills() throws {
    let scenario = WhiteBITScenario.grid(seed: 9)
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.0004")
    world.run(for: .seconds(1))
    let first = try #require(world.fillKeys.first)
    world.cut()
    // Until the stream is back and its news are held while the lists are read.
    let isReconciling = world.run(for: .seconds(20)) { world in
      !world.kernel.isReady && world.trace.count(of: Path.open) > 1
    }
    #expect(isReconciling)
    for _ in 0..<400 where world.kernel.session.heldFills.isEmpty {
      world.meet(.sell, price: "59950", amount: "0.0001")
      world.run(for: .milliseconds(1))
    }
    let held = world.kernel.session.heldFills
    let found = LedgerStart(world.kernel)
    let start = try #require(found)
    #expect(!held.isEmpty && start.holds(first))
    for key in held { #expect(world.kernel.session.knownFills.contains(key) && !start.holds(key)) }
    let booked = start.fills
    let isBack = world.run(for: .seconds(30)) {
      $0.kernel.isReady && $0.kernel.orders.isQuiescent && $0.isQuiet
    }
    #expect(isBack)
    let own = OwnLedger(
      world.kernel, prefix: scenario.prefix, earlier: [], start: start)
    #expect(own.fills == world.kernel.counts.fills - booked && own.fills >= UInt64(held.count))
    // Each fill of this time is compared, and none of before.
    let market = try #require(own.markets.first)
    let compared = world.fillKeys.filter {
      !own.isEarlier("\(UInt64(truncatingIfNeeded: $0))", of: market)
    }
    #expect(compared.count == Int(own.fills))
    #expect(own.isEarlier("\(UInt64(truncatingIfNeeded: first))", of: market))
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "however long a process lives, no more fills are compared than a venue lists, and those exactly"
  )
  func longLife() throws {
    let scenario = WhiteBITScenario.grid(seed: 11)
    var world = try scenario.running()
    var starts = LedgerStarts(nil, span: 4)
    var most: UInt64 = 0
    for round in 0..<40 {
      world.meet(
        round % 2 == 0 ? .sell : .buy, price: round % 2 == 0 ? "59950" : "60050", amount: "0.0002")
      world.run(for: .seconds(20)) { world in
        starts.follow(world.kernel)
        return false
      }
      let begin = starts.current
      let own = OwnLedger(world.kernel, prefix: scenario.prefix, earlier: [], start: begin)
      most = max(most, own.fills)
      let market = try #require(own.markets.first)
      let compared = world.fills.filter {
        $0.time >= own.since
          && !own.isEarlier("\(UInt64(truncatingIfNeeded: $0.key))", of: market)
      }
      #expect(UInt64(compared.count) == own.fills, "round \(round)")
    }
    #expect(world.kernel.counts.fills > 24 && most >= 4 && most < 12)
    let last = starts.current
    #expect(last != nil)
    scenario.expectSoundEnd(&world)
  }
}

extension WhiteBITWorld {
  /// The fills that were booked, as the session names them.
  fileprivate var fillKeys: [UInt128] { fills.map(\.key) }

  fileprivate var fills: [(key: UInt128, time: Timestamp)] {
    journal.notes.compactMap {
      if case .fill(let fill) = $0.note {
        (WhiteBITSession.key(of: fill.tradeID, on: fill.instrument), fill.exchangeTime)
      } else {
        nil
      }
    }
  }
}
