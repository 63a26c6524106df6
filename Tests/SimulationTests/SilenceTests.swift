import MartletBase
import MartletKernel
import MartletModel
import MartletSimulation
import Testing

/// What is known of streams that say nothing, over the whole wire.
@Suite struct SilenceTests {
  @Test(
    "M101: a private stream that does not tell what a reply told is known to owe it, until it does")
  func aPrivateStreamThatOwesNews() throws {
    for isSilent in [false, true] {
      let scenario = WhiteBITScenario.grid()
      var world = try scenario.running()
      // Quiet for long, and rightly so.
      world.run(for: .seconds(300))
      #expect(world.kernel.privateNews.owedSince == .distantFuture)
      if isSilent {
        for _ in 0..<6 {
          world.inflict(.dropFrame, on: "ordersPending_update")
          world.inflict(.dropFrame, on: "ordersExecuted_update")
        }
      }
      let asked = world.now
      world.command(.halt)
      world.run(for: .seconds(3))
      let owed = world.kernel.privateNews.owedSince
      #expect(isSilent == (owed < .distantFuture), "\(owed)")
      if isSilent { #expect(owed - asked < .seconds(1)) }
      // The next order that the stream tells of is proof that it lives.
      world.command(.rearm, by: "uid 0")
      world.run(for: .seconds(20))
      world.meet(.sell, price: "59950", amount: "0.001")
      world.run(for: .seconds(5))
      #expect(world.kernel.privateNews.owedSince == .distantFuture)
      scenario.expectSoundEnd(&world)
    }
  }

  @Test("M101: when book and trades were last told is known by data alone")
  func booksAndTradesAreHeardByData() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.run(for: .seconds(5))
    let book = world.kernel.markets[0].bookAt
    #expect(book > .zero && world.now - book <= .seconds(11))
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(2))
    let traded = world.kernel.markets[0].tradedAt
    #expect(traded > .zero && world.now - traded < .seconds(3))
    // Connections stay open and nothing comes.
    world.outage(for: .seconds(8))
    world.run(for: .seconds(7))
    #expect(world.now - world.kernel.markets[0].bookAt >= .seconds(6))
    #expect(world.kernel.markets[0].tradedAt == traded)
    scenario.expectSoundEnd(&world)
  }
}
