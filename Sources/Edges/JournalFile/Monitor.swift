internal import Glibc

/// A mutex with one condition that waits by the monotonic clock: a step of the calendar neither
/// hurries nor delays anybody.
@safe final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe condition.initialize(to: pthread_cond_t())
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    // Both were allocated above for one value and are freed in `deinit`.
    let made = unsafe pthread_mutex_init(mutex, nil) | pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
    precondition(made == 0, "no mutex: errno \(made)")
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  func lock() { unsafe pthread_mutex_lock(mutex) }
  func unlock() { unsafe pthread_mutex_unlock(mutex) }
  func wakeAll() { unsafe pthread_cond_broadcast(condition) }
  /// With the lock held: lets it go until woken.
  func wait() { unsafe pthread_cond_wait(condition, mutex) }
  /// With the lock held: lets it go until woken, or for this long.
  func wait(nanoseconds: Int64) {
    var until = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &until)
    let total = Int64(until.tv_nsec) + nanoseconds % 1_000_000_000
    until.tv_sec += Int(nanoseconds / 1_000_000_000 + total / 1_000_000_000)
    until.tv_nsec = Int(total % 1_000_000_000)
    unsafe pthread_cond_timedwait(condition, mutex, &until)
  }
}
