internal import MartletBase
internal import MartletModel

/// What is left of slots that are no more: what they earned, and their orders on the way out.
///
/// When settings take a slot away, what it held beyond what it was lent goes back to the account, at
/// the price of that moment.
struct GridPast: Equatable, Sendable {
  /// Of the slots that are no more. In quote units.
  private(set) var profit = Amount.zero
  private(set) var roundTrips: Int64 = 0
  /// The highest number of any order when the grid was last laid anew: marks up to it are of former
  /// slots, but for the orders that were taken over.
  var generation: Int64 = 0
  /// Marks of orders that are being canceled and have not ended. At most two a slot: the one of each
  /// of two settings.
  private var leaving: [Int64] = []

  var isLeaving: Bool { !leaving.isEmpty }

  func isLeaving(_ tag: Int64) -> Bool { leaving.contains(tag) }

  mutating func leave(_ tag: Int64) { leaving.append(tag) }

  /// Whether it was the last to leave.
  mutating func ended(_ tag: Int64) -> Bool {
    guard let index = leaving.firstIndex(of: tag) else { return false }
    leaving.remove(at: index)
    return leaving.isEmpty
  }

  /// Only what still works can still leave.
  mutating func keepLeaving(_ working: [OrderView]) {
    leaving.removeAll { tag in !working.contains { $0.tag == tag } }
  }

  /// Takes over what a slot earned.
  ///
  /// - Parameter price: at which what it gained counts from now on.
  mutating func close(
    _ slot: GridSlot, at price: Price, _ scale: InstrumentScale, _ kind: Instrument.Kind
  ) {
    profit = profit + slot.profit(at: price, scale, kind)
    roundTrips += slot.roundTrips
  }

  /// A fill of an order whose slot is no more: the account has what was traded, at what it cost, so
  /// that the fee is all there is to count.
  mutating func book(_ fill: Fill, of instrument: Instrument) {
    var slot = GridSlot()
    slot.book(fill, of: instrument)
    profit = profit + slot.profit(at: fill.price, instrument.scale, instrument.kind)
  }
}

extension GridPast {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(profit)
    snapshot.write(roundTrips)
    snapshot.write(generation)
    snapshot.write(UInt32(leaving.count))
    for tag in leaving { snapshot.write(tag) }
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    profit = try snapshot.amount()
    roundTrips = try snapshot.read()
    generation = try snapshot.read()
    let count = try snapshot.read(UInt32.self)
    guard count <= 4 * UInt32(GridSettings.mostLevels) else {
      throw .impossible("\(count) orders of a former grid", offset: snapshot.offset)
    }
    for _ in 0..<count { leaving.append(try snapshot.read()) }
  }
}
