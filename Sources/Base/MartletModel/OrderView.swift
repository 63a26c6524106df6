public import MartletBase

/// Where one of our orders stands.
@frozen public enum OrderState: UInt8, Sendable, BitwiseCopyable {
  /// Sent or about to be; the venue has not answered.
  case pendingNew = 0
  case open = 1
  case pendingAmend = 2
  case pendingCancel = 3
  /// The venue may or may not have it; it is being asked.
  case inDoubt = 4
  case filled = 5
  case canceled = 6
  case rejected = 7
  @inlinable public var isTerminal: Bool { rawValue >= OrderState.filled.rawValue }
}

/// One of our orders, read-only.
@frozen public struct OrderView: Equatable, Sendable, BitwiseCopyable {
  public var clientOrderID: ClientOrderID
  public var instrument: InstrumentID
  public var side: Side
  public var price: Price
  public var quantity: Quantity
  /// Filled so far.
  public var cumulative: Quantity
  public var state: OrderState
  /// The strategy's own mark from the intent.
  public var tag: Int64
  /// What is still to fill while the order works.
  @inlinable public var leaves: Quantity { quantity - cumulative }
  @inlinable public init(
    clientOrderID: ClientOrderID, instrument: InstrumentID, side: Side, price: Price,
    quantity: Quantity, cumulative: Quantity, state: OrderState, tag: Int64
  ) {
    self.clientOrderID = clientOrderID
    self.instrument = instrument
    self.side = side
    self.price = price
    self.quantity = quantity
    self.cumulative = cumulative
    self.state = state
    self.tag = tag
  }
}
