import Glibc
import Synchronization

/// Ctrl-C, SIGTERM and a closed terminal as a flag: the loops look at it and end in order.
enum Interruption {
  private static let requested = Atomic<Int>(0)
  private static let interrupts = Atomic<Int>(0)

  static var isRequested: Bool { requested.load(ordering: .relaxed) > 0 }
  /// Ctrl-C more than once: the user does not want to wait.
  static var isUrgent: Bool { interrupts.load(ordering: .relaxed) > 1 }

  /// From now on these signals set the flag; a write to a closed socket is an error, not a death.
  static func watch() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // Atomic adds are all that a signal handler may safely do here.
      let before = signal(number) { number in
        Interruption.requested.add(1, ordering: .relaxed)
        if number == SIGINT { Interruption.interrupts.add(1, ordering: .relaxed) }
      }
      // Who had it ignored, as nohup does, wants us to outlive the terminal.
      if number == SIGHUP, isIgnoring(before) { signal(number, SIG_IGN) }
    }
    signal(SIGPIPE, SIG_IGN)
  }

  private static func isIgnoring(_ handler: __sighandler_t?) -> Bool {
    // Compared as addresses and not called; both are pointers to functions, or nil.
    unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
