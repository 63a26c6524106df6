/// Turns published CSV into a file of market history, exactly: numbers go from text to counts.
public struct HistoryImport: Sendable {
  public var source: DumpSource
  public var kind: DumpKind
  /// Read one after another, in this order.
  public var inputs: [String]
  public var output: String
  /// What stands in its metadata; its grids are found in the dumps unless given here.
  public var venue: String
  public var symbol: String
  public var contract: HistoryFile.Contract
  public var interval: String?
  /// Decimals of a grid; nil for the most that the dumps have.
  public var places: [HistoryColumn.Grid: Int] = [:]
  public var compression = HistoryWriter.Compression.lz4

  public init(
    _ source: DumpSource, _ kind: DumpKind, from inputs: [String], to output: String,
    venue: String, symbol: String, contract: HistoryFile.Contract, interval: String? = nil
  ) {
    self.source = source
    self.kind = kind
    self.inputs = inputs
    self.output = output
    self.venue = venue
    self.symbol = symbol
    self.contract = contract
    self.interval = interval
  }

  public struct Outcome: Equatable, Sendable {
    public let rows: Int64
    /// Rows whose time is before that of the row ahead of them.
    public let stepsBack: Int64
    public let pricePlaces: Int
    public let quantityPlaces: Int
    public let ratePlaces: Int
  }

  /// - Throws: `HistoryFault`, which names the dump, its line and field. No file is then made.
  public func run() throws(HistoryFault) -> Outcome {
    let schema = kind.schema
    var columns = schema.columns
    if schema == .funding { columns.append(.symbol) }
    let found = try grids(schema.columns)
    var head = HistoryWriter.Head(
      schema, venue: venue, symbol: symbol, contract: contract, pricePlaces: found.price,
      quantityPlaces: found.quantity, ratePlaces: found.rate, interval: interval)
    // The suffix says that `frame_seq` counts the rows of this file, not the lines of a capture.
    head.more = [("source", "\(source.rawValue) csv")]
    if source == .binance {
      head.more.append(("recorder_clock", "none: ts_recv_ns repeats the exchange time"))
    }
    let writer = try HistoryWriter(
      path: output, head, with: schema == .funding ? [.symbol] : [], compression: compression)
    let name = schema == .funding ? try writer.value(of: symbol) : 0
    let time = columns.firstIndex(of: schema.time) ?? 0
    var values = [Int64](repeating: 0, count: columns.count)
    var last = Int64.min
    var stepsBack: Int64 = 0
    let reader = DumpReader(source, kind, inputs)
    while try reader.next() {
      for (index, column) in schema.columns.enumerated() {
        let places = found.places(of: column)
        guard let value = reader.row[index].scaled(to: places) else {
          throw HistoryFault(
            reader.place?.path ?? output,
            .beyondScale(
              expected: "a number of at most \(places) decimals that fits 64 bits",
              found: "\(reader.row[index].digits) with \(reader.row[index].decimals) decimals"),
            column: column.rawValue, row: reader.place?.line)
        }
        values[index] = value
      }
      if schema == .funding { values[columns.count - 1] = name }
      if values[time] < last { stepsBack += 1 }
      last = values[time]
      try writer.append(values.span)
    }
    guard writer.rows > 0 else { throw HistoryFault(inputs.first ?? output, .noRows) }
    try writer.finish()
    return Outcome(
      rows: writer.rows, stepsBack: stepsBack, pricePlaces: found.price,
      quantityPlaces: found.quantity, ratePlaces: found.rate)
  }

  private struct Grids {
    var price = 0
    var quantity = 0
    var rate = 0

    func places(of column: HistoryColumn) -> Int {
      switch column.grid {
      case .price: price
      case .quantity: quantity
      case .rate: rate
      case nil: 0
      }
    }
  }

  /// A first pass over the dumps, for the most decimals of each grid that was not given.
  private func grids(_ columns: [HistoryColumn]) throws(HistoryFault) -> Grids {
    var found = Grids(
      price: places[.price] ?? 0, quantity: places[.quantity] ?? 0, rate: places[.rate] ?? 0)
    let open = columns.enumerated().filter { column in
      column.element.grid.map { places[$0] == nil } ?? false
    }
    guard !open.isEmpty else { return found }
    let reader = DumpReader(source, kind, inputs)
    while try reader.next() {
      for (index, column) in open {
        let decimals = reader.row[index].decimals
        switch column.grid {
        case .price: found.price = max(found.price, decimals)
        case .quantity: found.quantity = max(found.quantity, decimals)
        case .rate: found.rate = max(found.rate, decimals)
        case nil: break
        }
      }
    }
    return found
  }
}
