internal import MartletBase
internal import MartletClock
internal import MartletKernel
internal import Synchronization

/// Takes what signed requests beside the kernel's own leave for the journal, by nonce, and says whether it
/// stands there.
typealias SideKeeper = (_ nonce: Int64, _ part: SideRecord.Part) -> Bool

/// Carries side records from one thread, which asks, to the one that writes the journal, and lets the first
/// wait until one has arrived.
///
/// The journal's thread never waits here: it counts what it has taken.
final class SideCarrier: Sendable {
  /// Of a reply no more is carried; it lies in memory until the journal's thread takes it.
  static let mostBytes = 65_536
  private static let step = TimeSpan(nanoseconds: 100_000)

  /// Of the asking thread alone.
  private let handed = Atomic<UInt64>(0)
  private let taken = Atomic<UInt64>(0)
  private let isClosed = Atomic<Bool>(false)

  /// Hands a record on, of the asking thread alone.
  ///
  /// - Parameters:
  ///   - patience: how long it is waited for until the journal's thread has taken it; zero waits for nothing.
  ///   - post: hands it to the other thread; false when there is no room.
  /// - Returns: whether there was room for it, and whether it was taken in time; what was handed on and not yet
  ///   taken is as soon as that thread can.
  func carry(
    _ record: SideRecord, patience: TimeSpan, by post: (SideRecord) -> Bool
  ) -> (isHanded: Bool, isTaken: Bool) {
    let number = handed.load(ordering: .relaxed) + 1
    guard post(record.clipped(to: SideCarrier.mostBytes)) else { return (false, false) }
    handed.store(number, ordering: .relaxed)
    let end = SystemClock.monotonic() + patience
    while taken.load(ordering: .acquiring) < number {
      guard !isClosed.load(ordering: .acquiring), SystemClock.monotonic() < end else {
        return (true, false)
      }
      SystemClock.sleep(SideCarrier.step)
    }
    return (true, true)
  }

  /// One more is in the journal, or the journal takes none.
  func take() { taken.wrappingAdd(1, ordering: .releasing) }

  /// Nobody need wait any more.
  func close() { isClosed.store(true, ordering: .releasing) }
}
