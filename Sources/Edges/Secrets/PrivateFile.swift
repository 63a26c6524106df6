internal import Glibc

/// Why a file that is to be this user's alone cannot be read. Says which and what to do.
public enum PrivateFileFault: Error, Equatable, Sendable {
  case missing(path: String)
  case permission(path: String)
  /// Others than the owner may read or write it.
  case exposed(path: String, mode: UInt32)
  /// Somebody else owns it and can change it.
  case foreignOwner(path: String, owner: UInt32)
  case notAFile(path: String)
  case system(call: String, path: String, errno: Int32)
}

extension PrivateFileFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let path): "\(path): no such file"
    case .permission(let path):
      "\(path): permission denied; the user who runs Martlet must own the file"
    case .exposed(let path, let mode):
      "\(path): expected mode 0600, found 0\(String(mode, radix: 8)), so others may read it; run: chmod 600 \(path)"
    case .foreignOwner(let path, let owner):
      "\(path): owned by user \(owner); the user who runs Martlet must own the file"
    case .notAFile(let path): "\(path): expected a file, found something else"
    case .system(let call, let path, let errno): "\(path): \(call) failed with errno \(errno)"
    }
  }
}

/// Reads files that nobody but their owner may read, straight into memory for secrets.
enum PrivateFile {
  /// The file's bytes, having checked on the open file itself that it is nobody else's.
  ///
  /// - Parameter limit: a longer file gives one byte more than this, and the rest is left.
  static func read(_ path: String, atMost limit: Int) throws(PrivateFileFault) -> Secret {
    // The path is a C string for the length of the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      switch errno {
      case ENOENT, ENOTDIR: throw .missing(path: path)
      case EACCES, EPERM: throw .permission(path: path)
      default: throw .system(call: "open", path: path, errno: errno)
      }
    }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .system(call: "fstat", path: path, errno: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    guard status.st_mode & 0o077 == 0 else {
      throw .exposed(path: path, mode: status.st_mode & 0o7777)
    }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw .foreignOwner(path: path, owner: status.st_uid)
    }
    // A byte more than the file has tells that it is being written; so no more room is needed.
    let room = min(limit, max(Int(status.st_size), 0)) + 1
    do throws(Broken) {
      return try all(of: descriptor, atMost: room)
    } catch {
      throw .system(call: "read", path: path, errno: error.errno)
    }
  }

  struct Broken: Error { let errno: Int32 }

  /// What a descriptor gives until its end, or until `room` bytes are full.
  static func all(of descriptor: Int32, atMost room: Int) throws(Broken) -> Secret {
    try unsafe Secret(capacity: room) { (bytes) throws(Broken) in
      var filled = 0
      while filled < bytes.count {
        // Not empty; the rest of the room is what is asked for.
        let count = unsafe Glibc.read(
          descriptor, bytes.baseAddress.unsafelyUnwrapped + filled, bytes.count - filled)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw Broken(errno: errno) }
        if count == 0 { break }
        filled += count
      }
      return filled
    }
  }
}
