public import MartletBase
public import MartletBook
public import MartletModel
public import MartletOrders
public import MartletPortfolio
public import MartletRisk
public import MartletStrategy
public import MartletVenueKit

/// A note and the input that caused it.
@frozen public struct TracedNote: Equatable, Sendable, BitwiseCopyable {
  public let note: KernelNote
  public let trace: TraceID
}

/// Everything that decides, with one owner, one thread and one door.
///
/// An input with its time goes in; effects and notes come out as plain data and stay readable until
/// the next step. No clock, file, socket or random source is in reach, so that the fold of the same
/// inputs gives the same outputs anywhere.
public struct Kernel<Session: VenueSession & ~Copyable, Strategy: TradingStrategy>: ~Copyable {
  /// One strategy and what it trades.
  public struct StrategySlot {
    public let id: StrategyID
    public let instrument: InstrumentID
    public internal(set) var strategy: Strategy
    /// When it asked to be woken.
    public internal(set) var wakeAt: Timestamp = .distantFuture
    /// Its orders that are not terminal, oldest first; refreshed before it is called.
    var working: [OrderView] = []

    public init(id: StrategyID, instrument: InstrumentID, strategy: Strategy) {
      self.id = id
      self.instrument = instrument
      self.strategy = strategy
      working.reserveCapacity(256)
    }
  }

  /// What is known of one instrument.
  public struct Market: Sendable {
    public let symbol: InlineText
    /// nil until the venue's rules were read.
    public internal(set) var instrument: Instrument?
    public internal(set) var book: OrderBook
    public internal(set) var lastPrice: Price?
    var isChanged = false
    var wasTrusted = false
  }

  // What matters most first: what we hold, what rests, what may be done.
  public internal(set) var portfolio: Portfolio
  public internal(set) var orders: OrderStore
  public internal(set) var risk: RiskGate
  public internal(set) var session: Session
  public internal(set) var strategies: [StrategySlot]
  public internal(set) var markets: [Market]

  /// What must leave after this step, in order.
  public internal(set) var effects = VenueEffects()
  /// What was decided in this step, in order.
  public internal(set) var notes: [TracedNote] = []

  public let account: AccountID
  /// Private side connected and reconciled.
  public internal(set) var isReady = false
  public internal(set) var isPaused = false
  public internal(set) var isStopping = false
  /// Stop was carried out: nothing of ours rests at the venue.
  public internal(set) var isStopped = false
  /// The time of the last input.
  public internal(set) var now: Timestamp = .zero
  public internal(set) var counts = Counts()

  var events = VenueEvents()
  var intents = Intents()
  var trace = TraceID(0)

  /// How often things happened, for status and reports.
  public struct Counts: Equatable, Sendable, BitwiseCopyable {
    public var frames: UInt64 = 0
    public var fills: UInt64 = 0
    public var placed: UInt64 = 0
    public var canceled: UInt64 = 0
    public var refusedByRisk: UInt64 = 0
    public var refusedByVenue: UInt64 = 0
    public var doubts: UInt64 = 0
    public var gaps: UInt64 = 0
    public var anomalies: UInt64 = 0
  }

  /// - Parameters:
  ///   - symbols: the instruments by index, as the session numbers them too.
  ///   - bookDepth: levels a side that the session subscribes to.
  public init(
    account: AccountID, symbols: [InlineText], bookDepth: Int, session: consuming Session,
    strategies: [StrategySlot], orders: consuming OrderStore, risk: RiskGate
  ) {
    self.account = account
    self.session = session
    self.strategies = strategies
    self.orders = orders
    self.risk = risk
    portfolio = Portfolio(account: account)
    markets = symbols.map { Market(symbol: $0, book: OrderBook(limit: bookDepth)) }
    notes.reserveCapacity(1024)
  }

  /// When the kernel next wants `KernelInput.timer`; `distantFuture` when it does not.
  public var nextDeadline: Timestamp {
    var next = session.nextDeadline
    for index in strategies.indices { next = min(next, strategies[index].wakeAt) }
    return next
  }

  /// Folds one input in and says, in `notes` and `effects`, what was decided and what must leave.
  ///
  /// - Parameters:
  ///   - bytes: the frame or body that `input` speaks of; empty for others.
  ///   - now: when the edge received it. May repeat; a step back is folded as no time passing.
  ///   - sequence: the input's journal sequence, larger than any before.
  public mutating func step(
    _ input: KernelInput, bytes: Span<UInt8>, at time: Timestamp, sequence: UInt64
  ) {
    precondition(sequence > trace.sequence, "journal runs backwards at \(sequence)")
    trace = TraceID(sequence)
    now = max(now, time)
    effects.removeAll()
    notes.removeAll(keepingCapacity: true)
    events.removeAll()

    switch input {
    case .venue(let venueInput):
      if case .frame = venueInput { counts.frames += 1 }
      session.receive(venueInput, bytes: bytes, at: now, events: &events, effects: &effects)
      if venueInput == .deadManLost { retreat() }
    case .timer:
      if session.nextDeadline <= now {
        session.receive(.timer, bytes: bytes, at: now, events: &events, effects: &effects)
      }
      wakeStrategies()
    case .command(let command): obey(command)
    }

    for index in 0..<events.list.count { handle(events.list[index]) }
    wakeOnBooks()
    session.flush(at: now, effects: &effects)
  }

  mutating func note(_ note: KernelNote) { notes.append(TracedNote(note: note, trace: trace)) }
  mutating func note(_ note: KernelNote, of trace: TraceID) {
    notes.append(TracedNote(note: note, trace: trace))
  }
}
