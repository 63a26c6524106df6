public import MartletBase
public import MartletKernel

/// A journal in memory, for simulations and tests: the same records as a live one's, unhashed.
public struct MemoryJournal: JournalSink, Sendable {
  public struct Entry: Equatable, Sendable {
    public let sequence: UInt64
    public let kind: UInt16
    public let time: Timestamp
    public let payload: [UInt8]
  }

  /// A journal in memory does not fail.
  public typealias Fault = Never

  public private(set) var entries: [Entry] = []
  /// FNV-1a over kinds, times and payloads: one seed gives one digest in every process.
  public private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  private let keepsEntries: Bool
  private var next: UInt64 = 1

  /// - Parameter keepsEntries: false for long runs, of which only the digest is wanted.
  public init(keepsEntries: Bool = true) { self.keepsEntries = keepsEntries }

  public mutating func append(
    kind: UInt16, at time: Timestamp, _ buffer: borrowing ByteBuffer, _ body: Span<UInt8>
  ) -> UInt64 {
    let head = buffer.span
    fold(UInt64(kind))
    fold(UInt64(bitPattern: time.nanoseconds))
    for index in head.indices { fold(UInt64(head[index])) }
    for index in body.indices { fold(UInt64(body[index])) }
    if keepsEntries {
      entries.append(
        Entry(
          sequence: next, kind: kind, time: time,
          payload: head.indices.map { head[$0] } + body.indices.map { body[$0] }))
    }
    defer { next += 1 }
    return next
  }

  private mutating func fold(_ value: UInt64) {
    digest = (digest ^ value) &* 0x0000_0100_0000_01b3
  }
}
