internal import MartletBase
internal import MartletJournalFile
internal import MartletKernel
internal import MartletModel
internal import MartletRecord
internal import MartletRisk
internal import MartletStrategies
internal import WhiteBITSession

/// What kept a journal's last run from trading until a person would lift it: a run that begins anew forgets
/// what that one knew, but not this.
///
/// Read by headers alone, from the end back to the last state that this build can read, so that it is found
/// in a journal whose records this build makes something else of.
struct FormerRestraint: Equatable {
  /// Why it was halted, for a person; nil when it was not, or by what ends with its process.
  var halt: String?
  var isPaused = false

  /// A journal that cannot be read so far may have told of a halt: that counts as one.
  static func last(in folder: String) -> FormerRestraint {
    var search = Search()
    do throws(JournalFault) {
      try JournalReader.lookBack(
        folder: folder, from: .sequence(.max), isEnough: { search.endSegment() }
      ) { header, payload in search.take(header.kind.rawValue, payload) }
    } catch {
      return FormerRestraint(halt: "whether it was halted cannot be read: \(error)")
    }
    let halt = (search.halt ?? nil).flatMap { $0.endsWithProcess ? nil : $0.means }
    return FormerRestraint(halt: halt, isPaused: search.isPaused ?? false)
  }

  private struct Search {
    /// Nil while no record has told.
    private(set) var halt: HaltReason??
    private(set) var isPaused: Bool?
    private var haltOfSegment: HaltReason??
    private var pauseOfSegment: Bool?

    mutating func take(_ kind: UInt16, _ payload: Span<UInt8>) {
      switch kind {
      case JournalKind.note:
        switch NoteCoding.read(payload)?.note {
        case .halted(let reason): haltOfSegment = .some(reason)
        case .rearmed: haltOfSegment = .some(nil)
        case .paused(let isPaused): pauseOfSegment = isPaused
        default: break
        }
      case JournalKind.snapshot:
        guard let record = try? StateRecord(payload: payload.indices.map { payload[$0] }) else {
          return
        }
        var kernel = record.plan.makeKernel()
        var reader = SnapshotReader(record.state)
        guard (try? kernel.read(from: &reader)) != nil else { return }
        haltOfSegment = .some(kernel.risk.halt?.reason)
        pauseOfSegment = kernel.isPaused
      default: break
      }
    }

    /// - Returns: whether all is known.
    mutating func endSegment() -> Bool {
      if halt == nil { halt = haltOfSegment }
      if isPaused == nil { isPaused = pauseOfSegment }
      haltOfSegment = nil
      pauseOfSegment = nil
      return halt != nil && isPaused != nil
    }
  }
}
