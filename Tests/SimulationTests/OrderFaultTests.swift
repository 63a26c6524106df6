import MartletBase
import MartletBook
import MartletKernel
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRisk
import MartletSimulation
import MartletVenueKit
import Testing
import WhiteBITDesk

/// What becomes of orders when requests, replies and pushes go wrong, over the real desk. Every world
/// ends with an audit: no order was sent twice, and both ledgers are the same to the last digit.
@Suite struct OrderFaultTests {
  // MARK: Replies and requests that do not come through

  @Test(
    "M44 C4 T10: a reply lost after the order was accepted puts it in doubt; it is asked about and never sent again"
  )
  func aLostReplyAsksAndNeverResends() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    // Only the reply is to tell of it: what the streams say is lost too.
    world.inflict(.loseReply, on: Path.new)
    for _ in 0..<2 { world.inflict(.dropFrame, on: "ordersPending_update", after: 1) }
    world.meet(.sell, price: "59950", amount: "0.001")
    let isInDoubt = world.run(for: .seconds(10)) { $0.countNotes { Self.isInDoubt($0) } > 0 }
    #expect(isInDoubt)
    let sent = world.trace.count(of: Path.new)
    world.run(for: .seconds(20))
    #expect(world.trace.count(of: Path.new) == sent)
    #expect(world.trace.count(of: Path.open) > 1)
    #expect(world.kernel.counts.doubts == 1)
    #expect(world.workingLines.contains("sell 60000 0.000999"))
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M44 M104: the reply to a whole bulk is lost: twenty orders in doubt, twenty found, none again")
  func aLostBulk() throws {
    let scenario = WhiteBITScenario.grid(levels: 10)
    var world = try scenario.makeWorld()
    world.inflict(.loseReply, on: Path.bulk)
    for skip in 0..<20 { world.inflict(.dropFrame, on: "ordersPending_update", after: skip * 0) }
    world.start()
    let isThere = world.untilGrid(of: 20)
    #expect(isThere)
    #expect(world.plannedFaults.isEmpty)
    #expect(world.kernel.counts.doubts == 20)
    #expect(world.trace.count(of: Path.bulk) == 1)
    #expect(world.trace.count(of: Path.new) == 0)
    scenario.expectSoundEnd(&world)
  }

  @Test("M44 M62: a request that never arrived is denied by every list and only then replaced")
  func aLostRequest() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    world.inflict(.loseRequest, on: Path.bulk)
    world.start()
    let isDenied = world.run(for: .seconds(30)) {
      $0.countNotes { if case .neverArrived = $0 { true } else { false } } == 6
    }
    #expect(isDenied)
    // Not before anything sent could arrive any more: five seconds of the venue's nonce window.
    let sentAt = world.trace.requests().first { $0.target == Path.bulk }?.time ?? world.now
    #expect(world.now - sentAt >= .seconds(6))
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M44 C4: the reply is lost and the order fills before anybody looks; the fill is found once")
  func lostAndFilled() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.inflict(.loseReply, on: Path.new)
    world.meet(.sell, price: "59950", amount: "0.001")
    let isSent = world.run(for: .seconds(1)) { $0.trace.count(of: Path.new) == 1 }
    #expect(isSent)
    world.run(for: .milliseconds(1))
    // It rests by now, and the stream that would tell is gone.
    world.cut()
    world.meet(.buy, price: "60000", amount: "0.000999")
    let isFound = world.run(for: .seconds(30)) { $0.kernel.counts.fills == 2 }
    #expect(isFound)
    let isBack = world.untilGrid(of: 6)
    #expect(isBack)
    #expect(world.trace.count(of: Path.new) == 2)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M44 M86 T10: a gateway's page, an unreadable, cut or huge reply to an order is a doubt, never a second order",
    arguments: [
      Habits.RequestFault.page(status: 502, isCarriedOut: true),
      .page(status: 502, isCarriedOut: false), .page(status: 200, isCarriedOut: true),
      .page(status: 404, isCarriedOut: true), .page(status: 429, isCarriedOut: true),
      .truncatedReply, .oversizedReply(bytes: 9_000_000), .dropReply, .dropRequest,
      .delayReply(.seconds(8)),
    ])
  func pages(fault: Habits.RequestFault) throws {
    for path in [Path.bulk, Path.new] {
      let scenario = WhiteBITScenario.grid()
      var world = try scenario.makeWorld()
      if path == Path.bulk { world.desk.habits.plan(fault, path: path) }
      world.start()
      world.run(for: .seconds(2))
      if path == Path.new {
        world.meet(.sell, price: "59950", amount: "0.001")
        world.desk.habits.plan(fault, path: path)
      }
      world.run(for: .seconds(40))
      #expect(world.desk.habits.isSpent)
      let isWhole = world.untilGrid(of: 6)
      #expect(isWhole, "\(fault) on \(path): \(world.workingLines)")
      scenario.expectSoundEnd(&world, "\(fault) on \(path)")
    }
  }

  @Test(
    "HTML, garbage or silence instead of any other reply is asked again and trusted in nothing",
    arguments: [
      Path.time, Path.markets, Path.ticker, Path.balance, Path.token, Path.open, Path.fills,
      Path.killSwitch,
    ])
  func readsAreRetried(path: String) throws {
    for fault in [
      Habits.RequestFault.page(status: 502, isCarriedOut: false),
      .page(status: 200, isCarriedOut: false), .truncatedReply, .oversizedReply(bytes: 9_000_000),
      .dropReply, .dropRequest,
    ] {
      let scenario = WhiteBITScenario.grid()
      var world = try scenario.makeWorld()
      world.desk.habits.plan(fault, path: path)
      world.start()
      let isThere = world.untilGrid(of: 6)
      #expect(isThere, "\(fault) on \(path)")
      #expect(world.desk.habits.isSpent)
      scenario.expectSoundEnd(&world, "\(fault) on \(path)")
    }
  }

  // MARK: Keys and nonces

  @Test(
    "M82: a bad signature halts; nothing private is asked any more, and the venue's timer ends what rests"
  )
  func aBadSignature() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    world.inflict(.spoilSignature, on: Path.new)
    world.meet(.sell, price: "59950", amount: "0.001")
    let isHalted = world.run(for: .seconds(5)) { $0.kernel.risk.halt != nil }
    #expect(isHalted)
    #expect(world.kernel.risk.halt?.reason == .unauthorized)
    #expect(world.countNotes { $0 == .halted(.unauthorized) } == 1)
    let asked = world.trace.requests().count
    #expect(scenario.ownResting(world).count == 5)
    world.run(for: .seconds(61))
    let later = world.trace.requests().dropFirst(asked)
    #expect(later.allSatisfy { $0.body.isEmpty }, "\(later)")
    #expect(scenario.ownResting(world).isEmpty)
    scenario.expectSound(world, isSettled: false)
    #expect(world.kernel.counts.fills == 1)
  }

  @Test("M82 C18: a key with the wrong secret never gets as far as an order")
  func aWrongSecret() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.clientSecret = "another-secret-altogether"
    var world = try scenario.makeWorld()
    world.start()
    world.run(for: .seconds(120))
    #expect(world.kernel.risk.halt?.reason == .unauthorized)
    #expect(world.trace.count(of: Path.bulk) == 0)
    #expect(world.trace.requests(by: .kernel).filter { !$0.body.isEmpty }.count == 1)
    #expect(world.trace.requests(by: .deadMan).count == 1)
    scenario.expectSound(world, isSettled: false)
  }

  @Test("M30 C18: a stale nonce is no bad key: the orders are refused, and placed anew, later")
  func aStaleNonce() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.makeWorld()
    world.desk.habits.plan(.staleNonce, path: Path.bulk)
    world.start()
    world.run(for: .seconds(5))
    #expect(world.desk.habits.isSpent)
    #expect(world.kernel.risk.halt == nil)
    #expect(world.kernel.counts.refusedByVenue == 6)
    #expect(
      world.countNotes {
        if case .venueRefused(_, .rateLimited, _) = $0 { true } else { false }
      } == 6)
    let isThere = world.untilGrid(of: 6)
    #expect(isThere)
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M30 C21: a request that is late by more than its nonce's window is never taken, and not resent"
  )
  func aLateRequest() throws {
    for (delay, isTaken) in [(Int64(4_900), true), (4_998, true), (6_000, false)] {
      let scenario = WhiteBITScenario.grid()
      var world = try scenario.makeWorld()
      world.inflict(.delayRequest(by: .milliseconds(delay)), on: Path.bulk)
      world.start()
      let isThere = world.untilGrid(of: 6)
      #expect(isThere, "late by \(delay) ms")
      #expect(world.trace.count(of: Path.bulk) == (isTaken ? 1 : 2), "late by \(delay) ms")
      scenario.expectSoundEnd(&world, "late by \(delay) ms")
    }
  }

  // MARK: Bulk

  @Test("M46: 3 of 20 fail: 17 are tracked, 3 rejected with code and reason, nothing assumed")
  func threeOfTwenty() throws {
    var scenario = WhiteBITScenario.grid(levels: 10)
    scenario.balances = [("DBTC", amount("0.01")), ("DUSDT", amount("100000"))]
    var world = try scenario.makeWorld()
    world.start()
    // The owner sells by hand what the bot has just been told it has.
    let isNear = world.run(for: .seconds(1)) { $0.kernel.isReady }
    #expect(isNear)
    let (status, body) = world.placeByHand(.sell, price: "70000", amount: "0.003", id: "myown")
    #expect(status == 200, "\(body)")
    world.run(for: .seconds(1))
    #expect(world.trace.count(of: Path.bulk) == 1)
    #expect(world.kernel.orders.workingCount == 17)
    #expect(world.kernel.counts.refusedByVenue == 3)
    #expect(
      world.countNotes {
        if case .venueRefused(_, .insufficientBalance, code: 10) = $0 { true } else { false }
      } == 3)
    #expect(scenario.ownResting(world).count == 17)
    scenario.expectSound(world, isShared: true)
    scenario.expectSoundEnd(&world, isShared: true)
    #expect(scenario.resting(world) == ["myown"])
  }

  // MARK: News in odd orders

  @Test("M79 M54: a fill comes before its order is acknowledged, and is booked at once")
  func fillBeforeAcknowledgment() throws {
    var scenario = WhiteBITScenario.grid()
    scenario.latency = .milliseconds(50)
    var world = try scenario.makeWorld()
    world.inflict(.delayReply(by: .milliseconds(700)), on: Path.bulk)
    world.inflict(.dropFrame, on: "ordersPending_update")
    world.start()
    let isSent = world.run(for: .seconds(5)) { $0.trace.count(of: Path.bulk) == 1 }
    #expect(isSent)
    // While the orders travel, somebody offers below our best buy: it fills on arrival.
    world.restAsOther(.sell, price: "59940", amount: "0.001")
    let isFilled = world.run(for: .milliseconds(400)) { $0.kernel.counts.fills == 1 }
    #expect(isFilled)
    #expect(
      world.trace.entries.allSatisfy { entry in
        if case .replied(_, _, let body) = entry.event {
          !String(decoding: body, as: UTF8.self).contains("result")
        } else {
          true
        }
      }, "the reply to the bulk came first")
    let fills = world.journal.notes.compactMap {
      if case .fill(let fill) = $0.note { fill } else { nil }
    }
    #expect(fills.map(\.role) == [.taker])
    scenario.expectSoundEnd(&world)
  }

  @Test(
    "M56 M62: a fill that overtakes our cancel is booked, and the order ends filled, not canceled")
  func fillAfterCancel() throws {
    var scenario = WhiteBITScenario.grid(levels: 1)
    scenario.latency = .milliseconds(50)
    var world = try scenario.running()
    world.command(.halt)
    let states = world.journal.notes.compactMap {
      if case .order(let view) = $0.note, view.state == .pendingCancel { view } else { nil }
    }
    #expect(states.count == 2)
    // The cancels are on their way; the market is faster.
    world.meet(.sell, price: "59950", amount: "0.001")
    world.run(for: .seconds(20))
    #expect(world.kernel.counts.fills == 1)
    let filled = states.filter { world.states(of: "\($0.clientOrderID)").last == .filled }
    let canceled = states.filter { world.states(of: "\($0.clientOrderID)").last == .canceled }
    #expect(filled.count == 1 && canceled.count == 1)
    #expect(world.kernel.orders.workingCount == 0)
    scenario.expectSound(world)
  }

  @Test(
    "M56 M62: a partial fill during a cancel is booked; the end is believed when the venue proves it",
    arguments: [
      nil, NetworkFault.Kind.loseReply, .loseRequest, .breakReply, .refuseConnection,
      .delayReply(by: .seconds(7)),
      .replaceReply(status: 502, body: Array("<html>".utf8)),
    ])
  func cancelsThatGoWrong(fault: NetworkFault.Kind?) throws {
    var scenario = WhiteBITScenario.grid(levels: 1)
    scenario.latency = .milliseconds(50)
    var world = try scenario.running()
    if let fault { world.inflict(fault, on: Path.cancel) }
    world.command(.halt)
    world.meet(.sell, price: "59950", amount: "0.0004")
    let isOver = world.run(for: .seconds(40)) { $0.kernel.orders.workingCount == 0 }
    #expect(isOver, "\(String(describing: fault))")
    #expect(world.plannedFaults.isEmpty)
    #expect(world.kernel.counts.fills == 1)
    world.run(for: .seconds(10))
    scenario.expectSound(world, "\(String(describing: fault))")
    #expect(scenario.ownResting(world).isEmpty)
  }

  @Test("M44 M79: a deal pushed twice is booked once; an order event told twice changes nothing")
  func duplicates() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    for _ in 0..<3 {
      world.inflict(.repeatFrame, on: "deals_update")
      world.inflict(.repeatFrame, on: "ordersPending_update")
    }
    world.meet(.sell, price: "59950", amount: "0.0005")
    world.meet(.sell, price: "59950", amount: "0.0005")
    world.meet(.buy, price: "60050", amount: "0.001")
    world.run(for: .seconds(5))
    #expect(world.plannedFaults.isEmpty)
    #expect(world.kernel.counts.fills == 3)
    scenario.expectSoundEnd(&world)
  }

  @Test("M62: deals whose pushes are lost are found by the totals that order events tell")
  func lostDeals() throws {
    let scenario = WhiteBITScenario.grid()
    var world = try scenario.running()
    for _ in 0..<2 { world.inflict(.dropFrame, on: "deals_update") }
    world.meet(.sell, price: "59950", amount: "0.0005")
    world.meet(.sell, price: "59950", amount: "0.0005")
    let isFound = world.run(for: .seconds(40)) { $0.kernel.counts.fills == 2 }
    #expect(isFound)
    scenario.expectSoundEnd(&world)
  }

  private static func isInDoubt(_ note: KernelNote) -> Bool {
    if case .order(let view) = note { view.state == .inDoubt } else { false }
  }
}
