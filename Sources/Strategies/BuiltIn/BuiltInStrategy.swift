public import MartletBase
public import MartletGrid
public import MartletModel
public import MartletStrategy

/// What a configuration says of a strategy that comes with Martlet.
public enum BuiltInSettings: Equatable, Sendable {
  case grid(GridSettings)

  /// As an input carries them to a strategy that trades: a number for the kind, then its settings.
  public func coded() -> [UInt8] {
    var writer = SnapshotWriter()
    write(to: &writer)
    return writer.bytes.copy()
  }

  func write(to snapshot: inout SnapshotWriter) {
    switch self {
    case .grid(let grid):
      snapshot.write(grid.form.rawValue)
      grid.write(to: &snapshot)
    }
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let kind = try snapshot.byte()
    guard let form = GridSettings.Form(rawValue: kind) else {
      throw .impossible("kind of strategy", offset: snapshot.offset - 1)
    }
    self = .grid(try GridSettings(from: &snapshot, form: form))
  }
}

/// The strategies that come with Martlet, in one type: a kernel holds them without a protocol box,
/// and a call costs what it would cost on the strategy itself (HOTPATH, section 1).
///
/// A strategy is laid out when its instrument is known, at the first `onReady`.
public struct BuiltInStrategy: TradingStrategy, Sendable {
  public private(set) var settings: BuiltInSettings
  /// Why it trades nothing, when its settings do not fit its instrument.
  public private(set) var complaint: String?
  private var instrument: Instrument?
  // One place a kind, and at most one of them taken: what is optional is changed where it stands,
  // while the payload of an enum's case is copied out and back on every call.
  private var laidGrid: GridStrategy?

  public init(_ settings: BuiltInSettings) { self.settings = settings }

  /// What the grid has done, when this is one that was laid out.
  public var grid: GridStrategy.Summary? {
    laidGrid?.summary
  }

  /// Each gap of that grid, lowest first; empty before it was laid out.
  public var gridSlots: [GridStrategy.SlotView] { laidGrid?.slotViews ?? [] }

  public mutating func onReady(_ context: borrowing StrategyContext, intents: inout Intents) {
    if laidGrid == nil && complaint == nil { layOut(on: context.instrument) }
    laidGrid?.onReady(context, intents: &intents)
  }

  public mutating func onBook(_ context: borrowing StrategyContext, intents: inout Intents) {
    laidGrid?.onBook(context, intents: &intents)
  }

  public mutating func onFill(
    _ fill: Fill, order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    laidGrid?.onFill(fill, order: order, context, intents: &intents)
  }

  public mutating func onOrder(
    _ order: OrderView, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    laidGrid?.onOrder(order, context, intents: &intents)
  }

  public mutating func onRefusal(
    tag: Int64, reason: RefusalReason, _ context: borrowing StrategyContext, intents: inout Intents
  ) {
    laidGrid?.onRefusal(tag: tag, reason: reason, context, intents: &intents)
  }

  public mutating func onTimer(_ context: borrowing StrategyContext, intents: inout Intents) {
    laidGrid?.onTimer(context, intents: &intents)
  }

  public mutating func onSettings(
    _ coded: Span<UInt8>, _ context: borrowing StrategyContext, intents: inout Intents
  ) -> Bool {
    var reader = SnapshotReader(coded.indices.map { coded[$0] })
    guard let wanted = try? BuiltInSettings(from: &reader), reader.isAtEnd else { return false }
    if let isTaken = laidGrid?.onSettings(coded.extracting(1...), context, intents: &intents) {
      if isTaken { settings = wanted }
      return isTaken
    }
    // Not laid out yet, or what it was told did not fit: this may.
    settings = wanted
    complaint = nil
    if instrument != nil { layOut(on: context.instrument) }
    return complaint == nil
  }

  public mutating func onFlat(_ context: borrowing StrategyContext, intents: inout Intents) {
    laidGrid?.onFlat(context, intents: &intents)
  }

  public func stops(on instrument: Instrument) -> [StopRule] {
    switch settings {
    case .grid(let grid): grid.stops(on: instrument)
    }
  }

  private mutating func layOut(on instrument: Instrument) {
    self.instrument = instrument
    switch settings {
    case .grid(let grid):
      do {
        laidGrid = try GridStrategy(settings: grid, instrument: instrument)
      } catch {
        complaint = "\(error)"
      }
    }
  }
}

extension BuiltInStrategy: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("strategy-2")
    settings.write(to: &snapshot)
    snapshot.write(instrument != nil)
    if let instrument { snapshot.write(instrument) }
    laidGrid?.write(to: &snapshot)
  }

  /// Takes the snapshot's settings too: they may have been changed while it traded.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("strategy-2")
    settings = try BuiltInSettings(from: &snapshot)
    guard try snapshot.bool() else { return }
    layOut(on: try snapshot.instrument())
    try laidGrid?.read(from: &snapshot)
  }
}
