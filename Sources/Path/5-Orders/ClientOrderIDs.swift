public import MartletBase
public import MartletModel

/// Makes the names of our orders: a prefix that says whose they are, and 26 characters that never
/// come twice.
///
/// The 26 characters spell, in base 32, a bijective mix of 128 bits: the millisecond (44 bits), the
/// symbol's hash (32 bits) and a counter (52 bits). Two ids differ because what is mixed differs: in
/// one life the counter does, and between two lives that share no snapshot the millisecond does.
/// The same inputs give the same ids, so a replay names its orders as the first run did.
///
/// - Bounds: 32 of `[0-9A-Za-z]`, valid on all four venues; 4.5 × 10¹⁵ ids, until the year 2527.
public struct ClientOrderIDs: Equatable, Sendable {
  /// "mt" and the bot's tag.
  public let prefix: InlineText
  /// Ids made so far.
  public internal(set) var made: UInt64 = 0

  /// - Parameter tag: four of `[0-9A-Za-z]`, the bot's own; anything else traps. Two bots of one
  ///   account need two tags.
  public init(tag: InlineText) {
    precondition(ClientOrderIDs.isValid(tag: tag), "bot tag “\(tag)” is not 4 of [0-9A-Za-z]")
    var bytes = InlineArray<6, UInt8>(repeating: 0)
    bytes[0] = 109  // "m"
    bytes[1] = 116  // "t"
    for index in 0..<4 { bytes[index + 2] = tag[index] }
    prefix = InlineText(bytes.span) ?? InlineText()
  }

  /// Whether `tag` is four of `[0-9A-Za-z]`.
  public static func isValid(tag: InlineText) -> Bool {
    guard tag.count == 4 else { return false }
    for index in 0..<4 {
      switch tag[index] {
      case 48...57, 65...90, 97...122: continue
      default: return false
      }
    }
    return true
  }

  /// Whether `id` was made by a bot with this tag.
  public func isOwn(_ id: ClientOrderID) -> Bool { id.text.hasPrefix(prefix) }

  /// The next id.
  public mutating func next(at now: Timestamp, symbol: InlineText) -> ClientOrderID {
    precondition(made < 1 << 52, "client order ids are used up")
    defer { made += 1 }
    let hash = symbol.stableHash
    let input =
      UInt128(UInt64(bitPattern: now.milliseconds) & (1 << 44 - 1)) << 84
      | UInt128((hash ^ (hash >> 32)) & 0xffff_ffff) << 52 | UInt128(made)
    var rest = ClientOrderIDs.mix(input)
    var bytes = InlineArray<32, UInt8>(repeating: 0)
    for index in 0..<6 { bytes[index] = prefix[index] }
    var index = 32
    while index > 6 {
      index &-= 1
      let digit = UInt8(truncatingIfNeeded: rest & 31)
      bytes[index] = digit < 10 ? 48 &+ digit : 55 &+ digit
      rest >>= 5
    }
    guard let text = InlineText(bytes.span) else {
      preconditionFailure("32 bytes without a zero are inline text")
    }
    return ClientOrderID(text)
  }

  /// A bijection of 128 bits that changes about half of them when one changes: each step (multiply
  /// by an odd number; exclusive or with itself shifted) can be undone.
  package static func mix(_ input: UInt128) -> UInt128 {
    var value = input &* 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835
    value ^= value >> 67
    value = value &* 0xd6e8_feb8_6659_fd93_a5a3_5641_2f5e_9d1b
    value ^= value >> 59
    value = value &* 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835
    return value ^ (value >> 64)
  }
}
