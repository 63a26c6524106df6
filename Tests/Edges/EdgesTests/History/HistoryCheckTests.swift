import MartletBase
import MartletHistory
import Testing

@Suite struct HistoryCheckTests {
  let folder = TemporaryFolder()

  func kinds(_ head: HistoryWriter.Head, _ rows: [[Int64]]) throws -> [HistoryCheck.Finding.Kind] {
    let path = try writeHistory(folder.path + "/c_\(head.schema.name).parquet", head, rows)
    return try HistoryCheck.run(HistoryFile(path: path)).findings.map(\.kind)
  }

  @Test("trades: order of lines, times and ids, gaps of ids and prices that cannot be")
  func trades() throws {
    #expect(try kinds(spotTrades, [trade(1), trade(2), trade(3)]).isEmpty)
    #expect(try kinds(spotTrades, [trade(1), trade(3)]) == [.tradeGap])
    #expect(try kinds(spotTrades, [trade(2), trade(1)]) == [.timeOrder, .lineOrder, .tradeOrder])
    #expect(try kinds(spotTrades, [trade(1), trade(2, price: 0)]) == [.badValue])
  }

  @Test("a longer time without a row is a finding when it is asked for")
  func silence() throws {
    let path = try writeHistory(
      folder.path + "/s_trades.parquet", spotTrades,
      [trade(1, at: 0), trade(2, at: 5_000_000_000), trade(3, at: 6_000_000_000)])
    let file = try HistoryFile(path: path)
    let quiet = try HistoryCheck.run(file)
    #expect(quiet.isSound && quiet.longestSilence == .seconds(5))
    let found = try HistoryCheck.run(file, silence: .seconds(4))
    #expect(found.findings.map(\.kind) == [.silence] && found.findings[0].row == 1)
  }

  @Test("books: a chain that breaks, a crossed one, a frame without its end")
  func books() throws {
    var rows = bookFrame(1, levels: 8, isSnapshot: true) + bookFrame(2, levels: 4)
    #expect(try kinds(spotBook, rows).isEmpty)
    #expect(try kinds(spotBook, rows + bookFrame(4, levels: 2)) == [.chainBreak])
    var crossed = bookFrame(3, levels: 1)
    crossed[0][9] = 120
    #expect(try kinds(spotBook, rows + crossed) == [.crossed])
    rows[rows.count - 1][7] = 0
    #expect(try kinds(spotBook, rows) == [.brokenFrame])
  }

  @Test("a book that futures chain by the update before")
  func futuresChain() throws {
    func frame(_ line: Int64, first: Int64, last: Int64, before: Int64) -> [Int64] {
      [line, line, line, line, first, last, before, line == 1 ? 3 : 2, 1, 100, 1]
    }
    let sound = [
      frame(1, first: 10, last: 20, before: -1), frame(2, first: 15, last: 25, before: 14),
      frame(3, first: 27, last: 30, before: 25),
    ]
    #expect(try kinds(spotBook, sound).isEmpty)
    #expect(
      try kinds(spotBook, sound + [frame(4, first: 31, last: 40, before: 29)]) == [.chainBreak])
  }

  @Test(
    "candles: steps, a low above the open; quotes: crossed; funding: a step that is not the usual")
  func others() throws {
    let minute: Int64 = 60_000_000_000
    let candles = HistoryWriter.Head(.candles, venue: "v", symbol: "s", interval: "1min")
    #expect(try kinds(candles, [[0, 5, 6, 4, 5, 1], [minute, 5, 6, 4, 5, 1]]).isEmpty)
    #expect(try kinds(candles, [[0, 5, 6, 4, 5, 1], [3 * minute, 5, 6, 4, 5, 1]]) == [.step])
    #expect(try kinds(candles, [[0, 5, 6, 6, 5, 1]]) == [.candle])
    let quotes = HistoryWriter.Head(.quotes, venue: "v", symbol: "s")
    #expect(try kinds(quotes, [[1, 10, 1, 11, 1], [2, 11, 1, 11, 1]]) == [.crossed])
    let head = HistoryWriter.Head(.funding, venue: "v", symbol: "s", ratePlaces: 8)
    let path = folder.path + "/f.parquet"
    let writer = try HistoryWriter(path: path, head, with: [.symbol])
    for (name, hours) in [("A", [0, 8, 16, 24]), ("B", [0, 4, 8, 16])] as [(String, [Int64])] {
      let text = try writer.value(of: name)
      // Some milliseconds late, as venues settle.
      for hour in hours {
        try writer.append([hour * 60 * minute + 3_000_000 * hour, 1, text].span)
      }
    }
    try writer.finish()
    let found = try HistoryCheck.run(HistoryFile(path: path))
    #expect(found.findings.map(\.kind) == [.step] && found.findings[0].count == 1)
    #expect(found.findings[0].row == 7)
  }
}
