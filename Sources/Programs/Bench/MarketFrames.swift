internal import MartletBase
internal import MartletBook
internal import MartletHistory
internal import MartletModel
internal import WhiteBITDesk
internal import WhiteBITWire

/// The bundled market as a venue that shows 20 levels a side would tell it.
struct MarketFrames {
  static let market: InlineText = "DBTC_DUSDT"
  static let depth = 20

  let instrument: Instrument
  /// Depth frames of the venue's own form, each a whole book of 20 + 20 levels.
  var wholeBooks: [[UInt8]] = []
  /// What changed among the best 20 from one frame of the recording to the next.
  var changes: [[BookLevel]] = []
  /// The first book, which `changes` go on from.
  var opening: [BookLevel] = []

  /// - Parameter count: whole books; changes are eight times as many.
  init(_ recording: Recording, count: Int) throws {
    let listing = MarketListing.bitcoin(name: Self.market, stock: "DBTC", money: "DUSDT")
    instrument = try Grid.instrument(InstrumentID(0), from: listing)
    var book = OrderBook(limit: 5_000, slack: 2_000)
    var rows: [BookLevel] = []
    var shown: [BookLevel] = []
    var updateID: UInt64 = 22_000_000_000
    var buffer = ByteBuffer(capacity: 4096)
    var isWhole = false
    for row in recording.rows where row.kind != .trade {
      if rows.isEmpty { isWhole = row.kind == .snapshot }
      rows.append(level(row, recording))
      guard row.endsFrame else { continue }
      let verdict = isWhole ? book.applySnapshot(rows.span) : book.apply(rows.span)
      rows.removeAll(keepingCapacity: true)
      guard verdict == .applied else { continue }
      let best = Self.best(of: book)
      guard best.count == 2 * Self.depth else { continue }
      if shown.isEmpty {
        opening = best
      } else if changes.count < count * 8 {
        let changed = Self.difference(from: shown, to: best)
        if changed.isEmpty { continue }
        changes.append(changed)
      }
      shown = best
      guard changes.count % 8 == 0, wholeBooks.count < count else { continue }
      updateID += 1
      let time = Timestamp(nanoseconds: 1_775_000_000_000_000_000 + row.receivedAt.nanoseconds)
      buffer.removeAll()
      Depth.writePush(
        Depth.Update(
          market: Self.market, isSnapshot: true, updateID: updateID, pastUpdateID: nil,
          engineTime: time, eventTime: time),
        levels: best.span, scale: instrument.scale, into: &buffer)
      wholeBooks.append(buffer.copy())
      if wholeBooks.count == count && changes.count >= count * 8 { break }
    }
    guard !wholeBooks.isEmpty, !changes.isEmpty else {
      throw BenchSuite.Fault("the recording never shows 20 + 20 levels")
    }
  }

  /// A row on the session's grid, which is finer than the recording's.
  private func level(_ row: MarketRow, _ recording: Recording) -> BookLevel {
    func scaled(_ value: Int64, _ from: DecimalPlaces, _ to: DecimalPlaces) -> Int64 {
      value * Int64(powerOfTen(Int(to.count) - Int(from.count)))
    }
    return BookLevel(
      side: row.side,
      price: Price(
        quanta: scaled(row.price.quanta, recording.pricePlaces, instrument.scale.price)),
      quantity: Quantity(
        quanta: scaled(row.quantity.quanta, recording.quantityPlaces, instrument.scale.quantity)))
  }

  private static func best(of book: borrowing OrderBook) -> [BookLevel] {
    var levels: [BookLevel] = []
    for side in [Side.sell, .buy] {
      for depth in 0..<min(Self.depth, book.count(side)) {
        levels.append(book.level(side, at: depth))
      }
    }
    return levels
  }

  /// The rows that make `old` into `new`: what went, then what came or changed.
  private static func difference(from old: [BookLevel], to new: [BookLevel]) -> [BookLevel] {
    var rows: [BookLevel] = []
    for level in old
    where !new.contains(where: { $0.side == level.side && $0.price == level.price }) {
      rows.append(BookLevel(side: level.side, price: level.price, quantity: .zero))
    }
    for level in new where !old.contains(level) { rows.append(level) }
    return rows
  }
}
