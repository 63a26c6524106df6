import MartletBase
import MartletJSON
import MartletModel
import Testing
import WhiteBITWire

@Suite struct WireDepthTests {
  /// Reads a depth frame as a session does.
  func read(
    _ frame: [UInt8], scale: InstrumentScale = btcScale, limit: Int = .max
  ) throws -> (Depth.Update, [BookLevel]) {
    var message = try Envelope.read(frame.span)
    guard case .push(.depth) = message.kind else { throw Unexpected() }
    var levels: [BookLevel] = []
    let update = try Depth.read(
      &message.cursor, in: frame.span, scale: scale, limit: limit, into: &levels)
    try message.close(in: frame.span)
    return (update, levels)
  }
  struct Unexpected: Error {}

  let delta = """
    {"method": "depth_update", "params": [false, {"timestamp": 1790000010.775, "update_id": \
    22216668616, "past_update_id": 22216665449, "asks": [["62957.3", "0"], ["62958", "0.13"]], \
    "event_time": 1790000010.812}, "BTC_PERP"], "id": null}
    """

  @Test("M18 M21: a delta gives its levels, its chain and its times, an unchanged side left out")
  func deltaIsRead() throws {
    let (update, levels) = try read(bytes(delta))
    #expect(
      update
        == Depth.Update(
          market: "BTC_PERP", isSnapshot: false, updateID: 22_216_668_616,
          pastUpdateID: 22_216_665_449,
          engineTime: Timestamp(nanoseconds: 1_790_000_010_775_000_000),
          eventTime: Timestamp(nanoseconds: 1_790_000_010_812_000_000)))
    #expect(
      levels == [
        BookLevel(
          side: .sell, price: Price(quanta: 629_573_000), quantity: Quantity(quanta: 0)),
        BookLevel(
          side: .sell, price: Price(quanta: 629_580_000), quantity: Quantity(quanta: 13_000_000)),
      ])
  }

  @Test("M18: key order and white space are free")
  func anyOrder() throws {
    let shuffled = """
      {"id":null , "params" : [ false,{"past_update_id":22216665449,"event_time":1790000010.812,
      "asks":[ [ "62957.3" , "0" ] ,["62958","0.13"]] ,"update_id":22216668616,"extra":{"a":[1]},
      "timestamp":1790000010.775} , "BTC_PERP" ] , "method":"depth_update"}
      """
    let (update, levels) = try read(bytes(shuffled))
    let (plain, plainLevels) = try read(bytes(delta))
    #expect(update == plain)
    #expect(levels == plainLevels)
  }

  @Test func theMarketIsFoundFromTheEnd() {
    let ends: [(String, InlineText?)] = [
      (delta, "BTC_PERP"),
      (#"{"id":null,"method":"depth_update","params":[true,{},"ETH_BTC"]}"#, "ETH_BTC"),
      (#"{"params":[true,{},"ETH_BTC" ] , "id":null}"#, "ETH_BTC"),
      (#"{"params":[]}"#, nil), ("", nil), (#"""#, nil), (#""]"#, nil), (#"""]"#, nil),
      (#"{"params":[true,{}, "A NAME MUCH LONGER THAN THIRTY-TWO BYTES"]}"#, nil),
    ]
    for (frame, expected) in ends {
      #expect(Depth.market(of: bytes(frame).span) == expected, "\(frame)")
    }
  }

  @Test("M21: a snapshot keeps the best rows of each side up to the limit")
  func snapshotIsCut() throws {
    let frame = """
      {"method":"depth_update","params":[true,{"timestamp":1.5,"update_id":7,
      "asks":[["3","1"],["4","1"],["5","1"]],"bids":[["2","1"],["1","1"]],"event_time":2},
      "A_B"],"id":null}
      """
    let (update, levels) = try read(bytes(frame), limit: 2)
    #expect(update.isSnapshot && update.pastUpdateID == nil)
    #expect(levels.map { $0.price.quanta / 10_000 } == [3, 4, 2, 1])
  }

  @Test func numbersOfEveryShapeAreExactOrRefused() throws {
    func one(_ price: String, _ quantity: String, _ scale: InstrumentScale) -> BookLevel? {
      let frame = """
        {"method":"depth_update","params":[true,{"timestamp":1,"update_id":7,
        "asks":[[\(price),\(quantity)]],"bids":[]},"A_B"],"id":null}
        """
      return try? read(bytes(frame), scale: scale).1.first
    }
    let fine = InstrumentScale(price: DecimalPlaces(12), quantity: DecimalPlaces(8))
    let coarse = InstrumentScale(price: DecimalPlaces(4), quantity: DecimalPlaces(-3))
    // Bare numbers, trailing zeros, negative places, 18 and 19 digits.
    #expect(one("1.5", "2", btcScale)?.price.quanta == 15_000)
    #expect(one(#""1.50000000""#, #""2""#, btcScale)?.price.quanta == 15_000)
    #expect(one(#""0.000011751""#, #""12547000""#, fine)?.price.quanta == 11_751_000)
    #expect(one(#""1""#, #""12547000""#, coarse)?.quantity.quanta == 12_547)
    #expect(one(#""123456.7890123456789""#, #""1""#, fine) == nil)
    #expect(one(#""922337203685477.5807""#, #""1""#, btcScale)?.price.quanta == Int64.max)
    #expect(one(#""922337203685477.5808""#, #""1""#, btcScale) == nil)
    #expect(one(#""00000000000000000000001.5""#, #""1""#, btcScale)?.price.quanta == 15_000)
    for bad in [
      #""""#, #"".""#, #""1e5""#, #""1.2.3""#, #""-""#, #""abc""#, "null", "true", #""1.00001""#,
      #"" 1""#, "[]", "1e5",
    ] {
      #expect(one(bad, #""1""#, btcScale) == nil, "price \(bad)")
    }
    #expect(one(#""1.""#, #""1""#, btcScale) == one(#""1""#, #""1""#, btcScale))
  }

  @Test("A frame cut at any byte, or with any byte changed, is a fault or a message, never a crash")
  func malformedFrames() throws {
    let whole = bytes(delta)
    for length in 0..<whole.count {
      #expect(throws: JSONFault.self, "cut to \(length)") { try read(Array(whole[0..<length])) }
    }
    var random = CaseSource(seed: 5)
    for _ in 0..<5_000 {
      var frame = whole
      frame[Int.random(in: 0..<frame.count, using: &random)] = UInt8.random(
        in: 0...255, using: &random)
      _ = Depth.market(of: frame.span)
      _ = try? read(frame)
    }
  }

  @Test("M21: what the desk writes a session reads, seeded")
  func roundTrip() throws {
    for seed in UInt64(1)...200 {
      var random = CaseSource(seed: seed)
      let scale = InstrumentScale(
        price: DecimalPlaces(Int.random(in: 0...8, using: &random)),
        quantity: DecimalPlaces(Int.random(in: -3...8, using: &random)))
      let isSnapshot = Bool.random(using: &random)
      var levels: [BookLevel] = []
      for side in [Side.sell, .buy] {
        for _ in 0..<Int.random(in: 0...20, using: &random) {
          levels.append(
            BookLevel(
              side: side, price: Price(quanta: .random(in: 1...999_999_999_999, using: &random)),
              quantity: Quantity(quanta: .random(in: 0...99_999_999, using: &random))))
        }
      }
      let update = Depth.Update(
        market: random.shortText(), isSnapshot: isSnapshot, updateID: random.next() >> 1,
        pastUpdateID: isSnapshot ? nil : random.next() >> 1, engineTime: random.time(),
        eventTime: Bool.random(using: &random) ? random.time() : nil)
      let frame = written {
        Depth.writePush(update, levels: levels.span, scale: scale, into: &$0)
      }
      let (found, foundLevels) = try read(frame, scale: scale)
      #expect(found == update, "seed \(seed)")
      #expect(foundLevels == levels, "seed \(seed)")
      #expect(Depth.market(of: frame.span) == update.market, "seed \(seed)")
      if !isSnapshot {
        #expect(
          text(frame).contains("\"bids\"") == levels.contains { $0.side == .buy }, "seed \(seed)")
      }
    }
  }

  @Test("M12: the book endpoint's reply, both ways; an empty or null side has no rows")
  func bookReply() throws {
    var levels: [BookLevel] = []
    let body = bytes(
      #"{"ticker_id":"A_B","timestamp":1790000000,"asks":[["3.5","1"]],"bids":null}"#)
    let time = try Depth.readReply(body.span, scale: btcScale, into: &levels)
    #expect(time.seconds == 1_790_000_000)
    #expect(levels.count == 1 && levels[0].side == .sell)
    let again = written {
      Depth.writeReply(
        market: "A_B", time: time, levels: levels.span, scale: btcScale, into: &$0)
    }
    #expect(
      text(again)
        == #"{"ticker_id":"A_B","timestamp":1790000000,"asks":[["3.5","1"]],"bids":[]}"#)
  }

  @Test("M20: the exact subscribe frame, and a desk reads it")
  func subscribe() throws {
    let frame = written {
      Depth.writeSubscribe(id: 3, market: "BTC_USDT", limit: 20, into: &$0)
    }
    #expect(
      text(frame) == #"{"id":3,"method":"depth_subscribe","params":["BTC_USDT",20,"0",true]}"#)
    let request = try Envelope.readRequest(frame.span)
    #expect(request.method == .depthSubscribe)
    #expect(text(request.id(in: frame.span).copy()) == "3")
    #expect(
      try Depth.readSubscription(request, in: frame.span)
        == Depth.Subscription(market: "BTC_USDT", limit: 20, interval: .zero, isAdded: true))
    let other = written { Depth.writeUnsubscribe(id: 4, market: "BTC_USDT", into: &$0) }
    #expect(text(other) == #"{"id":4,"method":"depth_unsubscribe","params":["BTC_USDT"]}"#)
  }
}

extension Span<UInt8> {
  func copy() -> [UInt8] { (0..<count).map { self[$0] } }
}
