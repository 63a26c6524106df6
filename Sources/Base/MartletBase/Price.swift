/// A price as a whole number of one instrument's price quanta.
///
/// - Unit: quanta; one quantum is the instrument's `priceQuantum`, in quote units per base unit.
/// - Bounds: any `Int64`. The instrument's rules know which prices its venue accepts now.
@frozen public struct Price: Hashable, Strideable, Sendable, BitwiseCopyable {
  public let quanta: Int64
  @inlinable public init(quanta: Int64) { self.quanta = quanta }
  @inlinable public func distance(to other: Price) -> Int64 { other.quanta - quanta }
  @inlinable public func advanced(by offset: Int64) -> Price { Price(quanta: quanta + offset) }
  @inlinable public static func < (lhs: Price, rhs: Price) -> Bool { lhs.quanta < rhs.quanta }
  // Left out, `Strideable` would compare by distance, which overflows between far prices.
  @inlinable public static func == (lhs: Price, rhs: Price) -> Bool { lhs.quanta == rhs.quanta }
}
