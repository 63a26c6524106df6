/// Why trading stopped. A halt is left only by a named operator action.
@frozen public enum HaltReason: UInt8, Sendable, BitwiseCopyable {
  /// The venue refused our key, signature or permission.
  case unauthorized = 1
  /// The dead-man switch could not be kept armed.
  case deadManLost = 2
  /// The venue said something that cannot be true of our own orders.
  case contradiction = 3
  /// Own ledger and venue's ledger differ without an explanation.
  case ledgerMismatch = 4
  /// What the journal has may not be on disk.
  case journalFailed = 5
  /// An operator said so.
  case operatorRequest = 6
  /// A loss or drawdown limit was reached.
  case lossLimit = 7
  /// A bounded part is full and would have to forget something.
  case capacity = 8
  /// The venue refused to answer a question that nothing can go on without.
  case questionRefused = 9
  /// The price passed a stop that is held here.
  case stopTriggered = 10
  /// The venue liquidated a position of ours.
  case liquidated = 11

  /// What it means, in the same words wherever a person meets it.
  public var means: String {
    switch self {
    case .unauthorized: "the venue refused the key, signature or permission"
    case .questionRefused: "the venue refused to tell what the bot must know"
    case .deadManLost: "the dead-man switch could not be kept armed"
    case .contradiction: "the venue contradicted itself"
    case .ledgerMismatch: "own ledger and the venue's differ"
    case .journalFailed: "the journal could not be brought to disk"
    case .operatorRequest: "an operator said so"
    case .lossLimit: "a loss limit was reached"
    case .capacity: "a bounded part is full"
    case .stopTriggered: "the price passed a stop"
    case .liquidated: "the venue liquidated a position"
    }
  }

  /// Whether it is of the process that halted: the next one finds out for itself. Any other lasts until
  /// a person lifts it.
  public var endsWithProcess: Bool {
    switch self {
    case .unauthorized, .questionRefused, .journalFailed: true
    case .deadManLost, .contradiction, .ledgerMismatch, .operatorRequest, .lossLimit, .capacity,
      .stopTriggered, .liquidated:
      false
    }
  }
}
