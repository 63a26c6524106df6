internal import MartletBase
internal import MartletClock
internal import MartletJournalFile
internal import MartletKernel
internal import MartletLive
internal import MartletModel
internal import MartletOrders
internal import MartletRecord
internal import MartletSecrets
internal import MartletSimulation
internal import MartletStrategies
internal import MartletVenueKit
internal import WhiteBITSession

/// The live program's bot without its sockets: kernel, mapped journal, nonces and signatures.
///
/// What leaves ends up signed in `outgoing` and `headers`, as it would be handed to the transport.
struct TradingBot: ~Copyable {
  typealias Driver = KernelDriver<WhiteBITSession, BuiltInStrategy, MappedJournal>

  private(set) var driver: Driver
  /// The time of the last input: the benchmark's own, so that a day passes in a second.
  private(set) var now: Timestamp
  /// Place requests of the last step, in order.
  private(set) var placed: [RequestID] = []
  /// Pings that the venue has not answered yet.
  private(set) var pings = 0
  /// Requests of the last step that are neither: nothing here answers them.
  private(set) var others = 0
  /// Folded from every signature.
  private(set) var checksum = Checksum()
  private let signer = Signer(BenchKey.credentials)
  private let nonces: NonceClock
  private var headers = SignedHeaders()
  private var outgoing = ByteBuffer(capacity: 65_536)
  private var record = ByteBuffer(capacity: 64)
  private var clock = AnchoredClock()
  private var cadence: StateCadence
  private var lastState: UInt64 = 0
  /// Each step journals its notes too, for a journal that is read again.
  var keepsNotes = false

  /// A bot that has lived through the opening of `day`.
  ///
  /// - Parameters:
  ///   - path: a folder for its journal, which must not exist.
  ///   - segmentMegabytes: of a segment of that journal.
  static func open(
    _ day: RecordedDay, journal path: String, segmentMegabytes: Int = 64
  ) throws -> TradingBot {
    // Segments that last, and the sync thread at rest: at the pace of a benchmark both would be busy
    // all the time, which at a market's pace they are a hundredth of.
    var options = JournalOptions(build: "bench")
    options.segmentBytes = segmentMegabytes << 20
    options.sync = .atClose
    let bot = try TradingBot.open(
      day.plan.makeKernel { $0.bookLag = RecordedDay.noLag }, after: day.entries[..<day.opening],
      journal: path, options)
    guard bot.driver.kernel.orders.workingCount == RecordedDay.levels, bot.driver.kernel.isReady
    else { throw BenchSuite.Fault("the recorded day did not fold to a trading bot") }
    return bot
  }

  /// The same with a journal as the live program has one, from its first record on, in segments of the
  /// usual length, of which the full ones are put away behind it.
  ///
  /// - Parameter segmentBytes: nil for the usual length.
  static func begin(
    _ day: RecordedDay, journal path: String, segmentBytes: Int? = nil
  ) throws -> TradingBot {
    var options = JournalOptions(build: "bench")
    if let segmentBytes { options.segmentBytes = segmentBytes }
    options.sync = .atClose
    var parting = JournalParting()
    parting.snapshot = RecordKind(JournalKind.snapshot)
    options.parting = parting
    return try TradingBot.open(
      day.plan.makeKernel(), after: day.entries[..<day.opening],
      journal: path, options,
      first: day.plan.record())
  }

  /// A bot that has lived through `entries`, the journal of a bot that was made alike.
  ///
  /// - Parameter first: the payload of the start record; nil for none.
  static func open(
    _ kernel: consuming Kernel<WhiteBITSession, BuiltInStrategy>,
    after entries: ArraySlice<MemoryJournal.Entry>, journal path: String, _ options: JournalOptions,
    first: [UInt8]? = nil
  ) throws -> TradingBot {
    var writer = try JournalWriter.open(folder: path, options: options, at: RecordedDay.start)
    if let first {
      _ = try writer.append(
        kind: RecordKind(JournalKind.start), time: RecordedDay.start, payload: first.span)
    }
    let nonces = NonceClock(
      venueTime: RecordedDay.start, at: RecordedDay.start, file: try NonceFile(path + ".nonce"))
    var bot = TradingBot(
      driver: KernelDriver(kernel: kernel, sink: MappedJournal(writer: writer)), nonces: nonces)
    for entry in entries where entry.kind == JournalKind.input {
      guard let (input, start) = InputCoding.read(entry.payload.span) else {
        throw BenchSuite.Fault("an unreadable input in the recorded day")
      }
      bot.now = max(bot.now, entry.time)
      try bot.driver.feed(
        input, bytes: entry.payload.span.extracting(start..<entry.payload.count), at: bot.now)
    }
    return bot
  }

  private init(driver: consuming Driver, nonces: NonceClock) {
    cadence = StateCadence(driver.sink.writer)
    self.driver = driver
    self.nonces = nonces
    now = RecordedDay.start
    placed.reserveCapacity(64)
  }

  /// The venue's answer to the pings so far.
  mutating func answerPings(_ pong: Span<UInt8>) throws(BotFault) {
    while pings > 0 {
      pings -= 1
      try step(.venue(.frame(StreamID(0))), pong)
    }
  }

  mutating func pass(_ span: TimeSpan) { now = now + span }
  /// Never back.
  mutating func set(_ time: Timestamp) { now = max(now, time) }

  /// What one input costs the live loop: journal, fold, journal, and every request signed.
  mutating func step(_ input: KernelInput, _ bytes: Span<UInt8>) throws(BotFault) {
    placed.removeAll(keepingCapacity: true)
    others = 0
    do throws(JournalFault) { try driver.decide(input, bytes: bytes, at: now) } catch {
      throw .journal(error)
    }
    for index in 0..<driver.kernel.effects.list.count {
      switch driver.kernel.effects.list[index] {
      case .request(let effect):
        outgoing.removeAll()
        Self.copy(effect.body, from: driver.kernel.effects.bytes, to: &outgoing)
        try sign(effect)
        if effect.requestClass == .place { placed.append(effect.id) } else { others += 1 }
      case .sendFrame: pings += 1
      case .openStream, .closeStream: others += 1
      }
    }
    if keepsNotes { try recordNotes() }
  }

  /// What the live loop does once the order has left: journals what was decided and why.
  mutating func recordNotes() throws(BotFault) {
    do throws(JournalFault) { try driver.recordNotes(at: now) } catch { throw .journal(error) }
  }

  /// Waits until the journal lies as it is read later on, its full segments put away.
  func awaitParting() throws(JournalFault) { try driver.sink.writer.awaitParting() }

  /// The sequence of the next record.
  var nextSequence: UInt64 { driver.sink.writer.nextSequence }

  /// Journals the whole state, as the live program does between two steps.
  ///
  /// - Returns: its bytes.
  mutating func keepState(of day: RecordedDay) throws(BotFault) -> Int {
    let payload = StateRecord.payload(day.plan, key: "benchmark", driver.kernel)
    do throws(JournalFault) {
      _ = try driver.sink.writer.append(
        kind: RecordKind(JournalKind.snapshot), time: now, payload: payload.span)
    } catch { throw .journal(error) }
    cadence.wrote(payload.count, driver.sink.writer)
    lastState = driver.sink.writer.nextSequence
    return payload.count
  }

  /// The same when it is time.
  ///
  /// - Parameter records: how many between two; nil for the live program's own cadence.
  mutating func keepStateIfDue(
    of day: RecordedDay, each records: UInt64?
  ) throws(BotFault) -> Int? {
    let isDue = records.map { nextSequence >= lastState + $0 } ?? cadence.isDue(driver.sink.writer)
    return isDue ? try keepState(of: day) : nil
  }

  private static func copy(
    _ range: ByteRange, from source: borrowing ByteBuffer, to target: inout ByteBuffer
  ) { target.append(source.span.extracting(range.indices)) }

  private mutating func sign(_ effect: RequestEffect) throws(BotFault) {
    // The live loop reads its clocks here; the nonce itself is of the benchmark's time.
    _ = SystemClock.monotonic()
    let outcome: NonceClock.Outcome
    do throws(NonceFault) { outcome = try nonces.next(at: now) } catch { throw .nonce(error) }
    guard case .nonce(let nonce) = outcome else { throw .noncesRunAhead }
    record.removeAll()
    record.append(word: effect.id.number)
    record.append(word: nonce)
    _ = clock.now()
    do throws(JournalFault) {
      _ = try driver.sink.append(kind: JournalKind.nonce, at: now, record, Span())
    } catch { throw .journal(error) }
    signer.sign(
      effect.signing, body: ByteRange(start: 0, count: outgoing.count), in: &outgoing,
      nonce: nonce, into: &headers)
    guard headers.isSigned else { return }
    for index in stride(from: 0, to: 128, by: 16) {
      checksum.fold(UInt64(headers.signature.span[index]))
    }
  }

  /// A step that cannot go on. Its cases carry the edge's own words.
  enum BotFault: Error {
    case journal(JournalFault)
    case nonce(NonceFault)
    case noncesRunAhead
  }
}

/// The kernel driver's journal in mapped segments.
struct MappedJournal: JournalSink, ~Copyable {
  typealias Fault = JournalFault
  var writer: JournalWriter

  mutating func append(
    kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
    _ body: Span<UInt8>
  ) throws(JournalFault) -> UInt64 {
    try writer.append(
      kind: RecordKind(kind), lane: lane, time: time, prefix: head.span, body: body)
  }
}
