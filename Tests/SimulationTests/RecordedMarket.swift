import MartletBase
import MartletHistory
import MartletModel
import MartletSimulation
import Testing

extension WhiteBITScenario {
  /// The bundled market, read once; empty, and an issue recorded, when it cannot be read.
  private static let recording: Recording? = {
    // Tests/SimulationTests/RecordedMarket.swift, three levels under the package.
    let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return try? Recording(
      path: "/\(package)/Fixtures/Markets/binance-spot_BTCUSDT_20240808T2354.mmr")
  }()

  /// A grid on the first seconds of the bundled market, over and over.
  static func recorded(seconds: Int64, seed: UInt64 = 1) -> WhiteBITScenario {
    guard let recording, let first = recording.rows.first?.receivedAt else {
      Issue.record("the bundled market cannot be read")
      return WhiteBITScenario(seed: seed)
    }
    let end = first + .seconds(seconds)
    var scenario = WhiteBITScenario(
      seed: seed, rows: Array(recording.rows.prefix { $0.receivedAt < end }))
    scenario.pricePlaces = recording.pricePlaces
    scenario.quantityPlaces = recording.quantityPlaces
    return scenario
  }
}
