import Glibc

/// Where words go: results to standard output, everything else to standard error.
enum Console {
  static func out(_ text: String) { write(text, to: 1) }
  static func note(_ text: String) { write(text + "\n", to: 2) }

  static func ask(_ text: String) { write(text, to: 2) }
  static func fail(_ text: String) { write("martlet: " + text + "\n", to: 2) }

  private static func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }  // Nobody reads any more: there is no one to tell.
      sent += count
    }
  }
}

/// How a command ends; frozen.
enum ExitCode: Int32 {
  case done = 0
  case failed = 1
  case misuse = 2
  case unsafe = 3
  case interrupted = 130
}
