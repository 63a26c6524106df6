internal import CMartletParquet

/// Reads columns of a Parquet file from front to back into buffers of the caller.
@safe final class ParquetCursor {
  let file: ParquetFile
  // Ours until `deinit`.
  private let handle: OpaquePointer

  /// - Parameters:
  ///   - columns: indices into the file's own; none of kind `other`.
  ///   - groups: which row groups.
  init(_ file: ParquetFile, columns: [Int], groups: Range<Int>) throws(HistoryFault) {
    var fault = cmartlet_parquet_fault()
    let indices = columns.map { Int32($0) }
    // The indices and the fault live for the call, and `file` longer than the cursor.
    guard
      let handle = unsafe file.library.read(
        file.handle, indices, Int32(indices.count), Int32(groups.lowerBound),
        Int32(groups.upperBound), &fault)
    else { throw file.fault(fault) }
    self.file = file
    unsafe self.handle = handle
  }

  deinit { unsafe file.library.end(handle) }

  /// Reads at most `most` rows, never beyond the end of a row group, into one target for each column.
  ///
  /// - Parameter targets: room for `most` values each: 64 bits for `int64`, 32 for the others.
  /// - Returns: the rows; 0 at the end.
  func next(
    _ most: Int, into targets: [UnsafeMutableRawPointer]
  ) throws(HistoryFault) -> Int {
    var fault = cmartlet_parquet_fault()
    // The targets have room for `most`, and live for the call as the fault does.
    let count = unsafe targets.withUnsafeBufferPointer { list in
      unsafe list.withMemoryRebound(to: UnsafeMutableRawPointer.self) { rebound in
        guard let base = rebound.baseAddress else { return Int64(0) }
        return unsafe file.library.next(handle, Int64(most), base, &fault)
      }
    }
    guard count >= 0 else { throw file.fault(fault) }
    return Int(count)
  }

  /// The row group that the last rows came from.
  var group: Int { Int(unsafe file.library.group(handle)) }

  /// How many distinct texts the rows so far had; their indices stay as they are.
  var textCount: Int { Int(unsafe file.library.texts(handle)) }
  func text(_ index: Int) -> String {
    unsafe ParquetFile.text(file.library.text(handle, Int32(index)))
  }
}
