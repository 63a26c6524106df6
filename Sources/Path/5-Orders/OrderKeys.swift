internal import MartletBase
internal import MartletModel

/// The venue's name for an order, where it is unique: some venues number each instrument's orders
/// from one.
struct VenueOrderKey {
  var order: VenueOrderID
  var account: AccountID
  var instrument: InstrumentID

  var stableHash: UInt64 {
    order.stableHash ^ (UInt64(account.index) << 16 | UInt64(instrument.index)) << 32
  }
}

/// The venue's name for one execution of ours, where it is unique. A trade between two orders of our
/// own is two executions, so the side is part of it.
struct TradeKey: StablyHashed, SnapshotValue {
  var trade: TradeID
  var account: AccountID
  var instrument: InstrumentID
  var side: Side

  var stableHash: UInt64 {
    trade.stableHash
      ^ (UInt64(account.index) << 17 | UInt64(instrument.index) << 1 | UInt64(side.rawValue)) << 31
  }
  static var filler: TradeKey {
    TradeKey(
      trade: .filler, account: AccountID(0), instrument: InstrumentID(0), side: .buy)
  }

  init(trade: TradeID, account: AccountID, instrument: InstrumentID, side: Side) {
    self.trade = trade
    self.account = account
    self.instrument = instrument
    self.side = side
  }

  func write(to snapshot: inout SnapshotWriter) {
    trade.write(to: &snapshot)
    account.write(to: &snapshot)
    instrument.write(to: &snapshot)
    snapshot.write(side.rawValue)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(
      trade: try TradeID(from: &snapshot), account: try AccountID(from: &snapshot),
      instrument: try InstrumentID(from: &snapshot), side: try snapshot.side())
  }
}
