import MartletBase
import MartletHistory
import Testing

/// Published CSV becomes rows, exactly.
@Suite struct HistoryImportTests {
  let folder = TemporaryFolder()

  func rows(
    _ source: DumpSource, _ kind: DumpKind, _ text: String..., interval: String? = nil
  ) throws -> (file: HistoryFile, rows: [[Int64]], outcome: HistoryImport.Outcome) {
    var inputs: [String] = []
    for (index, part) in text.enumerated() {
      inputs.append("\(folder.path)/\(kind.rawValue)-\(index).csv")
      writeFile(inputs[index], Array(part.utf8))
    }
    let output = "\(folder.path)/\(source.rawValue)-\(kind.rawValue).parquet"
    let plan = HistoryImport(
      source, kind, from: inputs, to: output, venue: "v", symbol: "S", contract: .linearPerpetual,
      interval: interval)
    let outcome = try plan.run()
    let file = try HistoryFile(path: output)
    var reader = try HistoryReader(file)
    var rows: [[Int64]] = []
    while try reader.readBatch() {
      for row in 0..<reader.count {
        rows.append(
          file.columns.map { column in
            column.width == .wide
              ? reader.wide(column)[row] : Int64(reader.narrow(column)[row])
          })
      }
    }
    return (file, rows, outcome)
  }

  @Test("Binance trades: with and without a head, in milliseconds and in microseconds")
  func binanceTrades() throws {
    let found = try rows(
      .binance, .trades,
      "id,price,qty,quote_qty,time,is_buyer_maker\n7,42000.10,0.0030,126.0,1704067200123,true\n",
      "8,42000.5,1.25,1,1735689600123456,False,True\r\n")
    let first: Int64 = 1_704_067_200_123_000_000
    let second: Int64 = 1_735_689_600_123_456_000
    #expect(
      found.rows == [
        [0, first, first, first, 7, 420_001, 3, -1, 0],
        [1, second, second, second, 8, 420_005, 1_250, 1, 0],
      ])
    #expect(found.outcome.pricePlaces == 1 && found.outcome.quantityPlaces == 3)
    #expect(found.file.capture == nil && found.file.parquet.value("source") == "binance csv")
  }

  @Test("Binance aggregate trades, best bid and offer, candles and funding")
  func binanceOthers() throws {
    let time: Int64 = 1_704_067_200_000_000_000
    let aggregate = try rows(
      .binance, .aggTrades, "5,10.5,2,1,2,1704067200000,false\n")
    #expect(aggregate.rows == [[0, time, time, time, 5, 105, 2, 1, 0]])
    let ticker = try rows(
      .binance, .bookTicker,
      "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
        + "9,10,1.5,10.1,2,1704067200000,1704067200001\n")
    #expect(
      ticker.rows == [[0, time, time + 1_000_000, time + 1_000_000, 9, 100, 15, 101, 20]])
    let candles = try rows(
      .binance, .klines, "1704067200000,1,3,0.5,2,100,1704067259999,1,1,1,1,0\n", interval: "1m")
    #expect(candles.rows == [[time, 10, 30, 5, 20, 100]])
    #expect(candles.file.interval == .seconds(60))
    let funding = try rows(
      .binance, .fundingRate,
      "calc_time,funding_interval_hours,last_funding_rate\n1704067200000,8,-1e-05\n")
    #expect(funding.rows == [[time, -1, 0]])
    #expect(funding.file.places(of: .fundingRate) == DecimalPlaces(5))
  }

  @Test("tardis books: a message is a frame, its last row says so, a snapshot too")
  func tardisBook() throws {
    let found = try rows(
      .tardis, .book,
      """
      exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
      x,S,1000,1005,true,bid,99.5,1
      x,S,1000,1005,true,ask,100,2
      x,S,1001,1006,false,bid,99.5,0
      x,S,1002,1006,false,ask,100,3
      x,S,1002,1006,false,ask,100.5,0.25

      """)
    let flags = found.file.columns.firstIndex(of: .flags) ?? 0
    #expect(found.rows.map { $0[0] } == [0, 0, 1, 2, 2])
    #expect(found.rows.map { $0[flags] } == [1, 3, 2, 0, 2])
    #expect(found.rows[4].suffix(3) == [-1, 1_005, 25])
    #expect(found.rows[0][3] == 1_005_000)
    #expect(try HistoryCheck.run(found.file).isSound)
  }

  @Test("tardis trades, liquidations, quotes and tickers, whose empty fields mean no change")
  func tardisOthers() throws {
    let head = "exchange,symbol,timestamp,local_timestamp,"
    let trades = try rows(
      .tardis, .trades,
      head + "id,side,price,amount\nx,S,1,2,abc,sell,5,6\nx,S,1,2,12,unknown,5,6\n")
    #expect(
      trades.rows == [
        [0, 1_000, 1_000, 2_000, -1, 5, 6, -1, 0], [1, 1_000, 1_000, 2_000, 12, 5, 6, 0, 0],
      ])
    let forced = try rows(
      .tardis, .liquidations, head + "id,side,price,amount\nx,S,1,2,3,buy,5,6\n")
    #expect(forced.rows == [[0, 1_000, 1_000, 2_000, 3, 5, 6, 1, 3]])
    let quotes = try rows(
      .tardis, .quotes, head + "ask_amount,ask_price,bid_price,bid_amount\nx,S,1,2,4,11,10,3\n")
    #expect(quotes.rows == [[0, 1_000, 1_000, 2_000, -1, 10, 3, 11, 4]])
    let ticker = try rows(
      .tardis, .ticker,
      head + "funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,"
        + "index_price,mark_price\nx,S,1,2,,,,,,7,\nx,S,2,3,9,0.0001,,,,8,10.5\nx,S,3,4,,,,,,,11\n")
    #expect(
      ticker.rows == [
        [1, 2_000, 3_000, 105, 80, 0, 1, 9_000], [2, 3_000, 4_000, 110, 80, 0, 1, 9_000],
      ])
  }

  @Test("a number that is none, a line that is cut and a head that lacks a column name their line")
  func refused() throws {
    func fault(_ source: DumpSource, _ kind: DumpKind, _ text: String) -> HistoryFault? {
      historyFault { _ = try rows(source, kind, text) }
    }
    let good = "7,42000.10,0.0030,126.0,1704067200123,true\n"
    let word = fault(.binance, .trades, good + "8,price,1,1,1704067200123,true\n")
    #expect(word?.row == 2 && word?.column == "price")
    #expect(word?.file.hasSuffix("trades-0.csv") == true)
    #expect(fault(.binance, .trades, good + "8,1\n")?.row == 2)
    #expect(fault(.binance, .trades, good + "id,price\n")?.row == 2)
    #expect(fault(.binance, .trades, good + "8,\"1\",1,1,1704067200123,true\n")?.row == 2)
    #expect(fault(.binance, .trades, "9,1,1,1,99999999999999999,true\n")?.column == "time")
    let head = fault(.tardis, .trades, "exchange,symbol,timestamp,side,price,amount,id\n")
    #expect(head?.column == "local_timestamp")
    #expect(
      fault(.binance, .trades, "id,price,qty,quote_qty,time,is_buyer_maker\n")?.problem == .noRows)
    #expect(readFile(folder.path + "/binance-trades.parquet") == nil)
  }

  @Test("a grid that is too coarse for a number is refused, not rounded")
  func tooFine() throws {
    let input = folder.path + "/fine.csv"
    writeFile(input, Array("7,42000.125,1,1,1704067200123,true\n".utf8))
    var plan = HistoryImport(
      .binance, .trades, from: [input], to: folder.path + "/fine.parquet", venue: "v", symbol: "S",
      contract: .spot)
    plan.places[.price] = 2
    let coarse = plan
    let fault = historyFault { _ = try coarse.run() }
    #expect(fault?.column == "price" && fault?.row == 1)
    plan.places[.price] = 6
    _ = try plan.run()
    let file = try HistoryFile(path: folder.path + "/fine.parquet")
    #expect(try file.range(of: .price) == 42_000_125_000...42_000_125_000)
  }
}
