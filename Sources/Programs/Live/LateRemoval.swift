public import MartletBase
public import MartletJournalFile
internal import MartletKernel
internal import MartletRecord
internal import WhiteBITSession
internal import WhiteBITWire

/// A removal of the kill-switch that a process before this one sent, that the venue did not answer, and
/// that may be on its way still: behind this one's arming it would leave its orders unguarded.
///
/// Read by headers alone, from the end back over as long as one may take, whatever a start goes on with: one
/// that begins anew has to wait for it too. It stands in the journal before it leaves.
public enum LateRemoval {
  /// When the last of them can no longer arrive; zero when none is on its way.
  ///
  /// - Throws: what the journal says against being read: such a one cannot tell.
  public static func arrivesBy(in store: any SegmentStore) throws(JournalFault) -> Timestamp {
    var search = Search()
    try JournalReader.lookBack(
      store, from: .sequence(.max), isEnough: { search.endSegment() }
    ) { header, payload in
      search.pass(header.time)
      if header.kind.rawValue == JournalKind.side, let side = SideRecord(payload) {
        search.take(side)
      }
    }
    return search.latest
  }

  /// The same of a journal in a folder.
  static func arrivesBy(in folder: String) throws(JournalFault) -> Timestamp {
    try arrivesBy(in: JournalFolder(folder))
  }

  private struct Search {
    /// Removals that were asked for, with when.
    private var asked: [(nonce: Int64, at: Timestamp)] = []
    /// What was answered, or never left.
    private var over: Set<Int64> = []
    private var earliest = Timestamp.distantFuture
    private var last: Timestamp?
    private var isNewest = true

    mutating func pass(_ time: Timestamp) {
      earliest = min(earliest, time)
      if isNewest { last = max(last ?? time, time) }
    }

    mutating func take(_ side: SideRecord) {
      guard side.party == .deadMan else { return }
      switch side.part {
      case .request(let target, let body, _):
        guard target.elementsEqual("\(Endpoint.killSwitch.path)".utf8),
          DeadManSwitch.isRemoval(body.span)
        else { return }
        asked.append((side.nonce, side.at))
      case .reply: over.insert(side.nonce)
      case .failed(let words):
        // Whatever else failed may have been sent.
        if words.starts(with: "not sent".utf8) { over.insert(side.nonce) }
      }
    }

    /// - Returns: whether what lies further back is too old.
    mutating func endSegment() -> Bool {
      isNewest = isNewest && last == nil
      guard let last else { return false }
      return earliest + WhiteBITDeadMan.latestArrival < last
    }

    var latest: Timestamp {
      var latest = Timestamp.zero
      for removal in asked where !over.contains(removal.nonce) {
        latest = max(latest, removal.at + WhiteBITDeadMan.latestArrival)
      }
      return latest
    }
  }
}
