/// Checks UTF-8 that arrives in pieces, cut anywhere, even inside a character.
///
/// Refuses overlong forms, surrogates and what lies beyond U+10FFFF, at the first byte that no valid
/// text could have there.
///
/// - Source: Unicode Standard, table 3-7 (well-formed UTF-8 byte sequences).
struct UTF8Validator {
  /// Continuation bytes still due of the character begun.
  private var due: UInt8 = 0
  /// Bounds of the next continuation byte: the first one of some characters is narrower.
  private var lowest: UInt8 = 0x80
  private var highest: UInt8 = 0xBF

  /// The top bit of each byte, which ASCII does not have.
  private static var beyondASCII: UInt64 { 0x8080_8080_8080_8080 }

  /// Whether the text so far ends at a character's end.
  var isWhole: Bool { due == 0 }

  /// - Returns: false when no continuation can make the text valid; reset before further use.
  mutating func accept(_ bytes: Span<UInt8>) -> Bool {
    let count = bytes.count
    var index = 0
    // Bytes have no invalid values, so viewing them raw is sound.
    let raw = unsafe bytes.bytes
    while index < count {
      if due == 0 {
        // Nearly all traffic is ASCII: 32 bytes at a time, then eight.
        while index &+ 32 <= count {
          // In range by the loops' conditions, and any bits make a `UInt64`.
          let words =
            unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            | raw.unsafeLoadUnaligned(fromByteOffset: index &+ 8, as: UInt64.self)
            | raw.unsafeLoadUnaligned(fromByteOffset: index &+ 16, as: UInt64.self)
            | raw.unsafeLoadUnaligned(fromByteOffset: index &+ 24, as: UInt64.self)
          if words & Self.beyondASCII != 0 { break }
          index &+= 32
        }
        while index &+ 8 <= count {
          // As above.
          let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
          if word & Self.beyondASCII != 0 { break }
          index &+= 8
        }
        if index == count { break }
        let byte = bytes[index]
        index &+= 1
        if byte < 0x80 { continue }
        guard begin(byte) else { return false }
      } else {
        let byte = bytes[index]
        index &+= 1
        guard byte >= lowest, byte <= highest else { return false }
        lowest = 0x80
        highest = 0xBF
        due &-= 1
      }
    }
    return true
  }

  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xC2...0xDF: due = 1
    case 0xE0:
      due = 2
      lowest = 0xA0
    case 0xED:
      due = 2
      highest = 0x9F
    case 0xE1...0xEF: due = 2
    case 0xF0:
      due = 3
      lowest = 0x90
    case 0xF1...0xF3: due = 3
    case 0xF4:
      due = 3
      highest = 0x8F
    default: return false
    }
    return true
  }
}
