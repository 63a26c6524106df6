internal import CMartletLinux
internal import Glibc

/// Wakes a loop from any thread; owns the loop's eventfd for as long as anyone may use it.
final class Waker: Sendable {
  let descriptor: CInt

  init() throws(SystemFault) {
    descriptor = try SystemFault.check("eventfd", cmartlet_eventfd_create())
  }

  deinit { close(descriptor) }

  func wake() {
    // It fails only for a descriptor that is not open, and this one is until `deinit`.
    _ = cmartlet_eventfd_signal(descriptor)
  }

  func drain() { _ = cmartlet_eventfd_drain(descriptor) }
}

/// Hands values from any thread to a loop, in order.
///
/// - Bounds: `capacity` values wait at most; it never blocks.
public final class Mailbox<Message: Sendable>: Sendable {
  private let waker: Waker
  private let waiting = Lock<[Message]>([])
  public let capacity: Int

  init(waker: Waker, capacity: Int) {
    precondition(capacity > 0, "a mailbox for \(capacity) messages")
    self.waker = waker
    self.capacity = capacity
  }

  /// - Parameter spare: places that this message leaves to others.
  /// - Returns: false when no more than `spare` places are left: the message is not taken.
  @discardableResult
  public func post(_ message: Message, leaving spare: Int = 0) -> Bool {
    let position: Int? = waiting.withLock { messages in
      guard messages.count < capacity - spare else { return nil }
      messages.append(message)
      return messages.count
    }
    // Whoever put the first one in has woken the loop, which takes all.
    if position == 1 { waker.wake() }
    return position != nil
  }

  /// What waits, in order. For the loop's own thread, once the loop turns no more and hands nothing out.
  public func takeAll() -> [Message] {
    waiting.withLock { messages in
      defer { messages = [] }
      return messages
    }
  }
}
