internal import CMartletTLS

/// Why a TLS connection was not made, or is over.
public struct TLSFault: Error, Hashable, Sendable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable {
    case other = 0
    case expired = 1
    case notYetValid = 2
    case wrongHost = 3
    /// Signed by nobody whom we trust.
    case unknownAuthority = 4
    /// In order, and not with one of the pinned keys.
    case wrongKey = 5
    /// The peer does not speak TLS 1.3.
    case oldProtocol = 6
    case notTLS = 7
    /// The peer refused us.
    case refused = 8
    /// Bytes were changed on their way.
    case corrupt = 9
    /// Wrong in another way, as the text says.
    case badCertificate = 10
  }

  public let kind: Kind
  /// The library's words; they hold nothing that was sent.
  public let text: String

  /// Whether the two of us do not agree on who the peer is or on how to speak, which will be so at the
  /// next try too; otherwise a connection broke.
  public var isRefusal: Bool {
    switch kind {
    case .expired, .notYetValid, .wrongHost, .unknownAuthority, .wrongKey, .oldProtocol, .notTLS,
      .refused, .badCertificate:
      true
    case .other, .corrupt: false
    }
  }
}

extension TLSFault: CustomStringConvertible {
  public var description: String {
    switch kind {
    case .other: "TLS failed: \(text)"
    case .expired: "the server's certificate has expired"
    case .notYetValid: "the server's certificate is not valid yet; is this machine's clock right?"
    case .wrongHost: "the server's certificate is another host's"
    case .unknownAuthority: "the server's certificate is signed by no trusted authority (\(text))"
    case .wrongKey:
      "the server's key is none of the pinned ones, though its certificate is in order"
    case .oldProtocol: "the peer does not speak TLS 1.3, and nothing older is accepted"
    case .notTLS: "the peer does not speak TLS on this port"
    case .refused: "the peer refused the TLS connection (\(text))"
    case .badCertificate: "the server's certificate is not in order: \(text)"
    case .corrupt: "bytes were changed on their way (\(text))"
    }
  }
}

/// Why a certificate, a key or a list of authorities cannot be used.
public struct TLSSetupFault: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}
