internal import CMartletLinux
internal import Glibc
internal import MartletBase

/// How a sealed store comes from disk and gets there.
public enum StoreFile {
  static func read(_ path: String, atMost limit: Int) throws(StoreFault) -> [UInt8] {
    try checkFolder(of: path)
    do throws(PrivateFileFault) {
      let text = try PrivateFile.read(path, atMost: limit)
      let bytes = text.span
      return (0..<bytes.count).map { bytes[$0] }
    } catch {
      if case .missing = error { throw .missing(path: path) }
      throw .file(error)
    }
  }

  /// Runs `change` while no other process changes the store at `path`, whose folder is made.
  public static func exclusively<Result: ~Copyable>(
    _ path: String, _ change: () throws -> Result
  ) throws -> Result {
    let folder = folder(of: path)
    try makeFolders(folder)
    // The folder's own lock: the file is replaced, and a lock on it would go with it.
    let descriptor = unsafe Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw fault("open", folder) }
    defer { close(descriptor) }
    guard cmartlet_lock(descriptor) == 0 else { throw StoreFault.busy(path: path) }
    return try change()
  }

  public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Writes beside the file and puts that in its place: whoever reads, now or after a crash, finds
  /// the old one or the new one whole.
  static func replace(_ path: String, with bytes: [UInt8]) throws(StoreFault) {
    let folder = folder(of: path)
    try checkFolder(of: path)
    var template = Array("\(folder)/.keys-XXXXXX".utf8CString)
    // Mode 0600, whatever the umask; nobody else knows the name.
    let descriptor = unsafe mkstemp(&template)
    guard descriptor >= 0 else { throw fault("mkstemp", folder) }
    let temporary = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { close(descriptor) }
    do throws(StoreFault) {
      guard fchmod(descriptor, 0o600) == 0 else { throw fault("chmod", temporary) }
      var start = 0
      while start < bytes.count {
        let count = unsafe bytes.withUnsafeBytes {
          // The rest of an array that is not empty.
          unsafe write(
            descriptor, $0.baseAddress.unsafelyUnwrapped + start, bytes.count - start)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw fault("write", temporary) }
        start += count
      }
      guard fsync(descriptor) == 0 else { throw fault("fsync", temporary) }
      guard unsafe rename(temporary, path) == 0 else { throw fault("rename", path) }
    } catch {
      unsafe unlink(temporary)
      throw error
    }
    // The path is a C string for the length of the call.
    let synced = unsafe cmartlet_sync_directory(folder)
    guard synced == 0 else { throw .system(call: "fsync", path: folder, errno: -synced) }
  }

  /// Others who may write the folder could put their own store in place, and the user would type the
  /// passphrase for it.
  private static func checkFolder(of path: String) throws(StoreFault) {
    let folder = folder(of: path)
    var status = stat()
    guard unsafe stat(folder, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { throw .missing(path: path) }
      throw fault("stat", folder)
    }
    // In a sticky folder, others cannot touch what is not theirs.
    guard status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
      throw .exposedFolder(path: folder, mode: status.st_mode & 0o7777)
    }
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func makeFolders(_ path: String) throws(StoreFault) {
    guard PrivateFolders.make(path) else { throw fault("mkdir", path) }
  }

  private static func fault(_ call: String, _ path: String) -> StoreFault {
    .system(call: call, path: path, errno: errno)
  }
}

/// Makes folders that are this user's alone.
enum PrivateFolders {
  /// Makes a folder and those above it, mode 0700 each; those that are there stay as they are.
  /// False when one cannot be made, with the reason in `errno`.
  static func make(_ path: String) -> Bool {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += (made.isEmpty || made == "/" ? "" : "/") + part
      if unsafe mkdir(made, 0o700) != 0 && errno != EEXIST { return false }
    }
    return true
  }
}
