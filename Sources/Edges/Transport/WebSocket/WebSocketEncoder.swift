public import MartletBase

/// What a frame is.
@frozen public enum WebSocketOpcode: UInt8, Sendable, BitwiseCopyable {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10
}

/// Writes frames into a caller's buffer; the writing half of a WebSocket, either role.
///
/// It keeps one fact, that our close frame has left, because nothing may follow that frame.
///
/// - Source: RFC 6455, sections 5 and 7. Messages leave in one frame.
public struct WebSocketEncoder: Sendable, BitwiseCopyable {
  public let role: WebSocketRole
  public private(set) var hasClosed = false

  public init(role: WebSocketRole) { self.role = role }

  /// Appends a whole message.
  ///
  /// - Parameters:
  ///   - payload: for `.text`, UTF-8; that is not checked here.
  ///   - mask: four bytes that the peer cannot foresee, from the edge's random block; a server has
  ///     no use for them.
  /// - Returns: false, and nothing is written, when our close frame has left.
  public func message(
    _ opcode: WebSocketOpcode, _ payload: Span<UInt8>, mask: UInt32, into output: inout ByteBuffer
  ) -> Bool {
    precondition(opcode == .text || opcode == .binary, "\(opcode) is no message")
    guard !hasClosed else { return false }
    frame(opcode, payload, mask: mask, into: &output)
    return true
  }

  /// Appends a ping or the pong that answers one.
  ///
  /// - Parameter payload: at most 125 bytes.
  /// - Returns: false, and nothing is written, when our close frame has left.
  public func control(
    _ opcode: WebSocketOpcode, _ payload: Span<UInt8>, mask: UInt32, into output: inout ByteBuffer
  ) -> Bool {
    precondition(opcode == .ping || opcode == .pong, "\(opcode) is no ping or pong")
    precondition(payload.count <= 125, "control frame of \(payload.count) bytes")
    guard !hasClosed else { return false }
    frame(opcode, payload, mask: mask, into: &output)
    return true
  }

  /// Appends our close frame, the first time.
  ///
  /// - Parameters:
  ///   - code: one that may be sent; nil leaves a frame without code and reason.
  ///   - reason: UTF-8, cut to what fits into 123 bytes.
  public mutating func close(
    _ code: WebSocketCloseCode?, reason: String = "", mask: UInt32, into output: inout ByteBuffer
  ) -> Bool {
    guard !hasClosed else { return false }
    hasClosed = true
    var body = ByteBuffer(capacity: 128)
    if let code {
      precondition(code.maySend, "close code \(code.number) must not be sent")
      body.append(UInt8(code.number >> 8))
      body.append(UInt8(code.number & 0xFF))
      for character in reason.unicodeScalars {
        guard body.count + UTF8.width(character) <= 125 else { break }
        for byte in String(character).utf8 { body.append(byte) }
      }
    }
    frame(.close, body.span, mask: mask, into: &output)
    return true
  }

  private func frame(
    _ opcode: WebSocketOpcode, _ payload: Span<UInt8>, mask: UInt32, into output: inout ByteBuffer
  ) {
    switch role {
    case .client: Self.frame(opcode, payload, mask: mask, into: &output)
    case .server: Self.frame(opcode, payload, mask: nil, into: &output)
    }
  }

  /// Appends one frame, as it is told: no rule but the shape of a frame is kept here.
  public static func frame(
    _ opcode: WebSocketOpcode, isFinal: Bool = true, _ payload: Span<UInt8>, mask: UInt32?,
    into output: inout ByteBuffer
  ) {
    let count = payload.count
    output.reserve(14 + count)
    output.append((isFinal ? 0x80 : 0) | opcode.rawValue)
    let maskBit: UInt8 = mask == nil ? 0 : 0x80
    if count <= 125 {
      output.append(maskBit | UInt8(count))
    } else if count <= 0xFFFF {
      output.append(maskBit | 126)
      output.append(UInt8(count >> 8))
      output.append(UInt8(count & 0xFF))
    } else {
      output.append(maskBit | 127)
      for shift in stride(from: 56, through: 0, by: -8) {
        output.append(UInt8(truncatingIfNeeded: count >> shift))
      }
    }
    guard let mask else {
      output.append(payload)
      return
    }
    for shift in stride(from: 0, through: 24, by: 8) {
      output.append(UInt8(truncatingIfNeeded: mask >> UInt32(shift)))
    }
    unsafe output.append(count: count) { target in
      unsafe payload.withUnsafeBytes { source in
        // Both are `count` bytes long, and the buffer is not the payload: it grows, that is lent.
        unsafe target.copyMemory(from: source)
      }
      unsafe WebSocketMask.apply(mask, to: target)
    }
  }
}
