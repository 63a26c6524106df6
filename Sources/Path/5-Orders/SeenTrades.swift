internal import MartletBase
internal import MartletModel

/// Remembers which executions were told, so that stream, query and history together book each once.
///
/// One trade may be two executions of ours, when our own orders meet, so the side is part of the key.
///
/// - Bounds: the last `capacity` executions; the oldest goes first. History is read again with an
///   overlap of minutes, so 65,536 cover an hour at 18 fills a second; beyond that, the order
///   itself tells: it is finished, and one fill more is an overfill that raises an alarm.
struct SeenTrades: Sendable {
  struct Key: Equatable, Sendable, BitwiseCopyable {
    var trade: TradeID
    var account: AccountID
    var instrument: InstrumentID
    var side: Side

    var hash: UInt64 {
      stableHash(
        trade.low ^ (trade.high &* 0xa076_1d64_78bd_642f),
        UInt64(account.index) << 32 | UInt64(instrument.index) << 8 | UInt64(side.rawValue))
    }
  }

  /// The keys in the order told, from `oldest` round to it again.
  private var keys: [Key] = []
  private var oldest = 0
  private var table: SlotTable
  let capacity: Int

  init(capacity: Int) {
    precondition(capacity >= 1 && capacity < 1 << 24, "\(capacity) trades to remember")
    self.capacity = capacity
    keys.reserveCapacity(capacity)
    table = SlotTable(capacity: capacity)
  }

  var count: Int { keys.count }

  /// Remembers `key`.
  ///
  /// - Returns: false when it was told before.
  mutating func insert(_ key: Key) -> Bool {
    let hash = key.hash
    if table.find(hash, where: { keys[$0] == key }) != nil { return false }
    if keys.count < capacity {
      table.insert(hash, slot: keys.count)
      keys.append(key)
    } else {
      table.remove(keys[oldest].hash, slot: oldest)
      table.insert(hash, slot: oldest)
      keys[oldest] = key
      oldest = oldest + 1 == capacity ? 0 : oldest + 1
    }
    return true
  }

  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(UInt32(keys.count))
    for index in 0..<keys.count {
      let key = keys[(oldest + index) % keys.count]
      snapshot.write(key.trade.high)
      snapshot.write(key.trade.low)
      snapshot.write(key.account.index)
      snapshot.write(key.instrument.index)
      snapshot.write(key.side.rawValue)
    }
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    keys.removeAll(keepingCapacity: true)
    table.removeAll()
    oldest = 0
    let start = snapshot.offset
    let found = try snapshot.count(ofSize: 21)
    guard found <= capacity else {
      throw .impossible("\(found) seen trades where \(capacity) fit", offset: start)
    }
    for _ in 0..<found {
      let trade = TradeID(high: try snapshot.read(), low: try snapshot.read())
      let account = AccountID(try snapshot.read())
      let instrument = InstrumentID(try snapshot.read())
      guard let side = Side(rawValue: try snapshot.byte()) else {
        throw .impossible("a side", offset: snapshot.offset - 1)
      }
      _ = insert(Key(trade: trade, account: account, instrument: instrument, side: side))
    }
  }
}
