public import MartletBase
public import MartletVenueKit

/// What a signed request carries besides its body; kept and reused from request to request.
public struct SignedHeaders: ~Copyable {
  /// The value of `X-TXC-PAYLOAD`: the body in base64.
  public fileprivate(set) var payload = ByteBuffer(capacity: 4096)
  /// The value of `X-TXC-SIGNATURE`: 128 lowercase hexadecimal digits.
  public fileprivate(set) var signature = ByteBuffer(capacity: 128)
  /// False when the plan was to sign nothing.
  public fileprivate(set) var isSigned = false
  public init() {}

  public static let keyName: StaticString = "X-TXC-APIKEY"
  public static let payloadName: StaticString = "X-TXC-PAYLOAD"
  public static let signatureName: StaticString = "X-TXC-SIGNATURE"
}

/// Carries out signing plans for one account. Each thread that signs has its own `SignedHeaders`.
public struct Signer: ~Copyable, Sendable {
  private let credentials: Credentials
  private let ready: ReadyKey

  public init(_ credentials: Credentials) {
    self.credentials = credentials
    ready = ReadyKey(credentials.secret.span)
  }

  /// The value of `X-TXC-APIKEY`.
  public var key: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // The secret lives as long as `credentials`, which live as long as `self`.
      unsafe _overrideLifetime(credentials.key.span, borrowing: self)
    }
  }

  /// Carries out `plan` on a body: writes the nonce into it and makes the headers that go with it.
  ///
  /// It allocates nothing once `headers` have grown to the largest body.
  ///
  /// - Parameters:
  ///   - body: where the body stands in `bytes`; those very bytes are to be sent afterwards.
  ///   - nonce: thirteen digits long, from `NonceClock`; not used when the plan signs nothing.
  /// - Precondition: thirteen digits stand in the body where the plan wants the nonce.
  public func sign(
    _ plan: SigningPlan, body: ByteRange, in bytes: inout ByteBuffer, nonce: Int64,
    into headers: inout SignedHeaders
  ) {
    headers.payload.removeAll()
    headers.signature.removeAll()
    switch plan {
    case .none: headers.isSigned = false
    case .whitebit(let nonceOffset):
      let start = Int(body.start)
      let end = start + Int(body.count)
      precondition(
        Int(nonceOffset) + Signer.nonceDigits <= Int(body.count) && end <= bytes.count,
        "a nonce outside its body")
      Signer.write(nonce, into: &bytes, at: start + Int(nonceOffset))
      appendBase64(of: bytes.span.extracting(start..<end), to: &headers.payload)
      let digest = digest(of: headers.payload.span)
      appendHexadecimal(digest.span, to: &headers.signature)
      headers.isSigned = true
    }
  }

  private func digest(of payload: Span<UInt8>) -> InlineArray<64, UInt8> {
    var digest = InlineArray<64, UInt8>(repeating: 0)
    unsafe payload.withUnsafeBufferPointer { payload in
      var target = digest.mutableSpan
      // The digest takes 64 bytes.
      unsafe target.withUnsafeMutableBufferPointer {
        unsafe ready.sum(payload, into: $0.baseAddress.unsafelyUnwrapped)
      }
    }
    return digest
  }

  /// Digits of a nonce in milliseconds, from 2001 to 2286.
  static let nonceDigits = 13

  private static func write(_ nonce: Int64, into bytes: inout ByteBuffer, at offset: Int) {
    precondition(
      nonce >= 1_000_000_000_000 && nonce < 10_000_000_000_000, "a nonce of other length")
    var rest = UInt64(nonce)
    var index = offset + nonceDigits
    while index > offset {
      index -= 1
      // Anything else here means that the plan points elsewhere.
      precondition(bytes[index] >= 48 && bytes[index] <= 57, "no room for a nonce in the body")
      bytes[index] = UInt8(truncatingIfNeeded: rest % 10) + 48
      rest /= 10
    }
  }
}
