import MartletBase
import MartletKernel
import MartletModel
import MartletOrders
import MartletRisk
import MartletSecrets
import MartletSimulation
import MartletStrategy
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession

/// Reads the last price whenever it is woken, and trades nothing.
private struct ReaderStrategy: TradingStrategy {
  private(set) var reads = 0
  private(set) var unknown = 0

  private mutating func look(_ context: borrowing StrategyContext) {
    reads += 1
    if context.lastPrice == nil { unknown += 1 }
  }
  mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents) {
    look(context)
    intents.wake(at: context.now + .milliseconds(50))
  }
  mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents) {
    look(context)
  }
  mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents) {
    look(context)
    intents.wake(at: context.now + .milliseconds(50))
  }
  mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {}
  mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {}
  mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext,
    intents: inout Intents
  ) {}
  func write(to snapshot: inout SnapshotWriter) { snapshot.write(Int64(reads)) }
  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    reads = Int(clamping: try snapshot.read(Int64.self))
  }
}

/// What many read and the venue is asked for seldom, on the whole wire.
@Suite struct CacheTests {
  @Test(
    "M15: sixteen strategies that read the last price twenty times a second cause one request a second at the desk, polled, and none streamed",
    arguments: [true, false])
  func manyReaders(isPolled: Bool) throws {
    var market = HandmadeMarket(bid: 59_000, ask: 61_000)
    market.trade(.buy, 60_000, 1)
    var scenario = WhiteBITScenario.grid(market)
    if isPolled { scenario.session = { $0.feed = .polling(interval: .seconds(1)) } }
    let session = scenario.makeSession()
    let kernel = Kernel<WhiteBITSession, ReaderStrategy>(
      account: AccountID(0), symbols: [scenario.market],
      bookDepth: session.configuration.depthLimit, session: session,
      strategies: (0..<16).map {
        Kernel<WhiteBITSession, ReaderStrategy>.StrategySlot(
          id: StrategyID($0), instrument: InstrumentID(0), strategy: ReaderStrategy())
      }, orders: OrderStore(tag: scenario.tag), risk: RiskGate(limits: RiskLimits()))
    var world = World<WhiteBITSession, ReaderStrategy, WhiteBITDesk, WhiteBITDeadManMachine>(
      kernel: kernel, deadMan: try scenario.makeDeadMan(), desk: try scenario.makeDesk(),
      credentials: Credentials(
        key: Secret(copying: Array(scenario.key.utf8).span),
        secret: Secret(copying: Array(scenario.secret.utf8).span)),
      start: WhiteBITScenario.start, seed: scenario.seed, latency: scenario.latency,
      secretField: "websocket_token", clockOffset: WhiteBITScenario.clockOffset)
    world.start()
    let isReady = world.run(for: .seconds(10)) { $0.kernel.isReady }
    #expect(isReady)
    let before = world.trace.count(of: Path.ticker)
    world.run(for: .seconds(60))
    var reads = 0
    var unknown = 0
    for slot in world.kernel.strategies {
      reads += slot.strategy.reads
      unknown += slot.strategy.unknown
    }
    #expect(reads > 16 * 1_000 && unknown == 0)
    let asked = world.trace.count(of: Path.ticker) - before
    #expect(isPolled ? (58...61).contains(asked) : asked == 0)
    // And every answer was fresh for as long as it was said to be.
    let times = world.trace.requests().filter { $0.target == Path.ticker }.map(\.time)
    for (earlier, later) in zip(times.dropFirst(), times.dropFirst(2)) {
      #expect(later - earlier >= .milliseconds(500))
    }
  }
}
