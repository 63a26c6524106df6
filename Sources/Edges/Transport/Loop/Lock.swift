internal import Glibc

/// State that several threads share, behind one mutex.
///
/// A `pthread_mutex_t` and not `Synchronization.Mutex`, which the thread sanitizer cannot follow.
@safe final class Lock<State>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var state: State

  init(_ state: sending State) {
    self.state = state
    // One address from here to `deinit`, as the mutex must not move.
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    let result = unsafe pthread_mutex_init(mutex, nil)
    precondition(result == 0, "pthread_mutex_init failed with error \(result)")
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// Runs `body` alone. It must not come back to this lock.
  func withLock<Result>(_ body: (inout State) -> Result) -> Result {
    // Initialized in `init`, at one address until `deinit`.
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(&state)
  }
}
