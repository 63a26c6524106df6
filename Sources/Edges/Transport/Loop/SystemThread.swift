internal import CMartletLinux
internal import Glibc

/// A thread of the system, for a loop of its own or for work that blocks.
public final class SystemThread: @unchecked Sendable {
  /// What the new thread takes with it; it is the only one to use it.
  private final class Luggage {
    let name: String
    let processor: Int?
    let body: @Sendable () -> Void

    init(name: String, processor: Int?, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.processor = processor
      self.body = body
    }
  }

  // Written in `init` and read by `join`, which has one caller.
  private var thread = pthread_t()

  /// Starts a thread.
  ///
  /// - Parameters:
  ///   - name: as the system's tools show it; 15 bytes are kept.
  ///   - processor: the one to stay on; nil for any. One that does not exist is ignored.
  ///   - body: what it does; the thread ends when this returns.
  /// - Throws: `SystemFault` when the process may not have another thread.
  public init(name: String, processor: Int? = nil, body: @escaping @Sendable () -> Void)
    throws(SystemFault)
  {
    let luggage = Luggage(name: name, processor: processor, body: body)
    // The new thread takes this reference over; if there is none, it is given back below.
    let handed = unsafe Unmanaged.passRetained(luggage)
    let result = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        // Retained for us by the thread that started this one.
        let luggage = unsafe Unmanaged<Luggage>.fromOpaque(argument).takeRetainedValue()
        // Neither matters to what the thread does.
        _ = unsafe cmartlet_name_thread(luggage.name)
        if let processor = luggage.processor { _ = cmartlet_pin_thread(CInt(processor)) }
        luggage.body()
        return nil
      }, handed.toOpaque())
    guard result == 0 else {
      // No thread took it.
      unsafe handed.release()
      throw SystemFault("pthread_create", errno: result)
    }
  }

  /// Waits until the thread has ended. Call it once, or the thread's record stays until the process ends.
  public func join() {
    let result = pthread_join(thread, nil)
    precondition(result == 0, "pthread_join failed with error \(result): joined twice?")
  }
}
