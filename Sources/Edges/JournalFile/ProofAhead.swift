internal import CMartletLinux
internal import Glibc
internal import MartletRecord
internal import Synchronization

/// Proves the records of a journal on a thread of its own, ahead of the one who reads them: the rest of
/// the segment that is read, then the whole of the next one, which it also loads, and no further.
///
/// It tells nothing but how far it came. Whatever it does not prove, the reader proves, or finds wrong,
/// by itself: so it says the same at the same record with and without.
///
/// - Note: the two meet under a lock once in a segment, and never wait for each other within one.
final class ProofAhead: @unchecked Sendable {
  private let store: any SegmentStore
  /// Nobody reads further than to the first record behind it.
  private let limit: JournalMoment?
  private let monitor = Monitor()
  private var thread: pthread_t?

  // With the lock of `monitor` only.
  /// What is to be proven next; nil while nothing is.
  private var due: ProvenSegment?
  /// Which segment is to be loaded next; nil while none is, or while one waits to be taken.
  private var wanted: UInt32?
  /// The segment being loaded.
  private var loading: UInt32?
  /// Loaded and begun, and not yet taken.
  private var ready: ProvenSegment?
  private var isStopping = false

  /// - Returns: nil where no thread can be had, or only one processor.
  static func start(_ store: any SegmentStore, through limit: JournalMoment?) -> ProofAhead? {
    guard cmartlet_processor_count() > 1 else { return nil }
    let ahead = ProofAhead(store, limit)
    var thread = pthread_t()
    // Retained for the thread, which takes it over as its first act.
    let body = unsafe Unmanaged.passRetained(ahead).toOpaque()
    let result = unsafe pthread_create(
      &thread, nil,
      { body in
        // The one who started it retained it.
        guard let body = unsafe body else { return nil }
        _ = unsafe cmartlet_name_thread("journal-proof")
        unsafe Unmanaged<ProofAhead>.fromOpaque(body).takeRetainedValue().run()
        return nil
      }, body)
    guard result == 0 else {
      unsafe Unmanaged<ProofAhead>.fromOpaque(body).release()
      return nil
    }
    ahead.thread = thread
    return ahead
  }

  private init(_ store: any SegmentStore, _ limit: JournalMoment?) {
    self.store = store
    self.limit = limit
  }

  /// Begins anew with the segment that is read now, at its record `chain.nextSequence`.
  ///
  /// - Returns: the same segment, with how far it is proven; whoever has it last closes it.
  func begin(_ loaded: LoadedSegment, at offset: Int, after chain: RecordChain) -> ProvenSegment {
    let proven = ProvenSegment(loaded, at: offset, after: chain)
    monitor.lock()
    defer { monitor.unlock() }
    ready = nil
    due = proven
    wanted = loaded.mapped.number + 1
    monitor.wakeAll()
    return proven
  }

  /// Gives the segment that was loaded ahead, and goes on with the one after it.
  ///
  /// - Returns: nil where there is none, or nothing begun, or what is wrong with it is to be told by
  ///   whoever loads it.
  func take(_ number: UInt32) -> ProvenSegment? {
    monitor.lock()
    defer { monitor.unlock() }
    while loading == number { monitor.wait() }
    guard let taken = ready, taken.loaded.mapped.number == number else { return nil }
    ready = nil
    wanted = number + 1
    monitor.wakeAll()
    return taken
  }

  func stop() {
    monitor.lock()
    isStopping = true
    due?.isLeft.store(true, ordering: .relaxed)
    ready?.isLeft.store(true, ordering: .relaxed)
    monitor.wakeAll()
    monitor.unlock()
    if let thread { pthread_join(thread, nil) }
    thread = nil
  }
}

// On the thread.
extension ProofAhead {
  private func run() {
    monitor.lock()
    while !isStopping {
      if let proof = due {
        due = nil
        monitor.unlock()
        proof.prove()
        monitor.lock()
      } else if let number = wanted, ready == nil {
        wanted = nil
        loading = number
        monitor.unlock()
        let proof = load(number)
        monitor.lock()
        loading = nil
        ready = proof
        due = proof
        monitor.wakeAll()
      } else {
        monitor.wait()
      }
    }
    monitor.unlock()
  }

  /// - Returns: nil where the reader must look for itself.
  private func load(_ number: UInt32) -> ProvenSegment? {
    if let limit {
      // One that nobody comes to is not put together.
      guard let head = try? store.head(number), limit.reaches(head) else { return nil }
    }
    guard let loaded = try? LoadedSegment.load(number, in: store, through: limit) else {
      return nil
    }
    let span = loaded.mapped.span
    if let chain = RecordScanner<LibraryHashing>.claim(of: span) {
      // At its own word: the reader holds it against the segment before.
      var scanner = RecordScanner(hashing: LibraryHashing(), after: chain)
      if case .begun = scanner.begin(segment: number, in: span) {
        return ProvenSegment(loaded, at: scanner.offset, after: scanner.chain)
      }
    }
    loaded.close()
    return nil
  }
}

/// A segment, and up to where its records are proven by the thread ahead. Closed by whoever lets it go
/// last.
final class ProvenSegment: @unchecked Sendable {
  let loaded: LoadedSegment
  /// Each record before this offset, from the one at which it was begun, proves itself behind the link that
  /// stands before it.
  let proven: Atomic<Int>
  /// Where the reader is, who overtook and proves for itself.
  let reached = Atomic<Int>(0)
  /// Nobody reads it any more.
  let isLeft = Atomic<Bool>(false)
  private let start: (offset: Int, chain: RecordChain)

  init(_ loaded: LoadedSegment, at offset: Int, after chain: RecordChain) {
    self.loaded = loaded
    start = (offset, chain)
    proven = Atomic(offset)
  }

  deinit { loaded.close() }

  /// Records that are proven at a time, before anybody is told: few enough to be in the nearest cache still
  /// when they are read.
  static let stride = 32

  /// Proves up to the first place that is no whole record.
  func prove() {
    // Proven when they were put together.
    guard loaded.parts == nil else { return }
    let span = loaded.mapped.span
    var scanner = RecordScanner(hashing: LibraryHashing(), after: start.chain, at: start.offset)
    while !isLeft.load(ordering: .relaxed) {
      let overtaken = reached.load(ordering: .acquiring)
      if overtaken > scanner.offset {
        guard let chain = RecordWalk.chain(at: overtaken, in: span) else { return }
        scanner.skip(to: overtaken, after: chain)
      }
      let count = scanner.advance(ProvenSegment.stride, in: span)
      proven.store(scanner.offset, ordering: .releasing)
      if count < ProvenSegment.stride { return }
    }
  }
}
