public import MartletBase

/// A trading venue whose wire Martlet speaks.
@frozen public enum VenueID: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case whitebit = 1
  case binance = 2
  case bybit = 3
  case okx = 4
}

/// One account at one venue, numbered in configuration order from 0.
@frozen public struct AccountID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.index < rhs.index }
}

/// One strategy of this process, numbered in configuration order from 0.
@frozen public struct StrategyID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.index < rhs.index }
}

/// One instrument at one venue: its index in the journal's instrument table.
@frozen public struct InstrumentID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.index < rhs.index }
}

/// Our name for an order, kept through amendments; the key by which an order is reconciled.
///
/// - Bounds: 1 to 32 of `[A-Za-z0-9]`, valid on all four venues.
@frozen public struct ClientOrderID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let text: InlineText
  @inlinable public init(_ text: InlineText) { self.text = text }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.text < rhs.text }
  @inlinable public var isEmpty: Bool { text.isEmpty }
}

extension ClientOrderID: CustomStringConvertible {
  public var description: String { text.description }
}

/// The venue's name for an order: a number, or a UUID as 128 bits.
@frozen public struct VenueOrderID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let high: UInt64
  public let low: UInt64
  @inlinable public init(high: UInt64 = 0, low: UInt64) {
    self.high = high
    self.low = low
  }
  /// What an order has before its venue names it.
  @inlinable public static var none: VenueOrderID { VenueOrderID(low: 0) }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool {
    (lhs.high, lhs.low) < (rhs.high, rhs.low)
  }
}

/// The venue's name for one fill: a number, or a UUID as 128 bits.
@frozen public struct TradeID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let high: UInt64
  public let low: UInt64
  @inlinable public init(high: UInt64 = 0, low: UInt64) {
    self.high = high
    self.low = low
  }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool {
    (lhs.high, lhs.low) < (rhs.high, rhs.low)
  }
}

/// Ties what happened to the input that caused it: the journal sequence of that input.
@frozen public struct TraceID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let sequence: UInt64
  @inlinable public init(_ sequence: UInt64) { self.sequence = sequence }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.sequence < rhs.sequence }
}
