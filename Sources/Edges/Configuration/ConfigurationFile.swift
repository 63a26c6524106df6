internal import Glibc

/// A configuration file's bytes, one more at most than a document may have.
func readFile(_ path: String) throws(ConfigurationFault) -> [UInt8] {
  // The path is a C string for the length of the call.
  let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
  guard descriptor >= 0 else {
    let reason =
      switch errno {
      case ENOENT, ENOTDIR:
        "no such file; name a configuration, or write one as Docs/Commands.md shows"
      case EACCES, EPERM: "permission denied"
      default: "cannot be opened, errno \(errno)"
      }
    throw .unreadable(path: path, reason: reason)
  }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: TOMLTable.maximumBytes + 1)
  var filled = 0
  while filled < bytes.count {
    let count = unsafe bytes.withUnsafeMutableBytes {
      // Not empty; the rest of the room is what is asked for.
      unsafe read(descriptor, $0.baseAddress.unsafelyUnwrapped + filled, $0.count - filled)
    }
    guard count >= 0 else {
      let reason =
        errno == EISDIR ? "expected a file, found a folder" : "unreadable, errno \(errno)"
      throw .unreadable(path: path, reason: reason)
    }
    if count == 0 { break }
    filled += count
  }
  bytes.removeLast(bytes.count - filled)
  return bytes
}
