public import MartletBase
public import MartletRecord

/// A place in a journal that somebody wants to look at.
public enum JournalMoment: Equatable, Sendable {
  /// Just after the record with this sequence.
  case sequence(UInt64)
  /// Just after the last record with a stamp no later than this.
  ///
  /// - Note: a calendar that was set back between two runs gives a time twice; one of the two is meant.
  case time(Timestamp)

  /// Whether a record with this header comes before it, or is its last.
  public func reaches(_ header: RecordHeader) -> Bool {
    switch self {
    case .sequence(let sequence): header.sequence <= sequence
    case .time(let time): header.time <= time
    }
  }
}

// Finding a place: by the heads of the segments, then by the headers of one segment's records. What is
// passed over is taken at its word; `next` proves what it gives.
extension JournalReader {
  /// Opens a journal at the last decision record of one of these kinds at or before a moment, whose payload is
  /// then at hand.
  ///
  /// - Parameter limit: nobody reads further than to the first record behind it, with which the reader ends;
  ///   what stands behind that in a parted segment is not put together.
  /// - Returns: nil when no such record is there.
  /// - Throws: `folderMissing`, `notAJournal`, `newerVersion`, `permission`, `corrupt`.
  /// - Complexity: a look at the heads of as many segments as the logarithm of their number, and the
  ///   headers of one segment, or of its decisions when it was parted; of several where they hold no such
  ///   record.
  public static func open(
    folder path: String, at moment: JournalMoment, kinds: [RecordKind],
    through limit: JournalMoment? = nil
  ) throws(JournalFault) -> JournalReader? {
    try open(JournalFolder(path), at: moment, kinds: kinds, through: limit)
  }

  /// The same of a journal that lies anywhere.
  public static func open(
    _ store: any SegmentStore, at moment: JournalMoment, kinds: [RecordKind],
    through limit: JournalMoment? = nil
  ) throws(JournalFault) -> JournalReader? {
    var index = try lastSegment(of: store, at: moment)
    while let number = index {
      if let found = try last(of: kinds, in: number, of: store, at: moment, limit) { return found }
      index = number > 1 ? number - 1 : nil
    }
    return nil
  }

  /// Shows the records before a moment, by their headers alone: the last segment's first, each segment's
  /// in their order.
  ///
  /// - Parameters:
  ///   - take: gets each record with its payload, which proves nothing.
  ///   - isEnough: asked behind each segment.
  /// - Returns: the market files among them that are damaged or lost.
  /// - Throws: as `open` does.
  @discardableResult
  public static func lookBack(
    folder path: String, from moment: JournalMoment, isEnough: () -> Bool,
    _ take: (RecordHeader, Span<UInt8>) -> Void
  ) throws(JournalFault) -> [DamagedMarket] {
    try lookBack(JournalFolder(path), from: moment, isEnough: isEnough, take)
  }

  /// The same of a journal that lies anywhere.
  @discardableResult
  public static func lookBack(
    _ store: any SegmentStore, from moment: JournalMoment, isEnough: () -> Bool,
    _ take: (RecordHeader, Span<UInt8>) -> Void
  ) throws(JournalFault) -> [DamagedMarket] {
    var damaged: [DamagedMarket] = []
    guard let last = try lastSegment(of: store, at: moment) else { return damaged }
    for number in (1...last).reversed() {
      guard let loaded = try LoadedSegment.load(number, in: store) else { continue }
      defer { loaded.close() }
      if let damage = loaded.parts?.damage { damaged.insert(damage, at: 0) }
      let segment = loaded.mapped
      var walk = RecordWalk()
      while let (header, payload) = walk.next(in: segment.span), moment.reaches(header) {
        if header.kind != .segment { take(header, segment.span.extracting(payload)) }
      }
      if isEnough() { break }
    }
    return damaged
  }

  /// The last segment that begins at or before a moment; nil when none does.
  private static func lastSegment(
    of store: any SegmentStore, at moment: JournalMoment
  ) throws(JournalFault) -> UInt32? {
    let numbers = try store.segments()
    var low = 0
    var high = numbers.count
    while low < high {
      let middle = (low + high) / 2
      // One that was made ready and never begun comes after everything.
      if let head = try store.head(numbers[middle]), moment.reaches(head) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low > 0 ? numbers[low - 1] : nil
  }

  private static func last(
    of kinds: [RecordKind], in number: UInt32, of store: any SegmentStore, at moment: JournalMoment,
    _ limit: JournalMoment?
  ) throws(JournalFault) -> JournalReader? {
    // While the original is there it counts.
    if try store.map(number).map({ $0.close() }) == nil,
      let sought = store.sought(kinds, at: moment, in: number, through: limit)
    {
      guard case .found(let merged, let offset, let chain) = sought else { return nil }
      let loaded = LoadedSegment(mapped: merged.segment, parts: merged.parts)
      guard var reader = try begin(loaded, in: store, through: limit) else { return nil }
      reader.skip(to: offset, after: chain)
      guard try reader.next() != nil else { return nil }
      return reader
    }
    guard var reader = try begin(number, in: store, through: limit) else { return nil }
    guard let found = reader.walk(to: moment, kinds) else { return nil }
    reader.skip(to: found.offset, after: found.chain)
    guard try reader.next() != nil else { return nil }
    return reader
  }
}
