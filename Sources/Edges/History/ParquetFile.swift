internal import CMartletParquet
internal import Glibc

/// One open Parquet file: its directory, and whose columns can be read.
@safe public final class ParquetFile {
  public struct Column: Equatable, Sendable {
    public enum Kind: Int32, Sendable { case int64, int32, text, other }
    public let name: String
    public let kind: Kind
    /// The format's own words.
    public let type: String
  }

  /// One column of one row group.
  public struct Chunk: Equatable, Sendable {
    /// Nil when the file does not say.
    public let nulls: Int64?
    public let packedBytes: Int64
    public let unpackedBytes: Int64
    /// Least and greatest value; nil when the file does not say, or of other kinds than integers.
    public let range: ClosedRange<Int64>?
    public let compression: String
  }

  public let path: String
  public let bytes: Int64
  public let rows: Int64
  public let columns: [Column]
  public let metadata: [(key: String, value: String)]
  public let createdBy: String
  /// Rows of each row group.
  public let groupRows: [Int64]
  /// First row of each row group.
  public let groupStarts: [Int64]
  let library: cmartlet_parquet_library
  // Ours until `deinit`.
  let handle: OpaquePointer

  /// - Throws: `HistoryFault`: not there, empty, not Parquet, cut, or with a damaged directory.
  public init(path: String) throws(HistoryFault) {
    bytes = try Self.look(at: path)
    library = try Self.library(for: path)
    var fault = cmartlet_parquet_fault()
    // The path and the fault live for the call.
    guard let handle = unsafe library.open(path, &fault) else {
      throw HistoryFault(path, fault, columns: [], groupStarts: [])
    }
    unsafe self.handle = handle
    self.path = path
    // The handle is open, and texts that it gives are copied at once.
    rows = unsafe library.rows(handle)
    let library = library
    columns = unsafe (0..<library.columns(handle)).map { index in
      let column = unsafe library.column(handle, index)
      return unsafe Column(
        name: Self.text(column.name), kind: Column.Kind(rawValue: column.kind) ?? .other,
        type: Self.text(column.type))
    }
    metadata = unsafe (0..<library.metadata_count(handle)).map { index in
      unsafe (
        Self.text(library.metadata_key(handle, index)),
        Self.text(library.metadata_value(handle, index))
      )
    }
    createdBy = unsafe Self.text(library.created_by(handle))
    var counts: [Int64] = []
    var starts: [Int64] = []
    var total: Int64 = 0
    for group in unsafe 0..<library.row_groups(handle) {
      let count = unsafe library.row_group_rows(handle, group, &fault)
      guard count >= 0 else {
        // For a half-made object `deinit` does not run.
        unsafe library.close(handle)
        throw HistoryFault(path, fault, columns: [], groupStarts: [])
      }
      counts.append(count)
      starts.append(total)
      total += count
    }
    groupRows = counts
    groupStarts = starts
    guard total == rows else {
      throw HistoryFault(path, .damaged("\(rows) rows in all, \(total) in the row groups"))
    }
  }

  deinit { unsafe library.close(handle) }

  public func value(_ key: String) -> String? { metadata.first { $0.key == key }?.value }

  public func index(of column: String) -> Int? { columns.firstIndex { $0.name == column } }

  /// - Parameters:
  ///   - group: below the count of `groupRows`.
  ///   - column: below the count of `columns`.
  public func chunk(group: Int, column: Int) throws(HistoryFault) -> Chunk {
    var chunk = unsafe cmartlet_parquet_chunk()
    var fault = cmartlet_parquet_fault()
    // Both live for the call, which fills them; the handle is open.
    guard unsafe library.chunk(handle, Int32(group), Int32(column), &chunk, &fault) == 0 else {
      throw self.fault(fault)
    }
    let hasRange = unsafe chunk.has_range && chunk.least <= chunk.greatest
    return unsafe Chunk(
      nulls: chunk.nulls < 0 ? nil : chunk.nulls, packedBytes: chunk.packed_bytes,
      unpackedBytes: chunk.unpacked_bytes, range: hasRange ? chunk.least...chunk.greatest : nil,
      compression: Self.text(chunk.compression))
  }

  func fault(_ fault: cmartlet_parquet_fault) -> HistoryFault {
    HistoryFault(path, fault, columns: columns.map(\.name), groupStarts: groupStarts)
  }

  static func library(for path: String) throws(HistoryFault) -> cmartlet_parquet_library {
    var fault = cmartlet_parquet_fault()
    // The fault lives for the call; the library for as long as the program.
    guard let library = unsafe cmartlet_parquet_load(&fault) else {
      throw HistoryFault(path, fault, columns: [], groupStarts: [])
    }
    return unsafe library.pointee
  }

  static func text(_ text: cmartlet_parquet_text) -> String {
    // The bytes live as long as the file or cursor that gave them, which the caller holds.
    unsafe String(
      decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.length), as: UTF8.self)
  }

  /// What the library would say in its own words, said in ours: a file that cannot be Parquet.
  ///
  /// - Returns: the file's size.
  private static func look(at path: String) throws(HistoryFault) -> Int64 {
    // The path lives for the call.
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, "open it", errno) }
    defer { Glibc.close(descriptor) }
    var information = stat()
    // `information` lives for the call, which fills it.
    guard unsafe fstat(descriptor, &information) == 0 else {
      throw .system(path, "look at it", errno)
    }
    guard information.st_mode & S_IFMT == S_IFREG else {
      throw HistoryFault(path, .notParquet(found: "no plain file"))
    }
    let size = Int64(information.st_size)
    guard size > 0 else { throw HistoryFault(path, .empty) }
    let head = read(descriptor, at: 0, 4)
    guard head == Array("PAR1".utf8) else {
      throw HistoryFault(path, .notParquet(found: quoted(head)))
    }
    let tail = read(descriptor, at: max(size - 8, 0), 8)
    guard size >= 12, tail.suffix(4) == Array("PAR1".utf8)[...] else {
      throw HistoryFault(
        path, .truncated(expected: "PAR1 at the end too", found: quoted(Array(tail.suffix(4)))))
    }
    var length: Int64 = 0
    for byte in tail.prefix(4).reversed() { length = length << 8 | Int64(byte) }
    guard length > 0, length <= size - 12 else {
      throw HistoryFault(
        path,
        .truncated(
          expected: "a directory of \(length) bytes before the end", found: "\(size) bytes in all"))
    }
    return size
  }

  private static func read(_ descriptor: Int32, at offset: Int64, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // Writes below `count`, which is what was reserved.
    let read = unsafe pread(descriptor, &bytes, count, off_t(offset))
    return Array(bytes.prefix(max(read, 0)))
  }

  private static func quoted(_ bytes: [UInt8]) -> String {
    let isText = bytes.allSatisfy { $0 >= 32 && $0 < 127 }
    return isText
      ? "“\(String(decoding: bytes, as: UTF8.self))”"
      : "bytes " + bytes.map { String($0, radix: 16) }.joined(separator: " ")
  }
}
