import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

@Suite struct SessionDeadManTests {
  typealias Outcome = WhiteBITDeadMan.Outcome
  typealias Parameters = WhiteBITDeadMan.Parameters
  static let market = WhiteBITSymbol(market: "BTC_USDT", instrument: InstrumentID(0))

  /// A dead-man, a virtual clock, and a venue that counts its timer.
  final class Harness {
    var deadMan: WhiteBITDeadMan
    var now = Timestamp(milliseconds: 1_790_000_000_000)
    var outcomes: [Outcome] = []
    var waiting: [(id: RequestID, path: String, body: String)] = []
    var sentAt: [Timestamp] = []
    var bodies: [String] = []
    /// When the venue would cancel; nil while no timer runs.
    var cancelsAt: [String: Timestamp] = [:]
    var expired = false
    /// What the venue does with a set or a refresh; nil answers it.
    var mishap: ((Harness) -> Bool)?
    private var effects = VenueEffects()

    init(_ parameters: Parameters = Parameters(), markets: [WhiteBITSymbol] = [market]) throws {
      deadMan = try WhiteBITDeadMan(parameters, markets: markets)
    }

    func step(_ body: () -> Void) {
      effects.removeAll()
      body()
      let buffer = effects.bytes.copy()
      for effect in effects.list {
        guard case .request(let request) = effect else { continue }
        func text(_ range: ByteRange) -> String {
          String(
            decoding: buffer[Int(range.start)..<Int(range.start) + Int(range.count)],
            as: UTF8.self)
        }
        #expect(request.requestClass == .deadMan)
        // A refresh that hangs would hang the timer with it.
        #expect(request.timeout > .zero && request.timeout < .seconds(600))
        waiting.append((request.id, text(request.target), text(request.body)))
        if text(request.target).hasSuffix("kill-switch") {
          sentAt.append(now)
          bodies.append(text(request.body))
        }
      }
    }

    func start() { step { deadMan.start(at: now, effects: &effects, outcomes: &outcomes) } }
    func disarm() { step { deadMan.disarm(at: now, effects: &effects, outcomes: &outcomes) } }
    func timer() { step { deadMan.timer(at: now, effects: &effects, outcomes: &outcomes) } }
    func progress() { deadMan.kernelProgress(at: now) }

    func answer(_ id: RequestID, _ status: UInt16, _ body: String) {
      waiting.removeAll { $0.id == id }
      let content = WhiteBITTests.bytes(body)
      step {
        deadMan.response(
          id, status: status, body: content.span, at: now, effects: &effects,
          outcomes: &outcomes)
      }
    }

    func fail(_ id: RequestID) {
      waiting.removeAll { $0.id == id }
      step { deadMan.failed(id, at: now, effects: &effects, outcomes: &outcomes) }
    }

    func failUnsent(_ id: RequestID) {
      waiting.removeAll { $0.id == id }
      step {
        deadMan.failed(id, isSent: false, at: now, effects: &effects, outcomes: &outcomes)
      }
    }

    /// Answers what waits as the venue would, unless a mishap takes it.
    func settle() {
      while let sent = waiting.first {
        if sent.path.hasSuffix("status") {
          let rows = cancelsAt.sorted { $0.key < $1.key }.map {
            #"{"market":"\#($0.key)","startTime":1,"cancellationTime":\#($0.value.seconds),"types":["spot"]}"#
          }
          answer(sent.id, 200, "[" + rows.joined(separator: ",") + "]")
          continue
        }
        if let mishap, mishap(self) {
          waiting.removeFirst()
          fail(sent.id)
          continue
        }
        let content = WhiteBITTests.bytes(sent.body)
        guard let body = try? ClientBody(content.span) else { return }
        let request = DeadManSwitch.Request(body)
        let market = request.market.value ?? ""
        if case .seconds(let seconds) = request.timeout {
          cancelsAt[market] = now + .seconds(seconds)
          let end = (now + .seconds(seconds)).seconds
          answer(
            sent.id, 200,
            #"{"market":"\#(market)","startTime":\#(now.seconds),"cancellationTime":\#(end),"types":["spot"]}"#
          )
        } else {
          cancelsAt[market] = nil
          answer(sent.id, 200, "[]")
        }
      }
    }

    /// Lets time pass, with a timer at each deadline and the venue's own clock beside it.
    func run(_ span: TimeSpan, kernelMoves: Bool = true) {
      let end = now + span
      var turns = 0
      while true {
        let next = min(deadMan.nextDeadline, end)
        for time in cancelsAt.values where time <= next { expired = true }
        now = max(now, next)
        if kernelMoves { progress() }
        if deadMan.nextDeadline > now { return }
        timer()
        settle()
        turns += 1
        if turns > 100_000 {
          Issue.record("the dead-man's deadline does not move on")
          return
        }
      }
    }

    func count(_ outcome: Outcome) -> Int { outcomes.count { $0 == outcome } }
  }

  @Test("M66 M68: the timeout is a string, only spot is armed, and 4 and 601 are refused here")
  func range() throws {
    let harness = try Harness()
    harness.start()
    #expect(harness.bodies[0].hasSuffix(#""market":"BTC_USDT","timeout":"60","types":["spot"]}"#))
    for seconds in [Int64(4), 601, 0, -1] {
      #expect(throws: WhiteBITDeadMan.ParameterFault.timeoutOutOfRange(found: seconds)) {
        try WhiteBITDeadMan(
          Parameters(timeoutSeconds: seconds), markets: [SessionDeadManTests.market])
      }
    }
    for seconds in [Int64(5), 600] {
      _ = try WhiteBITDeadMan(
        Parameters(
          timeoutSeconds: seconds, refresh: .seconds(1), retryWait: .milliseconds(500),
          requestTimeout: .milliseconds(500)), markets: [SessionDeadManTests.market])
    }
    #expect(throws: WhiteBITDeadMan.ParameterFault.noMarkets) {
      try WhiteBITDeadMan(Parameters(), markets: [])
    }
  }

  @Test("M66: the reply's cancellation time is kept, and covered is counted from the sending")
  func cancellationTime() throws {
    let harness = try Harness()
    harness.start()
    let sent = harness.now
    harness.now = harness.now + .milliseconds(800)
    harness.settle()
    #expect(harness.outcomes == [.armed(until: sent + .seconds(60))])
    #expect(harness.deadMan.armedUntil == sent + .seconds(60))
    let told = try #require(harness.cancelsAt["BTC_USDT"])
    let cover = harness.deadMan.covers[0]
    #expect(cover.market == "BTC_USDT" && cover.armedUntil == sent + .seconds(60))
    #expect(cover.cancellationTime.seconds == told.seconds, "as the venue said it")
    // Each refresh and each status moves it; what the venue no longer counts is forgotten.
    harness.run(.seconds(50))
    let later = try #require(harness.cancelsAt["BTC_USDT"])
    #expect(harness.deadMan.covers[0].cancellationTime.seconds == later.seconds && later > told)
    harness.disarm()
    harness.settle()
    #expect(harness.deadMan.covers[0].cancellationTime == .zero)
  }

  @Test(
    "M82 M66: by when the venue has canceled is known whatever becomes of the refreshes, and is never too early"
  )
  func canceledBy() throws {
    let harness = try Harness()
    var latest: Timestamp { harness.deadMan.covers[0].cancelsBy }
    harness.start()
    // Nobody knows whether it was set: nothing is promised.
    harness.now = harness.now + .seconds(3)
    harness.fail(harness.waiting[0].id)
    #expect(latest == .zero)
    harness.now = harness.now + .seconds(2)
    harness.timer()
    harness.now = harness.now + .milliseconds(800)
    harness.settle()
    #expect(latest == harness.now + .seconds(60), "counted from the answer")

    // A refresh that never left us changes nothing; one whose reply was lost may be taken late.
    harness.run(.seconds(44))
    let before = latest
    harness.mishap = { _ in true }
    while harness.waiting.isEmpty {
      harness.now = max(harness.now, harness.deadMan.nextDeadline)
      harness.progress()
      harness.timer()
      if harness.waiting.first?.path.hasSuffix("status") == true { harness.settle() }
    }
    harness.failUnsent(harness.waiting[0].id)
    #expect(latest == before)
    harness.run(.seconds(2))
    let sent = try #require(harness.sentAt.last)
    #expect(latest == sent + .seconds(9 + 60) && harness.count(.lost(InstrumentID(0))) == 1)
    #expect(harness.deadMan.armedUntil == .zero, "lost to us, but not to the venue")
  }

  @Test(
    "M82: a key that is refused leaves what the venue counts; what the venue does not count is gone"
  )
  func refusedAndMissing() throws {
    let harness = try Harness()
    harness.start()
    harness.settle()
    let by = harness.now + .seconds(60)
    harness.run(.seconds(44))
    harness.now = harness.now + .seconds(1)
    harness.progress()
    harness.timer()
    let refresh = try #require(harness.waiting.first { $0.path.hasSuffix("kill-switch") })
    harness.answer(
      refresh.id, 401, #"{"code":10,"message":"Unauthorized request.","errors":{}}"#)
    #expect(harness.deadMan.covers[0].cancelsBy == by)
    #expect(harness.count(.unauthorized(status: 401, code: 10)) == 1)

    let other = try Harness()
    other.start()
    other.settle()
    other.cancelsAt = [:]
    other.mishap = { $0.outcomes.contains(.missing(InstrumentID(0))) }
    other.run(.seconds(21))
    #expect(other.count(.missing(InstrumentID(0))) == 1)
    #expect(other.deadMan.covers[0].cancelsBy == .zero)
  }

  @Test("M69 C5: a 60 s timer is refreshed every 45 s, a 120 s timer every 90 s")
  func cadence() throws {
    for (parameters, seconds) in [(Parameters(), Int64(45)), (.grid, 90)] {
      let harness = try Harness(parameters)
      harness.start()
      harness.settle()
      harness.run(.seconds(1_000))
      #expect(!harness.expired)
      for (earlier, later) in zip(harness.sentAt, harness.sentAt.dropFirst()) {
        #expect(later - earlier == .seconds(seconds))
      }
      #expect(harness.sentAt.count == 1_000 / Int(seconds) + 1)
    }
  }

  @Test("M69: blocked for 30 s, the kernel is refreshed for; hung past its grace, it is not")
  func progress() throws {
    let harness = try Harness()
    harness.start()
    harness.settle()
    harness.run(.seconds(30))
    harness.run(.seconds(30), kernelMoves: false)
    #expect(harness.sentAt.count == 2, "the refresh at 45 s was on time")
    #expect(!harness.outcomes.contains(.withheld))
    harness.progress()
    let hungAt = harness.now
    harness.run(.seconds(200), kernelMoves: false)
    #expect(harness.count(.withheld) == 1)
    #expect(harness.expired, "the venue took the orders off")
    let last = try #require(harness.sentAt.last)
    #expect(last - hungAt <= .seconds(40), "nothing after the grace")
    #expect((last + .seconds(60)) - hungAt <= .seconds(100), "canceled within grace + timeout")
    harness.progress()
    harness.run(.seconds(2))
    #expect(harness.count(.resumed) == 1)
    #expect(harness.deadMan.armedUntil > harness.now)
  }

  @Test("M73 T3 T8: a failed refresh is tried again within 5 s; a second failure is an alarm")
  func retries() throws {
    let harness = try Harness()
    harness.start()
    harness.settle()
    var failures = 1
    harness.mishap = { _ in
      failures -= 1
      return failures >= 0
    }
    harness.run(.seconds(60))
    #expect(harness.count(.refreshFailed(InstrumentID(0), failures: 1)) == 1)
    #expect(harness.count(.lost(InstrumentID(0))) == 0 && !harness.expired)
    #expect(harness.sentAt[2] - harness.sentAt[1] <= .seconds(5))
    failures = 2
    harness.run(.seconds(60))
    #expect(harness.count(.lost(InstrumentID(0))) == 1)
    let armedAgain = harness.outcomes.last { if case .armed = $0 { true } else { false } }
    #expect(armedAgain != nil && harness.deadMan.armedUntil > harness.now)
  }

  @Test("M70: for every configuration that is taken, one failure as late as can be leaves no gap")
  func invariant() throws {
    var taken = 0
    for seed in UInt64(1)...2_000 {
      var random = CaseSource(seed: seed)
      let timeout = Int64.random(in: 5...600, using: &random)
      let parameters = Parameters(
        timeoutSeconds: timeout,
        refresh: .milliseconds(Int64.random(in: 1...(timeout * 1_100), using: &random)),
        retryWait: .milliseconds(Int64.random(in: 1...6_000, using: &random)),
        requestTimeout: .milliseconds(Int64.random(in: 1...10_000, using: &random)),
        grace: .seconds(100_000), statusInterval: .seconds(100_000))
      let worst =
        parameters.refresh + parameters.requestTimeout + parameters.requestTimeout
        + parameters.retryWait
      guard let harness = try? Harness(parameters) else {
        #expect(
          worst >= .seconds(timeout) || parameters.retryWait > .seconds(5),
          "seed \(seed): refused without a reason")
        continue
      }
      taken += 1
      #expect(worst < .seconds(timeout), "seed \(seed)")
      // Every other request dies without a word, as late as its timeout allows; the rest answer at
      // the last moment.
      harness.start()
      harness.now = harness.now + parameters.requestTimeout
      harness.settle()
      for round in 0..<10 {
        let before = harness.sentAt.count
        while harness.sentAt.count == before {
          harness.now = max(harness.now, harness.deadMan.nextDeadline)
          harness.progress()
          harness.timer()
        }
        harness.now = harness.now + parameters.requestTimeout
        for time in harness.cancelsAt.values {
          #expect(harness.now < time, "seed \(seed): uncovered in round \(round)")
        }
        if round % 2 == 0, let sent = harness.waiting.first {
          harness.fail(sent.id)
        } else {
          harness.settle()
        }
      }
    }
    #expect(taken > 200)
  }

  @Test("M72: disarming sends JSON null, after a refresh on its way, and says when all is off")
  func disarm() throws {
    let markets = [
      SessionDeadManTests.market, WhiteBITSymbol(market: "ETH_BTC", instrument: InstrumentID(1)),
    ]
    let harness = try Harness(markets: markets)
    harness.start()
    #expect(harness.waiting.count == 2)
    harness.disarm()
    #expect(harness.waiting.count == 2, "a removal never overtakes a refresh")
    harness.settle()
    #expect(harness.bodies.suffix(2).allSatisfy { $0.contains(#""timeout":null"#) })
    #expect(harness.outcomes.last == .disarmed)
    #expect(harness.cancelsAt.isEmpty)
    harness.run(.seconds(1_000))
    #expect(harness.sentAt.count == 4)
  }

  @Test func aTimerThatCannotBeRemovedIsTold() throws {
    let harness = try Harness()
    harness.start()
    harness.settle()
    harness.mishap = { _ in true }
    harness.disarm()
    harness.settle()
    harness.run(.seconds(60))
    #expect(harness.outcomes.last == .disarmFailed(InstrumentID(0)))
    #expect(harness.sentAt.count == 4)
  }

  @Test("M67: the status is asked; what the venue counts is told, and a timer it lost is set again")
  func status() throws {
    let harness = try Harness()
    harness.start()
    harness.settle()
    harness.run(.seconds(21))
    #expect(
      harness.outcomes.contains {
        if case .observed(InstrumentID(0), let time) = $0 {
          time == harness.cancelsAt["BTC_USDT"]
        } else {
          false
        }
      })
    harness.cancelsAt.removeAll()
    harness.run(.seconds(20))
    #expect(harness.count(.missing(InstrumentID(0))) == 1)
    #expect(harness.cancelsAt["BTC_USDT"] != nil)
  }

  @Test("M82: a refused key ends the refreshing, and the timers are left to run out")
  func unauthorized() throws {
    let harness = try Harness()
    harness.start()
    let sent = harness.waiting[0]
    harness.answer(sent.id, 401, #"{"code":10,"message":"Unauthorized request."}"#)
    #expect(harness.outcomes.last == .unauthorized(status: 401, code: 10))
    harness.run(.seconds(500))
    #expect(harness.sentAt.count == 1)
  }

  @Test("A request whose end nobody tells does not stop the retries; rubbish is a failure")
  func silentEdge() throws {
    let harness = try Harness()
    harness.start()
    harness.waiting.removeAll()
    harness.run(.seconds(10))
    #expect(harness.sentAt.count >= 2)
    #expect(harness.deadMan.armedUntil > harness.now)
    let other = try Harness()
    other.start()
    for body in ["", "<html>", "[]", #"{"market":"ETH_BTC","startTime":1,"cancellationTime":2}"#] {
      let sent = try #require(other.waiting.first)
      other.answer(sent.id, 200, body)
      #expect(other.deadMan.armedUntil == .zero, "\(body)")
      other.now = other.now + .seconds(2)
      other.timer()
    }
  }

  @Test("M82: abandoned it asks nothing more, whatever comes back, and lets the timers run out")
  func abandoned() throws {
    let harness = try Harness()
    harness.start()
    let first = try #require(harness.waiting.first)
    harness.deadMan.abandon()
    harness.answer(first.id, 200, "[]")
    #expect(harness.deadMan.nextDeadline == .distantFuture)
    harness.now = harness.now + .seconds(50)
    harness.timer()
    harness.disarm()
    #expect(harness.waiting.isEmpty && harness.bodies.count == 1)
  }
}
