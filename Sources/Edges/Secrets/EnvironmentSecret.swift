internal import CMartletCrypto
internal import Glibc

/// Secrets handed over in the environment, which every program started from here would inherit.
enum EnvironmentSecret {
  /// The value of a variable, which is wiped where it stands and taken away; nil when it is not set.
  /// To be called before other threads read the environment.
  ///
  /// - Parameter limit: a longer value gives one byte more than this.
  static func take(_ name: String, atMost limit: Int) -> Secret? {
    guard let secret = copy(name, atMost: limit) else { return nil }
    // The environment's own text, which is there because it has just been copied.
    if let value = unsafe getenv(name) { unsafe cmartlet_wipe(value, strlen(value)) }
    unsafe unsetenv(name)
    return secret
  }

  /// The same, left where it is.
  static func copy(_ name: String, atMost limit: Int) -> Secret? {
    // The environment's text lives until somebody changes that variable.
    guard let value = unsafe getenv(name) else { return nil }
    let length = unsafe strlen(value)
    return unsafe Secret(capacity: min(length, limit + 1)) { room in
      unsafe room.copyMemory(from: UnsafeRawBufferPointer(start: value, count: room.count))
      return room.count
    }
  }
}
