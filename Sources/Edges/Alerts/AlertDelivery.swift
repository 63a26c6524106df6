internal import Glibc
internal import MartletBase
public import MartletTransport
internal import Synchronization

/// Hands alerts to their sinks, each on a thread of its own: one that blocks or fails holds up
/// neither the kernel nor the other.
///
/// - Bounds: `waitingLimit` alerts wait for a sink; what comes beyond that is lost to it, and told by
///   the others.
public final class AlertDelivery {
  /// What a sink's thread, or a full queue before it, tells.
  public struct News: Equatable, Sendable {
    public let sink: String
    /// nil when it works again.
    public let problem: String?
  }

  static let waitingLimit = 256

  private let workers: [SinkWorker]
  private let heard: (News) -> Void

  /// - Parameters:
  ///   - loop: whose thread calls `deliver`, and is told.
  ///   - heard: called when a sink begins to fail and when it works again.
  public init(
    _ loop: EventLoop, sinks: sending [any AlertSink], heard: @escaping (News) -> Void
  ) throws(SystemFault) {
    let mail: Mailbox<News> = loop.mailbox(capacity: 64) { heard($0) }
    var workers: [SinkWorker] = []
    var left = sinks
    while !left.isEmpty {
      workers.append(try SinkWorker(SinkWorker.Held(left.removeFirst()), news: mail))
    }
    self.workers = workers
    self.heard = heard
  }

  public func deliver(_ alert: Alert) {
    for worker in workers where !worker.offer(alert) {
      guard !worker.isFull else { continue }
      worker.isFull = true
      heard(News(sink: worker.name, problem: "does not keep up; alerts are lost to it"))
    }
  }

  /// Lets the sinks write what waits, each for a second at most, and ends their threads.
  public func finish() { for worker in workers { worker.finish() } }
}

/// A sink and its thread.
private final class SinkWorker {
  /// Made by one thread and touched by the sink's own alone after that.
  final class Held: @unchecked Sendable {
    var sink: any AlertSink
    var isFailing = false
    init(_ sink: any AlertSink) { self.sink = sink }
  }

  private enum Message: Sendable {
    case alert(Alert)
    case end
  }

  private final class Waiting: Sendable { let count = Atomic<Int>(0) }

  private final class Room: @unchecked Sendable {
    let loop: EventLoop
    init() throws(SystemFault) { loop = try EventLoop(timers: 1) }
  }

  let name: String
  /// Its queue was full, and that was told.
  var isFull = false
  private let waiting: Waiting
  private let mail: Mailbox<Message>
  private let thread: SystemThread

  init(_ held: Held, news: Mailbox<AlertDelivery.News>) throws(SystemFault) {
    let waiting = Waiting()
    let room = try Room()
    self.waiting = waiting
    let name = held.sink.name
    self.name = name
    mail = room.loop.mailbox(capacity: AlertDelivery.waitingLimit + 1) { [unowned room] message in
      switch message {
      case .alert(let alert):
        do throws(AlertSinkFault) {
          try held.sink.deliver(alert)
          if held.isFailing { news.post(AlertDelivery.News(sink: name, problem: nil)) }
          held.isFailing = false
        } catch {
          if !held.isFailing {
            news.post(AlertDelivery.News(sink: name, problem: error.description))
          }
          held.isFailing = true
        }
        waiting.count.subtract(1, ordering: .releasing)
      case .end: room.loop.stop()
      }
    }
    thread = try SystemThread(name: "alerts") { room.loop.run() }
  }

  /// - Returns: false when as many wait as may.
  func offer(_ alert: Alert) -> Bool {
    guard waiting.count.load(ordering: .acquiring) < AlertDelivery.waitingLimit else {
      return false
    }
    waiting.count.add(1, ordering: .relaxed)
    guard mail.post(.alert(alert)) else {
      waiting.count.subtract(1, ordering: .relaxed)
      return false
    }
    isFull = false
    return true
  }

  func finish() {
    for _ in 0..<1_000 where waiting.count.load(ordering: .acquiring) > 0 { usleep(1_000) }
    guard waiting.count.load(ordering: .acquiring) == 0, mail.post(.end) else { return }
    thread.join()
  }
}
