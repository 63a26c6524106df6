internal import MartletBase
internal import MartletBook
internal import MartletHistory
internal import MartletKernel
internal import MartletLive
internal import MartletModel
internal import MartletOrders
internal import MartletSecrets
internal import MartletSimulation
internal import MartletStrategies
internal import MartletVenueKit
internal import WhiteBITDesk
internal import WhiteBITSession

/// A grid bot's morning on the simulated venue, kept as its journal: how it came to trade, and then
/// some time of trading on the recorded market.
///
/// The bot is the live program's own, made from a configuration; the venue is the desk, over the
/// recording; what lies between them is the wire.
struct RecordedDay {
  static let start = Timestamp(milliseconds: 1_775_000_000_000)
  static let strategy = StrategyID(0)
  /// Orders the grid keeps working.
  static let levels = 20

  let plan: BotPlan
  let entries: [MemoryJournal.Entry]
  /// Entries up to the moment when every order of the grid rests and is known to.
  let opening: Int
  /// The depth frames that it was told, from the first whole book on.
  let depthFrames: [[UInt8]]
  let fills: UInt64

  /// - Parameter trading: how long the bot trades once it has begun.
  init(_ recording: Recording, trading: TimeSpan) throws {
    plan = try BotPlan(
      configurationText: Array(Self.configuration.utf8), file: "the benchmark's configuration",
      seed: 7, build: "bench")
    var world = try Self.open(recording, plan)
    world.start()
    let isSettled = world.run(for: .seconds(30)) { Self.isSettled($0.kernel) }
    guard isSettled else {
      throw BenchSuite.Fault(
        "the simulated bot did not begin to trade: \(world.kernel.orders.workingCount) orders work")
    }
    opening = world.journal.entries.count
    world.run(for: trading)
    entries = world.journal.entries
    fills = world.kernel.counts.fills
    depthFrames = Self.depthFrames(in: entries)
    guard !depthFrames.isEmpty else { throw BenchSuite.Fault("no depth frame was recorded") }
  }

  /// The guide's grid, ten levels a side, with money enough for a long day.
  static let configuration = """
    [bot]
    name = "bench"
    mode = "paper"
    valuation = "DUSDT"

    [venue.whitebit]
    endpoint = "custom"
    rest = "http://127.0.0.1:1"
    websocket = "ws://127.0.0.1:1/ws"
    key = "env:BENCH"

    [dead_man]
    timeout = "60s"
    refresh = "45s"
    grace = "40s"

    [[strategy]]
    kind = "grid"
    venue = "whitebit"
    market = "DBTC_DUSDT"
    levels = 10
    spacing = "10"
    amount = "0.001"

    [journal]
    folder = "journal"

    """

  private static func open(_ recording: Recording, _ plan: BotPlan) throws -> WhiteBITWorld {
    let setups = WhiteBITMarketSetup.bitcoin(
      rows: recording.rows, pricePlaces: recording.pricePlaces,
      quantityPlaces: recording.quantityPlaces, speedThousandths: 5_000)
    var configuration = WhiteBITDeskConfiguration(start: start, seed: 11)
    configuration.roundsBefore = 1
    var desk = try WhiteBITDesk(configuration, markets: setups, keyedHash: keyedHash)
    let million = Amount(units: 1_000_000 * powerOfTen(Amount.places))
    guard
      desk.addAccount(
        key: BenchKey.key, secret: BenchKey.secret,
        balances: [(asset: "DBTC", amount: million), (asset: "DUSDT", amount: million)]) != nil
    else { throw BenchSuite.Fault("the simulated venue opens no account") }
    var scenario = WhiteBITScenario(seed: 11)
    scenario.latency = .milliseconds(1)
    return WhiteBITWorld(
      kernel: plan.makeKernel { $0.bookLag = RecordedDay.noLag },
      deadMan: try scenario.makeDeadMan(), desk: desk,
      credentials: BenchKey.credentials, start: start, seed: scenario.seed,
      latency: scenario.latency, secretField: "websocket_token",
      clockOffset: WhiteBITScenario.clockOffset)
  }

  /// A recorded frame is told again and again, long after it left: that is not what is measured.
  static let noLag = TimeSpan.seconds(365 * 86_400)

  private static func isSettled(
    _ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>
  ) -> Bool {
    kernel.isReady && kernel.orders.workingCount == levels && kernel.orders.isQuiescent
      && kernel.markets[0].book.isTrusted
  }

  /// Depth pushes of WhiteBIT, from the first whole book on: fed round and round they stay a chain,
  /// because a whole book begins a new one.
  private static func depthFrames(in entries: [MemoryJournal.Entry]) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    let method = Array("\"depth_update\"".utf8)
    let whole = Array("[true,".utf8)
    for entry in entries where entry.kind == JournalKind.input {
      guard let (input, start) = InputCoding.read(entry.payload.span),
        case .venue(.frame) = input
      else { continue }
      let frame = Array(entry.payload[start...])
      guard holds(method, frame) else { continue }
      if frames.isEmpty && !holds(whole, frame.filter { $0 != 0x20 }) { continue }
      frames.append(frame)
    }
    return frames
  }

  private static func holds(_ part: [UInt8], _ bytes: [UInt8]) -> Bool {
    guard bytes.count >= part.count else { return false }
    // Method and flag stand at a frame's beginning.
    for start in 0...min(48, bytes.count - part.count)
    where bytes[start..<start + part.count].elementsEqual(part) { return true }
    return false
  }
}
