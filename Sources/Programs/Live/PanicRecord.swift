internal import Glibc
internal import MartletBase
internal import MartletClock
internal import MartletJSON
internal import MartletKernel
internal import MartletSecrets

/// What `panic` asks and hears, a JSON object a line, in a file of its own: it has no journal.
///
/// A request is written before it is signed, as it leaves but for key and signature, and a reply with all
/// its bytes. Nothing waits for the disk, and a line that cannot be written stops nothing: taking orders
/// off goes first.
final class PanicRecord {
  let path: String
  private let descriptor: Int32
  /// Why a line is missing, once one is.
  private(set) var fault: String?

  struct Fault: Error, CustomStringConvertible { let description: String }

  /// Makes the file, of mode 0600, under the user's state.
  ///
  /// - Parameter bot: its name, of letters, digits and dashes.
  /// - Throws: why there can be none.
  convenience init(bot: String, at now: Timestamp) throws {
    try self.init(path: "\(UserState.folder("panic"))/\(bot)-\(now.nanoseconds).jsonl")
  }

  /// - Parameter path: where no file is yet.
  init(path: String) throws(Fault) {
    self.path = path
    // The path is a C string for the length of the call.
    descriptor = unsafe open(
      path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Fault(description: "\(path): open failed: errno \(errno)") }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Writes one line, with the time it is now.
  ///
  /// - Parameter nonce: of a signed request; nil for a public one.
  func keep(_ nonce: Int64?, _ part: SideRecord.Part) {
    var line = ByteBuffer(capacity: 1_024)
    var writer = JSONWriter()
    func tell(_ name: StaticString, _ bytes: [UInt8]) {
      writer.key(name, into: &line)
      writer.string(text: String(decoding: bytes, as: UTF8.self), into: &line)
    }
    writer.beginObject(into: &line)
    writer.key("time_ms", into: &line)
    writer.integer(SystemClock.realtime().milliseconds, into: &line)
    writer.key("nonce", into: &line)
    if let nonce { writer.integer(nonce, into: &line) } else { writer.null(into: &line) }
    switch part {
    case .request(let target, let body, _):
      tell("event", Array("request".utf8))
      tell("method", Array((body.isEmpty ? "GET" : "POST").utf8))
      tell("target", target)
    case .reply(let status, _, _):
      tell("event", Array("reply".utf8))
      writer.key("status", into: &line)
      writer.integer(Int(status), into: &line)
    case .failed(let words):
      tell("event", Array("failed".utf8))
      tell("reason", words)
    }
    if let body = part.body(nonce: nonce ?? 0) { tell("body", body) }
    writer.endObject(into: &line)
    line.append(10)
    write(line.copy())
  }

  private func write(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      // The bytes are the array's for the length of the call.
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        if fault == nil { fault = "\(path): write failed: errno \(errno)" }
        return
      }
      sent += count
    }
  }
}
