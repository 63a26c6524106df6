import MartletBase
import MartletJSON
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession
import WhiteBITWire

/// Our half of the wire against theirs.
@Suite struct SessionDeskTests {
  func started(seed: UInt64) throws -> SessionWorld {
    let world = try SessionWorld(seed: seed)
    world.feed(.start)
    world.run(.seconds(1))
    world.feed(.deadManArmed(until: .distantFuture))
    world.run(.seconds(2))
    return world
  }

  @Test(
    "M18 M20 M23 M75 M76 C1: the desk lets the session in, and its book is trusted and stays so")
  func comesUp() throws {
    let world = try started(seed: 1)
    #expect(world.isReady && world.isTrusted && world.gaps == 0)
    #expect(world.instrument?.symbol == SessionWorld.market)
    #expect(world.anomalies.isEmpty)
    world.run(.seconds(120))
    #expect(world.isReady && world.isTrusted && world.gaps == 0, "pings keep it, keepalives too")
    #expect(world.anomalies.isEmpty)
  }

  @Test("M46 M77 M78: without faults every order and fill is told exactly, and stop leaves nothing")
  func quietDay() throws {
    let world = try started(seed: 2)
    world.run(.seconds(20)) { world.trade() }
    world.run(.seconds(3))
    #expect(world.anomalies.isEmpty && world.gaps == 0)
    try check(world, "seed 2")
    #expect(!world.lives.values.contains { $0.ends.contains("never") })
  }

  @Test(
    "M44 M50 M56 M62 M96 M97: lost, late and broken replies, dropped frames and cuts: no order twice, no fill lost or doubled",
    arguments: [UInt64(101), 102, 103, 104, 105, 106])
  func faultyDay(seed: UInt64) throws {
    let world = try started(seed: seed)
    world.isFaulty = true
    world.run(.seconds(80)) { world.trade() }
    world.isFaulty = false
    world.run(.seconds(50))
    world.askForMissingFills()
    world.run(.seconds(15))
    #expect(world.isReady && world.isTrusted, "seed \(seed): healed")
    #expect(world.order.count > 100 && world.fills.count > 50 && world.cuts > 0, "seed \(seed)")
    try check(world, "seed \(seed)")
  }

  /// Stops the session and compares all it told with all the desk knows.
  func check(_ world: SessionWorld, _ comment: String) throws {
    world.feed(.stop)
    world.run(.seconds(60))
    #expect(world.isStopped, "\(comment): stopped")
    world.askForMissingFills()
    world.run(.seconds(5))
    let market = "\"market\":\"\(SessionWorld.market)\""
    #expect(
      world.ask("/api/v4/orders", market + ",\"limit\":100").elements.isEmpty,
      "\(comment): nothing of ours rests")

    // Every fill of the desk, and no other, once.
    var deals: [UInt64: JSONValue] = [:]
    var offset = 0
    while true {
      let page = world.ask(
        "/api/v4/trade-account/executed-history", market + ",\"limit\":100,\"offset\":\(offset)"
      ).elements
      for row in page { deals[UInt64(row["id"]?.text ?? "") ?? 0] = row }
      offset += page.count
      if page.count < 100 { break }
    }
    #expect(deals.count == world.fills.count, "\(comment): fills")
    #expect(world.repeated == 0, "\(comment): fills told twice")
    let scale = try #require(world.instrument?.scale)
    for (id, row) in deals {
      guard let fill = world.fills[id] else {
        Issue.record("\(comment): fill \(id) was never told")
        continue
      }
      #expect(fill.clientOrderID.description == row["clientOrderId"]?.text)
      #expect(scale.amount(of: fill.price) == amount(row["price"]?.text ?? ""))
      #expect(scale.amount(of: fill.quantity) == amount(row["amount"]?.text ?? ""))
      #expect(fill.fee == amount(row["fee"]?.text ?? ""))
      #expect(fill.feeAsset.description == row["feeAsset"]?.text)
    }

    // Every order ended once, in the way the desk says, and none was placed twice.
    var finished: [String: [JSONValue]] = [:]
    offset = 0
    while true {
      let reply = world.ask(
        "/api/v4/trade-account/order/history", market + ",\"limit\":100,\"offset\":\(offset)")
      let page = reply["\(SessionWorld.market)"]?.elements ?? []
      for row in page { finished[row["clientOrderId"]?.text ?? "", default: []].append(row) }
      offset += page.count
      if page.count < 100 { break }
    }
    for id in world.order {
      guard let life = world.lives[id] else { continue }
      let rows = finished[id.description] ?? []
      #expect(life.ends.count == 1, "\(comment): \(id) ended \(life.ends)")
      #expect(rows.count <= 1, "\(comment): \(id) was placed \(rows.count) times")
      switch life.ends.first {
      case "filled", "canceled":
        #expect(rows.count == 1, "\(comment): \(id)")
        let status = rows.first?["status"]?.text
        #expect(
          (status == "FILLED") == (life.ends.first == "filled"), "\(comment): \(id) \(status ?? "")"
        )
        #expect(
          scale.amount(of: life.booked) == amount(rows.first?["dealStock"]?.text ?? "0"),
          "\(comment): \(id)")
      default: #expect(rows.isEmpty, "\(comment): \(id) is said to be \(life.ends)")
      }
    }
  }
}
