import Glibc
import MartletBase
import MartletHistory
import Testing

/// What is wrong with a file is said with file, row group and column.
@Suite struct HistoryDamageTests {
  let folder = TemporaryFolder()

  func readAll(_ path: String) throws {
    var reader = try HistoryReader(try HistoryFile(path: path))
    while try reader.readBatch() {}
  }

  func fault(_ name: String, _ bytes: [UInt8]) -> HistoryFault? {
    let path = "\(folder.path)/\(name)"
    writeFile(path, bytes)
    return historyFault { try readAll(path) }
  }

  @Test("what is no Parquet file, is empty or was cut is told apart")
  func wholeFiles() throws {
    let path = try writeHistory(
      folder.path + "/whole_trades.parquet", spotTrades, rowsPerGroup: 100,
      (1...1_000).map { trade($0) })
    let whole = try #require(readFile(path))
    #expect(fault("empty.parquet", [])?.problem == .empty)
    #expect(
      fault("csv.parquet", Array("id,price\n1,2\n".utf8))?.problem == .notParquet(found: "“id,p”"))
    #expect(fault("short.parquet", Array("PAR1".utf8)) != nil)
    for length in [13, 100, whole.count / 2, whole.count - 9, whole.count - 1] {
      let found = fault("cut.parquet", Array(whole.prefix(length)))
      guard case .truncated = found?.problem else {
        Issue.record("cut to \(length): \(String(describing: found))")
        continue
      }
      #expect(found?.description.contains("cut.parquet") == true)
    }
    let missing = historyFault { try readAll(folder.path + "/none.parquet") }
    #expect(missing?.description.contains("No such file") == true)
    let place = historyFault { try readAll(folder.path) }
    #expect(place?.description.contains("no plain file") == true)
  }

  @Test("a corrupted page names its row group and column")
  func corruptedPages() throws {
    for compression in [HistoryWriter.Compression.none, .lz4, .zstd] {
      let path = try writeHistory(
        folder.path + "/pages_trades.parquet", spotTrades, compression: compression,
        rowsPerGroup: 200, (1...1_000).map { trade($0, price: $0 * $0) })
      let whole = try #require(readFile(path))
      // Column chunks stand one after the other from byte 4 on, each as long as its packed bytes say.
      let parquet = try ParquetFile(path: path)
      var offset = 4
      for group in parquet.groupRows.indices {
        for column in parquet.columns.indices {
          let length = Int(try parquet.chunk(group: group, column: column).packedBytes)
          var bytes = whole
          // The last bytes of a chunk are of its last page's content.
          bytes[offset + length - 2] ^= 0x10
          let found = fault("damaged_trades.parquet", bytes)
          #expect(
            found?.rowGroup == group && found?.column == parquet.columns[column].name,
            "\(compression), group \(group), column \(column): \(String(describing: found))")
          if case .damaged = found?.problem {} else { Issue.record("\(String(describing: found))") }
          offset += length
        }
      }
    }
  }

  @Test("no byte that is changed makes a reader crash, hang or go on for ever")
  func anyByte() throws {
    let rows: [Int64] = Array(1...300)
    let path = try writeHistory(
      folder.path + "/any_trades.parquet", spotTrades, rowsPerGroup: 100,
      rows.map { trade($0) })
    let whole = try #require(readFile(path))
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      var bytes = whole
      for _ in 0...random.below(3) {
        bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(random.below(256))
      }
      // Either it is found out, or it was of no account; both are said without a crash.
      if let found = fault("any.parquet", bytes) {
        #expect(!found.description.isEmpty && found.file.hasSuffix("any.parquet"), "seed \(seed)")
      }
    }
  }

  @Test("a missing schema, a wrong one, a missing scale and a wrong one are told by their keys")
  func metadata() throws {
    let path = folder.path + "/m_trades.parquet"
    try writeHistory(path, spotTrades, [trade(1)])
    let whole = try #require(readFile(path))
    func changed(_ from: String, _ to: String) -> HistoryFault? {
      var bytes = whole
      let old = Array(from.utf8)
      let new = Array(to.utf8)
      precondition(old.count == new.count)
      var hits = 0
      for start in 0..<(bytes.count - old.count)
      where bytes[start..<(start + old.count)].elementsEqual(old) {
        bytes.replaceSubrange(start..<(start + old.count), with: new)
        hits += 1
      }
      precondition(hits > 0, "\(from) is not in the file")
      return fault("changed_trades.parquet", bytes)
    }
    #expect(
      changed("martlet.trades.v1", "martlet.tirade.v1")?.description.contains("martlet.book.v1")
        == true)
    let scale = changed("scale.price", "scald.price")
    #expect(scale?.problem == .missingMetadata(key: "scale.price") && scale?.column == "price")
    let column = changed("trade_id", "trade_ix")
    #expect(
      column?.problem == .missingColumn(schema: "martlet.trades.v1") && column?.column == "trade_id"
    )
    var head = spotTrades
    head.pricePlaces = 40
    try writeHistory(folder.path + "/s_trades.parquet", head, [trade(1)])
    let wide = historyFault { try readAll(folder.path + "/s_trades.parquet") }
    #expect(wide?.problem == .metadata(key: "scale.price", expected: "0 … 18", found: "40"))
    let candles = HistoryWriter.Head(.candles, venue: "v", symbol: "s", interval: "1 moon")
    try writeHistory(folder.path + "/c.parquet", candles, [[0, 1, 1, 1, 1, 1]])
    let interval = historyFault { try readAll(folder.path + "/c.parquet") }
    #expect(interval?.description.contains("1 moon") == true)
  }

  @Test("a column of another type than its schema says names both")
  func types() throws {
    let path = folder.path + "/t_book.parquet"
    try writeHistory(path, spotBook, bookFrame(1, levels: 3))
    var bytes = try #require(readFile(path))
    // Two names of one length change places, so that each column has the other's type.
    for (old, new) in [("price", "xxxxx"), ("flags", "price"), ("xxxxx", "flags")] {
      let from = Array(old.utf8)
      for start in 0..<(bytes.count - from.count)
      where bytes[start..<(start + from.count)].elementsEqual(from) {
        bytes.replaceSubrange(start..<(start + from.count), with: Array(new.utf8))
      }
    }
    let found = fault("t2_book.parquet", bytes)
    #expect(found?.problem == .wrongType(expected: "INT32", found: "INT64"))
    #expect(found?.column == "flags")
  }
}
