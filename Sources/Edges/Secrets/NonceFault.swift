/// Why no nonce can be had safely.
public enum NonceFault: Error, Equatable, Sendable {
  /// Another process uses this key: the two would take each other's nonces.
  case inUse(path: String)
  case permission(path: String)
  case folderMissing(path: String)
  /// Not what this build writes: what the key used last is unknown.
  case unreadable(path: String)
  case system(call: String, path: String, errno: Int32)
}

extension NonceFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inUse(let path):
      "\(path): another process uses this key; stop it, or give each process a key of its own"
    case .permission(let path):
      "\(path): permission denied; the user who runs Martlet must be able to write it"
    case .folderMissing(let path): "\(path): no such folder; create it"
    case .unreadable(let path):
      "\(path): expected the last nonce, 13 digits, found something else; if the key has not been used for 10 s, remove the file"
    case .system(let call, let path, let errno): "\(path): \(call) failed with errno \(errno)"
    }
  }
}
