internal import MartletBase
internal import MartletModel

// Where a key stands, or would stand, in the sorted arrays.
extension Portfolio {
  func search(
    _ account: AccountID, _ instrument: InstrumentID, _ side: Position.PositionSide
  ) -> (index: Int, isPresent: Bool) {
    let key = Portfolio.key(account, instrument, side)
    var low = 0
    var high = positions.count
    while low < high {
      let middle = (low + high) / 2
      let found = positions[middle]
      if Portfolio.key(found.account, found.instrument, found.side) < key {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < positions.count else { return (low, false) }
    let found = positions[low]
    return (low, Portfolio.key(found.account, found.instrument, found.side) == key)
  }

  func search(_ account: AccountID, _ asset: InlineText) -> (index: Int, isPresent: Bool) {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if (entries[middle].account, entries[middle].asset) < (account, asset) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return (
      low,
      low < entries.count && entries[low].account == account && entries[low].asset == asset
    )
  }

  func searchTrack(
    _ account: AccountID, _ instrument: InstrumentID
  ) -> (index: Int, isPresent: Bool) {
    let key = Portfolio.key(account, instrument, .net)
    var low = 0
    while low < tracks.count
      && Portfolio.key(tracks[low].account, tracks[low].instrument, .net) < key
    { low += 1 }
    return (
      low,
      low < tracks.count && tracks[low].account == account
        && tracks[low].instrument == instrument
    )
  }

  mutating func positionIndex(
    _ account: AccountID, _ instrument: InstrumentID, _ side: Position.PositionSide
  ) -> Int {
    let (index, isPresent) = search(account, instrument, side)
    if isPresent { return index }
    // Instruments are configured: this is a broken invariant, not a crowded day.
    precondition(positions.count < capacity, "more than \(capacity) positions")
    positions.insert(Position(account: account, instrument: instrument, side: side), at: index)
    return index
  }

  /// The entry of an asset, made when it is new; nil when there is no room.
  mutating func entryIndex(_ account: AccountID, _ asset: InlineText) -> Int? {
    let (index, isPresent) = search(account, asset)
    if isPresent { return index }
    if entries.count >= capacity { return nil }
    entries.insert(LedgerEntry(account: account, asset: asset), at: index)
    return index
  }

  static func key(
    _ account: AccountID, _ instrument: InstrumentID, _ side: Position.PositionSide
  ) -> UInt64 {
    UInt64(account.index) << 32 | UInt64(instrument.index) << 8 | UInt64(side.rawValue)
  }
}
