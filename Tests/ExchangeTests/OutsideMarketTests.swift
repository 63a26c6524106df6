import MartletBase
import MartletExchange
import MartletHistory
import MartletModel
import Testing

/// Clients inside a recorded market.
@Suite struct OutsideMarketTests {
  private func exchange(_ tape: Tape) throws -> Exchange {
    var exchange = Exchange(
      configuration: ExchangeConfiguration(), listings: [try .coin(rows: tape.rows)])
    exchange.advanceOneFrame()
    return exchange
  }

  private let open = Tape(bids: [(100, 5_000), (99, 8_000)], asks: [(102, 4_000), (103, 9_000)])

  @Test func thePublishedBookIsOutsideAndClientsTogether() throws {
    var exchange = try exchange(open)
    let ann = try exchange.account()
    _ = try exchange.limit(ann, .buy, 1_000, at: 100)
    _ = try exchange.limit(ann, .buy, 700, at: 101)
    _ = try exchange.limit(ann, .sell, 300, at: 200)
    #expect(exchange.depth(.buy) == [[101, 700], [100, 6_000], [99, 8_000]])
    #expect(exchange.depth(.sell) == [[102, 4_000], [103, 9_000], [200, 300]])
    #expect(exchange.best(.buy, of: InstrumentID(0))?.quantity == Quantity(quanta: 700))
    #expect(exchange.depth(.sell, 2) == [[102, 4_000], [103, 9_000]])
  }

  /// A trade at our price first takes what queued before us, and fills us with what is left of it.
  @Test func aTradeMovesTheQueueAndThenFillsInParts() throws {
    var tape = open
    tape.trade(.sell, 3_000, at: 100)
    tape.trade(.sell, 2_400, at: 100)
    tape.trade(.sell, 900, at: 100)
    var exchange = try exchange(tape)
    let ann = try exchange.account()
    let order = try exchange.limit(ann, .buy, 1_000, at: 100)
    exchange.advanceOneFrame()
    #expect(exchange.executions(ann).isEmpty)  // 5,000 before us, 2,000 left
    exchange.removeAllEvents()
    exchange.advanceOneFrame()
    let fill = exchange.executions(ann)[0]
    #expect(fill.quantity == Quantity(quanta: 400))
    #expect(fill.price == Price(quanta: 100) && fill.role == .maker)
    #expect(fill.counterOrder == ExchangeOrderID(0))
    // The tape tells 2,400: our 400 under their own number, and 2,000.
    let prints = exchange.take().compactMap { event -> MarketTrade? in
      if case .trade(let trade) = event { trade } else { nil }
    }
    #expect(prints.map(\.quantity.quanta) == [400, 2_000])
    #expect(prints[0].tradeID == fill.tradeID && prints[0].aggressor == .sell)
    exchange.advanceOneFrame()
    #expect(exchange.finished(ann).map(\.id) == [order.id])
    #expect(exchange.executions(ann).map(\.quantity.quanta) == [600, 400])
    exchange.expectConserved()
  }

  /// When less is shown than we thought was before us, those before us have left.
  @Test func aShrinkingLevelMovesTheQueue() throws {
    var tape = open
    tape.levels(bids: [(100, 700)])
    tape.levels(bids: [(100, 9_000)])
    tape.trade(.sell, 800, at: 100)
    var exchange = try exchange(tape)
    let ann = try exchange.account()
    _ = try exchange.limit(ann, .buy, 1_000, at: 100)
    for _ in 0..<3 { exchange.advanceOneFrame() }
    // 5,000, then 700 before us; who came later stands behind. 800 traded: 100 for us.
    #expect(exchange.executions(ann).map(\.quantity.quanta) == [100])
  }

  @Test func aTradeThroughOurPriceFillsUsWholeAtOurPrice() throws {
    var tape = open
    tape.trade(.sell, 10, at: 99)
    tape.trade(.buy, 10, at: 104)
    var exchange = try exchange(tape)
    let ann = try exchange.account(coin: "10", cash: "10")
    _ = try exchange.limit(ann, .buy, 1_000, at: 100)
    _ = try exchange.limit(ann, .sell, 2_000, at: 103)
    exchange.advanceOneFrame()
    #expect(exchange.executions(ann).map(\.price.quanta) == [100])
    #expect(exchange.executions(ann)[0].quantity == Quantity(quanta: 1_000))
    exchange.advanceOneFrame()
    #expect(exchange.executions(ann)[0].price == Price(quanta: 103))
    #expect(exchange.working(ann).isEmpty)
    exchange.expectConserved()
  }

  /// In mid-frame a recorded book may be crossed; only at its end is it what the venue meant.
  @Test func aBookIsMatchedAtItsFramesEndAndAsFarAsItReaches() throws {
    var tape = open
    // Asks come down to our price while the bids are still to leave: whole only at the end.
    tape.levels(bids: [(100, 0), (99, 0), (95, 100)], asks: [(98, 300), (99, 400), (102, 0)])
    tape.levels(asks: [(98, 0), (99, 0), (97, 5_000)])
    var exchange = try exchange(tape)
    let ann = try exchange.account()
    let order = try exchange.limit(ann, .buy, 1_000, at: 100)
    let low = try exchange.limit(ann, .buy, 1_000, at: 96)
    exchange.advanceOneFrame()
    // 300 and 400 stood across our 100: taken at our price, and gone from the book.
    #expect(exchange.executions(ann).map(\.quantity.quanta) == [400, 300])
    #expect(exchange.executions(ann).allSatisfy { $0.price == Price(quanta: 100) })
    #expect(exchange.workingOrder(order.id, of: ann)?.leaves == Quantity(quanta: 300))
    #expect(exchange.depth(.sell).first == [103, 9_000])
    #expect(exchange.depth(.buy).first == [100, 300])
    exchange.advanceOneFrame()
    #expect(exchange.finished(ann).map(\.id) == [order.id])
    #expect(exchange.workingOrder(low.id, of: ann)?.cumulative == .zero)
    #expect(exchange.depth(.sell).first == [97, 4_700])
    exchange.expectConserved()
  }

  /// What was eaten stays eaten until the recording next speaks of that level.
  @Test func takingEatsTheShownLevelsUntilTheirNextUpdate() throws {
    var tape = open
    tape.levels(asks: [(103, 8_000)])
    tape.levels(asks: [(102, 4_500)])
    var exchange = try exchange(tape)
    let ann = try exchange.account()
    let order = try exchange.limit(ann, .buy, 6_000, at: 103)
    #expect(order.status == .filled)
    #expect(exchange.executions(ann).map(\.price.quanta) == [103, 102])
    #expect(exchange.executions(ann).allSatisfy { $0.role == .taker })
    #expect(exchange.depth(.sell) == [[103, 7_000]])
    exchange.advanceOneFrame()
    #expect(exchange.depth(.sell) == [[103, 8_000]])
    exchange.advanceOneFrame()
    #expect(exchange.depth(.sell) == [[102, 4_500], [103, 8_000]])
    exchange.expectConserved()
  }

  /// Outside quantity and clients' orders at one price are taken as they queued.
  @Test func atOnePriceTimeDecidesBetweenOutsideAndClients() throws {
    var tape = open
    tape.levels(asks: [(102, 6_000)])
    var exchange = try exchange(tape)
    let ann = try exchange.account()
    let bob = try exchange.account()
    let eve = try exchange.account()
    _ = try exchange.limit(ann, .sell, 1_000, at: 102)  // behind 4,000
    exchange.advanceOneFrame()  // 2,000 more come after her
    _ = try exchange.limit(bob, .sell, 1_000, at: 102)  // behind 6,000
    #expect(exchange.depth(.sell).first == [102, 8_000])
    func take(_ quantity: Int64) throws -> [Int64] {
      let before = exchange.executions(eve).count
      _ = try exchange.limit(eve, .buy, quantity, at: 102)
      let news = exchange.executions(eve)
      return news.prefix(news.count - before).reversed().map(\.quantity.quanta)
    }
    #expect(try take(3_500) == [3_500])
    #expect(exchange.executions(ann).isEmpty)
    #expect(try take(1_000) == [500, 500])
    #expect(try take(3_000) == [500, 2_000, 500])
    #expect(exchange.executions(bob).map(\.quantity.quanta) == [500])
    #expect(exchange.depth(.sell).first == [102, 500])
    exchange.expectConserved()
  }

  @Test func roundsRepeatFromTheFirstSnapshot() throws {
    var tape = open
    tape.levels(bids: [(100, 0)], asks: [(101, 50)])
    var exchange = try exchange(tape)
    let ann = try exchange.account()
    _ = try exchange.limit(ann, .buy, 1_000, at: 100)
    exchange.advanceOneFrame()
    #expect(exchange.depth(.sell).first == [101, 50])
    // The pause of a second after the last frame, which came at 1 ms.
    #expect(exchange.nextTime == Timestamp(milliseconds: 1_001))
    exchange.advanceOneFrame()
    #expect(exchange.depth(.buy) == [[100, 6_000], [99, 8_000]])
    #expect(exchange.depth(.sell) == [[102, 4_000], [103, 9_000]])
    #expect(exchange.nextTime == Timestamp(milliseconds: 1_002))
  }

  @Test func speedAndGridsAreExact() throws {
    let scale = InstrumentScale(price: DecimalPlaces(4), quantity: DecimalPlaces(8))
    let rows = Tape(bids: [(100, 5)], asks: [(101, 6)]).rows
    var tape = Tape(bids: [(100, 5)], asks: [(101, 6)])
    tape.trade(.buy, 1, at: 101)
    let fast = try OutsideMarket(
      rows: tape.rows, pricePlaces: DecimalPlaces(2), quantityPlaces: DecimalPlaces(6),
      scale: scale, start: Timestamp(milliseconds: 50), speedThousandths: 4_000)
    var exchange = Exchange(
      configuration: ExchangeConfiguration(),
      listings: [
        Listing(
          instrument: .coin(scale: scale), fees: FeePolicy(places: DecimalPlaces(8)),
          outside: fast)
      ])
    #expect(exchange.nextTime == Timestamp(milliseconds: 50))
    exchange.advanceOneFrame()
    #expect(exchange.depth(.buy) == [[10_000, 500]])
    #expect(exchange.nextTime == Timestamp(nanoseconds: 50_250_000))
    #expect(throws: OutsideMarket.Fault.tooFine(recorded: 6, instrument: 5)) {
      _ = try OutsideMarket(
        rows: rows, pricePlaces: DecimalPlaces(2), quantityPlaces: DecimalPlaces(6),
        scale: InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(5)), start: .zero)
    }
    #expect(throws: OutsideMarket.Fault.noSnapshot) {
      _ = try OutsideMarket(
        rows: Array(tape.rows.suffix(1)), pricePlaces: scale.price,
        quantityPlaces: scale.quantity, scale: scale, start: .zero)
    }
  }

  /// Two instruments fed from the same rows: frames of one moment in the order of instruments.
  @Test func instrumentsMoveTogether() throws {
    let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
    let feed = try OutsideMarket(
      rows: open.rows, pricePlaces: scale.price, quantityPlaces: scale.quantity, scale: scale,
      start: .zero)
    var exchange = Exchange(
      configuration: ExchangeConfiguration(),
      listings: (0..<2).map {
        Listing(
          instrument: .coin(id: $0, scale: scale), fees: FeePolicy(places: DecimalPlaces(8)),
          outside: feed)
      })
    exchange.advance(to: .zero)
    let told = exchange.take().compactMap { event -> UInt16? in
      if case .book(let id, _) = event { id.index } else { nil }
    }
    #expect(told == [0, 1])
  }

  /// The same recording, commands and seed give the same events, to the last digit.
  @Test func aReplayedRecordingGivesTheSameEvents() throws {
    let recording = try Recording(path: Bundled.market)
    let digests = try (0..<2).map { _ in try play(recording, seed: 7) }
    #expect(digests[0] == digests[1])
    #expect(digests[0].fills > 20)
    #expect(try play(recording, seed: 8).digest != digests[0].digest)
  }

  /// Twenty seconds of the recording with a client who quotes around the best.
  private func play(
    _ recording: Recording, seed: UInt64
  ) throws -> (digest: UInt64, fills: Int) {
    var random = SeededRandom(seed: seed)
    var exchange = Exchange(
      configuration: ExchangeConfiguration(),
      listings: [try .replaying(recording, start: .zero)])
    exchange.advanceOneFrame()
    let ann = try exchange.account()
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    var fills = 0
    for step in 1...400 {
      let now = Timestamp(milliseconds: Int64(step) * 50)
      exchange.advance(to: now)
      let side: Side = random.below(2) == 0 ? .buy : .sell
      let best = exchange.best(side, of: InstrumentID(0))
      let anchor = try #require(best).price.quanta
      let price = anchor + random.integer(in: -30...30)
      _ = try exchange.limit(
        ann, side, random.integer(in: 100...300_000), at: price, at: now)
      if exchange.working(ann).count > 40 { exchange.cancelAll(of: ann, at: now) }
      for event in exchange.take() {
        if case .fill = event { fills += 1 }
        for byte in "\(event)".utf8 { digest = (digest ^ UInt64(byte)) &* 0x0100_0000_01b3 }
      }
      let bid = exchange.best(.buy, of: InstrumentID(0))
      let ask = exchange.best(.sell, of: InstrumentID(0))
      if let bid, let ask { #expect(bid.price < ask.price, "step \(step), seed \(seed)") }
    }
    exchange.expectConserved("seed \(seed)")
    return (digest, fills)
  }
}
