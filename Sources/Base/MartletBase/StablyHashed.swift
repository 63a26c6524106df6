/// A key that hashes the same in every process and every build, unlike `Hashable`.
public protocol StablyHashed: Equatable, BitwiseCopyable {
  /// Equal keys have equal hashes; unequal keys seldom have. `HashIndex` mixes the bits once more.
  var stableHash: UInt64 { get }
  /// Any value; it stands in places that are not used.
  static var filler: Self { get }
}

/// The stable hash of a key of 128 bits.
@inlinable public func stableHash(high: UInt64, low: UInt64) -> UInt64 {
  low ^ mixed(high)
}

/// Spreads every bit over all: the finalizer of MurmurHash3. One to one.
@inlinable func mixed(_ hash: UInt64) -> UInt64 {
  var bits = hash
  bits ^= bits &>> 33
  bits = bits &* 0xff51_afd7_ed55_8ccd
  bits ^= bits &>> 33
  bits = bits &* 0xc4ce_b9fe_1a85_ec53
  return bits ^ (bits &>> 33)
}

extension UInt64: StablyHashed {
  @inlinable public var stableHash: UInt64 { self }
  @inlinable public static var filler: UInt64 { 0 }
}

extension UInt128: StablyHashed {
  @inlinable public var stableHash: UInt64 {
    MartletBase.stableHash(
      high: UInt64(truncatingIfNeeded: self >> 64), low: UInt64(truncatingIfNeeded: self))
  }
  @inlinable public static var filler: UInt128 { 0 }
}

extension InlineText: StablyHashed {
  @inlinable public static var filler: InlineText { InlineText() }
}
