import Dispatch
import Glibc
import MartletBase
import MartletSecrets
import Synchronization
import Testing

@Suite struct NonceClockTests {
  static let start = Timestamp(milliseconds: 1_700_000_000_000)
  static let boot = Timestamp(milliseconds: 5_000)

  static func clock(file: sending NonceFile? = nil) -> NonceClock {
    NonceClock(venueTime: start, at: boot, file: file)
  }

  @Test("C21: the largest lead is measured, and is none before the first nonce")
  func theLeadIsMeasured() throws {
    let clock = Self.clock()
    #expect(clock.largestLead == nil)
    for _ in 0..<8 { _ = try clock.next(at: Self.boot) }
    #expect(clock.largestLead == .milliseconds(7))
    for second in Int64(1)...3 { _ = try clock.next(at: Self.boot + .seconds(second)) }
    #expect(clock.largestLead == .milliseconds(7), "a quiet time does not hide a burst")
  }

  @Test func aNonceIsVenueTimeOrOneMoreThanTheLast() throws {
    let clock = Self.clock()
    #expect(try clock.next(at: Self.boot) == .nonce(1_700_000_000_000))
    #expect(try clock.next(at: Self.boot) == .nonce(1_700_000_000_001))
    #expect(clock.lead(at: Self.boot) == .milliseconds(1))
    let later = Self.boot + .microseconds(7_900)
    #expect(try clock.next(at: later) == .nonce(1_700_000_000_007))
    #expect(try clock.next(at: Self.boot) == .nonce(1_700_000_000_008))
    #expect(clock.venueTime(at: later) == Self.start + .microseconds(7_900))
  }

  @Test("C21 M30: a burst is told to wait before it leaves the venue's window")
  func aBurstWaits() throws {
    let clock = Self.clock()
    for count in 0..<2_500 {
      #expect(try clock.next(at: Self.boot) == .nonce(1_700_000_000_000 + Int64(count)))
    }
    #expect(try clock.next(at: Self.boot) == .wait(.milliseconds(1)))
    #expect(clock.lead(at: Self.boot) == .milliseconds(2_499))
    #expect(clock.largestLead == .milliseconds(2_499))
    let after = Self.boot + .milliseconds(1)
    #expect(try clock.next(at: after) == .nonce(1_700_000_002_500))
    #expect(try clock.next(at: after) == .wait(.milliseconds(1)))
  }

  @Test("M29 C21: nonces rise through a step of −10 s, and wait rather than lead")
  func aStepBackIsSurvived() throws {
    let clock = Self.clock()
    #expect(try clock.next(at: Self.boot) == .nonce(1_700_000_000_000))
    // The venue's clock, or our idea of it, falls ten seconds back.
    clock.anchor(venueTime: Self.start - .seconds(10), at: Self.boot)
    #expect(try clock.next(at: Self.boot) == .wait(.milliseconds(7_502)))
    let after = Self.boot + .milliseconds(7_502)
    #expect(try clock.next(at: after) == .nonce(1_700_000_000_001))
    clock.anchor(venueTime: Self.start + .seconds(60), at: after)
    #expect(try clock.next(at: after) == .nonce(1_700_000_060_000))
  }

  /// Time moves only when a thread is told to wait, so nothing depends on the machine's speed. In
  /// mid-run the venue's clock steps ten seconds back.
  @Test("M29: eight threads draw 10,000 nonces each, all different and each thread's rising")
  func eightThreads() throws {
    final class World: Sendable {
      let clock = NonceClockTests.clock()
      let monotonic = Atomic<Int64>(NonceClockTests.boot.nanoseconds)
      let isStepped = Atomic<Bool>(false)
      let faults = Atomic<Int>(0)
      let worstLead = Atomic<Int64>(0)
    }
    let world = World()
    let drawn = (0..<8).map { _ in Drawn() }
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      while drawn[thread].nonces.count < 10_000 {
        if thread == 3, drawn[thread].nonces.count == 5_000,
          !world.isStepped.exchange(true, ordering: .relaxed)
        {
          let now = Timestamp(nanoseconds: world.monotonic.load(ordering: .relaxed))
          world.clock.anchor(venueTime: world.clock.venueTime(at: now) - .seconds(10), at: now)
        }
        let now = Timestamp(nanoseconds: world.monotonic.load(ordering: .relaxed))
        switch try? world.clock.next(at: now) {
        case .nonce(let nonce):
          let lead = nonce - world.clock.venueTime(at: now).milliseconds
          if !world.isStepped.load(ordering: .relaxed) {
            world.worstLead.max(lead, ordering: .relaxed)
          }
          drawn[thread].nonces.append(nonce)
        case .wait(let span): world.monotonic.add(span.nanoseconds, ordering: .relaxed)
        case nil: world.faults.add(1, ordering: .relaxed)
        }
      }
    }
    var all: Set<Int64> = []
    for one in drawn {
      #expect(zip(one.nonces, one.nonces.dropFirst()).allSatisfy { $0 < $1 })
      all.formUnion(one.nonces)
    }
    #expect(all.count == 80_000)
    let isStepped = world.isStepped.load(ordering: .relaxed)
    let faults = world.faults.load(ordering: .relaxed)
    let worstLead = world.worstLead.load(ordering: .relaxed)
    #expect(isStepped && faults == 0 && worstLead < 2_500)
  }

  /// One thread's own; read after all have ended.
  final class Drawn: @unchecked Sendable {
    var nonces: [Int64] = []
  }

  @Test("M29: a restart never uses a nonce again, after an orderly end and after a crash")
  func restartsGoOn() throws {
    for seed in UInt64(1)...30 {
      var random = SeededRandom(seed: seed)
      let folder = TemporaryFolder()
      var now = Self.boot
      var last: Int64 = 0
      for _ in 0..<6 {
        let clock = Self.clock(file: try NonceFile(folder.path + "/nonce"))
        for _ in 0..<Int.random(in: 1...3_000, using: &random) {
          now = now + .microseconds(.random(in: 0...4_000, using: &random))
          switch try clock.next(at: now) {
          case .nonce(let nonce):
            #expect(nonce > last, "seed \(seed)")
            last = nonce
          case .wait(let span): now = now + span
          }
        }
        // Half of them crash: the block stays reserved.
        if Bool.random(using: &random) { try clock.settle() }
      }
    }
  }

  @Test("M29: nonces set aside ahead are written once, and never beyond what a restart may skip")
  func noncesAreSetAsideAhead() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/nonce"
    let first = Self.clock(file: try NonceFile(path))
    try first.reserveAhead(at: Self.boot)
    #expect(try Self.reserved(path) == 1_700_000_002_000)
    // Half of the block is left: nothing is written, neither ahead nor for a nonce.
    try first.reserveAhead(at: Self.boot + .milliseconds(900))
    #expect(try first.next(at: Self.boot + .milliseconds(950)) == .nonce(1_700_000_000_950))
    #expect(try Self.reserved(path) == 1_700_000_002_000)
    try first.reserveAhead(at: Self.boot + .milliseconds(1_100))
    #expect(try Self.reserved(path) == 1_700_000_003_100)
    _ = consume first
    let crashed = Self.clock(file: try NonceFile(path))
    #expect(
      try crashed.next(at: Self.boot + .milliseconds(1_100)) == .nonce(1_700_000_003_101))
  }

  /// What the file says.
  static func reserved(_ path: String) throws -> Int64? {
    var bytes = [UInt8](repeating: 0, count: 13)
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    guard unsafe read(descriptor, &bytes, bytes.count) == bytes.count else { return nil }
    return Int64(String(decoding: bytes, as: UTF8.self))
  }

  @Test func aRestartAtOnceAfterACrashNeedNotWait() throws {
    let folder = TemporaryFolder()
    let first = Self.clock(file: try NonceFile(folder.path + "/nonce"))
    #expect(try first.next(at: Self.boot) == .nonce(1_700_000_000_000))
    _ = consume first
    let crashed = Self.clock(file: try NonceFile(folder.path + "/nonce"))
    #expect(try crashed.next(at: Self.boot) == .nonce(1_700_000_002_001))
    try crashed.settle()
    _ = consume crashed
    let orderly = Self.clock(file: try NonceFile(folder.path + "/nonce"))
    #expect(try orderly.next(at: Self.boot) == .nonce(1_700_000_002_002))
  }

  @Test("M38: a second user of the same key is refused")
  func aSecondUserIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/nonce"
    let first = Self.clock(file: try NonceFile(path))
    #expect(throws: NonceFault.inUse(path: path)) { try NonceFile(path) }
    #expect(try first.next(at: Self.boot) == .nonce(1_700_000_000_000))
    _ = consume first
    _ = try NonceFile(path)
  }

  /// Named for the process that looks at it afterwards, which the other one has for its parent.
  private static func sharedPath(_ process: pid_t) -> String {
    "/tmp/martlet-test-nonce-\(process)"
  }

  @Test("M38: a second process is refused while the first lives, and not after its kill -9")
  func theLockSurvivesAKill() async throws {
    let path = Self.sharedPath(getpid())
    defer { unlink(path) }
    await #expect(processExitsWith: .signal(SIGKILL)) {
      let clock = NonceClockTests.clock(
        file: try NonceFile(NonceClockTests.sharedPath(getppid())))
      guard try clock.next(at: NonceClockTests.boot) == .nonce(1_700_000_000_000) else { return }
      kill(getpid(), SIGKILL)
    }
    // Its nonce is not used again.
    let next = Self.clock(file: try NonceFile(path))
    #expect(try next.next(at: Self.boot) == .nonce(1_700_000_002_001))
    await #expect(processExitsWith: .exitCode(7)) {
      do { _ = try NonceFile(NonceClockTests.sharedPath(getppid())) } catch NonceFault.inUse {
        exit(7)
      }
    }
    _ = consume next
  }

  @Test func aFileOfSomethingElseIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/nonce"
    for text in ["1", "1700000000000", "17000000000000\n", "170000000000x\n", "-700000000000\n"] {
      writeFile(path, Array(text.utf8))
      #expect(throws: NonceFault.unreadable(path: path)) { try NonceFile(path) }
      #expect(readFile(path) == Array(text.utf8))
    }
    let missing = folder.path + "/no/nonce"
    #expect(throws: NonceFault.folderMissing(path: missing)) { try NonceFile(missing) }
    #expect(throws: NonceFault.permission(path: "/sys/nonce")) { try NonceFile("/sys/nonce") }
  }
}
