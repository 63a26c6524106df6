import Glibc
import MartletBase
import MartletExchange
import MartletHistory
import MartletModel
import Testing

/// The checked-in markets, found from this file: tests run from anywhere.
enum Bundled {
  static let folder: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/") + "/Fixtures/Markets/"
  }()
  static let market = folder + "binance-spot_BTCUSDT_20240808T2354.mmr"
  static let quotes = folder + "binance-spot_BTCUSDT_20240808T2354_bbo.bin"
}

@Suite struct RecordingTests {
  @Test func theBundledMarketHasWhatItsHeaderSays() throws {
    let recording = try Recording(path: Bundled.market)
    #expect(recording.venue == "binance-spot")
    #expect(recording.symbol == "BTCUSDT")
    #expect(recording.license.hasPrefix("MIT"))
    #expect(recording.frames.count == 26_397)
    #expect(recording.rows.count == 300_079 + 19_904)
    #expect(recording.rows.filter { $0.kind == .snapshot }.count == 2_001)
    #expect(recording.rows.filter { $0.kind == .trade }.count == 19_904)
    #expect(recording.frames.filter { $0.kind == .level }.count == 6_492)
    // First and last of the source's rows.
    #expect(recording.frames[0].last == 3_735_683_259)
    #expect(recording.rows[0].price == Price(quanta: 6_183_763))
    #expect(recording.rows[0].quantity == Quantity(quanta: 20_000))
    #expect(recording.rows[0].side == .sell)
    #expect(recording.frames.last?.last == 50_093_696_318)
    #expect(recording.rows.last?.price == Price(quanta: 6_200_000))
    #expect(recording.rows.last?.quantity == Quantity(quanta: 5_134_730))
    #expect(recording.rows.last?.endsFrame == true)
  }

  @Test func framesArriveInOrderAndStayWhole() throws {
    let recording = try Recording(path: Bundled.market)
    var frame: UInt32 = 0
    var isStart = true
    var last = Timestamp.zero
    for (index, row) in recording.rows.enumerated() {
      if isStart { #expect(recording.frames[Int(frame)].firstRow == index) }
      guard row.frame == frame, row.receivedAt >= last else {
        Issue.record("row \(index) is out of order")
        return
      }
      last = row.receivedAt
      isStart = row.endsFrame
      if row.endsFrame { frame += 1 }
    }
    #expect(frame == 26_397)
    var before = recording.frames[0]
    var update: Int64 = 0
    for frame in recording.frames.dropFirst() {
      #expect(frame.sequence > before.sequence)
      before = frame
      guard frame.kind != .trade else { continue }
      // Spot chains by first update = last of the frame before + 1.
      if frame.kind == .level { #expect(frame.first == update + 1) }
      update = frame.last
    }
  }

  /// The exchange's own book, replayed, against the quotes that the venue sent beside it. The two
  /// that differ are known: the source's own count is the same.
  @Test("the rebuilt book agrees with the recorded best at 6,490 of 6,492 updates")
  func theRebuiltBookAgreesWithTheRecordedBest() throws {
    let recording = try Recording(path: Bundled.market)
    let quotes = try BestBidOfferRecording(path: Bundled.quotes).rows
    #expect(quotes.count == 6_492)
    var exchange = Exchange(
      configuration: ExchangeConfiguration(),
      listings: [try .replaying(recording, start: Timestamp(milliseconds: 0))])
    let instrument = InstrumentID(0)
    let opening = try #require(recording.frames.firstIndex { $0.kind == .snapshot })
    var agreed = 0
    var compared = 0
    for frame in recording.frames[opening...] {
      exchange.advanceOneFrame()
      exchange.removeAllEvents()
      guard frame.kind == .level else { continue }
      let quote = quotes[compared]
      #expect(quote.frameUpdate == frame.last)
      compared += 1
      guard let bid = exchange.best(.buy, of: instrument),
        let ask = exchange.best(.sell, of: instrument)
      else {
        Issue.record("an empty side at update \(frame.last)")
        return
      }
      #expect(bid.price < ask.price, "crossed at update \(frame.last)")
      if bid.price == quote.bid && bid.quantity == quote.bidQuantity && ask.price == quote.ask
        && ask.quantity == quote.askQuantity
      {
        agreed += 1
      }
    }
    #expect(compared == 6_492)
    #expect(agreed == 6_490)
  }

  @Test func aDamagedRecordingIsRefusedAndSaysHow() throws {
    let whole = try bytes(of: Bundled.market)
    #expect(throws: RecordingFault.notARecording) { _ = try Recording(bytes: Array("PAR1".utf8)) }
    #expect(throws: RecordingFault.wrongLength(expected: 28, found: 10)) {
      _ = try Recording(bytes: Array(whole[..<10]))
    }
    #expect(throws: RecordingFault.wrongLength(expected: whole.count, found: whole.count - 1)) {
      _ = try Recording(bytes: Array(whole.dropLast()))
    }
    var newer = whole
    newer[8] = 2
    #expect(throws: RecordingFault.newerVersion(supported: 1, found: 2)) {
      _ = try Recording(bytes: newer)
    }
    #expect(throws: RecordingFault.wrongKind(expected: 1, found: 2)) {
      _ = try Recording(path: Bundled.quotes)
    }
    for offset in [12, 40, 1_000, whole.count / 2, whole.count - 2] {
      var changed = whole
      changed[offset] ^= 0x10
      #expect(throws: RecordingFault.self, "byte \(offset)") {
        _ = try Recording(bytes: changed)
      }
    }
    let missing = RecordingFault.unreadable(path: "/nowhere/x.mmr", errno: 2)
    #expect(throws: missing) { _ = try Recording(path: "/nowhere/x.mmr") }
    #expect(
      missing.description == "cannot read the recording /nowhere/x.mmr: No such file or directory")
    #expect(
      RecordingFault.newerVersion(supported: 1, found: 2).description
        == "recording version 2, this build reads up to 1; build a newer Martlet")
  }

  /// Bad content behind a right checksum: a fault, never a trap.
  @Test func contentThatIsNoRecordingIsAFault() throws {
    let whole = try bytes(of: Bundled.quotes)
    // The quotes' content under a market's kind, checksum made right.
    var forged = whole
    forged[10] = 1
    let sum = crc32(forged.dropLast(4))
    for index in 0..<4 { forged[forged.count - 4 + index] = UInt8(sum >> UInt32(8 * index) & 255) }
    #expect(throws: RecordingFault.header(key: "base", found: "")) {
      _ = try Recording(bytes: forged)
    }
  }

  private func bytes(of path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "rb"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
  }

  private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var value: UInt32 = 0xffff_ffff
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
    }
    return ~value
  }
}
