internal import Glibc
internal import MartletBase

/// One JSON object a line, appended to a file of mode 0600.
///
/// - Bounds: at `limit` bytes the file moves to `PATH.1`, over the one that was there, and a new one
///   begins: twice that is kept. Opened for every alert, so that a file moved away by others is made
///   again.
public struct AlertFileSink: AlertSink {
  public static let standardLimit = 4_194_304
  public let name: String
  private let bot: String
  private let limit: Int

  public init(path: String, bot: String, limit: Int = AlertFileSink.standardLimit) {
    name = path
    self.bot = bot
    self.limit = limit
  }

  public mutating func deliver(_ alert: Alert) throws(AlertSinkFault) {
    var buffer = ByteBuffer(capacity: 1_024)
    alert.writeJSON(bot: bot, into: &buffer)
    let line = buffer.copy()
    var descriptor = try openFile()
    defer { close(descriptor) }
    var facts = stat()
    guard unsafe fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      throw AlertSinkFault("\(name) is not a file")
    }
    if Int(facts.st_size) + line.count > limit, facts.st_size > 0 {
      // Both paths are C strings for the length of the call.
      guard unsafe rename(name, name + ".1") == 0 else { throw fault("rename") }
      close(descriptor)
      descriptor = -1
      descriptor = try openFile()
    }
    try AlertFileSink.write(line, to: descriptor, name)
  }

  private func openFile() throws(AlertSinkFault) -> Int32 {
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    // Paths are C strings for the length of a call.
    var descriptor = unsafe open(name, flags, 0o600)
    if descriptor < 0 && errno == ENOENT {
      makeFolders()
      descriptor = unsafe open(name, flags, 0o600)
    }
    guard descriptor >= 0 else { throw fault("open") }
    return descriptor
  }

  private func makeFolders() {
    var made = name.hasPrefix("/") ? "/" : ""
    for part in name.split(separator: "/").dropLast() {
      made += (made.isEmpty || made == "/" ? "" : "/") + part
      // What cannot be made is told by the file that should be in it.
      _ = unsafe mkdir(made, 0o700)
    }
  }

  private func fault(_ call: String) -> AlertSinkFault {
    AlertFileSink.fault(call, name, errno)
  }

  private static func fault(_ call: String, _ name: String, _ errno: Int32) -> AlertSinkFault {
    // `strerror` answers with text that is copied at once.
    let words = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
    return AlertSinkFault("\(name): \(call): \(words)")
  }

  static func write(_ bytes: [UInt8], to descriptor: Int32, _ name: String) throws(AlertSinkFault) {
    var sent = 0
    while sent < bytes.count {
      // The bytes are the array's for the length of the call.
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw fault("write", name, errno) }
      sent += count
    }
  }
}
