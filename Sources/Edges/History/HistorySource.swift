internal import MartletBase

/// One file being streamed: what `HistoryReader` and `MarketStream` own, each alone.
@safe final class HistorySource {
  let file: HistoryFile
  let columns: [HistoryColumn]
  private(set) var count = 0
  private(set) var firstRow: Int64 = 0

  private let cursor: ParquetCursor
  private(set) var storage: ColumnStorage
  private let rescales: [(column: HistoryColumn, factor: Int64, isFiner: Bool)]
  // Keeps only the rows of one series: by whose name, and which indices of texts bear it.
  private let series: [(column: HistoryColumn, text: String)]
  private var seriesIndices: [Int32]
  /// Where the cursor writes; an array that is kept, so that a batch costs no allocation.
  private var targets: [UnsafeMutableRawPointer]
  private var isAtEnd = false
  private var rowsRead: Int64 = 0

  init(
    _ file: HistoryFile, columns: [HistoryColumn]?, scale: InstrumentScale?,
    series: String?, batch: Int
  ) throws(HistoryFault) {
    self.file = file
    var wanted = columns ?? file.columns
    var selection: [(column: HistoryColumn, text: String)] = []
    if let series {
      let names = file.columns.filter { $0.width == .text }
      let parts = series.split(separator: "/").map(String.init)
      guard !names.isEmpty, parts.count == names.count else {
        throw HistoryFault(
          file.path,
          .value(
            expected: names.isEmpty
              ? "no series, the file holds one"
              : "a series named by \(names.map(\.rawValue).joined(separator: "/"))",
            found: "“\(series)”"))
      }
      selection = zip(names, parts).map { ($0, $1) }
      wanted += names.filter { !wanted.contains($0) }
    }
    var indices: [Int] = []
    for column in wanted {
      guard let index = file.index(of: column) else {
        throw HistoryFault(
          file.path, .missingColumn(schema: file.schema.rawValue), column: column.rawValue)
      }
      indices.append(index)
    }
    self.columns = wanted
    self.series = selection
    seriesIndices = selection.map { _ in -1 }
    storage = ColumnStorage(wanted, capacity: max(batch, 1))
    unsafe targets = []
    rescales = try Self.rescales(file, wanted, scale)
    cursor = try ParquetCursor(
      file.parquet, columns: indices, groups: file.parquet.groupRows.indices)
  }

  /// Moves the batch on: rows before `first` go, the others come to the front, new ones behind them.
  ///
  /// - Returns: whether rows came.
  func advance(keeping first: Int) throws(HistoryFault) -> Bool {
    let kept = count - first
    storage.keep(from: first, to: count)
    firstRow += Int64(first)
    count = kept
    guard !isAtEnd else { return false }
    if kept == storage.capacity {
      guard kept < HistoryReader.largestFrame else {
        throw HistoryFault(
          file.path, .tooMuch("expected frames of at most \(kept) rows, found a longer one"),
          row: firstRow)
      }
      storage.grow(to: kept * 2, keeping: kept)
    }
    while true {
      unsafe targets.removeAll(keepingCapacity: true)
      for column in columns {
        // Room for what is read lies behind the rows that were kept.
        unsafe targets.append(storage.target(column, from: kept))
      }
      isAtEnd = true  // Until the read has ended well.
      let read = unsafe try cursor.next(storage.capacity - kept, into: targets)
      guard read > 0 else { return false }
      try rescale(kept..<(kept + read))
      isAtEnd = false
      rowsRead += Int64(read)
      let new = series.isEmpty ? read : select(kept..<(kept + read))
      count = kept + new
      if new > 0 { return true }
    }
  }

  /// Numbers come from the file's grid to the one that is wanted.
  private func rescale(_ rows: Range<Int>) throws(HistoryFault) {
    for (column, factor, isFiner) in rescales {
      let values = unsafe storage.wide(column)
      for row in rows {
        // Within the batch, which was read up to there.
        let value = unsafe values[row]
        let (product, overflow) =
          isFiner ? value.multipliedReportingOverflow(by: factor) : (value / factor, false)
        guard !overflow, isFiner || product * factor == value else {
          throw HistoryFault(
            file.path,
            .beyondScale(
              expected: isFiner
                ? "a count that fits 64 bits with \(factor) times finer steps"
                : "a multiple of \(factor), as the instrument's grid is coarser",
              found: "\(value)"),
            rowGroup: cursor.group, column: column.rawValue,
            row: rowsRead + Int64(row - rows.lowerBound))
        }
        unsafe values[row] = product
      }
    }
  }

  /// Keeps the rows of the series alone.
  ///
  /// - Returns: how many they are.
  private func select(_ rows: Range<Int>) -> Int {
    for index in series.indices where seriesIndices[index] < 0 {
      for text in 0..<cursor.textCount where cursor.text(text) == series[index].text {
        seriesIndices[index] = Int32(text)
      }
    }
    var end = rows.lowerBound
    for row in rows {
      var isWanted = true
      for index in series.indices {
        // Within the batch, which was read up to there.
        let found = unsafe storage.narrow(series[index].column)[row]
        isWanted = isWanted && found == seriesIndices[index]
      }
      guard isWanted else { continue }
      if row != end { storage.copy(row: row, to: end) }
      end += 1
    }
    return end - rows.lowerBound
  }

  /// The text of an index in a column of texts.
  func text(_ index: Int32) -> String { cursor.text(Int(index)) }

  /// What one count of each wanted grid is in counts of the file's.
  private static func rescales(
    _ file: HistoryFile, _ columns: [HistoryColumn], _ scale: InstrumentScale?
  ) throws(HistoryFault) -> [(column: HistoryColumn, factor: Int64, isFiner: Bool)] {
    guard let scale else { return [] }
    var rescales: [(column: HistoryColumn, factor: Int64, isFiner: Bool)] = []
    for column in columns {
      guard let grid = column.grid, let own = file.places(of: column) else { continue }
      let wanted: Int
      switch grid {
      case .price: wanted = Int(scale.price.count)
      case .quantity: wanted = Int(scale.quantity.count)
      case .rate: continue
      }
      let steps = wanted - Int(own.count)
      if steps == 0 { continue }
      guard abs(steps) <= 18 else {
        throw HistoryFault(
          file.path,
          .beyondScale(
            expected: "a grid within 18 decimals of the instrument's \(wanted)",
            found: "\(own.count) decimals"),
          column: column.rawValue)
      }
      // At most 10¹⁸, which fits.
      rescales.append((column, Int64(truncatingIfNeeded: powerOfTen(abs(steps))), steps > 0))
    }
    return rescales
  }
}
