public import MartletBase
public import MartletJournalFile
public import MartletKernel
internal import MartletModel
public import MartletRecord

/// A journal in memory, for simulations and tests: the same records as a live one's, unhashed. Where
/// there is a disk, each record goes there first, as a live one's does.
///
/// - Bounds: one run's records; a simulation ends.
public struct MemoryJournal: JournalSink {
  public struct Entry: Equatable, Sendable {
    /// From 1.
    public let sequence: UInt64
    /// One of `JournalKind`.
    public let kind: UInt16
    public let lane: RecordLane
    public let time: Timestamp
    public let payload: [UInt8]
  }

  /// A journal in memory does not fail; a disk does, and a process that dies in its midst.
  public typealias Fault = JournalFault

  public private(set) var entries: [Entry] = []
  /// FNV-1a over kinds, times and payloads: one seed gives one digest in every process.
  public private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

  /// Where records go too.
  private(set) var disk: DiskJournal?
  let mortality: Mortality

  public init() { mortality = Mortality() }

  /// Goes on in another process: what the disk still has of these records stays.
  ///
  /// - Parameter disk: opened by that process.
  init(_ former: MemoryJournal, on disk: DiskJournal) {
    mortality = former.mortality
    mortality.renew()
    self.disk = disk
    entries = former.entries.filter { $0.sequence <= disk.writer.recovery.lastSequence }
    for entry in entries { fold(entry) }
  }

  /// Begins on a disk.
  init(on disk: DiskJournal) {
    mortality = Mortality()
    self.disk = disk
  }

  public mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) throws(JournalFault) -> UInt64 {
    try disk?.append(kind: kind, lane: lane, at: time, head, body)
    var payload = head.copy()
    payload.reserveCapacity(payload.count + body.count)
    for index in body.indices { payload.append(body[index]) }
    let entry = Entry(
      sequence: UInt64(entries.count) + 1, kind: kind, lane: lane, time: time, payload: payload)
    fold(entry)
    entries.append(entry)
    guard mortality.passes() else { throw MemoryJournal.died }
    return entry.sequence
  }

  /// What an append says whose process died behind it.
  static let died = JournalFault.system(call: "append", path: "a process that died", errno: 0)

  private mutating func fold(_ entry: Entry) {
    fold(UInt64(entry.kind))
    fold(UInt64(bitPattern: entry.time.nanoseconds))
    for byte in entry.payload { fold(UInt64(byte)) }
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
