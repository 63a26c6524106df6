public import MartletBase

/// Runs an action on the loop's thread once its time has come; can be armed again and again.
///
/// The loop holds it while it is armed, so an action that holds the timer's owner should do so weakly.
public final class LoopTimer {
  private unowned let loop: EventLoop
  private let action: () -> Void
  private var token: TimerToken?
  /// When it will fire; nil when it is not armed.
  public private(set) var deadline: LoopTime?

  /// - Parameter loop: outlives the timer.
  public init(_ loop: EventLoop, action: @escaping () -> Void) {
    self.loop = loop
    self.action = action
  }

  /// Arms it anew; a time in the past fires in the loop's next turn.
  public func arm(at time: LoopTime) {
    disarm()
    deadline = time
    token = loop.set(self, at: time)
  }

  public func arm(after span: TimeSpan) { arm(at: loop.clock() + span) }

  /// Arms it for `time` unless it fires before: its owner then looks again at what is due.
  func arm(noLaterThan time: LoopTime) {
    if let deadline, deadline <= time { return }
    arm(at: time)
  }

  public func disarm() {
    if let token { loop.cancel(token) }
    token = nil
    deadline = nil
  }

  func fire() {
    token = nil
    deadline = nil
    action()
  }
}
