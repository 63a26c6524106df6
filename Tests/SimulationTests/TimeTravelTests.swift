import Glibc
import MartletBase
import MartletJSON
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletModel
import MartletRecord
import MartletSecrets
import MartletSimulation
import MartletStrategies
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITSession

/// The state at any record of a journal in files: the same whether it is reached from the first record
/// or from the last state that the journal keeps before it.
@Suite struct TimeTravelTests {
  /// A grid of three levels a side, 50 apart, as the swinging market of `TroubledDayTests` meets it.
  static let configuration = """
    [bot]
    name = "traveler"
    mode = "paper"
    valuation = "DUSDT"

    [venue.whitebit]
    endpoint = "custom"
    rest = "http://127.0.0.1:1"
    websocket = "ws://127.0.0.1:1/ws"
    key = "env:NONE"

    [dead_man]
    timeout = "60s"
    refresh = "45s"
    grace = "40s"

    [[strategy]]
    kind = "grid"
    venue = "whitebit"
    market = "DBTC_DUSDT"
    levels = 3
    spacing = "50"
    amount = "0.001"

    [risk]
    max_inventory = "1"

    [journal]
    folder = "journal"

    """

  /// A journal of two runs in a folder of its own, written as the live program writes one.
  final class WrittenDay {
    private let journal: TemporaryJournal
    var folder: String { journal.folder }
    /// Sequences of all inputs and of all snapshots.
    private(set) var inputs: [UInt64] = []
    private(set) var snapshots: [UInt64] = []
    private(set) var starts: [UInt64] = []
    private(set) var last: UInt64 = 0
    private(set) var times: [Timestamp] = [.zero]

    /// - Parameter interval: records between two snapshots.
    init(seed: UInt64, interval: UInt64 = 60) throws {
      journal = try TemporaryJournal()
      try write(try TimeTravelTests.day(seed: seed), TimeTravelTests.plan(seed), interval)
    }

    private func write(
      _ entries: [MemoryJournal.Entry], _ plan: BotPlan, _ interval: UInt64
    ) throws {
      var options = JournalOptions(build: "test")
      // So small that many segments are searched, and large enough for a snapshot.
      options.segmentBytes = 1 << 16
      options.sync = .atClose
      let writer = try JournalWriter.open(folder: folder, options: options, at: .zero)
      var driver = KernelDriver(kernel: plan.makeKernel(), sink: Sink(writer: writer))
      try begin(&driver, plan, at: entries[0].time)
      for entry in entries {
        if entry.kind == JournalKind.snapshot {
          // The first process died here, and the second goes on in the state that the fold gives.
          let state = SnapshotWriter.state(of: driver.kernel)
          try begin(&driver, plan, at: entry.time)
          var reader = SnapshotReader(state)
          try driver.kernel.read(from: &reader)
          try keepState(&driver, plan, at: entry.time)
        }
        guard entry.kind == JournalKind.input,
          let (input, start) = InputCoding.read(entry.payload.span)
        else { continue }
        inputs.append(driver.sink.writer.nextSequence)
        try driver.feed(
          input, bytes: entry.payload.span.extracting(start..<entry.payload.count), at: entry.time)
        if driver.sink.writer.nextSequence >= (snapshots.last ?? 0) + interval {
          try keepState(&driver, plan, at: entry.time)
        }
      }
      last = driver.sink.writer.nextSequence - 1
      times = driver.sink.times
      try driver.sink.writer.sync()
    }

    private func begin(
      _ driver: inout KernelDriver<WhiteBITSession, BuiltInStrategy, Sink>, _ plan: BotPlan,
      at time: Timestamp
    ) throws {
      starts.append(driver.sink.writer.nextSequence)
      try driver.sink.append(JournalKind.start, at: time, plan.record())
      driver.kernel = plan.makeKernel()
      if starts.count == 1 { try keepState(&driver, plan, at: time) }
    }

    private func keepState(
      _ driver: inout KernelDriver<WhiteBITSession, BuiltInStrategy, Sink>, _ plan: BotPlan,
      at time: Timestamp
    ) throws {
      snapshots.append(driver.sink.writer.nextSequence)
      try driver.sink.append(
        JournalKind.snapshot, at: time,
        StateRecord.payload(plan, key: "fingerprint", driver.kernel))
    }
  }

  struct Sink: JournalSink, ~Copyable {
    typealias Fault = JournalFault
    var writer: JournalWriter
    /// Of each record, by sequence.
    var times: [Timestamp] = [.zero]

    init(writer: consuming JournalWriter) { self.writer = writer }

    mutating func append(
      kind: UInt16, lane: RecordLane, at time: Timestamp, _ head: borrowing ByteBuffer,
      _ body: Span<UInt8>
    ) throws(JournalFault) -> UInt64 {
      times.append(time)
      return try writer.append(
        kind: RecordKind(kind), lane: lane, time: time, prefix: head.span, body: body)
    }

    mutating func append(
      _ kind: UInt16, at time: Timestamp, _ payload: [UInt8]
    ) throws(JournalFault) {
      times.append(time)
      _ = try writer.append(kind: RecordKind(kind), time: time, payload: payload.span)
    }
  }

  static func plan(_ seed: UInt64) throws -> BotPlan {
    try BotPlan(
      configurationText: Array(configuration.utf8), file: "the test's", seed: seed, build: "test")
  }

  /// A day on a swinging market with trouble drawn from the seed, and a death in its middle.
  static func day(seed: UInt64) throws -> [MemoryJournal.Entry] {
    let scenario = WhiteBITScenario.grid(levels: 3, seed: seed, TroubledDayTests.swinging())
    let plan = try plan(seed)
    var world = WhiteBITWorld(
      kernel: plan.makeKernel(), deadMan: try scenario.makeDeadMan(),
      desk: try scenario.makeDesk(),
      credentials: Credentials(
        key: Secret(copying: Array(scenario.key.utf8).span),
        secret: Secret(copying: Array(scenario.secret.utf8).span)),
      start: WhiteBITScenario.start, seed: seed, latency: scenario.latency,
      secretField: "websocket_token", clockOffset: WhiteBITScenario.clockOffset)
    var random = SeededRandom(seed: seed)
    world.start()
    world.run(for: .seconds(12))
    for round in 0..<6 {
      switch random.below(6) {
      case 0: world.cut()
      case 1: world.outage(for: .seconds(3))
      case 2: world.inflict(.loseReply, on: Path.new)
      case 3: world.inflict(.dropFrame, on: "depth_update", after: 2)
      case 4: world.command(.pause)
      default: world.hang(for: .milliseconds(700))
      }
      world.run(for: .milliseconds(4_000 + Int64(random.below(4_000))))
      world.command(.resume)
      if round == 2 {
        try world.resume(deadMan: try scenario.makeDeadMan()) { plan.makeKernel() }
        world.run(for: .seconds(5))
      }
    }
    world.run(for: .seconds(8))
    return world.journal.entries
  }

  /// Folds to `sequence` both ways and expects the same.
  private func expectSame(_ day: WrittenDay, at sequence: UInt64, _ comment: String) throws {
    let moment = JournalMoment.sequence(sequence)
    guard let whole = try JournalFold.whole(day.folder, to: moment),
      let sought = try JournalFold.seeking(day.folder, to: moment)
    else {
      Issue.record("\(comment): no state at record \(sequence)")
      return
    }
    #expect(whole.difference == nil && sought.difference == nil, "\(comment)")
    #expect(whole.first == 1 && !whole.isSought, "\(comment)")
    #expect(whole.last == sequence && sought.last == sequence, "\(comment)")
    #expect(whole.records == sequence, "\(comment)")
    #expect(sought.records == sequence - sought.first + 1, "\(comment)")
    #expect(sought.digest == whole.digest, "\(comment)")
    let begun = (day.snapshots + day.starts).filter { $0 <= sequence }.max()
    #expect(sought.first == begun, "\(comment): begins at \(sought.first)")
    let isSame = sought.written == whole.written
    #expect(isSame, "\(comment): another state at record \(sequence)")
    #expect(sought.state == whole.state, "\(comment)")
    #expect(sought.state.json == whole.state.json && sought.state.text == whole.state.text)
  }

  @Test(
    "a state reached from the last snapshot equals the one reached from the first record, at random records of random days"
  )
  func seekingIsFolding() throws {
    for seed in UInt64(1)...3 {
      let day = try WrittenDay(seed: seed)
      #expect(day.last > 400 && day.snapshots.count > 5, "seed \(seed): \(day.last) records")
      #expect(day.starts.count == 2, "seed \(seed)")
      var random = SeededRandom(seed: seed)
      var places = (0..<12).map { _ in 1 + random.below(day.last) }
      // Where one thing ends and another begins.
      places += [1, 2, day.starts[1] - 1, day.starts[1], day.starts[1] + 1, day.last]
      places += day.snapshots.suffix(2).flatMap { [$0 - 1, $0, $0 + 1] }
      for sequence in places where sequence <= day.last {
        try expectSame(day, at: sequence, "seed \(seed), record \(sequence)")
      }
    }
  }

  @Test("a time leads to the last record that is no later, and none to one before the first")
  func timesAreFound() throws {
    let day = try WrittenDay(seed: 4)
    var random = SeededRandom(seed: 4)
    for _ in 0..<12 {
      let sequence = 1 + random.below(day.last)
      let time = day.times[Int(sequence)]
      let last = UInt64(day.times.lastIndex { $0 <= time } ?? 0)
      let found = try lastFolded(day.folder, .time(time))
      #expect(found == last, "record \(sequence)")
    }
    let before = try lastFolded(day.folder, .time(day.times[1] - .milliseconds(1)))
    #expect(before == nil)
    let none = try lastFolded(day.folder, .sequence(0))
    #expect(none == nil)
  }

  /// The last record of a fold that sought a moment; nil when the journal begins later.
  private func lastFolded(_ folder: String, _ moment: JournalMoment) throws -> UInt64? {
    guard let fold = try JournalFold.seeking(folder, to: moment) else { return nil }
    #expect(fold.difference == nil)
    return fold.last
  }

  @Test(
    "a record that was changed behind the snapshot is found; one before it only from the first record"
  )
  func whatIsFoldedIsProven() throws {
    let day = try WrittenDay(seed: 5)
    let snapshot = day.snapshots[day.snapshots.count - 2]
    let sequence = snapshot + 40
    func flip(_ target: UInt64) throws {
      // Its place, from its header's bytes: magic, kind, lane, flags, then the sequence.
      for number in UInt32(1)... {
        let path = day.folder + "/" + TemporaryJournal.file(number)
        let descriptor = open(path, O_RDWR)
        guard descriptor >= 0 else { break }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &bytes, bytes.count)
        var offset = 0
        while offset + 32 <= count, bytes[offset] == 0x4d {
          let found = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + 8 + $1]) << ($1 * 8) }
          let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + 24 + $1]) << ($1 * 8) }
          let kind = Int(bytes[offset + 4])
          if found == target && kind != 0 {
            var changed = bytes[offset + 32] ^ 1
            let written = pwrite(descriptor, &changed, 1, off_t(offset + 32))
            #expect(written == 1)
            return
          }
          offset += 32 + (length + 7) / 8 * 8 + 32
        }
      }
      Issue.record("no record \(target)")
    }
    try flip(day.snapshots[1] + 3)
    #expect(throws: JournalFault.self) {
      _ = try JournalFold.whole(day.folder, to: .sequence(sequence))
    }
    let sought = try lastFolded(day.folder, .sequence(sequence))
    #expect(sought == sequence)
    try flip(snapshot + 5)
    #expect(throws: JournalFault.self) {
      _ = try JournalFold.seeking(day.folder, to: .sequence(sequence))
    }
  }

  @Test(
    "the state says all of a trading bot: book, orders, money, risk, strategy, session and quota")
  func theStateIsWhole() throws {
    let day = try WrittenDay(seed: 6)
    let sequence = day.starts[1] - 1
    guard let fold = try JournalFold.seeking(day.folder, to: .sequence(sequence)) else {
      Issue.record("no state")
      return
    }
    let state = fold.state
    #expect(state.isReady && state.markets.count == 1 && state.markets[0].isTrusted)
    #expect(state.orders.count == state.strategies[0].working && !state.orders.isEmpty)
    #expect(state.strategies[0].slots.count == 6 && state.strategies[0].center == "60000")
    #expect(state.ledger.map(\.asset) == ["DBTC", "DUSDT"])
    #expect(state.positions.count == 1 && state.risk.ordersLeft <= state.risk.maxOrders)
    #expect(state.markets[0].inventoryLeft != nil && state.markets[0].lowest != nil)
    #expect(state.deadManArmedUntil != nil && state.session.link == "live")
    #expect(state.session.quota.count == RequestGroup.allCases.count)
    let words = state.text
    for part in [
      "state at ", "DUSDT: ", "orders allowed from ", "orders:", "slots:", "risk:",
      "dead-man: armed",
      "session: running, stream live", "quota: cancel ",
    ] {
      #expect(words.contains(part), "no “\(part)” in\n\(words)")
    }
  }
}

/// Docs/Commands.md is held to the keys of a state, and the reverse.
@Suite struct StatePageTests {
  /// Every object of a state by its path, with its keys.
  private static func keys(
    of value: JSONValue, at path: String, into found: inout [String: Set<String>]
  ) {
    switch value {
    case .array(let elements):
      for element in elements { keys(of: element, at: path, into: &found) }
    case .object(let members):
      found[path, default: []].formUnion(members.map(\.key))
      for member in members { keys(of: member.value, at: "\(path).\(member.key)", into: &found) }
    case .null, .bool, .number, .string: break
    }
  }

  private static func text(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw TemporaryJournal.SystemFault() }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
  }

  /// What the page's table says: the first word of a row's first cell, and all words of its second one
  /// that are not explanations.
  private static func page() throws -> [String: Set<String>] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let text = try self.text("/\(root)/Docs/Commands.md")
    var found: [String: Set<String>] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("| `state") {
      let cells = line.split(separator: "|")
      guard cells.count == 2 else { continue }
      let words = cells.map { cell in
        var depth = 0
        var plain = ""
        for character in cell {
          if character == "(" { depth += 1 }
          if depth == 0 { plain.append(character) }
          if character == ")" { depth -= 1 }
        }
        return plain.split(separator: "`", omittingEmptySubsequences: false).enumerated()
          .filter { $0.offset % 2 == 1 }.map { String($0.element) }
      }
      guard let path = words[0].first else { continue }
      found[path] = Set(words[1])
    }
    return found
  }

  @Test("the keys of a state are those that Docs/Commands.md tells of, and no others")
  func keysAreAsThePageSays() throws {
    let day = try TimeTravelTests.WrittenDay(seed: 6)
    var found: [String: Set<String>] = [:]
    for sequence in [day.starts[1] - 1, day.last] {
      guard let fold = try JournalFold.seeking(day.folder, to: .sequence(sequence)) else {
        Issue.record("no state at record \(sequence)")
        continue
      }
      var state = fold.state
      // A bot that was halted is not among them, nor one that holds a stop; their objects are.
      if sequence == day.last {
        state.stops = [
          BotState.Stop(
            strategy: 0, market: "DBTC_DUSDT", side: "sell", state: "armed", unprotected: .zero,
            losses: 0, orders: 0)
        ]
        state.halt = BotState.Halt(
          reason: "capacity", means: "a bounded part is full", since: .zero)
      }
      Self.keys(
        of: try JSONValue(Array(state.json.utf8).span), at: "state", into: &found)
    }
    let page = try Self.page()
    #expect(Set(page.keys) == Set(found.keys))
    for (path, keys) in found { #expect(page[path] == keys, "\(path)") }
  }
}

extension SnapshotWriter {
  static func state(of kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>) -> [UInt8] {
    var writer = SnapshotWriter()
    kernel.write(to: &writer)
    return writer.bytes.copy()
  }
}
