public import MartletBase

/// What many read and a venue is asked for seldom: nothing that money hangs on.
///
/// Whoever needs it reads it here. While it is fresh it costs nothing; the first reader after that is
/// told to ask, and all others until the answer comes are told that somebody has.
public struct Cached<Value> {
  public enum Reading {
    case fresh(Value)
    /// It is stale, and the reader is to ask for it.
    case ask
    /// It is stale, and somebody has asked.
    case wait
  }

  /// How long an answer is fresh.
  public let lifetime: TimeSpan
  /// The last answer, fresh or not.
  public private(set) var value: Value?
  public private(set) var readAt = Timestamp.zero
  private var isAsked = false

  public init(lifetime: TimeSpan) {
    precondition(lifetime > .zero, "a cache of \(lifetime)")
    self.lifetime = lifetime
  }

  public mutating func read(at now: Timestamp) -> Reading {
    if let value, now < readAt + lifetime { return .fresh(value) }
    if isAsked { return .wait }
    isAsked = true
    return .ask
  }

  /// The answer came.
  public mutating func fill(_ value: Value, at now: Timestamp) {
    self.value = value
    readAt = now
    isAsked = false
  }

  /// There will be no answer: the next reader asks.
  public mutating func fail() { isAsked = false }
}

extension Cached {
  public func write(
    to snapshot: inout SnapshotWriter, _ content: (Value, inout SnapshotWriter) -> Void
  ) {
    snapshot.section("Cached")
    snapshot.write(readAt)
    snapshot.write(isAsked)
    snapshot.write(value != nil)
    if let value { content(value, &snapshot) }
  }

  public mutating func read(
    from snapshot: inout SnapshotReader,
    _ content: (inout SnapshotReader) throws(SnapshotReader.Fault) -> Value
  ) throws(SnapshotReader.Fault) {
    try snapshot.section("Cached")
    readAt = try snapshot.timestamp()
    isAsked = try snapshot.bool()
    value = try snapshot.bool() ? try content(&snapshot) : nil
  }
}

extension Cached: Sendable where Value: Sendable {}
extension Cached.Reading: Sendable where Value: Sendable {}
extension Cached: Equatable where Value: Equatable {}
extension Cached.Reading: Equatable where Value: Equatable {}
