internal import MartletBase

/// Which end of a connection we are: clients mask what they send, servers do not.
@frozen public enum WebSocketRole: Sendable, BitwiseCopyable {
  case client
  case server
}

/// How much of a peer's data is held before it is refused.
public struct WebSocketLimits: Equatable, Sendable, BitwiseCopyable {
  /// - Unit: payload bytes.
  public var frame: Int
  /// - Unit: payload bytes, over all fragments.
  public var message: Int

  /// - Parameters: both at least 125, which control frames need.
  public init(frame: Int = 1_048_576, message: Int = 4_194_304) {
    precondition(frame >= 125 && message >= 125, "limits below a control frame's 125 bytes")
    self.frame = frame
    self.message = message
  }
}

/// What came in; its bytes are in the decoder's `payload` until the next change.
@frozen public enum WebSocketEvent: Equatable, Sendable, BitwiseCopyable {
  /// A whole text message; `payload` is valid UTF-8.
  case text
  case binary
  /// To be answered with a pong that carries `payload` back.
  case ping
  case pong
  /// The peer's last word; nil when it gave no code. `payload` is the reason, valid UTF-8.
  case close(WebSocketCloseCode?)
}

/// Turns received bytes, cut anywhere, into messages; the reading half of a WebSocket, either role.
///
/// A message that came in one frame is lent out where it lies in the receive buffer; fragments are
/// joined in a second buffer. Nothing is allocated once both have grown to what the peer sends, and
/// neither outgrows the limits by more than the caller hands in at once.
///
/// - Source: RFC 6455, sections 5 and 7, without extensions.
public struct WebSocketDecoder: ~Copyable {
  private enum Phase { case reading, ended }
  private enum Place { case nowhere, input(offset: Int, count: Int), assembly }

  public let role: WebSocketRole
  public let limits: WebSocketLimits
  private var input: ReceiveBuffer
  private var assembly = ByteBuffer(capacity: 16)
  /// The opcode of the fragmented message begun, 0 when there is none.
  private var begun: UInt8 = 0
  private var validator = UTF8Validator()
  private var place = Place.nowhere
  /// The last event's frame, which its payload kept in the buffer.
  private var spent = 0
  private var phase = Phase.reading

  public init(role: WebSocketRole, limits: WebSocketLimits = WebSocketLimits()) {
    self.role = role
    self.limits = limits
    input = ReceiveBuffer(capacity: 4096)
  }

  /// Whether nothing more will be read: a close frame came, or a fault.
  public var hasEnded: Bool { if case .ended = phase { true } else { false } }

  /// The bytes of the last event, borrowed until the next change.
  public var payload: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      switch place {
      case .nowhere: input.span(from: 0, count: 0)
      case .input(let offset, let count): input.span(from: offset, count: count)
      case .assembly: assembly.span
      }
    }
  }

  /// Lends the last event's bytes for a call, where the decoder stands in a class.
  func withPayload<Result>(_ body: (Span<UInt8>) -> Result) -> Result { body(payload) }

  /// Takes received bytes. Drain with `next` before taking more, or the buffer grows.
  public mutating func receive(_ bytes: Span<UInt8>) {
    release()
    input.append(bytes)
  }

  /// Lends room for a read straight from the socket; `body` returns how many bytes it wrote.
  mutating func fill(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    release()
    // The lent pointer is good for the call, which is all that `body` gets.
    return unsafe input.fill(room: room, body)
  }

  /// The next event, or nil when more bytes are needed or the connection has ended.
  ///
  /// - Throws: what the peer did wrong; from then on there are no events.
  public mutating func next() throws(WebSocketFault) -> WebSocketEvent? {
    release()
    do {
      while case .reading = phase {
        guard let frame = try header() else { return nil }
        if let event = try take(frame) { return event }
      }
      return nil
    } catch {
      phase = .ended
      place = .nowhere
      spent = 0
      throw error
    }
  }

  // MARK: Frames

  private struct Frame {
    let isFinal: Bool
    let opcode: UInt8
    let headerCount: Int
    let payloadCount: Int
  }

  /// Gives back what the last event's payload held.
  private mutating func release() {
    if case .assembly = place { assembly.removeAll() }
    place = .nowhere
    if spent > 0 {
      input.consume(spent)
      spent = 0
    }
  }

  /// Reads the header of the frame at the front, refusing as early as it can.
  ///
  /// - Returns: nil until the whole frame is here.
  private mutating func header() throws(WebSocketFault) -> Frame? {
    let available = input.count
    guard available >= 2 else { return nil }
    let first = input[0]
    let second = input[1]
    let opcode = first & 0x0F
    let isFinal = first & 0x80 != 0
    guard first & 0x70 == 0 else { throw .reservedBits((first & 0x70) >> 4) }
    switch opcode {
    case 0: guard begun != 0 else { throw .unexpectedContinuation }
    case 1, 2: guard begun == 0 else { throw .interleavedMessage }
    case 8, 9, 10:
      guard isFinal else { throw .fragmentedControl(opcode: opcode) }
      guard second & 0x7F <= 125 else { throw .oversizedControl(opcode: opcode) }
    default: throw .unknownOpcode(opcode)
    }
    let isMasked = second & 0x80 != 0
    switch role {
    case .server: guard isMasked else { throw .unmaskedFrame }
    case .client: guard !isMasked else { throw .maskedFrame }
    }
    var length = UInt64(second & 0x7F)
    var offset = 2
    if length == 126 {
      guard available >= 4 else { return nil }
      length = bigEndian(from: 2, count: 2)
      guard length > 125 else { throw .nonMinimalLength(length) }
      offset = 4
    } else if length == 127 {
      guard available >= 10 else { return nil }
      length = bigEndian(from: 2, count: 8)
      guard length >> 63 == 0 else { throw .impossibleLength(length) }
      guard length > 0xFFFF else { throw .nonMinimalLength(length) }
      offset = 10
    }
    guard length <= UInt64(limits.frame) else {
      throw .frameTooLarge(found: length, limit: limits.frame)
    }
    if opcode < 8 {
      let total = length + UInt64(assembly.count)
      guard total <= UInt64(limits.message) else {
        throw .messageTooLarge(found: total, limit: limits.message)
      }
    }
    if isMasked { offset += 4 }
    guard available - offset >= Int(length) else { return nil }
    return Frame(
      isFinal: isFinal, opcode: opcode, headerCount: offset, payloadCount: Int(length))
  }

  private func bigEndian(from offset: Int, count: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in offset..<offset + count { value = value << 8 | UInt64(input[index]) }
    return value
  }

  /// Takes a whole frame from the front.
  ///
  /// - Returns: nil when it was a fragment and its message goes on.
  private mutating func take(_ frame: Frame) throws(WebSocketFault) -> WebSocketEvent? {
    let offset = frame.headerCount
    let count = frame.payloadCount
    if case .server = role, count > 0 {
      let key = UInt32(truncatingIfNeeded: bigEndian(from: offset - 4, count: 4)).byteSwapped
      input.unmask(from: offset, count: count, key: key)
    }
    spent = offset + count
    switch frame.opcode {
    case 8: return try close(from: offset, count: count)
    case 9, 10:
      place = .input(offset: offset, count: count)
      return frame.opcode == 9 ? .ping : .pong
    default: break
    }
    let kind = frame.opcode == 0 ? begun : frame.opcode
    if kind == 1 {
      if frame.opcode == 1 { validator = UTF8Validator() }
      guard input.check(from: offset, count: count, with: &validator),
        !frame.isFinal || validator.isWhole
      else { throw .invalidUTF8 }
    }
    if frame.isFinal && frame.opcode != 0 {
      place = .input(offset: offset, count: count)
      return kind == 1 ? .text : .binary
    }
    input.copy(from: offset, count: count, to: &assembly)
    if frame.isFinal {
      begun = 0
      place = .assembly
      return kind == 1 ? .text : .binary
    }
    begun = kind
    release()
    return nil
  }

  private mutating func close(from offset: Int, count: Int) throws(WebSocketFault)
    -> WebSocketEvent
  {
    guard count != 1 else { throw .truncatedCloseCode }
    phase = .ended
    guard count > 0 else { return .close(nil) }
    let code = WebSocketCloseCode(UInt16(bigEndian(from: offset, count: 2)))
    guard code.maySend else { throw .invalidCloseCode(code.number) }
    var reason = UTF8Validator()
    guard input.check(from: offset + 2, count: count - 2, with: &reason), reason.isWhole else {
      throw .invalidUTF8
    }
    place = .input(offset: offset + 2, count: count - 2)
    return .close(code)
  }
}
