internal import CMartletTLS

/// What the TLS connections of one client or one server have in common: TLS 1.3 and nothing older,
/// and whom to believe or who to be. It may be shared between threads.
///
/// Each `unsafe` here uses the context between `init`, which made it, and `deinit`, which frees it;
/// the library's context is not changed after `init`, and its count of users is atomic.
@safe public final class TLSContext: @unchecked Sendable {
  private let pointer: OpaquePointer
  /// Whether this is a client's.
  public let isClient: Bool

  /// A client's context.
  ///
  /// - Throws: `TLSSetupFault` when the authorities cannot be read.
  public init(_ trust: TLSTrust) throws(TLSSetupFault) {
    let pins = trust.pins.flatMap(\.digest)
    var words = [CChar](repeating: 0, count: Int(CMARTLET_TLS_TEXT_SIZE))
    let created = unsafe pins.withUnsafeBufferPointer { pins in
      unsafe words.withUnsafeMutableBufferPointer { words -> OpaquePointer? in
        // An array with elements has an address. All pointers live for the call, which copies.
        let text = unsafe words.baseAddress.unsafelyUnwrapped
        guard let authorities = trust.authorities else {
          return unsafe cmartlet_tls_client_create(nil, pins.baseAddress, trust.pins.count, text)
        }
        return unsafe authorities.withCString {
          unsafe cmartlet_tls_client_create($0, pins.baseAddress, trust.pins.count, text)
        }
      }
    }
    guard let created = unsafe created else {
      let file = trust.authorities.map { "the file \($0)" } ?? "the system's store"
      throw TLSSetupFault(
        description: "no trusted certificates in \(file): \(TLSContext.text(words))")
    }
    unsafe pointer = created
    isClient = true
  }

  /// A server's context.
  ///
  /// - Throws: `TLSSetupFault` when certificate and key are not a pair in PEM.
  public init(_ identity: borrowing TLSIdentity) throws(TLSSetupFault) {
    var words = [CChar](repeating: 0, count: Int(CMARTLET_TLS_TEXT_SIZE))
    let created = unsafe identity.withPEM { certificate, key in
      unsafe words.withUnsafeMutableBufferPointer { words -> OpaquePointer? in
        guard let first = certificate.baseAddress, let second = key.baseAddress else { return nil }
        // Each address goes with its own length, and all live for the call, which copies.
        return unsafe cmartlet_tls_server_create(
          first, certificate.count, second, key.count, words.baseAddress.unsafelyUnwrapped)
      }
    }
    guard let created = unsafe created else {
      throw TLSSetupFault(
        description: "the server's certificate and key are no pair: \(TLSContext.text(words))")
    }
    unsafe pointer = created
    isClient = false
  }

  deinit { unsafe cmartlet_tls_context_destroy(pointer) }

  private static func text(_ words: [CChar]) -> String {
    String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// - Parameter host: whom a client's server must prove to be; nil for a server.
  /// - Returns: nil when memory fails.
  func connection(on descriptor: CInt, host: String?) -> OpaquePointer? {
    guard let host else { return unsafe cmartlet_tls_create(pointer, descriptor, nil) }
    // The text lives for the call, which copies it.
    return unsafe host.withCString { unsafe cmartlet_tls_create(pointer, descriptor, $0) }
  }
}
