internal import Glibc
internal import MartletTransport
internal import Synchronization

/// Prints on a thread of its own: a terminal that is held, or a pipe that nobody reads, must not hold
/// up the kernel.
///
/// - Bounds: one text waits or is being written; what comes meanwhile is not taken.
final class StatusPrinter {
  private enum Message: Sendable {
    case text(String)
    case end
  }

  private let isWriting: WritingFlag
  private let mail: Mailbox<Message>
  private let thread: SystemThread

  /// Whether something is being written; shared with the thread that writes.
  private final class WritingFlag: Sendable { let value = Atomic(false) }

  /// Made here and touched by its own thread alone after that.
  private final class Worker: @unchecked Sendable {
    let loop: EventLoop
    init() throws(SystemFault) { loop = try EventLoop(timers: 1) }
  }

  init(print: @escaping @Sendable (String) -> Void) throws(SystemFault) {
    let flag = WritingFlag()
    let worker = try Worker()
    isWriting = flag
    mail = worker.loop.mailbox(capacity: 2) { [unowned worker] in
      switch $0 {
      case .text(let text):
        print(text)
        flag.value.store(false, ordering: .releasing)
      case .end: worker.loop.stop()
      }
    }
    thread = try SystemThread(name: "printer") { worker.loop.run() }
  }

  /// Whether what was offered last has been written.
  var isIdle: Bool { !isWriting.value.load(ordering: .acquiring) }

  /// - Returns: false while the last text is still being written: this one is not taken.
  @discardableResult
  func offer(_ text: String) -> Bool {
    guard !isWriting.value.exchange(true, ordering: .acquiring) else { return false }
    return mail.post(.text(text))
  }

  /// Writes the last text and ends the thread, if the reader lets it within a second.
  ///
  /// - Returns: false when nobody reads: nothing more is to be printed.
  func finish(_ text: String) -> Bool {
    guard isIdleWithinASecond(), offer(text), isIdleWithinASecond() else { return false }
    mail.post(.end)
    thread.join()
    return true
  }

  private func isIdleWithinASecond() -> Bool {
    for _ in 0..<1_000 where !isIdle { usleep(1_000) }
    return isIdle
  }
}
