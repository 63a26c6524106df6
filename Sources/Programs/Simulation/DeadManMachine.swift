public import MartletBase
public import MartletVenueKit

/// A venue's dead-man machine as the world drives it: beside the kernel, with requests of its own.
public protocol DeadManMachine {
  mutating func start(
    at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews])
  /// The kernel has folded an input.
  mutating func kernelProgress(at time: Timestamp)
  mutating func timer(
    at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews])
  mutating func response(
    _ id: RequestID, status: UInt16, body: Span<UInt8>, at now: Timestamp,
    effects: inout VenueEffects, news: inout [DeadManNews])
  mutating func failed(
    _ id: RequestID, at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews])
  /// Removes the venue's timers, for an end that leaves nothing resting.
  mutating func disarm(
    at now: Timestamp, effects: inout VenueEffects, news: inout [DeadManNews])
  /// Asks nothing more: the venue's timers are left to run out.
  mutating func abandon()
  /// When `timer` next has something to do.
  var nextDeadline: Timestamp { get }
}

/// What a dead-man machine tells the program around it.
public enum DeadManNews: Equatable, Sendable {
  /// Orders may rest until then.
  case armed(until: Timestamp)
  /// Timers may run out, and new orders would rest unguarded.
  case lost
  /// Worth a line in the journal.
  case line(String)
}
