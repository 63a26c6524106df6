import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletSimulation
import MartletStrategies
import Testing

/// What the grid earns and does on the exchange, to the last digit.
@Suite struct GridTradingTests {
  @Test("M105 T7: a filled buy is sold one level above, a filled sell bought one level below")
  func neighbors() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    #expect(
      world.workingLines == [
        "buy 59850 0.001", "buy 59900 0.001", "buy 59950 0.001", "sell 60050 0.001",
        "sell 60100 0.001", "sell 60150 0.001",
      ])
    world.meet(.sell, price: "59900", amount: "0.002")
    world.run(for: .seconds(1))
    #expect(
      world.workingLines == [
        "buy 59850 0.001", "sell 59950 0.000999", "sell 60000 0.000999", "sell 60050 0.001",
        "sell 60100 0.001", "sell 60150 0.001",
      ])
    world.meet(.buy, price: "60050", amount: "0.002998")
    world.run(for: .seconds(1))
    #expect(
      world.workingLines == [
        "buy 59850 0.001", "buy 59900 0.001", "buy 59950 0.001", "buy 60000 0.001",
        "sell 60100 0.001", "sell 60150 0.001",
      ])
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "T1 M53 M54 C6: a level filled in ten pieces moves the position each time and is answered once")
  func manyPieces() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    for piece in 1...10 {
      world.meet(.sell, price: "59950", amount: "0.0001")
      world.run(for: .milliseconds(10))
      let position = world.kernel.portfolio.position(world.kernel.account, InstrumentID(0))
      // A ten-thousandth on a grid of eight places.
      #expect(position.net == Quantity(quanta: Int64(piece) * 10_000))
      #expect(world.trace.count(of: Path.new) == (piece < 10 ? 0 : 1))
    }
    world.run(for: .seconds(1))
    // Ten fees of 0.0000001: what is left to sell is 0.000999.
    #expect(world.workingLines.contains("sell 60000 0.000999"))
    #expect(world.kernel.counts.fills == 10)
    scenario.expectSoundEnd(&world)
  }

  @Test("T14 T1: an account with exactly what it lends never runs into the venue's balance")
  func feesInBase() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.balances = [("DBTC", amount("0.003")), ("DUSDT", amount("179.7"))]
    var world = try scenario.running()
    for _ in 0..<4 {
      world.meet(.sell, price: "59850", amount: "0.00277")
      world.meet(.sell, price: "59850", amount: "0.00023")
      world.run(for: .seconds(1))
      world.meet(.buy, price: "60150", amount: "0.00299")
      world.run(for: .seconds(1))
    }
    world.run(for: .seconds(60))
    for entry in world.trace.entries {
      guard case .replied(_, let status, let body) = entry.event else { continue }
      #expect(status == 200, "\(String(decoding: body, as: UTF8.self))")
      #expect(!String(decoding: body, as: UTF8.self).contains("balance"))
    }
    #expect(world.kernel.counts.refusedByVenue == 0)
    #expect(world.kernel.counts.fills > 20)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "T13 M80: a level that the venue or its owner cancels is over, and placed anew; none is forgotten"
  )
  func canceledLevels() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    // One untouched, one half filled.
    world.meet(.sell, price: "59950", amount: "0.0004")
    world.run(for: .seconds(1))
    let own = scenario.ownResting(world)
    for id in own.prefix(2) {
      let (status, _) = world.askByHand(
        Path.cancel, "\"market\":\"DBTC_DUSDT\",\"clientOrderId\":\"\(id)\",")
      #expect(status == 200)
    }
    world.run(for: .seconds(1))
    #expect(own.prefix(2).allSatisfy { world.states(of: $0).last == .canceled })
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    // What was bought of the half-filled level is sold; the untouched one stands again.
    #expect(
      world.workingLines == [
        "buy 59850 0.001", "buy 59900 0.001", "sell 60000 0.000399", "sell 60050 0.001",
        "sell 60100 0.001", "sell 60150 0.001",
      ], "\(world.workingLines)")
    scenario.expectSoundEnd(&world)
  }

  @Test("M106: a recorded market that oscillates earns round trips less fees, in closed form")
  func oscillation() throws {
    let swings = 12
    var market = HandmadeMarket()
    for _ in 0..<swings {
      market.wait(.seconds(2))
      market.sweep(to: 59_400, ask: 59_410)
      market.wait(.seconds(2))
      market.sweep(to: 60_600, ask: 60_610)
    }
    var scenario = WhiteBITScenario(seed: 1, rows: market.recording)
    scenario.grid = GridSettings(levelsPerSide: 1, spacing: amount("500"), amount: amount("0.001"))
    var world = try scenario.makeWorld()
    let baseBefore = scenario.total("DBTC", in: world)
    let quoteBefore = scenario.total("DUSDT", in: world)
    world.start()
    world.run(for: .seconds(Int64(4 * swings + 2)))

    // The lower slot buys 0.001 at 59,500 and sells what the fee of 0.1 % leaves of it at 60,000, each
    // swing.
    let n = Int128(swings)
    let lower = times(n, amount("0.000999"), 60_000) - times(n, amount("0.001"), 59_500)
    let lowerFees = times(n, amount("0.000000999"), 60_000)
    // The upper slot sells what it was lent at 60,500 once, and buys 0.001 at 60,000 and sells the
    // rest of it at 60,500 in every later swing.
    let upper =
      times(1, amount("0.001"), 60_500) + times(n - 1, amount("0.000999"), 60_500)
      - times(n - 1, amount("0.001"), 60_000)
    let upperFees =
      times(1, amount("0.000001"), 60_500) + times(n - 1, amount("0.000000999"), 60_500)
    let quoteAfter = scenario.total("DUSDT", in: world)
    #expect(quoteAfter - quoteBefore == lower + upper - lowerFees - upperFees)
    // Everything bought was sold again, but for what was lent.
    let baseAfter = scenario.total("DBTC", in: world)
    #expect(baseBefore - baseAfter == amount("0.001"))

    let grid = world.kernel.strategies[0].strategy.grid
    let summary = try #require(grid)
    #expect(summary.inventory == .zero - amount("0.001"))
    // What is out of the upper slot counts at the level where it was lent.
    #expect(summary.profit == quoteAfter - quoteBefore - times(1, amount("0.001"), 60_500))
    #expect(summary.profit > .zero)
    #expect(summary.roundTrips == Int64(2 * swings - 1))
    #expect(world.kernel.counts.fills == UInt64(4 * swings - 1))
    scenario.expectSoundEnd(&world)
  }

  @Test("M106 M105: the bundled recording is traded for a minute, and both ledgers agree")
  func theRecording() throws {
    var scenario = WhiteBITScenario.recorded(seconds: 60)
    scenario.grid = GridSettings(levelsPerSide: 10, spacing: amount("5"), amount: amount("0.001"))
    var world = try scenario.running()
    world.run(for: .seconds(60))
    #expect(world.kernel.counts.fills > 10)
    #expect(world.kernel.counts.gaps == 0)
    #expect(world.kernel.counts.anomalies == 0)
    scenario.expectSoundEnd(&world)
  }

  private func times(_ count: Int128, _ quantity: Amount, _ price: Int128) -> Amount {
    Amount(units: count * price * quantity.units)
  }
}
