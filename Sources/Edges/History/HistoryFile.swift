public import MartletBase

/// A file of market history: Parquet with one of the known schemas, its directory read and checked.
@safe public final class HistoryFile {
  public enum Contract: String, Sendable {
    case spot
    case linearPerpetual = "linear_perp"
    case inversePerpetual = "inverse_perp"
    case future
    /// Several, or none named.
    case various = ""
  }

  public let parquet: ParquetFile
  public let schema: HistorySchema
  /// Columns of the schema that are there, in the schema's order, then those that may be.
  public let columns: [HistoryColumn]
  /// As `binance-usdm`.
  public let venue: String
  /// As `BTCUSDT`.
  public let symbol: String
  public let contract: Contract
  /// Of candles and other rows that are of spans of time; nil for the rest.
  public let interval: TimeSpan?
  /// What its files share whose `frame_seq` counts the lines of one capture; nil when the numbers are
  /// its own.
  public let capture: String?

  public var path: String { parquet.path }
  public var rows: Int64 { parquet.rows }

  // By the column's ordinal; -1 where there is no grid or no column.
  private let places: [Int8]
  private let indices: [Int16]

  /// - Throws: `HistoryFault`, which names file, row group and column, what was expected and found.
  public init(path: String) throws(HistoryFault) {
    parquet = try ParquetFile(path: path)
    guard let name = parquet.value("schema") else {
      throw HistoryFault(path, .missingMetadata(key: "schema"))
    }
    guard let schema = HistorySchema(rawValue: name) else {
      throw HistoryFault(
        path,
        .metadata(
          key: "schema", expected: HistorySchema.allCases.map(\.rawValue).joined(separator: ", "),
          found: name))
    }
    self.schema = schema
    var columns: [HistoryColumn] = []
    var indices = [Int16](repeating: -1, count: HistoryColumn.allCases.count)
    var places = [Int8](repeating: -1, count: HistoryColumn.allCases.count)
    for column in schema.columns + schema.optionalColumns {
      guard let index = parquet.index(of: column.rawValue) else {
        if schema.optionalColumns.contains(column) { continue }
        throw HistoryFault(path, .missingColumn(schema: name), column: column.rawValue)
      }
      try Self.check(column, is: parquet.columns[index], in: path)
      indices[column.ordinal] = Int16(index)
      if column.grid != nil { places[column.ordinal] = try Self.places(of: column, in: parquet) }
      columns.append(column)
    }
    if schema == .funding, !columns.contains(.symbol), !columns.contains(.venue) {
      throw HistoryFault(path, .missingColumn(schema: name), column: "symbol or venue")
    }
    self.columns = columns
    self.indices = indices
    self.places = places
    guard parquet.rows > 0 else { throw HistoryFault(path, .noRows) }
    venue = parquet.value("venue") ?? ""
    symbol = parquet.value("symbol") ?? ""
    contract = Contract(rawValue: parquet.value("contract_type") ?? "") ?? .various
    interval = schema.isOfSpans ? try Self.interval(of: parquet, schema) : nil
    capture = schema.isCaptured ? Self.capture(of: parquet) : nil
  }

  /// The decimals that the column's numbers count; nil for times, ids and the rest.
  public func places(of column: HistoryColumn) -> DecimalPlaces? {
    let count = places[column.ordinal]
    return count < 0 ? nil : DecimalPlaces(Int(count))
  }

  /// The column's place in the file; nil when it has none.
  public func index(of column: HistoryColumn) -> Int? {
    let index = indices[column.ordinal]
    return index < 0 ? nil : Int(index)
  }

  /// What the file's statistics say of a column, all row groups together; nil when one is silent.
  public func range(of column: HistoryColumn) throws(HistoryFault) -> ClosedRange<Int64>? {
    guard let index = index(of: column) else { return nil }
    var whole: ClosedRange<Int64>?
    for group in parquet.groupRows.indices {
      guard let range = try parquet.chunk(group: group, column: index).range else { return nil }
      whole =
        min(
          whole?.lowerBound ?? .max, range.lowerBound)...max(
          whole?.upperBound ?? .min, range.upperBound)
    }
    return whole
  }

  private static func check(
    _ column: HistoryColumn, is found: ParquetFile.Column, in path: String
  ) throws(HistoryFault) {
    let expected: (kind: ParquetFile.Column.Kind, word: String) =
      switch column.width {
      case .wide: (.int64, "INT64")
      case .narrow: (.int32, "INT32")
      case .text: (.text, "BYTE_ARRAY of UTF-8")
      }
    guard found.kind == expected.kind else {
      throw HistoryFault(
        path, .wrongType(expected: expected.word, found: found.type), column: column.rawValue)
    }
  }

  private static func places(
    of column: HistoryColumn, in parquet: ParquetFile
  ) throws(HistoryFault) -> Int8 {
    let key = "scale." + column.rawValue
    guard let text = parquet.value(key) else {
      throw HistoryFault(parquet.path, .missingMetadata(key: key), column: column.rawValue)
    }
    guard let count = Int8(text), (0...18).contains(count) else {
      throw HistoryFault(
        parquet.path, .metadata(key: key, expected: "0 … 18", found: text),
        column: column.rawValue)
    }
    return count
  }

  private static func interval(
    of parquet: ParquetFile, _ schema: HistorySchema
  ) throws(HistoryFault) -> TimeSpan {
    if schema == .basis8h { return .seconds(8 * 3_600) }
    guard let text = parquet.value("interval") else {
      throw HistoryFault(parquet.path, .missingMetadata(key: "interval"))
    }
    guard let span = interval(text) else {
      throw HistoryFault(
        parquet.path,
        .metadata(key: "interval", expected: "a length such as 1min, 1h, 8h or 1d", found: text))
    }
    return span
  }

  /// The span that `1min`, `1m`, `15m`, `1h`, `1d` or `1w` names; nil for what is none, months too.
  public static func interval(_ text: String) -> TimeSpan? {
    let digits = text.prefix { $0.isNumber }
    let seconds: Int64
    switch text.dropFirst(digits.count) {
    case "s": seconds = 1
    case "min", "m": seconds = 60
    case "h": seconds = 3_600
    case "d": seconds = 86_400
    case "w": seconds = 604_800
    default: return nil
    }
    guard let count = Int64(digits), (1...10_000).contains(count) else { return nil }
    return .seconds(count * seconds)
  }

  /// Files of one capture share the beginning of their names, `_trades` and its like left off. Rows
  /// that were made from CSV were counted file by file.
  private static func capture(of parquet: ParquetFile) -> String? {
    if parquet.value("source")?.hasSuffix(" csv") == true { return nil }
    if let named = parquet.value("capture") { return named }
    for ending in ["_trades", "_book", "_bbo", "_mark"] {
      let whole = ending + ".parquet"
      if parquet.path.hasSuffix(whole) { return String(parquet.path.dropLast(whole.count)) }
    }
    return nil
  }
}
