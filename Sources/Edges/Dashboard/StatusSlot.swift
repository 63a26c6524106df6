internal import Glibc

/// The newest status, handed from the thread that trades to one that shows it.
///
/// Holds one; a newer one replaces what nobody took. Neither side waits long: both only swap a value
/// under the lock, and the trading thread does not even wait for that.
@safe public final class StatusSlot: @unchecked Sendable {
  // A pthread mutex by address, because the thread sanitizer understands it.
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private var newest: BotStatus?

  public init() {
    unsafe lock = .allocate(capacity: 1)
    unsafe lock.initialize(to: pthread_mutex_t())
    // A default mutex on valid memory cannot fail to initialize.
    _ = unsafe pthread_mutex_init(lock, nil)
  }

  deinit {
    // The last reference is gone, so nobody holds or waits for the lock.
    _ = unsafe pthread_mutex_destroy(lock)
    unsafe lock.deallocate()
  }

  /// Gives a status without ever waiting.
  ///
  /// - Returns: false when a reader was in the slot at this very moment; the next one, a tenth of a
  ///   second later, will do, and whoever gives the last one of a run gives it again.
  @discardableResult public func offer(_ status: BotStatus) -> Bool {
    // `lock` was initialized in `init` and lives as long as `self`.
    guard unsafe pthread_mutex_trylock(lock) == 0 else { return false }
    swap(status)
    return true
  }

  /// Takes the newest status; nil when there is none since the last time.
  public func take() -> BotStatus? {
    // As above; a reader may wait for the few instructions of a swap.
    _ = unsafe pthread_mutex_lock(lock)
    return swap(nil)
  }

  /// Leaves `status`, unlocks, and only then lets go of what was there.
  @discardableResult private func swap(_ status: BotStatus?) -> BotStatus? {
    let old = newest
    newest = status
    // Locked by the caller on this thread.
    _ = unsafe pthread_mutex_unlock(lock)
    return old
  }
}
