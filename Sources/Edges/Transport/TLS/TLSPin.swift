internal import CMartletTLS

/// A public key that a server may show: the SHA-256 of its SubjectPublicKeyInfo (RFC 7469).
public struct TLSPin: Hashable, Sendable {
  /// 32 bytes.
  let digest: [UInt8]

  /// - Parameter base64: 44 characters, as `openssl` and curl write such a digest.
  /// - Returns: nil for anything else.
  public init?(base64: String) {
    let letters = Array(base64.utf8)
    guard letters.count == 44, letters[43] == UInt8(ascii: "=") else { return nil }
    var bits: UInt32 = 0
    var bytes: [UInt8] = []
    for (index, letter) in letters.prefix(43).enumerated() {
      guard let value = Self.alphabet.firstIndex(of: letter) else { return nil }
      bits = bits << 6 | UInt32(value)
      if index % 4 == 3 {
        bytes += [UInt8(bits >> 16 & 0xFF), UInt8(bits >> 8 & 0xFF), UInt8(bits & 0xFF)]
        bits = 0
      }
    }
    // Three letters are left: eighteen bits, of which two say nothing and must be zero.
    guard bits & 0b11 == 0 else { return nil }
    bytes += [UInt8(bits >> 10 & 0xFF), UInt8(bits >> 2 & 0xFF)]
    digest = bytes
  }

  /// The key in a certificate.
  ///
  /// - Parameter certificate: PEM.
  public init(certificate: [UInt8]) throws(TLSSetupFault) {
    var digest = [UInt8](repeating: 0, count: Int(CMARTLET_TLS_PIN_SIZE))
    let result = unsafe certificate.withUnsafeBufferPointer { bytes in
      unsafe digest.withUnsafeMutableBufferPointer { digest in
        guard let start = bytes.baseAddress, let room = digest.baseAddress else { return CInt(-1) }
        // Address and length are one array's, and the room is as large as a digest.
        return unsafe cmartlet_tls_pin(start, bytes.count, room)
      }
    }
    guard result == 0 else { throw TLSSetupFault(description: "no certificate in PEM") }
    self.digest = digest
  }

  public var base64: String {
    var text = ""
    for start in stride(from: 0, to: digest.count, by: 3) {
      let rest = digest[start...].prefix(3)
      let bits = rest.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - rest.count))
      for index in 0..<4 {
        let letter = Self.alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)]
        text.unicodeScalars.append(
          index <= rest.count ? Unicode.Scalar(letter) : Unicode.Scalar(UInt8(ascii: "=")))
      }
    }
    return text
  }

  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
