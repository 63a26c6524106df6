internal import MartletBase
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletVenueKit

// What a process does with the state of the one before it. Orders, books, positions and strategies go
// on; so does a pause, and a halt that somebody must lift.
extension Kernel where Session: ~Copyable {
  /// A process begins. For the first one of a bot this changes nothing.
  mutating func begin() {
    isStopping = false
    isStopped = false
    takesOver = portfolio.allEntries.contains { $0.isAdopted }
    switch risk.halt?.reason {
    case .unauthorized, .questionRefused, .journalFailed:
      // Of the process that ended: this one finds out for itself.
      if risk.rearm(by: "restart", at: now) { note(.rearmed) }
    case .deadManLost, .contradiction, .ledgerMismatch, .operatorRequest, .lossLimit, .capacity,
      nil:
      break
    }
  }
}
