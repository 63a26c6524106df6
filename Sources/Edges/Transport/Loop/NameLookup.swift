internal import CMartletLinux
internal import Glibc

/// Finds the addresses of hosts for one loop, each on a thread of its own: the system's resolver
/// blocks for as long as its servers are silent.
///
/// - Bounds: 16 names are looked up at a time.
final class NameLookup {
  static let limit = 16

  /// The numeric addresses, in the order to try them; or why there are none.
  enum Answer: Equatable, Sendable {
    case addresses([String])
    case failed(String)
  }

  private struct Pending {
    let thread: SystemThread
    let handler: (Answer) -> Void
  }

  private struct Message: Sendable {
    let lookup: UInt64
    let answer: Answer
  }

  private var pending: [UInt64: Pending] = [:]
  private var last: UInt64 = 0
  private var mail: Mailbox<Message>?

  init(_ loop: EventLoop) {
    mail = loop.mailbox(capacity: NameLookup.limit) { [weak self] in self?.take($0) }
  }

  /// Looks a name up; `handler` hears the answer on the loop's thread, later.
  ///
  /// - Throws: `SystemFault` when too many are under way or there is no thread: it hears nothing.
  func find(_ host: String, handler: @escaping (Answer) -> Void) throws(SystemFault) {
    guard pending.count < NameLookup.limit, let mail else {
      throw SystemFault("getaddrinfo", errno: EAGAIN)
    }
    last += 1
    let lookup = last
    let thread = try SystemThread(name: "resolver") {
      mail.post(Message(lookup: lookup, answer: NameLookup.ask(host)))
    }
    pending[lookup] = Pending(thread: thread, handler: handler)
  }

  private func take(_ message: Message) {
    guard let pending = pending.removeValue(forKey: message.lookup) else { return }
    // Posting was the last it did.
    pending.thread.join()
    pending.handler(message.answer)
  }

  /// Asks the system; blocks.
  private static func ask(_ host: String) -> Answer {
    let size = Int(CMARTLET_ADDRESS_SIZE)
    var room = [CChar](repeating: 0, count: Int(CMARTLET_ADDRESS_LIMIT) * size)
    return unsafe room.withUnsafeMutableBufferPointer { room -> Answer in
      var count: CInt = 0
      // The room is as large as the call was promised, the name lives for it, and it ends each text.
      let start = unsafe room.baseAddress.unsafelyUnwrapped
      if let reason = unsafe cmartlet_resolve(host, start, &count) {
        return unsafe .failed(String(cString: reason))
      }
      return .addresses((0..<Int(count)).map { unsafe String(cString: start + $0 * size) })
    }
  }
}
