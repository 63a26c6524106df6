import MartletBacktest
import MartletBase
import MartletModel
import MartletSimulation
import Testing

@Suite struct FidelityTests {
  @Test("the same data gives the same decisions, each at its moment, with the wire and without")
  func agreement() throws {
    var grid = GridBacktest()
    grid.options.keepsDecisions = true
    grid.levels = 5
    grid.spacing = "20"
    grid.market.trade(.buy, 60_010, 10)
    grid.market.wait(.seconds(20))
    var random = SeededRandom(seed: 7)
    var bid: Int64 = 60_000
    for _ in 0..<60 {
      grid.market.wait(.milliseconds(Int64(137 + random.below(900))))
      bid += Int64(random.below(161)) - 80
      grid.market.sweep(to: bid, ask: bid + 10)
    }
    grid.market.wait(.seconds(5))
    grid.market.level(.buy, bid - 3, 5_000_000)
    let wire = try grid.runWire()
    // What a start takes on the wire is what it takes here.
    let first = try #require(wire.result.decided.first).time
    grid.options.readyAfter = first - Timestamp.zero - grid.options.feedDelay.least
    let direct = try grid.run(grid.market.rows)
    #expect(wire.result.fillCount > 20)
    #expect(direct.fillCount == wire.result.fillCount)
    #expect(direct.decisions == wire.result.decisions)
    let times = zip(direct.decided, wire.result.decided).filter { $0.time != $1.time }
    #expect(times.isEmpty, "\(times.first.map { "\($0)" } ?? "")")
    #expect(direct.markets[0].turnover == wire.result.markets[0].turnover)
    #expect(direct.markets[0].endEquity == wire.result.markets[0].endEquity)
    #expect(direct.isReconciled && wire.result.isReconciled)
  }
}
