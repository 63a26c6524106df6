/// Whom a client believes.
public struct TLSTrust: Hashable, Sendable {
  /// A file of certificates (PEM) to trust instead of the system's; nil for the system's.
  public var authorities: String?
  /// Keys of which the server must show one, beside a certificate in order; empty for any.
  ///
  /// - Bounds: 16. Name a second one that is not in use yet, so that the server can change its key.
  public var pins: [TLSPin]

  public init(authorities: String? = nil, pins: [TLSPin] = []) {
    self.authorities = authorities
    self.pins = pins
  }
}
