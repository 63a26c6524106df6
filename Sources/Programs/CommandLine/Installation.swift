import Glibc

/// Where this program and what it ships are.
enum Installation {
  /// The program's own file.
  static let program: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { return CommandLine.arguments[0] }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// The clone this program was built in: the nearest folder above it that has the bundled market.
  static let root: String? = {
    var folder = Substring(program)
    while let slash = folder.lastIndex(of: "/") {
      folder = folder[..<slash]
      if unsafe access("\(folder)/Fixtures/Markets", R_OK) == 0 { return String(folder) }
    }
    return nil
  }()

  /// The recording that the local exchange replays unless told otherwise.
  static var bundledRecording: String? {
    root.map { $0 + "/Fixtures/Markets/binance-spot_BTCUSDT_20240808T2354.mmr" }
  }

  /// Makes a folder and those above it, for this user alone.
  static func makeFolder(_ path: String) -> Bool {
    var made = ""
    for part in path.split(separator: "/", omittingEmptySubsequences: false) {
      made += made.isEmpty && part.isEmpty ? "/" : (made.isEmpty || made == "/" ? "" : "/") + part
      if made == "/" || made.isEmpty { continue }
      if unsafe mkdir(made, 0o700) != 0 && errno != EEXIST { return false }
    }
    return true
  }

  /// Writes a file with `mode`, replacing what was there.
  static func write(_ text: String, to path: String, mode: mode_t) -> Bool {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    _ = fchmod(descriptor, mode)
    let bytes = Array(text.utf8)
    return unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      == bytes.count
  }

  /// Removes the oldest of the folders in `path` whose names end in `-PID` and begin with their time,
  /// but for those of processes that live, until `kept` are left.
  static func prune(_ path: String, keeping kept: Int) {
    guard let folder = unsafe opendir(path) else { return }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      // A C string within the entry, copied before the next one is read.
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.first?.isNumber == true, name.contains("-") { names.append(name) }
    }
    unsafe closedir(folder)
    for name in names.sorted().dropLast(kept) {
      guard let process = name.split(separator: "-").last.flatMap({ pid_t($0) }), process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      // What cannot be removed stays: it costs room and nothing else. Links are not followed.
      let rm = try? ChildProcess("/bin/rm", ["-rf", "--", "\(path)/\(name)"], output: .dropped)
      rm?.reap(blocking: true)
    }
  }

  /// Removes a file, and its folder if nothing else is in it.
  static func removeWithFolder(_ path: String) {
    unsafe unlink(path)
    guard let slash = path.lastIndex(of: "/") else { return }
    unsafe rmdir(String(path[..<slash]))
  }

  /// Removes a folder with all that is in it; links are not followed.
  static func removeTree(_ path: String) {
    // Paths are C strings for the length of each call; an entry lives until the next is read.
    guard let directory = unsafe opendir(path) else { return }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      names.append(
        unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
          unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    unsafe closedir(directory)
    for name in names where name != "." && name != ".." {
      // What cannot be unlinked is a folder, or will not go at all.
      if unsafe unlink("\(path)/\(name)") != 0 { removeTree("\(path)/\(name)") }
    }
    unsafe rmdir(path)
  }
}
