import MartletBase
import MartletHistory
import Testing

@Suite struct MarketStreamTests {
  let folder = TemporaryFolder()

  @Test("files of one capture come in the order of its lines, frames whole")
  func oneCapture() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      var trades: [[Int64]] = []
      var book: [[Int64]] = []
      var expected: [(line: Int64, rows: Int)] = []
      for line in Int64(1)...200 {
        if line > 1 && random.chance(1, in: 2) {
          let count = Int(random.integer(in: 1...3))
          for _ in 0..<count { trades.append(trade(line)) }
          expected.append((line, count))
        } else {
          let levels = Int(random.integer(in: 1...60))
          book += bookFrame(line, levels: levels, isSnapshot: line == 1)
          expected.append((line, levels))
        }
      }
      let name = "\(folder.path)/c\(seed)"
      let files = try [
        HistoryFile(
          path: writeHistory(name + "_trades.parquet", spotTrades, rowsPerGroup: 30, trades)),
        HistoryFile(path: writeHistory(name + "_book.parquet", spotBook, rowsPerGroup: 100, book)),
      ]
      // Batches far smaller than a frame must not change anything.
      let batch = Int(random.integer(in: 1...50))
      var stream = try MarketStream(files.map { MarketStream.Input($0) }, batch: batch)
      var at = 0
      while let frame = try stream.next() {
        let wanted = expected[at]
        #expect(
          frame.sequence == wanted.line && frame.count == wanted.rows
            && frame.arrivedAt.nanoseconds == wanted.line * 1_000, "seed \(seed), frame \(at)")
        #expect(frame.isSnapshot == (at == 0))
        let levels = stream.levels(of: frame)
        if frame.schema == .book {
          for index in 0..<levels.count {
            #expect(levels.quantities[index] == Int64(index + 1), "seed \(seed), frame \(at)")
          }
        }
        at += 1
      }
      #expect(
        at == expected.count && stream.rows == Int64(trades.count + book.count), "seed \(seed)")
    }
  }

  @Test("captures merge by time of arrival, and ties go to the file named first")
  func severalCaptures() throws {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      var files: [HistoryFile] = []
      var expected: [(time: Int64, file: Int, price: Int64)] = []
      for file in 0..<Int(random.integer(in: 1...5)) {
        var time: Int64 = 0
        var rows: [[Int64]] = []
        for line in Int64(1)...random.integer(in: 1...120) {
          time += random.integer(in: 0...3)
          rows.append(trade(line, at: time, price: line))
          expected.append((time, file, line))
        }
        let path = "\(folder.path)/s\(seed)-\(file)_trades.parquet"
        files.append(try HistoryFile(path: writeHistory(path, spotTrades, rows)))
      }
      expected.sort { ($0.time, $0.file, $0.price) < ($1.time, $1.file, $1.price) }
      var stream = try MarketStream(files.map { .init($0) }, batch: 7)
      var at = 0
      while let frame = try stream.next() {
        let wanted = expected[at]
        #expect(
          frame.arrivedAt.nanoseconds == wanted.time && frame.source == wanted.file
            && stream.trades(of: frame).prices[0] == wanted.price, "seed \(seed), frame \(at)")
        at += 1
      }
      #expect(at == expected.count, "seed \(seed)")
    }
  }

  @Test("M6: a candle is known at its end, never earlier")
  func candlesComeLate() throws {
    let head = HistoryWriter.Head(.candles, venue: "v", symbol: "s", interval: "1min")
    let minute: Int64 = 60_000_000_000
    let candles = try HistoryFile(
      path: writeHistory(
        folder.path + "/candles.parquet", head, [[0, 1, 1, 1, 1, 1], [minute, 2, 2, 2, 2, 2]]))
    let trades = try HistoryFile(
      path: writeHistory(
        folder.path + "/z_trades.parquet", spotTrades,
        [trade(1, at: minute - 1), trade(2, at: minute + 1), trade(3, at: 2 * minute)]))
    var stream = try MarketStream([.init(candles), .init(trades)])
    var order: [String] = []
    while let frame = try stream.next() {
      order.append("\(frame.schema.name) \(frame.arrivedAt.nanoseconds - minute)")
    }
    #expect(
      order == [
        "trades -1", "candles 0", "trades 1", "candles \(minute)", "trades \(minute)",
      ])
  }

  @Test("lines that step back, a line in two files and a frame without its end are refused")
  func broken() throws {
    func stream(_ name: String, _ head: HistoryWriter.Head, _ rows: [[Int64]]) -> HistoryFault? {
      historyFault {
        let path = try writeHistory("\(folder.path)/\(name).parquet", head, rows)
        var stream = try MarketStream([.init(HistoryFile(path: path))])
        while try stream.next() != nil {}
      }
    }
    let lines = stream("l_trades", spotTrades, [trade(5), trade(4, at: 6_000)])
    #expect(lines?.column == "frame_seq" && lines?.row == 1 && lines?.rowGroup == 0)
    let times = stream("t_trades", spotTrades, [trade(5), trade(6, at: 4_999)])
    #expect(times?.column == "ts_recv_ns" && times?.row == 1)
    var open = bookFrame(3, levels: 4)
    open[3][7] = 0
    let frame = stream("b_book", spotBook, bookFrame(2, levels: 3) + open)
    #expect(frame?.column == "flags" && frame?.row == 3)
    let mixed = stream("m_book", spotBook, [open[0]] + bookFrame(9, levels: 2))
    #expect(mixed?.column == "frame_seq")
    let both = historyFault {
      let files = try [
        HistoryFile(path: writeHistory(folder.path + "/d_trades.parquet", spotTrades, [trade(4)])),
        HistoryFile(
          path: writeHistory(folder.path + "/d_book.parquet", spotBook, bookFrame(4, levels: 1))),
      ]
      _ = try MarketStream(files.map { .init($0) })
    }
    #expect(both?.column == "frame_seq" && both?.description.contains("d_trades") == true)
    #expect(historyFault { _ = try MarketStream([]) }?.problem == .noRows)
  }

  @Test("rows that were made from CSV count for themselves: their files go by time")
  func csvIsNoCapture() throws {
    var head = spotTrades
    head.more = [("source", "binance csv")]
    let first = try HistoryFile(
      path: writeHistory(
        folder.path + "/x_trades.parquet", head, [trade(1, at: 50), trade(2, at: 60)]))
    #expect(first.capture == nil)
    var other = spotBook
    other.more = [("source", "tardis csv")]
    let second = try HistoryFile(
      path: writeHistory(folder.path + "/x_book.parquet", other, bookFrame(1, levels: 2)))
    var stream = try MarketStream([.init(first), .init(second)])
    var order: [HistorySchema] = []
    while let frame = try stream.next() { order.append(frame.schema) }
    #expect(order == [.trades, .trades, .book])
  }
}
