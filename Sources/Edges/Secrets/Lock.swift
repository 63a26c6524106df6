internal import Glibc

/// State that one thread at a time may touch. A mutex of the system's, because the sanitizer that
/// looks for races knows it.
@safe final class Lock<State>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var state: State

  init(_ state: State) {
    self.state = state
    unsafe mutex.initialize(to: pthread_mutex_t())
    // Allocated above for one value and freed in `deinit`.
    let made = unsafe pthread_mutex_init(mutex, nil)
    precondition(made == 0, "no mutex: errno \(made)")
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  func withLock<Result, Fault: Error>(
    _ body: (inout State) throws(Fault) -> Result
  ) throws(Fault) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&state)
  }
}
