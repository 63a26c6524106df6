internal import MartletBase

/// Appends `bytes` in standard base64 with padding (RFC 4648, section 4).
func appendBase64(of bytes: Span<UInt8>, to buffer: inout ByteBuffer) {
  let count = bytes.count
  unsafe buffer.append(count: (count + 2) / 3 * 4) { text in
    var source = 0
    var target = 0
    // Four digits are written for every three bytes begun, and so many were asked for.
    while source + 3 <= count {
      let group =
        UInt32(bytes[source]) << 16 | UInt32(bytes[source + 1]) << 8 | UInt32(bytes[source + 2])
      unsafe text[target] = base64Digit(group >> 18)
      unsafe text[target + 1] = base64Digit(group >> 12 & 63)
      unsafe text[target + 2] = base64Digit(group >> 6 & 63)
      unsafe text[target + 3] = base64Digit(group & 63)
      source += 3
      target += 4
    }
    if source < count {
      let isPair = source + 1 < count
      let group = UInt32(bytes[source]) << 16 | (isPair ? UInt32(bytes[source + 1]) << 8 : 0)
      unsafe text[target] = base64Digit(group >> 18)
      unsafe text[target + 1] = base64Digit(group >> 12 & 63)
      unsafe text[target + 2] = isPair ? base64Digit(group >> 6 & 63) : 61
      unsafe text[target + 3] = 61
    }
  }
}

/// Appends two lowercase hexadecimal digits a byte.
func appendHexadecimal(_ bytes: Span<UInt8>, to buffer: inout ByteBuffer) {
  unsafe buffer.append(count: bytes.count * 2) { text in
    for index in 0..<bytes.count {
      // Two digits a byte were asked for.
      unsafe text[index * 2] = hexadecimalDigit(bytes[index] >> 4)
      unsafe text[index * 2 + 1] = hexadecimalDigit(bytes[index] & 15)
    }
  }
}

/// `A` … `Z`, `a` … `z`, `0` … `9`, `+`, `/` for 0 … 63, by arithmetic: no table to load, and no
/// time that depends on what is encoded.
@inline(__always) private func base64Digit(_ value: UInt32) -> UInt8 {
  var offset: Int32 = 65
  let digit = Int32(bitPattern: value)
  offset += (25 &- digit) >> 31 & 6
  offset -= (51 &- digit) >> 31 & 75
  offset -= (61 &- digit) >> 31 & 15
  offset += (62 &- digit) >> 31 & 3
  return UInt8(truncatingIfNeeded: digit &+ offset)
}

@inline(__always) private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? value + 48 : value + 87
}
