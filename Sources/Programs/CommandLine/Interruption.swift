import Glibc
import Synchronization

/// Ctrl-C and SIGTERM as a flag: the loops look at it and end in order.
enum Interruption {
  private static let requested = Atomic<Int>(0)

  static var isRequested: Bool { requested.load(ordering: .relaxed) > 0 }
  /// Asked more than once: the user does not want to wait.
  static var isUrgent: Bool { requested.load(ordering: .relaxed) > 1 }

  /// From now on the two signals set the flag; a write to a closed socket is an error, not a death.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      // An atomic add is all that a signal handler may safely do here.
      signal(number) { _ in Interruption.requested.add(1, ordering: .relaxed) }
    }
    signal(SIGPIPE, SIG_IGN)
  }
}
