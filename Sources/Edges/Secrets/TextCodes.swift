internal import MartletBase

/// Appends `bytes` in standard base64 with padding (RFC 4648, section 4).
func appendBase64(of bytes: Span<UInt8>, to buffer: inout ByteBuffer) {
  let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  let count = bytes.count
  unsafe buffer.append(count: (count + 2) / 3 * 4) { text in
    // Six bits are an index below 64, and a static string of as many bytes lives for ever. Four
    // digits are written for every three bytes begun, and so many were asked for.
    let digits = unsafe alphabet.utf8Start
    var source = 0
    var target = 0
    // Six bytes at a time while eight can be read.
    while source + 8 <= count {
      var group: UInt64 = 0
      for index in 0..<8 { group = group << 8 | UInt64(bytes[source &+ index]) }
      var word: UInt64 = 0
      for index in 0..<8 {
        let digit = unsafe digits[Int(group >> UInt64(58 &- index &* 6) & 63)]
        word |= UInt64(digit) << UInt64(index &* 8)
      }
      unsafe text.storeBytes(of: word.littleEndian, toByteOffset: target, as: UInt64.self)
      source += 6
      target += 8
    }
    while source + 3 <= count {
      let group =
        UInt32(bytes[source]) << 16 | UInt32(bytes[source + 1]) << 8 | UInt32(bytes[source + 2])
      let word =
        unsafe UInt32(digits[Int(group >> 18)])
        | UInt32(digits[Int(group >> 12 & 63)]) << 8
        | UInt32(digits[Int(group >> 6 & 63)]) << 16 | UInt32(digits[Int(group & 63)]) << 24
      unsafe text.storeBytes(of: word.littleEndian, toByteOffset: target, as: UInt32.self)
      source += 3
      target += 4
    }
    if source < count {
      let isPair = source + 1 < count
      let group = UInt32(bytes[source]) << 16 | (isPair ? UInt32(bytes[source + 1]) << 8 : 0)
      unsafe text[target] = digits[Int(group >> 18)]
      unsafe text[target + 1] = digits[Int(group >> 12 & 63)]
      unsafe text[target + 2] = isPair ? digits[Int(group >> 6 & 63)] : 61
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

@inline(__always) private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? value + 48 : value + 87
}
