internal import CMartletCrypto
internal import Glibc

/// Why nobody could be asked.
public enum TerminalFault: Error, Equatable, Sendable {
  case none
  case interrupted
  case tooLong(limit: Int)
}

extension TerminalFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .none: "there is no terminal to ask at; pipe KEY:SECRET to standard input"
    case .interrupted: "interrupted"
    case .tooLong(let limit): "expected a line of at most \(limit) bytes, found more"
    }
  }
}

/// The terminal of this process, for what nobody may see typed.
public enum Terminal {
  /// Asks for one line, which is not shown as it is typed.
  ///
  /// - Returns: the line without its end.
  public static func ask(_ prompt: String, atMost limit: Int) throws(TerminalFault) -> Secret {
    let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
    guard terminal >= 0 else { throw .none }
    defer { close(terminal) }
    var before = termios()
    guard unsafe tcgetattr(terminal, &before) == 0 else { throw .none }
    var silent = before
    // Byte by byte and without signals, so that Ctrl-C is read here and the echo comes back.
    silent.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | ISIG)
    silent.c_iflag |= tcflag_t(ICRNL)
    guard unsafe tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else { throw .none }
    defer { _ = unsafe tcsetattr(terminal, TCSAFLUSH, &before) }
    say(prompt, on: terminal)
    defer { say("\n", on: terminal) }
    return try unsafe Secret(capacity: limit) { (room) throws(TerminalFault) in
      var filled = 0
      var isTooLong = false
      while true {
        var byte: UInt8 = 0
        let count = unsafe read(terminal, &byte, 1)
        if count < 0 && errno == EINTR { continue }
        defer { unsafe cmartlet_wipe(&byte, 1) }
        switch (count, byte) {
        case (1, 10):
          if isTooLong { throw .tooLong(limit: limit) }
          return filled
        case (1, 3), (1, 28): throw .interrupted
        // Ctrl-D, or the terminal is gone: what stands so far, as a terminal does it.
        case (1, 4) where filled > 0: return filled
        case (1, 8), (1, 127): filled = max(filled - 1, 0)
        case (1, 21): filled = 0
        case (1, 4): throw .interrupted
        case (1, _):
          if filled == room.count {
            isTooLong = true
          } else {
            unsafe room[filled] = byte
            filled += 1
          }
        default: throw .interrupted
        }
      }
    }
  }

  /// Everything that a pipe at standard input gives, one byte more than `limit` at most; nil when it
  /// is a terminal, or cannot be read.
  public static func pipedInput(atMost limit: Int) -> Secret? {
    guard isatty(0) == 0 else { return nil }
    return try? PrivateFile.all(of: 0, atMost: limit + 1)
  }

  /// A text without the end of its one line.
  static func line(of text: Secret) -> Secret {
    var end = text.count
    let bytes = text.span
    if end > 0, bytes[end - 1] == 10 { end -= 1 }
    if end > 0, bytes[end - 1] == 13 { end -= 1 }
    return end == text.count ? text : Secret(copying: bytes.extracting(0..<end))
  }

  private static func say(_ text: String, on terminal: Int32) {
    let bytes = Array(text.utf8)
    // Who does not see the prompt sees that something is waited for.
    _ = unsafe bytes.withUnsafeBytes { unsafe write(terminal, $0.baseAddress, $0.count) }
  }
}
