internal import CMartletLinux
internal import Glibc
public import MartletBase

/// Keeps every other process of this user off a key, from whichever folder it is started, as long as
/// this one lives. The system lets go of it however the process ends.
///
/// One file a key, named by its fingerprint, in a folder of the user's own; it says who holds the
/// lock. Another user, another machine, and a process with another `XDG_STATE_HOME` are not kept off.
public final class KeyLock: Sendable {
  /// Who holds a key.
  public struct Holder: Equatable, Sendable, CustomStringConvertible {
    public let process: Int32
    /// What the bot is called, or what else uses the key.
    public let name: String
    /// Such as `2026-01-31T08:15:00Z`.
    public let since: String
    public var description: String { "“\(name)” (process \(process), since \(since))" }
  }

  public let path: String
  private let descriptor: Int32

  /// Takes the lock.
  ///
  /// - Parameters:
  ///   - name: what the next one that wants the key is told; at most 64 bytes of it.
  ///   - folder: where locks are; the user's own place unless a test names another.
  public init(
    _ credentials: Credentials, for name: String, at now: Timestamp, in folder: String? = nil
  ) throws(KeyLockFault) {
    let place: String
    if let folder { place = folder } else { place = try KeyLock.folder() }
    try UserState.check(place)
    path = "\(place)/\(credentials.fingerprint).lock"
    // A link put there leads nowhere; the path is a C string for the length of the call.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", path: path, errno: errno) }
    guard cmartlet_lock(descriptor) == 0 else {
      let holder = KeyLock.holder(descriptor)
      close(descriptor)
      throw .inUse(path: path, holder: holder)
    }
    self.descriptor = descriptor
    // One write; whoever reads in the moment before it only misses a name.
    let text = Array(KeyLock.text(name, now).utf8)
    _ = ftruncate(descriptor, 0)
    let written = unsafe text.withUnsafeBytes {
      unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0)
    }
    guard written == text.count else {
      throw .system(call: "write", path: path, errno: errno)
    }
  }

  deinit {
    // A copy of the descriptor in a process being started must not keep the lock.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// Where the key's last nonce stands.
  public var noncePath: String { String(path.dropLast(5)) + ".nonce" }

  /// Where the locks are.
  public static func folder() throws(KeyLockFault) -> String { try UserState.folder("locks") }

  // MARK: What the file says

  private static func text(_ name: String, _ now: Timestamp) -> String {
    let name = String(decoding: name.utf8.prefix(64).map { $0 < 32 ? 63 : $0 }, as: UTF8.self)
    return "process \(getpid())\nname \(name)\nsince \(calendar(now))\n"
  }

  private static func holder(_ descriptor: Int32) -> Holder? {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    var process: Int32?
    var name: String?
    var since: String?
    for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      guard words.count == 2 else { continue }
      switch words[0] {
      case "process": process = Int32(words[1])
      case "name": name = words[1]
      case "since": since = words[1]
      default: break
      }
    }
    guard let process, let name, let since else { return nil }
    return Holder(process: process, name: name, since: since)
  }

  /// Such as `2026-01-31T08:15:00Z`.
  static func calendar(_ time: Timestamp) -> String {
    var seconds = time_t(time.seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = unsafe strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Why a key cannot be used by this process.
public enum KeyLockFault: Error, Equatable, Sendable {
  /// nil when whoever holds it has not yet said who it is.
  case inUse(path: String, holder: KeyLock.Holder?)
  /// Others may read or change the folder.
  case exposed(path: String, mode: UInt32)
  /// The folder is somebody else's, or no folder.
  case foreign(path: String)
  case system(call: String, path: String, errno: Int32)
}

extension KeyLockFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inUse(let path, let holder):
      "\(holder.map { "\($0)" } ?? "another process") uses this key; stop it, or give each bot a key of its own (\(path))"
    case .exposed(let path, let mode):
      "\(path): expected mode 0700, found 0\(String(mode, radix: 8)), so others may spoil its locks; run: chmod 700 \(path)"
    case .foreign(let path):
      "\(path): expected a folder of this user's own, found something else; name another place with XDG_STATE_HOME"
    case .system(let call, let path, let errno): "\(path): \(call) failed with errno \(errno)"
    }
  }
}
