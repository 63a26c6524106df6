/// A small value that has one way to stand in a snapshot; containers of such can be written whole.
public protocol SnapshotValue {
  func write(to snapshot: inout SnapshotWriter)
  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault)
}

extension SnapshotValue where Self: FixedWidthInteger {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.read(Self.self)
  }
}

extension UInt8: SnapshotValue {}
extension UInt16: SnapshotValue {}
extension Int32: SnapshotValue {}
extension UInt32: SnapshotValue {}
extension Int64: SnapshotValue {}
extension UInt64: SnapshotValue {}
extension Int: SnapshotValue {}
extension Int128: SnapshotValue {}
extension UInt128: SnapshotValue {}

extension Price: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.price()
  }
}

extension Quantity: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.quantity()
  }
}

extension Amount: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.amount()
  }
}

extension Rate: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.rate()
  }
}

extension Timestamp: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.timestamp()
  }
}

extension TimeSpan: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.timeSpan()
  }
}

extension InlineText: SnapshotValue {
  public func write(to snapshot: inout SnapshotWriter) { snapshot.write(self) }
  public init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    self = try snapshot.inlineText()
  }
}
