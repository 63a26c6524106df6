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

  /// A journal in memory does not fail; a disk does, and a process may die behind a record.
  public enum Fault: Error, Equatable, Sendable {
    /// The record stands, and its process does nothing more.
    case died
    /// The record does not stand.
    case disk(JournalFault)
  }

  public private(set) var entries: [Entry] = []
  /// What a disk lost of what earlier processes wrote.
  private(set) var lost: [Entry] = []
  /// Over kinds, times and payloads.
  public private(set) var digest = RunDigest()

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
    let last = disk.writer.recovery.lastSequence
    entries = former.entries.filter { $0.sequence <= last }
    lost = former.lost + former.entries.filter { $0.sequence > last }
    for entry in entries { fold(entry) }
  }

  public mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) throws(Fault) -> UInt64 {
    do throws(JournalFault) { try disk?.append(kind: kind, lane: lane, at: time, head, body) } catch
    { throw .disk(error) }
    var payload = head.copy()
    payload.reserveCapacity(payload.count + body.count)
    for index in body.indices { payload.append(body[index]) }
    let entry = Entry(
      sequence: UInt64(entries.count) + 1, kind: kind, lane: lane, time: time, payload: payload)
    fold(entry)
    entries.append(entry)
    guard mortality.passes() else { throw .died }
    return entry.sequence
  }

  private mutating func fold(_ entry: Entry) {
    digest.fold(UInt64(entry.kind))
    digest.fold(UInt64(bitPattern: entry.time.nanoseconds))
    digest.fold(entry.payload)
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
