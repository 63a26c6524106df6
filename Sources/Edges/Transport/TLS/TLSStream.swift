internal import CMartletLinux
internal import CMartletTLS
internal import Glibc

/// A socket with TLS over it.
///
/// Each `unsafe` here uses the connection between `init`, which made it, and `deinit`, which frees it.
@safe final class TLSStream: ByteStream {
  let descriptor: CInt
  private let connection: OpaquePointer
  private var isOpen = true
  private var isBroken = false

  /// - Parameters:
  ///   - descriptor: a connected or connecting socket, owned from now on.
  ///   - host: whom a client's server must prove to be; nil on a server.
  /// - Throws: `SystemFault` ENOMEM; the descriptor is closed then.
  init(adopting descriptor: CInt, _ context: TLSContext, host: String?) throws(SystemFault) {
    guard let connection = unsafe context.connection(on: descriptor, host: host) else {
      Glibc.close(descriptor)
      throw SystemFault("SSL_new", errno: ENOMEM)
    }
    self.descriptor = descriptor
    unsafe self.connection = connection
  }

  deinit {
    close(resets: false)
    unsafe cmartlet_tls_destroy(connection)
  }

  var hasBufferedInput: Bool { unsafe cmartlet_tls_has_pending(connection) }

  func handshake() -> StreamResult { unsafe result(cmartlet_tls_handshake(connection)) }

  func read(into room: UnsafeMutableRawBufferPointer) -> StreamResult {
    guard let start = room.baseAddress, !isBroken else { return .wantsRead }
    // The address and the length are one buffer's.
    return unsafe result(cmartlet_tls_read(connection, start, room.count))
  }

  func write(_ bytes: Span<UInt8>) -> StreamResult {
    let moved = unsafe bytes.withUnsafeBytes { source -> cmartlet_tls_result? in
      guard let start = source.baseAddress, !isBroken else { return nil }
      // The address and the length are one span's.
      return unsafe cmartlet_tls_write(connection, start, source.count)
    }
    return moved.map(result) ?? .wantsWrite
  }

  func endWriting() {
    if !isBroken { unsafe cmartlet_tls_end_writing(connection) }
    shutdown(descriptor, CInt(SHUT_WR))
  }

  func close(resets: Bool) {
    guard isOpen else { return }
    isOpen = false
    // A word of farewell, unless the peer is to see a break or the protocol is past it.
    if !resets, !isBroken { unsafe cmartlet_tls_end_writing(connection) }
    if resets { _ = cmartlet_reset_on_close(descriptor) }
    Glibc.close(descriptor)
  }

  private func result(_ result: cmartlet_tls_result) -> StreamResult {
    switch result.kind {
    case CMARTLET_TLS_MOVED: return .moved(Int(result.value))
    case CMARTLET_TLS_WANTS_READ: return .wantsRead
    case CMARTLET_TLS_WANTS_WRITE: return .wantsWrite
    case CMARTLET_TLS_ENDED: return .ended
    case CMARTLET_TLS_SYSTEM:
      isBroken = true
      return .failed(SystemFault("TLS", errno: CInt(truncatingIfNeeded: result.value)))
    default:
      // After a fault the library forbids further use.
      isBroken = true
      return .refused(
        TLSFault(
          kind: TLSFault.Kind(rawValue: UInt8(truncatingIfNeeded: result.value)) ?? .other,
          text: unsafe String(cString: cmartlet_tls_text(connection))))
    }
  }
}
