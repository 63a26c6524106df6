/// Proves that no depth update was missed.
///
/// - Source: WhiteBIT docs, "Depth" stream: a delta names the update it follows in
///   `past_update_id`; a snapshot names none, and restarts the chain at any number.
public struct Gaps: Equatable, Sendable {
  public enum Break: Error, Equatable, Sendable {
    case deltaBeforeSnapshot(id: UInt64)
    case gap(expected: UInt64, found: UInt64)
  }
  public private(set) var last: UInt64?
  public init() {}
  public mutating func follow(_ id: UInt64, after past: UInt64?) throws(Break) {
    if let past {
      guard let last else { throw .deltaBeforeSnapshot(id: id) }
      guard past == last else { throw .gap(expected: last, found: past) }
    }
    last = id
  }
}

extension Gaps {
  /// A chain that a snapshot of this state left at `last`.
  init(last: UInt64?) { self.last = last }
}
