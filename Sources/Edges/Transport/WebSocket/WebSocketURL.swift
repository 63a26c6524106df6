internal import CMartletLinux

/// Where a WebSocket server is: `wss://host:port/path?query`, or `ws://` on this machine.
///
/// Without encryption anyone on the way can read and forge, so `ws` goes to this machine only.
public struct WebSocketURL: Hashable, Sendable {
  public enum Fault: Error, Equatable, Sendable {
    /// Expected `wss://` or `ws://`.
    case unsupportedScheme(found: String)
    /// Expected a host, then perhaps `:` and a port of 1 to 65535.
    case malformedAuthority(found: String)
    /// Expected visible ASCII without `#`.
    case malformedTarget
    /// Expected `localhost` or a loopback address.
    case notLoopback(host: String)
  }

  /// Whether TLS is spoken.
  public let isSecure: Bool
  /// A name or a numeric address; for `ws` always the latter.
  public let host: String
  public let port: UInt16
  /// Host and port as the server is told them.
  let authority: String
  /// Path and query.
  public let target: String

  public init(_ text: String) throws(Fault) {
    let scheme = text.prefix { $0 != ":" }
    let rest = text.dropFirst(scheme.count)
    isSecure = scheme.lowercased() == "wss"
    guard isSecure || scheme.lowercased() == "ws", rest.hasPrefix("://") else {
      throw .unsupportedScheme(found: String(scheme))
    }
    let location = rest.dropFirst(3)
    let authority = location.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let tail = location.dropFirst(authority.count)
    target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
      throw .malformedTarget
    }
    guard let parts = HTTPText.splitAuthority(authority) else {
      throw .malformedAuthority(found: String(authority))
    }
    port = parts.port ?? (isSecure ? 443 : 80)
    self.authority = String(authority)
    guard !isSecure else {
      host = parts.host
      return
    }
    host = parts.host == "localhost" ? "127.0.0.1" : parts.host
    // The text lives for the call.
    guard unsafe cmartlet_is_loopback_address(host) else {
      throw .notLoopback(host: parts.host)
    }
  }
}

extension WebSocketURL.Fault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unsupportedScheme(let found):
      "scheme '\(found)', expected 'wss' ('ws' only to this machine)"
    case .malformedAuthority(let found): "'\(found)', expected a host and perhaps a port"
    case .malformedTarget: "a path or query with spaces, controls, '#' or beyond ASCII"
    case .notLoopback(let host):
      "'\(host)' over ws, which is not encrypted: only localhost and loopback addresses are allowed"
    }
  }
}
