/// A quantity as a whole number of one instrument's quantity quanta.
///
/// - Unit: quanta; one quantum is the instrument's `quantityQuantum`, in base units.
/// - Bounds: any `Int64`; an order's quantity is positive, a position's is signed.
@frozen public struct Quantity: Hashable, Comparable, AdditiveArithmetic, Sendable, BitwiseCopyable
{
  public var quanta: Int64
  @inlinable public init(quanta: Int64) { self.quanta = quanta }
  @inlinable public static var zero: Quantity { Quantity(quanta: 0) }
  @inlinable public static func < (lhs: Quantity, rhs: Quantity) -> Bool {
    lhs.quanta < rhs.quanta
  }
  // Overflow traps: wrong money is worse than none.
  @inlinable public static func + (lhs: Quantity, rhs: Quantity) -> Quantity {
    Quantity(quanta: lhs.quanta + rhs.quanta)
  }
  @inlinable public static func - (lhs: Quantity, rhs: Quantity) -> Quantity {
    Quantity(quanta: lhs.quanta - rhs.quanta)
  }
  @inlinable public static prefix func - (value: Quantity) -> Quantity {
    Quantity(quanta: -value.quanta)
  }
}
