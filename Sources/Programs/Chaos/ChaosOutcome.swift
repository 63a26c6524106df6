public import MartletBase
public import MartletSimulation

/// What one chaos day came to.
public struct ChaosOutcome: Sendable {
  public let seed: UInt64
  /// Everything that does not hold, in words; empty for a day that was survived.
  public internal(set) var violations: [String] = []
  /// Over everything that crossed the wire and everything in the journal.
  public internal(set) var digest = RunDigest()

  /// Whether it came to what a planted bug does.
  public internal(set) var hasStruck = false

  /// Frames, requests and replies that reached either side.
  public internal(set) var messages = 0
  /// Orders that were sent.
  public internal(set) var orders = 0
  /// Fills that the last process knows of, those of the processes before it included.
  public internal(set) var fills = 0
  /// Troubles that were inflicted, by kind.
  public internal(set) var troubles: [(name: String, count: Int)] = []
  /// Processes after the first.
  public internal(set) var restarts = 0
  /// Records that a power cut took from the journal.
  public internal(set) var recordsLost = 0
  /// How long our orders could be placed, of `span`.
  public internal(set) var ready = TimeSpan.zero
  /// From the first start to the end of all trouble.
  public internal(set) var span = TimeSpan.zero
  /// From the end of all trouble to a settled state.
  public internal(set) var settling = TimeSpan.zero
  /// Profit realized, fees taken off, in the quote asset.
  public internal(set) var realized = Amount.zero
  /// The most base units that fills had added or taken at any time.
  public internal(set) var exposure = Amount.zero
  /// Behind how many things its processes could have died before everything healed.
  public internal(set) var events: UInt64 = 0
  /// So many of them came before a stop removed the kill-switch; zero for a day without one in its midst.
  public internal(set) var eventsAtStop: UInt64 = 0
  /// What happened when, for a person who looks into a seed.
  public internal(set) var diary: [String] = []

  /// The bot's journal, and everything that crossed the wire; of a day that was run to be looked into.
  public internal(set) var journal: [MemoryJournal.Entry] = []
  public internal(set) var wire: [TraceEntry] = []

  /// Troubles of all kinds.
  public var faults: Int { troubles.reduce(0) { $0 + $1.count } }

  init(seed: UInt64) { self.seed = seed }

  mutating func count(_ name: String) {
    if let index = troubles.firstIndex(where: { $0.name == name }) {
      troubles[index].count += 1
    } else {
      troubles.append((name, 1))
    }
  }
}
