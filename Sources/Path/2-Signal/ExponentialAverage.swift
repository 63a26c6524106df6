public import MartletBase

/// An exponential moving average: each new value weighs 2 ÷ (period + 1), the past the rest.
///
/// Made with + − × ÷ alone, so that two machines agree to the last bit. A signal, not money.
/// - Source: the usual definition of the N-period EMA, seeded with the first value.
public struct ExponentialAverage: Equatable, Sendable {
  /// Values after which the average counts as ready.
  public let period: Int
  private let weight: Double
  private var average: Double = 0
  private var count: Int = 0

  /// - Parameter period: in values, 1 ... 100,000.
  public init(period: Int) {
    precondition(period >= 1 && period <= 100_000, "EMA period \(period) out of 1 ... 100000")
    self.period = period
    weight = 2 / (Double(period) + 1)
  }

  /// The average, once `period` values were seen; nil before.
  public var value: Double? { count >= period ? average : nil }

  /// Takes the next value, which is finite; an infinite or undefined one would poison all after it.
  public mutating func update(_ next: Double) {
    precondition(next.isFinite, "EMA of \(next)")
    average = count == 0 ? next : average + weight * (next - average)
    if count < period { count += 1 }
  }
}

extension ExponentialAverage: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("ema")
    snapshot.write(UInt32(period))
    snapshot.write(UInt32(count))
    snapshot.write(average.bitPattern)
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("ema")
    let period = Int(try snapshot.read(UInt32.self))
    let count = Int(try snapshot.read(UInt32.self))
    let average = Double(bitPattern: try snapshot.read())
    guard period == self.period, count <= period, average.isFinite else {
      throw .impossible("EMA of \(count) values over \(period)", offset: snapshot.offset)
    }
    self.count = count
    self.average = average
  }
}
