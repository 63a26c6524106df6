import Glibc
import MartletBase
import MartletHistory
import Testing

@Suite struct CandleLedgerTests {
  let folder = TemporaryFolder()
  static let minute = TimeSpan.seconds(60)

  static func candle(_ index: Int64, price: Int64 = 100) -> FetchedCandle {
    FetchedCandle(
      openTime: Timestamp(nanoseconds: index * minute.nanoseconds), open: "\(price).5",
      high: "\(price + 2)", low: "\(price - 1).25", close: "\(price)", volume: "0.001")
  }

  func ledger(_ name: String, since index: Int64 = 0) throws -> CandleLedger {
    try CandleLedger(
      for: "\(folder.path)/\(name)", subject: "v,S", interval: Self.minute,
      since: Timestamp(nanoseconds: index * Self.minute.nanoseconds))
  }

  @Test(
    "M14: whatever pages a venue sends, and however often the download dies, each closed candle is there once"
  )
  func everyCandleOnce() throws {
    for seed in UInt64(1)...30 {
      var random = SeededRandom(seed: seed)
      let total = random.integer(in: 5...200)
      let output = "\(folder.path)/m\(seed).parquet"
      var now: Int64 = random.integer(in: 1...total)
      var download = try ledger("m\(seed).parquet")
      while download.count < total {
        // It dies now and then, sometimes within a line.
        if random.chance(1, in: 5) {
          download = try ledger("other")
          let path = output + ".fetch"
          if random.chance(1, in: 2), let bytes = readFile(path), bytes.count > 60 {
            let torn = bytes.count - Int(random.below(20))
            writeFile(path, Array(bytes.prefix(torn)))
          }
          download = try ledger("m\(seed).parquet")
        }
        now = min(now + random.integer(in: 0...20), total)
        // Pages overlap what was had, and end with the candle that is still forming.
        let wanted = download.next.nanoseconds / Self.minute.nanoseconds
        let first = max(wanted - random.integer(in: 0...5), 0)
        let last = min(now, first + random.integer(in: 0...30))
        let clock = Timestamp(nanoseconds: now * Self.minute.nanoseconds + 59_000_000_000)
        for index in first...max(first, last) {
          let isForming = index >= now
          let verdict = try download.take(
            Self.candle(index, price: isForming ? 7 : 100), venueTime: clock)
          #expect(
            verdict == (index < wanted ? .known : isForming ? .forming : .taken),
            "seed \(seed), candle \(index)")
        }
      }
      try download.finish(
        output, venue: "v", symbol: "S", contract: .spot, intervalName: "1m")
      let file = try HistoryFile(path: output)
      #expect(file.rows == total, "seed \(seed)")
      // None of the forming ones, which had another price, is among them; no gap, nothing twice.
      #expect(try file.range(of: .close) == 10_000...10_000, "seed \(seed)")
      #expect(try HistoryCheck.run(file).isSound, "seed \(seed)")
      #expect(readFile(output + ".fetch") == nil)
    }
  }

  @Test("M14: a hole is named, and what lies behind it is taken only once it was accepted")
  func gaps() throws {
    let download = try ledger("g.parquet", since: 10)
    let later = Timestamp(nanoseconds: 1_000 * Self.minute.nanoseconds)
    // Before the first candle a market may not have been there.
    #expect(try download.take(Self.candle(12), venueTime: later) == .gap)
    try download.accept(gapBefore: Self.candle(12).openTime)
    #expect(try download.take(Self.candle(12), venueTime: later) == .taken)
    #expect(try download.take(Self.candle(15), venueTime: later) == .gap)
    #expect(download.gaps.isEmpty && download.count == 1)
    try download.accept(gapBefore: Self.candle(15).openTime)
    #expect(try download.take(Self.candle(15), venueTime: later) == .taken)
    #expect(download.gaps.count == 1 && download.gaps[0].count == 2)
    #expect(download.gaps[0].first == Self.candle(13).openTime)
    // Another run knows of the hole too.
    let again = try ledger("g.parquet", since: 10)
    #expect(again.resumed == 2 && again.gaps.count == 1 && again.next == Self.candle(16).openTime)
  }

  @Test("another download's file, a candle off the grid and numbers that are none are refused")
  func refused() throws {
    _ = try ledger("r.parquet")
    let other = historyFault { _ = try ledger("r.parquet", since: 3) }
    #expect(other?.description.contains("remove it") == true)
    let download = try ledger("r.parquet")
    let later = Timestamp(nanoseconds: 1_000 * Self.minute.nanoseconds)
    var odd = Self.candle(0)
    odd.openTime = Timestamp(nanoseconds: 1)
    #expect(historyFault { _ = try download.take(odd, venueTime: later) } != nil)
    var text = Self.candle(0)
    text.close = "1,2"
    #expect(historyFault { _ = try download.take(text, venueTime: later) } != nil)
    #expect(download.count == 0)
    let none = historyFault {
      try download.finish(
        folder.path + "/r.parquet", venue: "v", symbol: "S", contract: .spot, intervalName: "1m")
    }
    #expect(none?.problem == .noRows)
  }
}
