internal import CMartletCrypto
internal import MartletRecord

/// SHA-256 of bytes that come in pieces.
final class RunningDigest {
  private var state = cmartlet_sha256_state()

  init() { unsafe cmartlet_sha256_begin(&state) }

  func add(_ bytes: UnsafeRawBufferPointer) {
    // Borrowed for the call; the state is ours.
    unsafe cmartlet_sha256_add(&state, bytes.baseAddress, bytes.count)
  }

  /// To be called once, last.
  func end() -> RecordLink {
    var bytes = [UInt8](repeating: 0, count: 32)
    unsafe cmartlet_sha256_end(&state, &bytes)
    return RecordLink(before: bytes.count, in: bytes.span)
  }
}
