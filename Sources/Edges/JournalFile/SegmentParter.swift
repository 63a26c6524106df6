internal import Glibc
internal import MartletBase
internal import MartletRecord
internal import Synchronization

/// Puts full segments of a folder away, oldest first, and lets old market files go: the work of one
/// thread behind a writer, which holds the folder's lock.
///
/// Each step is safe to die after: a file is written under a name of its own, synced, and only then takes
/// its place; the original goes last, when its two parts were read back to the same bytes.
final class SegmentParter: @unchecked Sendable {
  private let folder: JournalFolder
  private let options: JournalParting
  /// Asked for by another thread: whatever is under way is left for the next writer.
  let isStopped = Atomic<Bool>(false)

  /// A market file that is still there.
  private struct Kept {
    let number: UInt32
    let bytes: Int
    let head: PartHead
    /// As the decisions tell it.
    let digest: RecordLink
  }

  // Of the one thread.
  /// - Bounds: one of a segment whose market file is there, which retention bounds.
  private var kept: [Kept] = []
  /// The newest time in any segment that was put away: the journal's own clock.
  private var newest = Timestamp.zero
  /// The newest segment that was put away and has a record that a fold may begin with; 0 for none.
  private var foldFrom: UInt32 = 0
  /// The digest of the newest decisions file, of the segment `former`.
  private var former: (number: UInt32, digest: RecordLink) = (0, .origin)
  /// Segments that do not prove themselves and are left as they are.
  private var refused: Set<UInt32> = []
  /// Of what stays as it is until somebody looks at it.
  private var standing: JournalFault?
  /// The first that does not prove itself.
  private(set) var damage: JournalFault?
  /// Of the last work, which may go better the next time.
  private var latest: JournalFault?
  var fault: JournalFault? { latest ?? standing }
  /// Whether the last work is worth another try although nothing more was written.
  var mayGoBetter: Bool { latest != nil }

  init(_ folder: JournalFolder, _ options: JournalParting) {
    self.folder = folder
    self.options = options
  }

  /// Looks at what is there. To be called once, before `work`.
  func begin() {
    do throws(JournalFault) {
      let content = try folder.content()
      // One whose original is still there is put away again.
      for number in content.parted where !content.raw.contains(number) {
        do throws(JournalFault) { try note(number) } catch {
          if !error.isDamage { standing = error } else if damage == nil { damage = error }
        }
      }
    } catch { standing = error }
  }

  /// Puts away every segment up to `last` that is not yet, then lets go what is older or more than is kept.
  func work(upTo last: UInt32) {
    latest = nil
    do throws(JournalFault) {
      for number in try folder.content().raw where number <= last && !refused.contains(number) {
        if isStopped.load(ordering: .relaxed) { return }
        do throws(JournalFault) {
          try part(number)
          try note(number)
        } catch {
          removeLeftovers(of: number)
          guard case .corrupt = error else {
            latest = error
            break
          }
          // Its reader names it; what stands behind it is put away even so.
          if damage == nil { damage = error }
          refused.insert(number)
        }
      }
      try retain()
    } catch { latest = error }
  }

  /// Takes a segment that was put away into the account of retention.
  private func note(_ number: UInt32) throws(JournalFault) {
    guard let decisions = try folder.partHead(number, .decisions) else { return }
    newest = max(newest, decisions.head.lastTime)
    if decisions.head.lastSnapshot > 0 { foldFrom = max(foldFrom, number) }
    former = (number, decisions.digest)
    // What is lost is the reader's to tell.
    guard decisions.head.marketRecords > 0, let market = try folder.partHead(number, .market) else {
      return
    }
    newest = max(newest, market.head.lastTime)
    if market.head.role == .market {
      let at = kept.firstIndex { $0.number > number } ?? kept.count
      kept.insert(
        Kept(
          number: number, bytes: market.bytes, head: market.head,
          digest: decisions.head.marketDigest), at: at)
    }
  }

  // MARK: Parting

  private func part(_ number: UInt32) throws(JournalFault) {
    guard let mapped = try folder.map(number) else { return }
    defer { mapped.close() }
    let survey: SegmentSurvey
    switch SegmentSurvey.take(
      number, in: mapped.span, snapshot: options.snapshot, using: LibraryHashing())
    {
    case .whole(let found): survey = found
    case .unused: return
    case .faulty(let fault): throw .damaged(folder.file(number), fault)
    }
    let hasMarket = survey.market.records > 0
    var head = survey.head(of: .decisions, segmentBytes: mapped.bytes)
    if hasMarket {
      let market = survey.head(of: .market, segmentBytes: mapped.bytes)
      guard let digest = try write(market, of: mapped, upTo: survey.usedBytes) else { return }
      head.marketDigest = digest
      options.onStep?(.marketWritten)
    }
    if former.number + 1 == number { head.formerDigest = former.digest }
    guard try write(head, of: mapped, upTo: survey.usedBytes) != nil else { return }
    options.onStep?(.decisionsWritten)
    try compare(mapped, number)
    if hasMarket {
      try name(number, .market)
      options.onStep?(.marketNamed)
    }
    try name(number, .decisions)
    folder.syncNames()
    options.onStep?(.decisionsNamed)
    try folder.remove(number)
    folder.syncNames()
    options.onStep?(.originalRemoved)
  }

  /// Writes one part under a name of its own.
  ///
  /// - Returns: its digest; nil when told to stop.
  private func write(
    _ head: PartHead, of mapped: MappedSegment, upTo end: Int
  ) throws(JournalFault) -> RecordLink? {
    var writer = try PartWriter(
      folder.newPath(head.number, head.role), head, level: options.level)
    let isMarketFile = head.role == .market
    var walk = RecordWalk()
    var gap: (first: UInt64, before: RecordLink)?
    // Proven a moment ago, and nobody writes there any more.
    while walk.offset < end, let (header, payload) = walk.next(in: mapped.span) {
      if isStopped.load(ordering: .relaxed) { return nil }
      let (offset, isMarket) = (walk.recordOffset, header.lane == .market)
      if !isMarketFile {
        if isMarket, gap == nil {
          gap = (header.sequence, RecordLink(before: offset, in: mapped.span))
        } else if !isMarket, let open = gap {
          try close(open, before: header.sequence, at: offset, of: mapped, to: &writer)
          gap = nil
        }
      }
      if isMarket == isMarketFile {
        try writer.append(mapped.raw(offset, payload.upperBound - offset))
      }
    }
    if let open = gap {
      try close(open, before: head.end.nextSequence, at: walk.offset, of: mapped, to: &writer)
    }
    return try writer.finish()
  }

  /// Writes the gap that ends before the record `next` at `offset`.
  private func close(
    _ gap: (first: UInt64, before: RecordLink), before next: UInt64, at offset: Int,
    of mapped: MappedSegment, to writer: inout PartWriter
  ) throws(JournalFault) {
    let words = PartGap(
      first: gap.first, last: next - 1, before: gap.before,
      after: RecordLink(before: offset, in: mapped.span)
    ).words
    // Words are whole bytes without padding between them.
    try unsafe writer.append(words.span.bytes)
  }

  /// Reads both parts back: nothing is removed that they do not give again byte for byte.
  private func compare(_ mapped: MappedSegment, _ number: UInt32) throws(JournalFault) {
    guard let merged = try folder.merge(number, isNew: true) else {
      throw .folderMissing(folder.newPath(number, .decisions))
    }
    defer { merged.segment.close() }
    // Both are mapped for their whole length until the end of this call.
    let isSame =
      unsafe merged.segment.bytes == mapped.bytes
      && memcmp(merged.segment.start, mapped.start, mapped.bytes) == 0
    guard isSame else { throw .damaged(folder.file(number, .decisions), .packed) }
  }

  /// Gives a part the name that it is known by.
  private func name(_ number: UInt32, _ role: PartHead.Role) throws(JournalFault) {
    let path = folder.newPath(number, role)
    guard Paths.rename(path, to: folder.path(number, role)) == 0 else {
      throw .failed("rename", path, errno: errno)
    }
  }

  private func removeLeftovers(of number: UInt32) {
    for role in [PartHead.Role.decisions, .market] {
      _ = Paths.remove(folder.newPath(number, role))
    }
  }

  // MARK: Retention

  private func retain() throws(JournalFault) {
    var total = kept.reduce(0) { $0 + $1.bytes }
    while let oldest = kept.first {
      let removal: PartHead.Removal
      if let age = options.keepMarket, newest - oldest.head.lastTime > age {
        removal = .age
      } else if let bytes = options.keepMarketBytes, total > bytes {
        removal = .size
      } else {
        return
      }
      // The next process folds what stands behind the last snapshot.
      if options.snapshot != nil, oldest.number >= foldFrom { return }
      try letGo(oldest, removal)
      kept.removeFirst()
      total -= oldest.bytes
    }
  }

  /// Puts a receipt in a market file's place, by one rename: the file, or word of why it is gone. One that
  /// was damaged meanwhile goes like any other.
  private func letGo(_ file: Kept, _ removal: PartHead.Removal) throws(JournalFault) {
    guard Paths.exists(folder.path(file.number, .market)) else { return }
    var receipt = file.head
    receipt.role = .receipt
    receipt.removal = removal
    receipt.removedAt = newest
    receipt.marketDigest = file.digest
    do throws(JournalFault) {
      var writer = try PartWriter(
        folder.newPath(file.number, .market), receipt, level: options.level)
      _ = try writer.finish(isPacked: false)
      options.onStep?(.receiptWritten)
      try name(file.number, .market)
    } catch {
      removeLeftovers(of: file.number)
      throw error
    }
    folder.syncNames()
    options.onStep?(.receiptNamed)
  }
}
