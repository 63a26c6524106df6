/// Counts what a process does, and ends it at one of those things: behind any record it wrote, any
/// message it sent, and any that reached it.
///
/// One object for a process's life, shared by everything that the process does.
public final class Mortality {
  /// What was done so far, over all lives that it counts.
  public private(set) var events: UInt64 = 0
  /// The process dies behind this one.
  public var deathAt = UInt64.max
  /// How many processes died so.
  public private(set) var deaths = 0
  /// Whether the present one is dead.
  public internal(set) var isOver = false

  public init() {}

  /// Counts one.
  ///
  /// - Returns: whether the process lives on.
  func passes() -> Bool {
    if isOver { return false }
    events += 1
    isOver = events >= deathAt
    deaths += isOver ? 1 : 0
    return !isOver
  }

  /// A new process begins; a death that nobody died yet is its own.
  func renew() {
    isOver = false
    if deathAt <= events { deathAt = .max }
  }
}
