/// What a peer did that RFC 6455, or a stated limit, does not allow. The connection ends.
public enum WebSocketFault: Error, Equatable, Sendable {
  /// Extension bits were set though no extension was agreed; the bits as `0b0rrr`.
  case reservedBits(UInt8)
  case unknownOpcode(UInt8)
  /// A client must mask.
  case unmaskedFrame
  /// A server must not mask.
  case maskedFrame
  /// A length was written in more bytes than it needs.
  case nonMinimalLength(UInt64)
  /// The top bit of a 64-bit length was set.
  case impossibleLength(UInt64)
  case frameTooLarge(found: UInt64, limit: Int)
  case messageTooLarge(found: UInt64, limit: Int)
  /// Close, ping and pong must come whole.
  case fragmentedControl(opcode: UInt8)
  /// Close, ping and pong hold at most 125 bytes.
  case oversizedControl(opcode: UInt8)
  /// A continuation with nothing to continue.
  case unexpectedContinuation
  /// A new message began inside a fragmented one.
  case interleavedMessage
  case invalidUTF8
  /// A close frame with one byte, which is half a code.
  case truncatedCloseCode
  case invalidCloseCode(UInt16)

  /// The code to close with.
  public var closeCode: WebSocketCloseCode {
    switch self {
    case .frameTooLarge, .messageTooLarge: .messageTooBig
    case .invalidUTF8: .invalidPayload
    case .reservedBits, .unknownOpcode, .unmaskedFrame, .maskedFrame, .nonMinimalLength,
      .impossibleLength, .fragmentedControl, .oversizedControl, .unexpectedContinuation,
      .interleavedMessage, .truncatedCloseCode, .invalidCloseCode:
      .protocolError
    }
  }
}

extension WebSocketFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .reservedBits(let bits): "reserved bits \(bits) set, expected 0: no extension was agreed"
    case .unknownOpcode(let opcode): "opcode \(opcode), expected 0, 1, 2, 8, 9 or 10"
    case .unmaskedFrame: "frame of a client without a mask"
    case .maskedFrame: "frame of a server with a mask"
    case .nonMinimalLength(let length): "length \(length) written in more bytes than it needs"
    case .impossibleLength(let length): "length \(length), expected less than 2^63"
    case .frameTooLarge(let found, let limit): "frame of \(found) bytes, at most \(limit) allowed"
    case .messageTooLarge(let found, let limit):
      "message of \(found) bytes or more, at most \(limit) allowed"
    case .fragmentedControl(let opcode): "control frame \(opcode) in fragments"
    case .oversizedControl(let opcode): "control frame \(opcode) longer than 125 bytes"
    case .unexpectedContinuation: "continuation frame with no message begun"
    case .interleavedMessage: "new message inside a fragmented one"
    case .invalidUTF8: "text that is not UTF-8"
    case .truncatedCloseCode: "close frame with one byte of a two-byte code"
    case .invalidCloseCode(let code): "close code \(code), which must not be sent"
    }
  }
}

/// Why a WebSocket was closed, as the close frame says it.
///
/// - Source: RFC 6455, 7.4, and the IANA registry of close codes.
public struct WebSocketCloseCode: Hashable, Sendable, BitwiseCopyable {
  public let number: UInt16
  public init(_ number: UInt16) { self.number = number }

  public static var normal: Self { Self(1000) }
  public static var goingAway: Self { Self(1001) }
  public static var protocolError: Self { Self(1002) }
  public static var invalidPayload: Self { Self(1007) }
  public static var policyViolation: Self { Self(1008) }
  public static var messageTooBig: Self { Self(1009) }
  public static var internalError: Self { Self(1011) }
  public static var serviceRestart: Self { Self(1012) }
  public static var tryAgainLater: Self { Self(1013) }

  /// Whether a close frame may carry it. 1004, 1005, 1006 and 1015 are only for local reports.
  public var maySend: Bool {
    switch number {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
