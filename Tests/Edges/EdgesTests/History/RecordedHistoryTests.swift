import MartletBase
import MartletHistory
import MartletModel
import Testing

/// The recordings beside the checkout, read and compared with what is known of them.
@Suite(.enabled(if: RecordedData.folder != nil, "no ../shared/data here"))
struct RecordedHistoryTests {
  func file(_ name: String) throws -> HistoryFile {
    try HistoryFile(path: (RecordedData.folder ?? "") + "/" + name)
  }

  @Test("a capture merged from Parquet is the bundled recording, frame by frame and row by row")
  func sameAsBundled() throws {
    let name = "ticks/binance-spot_BTCUSDT_20240808T2354"
    let root = (RecordedData.folder ?? "").dropLast("/../shared/data".count)
    let recording = try Recording(
      path: root + "/Fixtures/Markets/binance-spot_BTCUSDT_20240808T2354.mmr")
    let files = try [file(name + "_book.parquet"), file(name + "_trades.parquet")]
    let scale = InstrumentScale(price: recording.pricePlaces, quantity: recording.quantityPlaces)
    var stream = try MarketStream(files.map { .init($0, scale: scale) })
    var row = 0
    var differences = 0
    for frame in recording.frames {
      guard let found = try stream.next() else {
        Issue.record("the stream ends before frame \(frame.sequence)")
        return
      }
      if found.sequence != frame.sequence || found.isSnapshot != (frame.kind == .snapshot) {
        differences += 1
      }
      let levels = stream.levels(of: found)
      for index in 0..<levels.count {
        let wanted = recording.rows[row]
        let level = levels[index]
        if level.price != wanted.price || level.quantity != wanted.quantity
          || level.side != wanted.side || found.arrivedAt != wanted.receivedAt
        {
          differences += 1
        }
        row += 1
      }
    }
    #expect(differences == 0)
    #expect(row == recording.rows.count && row > 300_000)
    #expect(try stream.next() == nil)
  }

  @Test("every kind of file that is there can be read to its end")
  func everyKind() throws {
    let wanted: [(name: String, schema: HistorySchema, rows: Int64)] = [
      ("ticks/binance-usdm_BTCUSDT_20230404T2358_book.parquet", .book, 324_682),
      ("ticks/binance-usdm_BTCUSDT_20230404T2358_mark.parquet", .mark, 514),
      ("ticks/binance-usdm_BTCUSDT_20241028T1542_trades_noid.parquet", .tradesMin, 99_294),
      ("ticks/binance-coinm_BTCUSD_PERP_20240808T2354_bbo.parquet", .bbo, 48_355),
      ("ticks/binance-coinm_BTCUSD_PERP_20240808T2354_trades.parquet", .trades, 5_235),
      ("quotes/hyperliquid_BTCUSDC_20260101_quotes.parquet", .quotes, 165_952),
      ("candles/binance-usdm_BTCUSDT_1m_20250504.parquet", .candles, 43_199),
      ("funding/binance-usdm_BTCUSDT_mark_1h_2019-2026.parquet", .markOHLC, 56_084),
      ("funding/multi-venue_BTC_2020-2023_funding.parquet", .funding, 39_332),
      ("funding/multi-venue_BTC_8h_spot_and_perps_2023-2024.parquet", .basis8h, 14_778),
    ]
    for (name, schema, rows) in wanted {
      let file = try file(name)
      #expect(file.schema == schema && file.rows == rows, "\(name)")
      var reader = try HistoryReader(file)
      var seen: Int64 = 0
      while try reader.readBatch() { seen += Int64(reader.count) }
      #expect(seen == rows, "\(name)")
    }
  }

  @Test("captures of three venues and a series of funding come as one, by time of arrival")
  func acrossVenues() throws {
    let ticks = [
      "binance-usdm_BTCUSDT_20240808T2354", "binance-spot_BTCUSDT_20240808T2354",
      "binance-coinm_BTCUSD_PERP_20240808T2354",
    ]
    var inputs: [MarketStream.Input] = []
    var rows: Int64 = 0
    for name in ticks {
      for kind in ["_trades", "_book", "_bbo"] {
        let file = try file("ticks/\(name)\(kind).parquet")
        rows += file.rows
        inputs.append(.init(file))
      }
    }
    let funding = try file("funding/multi-venue_BTC_2020-2023_funding.parquet")
    inputs.append(.init(funding, series: "binance"))
    var stream = try MarketStream(inputs)
    var last = Timestamp.zero
    var lines = [Int64](repeating: -1, count: 3)
    var steps = 0
    while let frame = try stream.next() {
      if frame.arrivedAt < last { steps += 1 }
      last = frame.arrivedAt
      if frame.source < 9 {
        if frame.sequence <= lines[frame.source / 3] { steps += 1 }
        lines[frame.source / 3] = frame.sequence
      }
    }
    #expect(steps == 0)
    #expect(stream.rows == rows + 4_383)
  }
}
