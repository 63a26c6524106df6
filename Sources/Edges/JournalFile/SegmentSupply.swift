internal import CMartletLinux
internal import Glibc
internal import MartletBase
internal import MartletRecord
internal import Synchronization

/// The slow half of a writer: one thread makes the next segment ready ahead of its use, another
/// brings records to disk behind and puts full segments away.
///
/// The writer meets them only when a segment is full. Until then it shares two counters.
final class SegmentSupply: @unchecked Sendable {
  private let store: any SegmentStore
  private let options: JournalOptions
  private let lock: Int32
  private let monitor = Monitor()
  private let parter: SegmentParter?

  /// The sequence of the last record appended; written by the writer alone.
  let appended: Atomic<UInt64>
  /// The sequence up to which all records are on disk.
  let synced = Atomic<UInt64>(0)
  /// Records may be lost from memory and disk alike: `fault` says why.
  let hasFailed = Atomic<Bool>(false)

  // With the lock of `monitor` only.
  private var current: MappedSegment
  private var next: MappedSegment?
  private var isNextWanted = true
  private var nextFault: JournalFault?
  private var syncFault: JournalFault?
  /// Full segments on their way to disk.
  ///
  /// - Bounds: 4; beyond that no further segment is made ready and the writer waits for the disk.
  private var full: [MappedSegment] = []
  private static let fullLimit = 4
  private var isStopping = false
  /// Why the head could not be kept when that was last tried.
  private var headFault: JournalFault?

  /// Of whoever brings records to disk: the thread behind while it runs, the writer where there is none.
  private var cursor: HeadCursor
  private var keptHead: JournalHead?
  /// Why a full segment could not be put away, or an old file not let go.
  private var partFault: JournalFault?
  /// Up to which segment the thread that puts them away has come.
  private var partedThrough: UInt32 = 0
  /// What is wrong with a segment before `current`.
  private var foundDamage: JournalFault?

  // Before the threads begin, and after they ended.
  private var threads: [pthread_t] = []
  private var isStopped = false

  /// Takes over the segment being written and the folder's lock, and starts the threads.
  init(
    _ store: any SegmentStore, options: JournalOptions, current: MappedSegment, lock: Int32,
    journalID: JournalID, lastSequence: UInt64
  ) {
    cursor = HeadCursor(journalID: journalID)
    self.store = store
    self.options = options
    self.current = current
    self.lock = lock
    appended = Atomic(lastSequence)
    parter = options.hasThreads ? options.parting.flatMap { store.parter($0) } : nil
    guard options.hasThreads else {
      prepareNext()
      return
    }
    start("journal-ahead") { $0.prepareAhead() }
    start("journal-sync") { $0.syncBehind() }
    if parter != nil { start("journal-part") { $0.partBehind() } }
    let number = current.number
    if options.provesBehind && number > 1 {
      start("journal-behind") { $0.proveBehind(upTo: number) }
    }
  }

  /// Gives a full segment away and takes the next, waiting for it when it is not ready.
  ///
  /// - Parameter bytes: what it must be long; where that is more than segments are, it is made so now.
  func exchange(atLeast bytes: Int) throws(JournalFault) -> MappedSegment {
    if !options.hasThreads && full.count >= SegmentSupply.fullLimit { try syncFull() }
    monitor.lock()
    defer { monitor.unlock() }
    if next == nil, nextFault != nil {
      // It failed ahead of time; the disk may have room by now.
      nextFault = nil
      isNextWanted = true
      monitor.wakeAll()
    }
    if !options.hasThreads && next == nil { prepareNext() }
    while next == nil && nextFault == nil { monitor.wait() }
    guard var ready = next else { throw nextFault ?? .folderMissing(store.path) }
    if ready.bytes < bytes { ready = try lengthen(ready, to: bytes) }
    full.append(current)
    current = ready
    next = nil
    isNextWanted = true
    if !options.hasThreads { prepareNext() }
    monitor.wakeAll()
    return ready
  }

  /// Makes the segment that is ready anew, longer. With the lock of `monitor`.
  private func lengthen(
    _ ready: MappedSegment, to bytes: Int
  ) throws(JournalFault) -> MappedSegment {
    next = nil
    ready.close()
    do throws(JournalFault) {
      try store.remove(ready.number)
      return try store.begin(ready.number, bytes: bytes)
    } catch {
      // One as long as the others, for what is shorter.
      isNextWanted = true
      if !options.hasThreads { prepareNext() }
      monitor.wakeAll()
      throw error
    }
  }

  /// Why the next segment is not ready, if that is known already: with the segment being written the
  /// journal ends, for now.
  var roomWarning: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return nextFault
  }

  /// Why full segments stay as they are.
  var partWarning: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return partFault
  }

  var damage: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return foundDamage
  }

  /// Why the journal's head is not kept apart as it should be; nil while it is.
  var headWarning: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return headFault
  }

  var fault: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return syncFault
  }

  /// Brings everything appended so far to disk, on the caller's time.
  func sync() throws(JournalFault) {
    try syncFull()
    monitor.lock()
    // Full segments are the other thread's, which closes them when they are on disk.
    while !full.isEmpty { monitor.wait() }
    let segment = current
    let sequence = appended.load(ordering: .acquiring)
    monitor.unlock()
    try sync(segment)
    if let fault { throw fault }
    synced.store(sequence, ordering: .releasing)
    guard !options.hasThreads else { return }
    keepHead(in: segment, through: sequence)
    // There may be room by now.
    if next == nil { prepareNext() }
  }

  /// Ends the threads, brings everything to disk and lets everything go. Idempotent.
  func stop() throws(JournalFault) {
    guard !isStopped else { return }
    isStopped = true
    monitor.lock()
    isStopping = true
    parter?.isStopped.store(true, ordering: .relaxed)
    monitor.wakeAll()
    monitor.unlock()
    for thread in threads { pthread_join(thread, nil) }
    defer { store.unlock(lock) }
    if let next {
      next.close()
      try? store.remove(next.number)
    }
    defer { current.close() }
    try syncFull()
    try sync(current)
    keepHead(in: current, through: .max)
    store.syncNames()
    if let syncFault { throw syncFault }
  }

  private func sync(_ segment: MappedSegment) throws(JournalFault) {
    do throws(JournalFault) { try store.sync(segment) } catch {
      monitor.lock()
      if syncFault == nil { syncFault = error }
      monitor.unlock()
      // What failed to reach the disk may be gone from memory too: nobody may rely on it any more.
      hasFailed.store(true, ordering: .releasing)
      throw error
    }
  }

  /// Has the head kept that is on disk: of the last record of `segment` up to `sequence`. Nothing that
  /// failed to reach the disk is ever told to have.
  private func keepHead(in segment: MappedSegment, through sequence: UInt64) {
    guard let heads = options.heads, !hasFailed.load(ordering: .acquiring) else { return }
    cursor.advance(in: segment, through: sequence)
    let head = cursor.head
    guard head != keptHead || headFault != nil else { return }
    var failure: JournalFault?
    do throws(JournalFault) {
      try heads.keep(head)
      keptHead = head
    } catch { failure = error }
    monitor.lock()
    headFault = failure
    monitor.unlock()
  }

  /// Puts full segments away, where no thread does.
  private func syncFull() throws(JournalFault) {
    while !options.hasThreads, let segment = full.first {
      try sync(segment)
      keepHead(in: segment, through: .max)
      segment.close()
      full.removeFirst()
    }
  }

  /// Makes the next segment ready on the caller's time, where no thread does.
  private func prepareNext() {
    do throws(JournalFault) {
      next = try store.begin(current.number + 1, bytes: options.segmentBytes)
      nextFault = nil
    } catch {
      nextFault = error
    }
    isNextWanted = false
  }

  private func prepareAhead() {
    monitor.lock()
    while true {
      while !isStopping && !(isNextWanted && full.count < SegmentSupply.fullLimit) {
        if nextFault == nil {
          monitor.wait()
        } else {
          // Somebody may make room at any time; the fault stands until then.
          monitor.wait(nanoseconds: SegmentSupply.retryInterval.nanoseconds)
          if nextFault != nil { isNextWanted = true }
        }
      }
      if isStopping { break }
      let number = current.number + 1
      monitor.unlock()
      var ready: MappedSegment?
      var failure: JournalFault?
      do throws(JournalFault) {
        ready = try store.begin(number, bytes: options.segmentBytes)
      } catch {
        failure = error
      }
      monitor.lock()
      next = ready
      nextFault = failure
      isNextWanted = false
      monitor.wakeAll()
    }
    monitor.unlock()
  }

  private func syncBehind() {
    beginHead()
    monitor.lock()
    while true {
      if !isStopping && full.isEmpty {
        switch options.sync {
        case .behind(let every): monitor.wait(nanoseconds: every.nanoseconds)
        case .eachRecord where options.heads != nil:
          monitor.wait(nanoseconds: SegmentSupply.headInterval.nanoseconds)
        case .eachRecord, .atClose: monitor.wait()
        }
      }
      let isLast = isStopping
      let done = full
      let segment = current
      // Every record up to here lies in `segment` or before it: only `exchange` moves on.
      let sequence = appended.load(ordering: .acquiring)
      monitor.unlock()
      var isWhole = true
      for segment in done {
        do throws(JournalFault) { try sync(segment) } catch { isWhole = false }
        if isWhole { keepHead(in: segment, through: .max) }
        segment.close()
      }
      if case .behind = options.sync, sequence != synced.load(ordering: .relaxed) {
        do throws(JournalFault) { try sync(segment) } catch { isWhole = false }
        // After one that failed, another that goes well proves nothing of what was lost.
        if isWhole && !hasFailed.load(ordering: .acquiring) {
          synced.store(sequence, ordering: .releasing)
        }
      }
      let reached = synced.load(ordering: .acquiring)
      if isWhole && reached > 0 { keepHead(in: segment, through: reached) }
      monitor.lock()
      full.removeFirst(done.count)
      if !done.isEmpty { monitor.wakeAll() }
      if isLast { break }
    }
    monitor.unlock()
  }

  /// Brings to disk what an earlier writer left, and keeps its head, whatever the policy.
  private func beginHead() {
    guard options.heads != nil else { return }
    monitor.lock()
    let segment = current
    let isFirst = full.isEmpty
    let sequence = appended.load(ordering: .acquiring)
    monitor.unlock()
    // Once a segment is full already, it comes first.
    guard isFirst else { return }
    do throws(JournalFault) {
      // A writer that was killed may have left full ones that were not on disk yet.
      for number in segment.number
        - min(segment.number, UInt32(SegmentSupply.fullLimit) + 1)..<segment.number
      {
        guard number > 0, let earlier = try store.map(number) else { continue }
        defer { earlier.close() }
        try sync(earlier)
      }
      try sync(segment)
    } catch { return }
    keepHead(in: segment, through: sequence)
  }

  /// How often a segment that could not be made ready is tried again.
  private static let retryInterval = TimeSpan.seconds(1)

  /// How far a head may be behind where each record is synced as it comes.
  private static let headInterval = TimeSpan.milliseconds(100)

  private static let partRetry = TimeSpan.seconds(10)

  /// Puts segments away that are full and not among the newest.
  private func partBehind() {
    guard let parter, let parting = options.parting else { return }
    // Whoever trades goes first.
    _ = cmartlet_wait_when_woken()
    parter.begin()
    monitor.lock()
    while !isStopping {
      let last = lastToPart(parting)
      guard last > partedThrough else {
        monitor.wait()
        continue
      }
      monitor.unlock()
      parter.work(upTo: last)
      monitor.lock()
      partFault = parter.fault
      if partFault != nil { monitor.wakeAll() }
      if foundDamage == nil { foundDamage = parter.damage }
      if parter.mayGoBetter && !isStopping {
        // A full disk may have room by then.
        monitor.wait(nanoseconds: SegmentSupply.partRetry.nanoseconds)
      } else {
        partedThrough = last
        monitor.wakeAll()
      }
    }
    monitor.unlock()
  }

  /// The newest full segment that does not stay as it is; 0 for none. With the lock of `monitor`.
  private func lastToPart(_ parting: JournalParting) -> UInt32 {
    current.number - min(current.number, parting.fullSegments + 1)
  }

  /// Waits until every full segment that is to be put away was.
  func awaitParting() throws(JournalFault) {
    guard parter != nil, let parting = options.parting else { return }
    monitor.lock()
    defer { monitor.unlock() }
    while partFault == nil, partedThrough < lastToPart(parting) { monitor.wait() }
    if let fault = partFault ?? foundDamage { throw fault }
  }

  /// Proves what an earlier writer left.
  private func proveBehind(upTo number: UInt32) {
    // Whoever trades goes first.
    _ = cmartlet_wait_when_woken()
    let fault = ProofBehind.run(store, upTo: number) { [self] span in
      monitor.lock()
      defer { monitor.unlock() }
      if !isStopping { monitor.wait(nanoseconds: span.nanoseconds) }
      return !isStopping
    }
    monitor.lock()
    if foundDamage == nil { foundDamage = fault }
    monitor.unlock()
  }

  private final class Body {
    let supply: SegmentSupply
    let name: StaticString
    let run: (SegmentSupply) -> Void
    init(_ supply: SegmentSupply, _ name: StaticString, _ run: @escaping (SegmentSupply) -> Void) {
      self.supply = supply
      self.name = name
      self.run = run
    }
  }

  private func start(_ name: StaticString, _ run: @escaping (SegmentSupply) -> Void) {
    var thread = pthread_t()
    // Retained for the thread, which takes it over as its first act.
    let body = unsafe Unmanaged.passRetained(Body(self, name, run)).toOpaque()
    let result = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        body.name.withUTF8Buffer { name in
          // A static string ends in a zero byte.
          _ = unsafe name.withMemoryRebound(to: CChar.self) {
            unsafe cmartlet_name_thread($0.baseAddress.unsafelyUnwrapped)
          }
        }
        body.run(body.supply)
        return nil
      }, body)
    precondition(result == 0, "no thread \(name): errno \(result)")
    threads.append(thread)
  }
}
