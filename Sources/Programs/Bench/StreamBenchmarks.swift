internal import CMartletLinux
internal import Glibc
internal import MartletBase
internal import MartletBook
internal import MartletClock
internal import MartletJournalFile
internal import MartletKernel
internal import MartletLive
internal import MartletTransport
internal import MartletVenueKit
internal import Synchronization

// Many streams for long: what a frame waits until it is booked and journaled, and what memory it takes.
extension BenchSuite {
  /// A hundred markets, each told ten times a second: the hundred frames of a tenth of a second at once.
  func depthStreams() throws -> BenchResult {
    let rounds = effort == .full ? streamSeconds * 10 : 3
    let markets = try ManyMarkets(try frames(), rounds: amount(32, small: 2))
    defer { discard("\(folder)/streams") }
    let watched = try WatchedMarkets(markets, rounds: rounds, folder: folder)
    let figures = try watched.run()
    var result = BenchResult(
      name: "depth-streams", ops: Int(figures.lags.count),
      nanosecondsPerOp: figures.busy / Double(max(figures.lags.count, 1)),
      p50: figures.lag(500), p99: figures.lag(990), checksum: figures.lags.count)
    result.note =
      "lag behind the venue's send; ns_per_op is the thread's own work; worst"
      + " \(BenchResult.number(figures.lag(1000) / 1e6)) ms; "
      + goal("p99", result.p99, atMost: 5_000_000)
      + "; \(figures.firstKilobytes / 1024) MB after a quarter,"
      + " \(figures.lastKilobytes / 1024) MB at the end"
    result.peakKilobytes = figures.lastKilobytes
    return result
  }
}

/// A venue on one thread and a bot on another, each on a processor of its own where there are two.
private final class WatchedMarkets: @unchecked Sendable {
  // Written by the bot's thread, and read once both have ended; what it is made of is only read.
  private var figures = StreamFigures()
  private var faults: [String] = []
  private let markets: ManyMarkets
  private let rounds: Int
  private let folder: String
  private let port = Atomic<Int>(0)
  private let isOver = Atomic<Bool>(false)

  init(_ markets: ManyMarkets, rounds: Int, folder: String) throws {
    self.markets = markets
    self.rounds = rounds
    self.folder = folder
  }

  func run() throws -> StreamFigures {
    let processors = Int(cmartlet_processor_count())
    let venue = try SystemThread(name: "venue", processor: 0) { [self] in
      attempt { try tell() }
    }
    while port.load(ordering: .acquiring) == 0 { poll(nil, 0, 1) }
    if port.load(ordering: .acquiring) > 0 {
      let bot = try SystemThread(name: "bot", processor: processors - 1) { [self] in
        attempt { try read() }
      }
      bot.join()
    }
    isOver.store(true, ordering: .releasing)
    venue.join()
    if let fault = faults.first { throw BenchSuite.Fault(fault) }
    return figures
  }

  private func attempt(_ work: () throws -> Void) {
    do { try work() } catch {
      // One of the two threads at a time: the other one ends, and is not in here.
      if !isOver.exchange(true, ordering: .acquiringAndReleasing) { faults.append("\(error)") }
      if port.load(ordering: .acquiring) == 0 { port.store(-1, ordering: .releasing) }
    }
  }

  private var authority: String { folder + "/streams-ca.pem" }

  private func tell() throws {
    let now = SystemClock.realtime()
    let (start, end) = (now - .seconds(3_600), now + .seconds(86_400))
    let issuer = try TLSIdentity.authority(named: "benchmark", from: start, until: end)
    let identity = try issuer.issue(hosts: ["127.0.0.1"], from: start, until: end)
    try write(issuer.certificate, to: authority)
    let loop = try EventLoop()
    let teller = StreamTeller(loop, markets.rounds, count: rounds)
    var configuration = HTTPServer.Configuration()
    // A bot has nothing to say here for as long as it lasts.
    configuration.webSocketIdleTimeout = nil
    let server = try HTTPServer(
      loop, tls: try TLSContext(identity), configuration: configuration, delegate: teller)
    port.store(Int(server.port), ordering: .releasing)
    while !isOver.load(ordering: .acquiring) { loop.turn(waitingAtMost: .milliseconds(20)) }
    server.stop()
  }

  private func read() throws {
    // The file is there: the venue listens.
    defer { unsafe unlink(authority) }
    let loop = try EventLoop()
    let bot = try TradingBot.open(
      ManyMarkets.makeKernel(), after: markets.entries[...], journal: folder + "/streams",
      JournalOptions(build: "bench"))
    let reader = StreamReader(loop, bot, frames: rounds * ManyMarkets.count)
    let client = WebSocketClient(
      loop, try WebSocketURL("wss://127.0.0.1:\(port.load(ordering: .acquiring))/ws"),
      tls: try TLSContext(TLSTrust(authorities: authority)), delegate: reader)
    try client.connect()
    while !reader.isDone, reader.fault == nil, !isOver.load(ordering: .acquiring) {
      loop.turn(waitingAtMost: .milliseconds(20))
      reader.turned()
    }
    if let fault = reader.fault { throw BenchSuite.Fault(fault) }
    try reader.finish()
    figures = reader.figures
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    // The path is a C string for the call; all of the array is written.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw BenchSuite.Fault("cannot write \(path)") }
    defer { close(file) }
    guard unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else {
      throw BenchSuite.Fault("cannot write \(path)")
    }
  }
}

/// What a bot's thread saw.
private struct StreamFigures: Sendable {
  var lags = LatencyHistogram()
  /// Nanoseconds spent in steps and their notes.
  var busy = 0.0
  var firstKilobytes = 0
  var lastKilobytes = 0

  func lag(_ perMille: UInt64) -> Double {
    Double(lags.percentile(perMille: perMille)?.nanoseconds ?? 0)
  }
}

/// The number in a frame is when it was sent, with this added, so that it always has sixteen digits.
private let numberOffset: UInt64 = 1_000_000_000_000_000

/// Sends a round of frames each tenth of a second.
private final class StreamTeller: HTTPServerDelegate {
  private let loop: EventLoop
  private var rounds: [[ManyMarkets.Frame]]
  private var left: Int
  private var next = 0
  private var dueAt = LoopTime(nanoseconds: 0)
  private var timer: LoopTimer?
  private weak var server: HTTPServer?
  private var connection: UInt64 = 0

  init(_ loop: EventLoop, _ rounds: [[ManyMarkets.Frame]], count: Int) {
    self.loop = loop
    self.rounds = rounds
    left = count
    timer = LoopTimer(loop) { [weak self] in self?.send() }
  }

  private func send() {
    guard let server else { return }
    let index = next % rounds.count
    for market in rounds[index].indices {
      rounds[index][market].write(UInt64(loop.clock().nanoseconds) + numberOffset)
      let bytes = rounds[index][market].bytes
      server.send(text: bytes.span, to: connection)
    }
    next += 1
    left -= 1
    dueAt = dueAt + .milliseconds(100)
    if left > 0 { timer?.arm(at: dueAt) }
  }

  func server(
    _ server: HTTPServer, received request: HTTPRequest, id: UInt64, body: Span<UInt8>
  ) {
    server.drop(request: id)
  }
  func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse? { nil }
  func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest) {
    self.server = server
    self.connection = connection
    dueAt = loop.clock() + .milliseconds(100)
    timer?.arm(at: dueAt)
  }
  func server(
    _ server: HTTPServer, received message: Span<UInt8>, isText: Bool, from connection: UInt64
  ) {}
  func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd) {}
}

/// Gives each frame to the bot, as the live loop does.
private final class StreamReader: WebSocketClientDelegate {
  private static let key = Array("\"update_id\": ".utf8)
  private static let pong = Array(#"{"id":0,"result":"pong","error":null}"#.utf8)

  private(set) var figures = StreamFigures()
  private(set) var fault: String?
  var isDone: Bool { Int(figures.lags.count) >= frames }
  private let loop: EventLoop
  private var bot: TradingBot
  private let frames: Int
  private let began: LoopTime
  private let beganAt: Timestamp

  init(_ loop: EventLoop, _ bot: consuming TradingBot, frames: Int) {
    self.loop = loop
    beganAt = bot.now
    self.bot = bot
    self.frames = frames
    began = loop.clock()
  }

  func webSocketOpened(_ client: WebSocketClient) {}

  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool) {
    guard fault == nil else { return }
    let received = loop.clock()
    take(.venue(.frame(StreamID(0))), message, at: received)
    let booked = loop.clock()
    let sent = StreamReader.number(in: message)
    guard sent > numberOffset else {
      fault = "a frame without the time at which it was sent"
      return
    }
    figures.busy += Double((booked - received).nanoseconds)
    figures.lags.record(booked - LoopTime(nanoseconds: Int64(sent - numberOffset)))
    if Int(figures.lags.count) == frames / 4 { figures.firstKilobytes = StreamReader.resident() }
  }

  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd) {
    if !isDone { fault = fault ?? "the stream ended early: \(end)" }
  }

  /// Deadlines, and the venue's answers to pings.
  func turned() {
    guard fault == nil else { return }
    let now = loop.clock()
    bot.set(time(at: now))
    if bot.driver.kernel.nextDeadline <= bot.now { take(.timer, Span(), at: now) }
    if bot.pings > 0 {
      do { try bot.answerPings(StreamReader.pong.span) } catch { fault = "\(error)" }
    }
  }

  /// - Throws: when a book was lost on the way.
  func finish() throws {
    figures.lastKilobytes = StreamReader.resident()
    for market in 0..<ManyMarkets.count {
      guard bot.driver.kernel.markets[market].book.isTrusted else {
        throw BenchSuite.Fault("the book of market \(market) is not trusted")
      }
    }
  }

  private func time(at now: LoopTime) -> Timestamp {
    beganAt + TimeSpan(nanoseconds: (now - began).nanoseconds)
  }

  private func take(_ input: KernelInput, _ bytes: Span<UInt8>, at now: LoopTime) {
    bot.set(time(at: now))
    do {
      try bot.step(input, bytes)
      try bot.recordNotes()
      _ = bot.driver.kernel.nextDeadline
    } catch { fault = "\(error)" }
  }

  /// The number behind the key, which stands at a frame's beginning.
  private static func number(in frame: Span<UInt8>) -> UInt64 {
    for start in 0..<max(0, min(frame.count - key.count - 16, 160))
    where key.indices.allSatisfy({ frame[start + $0] == key[$0] }) {
      return (0..<16).reduce(0) { $0 * 10 + UInt64(frame[start + key.count + $1] &- 0x30) }
    }
    return 0
  }

  /// Resident memory of this process, in kB.
  private static func resident() -> Int {
    let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = unsafe read(file, &bytes, bytes.count)
    let words = bytes[..<max(count, 0)].split(separator: 0x20)
    guard words.count > 1 else { return 0 }
    return (Int(String(decoding: words[1], as: UTF8.self)) ?? 0) * 4
  }
}
