public import MartletBase
internal import MartletBook
internal import MartletExchange
public import MartletKernel
public import MartletModel
internal import MartletPortfolio
internal import MartletRisk
public import MartletStrategies
public import MartletVenueKit

/// A market that a backtest replays.
public struct BacktestMarket {
  public var instrument: Instrument
  public var feePlaces: DecimalPlaces
  public var tape: any MarketTape

  /// - Parameters:
  ///   - instrument: with its index among the backtest's markets as its id.
  ///   - feePlaces: decimals that the venue rounds its fees to.
  public init(instrument: Instrument, feePlaces: DecimalPlaces, tape: any MarketTape) {
    self.instrument = instrument
    self.feePlaces = feePlaces
    self.tape = tape
  }
}

/// Recorded markets, the simulated exchange and the kernel on one virtual clock, speaking in words
/// instead of bytes: `direct` fidelity.
///
/// Everything happens in the order of its time. At one moment the recorded market moves first, then the
/// venue does what is due, then the bot hears its own news, then the market's, then its timers run.
public struct DirectBacktest: ~Copyable {
  private var kernel: Kernel<DirectSession, BuiltInStrategy>
  private var venue: DirectVenue
  private var tapes: [TapeCursor]
  private let instruments: [Instrument]
  private let options: BacktestOptions

  private var now = Timestamp.zero
  private var sequence: UInt64 = 0
  private var news = VenueEvents(capacity: 256, levels: 4_096)
  private var kernelAt = Timestamp.distantFuture
  private var result = BacktestResult()
  private var curves: [Curve]
  private var tallies: [Tally]

  /// - Throws: `BacktestFault` when there is nothing to replay or nothing to replay it with.
  public init(
    kernel: consuming Kernel<DirectSession, BuiltInStrategy>, markets: [BacktestMarket],
    options: BacktestOptions
  ) throws {
    if let contract = markets.first(where: { $0.instrument.kind != .spot }) {
      throw BacktestFault(
        "\(contract.instrument.symbol): expected a spot market; a backtest of contracts is not there yet"
      )
    }
    let tapes = try markets.map { try TapeCursor($0.tape) }
    for index in tapes.indices where tapes[index].nextTime == .distantFuture {
      throw BacktestFault(
        "\(markets[index].instrument.symbol): the data has no row; a backtest of nothing proves nothing"
      )
    }
    let venue = try DirectVenue(
      markets.map {
        Listing(instrument: $0.instrument, fees: FeePolicy(places: $0.feePlaces), outside: nil)
      }, options)
    self.tapes = tapes
    self.venue = venue
    self.kernel = kernel
    self.options = options
    instruments = markets.map(\.instrument)
    curves = markets.map { _ in Curve() }
    tallies = markets.map { _ in Tally() }
  }

  /// Replays everything there is.
  ///
  /// - Parameter progress: called every some ten thousand frames with the rows replayed so far and the
  ///   moment reached; false ends the backtest there.
  public mutating func run(
    progress: (UInt64, Timestamp) -> Bool = { _, _ in true }
  ) throws -> BacktestResult {
    try begin()
    var frames: UInt64 = 0
    while true {
      let index = nextTape
      let tapeAt = tapes[index].nextTime
      if tapeAt == .distantFuture { break }
      if tapeAt <= min(venue.nextTime, kernelAt) {
        now = max(now, tapeAt)
        try replay(index)
        frames += 1
        if frames % 16_384 == 0, !progress(rowsRead, now) { break }
      } else {
        act(by: min(venue.nextTime, kernelAt))
      }
    }
    // What was on its way when the data ended still arrives.
    let end = now + options.orderDelay.most + options.reportDelay.most + options.feedDelay.most
    while min(venue.nextTime, kernelAt) <= end { act(by: min(venue.nextTime, kernelAt)) }
    return conclude()
  }

  private var nextTape: Int {
    var chosen = 0
    for index in tapes.indices.dropFirst()
    where tapes[index].nextTime < tapes[chosen].nextTime { chosen = index }
    return chosen
  }

  private var rowsRead: UInt64 { tapes.reduce(0) { $0 + $1.rowsRead } }

  private mutating func replay(_ index: Int) throws {
    let time = now
    let instrument = instruments[index].id
    // A part of self each, so that neither is copied.
    func apply(_ venue: inout DirectVenue, _ tape: inout TapeCursor) throws {
      try tape.next { venue.apply($0, to: instrument, at: time) }
    }
    try apply(&venue, &tapes[index])
  }

  /// Does the first thing that is due at `time` beside the recorded market.
  private mutating func act(by time: Timestamp) {
    now = max(now, time)
    if venue.advance(to: time) { return }
    if let at = venue.receive(by: time, into: &news) {
      step(at: at)
    } else if kernelAt <= time {
      sequence += 1
      kernel.step(.timer, bytes: Span(), at: time, sequence: sequence)
      settle(at: time)
    }
  }

  private mutating func step(at time: Timestamp) {
    sequence += 1
    result.newsTold += UInt64(news.list.count)
    for event in news.list {
      if case .fill(let fill) = event {
        result.count(fill, instruments[Int(fill.instrument.index)].scale, &tallies)
      }
    }
    kernel.step(told: &news, at: time, sequence: sequence)
    settle(at: time)
  }

  /// Sends what the kernel asked for, and notes what it says.
  private mutating func settle(at time: Timestamp) {
    for index in kernel.session.commands.indices {
      let command = kernel.session.commands[index]
      let scale = instruments[Int(command.instrument.index)].scale
      result.decide(command, scale, at: time, isKept: options.keepsDecisions)
      venue.send(command, at: time)
    }
    kernelAt = kernel.nextDeadline
    for index in curves.indices where curves[index].isDue(time) { sample(index, at: time) }
  }

  private mutating func sample(_ index: Int, at time: Timestamp) {
    let id = instruments[index].id
    guard let track = kernel.portfolio.track(kernel.account, id) else { return }
    curves[index].append(
      BacktestResult.Sample(
        time: time, equity: track.current,
        position: kernel.portfolio.position(kernel.account, id).net,
        mark: track.mark))
  }

  // MARK: Begin and end

  /// Replays up to the first whole book of every market, then tells the bot what a start tells it.
  private mutating func begin() throws {
    for index in tapes.indices {
      while !tapes[index].isAtSnapshot {
        guard tapes[index].nextTime != .distantFuture else {
          throw BacktestFault(
            "\(instruments[index].symbol): no whole book in the data, only changes of one that nobody told;"
              + " `martlet data inspect` shows what is there")
        }
        try tapes[index].next { _ in }
      }
    }
    // All books are whole from the last of those moments on.
    let opening = tapes.reduce(Timestamp.zero) { max($0, $1.nextTime) }
    while tapes[nextTape].nextTime <= opening {
      let index = nextTape
      now = max(now, tapes[index].nextTime)
      try replay(index)
    }
    let ready = opening + options.opensAfter
    while tapes[nextTape].nextTime <= ready {
      let index = nextTape
      now = max(now, tapes[index].nextTime)
      try replay(index)
    }
    now = ready
    venue.forgetFeed()
    for instrument in instruments {
      news.append(.instrument(instrument))
      if let last = venue.exchange.lastPrice(of: instrument.id) {
        news.append(.lastPrice(instrument.id, last))
      }
    }
    venue.appendBalances(to: &news)
    news.append(.reconciled)
    venue.open(at: ready)
    step(at: ready)
    // Ready once the first books have come.
    while !instruments.allSatisfy({ kernel.markets[Int($0.id.index)].book.isTrusted }) {
      guard venue.nextTime != .distantFuture, venue.nextTime <= ready + .seconds(60) else {
        throw BacktestFault("no book was published in the first minute: one of its sides is empty")
      }
      act(by: venue.nextTime)
    }
    news.append(.ready)
    step(at: now)
  }

  private mutating func conclude() -> BacktestResult {
    for index in curves.indices { sample(index, at: now) }
    result.events = rowsRead
    result.curves = curves.map(\.samples)
    result.conclude(kernel, instruments, tallies, tapes.map(\.coverage))
    result.reconcile(kernel, instruments, with: venue.exchange, venue.account)
    result.assumptions = assumptions
    return result
  }

  private var assumptions: [String] {
    [
      "fidelity direct: the venue's words without its wire; nothing is lost, nothing comes twice; no kill-switch",
      "feed delay \(options.feedDelay), order delay \(options.orderDelay), report delay \(options.reportDelay)",
      "the venue publishes the best \(options.depth) levels a side every \(options.publishInterval.text), our own"
        + " orders among them, and each print at once",
      "at most \(options.session.requests) requests in \(options.session.window.text), placements and cancels each,"
        + " \(options.session.ordersPerRequest) placements in one",
      "trading begins \(options.opensAfter.text) after the first whole book; the seed of drawn delays is"
        + " \(options.seed)",
    ]
      + options.queueAssumptions + instruments.map(\.assumption)
      + ["no funding: spot markets pay none"]
  }
}

extension DirectCommand {
  var instrument: InstrumentID {
    switch self {
    case .place(let intent, _): intent.instrument
    case .cancel(_, let instrument), .query(_, let instrument): instrument
    }
  }
}
