internal import Glibc
public import MartletBase

/// That a person has once said to know what a key may do and what trading with it means: a file beside
/// the key's lock, one a key and address.
///
/// A venue that tells nobody what a key may do leaves it to whoever made the key.
public struct KeyConsent: Sendable {
  public let path: String
  private let address: String
  private let fingerprint: String

  /// - Parameters:
  ///   - address: of the venue's REST interface; consent for one is none for another.
  ///   - folder: where it is kept; beside the locks unless a test names another.
  public init(
    _ credentials: Credentials, at address: String, in folder: String? = nil
  ) throws(KeyLockFault) {
    let place: String
    if let folder { place = folder } else { place = try KeyLock.folder() }
    fingerprint = credentials.fingerprint
    path = "\(place)/\(fingerprint).consent"
    self.address = address
  }

  /// The line that was written when it was given; nil when it was not.
  public func given() -> String? {
    // The path is a C string for the length of the call; a link leads nowhere.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_uid == geteuid()
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: KeyConsent.limit)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
      .last { $0.hasPrefix(head) }
  }

  /// Writes it down, for good.
  ///
  /// - Returns: the line.
  public func give(at now: Timestamp, by name: String) throws(KeyLockFault) -> String {
    let line = head + "bot \(name), user \(geteuid()), \(KeyLock.calendar(now))"
    let descriptor = unsafe open(
      path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", path: path, errno: errno) }
    defer { close(descriptor) }
    let text = Array((line + "\n").utf8)
    let written = unsafe text.withUnsafeBytes {
      unsafe write(descriptor, $0.baseAddress, $0.count)
    }
    guard written == text.count, fsync(descriptor) == 0 else {
      throw .system(call: "write", path: path, errno: errno)
    }
    return line
  }

  private var head: String { "key \(fingerprint) at \(address): " }

  /// Some addresses' lines.
  private static let limit = 65_536
}
