internal import CMartletParquet
internal import Glibc

/// Writes a file of market history: whole under its name, or not there at all.
///
/// Rows go into buffers, buffers into pages. The file bears another name until `finish`, and what was
/// begun and not finished is removed.
///
/// - Bounds: memory of one row group's pages and one batch.
@safe public final class HistoryWriter {
  public enum Compression: Int32, Sendable { case none, lz4, zstd }

  /// What stands in a file's metadata.
  public struct Head: Equatable, Sendable {
    public var schema: HistorySchema
    public var venue: String
    public var symbol: String
    public var contract: HistoryFile.Contract
    /// Decimals of each grid that the schema has a column of.
    public var pricePlaces: Int
    public var quantityPlaces: Int
    public var ratePlaces: Int
    /// Of rows that are of spans of time, as `1min`.
    public var interval: String?
    /// Further lines, such as `source`; those above are written by themselves.
    public var more: [(key: String, value: String)] {
      get { lines.map { ($0[0], $0[1]) } }
      set { lines = newValue.map { [$0.key, $0.value] } }
    }
    private var lines: [[String]] = []

    public init(
      _ schema: HistorySchema, venue: String, symbol: String,
      contract: HistoryFile.Contract = .spot, pricePlaces: Int = 0, quantityPlaces: Int = 0,
      ratePlaces: Int = 0, interval: String? = nil, more: [(key: String, value: String)] = []
    ) {
      self.schema = schema
      self.venue = venue
      self.symbol = symbol
      self.contract = contract
      self.pricePlaces = pricePlaces
      self.quantityPlaces = quantityPlaces
      self.ratePlaces = ratePlaces
      self.interval = interval
      lines = more.map { [$0.key, $0.value] }
    }

    func places(of grid: HistoryColumn.Grid) -> Int {
      switch grid {
      case .price: pricePlaces
      case .quantity: quantityPlaces
      case .rate: ratePlaces
      }
    }
  }

  public static let usualRowsPerGroup: Int64 = 131_072

  public let path: String
  /// In the order in which `append` takes their values.
  public let columns: [HistoryColumn]
  /// Rows taken so far.
  public private(set) var rows: Int64 = 0

  private static let batch = 4_096
  private let library: cmartlet_parquet_library
  // Ours until `deinit`.
  private let handle: OpaquePointer
  private let storage: ColumnStorage
  private var held = 0
  private var isFinished = false
  private var temporary: String { path + ".part" }

  /// - Parameters:
  ///   - names: which of the schema's optional columns the file has too.
  ///   - rowsPerGroup: at least 1.
  public init(
    path: String, _ head: Head, with names: [HistoryColumn] = [],
    compression: Compression = .lz4, rowsPerGroup: Int64 = HistoryWriter.usualRowsPerGroup
  ) throws(HistoryFault) {
    library = try ParquetFile.library(for: path)
    self.path = path
    let columns = head.schema.columns + names
    self.columns = columns
    storage = ColumnStorage(columns, capacity: Self.batch)
    var pairs: [(key: String, value: String)] = [
      ("schema", head.schema.rawValue), ("venue", head.venue), ("symbol", head.symbol),
      ("contract_type", head.contract.rawValue), ("time_unit", "ns since 1970-01-01T00:00:00Z"),
    ]
    if let interval = head.interval { pairs.append(("interval", interval)) }
    for column in columns {
      guard let grid = column.grid else { continue }
      pairs.append(("scale." + column.rawValue, "\(head.places(of: grid))"))
    }
    pairs += head.more
    let kinds = columns.map { column -> Int32 in
      switch column.width {
      case .wide: Int32(CMARTLET_PARQUET_INT64)
      case .narrow: Int32(CMARTLET_PARQUET_INT32)
      case .text: Int32(CMARTLET_PARQUET_TEXT)
      }
    }
    var fault = cmartlet_parquet_fault()
    let library = library
    // All texts and lists live for the call, which copies them.
    let handle = unsafe Self.withTexts(columns.map(\.rawValue)) { names in
      unsafe Self.withTexts(pairs.map(\.key)) { keys in
        unsafe Self.withTexts(pairs.map(\.value)) { values in
          unsafe library.create(
            path + ".part", names, kinds, Int32(kinds.count), keys, values, Int32(pairs.count),
            compression.rawValue, rowsPerGroup, &fault)
        }
      }
    }
    guard let handle = unsafe handle else {
      throw HistoryFault(path, fault, columns: [], groupStarts: [])
    }
    unsafe self.handle = handle
  }

  deinit {
    unsafe library.discard(handle)
    // The path lives for the call.
    if !isFinished { _ = unsafe unlink(temporary) }
  }

  /// The value that stands for a text in a row.
  public func value(of text: String) throws(HistoryFault) -> Int64 {
    var fault = cmartlet_parquet_fault()
    var text = text
    // The bytes and the fault live for the call.
    let index = text.withUTF8 { bytes -> Int32 in
      guard let base = bytes.baseAddress else {
        return unsafe library.add_text(handle, "", 0, &fault)
      }
      return unsafe base.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
        unsafe library.add_text(handle, $0, bytes.count, &fault)
      }
    }
    guard index >= 0 else { throw self.fault(fault) }
    return Int64(index)
  }

  /// Takes one row.
  ///
  /// - Parameter values: one for each of `columns`, in their order.
  public func append(_ values: Span<Int64>) throws(HistoryFault) {
    precondition(values.count == columns.count, "\(values.count) values, \(columns.count) columns")
    for index in columns.indices {
      // `held` is below the capacity of every buffer.
      if columns[index].width == .wide {
        unsafe storage.wide(columns[index])[held] = values[index]
      } else {
        guard let narrow = Int32(exactly: values[index]) else {
          throw HistoryFault(
            path, .value(expected: "a number that fits 32 bits", found: "\(values[index])"),
            column: columns[index].rawValue, row: rows)
        }
        unsafe storage.narrow(columns[index])[held] = narrow
      }
    }
    held += 1
    rows += 1
    if held == Self.batch { try flush() }
  }

  /// Writes what is left, brings the file to disk and gives it its name.
  ///
  /// - Throws: `HistoryFault`, of a file without rows too: it is then not made.
  public func finish() throws(HistoryFault) {
    guard rows > 0 else { throw HistoryFault(path, .noRows) }
    try flush()
    var fault = cmartlet_parquet_fault()
    // The fault lives for the call.
    guard unsafe library.finish(handle, &fault) == 0 else { throw self.fault(fault) }
    // The paths live for the calls.
    let descriptor = unsafe open(temporary, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, "open what was written", errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system(path, "bring it to disk", errno) }
    guard unsafe rename(temporary, path) == 0 else {
      throw .system(path, "give it its name", errno)
    }
    isFinished = true
  }

  private func flush() throws(HistoryFault) {
    guard held > 0 else { return }
    let sources = unsafe columns.map { UnsafeRawPointer(unsafe storage.target($0, from: 0)) }
    var fault = cmartlet_parquet_fault()
    // Every buffer holds `held` rows; all live for the call.
    guard unsafe library.write(handle, Int64(held), sources, &fault) == 0 else {
      throw self.fault(fault)
    }
    held = 0
  }

  private func fault(_ fault: cmartlet_parquet_fault) -> HistoryFault {
    HistoryFault(path, fault, columns: columns.map(\.rawValue), groupStarts: [])
  }

  /// Texts as C has them, for the length of a call.
  private static func withTexts<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>>) -> Result
  ) -> Result {
    let copies = unsafe texts.map { unsafe strdup($0) }
    defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
    // A copy is nil only where the system has no memory left, and then nothing goes on.
    let pointers = unsafe copies.map { unsafe UnsafePointer($0.unsafelyUnwrapped) }
    return unsafe pointers.withUnsafeBufferPointer { list in
      // A file has columns and metadata, so that the list is not empty.
      unsafe body(list.baseAddress.unsafelyUnwrapped)
    }
  }
}
