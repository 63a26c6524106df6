public import MartletBase

/// Streams a file of market history: batches of rows, in columns whose buffers are reused.
///
/// - Bounds: memory of one batch and of a piece of each column's pages, whatever the file's size.
@safe public struct HistoryReader: ~Copyable {
  /// Rows of a batch unless a frame needs more.
  public static let usualBatch = 16_384
  /// A frame of more rows is refused.
  public static let largestFrame = 1 << 20

  private let source: HistorySource

  /// - Parameters:
  ///   - columns: which; nil for all that the file has.
  ///   - scale: the grids that prices and quantities are to count on; nil for the file's own.
  ///   - series: of a file of several, the one to read: a symbol, a venue, or `venue/contract_type`.
  ///   - batch: rows of a batch, at least 1.
  public init(
    _ file: HistoryFile, columns: [HistoryColumn]? = nil, scale: InstrumentScale? = nil,
    series: String? = nil, batch: Int = HistoryReader.usualBatch
  ) throws(HistoryFault) {
    source = try HistorySource(file, columns: columns, scale: scale, series: series, batch: batch)
  }

  /// Rows in the batch; 0 before the first and after the last.
  public var count: Int { source.count }
  /// The batch's first row in the file, from 0; with a series named, in that series.
  public var firstRow: Int64 { source.firstRow }

  /// Replaces the batch by the next rows.
  ///
  /// - Returns: whether there are any.
  /// - Throws: `HistoryFault`; there is nothing more to read then.
  public mutating func readBatch() throws(HistoryFault) -> Bool {
    try source.advance(keeping: source.count)
  }

  /// Values of a column of 64 bits that is read, one a row of the batch.
  @_lifetime(borrow self)
  public func wide(_ column: HistoryColumn) -> Span<Int64> {
    // `count` values were read there, and no batch follows while `self` is borrowed.
    let values = unsafe UnsafeBufferPointer(start: source.storage.wide(column), count: source.count)
    return unsafe _overrideLifetime(Span(_unsafeElements: values), borrowing: self)
  }

  /// Values of a column of 32 bits that is read, one a row of the batch; of texts, their indices.
  @_lifetime(borrow self)
  public func narrow(_ column: HistoryColumn) -> Span<Int32> {
    // As in `wide`.
    let values = unsafe UnsafeBufferPointer(
      start: source.storage.narrow(column), count: source.count)
    return unsafe _overrideLifetime(Span(_unsafeElements: values), borrowing: self)
  }

  /// The text of an index, in whichever column of texts it stands.
  public func text(_ index: Int32) -> String { source.text(index) }
}
