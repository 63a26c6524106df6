internal import CMartletLinux

/// Where a REST interface is: `https://host`, perhaps with a port and a path that all targets share.
public struct RESTEndpoint: Hashable, Sendable {
  public enum Fault: Error, Equatable, Sendable {
    /// Expected `https://`, or `http://` where plain requests to this machine were asked for.
    case unsupportedScheme(found: String)
    /// Expected a host, then perhaps `:` and a port of 1 to 65535.
    case malformedAuthority(found: String)
    /// Expected visible ASCII without `?`, `#` and a slash at the end.
    case malformedPath
    /// Without encryption anyone on the way can read and forge.
    case notLoopback(host: String)
  }

  /// What stands before every target, without a slash at its end.
  let prefix: String
  let isPlain: Bool

  /// - Parameter allowsPlain: whether `http` to this machine's loopback is allowed too.
  public init(_ text: String, allowsPlain: Bool = false) throws(Fault) {
    let scheme = text.prefix { $0 != ":" }.lowercased()
    isPlain = scheme == "http"
    guard scheme == "https" || (isPlain && allowsPlain),
      text.dropFirst(scheme.count).hasPrefix("://")
    else { throw .unsupportedScheme(found: scheme) }
    let location = text.dropFirst(scheme.count + 3)
    let authority = location.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard let parts = HTTPText.splitAuthority(authority) else {
      throw .malformedAuthority(found: String(authority))
    }
    let path = location.dropFirst(authority.count)
    guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !path.contains("?"),
      !path.contains("#"), path == "/" || !path.hasSuffix("/")
    else { throw .malformedPath }
    var host = String(authority)
    if isPlain {
      // A name is resolved here, not by whatever the machine's configuration makes of it.
      let address = parts.host == "localhost" ? "127.0.0.1" : parts.host
      // The text lives for the call.
      guard unsafe cmartlet_is_loopback_address(address) else {
        throw .notLoopback(host: parts.host)
      }
      host = (address.contains(":") ? "[\(address)]" : address) + ":\(parts.port ?? 80)"
    }
    prefix = "\(scheme)://\(host)" + (path == "/" ? "" : path)
  }
}

extension RESTEndpoint.Fault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unsupportedScheme(let found):
      "scheme '\(found)', expected 'https' ('http' only to this machine, where plain is allowed)"
    case .malformedAuthority(let found): "'\(found)', expected a host and perhaps a port"
    case .malformedPath: "a path with a slash at its end, a query, spaces or beyond ASCII"
    case .notLoopback(let host):
      "'\(host)' over http, which is not encrypted: only localhost and loopback addresses are allowed"
    }
  }
}
