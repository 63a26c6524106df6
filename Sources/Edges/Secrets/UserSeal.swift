internal import CMartletCrypto
internal import CMartletLinux
internal import Glibc

/// A key of the user's own that seals what this user's Martlet has written: 32 random bytes in a file
/// of mode 0600, made once. Who does not have it cannot change what it seals unseen.
public struct UserSeal: Sendable {
  public static let bytes = 32
  private let key: Secret

  /// Reads the key, and makes it when it is not there.
  public init(keyAt path: String) throws(PrivateFileFault) {
    if let key = try UserSeal.read(path) {
      self.key = key
      return
    }
    try UserSeal.make(path)
    guard let key = try UserSeal.read(path) else { throw .missing(path: path) }
    self.key = key
  }

  /// - Returns: nil when there is none.
  private static func read(_ path: String) throws(PrivateFileFault) -> Secret? {
    let key: Secret
    do throws(PrivateFileFault) { key = try PrivateFile.read(path, atMost: bytes) } catch {
      if case .missing = error { return nil }
      throw error
    }
    guard key.count == bytes else { throw .notAFile(path: path) }
    return key
  }

  /// HMAC-SHA256 of `bytes` under the key.
  public func code(of bytes: Span<UInt8>) -> [UInt8] { hmacSHA256(key: key.span, message: bytes) }

  /// Another process may make it at the same time: whoever comes first has made it.
  private static func make(_ path: String) throws(PrivateFileFault) {
    var bytes = [UInt8](repeating: 0, count: UserSeal.bytes)
    precondition(
      unsafe cmartlet_random(&bytes, bytes.count) >= 0, "the system gives no random bytes")
    let new = path + ".\(getpid())"
    // All of them, of which the file is to have the only copy.
    defer { unsafe cmartlet_wipe(&bytes, bytes.count) }
    _ = unsafe unlink(new)
    // The path is a C string for the length of the call; a link put there leads nowhere.
    let descriptor = unsafe open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", path: new, errno: errno) }
    let written = unsafe write(descriptor, bytes, bytes.count)
    let isKept = written == bytes.count && fsync(descriptor) == 0
    let failure = errno
    close(descriptor)
    defer { _ = unsafe unlink(new) }
    guard isKept else { throw .system(call: "write", path: new, errno: failure) }
    guard unsafe link(new, path) == 0 || errno == EEXIST else {
      throw .system(call: "link", path: path, errno: errno)
    }
  }
}
