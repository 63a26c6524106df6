import Glibc
import MartletBase
import MartletKernel
import MartletModel
import MartletSimulation
import MartletVenueKit
import Testing
import WhiteBITSession

/// Walks Docs/Timers.md on the virtual clock: each timer of what decides is waited for, and must come
/// when the page says and not before.
@Suite struct TimerWalkTests {
  /// From when a timer was set until it was seen to act.
  typealias Probe = () throws -> TimeSpan

  /// What the way to the venue and back adds, where a timer is seen by what it sends.
  static let slack = TimeSpan.milliseconds(60)

  /// What more may lie between a timer and what is seen of it.
  static let late: [String: TimeSpan] = [
    // A denial counts from a settling time on, and is found with the next round of questions.
    "WhiteBITSession/Configuration: settleDelay": .seconds(2)
  ]

  @Test("M142: every timer of the table fires when it says and not before, in seconds of real time")
  func theTable() throws {
    let page = try TimerPage.walked()
    let probes = probes()
    let known = Set(probes.map(\.name))
    for name in page.keys.sorted() where !known.contains(name) {
      Issue.record("Docs/Timers.md says that \(name) is walked here, and it is not")
    }
    for (name, probe) in probes {
      guard let value = page[name] else {
        Issue.record("\(name) is walked here, and Docs/Timers.md does not say so")
        continue
      }
      let measured = try probe()
      let late = Self.late[name] ?? Self.slack
      #expect(
        measured >= value && measured <= value + late,
        "\(name) came after \(measured.nanoseconds / 1_000) us, the page says \(value.milliseconds) ms"
      )
    }
    #expect(probes.count >= 25)
  }

  private func probes() -> [(name: String, probe: Probe)] {
    session() + deadMan() + quotas() + backoffs() + path()
  }

  // MARK: The session, over the whole wire

  private func session() -> [(name: String, probe: Probe)] {
    [
      ("WhiteBITSession/Configuration: pingInterval", { try quiet(35).gap(ofFrames: "\"ping\"") }),
      (
        "WhiteBITSession/Configuration: pongDeadline",
        {
          var world = try WhiteBITScenario.grid().running()
          // Just behind a pong: the next ping falls into the silence.
          let pings = world.sent("\"ping\"").count
          world.run(for: .seconds(20)) { $0.sent("\"ping\"").count > pings }
          world.run(for: .seconds(1))
          let begun = world.now
          world.outage(for: .seconds(60))
          let isGivenUp = world.run(for: .seconds(30)) {
            $0.kernel.session.standing.link != "live"
          }
          #expect(isGivenUp)
          let ping = try #require(world.sent("\"ping\"").first { $0 > begun })
          return world.now - ping
        }
      ),
      (
        "WhiteBITSession/Configuration: staleAfter",
        {
          var world = try WhiteBITScenario.grid().running()
          world.run(for: .seconds(20))
          for _ in 0..<8 { world.inflict(.dropFrame, on: "depth_update") }
          let begun = world.now
          world.run(for: .seconds(15))
          let heard = try #require(world.told("depth_update").last { $0 <= begun })
          let lost = try #require(
            world.noteTimes {
              if case .bookTrust(_, isTrusted: false) = $0 { true } else { false }
            }.first { $0 > begun })
          return lost - heard
        }
      ),
      ("WhiteBITSession/Configuration: clockInterval", { try quiet(130).gap(of: Path.time) }),
      ("WhiteBITSession/Configuration: listInterval", { try quiet(200).gap(of: Path.open) }),
      ("WhiteBITSession/Configuration: rulesInterval", { try quiet(1_210).gap(of: Path.markets) }),
      (
        "WhiteBITSession/Configuration: placeTimeout",
        {
          var world = try WhiteBITScenario.grid().running()
          world.inflict(.loseReply, on: Path.new)
          world.meet(.sell, price: "59950", amount: "0.001")
          world.run(for: .seconds(8))
          return try world.failure(of: Path.new)
        }
      ),
      (
        "WhiteBITSession/Configuration: cancelTimeout",
        {
          var world = try WhiteBITScenario.grid().running()
          world.inflict(.loseReply, on: Path.cancel)
          world.command(.halt)
          world.run(for: .seconds(8))
          return try world.failure(of: Path.cancel)
        }
      ),
      (
        "WhiteBITSession/Configuration: readTimeout",
        {
          var world = try WhiteBITScenario.grid().running()
          world.inflict(.loseReply, on: Path.time)
          world.run(for: .seconds(75))
          return try world.failure(of: Path.time)
        }
      ),
      (
        "WhiteBITSession/Configuration: settleDelay",
        {
          var world = try WhiteBITScenario.grid().running()
          world.inflict(.loseRequest, on: Path.new)
          world.meet(.sell, price: "59950", amount: "0.001")
          let begun = world.now
          world.run(for: .seconds(30))
          // It may arrive until the venue would refuse it; from when its reply did not come it is asked for.
          let lost = try #require(world.failed.first { $0 >= begun })
          let denied = try #require(
            world.noteTimes { if case .neverArrived = $0 { true } else { false } }.first)
          return denied - lost
        }
      ),
      (
        "WhiteBITSession/Configuration: stepDeadline",
        {
          var world = try WhiteBITScenario.grid().makeWorld()
          for _ in 0..<4 { world.inflict(.dropFrame, on: "\"status\"") }
          world.start()
          world.run(for: .seconds(25))
          let opened = try #require(world.opened.first)
          let closed = try #require(world.closed.first { $0 > opened })
          return closed - opened
        }
      ),
    ]
  }

  /// A grid that rests and hears nothing but keepalives.
  private func quiet(_ seconds: Int64) throws -> Quiet {
    var world = try WhiteBITScenario.grid().running()
    world.run(for: .seconds(seconds))
    return Quiet(
      pings: world.sent("\"ping\""),
      requests: [Path.time, Path.open, Path.markets].map { ($0, world.requests($0)) })
  }

  private struct Quiet {
    let pings: [Timestamp]
    let requests: [(path: String, times: [Timestamp])]

    func gap(ofFrames text: String) throws -> TimeSpan { try Self.least(pings, text) }

    func gap(of path: String) throws -> TimeSpan {
      try Self.least(requests.first { $0.path == path }?.times ?? [], path)
    }

    /// The shortest span between two of the last ones, which are no more than slack apart.
    private static func least(_ times: [Timestamp], _ what: String) throws -> TimeSpan {
      let gaps = zip(times.suffix(3), times.suffix(3).dropFirst()).map { $1 - $0 }
      let least = try #require(gaps.min(), "\(what): \(times.count)")
      let most = try #require(gaps.max())
      #expect(most <= least + TimerWalkTests.slack, "\(what)")
      return least
    }
  }

  // MARK: The dead-man

  private func deadMan() -> [(name: String, probe: Probe)] {
    [
      (
        "WhiteBITSession/DeadMan: refresh",
        {
          var world = try WhiteBITScenario.grid().running()
          world.run(for: .seconds(100))
          let times = world.requests(Path.killSwitch)
          return times[times.count - 1] - times[times.count - 2]
        }
      ),
      (
        "WhiteBITSession/DeadMan: requestTimeout",
        {
          var world = try WhiteBITScenario.grid().running()
          world.inflict(.loseReply, on: Path.killSwitch)
          world.run(for: .seconds(60))
          return try world.failure(of: Path.killSwitch)
        }
      ),
      (
        "WhiteBITSession/DeadMan: retryWait",
        {
          var world = try WhiteBITScenario.grid().running()
          world.inflict(.loseReply, on: Path.killSwitch)
          world.run(for: .seconds(60))
          let failed = try #require(world.failed.first)
          let again = try #require(world.requests(Path.killSwitch).first { $0 > failed })
          return again - failed
        }
      ),
      (
        "WhiteBITSession/DeadMan: statusInterval",
        {
          var world = try WhiteBITScenario.grid().running()
          world.run(for: .seconds(70))
          let times = world.requests(Path.killSwitch + "/status")
          return times[times.count - 1] - times[times.count - 2]
        }
      ),
      (
        "WhiteBITSession/DeadMan: grace",
        {
          var world = try WhiteBITScenario.grid().running()
          // Just behind an input, the last thing that the kernel does before it hangs.
          let known = world.told("").count
          world.run(for: .seconds(20)) { $0.told("").count > known }
          let begun = world.now
          world.hang(for: .seconds(60))
          let isWithheld = world.run(for: .seconds(50)) {
            $0.deadMan.outcomes.contains { $0 == .withheld }
          }
          #expect(isWithheld)
          return world.now - begun
        }
      ),
    ]
  }

  // MARK: Quotas and breakers

  private func quotas() -> [(name: String, probe: Probe)] {
    let rates = WhiteBITRates()
    let named: [(String, RateLimit)] = [
      ("places", rates.places), ("cancels", rates.cancels), ("orders", rates.orders),
      ("account", rates.account), ("market", rates.market), ("books", rates.books),
      ("address", rates.address),
    ]
    var probes: [(name: String, probe: Probe)] = named.map { name, rate in
      (
        "WhiteBITSession/Quota: \(name)",
        {
          var bucket = TokenBucket(limit: rate.limit, window: rate.window)
          let start = WhiteBITScenario.start
          while bucket.take(at: start) {}
          #expect(bucket.permits(at: start + rate.window - .milliseconds(1)) < rate.limit / 2)
          #expect(bucket.permits(at: start + rate.window) == rate.limit / 2)
          return rate.window
        }
      )
    }
    probes.append(
      (
        "WhiteBITSession/Quota: tokens",
        {
          var tokens = SlidingQuota(limit: Int(rates.tokens.limit), window: rates.tokens.window)
          let start = WhiteBITScenario.start
          while tokens.take(at: start) {}
          let next = tokens.nextAt
          let isEarly = tokens.take(at: next - .milliseconds(1))
          let isTaken = tokens.take(at: next)
          #expect(!isEarly && isTaken)
          return next - start
        }
      ))
    for (name, isUrgent) in [("coolDown", false), ("slowPace", true)] {
      probes.append(
        (
          "VenueKit/QuotaGate: \(name)",
          {
            var gate = QuotaGate(BreakerSettings(), isUrgent: isUrgent)
            let start = WhiteBITScenario.start
            Self.refuse(&gate, from: start, over: .zero)
            #expect(!gate.isPassable(at: gate.nextAt - .milliseconds(1)))
            #expect(gate.isPassable(at: gate.nextAt))
            return gate.nextAt - start
          }
        ))
    }
    probes.append(
      (
        "VenueKit/QuotaGate: window",
        {
          let window = BreakerSettings().window
          for (span, isOpen) in [(window - .milliseconds(1), true), (window, false)] {
            var gate = QuotaGate(BreakerSettings(), isUrgent: false)
            Self.refuse(&gate, from: WhiteBITScenario.start, over: span)
            #expect(gate.isBroken(at: WhiteBITScenario.start + span) == isOpen)
          }
          return window
        }
      ))
    return probes
  }

  /// As many refusals as open a breaker, the last one `span` behind the first.
  private static func refuse(_ gate: inout QuotaGate, from start: Timestamp, over span: TimeSpan) {
    var random = SeededRandom(seed: 1)
    let count = BreakerSettings().refusals
    for index in 0..<count {
      let now = index == count - 1 ? start + span : start
      _ = gate.refused(sentAt: now, at: now, backoff: Backoff(), random: &random)
    }
  }

  private func backoffs() -> [(name: String, probe: Probe)] {
    func wait(_ attempt: Int, _ backoff: Backoff) -> TimeSpan {
      var random = SeededRandom(seed: 7)
      return backoff.delay(attempt: attempt, random: &random)
    }
    return [
      ("VenueKit/Backoff: first", { wait(0, Backoff(jitter: .zero)) }),
      ("VenueKit/Backoff: cap", { wait(20, Backoff(jitter: .zero)) }),
      (
        "VenueKit/Backoff: jitter",
        {
          var random = SeededRandom(seed: 8)
          let waits = (0..<2_000).map { _ in Backoff().delay(attempt: 0, random: &random) }
          #expect(waits.allSatisfy { $0 >= .seconds(1) && $0 < .seconds(2) })
          // Drawn up to, and never at, a second: the longest of many comes close.
          let longest = try #require(waits.max()) - .seconds(1)
          #expect(longest > .milliseconds(990))
          return longest + .milliseconds(10)
        }
      ),
    ]
  }

  // MARK: The path

  private func path() -> [(name: String, probe: Probe)] {
    [
      (
        "5-Orders/OrderStore: missingFillsGrace",
        {
          var world = try WhiteBITScenario.grid().running()
          for _ in 0..<4 { world.inflict(.dropFrame, on: "deals_update") }
          world.meet(.sell, price: "59950", amount: "0.001")
          let begun = world.now
          world.run(for: .seconds(4))
          let told = try #require(world.told("ordersPending_update").first { $0 >= begun })
          let asked = try #require(world.requests(Path.fills).first { $0 >= begun })
          return asked - told
        }
      ),
      (
        "0-Kernel/Kernel+Flatten: patience",
        {
          var world = try WhiteBITScenario.grid().running()
          world.meet(.sell, price: "59950", amount: "0.001")
          world.run(for: .seconds(2))
          // Nobody is there to trade with: the book stays untrusted for as long as it takes.
          for _ in 0..<200 { world.inflict(.dropFrame, on: "depth_update") }
          world.run(for: .seconds(15))
          let begun = world.now
          world.command(.flatten)
          world.run(for: .seconds(70))
          let ended = try #require(
            world.noteTimes { $0 == .flattened(isWhole: false) }.first { $0 >= begun })
          return ended - begun
        }
      ),
    ]
  }
}

extension WhiteBITWorld {
  /// When a request to exactly this path left.
  func requests(_ path: String) -> [Timestamp] {
    trace.entries.compactMap {
      if case .requested(_, _, path, _) = $0.event { $0.time } else { nil }
    }
  }

  /// From when a request to this path left until the client gave it up.
  func failure(of path: String) throws -> TimeSpan {
    var sent: [UInt64: Timestamp] = [:]
    for entry in trace.entries {
      switch entry.event {
      case .requested(let id, _, path, _): sent[id] = entry.time
      case .failed(let id, .timedOut):
        if let start = sent[id] { return entry.time - start }
      default: break
      }
    }
    throw ScenarioTimer(what: "no request to \(path) was given up")
  }

  var failed: [Timestamp] {
    trace.entries.compactMap { if case .failed = $0.event { $0.time } else { nil } }
  }

  var opened: [Timestamp] {
    trace.entries.compactMap { if case .opened = $0.event { $0.time } else { nil } }
  }

  var closed: [Timestamp] {
    trace.entries.compactMap { if case .closed = $0.event { $0.time } else { nil } }
  }

  func sent(_ text: String) -> [Timestamp] {
    trace.entries.compactMap {
      if case .sent(_, let bytes) = $0.event, bytes.holds(text) { $0.time } else { nil }
    }
  }

  func told(_ text: String) -> [Timestamp] {
    trace.entries.compactMap {
      if case .told(_, let bytes) = $0.event, bytes.holds(text) { $0.time } else { nil }
    }
  }

  func noteTimes(_ fits: (KernelNote) -> Bool) -> [Timestamp] {
    journal.entries.compactMap { entry in
      guard entry.kind == JournalKind.note, let (note, _) = NoteCoding.read(entry.payload.span),
        fits(note)
      else { return nil }
      return entry.time
    }
  }
}

struct ScenarioTimer: Error, CustomStringConvertible {
  let what: String
  var description: String { what }
}

extension [UInt8] {
  fileprivate func holds(_ text: String) -> Bool {
    let part = Array(text.utf8)
    guard count >= part.count else { return false }
    // A frame's method stands at its beginning.
    for start in 0...Swift.min(96, count - part.count)
    where self[start..<start + part.count].elementsEqual(part) { return true }
    return false
  }
}

/// The table of Docs/Timers.md.
enum TimerPage {
  /// What this test walks, by name, with its value.
  static func walked() throws -> [String: TimeSpan] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let descriptor = open("/\(root)/Docs/Timers.md", O_RDONLY)
    guard descriptor >= 0 else { throw ScenarioTimer(what: "no Docs/Timers.md") }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 18)
    let count = read(descriptor, &bytes, bytes.count)
    var found: [String: TimeSpan] = [:]
    for line in String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("| `") && line.contains("`TimerWalkTests`") {
      let cells = line.split(separator: "|").map { cell in
        String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
      let value = cells[1].split(separator: " ")
      let units: [Substring: Int64] = ["ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000]
      guard value.count == 2, let number = Int64(value[0].filter { $0 != "," }),
        let unit = units[value[1]]
      else { throw ScenarioTimer(what: "\(cells[0]): “\(cells[1])” is no duration") }
      found[cells[0].filter { $0 != "`" }] = .milliseconds(number * unit)
    }
    return found
  }
}
