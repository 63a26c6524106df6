internal import Glibc

/// Where what belongs to a user and to no bot alone is kept: locks, nonces, the heads of journals.
public enum UserState {
  /// `$XDG_STATE_HOME/martlet/NAME`, else `~/.local/state/martlet/NAME`, else, for a user whose home
  /// cannot be written, `/var/tmp/martlet-UID/NAME`. Made when it is not there.
  public static func folder(_ name: String) throws(KeyLockFault) -> String {
    let standard = "/martlet/" + name
    // A place that is named is not exchanged for another: two processes would not meet.
    if let state = variable("XDG_STATE_HOME"), state.hasPrefix("/") {
      guard PrivateFolders.make(state + standard) else {
        throw .system(call: "mkdir", path: state + standard, errno: errno)
      }
      return state + standard
    }
    if let home = variable("HOME") ?? passwordHome(), home.hasPrefix("/"),
      unsafe access(home, W_OK | X_OK) == 0
    {
      let folder = home + "/.local/state" + standard
      if PrivateFolders.make(folder) { return folder }
    }
    let folder = "/var/tmp/martlet-\(geteuid())"
    guard PrivateFolders.make(folder) else {
      throw .system(call: "mkdir", path: folder, errno: errno)
    }
    // Everybody may make folders there: not one of somebody else's.
    try check(folder)
    guard PrivateFolders.make(folder + "/" + name) else {
      throw .system(call: "mkdir", path: folder + "/" + name, errno: errno)
    }
    return folder + "/" + name
  }

  /// - Throws: `foreign` and `exposed` when the folder is not this user's alone.
  static func check(_ folder: String) throws(KeyLockFault) {
    var status = stat()
    guard unsafe lstat(folder, &status) == 0 else {
      throw .system(call: "lstat", path: folder, errno: errno)
    }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
      throw .foreign(path: folder)
    }
    guard status.st_mode & 0o077 == 0 else {
      throw .exposed(path: folder, mode: status.st_mode & 0o7777)
    }
  }

  private static func variable(_ name: String) -> String? {
    // The environment's text lives until somebody changes that variable, which nobody does.
    guard let value = unsafe getenv(name), unsafe value[0] != 0 else { return nil }
    return unsafe String(cString: value)
  }

  private static func passwordHome() -> String? {
    // The system's own memory until the next call, and copied before that; at start, on one thread.
    guard let entry = unsafe getpwuid(geteuid()), let home = unsafe entry.pointee.pw_dir else {
      return nil
    }
    return unsafe String(cString: home)
  }
}
