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
    /// The orders' revision that `working` shows; nil when it shows none.
    var shown: UInt64?

    public init(id: StrategyID, instrument: InstrumentID, strategy: Strategy) {
      self.id = id
      self.instrument = instrument
      self.strategy = strategy
      working.reserveCapacity(256)
    }
  }

  // What matters most first: what we hold, what rests, what may be done.
  public internal(set) var portfolio = Portfolio()
  public internal(set) var orders: OrderStore
  public internal(set) var risk: RiskGate
  public internal(set) var session: Session
  public internal(set) var strategies: [StrategySlot]
  public internal(set) var markets: [KernelMarket]

  /// What must leave after this step, in order.
  public internal(set) var effects = VenueEffects()
  /// What was decided in this step, in order.
  public internal(set) var notes: [TracedNote] = []

  public let account: AccountID
  /// How contracts are to be traded, by instrument; none, or nil, where nothing was declared.
  public let marginPlans: [MarginPlan?]
  /// Private side connected and reconciled.
  public internal(set) var isReady = false
  public internal(set) var isPaused = false
  /// The journal has no room to go on in: nothing is placed until it has, and what rested was taken off.
  public internal(set) var isHeld = false
  /// Set while inventory is being brought back on an operator's word.
  public internal(set) var flattening: Flattening?
  /// Held for strategies, in the order in which they were taken: one a side of each at most.
  public internal(set) var stops: [LocalStop] = []
  public internal(set) var isStopping = false
  /// Stop was carried out: nothing of ours rests at the venue.
  public internal(set) var isStopped = false
  /// Nobody was there for a while: what the venue then has more or less than our books is taken over,
  /// and told.
  var takesOver = false
  /// The time of the last input.
  public internal(set) var now: Timestamp = .zero
  public internal(set) var counts = KernelCounts()

  /// What the private stream still owes us. Shown to people alone: nothing decides by it.
  public internal(set) var privateNews = PrivateNews()

  var events = VenueEvents()
  var intents = Intents()
  var orderEffects = OrderEffects(capacity: 1024)
  /// How many of `orderEffects` were folded into Portfolio, and how many were acted on.
  var folded = 0
  var acted = 0
  var refusals: [Refusal] = []
  var working: [OrderRecord] = []
  var trace = TraceID(0)

  struct Refusal {
    let tag: Int64
    let reason: RefusalReason
  }

  /// - Parameters:
  ///   - symbols: the instruments by index, as the session numbers them too.
  ///   - bookDepth: levels a side that the session subscribes to.
  ///   - marginPlans: by index too, for contracts.
  public init(
    account: AccountID, symbols: [InlineText], bookDepth: Int, session: consuming Session,
    strategies: [StrategySlot], orders: consuming OrderStore, risk: consuming RiskGate,
    marginPlans: [MarginPlan?] = []
  ) {
    self.account = account
    self.marginPlans = marginPlans
    self.session = session
    self.strategies = strategies
    self.orders = orders
    self.risk = risk
    markets = symbols.map { KernelMarket(symbol: $0, book: OrderBook(limit: bookDepth)) }
    notes.reserveCapacity(1024)
    refusals.reserveCapacity(256)
    working.reserveCapacity(256)
  }

  /// When the kernel next wants `KernelInput.timer`; `distantFuture` when it does not.
  public var nextDeadline: Timestamp {
    var next = min(session.nextDeadline, orders.nextDeadline)
    for index in strategies.indices { next = min(next, strategies[index].wakeAt) }
    if let flattening { next = min(next, flattening.nextAt) }
    if !stops.isEmpty { next = min(next, nextStopAt) }
    return next
  }

  /// Folds one input in and says, in `notes` and `effects`, what was decided and what must leave.
  ///
  /// - Parameters:
  ///   - bytes: the frame or body that `input` speaks of; empty for others.
  ///   - time: when the edge received it. May repeat; a step back is folded as no time passing.
  ///   - sequence: the input's journal sequence, larger than any before.
  public mutating func step(
    _ input: KernelInput, bytes: Span<UInt8>, at time: Timestamp, sequence: UInt64
  ) {
    let before = begin(at: time, sequence: sequence)
    events.removeAll()

    if case .venue = input {} else if session.nextDeadline <= now { passTime() }
    switch input {
    case .venue(let venueInput):
      if case .frame = venueInput { counts.frames += 1 }
      if venueInput == .start { begin(after: before) }
      session.receive(venueInput, bytes: bytes, at: now, events: &events, effects: &effects)
      if venueInput == .deadManLost { retreat() }
    case .timer:
      orders.advance(to: now, effects: &orderEffects)
      drain()
      wakeStrategies()
    case .command(let command): obey(command, by: bytes)
    case .settings(let strategy): change(strategy, to: bytes)
    case .journal(let state): hear(state)
    }

    handleEvents()
    if input == .venue(.start) { askAnew() }
    finish()
  }

  /// Folds in what a venue without a wire told, in the words that every venue shares; what is asked of it
  /// in return stands in its session. The same as `step` in all else.
  ///
  /// - Parameter news: taken; what is given back is an empty buffer with room.
  public mutating func step(
    told news: inout VenueEvents, at time: Timestamp, sequence: UInt64
  ) {
    _ = begin(at: time, sequence: sequence)
    swap(&events, &news)
    handleEvents()
    finish()
    swap(&events, &news)
    news.removeAll()
  }

  /// - Returns: the time of the input before.
  private mutating func begin(at time: Timestamp, sequence: UInt64) -> Timestamp {
    precondition(sequence > trace.sequence, "journal runs backwards at \(sequence)")
    trace = TraceID(sequence)
    let before = now
    now = max(now, time)
    effects.removeAll()
    notes.removeAll(keepingCapacity: true)
    return before
  }

  private mutating func handleEvents() {
    var index = 0
    while index < events.list.count {
      handle(events.list[index])
      index += 1
    }
  }

  private mutating func finish() {
    wakeOnBooks()
    if flattening != nil { flattenOn() }
    if !stops.isEmpty { pursueStops() }
    session.flush(at: now, effects: &effects)
  }

  /// What time alone has made of the venue is known before anything is decided on it: a book that was
  /// silent for too long is not traded on by a strategy that the same moment wakes.
  private mutating func passTime() {
    session.receive(.timer, bytes: Span(), at: now, events: &events, effects: &effects)
    handleEvents()
    events.removeAll()
  }

  mutating func note(_ note: KernelNote) { self.note(note, of: trace) }
  mutating func note(_ note: KernelNote, of trace: TraceID) {
    notes.append(TracedNote(note: note, trace: trace))
  }
}

/// What a kernel knows of one instrument.
public struct KernelMarket: Sendable {
  public let symbol: InlineText
  /// nil until the venue's rules were read.
  public internal(set) var instrument: Instrument? {
    get { listing.first }
    set {
      listing.removeAll(keepingCapacity: true)
      if let newValue { listing.append(newValue) }
    }
  }
  /// At most one: an element is handed on from where it stands, while what is taken out of an optional
  /// is copied twice.
  private(set) var listing: [Instrument] = []
  public internal(set) var book: OrderBook
  public internal(set) var lastPrice: Price?
  /// When its book was last told, and a trade or a last price; zero before. Shown to people alone:
  /// nothing decides by it.
  public internal(set) var bookAt = Timestamp.zero
  public internal(set) var tradedAt = Timestamp.zero
  /// The time of its book by the venue's clock, kept where stops look at it; zero when it tells none.
  var toldAt = Timestamp.zero
  /// The book moved since strategies were last woken.
  var isChanged = false
  var wasTrusted = false

  init(symbol: InlineText, book: OrderBook) {
    self.symbol = symbol
    self.book = book
  }
}

/// Whether the private stream tells what the venue's replies told of our orders: the only measure of a
/// stream that is rightly quiet for as long as we do nothing.
@frozen public struct PrivateNews: Equatable, Sendable, BitwiseCopyable {
  /// Of one event the stream may tell this long before the reply does.
  static let overlap = TimeSpan.seconds(5)
  var streamAt = Timestamp.zero
  /// The earliest reply that nothing of the stream has followed; `distantFuture` when there is none.
  public internal(set) var owedSince = Timestamp.distantFuture
  public init() {}

  mutating func heard(_ source: NewsSource, at now: Timestamp) {
    switch source {
    case .stream:
      streamAt = now
      owedSince = .distantFuture
    case .reply:
      if owedSince == .distantFuture && streamAt < now - PrivateNews.overlap { owedSince = now }
    case .query, .history: break
    }
  }

  /// A stream that is gone owes nothing.
  mutating func forget() { owedSince = .distantFuture }
}

/// How often things happened, for status and reports.
@frozen public struct KernelCounts: Equatable, Sendable, BitwiseCopyable {
  public internal(set) var frames: UInt64 = 0
  public internal(set) var fills: UInt64 = 0
  public internal(set) var placed: UInt64 = 0
  public internal(set) var canceled: UInt64 = 0
  public internal(set) var refusedByRisk: UInt64 = 0
  public internal(set) var refusedByVenue: UInt64 = 0
  public internal(set) var doubts: UInt64 = 0
  public internal(set) var gaps: UInt64 = 0
  public internal(set) var anomalies: UInt64 = 0
  public init() {}
}
