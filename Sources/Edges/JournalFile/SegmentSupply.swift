internal import CMartletLinux
internal import Glibc
internal import MartletBase
internal import Synchronization

/// The slow half of a writer: one thread makes the next segment ready ahead of its use, another
/// brings records to disk behind and puts full segments away.
///
/// The writer meets them only when a segment is full. Until then it shares two counters.
final class SegmentSupply: @unchecked Sendable {
  private let folder: JournalFolder
  private let options: JournalOptions
  private let lockDescriptor: Int32
  private let monitor = Monitor()

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

  // Before the threads begin, and after they ended.
  private var threads: [pthread_t] = []
  private var isStopped = false

  /// Takes over the segment being written and the folder's lock, and starts the threads.
  init(
    _ folder: JournalFolder, options: JournalOptions, current: MappedSegment,
    lockDescriptor: Int32, lastSequence: UInt64
  ) {
    self.folder = folder
    self.options = options
    self.current = current
    self.lockDescriptor = lockDescriptor
    appended = Atomic(lastSequence)
    start("journal-ahead") { $0.prepareAhead() }
    start("journal-sync") { $0.syncBehind() }
  }

  /// Gives a full segment away and takes the next, waiting for it when it is not ready.
  func exchange() throws(JournalFault) -> MappedSegment {
    monitor.lock()
    defer { monitor.unlock() }
    if next == nil, nextFault != nil {
      // It failed ahead of time; the disk may have room by now.
      nextFault = nil
      isNextWanted = true
      monitor.wakeAll()
    }
    while next == nil && nextFault == nil { monitor.wait() }
    guard let ready = next else { throw nextFault ?? .folderMissing(folder.path) }
    full.append(current)
    current = ready
    next = nil
    isNextWanted = true
    monitor.wakeAll()
    return ready
  }

  /// Why the next segment is not ready, if that is known already: the disk will be full.
  var warning: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return nextFault
  }

  var fault: JournalFault? {
    monitor.lock()
    defer { monitor.unlock() }
    return syncFault
  }

  /// Brings everything appended so far to disk, on the caller's time.
  func sync() throws(JournalFault) {
    monitor.lock()
    // Full segments are the other thread's, which closes them when they are on disk.
    while !full.isEmpty { monitor.wait() }
    let segment = current
    let sequence = appended.load(ordering: .acquiring)
    monitor.unlock()
    try sync(segment)
    if let fault { throw fault }
    synced.store(sequence, ordering: .releasing)
  }

  /// Ends the threads, brings everything to disk and lets everything go. Idempotent.
  func stop() throws(JournalFault) {
    guard !isStopped else { return }
    isStopped = true
    monitor.lock()
    isStopping = true
    monitor.wakeAll()
    monitor.unlock()
    for thread in threads { pthread_join(thread, nil) }
    defer { Paths.unlock(lockDescriptor) }
    if let next {
      next.close()
      _ = Paths.remove(folder.path(next.number))
    }
    defer { current.close() }
    try sync(current)
    Paths.syncFolder(folder.path)
    if let syncFault { throw syncFault }
  }

  private func sync(_ segment: MappedSegment) throws(JournalFault) {
    let result = cmartlet_fdatasync(segment.descriptor)
    guard result < 0 else { return }
    let fault = JournalFault.failed("fdatasync", folder.path(segment.number), errno: -result)
    monitor.lock()
    if syncFault == nil { syncFault = fault }
    monitor.unlock()
    // What failed to reach the disk may be gone from memory too: nobody may rely on it any more.
    hasFailed.store(true, ordering: .releasing)
    throw fault
  }

  private func prepareAhead() {
    monitor.lock()
    while true {
      while !isStopping && !(isNextWanted && full.count < SegmentSupply.fullLimit) {
        monitor.wait()
      }
      if isStopping { break }
      let number = current.number + 1
      monitor.unlock()
      var ready: MappedSegment?
      var failure: JournalFault?
      do throws(JournalFault) {
        ready = try .prepare(number, in: folder, bytes: options.segmentBytes, isNew: true)
        // So that a power cut does not lose the file that the next records will stand in.
        Paths.syncFolder(folder.path)
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
    monitor.lock()
    while true {
      if !isStopping && full.isEmpty {
        if case .behind(let every) = options.sync {
          monitor.wait(nanoseconds: every.nanoseconds)
        } else {
          monitor.wait()
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
        segment.close()
      }
      if case .behind = options.sync, sequence != synced.load(ordering: .relaxed) {
        do throws(JournalFault) { try sync(segment) } catch { isWhole = false }
        if isWhole { synced.store(sequence, ordering: .releasing) }
      }
      monitor.lock()
      full.removeFirst(done.count)
      if !done.isEmpty { monitor.wakeAll() }
      if isLast { break }
    }
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
