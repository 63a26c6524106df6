public import MartletBase
public import MartletModel

/// Files of market history as one stream of frames, in the order in which they arrived.
///
/// Order: files of one capture go by `frame_seq`, the line of the capture. Captures, and files that
/// are in none, go by time of arrival: the recorder's `ts_recv_ns` where there is one, otherwise the
/// venue's time, and of candles the end of their span, before which nobody could know them. Where two
/// arrive at the same nanosecond, the one whose file was named first goes first. So the order depends
/// on the files and on how they were named, and on nothing else.
///
/// - Bounds: memory of one batch a file, whatever their sizes; at most 64 files.
public struct MarketStream: ~Copyable {
  public static let mostFiles = 64

  /// A file of the stream, and how it is to be read.
  public struct Input {
    public let file: HistoryFile
    public var columns: [HistoryColumn]?
    public var scale: InstrumentScale?
    public var series: String?
    /// - Parameters:
    ///   - columns: which; nil for what a replay needs, without update ids, trade ids and emit times.
    ///   - scale: the grids that prices and quantities are to count on; nil for the file's own.
    ///   - series: of a file of several, the one to read: a symbol, a venue, or
    ///     `venue/contract_type`.
    public init(
      _ file: HistoryFile, columns: [HistoryColumn]? = nil, scale: InstrumentScale? = nil,
      series: String? = nil
    ) {
      self.file = file
      self.columns = columns
      self.scale = scale
      self.series = series
    }
  }

  private var merge: FeedMerge

  /// - Parameter batch: rows of a batch, at least 1.
  /// - Throws: `HistoryFault`: no file, too many, or the first rows of one are not sound.
  public init(
    _ inputs: [Input], batch: Int = HistoryReader.usualBatch
  ) throws(HistoryFault) {
    merge = try FeedMerge(inputs, batch: batch)
  }

  /// Frames handed out.
  public var frames: Int64 { merge.frames }
  /// Rows in them.
  public var rows: Int64 { merge.rows }

  /// The next frame; nil at the end of all files. Its rows may be read until the next call.
  ///
  /// - Throws: `HistoryFault`, which names file, row group and column; the stream has then ended.
  public mutating func next() throws(HistoryFault) -> HistoryFrame? { try merge.next() }
}

// The rows of a frame, column by column. Borrowed from the stream, so no further frame may be asked for
// while they are in use.
extension MarketStream {
  /// The file of a frame.
  public func file(of frame: HistoryFrame) -> HistoryFile { merge.feeds[frame.source].source.file }

  /// Values of a column of 64 bits that is read, one a row of the frame handed out last.
  @_lifetime(borrow self)
  public func wide(_ column: HistoryColumn, of frame: HistoryFrame) -> Span<Int64> {
    let source = merge.feeds[frame.source].source
    precondition(frame.first + frame.count <= source.count, "a frame of an earlier batch")
    // The rows lie in the batch, which stays while `self` is borrowed.
    let values = unsafe UnsafeBufferPointer(
      start: source.storage.wide(column) + frame.first, count: frame.count)
    return unsafe _overrideLifetime(Span(_unsafeElements: values), borrowing: self)
  }

  /// Values of a column of 32 bits that is read, one a row of the frame handed out last.
  @_lifetime(borrow self)
  public func narrow(_ column: HistoryColumn, of frame: HistoryFrame) -> Span<Int32> {
    let source = merge.feeds[frame.source].source
    precondition(frame.first + frame.count <= source.count, "a frame of an earlier batch")
    // As in `wide`.
    let values = unsafe UnsafeBufferPointer(
      start: source.storage.narrow(column) + frame.first, count: frame.count)
    return unsafe _overrideLifetime(Span(_unsafeElements: values), borrowing: self)
  }

  /// The levels of a frame of a book.
  @_lifetime(borrow self)
  public func levels(of frame: HistoryFrame) -> HistoryLevels {
    HistoryLevels(
      prices: wide(.price, of: frame), quantities: wide(.quantity, of: frame),
      sides: narrow(.side, of: frame))
  }

  /// The trades of a frame of trades.
  @_lifetime(borrow self)
  public func trades(of frame: HistoryFrame) -> HistoryLevels {
    HistoryLevels(
      prices: wide(.price, of: frame), quantities: wide(.quantity, of: frame),
      sides: narrow(.side, of: frame))
  }
}

/// Prices with quantities and sides: levels of a book, or trades.
public struct HistoryLevels: ~Escapable {
  public let prices: Span<Int64>
  public let quantities: Span<Int64>
  /// 1 bid or buyer, -1 ask or seller, 0 none.
  public let sides: Span<Int32>

  @_lifetime(copy prices, copy quantities, copy sides)
  init(prices: Span<Int64>, quantities: Span<Int64>, sides: Span<Int32>) {
    self.prices = prices
    self.quantities = quantities
    self.sides = sides
  }

  public var count: Int { prices.count }

  /// A row as the model has it. `none`, the side of an empty frame's one row, is not asked for here.
  public subscript(index: Int) -> BookLevel {
    BookLevel(
      side: sides[index] > 0 ? .buy : .sell, price: Price(quanta: prices[index]),
      quantity: Quantity(quanta: quantities[index]))
  }
}
