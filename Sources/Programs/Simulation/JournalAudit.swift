internal import MartletBase
internal import MartletKernel
internal import MartletModel

/// Reads one life's journal.
///
/// What must hold:
/// - no order leaves that no note says Risk approved, by its client order id;
/// - each execution is noted once;
/// - an order that ended stays as it ended, unless an alarm says that the venue contradicted itself;
/// - no secret is in any record.
struct JournalAudit {
  private(set) var violations: [String] = []

  init(_ journal: MemoryJournal, secrets: [String]) {
    auditApprovals(journal)
    auditNotes(journal)
    let hidden = secrets.map { Array($0.utf8) }
    for entry in journal.entries where hidden.contains(where: { entry.payload.holds($0) }) {
      violations.append("record \(entry.sequence) holds a secret")
    }
  }

  /// Notes follow the effects of their input: what an input placed is known when the next one comes.
  private mutating func auditApprovals(_ journal: MemoryJournal) {
    var approved: Set<String> = []
    var placed: [(sequence: UInt64, id: String)] = []
    for entry in journal.entries {
      switch entry.kind {
      case JournalKind.note:
        if case .approved(let id, _)? = NoteCoding.read(entry.payload.span)?.note {
          approved.insert("\(id)")
        }
      case JournalKind.effect:
        let text = String(decoding: entry.payload, as: UTF8.self)
        guard text.holds("/api/v4/order/new") || text.holds("/api/v4/order/bulk") else { continue }
        for id in JournalAudit.clientOrderIDs(in: text) { placed.append((entry.sequence, id)) }
      case JournalKind.input, JournalKind.start:
        // Behind one that died between its effects and their notes the next process wrote the notes.
        judge(placed, approved)
        placed.removeAll()
      default: break
      }
    }
    judge(placed, approved)
  }

  /// Every client order id that an effect places which was ever written to this journal.
  static func placed(in journal: MemoryJournal) -> Set<String> {
    var found: Set<String> = []
    for entry in journal.entries + journal.lost where entry.kind == JournalKind.effect {
      let text = String(decoding: entry.payload, as: UTF8.self)
      guard text.holds("/api/v4/order/new") || text.holds("/api/v4/order/bulk") else { continue }
      found.formUnion(clientOrderIDs(in: text))
    }
    return found
  }

  private mutating func judge(
    _ placed: [(sequence: UInt64, id: String)], _ approved: Set<String>
  ) {
    for (sequence, id) in placed where !approved.contains(id) {
      violations.append("record \(sequence) places \(id), which nobody approved")
    }
  }

  private mutating func auditNotes(_ journal: MemoryJournal) {
    var fills: Set<UInt64> = []
    var ends: [String: OrderState] = [:]
    var alarmed: Set<String> = []
    for (sequence, note, _) in journal.notes {
      switch note {
      case .fill(let fill):
        if !fills.insert(fill.tradeID.low).inserted {
          violations.append("record \(sequence): fill \(fill.tradeID.low) again")
        }
      case .alarm(let id, _): alarmed.insert("\(id)")
      case .order(let view):
        let name = "\(view.clientOrderID)"
        if let end = ends[name], end != view.state, !alarmed.contains(name) {
          violations.append("record \(sequence): \(name) was \(end) and is \(view.state)")
        }
        if view.state.isTerminal { ends[name] = view.state }
      default: break
      }
    }
  }

  /// The values of `"clientOrderId"` in a text.
  static func clientOrderIDs(in text: String) -> [String] {
    let parts = text.split(separator: "\"clientOrderId\":\"", omittingEmptySubsequences: false)
    return parts.dropFirst().map { String($0.prefix { $0 != "\"" }) }
  }
}
