public import MartletBase
public import MartletModel

/// One stop that the kernel holds for a strategy, from its first look at the market until a person has
/// lifted the halt that it ended in.
///
/// The venue knows nothing of it, so it protects only while somebody looks: without a trusted book, with
/// the private side gone, or with the process dead it is inert, and that time is counted. It fires once:
/// what it then trades is a matter of what is held and of what works, which are the same after a death.
@frozen public struct LocalStop: Equatable, Sendable, BitwiseCopyable {
  @frozen public enum State: UInt8, Sendable, BitwiseCopyable {
    /// Not looked with: nothing new is placed in its market until it is.
    case inert = 0
    case armed = 1
    /// The price passed it; what it protects is being traded back.
    case fired = 2
    /// Nothing is left that the venue would take. Holds until somebody rearms.
    case done = 3
  }

  /// What one look at a trusted book brought about.
  @frozen public struct Look: Equatable, Sendable, BitwiseCopyable {
    /// Set when it was armed by this look: for how long nobody had looked.
    public var unprotected: TimeSpan?
    public var hasFired = false
    @inlinable public init() {}
  }

  public let strategy: StrategyID
  public let instrument: InstrumentID
  public private(set) var rule: StopRule
  public private(set) var state = State.inert
  /// The best price seen since it was armed first, or since somebody rearmed.
  public private(set) var peak: Price?
  /// When the book was last looked at with it; zero before the first time.
  public private(set) var lookedAt = Timestamp.zero
  /// While inert: since when nobody has looked; zero before the first time.
  public private(set) var lostAt = Timestamp.zero
  /// By the venue's clock: of the book that it was armed on. What was printed earlier is history.
  public private(set) var armedFrom = Timestamp.zero
  /// How often and for how long in all it had been inert when it was armed again.
  public private(set) var losses: UInt32 = 0
  public private(set) var unprotected = TimeSpan.zero

  // Once it has fired.
  /// Where it stood, and the price that passed it.
  public private(set) var firedLevel = Price(quanta: 0)
  public private(set) var firedPrice = Price(quanta: 0)
  public private(set) var firedAt = Timestamp.zero
  public private(set) var firedBy = TraceID(0)
  /// Orders placed for it, and the last of them.
  public private(set) var orders: UInt32 = 0
  public private(set) var lastOrder = ClientOrderID(InlineText())
  /// The next one is not placed before this.
  public private(set) var nextAt = Timestamp.zero
  /// What was held when the last one was placed.
  private var heldBefore = Quantity.zero
  /// Orders in a row that moved nothing.
  private var setbacks: UInt8 = 0

  public init(_ rule: StopRule, strategy: StrategyID, instrument: InstrumentID) {
    self.rule = rule
    self.strategy = strategy
    self.instrument = instrument
  }

  /// Where it stands; nil while a trailing one has seen no price.
  public var level: Price? { rule.level(peak: peak) }

  /// Looks at the best price of a trusted book: the bid for a sell, the ask for a buy.
  ///
  /// - Parameter told: the book's time by the venue's clock; zero when it gives none.
  public mutating func look(at price: Price, told: Timestamp, now: Timestamp) -> Look {
    var look = Look()
    switch state {
    case .fired, .done: return look
    case .inert:
      look.unprotected = lostAt == .zero ? .zero : now - lostAt
      if lostAt != .zero {
        losses &+= 1
        unprotected = unprotected + (now - lostAt)
      }
      lostAt = .zero
      armedFrom = told
      state = .armed
    case .armed: break
    }
    lookedAt = now
    if let level, rule.isPassed(level, by: price) {
      look.hasFired = true
    } else if rule.trailing != nil, peak.map({ rule.isBetter(price, than: $0) }) ?? true {
      peak = price
    }
    return look
  }

  /// Whether a print on the tape passes it. Only a book arms it, and only a book moves it.
  ///
  /// - Parameter told: the print's time by the venue's clock.
  public func isPassed(byPrintAt price: Price, told: Timestamp) -> Bool {
    guard state == .armed, told >= armedFrom, let level else { return false }
    return rule.isPassed(level, by: price)
  }

  /// Nobody looks any more.
  ///
  /// - Parameter since: when somebody last could; the earlier one counts when it is told twice.
  public mutating func lose(since: Timestamp) {
    switch state {
    case .armed:
      state = .inert
      lostAt = since
    case .inert: if lostAt != .zero { lostAt = min(lostAt, since) }
    case .fired, .done: break
    }
  }

  /// For how long nobody has looked; nil while somebody does, or never did.
  public func inert(at now: Timestamp) -> TimeSpan? {
    state == .inert && lostAt != .zero ? now - lostAt : nil
  }

  mutating func fire(at price: Price, now: Timestamp, trace: TraceID) {
    firedLevel = level ?? price
    firedPrice = price
    firedAt = now
    firedBy = trace
    orders = 0
    lastOrder = ClientOrderID(InlineText())
    nextAt = now
    setbacks = 0
    state = .fired
  }

  /// An order is about to be placed for it; one that follows orders that moved nothing waits ever longer,
  /// up to half a minute.
  mutating func trade(_ held: Quantity, now: Timestamp) {
    setbacks = orders > 0 && held == heldBefore ? min(setbacks + 1, 7) : 0
    heldBefore = held
    orders &+= 1
    nextAt = now + TimeSpan.milliseconds(250 << Int64(setbacks))
  }

  mutating func name(_ order: ClientOrderID) { lastOrder = order }

  mutating func finish() { state = .done }

  /// Somebody lifted the halt: it is looked with anew, from the price of that moment on.
  mutating func rearm() {
    guard state == .fired || state == .done else { return }
    state = .inert
    peak = nil
    lostAt = .zero
  }

  /// Other settings; what it has seen it keeps.
  mutating func take(_ rule: StopRule) {
    if rule.trailing == nil { peak = nil }
    self.rule = rule
  }
}

extension LocalStop {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(strategy.index)
    snapshot.write(instrument.index)
    snapshot.write(rule.side.rawValue)
    snapshot.write(rule.price != nil)
    snapshot.write(rule.price ?? Price(quanta: 0))
    snapshot.write(rule.trailing ?? 0)
    snapshot.write(state.rawValue)
    snapshot.write(peak != nil)
    snapshot.write(peak ?? Price(quanta: 0))
    snapshot.write(lookedAt)
    snapshot.write(lostAt)
    snapshot.write(armedFrom)
    snapshot.write(losses)
    snapshot.write(unprotected)
    snapshot.write(firedLevel)
    snapshot.write(firedPrice)
    snapshot.write(firedAt)
    snapshot.write(firedBy.sequence)
    snapshot.write(orders)
    snapshot.write(lastOrder.text)
    snapshot.write(nextAt)
    snapshot.write(heldBefore)
    snapshot.write(setbacks)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let start = snapshot.offset
    let strategy = StrategyID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    let side = Side(rawValue: try snapshot.byte())
    let hasPrice = try snapshot.bool()
    let price = try snapshot.price()
    let trailing = try snapshot.read(Int64.self)
    let state = State(rawValue: try snapshot.byte())
    guard let side, let state,
      let rule = StopRule(
        side: side, price: hasPrice ? price : nil, trailing: trailing == 0 ? nil : trailing)
    else { throw .impossible("stop", offset: start) }
    self.init(rule, strategy: strategy, instrument: instrument)
    self.state = state
    let hasPeak = try snapshot.bool()
    let peak = try snapshot.price()
    self.peak = hasPeak ? peak : nil
    lookedAt = try snapshot.timestamp()
    lostAt = try snapshot.timestamp()
    armedFrom = try snapshot.timestamp()
    losses = try snapshot.read()
    unprotected = try snapshot.timeSpan()
    firedLevel = try snapshot.price()
    firedPrice = try snapshot.price()
    firedAt = try snapshot.timestamp()
    firedBy = TraceID(try snapshot.read())
    orders = try snapshot.read()
    lastOrder = ClientOrderID(try snapshot.inlineText())
    nextAt = try snapshot.timestamp()
    heldBefore = try snapshot.quantity()
    setbacks = try snapshot.byte()
    guard setbacks <= 7 else { throw .impossible("stop's setbacks", offset: snapshot.offset - 1) }
  }
}
