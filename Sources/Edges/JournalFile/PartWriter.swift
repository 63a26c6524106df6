internal import CMartletLinux
internal import CMartletZstd
internal import Glibc
internal import MartletBase
internal import MartletRecord

/// Writes one part under a name of its own, so that a death leaves a leftover and not half a part.
///
/// - Bounds: memory of one packer and of one buffer, whatever the segment holds.
@safe struct PartWriter: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private let packer: UnsafeMutableRawPointer
  private let digest = RunningDigest()
  private var buffer = [UInt8](repeating: 0, count: 1 << 17)
  private var filled = 0

  /// Begins the file with its head.
  init(_ path: String, _ head: PartHead, level: Int32) throws(JournalFault) {
    guard let packer = unsafe cmartlet_zstd_packer_create(level) else {
      throw .system(call: "zstd", path: path, errno: ENOMEM)
    }
    let descriptor = Paths.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    guard descriptor >= 0 else {
      let fault = JournalFault.failed("open", path, errno: errno)
      unsafe cmartlet_zstd_packer_free(packer)
      throw fault
    }
    self.path = path
    self.descriptor = descriptor
    unsafe self.packer = unsafe packer
    var writer = SnapshotWriter()
    head.write(into: &writer)
    for index in 0..<writer.bytes.count { buffer[index] = writer.bytes.span[index] }
    filled = writer.bytes.count
  }

  deinit {
    unsafe cmartlet_zstd_packer_free(packer)
    Glibc.close(descriptor)
  }

  /// Packs some bytes behind those before.
  mutating func append(_ bytes: RawSpan) throws(JournalFault) { try pack(bytes, ends: false) }

  /// Ends the file and brings it to disk.
  ///
  /// - Parameter isPacked: false of a receipt, which is a head alone.
  /// - Returns: its digest.
  mutating func finish(isPacked: Bool = true) throws(JournalFault) -> RecordLink {
    if isPacked { try pack(RawSpan(), ends: true) }
    try flush()
    let digest = digest.end()
    try unsafe withUnsafeBytes(of: digest) { (bytes) throws(JournalFault) in
      try unsafe write(bytes)
    }
    let result = cmartlet_fdatasync(descriptor)
    guard result >= 0 else { throw .failed("fdatasync", path, errno: -result) }
    return digest
  }

  private mutating func pack(_ bytes: RawSpan, ends: Bool) throws(JournalFault) {
    var taken = 0
    while true {
      if filled == buffer.count { try flush() }
      let rest = bytes.extracting(taken..<bytes.byteCount)
      var step = cmartlet_zstd_step()
      // Both are borrowed for the call, which writes no more than the room that it is told.
      let result = unsafe rest.withUnsafeBytes { source in
        unsafe buffer.withUnsafeMutableBytes { target in
          unsafe cmartlet_zstd_pack_some(
            packer, target.baseAddress.unsafelyUnwrapped + filled, target.count - filled,
            source.baseAddress, source.count, ends, &step)
        }
      }
      guard result >= 0 else { throw .system(call: "zstd", path: path, errno: EIO) }
      taken += step.taken
      filled += step.written
      if result == 0 { return }
    }
  }

  private mutating func flush() throws(JournalFault) {
    let count = filled
    filled = 0
    // Bytes have no padding.
    let full = unsafe buffer.span.bytes.extracting(first: count)
    try unsafe full.withUnsafeBytes { (bytes) throws(JournalFault) in
      unsafe digest.add(bytes)
      try unsafe write(bytes)
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws(JournalFault) {
    var written = 0
    while written < bytes.count {
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw .failed("write", path, errno: count == 0 ? ENOSPC : errno, neededBytes: rest.count)
      }
      written += count
    }
  }
}
