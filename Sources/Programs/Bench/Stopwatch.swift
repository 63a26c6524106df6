internal import CMartletAllocations
internal import MartletBase
internal import MartletClock

/// Times pieces of work one by one and counts what they allocate, on the calling thread.
///
/// It allocates when it is made. Reading the clock costs some 25 ns a piece, which is in the figures.
struct Stopwatch: ~Copyable {
  private var began: Int64 = 0
  private var heap: UInt64 = 0
  /// Nanoseconds of each piece, and how many operations it was.
  private var spans: [Int64] = []
  private var counts: [Int] = []
  /// Operations timed so far.
  private(set) var ops = 0
  private(set) var allocations: UInt64 = 0

  init(pieces: Int) {
    spans.reserveCapacity(pieces)
    counts.reserveCapacity(pieces)
  }

  /// Forgets what was timed.
  mutating func reset() {
    spans.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
    ops = 0
    allocations = 0
  }

  mutating func start() {
    heap = cmartlet_allocations()
    began = SystemClock.monotonic().nanoseconds
  }

  mutating func stop(ops: Int = 1) {
    let span = SystemClock.monotonic().nanoseconds - began
    allocations += cmartlet_allocations() - heap
    spans.append(span)
    counts.append(ops)
    self.ops += ops
  }

  /// Counts what was allocated since `start` once more, for work that follows the timed piece.
  mutating func countOn() { heap = cmartlet_allocations() }
  mutating func countOff() { allocations += cmartlet_allocations() - heap }

  /// Mean, p50 and p99 of an operation, in nanoseconds; of pieces of several, of their means.
  func summary() -> (mean: Double, p50: Double, p99: Double) { summary(of: spans.indices) }

  /// The same of the first, or the last, pieces.
  func summary(first count: Int) -> (mean: Double, p50: Double, p99: Double) {
    summary(of: 0..<min(count, spans.count))
  }
  func summary(last count: Int) -> (mean: Double, p50: Double, p99: Double) {
    summary(of: max(spans.count - count, 0)..<spans.count)
  }

  private func summary(of pieces: Range<Int>) -> (mean: Double, p50: Double, p99: Double) {
    precondition(!pieces.isEmpty, "nothing was timed")
    var total: Int64 = 0
    var ops = 0
    var means: [Double] = []
    means.reserveCapacity(pieces.count)
    for index in pieces {
      total += spans[index]
      ops += counts[index]
      means.append(Double(spans[index]) / Double(counts[index]))
    }
    means.sort()
    return (
      Double(total) / Double(ops), means[means.count / 2],
      means[min(means.count * 99 / 100, means.count - 1)]
    )
  }
}

/// Several rounds of one benchmark: what is told is the median round's, because a shared machine
/// spoils single ones.
struct Rounds {
  private var means: [Double] = []
  private var p50s: [Double] = []
  private var p99s: [Double] = []
  private var ops = 0
  private var allocations: UInt64 = 0

  mutating func add(_ watch: borrowing Stopwatch) {
    let (mean, p50, p99) = watch.summary()
    means.append(mean)
    p50s.append(p50)
    p99s.append(p99)
    ops += watch.ops
    allocations += watch.allocations
  }

  func result(_ name: String, checksum: UInt64) -> BenchResult {
    BenchResult(
      name: name, ops: ops, nanosecondsPerOp: Rounds.median(means), p50: Rounds.median(p50s),
      p99: Rounds.median(p99s),
      allocations: cmartlet_counts_allocations() ? Double(allocations) / Double(ops) : nil,
      checksum: checksum)
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// Folds words into a number that shows whether two runs did the same.
public struct Checksum {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
  public init() {}
  public mutating func fold(_ word: UInt64) {
    value = (value ^ word) &* 0x0000_0100_0000_01b3
    value ^= value >> 32
  }
  mutating func fold(_ word: Int64) { fold(UInt64(bitPattern: word)) }
}
