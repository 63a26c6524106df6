import MartletBase
import MartletGrid
import MartletKernel
import MartletModel
import MartletOrders
import MartletSimulation
import Testing

func amount(_ text: String) -> Amount {
  do { return try Amount(text) } catch {
    Issue.record("“\(text)” is no amount: \(error)")
    return .zero
  }
}

extension WhiteBITScenario {
  /// A small grid on a market that stands still at 60,000 to 60,010 unless `market` says otherwise:
  /// levels at 60,000 ± 50, 100, …
  static func grid(
    levels: Int = 3, seed: UInt64 = 1, _ market: HandmadeMarket = HandmadeMarket()
  ) -> WhiteBITScenario {
    var scenario = WhiteBITScenario(seed: seed, rows: market.recording)
    scenario.grid = GridSettings(
      levelsPerSide: levels, spacing: amount("50"), amount: amount("0.001"))
    return scenario
  }

  /// A running world whose grid rests at the venue.
  func running() throws -> WhiteBITWorld {
    var world = try makeWorld()
    world.start()
    let wanted = 2 * grid.levelsPerSide
    let isThere = world.run(for: .seconds(10)) {
      $0.isQuiet && $0.kernel.isReady && $0.kernel.orders.workingCount == wanted
    }
    #expect(isThere, "the grid is not laid out within 10 s")
    return world
  }

  /// Records an issue for everything that does not hold in `world`.
  func expectSound(
    _ world: borrowing WhiteBITWorld, isSettled: Bool = true, isShared: Bool = false,
    _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let found = world.violations(
      prefix: "\(prefix)", key: key, secret: secret, isSettled: isSettled, isShared: isShared)
    if !found.isEmpty {
      Issue.record(
        "\(comment) seed \(seed):\n\(found.prefix(12).joined(separator: "\n"))",
        sourceLocation: sourceLocation)
    }
  }
}
