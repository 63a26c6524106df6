public import MartletBase
public import MartletRecord
public import MartletStrategy
public import MartletVenueKit

/// Where records go: a mapped file in a live process, memory in a simulation.
public protocol JournalSink: ~Copyable {
  associatedtype Fault: Error
  /// Appends one record whose payload is `head` followed by `body`, durable against the death of the
  /// process when it returns.
  ///
  /// - Parameter lane: which retention it is under.
  /// - Returns: the record's sequence: one more than the last.
  mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) throws(Fault) -> UInt64
}

extension JournalSink where Self: ~Copyable {
  /// Appends a decision.
  @inlinable public mutating func append(
    kind: UInt16, at time: Timestamp, _ head: borrowing ByteBuffer, _ body: Span<UInt8>
  ) throws(Fault) -> UInt64 {
    try append(kind: kind, lane: .decisions, at: time, head, body)
  }
}

/// Feeds one kernel and keeps the rule of the journal: an input is written before it acts, and every
/// effect before it leaves. What was decided and why comes after, when nothing waits for it: it is
/// what the fold of the inputs says again at any time.
///
/// The caller carries out `kernel.effects` between `decide` and `recordNotes`. Live, simulation and
/// benchmark drive their kernels through this one door.
public struct KernelDriver<
  Session: VenueSession & ~Copyable, Strategy: TradingStrategy, Sink: JournalSink & ~Copyable
>: ~Copyable {
  public var kernel: Kernel<Session, Strategy>
  public var sink: Sink
  private var payload = ByteBuffer(capacity: 65_536)

  public init(kernel: consuming Kernel<Session, Strategy>, sink: consuming Sink) {
    self.kernel = kernel
    self.sink = sink
  }

  /// `decide` and `recordNotes` at once, for a caller that carries effects out later.
  public mutating func feed(
    _ input: KernelInput, bytes: Span<UInt8>, at now: Timestamp
  ) throws(Sink.Fault) {
    try decide(input, bytes: bytes, at: now)
    try recordNotes(at: now)
  }

  /// Journals `input`, folds it in, and journals the effects, which may then leave.
  ///
  /// - Throws: the sink's fault. If it is thrown before the fold the input has not acted; after it,
  ///   effects stand in `kernel.effects` that must not leave.
  public mutating func decide(
    _ input: KernelInput, bytes: Span<UInt8>, at now: Timestamp
  ) throws(Sink.Fault) {
    payload.removeAll()
    InputCoding.write(input, into: &payload)
    let sequence = try sink.append(
      kind: JournalKind.input, lane: lane(of: input, bytes), at: now, payload, bytes)
    kernel.step(input, bytes: bytes, at: now, sequence: sequence)
    let nothing = Span<UInt8>()
    for index in 0..<kernel.effects.list.count {
      payload.removeAll()
      EffectCoding.write(
        kernel.effects.list[index], bytes: kernel.effects.bytes, into: &payload)
      _ = try sink.append(kind: JournalKind.effect, at: now, payload, nothing)
    }
  }

  /// A public frame may leave the journal when it is old; whatever else came in stays.
  private func lane(of input: KernelInput, _ bytes: Span<UInt8>) -> RecordLane {
    if case .venue(.frame) = input, Session.isMarketData(bytes) { return .market }
    return .decisions
  }

  /// Journals what the last step decided and why.
  public mutating func recordNotes(at now: Timestamp) throws(Sink.Fault) {
    let nothing = Span<UInt8>()
    for index in 0..<kernel.notes.count {
      payload.removeAll()
      NoteCoding.write(kernel.notes[index].note, trace: kernel.notes[index].trace, into: &payload)
      _ = try sink.append(kind: JournalKind.note, at: now, payload, nothing)
    }
  }
}
