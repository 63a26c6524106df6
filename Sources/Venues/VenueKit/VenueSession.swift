public import MartletBase
public import MartletModel

/// Our half of a venue's wire: bytes and outcomes in, events for the path and requests out.
///
/// A session does no I/O and reads no clock: everything it knows of the world comes through these
/// doors, with its time, so that a recorded day folds again to the same bytes.
public protocol VenueSession: ~Copyable, Snapshotting {
  /// What one of this venue's keys opens, as its documentation says.
  static var keyScope: KeyScope { get }

  /// Whether a frame is certainly one of the venue's public market and of nothing of ours: a journal may
  /// let such a frame go one day, so whatever is in doubt is none.
  ///
  /// - Complexity: a cheap look at the frame's beginning, without allocation: it is asked of every frame.
  static func isMarketData(_ frame: Span<UInt8>) -> Bool

  /// Takes one input of this venue.
  ///
  /// - Parameters:
  ///   - bytes: the frame or body that `input` speaks of; empty for others.
  ///   - events: receives what it means, in order. Not cleared here.
  ///   - effects: receives what must be sent, in order. Not cleared here.
  mutating func receive(
    _ input: VenueInput, bytes: Span<UInt8>, at now: Timestamp, events: inout VenueEvents,
    effects: inout VenueEffects)

  /// Queues an approved order under the name Orders gave it. Nothing leaves before `flush`.
  mutating func place(
    _ order: Approved<OrderIntent>, as clientOrderID: ClientOrderID, trace: TraceID)

  /// Queues a cancel. Cancels are never refused by Risk and go ahead of placements.
  mutating func cancel(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID)

  /// Asks the venue what became of an order whose fate is unknown: open orders, then history, then
  /// fills, by client id, until one of them knows it or all have denied it for long enough.
  mutating func query(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID,
    sentAt: Timestamp)

  /// The book of `instrument` cannot be true although its chain is whole (it is crossed, say): asks
  /// for it anew. Nothing leaves before `flush`.
  mutating func refreshBook(_ instrument: InstrumentID)

  /// Somebody has looked: questions that the venue refused, and that were given up, are asked again.
  mutating func askAgain(at now: Timestamp)

  /// Ends a step: what was queued becomes effects, batched as the venue allows.
  mutating func flush(at now: Timestamp, effects: inout VenueEffects)

  /// When this session next wants `VenueInput.timer`; `distantFuture` when it does not.
  var nextDeadline: Timestamp { get }
}

extension VenueSession where Self: ~Copyable {
  /// For a session that cannot tell cheaply: everything is kept.
  @inlinable public static func isMarketData(_ frame: Span<UInt8>) -> Bool { false }

  /// For a session whose books come whole every time: the next one heals by itself.
  public mutating func refreshBook(_ instrument: InstrumentID) {}
  public mutating func askAgain(at now: Timestamp) {}
}

/// A connection of a session. The edge opens what it is asked to and says what comes of it.
@frozen public struct StreamID: Hashable, Sendable, BitwiseCopyable {
  public let index: UInt8
  @inlinable public init(_ index: UInt8) { self.index = index }
}

/// One request on its way, numbered by the session from 1, never reused in a journal.
@frozen public struct RequestID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let number: UInt64
  @inlinable public init(_ number: UInt64) { self.number = number }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.number < rhs.number }
}

/// What the world tells a session.
@frozen public enum VenueInput: Equatable, Sendable, BitwiseCopyable {
  /// Begin: connect, ask, subscribe.
  case start
  case streamOpened(StreamID)
  /// The stream is gone, for whatever reason; what it carried since is lost.
  case streamClosed(StreamID)
  /// A whole text message; its bytes come beside.
  case frame(StreamID)
  /// A whole reply; its body comes beside.
  case response(RequestID, status: UInt16)
  case requestFailed(RequestID, RequestFailure)
  /// A deadline that `nextDeadline` named has come.
  case timer
  /// The dead-man's own machine armed its timer at the venue; orders may rest until `until`.
  case deadManArmed(until: Timestamp)
  /// The dead-man could not refresh and its timer may run out.
  case deadManLost
  /// Stop: cancel what is ours, then be silent.
  case stop
  /// This machine's calendar, which our clock does not follow, is ahead of it by `lead`; somebody has
  /// just set it by `step`, unless that is zero.
  case calendar(lead: TimeSpan, step: TimeSpan)
}

/// Why a request has no reply. The difference decides whether it may have acted.
@frozen public enum RequestFailure: UInt8, Sendable, BitwiseCopyable {
  /// No byte left us: name, connect or handshake failed. It cannot have acted.
  case notSent = 0
  /// Sent, and the reply did not come in time. It may have acted.
  case timedOut = 1
  /// Sent at least in part, and the connection broke. It may have acted.
  case broken = 2
  /// A reply larger than allowed, or no HTTP. It may have acted.
  case malformed = 3
}
