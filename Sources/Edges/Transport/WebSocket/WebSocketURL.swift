internal import CMartletLinux

/// Where a WebSocket server is: `ws://host:port/path?query`.
///
/// Without encryption anyone on the way can read and forge, so `ws` goes to this machine only.
public struct WebSocketURL: Hashable, Sendable {
  public enum Fault: Error, Equatable, Sendable {
    /// Expected `ws://`.
    case unsupportedScheme(found: String)
    /// Expected a host, then perhaps `:` and a port of 1 to 65535.
    case malformedAuthority(found: String)
    /// Expected visible ASCII without `#`.
    case malformedTarget
    /// Expected `localhost` or a loopback address.
    case notLoopback(host: String)
  }

  /// A numeric address.
  let address: String
  public let port: UInt16
  /// Host and port as the server is told them.
  let authority: String
  /// Path and query.
  public let target: String

  public init(_ text: String) throws(Fault) {
    let scheme = text.prefix { $0 != ":" }
    let rest = text.dropFirst(scheme.count)
    guard scheme.lowercased() == "ws", rest.hasPrefix("://") else {
      throw .unsupportedScheme(found: String(scheme))
    }
    let location = rest.dropFirst(3)
    let authority = location.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let tail = location.dropFirst(authority.count)
    target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
      throw .malformedTarget
    }
    guard let (host, port) = Self.split(authority) else {
      throw .malformedAuthority(found: String(authority))
    }
    self.port = port
    self.authority = String(authority)
    address = host == "localhost" ? "127.0.0.1" : host
    guard unsafe cmartlet_is_loopback_address(address) else { throw .notLoopback(host: host) }
  }

  /// Takes `host`, `host:port`, `[v6]` or `[v6]:port` apart.
  private static func split(_ authority: Substring) -> (host: String, port: UInt16)? {
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
    if rest.isEmpty { return (String(host), 80) }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), digits.utf8.allSatisfy(HTTPText.isDigit),
      let port = UInt16(digits), port > 0
    else { return nil }
    return (String(host), port)
  }
}

extension WebSocketURL.Fault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unsupportedScheme(let found): "scheme '\(found)', expected 'ws'"
    case .malformedAuthority(let found): "'\(found)', expected a host and perhaps a port"
    case .malformedTarget: "a path or query with spaces, controls, '#' or beyond ASCII"
    case .notLoopback(let host):
      "'\(host)' over ws, which is not encrypted: only localhost and loopback addresses are allowed"
    }
  }
}
