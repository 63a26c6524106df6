public import MartletBase
public import MartletGrid
public import MartletModel
public import MartletStrategy

/// What a configuration says of a strategy that comes with Martlet.
public enum BuiltInSettings: Equatable, Sendable {
  case grid(GridSettings)
}

/// The strategies that come with Martlet, as cases of one enum: a kernel holds them without a
/// protocol box, and a call costs what it would cost on the strategy itself (HOTPATH, section 1).
///
/// A strategy is laid out when its instrument is known, at the first `onReady`.
public struct BuiltInStrategy: TradingStrategy, Sendable {
  private enum Body: Sendable {
    case waiting
    case grid(GridStrategy)
    case unfit
  }

  public let settings: BuiltInSettings
  /// Why it trades nothing, when its settings do not fit its instrument.
  public private(set) var complaint: String?
  private var instrument: Instrument?
  private var body = Body.waiting

  public init(_ settings: BuiltInSettings) { self.settings = settings }

  /// What the grid has done, when this is one that was laid out.
  public var grid: GridStrategy.Summary? {
    if case .grid(let grid) = body { grid.summary } else { nil }
  }

  public mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents) {
    if case .waiting = body { layOut(on: context.instrument) }
    withGrid { $0.onReady(context, intents: &intents) }
  }

  public mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents) {
    withGrid { $0.onBook(context, intents: &intents) }
  }

  public mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    withGrid { $0.onFill(fill, order: order, context, intents: &intents) }
  }

  public mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    withGrid { $0.onOrder(order, context, intents: &intents) }
  }

  public mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    withGrid { $0.onRefusal(tag: tag, reason: reason, context, intents: &intents) }
  }

  public mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents) {
    withGrid { $0.onTimer(context, intents: &intents) }
  }

  private mutating func layOut(on instrument: Instrument) {
    self.instrument = instrument
    switch settings {
    case .grid(let grid):
      do {
        body = .grid(try GridStrategy(settings: grid, instrument: instrument))
      } catch {
        complaint = "\(error)"
        body = .unfit
      }
    }
  }

  private mutating func withGrid(_ act: (inout GridStrategy) -> Void) {
    guard case .grid(var grid) = body else { return }
    // Moved out and back: changed behind the pattern, its slots would be copied each time.
    body = .waiting
    act(&grid)
    body = .grid(grid)
  }
}

extension BuiltInStrategy: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("strategy")
    snapshot.write(instrument != nil)
    if let instrument { snapshot.write(instrument) }
    if case .grid(let grid) = body { grid.write(to: &snapshot) }
  }

  /// Reads into a strategy of the same settings.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("strategy")
    guard try snapshot.bool() else { return }
    layOut(on: try snapshot.instrument())
    if case .grid(var grid) = body {
      try grid.read(from: &snapshot)
      body = .grid(grid)
    }
  }
}
