internal import CMartletLinux
internal import Glibc

/// Where a program's control socket is: in its folder, or, when that path is too long for a socket, in
/// a folder of the user's own under a name that the folder's path gives.
public struct LocalAddress: Equatable, Sendable {
  public static let name = "control"
  public static var longestPath: Int { Int(CMARTLET_LOCAL_PATH_LIMIT) }

  public let folder: String
  public init(folder: String) { self.folder = folder }

  /// The paths it may be at; the first one that can be made is used.
  public var paths: [String] {
    let near = folder + "/" + LocalAddress.name
    if near.utf8.count <= LocalAddress.longestPath { return [near] }
    let name = "/" + LocalAddress.hash(absolute) + "." + LocalAddress.name
    return LocalAddress.shortFolders().map { $0 + name }
  }

  /// Folders for sockets, each for this user alone.
  private static func shortFolders() -> [String] {
    var folders: [String] = []
    // The environment's text is copied at once; nothing here changes it.
    if let runtime = unsafe getenv("XDG_RUNTIME_DIR").map({ unsafe String(cString: $0) }),
      runtime.hasPrefix("/"), runtime.utf8.count < 60
    {
      folders.append(runtime + "/martlet")
    }
    folders.append("/tmp/martlet-\(geteuid())")
    return folders
  }

  private var absolute: String {
    // The result is ours to free, and copied before.
    guard let found = unsafe realpath(folder, nil) else { return folder }
    defer { unsafe free(found) }
    return unsafe String(cString: found)
  }

  /// Sixteen hexadecimal digits, the same in every process.
  private static func hash(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Makes a folder of the user's own for a path outside the bot's.
  func prepare(_ path: String) throws(LocalFault) {
    guard !path.hasPrefix(folder + "/") else { return }
    let parent = path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    // Paths are C strings for the length of a call.
    _ = unsafe mkdir(parent, 0o700)
    var facts = stat()
    guard unsafe lstat(parent, &facts) == 0 else {
      throw .system(SystemFault("lstat", errno: errno), path: parent)
    }
    // In a folder that all may write to, another user may have made it first.
    guard facts.st_mode & S_IFMT == S_IFDIR, facts.st_uid == geteuid(),
      facts.st_mode & 0o077 == 0
    else { throw .notOurs(path: parent) }
  }
}

/// Why a control socket cannot be had.
public enum LocalFault: Error, Equatable, Sendable {
  /// A process that is alive listens there.
  case inUse(path: String)
  /// A folder or file of somebody else's, or one that others may change.
  case notOurs(path: String)
  case system(SystemFault, path: String)
}

extension LocalFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inUse(let path): "\(path): another process answers there; stop it first"
    case .notOurs(let path):
      "\(path): expected a folder or socket of this user alone, found another; remove it"
    case .system(let fault, let path): "\(path): \(fault)"
    }
  }
}
