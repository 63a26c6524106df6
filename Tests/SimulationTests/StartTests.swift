import MartletBase
import MartletKernel
import MartletModel
import MartletOrders
import MartletSimulation
import MartletVenueKit
import Testing

/// How a bot comes up on the whole wire, and in what order.
@Suite struct StartTests {
  @Test("M109 M102 M74: a grid of 10 levels a side is laid out, lives and stops; the ledgers agree")
  func aWholeRun() throws {
    let scenario = WhiteBITScenario.grid(levels: 10)
    var world = try scenario.running()
    scenario.expectSound(world)
    #expect(world.workingLines.first == "buy 59500 0.001")
    #expect(world.workingLines.last == "sell 60500 0.001")
    world.run(for: .seconds(300))
    scenario.expectSoundEnd(&world)
    #expect(world.trace.count(of: Path.bulk) == 1)
    #expect(world.kernel.counts.fills == 0)
  }

  @Test(
    "C19 M74 M76 M109 T2: clock, dead-man, token, authorize, private, lists, book, orders, in that order"
  )
  func orderOfStart() throws {
    let scenario = WhiteBITScenario.grid()
    let world = try scenario.running()
    let expected = [
      "reply \(Path.time)", "reply \(Path.markets)", "ask \(Path.token)", "send authorize",
      "send deals_subscribe", "ask \(Path.open)", "ask \(Path.fills)", "ask \(Path.balance)",
      "send depth_subscribe", "told depth", "ask \(Path.bulk)",
    ]
    expectInOrder(expected, steps(of: world))
    // Armed at the venue before anything private opens, and so before the first order.
    expectInOrder(["reply \(Path.killSwitch)", "ask \(Path.token)"], steps(of: world))
    scenario.expectSound(world)
  }

  @Test("C19 M95 T4: a reconnect goes the same way again, and places nothing before it is done")
  func orderOfReconnect() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    let before = steps(of: world).count
    world.cut()
    world.run(for: .milliseconds(10))
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    let after = Array(steps(of: world).dropFirst(before))
    expectInOrder(
      [
        "ask \(Path.token)", "send authorize", "send ordersPending_subscribe",
        "send deals_subscribe", "ask \(Path.open)", "ask \(Path.fills)", "ask \(Path.balance)",
        "send depth_subscribe",
      ], after)
    #expect(!after.contains("ask \(Path.bulk)") && !after.contains("ask \(Path.new)"))
    scenario.expectSoundEnd(&world)
  }

  @Test("T9 M18: a frame ahead of the authorization's answer is not taken for it")
  func frameAheadOfAnswer() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    let stray = #"{"error": null, "result": {"status": "success"}, "id": 77}"#
    let deal = #"{"method": "market_update", "params": [], "id": null}"#
    world.inflict(.precedeFrame(Array(stray.utf8)), on: "\"id\": 1}")
    world.inflict(.precedeFrame(Array(deal.utf8)), on: "\"id\": 2}")
    world.start()
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    #expect(world.plannedFaults.isEmpty)
    // One connection was enough, and nothing private was asked on it before the true answer.
    #expect(world.trace.count(of: Path.token) == 1)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M104 M45 M102: one bulk for 20 orders, two for 22", arguments: [(10, [20]), (11, [20, 2])])
  func bulks(levels: Int, sizes: [Int]) throws {
    let scenario = WhiteBITScenario.grid(levels: levels)
    let world = try scenario.running()
    let bulks = world.trace.requests().filter { $0.target == Path.bulk }
    #expect(bulks.map { $0.body.split(separator: "\"clientOrderId\"").count - 1 } == sizes)
    #expect(world.trace.count(of: Path.new) == 0)
    scenario.expectSound(world)
  }

  @Test(
    "M1 M9: one trade leaves data, intent, order, fill and position under one id, in that order")
  func oneTradeInTheJournal() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(1))
    let notes = world.journal.notes
    let fill = notes.first { if case .fill = $0.note { true } else { false } }
    let trace = try #require(fill).trace
    var records: [(UInt64, String)] = []
    for input in world.journal.inputs where input.sequence == trace {
      records.append((input.sequence, "data"))
    }
    let filled = try #require(fill)
    guard case .fill(let execution) = filled.note else { return }
    for (sequence, note, of) in notes where of == trace {
      switch note {
      case .intent(let intent) where intent.price == execution.price:
        records.append((sequence, "intent"))
      case .approved(execution.clientOrderID, _): records.append((sequence, "order"))
      case .fill(execution): records.append((sequence, "fill"))
      case .position: records.append((sequence, "position"))
      default: break
      }
    }
    #expect(records.map(\.1) == ["data", "intent", "order", "fill", "position"])
    #expect(records.map(\.0) == records.map(\.0).sorted())
    // The fill's own input then caused the replacement: intent and verdict, under its own id.
    let after = notes.filter { $0.sequence > filled.sequence }
    #expect(
      after.contains { if case .intent(let it) = $0.note { it.side == .sell } else { false } })
    #expect(after.contains { if case .approved = $0.note { true } else { false } })
    scenario.expectSoundEnd(&world)
  }

  @Test("M39: no key's secret and no socket token is in the journal; handles stand for tokens")
  func noSecretInTheJournal() throws {
    let scenario = WhiteBITScenario.grid()
    let world = try scenario.running()
    scenario.expectSound(world)  // Which looks for both in every record.
    let replies = world.journal.entries.filter { $0.kind == JournalKind.input }
      .map { String(decoding: $0.payload, as: UTF8.self) }
    #expect(replies.contains { $0.contains("websocket_token") && $0.contains("@secret:1") })
  }

  // MARK: Helpers

  /// What happened, a short line each.
  private func steps(of world: borrowing WhiteBITWorld) -> [String] {
    var targets: [UInt64: String] = [:]
    var steps: [String] = []
    for entry in world.trace.entries {
      switch entry.event {
      case .requested(let id, _, let target, _):
        targets[id] = target
        steps.append("ask \(target)")
      case .replied(let id, _, _): steps.append("reply \(targets[id] ?? "")")
      case .sent(_, let frame):
        let text = String(decoding: frame, as: UTF8.self)
        let method = text.split(separator: "\"method\":\"").last?.prefix { $0 != "\"" } ?? ""
        steps.append("send \(method)")
      case .told(_, let frame):
        if String(decoding: frame, as: UTF8.self).contains("depth_update") {
          steps.append("told depth")
        }
      default: break
      }
    }
    return steps
  }

  private func expectInOrder(
    _ expected: [String], _ steps: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var rest = steps[...]
    for step in expected {
      guard let index = rest.firstIndex(of: step) else {
        Issue.record(
          "“\(step)” is missing or too early in \(steps)", sourceLocation: sourceLocation)
        return
      }
      rest = rest[(index + 1)...]
    }
  }
}
