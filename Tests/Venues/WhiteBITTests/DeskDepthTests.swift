import MartletBase
import MartletExchange
import MartletJSON
import MartletModel
import Testing
import WhiteBITDesk
import WhiteBITWire

@Suite struct DeskDepthTests {
  /// A client's book: what the frames told, and whether they follow one another.
  private struct Book {
    var asks: [Int64: Int64] = [:]
    var bids: [Int64: Int64] = [:]
    var lastID: UInt64?
    var snapshots = 0
    var deltas = 0
    var breaks = 0
    var steps: Set<UInt64> = []

    mutating func apply(_ frame: String) throws {
      let bytes = bytes(frame)
      var message = try Envelope.read(bytes.span)
      guard message.kind == .push(.depth) else { return }
      var levels: [BookLevel] = []
      let scale = InstrumentScale(price: DecimalPlaces(2), quantity: DecimalPlaces(6))
      let update = try Depth.read(&message.cursor, in: bytes.span, scale: scale, into: &levels)
      try message.close(in: bytes.span)
      if update.isSnapshot {
        #expect(update.pastUpdateID == nil)
        #expect(lastID == nil || update.updateID >= lastID ?? 0)
        asks = [:]
        bids = [:]
        snapshots += 1
      } else {
        #expect(!levels.isEmpty)
        if update.pastUpdateID != lastID { breaks += 1 }
        steps.insert(update.updateID - (update.pastUpdateID ?? 0))
        deltas += 1
      }
      lastID = update.updateID
      for level in levels {
        let size = level.quantity == .zero ? nil : level.quantity.quanta
        if level.side == .buy {
          bids[level.price.quanta] = size
        } else {
          asks[level.price.quanta] = size
        }
      }
    }

    /// Asks ascending, then bids descending, as the exchange gives them.
    var levels: [[Int64]] {
      asks.keys.sorted().map { [$0, asks[$0] ?? 0] }
        + bids.keys.sorted(by: >).map { [$0, bids[$0] ?? 0] }
    }
  }

  private func published(_ world: borrowing DeskWorld, _ limit: Int) -> [[Int64]] {
    var levels: [BookLevel] = []
    world.desk.exchange.appendDepth(of: InstrumentID(0), .sell, limit: limit, to: &levels)
    world.desk.exchange.appendDepth(of: InstrumentID(0), .buy, limit: limit, to: &levels)
    return levels.map { [$0.price.quanta, $0.quantity.quanta] }
  }

  @Test("M20 M21 M22: snapshot, then chained deltas; the client's book is the exchange's")
  func theChainHolds() throws {
    for seed in UInt64(1)...6 {
      var random = SeededRandom(seed: seed)
      var world = try DeskWorld { $0.seed = seed }
      world.open(1)
      let limit = [5, 20, 100][Int(seed % 3)]
      _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",\(limit),\"0\",true]")
      var book = Book()
      for step in 0..<200 {
        let side = random.below(2) == 0 ? "buy" : "sell"
        let price = 60_005 + random.integer(in: -25...25)
        let more = random.below(3) == 0 ? ",\"ioc\":true" : ""
        _ = world.place(
          side, "0.0\(random.integer(in: 10...99))", at: "\(price)",
          by: step % 2 == 0 ? "ann" : "bob",
          more)
        if random.below(9) == 0 { _ = world.call("/api/v4/order/cancel/all") }
        world.pass(.milliseconds(random.integer(in: 0...150)))
        for frame in world.frames[1, default: []] { try book.apply(frame) }
        world.frames[1] = []
        #expect(book.asks.count <= limit && book.bids.count <= limit, "seed \(seed)")
      }
      world.pass(.milliseconds(100))
      for frame in world.frames[1, default: []] { try book.apply(frame) }
      #expect(book.levels == published(world, limit), "seed \(seed)")
      #expect(book.breaks == 0 && book.snapshots >= 1 && book.deltas > 50, "seed \(seed)")
      // Ids step by more than one: a rule of contiguous ids would see gaps everywhere.
      #expect(book.steps.count > 5 && book.steps.contains { $0 > 1 }, "seed \(seed)")
    }
  }

  @Test("M23 C1: after ten seconds of silence the book comes whole, at times with a later id")
  func keepalivesAreSnapshots() throws {
    var world = try DeskWorld()
    world.open(1)
    _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",20,\"0\",true]")
    var ids: [UInt64] = []
    var book = Book()
    for frame in world.frames[1, default: []] { try book.apply(frame) }
    world.frames[1] = []
    ids.append(book.lastID ?? 0)
    for _ in 0..<12 {
      world.pass(.milliseconds(9_900))
      #expect(world.frames[1, default: []].allSatisfy { !$0.contains("depth_update") })
      world.pass(.milliseconds(100))
      let frames = world.frames[1, default: []]
      world.frames[1] = []
      #expect(frames.count == 1 && frames[0].contains("\"params\": [true, "))
      for frame in frames { try book.apply(frame) }
      ids.append(book.lastID ?? 0)
      _ = world.say("ping", "[]")
      world.frames[1] = []
    }
    let steps = zip(ids, ids.dropFirst()).map { $1 - $0 }
    #expect(steps.contains(0) && steps.contains { $0 > 0 })
    // The next delta follows the snapshot.
    _ = world.place("buy", "0.1", at: "60001")
    world.pass(.milliseconds(100))
    for frame in world.frames[1, default: []] { try book.apply(frame) }
    #expect(book.breaks == 0 && book.deltas == 1)
  }

  @Test func aDeltaLeavesOutTheSideThatDidNotChange() throws {
    var world = try DeskWorld()
    world.open(1)
    let first = world.say("depth_subscribe", "[\"DBTC_DUSDT\",1,\"0\",true]")
    #expect(
      first[1].contains("\"asks\": [[\"60010\", \"1\"]], \"bids\": [[\"60000\", \"1\"]]"))
    world.frames[1] = []
    _ = world.place("buy", "0.1", at: "60001.5")
    world.pass(.milliseconds(100))
    let frame = world.frames[1]?[0] ?? ""
    #expect(frame.contains("\"bids\": [[\"60001.5\", \"0.1\"], [\"60000\", \"0\"]]"))
    #expect(!frame.contains("asks") && frame.contains("\"past_update_id\": "))
    // Nothing changed in the window: no frame.
    world.frames[1] = []
    _ = world.place("buy", "0.1", at: "59000")
    world.pass(.milliseconds(300))
    #expect(world.frames[1] == [])
  }

  @Test("M20: a second market is added, or takes the place of the first, as the flag says")
  func subscriptionsAddOrReplace() throws {
    var world = try DeskWorld()
    world.open(1)
    func markets(_ world: inout DeskWorld) -> Set<String> {
      world.frames[1] = []
      _ = world.place("buy", "0.1", at: "60001", id: "a")
      _ = world.place("buy", "0.1", at: "60001", id: "a", market: "BTC_USDT")
      world.pass(.milliseconds(100))
      _ = world.call("/api/v4/order/cancel/all")
      world.pass(.milliseconds(100))
      return Set(world.news(of: "depth_update").compactMap { $0[2]?.text })
    }
    _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",20,\"0\",true]")
    _ = world.say("depth_subscribe", "[\"BTC_USDT\",20,\"0\",true]")
    #expect(markets(&world) == ["DBTC_DUSDT", "BTC_USDT"])
    _ = world.say("depth_subscribe", "[\"BTC_USDT\",5,\"0\",false]")
    #expect(markets(&world) == ["BTC_USDT"])
    _ = world.say("depth_unsubscribe", "[\"BTC_USDT\"]")
    #expect(markets(&world).isEmpty)
    // Without the fourth element it adds.
    _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",20,\"0\"]")
    _ = world.say("depth_subscribe", "[\"BTC_USDT\",20,\"0\"]")
    #expect(markets(&world).count == 2)
    _ = world.say("depth_unsubscribe", "[]")
    #expect(markets(&world).isEmpty)
  }

  @Test func aBookIsGivenOnceAndGrouped() throws {
    var world = try DeskWorld()
    _ = world.place("buy", "0.1", at: "60001.25")
    _ = world.place("buy", "0.2", at: "60001.29")
    world.open(1)
    let once = world.say("depth_request", "[\"DBTC_DUSDT\",1,\"0\"]")
    #expect(
      once == [
        "{\"error\": null, \"result\": {\"timestamp\": 1790000040.000000, \"asks\": [[\"60010\", \"1\"]], \"bids\": [[\"60001.29\", \"0.2\"]]}, \"id\": 1}"
      ])
    let grouped = world.say("depth_request", "[\"DBTC_DUSDT\",1,\"0.1\"]")
    #expect(grouped[0].contains("\"bids\": [[\"60001.2\", \"0.3\"]]"))
  }

  @Test("M22: a lost delta breaks the chain at the next one")
  func aDroppedDeltaIsAGap() throws {
    var world = try DeskWorld()
    world.desk.habits.plan(.drop, on: .depthDelta, after: 1)
    world.open(1)
    _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",20,\"0\",true]")
    var book = Book()
    for index in 0..<4 {
      _ = world.place("buy", "0.1", at: "\(60_001 + index)")
      world.pass(.milliseconds(100))
    }
    for frame in world.frames[1, default: []] { try book.apply(frame) }
    #expect(book.deltas == 3 && book.breaks == 1)
    #expect(world.desk.habits.isSpent)
    // Subscribing again gives a whole book, and the chain goes on from it.
    world.frames[1] = []
    _ = world.say("depth_subscribe", "[\"DBTC_DUSDT\",20,\"0\",true]")
    book = Book()
    for frame in world.frames[1, default: []] { try book.apply(frame) }
    #expect(book.snapshots == 1 && book.levels == published(world, 20))
  }
}
