internal import CMartletCrypto
internal import CMartletSodium
public import MartletVenueKit

/// HMAC-SHA512 (RFC 2104, RFC 4231), as desks take it.
public let keyedHash: KeyedHash = { secret, message in
  hmacSHA512(key: secret.span, message: message.span)
}

/// HMAC-SHA512 of `message` under a key of any length, 64 bytes. For what is not hot: the key is
/// made ready every time.
public func hmacSHA512(key: Span<UInt8>, message: Span<UInt8>) -> [UInt8] {
  var context = cmartlet_hmac_sha512()
  var digest = [UInt8](repeating: 0, count: 64)
  // The shim reads and writes during the calls alone; the digest takes 64 bytes.
  let made = unsafe key.withUnsafeBufferPointer {
    unsafe cmartlet_hmac_sha512_init(&context, $0.baseAddress, $0.count)
  }
  precondition(made == 0, "libcrypto has no SHA-512")
  unsafe message.withUnsafeBufferPointer {
    unsafe cmartlet_hmac_sha512_sum(&context, $0.baseAddress, $0.count, &digest)
  }
  unsafe cmartlet_wipe(&context, MemoryLayout<cmartlet_hmac_sha512>.size)
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

/// A key made ready for HMAC-SHA512, as secret as the key and kept like it.
@safe struct ReadyKey: ~Copyable {
  private let context: UnsafeMutablePointer<cmartlet_hmac_sha512>

  init(_ key: Span<UInt8>) {
    // A multiple of 16 bytes, and so aligned.
    let size = (MemoryLayout<cmartlet_hmac_sha512>.size + 15) / 16 * 16
    guard let room = unsafe cmartlet_guarded_allocate(size) else {
      preconditionFailure("no memory for a key")
    }
    unsafe context = room.initializeMemory(
      as: cmartlet_hmac_sha512.self, to: cmartlet_hmac_sha512())
    let made = unsafe key.withUnsafeBufferPointer {
      // Read during the call alone.
      unsafe cmartlet_hmac_sha512_init(context, $0.baseAddress, $0.count)
    }
    precondition(made == 0, "libcrypto has no SHA-512")
    unsafe cmartlet_guarded_freeze(room)
  }

  deinit {
    // Wipes it too.
    unsafe cmartlet_guarded_free(context)
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
