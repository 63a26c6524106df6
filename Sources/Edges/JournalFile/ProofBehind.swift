internal import MartletBase
internal import MartletRecord

/// Proves the segments that were there when a writer opened its journal, from the first one on, at a pace
/// that nobody notices.
///
/// A start takes what stands before the last state at its word, because there may be much of it. What it goes on
/// with is proven; but that a record of the past is not what was written is for a person to know.
///
/// - Bounds: one segment in memory at a time, as any reader has.
enum ProofBehind {
  /// Proven at once, in some hundred microseconds.
  private static let pieceBytes = 1 << 18
  /// Then others go first: at this pace a gigabyte takes less than a minute.
  private static let pause = TimeSpan.milliseconds(10)
  /// A file may be put away while it is opened: what is wrong is looked at twice.
  private static let secondLook = TimeSpan.seconds(1)

  /// - Parameters:
  ///   - last: the segment that the writer goes on in, which it has proven itself; the seam to it is
  ///     proven here.
  ///   - wait: waits so long; false when told to stop.
  /// - Returns: the first fault, of decisions before one of a market file; nil when none was found up to the end,
  ///   or to where it was told to stop.
  static func run(
    _ store: any SegmentStore, upTo last: UInt32, wait: (TimeSpan) -> Bool
  ) -> JournalFault? {
    var place: UInt32 = 1
    var former: UInt32?
    var market: JournalFault?
    while true {
      do throws(JournalFault) {
        try walk(store, from: &place, upTo: last, market: &market, wait: wait)
        return market
      } catch {
        guard former != place else { return error }
        former = place
        guard wait(secondLook) else { return market }
      }
    }
  }

  /// - Parameter place: the segment to begin with, and then the one that is being read.
  /// - Parameter market: the first market file that is damaged or lost.
  private static func walk(
    _ store: any SegmentStore, from place: inout UInt32, upTo last: UInt32,
    market: inout JournalFault?, wait: (TimeSpan) -> Bool
  ) throws(JournalFault) {
    var reader = try open(store, at: place)
    var bytes = 0
    while reader.segment.number < last, let header = try reader.next() {
      place = reader.segment.number
      if market == nil, let found = reader.damaged.first { market = .part(found.fault) }
      bytes += RecordFraming.recordBytes(payloadBytes: Int(header.payloadBytes))
      guard bytes >= pieceBytes else { continue }
      bytes = 0
      guard wait(pause) else { return }
    }
  }

  private static func open(
    _ store: any SegmentStore, at number: UInt32
  ) throws(JournalFault) -> JournalReader {
    // The first follows from nothing; a later one was proven to follow from the one before it.
    guard number > 1, let reader = try JournalReader.begin(number, in: store) else {
      return try JournalReader.open(store)
    }
    return reader
  }
}
