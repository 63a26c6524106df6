internal import Glibc

/// A system call that failed.
public struct SystemFault: Error, Hashable, Sendable {
  public let call: String
  /// The C library's error number.
  public let errno: CInt

  init(_ call: String, errno: CInt) {
    self.call = call
    self.errno = errno
  }

  /// Takes a shim's result, which is an errno negated when it is negative.
  @discardableResult
  static func check(_ call: String, _ result: CInt) throws(SystemFault) -> CInt {
    guard result >= 0 else { throw SystemFault(call, errno: -result) }
    return result
  }
}

extension SystemFault: CustomStringConvertible {
  public var description: String {
    // `strerror` answers with static text, or text of this thread, and we copy it at once.
    let text = unsafe strerror(errno).map { unsafe String(cString: $0) }
    return "\(call) failed: \(text ?? "unknown error") (\(errno))"
  }
}
