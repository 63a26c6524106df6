public import MartletBase

/// Swaps a secret that comes over the wire for a handle such as `@secret:1` before anything is
/// journaled, and back in the frame that goes out.
///
/// - Bounds: the latest 16 secrets are known; an older handle is a fault.
public struct SecretHandles {
  /// A frame names a secret that is not known, or not any more: it cannot be sent.
  public struct UnknownHandle: Error, Equatable, Sendable {
    public let number: UInt64
    public init(number: UInt64) { self.number = number }
  }

  public static let capacity = 16
  private static let prefix = Array("@secret:".utf8)

  /// By number modulo `capacity`.
  private var secrets: [Secret?] = Array(repeating: nil, count: capacity)
  /// The number of the last secret; 0 before the first.
  private var last: UInt64 = 0

  public init() {}

  /// Appends `body` to `output` with the text under each `field` of the JSON document, at any
  /// depth, swapped for its handle. What is no JSON is appended as far as it can be told that it
  /// holds no such field; a text that never ends is hidden to the body's end.
  ///
  /// - Parameter field: a name that needs no escape in JSON, such as `websocket_token`.
  /// - Returns: how many were swapped.
  public mutating func conceal(
    _ field: StaticString, in body: Span<UInt8>, into output: inout ByteBuffer
  ) -> Int {
    var swapped = 0
    var copied = 0
    var index = 0
    var isValue = false
    while index < body.count {
      guard body[index] == 34 else {
        index += 1
        continue
      }
      let text = SecretHandles.text(at: index, in: body)
      index = min(text.upperBound + 1, body.count)
      if isValue {
        output.append(body.extracting(copied..<text.lowerBound))
        let number = number(of: body.extracting(text))
        for byte in SecretHandles.prefix { output.append(byte) }
        output.append(decimal: number)
        copied = text.upperBound
        swapped += 1
        isValue = false
        continue
      }
      guard SecretHandles.isEqual(body.extracting(text), field) else { continue }
      // A name is followed by a colon, and ours by the text to hide.
      var next = SecretHandles.skipSpace(from: index, in: body)
      guard next < body.count, body[next] == 58 else { continue }
      next = SecretHandles.skipSpace(from: next + 1, in: body)
      isValue = next < body.count && body[next] == 34
    }
    output.append(body.extracting(copied..<body.count))
    return swapped
  }

  /// Appends `frame` to `output` with each handle swapped for its secret.
  public func reveal(
    _ frame: Span<UInt8>, into output: inout ByteBuffer
  ) throws(UnknownHandle) {
    var index = 0
    var copied = 0
    while index < frame.count {
      guard frame[index] == 64, let handle = SecretHandles.handle(at: index, in: frame) else {
        index += 1
        continue
      }
      guard let secret = secret(handle.number) else {
        throw UnknownHandle(number: handle.number)
      }
      output.append(frame.extracting(copied..<index))
      output.append(secret.span)
      index = handle.end
      copied = index
    }
    output.append(frame.extracting(copied..<frame.count))
  }

  /// The handle of a secret; the same for one that is known already.
  private mutating func number(of bytes: Span<UInt8>) -> UInt64 {
    var known = last
    while known > 0, let secret = secret(known) {
      if secret.isEqual(to: bytes) { return known }
      known -= 1
    }
    last += 1
    secrets[Int(last % UInt64(SecretHandles.capacity))] = Secret(copying: bytes)
    return last
  }

  private func secret(_ number: UInt64) -> Secret? {
    guard number > 0, number <= last, number + UInt64(SecretHandles.capacity) > last else {
      return nil
    }
    return secrets[Int(number % UInt64(SecretHandles.capacity))]
  }

  /// The inside of the text that opens at `quote`, as it stands, escapes and all.
  private static func text(at quote: Int, in body: Span<UInt8>) -> Range<Int> {
    var index = quote + 1
    while index < body.count, body[index] != 34 { index += body[index] == 92 ? 2 : 1 }
    return quote + 1..<min(index, body.count)
  }

  private static func skipSpace(from start: Int, in body: Span<UInt8>) -> Int {
    var index = start
    while index < body.count, [9, 10, 13, 32].contains(body[index]) { index += 1 }
    return index
  }

  private static func isEqual(_ text: Span<UInt8>, _ name: StaticString) -> Bool {
    guard text.count == name.utf8CodeUnitCount else { return false }
    return name.withUTF8Buffer { name in
      // Both are as long as each other.
      for index in 0..<text.count where unsafe text[index] != name[index] { return false }
      return true
    }
  }

  private static func handle(at start: Int, in frame: Span<UInt8>) -> (number: UInt64, end: Int)? {
    var index = start
    for byte in prefix {
      guard index < frame.count, frame[index] == byte else { return nil }
      index += 1
    }
    var number: UInt64 = 0
    let digits = index
    // Nineteen digits always fit.
    while index < frame.count, index - digits < 19, frame[index] >= 48, frame[index] <= 57 {
      number = number * 10 + UInt64(frame[index] - 48)
      index += 1
    }
    return index > digits ? (number, index) : nil
  }
}

extension SecretHandles: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "<\(last) redacted>" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
