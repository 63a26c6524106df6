internal import CMartletCrypto
public import MartletVenueKit

/// HMAC-SHA512 (RFC 2104, RFC 4231), as desks take it.
public let keyedHash: KeyedHash = { secret, message in
  hmacSHA512(key: secret.span, message: message.span)
}

/// HMAC-SHA512 of `message` under a key of any length, 64 bytes. For what is not hot: the key is
/// made ready every time.
public func hmacSHA512(key: Span<UInt8>, message: Span<UInt8>) -> [UInt8] {
  let ready = ReadyKey(key)
  var digest = [UInt8](repeating: 0, count: 64)
  unsafe message.withUnsafeBufferPointer { message in
    unsafe digest.withUnsafeMutableBufferPointer {
      // The digest takes 64 bytes.
      unsafe ready.sum(message, into: $0.baseAddress.unsafelyUnwrapped)
    }
  }
  return digest
}

/// HMAC-SHA256 of `message` under a key of any length, 32 bytes.
public func hmacSHA256(key: Span<UInt8>, message: Span<UInt8>) -> [UInt8] {
  var context = cmartlet_hmac_sha256()
  var digest = [UInt8](repeating: 0, count: 32)
  // The shim reads and writes during the calls alone; the digest takes 32 bytes.
  let made = unsafe key.withUnsafeBufferPointer {
    unsafe cmartlet_hmac_sha256_init(&context, $0.baseAddress, $0.count)
  }
  precondition(made == 0, "libcrypto has no SHA-256")
  unsafe message.withUnsafeBufferPointer {
    unsafe cmartlet_hmac_sha256_sum(&context, $0.baseAddress, $0.count, &digest)
  }
  unsafe cmartlet_wipe(&context, MemoryLayout<cmartlet_hmac_sha256>.size)
  return digest
}

/// A key made ready for HMAC-SHA512, as secret as the key and wiped like it.
@safe struct ReadyKey: ~Copyable {
  private let context: UnsafeMutablePointer<cmartlet_hmac_sha512>

  init(_ key: Span<UInt8>) {
    unsafe context = .allocate(capacity: 1)
    unsafe context.initialize(to: cmartlet_hmac_sha512())
    let made = unsafe key.withUnsafeBufferPointer {
      // Read during the call alone.
      unsafe cmartlet_hmac_sha512_init(context, $0.baseAddress, $0.count)
    }
    precondition(made == 0, "libcrypto has no SHA-512")
  }

  deinit {
    unsafe cmartlet_wipe(context, MemoryLayout<cmartlet_hmac_sha512>.size)
    unsafe context.deallocate()
  }

  /// - Parameter digest: room for 64 bytes.
  @unsafe func sum(
    _ message: UnsafeBufferPointer<UInt8>, into digest: UnsafeMutablePointer<UInt8>
  ) {
    // The context is initialized and only read.
    unsafe cmartlet_hmac_sha512_sum(context, message.baseAddress, message.count, digest)
  }
}

// The context is not written after `init`.
extension ReadyKey: @unchecked Sendable {}
