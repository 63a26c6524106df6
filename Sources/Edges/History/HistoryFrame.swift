public import MartletBase

/// What arrived in one message: rows of one file that belong together, in the batch it is in now.
@frozen public struct HistoryFrame: Equatable, Sendable, BitwiseCopyable {
  /// Which of the stream's files.
  public let source: Int
  public let schema: HistorySchema
  /// When it could be known: by the recorder's clock where there was one, otherwise by the venue's; of
  /// a candle, its end.
  public let arrivedAt: Timestamp
  /// When it happened, by the venue's clock; of a candle, its beginning. As the file has it: 0 where the
  /// venue sends none.
  public let exchangeTime: Timestamp
  /// Line of the capture, or the row in a file that has none.
  public let sequence: Int64
  /// Its first row in the source's batch.
  let first: Int
  /// How many rows it has; at least 1.
  public let count: Int
  /// Of a book, whether it starts anew: the first row carries the snapshot bit.
  public let isSnapshot: Bool
}
