public import MartletBase
internal import MartletModel

extension Portfolio: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    // Without contracts it is written as before there were any.
    let hasContracts = !contracts.isEmpty || !holdings.isEmpty
    snapshot.section(hasContracts ? "portfolio-2" : "portfolio")
    snapshot.write(balancesIgnored)
    snapshot.write(UInt32(positions.count))
    for index in 0..<positions.count { positions[index].write(to: &snapshot) }
    snapshot.write(UInt32(entries.count))
    for index in 0..<entries.count { entries[index].write(to: &snapshot) }
    snapshot.write(UInt32(tracks.count))
    for index in 0..<tracks.count { tracks[index].write(to: &snapshot) }
    guard hasContracts else { return }
    snapshot.write(UInt32(contracts.count))
    for index in 0..<contracts.count { contracts[index].write(to: &snapshot) }
    snapshot.write(UInt32(holdings.count))
    for index in 0..<holdings.count { holdings[index].write(to: &snapshot) }
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let hasContracts = snapshot.takeSection("portfolio-2")
    if !hasContracts { try snapshot.section("portfolio") }
    balancesIgnored = try snapshot.read()
    let start = snapshot.offset
    positions.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    tracks.removeAll(keepingCapacity: true)
    contracts.removeAll()
    holdings.removeAll()
    for _ in 0..<(try snapshot.count(ofSize: 77)) {
      let position = try Position(from: &snapshot)
      let (index, isPresent) = search(position.account, position.instrument, position.side)
      guard index == positions.count && !isPresent else {
        throw .impossible("a position out of order", offset: start)
      }
      positions.append(position)
    }
    for _ in 0..<(try snapshot.count(ofSize: 131)) {
      let entry = try LedgerEntry(from: &snapshot)
      let (index, isPresent) = search(entry.account, entry.asset)
      guard index == entries.count && !isPresent else {
        throw .impossible("a ledger entry out of order", offset: start)
      }
      entries.append(entry)
    }
    for _ in 0..<(try snapshot.count(ofSize: 84)) {
      let track = try EquityTrack(from: &snapshot)
      let (index, isPresent) = searchTrack(track.account, track.instrument)
      guard index == tracks.count && !isPresent else {
        throw .impossible("an equity track out of order", offset: start)
      }
      tracks.append(track)
    }
    if hasContracts { try readContracts(from: &snapshot) }
    guard
      max(positions.count, entries.count, tracks.count, contracts.count, holdings.count) <= capacity
    else {
      throw .impossible("more than \(capacity) of a kind", offset: start)
    }
  }
}

extension Position {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(account.index)
    snapshot.write(instrument.index)
    snapshot.write(side.rawValue)
    snapshot.write(net)
    snapshot.write(baseFees)
    snapshot.write(cost)
    snapshot.write(realized)
    snapshot.write(quoteFees)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let account = AccountID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    guard let side = PositionSide(rawValue: try snapshot.byte()) else {
      throw .impossible("a position side", offset: snapshot.offset - 1)
    }
    self.init(account: account, instrument: instrument, side: side)
    net = try snapshot.quantity()
    baseFees = try snapshot.amount()
    cost = try snapshot.amount()
    realized = try snapshot.amount()
    quoteFees = try snapshot.amount()
  }
}

extension LedgerEntry {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(account.index)
    snapshot.write(asset)
    snapshot.write(expected)
    snapshot.write(reserved)
    snapshot.write(foreignFrozen)
    snapshot.write(isAdopted)
    snapshot.write(told != nil)
    snapshot.write(told?.available ?? .zero)
    snapshot.write(told?.frozen ?? .zero)
    snapshot.write(toldAt)
    snapshot.write(movedAt)
    snapshot.write(fees)
    snapshot.write(transfers)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(
      account: AccountID(try snapshot.read()), asset: try snapshot.inlineText())
    expected = try snapshot.amount()
    reserved = try snapshot.amount()
    foreignFrozen = try snapshot.amount()
    isAdopted = try snapshot.bool()
    let isTold = try snapshot.bool()
    let available = try snapshot.amount()
    let frozen = try snapshot.amount()
    told =
      isTold
      ? Balance(account: account, asset: asset, available: available, frozen: frozen) : nil
    toldAt = try snapshot.timestamp()
    movedAt = try snapshot.timestamp()
    fees = try snapshot.amount()
    transfers = try snapshot.amount()
  }
}

extension EquityTrack {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(account.index)
    snapshot.write(instrument.index)
    snapshot.write(start)
    snapshot.write(current)
    snapshot.write(peak)
    snapshot.write(deepest)
    snapshot.write(mark)
    snapshot.write(markedAt)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let account = AccountID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    let start = try snapshot.amount()
    let current = try snapshot.amount()
    let peak = try snapshot.amount()
    let deepest = try snapshot.amount()
    let mark = try snapshot.price()
    self.init(
      account: account, instrument: instrument, equity: start, mark: mark,
      at: try snapshot.timestamp())
    self.current = current
    self.peak = peak
    self.deepest = deepest
  }
}
