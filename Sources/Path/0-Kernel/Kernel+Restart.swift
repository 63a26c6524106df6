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
  ///
  /// - Parameter before: when its predecessor was last told something.
  mutating func begin(after before: Timestamp) {
    // Nobody looked while no process was there.
    loseStops(since: before)
    isStopping = false
    isStopped = false
    // Each process finds out for itself how its disk stands.
    isHeld = false
    takesOver = portfolio.allEntries.contains { $0.isAdopted }
    if let halt = risk.halt, halt.reason.endsWithProcess, risk.rearm(by: "restart", at: now) {
      note(.rearmed)
    }
  }

  /// Questions and cancels died with the process that put them: what it did not come to know is asked
  /// again, and a cancel that nobody answered is sent again where the order still rests.
  mutating func askAnew() {
    orders.fill(&working)
    for record in working {
      let id = record.clientOrderID
      switch record.view.state {
      case .pendingCancel: orders.cancelInDoubt(id, at: now, effects: &orderEffects)
      case .inDoubt:
        session.query(
          id, venueOrderID: record.venueOrderID, of: record.intent.instrument,
          sentAt: record.openedAt)
      case .pendingNew, .open, .pendingAmend, .filled, .canceled, .rejected: break
      }
    }
    drain()
  }
}
