import Glibc
import MartletBase
import MartletHistory
import Testing

@Suite struct HistoryFileTests {
  let folder = TemporaryFolder()

  @Test("every schema is read back as it was written, in every compression and across row groups")
  func everySchemaGoesRound() throws {
    for (number, schema) in HistorySchema.allCases.enumerated() {
      var random = SeededRandom(seed: UInt64(number + 1))
      let names: [HistoryColumn] = schema == .funding ? [.symbol] : schema.optionalColumns
      let head = HistoryWriter.Head(
        schema, venue: "x", symbol: "Y", contract: .linearPerpetual, pricePlaces: 2,
        quantityPlaces: 5, ratePlaces: 8, interval: schema.isOfSpans ? "1h" : nil,
        more: [("source", "seed \(number)")])
      for compression in [HistoryWriter.Compression.none, .lz4, .zstd] {
        let path = "\(folder.path)/\(schema.name)-\(compression).parquet"
        let writer = try HistoryWriter(
          path: path, head, with: names, compression: compression, rowsPerGroup: 700)
        let texts = try [writer.value(of: "one"), writer.value(of: "zwei – ½")]
        var rows: [[Int64]] = []
        for _ in 0..<5_000 {
          let row = writer.columns.map { column -> Int64 in
            switch column.width {
            case .wide: random.integer(in: .min ... .max)
            case .narrow: random.integer(in: Int64(Int32.min)...Int64(Int32.max))
            case .text: texts[Int(random.below(2))]
            }
          }
          rows.append(row)
          try writer.append(row.span)
        }
        try writer.finish()

        let file = try HistoryFile(path: path)
        #expect(file.schema == schema && file.rows == 5_000 && file.columns == writer.columns)
        #expect(file.venue == "x" && file.symbol == "Y" && file.contract == .linearPerpetual)
        #expect(file.parquet.value("source") == "seed \(number)")
        #expect(file.parquet.groupRows.count == 8)
        #expect(
          file.interval
            == (schema == .basis8h ? .seconds(28_800) : schema.isOfSpans ? .seconds(3_600) : nil))
        var reader = try HistoryReader(file, batch: 333)
        var seen = 0
        while try reader.readBatch() {
          for (index, column) in writer.columns.enumerated() {
            switch column.width {
            case .wide:
              let values = reader.wide(column)
              for row in values.indices {
                if values[row] != rows[seen + row][index] {
                  Issue.record("\(schema) \(column) row \(seen + row)")
                }
              }
            case .narrow:
              let values = reader.narrow(column)
              for row in values.indices {
                if Int64(values[row]) != rows[seen + row][index] {
                  Issue.record("\(schema) \(column) row \(seen + row)")
                }
              }
            case .text:
              let values = reader.narrow(column)
              for row in values.indices {
                let text = rows[seen + row][index] == texts[0] ? "one" : "zwei – ½"
                if reader.text(values[row]) != text {
                  Issue.record("\(schema) \(column) row \(seen + row)")
                }
              }
            }
          }
          seen += reader.count
        }
        #expect(seen == 5_000, "\(schema) \(compression)")
      }
    }
  }

  @Test("statistics of row groups say the least and the greatest value")
  func statistics() throws {
    let path = try writeHistory(
      folder.path + "/a_trades.parquet", spotTrades, rowsPerGroup: 10,
      (1...25).map { trade($0, price: 1_000 - $0) })
    let file = try HistoryFile(path: path)
    #expect(try file.range(of: .price) == 975...999)
    let column = try #require(file.index(of: .price))
    let chunk = try file.parquet.chunk(group: 1, column: column)
    #expect(chunk.range == 980...989 && chunk.nulls == 0 && chunk.compression == "lz4")
    #expect(chunk.packedBytes > 0 && file.parquet.createdBy.contains("Martlet"))
  }

  @Test("numbers come to the instrument's grid exactly, or not at all")
  func grids() throws {
    let path = try writeHistory(
      folder.path + "/g_trades.parquet", spotTrades,
      [trade(1, price: 1_250), trade(2, price: 1_300)])
    let file = try HistoryFile(path: path)
    func prices(_ places: Int) throws -> [Int64] {
      let scale = InstrumentScale(
        price: DecimalPlaces(places), quantity: DecimalPlaces(7))
      var reader = try HistoryReader(file, scale: scale)
      guard try reader.readBatch() else { return [] }
      let values = reader.wide(.price)
      #expect(reader.wide(.quantity)[0] == 300)
      return values.indices.map { values[$0] }
    }
    #expect(try prices(2) == [1_250, 1_300])
    #expect(try prices(4) == [125_000, 130_000])
    #expect(try prices(1) == [125, 130])
    let coarse = historyFault { _ = try prices(0) }
    #expect(coarse?.column == "price" && coarse?.row == 0 && coarse?.rowGroup == 0)
    let wide = try writeHistory(
      folder.path + "/w_trades.parquet", spotTrades, [trade(1), trade(2, price: .max / 10)])
    let fault = historyFault {
      var reader = try HistoryReader(
        HistoryFile(path: wide),
        scale: InstrumentScale(price: DecimalPlaces(4), quantity: DecimalPlaces(5)))
      _ = try reader.readBatch()
    }
    #expect(fault?.column == "price" && fault?.row == 1)
  }

  @Test("what is begun and not finished, or has no row, leaves no file")
  func unfinished() throws {
    let path = folder.path + "/u_trades.parquet"
    do {
      let writer = try HistoryWriter(path: path, spotTrades)
      try writer.append(trade(1).span)
    }
    #expect(readFile(path) == nil && readFile(path + ".part") == nil)
    let fault = historyFault { try HistoryWriter(path: path, spotTrades).finish() }
    #expect(fault?.problem == .noRows)
    #expect(readFile(path) == nil && readFile(path + ".part") == nil)
    let nowhere = historyFault {
      _ = try HistoryWriter(path: folder.path + "/no/such.parquet", spotTrades)
    }
    if case .system = nowhere?.problem {} else { Issue.record("\(String(describing: nowhere))") }
  }

  @Test("a series is told apart from the others of its file")
  func series() throws {
    let head = HistoryWriter.Head(.funding, venue: "", symbol: "", ratePlaces: 8)
    let path = folder.path + "/funding.parquet"
    let writer = try HistoryWriter(path: path, head, with: [.symbol], rowsPerGroup: 3)
    for (name, times) in [("A", [1, 2, 3, 4]), ("B", [1, 5])] as [(String, [Int64])] {
      let text = try writer.value(of: name)
      for time in times { try writer.append([time, time * 10, text].span) }
    }
    try writer.finish()
    let file = try HistoryFile(path: path)
    var reader = try HistoryReader(file, series: "B")
    var found: [Int64] = []
    while try reader.readBatch() {
      let times = reader.wide(.fundingTime)
      for row in times.indices { found.append(times[row]) }
    }
    #expect(found == [1, 5])
    let fault = historyFault { _ = try MarketStream([.init(file)]) }
    #expect(fault?.column == "symbol")
    #expect(fault?.description.contains("A, B") == true)
    let missing = historyFault { _ = try MarketStream([.init(file, series: "C")]) }
    #expect(missing?.description.contains("series C") == true)
  }
}
