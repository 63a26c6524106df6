import MartletBase
import MartletBook
import MartletModel
import Testing

@Suite struct BookTests {
  static func bid(_ price: Int64, _ quantity: Int64) -> BookLevel {
    BookLevel(side: .buy, price: Price(quanta: price), quantity: Quantity(quanta: quantity))
  }

  static func ask(_ price: Int64, _ quantity: Int64) -> BookLevel {
    BookLevel(side: .sell, price: Price(quanta: price), quantity: Quantity(quanta: quantity))
  }

  /// Best first: price and quantity.
  static func levels(_ book: borrowing OrderBook, _ side: Side) -> [[Int64]] {
    (0..<book.count(side)).map { depth in
      let level = book.level(side, at: depth)
      return [level.price.quanta, level.quantity.quanta]
    }
  }

  static let start = [
    bid(100, 5), bid(99, 6), bid(97, 7), ask(101, 1), ask(103, 2), ask(104, 3),
  ]

  @Test("M21: a snapshot makes the book trusted; a delta changes it, and a zero takes a level out")
  func aSnapshotMakesTheBookTrustedAndADeltaChangesIt() {
    var book = OrderBook(limit: 5)
    #expect(book.top == nil && !book.isTrusted)
    #expect(book.applySnapshot(BookTests.start.span) == .applied)
    #expect(book.top?.bid == Price(quanta: 100) && book.top?.ask == Price(quanta: 101))
    #expect(book.top?.bidQuantity == Quantity(quanta: 5))
    let delta = [BookTests.bid(99, 0), BookTests.bid(98, 4), BookTests.ask(101, 9)]
    #expect(book.apply(delta.span) == .applied)
    #expect(BookTests.levels(book, .buy) == [[100, 5], [98, 4], [97, 7]])
    #expect(BookTests.levels(book, .sell) == [[101, 9], [103, 2], [104, 3]])
    #expect(book.quantity(.buy, at: Price(quanta: 98)) == Quantity(quanta: 4))
    #expect(book.quantity(.buy, at: Price(quanta: 99)) == .zero)
    #expect(book.framesApplied == 2)
  }

  @Test("M22: a broken chain hides the top until the next snapshot")
  func aBrokenChainHidesTheTopUntilTheNextSnapshot() {
    var book = OrderBook(limit: 5)
    let delta = [BookTests.bid(100, 1)]
    #expect(book.apply(delta.span) == .ignored && book.count(.buy) == 0)
    book.applySnapshot(BookTests.start.span)
    book.distrust()
    #expect(book.top == nil)
    #expect(book.apply(delta.span) == .ignored)
    #expect(book.level(.buy, at: 0).quantity.quanta == 5)
    #expect(book.applySnapshot(BookTests.start.span) == .applied && book.top != nil)
  }

  @Test("M12: an empty side has no best price, and is no fault")
  func aSideMayBeEmpty() {
    var book = OrderBook(limit: 5)
    let bids = [BookTests.bid(100, 1)]
    book.applySnapshot(bids.span)
    #expect(book.top?.bid == Price(quanta: 100) && book.top?.ask == nil)
    let gone = [BookTests.bid(100, 0), BookTests.bid(42, 0)]
    #expect(book.apply(gone.span) == .applied)
    #expect(book.isTrusted && book.top?.bid == nil && book.top?.bidQuantity == .zero)
  }

  @Test func aBookCrossedInMidFrameIsFineAndCrossedAfterItIsNotTrusted() {
    var book = OrderBook(limit: 5)
    book.applySnapshot(BookTests.start.span)
    let through = [BookTests.bid(102, 1), BookTests.ask(101, 0)]
    #expect(book.apply(through.span) == .applied && book.crossedFrames == 0)
    let locked = [BookTests.bid(103, 1)]
    #expect(book.apply(locked.span) == .crossed)
    #expect(!book.isTrusted && book.top == nil && book.crossedFrames == 1)
    let uncrossing = [BookTests.bid(103, 0)]
    #expect(book.apply(uncrossing.span) == .ignored)
    let crossed = [BookTests.bid(5, 1), BookTests.ask(4, 1)]
    #expect(book.applySnapshot(crossed.span) == .crossed && !book.isTrusted)
    #expect(book.applySnapshot(BookTests.start.span) == .applied && book.isTrusted)
  }

  @Test func aNegativeQuantityIsNoLevel() {
    var book = OrderBook(limit: 5)
    book.applySnapshot(BookTests.start.span)
    let bad = [BookTests.bid(98, 2), BookTests.bid(96, -1)]
    #expect(book.apply(bad.span) == .malformed && !book.isTrusted)
    #expect(book.applySnapshot(bad.span) == .malformed && !book.isTrusted)
    #expect(book.malformedFrames == 2)
    #expect(book.applySnapshot(BookTests.start.span) == .applied)
  }

  @Test func aSnapshotInAnyOrderGivesTheSameBook() {
    var ordered = OrderBook(limit: 3)
    ordered.applySnapshot(BookTests.start.span)
    var reversed = OrderBook(limit: 3)
    let worstFirst = Array(BookTests.start.reversed()) + [BookTests.bid(95, 0)]
    #expect(reversed.applySnapshot(worstFirst.span) == .applied)
    for side in [Side.buy, .sell] {
      #expect(BookTests.levels(ordered, side) == BookTests.levels(reversed, side))
    }
    // Told twice, the last word counts.
    let twice = BookTests.start + [BookTests.bid(100, 8)]
    #expect(reversed.applySnapshot(twice.span) == .applied)
    #expect(reversed.top?.bidQuantity == Quantity(quanta: 8))
  }

  @Test func itKeepsTheBestLevelsWhateverComesInAFrame() {
    var book = OrderBook(limit: 4, slack: 2)
    let many = (0..<50).map { BookTests.bid(100 + Int64($0 * 7 % 50), 1) }
    book.applySnapshot(many.span)
    #expect(BookTests.levels(book, .buy) == [[149, 1], [148, 1], [147, 1], [146, 1]])
    let worse = (0..<50).map { BookTests.bid(10 + Int64($0), 1) }
    #expect(book.apply(worse.span) == .applied)
    #expect(BookTests.levels(book, .buy) == [[149, 1], [148, 1], [147, 1], [146, 1]])
    let better = (0..<50).map { BookTests.bid(200 + Int64($0), 2) }
    #expect(book.apply(better.span) == .applied)
    #expect(BookTests.levels(book, .buy) == [[249, 2], [248, 2], [247, 2], [246, 2]])
  }

  @Test func itTakesTheFarthestPrices() {
    var book = OrderBook(limit: 4)
    let far = [
      BookTests.bid(.min, 1), BookTests.bid(0, 1), BookTests.ask(.max, 1), BookTests.ask(1, 1),
    ]
    #expect(book.applySnapshot(far.span) == .applied)
    #expect(BookTests.levels(book, .buy) == [[0, 1], [.min, 1]])
    #expect(BookTests.levels(book, .sell) == [[1, 1], [.max, 1]])
  }

  /// The book equals a plain dictionary that is cut to the best levels after each frame.
  ///
  /// Method: draw frames around a middle that drifts, snapshots now and then; a frame never adds
  /// more rows than the slack holds.
  @Test("M21: over any frames the book is a dictionary cut to its best levels")
  func itEqualsADictionaryCutToItsBestLevels() {
    for seed in UInt64(1)...40 {
      var random = SeededRandom(seed: seed)
      let limit = Int(random.integer(in: 1...24))
      var book = OrderBook(limit: limit, slack: 16)
      var bids: [Int64: Int64] = [:]
      var asks: [Int64: Int64] = [:]
      var middle: Int64 = 1_000
      for _ in 0..<120 {
        middle += random.integer(in: -2...2)
        let isSnapshot = !book.isTrusted || random.chance(1, in: 20)
        if isSnapshot {
          bids = [:]
          asks = [:]
        }
        var rows: [BookLevel] = []
        // What the move left on the wrong side goes first, as a venue tells it.
        for price in bids.keys.sorted() where price >= middle {
          rows.append(BookTests.bid(price, 0))
        }
        for price in asks.keys.sorted() where price <= middle {
          rows.append(BookTests.ask(price, 0))
        }
        for _ in 0..<random.integer(in: 0...8) {
          let quantity = max(random.integer(in: -3...9), 0)
          rows.append(BookTests.bid(middle - random.integer(in: 1...30), quantity))
          rows.append(BookTests.ask(middle + random.integer(in: 1...30), quantity))
        }
        for row in rows {
          let quantity = row.quantity.quanta == 0 ? nil : row.quantity.quanta
          if row.side == .buy {
            bids[row.price.quanta] = quantity
          } else {
            asks[row.price.quanta] = quantity
          }
        }
        for price in bids.keys.sorted(by: >).dropFirst(limit) { bids[price] = nil }
        for price in asks.keys.sorted().dropFirst(limit) { asks[price] = nil }
        let verdict = isSnapshot ? book.applySnapshot(rows.span) : book.apply(rows.span)
        #expect(verdict == .applied, "seed \(seed)")
        #expect(
          BookTests.levels(book, .buy)
            == bids.sorted { $0.key > $1.key }.map { [$0.key, $0.value] },
          "seed \(seed)")
        #expect(
          BookTests.levels(book, .sell)
            == asks.sorted { $0.key < $1.key }.map { [$0.key, $0.value] },
          "seed \(seed)")
      }
    }
  }

  @Test func whatWasWrittenIsReadBackAndOtherBoundsAreRefused() throws {
    var book = OrderBook(limit: 5)
    book.applySnapshot(BookTests.start.span)
    var writer = SnapshotWriter()
    book.write(to: &writer)
    var copy = OrderBook(limit: 5)
    var reader = SnapshotReader(writer.bytes.copy())
    try copy.read(from: &reader)
    #expect(reader.isAtEnd && copy.top == book.top)
    let delta = [BookTests.bid(98, 4), BookTests.ask(103, 0)]
    book.apply(delta.span)
    copy.apply(delta.span)
    var again = SnapshotWriter()
    book.write(to: &again)
    var copied = SnapshotWriter()
    copy.write(to: &copied)
    #expect(again.bytes.copy() == copied.bytes.copy())
    #expect(throws: SnapshotReader.Fault.self) {
      var other = OrderBook(limit: 6)
      var reader = SnapshotReader(writer.bytes.copy())
      try other.read(from: &reader)
    }
  }
}
