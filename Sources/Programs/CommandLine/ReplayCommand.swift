import MartletBase
import MartletBook
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletModel
import MartletOrders
import MartletPortfolio
import MartletRecord
import MartletRisk
import MartletStrategies
import MartletVenueKit
import WhiteBITSession

/// `replay JOURNAL [--verify] [--until SEQ] [--json]`
enum ReplayCommand {
  static let command = Command(
    name: "replay", usage: "JOURNAL [--verify] [--until SEQ] [--json]",
    does: """
      Folds a journal again, from its raw bytes on, with the recorded times: the kernel that the first
      record of each run describes gets every input, and every note and effect is compared with what
      was recorded.
      """,
    options: [
      .init("--verify", nil, "exit 1 on the first difference, and name it"),
      .init("--until", "SEQ", "stop after this sequence and show the state there"),
      .init("--json", nil, "one object on standard output"),
    ],
    positional: 1...1,
    example: "./martlet demo --for 5s && ./martlet replay --verify .martlet/demo/latest/journal",
    run: run)

  private struct Fault: Error, CustomStringConvertible { let description: String }

  private struct Result {
    var records: UInt64 = 0
    var runs: UInt64 = 1
    var inputs: UInt64 = 0
    var compared: UInt64 = 0
    var digest: RecordLink = .origin
    var isTorn = false
    var difference: String?
    var build = ""
    var state = ""
  }

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let until = try arguments.integer("--until", default: Int.max, in: 1...Int.max)
    let folder = arguments.positional[0]
    do {
      let result = try fold(folder, until: UInt64(until))
      let isIdentical = result.difference == nil
      if result.build != BuildIdentity.text {
        Console.note(
          "written by another build (\(result.build)); this one is \(BuildIdentity.text)")
      }
      if arguments.has("--json") {
        Console.out(
          "{\"records\":\(result.records),\"digest\":\"\(result.digest)\",\"identical\":\(isIdentical)}\n"
        )
      } else {
        Console.out(
          "\(folder): \(result.runs == 1 ? "" : "\(result.runs) runs, ")\(result.records) records,"
            + " \(result.inputs) inputs folded, \(result.compared) notes and effects compared\n"
            + "digest \(result.digest)\n")
        if result.isTorn { Console.out("the last record is torn, as a killed process leaves it\n") }
        if arguments.has("--until") { Console.out(result.state) }
        if isIdentical { Console.out("identical, bit for bit\n") }
      }
      if let difference = result.difference {
        Console.fail("replay: \(difference)")
        return .failed
      }
      return .done
    } catch {
      Console.fail("replay: \(error)")
      return .failed
    }
  }

  /// The state that a journal's records lead to at a time, for a person; nil when it begins later.
  ///
  /// - Throws: what is wrong with the journal, or where this build makes something else of it.
  static func state(in folder: String, at time: Timestamp) throws -> String? {
    let result = try fold(folder, until: .max, at: time)
    if let difference = result.difference { throw Fault(description: difference) }
    return result.records == 0 ? nil : result.state
  }

  private static func fold(
    _ folder: String, until: UInt64, at time: Timestamp = .distantFuture
  ) throws -> Result {
    var reader = try JournalReader.open(folder: folder)
    guard let head = try reader.next(), head.kind.rawValue == JournalKind.start else {
      throw Fault(description: "\(folder): does not begin with a start record")
    }
    let plan = try BotPlan(record: copy(reader.payload))
    var result = Result()
    guard head.time <= time else { return result }
    result.records = 1
    result.build = plan.build
    var replay = Replay(kernel: plan.makeKernel())
    var last = head.kind.rawValue
    // The state at the end of the run before, which the next one may begin in.
    var former: [UInt8] = []
    var first = replay.written
    var isBegun = false
    while let header = try reader.next(), header.sequence <= until, header.time <= time {
      result.records += 1
      if header.kind.rawValue == JournalKind.start {
        // Another run went on behind the last one, with a kernel of its own.
        end(&replay, after: last, &result)
        if result.difference != nil { break }
        let plan = try BotPlan(record: copy(reader.payload))
        result.build = plan.build
        result.runs += 1
        // A run that died over its first record knew nothing yet; the next one begins in the state before.
        if isBegun { former = replay.written }
        isBegun = false
        replay = Replay(kernel: plan.makeKernel())
        first = replay.written
      } else if header.kind.rawValue == JournalKind.snapshot {
        let record = try StateRecord(payload: copy(reader.payload))
        let isFirst = replay.inputs == 0
        let isSame = try replay.take(record.state)
        result.compared += 1
        isBegun = true
        guard isSame,
          !isFirst || record.state == first || record.state == carried(former, to: record.plan)
        else {
          result.difference =
            "record \(header.sequence) is not the state that the records before it lead to"
          break
        }
      } else {
        if header.kind.rawValue == JournalKind.input { isBegun = true }
        result.difference = feed(header, reader.payload, to: &replay)
        if result.difference != nil { break }
      }
      last = header.kind.rawValue
    }
    end(&replay, after: last, &result)
    result.isTorn = reader.tornTail != nil
    result.digest = reader.chain.link
    result.state = state(of: replay.kernel)
    return result
  }

  /// A state as the kernel of another plan holds it, whose limits may be tighter; nil when it cannot.
  private static func carried(_ state: [UInt8], to plan: BotPlan) -> [UInt8]? {
    var kernel = plan.makeKernel()
    var reader = SnapshotReader(state)
    do throws(SnapshotReader.Fault) { try kernel.read(from: &reader) } catch { return nil }
    return Replay(kernel: kernel).written
  }

  /// Ends one run's fold. Its end record says that everything was written; a killed process may not
  /// have come to that.
  private static func end(
    _ replay: inout Replay<WhiteBITSession, BuiltInStrategy>, after last: UInt16,
    _ result: inout Result
  ) {
    result.inputs += replay.inputs
    result.compared += replay.compared
    guard last == JournalKind.end && result.difference == nil else { return }
    do throws(Replay<WhiteBITSession, BuiltInStrategy>.Difference) { try replay.finish() } catch {
      result.difference = text(of: error)
    }
  }

  private static func copy(_ bytes: Span<UInt8>) -> [UInt8] { bytes.indices.map { bytes[$0] } }

  private static func feed(
    _ header: RecordHeader, _ payload: Span<UInt8>,
    to replay: inout Replay<WhiteBITSession, BuiltInStrategy>
  ) -> String? {
    do throws(Replay<WhiteBITSession, BuiltInStrategy>.Difference) {
      try replay.feed(
        kind: header.kind.rawValue, sequence: header.sequence, at: header.time, payload: payload)
      return nil
    } catch { return text(of: error) }
  }

  private static func text(
    of difference: Replay<WhiteBITSession, BuiltInStrategy>.Difference
  ) -> String {
    switch difference.what {
    case .differs(let recorded, let folded):
      "first difference at record \(difference.sequence):\n  recorded \(show(recorded))\n  folded   \(show(folded))"
    case .notRecorded(let folded):
      "record \(difference.sequence) causes something that was not recorded:\n  folded   \(show(folded))"
    case .notFolded(let recorded):
      "record \(difference.sequence) is not caused by its input:\n  recorded \(show(recorded))"
    case .unreadableInput: "record \(difference.sequence) holds no input"
    }
  }

  /// A payload as printable text, other bytes as dots.
  private static func show(_ payload: [UInt8]) -> String {
    String(decoding: payload.prefix(400).map { $0 >= 32 && $0 < 127 ? $0 : 46 }, as: UTF8.self)
  }

  private static func state(of kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>) -> String
  {
    let counts = kernel.counts
    var holds: [String] = []
    if let halt = kernel.risk.halt {
      holds.append("halted (\(halt.reason)) since \(halt.at.milliseconds)")
    }
    if kernel.isPaused { holds.append("paused") }
    if kernel.isStopping { holds.append("stopping") }
    if kernel.session.isClockSkewed { holds.append("the clocks are too far apart") }
    for market in kernel.markets {
      if !market.book.isTrusted { holds.append("the book of \(market.symbol) is not trusted") }
      if let instrument = market.instrument, !instrument.rules.isTrading {
        holds.append("\(market.symbol) is not trading")
      }
    }
    var text =
      "state at \(kernel.now.milliseconds): \(kernel.isReady ? "ready" : "not ready"),"
      + " \(counts.fills) fills, \(counts.placed) placed, \(kernel.orders.workingCount) working\n"
    if !holds.isEmpty { text += "  held back: \(holds.joined(separator: "; "))\n" }
    for entry in kernel.portfolio.allEntries {
      text +=
        "  \(entry.asset): \(entry.expected), reserved \(entry.reserved), fees \(entry.fees)\n"
    }
    for market in kernel.markets {
      guard let instrument = market.instrument, let top = market.book.top else { continue }
      let bid = top.bid.map { instrument.scale.text($0) } ?? "-"
      let ask = top.ask.map { instrument.scale.text($0) } ?? "-"
      text += "  \(market.symbol): bid \(bid), ask \(ask)\n"
    }
    return text
  }
}
