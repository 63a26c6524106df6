internal import MartletBase
internal import MartletModel
internal import MartletVenueKit

/// Words folded to one, each mixed through all 64 bits.
///
/// - Source: the finalizer of SplitMix64 (Steele, Lea, Flood), as `SeededRandom` has it.
public struct WordDigest: Equatable, Sendable, CustomStringConvertible {
  public private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15
  public init() {}

  mutating func fold(_ word: UInt64) {
    var mixed = value ^ word
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    value = (mixed ^ (mixed >> 31)) &+ 0x9e37_79b9_7f4a_7c15
  }

  mutating func fold(_ amount: Amount) {
    fold(UInt64(truncatingIfNeeded: amount.units))
    fold(UInt64(truncatingIfNeeded: amount.units >> 64))
  }

  mutating func fold(_ time: Timestamp) { fold(UInt64(bitPattern: time.nanoseconds)) }

  /// Sixteen hexadecimal digits.
  public var description: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// What was decided, in order: every placement and cancel that Risk let through, in decimal values and
/// without the orders' names, so that runs can be compared which count on different grids and inputs.
public struct DecisionDigest: Equatable, Sendable {
  public private(set) var digest = WordDigest()
  public private(set) var count: UInt64 = 0

  mutating func fold(_ command: DirectCommand, _ scale: InstrumentScale) {
    switch command {
    case .place(let intent, _):
      digest.fold(1)
      digest.fold(
        UInt64(intent.instrument.index) << 16 | UInt64(intent.side.rawValue) << 8
          | UInt64(intent.timeInForce.rawValue) << 1 | (intent.isPostOnly ? 1 : 0))
      digest.fold(scale.amount(of: intent.price))
      digest.fold(scale.amount(of: intent.quantity))
    case .cancel(_, let instrument):
      digest.fold(2)
      digest.fold(UInt64(instrument.index))
    // Asks, and changes nothing.
    case .query: return
    }
    count += 1
  }
}
