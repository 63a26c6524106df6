internal import CMartletLinux
internal import Glibc

/// The nonce up to which a key may have been used, kept over restarts, and the lock that keeps a
/// second process off the key.
///
/// One line of thirteen digits. It is written ahead, a block of nonces at a time, so that most
/// requests write nothing. It is not synced to disk: after a power cut the machine starts slower
/// than a block lasts.
public final class NonceFile {
  public let path: String
  private let descriptor: Int32
  /// No nonce up to this one may be used again by a later process.
  private(set) var reserved: Int64
  /// Kept as long as nonces may be drawn.
  private var lock: KeyLock?

  /// Opens the file of a key whose lock is held, and keeps the lock.
  ///
  /// - Parameter former: where an earlier build kept this key's nonces, beside one bot's journal.
  ///   What it says is taken over, and the file with it.
  public convenience init(_ lock: KeyLock, former: String? = nil) throws(NonceFault) {
    try self.init(lock.noncePath)
    self.lock = lock
    if let former, unsafe access(former, F_OK) == 0 {
      // A process of the earlier build may be using it now, which the lock cannot know.
      let old = try NonceFile(former)
      if old.reserved > reserved { try reserve(old.reserved) }
      unsafe unlink(former)
    }
  }

  /// Opens the file, or creates it, and takes its lock; a process that dies lets it go.
  public init(_ path: String) throws(NonceFault) {
    // The path is a C string for the length of the call.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw NonceFile.fault("open", path, errno) }
    var text = [UInt8](repeating: 0, count: 32)
    var count = -1
    let locked = cmartlet_lock(descriptor)
    if locked == 0 { count = unsafe pread(descriptor, &text, text.count, 0) }
    let failure = errno
    do throws(NonceFault) {
      guard locked == 0 else { throw .inUse(path: path) }
      guard count >= 0 else { throw NonceFile.fault("read", path, failure) }
      reserved = try NonceFile.parse(text[..<count], path)
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    // A copy of the descriptor in a process being started must not keep the lock.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// Writes that every nonce up to `nonce` may have been used.
  func reserve(_ nonce: Int64) throws(NonceFault) {
    var text = InlineArray<14, UInt8>(repeating: 10)
    var rest = nonce
    for index in stride(from: Signer.nonceDigits - 1, through: 0, by: -1) {
      text[index] = UInt8(truncatingIfNeeded: rest % 10) + 48
      rest /= 10
    }
    precondition(rest == 0, "a nonce of more than thirteen digits")
    // One write of fourteen bytes, over the same fourteen: a reader sees the old or the new.
    let bytes = text.span
    let written = unsafe bytes.withUnsafeBufferPointer {
      unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0)
    }
    guard written == bytes.count else { throw NonceFile.fault("write", path, errno) }
    reserved = nonce
  }

  private static func parse(_ text: ArraySlice<UInt8>, _ path: String) throws(NonceFault) -> Int64 {
    if text.isEmpty { return 0 }
    guard text.count == Signer.nonceDigits + 1, text.last == 10,
      text.dropLast().allSatisfy({ $0 >= 48 && $0 <= 57 })
    else { throw .unreadable(path: path) }
    return text.dropLast().reduce(0) { $0 * 10 + Int64($1 - 48) }
  }

  private static func fault(_ call: String, _ path: String, _ errno: Int32) -> NonceFault {
    switch errno {
    case EACCES, EPERM, EROFS: .permission(path: path)
    case ENOENT, ENOTDIR: .folderMissing(path: path)
    default: .system(call: call, path: path, errno: errno)
    }
  }
}
