import CMartletLinux
import Glibc
import MartletBase
import Testing

@testable import MartletTransport

@Suite struct EventLoopTests {
  @Test func timersFireInOrderAndThoseDueTogetherAsTheyWereSet() throws {
    let loop = try EventLoop()
    var fired: [Int] = []
    let timers = (0..<6).map { number in LoopTimer(loop) { fired.append(number) } }
    let now = loop.clock()
    timers[4].arm(at: now + .milliseconds(3))
    timers[3].arm(at: now + .milliseconds(2))
    timers[0].arm(at: now + .milliseconds(1))
    timers[1].arm(at: now + .milliseconds(1))
    timers[2].arm(at: now + .milliseconds(1))
    timers[5].arm(at: now)
    timers[3].disarm()
    #expect(timers[3].deadline == nil && timers[4].deadline == now + .milliseconds(3))
    loop.turn(until: { fired.count == 5 })
    #expect(fired == [5, 0, 1, 2, 4])
    #expect(loop.clock() >= now + .milliseconds(3))
  }

  @Test func aTimerCanBeArmedAgainByItsOwnAction() throws {
    let loop = try EventLoop()
    var count = 0
    var timer: LoopTimer?
    timer = LoopTimer(loop) {
      count += 1
      if count < 5 { timer?.arm(after: .zero) }
    }
    timer?.arm(after: .milliseconds(1))
    loop.turn(until: { count == 5 })
    #expect(timer?.deadline == nil)
    timer = nil
  }

  @Test func mailFromOtherThreadsArrivesInOrderAndWithinTheBound() throws {
    let loop = try EventLoop()
    var received: [Int] = []
    let mailbox = loop.mailbox(capacity: 100) { received.append($0) }
    let thread = try SystemThread(name: "sender") {
      var next = 0
      while next < 10_000 {
        // A full mailbox refuses; the sender decides what that means.
        if mailbox.post(next) { next += 1 } else { sched_yield() }
      }
    }
    loop.turn(until: { received.count == 10_000 })
    thread.join()
    #expect(received == Array(0..<10_000))
    for number in 0..<100 { #expect(mailbox.post(number)) }
    #expect(!mailbox.post(100))
  }

  @Test func runEndsWhenItIsStopped() throws {
    let loop = try EventLoop()
    let timer = LoopTimer(loop) { loop.stop() }
    timer.arm(after: .milliseconds(1))
    loop.run()
    #expect(timer.deadline == nil)
  }

  @Test(arguments: [(SIGTERM, StopSignal.terminate), (SIGINT, .interrupt), (SIGHUP, .hangup)])
  func aStopSignalBecomesAnEvent(number: CInt, expected: StopSignal) throws {
    let mailbox = Lock<[StopSignal]>([])
    let thread = try SystemThread(name: "signals") {
      guard let loop = try? EventLoop() else { return }
      do {
        try loop.catchStopSignals { [unowned loop] signal in
          mailbox.withLock { $0.append(signal) }
          loop.stop()
        }
      } catch {
        return
      }
      // Sent to this thread alone, where the signal is blocked.
      pthread_kill(pthread_self(), number)
      loop.run()
    }
    thread.join()
    #expect(mailbox.withLock { $0 } == [expected])
  }

  @Test func aThreadRunsOnTheProcessorItWasGiven() throws {
    let counts = Lock<[CInt]>([])
    let thread = try SystemThread(name: "a name longer than kept", processor: 0) {
      counts.withLock { $0.append(cmartlet_processor_count()) }
    }
    thread.join()
    #expect(counts.withLock { $0 } == [1])
  }

  @Test func randomBlocksDoNotRepeat() {
    let block = RandomBlock()
    let words = (0..<5_000).map { _ in block.next() }
    #expect(Set(words).count > 4_990)
    #expect(block.bytes(16).count == 16 && block.bytes(16) != block.bytes(16))
  }

  @Test func systemFaultsSayWhatFailed() {
    #expect(
      SystemFault("listen", errno: EADDRINUSE).description
        == "listen failed: Address already in use (98)")
  }
}
