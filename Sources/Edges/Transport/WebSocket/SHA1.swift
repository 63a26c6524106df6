/// SHA-1, for the WebSocket handshake alone, where it proves only that the peer read our request.
///
/// - Source: FIPS 180-4, 6.1. Broken as a signature: nothing that needs security may use it.
enum SHA1 {
  static func digest(of message: [UInt8]) -> [UInt8] {
    var padded = message
    padded.append(0x80)
    while padded.count % 64 != 56 { padded.append(0) }
    let bits = UInt64(message.count) * 8
    for shift in stride(from: 56, through: 0, by: -8) {
      padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var schedule = [UInt32](repeating: 0, count: 80)
    for block in stride(from: 0, to: padded.count, by: 64) {
      for index in 0..<16 {
        var word: UInt32 = 0
        for byte in 0..<4 { word = word << 8 | UInt32(padded[block + index * 4 + byte]) }
        schedule[index] = word
      }
      for index in 16..<80 {
        let mixed =
          schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14] ^ schedule[index - 16]
        schedule[index] = rotate(mixed, by: 1)
      }
      compress(schedule, into: &state)
    }
    return state.flatMap { word in
      stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }
  }

  private static func compress(_ schedule: [UInt32], into state: inout [UInt32]) {
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for round in 0..<80 {
      let choice: UInt32
      let constant: UInt32
      switch round {
      case 0..<20:
        choice = (b & c) | (~b & d)
        constant = 0x5A82_7999
      case 20..<40:
        choice = b ^ c ^ d
        constant = 0x6ED9_EBA1
      case 40..<60:
        choice = (b & c) | (b & d) | (c & d)
        constant = 0x8F1B_BCDC
      default:
        choice = b ^ c ^ d
        constant = 0xCA62_C1D6
      }
      let next = rotate(a, by: 5) &+ choice &+ e &+ constant &+ schedule[round]
      (e, d, c, b, a) = (d, c, rotate(b, by: 30), a, next)
    }
    for (index, word) in [a, b, c, d, e].enumerated() { state[index] &+= word }
  }

  private static func rotate(_ word: UInt32, by bits: UInt32) -> UInt32 {
    word << bits | word >> (32 - bits)
  }
}

/// Base64 with padding, as the handshake's two headers carry it.
///
/// - Source: RFC 4648, section 4.
enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var bits: UInt32 = 0
      for index in 0..<3 {
        bits = bits << 8 | (index < group.count ? UInt32(group[start + index]) : 0)
      }
      for index in 0..<4 {
        let six = Int(bits >> UInt32(18 - 6 * index) & 63)
        text.append(index <= group.count ? alphabet[six] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Whether `text` is the one right way to write `count` bytes.
  static func isCanonical(_ text: String, ofBytes count: Int) -> Bool {
    let characters = Array(text.utf8)
    guard characters.count == (count + 2) / 3 * 4 else { return false }
    let padding = (3 - count % 3) % 3
    for (index, character) in characters.enumerated() {
      if index >= characters.count - padding {
        guard character == UInt8(ascii: "=") else { return false }
      } else {
        guard let value = alphabet.firstIndex(of: character) else { return false }
        // The bits past the last byte must be zero.
        if index == characters.count - padding - 1, padding > 0 {
          guard value & (padding == 2 ? 0b1111 : 0b11) == 0 else { return false }
        }
      }
    }
    return true
  }
}
