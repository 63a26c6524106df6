import Glibc

/// A folder of a test's own, removed with all it holds when the test lets go of it.
final class TemporaryFolder {
  let path: String

  /// In memory where there is such a place, so that hundreds of syncs cost nothing.
  static let fast = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"

  /// - Parameter parent: where it is made.
  init(in parent: String = TemporaryFolder.fast) {
    var template = Array("\(parent)/martlet-test-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { preconditionFailure("no temporary folder") }
    path = String(cString: made)
  }

  deinit { TemporaryFolder.remove(path) }

  static func remove(_ path: String) {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { remove(path + "/" + name) }
      }
      closedir(stream)
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}

/// A file's bytes; nil when it cannot be read.
func readFile(_ path: String) -> [UInt8]? {
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&chunk, 1, chunk.count, file)
    if count == 0 { return bytes }
    bytes += chunk[..<count]
  }
}

func writeFile(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o600) {
  unlink(path)
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
  precondition(descriptor >= 0, "cannot write \(path)")
  defer { close(descriptor) }
  var start = 0
  while start < bytes.count {
    let count = bytes.withUnsafeBytes {
      write(descriptor, $0.baseAddress.unsafelyUnwrapped + start, bytes.count - start)
    }
    precondition(count > 0, "cannot write \(path)")
    start += count
  }
  chmod(path, mode)
}
