internal import CMartletLinux
internal import Glibc

/// The calls that take a path. A Swift string is a C string for the length of such a call.
enum Paths {
  /// A descriptor, or -1 and `errno`.
  static func open(_ path: String, _ flags: Int32) -> Int32 {
    unsafe Glibc.open(path, flags | O_CLOEXEC, 0o600)
  }

  static func makeFolder(_ path: String) -> Int32 { unsafe mkdir(path, 0o700) }

  static func remove(_ path: String) -> Int32 { unsafe unlink(path) }

  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// 0 when there is no such file.
  static func bytes(_ path: String) -> Int {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  static func rename(_ path: String, to new: String) -> Int32 { unsafe Glibc.rename(path, new) }

  /// Brings a folder's entries to disk, as far as its file system does that at all.
  static func syncFolder(_ path: String) { _ = unsafe cmartlet_sync_directory(path) }

  /// Lets a lock go and closes its file. Closing alone is not enough: a process being started just
  /// now may still hold a copy of the descriptor, and the lock with it.
  static func unlock(_ descriptor: Int32) {
    _ = flock(descriptor, LOCK_UN)
    Glibc.close(descriptor)
  }
}
