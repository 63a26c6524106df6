public import MartletBase

/// One row of a recorded market: a book level or a trade, 32 bytes flat, in the order of arrival.
///
/// Rows that arrived in one message form a frame; a book is whole again only at a frame's end.
@frozen public struct MarketRow: Equatable, Sendable, BitwiseCopyable {
  @frozen public enum Kind: UInt8, Sendable, BitwiseCopyable {
    /// A level of a whole book; the first row of its frame empties the book.
    case snapshot = 0
    /// A level as it is now; zero removes it.
    case level = 1
    case trade = 2
  }

  /// When it arrived, by the recorder's clock; never steps back.
  public var receivedAt: Timestamp
  public var price: Price
  public var quantity: Quantity
  /// Index of its frame in the recording.
  public var frame: UInt32
  public var kind: Kind
  /// `buy` for a bid level; of a trade, the side that took.
  public var side: Side
  /// Whether this is the last row of its frame.
  public var endsFrame: Bool

  @inlinable public init(
    receivedAt: Timestamp, price: Price, quantity: Quantity, frame: UInt32, kind: Kind, side: Side,
    endsFrame: Bool
  ) {
    self.receivedAt = receivedAt
    self.price = price
    self.quantity = quantity
    self.frame = frame
    self.kind = kind
    self.side = side
    self.endsFrame = endsFrame
  }
}
