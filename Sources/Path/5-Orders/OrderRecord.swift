public import MartletBase
public import MartletModel

/// All that is known of one order of ours; a copy of one moment.
@frozen public struct OrderRecord: Equatable, Sendable, BitwiseCopyable {
  /// The venue's earlier names that are remembered.
  static var olderNames: Int { 4 }
  /// All of the venue's names that are remembered.
  static var names: Int { olderNames + 1 }

  public let clientOrderID: ClientOrderID
  public internal(set) var venueOrderID: VenueOrderID
  /// As approved. Price and quantity of now are the lifecycle's.
  public let intent: OrderIntent
  /// The verdict that let it through; 0 for an adopted order.
  public let verdict: UInt64
  /// The input that caused it.
  public let trace: TraceID
  /// When it was opened here, or adopted.
  public let openedAt: Timestamp
  public internal(set) var lifecycle: OrderLifecycle
  /// When fills told of but not seen are next asked for.
  var checkAt = Timestamp.distantFuture
  /// How often they were.
  var checks: UInt8 = 0
  /// The latest of the venue's earlier names for it, before amendments gave it another.
  var olderVenueOrderIDs = InlineArray<4, VenueOrderID>(repeating: .none)
  // Links of the list of working orders, oldest first, or of the free slots.
  var previous: Int32 = -1
  var next: Int32 = -1

  init(
    clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, intent: OrderIntent, verdict: UInt64,
    trace: TraceID, openedAt: Timestamp
  ) {
    self.clientOrderID = clientOrderID
    self.venueOrderID = venueOrderID
    self.intent = intent
    self.verdict = verdict
    self.trace = trace
    self.openedAt = openedAt
    lifecycle = OrderLifecycle(price: intent.price, quantity: intent.quantity)
  }

  // Links say where it is kept, not what it is.
  public static func == (lhs: OrderRecord, rhs: OrderRecord) -> Bool {
    guard
      lhs.clientOrderID == rhs.clientOrderID && lhs.venueOrderID == rhs.venueOrderID
        && lhs.intent == rhs.intent && lhs.verdict == rhs.verdict && lhs.trace == rhs.trace
        && lhs.openedAt == rhs.openedAt && lhs.lifecycle == rhs.lifecycle
        && lhs.checkAt == rhs.checkAt && lhs.checks == rhs.checks
    else { return false }
    for index in 0..<olderNames where lhs.olderVenueOrderIDs[index] != rhs.olderVenueOrderIDs[index]
    {
      return false
    }
    return true
  }

  /// The venue's names for it, the latest at 0; `none` where there is none.
  func name(_ index: Int) -> VenueOrderID {
    index == 0 ? venueOrderID : olderVenueOrderIDs[index - 1]
  }

  /// Whether `key` is one of the venue's names for it that are remembered.
  func isNamed(_ key: VenueOrderKey) -> Bool {
    guard key.instrument == intent.instrument, key.account == intent.account else { return false }
    if key.order == venueOrderID { return true }
    for index in 0..<OrderRecord.olderNames where olderVenueOrderIDs[index] == key.order {
      return true
    }
    return false
  }

  public var view: OrderView {
    OrderView(
      clientOrderID: clientOrderID, instrument: intent.instrument, side: intent.side,
      price: lifecycle.price, quantity: lifecycle.quantity, cumulative: lifecycle.cumulative,
      state: lifecycle.state, tag: intent.tag)
  }
}

/// What works on one instrument of one account.
@frozen public struct WorkingOrders: Equatable, Sendable, BitwiseCopyable {
  /// Orders that are not terminal.
  public internal(set) var count = 0
  /// What they may still buy and sell.
  public internal(set) var buyLeaves = Quantity.zero
  public internal(set) var sellLeaves = Quantity.zero
  @inlinable public init() {}
}
