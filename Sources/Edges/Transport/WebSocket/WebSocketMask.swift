/// The exclusive-or with a repeated four-byte key that hides a client's payload from middleboxes.
///
/// - Source: RFC 6455, 5.3.
enum WebSocketMask {
  /// Masks or, which is the same, unmasks `bytes`, eight at a time.
  ///
  /// - Parameter key: the four key bytes as they lie in memory.
  static func apply(_ key: UInt32, to bytes: UnsafeMutableRawBufferPointer) {
    if key == 0 { return }
    let wide = UInt64(key) | UInt64(key) << 32
    let count = bytes.count
    var offset = 0
    // Every access below lies within `count`; a buffer with bytes has an address.
    guard let start = bytes.baseAddress else { return }
    while offset &+ 32 <= count {
      var step = 0
      while step < 32 {
        let place = unsafe start + offset + step
        let word = unsafe place.loadUnaligned(as: UInt64.self)
        unsafe place.storeBytes(of: word ^ wide, as: UInt64.self)
        step &+= 8
      }
      offset &+= 32
    }
    while offset &+ 8 <= count {
      let word = unsafe (start + offset).loadUnaligned(as: UInt64.self)
      unsafe (start + offset).storeBytes(of: word ^ wide, as: UInt64.self)
      offset &+= 8
    }
    while offset < count {
      // Lowest byte first, which is memory order on every machine that Swift runs on Linux.
      let keyByte = UInt8(truncatingIfNeeded: key >> (UInt32(offset & 3) &* 8))
      unsafe bytes[offset] ^= keyByte
      offset &+= 1
    }
  }
}
