public import MartletBase
public import MartletModel

/// A bundled market in memory: its rows flat, in the order in which they arrived.
///
/// - Bounds: what the file says, at most 1 GiB unpacked; the bundled market is 320,000 rows, 10 MB.
public struct Recording: Sendable {
  /// One message of the capture.
  public struct Frame: Equatable, Sendable {
    /// Line of the capture; the order of arrival across trades, book and best bid and offer.
    public let sequence: Int64
    public let kind: MarketRow.Kind
    /// By the venue's clock; `Timestamp.zero` for a snapshot, which has none.
    public let exchangeTime: Timestamp
    /// Of a book frame, the venue's first and last update in it; of a trade, its id, twice.
    public let first: Int64
    public let last: Int64
    /// Index of its first row.
    public let firstRow: Int
  }

  public let venue: String
  public let symbol: String
  public let base: String
  public let quote: String
  /// The grids that the rows' prices and quantities count on.
  public let pricePlaces: DecimalPlaces
  public let quantityPlaces: DecimalPlaces
  /// Where it comes from and under which license.
  public let source: String
  public let license: String
  public let frames: [Frame]
  public let rows: [MarketRow]

  /// - Throws: `RecordingFault`, which says what was expected, what was found and what to do.
  public init(path: String) throws(RecordingFault) {
    try self.init(bytes: try RecordingContainer.read(path))
  }

  /// - Parameter bytes: a whole file.
  public init(bytes: [UInt8]) throws(RecordingFault) {
    let container = try RecordingContainer(bytes, kind: 1)
    venue = try container.text("venue")
    symbol = try container.text("symbol")
    base = try container.text("base")
    quote = try container.text("quote")
    source = try container.text("source")
    license = try container.text("license")
    pricePlaces = try Self.places(container, "price_places")
    quantityPlaces = try Self.places(container, "quantity_places")
    var reader = try MarketColumns(container)
    (frames, rows) = try reader.read()
  }

  static func places(
    _ container: RecordingContainer, _ key: String
  ) throws(RecordingFault) -> DecimalPlaces {
    let count = try container.number(key)
    guard count <= 12 else { throw .header(key: key, found: "\(count)") }
    return DecimalPlaces(count)
  }
}

/// The venue's own best bid and offer, to check a rebuilt book against.
public struct BestBidOfferRecording: Sendable {
  public struct Row: Equatable, Sendable {
    /// The last update of a book frame, and of the quote that was the best then.
    public let frameUpdate: Int64
    public let update: Int64
    public let bid: Price
    public let bidQuantity: Quantity
    public let ask: Price
    public let askQuantity: Quantity
  }

  public let rows: [Row]

  public init(path: String) throws(RecordingFault) {
    let container = try RecordingContainer(try RecordingContainer.read(path), kind: 2)
    var columns = try container.columns([
      "frame_update", "update", "bid_price", "bid_quantity", "ask_price", "ask_quantity",
    ])
    var rows: [Row] = []
    var last = [Int64](repeating: 0, count: columns.count)
    for _ in 0..<(try container.number("rows")) {
      for index in columns.indices { last[index] = try columns[index].next(after: last[index]) }
      rows.append(
        Row(
          frameUpdate: last[0], update: last[1], bid: Price(quanta: last[2]),
          bidQuantity: Quantity(quanta: last[3]), ask: Price(quanta: last[4]),
          askQuantity: Quantity(quanta: last[5])))
    }
    for column in columns { try column.end() }
    self.rows = rows
  }
}
