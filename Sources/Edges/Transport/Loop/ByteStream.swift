internal import CMartletLinux
internal import Glibc
internal import MartletBase

/// What came of one attempt to move bytes.
enum StreamResult: Equatable {
  /// So many were moved, at least one.
  case moved(Int)
  /// Nothing can be moved until the descriptor is readable.
  case wantsRead
  /// Nothing can be moved until the descriptor is writable.
  case wantsWrite
  /// The peer has sent its last byte.
  case ended
  case failed(SystemFault)
  /// The peer is not whom it should be, or breaks TLS.
  case refused(TLSFault)
}

/// What lies between a codec and a socket: the seam where TLS slips in.
///
/// None of these blocks. A stream may want to write in order to read, and the reverse, and may hold
/// bytes that the descriptor does not show; a plain socket does neither.
protocol ByteStream: AnyObject {
  /// Watched for readiness; owned by the stream, closed by `close`.
  var descriptor: CInt { get }
  /// Whether a read would give bytes though the descriptor is not readable.
  var hasBufferedInput: Bool { get }
  /// Makes the stream ready for bytes; `.moved` when it is. Called again after each want.
  func handshake() -> StreamResult
  func read(into room: UnsafeMutableRawBufferPointer) -> StreamResult
  func write(_ bytes: Span<UInt8>) -> StreamResult
  /// Tells the peer that nothing more follows.
  func endWriting()
  /// Frees the descriptor; `resets` tells the peer that the connection broke.
  func close(resets: Bool)
}

/// A socket as it is.
final class PlainStream: ByteStream {
  let descriptor: CInt
  private var isOpen = true

  /// - Parameter descriptor: a connected or connecting socket, owned from now on.
  init(adopting descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(resets: false) }

  var hasBufferedInput: Bool { false }

  func handshake() -> StreamResult { .moved(1) }

  func read(into room: UnsafeMutableRawBufferPointer) -> StreamResult {
    guard let start = room.baseAddress else { return .wantsRead }
    // The address and the length are one buffer's.
    let count = unsafe cmartlet_receive(descriptor, start, room.count)
    if count == 0 { return .ended }
    return Self.result("recv", count, whenBlocked: .wantsRead)
  }

  func write(_ bytes: Span<UInt8>) -> StreamResult {
    let count = unsafe bytes.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return 0 }
      // The address and the length are one span's.
      return unsafe cmartlet_send(descriptor, start, source.count)
    }
    return Self.result("send", count, whenBlocked: .wantsWrite)
  }

  func endWriting() { shutdown(descriptor, CInt(SHUT_WR)) }

  func close(resets: Bool) {
    guard isOpen else { return }
    isOpen = false
    if resets { _ = cmartlet_reset_on_close(descriptor) }
    Glibc.close(descriptor)
  }

  private static func result(_ call: String, _ count: Int, whenBlocked: StreamResult)
    -> StreamResult
  {
    if count >= 0 { return .moved(count) }
    return count == Int(-EAGAIN)
      ? whenBlocked : .failed(SystemFault(call, errno: CInt(truncatingIfNeeded: -count)))
  }
}
