public import MartletBase

/// What a file of market history is worth: gaps, order, crossed books, broken chains of updates,
/// candles and funding that cannot be.
public struct HistoryCheck: Equatable, Sendable {
  /// One thing that was found, however often.
  public struct Finding: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
      case lineOrder = "line-order"
      case timeOrder = "time-order"
      case tradeGap = "trade-gap"
      case tradeOrder = "trade-order"
      case updateOrder = "update-order"
      case chainBreak = "chain-break"
      case brokenFrame = "broken-frame"
      case crossed
      case badValue = "bad-value"
      case candle
      case step
      case silence
    }
    public let kind: Kind
    public internal(set) var count: Int64
    /// Where it was first, from 0, and what was there.
    public let row: Int64
    public let example: String
  }

  public let schema: HistorySchema
  public internal(set) var rows: Int64 = 0
  public internal(set) var frames: Int64 = 0
  public internal(set) var first = Timestamp.zero
  public internal(set) var last = Timestamp.zero
  /// The longest time between two rows that follow each other, and where it begins.
  public internal(set) var longestSilence = TimeSpan.zero
  public internal(set) var silenceAt = Timestamp.zero
  /// In the order in which they were first found; at most one of each kind.
  public internal(set) var findings: [Finding] = []

  public var isSound: Bool { findings.isEmpty }

  mutating func note(
    _ kind: Finding.Kind, row: Int64, _ example: @autoclosure () -> String
  ) {
    if let index = findings.firstIndex(where: { $0.kind == kind }) {
      findings[index].count += 1
    } else {
      findings.append(Finding(kind: kind, count: 1, row: row, example: example()))
    }
  }

  /// Walks a whole file.
  ///
  /// - Parameter silence: a longer time without a row is a finding; nil for none.
  /// - Throws: `HistoryFault` when it cannot be read to its end.
  public static func run(
    _ file: HistoryFile, silence: TimeSpan? = nil
  ) throws(HistoryFault) -> HistoryCheck {
    var walk = HistoryWalk(file, silence: silence)
    var reader = try HistoryReader(file)
    while try reader.readBatch() { walk.take(reader) }
    return walk.end()
  }
}
