internal import CMartletLinux
internal import Glibc

/// A connection to a control socket, for a program that asks and waits.
public final class LocalCaller {
  /// Why nobody answers.
  public enum Absence: Error, Equatable, Sendable {
    /// There is no socket.
    case none
    /// The socket of a process that has died.
    case dead(path: String)
    case fault(LocalFault)
  }

  public static let replyLimit = 4_194_304
  public let path: String
  private let descriptor: CInt
  private var input: [UInt8] = []

  /// - Parameter seconds: how long one answer is waited for.
  public init(_ address: LocalAddress, seconds: Int = 90) throws(Absence) {
    var absence = Absence.none
    for path in address.paths {
      // The path is a C string for the length of the call.
      let result = unsafe cmartlet_local_connect(path, CInt(seconds))
      if result >= 0 {
        descriptor = result
        self.path = path
        return
      }
      switch -result {
      case ENOENT, ENOTDIR: continue
      case ECONNREFUSED: absence = .dead(path: path)
      default: absence = .fault(.system(SystemFault("connect", errno: -result), path: path))
      }
    }
    throw absence
  }

  deinit { close(descriptor) }

  /// Sends one line and waits for its answer.
  ///
  /// - Returns: nil when the connection ended, or the time was over, before a whole line came.
  public func ask(_ line: [UInt8]) -> [UInt8]? {
    let bytes = line + [10]
    var sent = 0
    while sent < bytes.count {
      // The bytes are the array's for the length of the call.
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      // Turned away: what it said may still be read.
      if count <= 0 { break }
      sent += count
    }
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while input.count < LocalCaller.replyLimit {
      if let end = input.firstIndex(of: 10) {
        let reply = Array(input[..<end])
        input.removeSubrange(...end)
        return reply
      }
      // The room is the array's for the length of the call.
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return nil }
      input += chunk[..<count]
    }
    return nil
  }
}
