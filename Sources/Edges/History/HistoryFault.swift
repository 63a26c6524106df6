internal import CMartletParquet
internal import Glibc

/// Why a file of market history cannot be used, with the place where that showed.
public struct HistoryFault: Error, Equatable, Sendable {
  public enum Problem: Equatable, Sendable {
    /// The operating system would not give the file, or take it.
    case system(String)
    /// A file without a byte.
    case empty
    /// The file does not begin like Parquet.
    case notParquet(found: String)
    /// It begins like Parquet and does not end like it: the rest is missing.
    case truncated(expected: String, found: String)
    /// A file that is whole and has no row: nothing to work on is a failure.
    case noRows
    /// The library met bytes that are not what the format says.
    case damaged(String)
    case missingColumn(schema: String)
    case wrongType(expected: String, found: String)
    case nullValue
    case missingMetadata(key: String)
    /// A line of the file's metadata that is not what its key promises.
    case metadata(key: String, expected: String, found: String)
    /// A number that does not fit the grid that it is wanted on.
    case beyondScale(expected: String, found: String)
    /// A value that its column cannot have.
    case value(expected: String, found: String)
    case outOfOrder(expected: String, found: String)
    /// What would need more memory than a bound allows.
    case tooMuch(String)
    /// The Parquet library is not there.
    case noLibrary(String)
  }

  public let file: String
  /// From 0; nil where none is to blame.
  public var rowGroup: Int?
  public var column: String?
  /// Of the file, from 0.
  public var row: Int64?
  public let problem: Problem

  public init(
    _ file: String, _ problem: Problem, rowGroup: Int? = nil, column: String? = nil,
    row: Int64? = nil
  ) {
    self.file = file
    self.problem = problem
    self.rowGroup = rowGroup
    self.column = column
    self.row = row
  }
}

extension HistoryFault: CustomStringConvertible {
  public var description: String {
    var place = file
    if let rowGroup { place += ", row group \(rowGroup)" }
    if let column { place += ", column \(column)" }
    if let row { place += ", row \(row)" }
    return place + ": " + problem.description
  }
}

extension HistoryFault.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .system(let reason): reason
    case .empty: "expected a Parquet file, found one of 0 bytes; fetch or export it again"
    case .notParquet(let found):
      "expected a Parquet file, which begins with PAR1, found \(found); martlet data import turns"
        + " CSV into Parquet"
    case .truncated(let expected, let found):
      "expected \(expected), found \(found): the file was cut; fetch or export it again"
    case .noRows: "expected rows, found none; nothing to work on is a failure"
    case .damaged(let reason):
      "expected what the file's directory says, found damage: \(reason); take the file from a copy"
    case .missingColumn(let schema): "expected this column, as \(schema) has it, found none"
    case .wrongType(let expected, let found): "expected \(expected), found \(found)"
    case .nullValue: "expected a value, found null; every column is required"
    case .missingMetadata(let key):
      "expected the metadata key \(key), found none; martlet data inspect shows what is there"
    case .metadata(let key, let expected, let found):
      "the metadata key \(key): expected \(expected), found “\(found)”"
    case .beyondScale(let expected, let found): "expected \(expected), found \(found)"
    case .value(let expected, let found): "expected \(expected), found \(found)"
    case .outOfOrder(let expected, let found):
      "expected \(expected), found \(found); martlet data check shows every such place"
    case .tooMuch(let reason): reason
    case .noLibrary(let reason):
      "Parquet needs Arrow's library, which ./martlet sets up: \(reason)"
    }
  }
}

extension HistoryFault {
  /// What the shim says, in our words.
  ///
  /// - Parameter columns: names by the file's own index.
  init(_ file: String, _ fault: cmartlet_parquet_fault, columns: [String], groupStarts: [Int64]) {
    var fault = fault
    // The message is ended by a zero within the field, which lives for the closure.
    let message = unsafe withUnsafeBytes(of: &fault.message) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    let problem: Problem
    switch Int(fault.code) {
    case CMARTLET_PARQUET_NO_LIBRARY: problem = .noLibrary(message)
    case CMARTLET_PARQUET_NULL_VALUE: problem = .nullValue
    case CMARTLET_PARQUET_NO_MEMORY: problem = .tooMuch("the system has no memory left")
    case CMARTLET_PARQUET_TOO_MUCH: problem = .tooMuch("expected fewer texts, found \(message)")
    case CMARTLET_PARQUET_SYSTEM: problem = .system(message)
    default: problem = .damaged(message)
    }
    let group = Int(fault.row_group)
    let column = Int(fault.column)
    self.init(file, problem)
    if group >= 0 { rowGroup = group }
    if columns.indices.contains(column) { self.column = columns[column] }
    if fault.row >= 0, groupStarts.indices.contains(group) { row = groupStarts[group] + fault.row }
  }

  static func system(_ file: String, _ doing: String, _ code: Int32) -> HistoryFault {
    // Static text, or this thread's own until its next call; copied at once.
    HistoryFault(file, .system("cannot \(doing): \(unsafe String(cString: strerror(code)))"))
  }
}
