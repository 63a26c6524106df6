/// A request's head; its body comes beside.
public struct HTTPRequest: Equatable, Sendable {
  public let method: String
  /// As sent, percent-encoding included: `/path?query`, or `*` for OPTIONS.
  public let target: String
  public let headers: [HTTPHeader]
  /// 1 for HTTP/1.1, 0 for HTTP/1.0.
  public let minorVersion: Int
  /// Whether the connection may carry another request after this one.
  public let keepsAlive: Bool

  public init(
    method: String, target: String, headers: [HTTPHeader], minorVersion: Int = 1,
    keepsAlive: Bool = true
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.minorVersion = minorVersion
    self.keepsAlive = keepsAlive
  }

  /// The target up to `?`.
  public var path: String { String(target.prefix { $0 != "?" }) }

  /// What follows the first `?`, still percent-encoded; empty when there is none.
  public var query: String {
    guard let mark = target.firstIndex(of: "?") else { return "" }
    return String(target[target.index(after: mark)...])
  }

  /// The value of the first field of this name, compared without regard to case.
  public func header(_ name: String) -> String? { headers.value(of: name) }
}
