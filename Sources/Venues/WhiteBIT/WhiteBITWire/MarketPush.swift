internal import MartletBase

/// Tells the venue's public pushes by how they begin, without reading them.
///
/// One stream carries them with everything else, so a journal that keeps the two apart looks at the bytes.
/// Known are the three ways in which the venue begins a push: `{"method":…`, `{"id":null,"method":…`
/// and the first with spaces. Whatever begins otherwise is not called market data.
///
/// - Source: frames in Fixtures/WhiteBIT; WhiteBIT docs, WebSocket, market streams.
public enum MarketPush {
  /// Whether `frame` is a push of depth, trades, last price, market, book ticker or candles, whose
  /// params follow its method at once.
  public static func isFound(in frame: Span<UInt8>) -> Bool {
    guard frame.count >= shortest else { return false }
    let start: Int
    // `{"method` or `{"id":nu`
    switch word(frame, 0) {
    case 0x646f_6874_656d_227b:
      guard frame[8] == 0x22, frame[9] == 0x3a else { return false }
      start = frame[10] == 0x20 ? 11 : 10
    case 0x756e_3a22_6469_227b:
      // `ll,"meth`, and the rest of the word
      guard word(frame, 8) == 0x6874_656d_222c_6c6c, frame[16] == 0x6f, frame[17] == 0x64,
        frame[18] == 0x22, frame[19] == 0x3a
      else { return false }
      start = 20
    default: return false
    }
    guard frame[start] == 0x22 else { return false }
    let end: Int
    // The first eight letters of a method, and then the others: at most 16 more are looked at.
    switch word(frame, start + 1) {
    case 0x7075_5f68_7470_6564: end = follow("date\"", frame, start + 9)  // depth_up
    case 0x755f_7365_6461_7274: end = follow("pdate\"", frame, start + 9)  // trades_u
    case 0x6369_7270_7473_616c: end = follow("e_update\"", frame, start + 9)  // lastpric
    case 0x755f_7465_6b72_616d: end = follow("pdate\"", frame, start + 9)  // market_u
    case 0x6b63_6954_6b6f_6f62: end = follow("er_update\"", frame, start + 9)  // bookTick
    case 0x5f73_656c_646e_6163: end = follow("update\"", frame, start + 9)  // candles_
    default: return false
    }
    guard end > 0, frame[end] == 0x2c else { return false }
    let key = frame[end + 1] == 0x20 ? end + 2 : end + 1
    // `"params"`: what came between could have named another method.
    return word(frame, key) == 0x2273_6d61_7261_7022
  }

  /// Nothing above looks further than this.
  private static let shortest = 64

  /// Eight bytes, the first of them lowest.
  private static func word(_ frame: Span<UInt8>, _ offset: Int) -> UInt64 {
    // In bounds: every offset here is below `shortest` by more than eight, and the frame is as long.
    UInt64(
      littleEndian: unsafe frame.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// Where `rest` ends when it stands at `offset`, else 0.
  private static func follow(_ rest: StaticString, _ frame: Span<UInt8>, _ offset: Int) -> Int {
    let count = rest.utf8CodeUnitCount
    // The text is static and as long as it says.
    let isSame = rest.withUTF8Buffer { text in
      for index in 0..<count where unsafe text[index] != frame[offset + index] { return false }
      return true
    }
    return isSame ? offset + count : 0
  }
}
