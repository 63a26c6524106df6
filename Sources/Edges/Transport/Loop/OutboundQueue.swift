internal import MartletBase

/// Bytes on their way out: codecs append at one end while the socket takes from the other.
///
/// Two buffers change places, so nothing is moved within them, and once both have grown nothing is
/// allocated. Its owner bounds it.
struct OutboundQueue: ~Copyable {
  /// Where codecs write.
  var filling = ByteBuffer(capacity: 1_024)
  private var draining = ByteBuffer(capacity: 1_024)
  private var drained = 0

  /// Bytes that have not left.
  var count: Int { filling.count + draining.count - drained }

  /// Gives the oldest bytes to `write`, again and again while it takes them.
  ///
  /// - Returns: nil when all have left; otherwise what stopped it.
  mutating func drain(_ write: (Span<UInt8>) -> StreamResult) -> StreamResult? {
    while true {
      if drained == draining.count {
        draining.removeAll()
        drained = 0
        if filling.count == 0 { return nil }
        swap(&filling, &draining)
      }
      let result = write(draining.span.extracting(drained..<draining.count))
      guard case .moved(let count) = result else { return result }
      drained += count
    }
  }
}
