public import MartletBase

// Hashed and written the same in every process: keys of `HashIndex`, `BoundedSet` and snapshots.

extension ClientOrderID: StablyHashed, SnapshotValue {
  @inlinable public var stableHash: UInt64 { text.stableHash }
  @inlinable public static var filler: ClientOrderID { ClientOrderID(InlineText()) }
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(text) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(try snapshot.inlineText())
  }
}

extension VenueOrderID: StablyHashed, SnapshotValue {
  @inlinable public var stableHash: UInt64 { MartletBase.stableHash(high: high, low: low) }
  @inlinable public static var filler: VenueOrderID { .none }
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(high)
    snapshot.write(low)
  }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(high: try snapshot.read(), low: try snapshot.read())
  }
}

extension TradeID: StablyHashed, SnapshotValue {
  @inlinable public var stableHash: UInt64 { MartletBase.stableHash(high: high, low: low) }
  @inlinable public static var filler: TradeID { TradeID(low: 0) }
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(high)
    snapshot.write(low)
  }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(high: try snapshot.read(), low: try snapshot.read())
  }
}

extension AccountID: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(index) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(try snapshot.read())
  }
}

extension StrategyID: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(index) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(try snapshot.read())
  }
}

extension InstrumentID: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(index) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(try snapshot.read())
  }
}

extension TraceID: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(sequence) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self.init(try snapshot.read())
  }
}
