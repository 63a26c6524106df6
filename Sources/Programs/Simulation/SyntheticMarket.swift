public import MartletBase
public import MartletModel

/// A market drawn from a seed: it wanders about a center, pauses, trends and jumps, and prints what it
/// takes on its way.
///
/// - Bounds: as many frames as it is told to draw.
public struct SyntheticMarket: Sendable {
  public struct Shape: Sendable {
    /// Where it begins and comes back to, in quanta.
    public var center: Price
    /// Between two levels of its book, in quanta; at least 1.
    public var step: Int64
    /// On each level, about, in quanta; at least 10.
    public var size: Int64
    /// Levels a side.
    public var levels = 20
    /// Between two frames, on average.
    public var interval = TimeSpan.milliseconds(100)
    /// How far it wanders, in steps.
    public var reach: Int64 = 40

    public init(center: Price, step: Int64, size: Int64) {
      self.center = center
      self.step = step
      self.size = size
    }
  }

  /// What the market does for a while.
  private enum Mood { case calm, lively, rising, falling }

  private let shape: Shape
  private var random: SeededRandom
  private var rows: [MarketRow] = []
  private var time = Timestamp.zero
  private var frame: UInt32 = 0
  /// Steps from the center; the best bid lies on it, the best ask one step above.
  private var place: Int64 = 0
  private var mood = Mood.calm

  /// The rows of a market of this length; after them it stands still for a year.
  public static func rows(
    _ shape: Shape, seed: UInt64, for span: TimeSpan
  ) -> [MarketRow] {
    var market = SyntheticMarket(shape, seed)
    market.open()
    while market.time < .zero + span { market.move() }
    market.time = market.time + .seconds(365 * 86_400)
    market.open()
    return market.rows
  }

  private init(_ shape: Shape, _ seed: UInt64) {
    self.shape = shape
    random = SeededRandom(seed: seed)
  }

  private mutating func open() {
    for level in 0..<Int64(shape.levels) { add(.snapshot, .buy, place - level, size()) }
    for level in 1...Int64(shape.levels) { add(.snapshot, .sell, place + level, size()) }
    endFrame()
  }

  private mutating func move() {
    let interval = UInt64(shape.interval.nanoseconds)
    time = time + TimeSpan(nanoseconds: Int64(interval / 4 + random.below(interval * 3 / 2)))
    if random.below(60) == 0 {
      mood = [Mood.calm, .lively, .lively, .rising, .falling][Int(random.below(5))]
    }
    let draw = random.below(100)
    var steps: Int64 =
      switch mood {
      case .calm: draw < 10 ? 1 : draw < 20 ? -1 : 0
      case .lively: draw < 35 ? 1 : draw < 70 ? -1 : 0
      case .rising: draw < 45 ? 1 : draw < 55 ? -1 : 0
      case .falling: draw < 45 ? -1 : draw < 55 ? 1 : 0
      }
    if random.below(150) == 0 { steps = Int64(random.integer(in: -12...12)) }
    // The further out, the surer it turns.
    if abs(place) > Int64(random.below(UInt64(shape.reach) + 1)) + shape.reach / 2 {
      steps = place > 0 ? -abs(steps) : abs(steps)
    }
    shift(by: steps)
  }

  /// Takes everything on the way, prints it, and lays the book behind it anew.
  private mutating func shift(by steps: Int64) {
    let levels = Int64(shape.levels)
    // A frame is all prints or all levels.
    if steps == 0 {
      let level = Int64(random.below(UInt64(levels)))
      if random.below(2) == 0 {
        add(.level, .buy, place - level, size())
      } else {
        add(.level, .sell, place + 1 + level, size())
      }
      endFrame()
      // A print at the top, now and then, that takes less than is there.
      guard random.below(3) == 0 else { return }
      let isBuy = random.below(2) == 0
      add(.trade, isBuy ? .buy : .sell, isBuy ? place + 1 : place, shape.size / 10)
      endFrame()
      return
    }
    let side: Side = steps > 0 ? .sell : .buy
    let sign: Int64 = steps > 0 ? 1 : -1
    let best = steps > 0 ? place + 1 : place
    for step in 0..<abs(steps) { add(.trade, side.opposite, best + sign * step, size()) }
    endFrame()
    for step in 0..<abs(steps) {
      // What was taken, what comes to stand there now, and what comes and goes at the far ends.
      add(.level, side, best + sign * step, 0)
      add(.level, side.opposite, best + sign * step, size())
      add(.level, side, best + sign * (levels + step), size())
      add(.level, side.opposite, best - sign * (levels - step), 0)
    }
    place += steps
    endFrame()
  }

  private mutating func size() -> Int64 {
    shape.size / 2 + Int64(random.below(UInt64(shape.size)))
  }

  private mutating func add(
    _ kind: MarketRow.Kind, _ side: Side, _ level: Int64, _ quantity: Int64
  ) {
    rows.append(
      MarketRow(
        receivedAt: time, price: Price(quanta: shape.center.quanta + level * shape.step),
        quantity: Quantity(quanta: quantity), frame: frame, kind: kind, side: side,
        endsFrame: false))
  }

  private mutating func endFrame() {
    rows[rows.count - 1].endsFrame = true
    frame += 1
  }
}
