public import MartletBase
public import MartletKernel
internal import MartletModel
public import MartletRecord

/// A journal in memory, for simulations and tests: the same records as a live one's, unhashed.
///
/// - Bounds: one run's records; a simulation ends.
public struct MemoryJournal: JournalSink, Sendable {
  public struct Entry: Equatable, Sendable {
    /// From 1.
    public let sequence: UInt64
    /// One of `JournalKind`.
    public let kind: UInt16
    public let lane: RecordLane
    public let time: Timestamp
    public let payload: [UInt8]
  }

  /// A journal in memory does not fail.
  public typealias Fault = Never

  public private(set) var entries: [Entry] = []
  /// FNV-1a over kinds, times and payloads: one seed gives one digest in every process.
  public private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  public mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) -> UInt64 {
    var payload = head.copy()
    payload.reserveCapacity(payload.count + body.count)
    for index in body.indices { payload.append(body[index]) }
    fold(UInt64(kind))
    fold(UInt64(bitPattern: time.nanoseconds))
    for byte in payload { fold(UInt64(byte)) }
    let sequence = UInt64(entries.count) + 1
    entries.append(Entry(sequence: sequence, kind: kind, lane: lane, time: time, payload: payload))
    return sequence
  }

  private mutating func fold(_ value: UInt64) {
    digest = (digest ^ value) &* 0x0000_0100_0000_01b3
  }

  // MARK: Reading

  /// Every note, with the input it goes back to and the record it stands in.
  public var notes: [(sequence: UInt64, note: KernelNote, trace: UInt64)] {
    var found: [(sequence: UInt64, note: KernelNote, trace: UInt64)] = []
    for entry in entries where entry.kind == JournalKind.note {
      if let (note, trace) = NoteCoding.read(entry.payload.span) {
        found.append((entry.sequence, note, trace.sequence))
      }
    }
    return found
  }

  /// Every input, with its time and the record it stands in.
  public var inputs: [(sequence: UInt64, time: Timestamp, input: KernelInput)] {
    var found: [(sequence: UInt64, time: Timestamp, input: KernelInput)] = []
    for entry in entries where entry.kind == JournalKind.input {
      if let (input, _) = InputCoding.read(entry.payload.span) {
        found.append((entry.sequence, entry.time, input))
      }
    }
    return found
  }
}
