internal import MartletBase
internal import MartletJournalFile
internal import MartletKernel
internal import MartletRecord

/// The kernel driver's journal in mapped segments.
struct JournalFileSink: JournalSink, ~Copyable {
  typealias Fault = JournalFault
  var writer: JournalWriter

  mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) throws(JournalFault) -> UInt64 {
    try writer.append(
      kind: RecordKind(kind), lane: lane, time: time, prefix: head.span, body: body)
  }
}
