public import MartletBase

/// Hands out a key's nonces: milliseconds of venue time, each larger than every one before, to any
/// number of threads.
///
/// Venue time is the monotonic clock, anchored to what the venue's clock showed; a step of this
/// machine's calendar changes nothing. A burst of more than one request a millisecond runs ahead of
/// venue time; before it leaves the window in which the venue takes nonces, the caller is told to
/// wait.
///
/// - Source: WhiteBIT takes a nonce within 5 s of its clock when `nonceWindow` is true, once.
public final class NonceClock: Sendable {
  public enum Outcome: Equatable, Sendable {
    case nonce(Int64)
    /// A nonce now would lead venue time too far: ask again after this long.
    case wait(TimeSpan)
  }

  private struct State {
    var anchor: Anchor
    var last: Int64
    /// Milliseconds; nil before the first nonce.
    var largestLead: Int64?
    let file: NonceFile?
  }

  private struct Anchor {
    var venueTime: Timestamp
    var monotonic: Timestamp
    func venueTime(at monotonic: Timestamp) -> Timestamp {
      venueTime + (monotonic - self.monotonic)
    }
  }

  private let state: Lock<State>
  private let maximumLead: Int64
  private let block: Int64

  /// - Parameters:
  ///   - venueTime: the best guess so far of what the venue's clock shows at `monotonic`; the
  ///     calendar of this machine until the venue has been asked.
  ///   - file: keeps the last nonce over restarts and a second process away; without one, nothing
  ///     is kept, which suits a simulated venue alone.
  ///   - maximumLead: a nonce leads venue time by less than this.
  ///   - block: how far ahead the file is written. Not more than `maximumLead`, so that a process
  ///     started at once after a crash does not have to wait for its first nonce.
  public init(
    venueTime: Timestamp, at monotonic: Timestamp, file: sending NonceFile? = nil,
    maximumLead: TimeSpan = .milliseconds(2_500), block: TimeSpan = .seconds(2)
  ) {
    precondition(
      block > .zero && block <= maximumLead, "a block of nonces longer than the lead allowed")
    self.maximumLead = maximumLead.milliseconds
    self.block = block.milliseconds
    let anchor = Anchor(venueTime: venueTime, monotonic: monotonic)
    state = Lock(State(anchor: anchor, last: file?.reserved ?? 0, file: file))
  }

  /// Takes over a measurement: the venue's clock showed `venueTime` at `monotonic`. Nonces go on
  /// rising whatever it says.
  public func anchor(venueTime: Timestamp, at monotonic: Timestamp) {
    state.withLock { $0.anchor = Anchor(venueTime: venueTime, monotonic: monotonic) }
  }

  /// What the venue's clock shows, as far as known.
  public func venueTime(at monotonic: Timestamp) -> Timestamp {
    state.withLock { $0.anchor.venueTime(at: monotonic) }
  }

  /// By how much the last nonce leads venue time; negative when it lies behind. A metric.
  public func lead(at monotonic: Timestamp) -> TimeSpan {
    state.withLock { state in
      .milliseconds(state.last - state.anchor.venueTime(at: monotonic).milliseconds)
    }
  }

  /// By how much a nonce has led venue time at most, as it was handed out; nil before the first. A
  /// metric: it never reaches `maximumLead`.
  public var largestLead: TimeSpan? {
    state.withLock { state in state.largestLead.map { .milliseconds($0) } }
  }

  /// The next nonce: the venue's millisecond now, or one more than the last, whichever is larger.
  ///
  /// - Throws: when the file cannot be written. No nonce was used then.
  public func next(at monotonic: Timestamp) throws(NonceFault) -> Outcome {
    try state.withLock { (state) throws(NonceFault) -> Outcome in
      let now = state.anchor.venueTime(at: monotonic).milliseconds
      let nonce = max(now, state.last + 1)
      let lead = nonce - now
      guard lead < maximumLead else { return .wait(.milliseconds(lead - maximumLead + 1)) }
      if let file = state.file, nonce > file.reserved { try file.reserve(nonce + block) }
      state.last = nonce
      state.largestLead = max(state.largestLead ?? lead, lead)
      return .nonce(nonce)
    }
  }

  /// Writes the file before a nonce needs it, once half of what was set aside is over: a write takes
  /// as long as everything else between a fill and its order.
  public func reserveAhead(at monotonic: Timestamp) throws(NonceFault) {
    try state.withLock { (state) throws(NonceFault) in
      guard let file = state.file else { return }
      let next = max(state.anchor.venueTime(at: monotonic).milliseconds, state.last + 1)
      // Not beyond what a process started at once after a crash may lead venue time by.
      let ahead = state.anchor.venueTime(at: monotonic).milliseconds + block
      if next + block / 2 > file.reserved, ahead > file.reserved { try file.reserve(ahead) }
    }
  }

  /// Writes the last nonce itself in place of the block it lies in, before an orderly end, so that
  /// the next start need not step over the rest. To be called when no more nonces are asked for.
  public func settle() throws(NonceFault) {
    try state.withLock { (state) throws(NonceFault) in
      guard let file = state.file, state.last > 0 else { return }
      try file.reserve(state.last)
    }
  }
}
