/// Chance that can be repeated: one seed gives one sequence, for ever.
///
/// The generator is xoshiro256**, seeded through SplitMix64, both as their authors publish them. The
/// draws below are its own, because the standard library may change how `random(in:using:)` uses a
/// generator, and a journal must replay under any compiler.
///
/// - Source: Blackman and Vigna, “Scrambled Linear Pseudorandom Number Generators”, 2021.
@frozen public struct SeededRandom: RandomNumberGenerator, Equatable, Sendable, BitwiseCopyable {
  @usableFromInline var state0: UInt64
  @usableFromInline var state1: UInt64
  @usableFromInline var state2: UInt64
  @usableFromInline var state3: UInt64

  public init(seed: UInt64) {
    var mixer = SplitMix64(state: seed)
    self.init(state: (mixer.next(), mixer.next(), mixer.next(), mixer.next()))
  }

  /// - Parameter state: not all zero, which the generator never leaves.
  init(state: (UInt64, UInt64, UInt64, UInt64)) {
    precondition(state != (0, 0, 0, 0), "a random state of zeros")
    (state0, state1, state2, state3) = state
  }

  @inlinable public mutating func next() -> UInt64 {
    let scrambled = SeededRandom.rotate(state1 &* 5, by: 7) &* 9
    let shifted = state1 &<< 17
    state2 ^= state0
    state3 ^= state1
    state1 ^= state2
    state0 ^= state3
    state2 ^= shifted
    state3 = SeededRandom.rotate(state3, by: 45)
    return scrambled
  }

  /// A whole number below `bound`, each as likely as the others.
  ///
  /// - Parameter bound: at least 1, or it traps.
  @inlinable public mutating func below(_ bound: UInt64) -> UInt64 {
    precondition(bound > 0, "a number below zero")
    // The high half of draw × bound; low halves that would favor some results are drawn again
    // (Lemire, “Fast Random Integer Generation in an Interval”, 2019).
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let unfair = (0 &- bound) % bound
      while product.low < unfair { product = next().multipliedFullWidth(by: bound) }
    }
    return product.high
  }

  /// A whole number of `range`, each as likely as the others.
  @inlinable public mutating func integer(in range: ClosedRange<Int64>) -> Int64 {
    let width = UInt64(bitPattern: range.upperBound &- range.lowerBound)
    let offset = width == .max ? next() : below(width &+ 1)
    return Int64(bitPattern: UInt64(bitPattern: range.lowerBound) &+ offset)
  }

  /// True in `count` of `total` draws.
  @inlinable public mutating func chance(_ count: UInt64, in total: UInt64) -> Bool {
    below(total) < count
  }

  /// A generator of its own for the part numbered `stream`: what one part draws does not change what
  /// another gets. This one moves on by one draw.
  public mutating func fork(_ stream: UInt64) -> SeededRandom {
    SeededRandom(seed: mixed(next() ^ mixed(stream &+ 1)))
  }

  @inlinable static func rotate(_ word: UInt64, by count: UInt64) -> UInt64 {
    word &<< count | word &>> (64 &- count)
  }
}

/// Turns one seed into many words that are not all zero.
struct SplitMix64 {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word &>> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word &>> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word &>> 31)
  }
}

extension SeededRandom: Snapshotting {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("SeededRandom")
    for word in [state0, state1, state2, state3] { snapshot.write(word) }
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("SeededRandom")
    let start = snapshot.offset
    let words = (
      try snapshot.read(UInt64.self), try snapshot.read(UInt64.self),
      try snapshot.read(UInt64.self), try snapshot.read(UInt64.self)
    )
    guard words != (0, 0, 0, 0) else { throw .impossible("random state of zeros", offset: start) }
    (state0, state1, state2, state3) = words
  }
}
