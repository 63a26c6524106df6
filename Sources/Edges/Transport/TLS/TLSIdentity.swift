internal import CMartletTLS
internal import Glibc
public import MartletBase

/// Who a server is: its certificate and the private key to it, which is wiped when this ends.
@safe public struct TLSIdentity: ~Copyable {
  private var pair: cmartlet_tls_identity

  /// Makes an authority: a key and a certificate that signs itself, and may sign others.
  public static func authority(named name: String, from start: Timestamp, until end: Timestamp)
    throws(TLSSetupFault) -> TLSIdentity
  {
    var made = unsafe cmartlet_tls_identity()
    // Both texts live for the call, and the room is ours.
    let result = unsafe name.withCString {
      unsafe cmartlet_tls_issue($0, nil, start.seconds, end.seconds, nil, &made)
    }
    guard result == 0 else { throw .refused }
    return unsafe TLSIdentity(pair: made)
  }

  /// Makes a key and a certificate that stands for `hosts`, signed by this authority.
  ///
  /// - Parameter hosts: names and numeric addresses, at least one.
  public borrowing func issue(
    hosts: [String], from start: Timestamp, until end: Timestamp
  ) throws(TLSSetupFault) -> TLSIdentity {
    guard let first = hosts.first, hosts.allSatisfy(TLSIdentity.isHost) else { throw .badHost }
    let names = hosts.map { (TLSIdentity.isNumeric($0) ? "IP:" : "DNS:") + $0 }
    var made = unsafe cmartlet_tls_identity()
    var issuer = unsafe pair
    // All texts live for the call, and the room is ours; the issuer's memory is, until `deinit`.
    let result = unsafe first.withCString { first in
      unsafe names.joined(separator: ",").withCString { names in
        unsafe cmartlet_tls_issue(first, names, start.seconds, end.seconds, &issuer, &made)
      }
    }
    guard result == 0 else { throw .refused }
    return unsafe TLSIdentity(pair: made)
  }

  private init(pair: cmartlet_tls_identity) { unsafe self.pair = pair }

  deinit {
    var pair = unsafe pair
    // Made by the library's `issue`, and freed nowhere else.
    unsafe cmartlet_tls_identity_destroy(&pair)
  }

  /// The certificate, for whoever is to trust it: PEM.
  public var certificate: [UInt8] {
    // The library's memory, until `deinit`.
    unsafe Array(UnsafeBufferPointer(start: pair.certificate, count: pair.certificate_size))
  }

  /// Lends certificate and key, PEM each, for a call.
  func withPEM<Result>(
    _ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) -> Result
  ) -> Result {
    // The library's memory, until `deinit`.
    unsafe body(
      UnsafeBufferPointer(start: pair.certificate, count: pair.certificate_size),
      UnsafeBufferPointer(start: pair.key, count: pair.key_size))
  }

  private static func isHost(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
          || byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
          || byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
      }
  }

  private static func isNumeric(_ host: String) -> Bool {
    var room = in6_addr()
    // The room takes an address of either kind, and the text lives for the calls.
    return unsafe inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1
  }
}

extension TLSSetupFault {
  fileprivate static let refused = TLSSetupFault(description: "the library made no certificate")
  fileprivate static let badHost = TLSSetupFault(
    description: "a certificate stands for at least one host name or numeric address")
}

extension Timestamp {
  /// Whole Unix seconds.
  fileprivate var seconds: Int64 { nanoseconds / 1_000_000_000 }
}
