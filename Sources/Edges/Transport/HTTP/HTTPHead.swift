internal import MartletBase

/// One header field; the value without the spaces around it.
public struct HTTPHeader: Equatable, Sendable {
  public let name: String
  public let value: String
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

extension [HTTPHeader] {
  /// The value of the first field of this name, compared without regard to case.
  func value(of name: String) -> String? {
    first { HTTPText.isEqual($0.name, name) }?.value
  }

  /// How many fields have this name.
  func count(of name: String) -> Int {
    reduce(0) { HTTPText.isEqual($1.name, name) ? $0 + 1 : $0 }
  }

  /// Whether a comma-separated list field of this name holds `token`, without regard to case.
  func has(_ token: String, in name: String) -> Bool {
    contains { field in
      HTTPText.isEqual(field.name, name)
        && field.value.utf8.split(separator: UInt8(ascii: ",")).contains { item in
          HTTPText.isEqual(HTTPText.trimmed(item), token.utf8[...])
        }
    }
  }
}

/// Character classes and comparisons of HTTP.
///
/// - Source: RFC 9110, 5.5 and 5.6.
enum HTTPText {
  static func isEqual(_ one: String, _ other: String) -> Bool {
    isEqual(one.utf8[...], other.utf8[...])
  }

  static func isEqual(_ one: Substring.UTF8View, _ other: Substring.UTF8View) -> Bool {
    one.count == other.count && zip(one, other).allSatisfy { lower($0) == lower($1) }
  }

  static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    var text = text
    while let first = text.first, isSpace(first) { text.removeFirst() }
    while let last = text.last, isSpace(last) { text.removeLast() }
    return text
  }

  static func lower(_ byte: UInt8) -> UInt8 {
    byte >= 65 && byte <= 90 ? byte | 0x20 : byte
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

  static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122: true
    // ! # $ % & ' * + - . ^ _ ` | ~
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
    default: false
    }
  }

  static func isFieldValue(_ byte: UInt8) -> Bool {
    byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
  }

  /// Takes `host`, `host:port`, `[v6]` or `[v6]:port` apart; nil when it is none of these.
  static func splitAuthority(_ authority: Substring) -> (host: String, port: UInt16?)? {
    var host = authority
    var rest = Substring()
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[..<end].dropFirst()
      rest = authority[authority.index(after: end)...]
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      rest = authority[colon...]
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x40 }) else {
      return nil
    }
    if rest.isEmpty { return (String(host), nil) }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), digits.utf8.allSatisfy(isDigit), let port = UInt16(digits), port > 0
    else { return nil }
    return (String(host), port)
  }

  /// Whether `name` and `value` can stand in a head without making another line of it.
  static func isSafe(_ header: HTTPHeader) -> Bool {
    !header.name.isEmpty && header.name.utf8.allSatisfy(isToken)
      && header.value.utf8.allSatisfy(isFieldValue)
  }
}

/// Finds the end of a message's head as it arrives, looking at each byte once, so that what it says
/// does not depend on how the bytes were cut.
struct HTTPHeadScanner {
  /// - Unit: bytes of the start line with its end; nil when it has no limit of its own.
  let startLineLimit: Int?
  /// - Unit: bytes of the whole head.
  let headLimit: Int
  private var scanned = 0
  private var lineStart = 0

  init(startLineLimit: Int? = nil, headLimit: Int) {
    self.startLineLimit = startLineLimit
    self.headLimit = headLimit
  }

  /// - Returns: how many bytes the head has, its last empty line included; nil while it is not whole.
  mutating func end(in input: borrowing ReceiveBuffer) throws(HTTPFault) -> Int? {
    while scanned < input.count {
      if lineStart == 0, let startLineLimit, scanned >= startLineLimit {
        throw .targetTooLong(limit: startLineLimit)
      }
      guard scanned < headLimit else { throw .headTooLarge(limit: headLimit) }
      let byte = input[scanned]
      if byte == 0x0A {
        guard scanned > lineStart, input[scanned - 1] == 0x0D else { throw .bareLineEnd }
        scanned += 1
        if scanned - lineStart == 2 { return scanned }
        lineStart = scanned
      } else {
        if scanned > lineStart, input[scanned - 1] == 0x0D { throw .bareLineEnd }
        scanned += 1
      }
    }
    return nil
  }
}

/// A head taken apart: the start line's bytes and the fields.
struct HTTPHead {
  let startLineCount: Int
  let headers: [HTTPHeader]

  /// - Parameter head: a whole head as the scanner found it.
  init(_ head: Span<UInt8>, maxFields: Int) throws(HTTPFault) {
    var start = 0
    var headers: [HTTPHeader] = []
    var startLineCount = 0
    while true {
      var end = start
      while head[end] != 0x0D { end += 1 }
      if end == start { break }
      if start == 0 {
        startLineCount = end
      } else {
        guard headers.count < maxFields else { throw .tooManyFields(limit: maxFields) }
        headers.append(try Self.field(head.extracting(start..<end), index: headers.count))
      }
      start = end + 2
    }
    self.startLineCount = startLineCount
    self.headers = headers
  }

  /// Checks a trailer, which has fields and no start line.
  static func checkFields(_ trailer: Span<UInt8>, maxFields: Int) throws(HTTPFault) {
    var start = 0
    var index = 0
    while true {
      var end = start
      while trailer[end] != 0x0D { end += 1 }
      if end == start { return }
      guard index < maxFields else { throw .tooManyFields(limit: maxFields) }
      _ = try field(trailer.extracting(start..<end), index: index)
      index += 1
      start = end + 2
    }
  }

  private static func field(_ line: Span<UInt8>, index: Int) throws(HTTPFault) -> HTTPHeader {
    var colon = 0
    while colon < line.count, HTTPText.isToken(line[colon]) { colon += 1 }
    // A space before the colon and a folded line both end the token too early.
    guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
      throw .malformedField(index: index)
    }
    var start = colon + 1
    var end = line.count
    while start < end, HTTPText.isSpace(line[start]) { start += 1 }
    while start < end, HTTPText.isSpace(line[end - 1]) { end -= 1 }
    for position in start..<end {
      guard HTTPText.isFieldValue(line[position]) else { throw .malformedField(index: index) }
    }
    return HTTPHeader(String(line.extracting(0..<colon)), String(line.extracting(start..<end)))
  }
}
