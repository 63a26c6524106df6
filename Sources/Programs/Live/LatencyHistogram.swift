public import MartletBase

/// How long something took, many times over, in bounded memory.
///
/// - Bounds: 64 octaves of 32 steps each: a percentile is right to about 3 %.
public struct LatencyHistogram: Sendable {
  private var buckets = [UInt64](repeating: 0, count: 64 * 32)
  public private(set) var count: UInt64 = 0

  public init() {}

  public mutating func record(_ span: TimeSpan) {
    let value = UInt64(max(span.nanoseconds, 1))
    buckets[LatencyHistogram.bucket(of: value)] += 1
    count += 1
  }

  /// The span that `share` of the recorded ones do not exceed; nil before the first.
  ///
  /// - Parameter share: parts per thousand, 1 ... 1000.
  public func percentile(perMille share: UInt64) -> TimeSpan? {
    guard count > 0 else { return nil }
    let rank = (count * share + 999) / 1000
    var seen: UInt64 = 0
    for index in buckets.indices {
      seen += buckets[index]
      if seen >= rank {
        return TimeSpan(nanoseconds: Int64(clamping: LatencyHistogram.upperBound(of: index)))
      }
    }
    return nil
  }

  // Below 32 a bucket a nanosecond; above, 32 steps between powers of two.
  private static func bucket(of value: UInt64) -> Int {
    if value < 32 { return Int(value) }
    let octave = 63 - value.leadingZeroBitCount
    let step = Int((value >> UInt64(octave - 5)) & 31)
    return (octave - 4) * 32 + step
  }

  private static func upperBound(of bucket: Int) -> UInt64 {
    if bucket < 32 { return UInt64(bucket) }
    let octave = bucket / 32 + 4
    let step = UInt64(bucket % 32)
    return ((32 + step + 1) << UInt64(octave - 5)) - 1
  }
}
