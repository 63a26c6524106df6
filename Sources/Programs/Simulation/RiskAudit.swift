internal import MartletBase
internal import MartletKernel
internal import MartletModel
internal import MartletRisk

/// Reads a journal's notes for what Risk let through, and judges each approval again with sums of its own.
///
/// What must hold when an order is approved:
/// - nothing is halted, paused, stopping, without room for its journal, or not reconciled; in a pause and a
///   halt what only reduces a position may pass, as a flatten's and a fired stop's orders do;
/// - its book is trusted;
/// - value, working orders, inventory and approvals in a window stay within the limits.
///
/// And every halt has a reason, which the input that it came with bears out.
struct RiskAudit {
  /// An order as it was approved.
  struct Approval {
    let side: Side
    let price: Amount
    let quantity: Amount
  }

  private(set) var violations: [String] = []
  /// Every approval by its order's id.
  private(set) var approvals: [ClientOrderID: Approval] = [:]

  private let limits: RiskLimits
  private var instrument: Instrument?
  private var intent: OrderIntent?
  private var owners: [ClientOrderID: StrategyID] = [:]
  private var working: [ClientOrderID: OrderView] = [:]
  private var net = Quantity.zero
  /// Base units that fills added, fees taken off.
  private var held = Amount.zero
  private var fill: Fill?
  /// When the last approvals were given; those of one window, one more than it may have.
  private var times: [Timestamp] = []
  /// Why nothing may be placed, as the journal tells it.
  private(set) var halt: HaltReason?
  /// The input that notes are of, and whether a stop fired on it.
  private var cause: KernelInput?
  private var hasFired = false
  private var isPaused = false
  private var isStopping = false
  private var isHeld = false
  private var isReady = false
  private var isTrusted = false

  /// - Parameter limits: those that its bot was to keep.
  init(_ journal: MemoryJournal, limits: RiskLimits) {
    self.limits = limits
    for entry in journal.entries {
      switch entry.kind {
      case JournalKind.note:
        guard let (note, _) = NoteCoding.read(entry.payload.span) else { continue }
        read(note, entry)
      case JournalKind.input:
        guard let (input, _) = InputCoding.read(entry.payload.span) else { continue }
        if case .command(.stop) = input { isStopping = true }
        (cause, hasFired) = (input, false)
      case JournalKind.start:
        // What a process finds out for itself.
        (isReady, isTrusted, isStopping, isHeld) = (false, false, false, false)
      default: break
      }
    }
  }

  private mutating func read(_ note: KernelNote, _ entry: MemoryJournal.Entry) {
    switch note {
    case .instrument(let told): instrument = told
    case .intent(let told): intent = told
    case .approved(let id, _): approve(id, entry)
    case .order(let view): read(view, entry)
    case .fill(let told): fill = told
    case .position(_, let net, _, _): book(net)
    case .bookTrust(_, let isTrusted): self.isTrusted = isTrusted
    case .ready(let isReady): self.isReady = isReady
    case .paused(let isPaused): self.isPaused = isPaused
    case .journal(let state): isHeld = state == .short
    case .halted(let reason):
      if let halt { complain("halted by \(reason) while halted by \(halt)", entry) }
      if !bears(out: reason) { complain("halted by \(reason), which nothing tells of", entry) }
      halt = reason
    case .stopFired: hasFired = true
    case .rearmed:
      if halt == nil { complain("rearmed while nothing was halted", entry) }
      halt = nil
    default: break
    }
  }

  /// Whether what the kernel was just told can be what a halt is for.
  private func bears(out reason: HaltReason) -> Bool {
    switch (reason, cause) {
    case (.operatorRequest, .command(.halt)), (.journalFailed, .journal(.failed)): true
    case (.operatorRequest, _), (.journalFailed, _): false
    case (.stopTriggered, _): hasFired
    case (.unauthorized, .venue), (.questionRefused, .venue), (.contradiction, .venue),
      (.ledgerMismatch, .venue), (.deadManLost, .venue), (.lossLimit, .venue),
      (.liquidated, .venue):
      true
    case (.questionRefused, .timer), (.lossLimit, .timer), (.capacity, _): true
    case (.unauthorized, _), (.questionRefused, _), (.contradiction, _), (.ledgerMismatch, _),
      (.deadManLost, _), (.lossLimit, _), (.liquidated, _):
      false
    }
  }

  private mutating func complain(_ text: String, _ entry: MemoryJournal.Entry) {
    violations.append("record \(entry.sequence): \(text)")
  }

  private mutating func approve(_ id: ClientOrderID, _ entry: MemoryJournal.Entry) {
    guard let intent, let instrument, intent.instrument == instrument.id else {
      return complain("\(id) is approved and nobody wanted it", entry)
    }
    self.intent = nil
    owners[id] = intent.strategy
    let scale = instrument.scale
    let approval = Approval(
      side: intent.side, price: scale.amount(of: intent.price),
      quantity: scale.amount(of: intent.quantity))
    if approvals.updateValue(approval, forKey: id) != nil {
      complain("\(id) is approved again", entry)
    }
    if !isReady || isStopping || !isTrusted {
      complain(
        "\(id) is approved, ready \(isReady), stopping \(isStopping), book trusted \(isTrusted)",
        entry)
    }
    let isBarred = halt != nil || isPaused || isHeld
    if isBarred && !(intent.isReduceOnly && reduces(intent, scale)) {
      let why = halt.map { "\($0)" } ?? (isPaused ? "a pause" : "no room for the journal")
      complain("\(id) is approved in spite of \(why)", entry)
    }
    if let most = limits.maxOrderNotional,
      scale.notional(of: intent.quantity, at: intent.price) > most
    {
      complain("\(id) is worth more than \(most)", entry)
    }
    times.removeAll { $0 + limits.orderWindow <= entry.time }
    times.append(entry.time)
    if times.count > limits.maxOrdersPerWindow {
      complain("\(times.count) orders in \(limits.orderWindow.milliseconds) ms", entry)
    }
  }

  /// A fill that moved the position.
  private mutating func book(_ net: Quantity) {
    self.net = net
    guard let fill, let instrument else { return }
    self.fill = nil
    let amount = instrument.scale.amount(of: fill.quantity)
    held = fill.side == .buy ? held + amount : held - amount
    if fill.feeAsset == instrument.base { held = held - fill.fee }
  }

  /// Whether it leaves less of what fills and their fees have added or taken.
  private func reduces(_ intent: OrderIntent, _ scale: InstrumentScale) -> Bool {
    scale.amount(of: intent.quantity) <= (intent.side == .sell ? held : .zero - held)
  }

  private mutating func read(_ view: OrderView, _ entry: MemoryJournal.Entry) {
    let isNew = view.state == .pendingNew && working[view.clientOrderID] == nil
    working[view.clientOrderID] = view.state.isTerminal ? nil : view
    // One whose approval a power cut took is found at the venue, and was judged before.
    guard isNew, let owner = owners[view.clientOrderID] else { return }
    if working.count > limits.maxWorkingPerInstrument {
      complain("\(working.count) orders work at once", entry)
    }
    let own = working.keys.count { owners[$0] == owner }
    if own > limits.maxWorkingPerStrategy {
      complain("\(own) orders of one strategy work at once", entry)
    }
    guard let most = limits.maxInventory, let instrument, view.side == .buy else { return }
    // As if every working buy filled.
    let bought = working.values.reduce(net) { $1.side == .buy ? $0 + $1.leaves : $0 }
    if instrument.scale.amount(of: bought) > most {
      complain("\(instrument.scale.amount(of: bought)) may be added, more than \(most)", entry)
    }
  }
}
