import Glibc
import MartletBase
import MartletBench
import MartletClock
import MartletHistory
import MartletJSON
import MartletModel

/// Parquet to rows, beside pyarrow on the same files and columns in the same run.
extension ProcessBenchmarks {
  /// What a replay of a book needs.
  private static let columns: [HistoryColumn] = [
    .frameSequence, .receivedAt, .flags, .side, .price, .quantity,
  ]
  private static let rounds = 7

  static func parquetRows(folder: String, root: String) throws -> BenchResult {
    guard let recording = Installation.bundledRecording else {
      return .skipped("parquet-rows", because: "the bundled recording is not there")
    }
    let market = try Recording(path: recording)
    let zstd = folder + "/zstd_book.parquet"
    let lz4 = folder + "/lz4_book.parquet"
    defer { for path in [zstd, lz4] { unsafe unlink(path) } }
    try write(market, to: zstd, .zstd)
    try write(market, to: lz4, .lz4)

    var own = [zstd: Int64.max, lz4: Int64.max]
    var work: Int64 = 0
    var rows = 0
    func readAll() throws {
      for path in [zstd, lz4] {
        for _ in 0..<rounds {
          let begin = SystemClock.monotonic()
          (rows, work) = try read(path)
          own[path] = min(own[path] ?? .max, (SystemClock.monotonic() - begin).nanoseconds)
        }
      }
    }
    // Before and behind the other, so that a change of the machine's mind meets both.
    try readAll()
    let python = try pyarrow([zstd, lz4], root: root)
    try readAll()
    let nanoseconds = { (path: String) in Double(own[path] ?? 0) / Double(max(rows, 1)) }
    var result = BenchResult(
      name: "parquet-rows", ops: rows, nanosecondsPerOp: nanoseconds(zstd),
      checksum: UInt64(bitPattern: work))
    result.note = "zstd, six of eleven columns; own LZ4 \(tenths(nanoseconds(lz4))) ns"
    switch python {
    case .measured(let times, let sum):
      guard sum == work else { throw Fault(description: "pyarrow read other rows than we") }
      let theirs = Double(times[0]) / Double(max(rows, 1))
      result.note +=
        "; pyarrow on one thread \(tenths(theirs)) ns zstd,"
        + " \(tenths(Double(times[1]) / Double(max(rows, 1)))) ns LZ4: \(hundredths(nanoseconds(zstd) / theirs)) x"
        + " (goal at most 1.1), our LZ4 \(hundredths(nanoseconds(lz4) / theirs)) x (goal at most 0.65)"
    case .missing(let reason):
      result.note += "; no comparison: \(reason)"
    }
    return result
  }

  private enum Comparison { case measured([Int64], sum: Int64), missing(String) }

  private static func pyarrow(_ paths: [String], root: String) throws -> Comparison {
    // The Python that has pyarrow need not be the one on PATH.
    let named = unsafe getenv("MARTLET_PYARROW")
    // A C string of the environment, which nothing here changes.
    let program = unsafe named.map { unsafe String(cString: $0) } ?? "python3"
    let python = try ChildProcess(
      "/usr/bin/env",
      [program, root + "/Benchmarks/parquet_pyarrow.py", "\(rounds)"] + paths, output: .piped,
      dropsErrors: true)
    let line = python.line(within: 120_000) ?? ""
    guard python.reap(blocking: true) == .exited(0) else {
      return .missing("\(program) could not run Benchmarks/parquet_pyarrow.py, which needs pyarrow")
    }
    let bytes = Array(line.utf8)
    let told = try JSONValue(bytes.span)
    func number(_ key: String) -> Int64 { told[key]?.text.flatMap { Int64($0) } ?? 0 }
    return .measured([number("first_ns"), number("second_ns")], sum: number("sum"))
  }

  /// The book of the bundled recording eight times over: 2.4 million rows.
  private static func write(
    _ market: Recording, to path: String, _ way: HistoryWriter.Compression
  ) throws {
    let head = HistoryWriter.Head(
      .book, venue: market.venue, symbol: market.symbol,
      pricePlaces: Int(market.pricePlaces.count), quantityPlaces: Int(market.quantityPlaces.count))
    let writer = try HistoryWriter(path: path, head, compression: way)
    var values = [Int64](repeating: 0, count: writer.columns.count)
    var line: Int64 = 0
    for _ in 0..<8 {
      for frame in market.frames where frame.kind != .trade {
        line += 1
        var row = frame.firstRow
        var ends = false
        while !ends {
          let level = market.rows[row]
          ends = level.endsFrame
          values[0] = line
          values[1] = frame.exchangeTime.nanoseconds
          values[2] = frame.exchangeTime.nanoseconds
          values[3] = level.receivedAt.nanoseconds
          values[4] = frame.first
          values[5] = frame.last
          values[6] = -1
          values[7] = (frame.kind == .snapshot ? 1 : 0) | (ends ? 2 : 0)
          values[8] = level.side == .buy ? 1 : -1
          values[9] = level.price.quanta
          values[10] = level.quantity.quanta
          try writer.append(values.span)
          row += 1
        }
      }
    }
    try writer.finish()
  }

  /// Opens a file and reads it to its end; every value is in memory, and prices are added up.
  private static func read(_ path: String) throws -> (rows: Int, sum: Int64) {
    var reader = try HistoryReader(try HistoryFile(path: path), columns: columns)
    var rows = 0
    var sum: Int64 = 0
    while try reader.readBatch() {
      let prices = reader.wide(.price)
      for index in prices.indices { sum &+= prices[index] }
      rows += reader.count
    }
    return (rows, sum)
  }

  private static func tenths(_ value: Double) -> String {
    let count = Int64((value * 10).rounded())
    return "\(count / 10).\(count % 10)"
  }

  private static func hundredths(_ value: Double) -> String {
    let count = Int64((value * 100).rounded())
    return "\(count / 100).\(count % 100 < 10 ? "0" : "")\(count % 100)"
  }
}
