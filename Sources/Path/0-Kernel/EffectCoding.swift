public import MartletBase
public import MartletVenueKit

/// Effects as journal payloads, version 1: what leaves, before it is signed and without a secret.
public enum EffectCoding {
  /// Appends `effect` with the bytes it points into.
  public static func write(
    _ effect: VenueEffect, bytes buffer: borrowing ByteBuffer, into payload: inout ByteBuffer
  ) {
    let bytes = buffer.span
    switch effect {
    case .request(let request):
      payload.append(1)
      payload.append(word: request.id.number)
      payload.append(request.requestClass.rawValue)
      switch request.signing {
      case .none:
        payload.append(0)
        payload.append(word: UInt32(0))
      case .whitebit(let nonceOffset):
        payload.append(1)
        payload.append(word: nonceOffset)
      }
      payload.append(word: request.timeout.nanoseconds)
      payload.append(request.isReplySecret ? 1 : 0)
      payload.append(word: request.target.count)
      payload.append(bytes.extracting(request.target.indices))
      payload.append(word: request.body.count)
      payload.append(bytes.extracting(request.body.indices))
    case .openStream(let stream):
      payload.append(2)
      payload.append(stream.index)
    case .closeStream(let stream):
      payload.append(3)
      payload.append(stream.index)
    case .sendFrame(let stream, let range, let hasSecret):
      payload.append(4)
      payload.append(stream.index)
      payload.append(hasSecret ? 1 : 0)
      payload.append(word: range.count)
      payload.append(bytes.extracting(range.indices))
    }
  }

  /// One line for a person: what this effect payload says.
  public static func describe(_ payload: Span<UInt8>) -> String {
    var cursor = ByteCursor()
    switch cursor.word(UInt8.self, in: payload) {
    case 1:
      guard let number = cursor.word(UInt64.self, in: payload) else { return "damaged request" }
      cursor.position += 1 + 1 + 4 + 8 + 1
      guard let target = cursor.counted(in: payload), let body = cursor.counted(in: payload) else {
        return "damaged request"
      }
      let verb = body.isEmpty ? "GET" : "POST"
      let tail = body.isEmpty ? "" : " " + String(payload.extracting(body))
      return "request \(number) \(verb) \(String(payload.extracting(target)))\(tail)"
    case 2: return "open stream \(cursor.word(UInt8.self, in: payload) ?? 0)"
    case 3: return "close stream \(cursor.word(UInt8.self, in: payload) ?? 0)"
    case 4:
      let stream = cursor.word(UInt8.self, in: payload) ?? 0
      cursor.position += 1
      guard let text = cursor.counted(in: payload) else { return "damaged frame" }
      return "send \(stream) \(String(payload.extracting(text)))"
    default: return "damaged effect"
    }
  }
}

extension ByteRange {
  /// The same range as positions in the buffer beside the effects.
  public var indices: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

extension ByteCursor {
  /// A 32-bit count and the range of that many bytes after it.
  mutating func counted(in bytes: Span<UInt8>) -> Range<Int>? {
    guard let length = word(UInt32.self, in: bytes), bytes.count - position >= Int(length) else {
      return nil
    }
    defer { position += Int(length) }
    return position..<position + Int(length)
  }
}
