public import MartletBase
public import MartletStrategy
public import MartletVenueKit

/// Folds a journal again and holds every note and effect against what was recorded.
///
/// Feed it each record in order. The kernel given must be the one the journal's first record
/// describes, in its first state or in that of a snapshot record.
public struct Replay<Session: VenueSession & ~Copyable, Strategy: TradingStrategy>: ~Copyable {
  /// The first place where the fold and the record disagree.
  public struct Difference: Error, Equatable, Sendable {
    public enum What: Equatable, Sendable {
      /// The fold caused something else than what was recorded.
      case differs(recorded: [UInt8], folded: [UInt8])
      /// The fold caused something that was not recorded.
      case notRecorded(folded: [UInt8])
      /// Something was recorded that the fold does not cause.
      case notFolded(recorded: [UInt8])
      /// The payload is no input.
      case unreadableInput
    }
    /// Sequence of the record, or of the input whose effects are missing.
    public let sequence: UInt64
    public let what: What
  }

  public var kernel: Kernel<Session, Strategy>
  private var payload = ByteBuffer(capacity: 65_536)
  private var noteIndex = 0
  private var effectIndex = 0
  private var input: UInt64 = 0
  public private(set) var inputs: UInt64 = 0
  public private(set) var compared: UInt64 = 0

  public init(kernel: consuming Kernel<Session, Strategy>) { self.kernel = kernel }

  /// - Throws: `Difference`, the first one; the replay is then over.
  public mutating func feed(
    kind: UInt16, sequence: UInt64, at time: Timestamp, payload recorded: Span<UInt8>
  ) throws(Difference) {
    switch kind {
    case JournalKind.input:
      try finish()
      guard let (read, bytesStart) = InputCoding.read(recorded) else {
        throw Difference(sequence: sequence, what: .unreadableInput)
      }
      input = sequence
      inputs += 1
      kernel.step(
        read, bytes: recorded.extracting(bytesStart..<recorded.count), at: time, sequence: sequence)
      noteIndex = 0
      effectIndex = 0
    case JournalKind.note:
      payload.removeAll()
      guard noteIndex < kernel.notes.count else {
        throw Difference(sequence: sequence, what: .notFolded(recorded: copy(recorded)))
      }
      NoteCoding.write(
        kernel.notes[noteIndex].note, trace: kernel.notes[noteIndex].trace, into: &payload)
      noteIndex += 1
      try compare(recorded, sequence)
    case JournalKind.effect:
      payload.removeAll()
      guard effectIndex < kernel.effects.list.count else {
        throw Difference(sequence: sequence, what: .notFolded(recorded: copy(recorded)))
      }
      EffectCoding.write(
        kernel.effects.list[effectIndex], bytes: kernel.effects.bytes, into: &payload)
      effectIndex += 1
      try compare(recorded, sequence)
    default:
      break  // Nonces, dead-man news, side requests and totals: nothing folds from the edge's.
    }
  }

  /// Begins in a state that a snapshot record tells, or, once inputs were folded, holds the fold
  /// against it.
  ///
  /// - Parameter state: as the kernel wrote it.
  /// - Returns: whether it is the state of the fold.
  /// - Throws: what is wrong with it, when the replay is to begin there.
  public mutating func take(_ recorded: [UInt8]) throws(SnapshotReader.Fault) -> Bool {
    guard inputs > 0 else {
      var reader = SnapshotReader(recorded)
      try kernel.read(from: &reader)
      return reader.isAtEnd
    }
    return written == recorded
  }

  /// The state of the fold.
  public var written: [UInt8] {
    var writer = SnapshotWriter()
    kernel.write(to: &writer)
    return writer.bytes.copy()
  }

  /// Ends the replay of a complete journal. A journal cut by the death of its process may lack the
  /// last input's effects: then do not call this.
  public mutating func finish() throws(Difference) {
    if noteIndex < kernel.notes.count {
      payload.removeAll()
      NoteCoding.write(
        kernel.notes[noteIndex].note, trace: kernel.notes[noteIndex].trace, into: &payload)
      throw Difference(sequence: input, what: .notRecorded(folded: payload.copy()))
    }
    if effectIndex < kernel.effects.list.count {
      payload.removeAll()
      EffectCoding.write(
        kernel.effects.list[effectIndex], bytes: kernel.effects.bytes, into: &payload)
      throw Difference(sequence: input, what: .notRecorded(folded: payload.copy()))
    }
  }

  /// What the last input caused and is not recorded, in the order in which it would have been: its
  /// process died in between. Nothing of an effect that is not recorded has left.
  ///
  /// - Parameter take: a record's kind and payload.
  public mutating func complete<Fault: Error>(
    _ take: (_ kind: UInt16, _ payload: borrowing ByteBuffer) throws(Fault) -> Void
  ) throws(Fault) {
    while effectIndex < kernel.effects.list.count {
      payload.removeAll()
      EffectCoding.write(
        kernel.effects.list[effectIndex], bytes: kernel.effects.bytes, into: &payload)
      effectIndex += 1
      try take(JournalKind.effect, payload)
    }
    while noteIndex < kernel.notes.count {
      payload.removeAll()
      NoteCoding.write(
        kernel.notes[noteIndex].note, trace: kernel.notes[noteIndex].trace, into: &payload)
      noteIndex += 1
      try take(JournalKind.note, payload)
    }
  }

  private mutating func compare(
    _ recorded: Span<UInt8>, _ sequence: UInt64
  ) throws(Difference) {
    compared += 1
    let folded = payload.span
    var isSame = folded.count == recorded.count
    if isSame {
      for index in 0..<folded.count where folded[index] != recorded[index] {
        isSame = false
        break
      }
    }
    guard isSame else {
      throw Difference(
        sequence: sequence, what: .differs(recorded: copy(recorded), folded: payload.copy()))
    }
  }

  private func copy(_ bytes: Span<UInt8>) -> [UInt8] { bytes.indices.map { bytes[$0] } }
}
