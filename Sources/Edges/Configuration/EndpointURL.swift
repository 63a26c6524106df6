/// A URL `SCHEME://HOST[:PORT][/PATH]`, as far as a configuration needs one.
struct EndpointURL: Equatable {
  let scheme: String
  let host: String
  let port: UInt16?
  let path: String

  /// Nil for anything else: user names, queries, fragments and odd hosts among them.
  init?(_ text: String) {
    guard text.utf8.count <= 256, text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }),
      let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://")
    else { return nil }
    scheme = String(text[..<colon])
    let rest = text[text.index(colon, offsetBy: 3)...]
    let authority = rest.prefix { $0 != "/" }
    path = String(rest[authority.endIndex...])
    if path.contains(where: { "?#@\\".contains($0) }) { return nil }
    var name = authority
    var number = Substring()
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      name = authority[authority.index(after: authority.startIndex)..<end]
      guard name.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
      let after = authority[authority.index(after: end)...]
      guard after.isEmpty || after.hasPrefix(":") else { return nil }
      number = after
    } else if let colon = authority.firstIndex(of: ":") {
      name = authority[..<colon]
      number = authority[colon...]
      guard EndpointURL.isName(name) else { return nil }
    } else if !EndpointURL.isName(name) {
      return nil
    }
    guard !name.isEmpty else { return nil }
    host = name.lowercased()
    if number.isEmpty {
      port = nil
    } else {
      let digits = number.dropFirst()
      guard digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let value = UInt16(digits),
        value > 0
      else { return nil }
      port = value
    }
  }

  private static func isName(_ text: Substring) -> Bool {
    text.utf8.allSatisfy { byte in
      byte >= 48 && byte <= 57 || byte >= 65 && byte <= 90 || byte >= 97 && byte <= 122
        || byte == 45 || byte == 46
    }
  }

  /// Whether the host can only be this machine. Names are not asked for: `localhost` alone is
  /// taken, because whoever may redefine that may do anything.
  var isLoopback: Bool {
    if host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127"
      && parts.allSatisfy { part in
        part.utf8.allSatisfy { $0 >= 48 && $0 <= 57 } && (part == "0" || !part.hasPrefix("0"))
          && UInt8(part) != nil
      }
  }
}
