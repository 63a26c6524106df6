public import MartletBase
public import MartletJSON
public import MartletVenueKit

/// Writes fields into an object that has begun.
public typealias FieldWriter = (inout JSONWriter, inout ByteBuffer) -> Void

/// A signed request's body while it is written.
///
/// Every private call carries `request` (its path), `nonce` and `nonceWindow` beside its own fields,
/// and the exact bytes are signed: base64 of the body in `X-TXC-PAYLOAD`, and in `X-TXC-SIGNATURE`
/// the lowercase hex of HMAC-SHA512 over that base64 text. The nonce is thirteen digits of
/// milliseconds, sent as an integer as the venue's current text has it; the edge writes it in.
/// `nonceWindow` lets calls arrive out of order, and makes a late one die five seconds after its
/// nonce.
///
/// - Source: WhiteBIT docs, authentication.
public struct SignedBody: ~Copyable {
  public private(set) var writer = JSONWriter()
  /// Offset of the nonce from the body's first byte.
  private let nonceOffset: Int
  private let start: Int

  /// Begins a body behind what `buffer` holds.
  public init(_ endpoint: Endpoint, into buffer: inout ByteBuffer) {
    start = buffer.count
    writer.beginObject(into: &buffer)
    writer.key("request", into: &buffer)
    writer.string(endpoint.path, into: &buffer)
    writer.key("nonce", into: &buffer)
    nonceOffset = buffer.count - start
    // Thirteen digits that the edge overwrites; a number of JSON until then.
    writer.integer(1_000_000_000_000, into: &buffer)
    writer.key("nonceWindow", into: &buffer)
    writer.bool(true, into: &buffer)
  }

  /// Writes into the object that is being built.
  public mutating func fields(
    into buffer: inout ByteBuffer, _ body: FieldWriter
  ) {
    body(&writer, &buffer)
  }

  /// Ends the body.
  ///
  /// - Returns: where it stands in `buffer`, and how it is to be signed.
  public consuming func end(
    into buffer: inout ByteBuffer
  ) -> (body: ByteRange, signing: SigningPlan) {
    writer.endObject(into: &buffer)
    return (
      ByteRange(start: start, count: buffer.count - start),
      .whitebit(nonceOffset: UInt32(nonceOffset))
    )
  }
}

/// The signature's text forms, for the desk that checks them and for tests.
public enum Signing {
  /// Standard base64 of `bytes`, padded, without line breaks.
  public static func writeBase64(_ bytes: Span<UInt8>, into buffer: inout ByteBuffer) {
    var index = 0
    while index < bytes.count {
      let left = bytes.count - index
      let first = bytes[index]
      let second = left > 1 ? bytes[index + 1] : 0
      let third = left > 2 ? bytes[index + 2] : 0
      buffer.append(base64Digit(first >> 2))
      buffer.append(base64Digit((first & 3) << 4 | second >> 4))
      buffer.append(left > 1 ? base64Digit((second & 15) << 2 | third >> 6) : 0x3d)
      buffer.append(left > 2 ? base64Digit(third & 63) : 0x3d)
      index += 3
    }
  }

  private static func base64Digit(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: 0x41 + value
    case 26..<52: 0x61 + value - 26
    case 52..<62: 0x30 + value - 52
    case 62: 0x2b
    default: 0x2f
    }
  }

  /// Lowercase hex of `bytes`.
  public static func writeHex(_ bytes: Span<UInt8>, into buffer: inout ByteBuffer) {
    for index in 0..<bytes.count {
      for nibble in [bytes[index] >> 4, bytes[index] & 15] {
        buffer.append(nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10)
      }
    }
  }
}
