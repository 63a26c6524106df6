public import MartletBase
public import MartletModel

extension GridStrategy {
  /// One gap of the grid as it stands, for a person who looks: nothing decides by it.
  public struct SlotView: Equatable, Sendable {
    /// What it does, in one word: `idle`, `working`, `settling`, `waiting`, `blocked`.
    public var phase: String
    /// Counted from the center: −1 is the first one below it, 0 the first one above.
    public var gap: Int
    /// Of the order it has, or would ask for.
    public var side: Side
    public var price: Price
    /// The mark of its present order, or of its last one; 0 before the first.
    public var tag: Int64
    /// Base units it may sell.
    public var inventory: Amount
    public var roundTrips: Int64
    /// Refusals and fruitless ends in a row.
    public var setbacks: Int64
    /// When it asks again; nil while it need not wait.
    public var retryAt: Timestamp?
  }

  /// The slots that are part of the grid, lowest first; none before it is laid out.
  public var slotViews: [SlotView] {
    guard center != nil else { return [] }
    return slots.indices.compactMap { index in
      let slot = slots[index]
      guard slot.phase != .absent else { return nil }
      return SlotView(
        phase: slot.phase.word, gap: index - settings.levelsPerSide, side: slot.side,
        price: slot.price, tag: slot.tag, inventory: slot.inventory, roundTrips: slot.roundTrips,
        setbacks: slot.setbacks, retryAt: slot.phase == .waiting ? slot.retryAt : nil)
    }
  }
}

extension GridSlot.Phase {
  var word: String {
    switch self {
    case .idle: "idle"
    case .working: "working"
    case .settling: "settling"
    case .waiting: "waiting"
    case .blocked: "blocked"
    case .absent: "absent"
    }
  }
}
