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
}

extension WhiteBITWorld {
  /// The fills that were booked, as the session names them.
  fileprivate var fillKeys: [UInt128] {
    journal.notes.compactMap {
      if case .fill(let fill) = $0.note {
        WhiteBITSession.key(of: fill.tradeID, on: fill.instrument)
      } else {
        nil
      }
    }
  }
}
